// Package api holds the types that all parts of the local AWS share: who calls, what is called and where, how a call fails,
// what time it is, and what a service and the gateway before it know of each other.
package api

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// Call is one request to one service, as the gateway understands it.
type Call struct {
	Principal Principal
	Service   string // the signing name: cloudtrail, s3, config
	Operation string // StartLogging
	Place            // the account that is called, in the Region that is called
	// Input holds the members of a JSON, query or REST request by their names on the wire.
	Input map[string]any
}

// Action is the service's signing name and the operation: cloudtrail:StartLogging.
func (c Call) Action() string { return c.Service + ":" + c.Operation }

// Text is the first string at a path of members of the input; empty if there is none.
func (c Call) Text(path string) string { return Text(c.Input, path) }

// Texts are the strings at a path of members of the input, through lists.
func (c Call) Texts(path string) []string { return Texts(c.Input, path) }

// First are the texts in the first of several members that has some.
func (c Call) First(members ...string) []string {
	for _, member := range members {
		var found []string
		for _, name := range c.Texts(member) {
			if name != "" {
				found = append(found, name)
			}
		}
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

// DecodeInput reads a call's input, and refuses members that are not modelled.
func DecodeInput(call Call, into any) error {
	encoded, err := json.Marshal(call.Input)
	if err != nil {
		return fmt.Errorf("reading the input of %s: %w", call.Action(), err)
	}
	decoder := json.NewDecoder(strings.NewReader(string(encoded)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return NotModelled("this input of %s: %v", call.Action(), err)
	}
	return nil
}

// Handler is a service that runs inside the local AWS. The output is marshalled in the protocol of the request; an error
// that is an *Error reaches the caller under its code, any other error is an internal failure (HTTP 500).
type Handler interface {
	Handle(ctx context.Context, call Call) (output any, err error)
}

// HandlerFunc is a Handler made of a function.
type HandlerFunc func(ctx context.Context, call Call) (any, error)

// Handle answers one call.
func (f HandlerFunc) Handle(ctx context.Context, call Call) (any, error) { return f(ctx, call) }

// Check refuses a call that the service behind it does not refuse, with an *Error. It is asked once the call is authorized.
type Check func(ctx context.Context, call Call) error

// Request is a call, and how it arrived.
type Request struct {
	Call
	ID          string
	AccessKeyID string
	InvokedBy   string // the service that calls with these credentials; empty if none does
	UserAgent   string
}

// Outcome is what became of a call.
type Outcome struct {
	Reached bool   // the call was allowed, and its service was asked
	Refusal *Error // nil if the call succeeded
	JSON    []byte // the answer, if the protocol is a JSON one
}

// Observer sees each call as it arrives; the function that it returns gets what became of the call, before the caller
// does. A nil function wants to know nothing more. Neither may make a call.
type Observer interface {
	Begin(request Request) (end func(Outcome))
}

// Registry is where a service registers itself.
type Registry interface {
	// Answer has a handler answer the calls of a service, by its signing name (cloudtrail), or of one action of a service
	// (ssm:GetAutomationExecution).
	Answer(name string, handler Handler)
	// Check has an action checked before its service is asked. Several checks of an action are asked in their order.
	Check(action string, check Check)
	// Observe shows all calls to an observer. Observers see them in their order.
	Observe(observer Observer)
}
