package alerting

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// MissingDigests are the digest files that the alarm of TellMissingDigests waits for.
type MissingDigests struct {
	// Of says whose they are, such as "the trail trailguard".
	Of string
	// Bucket is where they arrive. It sends its object events to EventBridge.
	Bucket awss3.IBucket
	// Keys matches their keys, as the operator wildcard of EventBridge does.
	Keys *string
	// AlertTopic is told.
	//
	// Default: - whoever asks for the alarm's state, or gets its events.
	AlertTopic awssns.ITopic
}

// TellMissingDigests defines the rule Digests and the alarm MissingDigests: CloudTrail delivers a digest file at the end of each hour, also
// without activity, so that none for three hours means that the log does not arrive, whatever the cause.
//
//	digest files in Bucket ──► Digests (rule) ──MatchedEvents──► MissingDigests (alarm) ──► AlertTopic
//
// The rule has no target: its metric is all that is wanted of it. The events of the stack's own deployment count, too: no digest file can
// be there before the stack is. EventBridge sends the metric only if there is something to count.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
func TellMissingDigests(scope constructs.Construct, digests MissingDigests) awscloudwatch.CfnAlarm {
	const hours = 3
	rule := awsevents.NewCfnRule(scope, jsii.String("Digests"), &awsevents.CfnRuleProps{EventPattern: map[string]any{
		"detail": map[string]any{"$or": []any{
			map[string]any{
				"bucket": map[string]any{"name": []any{digests.Bucket.BucketName()}},
				"object": map[string]any{"key": []any{map[string]any{"wildcard": digests.Keys}}},
			},
			map[string]any{"stack-id": []any{awscdk.Stack_Of(scope).StackId()}},
		}},
	}})
	alarm := awscloudwatch.NewCfnAlarm(scope, jsii.String("MissingDigests"), &awscloudwatch.CfnAlarmProps{
		AlarmDescription:   jsii.String("The log of " + digests.Of + " does not arrive"),
		Namespace:          jsii.String("AWS/Events"),
		MetricName:         jsii.String("MatchedEvents"),
		Dimensions:         []any{map[string]any{"name": "RuleName", "value": rule.Ref()}},
		Statistic:          jsii.String("Sum"),
		Period:             jsii.Number(60 * 60),
		ComparisonOperator: jsii.String("LessThanThreshold"),
		Threshold:          jsii.Number(1),
		EvaluationPeriods:  jsii.Number(hours),
		TreatMissingData:   jsii.String("breaching"),
	})
	if digests.AlertTopic != nil {
		alarm.SetAlarmActions(&[]*string{digests.AlertTopic.TopicArn()})
	}
	return alarm
}
