package api

import (
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

// AfterLast is what follows the last of some characters: the name at the end of an ARN.
func AfterLast(name, characters string) string {
	return name[strings.LastIndexAny(name, characters)+1:]
}
