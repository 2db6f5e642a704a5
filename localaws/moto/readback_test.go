package moto

import (
	"encoding/json"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"gopkg.in/yaml.v3"
)

func s3Client(cfg aws.Config) *s3.Client {
	return s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
}

func targets(t *testing.T, cfg aws.Config, rule string) []eventtypes.Target {
	t.Helper()
	out, err := eventbridge.NewFromConfig(cfg).ListTargetsByRule(t.Context(), &eventbridge.ListTargetsByRuleInput{Rule: aws.String(rule)})
	if err != nil {
		t.Fatal(err)
	}
	return out.Targets
}

func topicAttributes(t *testing.T, cfg aws.Config, arn string) map[string]string {
	t.Helper()
	out, err := sns.NewFromConfig(cfg).GetTopicAttributes(t.Context(), &sns.GetTopicAttributesInput{TopicArn: aws.String(arn)})
	if err != nil {
		t.Fatal(err)
	}
	return out.Attributes
}

// must returns the output of a read, or ends the test.
func must[T any](t *testing.T) func(output T, err error) T {
	return func(output T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatalf("%v\n%s", err, server.Output())
		}
		return output
	}
}

// same reports a difference between two values as JSON, a string that holds JSON counting as what it holds.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if g, w := plain(t, got), plain(t, want); !reflect.DeepEqual(g, w) {
		t.Errorf("%s is\n%s\nwant\n%s", what, encode(t, g), encode(t, w))
	}
}

func plain(t *testing.T, value any) any {
	t.Helper()
	text, ok := value.(string)
	if !ok {
		text = string(encode(t, value))
	}
	var decoded any
	if err := json.Unmarshal([]byte(text), &decoded); err != nil {
		return text
	}
	return decoded
}

func TestDeployedResourcesReadBackAsDeclared(t *testing.T) {
	cfg := fresh(t)
	stack := create(t, cfg, guardTemplate)
	wantStatus(t, stack, cfntypes.StackStatusCreateComplete)
	out := outputs(stack)
	ctx := t.Context()

	t.Run("outputs", func(t *testing.T) {
		if !strings.HasPrefix(out["RuleName"], "guard-Rule-") || out["RemediationRef"] != out["RuleName"] {
			t.Errorf("Ref of the rule is %q, of the remediation %q", out["RuleName"], out["RemediationRef"])
		}
		if out["RuleArn"] != "arn:aws:config:us-east-1:123456789012:config-rule/config-rule-abc123" || out["RuleId"] != "config-rule-abc123" {
			t.Errorf("the rule has ARN %q and id %q", out["RuleArn"], out["RuleId"])
		}
		if out["LastOfKeyArn"] != out["KeyId"] || out["Host"] != "s3.amazonaws.com" {
			t.Errorf("outputs are %v", out)
		}
		if _, shown := out["NotShown"]; shown {
			t.Error("an output is shown whose condition does not hold")
		}
		i := slices.IndexFunc(stack.Outputs, func(o cfntypes.Output) bool { return *o.OutputKey == "BucketName" })
		if aws.ToString(stack.Outputs[i].ExportName) != "guard-bucket" || aws.ToString(stack.Outputs[i].Description) != "Where the log is" {
			t.Errorf("the bucket's output is %v", stack.Outputs[i])
		}
	})

	t.Run("config", func(t *testing.T) {
		rules := map[string]any{}
		for _, c := range gateway.named("config:PutConfigRule") {
			rule := c.body["ConfigRule"].(map[string]any)
			delete(rule, "ConfigRuleArn")
			delete(rule, "ConfigRuleId")
			rules[rule["ConfigRuleName"].(string)] = rule
		}
		same(t, "the rule", rules[out["RuleName"]], map[string]any{
			"ConfigRuleName":            out["RuleName"],
			"Description":               "Is org-trail on, ${literally}?",
			"InputParameters":           `{"s3BucketName":"` + out["BucketName"] + `"}`,
			"MaximumExecutionFrequency": "One_Hour",
			"Source":                    map[string]any{"Owner": "AWS", "SourceIdentifier": "CLOUD_TRAIL_ENABLED"},
		})
		same(t, "the policy rule", rules["trail-settings"], `{
			"ConfigRuleName": "trail-settings",
			"EvaluationModes": [{"Mode": "DETECTIVE"}],
			"Scope": {"ComplianceResourceTypes": ["AWS::CloudTrail::Trail"]},
			"Source": {
				"Owner": "CUSTOM_POLICY",
				"CustomPolicyDetails": {"EnableDebugLogDelivery": true, "PolicyRuntime": "guard-2.x.x", "PolicyText": "rule a { configuration exists }"},
				"SourceDetails": [{"EventSource": "aws.config", "MessageType": "ConfigurationItemChangeNotification"}]
			}}`)
		role := must[*iam.GetRoleOutput](t)(iam.NewFromConfig(cfg).GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String(out["RoleName"])}))
		same(t, "the remediation", gateway.named("config:PutRemediationConfigurations")[0].body, map[string]any{
			"RemediationConfigurations": []any{map[string]any{
				"Automatic":                true,
				"ConfigRuleName":           out["RuleName"],
				"ExecutionControls":        map[string]any{"SsmControls": map[string]any{"ConcurrentExecutionRatePercentage": 10, "ErrorPercentage": 50}},
				"MaximumAutomaticAttempts": 5,
				"RetryAttemptSeconds":      60,
				"TargetId":                 out["RunbookName"],
				"TargetType":               "SSM_DOCUMENT",
				"Parameters": map[string]any{
					"CloudTrailName":       map[string]any{"StaticValue": map[string]any{"Values": []string{"org-trail"}}},
					"AutomationAssumeRole": map[string]any{"StaticValue": map[string]any{"Values": []string{*role.Role.Arn}}},
					"Account":              map[string]any{"ResourceValue": map[string]any{"Value": "RESOURCE_ID"}},
				},
			}},
		})
		if gateway.recorder["name"] != out["RecorderName"] {
			t.Errorf("the recorder is %v, its Ref %q", gateway.recorder, out["RecorderName"])
		}
		same(t, "the recording group", gateway.recorder["recordingGroup"],
			`{"allSupported": false, "resourceTypes": ["AWS::CloudTrail::Trail"], "recordingStrategy": {"useOnly": "INCLUSION_BY_RESOURCE_TYPES"}}`)
		if gateway.channel["s3BucketName"] != out["BucketName"] || gateway.channel["snsTopicARN"] != out["TopicArn"] ||
			!strings.HasSuffix(gateway.channel["s3KmsKeyArn"].(string), out["KeyId"]) {
			t.Errorf("the channel is %v", gateway.channel)
		}
		if len(gateway.named("config:StartConfigurationRecorder")) == 0 {
			t.Error("the recorder was not started")
		}
	})

	t.Run("bucket", func(t *testing.T) {
		client, bucket := s3Client(cfg), aws.String(out["BucketName"])
		versioning := must[*s3.GetBucketVersioningOutput](t)(client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: bucket}))
		same(t, "versioning", versioning.Status, "Enabled")
		encryption := must[*s3.GetBucketEncryptionOutput](t)(client.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: bucket}))
		rule := encryption.ServerSideEncryptionConfiguration.Rules[0]
		if d := rule.ApplyServerSideEncryptionByDefault; d.SSEAlgorithm != s3types.ServerSideEncryptionAwsKms ||
			!strings.HasSuffix(aws.ToString(d.KMSMasterKeyID), ":key/"+out["KeyId"]) || !aws.ToBool(rule.BucketKeyEnabled) {
			t.Errorf("encryption is %s", encode(t, rule))
		}
		block := must[*s3.GetPublicAccessBlockOutput](t)(client.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: bucket}))
		same(t, "the public access block", block.PublicAccessBlockConfiguration,
			`{"BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true, "RestrictPublicBuckets": true}`)
		ownership := must[*s3.GetBucketOwnershipControlsOutput](t)(client.GetBucketOwnershipControls(ctx, &s3.GetBucketOwnershipControlsInput{Bucket: bucket}))
		same(t, "ownership", ownership.OwnershipControls, `{"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}`)
		lifecycle := must[*s3.GetBucketLifecycleConfigurationOutput](t)(client.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: bucket}))
		if len(lifecycle.Rules) != 1 {
			t.Fatalf("there are %d lifecycle rules", len(lifecycle.Rules))
		}
		r := lifecycle.Rules[0]
		if aws.ToString(r.ID) != "archive" || r.Status != s3types.ExpirationStatusEnabled || aws.ToString(r.Filter.Prefix) != "AWSLogs/" ||
			aws.ToInt32(r.Expiration.Days) != 2555 || aws.ToInt32(r.Transitions[0].Days) != 90 || r.Transitions[0].StorageClass != "GLACIER" ||
			aws.ToInt32(r.NoncurrentVersionExpiration.NoncurrentDays) != 365 || aws.ToInt32(r.AbortIncompleteMultipartUpload.DaysAfterInitiation) != 7 {
			t.Errorf("the lifecycle rule is %s", encode(t, r))
		}
		logging := must[*s3.GetBucketLoggingOutput](t)(client.GetBucketLogging(ctx, &s3.GetBucketLoggingInput{Bucket: bucket}))
		if logging.LoggingEnabled == nil || aws.ToString(logging.LoggingEnabled.TargetBucket) != out["AccessLogsName"] || aws.ToString(logging.LoggingEnabled.TargetPrefix) != "trail/" {
			t.Errorf("access logging is %s", encode(t, logging.LoggingEnabled))
		}
		lock := must[*s3.GetObjectLockConfigurationOutput](t)(client.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: bucket}))
		if d := lock.ObjectLockConfiguration.Rule.DefaultRetention; lock.ObjectLockConfiguration.ObjectLockEnabled != "Enabled" || d.Mode != "GOVERNANCE" || aws.ToInt32(d.Days) != 30 {
			t.Errorf("object lock is %s", encode(t, lock.ObjectLockConfiguration))
		}
		policy := must[*s3.GetBucketPolicyOutput](t)(client.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: bucket}))
		same(t, "the bucket policy", *policy.Policy, `{"Version": "2012-10-17", "Statement": [{"Sid": "Check", "Effect": "Allow",
			"Principal": {"Service": "cloudtrail.amazonaws.com"}, "Action": "s3:GetBucketAcl", "Resource": "arn:aws:s3:::`+out["BucketName"]+`"}]}`)
		tags := must[*s3.GetBucketTaggingOutput](t)(client.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: bucket}))
		same(t, "the tags", tags.TagSet, `[{"Key": "team", "Value": "security"}]`)
	})

	t.Run("key", func(t *testing.T) {
		client, id := kms.NewFromConfig(cfg), aws.String(out["KeyId"])
		policy := must[*kms.GetKeyPolicyOutput](t)(client.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: id}))
		same(t, "the key policy", *policy.Policy, `{"Version": "2012-10-17", "Statement": [{"Sid": "Root", "Effect": "Allow",
			"Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "kms:*", "Resource": "*"}]}`)
		if rotation := must[*kms.GetKeyRotationStatusOutput](t)(client.GetKeyRotationStatus(ctx, &kms.GetKeyRotationStatusInput{KeyId: id})); !rotation.KeyRotationEnabled {
			t.Error("the key is not rotated")
		}
		key := must[*kms.DescribeKeyOutput](t)(client.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: aws.String("alias/trail")}))
		if *key.KeyMetadata.KeyId != *id || *key.KeyMetadata.Description != "Encrypts the log" || !key.KeyMetadata.Enabled {
			t.Errorf("the key is %s", encode(t, key.KeyMetadata))
		}
	})

	t.Run("roles", func(t *testing.T) {
		client, name := iam.NewFromConfig(cfg), aws.String(out["RoleName"])
		role := must[*iam.GetRoleOutput](t)(client.GetRole(ctx, &iam.GetRoleInput{RoleName: name}))
		if aws.ToString(role.Role.Description) != "Repairs the trail" || len(role.Role.Tags) != 1 {
			t.Errorf("the role is %s", encode(t, role.Role))
		}
		same(t, "the trust policy", unescape(t, *role.Role.AssumeRolePolicyDocument),
			`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ssm.amazonaws.com"}, "Action": "sts:AssumeRole"}]}`)
		names := must[*iam.ListRolePoliciesOutput](t)(client.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: name}))
		slices.Sort(names.PolicyNames)
		same(t, "the inline policies", names.PolicyNames, `["default-policy", "inline"]`)
		policy := must[*iam.GetRolePolicyOutput](t)(client.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: name, PolicyName: aws.String("default-policy")}))
		same(t, "the role's policy", unescape(t, *policy.PolicyDocument),
			`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:DescribeKey", "Resource": "arn:aws:kms:us-east-1:123456789012:key/`+out["KeyId"]+`"}]}`)
		attached := must[*iam.ListAttachedRolePoliciesOutput](t)(client.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: aws.String(out["RecorderRoleName"])}))
		same(t, "the managed policies", attached.AttachedPolicies, `[{"PolicyName": "AWS_ConfigRole", "PolicyArn": "arn:aws:iam::aws:policy/service-role/AWS_ConfigRole"}]`)
	})

	t.Run("runbook", func(t *testing.T) {
		document := must[*ssm.GetDocumentOutput](t)(ssm.NewFromConfig(cfg).GetDocument(ctx, &ssm.GetDocumentInput{
			Name: aws.String(out["RunbookName"]), DocumentFormat: ssmtypes.DocumentFormatYaml,
		}))
		var content map[string]any
		if err := yaml.Unmarshal([]byte(*document.Content), &content); err != nil {
			t.Fatalf("the content is not YAML: %v", err)
		}
		same(t, "the content", content, `{
			"schemaVersion": "0.3", "description": "Puts the trail back", "assumeRole": "{{ AutomationAssumeRole }}",
			"parameters": {"AutomationAssumeRole": {"type": "String"}, "CloudTrailName": {"type": "String", "allowedValues": ["org-trail"]}},
			"mainSteps": [{"name": "Start", "action": "aws:executeAwsApi", "inputs": {"Service": "cloudtrail", "Api": "StartLogging", "Name": "{{ CloudTrailName }}"}}]}`)
		if document.DocumentFormat != "YAML" || document.DocumentType != "Automation" || *document.DocumentVersion != "1" {
			t.Errorf("the document is %s %s version %s", document.DocumentFormat, document.DocumentType, *document.DocumentVersion)
		}
	})

	t.Run("events rule", func(t *testing.T) {
		rule := must[*eventbridge.DescribeRuleOutput](t)(eventbridge.NewFromConfig(cfg).DescribeRule(ctx, &eventbridge.DescribeRuleInput{Name: aws.String(out["TamperingName"])}))
		same(t, "the pattern", *rule.EventPattern, `{"source": ["aws.cloudtrail"], "detail": {"eventName": ["StopLogging", {"prefix": "Update"}],
			"$or": [{"errorCode": [{"exists": false}]}, {"x": [1]}]}}`)
		byID := map[string]eventtypes.Target{}
		for _, target := range targets(t, cfg, out["TamperingName"]) {
			byID[*target.Id] = target
		}
		runbook := byID["Runbook"]
		if aws.ToString(runbook.Arn) != "arn:aws:ssm:us-east-1:123456789012:automation-definition/"+out["RunbookName"] ||
			!strings.HasPrefix(aws.ToString(runbook.RoleArn), "arn:aws:iam::123456789012:role/guard-EventsRole-") ||
			aws.ToString(runbook.Input) != `{"CloudTrailName":["org-trail"]}` ||
			aws.ToInt32(runbook.RetryPolicy.MaximumRetryAttempts) != 3 || aws.ToInt32(runbook.RetryPolicy.MaximumEventAgeInSeconds) != 900 ||
			!strings.HasPrefix(aws.ToString(runbook.DeadLetterConfig.Arn), "arn:aws:sqs:us-east-1:123456789012:guard-Queue-") {
			t.Errorf("the runbook's target is %s", encode(t, runbook))
		}
		topic := byID["Topic"]
		if topic.InputTransformer == nil || aws.ToString(topic.InputTransformer.InputTemplate) != `"<who> did it"` ||
			topic.InputTransformer.InputPathsMap["who"] != "$.detail.userIdentity.arn" {
			t.Errorf("the topic's target is %s", encode(t, topic))
		}
	})

	t.Run("queue", func(t *testing.T) {
		attributes := must[*sqs.GetQueueAttributesOutput](t)(sqs.NewFromConfig(cfg).GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
			QueueUrl: aws.String(out["QueueUrl"]), AttributeNames: []sqstypes.QueueAttributeName{"All"},
		})).Attributes
		if attributes["MessageRetentionPeriod"] != "1209600" || attributes["SqsManagedSseEnabled"] != "true" {
			t.Errorf("the queue's attributes are %v", attributes)
		}
		same(t, "the queue's policy", attributes["Policy"], `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
			"Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": "`+attributes["QueueArn"]+`"}]}`)
	})

	t.Run("topic", func(t *testing.T) {
		attributes := topicAttributes(t, cfg, out["TopicArn"])
		if attributes["DisplayName"] != "Trail alerts" || attributes["KmsMasterKeyId"] != out["KeyId"] {
			t.Errorf("the topic's attributes are %v", attributes)
		}
		same(t, "the topic's policy", attributes["Policy"], `{"Version": "2012-10-17", "Statement": [{"Sid": "Events", "Effect": "Allow",
			"Principal": {"Service": "events.amazonaws.com"}, "Action": "sns:Publish", "Resource": "`+out["TopicArn"]+`"}]}`)
		people := must[*sns.ListSubscriptionsByTopicOutput](t)(sns.NewFromConfig(cfg).ListSubscriptionsByTopic(ctx, &sns.ListSubscriptionsByTopicInput{TopicArn: aws.String(out["TopicArn"])}))
		if len(people.Subscriptions) != 1 || *people.Subscriptions[0].Endpoint != "security@example.com" {
			t.Errorf("the subscriptions are %s", encode(t, people.Subscriptions))
		}
	})

	t.Run("alarm", func(t *testing.T) {
		alarms := must[*cloudwatch.DescribeAlarmsOutput](t)(cloudwatch.NewFromConfig(cfg).DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{out["AlarmName"]}}))
		if len(alarms.MetricAlarms) != 1 {
			t.Fatalf("there are %d alarms", len(alarms.MetricAlarms))
		}
		alarm := alarms.MetricAlarms[0]
		same(t, "the alarm's actions", alarm.AlarmActions, []string{out["TopicArn"]})
		if aws.ToString(alarm.MetricName) != "FailedInvocations" || aws.ToFloat64(alarm.Threshold) != 0 || aws.ToString(alarm.TreatMissingData) != "notBreaching" ||
			aws.ToString(alarm.Dimensions[0].Value) != out["TamperingName"] {
			t.Errorf("the alarm is %s", encode(t, alarm))
		}
	})

	t.Run("logs", func(t *testing.T) {
		client := cloudwatchlogs.NewFromConfig(cfg)
		groups := must[*cloudwatchlogs.DescribeLogGroupsOutput](t)(client.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{}))
		if len(groups.LogGroups) != 1 || *groups.LogGroups[0].LogGroupName != "/trail/events" || aws.ToInt32(groups.LogGroups[0].RetentionInDays) != 365 {
			t.Errorf("the log groups are %s", encode(t, groups.LogGroups))
		}
		policies := must[*cloudwatchlogs.DescribeResourcePoliciesOutput](t)(client.DescribeResourcePolicies(ctx, &cloudwatchlogs.DescribeResourcePoliciesInput{}))
		if len(policies.ResourcePolicies) != 1 || *policies.ResourcePolicies[0].PolicyName != "events-to-logs" {
			t.Errorf("the resource policies are %s", encode(t, policies.ResourcePolicies))
		}
	})
}

func unescape(t *testing.T, text string) string {
	t.Helper()
	plain, err := url.QueryUnescape(text)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}
