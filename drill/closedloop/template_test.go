package closedloop

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/trailguard/trailguard/drill/internal/repository"
)

// template is a CloudFormation template, to be changed before it is deployed.
type template map[string]any

// readTemplate reads a golden template of constructs/trailguard and switches its event rules off: what is tested here is the
// certain path, by Config, which must do without them.
func readTemplate(t *testing.T, name string) template {
	t.Helper()
	tpl := readWholeTemplate(t, name)
	for _, rule := range tpl.resources("AWS::Events::Rule") {
		rule["State"] = "DISABLED"
	}
	return tpl
}

func readWholeTemplate(t *testing.T, name string) template {
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

// mutation breaks a template, for the negative controls. It fails the test if there is nothing to break.
type mutation func(t *testing.T, tpl template)

func (tpl template) mutate(t *testing.T, mutations ...mutation) template {
	t.Helper()
	for _, mutate := range mutations {
		before := tpl.json(t)
		if mutate(t, tpl); tpl.json(t) == before {
			t.Fatal("the mutation changed nothing")
		}
	}
	return tpl
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

// withoutAction takes an action out of every identity policy.
func withoutAction(action string) mutation {
	return func(_ *testing.T, tpl template) {
		for _, policy := range tpl.resources("AWS::IAM::Policy") {
			document := policy["PolicyDocument"].(map[string]any)
			var kept []any
			for _, statement := range document["Statement"].([]any) {
				statement := statement.(map[string]any)
				actions := []any{}
				for _, one := range list(statement["Action"]) {
					if one != action {
						actions = append(actions, one)
					}
				}
				if statement["Action"] = actions; len(actions) > 0 {
					kept = append(kept, statement)
				}
			}
			document["Statement"] = kept
		}
	}
}

// withoutBucketPin takes the parameters from the rule cloudtrail-enabled.
func withoutBucketPin(_ *testing.T, tpl template) {
	for _, rule := range tpl.resources("AWS::Config::ConfigRule") {
		if rule["Source"].(map[string]any)["SourceIdentifier"] == "CLOUD_TRAIL_ENABLED" {
			delete(rule, "InputParameters")
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

// withoutAllowedValues lets the runbook accept any value.
func withoutAllowedValues(_ *testing.T, tpl template) {
	for _, runbook := range tpl.resources("AWS::SSM::Document") {
		for _, parameter := range runbook["Content"].(map[string]any)["parameters"].(map[string]any) {
			delete(parameter.(map[string]any), "allowedValues")
		}
	}
}

// withInput gives the runbook's calls of an API another input.
func withInput(api, name string, value any) mutation {
	return func(_ *testing.T, tpl template) {
		for _, runbook := range tpl.resources("AWS::SSM::Document") {
			for _, step := range runbook["Content"].(map[string]any)["mainSteps"].([]any) {
				inputs := step.(map[string]any)["inputs"].(map[string]any)
				if inputs["Api"] == api {
					inputs[name] = value
				}
			}
		}
	}
}

// withOpenKey opens the keys to everybody.
func withOpenKey(_ *testing.T, tpl template) {
	for _, key := range tpl.resources("AWS::KMS::Key") {
		document := key["KeyPolicy"].(map[string]any)
		document["Statement"] = append(document["Statement"].([]any), map[string]any{
			"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*",
		})
	}
}

func list(v any) []any {
	if values, ok := v.([]any); ok {
		return values
	}
	return []any{v}
}

// trailActions are the actions on CloudTrail that the identity policies of the template allow.
func (tpl template) trailActions() []string {
	var actions []string
	for _, policy := range tpl.resources("AWS::IAM::Policy") {
		for _, statement := range policy["PolicyDocument"].(map[string]any)["Statement"].([]any) {
			for _, action := range list(statement.(map[string]any)["Action"]) {
				if strings.HasPrefix(action.(string), "cloudtrail:") {
					actions = append(actions, action.(string))
				}
			}
		}
	}
	return actions
}
