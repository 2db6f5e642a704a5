package trailguard_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/trailguard/trailguard/internal/cases"
)

// TestRulesAndRemediationsWaitForEveryPolicy: Config evaluates a rule as soon as it exists and remediates at once, and
// five failures disarm it.
func TestRulesAndRemediationsWaitForEveryPolicy(t *testing.T) {
	for _, c := range cases.All() {
		t.Run(c.Name, func(t *testing.T) {
			if problems := tooEarly(synthesize(c.Stack())); len(problems) > 0 {
				t.Error(strings.Join(problems, "\n"))
			}
		})
	}
}

func TestARuleThatWaitsForNothingIsFound(t *testing.T) {
	template := synthesize(cases.All()[0].Stack())
	for _, id := range ofType(template, "AWS::Config::ConfigRule") {
		delete(resource(template, id), "DependsOn")
	}
	if len(tooEarly(template)) == 0 {
		t.Error("the check does not notice rules without DependsOn")
	}
}

// beside are the policies that are no part of what CloudTrail or the runbook needs.
var beside = regexp.MustCompile("AccessLogs|RecorderBucketPolicy|^EventRules|^Alert")

// tooEarly names each rule and remediation that may exist before a policy that the runbook needs.
func tooEarly(template map[string]any) []string {
	var needed []string
	for _, kind := range []string{"AWS::IAM::Policy", "AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy", "AWS::Config::ConfigurationRecorder"} {
		needed = append(needed, ofType(template, kind)...)
	}
	var problems []string
	for _, kind := range []string{"AWS::Config::ConfigRule", "AWS::Config::RemediationConfiguration"} {
		for _, id := range ofType(template, kind) {
			before := precedes(template, id)
			for _, policy := range needed {
				if beside.MatchString(policy) {
					continue
				}
				if !before[policy] {
					problems = append(problems, fmt.Sprintf("%s does not wait for %s", id, policy))
				}
			}
		}
	}
	for _, id := range ofType(template, "AWS::Config::RemediationConfiguration") {
		for _, key := range ofType(template, "AWS::KMS::Key") {
			if !beside.MatchString(key) && !precedes(template, id)[key] {
				problems = append(problems, fmt.Sprintf("%s does not wait for %s", id, key))
			}
		}
	}
	return problems
}

// precedes returns the ids of all resources that exist before the resource with the id.
func precedes(template map[string]any, id string) map[string]bool {
	found := map[string]bool{}
	var visit func(id string)
	visit = func(id string) {
		for _, next := range references(resource(template, id)) {
			if _, isResource := template["Resources"].(map[string]any)[next]; isResource && !found[next] {
				found[next] = true
				visit(next)
			}
		}
	}
	visit(id)
	return found
}

// references returns the logical ids in Ref, Fn::GetAtt and DependsOn.
func references(value any) []string {
	var ids []string
	switch value := value.(type) {
	case map[string]any:
		for key, inner := range value {
			switch inner := inner.(type) {
			case string:
				if key == "Ref" || key == "DependsOn" {
					ids = append(ids, inner)
				}
			case []any:
				if key == "Fn::GetAtt" {
					ids = append(ids, inner[0].(string))
				}
				if key == "DependsOn" {
					for _, id := range inner {
						ids = append(ids, id.(string))
					}
				}
			}
			ids = append(ids, references(inner)...)
		}
	case []any:
		for _, inner := range value {
			ids = append(ids, references(inner)...)
		}
	}
	return ids
}

func TestTheDeployedRunbookAcceptsOnlyTheDeclaredValues(t *testing.T) {
	for _, c := range cases.All() {
		t.Run(c.Name, func(t *testing.T) {
			for name, parameter := range runbook(synthesize(c.Stack()))["parameters"].(map[string]any) {
				parameter := parameter.(map[string]any)
				if fmt.Sprint(parameter["allowedValues"]) != fmt.Sprint([]any{parameter["default"]}) {
					t.Errorf("%s allows %v, its default is %v", name, parameter["allowedValues"], parameter["default"])
				}
			}
		})
	}
}

func TestTheDeployedRunbookHasAParameterForEachReference(t *testing.T) {
	reference := regexp.MustCompile(`\{\{ ?([A-Za-z0-9]+) ?\}\}`)
	for _, c := range cases.All() {
		t.Run(c.Name, func(t *testing.T) {
			content := runbook(synthesize(c.Stack()))
			text, err := json.Marshal(content)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range reference.FindAllStringSubmatch(string(text), -1) {
				if content["parameters"].(map[string]any)[match[1]] == nil {
					t.Errorf("the runbook refers to %s, which is no parameter", match[1])
				}
			}
		})
	}
}

// TestRemediationParametersKeepTheirCase: the CDK has changed the case of the keys of this property in some languages.
// https://github.com/aws/aws-cdk/issues/8996
func TestRemediationParametersKeepTheirCase(t *testing.T) {
	template := synthesize(cases.All()[0].Stack())
	want := []string{
		"AutomationAssumeRole", "CloudTrailKmsKeyId", "CloudTrailName", "CloudTrailS3BucketName",
		"EnableLogFileValidation", "IncludeGlobalServiceEvents", "IsMultiRegionTrail", "IsOrganizationTrail",
	}
	remediations := ofType(template, "AWS::Config::RemediationConfiguration")
	if len(remediations) != 3 {
		t.Fatalf("there are %d remediations, not 3", len(remediations))
	}
	for _, id := range remediations {
		parameters := resource(template, id)["Properties"].(map[string]any)["Parameters"].(map[string]any)
		if got := slices.Sorted(maps.Keys(parameters)); !slices.Equal(got, want) {
			t.Errorf("%s has the parameters %v, not %v", id, got, want)
		}
		for name, parameter := range parameters {
			values, _ := parameter.(map[string]any)["StaticValue"].(map[string]any)["Values"].([]any)
			if len(values) != 1 {
				t.Errorf("%s: %s is %v", id, name, parameter)
			}
		}
	}
}

func TestOrganizationTrailIsNeverDemoted(t *testing.T) {
	for _, c := range cases.All() {
		for _, step := range runbook(synthesize(c.Stack()))["mainSteps"].([]any) {
			inputs := step.(map[string]any)["inputs"].(map[string]any)
			if value, sent := inputs["IsOrganizationTrail"]; sent && inputs["Api"] == "UpdateTrail" && value != true {
				t.Errorf("%s: UpdateTrail sends IsOrganizationTrail %v", c.Name, value)
			}
		}
	}
}

func TestGovCloudHasNoRemediationConfiguration(t *testing.T) {
	for _, c := range cases.All() {
		template := synthesize(c.Stack())
		want := 3
		if c.Region == "us-gov-west-1" {
			want = 0
		}
		if got := ofType(template, "AWS::Config::RemediationConfiguration"); len(got) != want {
			t.Errorf("%s: the template has the remediations %v", c.Name, got)
		}
	}
}

func TestEvidenceIsRetained(t *testing.T) {
	template := synthesize(cases.All()[0].Stack())
	for _, id := range append(ofType(template, "AWS::S3::Bucket"), ofType(template, "AWS::KMS::Key")...) {
		if policy := resource(template, id)["DeletionPolicy"]; policy != "Retain" {
			t.Errorf("%s has the deletion policy %v", id, policy)
		}
	}
}

func runbook(template map[string]any) map[string]any {
	id := ofType(template, "AWS::SSM::Document")[0]
	return resource(template, id)["Properties"].(map[string]any)["Content"].(map[string]any)
}

func resource(template map[string]any, id string) map[string]any {
	return template["Resources"].(map[string]any)[id].(map[string]any)
}

func ofType(template map[string]any, kind string) []string {
	var ids []string
	for id, resource := range template["Resources"].(map[string]any) {
		if resource.(map[string]any)["Type"] == kind {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}
