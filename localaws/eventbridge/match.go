package eventbridge

import (
	"maps"
	"slices"
)

// field is one value at the leaves of an event.
type field struct {
	value any
	// arrayIndices says, for each array around the value, which of its elements holds it: two fields match together only
	// in the same element.
	arrayIndices map[int]int
}

// Matches reports whether the event, a JSON object, matches. A field that is an array matches if any element does;
// exists looks at leaves only, so that a field that holds an object, or an empty array, does not exist.
func (p Pattern) Matches(event map[string]any) bool {
	event, err := copyEvent(event)
	return err == nil && p.matches(fieldsOf(event))
}

// fieldsOf are the leaves of an event that copyEvent has made, by their paths.
func fieldsOf(event map[string]any) map[string][]field {
	fields := map[string][]field{}
	flatten(event, "", nil, fields, new(int))
	return fields
}

func (p Pattern) matches(fields map[string][]field) bool {
	return slices.ContainsFunc(p.alternatives, func(conditions []condition) bool {
		return p.matchAll(conditions, fields, nil)
	})
}

func (p Pattern) matchAll(conditions []condition, fields map[string][]field, arrayIndices map[int]int) bool {
	if len(conditions) == 0 {
		return true
	}
	c := conditions[0]
	candidates := fields[c.path]
	if len(candidates) == 0 {
		return slices.ContainsFunc(c.tests, func(t test) bool {
			return t.absent || t.anythingBut && p.options.AnythingButMatchesAbsent
		}) && p.matchAll(conditions[1:], fields, arrayIndices)
	}
	for _, candidate := range candidates {
		merged, together := merge(arrayIndices, candidate.arrayIndices)
		if together && slices.ContainsFunc(c.tests, func(t test) bool { return !t.absent && t.matches(candidate.value) }) &&
			p.matchAll(conditions[1:], fields, merged) {
			return true
		}
	}
	return false
}

// flatten collects the leaves of an event by their paths; arrays counts the arrays met so far.
func flatten(value any, path string, arrayIndices map[int]int, fields map[string][]field, arrays *int) {
	switch value := value.(type) {
	case map[string]any:
		for key, inner := range value {
			flatten(inner, join(path, key), arrayIndices, fields, arrays)
		}
	case []any:
		*arrays++
		array := *arrays
		for i, inner := range value {
			inside, _ := merge(arrayIndices, map[int]int{array: i})
			flatten(inner, path, inside, fields, arrays)
		}
	default:
		fields[path] = append(fields[path], field{value, arrayIndices})
	}
}

// merge unites two sets of array indices, and reports whether they agree.
func merge(a, b map[int]int) (map[int]int, bool) {
	merged := maps.Clone(a)
	for array, index := range b {
		if other, ok := a[array]; ok && other != index {
			return nil, false
		}
		if merged == nil {
			merged = map[int]int{}
		}
		merged[array] = index
	}
	return merged, true
}
