package alerting

import (
	"errors"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsssm"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/detection"
	"github.com/trailguard/trailguard/constructs/trail"
	"github.com/trailguard/trailguard/constructs/validation"
)

// NoticesProps are the properties of NewNotices.
type NoticesProps struct {
	// Settings is the declared state of the trail.
	Settings trail.Settings
	// Topic is the topic that is told.
	Topic awssns.ITopic
	// AutomationRole is the role of the runbook: what it does is no tampering.
	AutomationRole awsiam.IRole
	// Runbook is the document whose executions are told of if they fail. What they did, they tell themselves.
	Runbook awsssm.CfnDocument
	// EventRules are the rules that start the runbook.
	EventRules detection.EventRules
}

// Validate returns an error that names every property that is missing, nil where there is none.
func (p *NoticesProps) Validate() error {
	return errors.Join(
		p.Settings.Validate(),
		validation.Required("Topic", p.Topic != nil),
		validation.Required("AutomationRole", p.AutomationRole != nil),
		validation.Required("Runbook", p.Runbook != nil),
		validation.Required("EventRules", p.EventRules != nil),
	)
}

// NewNotices defines what is told besides what the runbook itself tells. It panics where props.Validate returns an error.
//
//	tampering by anyone but AutomationRole ─────────► Tampering ────┐
//	executions of Runbook that fail ────────────────► RepairFailed ─┤
//	events that could not start Runbook ────────────► Undelivered ──┼──► Topic
//	more than ten starts by events in ten minutes ──► Flood ────────┘
func NewNotices(scope constructs.Construct, props *NoticesProps) {
	if props == nil {
		props = &NoticesProps{}
	}
	validation.Panic("Notices", nil, validation.Required("scope", scope != nil))
	validation.Panic("Notices of", scope.Node().Path(), props.Validate())
	notice := func(id string, pattern map[string]any, paths map[string]any, template string) {
		validation.AtSynthesis(scope, detection.CheckPattern(id, pattern, props.Settings, *props.AutomationRole.RoleArn(), nil))
		awsevents.NewCfnRule(scope, jsii.String(id), &awsevents.CfnRuleProps{
			EventPattern: pattern,
			Targets: []any{&awsevents.CfnRule_TargetProperty{
				Id: jsii.String("AlertTopic"), Arn: props.Topic.TopicArn(),
				InputTransformer: &awsevents.CfnRule_InputTransformerProperty{
					InputPathsMap: paths,
					InputTemplate: jsii.String(`"` + template + `"`),
				},
			}},
		})
	}
	where := "the trail " + props.Settings.Name + " in account <account>, <region>"
	notice("Tampering",
		detection.TamperingPattern(props.Settings, *props.AutomationRole.RoleArn()),
		map[string]any{
			"what": "$.detail.eventName", "who": "$.detail.userIdentity.arn", "when": "$.detail.eventTime",
			"from": "$.detail.sourceIPAddress", "account": "$.account", "region": "$.region",
		},
		"TAMPERING: <what> on "+where+", by <who> from <from> at <when>.")
	notice("RepairFailed",
		RepairFailedPattern(props.Runbook),
		map[string]any{"status": "$.detail.Status", "execution": "$.detail.ExecutionId", "when": "$.time", "account": "$.account", "region": "$.region"},
		"REPAIR <status>: "+where+" at <when>, execution <execution>.")
	newUndelivered(scope, props)
	if tampering := props.EventRules.Tampering(); tampering != nil {
		newFlood(scope, props, tampering)
	}
}

// newUndelivered alarms when an event could not start the runbook: it is in the queue.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
func newUndelivered(scope constructs.Construct, props *NoticesProps) {
	queue := props.EventRules.DeadLetterQueue().QueueName()
	newAlarm(scope, "Undelivered", props, &awscloudwatch.CfnAlarmProps{
		AlarmDescription:  jsii.String("An event did not start the repair of the trail " + props.Settings.Name),
		Namespace:         jsii.String("AWS/SQS"),
		MetricName:        jsii.String("ApproximateNumberOfMessagesVisible"),
		Dimensions:        []any{map[string]any{"name": "QueueName", "value": queue}},
		Statistic:         jsii.String("Maximum"),
		Period:            jsii.Number(60),
		Threshold:         jsii.Number(0),
		EvaluationPeriods: jsii.Number(1),
	})
}

// newFlood alarms, once, when events keep starting the runbook: somebody tampers again and again, or another system and the
// guard undo each other's changes.
func newFlood(scope constructs.Construct, props *NoticesProps, tampering awsevents.CfnRule) {
	const starts, minutes = 10, 10
	newAlarm(scope, "Flood", props, &awscloudwatch.CfnAlarmProps{
		AlarmDescription:  jsii.String("Events keep starting the repair of the trail " + props.Settings.Name),
		Namespace:         jsii.String("AWS/Events"),
		MetricName:        jsii.String("Invocations"),
		Dimensions:        []any{map[string]any{"name": "RuleName", "value": tampering.Ref()}},
		Statistic:         jsii.String("Sum"),
		Period:            jsii.Number(minutes * 60),
		Threshold:         jsii.Number(starts),
		EvaluationPeriods: jsii.Number(1),
	})
}

// newAlarm defines an alarm that tells the topic while the metric is above the threshold.
func newAlarm(scope constructs.Construct, id string, props *NoticesProps, alarm *awscloudwatch.CfnAlarmProps) {
	alarm.AlarmActions = &[]any{props.Topic.TopicArn()}
	alarm.ComparisonOperator = jsii.String("GreaterThanThreshold")
	alarm.TreatMissingData = jsii.String("notBreaching")
	awscloudwatch.NewCfnAlarm(scope, jsii.String(id), alarm)
}

// RepairFailedPattern matches the event that an execution of the runbook has ended without restoring the trail.
func RepairFailedPattern(runbook awsssm.CfnDocument) map[string]any {
	return RepairPattern(runbook, "Failed", "TimedOut", "Cancelled")
}

// RepairPattern matches the event that an execution of the runbook has reached one of the statuses.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/reference-eventbridge-events.html
func RepairPattern(runbook awsssm.CfnDocument, statuses ...string) map[string]any {
	reached := []any{}
	for _, status := range statuses {
		reached = append(reached, status)
	}
	return map[string]any{
		"source":      []any{"aws.ssm"},
		"detail-type": []any{"EC2 Automation Execution Status-change Notification"},
		"detail":      map[string]any{"Definition": []any{runbook.Ref()}, "Status": reached},
	}
}
