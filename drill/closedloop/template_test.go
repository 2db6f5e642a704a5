package closedloop

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/internal/updates"
)

// withoutConfig leaves Config's rules, and takes what they start.
var withoutConfig = testbed.Without("AWS::Config::RemediationConfiguration")

// withoutRules switches every rule of EventBridge off.
func withoutRules(_ testbed.TB, tpl testbed.Template) {
	for _, rule := range tpl.Resources("AWS::Events::Rule") {
		rule["State"] = "DISABLED"
	}
}

// isSchedule tells whether a rule is the one that looks regularly, and at the end of a deployment.
func isSchedule(rule map[string]any) bool {
	pattern, _ := rule["EventPattern"].(map[string]any)
	return slices.Equal(list(pattern["source"]), []any{"aws.cloudformation"})
}

// starts tells whether a rule starts the runbook.
func starts(rule map[string]any) bool {
	targets, _ := rule["Targets"].([]any) // a rule may be there for its metric alone
	return len(targets) > 0 && targets[0].(map[string]any)["RoleArn"] != nil
}

// withoutEvents switches the rules off that start the runbook for other reasons than the schedule.
func withoutEvents(_ testbed.TB, tpl testbed.Template) {
	for _, rule := range tpl.Resources("AWS::Events::Rule") {
		if starts(rule) && !isSchedule(rule) {
			rule["State"] = "DISABLED"
		}
	}
}

// withoutEndOfDeployment leaves the schedule nothing but its rate.
func withoutEndOfDeployment(_ testbed.TB, tpl testbed.Template) {
	for _, rule := range tpl.Resources("AWS::Events::Rule") {
		if isSchedule(rule) {
			delete(rule, "EventPattern")
		}
	}
}

// withoutVersion starts the runbook's default version, and lets the start role do so.
func withoutVersion(t testbed.TB, tpl testbed.Template) {
	const version = "}:1"
	for _, rule := range tpl.Resources("AWS::Events::Rule") {
		targets, _ := rule["Targets"].([]any)
		for _, target := range targets {
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
	for _, remediation := range tpl.Resources("AWS::Config::RemediationConfiguration") {
		delete(remediation, "TargetVersion")
	}
	for _, policy := range rolePolicies(tpl) {
		policy["PolicyDocument"] = testbed.ParseTemplate(t, strings.ReplaceAll(testbed.Template(policy).JSON(), version+`"`, `}:*"`))["PolicyDocument"]
	}
}

// rolePolicies are the policies of roles: those within a role, and those that are resources of their own.
func rolePolicies(tpl testbed.Template) []map[string]any {
	policies := tpl.Resources("AWS::IAM::Policy")
	for _, role := range tpl.Resources("AWS::IAM::Role") {
		inline, _ := role["Policies"].([]any)
		for _, policy := range inline {
			policies = append(policies, policy.(map[string]any))
		}
	}
	return policies
}

// withoutOrder takes the dependencies from the rules that no reference implies, but for that on the recorder, without
// which there could be no rule.
func withoutOrder(_ testbed.TB, tpl testbed.Template) {
	recorders := []any{}
	for id, resource := range tpl.ByID() {
		if resource["Type"] == "AWS::Config::ConfigurationRecorder" {
			recorders = append(recorders, id)
		}
	}
	for _, resource := range tpl.ByID() {
		if resource["Type"] == "AWS::Config::ConfigRule" {
			resource["DependsOn"] = recorders
		}
	}
}

// late makes what a remediation needs wait for the remediations: an order that CloudFormation is free to choose unless the
// template forbids it. What is needed is of a type, and its properties hold a text.
func late(kind, text string) testbed.Mutation {
	return func(t testbed.TB, tpl testbed.Template) {
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
func runbooks(tpl testbed.Template) []map[string]any {
	var contents []map[string]any
	for _, runbook := range tpl.Resources("AWS::SSM::Document") {
		contents = append(contents, runbook["Content"].(map[string]any))
	}
	return contents
}

// declaring gives the runbook's script another declared state.
func declaring(name string, value any) testbed.Mutation {
	return func(_ testbed.TB, tpl testbed.Template) {
		for _, runbook := range runbooks(tpl) {
			inputs := runbook["mainSteps"].([]any)[0].(map[string]any)["inputs"].(map[string]any)
			inputs["InputPayload"].(map[string]any)[name] = value
		}
	}
}

// updated changes in a template what an update of one property changes in the default one.
func updated(name string) testbed.Mutation {
	return func(t testbed.TB, tpl testbed.Template) {
		all, _, err := updates.Read(testbed.Golden("updates.json"), testbed.Golden("default.template.json"))
		testbed.Must(t, err)
		i := slices.IndexFunc(all, func(u updates.Update) bool { return u.String() == name })
		if i < 0 {
			t.Fatalf("there is no update %s", name)
		}
		maps.Copy(tpl, updates.Apply(tpl, all[i].After))
	}
}

func list(v any) []any {
	if values, ok := v.([]any); ok {
		return values
	}
	return []any{v}
}

// roleActions are the actions that the policy of the automation role allows, in order.
func roleActions(tpl testbed.Template) []string {
	var actions []string
	for _, policy := range rolePolicies(tpl) {
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
