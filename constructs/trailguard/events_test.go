package trailguard_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/detection"
	"github.com/trailguard/trailguard/constructs/trailguard"
	"github.com/trailguard/trailguard/internal/cases"
)

// TestWhatStartsTheRunbook: in every case at least the end of the stack's deployment does.
func TestWhatStartsTheRunbook(t *testing.T) {
	const tampering, schedule, nonCompliant = "EventRulesTampering", "EventRulesSchedule", "EventRulesNonCompliant"
	never := awscdk.Duration_Minutes(jsii.Number(0))
	for _, test := range []struct {
		name         string
		region       string
		props        trailguard.TrailGuardProps
		rules        map[string]string // the rules by the beginning of their ids, with the word that they start the runbook with
		every        string
		remediations int
	}{
		{"default", "", trailguard.TrailGuardProps{}, map[string]string{tampering: "event", schedule: "schedule"}, "rate(60 minutes)", 3},
		{"no events", "", trailguard.TrailGuardProps{RepairOnEvents: jsii.Bool(false)}, map[string]string{schedule: "schedule"}, "rate(60 minutes)", 3},
		{"no checks", "", trailguard.TrailGuardProps{CheckEvery: never}, map[string]string{tampering: "event", schedule: "schedule"}, "<nil>", 3},
		{"no Config", "", trailguard.TrailGuardProps{ConfigRules: jsii.Bool(false)}, map[string]string{tampering: "event", schedule: "schedule"}, "rate(60 minutes)", 0},
		{"events alone", "", trailguard.TrailGuardProps{ConfigRules: jsii.Bool(false), CheckEvery: never}, map[string]string{tampering: "event", schedule: "schedule"}, "<nil>", 0},
		{"checks alone", "", trailguard.TrailGuardProps{ConfigRules: jsii.Bool(false), RepairOnEvents: jsii.Bool(false)}, map[string]string{schedule: "schedule"}, "rate(60 minutes)", 0},
		{"Config alone", "", trailguard.TrailGuardProps{CheckEvery: never, RepairOnEvents: jsii.Bool(false)}, map[string]string{schedule: "schedule"}, "<nil>", 3},
		{"without remediation", "us-gov-west-1", trailguard.TrailGuardProps{}, map[string]string{tampering: "event", schedule: "schedule", nonCompliant: "Config"}, "rate(60 minutes)", 0},
		{"Config alone without remediation", "us-gov-west-1", trailguard.TrailGuardProps{CheckEvery: never, RepairOnEvents: jsii.Bool(false)},
			map[string]string{schedule: "schedule", nonCompliant: "Config"}, "<nil>", 0},
		{"no Config, without remediation", "ap-east-2", trailguard.TrailGuardProps{ConfigRules: jsii.Bool(false)}, map[string]string{tampering: "event", schedule: "schedule"}, "rate(60 minutes)", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			template := guarded(test.region, &test.props)
			got := map[string]string{}
			for id, target := range starting(template) {
				got[id[:len(id)-8]] = strings.TrimSuffix(strings.TrimPrefix(fmt.Sprint(target["Input"]), `{"StartedBy":["`), `"]}`)
			}
			if !maps.Equal(got, test.rules) {
				t.Errorf("the rules %v start the runbook, not %v", got, test.rules)
			}
			if every := property(template, "EventRulesScheduleE2B5BCBC", "ScheduleExpression"); every != test.every {
				t.Errorf("the schedule is %s, not %s", every, test.every)
			}
			if status := property(template, "EventRulesScheduleE2B5BCBC", "EventPattern.detail"); status !=
				"map[stack-id:[map[Ref:AWS::StackId]] status-details:map[status:[CREATE_COMPLETE UPDATE_COMPLETE UPDATE_ROLLBACK_COMPLETE]]]" {
				t.Errorf("the schedule is also started by %s", status)
			}
			if remediations := ofType(template, "AWS::Config::RemediationConfiguration"); len(remediations) != test.remediations {
				t.Errorf("the remediations are %v", remediations)
			}
		})
	}
}

// TestWhatStartsTheRunbookWithinSeconds: what the calls of the first alternative are, the package detection tests.
func TestWhatStartsTheRunbookWithinSeconds(t *testing.T) {
	for name, want := range map[string][]string{
		"default":        {"StopLogging", "Stealth:IAMUser/CloudTrailLoggingDisabled", "PutRemediationExceptions"},
		"everything":     {"RemoveTags", "Stealth:IAMUser/CloudTrailLoggingDisabled", "PutRemediationExceptions"},
		"without-config": {"StopLogging", "Stealth:IAMUser/CloudTrailLoggingDisabled"},
	} {
		template := named(t, name)
		for i, part := range append(want, "<nil>") {
			if got := property(template, "EventRulesTampering76AE5C63", fmt.Sprintf("EventPattern.$or.%d", i)); !strings.Contains(got, part) {
				t.Errorf("%s: the alternative %d is %s, without %s", name, i, got, part)
			}
		}
	}
	got := property(named(t, "default"), "EventRulesTampering76AE5C63", "EventPattern.$or.2.detail.requestParameters.configRuleName")
	if want := "[map[Ref:ConfigRulesTrailEnabled2BBAB97E] map[Ref:ConfigRulesSecurityTrailEnabledCD9D03BD] map[Ref:ConfigRulesTrailSettingsA8E21D24]]"; got != want {
		t.Errorf("exceptions of the rules %s start the runbook, not of %s", got, want)
	}
}

func TestTheRunbookIsStartedAsDeclared(t *testing.T) {
	const (
		ssm        = "map[Fn::Sub:arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:"
		definition = ssm + "automation-definition/${RemediationRunbook702FD778}:1]"
	)
	for _, c := range cases.All() {
		t.Run(c.Name, func(t *testing.T) {
			template := templateOf(t, c)
			targets := starting(template)
			for id, target := range startingLogStore(template) {
				targets[id+" for the log store"] = target
				if role := parameterOf(target, "AutomationAssumeRole"); !strings.HasPrefix(role, "${StoreRemediationRole") {
					t.Errorf("%s restores the log store as %s", id, role)
				}
			}
			for id, target := range targets {
				if got, want := fmt.Sprint(target["Arn"]), definition; got != want {
					t.Errorf("%s starts %s, not %s", id, got, want)
				}
				if got := fmt.Sprint(target["RoleArn"]); got != "map[Fn::GetAtt:[EventRulesTargetRole2F019CD9 Arn]]" {
					t.Errorf("%s starts the runbook as %s", id, got)
				}
				if got := fmt.Sprint(target["DeadLetterConfig"]); got != "map[Arn:map[Fn::GetAtt:[EventRulesDeadLetterQueue2EC35C94 Arn]]]" {
					t.Errorf("%s puts what it could not deliver into %s", id, got)
				}
				if problem := wrongInput(runbook(template), target["Input"]); problem != "" {
					t.Errorf("%s: %s", id, problem)
				}
			}
			for _, statement := range statements(template, "EventRulesTargetRole") {
				resources := list(statement["Resource"])
				switch fmt.Sprint(statement["Action"]) {
				case "ssm:StartAutomationExecution":
					want := []string{definition, ssm + "document/${RemediationRunbook702FD778}]", ssm + "automation-execution/*]"}
					if !slices.Equal(resources, want) {
						t.Errorf("the target role may start\n%s\nnot\n%s", strings.Join(resources, "\n"), strings.Join(want, "\n"))
					}
				case "iam:PassRole":
					var want []string
					for _, role := range at(runbook(template), "parameters", "AutomationAssumeRole", "allowedValues").([]any) {
						want = append(want, fmt.Sprint(role))
					}
					if !slices.Equal(resources, want) {
						t.Errorf("the target role may pass %v, not %v", resources, want)
					}
				case "sns:Publish":
					topic := property(template, "AWS::SSM::Document", "Content.mainSteps.0.inputs.InputPayload.AlertTopicArn")
					if !slices.Equal(resources, []string{topic}) {
						t.Errorf("the target role may publish to %v, not %s", resources, topic)
					}
				case "[sns:Publish kms:Decrypt kms:GenerateDataKey]":
					want := []string{"map[Ref:AlertingTopic08189029]", property(template, "AlertingTopic08189029", "KmsMasterKeyId")}
					if !slices.Equal(resources, want) {
						t.Errorf("the target role may publish to %v, not %s", resources, want)
					}
				case "[kms:Decrypt kms:GenerateDataKey]":
					key := property(template, "AlertingTopic08189029", "KmsMasterKeyId")
					if key == "<nil>" {
						key = "map[Fn::Sub:arn:${AWS::Partition}:kms:${AWS::Region}:${AWS::AccountId}:key/*]"
						topic := property(template, "AWS::SSM::Document", "Content.mainSteps.0.inputs.InputPayload.AlertTopicArn")
						if got, want := fmt.Sprint(statement["Condition"]), "map[StringEquals:map[kms:EncryptionContext:aws:sns:topicArn:"+topic+"]]"; got != want {
							t.Errorf("the target role may use any key if %s, not if %s", got, want)
						}
					}
					if !slices.Equal(resources, []string{key}) {
						t.Errorf("the target role may use %v, not %s", resources, key)
					}
				case "events:PutEvents":
					bus := property(template, "AWS::SSM::Document", payload+"CentralEventBusArn")
					if !slices.Equal(resources, []string{bus}) {
						t.Errorf("the target role may put events on %v, not on %s", resources, bus)
					}
				default:
					t.Errorf("the target role may %v", statement["Action"])
				}
			}
		})
	}
}

func TestAnInputThatStartsNothingIsFound(t *testing.T) {
	content := runbook(named(t, "default"))
	for _, test := range []struct {
		input any
		good  bool
	}{
		{`{"StartedBy":["event"]}`, true},
		{`{"StartedBy":["event"],"Resource":["log store"]}`, true},
		{map[string]any{"Fn::Sub": `{"AutomationAssumeRole":["${AutomationRoleC58D7324.Arn}"]}`}, true},
		{map[string]any{"Fn::Sub": `{"AutomationAssumeRole":["${OtherRole.Arn}"]}`}, false},
		{`{"StartedBy":["event"],"Resource":["bucket"]}`, false},
		{`{"StartedBy":["event"],"IsMultiRegionTrail":["true"]}`, false},
		{`{"StartedBy":"event"}`, false},
		{`{"StartedBy":["event","schedule"]}`, false},
		{`{"StartedBy":["nobody"]}`, false},
		{`{"startedBy":["event"]}`, false},
		{`["event"]`, false},
		{nil, false},
	} {
		if problem := wrongInput(content, test.input); (problem == "") != test.good {
			t.Errorf("the input %v has the problem %q", test.input, problem)
		}
	}
}

// wrongInput says what is wrong with the input of a target: one that is not an object of lists of strings, or has a parameter or a
// value that the runbook does not know, deploys, and then never starts anything.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/running-automations-event-bridge.html
func wrongInput(content map[string]any, input any) string {
	var values map[string][]string
	if err := json.Unmarshal([]byte(inputText(input)), &values); err != nil {
		return fmt.Sprintf("the input is %v: %v", input, err)
	}
	for name, list := range values {
		if len(list) != 1 || !accepts(content, name, value(list[0])) {
			return fmt.Sprintf("the runbook does not accept %v for %s", list, name)
		}
	}
	return ""
}

// inputText is the input of a target, in which ${Id.Attribute} may stand for what is known at deployment.
func inputText(input any) string {
	if object, ok := input.(map[string]any); ok && object["Fn::Sub"] != nil {
		input = object["Fn::Sub"]
	}
	return fmt.Sprint(input)
}

// value is what ${Id.Attribute} stands for.
func value(text string) any {
	if id, attribute, ok := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(text, "${"), "}"), "."); ok && strings.HasPrefix(text, "${") {
		return map[string]any{"Fn::GetAtt": []any{id, attribute}}
	}
	return text
}

// parameterOf is the value of a parameter that a target passes, empty if it passes none.
func parameterOf(target map[string]any, name string) string {
	var values map[string][]string
	if json.Unmarshal([]byte(inputText(target["Input"])), &values) != nil || len(values[name]) != 1 {
		return ""
	}
	return values[name][0]
}

// TestTheDeadLetterQueueTakesTheEventsOfTheAccountsRules, and of nobody else's.
func TestTheDeadLetterQueueTakesTheEventsOfTheAccountsRules(t *testing.T) {
	const want = "sqs:SendMessage by map[Service:events.amazonaws.com] if map[ArnLike:map[aws:SourceArn:" +
		"map[Fn::Sub:arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/*]]]"
	for _, c := range cases.All() {
		t.Run(c.Name, func(t *testing.T) {
			template := templateOf(t, c)
			policies := ofType(template, "AWS::SQS::QueuePolicy")
			var got []string
			for _, statement := range resource(template, policies[0])["Properties"].(map[string]any)["PolicyDocument"].(map[string]any)["Statement"].([]any) {
				if statement := statement.(map[string]any); statement["Effect"] == "Allow" {
					got = append(got, fmt.Sprintf("%v by %v if %v", statement["Action"], statement["Principal"], statement["Condition"]))
				}
			}
			if len(policies) != 1 || !slices.Equal(got, []string{want}) {
				t.Errorf("the queue allows\n%q\nnot\n%q", got, want)
			}
		})
	}
}

// TestWhatPeopleAreToldBesides: what a run did, the runbook tells itself.
func TestWhatPeopleAreToldBesides(t *testing.T) {
	for _, c := range cases.All() {
		t.Run(c.Name, func(t *testing.T) {
			template := templateOf(t, c)
			topic := property(template, "AWS::SSM::Document", "Content.mainSteps.0.inputs.InputPayload.AlertTopicArn")
			var notices []string
			wantTold := []string{topic}
			if bus := property(template, "AWS::SSM::Document", payload+"CentralEventBusArn"); bus != "<nil>" {
				wantTold = append(wantTold, bus)
			}
			for _, id := range ofType(template, "AWS::Events::Rule") {
				if starting(template)[id] != nil || resource(template, id)["Properties"].(map[string]any)["Targets"] == nil {
					continue
				}
				notices = append(notices, id[:len(id)-8])
				var told []string
				for i, target := range resource(template, id)["Properties"].(map[string]any)["Targets"].([]any) {
					target := target.(map[string]any)
					if strings.Contains(fmt.Sprint(target["Arn"]), "automation-definition") {
						continue // the log store's runbook, which the same rule starts
					}
					told = append(told, fmt.Sprint(target["Arn"]))
					if got := fmt.Sprint(target["RoleArn"]); got != "map[Fn::GetAtt:[EventRulesTargetRole2F019CD9 Arn]]" {
						t.Errorf("%s tells as %s", id, got)
					}
					if got := fmt.Sprint(at(target, "DeadLetterConfig", "Arn")); got != "map[Fn::GetAtt:[EventRulesDeadLetterQueue2EC35C94 Arn]]" {
						t.Errorf("%s puts what it could not tell into %s", id, got)
					}
					// An event bus takes the event as it is.
					if isText := target["InputTransformer"] != nil; isText != (i == 0) || target["Input"] != nil || target["InputPath"] != nil {
						t.Errorf("%s tells %s in other words: %t", id, told[i], isText)
					}
				}
				if !slices.Equal(told, wantTold) {
					t.Errorf("%s tells %s, not %s", id, told, wantTold)
				}
			}
			want := []string{"AlertingGuardTampering", "AlertingRepairFailed", "AlertingTampering"}
			if c.Name == "owned" { // its parts do not fit into one pattern
				want = slices.Insert(want, 2, "AlertingSuppliedTampering")
			}
			if restoresLogStore(template) {
				want = append(want, "StoreRemediationTampering")
			}
			if !slices.Equal(notices, want) {
				t.Errorf("the notices are %v, not %v", notices, want)
			}
			wantAlarms := []string{"AlertingFlood", "AlertingInvocationsFailedToBeSentToDlq", "AlertingMissingDigests", "AlertingRepeatedFailure", "AlertingUndelivered"}
			if property(template, "LogStoreBucket0AD36629", "NotificationConfiguration") == "<nil>" {
				wantAlarms = slices.Delete(wantAlarms, 2, 3)
			}
			if c.Name == "config-only" {
				wantAlarms = slices.Delete(wantAlarms, 0, 1) // no event starts anything
			}
			var alarms []string
			for _, id := range ofType(template, "AWS::CloudWatch::Alarm") {
				alarms = append(alarms, id[:len(id)-8])
				if got := property(template, id, "AlarmActions"); got != "["+topic+"]" {
					t.Errorf("%s tells %s", id, got)
				}
			}
			if !slices.Equal(alarms, wantAlarms) {
				t.Errorf("the alarms are %v, not %v", alarms, wantAlarms)
			}
		})
	}
}

func TestAlarmsWatchWhatStartsTheRunbook(t *testing.T) {
	template := named(t, "default")
	const (
		queue    = " QueueName map[Fn::GetAtt:[EventRulesDeadLetterQueue2EC35C94 QueueName]]"
		schedule = " RuleName map[Ref:EventRulesScheduleE2B5BCBC]"
	)
	for id, want := range map[string]string{
		"AlertingFlood0F78F26C":                          "AWS/Events Invocations RuleName map[Ref:EventRulesTampering76AE5C63] over 10 in 600 s",
		"AlertingUndeliveredF11A505A":                    "AWS/SQS ApproximateNumberOfMessagesVisible" + queue + " over 0 in 60 s",
		"AlertingInvocationsFailedToBeSentToDlqEE566F69": "AWS/Events InvocationsFailedToBeSentToDlq" + schedule + " over 0 in 60 s",
	} {
		of := func(name string) string { return property(template, id, name) }
		got := fmt.Sprintf("%s %s %s %s over %s in %s s", of("Namespace"), of("MetricName"), of("Dimensions.0.Name"), of("Dimensions.0.Value"), of("Threshold"), of("Period"))
		if got != want {
			t.Errorf("%s watches %s, not %s", id, got, want)
		}
		// Metrics of SQS and EventBridge come late, and only if there is something to count.
		const late = "Sum GreaterThanThreshold 1 of 5 notBreaching"
		if got := fmt.Sprintf("%s %s %s of %s %s", of("Statistic"), of("ComparisonOperator"), of("DatapointsToAlarm"), of("EvaluationPeriods"), of("TreatMissingData")); got != late {
			t.Errorf("%s rings for %s, not for %s", id, got, late)
		}
	}
}

// TestTheAlarmOnRepeatedFailureGoesByTheSchedule: two checks in a row are as far apart as the schedule starts them.
func TestTheAlarmOnRepeatedFailureGoesByTheSchedule(t *testing.T) {
	for name, period := range map[string]string{"default": "3600", "everything": "1800"} {
		template := named(t, name)
		of := func(name string) string { return property(template, "AlertingRepeatedFailure87FFC4D7", name) }
		got := fmt.Sprintf("%s %s %s %s %s %s of %s in %s s %s", of("MetricName"), of("Dimensions.0.Value"), of("Statistic"), of("ComparisonOperator"), of("Threshold"),
			of("DatapointsToAlarm"), of("EvaluationPeriods"), of("Period"), of("TreatMissingData"))
		if want := "MatchedEvents map[Ref:AlertingRepairFailedF198EDF1] Sum GreaterThanThreshold 0 <nil> of 2 in " + period + " s notBreaching"; got != want {
			t.Errorf("%s: the alarm rings for %s, not for %s", name, got, want)
		}
	}
}

func TestThePeriodOfTheSchedule(t *testing.T) {
	for _, test := range []struct {
		every awscdk.Duration
		want  float64
	}{
		{nil, 60}, {awscdk.Duration_Minutes(jsii.Number(0)), 60}, {awscdk.Duration_Minutes(jsii.Number(5)), 5}, {awscdk.Duration_Hours(jsii.Number(24)), 24 * 60},
		{awscdk.Duration_Minutes(awscdk.Token_AsNumber("token")), 60},
	} {
		if got := detection.MinutesOf(test.every); got != test.want {
			t.Errorf("the minutes of %v are %v, not %v", test.every, got, test.want)
		}
	}
}

// starting are the rules that start the runbook for the trail, each with its one target.
func starting(template map[string]any) map[string]map[string]any { return startingFor(template, "") }

// startingLogStore are the rules that start it for the log store.
func startingLogStore(template map[string]any) map[string]map[string]any {
	return startingFor(template, "log store")
}

func startingFor(template map[string]any, resourceName string) map[string]map[string]any {
	rules := map[string]map[string]any{}
	for _, id := range ofType(template, "AWS::Events::Rule") {
		targets, _ := resource(template, id)["Properties"].(map[string]any)["Targets"].([]any) // a rule may be there for its metric alone
		for _, target := range targets {
			target := target.(map[string]any)
			if strings.Contains(fmt.Sprint(target["Arn"]), "automation-definition/${RemediationRunbook") && parameterOf(target, "Resource") == resourceName {
				rules[id] = target
			}
		}
	}
	return rules
}

// restoresLogStore tells whether the runbook restores a log store.
func restoresLogStore(template map[string]any) bool {
	return property(template, "AWS::SSM::Document", payload+"Declared") != "<nil>"
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
			return templateOf(t, c)
		}
	}
	t.Fatalf("there is no case %s", name)
	return nil
}
