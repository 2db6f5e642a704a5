package alerting

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsssm"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/detection"
)

// NoticesProps are the properties of NewNotices.
type NoticesProps struct {
	// TrailName is the name of the guarded trail.
	TrailName string
	// Topic is the topic that is told.
	Topic awssns.ITopic
	// Runbook is the document whose executions are told of.
	Runbook awsssm.CfnDocument
	// ConfigRules are the rules whose verdicts are told of.
	ConfigRules detection.ConfigRules
	// Tampering is the rule that starts the runbook.
	Tampering awsevents.CfnRule
	// DeadLetterQueue holds events that could not start the runbook. It is nil where no event starts it.
	DeadLetterQueue awssqs.Queue
}

// NewNotices defines what is told besides tampering.
//
//	executions of Runbook ──► Repair ────────┐
//	ConfigRules ──► NonCompliant, Exception ─┼──► Topic
//	DeadLetterQueue ──► Undelivered ─────────┘
func NewNotices(scope constructs.Construct, props *NoticesProps) {
	notice := func(id string, pattern map[string]any, paths map[string]any, template string) {
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
	where := "the trail " + props.TrailName + " in account <account>, <region>"
	notice("Repair",
		RepairPattern(props.Runbook, "InProgress", "Success", "Failed", "TimedOut", "Cancelled"),
		map[string]any{"status": "$.detail.Status", "execution": "$.detail.ExecutionId", "when": "$.time", "account": "$.account", "region": "$.region"},
		"REPAIR <status>: "+where+" at <when>, execution <execution>.")
	notice("NonCompliant",
		detection.NonCompliantPattern(props.ConfigRules),
		map[string]any{"rule": "$.detail.configRuleName", "when": "$.time", "account": "$.account", "region": "$.region"},
		"NON_COMPLIANT: "+where+", by the rule <rule> at <when>.")
	notice("Exception",
		detection.ExceptionPattern(props.ConfigRules),
		map[string]any{"rule": "$.detail.requestParameters.configRuleName", "who": "$.detail.userIdentity.arn", "when": "$.time", "account": "$.account", "region": "$.region"},
		"DISARMED: Config no longer remediates "+where+", for the rule <rule>, by <who> at <when>.")
	if props.DeadLetterQueue != nil {
		newUndelivered(scope, props)
	}
}

// newUndelivered alarms when an event could not start the runbook: the start failed, or the event is in the queue.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
func newUndelivered(scope constructs.Construct, props *NoticesProps) {
	metric := func(id, namespace, name, statistic, dimension string, value *string) map[string]any {
		return map[string]any{"id": id, "returnData": false, "metricStat": map[string]any{
			"metric": map[string]any{
				"namespace": namespace, "metricName": name,
				"dimensions": []any{map[string]any{"name": dimension, "value": value}},
			},
			"period": 60, "stat": statistic,
		}}
	}
	awscloudwatch.NewCfnAlarm(scope, jsii.String("Undelivered"), &awscloudwatch.CfnAlarmProps{
		AlarmDescription: jsii.String("An event did not start the repair of the trail " + props.TrailName),
		AlarmActions:     &[]any{props.Topic.TopicArn()},
		Metrics: []any{
			metric("failed", "AWS/Events", "FailedInvocations", "Sum", "RuleName", props.Tampering.Ref()),
			metric("dead", "AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", "QueueName", props.DeadLetterQueue.QueueName()),
			map[string]any{"id": "undelivered", "expression": "FILL(failed, 0) + FILL(dead, 0)"},
		},
		ComparisonOperator: jsii.String("GreaterThanThreshold"),
		Threshold:          jsii.Number(0),
		EvaluationPeriods:  jsii.Number(1),
		TreatMissingData:   jsii.String("notBreaching"),
	})
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
