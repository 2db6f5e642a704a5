// Package updates holds what changes in a template when one property of a guard does. The constructs' tests write it down, and others
// compare and deploy the two templates, without the CDK.
package updates

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
)

// Update is a change of one property of a guard that is deployed.
type Update struct {
	Prop string `json:"prop"`
	Name string `json:"name"`
	// Before and After are what the templates have else than the default one.
	Before []Change `json:"before,omitempty"`
	After  []Change `json:"after"`
}

// String names the update.
func (u Update) String() string { return u.Prop + ", " + u.Name }

// Change is a member of an object, or an element of a list, that another template has else, has in addition, or does not have.
type Change struct {
	// Path holds the keys on the way to it. An element's is its index.
	Path []string `json:"path"`
	// Value is what the other template has there, nil where it has nothing.
	Value any `json:"value,omitempty"`
}

// Read reads the updates and the default template that they are changes of.
func Read(updatesPath, templatePath string) ([]Update, map[string]any, error) {
	var all []Update
	var template map[string]any
	for path, into := range map[string]any{updatesPath: &all, templatePath: &template} {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, nil, err
		}
		if err := json.Unmarshal(content, into); err != nil {
			return nil, nil, fmt.Errorf("reading %s: %w", path, err)
		}
	}
	return all, template, nil
}

// Between are the changes that make the template other of template.
func Between(template, other any) []Change { return between(nil, template, other) }

func between(path []string, from, to any) []Change {
	if reflect.DeepEqual(from, to) {
		return nil
	}
	var changes []Change
	at := func(key string) []string { return append(slices.Clone(path), key) }
	switch from := from.(type) {
	case map[string]any:
		to, ok := to.(map[string]any)
		if !ok {
			break
		}
		keys := maps.Clone(from)
		maps.Copy(keys, to)
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			_, had := from[key]
			_, has := to[key]
			if !had || !has {
				changes = append(changes, Change{at(key), to[key]})
				continue
			}
			changes = append(changes, between(at(key), from[key], to[key])...)
		}
		return changes
	case []any:
		to, ok := to.([]any)
		if !ok || len(from) != len(to) {
			break
		}
		for i := range from {
			changes = append(changes, between(at(fmt.Sprint(i)), from[i], to[i])...)
		}
		return changes
	}
	return []Change{{path, to}}
}

// Apply returns the template that changes make of a template, which it leaves alone.
func Apply(template map[string]any, changes []Change) map[string]any {
	content, err := json.Marshal(template)
	if err != nil {
		panic(err) // it was read from JSON
	}
	var changed map[string]any
	if err := json.Unmarshal(content, &changed); err != nil {
		panic(err)
	}
	for _, change := range changes {
		apply(changed, change.Path, change.Value)
	}
	return changed
}

func apply(in any, path []string, value any) {
	switch in := in.(type) {
	case map[string]any:
		switch {
		case len(path) > 1:
			apply(in[path[0]], path[1:], value)
		case value == nil:
			delete(in, path[0])
		default:
			in[path[0]] = value
		}
	case []any:
		var i int
		if _, err := fmt.Sscan(path[0], &i); err != nil || i >= len(in) {
			panic(fmt.Sprintf("%q is no element of a list of %d", path[0], len(in)))
		}
		if len(path) > 1 {
			apply(in[i], path[1:], value)
		} else {
			in[i] = value
		}
	default:
		panic(fmt.Sprintf("there is nothing at %q", path))
	}
}
