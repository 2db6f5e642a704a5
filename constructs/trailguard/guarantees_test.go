package trailguard_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"

	"github.com/trailguard/trailguard/constructs/trailguard"
	"github.com/trailguard/trailguard/internal/cases"
)

// TestRulesAndRemediationsWaitForEveryPolicy: Config evaluates a rule as soon as it exists and remediates at once, and
// five failures disarm it.
func TestRulesAndRemediationsWaitForEveryPolicy(t *testing.T) {
	for _, c := range cases.All() {
		t.Run(c.Name, func(t *testing.T) {
			if problems := tooEarly(templateOf(t, c)); len(problems) > 0 {
				t.Error(strings.Join(problems, "\n"))
			}
		})
	}
}

func TestARuleThatWaitsForNothingIsFound(t *testing.T) {
	template := named(t, "default")
	for _, id := range ofType(template, "AWS::Config::ConfigRule") {
		delete(resource(template, id), "DependsOn")
	}
	if len(tooEarly(template)) == 0 {
		t.Error("the check does not notice rules without DependsOn")
	}
}

// TestEventRulesWaitForTheTargetRolesPolicy: an event that comes before it would end in the dead-letter queue. It is part of the role, to
// which each target refers.
func TestEventRulesWaitForTheTargetRolesPolicy(t *testing.T) {
	for _, c := range cases.All() {
		template := templateOf(t, c)
		for _, id := range ofType(template, "AWS::Events::Rule") {
			if resource(template, id)["Properties"].(map[string]any)["Targets"] == nil {
				continue // there for its metric alone
			}
			if !precedes(template, id)["EventRulesTargetRole2F019CD9"] {
				t.Errorf("%s: %s does not wait for the target role", c.Name, id)
			}
		}
		for _, id := range ofType(template, "AWS::Events::Rule") {
			delete(resource(template, id)["Properties"].(map[string]any), "Targets")
		}
		for _, id := range ofType(template, "AWS::Events::Rule") {
			if precedes(template, id)["EventRulesTargetRole2F019CD9"] {
				t.Errorf("%s: the check does not notice that %s has no target", c.Name, id)
			}
		}
		if len(statements(template, "EventRulesTargetRole2F019CD9")) == 0 {
			t.Errorf("%s: the target role has no policy of its own", c.Name)
		}
	}
}

// beside are the policies that are no part of what CloudTrail or the runbook needs.
var beside = regexp.MustCompile("AccessLogs|RecorderBucketPolicy|^EventRules|^StoreRemediation|^Alert")

// tooEarly names each rule and remediation that may exist before a policy that the runbook needs.
func tooEarly(template map[string]any) []string {
	var needed []string
	for _, kind := range []string{"AWS::IAM::Role", "AWS::IAM::Policy", "AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy", "AWS::Config::ConfigurationRecorder"} {
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

var substitution = regexp.MustCompile(`\$\{([A-Za-z0-9]+)(\.[A-Za-z0-9.]+)?\}`)

// references returns the logical ids in Ref, Fn::GetAtt, Fn::Sub and DependsOn. A variable that an Fn::Sub defines itself is
// among them, which does no harm: no resource has its name.
func references(value any) []string {
	var ids []string
	switch value := value.(type) {
	case map[string]any:
		for key, inner := range value {
			switch inner := inner.(type) {
			case string:
				switch key {
				case "Ref", "DependsOn":
					ids = append(ids, inner)
				case "Fn::GetAtt":
					id, _, _ := strings.Cut(inner, ".")
					ids = append(ids, id)
				case "Fn::Sub":
					ids = append(ids, substituted(inner)...)
				}
			case []any:
				switch key {
				case "Fn::GetAtt":
					ids = append(ids, inner[0].(string))
				case "Fn::Sub":
					ids = append(ids, substituted(inner[0].(string))...)
				case "DependsOn":
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

func substituted(text string) []string {
	var ids []string
	for _, match := range substitution.FindAllStringSubmatch(text, -1) {
		ids = append(ids, match[1])
	}
	return ids
}

func TestEachKindOfReferenceIsUnderstood(t *testing.T) {
	for _, test := range []struct {
		name, resource string
		want           []string
	}{
		{"Ref", `{"Properties": {"A": [{"Ref": "Bucket"}]}}`, []string{"Bucket"}},
		{"Fn::GetAtt", `{"Properties": {"A": {"Fn::GetAtt": ["Key", "Arn"]}, "B": {"Fn::GetAtt": "Role.Arn"}}}`, []string{"Key", "Role"}},
		{"Fn::Sub", `{"Properties": {"A": {"Fn::Sub": "${Bucket}/${Key.Arn}/${AWS::Region}/${!Literal}"}}}`, []string{"Bucket", "Key"}},
		{"Fn::Sub with variables", `{"Properties": {"A": {"Fn::Sub": ["${Bucket}-${Own}", {"Own": {"Ref": "Key"}}]}}}`, []string{"Bucket", "Key", "Own"}},
		{"DependsOn", `{"DependsOn": ["Policy", "Topic"], "Properties": {}}`, []string{"Policy", "Topic"}},
		{"DependsOn of one", `{"DependsOn": "Policy"}`, []string{"Policy"}},
		{"none", `{"Properties": {"A": "Bucket", "B": "${Bucket}"}}`, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			var value any
			if err := json.Unmarshal([]byte(test.resource), &value); err != nil {
				t.Fatal(err)
			}
			got := references(value)
			if slices.Sort(got); !slices.Equal(got, test.want) {
				t.Errorf("the references are %v, not %v", got, test.want)
			}
		})
	}
}

// TestTheDeployedRunbookAcceptsNoDeclaredState: whoever may start it can choose what is restored, with which of the guard's roles, and no more.
func TestTheDeployedRunbookAcceptsNoDeclaredState(t *testing.T) {
	for _, c := range cases.All() {
		t.Run(c.Name, func(t *testing.T) {
			if problems := openParameters(runbook(templateOf(t, c))); len(problems) > 0 {
				t.Error(strings.Join(problems, "\n"))
			}
		})
	}
}

func TestARunbookThatAcceptsAnotherValueIsFound(t *testing.T) {
	for name, change := range map[string]func(parameters map[string]any){
		"no allowed values": func(p map[string]any) { delete(p["AutomationAssumeRole"].(map[string]any), "allowedValues") },
		"another role": func(p map[string]any) {
			p["AutomationAssumeRole"].(map[string]any)["allowedValues"] = []any{map[string]any{"Fn::GetAtt": []any{"AutomationRoleC58D7324", "Arn"}}, "other"}
		},
		"another default": func(p map[string]any) { p["AutomationAssumeRole"].(map[string]any)["default"] = "other" },
		"another resource": func(p map[string]any) {
			p["Resource"].(map[string]any)["allowedValues"] = []any{"CloudTrail trail", "bucket"}
		},
		"another starter":     func(p map[string]any) { p["StartedBy"].(map[string]any)["allowedValues"] = []any{"hand", "nobody"} },
		"a parameter more":    func(p map[string]any) { p["S3KeyPrefix"] = map[string]any{"default": "", "allowedValues": []any{""}} },
		"a parameter missing": func(p map[string]any) { delete(p, "Resource") },
	} {
		content := runbook(named(t, "default"))
		change(content["parameters"].(map[string]any))
		if len(openParameters(content)) == 0 {
			t.Errorf("%s: the check does not notice it", name)
		}
	}
}

// openParameters names each parameter that accepts something else than what it is for. The defaults restore the trail.
func openParameters(content map[string]any) []string {
	var problems []string
	parameters := content["parameters"].(map[string]any)
	roles := fmt.Sprint(at(parameters, "AutomationAssumeRole", "default"))
	allowed := map[string]string{"StartedBy": "[hand event schedule Config]", "AutomationAssumeRole": "[" + roles + "]"}
	if at(content["mainSteps"].([]any)[0], "inputs", "InputPayload", "Declared") != nil {
		allowed["Resource"] = "[CloudTrail trail log store]"
		allowed["AutomationAssumeRole"] = "[" + roles + " map[Fn::GetAtt:[StoreRemediationRoleFBD4FF6D Arn]]]"
	}
	for name, parameter := range parameters {
		if got := fmt.Sprint(parameter.(map[string]any)["allowedValues"]); got != allowed[name] {
			problems = append(problems, fmt.Sprintf("%s allows %s, not %s", name, got, allowed[name]))
		}
	}
	if got, want := slices.Sorted(maps.Keys(parameters)), slices.Sorted(maps.Keys(allowed)); !slices.Equal(got, want) {
		problems = append(problems, fmt.Sprintf("the parameters are %v, not %v", got, want))
	}
	return problems
}

// TestAnotherRunbookIsAnotherDocument: a document with a name of its own could not be replaced, and one that gets new versions
// could be given one by anybody who may add versions.
func TestAnotherRunbookIsAnotherDocument(t *testing.T) {
	for _, c := range cases.All() {
		template := templateOf(t, c)
		documents := ofType(template, "AWS::SSM::Document")
		if len(documents) != 1 {
			t.Fatalf("%s: the documents are %v", c.Name, documents)
		}
		for _, document := range documents {
			if method := property(template, document, "UpdateMethod"); method != "Replace" {
				t.Errorf("%s: %s is updated by %s", c.Name, document, method)
			}
			for _, prop := range []string{"Name", "VersionName"} {
				if value := property(template, document, prop); value != "<nil>" {
					t.Errorf("%s: %s has the %s %s", c.Name, document, prop, value)
				}
			}
		}
	}
}

func TestTheDeployedRunbookHasAParameterForEachReference(t *testing.T) {
	reference := regexp.MustCompile(`\{\{ ?([A-Za-z0-9]+) ?\}\}`)
	for _, c := range cases.All() {
		t.Run(c.Name, func(t *testing.T) {
			content := runbook(templateOf(t, c))
			text, err := json.Marshal(content)
			if err != nil {
				t.Fatal(err)
			}
			used := map[string]bool{}
			for _, match := range reference.FindAllStringSubmatch(string(text), -1) {
				used[match[1]] = true
				if content["parameters"].(map[string]any)[match[1]] == nil {
					t.Errorf("the runbook refers to %s, which is no parameter", match[1])
				}
			}
			for name := range content["parameters"].(map[string]any) {
				if !used[name] {
					t.Errorf("the runbook does not use its parameter %s", name)
				}
			}
		})
	}
}

// TestTheDeployedScriptHasNoVariableOfAutomation: Automation replaces what stands in two braces, in a script too.
func TestTheDeployedScriptHasNoVariableOfAutomation(t *testing.T) {
	for _, c := range cases.All() {
		script := property(templateOf(t, c), "AWS::SSM::Document", "Content.mainSteps.0.inputs.Script")
		if !strings.Contains(script, "def handler(events,context):") || strings.Contains(script, "{{") {
			t.Errorf("%s: the script is %s", c.Name, script)
		}
	}
}

// TestRemediationParametersKeepTheirCase: the CDK has changed the case of the keys of this property in some languages.
// https://github.com/aws/aws-cdk/issues/8996
func TestRemediationParametersKeepTheirCase(t *testing.T) {
	for _, c := range cases.All() {
		t.Run(c.Name, func(t *testing.T) {
			template := templateOf(t, c)
			want := []string{"AutomationAssumeRole", "StartedBy"}
			for _, id := range ofType(template, "AWS::Config::RemediationConfiguration") {
				parameters := resource(template, id)["Properties"].(map[string]any)["Parameters"].(map[string]any)
				if got := slices.Sorted(maps.Keys(parameters)); !slices.Equal(got, want) {
					t.Errorf("%s has the parameters %v, not %v", id, got, want)
				}
				for name, parameter := range parameters {
					values, _ := parameter.(map[string]any)["StaticValue"].(map[string]any)["Values"].([]any)
					if len(values) != 1 || !accepts(runbook(template), name, values[0]) {
						t.Errorf("%s: the runbook does not accept the value of %s, %v", id, name, parameter)
					}
				}
				if starter := fmt.Sprint(parameters["StartedBy"]); starter != "map[StaticValue:map[Values:[Config]]]" {
					t.Errorf("%s starts the runbook by %s", id, starter)
				}
				if version := property(template, id, "TargetVersion"); version != "1" {
					t.Errorf("%s starts the version %s of the runbook", id, version)
				}
			}
		})
	}
}

// accepts tells whether the runbook has the parameter and allows the value of it. A start passes every value as text.
func accepts(content map[string]any, name string, value any) bool {
	parameter, _ := content["parameters"].(map[string]any)[name].(map[string]any)
	allowed, _ := parameter["allowedValues"].([]any)
	return slices.ContainsFunc(allowed, func(one any) bool { return fmt.Sprint(one) == fmt.Sprint(value) })
}

// TestConfigRemediatesWhereItCan: elsewhere an event rule starts the runbook, there are no exceptions to delete, and a
// template with a remediation could not be deployed.
func TestConfigRemediatesWhereItCan(t *testing.T) {
	for region, remediates := range map[string]bool{
		"": true, "eu-central-1": true, "ap-southeast-5": true, "cn-north-1": true,
		"us-gov-west-1": false, "us-gov-east-1": false,
		"ap-east-2": false, "ap-southeast-6": false, "ap-southeast-7": false, "mx-central-1": false,
	} {
		t.Run(region, func(t *testing.T) {
			template := guarded(region, nil)
			remediations, exceptions, verdicts := 0, "<nil>", 1
			if remediates {
				remediations, verdicts = 3, 0
				exceptions = "[map[Ref:ConfigRulesTrailEnabled2BBAB97E] map[Ref:ConfigRulesSecurityTrailEnabledCD9D03BD] map[Ref:ConfigRulesTrailSettingsA8E21D24]]"
			}
			if got := ofType(template, "AWS::Config::RemediationConfiguration"); len(got) != remediations {
				t.Errorf("the remediations are %v", got)
			}
			if got := property(template, "AWS::SSM::Document", "Content.mainSteps.0.inputs.InputPayload.ConfigRuleNames"); got != exceptions {
				t.Errorf("the exceptions of %s are deleted", got)
			}
			starting := slices.DeleteFunc(ofType(template, "AWS::Events::Rule"), func(id string) bool {
				return !strings.HasPrefix(id, "EventRulesNonCompliant")
			})
			if len(starting) != verdicts {
				t.Errorf("the rules %v start the runbook on Config's verdict", starting)
			}
			for _, action := range []string{"config:DeleteRemediationExceptions", "config:DescribeRemediationExceptions"} {
				if may := slices.Contains(allowed(template, "AutomationRole"), action); may != remediates {
					t.Errorf("that the role may %s is %t", action, may)
				}
			}
		})
	}
}

func TestEvidenceIsRetained(t *testing.T) {
	template := named(t, "default")
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

// guarded is the template of a guard with the props, in a stack of the Region.
func guarded(region string, props *trailguard.TrailGuardProps) map[string]any {
	return synthesize(cases.Case{
		Region: region, Props: func(awscdk.Stack) *trailguard.TrailGuardProps { return props },
	}.Stack())
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
