package trailguard_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/trailguard"
	"github.com/trailguard/trailguard/internal/cases"
)

func TestEventsTellButStartNothingWhereRepairOnEventsIsOff(t *testing.T) {
	template := named(t, "config-only")
	for _, kind := range []string{"AWS::SQS::Queue", "AWS::CloudWatch::Alarm"} {
		if made := ofType(template, kind); len(made) > 0 {
			t.Errorf("%v are made", made)
		}
	}
	for _, id := range ofType(template, "AWS::Events::Rule") {
		targets := resource(template, id)["Properties"].(map[string]any)["Targets"].([]any)
		if len(targets) != 1 || targets[0].(map[string]any)["Id"] != "AlertTopic" {
			t.Errorf("%s has the targets %v", id, targets)
		}
	}
}

// TestEventBridgeStartsTheRunbookWithWhatConfigStartsIt: an input that is not an object of lists deploys, and then never
// starts anything.
func TestEventBridgeStartsTheRunbookWithWhatConfigStartsIt(t *testing.T) {
	template := named(t, "default")
	want := map[string]string{}
	configuration := resource(template, ofType(template, "AWS::Config::RemediationConfiguration")[0])["Properties"].(map[string]any)
	for name, parameter := range configuration["Parameters"].(map[string]any) {
		want[name] = fmt.Sprint(parameter.(map[string]any)["StaticValue"].(map[string]any)["Values"].([]any)[0])
	}
	targets := resource(template, "EventRulesTampering76AE5C63")["Properties"].(map[string]any)["Targets"].([]any)
	input := targets[1].(map[string]any)["Input"].(map[string]any)["Fn::Join"].([]any)[1].([]any)
	text := ""
	for _, part := range input {
		if literal, ok := part.(string); ok {
			text += literal
		} else {
			text += fmt.Sprint(part)
		}
	}
	var got map[string][]string
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("the input is %s: %v", text, err)
	}
	for name, value := range want {
		if !slices.Equal(got[name], []string{value}) {
			t.Errorf("%s is %v, Config gives %s", name, got[name], value)
		}
	}
	if len(got) != len(want) {
		t.Errorf("the input is %v, Config gives %v", got, want)
	}
}

func TestGovCloudStartsTheRunbookOnConfigsVerdict(t *testing.T) {
	starts := func(template map[string]any) (ids []string) {
		for _, id := range ofType(template, "AWS::Events::Rule") {
			pattern := fmt.Sprint(resource(template, id)["Properties"].(map[string]any)["EventPattern"])
			targets := fmt.Sprint(resource(template, id)["Properties"].(map[string]any)["Targets"])
			if strings.Contains(pattern, "NON_COMPLIANT") && strings.Contains(targets, "automation-definition") {
				ids = append(ids, id)
			}
		}
		return ids
	}
	if got := starts(named(t, "govcloud")); len(got) != 1 {
		t.Errorf("in GovCloud the rules %v start the runbook", got)
	}
	if got := starts(named(t, "default")); len(got) != 0 {
		t.Errorf("where Config remediates, the rules %v start the runbook too", got)
	}
}

func TestBothKindsOfSubscriptionsAreMade(t *testing.T) {
	template := named(t, "everything")
	var endpoints []string
	for _, id := range ofType(template, "AWS::SNS::Subscription") {
		endpoints = append(endpoints, property(template, id, "Endpoint"))
	}
	slices.Sort(endpoints)
	if want := []string{"https://example.com/alerts", "security@example.com"}; !slices.Equal(endpoints, want) {
		t.Errorf("the subscriptions are %v, not %v", endpoints, want)
	}
}

func TestOnMethodsDefineRules(t *testing.T) {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Stack"), nil)
	guard := trailguard.NewTrailGuard(stack, jsii.String("Guard"), nil)
	topic := awssns.NewTopic(stack, jsii.String("Topic"), nil)
	target := awseventstargets.NewSnsTopic(topic, nil)
	for id, rule := range map[string]awsevents.Rule{
		"Tampering": guard.OnTampering(jsii.String("OnTampering"), &awsevents.OnEventOptions{Target: target}),
		"Success":   guard.OnRepaired(jsii.String("OnRepaired"), nil),
		"Failed":    guard.OnRepairFailed(jsii.String("OnRepairFailed"), &awsevents.OnEventOptions{Description: jsii.String("call someone")}),
	} {
		if rule == nil {
			t.Errorf("%s: there is no rule", id)
		}
	}
	template := synthesize(stack)
	for prefix, want := range map[string]string{
		"GuardOnTampering":    "StopLogging",
		"GuardOnRepaired":     "[Success]",
		"GuardOnRepairFailed": "[Failed TimedOut Cancelled]",
	} {
		var found bool
		for _, id := range ofType(template, "AWS::Events::Rule") {
			found = found || strings.HasPrefix(id, prefix) && strings.Contains(property(template, id, "EventPattern"), want)
		}
		if !found {
			t.Errorf("no rule %s has a pattern with %s", prefix, want)
		}
	}
}

func named(t *testing.T, name string) map[string]any {
	t.Helper()
	for _, c := range cases.All() {
		if c.Name == name {
			return synthesize(c.Stack())
		}
	}
	t.Fatalf("there is no case %s", name)
	return nil
}
