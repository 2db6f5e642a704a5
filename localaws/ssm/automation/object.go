package automation

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// problems collects everything that is wrong with a document.
type problems struct{ errs []error }

func (p *problems) add(where, format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	if where != "" {
		message = where + ": " + message
	}
	p.errs = append(p.errs, errors.New(message))
}

// object reads a map's keys, each once, and complains about those that nobody asked for.
type object struct {
	where    string
	values   map[string]any
	asked    map[string]bool
	problems *problems
}

// object views v as a map; where says what it is, for the complaints.
func (p *problems) object(where string, v any) *object {
	m, ok := v.(map[string]any)
	if !ok {
		p.add(where, "must be a map, got %s", describe(v))
	}
	return &object{where: where, values: m, asked: map[string]bool{}, problems: p}
}

func (o *object) complain(format string, args ...any) { o.problems.add(o.where, format, args...) }

// get returns the value of a key and whether it is there.
func (o *object) get(key string) (any, bool) {
	o.asked[key] = true
	v, ok := o.values[key]
	return v, ok
}

// text returns a string, or "" and a complaint.
func (o *object) text(key string, required bool) string {
	v, ok := o.get(key)
	s, isText := v.(string)
	switch {
	case !ok && required:
		o.complain("%s is missing", key)
	case ok && !isText:
		o.complain("%s must be a string, got %s", key, describe(v))
	case ok && required && s == "":
		o.complain("%s must not be empty", key)
	}
	return s
}

func (o *object) boolean(key string, otherwise bool) bool {
	v, ok := o.get(key)
	if !ok {
		return otherwise
	}
	b, isBool := v.(bool)
	if !isBool {
		o.complain("%s must be true or false, got %s", key, describe(v))
	}
	return b
}

// positive returns a whole number of at least 1.
func (o *object) positive(key string, otherwise int) int {
	v, ok := o.get(key)
	if !ok {
		return otherwise
	}
	n, isInt := v.(int64)
	if !isInt || n < 1 {
		o.complain("%s must be a whole number of at least 1, got %s", key, describe(v))
		return otherwise
	}
	return int(n)
}

// list returns the items of a list, which must not be empty when it is required.
func (o *object) list(key string, required bool) []any {
	v, ok := o.get(key)
	items, isList := v.([]any)
	switch {
	case !ok && required:
		o.complain("%s is missing", key)
	case ok && !isList:
		o.complain("%s must be a list, got %s", key, describe(v))
	case ok && required && len(items) == 0:
		o.complain("%s must not be empty", key)
	}
	return items
}

// done complains about the keys that were not asked for.
func (o *object) done() {
	for _, key := range sortedKeys(o.values) {
		if !o.asked[key] {
			known := sortedKeys(o.asked)
			o.complain("unknown key %q%s", key, suggestion(key, known))
		}
	}
}

// suggestion is what to write instead of a name that differs from a known one in its casing only.
func suggestion(name string, known []string) string {
	squash := strings.NewReplacer("_", "", "-", "")
	for _, k := range known {
		if strings.EqualFold(squash.Replace(k), squash.Replace(name)) {
			return fmt.Sprintf("; did you mean %q?", k)
		}
	}
	return ""
}

// describe says what a value is, in the words of a complaint.
func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return fmt.Sprintf("the string %q", v)
	case bool:
		return fmt.Sprintf("the boolean %t", v)
	case int64, float64:
		return fmt.Sprintf("the number %v", v)
	case []any:
		return "a list"
	case map[string]any:
		return "a map"
	}
	return fmt.Sprintf("%T", v)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
