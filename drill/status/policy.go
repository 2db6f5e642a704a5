package status

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// policyDifferences are those between two policies by their meaning: the order of statements and of values, a single value or a list of
// one, an account's id or the ARN of its root, "*" or every AWS principal, and the case of actions and condition keys say nothing.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
func policyDifferences(want, have any) (all []difference) {
	if what, is := want.(unresolved); is {
		return differences("the policy", what, nil)
	}
	wanted, had := statements(want), statements(have)
	all = differences("Version", version(want), version(have))
	for _, text := range slices.Sorted(maps.Keys(wanted)) {
		if _, has := had[text]; has {
			continue
		}
		if what := firstUnresolved(wanted[text]); what != "" {
			all = append(all, differences("statement "+named(wanted[text]), what, nil)...)
			continue
		}
		sid := sidOf(wanted[text])
		other, isChanged := bySID(had, wanted, sid)
		if !isChanged {
			all = append(all, difference{text: fmt.Sprintf("statement %s is missing", named(wanted[text]))})
			continue
		}
		for _, one := range differences("", meaning(wanted[text]), meaning(other)) {
			all = append(all, difference{text: "statement " + sid + ": " + one.text, notKnown: one.notKnown})
		}
		delete(had, canonical(meaning(other)))
	}
	for _, text := range slices.Sorted(maps.Keys(had)) {
		if _, is := wanted[text]; !is && !unknownMayBe(wanted) {
			all = append(all, difference{text: fmt.Sprintf("statement %s is not in the template", named(had[text]))})
		}
	}
	return all
}

// unknownMayBe tells whether a statement is not resolved: then one that is there may be that one.
func unknownMayBe(wanted map[string]map[string]any) bool {
	for _, statement := range wanted {
		if firstUnresolved(statement) != "" {
			return true
		}
	}
	return false
}

// firstUnresolved is something in a value that is not resolved; empty if all is.
func firstUnresolved(value any) unresolved {
	switch value := value.(type) {
	case unresolved:
		return value
	case []any:
		for _, item := range value {
			if what := firstUnresolved(item); what != "" {
				return what
			}
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			if what := firstUnresolved(value[name]); what != "" {
				return what
			}
		}
	}
	return ""
}

// statements are those of a policy by their meaning.
func statements(policy any) map[string]map[string]any {
	document, _ := opened(policy).(map[string]any)
	all := map[string]map[string]any{}
	for _, item := range list(document["Statement"]) {
		if statement, is := item.(map[string]any); is {
			all[canonical(meaning(statement))] = statement
		}
	}
	return all
}

func version(policy any) any {
	document, _ := opened(policy).(map[string]any)
	return document["Version"]
}

// list is a list, or a list of the one value.
func list(value any) []any {
	switch value := value.(type) {
	case nil:
		return nil
	case []any:
		return value
	}
	return []any{value}
}

func sidOf(statement map[string]any) string {
	sid, _ := statement["Sid"].(string)
	return sid
}

// named is what people call a statement.
func named(statement map[string]any) string {
	if sid := sidOf(statement); sid != "" {
		return sid
	}
	return shown(statement)
}

// bySID is the statement with an id that has no equal among those that are wanted.
func bySID(had, wanted map[string]map[string]any, sid string) (map[string]any, bool) {
	for _, text := range slices.Sorted(maps.Keys(had)) {
		if _, equal := wanted[text]; !equal && sid != "" && sidOf(had[text]) == sid {
			return had[text], true
		}
	}
	return nil, false
}

// meaning is a statement without what says nothing.
func meaning(statement map[string]any) map[string]any {
	meant := map[string]any{}
	for name, value := range statement {
		switch name {
		case "Sid":
		case "Action", "NotAction":
			meant[name] = eachText(value, strings.ToLower)
		case "Principal", "NotPrincipal":
			meant[name] = principals(value)
		case "Condition":
			meant[name] = conditions(value)
		case "Resource", "NotResource":
			meant[name] = eachText(value, func(text string) string { return text })
		default:
			meant[name] = value
		}
	}
	return meant
}

// eachText is a list of texts, each once.
func eachText(value any, change func(string) string) []any {
	seen := map[string]bool{}
	var all []any
	for _, item := range list(value) {
		if _, is := item.(unresolved); is {
			all = append(all, item)
			continue
		}
		if text := change(fmt.Sprint(item)); !seen[text] {
			seen[text] = true
			all = append(all, text)
		}
	}
	return all
}

var rootARN = regexp.MustCompile(`^arn:[^:]*:iam::([0-9]{12}):root$`)

// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
func principals(value any) any {
	if value == "*" {
		value = map[string]any{"AWS": "*"}
	}
	kinds, is := value.(map[string]any)
	if !is {
		return value
	}
	meant := map[string]any{}
	for kind, names := range kinds {
		meant[kind] = eachText(names, func(text string) string {
			if root := rootARN.FindStringSubmatch(text); root != nil {
				return root[1]
			}
			return text
		})
	}
	return meant
}

func conditions(value any) any {
	operators, is := value.(map[string]any)
	if !is {
		return value
	}
	meant := map[string]any{}
	for operator, keys := range operators {
		under, is := keys.(map[string]any)
		if !is {
			return value
		}
		lower := map[string]any{}
		for key, values := range under {
			// An empty list of differences would make a false nothing: here it is a value.
			lower[strings.ToLower(key)] = eachText(values, func(text string) string { return "'" + text + "'" })
		}
		meant[operator] = lower
	}
	return meant
}

// unescaped is a policy as IAM shows it, which is encoded as in a URL.
func unescaped(policy string) string {
	if text, err := url.PathUnescape(policy); err == nil {
		return text
	}
	return policy
}

// comparePolicy notes what differs between two policies.
func (f *Finding) comparePolicy(want, have any) { f.differ(revert, policyDifferences(want, have)) }
