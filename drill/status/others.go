package status

import (
	"fmt"
	"strings"
	"sync"
)

// others are the stacks of an organization, as far as one of them is to know of the rest. Nil are none: then a stack is looked at alone.
type others struct {
	mu   sync.Mutex
	made map[string]bool
	// templates are those that StackSets have for the stacks that they make, by the ids of the stacks.
	templates map[string]string
	// senders are the accounts whose rules send to an event bus, by its ARN.
	senders map[string][]string
}

func newOthers() *others {
	return &others{made: map[string]bool{}, templates: map[string]string{}, senders: map[string][]string{}}
}

// make notes what a stack makes that other stacks name: a bucket by its name, a key and an event bus by their ARNs. id is that of the stack.
func (o *others) make(id, kind, name string) {
	arn := strings.Split(id, ":")
	switch kind {
	case "AWS::KMS::Key":
		name = fmt.Sprintf("arn:%s:kms:%s:%s:key/%s", arn[1], arn[3], arn[4], name)
	case "AWS::Events::EventBus":
		name = fmt.Sprintf("arn:%s:events:%s:%s:event-bus/%s", arn[1], arn[3], arn[4], name)
	case "AWS::S3::Bucket":
	default:
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.made[name] = true
}

// makes tells whether another stack makes a resource, and is looked at for that.
func (o *others) makes(name string) bool {
	if o == nil {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.made[name]
}

// rollOut notes the template that a StackSet has for a stack.
func (o *others) rollOut(id, template string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.templates[id] = template
}

// template is the one that a StackSet has for a stack; empty if no StackSet makes the stack.
func (o *others) template(id string) string {
	if o == nil {
		return ""
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.templates[id]
}

// send notes that a rule of an account sends to an event bus.
func (o *others) send(account, bus string) {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.senders[bus] = append(o.senders[bus], account)
}
