package tampering

import (
	"encoding/json"
	"iter"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/trailguard/trailguard/localaws/repository"
)

// template is a CloudFormation template, to be changed before it is deployed.
type template map[string]any

// The types of the resources that tests look for.
const (
	eventRule     = "AWS::Events::Rule"
	remediation   = "AWS::Config::RemediationConfiguration"
	configRule    = "AWS::Config::ConfigRule"
	runbook       = "AWS::SSM::Document"
	rolePolicy    = "AWS::IAM::Policy"
	ownedRecorder = "AWS::Config::ConfigurationRecorder"
)

// readTemplate reads a golden template of constructs/trailguard.
func readTemplate(t *testing.T, name string) template {
	t.Helper()
	content, err := os.ReadFile(repository.Path("constructs", "trailguard", "testdata", name+".template.json"))
	if err != nil {
		t.Fatal(err)
	}
	var tpl template
	if err := json.Unmarshal(content, &tpl); err != nil {
		t.Fatal(err)
	}
	return tpl
}

func (tpl template) json() string {
	content, err := json.Marshal(tpl)
	if err != nil {
		panic(err) // it was read from JSON
	}
	return string(content)
}

// resources are the properties of the resources of a type.
func (tpl template) resources(kind string) []map[string]any {
	var found []map[string]any
	for _, resource := range tpl["Resources"].(map[string]any) {
		if resource := resource.(map[string]any); resource["Type"] == kind {
			properties, _ := resource["Properties"].(map[string]any)
			found = append(found, properties)
		}
	}
	return found
}

// suppliedBuckets are the buckets that must be there before: those of server access logs that the template only names.
func (tpl template) suppliedBuckets() []string {
	var found []string
	for _, bucket := range tpl.resources("AWS::S3::Bucket") {
		logging, _ := bucket["LoggingConfiguration"].(map[string]any)
		found = append(found, texts(logging["DestinationBucketName"])...)
	}
	return found
}

// mutation breaks a template.
type mutation func(template)

// with changes the template. It fails the test if there is nothing to change.
func (tpl template) with(t *testing.T, mutations ...mutation) template {
	t.Helper()
	for _, mutate := range mutations {
		before := tpl.json()
		if mutate(tpl); tpl.json() == before {
			t.Fatal("the mutation changed nothing")
		}
	}
	return tpl
}

func without(kind string) mutation {
	return func(tpl template) {
		resources := tpl["Resources"].(map[string]any)
		for name, resource := range resources {
			if resource.(map[string]any)["Type"] == kind {
				delete(resources, name)
			}
		}
	}
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
	return pattern(rule)["detail"].(map[string]any)
}

// exception is what the pattern of the rule that starts the runbook says of remediation exceptions.
func exception(rule map[string]any) map[string]any {
	list := alternatives(rule)
	return list[len(list)-1].(map[string]any)["detail"].(map[string]any)
}

// The rules by what they are for.
func isStart(rule map[string]any) bool { return len(alternatives(rule)) > 0 }

func isSchedule(rule map[string]any) bool {
	return slices.Contains(texts(pattern(rule)["source"]), "aws.cloudformation")
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
