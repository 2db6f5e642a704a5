package status

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// plain is a value of the SDK as JSON has it: structs as objects, without members that are not set.
func plain(value any) any {
	encoded, err := json.Marshal(value)
	if err != nil {
		return unresolved(err.Error())
	}
	decoded, err := decode(string(encoded))
	if err != nil {
		return unresolved(err.Error())
	}
	return pruned(decoded)
}

// pruned leaves out what is null, an empty text, list or object, and what holds nothing else.
func pruned(value any) any {
	switch value := value.(type) {
	case string:
		if value == "" {
			return nil
		}
	case []any:
		list := []any{}
		for _, item := range value {
			if item = pruned(item); item != nil {
				list = append(list, item)
			}
		}
		if len(list) == 0 {
			return nil
		}
		return list
	case map[string]any:
		object := map[string]any{}
		for name, member := range value {
			if member = pruned(member); member != nil {
				object[name] = member
			}
		}
		if len(object) == 0 {
			return nil
		}
		return object
	}
	return value
}

// only are the members of an object that have one of the names.
func only(object map[string]any, names ...string) map[string]any {
	some := map[string]any{}
	for _, name := range names {
		if value, has := object[name]; has {
			some[name] = value
		}
	}
	return some
}

// without are the members of an object that have none of the names.
func without(object map[string]any, names ...string) map[string]any {
	some := maps.Clone(object)
	for _, name := range names {
		delete(some, name)
	}
	return some
}

// difference is what two values differ in, or what cannot be compared.
type difference struct {
	text     string
	notKnown bool // what is wanted is not resolved
}

// differences are those between what is wanted and what there is, each named by where it is. Lists are compared without their order,
// a number or a boolean equals the text that writes it, a false equals nothing, and a text that holds JSON equals what it holds.
func differences(where string, want, have any) []difference {
	if what, is := want.(unresolved); is {
		return []difference{{fmt.Sprintf("%s: %s cannot be worked out from the stack", where, string(what)), true}}
	}
	if same(want, have) {
		return nil
	}
	switch wanted := want.(type) {
	case map[string]any:
		had, isObject := opened(have).(map[string]any)
		if !isObject && have != nil {
			break
		}
		var all []difference
		for _, name := range slices.Sorted(maps.Keys(union(wanted, had))) {
			all = append(all, differences(under(where, name), wanted[name], had[name])...)
		}
		return all
	case []any:
		had, isList := opened(have).([]any)
		if isList && len(wanted) == 1 && len(had) == 1 {
			return differences(where, wanted[0], had[0])
		}
		if !isList && have != nil {
			break
		}
		return inList(where, wanted, had)
	}
	wanted, had := apart(want, have)
	return []difference{{text: fmt.Sprintf("%s is %s, want %s", where, shown(had), shown(wanted))}}
}

// apart are two values without what long texts have in common at their beginning.
func apart(a, b any) (any, any) {
	first, isText := a.(string)
	second, areTexts := b.(string)
	if !isText || !areTexts || len(first) <= most && len(second) <= most {
		return a, b
	}
	const context = 20
	common := 0
	for common < min(len(first), len(second)) && first[common] == second[common] {
		common++
	}
	common -= context
	if common <= 0 {
		return a, b
	}
	return "…" + strings.ToValidUTF8(first[common:], ""), "…" + strings.ToValidUTF8(second[common:], "")
}

// inList are the items that only one of two lists has.
func inList(where string, want, have []any) (all []difference) {
	left := slices.Clone(have)
	for _, item := range want {
		if what, is := item.(unresolved); is {
			return differences(where, what, nil)
		}
		if i := slices.IndexFunc(left, func(other any) bool { return same(item, other) }); i >= 0 {
			left = slices.Delete(left, i, i+1)
			continue
		}
		all = append(all, difference{text: fmt.Sprintf("%s lacks %s", where, shown(item))})
	}
	for _, item := range left {
		all = append(all, difference{text: fmt.Sprintf("%s has %s besides", where, shown(item))})
	}
	return all
}

func under(where, name string) string {
	if where == "" {
		return name
	}
	return where + "." + name
}

func union(a, b map[string]any) map[string]any {
	all := maps.Clone(a)
	for name, value := range b {
		if _, has := all[name]; !has {
			all[name] = value
		}
	}
	return all
}

// same tells whether two values mean the same.
func same(want, have any) bool { return canonical(want) == canonical(have) }

// opened is what a text that is an object or a list in JSON holds.
func opened(value any) any {
	if text, isText := value.(string); isText && (strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[")) {
		if decoded, err := decode(text); err == nil {
			return decoded
		}
	}
	return value
}

// canonical writes a value so that values with one meaning are written alike.
func canonical(value any) string { return written(value, slices.Sort[[]string]) }

// inOrder leaves a list as it is.
func inOrder([]string) {}

// written writes a value as canonical does, with lists in some order.
func written(value any, order func([]string)) string {
	switch value := opened(value).(type) {
	case nil:
		return ""
	case unresolved:
		return "?" + string(value)
	case bool:
		if !value {
			return ""
		}
		return "true"
	case json.Number:
		if number, err := value.Float64(); err == nil {
			return strconv.FormatFloat(number, 'f', -1, 64)
		}
		return value.String()
	case []any:
		var items []string
		for _, item := range value {
			items = append(items, "("+written(item, order)+")")
		}
		order(items)
		return "[" + strings.Join(items, ",") + "]"
	case map[string]any:
		var members []string
		for _, name := range slices.Sorted(maps.Keys(value)) {
			if text := written(value[name], order); text != "" {
				members = append(members, name+"=("+text+")")
			}
		}
		return "{" + strings.Join(members, ",") + "}"
	case string:
		if value == "false" {
			return ""
		}
		return value
	default:
		return fmt.Sprint(value)
	}
}

// shown writes a value for people.
func shown(value any) string {
	if value == nil {
		return "not set"
	}
	if text, isText := value.(string); isText && !strings.ContainsAny(text, " \n") && text != "" {
		return cut(text)
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return cut(string(encoded))
}

// most is how many characters of a value are shown.
const most = 160

// cut shortens a text that is too long to read.
func cut(text string) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// orNone is a text, or nil if it is empty.
func orNone(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// member is a member of an object; nil if there is none.
func member(object any, name string) any {
	if what, is := object.(unresolved); is {
		return what
	}
	members, _ := object.(map[string]any)
	return members[name]
}
