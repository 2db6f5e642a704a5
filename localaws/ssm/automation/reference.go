package automation

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// reference is what stands between {{ and }}: a parameter (step is ""), an output of a step, or a variable of
// Automation (one that holds a colon).
type reference struct {
	step, name string
}

func (r reference) String() string {
	if r.step == "" {
		return "{{ " + r.name + " }}"
	}
	return "{{ " + r.step + "." + r.name + " }}"
}

// template is a string that holds references. Without a reference, part is literal text.
type template struct{ parts []part }

type part struct {
	text string
	ref  reference
	typ  valueType // of ref; "" for text
}

// whole reports whether the template is one reference and nothing else: then its value keeps its type.
func (t *template) whole() bool { return len(t.parts) == 1 && t.parts[0].typ != "" }

// variables are the system variables that are modelled.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-variables.html
func variables() []string {
	return []string{"automation:EXECUTION_ID", "global:ACCOUNT_ID", "global:DATE_TIME", "global:REGION"}
}

// scope holds what a reference may name at one place of a document.
type scope struct {
	parameters map[string]*parameter
	outputs    map[string]map[string]valueType // of the steps before, by step and name
}

// typeOf is the type of what a reference names; "" if that was complained about, so that nothing need be said of its use.
func (s *scope) typeOf(r reference) (valueType, error) {
	if r.step != "" {
		outputs, ok := s.outputs[r.step]
		if !ok {
			return "", fmt.Errorf("%s: no earlier step has the name %q", r, r.step)
		}
		typ, ok := outputs[r.name]
		if !ok {
			return "", fmt.Errorf("%s: step %s has no output %q%s", r, r.step, r.name, suggestion(r.name, sortedKeys(outputs)))
		}
		return typ, nil
	}
	if strings.Contains(r.name, ":") {
		if !slices.Contains(variables(), r.name) {
			return "", fmt.Errorf("%s: not a variable that is modelled: %s", r, strings.Join(variables(), ", "))
		}
		return typeString, nil
	}
	p, ok := s.parameters[r.name]
	if !ok {
		return "", fmt.Errorf("%s: there is no parameter %q%s", r, r.name, suggestion(r.name, sortedKeys(s.parameters)))
	}
	if p.broken {
		return "", nil
	}
	return p.typ, nil
}

var (
	referencePattern = regexp.MustCompile(`\{\{\s*([^{}]*?)\s*\}\}`)
	targetPattern    = regexp.MustCompile(`^(?:([A-Za-z0-9_]+)\.)?([A-Za-z0-9_]+|[a-z]+:[A-Z_]+)$`)
)

var namePattern = regexp.MustCompile(`^[A-Za-z0-9_]+$`)

// compile replaces each string below v that holds references by a *template. Where names v in the complaints.
func (s *scope) compile(p *problems, where string, v any) any {
	switch v := v.(type) {
	case string:
		return s.compileText(p, where, v)
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = s.compile(p, where+"["+strconv.Itoa(i)+"]", item)
		}
		return list
	case map[string]any:
		m := make(map[string]any, len(v))
		for _, key := range sortedKeys(v) {
			if strings.Contains(key, "{{") {
				p.add(where, "the key %q holds a reference: only values can", key)
			}
			m[key] = s.compile(p, where+"."+key, v[key])
		}
		return m
	}
	return v
}

// compileString is compileText for a field that must be a string.
func (s *scope) compileString(p *problems, where, text string) any {
	compiled := s.compileText(p, where, text)
	if t, ok := compiled.(*template); ok && t.whole() && t.parts[0].typ != typeString {
		p.add(where, "must be a string, and %s is a %s", t.parts[0].ref, t.parts[0].typ)
	}
	return compiled
}

// compileText returns the text itself if it holds no reference, or else a *template.
func (s *scope) compileText(p *problems, where, text string) any {
	t := &template{}
	end, broken := 0, false
	complain := func(at int, format string, args ...any) {
		place := where
		if strings.Contains(text, "\n") {
			place += ": line " + strconv.Itoa(1+strings.Count(text[:at], "\n"))
		}
		p.add(place, format, args...)
		broken = true
	}
	literal := func(from, to int) {
		if i := strings.Index(text[from:to], "{{"); i >= 0 {
			line, _, _ := strings.Cut(text[from+i:], "\n")
			complain(from+i, "%q: {{ begins no reference, and Automation takes each {{ for one", line)
		}
		if from < to {
			t.parts = append(t.parts, part{text: text[from:to]})
		}
	}
	found := referencePattern.FindAllStringSubmatchIndex(text, -1)
	for _, at := range found {
		literal(end, at[0])
		end = at[1]
		target := targetPattern.FindStringSubmatch(text[at[2]:at[3]])
		if target == nil || (target[1] != "" && strings.Contains(target[2], ":")) {
			complain(at[0], "%s is not a reference to a parameter, an output or a variable", text[at[0]:at[1]])
			continue
		}
		ref := reference{step: target[1], name: target[2]}
		typ, err := s.typeOf(ref)
		if err != nil {
			complain(at[0], "%v", err)
			continue
		}
		broken = broken || typ == ""
		t.parts = append(t.parts, part{ref: ref, typ: typ})
	}
	literal(end, len(text))
	if len(found) == 0 || broken {
		return text
	}
	if !t.whole() {
		for _, part := range t.parts {
			if part.typ != "" && part.typ != typeString && part.typ != typeInteger {
				p.add(where, "%s is a %s inside a longer string: how AWS spells it there is not documented", part.ref, part.typ)
			}
		}
	}
	return t
}

// values resolves references at run time.
type values func(reference) (any, error)

// resolve replaces the templates below v by values.
func resolve(v any, lookup values) (any, error) {
	switch v := v.(type) {
	case *template:
		if v.whole() {
			return lookup(v.parts[0].ref)
		}
		var b strings.Builder
		for _, part := range v.parts {
			if part.typ == "" {
				b.WriteString(part.text)
				continue
			}
			value, err := lookup(part.ref)
			if err != nil {
				return nil, err
			}
			fmt.Fprint(&b, value)
		}
		return b.String(), nil
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			var err error
			if list[i], err = resolve(item, lookup); err != nil {
				return nil, err
			}
		}
		return list, nil
	case map[string]any:
		m := make(map[string]any, len(v))
		for key, item := range v {
			value, err := resolve(item, lookup)
			if err != nil {
				return nil, err
			}
			m[key] = value
		}
		return m, nil
	}
	return v, nil
}
