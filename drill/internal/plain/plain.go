// Package plain writes what AWS shows so that two answers that mean the same are the same text.
package plain

import "encoding/json"

// JSON is the JSON of a value with the members of objects in order, without those that are nothing.
func JSON(value any) (string, error) {
	encoded, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	var plain any
	if err := json.Unmarshal(encoded, &plain); err != nil {
		return "", err
	}
	encoded, err = json.Marshal(withoutNothing(plain))
	return string(encoded), err
}

// withoutNothing leaves out of objects what is nothing.
func withoutNothing(value any) any {
	switch value := value.(type) {
	case map[string]any:
		kept := map[string]any{}
		for name, member := range value {
			if member = withoutNothing(member); member != nil && member != false && member != "" {
				kept[name] = member
			}
		}
		return kept
	case []any:
		for i := range value {
			value[i] = withoutNothing(value[i])
		}
	}
	return value
}
