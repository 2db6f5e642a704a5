package status

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	configtypes "github.com/aws/aws-sdk-go-v2/service/configservice/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/localaws/api"
)

// openBucket lets CloudTrail write for any trail.
const openBucket = "open-bucket"

func (g *guard) openBucket() {
	must(g, g.s3.CreateBucket, &s3.CreateBucketInput{Bucket: aws.String(openBucket)})
	must(g, g.s3.PutBucketPolicy, &s3.PutBucketPolicyInput{Bucket: aws.String(openBucket), Policy: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"cloudtrail.amazonaws.com"},"Action":"s3:*",
		"Resource":["arn:aws:s3:::` + openBucket + `","arn:aws:s3:::` + openBucket + `/*"]}]}`,
	)})
}

// attacks are the ways of the catalogue beside those of drill.Scenarios.
func attacks() []attack {
	const base, all = "default", "everything"
	one := func(part, says, mend string) []want { return []want{{part, says, mend}} }
	return []attack{
		{"T20", `PutBucketLifecycleConfiguration, all after a day`, base, putLifecycle(oneDay("")), one("bucket", `Lifecycle.Expiration is {"Days":1}, want not set`, revert)},
		{"T20", `PutBucketLifecycleConfiguration, "AWSLogs/" after a day`, base, putLifecycle(oneDay("AWSLogs/")), one("bucket", "Lifecycle.Prefix is AWSLogs/, want not set", revert)},
		{"T20", "PutBucketLifecycleConfiguration on the bucket of access logs", base, func(g *guard) func() {
			bucket, rule := aws.String(g.name("AWS::S3::Bucket", "LogStoreServerAccessLogsBucket")), oneDay("")
			must(g, g.s3.PutBucketLifecycleConfiguration, &s3.PutBucketLifecycleConfigurationInput{Bucket: bucket, LifecycleConfiguration: &s3types.BucketLifecycleConfiguration{Rules: []s3types.LifecycleRule{rule}}})
			return func() { must(g, g.s3.DeleteBucketLifecycle, &s3.DeleteBucketLifecycleInput{Bucket: bucket}) }
		}, one("bucket", "Lifecycle is [{", "aws s3api delete-bucket-lifecycle --bucket ")},
		{"T21", "PutBucketPolicy that denies CloudTrail", base, putBucketPolicy(func(g *guard, policy string) {
			document, err := decode(policy)
			g.Must(err)
			document.(map[string]any)["Statement"] = append(document.(map[string]any)["Statement"].([]any), map[string]any{
				"Sid": "No", "Effect": "Deny", "Principal": map[string]any{"Service": "cloudtrail.amazonaws.com"}, "Action": "s3:PutObject", "Resource": "arn:aws:s3:::" + g.LogBucketName + "/*",
			})
			denied := exact(document)
			must(g, g.s3.PutBucketPolicy, &s3.PutBucketPolicyInput{Bucket: bucketOf(g), Policy: &denied})
		}), []want{{"bucket policy", "statement No is not in the template", revert}, {"delivery of trail", "log files are not delivered: AccessDenied", "let CloudTrail write"}}},
		{"T22", "DeleteBucketPolicy", base, putBucketPolicy(func(g *guard, _ string) {
			must(g, g.s3.DeleteBucketPolicy, &s3.DeleteBucketPolicyInput{Bucket: bucketOf(g)})
		}), []want{{"bucket policy", "it is deleted: the service that delivers into the bucket no longer may", revert}, {"delivery of trail", "log files are not delivered: AccessDenied", "let CloudTrail write"}}},
		{"T24", "PutBucketVersioning Suspended", base, func(g *guard) func() {
			put := func(status s3types.BucketVersioningStatus) {
				must(g, g.s3.PutBucketVersioning, &s3.PutBucketVersioningInput{Bucket: bucketOf(g), VersioningConfiguration: &s3types.VersioningConfiguration{Status: status}})
			}
			put(s3types.BucketVersioningStatusSuspended)
			return func() { put(s3types.BucketVersioningStatusEnabled) }
		}, one("bucket", "Versioning is Suspended, want Enabled", revert)},
		{"T26", "PutBucketEncryption with another key", base, putEncryption(func(g *guard) {
			must(g, g.s3.PutBucketEncryption, &s3.PutBucketEncryptionInput{Bucket: bucketOf(g), ServerSideEncryptionConfiguration: &s3types.ServerSideEncryptionConfiguration{
				Rules: []s3types.ServerSideEncryptionRule{{ApplyServerSideEncryptionByDefault: &s3types.ServerSideEncryptionByDefault{SSEAlgorithm: s3types.ServerSideEncryptionAes256}}},
			}})
		}), one("bucket", "SSEAlgorithm is AES256, want aws:kms", revert)},
		{"T26", "DeleteBucketEncryption", base, putEncryption(func(g *guard) {
			must(g, g.s3.DeleteBucketEncryption, &s3.DeleteBucketEncryptionInput{Bucket: bucketOf(g)})
		}), one("bucket", "Encryption lacks ", revert)},
		{"T27", "DeletePublicAccessBlock", base, func(g *guard) func() {
			before := must(g, g.s3.GetPublicAccessBlock, &s3.GetPublicAccessBlockInput{Bucket: bucketOf(g)})
			must(g, g.s3.DeletePublicAccessBlock, &s3.DeletePublicAccessBlockInput{Bucket: bucketOf(g)})
			return func() {
				must(g, g.s3.PutPublicAccessBlock, &s3.PutPublicAccessBlockInput{Bucket: bucketOf(g), PublicAccessBlockConfiguration: before.PublicAccessBlockConfiguration})
			}
		}, one("bucket", "PublicAccessBlock.BlockPublicAcls is not set, want true", revert)},
		{"T27", "PutBucketOwnershipControls, PutBucketAcl", base, func(g *guard) func() {
			before := must(g, g.s3.GetBucketOwnershipControls, &s3.GetBucketOwnershipControlsInput{Bucket: bucketOf(g)})
			must(g, g.s3.PutBucketOwnershipControls, &s3.PutBucketOwnershipControlsInput{Bucket: bucketOf(g), OwnershipControls: &s3types.OwnershipControls{
				Rules: []s3types.OwnershipControlsRule{{ObjectOwnership: s3types.ObjectOwnershipObjectWriter}},
			}})
			must(g, g.s3.PutBucketAcl, &s3.PutBucketAclInput{Bucket: bucketOf(g), ACL: "log-delivery-write"})
			return func() {
				must(g, g.s3.PutBucketAcl, &s3.PutBucketAclInput{Bucket: bucketOf(g), ACL: s3types.BucketCannedACLPrivate})
				must(g, g.s3.PutBucketOwnershipControls, &s3.PutBucketOwnershipControlsInput{Bucket: bucketOf(g), OwnershipControls: before.OwnershipControls})
			}
		}, []want{{"bucket", "Ownership.ObjectOwnership is ObjectWriter, want BucketOwnerEnforced", revert}, {"bucket", "ACL: grants to others is [", "aws s3api put-bucket-acl --acl private --bucket "}}},
		{"T27", "PutBucketLogging off", base, func(g *guard) func() {
			before := must(g, g.s3.GetBucketLogging, &s3.GetBucketLoggingInput{Bucket: bucketOf(g)})
			put := func(to *s3types.LoggingEnabled) {
				must(g, g.s3.PutBucketLogging, &s3.PutBucketLoggingInput{Bucket: bucketOf(g), BucketLoggingStatus: &s3types.BucketLoggingStatus{LoggingEnabled: to}})
			}
			put(nil)
			return func() { put(before.LoggingEnabled) }
		}, one("bucket", "AccessLog.TargetBucket is not set, want guard-", revert)},
		{"T28", "DisableKey", base, disableKey(keyOf), one("key", "it is Disabled", "aws kms enable-key --key-id ")},
		{"T28", "DisableKey of the alerts", base, disableKey(alertKeyOf), one("key", "it is Disabled", "aws kms enable-key --key-id ")},
		{"T29", "ScheduleKeyDeletion", base, func(g *guard) func() {
			must(g, g.kms.ScheduleKeyDeletion, &kms.ScheduleKeyDeletionInput{KeyId: keyOf(g), PendingWindowInDays: aws.Int32(7)})
			return func() {
				must(g, g.kms.CancelKeyDeletion, &kms.CancelKeyDeletionInput{KeyId: keyOf(g)})
				must(g, g.kms.EnableKey, &kms.EnableKeyInput{KeyId: keyOf(g)})
			}
		}, one("key", "it will be deleted at ", "aws kms cancel-key-deletion --key-id ")},
		{"T30", "PutKeyPolicy without CloudTrail", base, func(g *guard) func() {
			before := must(g, g.kms.GetKeyPolicy, &kms.GetKeyPolicyInput{KeyId: keyOf(g), PolicyName: aws.String("default")})
			put := func(policy string) {
				must(g, g.kms.PutKeyPolicy, &kms.PutKeyPolicyInput{KeyId: keyOf(g), PolicyName: aws.String("default"), Policy: &policy})
			}
			put(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"kms:*","Resource":"*"}]}`)
			return func() { put(*before.Policy) }
		}, []want{{"key", "statement CloudTrailEncrypt is missing", revert}, {"key", "statement CloudTrailDescribeKey is missing", revert}}},
		{"T31", "DisableKeyRotation", base, func(g *guard) func() {
			must(g, g.kms.DisableKeyRotation, &kms.DisableKeyRotationInput{KeyId: keyOf(g)})
			return func() { must(g, g.kms.EnableKeyRotation, &kms.EnableKeyRotationInput{KeyId: keyOf(g)}) }
		}, one("key", "KeyRotationEnabled is false, want true", "aws kms enable-key-rotation --key-id ")},
		{"T32", "StopConfigurationRecorder", base, stopRecorder, one("recording by AWS Config", "it is not recording", "aws configservice start-configuration-recorder ")},
		{"T32", "DeleteConfigurationRecorder, not the stack's", base, deleteRecorder, one("recording by AWS Config", "there is no configuration recorder", "aws configservice put-configuration-recorder")},
		{"T32", "DeleteConfigurationRecorder", all, deleteRecorder, []want{{"recording by AWS Config", "there is no configuration recorder", revert}, {"configuration recorder", "it is deleted", revert}}},
		{"T33", "PutConfigurationRecorder without trails, not the stack's", base, putRecorder(func(_ *guard, r *configtypes.ConfigurationRecorder) {
			r.RecordingGroup = &configtypes.RecordingGroup{ResourceTypes: []configtypes.ResourceType{configtypes.ResourceTypeBucket}}
		}), one("recording by AWS Config", "it does not record AWS::CloudTrail::Trail", "put-configuration-recorder")},
		{"T33", "PutConfigurationRecorder that excludes trails", all, putRecorder(func(_ *guard, r *configtypes.ConfigurationRecorder) {
			r.RecordingGroup = &configtypes.RecordingGroup{ExclusionByResourceTypes: &configtypes.ExclusionByResourceTypes{ResourceTypes: []configtypes.ResourceType{recorded}}}
		}), []want{{"recording by AWS Config", "it does not record AWS::CloudTrail::Trail", revert}, {"configuration recorder", `RecordingGroup.ExclusionByResourceTypes is {"ResourceTypes":["AWS::CloudTrail::Trail"]}, want not set`, revert}}},
		{"T34", "DeleteDeliveryChannel, not the stack's", base, deleteChannel, one("recording by AWS Config", "there is no delivery channel", "aws configservice put-delivery-channel")},
		{"T34", "DeleteDeliveryChannel", all, deleteChannel, []want{{"delivery channel", "it is deleted", revert}}},
		{"T35", "DeleteConfigRule", base, deleteConfigRule, []want{{"Config rule", "it is deleted", revert}, {"remediation", "it is deleted: Config does not start the runbook", revert}}},
		{"T36", "PutConfigRule with another bucket", base, putConfigRule(func(rule *configtypes.ConfigRule) {
			rule.InputParameters = aws.String(`{"s3BucketName":"open-bucket"}`)
		}), one("Config rule", "InputParameters.s3BucketName is open-bucket, want guard-", revert)},
		{"T36", "PutConfigRule with another frequency", all, putConfigRule(func(rule *configtypes.ConfigRule) {
			rule.MaximumExecutionFrequency = configtypes.MaximumExecutionFrequencyTwentyFourHours
		}), one("Config rule", "MaximumExecutionFrequency is TwentyFour_Hours, want One_Hour", revert)},
		{"T36", "PutConfigRule with another policy", base, changePolicyRule, one("Config rule", `PolicyText is "…`, revert)},
		{"T37", "DeleteRemediationConfiguration", base, putRemediation(nil), one("remediation", "it is deleted: Config does not start the runbook", revert)},
		{"T38", "PutRemediationConfigurations Automatic=false", base, putRemediation(func(one *configtypes.RemediationConfiguration) { one.Automatic = false }),
			one("remediation", "Automatic is false, want true", revert)},
		{"T38", "PutRemediationConfigurations with fewer attempts", all, putRemediation(func(one *configtypes.RemediationConfiguration) { one.MaximumAutomaticAttempts = aws.Int32(1) }),
			one("remediation", "MaximumAutomaticAttempts is 1, want 10", revert)},
		{"T38", "PutRemediationExceptions", base, exempt, one("remediation", "Config no longer remediates AWS::::Account 123456789012", "aws configservice delete-remediation-exceptions ")},
		{"T39", "DeleteDocument", base, deleteDocument, one("runbook", "it is deleted: nothing repairs the trail", revert)},
		{"T39", "another document of its name", base, anotherDocument, one("runbook", "Content.mainSteps", revert)},
		{"T39", "ModifyDocumentPermission", base, shareDocument, one("runbook", "it is shared with 999988887777", "aws ssm modify-document-permission ")},
		{"T39", "UpdateDocument", base, updateDocument(false), one("runbook", "it has a version 2, which no deployment makes", "aws ssm delete-document ")},
		{"T58", "UpdateDocument, UpdateDocumentDefaultVersion", base, updateDocument(true), one("runbook", "its default version is 2, want 1", "aws ssm update-document-default-version ")},
		{"T40", "DeleteRole", all, deleteRole, one("role", "it is deleted", revert)},
		{"T40", "DeleteRolePolicy", all, func(g *guard) func() {
			undo := putRolePolicy(automationPolicy)(g)
			must(g, g.iam.DeleteRolePolicy, &iam.DeleteRolePolicyInput{RoleName: automationRole(g), PolicyName: automationPolicy(g)})
			return undo
		}, one("role", "policy RestoreTrail of role ", revert)},
		{"T40", "PutRolePolicy that replaces", all, putRolePolicy(automationPolicy), one("role", "statement RestoreTrail is missing", revert)},
		{"T40", "PutRolePolicy that adds", all, putRolePolicy(func(*guard) *string { return aws.String("extra") }),
			one("role", "it has a policy extra that is not in the template", "aws iam delete-role-policy --role-name ")},
		{"T40", "DetachRolePolicy", all, func(g *guard) func() {
			role, policy := aws.String(g.name("AWS::IAM::Role", "ConfigRulesRecorderRole")), aws.String("arn:aws:iam::aws:policy/service-role/AWS_ConfigRole")
			must(g, g.iam.DetachRolePolicy, &iam.DetachRolePolicyInput{RoleName: role, PolicyArn: policy})
			return func() { must(g, g.iam.AttachRolePolicy, &iam.AttachRolePolicyInput{RoleName: role, PolicyArn: policy}) }
		}, one("role", "ManagedPolicies lacks arn:aws:iam::aws:policy/service-role/AWS_ConfigRole", revert)},
		{"T40", "AttachRolePolicy", all, func(g *guard) func() {
			policy := aws.String("arn:aws:iam::aws:policy/AWSDenyAll")
			must(g, g.iam.AttachRolePolicy, &iam.AttachRolePolicyInput{RoleName: automationRole(g), PolicyArn: policy})
			return func() {
				must(g, g.iam.DetachRolePolicy, &iam.DetachRolePolicyInput{RoleName: automationRole(g), PolicyArn: policy})
			}
		}, one("role", "ManagedPolicies has arn:aws:iam::aws:policy/AWSDenyAll besides", "aws iam detach-role-policy --role-name ")},
		{"T40", "UpdateAssumeRolePolicy", all, func(g *guard) func() {
			before := must(g, g.iam.GetRole, &iam.GetRoleInput{RoleName: automationRole(g)}).Role
			put := func(policy string) {
				must(g, g.iam.UpdateAssumeRolePolicy, &iam.UpdateAssumeRolePolicyInput{RoleName: automationRole(g), PolicyDocument: &policy})
			}
			put(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)
			return func() { put(unescaped(*before.AssumeRolePolicyDocument)) }
		}, one("role", "is missing", revert)},
		{"T40", "PutRolePermissionsBoundary", all, func(g *guard) func() {
			must(g, g.iam.PutRolePermissionsBoundary, &iam.PutRolePermissionsBoundaryInput{RoleName: automationRole(g), PermissionsBoundary: aws.String("arn:aws:iam::aws:policy/AWSDenyAll")})
			return func() {
				must(g, g.iam.DeleteRolePermissionsBoundary, &iam.DeleteRolePermissionsBoundaryInput{RoleName: automationRole(g)})
			}
		}, one("role", "PermissionsBoundary is arn:aws:iam::aws:policy/AWSDenyAll, want not set", "aws iam delete-role-permissions-boundary --role-name ")},
		{"T41", "DisableRule", all, disableRule, one("event rule", "State is DISABLED, want ENABLED", "aws events enable-rule --name ")},
		{"T41", "RemoveTargets", all, changeRule(removeTargets), one("event rule", "target AlertTopic is removed: arn:aws:sns:", revert)},
		{"T41", "DeleteRule", all, changeRule(func(g *guard, rule *eventbridge.DescribeRuleOutput, targets []eventtypes.Target) {
			removeTargets(g, rule, targets)
			must(g, g.events.DeleteRule, &eventbridge.DeleteRuleInput{Name: rule.Name})
		}), one("event rule", "it is deleted", revert)},
		{"T41", "PutTargets", all, changeRule(func(g *guard, rule *eventbridge.DescribeRuleOutput, targets []eventtypes.Target) {
			changed := targets[0]
			changed.InputTransformer = nil
			changed.Input = aws.String(`"all is well"`)
			must(g, g.events.PutTargets, &eventbridge.PutTargetsInput{Rule: rule.Name, Targets: []eventtypes.Target{changed}})
		}), []want{{"event rule", `target AlertTopic.Input is "\"all is well\"", want not set`, revert}, {"event rule", "target AlertTopic.InputTransformer.InputTemplate is not set", revert}}},
		{"T41", "PutRule with another pattern", all, changeRule(otherPattern(`"StopLogging"`, `"StopNothing"`)), one("event rule", "EventPattern.detail.eventName lacks StopLogging", revert)},
		{"T41", "PutRule on what tells of the guard", base, changeRuleOf("AlertingGuardTampering", otherPattern(`"alarmNames"`, `"nothing"`)), one("event rule", "EventPattern.detail.$or", revert)},
		{"T41", "RemoveTargets of what tells of the guard", all, changeRuleOf("AlertingGuardTampering", removeTargets), one("event rule", "target AlertTopic is removed: arn:aws:sns:", revert)},
		{"T41", "PutRule on the digest files", base, changeRuleOf("AlertingDigests", otherPattern("CloudTrail-Digest", "*")), one("event rule", "EventPattern.detail.$or", revert)},
		{"T41", "DeleteRule of the digest files", all, changeRuleOf("AlertingDigests", func(g *guard, rule *eventbridge.DescribeRuleOutput, _ []eventtypes.Target) {
			must(g, g.events.DeleteRule, &eventbridge.DeleteRuleInput{Name: rule.Name})
		}), one("event rule", "it is deleted", revert)},
		{"T41", "PutTargets on the digest files", base, func(g *guard) func() {
			rule := aws.String(g.name("AWS::Events::Rule", "AlertingDigests"))
			must(g, g.events.PutTargets, &eventbridge.PutTargetsInput{Rule: rule, Targets: []eventtypes.Target{{Id: aws.String("mine"), Arn: &g.AlertTopicARN}}})
			return func() {
				must(g, g.events.RemoveTargets, &eventbridge.RemoveTargetsInput{Rule: rule, Ids: []string{"mine"}})
			}
		}, one("event rule", "target mine is not in the template: arn:aws:sns:", revert)},
		{"T41", "PutRule with another schedule", all, func(g *guard) func() {
			before := must(g, g.events.DescribeRule, &eventbridge.DescribeRuleInput{Name: schedule(g)})
			put := func(expression string) {
				must(g, g.events.PutRule, &eventbridge.PutRuleInput{Name: schedule(g), EventPattern: before.EventPattern, ScheduleExpression: &expression})
			}
			put("rate(365 days)")
			return func() { put(*before.ScheduleExpression) }
		}, one("event rule", `ScheduleExpression is "rate(365 days)", want "rate(`, revert)},
		{"T42", "DeleteLogGroup", all, deleteLogGroup, one("log group", "it is deleted", revert)},
		{"T42", "PutRetentionPolicy", all, func(g *guard) func() { keep(g, 1); return func() { keep(g, 731) } }, one("log group", "RetentionInDays is 1, want 731", revert)},
		{"T43", "DeleteTopic", base, deleteTopic, []want{{"topic", "it is deleted", revert}, {"topic policy", "the topic is deleted", revert}, {"alert subscriptions", "the topic is deleted", revert}}},
		{"T43", "Unsubscribe, of all", base, silence, one("alert subscriptions", "nobody has a confirmed subscription", "aws sns subscribe --topic-arn ")},
		{"T43", "Unsubscribe, of the stack's", all, silence, one("subscription", "it is deleted", revert)},
		{"T43", "SetTopicAttributes Policy", base, setTopic("Policy", `{"Version":"2012-10-17","Statement":[{"Sid":"TellPeople","Effect":"Deny","Principal":"*","Action":"sns:Publish","Resource":"*"}]}`), one("topic policy", "statement TellPeople: Effect is Deny, want Allow", revert)},
		{"T43", "SetTopicAttributes KmsMasterKeyId", base, setTopic("KmsMasterKeyId", "alias/aws/sns"), one("topic", "KmsMasterKeyId is alias/aws/sns, want arn:aws:kms:", revert)},
		{"T43", "SetSubscriptionAttributes FilterPolicy", base, filterSubscription, one("alert subscriptions", "FilterPolicy of https://people.example.com is {\"never\"", "aws sns set-subscription-attributes ")},
		{"T43", "sqs SetQueueAttributes", base, setQueue("MessageRetentionPeriod", "60"), one("queue", "MessageRetentionPeriod is 60, want 1209600", revert)},
		{"T43", "sqs SetQueueAttributes Policy", base, setQueue("Policy", `{"Version":"2012-10-17","Statement":[]}`), one("queue policy", "is missing", revert)},
		{"T43", "an event that was not told", base, func(g *guard) func() {
			must(g, g.sqs.SendMessage, &sqs.SendMessageInput{QueueUrl: queueOf(g), MessageBody: aws.String("{}")})
			return func() { must(g, g.sqs.PurgeQueue, &sqs.PurgeQueueInput{QueueUrl: queueOf(g)}) }
		}, one("queue", "it holds 1 events", "aws sqs receive-message --queue-url ")},
		{"T44", "DeleteAlarms", all, putAlarm(nil), one("alarm", "it is deleted", revert)},
		{"T44", "DisableAlarmActions", all, putAlarm(func(_ *guard, in *cloudwatch.PutMetricAlarmInput) { in.ActionsEnabled = aws.Bool(false) }),
			one("alarm", "ActionsEnabled is false, want true", "aws cloudwatch enable-alarm-actions --alarm-names ")},
		{"T44", "PutMetricAlarm", all, putAlarm(func(_ *guard, in *cloudwatch.PutMetricAlarmInput) {
			in.AlarmActions, in.Threshold = nil, aws.Float64(1e6)
		}), []want{{"alarm", "AlarmActions lacks arn:aws:sns:", revert}, {"alarm", "Threshold is 1000000, want 0", revert}}},
		{"T44", "PutMetricAlarm on the digest files", all, putAlarmOf("AlertingMissingDigests", func(_ *guard, in *cloudwatch.PutMetricAlarmInput) {
			in.TreatMissingData, in.EvaluationPeriods = aws.String("ignore"), aws.Int32(24)
		}), []want{{"alarm", "TreatMissingData is ignore, want breaching", revert}, {"alarm", "EvaluationPeriods is 24, want 3", revert}}},
		{"T44", "DeleteAlarms, of the digest files", base, putAlarmOf("AlertingMissingDigests", nil), one("alarm", "it is deleted", revert)},
		{"T44", "PutMetricAlarm on repeated failure", base, putAlarmOf("AlertingRepeatedFailure", func(_ *guard, in *cloudwatch.PutMetricAlarmInput) { in.Period = aws.Int32(60) }),
			one("alarm", "Period is 60, want 3600", revert)},
		{"T44", "PutBucketNotificationConfiguration", base, func(g *guard) func() {
			put := func(to *s3types.NotificationConfiguration) {
				must(g, g.s3.PutBucketNotificationConfiguration, &s3.PutBucketNotificationConfigurationInput{Bucket: bucketOf(g), NotificationConfiguration: to})
			}
			put(&s3types.NotificationConfiguration{})
			return func() {
				put(&s3types.NotificationConfiguration{EventBridgeConfiguration: &s3types.EventBridgeConfiguration{}})
			}
		}, one("bucket", "EventBridge is false, want true", revert)},
		{"T44", "an alarm that rings", all, ring, one("alarm", "it has been ringing since ", "do what the alarm asks for: An event did not start")},
		{"T45", "DisableAWSServiceAccess cloudtrail", all, distrust, one("organization", "CloudTrail has no trusted access", "aws organizations enable-aws-service-access ")},
		{"T48", "SetStackPolicy", base, func(g *guard) func() {
			put := func(effect string) {
				must(g, g.Clients.CloudFormation.SetStackPolicy, &cloudformation.SetStackPolicyInput{StackName: &g.Stack,
					StackPolicyBody: aws.String(`{"Statement":[{"Effect":"` + effect + `","Action":"Update:*","Principal":"*","Resource":"*"}]}`)})
			}
			put("Deny")
			return func() { put("Allow") }
		}, one("stack", "its stack policy keeps a deployment from mending it", "aws cloudformation set-stack-policy ")},
		{"T55", "DeleteTopic, DeleteLogGroup and DeleteRolePolicy of what the trail writes to", all, func(g *guard) func() {
			topic := g.name("AWS::SNS::Topic", "Deliveries")
			before := must(g, g.sns.GetTopicAttributes, &sns.GetTopicAttributesInput{TopicArn: &topic}).Attributes
			role, policy := aws.String(g.name("AWS::IAM::Role", "CloudWatchLogsRole")), aws.String("WriteEvents")
			document := must(g, g.iam.GetRolePolicy, &iam.GetRolePolicyInput{RoleName: role, PolicyName: policy}).PolicyDocument
			must(g, g.sns.DeleteTopic, &sns.DeleteTopicInput{TopicArn: &topic})
			must(g, g.iam.DeleteRolePolicy, &iam.DeleteRolePolicyInput{RoleName: role, PolicyName: policy})
			again := deleteLogGroup(g)
			return func() {
				again()
				must(g, g.sns.CreateTopic, &sns.CreateTopicInput{Name: aws.String(topic[strings.LastIndex(topic, ":")+1:]), Attributes: map[string]string{"Policy": before["Policy"]}})
				must(g, g.iam.PutRolePolicy, &iam.PutRolePolicyInput{RoleName: role, PolicyName: policy, PolicyDocument: aws.String(unescaped(*document))})
			}
		}, []want{{"topic", "it is deleted", revert}, {"log group", "it is deleted", revert}, {"role", "policy WriteEvents of role ", revert}}},
		{"T57", "a second guard of the trail", base, func(g *guard) func() {
			role := must(g, g.iam.GetRole, &iam.GetRoleInput{RoleName: automationRole(g)}).Role
			must(g, g.iam.CreateRole, &iam.CreateRoleInput{RoleName: aws.String("another"), Path: role.Path, Description: role.Description, AssumeRolePolicyDocument: aws.String(unescaped(*role.AssumeRolePolicyDocument))})
			return func() { must(g, g.iam.DeleteRole, &iam.DeleteRoleInput{RoleName: aws.String("another")}) }
		}, one("other trails", "another guard has the same trail: its role is arn:aws:iam::123456789012:role/trailguard/another", "delete one of the two stacks")},
		{"T60", "StopAutomationExecution of a running repair", base, func(g *guard) func() {
			g.Settle()
			started := must(g, g.ssm.StartAutomationExecution, &ssm.StartAutomationExecutionInput{DocumentName: &g.RunbookName})
			must(g, g.ssm.StopAutomationExecution, &ssm.StopAutomationExecutionInput{AutomationExecutionId: started.AutomationExecutionId})
			g.Settle()
			return g.repair
		}, one("runs of runbook", "is Cancelled", "aws ssm get-automation-execution --automation-execution-id ")},
	}
}

// repair runs the runbook by hand.
func (g *guard) repair() {
	g.T.Helper()
	g.Must(g.Begin(g.RunbookName, nil))
	g.Settle()
}

// test strikes, wants status to say so, undoes it, and wants the parts to be whole again.
func (a attack) test(g *guard) {
	g.T.Helper()
	revert := a.strike(g)
	if revert == nil {
		return // AWS refuses the call
	}
	var parts []string
	for _, want := range a.wants {
		parts = append(parts, want.part)
	}
	report := g.look(parts...)
	for _, want := range a.wants {
		if !slices.ContainsFunc(report.Findings, func(f Finding) bool {
			return f.Part == want.part && slices.ContainsFunc(f.Problems, func(p Problem) bool {
				return strings.Contains(p.What, want.says) && strings.Contains(p.Mend, want.mend)
			})
		}) {
			g.T.Errorf("status does not say %q of the %s, to mend by %q:", want.says, want.part, want.mend)
			for _, f := range report.Findings {
				if !f.Whole() {
					g.T.Errorf("  %s %s: %s", f.Part, f.LogicalID, said(f))
				}
			}
		}
	}
	revert()
	g.wantWhole("afterwards", parts...)
}

// trailAttacks are those of drill.Scenarios, and those that need other trails. The guard of everything has those that the default
// cannot have.
func trailAttacks(g *guard, target drill.Target) (all []attack) {
	mend := "aws ssm start-automation-execution --document-name " + g.RunbookName + " --document-version 1"
	account := drill.NewAccount(g.Clients, g.Guard.Guard)
	before, err := account.State(g.T.Context(), drill.Attempt{})
	g.Must(err)
	restore := func(g *guard) {
		now, err := account.State(g.T.Context(), drill.Attempt{})
		g.Must(err)
		g.Must(account.Restore(g.T.Context(), drill.Attempt{}, before, now))
	}
	for _, scenario := range drill.Scenarios() {
		special := slices.Contains([]deployed.Setting{deployed.CloudWatchLogsLogGroupARN, deployed.SNSTopicARN, deployed.IsOrganizationTrail, deployed.Tags}, scenario.Takes)
		if scenario.NotApplicable(g.Guard.Guard) != "" || scenario.Harmless || special != (g.template == "everything") {
			continue
		}
		all = append(all, attack{id: scenario.ID, call: scenario.Call, strike: func(g *guard) func() {
			if err := scenario.Tamper(g.T.Context(), g.trails, target); err != nil && !slices.ContainsFunc(scenario.Refusals, func(code string) bool { return hasCode(err, code) }) {
				g.Must(err)
			} else if err != nil {
				return nil
			}
			return func() { restore(g) }
		}, wants: []want{{"trail", "", mend}}})
	}
	return append(all, attack{"T53", "PutEventSelectors ReadOnly by the guard's own role", "default", func(g *guard) func() {
		byRole := cloudtrail.NewFromConfig(g.Config(api.Principal{Type: api.AssumedRole, ARN: g.AutomationRoleARN, SessionName: "mallory"}))
		g.Must(scenario("T14").Tamper(g.T.Context(), byRole, target))
		return func() { restore(g) }
	}, []want{{"trail", "EventSelectors is [", mend}}}, attack{"T54", "StopLogging while another good trail logs", "default", func(g *guard) func() {
		createTrail(g, "good")
		g.Must(scenario("T01").Tamper(g.T.Context(), g.trails, target))
		report := g.look("other trails")
		if f := report.Findings[0]; len(f.Problems) > 0 || len(f.Warnings) != 1 || !strings.Contains(f.Warnings[0].What, "trail/good logs too: CloudTrail bills each further copy") {
			g.T.Errorf("of the other trail status says %+v", f)
		}
		return func() {
			deleteTrail(g, "good")
			restore(g)
		}
	}, []want{{"trail", "IsLogging is false, want true", mend}}}, attack{"T56", "DeleteTrail, CreateTrail until the quota is full", "default", func(g *guard) func() {
		deleteTrail(g, g.TrailName)
		for i := range 5 {
			createTrail(g, fmt.Sprintf("junk-%d", i))
		}
		return func() {
			for i := range 5 {
				deleteTrail(g, fmt.Sprintf("junk-%d", i))
			}
			restore(g)
		}
	}, []want{{"trail", "there is no trail", mend}, {"trail", "5 other trails fill the Region's quota, so that it cannot be created: junk-0, junk-1", "aws cloudtrail delete-trail --name NAME"},
		{"delivery of trail", "there is no trail, and nothing is delivered", mend}}})
}

// scenario is the first of those with an id.
func scenario(id string) drill.Scenario {
	all := drill.Scenarios()
	return all[slices.IndexFunc(all, func(s drill.Scenario) bool { return s.ID == id })]
}

// TestStatusFindsEachTampering strikes in each way of the catalogue, one at a time, with nothing that repairs.
func TestStatusFindsEachTampering(t *testing.T) {
	for template := range accounts {
		t.Run(template, func(t *testing.T) {
			t.Parallel()
			g := deploy(t, accounts[template], template)
			g.wantWhole("after the deployment")
			g.openBucket()
			target := drill.Target{Trail: g.TrailName, ARN: g.TrailARN, Declared: g.Declared}
			for _, need := range []drill.Need{drill.AnotherBucket, drill.AnotherKey} {
				_, err := drill.NewProvisioner(g.Clients, g.Guard.Guard).Provision(t.Context(), need, &target)
				g.Must(err)
			}
			strike := func(all []attack) {
				for _, a := range all {
					if a.template == "" || a.template == template {
						t.Run(a.id+" "+a.call, func(t *testing.T) { a.test(g.in(t)) })
					}
				}
			}
			g.Only()
			strike(trailAttacks(g, target))
			g.Settle() // what happened meanwhile starts nothing
			g.Only(deployed.AllPaths)
			strike(attacks())
			g.wantWhole("after all")
			if template == "default" {
				g.lose(t)
			} else {
				g.forbid(t)
			}
			g.WantSimulated(t)
		})
	}
}

// TestTheHeartbeatIsPartOfTheSchedule: without it the central bus takes the guard for one that is taken away.
func TestTheHeartbeatIsPartOfTheSchedule(t *testing.T) {
	g := deploy(t, accounts["default"], "central")
	attack{"T41", "RemoveTargets", "central", changeRuleOf("EventRulesSchedule", func(g *guard, rule *eventbridge.DescribeRuleOutput, _ []eventtypes.Target) {
		must(g, g.events.RemoveTargets, &eventbridge.RemoveTargetsInput{Rule: rule.Name, Ids: []string{"CentralEventBus"}})
	}), []want{{"event rule", "target CentralEventBus is removed: arn:aws:events:", revert}}}.test(g)
}

// TestAGuardThatRepairsItsLogStoreIsWhole, and of the parts of the repair status finds what is wrong.
func TestAGuardThatRepairsItsLogStoreIsWhole(t *testing.T) {
	g := deploy(t, accounts["default"], "default")
	g.wantWhole("after the deployment")
	of := func(kind string) *string { return aws.String(g.name(kind, "StoreRemediation")) }
	for _, attack := range []attack{
		{"T34", "UpdateDocumentDefaultVersion", "default", func(g *guard) func() {
			name := &g.RunbookName
			must(g, g.ssm.ModifyDocumentPermission, &ssm.ModifyDocumentPermissionInput{Name: name, PermissionType: "Share", AccountIdsToAdd: []string{"999999999999"}})
			return func() {
				must(g, g.ssm.ModifyDocumentPermission, &ssm.ModifyDocumentPermissionInput{Name: name, PermissionType: "Share", AccountIdsToRemove: []string{"999999999999"}})
			}
		}, []want{{"runbook", "it is shared with 999999999999", "aws ssm modify-document-permission --name "}}},
		{"T40", "PutRolePolicy without the key", "default", func(g *guard) func() {
			role, policy := of("AWS::IAM::Role"), aws.String("RestoreLogStore")
			before := must(g, g.iam.GetRolePolicy, &iam.GetRolePolicyInput{RoleName: role, PolicyName: policy})
			put := func(document string) {
				must(g, g.iam.PutRolePolicy, &iam.PutRolePolicyInput{RoleName: role, PolicyName: policy, PolicyDocument: &document})
			}
			document := unescaped(*before.PolicyDocument)
			put(strings.Replace(document, "kms:EnableKey", "kms:ListKeys", 1))
			return func() { put(document) }
		}, []want{{"role", "statement RestoreKey: Action lacks kms:enablekey", revert}}},
		{"T41", "DisableRule", "default", func(g *guard) func() {
			name := of("AWS::Events::Rule")
			must(g, g.events.DisableRule, &eventbridge.DisableRuleInput{Name: name})
			return func() { must(g, g.events.EnableRule, &eventbridge.EnableRuleInput{Name: name}) }
		}, []want{{"event rule", "State is DISABLED, want ENABLED", "aws events enable-rule --name "}}},
	} {
		t.Run(attack.id+" "+attack.call, func(t *testing.T) { attack.test(g.in(t)) })
	}
}

// lose does what is not undone.
func (g *guard) lose(t *testing.T) {
	tpl := testbed.ReadTemplate(t, g.template)
	reviewed := tpl.JSON()
	t.Run("T48 UpdateStack", func(t *testing.T) {
		g := g.in(t)
		delete(tpl["Resources"].(map[string]any), "AlertingFlood0F78F26C")
		g.WantUpdate(t, g.Stack, tpl, cfntypes.StackStatusUpdateComplete)
		report, err := Inspect(t.Context(), NewClients(g.Admin), g.Stack, g.Clock.Now(), Options{Template: reviewed, choose: func(f Finding) bool { return f.Part == "stack" }})
		g.Must(err)
		if got := said(report.Findings[0]); !strings.Contains(got, "resource AlertingFlood0F78F26C is in the template that was given only (mend: cdk deploy)") {
			t.Errorf("of a template that was changed status says %s", got)
		}
	})
	t.Run("T23 DeleteBucket", func(t *testing.T) {
		g := g.in(t)
		must(g, g.s3.DeleteBucket, &s3.DeleteBucketInput{Bucket: bucketOf(g)})
		g.deliver()
		for _, f := range g.look("bucket", "bucket policy", "delivery of trail").Findings {
			want := map[string]string{"bucket": "it is deleted (mend: cdk deploy --revert-drift: it makes the bucket anew", "bucket policy": "it is deleted", "delivery of trail": "NoSuchBucket"}[f.Part]
			if isOther := strings.Contains(f.LogicalID, "AccessLogs"); isOther != f.Whole() || !isOther && !strings.Contains(said(f), want) {
				t.Errorf("%s %s: %s", f.Part, f.LogicalID, said(f))
			}
		}
	})
	t.Run("T48 DeleteStack", func(t *testing.T) {
		g := g.in(t)
		must(g, g.Clients.CloudFormation.DeleteStack, &cloudformation.DeleteStackInput{StackName: &g.Stack})
		_, err := Inspect(t.Context(), NewClients(g.Admin), g.Stack, g.Clock.Now(), Options{})
		if want := "no guard: stack guard cannot be found in this account and Region: deploy it again, or name another stack or Region"; !errors.Is(err, deployed.ErrNoGuard) || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	})
}

// forbid has callers look who may not see all.
func (g *guard) forbid(t *testing.T) {
	const name = "auditor"
	auditor := api.Principal{Type: api.AssumedRole, ARN: "arn:aws:iam::123456789012:role/" + name, SessionName: "status"}
	must(g, g.iam.CreateRole, &iam.CreateRoleInput{RoleName: aws.String(name), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:AssumeRole"}]}`)})
	look := func(g *guard, allowed []string) (Report, error) {
		document := exact(map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{"Effect": "Allow", "Action": allowed, "Resource": "*"}}})
		must(g, g.iam.PutRolePolicy, &iam.PutRolePolicyInput{RoleName: aws.String(name), PolicyName: aws.String("status"), PolicyDocument: &document})
		return Inspect(g.T.Context(), NewClients(g.Config(auditor)), g.Stack, g.Clock.Now(), Options{})
	}
	all := permissions()
	t.Run("the documented permissions are enough", func(t *testing.T) {
		g := g.in(t)
		report, err := look(g, all)
		g.Must(err)
		for _, f := range report.Findings {
			if !f.Whole() {
				t.Errorf("%s %s: %s", f.Part, f.LogicalID, said(f))
			}
		}
	})
	t.Run("what lacks is named", func(t *testing.T) {
		g := g.in(t)
		lacks := []string{"cloudwatch:DescribeAlarms", "iam:GetRolePolicy", "s3:GetLifecycleConfiguration", "sns:GetTopicAttributes", "kms:GetKeyPolicy", "sqs:GetQueueAttributes", "logs:DescribeLogGroups"}
		report, err := look(g, slices.DeleteFunc(slices.Clone(all), func(one string) bool { return slices.Contains(lacks, one) }))
		g.Must(err)
		named := map[string]bool{}
		for _, f := range report.Findings {
			for _, one := range f.NotSeen {
				named[one.Permission] = true
			}
		}
		if got := slices.Sorted(maps.Keys(named)); !slices.Equal(got, slices.Sorted(slices.Values(lacks))) || report.Wrong() > 0 || report.Whole() {
			t.Errorf("lacking are named %q, and %d parts are wrong", got, report.Wrong())
		}
	})
	t.Run("nothing but the stack", func(t *testing.T) {
		g := g.in(t)
		stack := []string{"cloudformation:DescribeStacks", "cloudformation:GetTemplate", "cloudformation:ListStackResources"}
		if report, err := look(g, stack); !errors.Is(err, ErrNothingSeen) || report.Wrong() > 0 {
			t.Errorf("got %v, and %d parts are wrong", err, report.Wrong())
		}
		if _, err := look(g, stack[:1]); err == nil || err.Error() != "stack guard is the measure, and the caller may not read it: allow cloudformation:GetTemplate" {
			t.Errorf("got %v", err)
		}
	})
}

// notFound are the ways of the catalogue of which nothing remains that status could find, and why.
var notFound = map[string]string{
	"T25": "log files that are deleted: status reads no object; CloudTrail's validation of log files finds what is missing",
	"T46": "the guard's stack has no organization policy",
	"T49": "the runbook refuses foreign values, so that nothing changes",
	"T51": "it changes nothing",
	"T59": "a flood changes nothing; the alarm that it rings is found",
}

// TestEachWayOfTheCatalogueIsFoundOrSaidNotToBe walks the catalogue's numbers.
func TestEachWayOfTheCatalogueIsFoundOrSaidNotToBe(t *testing.T) {
	found := map[string]bool{"T53": true, "T54": true, "T56": true, "T23": true, "T48": true, "T47": true}
	for _, one := range attacks() {
		found[one.id] = true
	}
	for _, one := range drill.Scenarios() {
		found[one.ID] = found[one.ID] || !one.Harmless
	}
	for i := 1; i <= 60; i++ {
		id := fmt.Sprintf("T%02d", i)
		if found[id] == (notFound[id] != "") {
			t.Errorf("%s is found: %v; why it is not: %q", id, found[id], notFound[id])
		}
	}
}

// TestEachKindOfPartIsAttacked walks the kinds of parts.
func TestEachKindOfPartIsAttacked(t *testing.T) {
	attacked := map[string]bool{"trail": true} // by drill.Scenarios
	for _, one := range attacks() {
		for _, want := range one.wants {
			attacked[want.part] = true
		}
	}
	// TestWhatTheLocalAWSDoesNotDoIsFound has these.
	for _, part := range []string{"event bus", "event bus policy", "StackSet", "organization policy", "subscription filter", "supplied log bucket", "supplied log key", "supplied automation role", "role policy"} {
		attacked[part] = true
	}
	for _, kind := range kinds("") {
		if !attacked[kind.part] {
			t.Errorf("no attack on a part of the kind %q shows that it is found", kind.part)
		}
	}
}
