package api

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Texts are the strings at a path of members, such as ConfigRule.ConfigRuleName, through lists.
func Texts(input any, path string) []string {
	switch value := input.(type) {
	case string:
		if path == "" {
			return []string{value}
		}
	case []any:
		var all []string
		for _, item := range value {
			all = append(all, Texts(item, path)...)
		}
		return all
	case map[string]any:
		name, rest, _ := strings.Cut(path, ".")
		if member, ok := value[name]; ok {
			return Texts(member, rest)
		}
	}
	return nil
}

// Text is the first string at a path of members; empty if there is none.
func Text(input any, path string) string {
	if all := Texts(input, path); len(all) > 0 {
		return all[0]
	}
	return ""
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

// AfterLast is what follows the last of some characters: the name at the end of an ARN.
func AfterLast(name, characters string) string {
	return name[strings.LastIndexAny(name, characters)+1:]
}
