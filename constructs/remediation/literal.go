package remediation

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/trailguard/trailguard/constructs/validation"
)

// entry is a member of an object whose members keep their order.
type entry struct {
	name  string
	value any
}

// literal is the text of a value as Python writes it, which quotes so that the text needs no escapes in a template. What is known at
// deployment only is a variable of CloudFormation's Fn::Sub in it.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-sub.html
func literal(value any) map[string]any {
	l := &writer{count: map[string]int{}, variables: map[string]any{}}
	l.write("", value) // counts
	l.decided, l.text = map[string]string{}, strings.Builder{}
	l.write("", value)
	if len(l.variables) == 0 {
		return map[string]any{"Fn::Sub": l.text.String()}
	}
	return map[string]any{"Fn::Sub": []any{l.text.String(), l.variables}}
}

type writer struct {
	text  strings.Builder
	count map[string]int // of each function, by its JSON
	// decided is what stands for each function. It is nil while the functions are counted.
	decided   map[string]string
	variables map[string]any
}

func (w *writer) write(name string, value any) {
	switch value := value.(type) {
	case nil:
		w.text.WriteString("None")
	case bool:
		w.text.WriteString(map[bool]string{true: "True", false: "False"}[value])
	case string:
		w.text.WriteString("'" + quoted(value) + "'")
	case []entry:
		w.members("{", "}", len(value), func(i int) {
			w.text.WriteString("'" + quoted(value[i].name) + "':")
			w.write(value[i].name, value[i].value)
		})
	case []any:
		w.members("[", "]", len(value), func(i int) { w.write(name, value[i]) })
	case map[string]any:
		w.object(name, value)
	default:
		fmt.Fprint(&w.text, value) // a number
	}
}

func (w *writer) members(open, end string, n int, write func(i int)) {
	w.text.WriteString(open)
	for i := range n {
		if i > 0 {
			w.text.WriteString(",")
		}
		write(i)
	}
	w.text.WriteString(end)
}

func (w *writer) object(name string, object map[string]any) {
	if !isFunction(object) {
		var entries []entry
		for _, name := range slices.Sorted(maps.Keys(object)) {
			entries = append(entries, entry{name, object[name]})
		}
		w.write(name, entries)
		return
	}
	quote := "'"
	if strings.HasSuffix(name, "Days") {
		quote = "" // a number
	}
	w.text.WriteString(quote)
	w.part(object)
	w.text.WriteString(quote)
}

// part writes what stands for a function in a text. A join is the texts that it joins.
func (w *writer) part(value any) {
	object, isObject := value.(map[string]any)
	if !isObject {
		w.text.WriteString(quoted(fmt.Sprint(value)))
		return
	}
	if join, ok := object["Fn::Join"].([]any); ok && len(join) == 2 && join[0] == "" {
		if parts, ok := join[1].([]any); ok {
			for _, part := range parts {
				w.part(part)
			}
			return
		}
	}
	key := validation.JSON(object)
	if w.count[key]++; w.decided == nil {
		return
	}
	if w.decided[key] == "" {
		w.decided[key] = w.decide(key, object)
	}
	w.text.WriteString(w.decided[key])
}

// decide makes a function a variable of its own if that is shorter, or if Fn::Sub knows it in no other way.
func (w *writer) decide(key string, object map[string]any) string {
	inline := ""
	switch {
	case object["Ref"] != nil:
		inline = fmt.Sprintf("${%v}", object["Ref"])
	case object["Fn::Sub"] != nil:
		inline, _ = object["Fn::Sub"].(string)
	case object["Fn::GetAtt"] != nil:
		if path, ok := object["Fn::GetAtt"].([]any); ok && len(path) == 2 {
			inline = fmt.Sprintf("${%v.%v}", path...)
		}
	}
	const reference = len("${A}")
	definition := len(`"A":,`) + len(key)
	if inline != "" && !strings.ContainsAny(inline, `'\`) && w.total(key)*len(inline) <= definition+w.total(key)*reference {
		return inline
	}
	name := fmt.Sprintf("V%d", len(w.variables))
	if len(w.variables) < 26 {
		name = string(rune('A' + len(w.variables)))
	}
	w.variables[name] = object
	return "${" + name + "}"
}

// total is how often a function is written: it is decided at its first place in the second round.
func (w *writer) total(key string) int { return w.count[key] - 1 }

// isFunction tells whether an object is one of CloudFormation's functions.
func isFunction(object map[string]any) bool {
	if len(object) != 1 {
		return false
	}
	for name := range object {
		return name == "Ref" || strings.HasPrefix(name, "Fn::")
	}
	return false
}

// quoted is a text as it stands between single quotes. Two braces in a row would be a variable to Automation, and ${ one to Fn::Sub.
func quoted(text string) string {
	encoded, err := json.Marshal(text)
	if err != nil {
		panic(fmt.Errorf("remediation: encoding a text: %w", err)) // a string can be encoded
	}
	return replacer.Replace(string(encoded[1 : len(encoded)-1]))
}

// replacer turns the inside of a text of JSON into that of Python's: a backslash goes with the character that it escapes.
var replacer = strings.NewReplacer(`\\`, `\\`, `\"`, `"`, `'`, `\'`, "{{", `{\x7b`, "${", "${!")
