package closedloop

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/trailguard/trailguard/localaws/repository"
)

// template is a CloudFormation template, to be changed before it is deployed.
type template map[string]any

// readTemplate reads a golden template of constructs/trailguard.
func readTemplate(t *testing.T, name string) template {
	t.Helper()
	content, err := os.ReadFile(repository.Path("constructs", "trailguard", "testdata", name+".template.json"))
	if err != nil {
		t.Fatal(err)
	}
	return parseTemplate(t, string(content))
}

func parseTemplate(t *testing.T, text string) template {
	t.Helper()
	var tpl template
	if err := json.Unmarshal([]byte(text), &tpl); err != nil {
		t.Fatal(err)
	}
	return tpl
}

func (tpl template) json(t *testing.T) string {
	t.Helper()
	content, err := json.Marshal(tpl)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// resources are the properties of the resources of a type.
func (tpl template) resources(kind string) []map[string]any {
	var found []map[string]any
	for _, resource := range tpl["Resources"].(map[string]any) {
		if resource := resource.(map[string]any); resource["Type"] == kind {
			if resource["Properties"] == nil {
				resource["Properties"] = map[string]any{}
			}
			found = append(found, resource["Properties"].(map[string]any))
		}
	}
	return found
}

// mutation changes a template. It fails the test if there is nothing to change.
type mutation func(t *testing.T, tpl template)

func (tpl template) mutate(t *testing.T, mutations ...mutation) template {
	t.Helper()
	for i, mutate := range mutations {
		before := tpl.json(t)
		if mutate(t, tpl); tpl.json(t) == before {
			t.Fatalf("mutation %d changed nothing", i)
		}
	}
	return tpl
}

// replaced replaces a text everywhere.
func replaced(old, new string) mutation {
	return func(t *testing.T, tpl template) {
		for name, value := range parseTemplate(t, strings.ReplaceAll(tpl.json(t), old, new)) {
			tpl[name] = value
		}
	}
}

func withoutResources(kind string) mutation {
	return func(_ *testing.T, tpl template) {
		resources := tpl["Resources"].(map[string]any)
		for name, resource := range resources {
			if resource.(map[string]any)["Type"] == kind {
				delete(resources, name)
			}
		}
	}
}

// withoutConfig leaves Config's rules, and takes what they start.
var withoutConfig = withoutResources("AWS::Config::RemediationConfiguration")

// withoutRules switches every rule of EventBridge off.
func withoutRules(_ *testing.T, tpl template) {
	for _, rule := range tpl.resources("AWS::Events::Rule") {
		rule["State"] = "DISABLED"
	}
}

// isSchedule tells whether a rule is the one that looks regularly, and at the end of a deployment.
func isSchedule(rule map[string]any) bool {
	pattern, _ := rule["EventPattern"].(map[string]any)
	return slices.Contains(list(pattern["source"]), any("aws.cloudformation"))
}

// starts tells whether a rule starts the runbook.
func starts(rule map[string]any) bool {
	return rule["Targets"].([]any)[0].(map[string]any)["RoleArn"] != nil
}

// withoutEvents switches the rules off that start the runbook for other reasons than the schedule.
func withoutEvents(_ *testing.T, tpl template) {
	for _, rule := range tpl.resources("AWS::Events::Rule") {
		if starts(rule) && !isSchedule(rule) {
			rule["State"] = "DISABLED"
		}
	}
}

// withoutEndOfDeployment leaves the schedule nothing but its rate.
func withoutEndOfDeployment(_ *testing.T, tpl template) {
	for _, rule := range tpl.resources("AWS::Events::Rule") {
		if isSchedule(rule) {
			delete(rule, "EventPattern")
		}
	}
}

// withoutVersion starts the runbook's default version, and lets the start role do so.
func withoutVersion(t *testing.T, tpl template) {
	const version = "}:1"
	for _, rule := range tpl.resources("AWS::Events::Rule") {
		for _, target := range rule["Targets"].([]any) {
			if target := target.(map[string]any); target["Id"] == "Runbook" {
				arn := target["Arn"].(map[string]any)
				text := arn["Fn::Sub"].(string)
				if !strings.HasSuffix(text, version) {
					t.Fatalf("the target is %s", text)
				}
				arn["Fn::Sub"] = strings.TrimSuffix(text, ":1")
			}
		}
	}
	for _, remediation := range tpl.resources("AWS::Config::RemediationConfiguration") {
		delete(remediation, "TargetVersion")
	}
	for _, policy := range tpl.resources("AWS::IAM::Policy") {
		policy["PolicyDocument"] = parseTemplate(t, strings.ReplaceAll(template(policy).json(t), version+`"`, `}:*"`))["PolicyDocument"]
	}
}

// withAction adds an action to the statement of the identity policies that has another.
func withAction(beside, action string) mutation {
	return func(_ *testing.T, tpl template) {
		for _, policy := range tpl.resources("AWS::IAM::Policy") {
			for _, statement := range policy["PolicyDocument"].(map[string]any)["Statement"].([]any) {
				statement := statement.(map[string]any)
				if actions := list(statement["Action"]); slices.Contains(actions, any(beside)) {
					statement["Action"] = append(slices.Clone(actions), action)
				}
			}
		}
	}
}

// withoutOrder takes the dependencies from the rules that no reference implies, but for that on the recorder, without
// which there could be no rule.
func withoutOrder(_ *testing.T, tpl template) {
	resources := tpl["Resources"].(map[string]any)
	for _, resource := range resources {
		resource := resource.(map[string]any)
		if resource["Type"] != "AWS::Config::ConfigRule" {
			continue
		}
		kept := []any{}
		for _, name := range list(resource["DependsOn"]) {
			if resources[name.(string)].(map[string]any)["Type"] == "AWS::Config::ConfigurationRecorder" {
				kept = append(kept, name)
			}
		}
		resource["DependsOn"] = kept
	}
}

// late makes what a remediation needs wait for the remediations: an order that CloudFormation is free to choose unless the
// template forbids it. What is needed is of a type, and its properties hold a text.
func late(kind, text string) mutation {
	return func(t *testing.T, tpl template) {
		var remediations []any
		for name, resource := range tpl["Resources"].(map[string]any) {
			if resource.(map[string]any)["Type"] == "AWS::Config::RemediationConfiguration" {
				remediations = append(remediations, name)
			}
		}
		for _, resource := range tpl["Resources"].(map[string]any) {
			resource := resource.(map[string]any)
			if resource["Type"] != kind {
				continue
			}
			properties, err := json.Marshal(resource["Properties"])
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(properties), text) {
				resource["DependsOn"] = remediations
			}
		}
	}
}

// runbooks are the contents of the runbooks.
func (tpl template) runbooks() []map[string]any {
	var contents []map[string]any
	for _, runbook := range tpl.resources("AWS::SSM::Document") {
		contents = append(contents, runbook["Content"].(map[string]any))
	}
	return contents
}

// declaring gives the runbook's script another declared state.
func declaring(name string, value any) mutation {
	return func(_ *testing.T, tpl template) {
		for _, runbook := range tpl.runbooks() {
			inputs := runbook["mainSteps"].([]any)[0].(map[string]any)["inputs"].(map[string]any)
			inputs["InputPayload"].(map[string]any)[name] = value
		}
	}
}

func list(v any) []any {
	if values, ok := v.([]any); ok {
		return values
	}
	return []any{v}
}

// roleActions are the actions that the policy of the automation role allows, in order.
func (tpl template) roleActions() []string {
	var actions []string
	for _, policy := range tpl.resources("AWS::IAM::Policy") {
		var own []string
		for _, statement := range policy["PolicyDocument"].(map[string]any)["Statement"].([]any) {
			for _, action := range list(statement.(map[string]any)["Action"]) {
				own = append(own, action.(string))
			}
		}
		if slices.Contains(own, "cloudtrail:StartLogging") {
			actions = append(actions, own...)
		}
	}
	slices.Sort(actions)
	return actions
}
