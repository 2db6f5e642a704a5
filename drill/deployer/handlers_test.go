package deployer

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/localaws/api"
)

// handlers are what CloudFormation calls for each resource type, which is more than the local AWS does: the permissions
// that the handlers of the type's schema list, without what only properties need that no template here sets. Types whose
// schema lists none have what the local AWS calls.
// https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html#schema-properties-handlers
var handlers = map[string]string{
	"AWS::CloudWatch::Alarm": "cloudwatch:DeleteAlarms cloudwatch:DescribeAlarms cloudwatch:ListTagsForResource cloudwatch:PutMetricAlarm " +
		"cloudwatch:TagResource cloudwatch:UntagResource",
	"AWS::Config::ConfigRule": "config:DeleteConfigRule config:DescribeComplianceByConfigRule config:DescribeConfigRules config:PutConfigRule",
	"AWS::Config::ConfigurationRecorder": "config:DeleteConfigurationRecorder config:DescribeConfigurationRecorderStatus " +
		"config:DescribeConfigurationRecorders config:PutConfigurationRecorder config:StartConfigurationRecorder config:StopConfigurationRecorder",
	"AWS::Config::DeliveryChannel": "config:DeleteDeliveryChannel config:DescribeDeliveryChannelStatus config:DescribeDeliveryChannels " +
		"config:PutDeliveryChannel",
	"AWS::Config::RemediationConfiguration": "config:DeleteRemediationConfiguration config:DescribeRemediationConfigurations " +
		"config:PutRemediationConfigurations",
	"AWS::Events::Rule": "events:DeleteRule events:DescribeRule events:ListTagsForResource events:ListTargetsByRule events:PutRule " +
		"events:PutTargets events:RemoveTargets events:TagResource events:UntagResource",
	"AWS::IAM::Policy": "", // its calls are on the role, which lists them
	"AWS::IAM::Role": "iam:CreateRole iam:DeleteRole iam:DeleteRolePolicy iam:GetRole iam:GetRolePolicy iam:ListAttachedRolePolicies " +
		"iam:ListRolePolicies iam:PutRolePolicy iam:TagRole iam:UntagRole iam:UpdateAssumeRolePolicy iam:UpdateRole iam:UpdateRoleDescription",
	"AWS::KMS::Key": "kms:CreateKey kms:DescribeKey kms:EnableKeyRotation kms:GetKeyPolicy kms:GetKeyRotationStatus kms:ListResourceTags " +
		"kms:PutKeyPolicy kms:TagResource kms:UntagResource kms:UpdateKeyDescription",
	"AWS::Logs::LogGroup": "logs:CreateLogGroup logs:DeleteRetentionPolicy logs:DescribeLogGroups logs:ListTagsForResource " +
		"logs:PutRetentionPolicy logs:TagResource logs:UntagResource",
	"AWS::S3::Bucket": "s3:CreateBucket s3:GetAccelerateConfiguration s3:GetAnalyticsConfiguration s3:GetBucketAbac s3:GetBucketAcl " +
		"s3:GetBucketCORS s3:GetBucketLogging s3:GetBucketMetadataTableConfiguration s3:GetBucketNotification " +
		"s3:GetBucketObjectLockConfiguration s3:GetBucketOwnershipControls s3:GetBucketPublicAccessBlock s3:GetBucketTagging " +
		"s3:GetBucketVersioning s3:GetBucketWebsite s3:GetEncryptionConfiguration s3:GetIntelligentTieringConfiguration " +
		"s3:GetInventoryConfiguration s3:GetLifecycleConfiguration s3:GetMetricsConfiguration s3:GetReplicationConfiguration s3:ListBucket " +
		"s3:ListTagsForResource s3:PutBucketLogging s3:PutBucketOwnershipControls s3:PutBucketPublicAccessBlock s3:PutBucketTagging " +
		"s3:PutBucketVersioning s3:PutEncryptionConfiguration s3:PutLifecycleConfiguration s3:TagResource s3:UntagResource",
	"AWS::S3::BucketPolicy":  "s3:DeleteBucketPolicy s3:GetBucketPolicy s3:PutBucketPolicy",
	"AWS::SNS::Subscription": "sns:GetSubscriptionAttributes sns:SetSubscriptionAttributes sns:Subscribe sns:Unsubscribe",
	"AWS::SNS::Topic": "sns:CreateTopic sns:DeleteTopic sns:GetDataProtectionPolicy sns:GetTopicAttributes sns:ListSubscriptionsByTopic " +
		"sns:ListTagsForResource sns:SetTopicAttributes sns:TagResource sns:UntagResource",
	"AWS::SNS::TopicPolicy": "", // likewise on the topic
	"AWS::SQS::Queue": "sqs:CreateQueue sqs:DeleteQueue sqs:GetQueueAttributes sqs:GetQueueUrl sqs:ListQueueTags sqs:SetQueueAttributes " +
		"sqs:TagQueue sqs:UntagQueue",
	"AWS::SQS::QueuePolicy": "", // likewise on the queue
	"AWS::SSM::Document": "ssm:AddTagsToResource ssm:CreateDocument ssm:DeleteDocument ssm:DescribeDocument ssm:GetDocument " +
		"ssm:ListTagsForResource ssm:RemoveTagsFromResource ssm:UpdateDocument ssm:UpdateDocumentDefaultVersion",
}

// others are what is needed for single properties, only where a creation fails, or by whoever calls CloudFormation.
const others = "iam:AttachRolePolicy iam:CreateServiceLinkedRole iam:DetachRolePolicy iam:PassRole kms:ScheduleKeyDeletion s3:DeleteBucket " +
	"s3:PutBucketObjectLockConfiguration s3:PutBucketNotification cloudformation:CreateChangeSet cloudformation:CreateStack cloudformation:DeleteChangeSet " +
	"cloudformation:DeleteStack cloudformation:DescribeChangeSet cloudformation:DescribeStackEvents cloudformation:DescribeStacks " +
	"cloudformation:ExecuteChangeSet cloudformation:GetTemplate cloudformation:UpdateStack"

// deployed is a resource of the stack.
type deployed struct{ kind, arn string }

// arnForms are the ARNs of the resource types by their physical ids, without arn:aws:, where these are no ARNs. What Config
// names by an id of its own has any.
var arnForms = map[string]string{
	"AWS::CloudWatch::Alarm":                "cloudwatch:us-east-1:%[2]s:alarm:%[1]s",
	"AWS::Config::ConfigRule":               "config:us-east-1:%[2]s:config-rule/config-rule-abc",
	"AWS::Config::ConfigurationRecorder":    "config:us-east-1:%[2]s:configuration-recorder/%[1]s/abc",
	"AWS::Config::RemediationConfiguration": "config:us-east-1:%[2]s:remediation-configuration/%[1]s/abc",
	"AWS::Events::Rule":                     "events:us-east-1:%[2]s:rule/%[1]s",
	"AWS::KMS::Key":                         "kms:us-east-1:%[2]s:key/%[1]s",
	"AWS::Logs::LogGroup":                   "logs:us-east-1:%[2]s:log-group:%[1]s",
	"AWS::S3::Bucket":                       "s3:::%[1]s",
	"AWS::S3::BucketPolicy":                 "s3:::%[1]s",
	"AWS::SQS::Queue":                       "sqs:us-east-1:%[2]s:%[1]s",
	"AWS::SSM::Document":                    "ssm:us-east-1:%[2]s:document/%[1]s",
}

// deployment creates the stack and returns its resources.
func deployment(t *testing.T, template testbed.Template) []deployed {
	t.Helper()
	if failed := create(t, template); len(failed) > 0 {
		t.Fatal(failed)
	}
	described, err := cloudformation.NewFromConfig(local.Admin).DescribeStackResources(t.Context(), &cloudformation.DescribeStackResourcesInput{StackName: aws.String(stack)})
	testbed.Must(t, err)
	var all []deployed
	for _, resource := range described.StackResources {
		d := deployed{kind: aws.ToString(resource.ResourceType), arn: aws.ToString(resource.PhysicalResourceId)}
		if form, ok := arnForms[d.kind]; ok {
			d.arn = fmt.Sprintf("arn:aws:"+form, d.arn[strings.LastIndexByte(d.arn, '/')+1:], api.Account)
		}
		if d.kind == "AWS::IAM::Role" {
			found, err := iam.NewFromConfig(local.Admin).GetRole(t.Context(), &iam.GetRoleInput{RoleName: &d.arn})
			testbed.Must(t, err)
			d.arn = *found.Role.Arn
		}
		all = append(all, d)
	}
	return all
}

// may asks whether the role may do an action on a resource.
func may(t *testing.T, action, resource string, keys map[string][]string) error {
	t.Helper()
	return local.IAM.Authorize(t.Context(), role, action, resource, keys)
}

func TestThePoliciesHoldWhatTheHandlersOfCloudFormationCall(t *testing.T) {
	for _, test := range deployables(t) {
		t.Run(test.name, func(t *testing.T) {
			account(t, test.policy, test.template)
			asked := 0
			for _, d := range deployment(t, test.template) {
				actions, ok := handlers[d.kind]
				if !ok {
					t.Errorf("it is not said what CloudFormation calls for %s", d.kind)
				}
				for _, name := range strings.Fields(actions) {
					action, known, err := reference.Action(name)
					testbed.Must(t, err)
					if !known {
						t.Fatalf("AWS has no action %s", name)
					}
					resource := d.arn
					if len(action.ResourceTypes) == 0 {
						resource = "*"
					}
					if err := may(t, name, resource, nil); err != nil {
						t.Error(err)
					}
					asked++
				}
			}
			if asked < 100 {
				t.Errorf("only %d questions were asked", asked)
			}
		})
	}
}

// TestThePoliciesAllowNothingMore is the negative control.
func TestThePoliciesAllowNothingMore(t *testing.T) {
	test := deployables(t)[1]
	account(t, test.policy, test.template)
	var bucket, key, automationRole string
	for _, d := range deployment(t, test.template) {
		switch {
		case d.kind == "AWS::S3::Bucket":
			bucket = d.arn
		case d.kind == "AWS::KMS::Key":
			key = d.arn
		case d.kind == "AWS::IAM::Role" && strings.Contains(d.arn, "AutomationRole"):
			automationRole = d.arn
		}
	}
	passedTo := func(service string) map[string][]string { return map[string][]string{"iam:PassedToService": {service}} }
	testbed.Must(t, may(t, "iam:PassRole", automationRole, passedTo("ssm.amazonaws.com")))
	for _, refused := range []struct {
		action, resource string
		keys             map[string][]string
	}{
		{"iam:PassRole", automationRole, passedTo("ec2.amazonaws.com")},
		{"iam:PassRole", automationRole, passedTo("events.amazonaws.com")},
		{"iam:PassRole", role.ARN, passedTo("ssm.amazonaws.com")},
		{"iam:PutRolePolicy", role.ARN, nil},
		{"iam:AttachRolePolicy", automationRole, map[string][]string{"iam:PolicyARN": {"arn:aws:iam::aws:policy/AdministratorAccess"}}},
		{"iam:CreateServiceLinkedRole", "arn:aws:iam::123456789012:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS",
			map[string][]string{"iam:AWSServiceName": {"ecs.amazonaws.com"}}},
		{"s3:PutBucketPolicy", "arn:aws:s3:::payroll", nil},
		{"s3:GetObject", bucket + "/AWSLogs/x", nil},
		{"s3:DeleteObject", bucket + "/AWSLogs/x", nil},
		{"kms:Decrypt", key, nil},
		{"ssm:StartAutomationExecution", "arn:aws:ssm:us-east-1:123456789012:document/TrailGuard-x", nil},
		{"cloudtrail:StopLogging", "arn:aws:cloudtrail:us-east-1:123456789012:trail/everything-trail", nil},
		{"cloudformation:DeleteStack", "arn:aws:cloudformation:us-east-1:123456789012:stack/Payroll/*", nil},
	} {
		if err := may(t, refused.action, refused.resource, refused.keys); err == nil || !strings.HasPrefix(err.Error(), "AccessDenied: ") {
			t.Errorf("%s on %s: got %v", refused.action, refused.resource, err)
		}
	}
}

func TestThePoliciesNameNoActionThatNothingCalls(t *testing.T) {
	called := strings.Fields(others)
	for _, actions := range handlers {
		called = append(called, strings.Fields(actions)...)
	}
	for _, action := range called {
		if _, known, err := reference.Action(action); !known || err != nil {
			t.Errorf("AWS has no action %s (%v)", action, err)
		}
	}
	for _, name := range []string{defaultPolicy, optionsPolicy} {
		for _, s := range readPolicy(t, name) {
			for _, action := range s.Action {
				if !slices.ContainsFunc(called, func(call string) bool { return matches([]string{action}, call) }) {
					t.Errorf("%s, statement %s: nothing calls %s", name, s.Sid, action)
				}
			}
		}
	}
}
