package tampering

import (
	"iter"
	"maps"
	"slices"

	"github.com/trailguard/trailguard/drill/internal/testbed"
)

// The types of the resources that tests look for.
const (
	eventRule     = "AWS::Events::Rule"
	remediation   = "AWS::Config::RemediationConfiguration"
	configRule    = "AWS::Config::ConfigRule"
	runbook       = "AWS::SSM::Document"
	ownedRecorder = "AWS::Config::ConfigurationRecorder"
)

// suppliedBuckets are the buckets that must be there before: those of server access logs that the template only names.
func suppliedBuckets(tpl testbed.Template) []string {
	var found []string
	for _, bucket := range tpl.Resources("AWS::S3::Bucket") {
		logging, _ := bucket["LoggingConfiguration"].(map[string]any)
		found = append(found, texts(logging["DestinationBucketName"])...)
	}
	return found
}

// pattern is the event pattern of a rule.
func pattern(rule map[string]any) map[string]any { return rule["EventPattern"].(map[string]any) }

// alternatives are those of a pattern with $or; none of any other.
func alternatives(rule map[string]any) []any {
	list, _ := pattern(rule)["$or"].([]any)
	return list
}

// detail is what a pattern says of the calls that are tampering: it is one of several alternatives, or all.
func detail(rule map[string]any) map[string]any {
	if list := alternatives(rule); len(list) > 0 {
		return list[0].(map[string]any)["detail"].(map[string]any)
	}
	found, _ := pattern(rule)["detail"].(map[string]any) // which a pattern that is a text does not have
	return found
}

// exception is what the pattern of the rule that starts the runbook says of remediation exceptions.
func exception(rule map[string]any) map[string]any {
	list := alternatives(rule)
	return list[len(list)-1].(map[string]any)["detail"].(map[string]any)
}

// The rules by what they are for.
func isStart(rule map[string]any) bool { return len(alternatives(rule)) > 0 }

func isSchedule(rule map[string]any) bool {
	return slices.Equal(texts(pattern(rule)["source"]), []string{"aws.cloudformation"})
}

func isTamperingNotice(rule map[string]any) bool {
	return !isStart(rule) && slices.Contains(texts(detail(rule)["eventName"]), "StopLogging")
}

func isFailureNotice(rule map[string]any) bool { return detail(rule)["Definition"] != nil }

func disabled(rule map[string]any) { rule["State"] = "DISABLED" }

// texts are the strings of a list, or the one string.
func texts(v any) []string {
	if one, ok := v.(string); ok {
		return []string{one}
	}
	list, _ := v.([]any)
	var found []string
	for _, one := range list {
		if one, ok := one.(string); ok {
			found = append(found, one)
		}
	}
	return found
}

// sorted walks a map in the order of its keys.
func sorted[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if !yield(key, m[key]) {
				return
			}
		}
	}
}
