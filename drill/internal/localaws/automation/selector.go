package automation

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/ohler55/ojg/jp"
)

// selector is a JSONPath on the output of one operation: members, indices, [*] and filters.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-executeAwsApi.html
type selector struct {
	text string
	path jp.Expr
	leaf reflect.Type // what it selects, never a pointer; the items if it is many
	many bool         // selects a list of matches: it has [*] or a filter
}

// selector checks a path against the operation's output.
func (c *catalog) selector(op *operation, text string) (*selector, error) {
	path, err := jp.ParseString(text)
	if err != nil {
		return nil, fmt.Errorf("%q is not a JSONPath: %w", text, err)
	}
	if _, rooted := path[0].(jp.Root); !rooted || len(path) == 1 {
		return nil, fmt.Errorf("%q must begin with $ and select a member", text)
	}
	s := &selector{text: text, path: path, leaf: op.output}
	for _, fragment := range path[1:] {
		if s.leaf, err = c.descend(s.leaf, fragment); err != nil {
			return nil, fmt.Errorf("%q: %w", text, err)
		}
		switch fragment.(type) {
		case jp.Wildcard, *jp.Filter:
			s.many = true
		}
	}
	return s, nil
}

func (c *catalog) descend(t reflect.Type, fragment jp.Frag) (reflect.Type, error) {
	var next reflect.Type
	switch fragment := fragment.(type) {
	case jp.Child:
		switch {
		case t.Kind() == reflect.Struct && t != reflect.TypeFor[time.Time]():
			shape, err := c.shape(t)
			if err != nil {
				return nil, err
			}
			m, ok := shape.member(string(fragment))
			if !ok {
				return nil, fmt.Errorf("%s has no member %q%s", t.Name(), string(fragment), suggestion(string(fragment), shape.names()))
			}
			next = t.Field(m.index).Type
		case t.Kind() == reflect.Map:
			next = t.Elem()
		default:
			return nil, fmt.Errorf("%s has no members, so no %q", kindName(t), string(fragment))
		}
	case jp.Nth, jp.Wildcard, *jp.Filter:
		if nth, ok := fragment.(jp.Nth); ok && nth < 0 {
			return nil, fmt.Errorf("the index %d is not modelled", int(nth))
		}
		if t.Kind() != reflect.Slice || t == reflect.TypeFor[[]byte]() {
			return nil, fmt.Errorf("%s has no items", kindName(t))
		}
		next = t.Elem()
	default:
		return nil, fmt.Errorf("%s is not modelled", strings.TrimPrefix(fmt.Sprintf("%T", fragment), "jp."))
	}
	if next.Kind() == reflect.Pointer {
		next = next.Elem()
	}
	return next, nil
}

// selects reports whether what is selected has a declared type.
func (s *selector) selects(typ valueType) bool {
	switch {
	case s.many:
		return typ.fits(reflect.SliceOf(s.leaf)) && (typ == typeStringList || typ == typeMapList)
	case s.leaf.Kind() == reflect.Struct && s.leaf != reflect.TypeFor[time.Time]():
		return typ == typeStringMap
	}
	return typ.fits(s.leaf)
}

// kind says what is selected.
func (s *selector) kind() string {
	if s.many {
		return "a list of matches"
	}
	return kindName(s.leaf)
}

// get returns what the path selects in an output, and whether it selects anything.
func (s *selector) get(output any) (any, bool) {
	found := s.path.Get(output)
	if s.many {
		return found, len(found) > 0
	}
	if len(found) == 0 {
		return nil, false
	}
	return found[0], true
}
