package organization

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	trailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	configtypes "github.com/aws/aws-sdk-go-v2/service/configservice/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	orgtypes "github.com/aws/aws-sdk-go-v2/service/organizations/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/drill/internal/testbed"
)

// row is a call of a row of the catalogue of tampering.
type row struct {
	id, what string
	call     func(ctx context.Context, config aws.Config) error
	unmade   bool // moto does not do it: it can be refused, and nothing else
}

// failure leaves a call's answer out.
func failure[T any](_ T, err error) error { return err }

const logFile = "AWSLogs/" + memberOne + "/CloudTrail/eu-central-1/2030/01/01/a.json.gz"

// policyOf is a policy of one statement. That of a resource has a principal.
func policyOf(effect, principal, action, resource string) *string {
	statement := map[string]any{"Effect": effect, "Action": action}
	if principal != "" {
		statement["Principal"] = map[string]any{"AWS": principal}
	}
	if resource != "" {
		statement["Resource"] = resource
	}
	return aws.String(testbed.Template{"Version": "2012-10-17", "Statement": []any{statement}}.JSON())
}

// onStore are T20-T31 on a bucket with log files and its key, of an account.
func onStore(account, bucket, key string) []row {
	b, file := &bucket, aws.String(logFile)
	do := func(id, what string, call func(context.Context, *s3.Client) error) row {
		return row{id: id, what: "s3 " + what, call: func(ctx context.Context, config aws.Config) error { return call(ctx, s3.NewFromConfig(config)) }}
	}
	return append([]row{
		do("T20", "PutBucketLifecycleConfiguration", func(ctx context.Context, c *s3.Client) error {
			return failure(c.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{Bucket: b,
				LifecycleConfiguration: &s3types.BucketLifecycleConfiguration{Rules: []s3types.LifecycleRule{{
					ID: aws.String("soon"), Status: s3types.ExpirationStatusEnabled, Filter: &s3types.LifecycleRuleFilter{Prefix: aws.String("AWSLogs/")},
					Expiration: &s3types.LifecycleExpiration{Days: aws.Int32(1)},
				}}}}))
		}),
		do("T21", "PutBucketPolicy", func(ctx context.Context, c *s3.Client) error {
			return failure(c.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: b, Policy: policyOf("Deny", "*", "s3:PutObject", "arn:aws:s3:::"+bucket+"/*")}))
		}),
		do("T22", "DeleteBucketPolicy", func(ctx context.Context, c *s3.Client) error {
			return failure(c.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: b}))
		}),
		do("T24", "PutBucketVersioning", func(ctx context.Context, c *s3.Client) error {
			return failure(c.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: b,
				VersioningConfiguration: &s3types.VersioningConfiguration{Status: s3types.BucketVersioningStatusSuspended}}))
		}),
		do("T25", "DeleteObject", func(ctx context.Context, c *s3.Client) error {
			return failure(c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: b, Key: file}))
		}),
		do("T25", "DeleteObject of a version", func(ctx context.Context, c *s3.Client) error {
			return failure(c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: b, Key: file, VersionId: aws.String("null")}))
		}),
		do("T25", "PutObject", func(ctx context.Context, c *s3.Client) error {
			return failure(c.PutObject(ctx, &s3.PutObjectInput{Bucket: b, Key: file, Body: strings.NewReader("{}")}))
		}),
		do("T26", "PutBucketEncryption", func(ctx context.Context, c *s3.Client) error {
			return failure(c.PutBucketEncryption(ctx, &s3.PutBucketEncryptionInput{Bucket: b,
				ServerSideEncryptionConfiguration: &s3types.ServerSideEncryptionConfiguration{Rules: []s3types.ServerSideEncryptionRule{{
					ApplyServerSideEncryptionByDefault: &s3types.ServerSideEncryptionByDefault{SSEAlgorithm: s3types.ServerSideEncryptionAes256},
				}}}}))
		}),
		do("T26", "DeleteBucketEncryption", func(ctx context.Context, c *s3.Client) error {
			return failure(c.DeleteBucketEncryption(ctx, &s3.DeleteBucketEncryptionInput{Bucket: b}))
		}),
		do("T27", "DeletePublicAccessBlock", func(ctx context.Context, c *s3.Client) error {
			return failure(c.DeletePublicAccessBlock(ctx, &s3.DeletePublicAccessBlockInput{Bucket: b}))
		}),
		do("T27", "PutBucketAcl", func(ctx context.Context, c *s3.Client) error {
			return failure(c.PutBucketAcl(ctx, &s3.PutBucketAclInput{Bucket: b, ACL: s3types.BucketCannedACLPublicRead}))
		}),
		do("T27", "PutBucketOwnershipControls", func(ctx context.Context, c *s3.Client) error {
			return failure(c.PutBucketOwnershipControls(ctx, &s3.PutBucketOwnershipControlsInput{Bucket: b,
				OwnershipControls: &s3types.OwnershipControls{Rules: []s3types.OwnershipControlsRule{{ObjectOwnership: s3types.ObjectOwnershipObjectWriter}}}}))
		}),
		do("T27", "PutBucketLogging", func(ctx context.Context, c *s3.Client) error {
			return failure(c.PutBucketLogging(ctx, &s3.PutBucketLoggingInput{Bucket: b, BucketLoggingStatus: &s3types.BucketLoggingStatus{}}))
		}),
		do("T27", "DeleteBucketReplication", func(ctx context.Context, c *s3.Client) error {
			return failure(c.DeleteBucketReplication(ctx, &s3.DeleteBucketReplicationInput{Bucket: b}))
		}),
		do("T23", "DeleteBucket", func(ctx context.Context, c *s3.Client) error {
			return failure(c.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: b}))
		}),
	}, onKey(account, key)...)
}

// onKey are T28-T31.
func onKey(account, key string) []row {
	id := &key
	do := func(row_, what string, call func(context.Context, *kms.Client) error) row {
		return row{id: row_, what: "kms " + what, call: func(ctx context.Context, config aws.Config) error { return call(ctx, kms.NewFromConfig(config)) }}
	}
	return []row{
		do("T28", "DisableKey", func(ctx context.Context, c *kms.Client) error {
			return failure(c.DisableKey(ctx, &kms.DisableKeyInput{KeyId: id}))
		}),
		do("T29", "ScheduleKeyDeletion", func(ctx context.Context, c *kms.Client) error {
			return failure(c.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: id, PendingWindowInDays: aws.Int32(7)}))
		}),
		do("T30", "PutKeyPolicy", func(ctx context.Context, c *kms.Client) error {
			return failure(c.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: id, Policy: policyOf("Allow", account, "kms:*", "*")}))
		}),
		do("T31", "DisableKeyRotation", func(ctx context.Context, c *kms.Client) error {
			return failure(c.DisableKeyRotation(ctx, &kms.DisableKeyRotationInput{KeyId: id}))
		}),
		do("T31", "CreateGrant", func(ctx context.Context, c *kms.Client) error {
			return failure(c.CreateGrant(ctx, &kms.CreateGrantInput{KeyId: id, GranteePrincipal: aws.String("arn:aws:iam::" + memberOne + ":root"),
				Operations: []kmstypes.GrantOperation{kmstypes.GrantOperationDecrypt}}))
		}),
		do("T31", "UntagResource", func(ctx context.Context, c *kms.Client) error {
			return failure(c.UntagResource(ctx, &kms.UntagResourceInput{KeyId: id, TagKeys: []string{"trailguard:stack"}}))
		}),
		do("T31", "TagResource", func(ctx context.Context, c *kms.Client) error {
			return failure(c.TagResource(ctx, &kms.TagResourceInput{KeyId: id, Tags: []kmstypes.Tag{{TagKey: aws.String("trailguard:stack"), TagValue: aws.String("mine")}}}))
		}),
	}
}

// onConfig are T32-T38 in an account, on its rules and on one that it does not have.
func onConfig(account string, rules []string) []row {
	do := func(id, what string, call func(context.Context, *configservice.Client) error) row {
		return row{id: id, what: "config " + what, call: func(ctx context.Context, config aws.Config) error {
			return call(ctx, configservice.NewFromConfig(config))
		}}
	}
	recorder := aws.String("default")
	var all []row
	for _, name := range append(rules, "any-rule") {
		all = append(all,
			do("T36", "PutConfigRule", func(ctx context.Context, c *configservice.Client) error {
				return failure(c.PutConfigRule(ctx, &configservice.PutConfigRuleInput{ConfigRule: &configtypes.ConfigRule{ConfigRuleName: &name,
					Source: &configtypes.Source{Owner: configtypes.OwnerAws, SourceIdentifier: aws.String("CLOUD_TRAIL_ENABLED")}}}))
			}),
			do("T38", "PutRemediationConfigurations", func(ctx context.Context, c *configservice.Client) error {
				return failure(c.PutRemediationConfigurations(ctx, &configservice.PutRemediationConfigurationsInput{
					RemediationConfigurations: []configtypes.RemediationConfiguration{{ConfigRuleName: &name, TargetId: aws.String("AWS-Noop"),
						TargetType: configtypes.RemediationTargetTypeSsmDocument}}}))
			}),
			do("T38", "PutRemediationExceptions", func(ctx context.Context, c *configservice.Client) error {
				return failure(c.PutRemediationExceptions(ctx, &configservice.PutRemediationExceptionsInput{ConfigRuleName: &name,
					ResourceKeys: []configtypes.RemediationExceptionResourceKey{{ResourceType: aws.String("AWS::CloudTrail::Trail"), ResourceId: aws.String(trailName)}}}))
			}),
			do("T37", "DeleteRemediationConfiguration", func(ctx context.Context, c *configservice.Client) error {
				return failure(c.DeleteRemediationConfiguration(ctx, &configservice.DeleteRemediationConfigurationInput{ConfigRuleName: &name}))
			}),
			do("T35", "DeleteConfigRule", func(ctx context.Context, c *configservice.Client) error {
				return failure(c.DeleteConfigRule(ctx, &configservice.DeleteConfigRuleInput{ConfigRuleName: &name}))
			}),
		)
	}
	return append(all,
		do("T32", "StopConfigurationRecorder", func(ctx context.Context, c *configservice.Client) error {
			return failure(c.StopConfigurationRecorder(ctx, &configservice.StopConfigurationRecorderInput{ConfigurationRecorderName: recorder}))
		}),
		do("T32", "DeleteConfigurationRecorder", func(ctx context.Context, c *configservice.Client) error {
			return failure(c.DeleteConfigurationRecorder(ctx, &configservice.DeleteConfigurationRecorderInput{ConfigurationRecorderName: recorder}))
		}),
		do("T33", "PutConfigurationRecorder", func(ctx context.Context, c *configservice.Client) error {
			return failure(c.PutConfigurationRecorder(ctx, &configservice.PutConfigurationRecorderInput{ConfigurationRecorder: &configtypes.ConfigurationRecorder{
				Name: recorder, RoleARN: aws.String("arn:aws:iam::" + account + ":role/" + administrator),
			}}))
		}),
		do("T34", "DeleteDeliveryChannel", func(ctx context.Context, c *configservice.Client) error {
			return failure(c.DeleteDeliveryChannel(ctx, &configservice.DeleteDeliveryChannelInput{DeliveryChannelName: recorder}))
		}),
	)
}

// onParts are T39-T45, T48, T49, T52, T53 and T56-T59 on the parts of a guard, whose physical ids are given by their types.
func onParts(g deployed.Guard, ids map[string][]string) []row {
	var all []row
	add := func(id, what string, call func(context.Context, aws.Config) error) {
		all = append(all, row{id: id, what: what, unmade: what == "cloudwatch DisableAlarmActions", call: call})
	}
	account := g.Account()
	runbook, topic := &g.RunbookName, &g.AlertTopicARN

	add("T39", "ssm ModifyDocumentPermission", func(ctx context.Context, config aws.Config) error {
		return failure(ssm.NewFromConfig(config).ModifyDocumentPermission(ctx, &ssm.ModifyDocumentPermissionInput{Name: runbook,
			PermissionType: ssmtypes.DocumentPermissionTypeShare, AccountIdsToAdd: []string{outsider}}))
	})
	add("T58", "ssm UpdateDocument", func(ctx context.Context, config aws.Config) error {
		return failure(ssm.NewFromConfig(config).UpdateDocument(ctx, &ssm.UpdateDocumentInput{Name: runbook, DocumentVersion: aws.String("$LATEST"),
			Content: aws.String(`{"schemaVersion":"0.3","mainSteps":[{"name":"Nothing","action":"aws:sleep","inputs":{"Duration":"PT1S"}}]}`)}))
	})
	add("T58", "ssm UpdateDocumentDefaultVersion", func(ctx context.Context, config aws.Config) error {
		return failure(ssm.NewFromConfig(config).UpdateDocumentDefaultVersion(ctx, &ssm.UpdateDocumentDefaultVersionInput{Name: runbook, DocumentVersion: aws.String("1")}))
	})
	add("T49", "ssm StartAutomationExecution", func(ctx context.Context, config aws.Config) error {
		return failure(ssm.NewFromConfig(config).StartAutomationExecution(ctx, &ssm.StartAutomationExecutionInput{DocumentName: runbook,
			Parameters: map[string][]string{"CloudTrailS3BucketName": {"elsewhere"}}}))
	})
	add("T53", "ssm CreateDocument that runs as the automation role", func(ctx context.Context, config aws.Config) error {
		return failure(ssm.NewFromConfig(config).CreateDocument(ctx, &ssm.CreateDocumentInput{Name: aws.String("mine"), DocumentType: ssmtypes.DocumentTypeAutomation,
			DocumentFormat: ssmtypes.DocumentFormatJson,
			Content:        aws.String(`{"schemaVersion":"0.3","assumeRole":"` + g.AutomationRoleARN + `","mainSteps":[{"name":"Harm","action":"aws:sleep","inputs":{"Duration":"PT1S"}}]}`)}))
	})
	add("T39", "ssm DeleteDocument", func(ctx context.Context, config aws.Config) error {
		return failure(ssm.NewFromConfig(config).DeleteDocument(ctx, &ssm.DeleteDocumentInput{Name: runbook}))
	})

	roles := append(ids["AWS::IAM::Role"], breakGlass)
	for _, role := range roles {
		all = append(all, onRole(role)...)
	}
	for _, made := range []struct{ path, name string }{{"/", "TrailGuard-mine"}, {"/trailguard/", "mine"}, {"/", "stacksets-exec-mine"}, {"/", "cdk-mine-cfn-exec-role-mine"}} {
		add("T40", "iam CreateRole "+made.path+made.name, func(ctx context.Context, config aws.Config) error {
			return failure(iam.NewFromConfig(config).CreateRole(ctx, &iam.CreateRoleInput{Path: &made.path, RoleName: &made.name,
				AssumeRolePolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + account + `"},"Action":"sts:AssumeRole"}]}`)}))
		})
	}
	for _, rule := range ids["AWS::Events::Rule"] {
		all = append(all, onRule(rule, *topic)...)
	}

	group := aws.String(g.Stack + "-LogGroup")
	logs := func(id, what string, call func(context.Context, *cloudwatchlogs.Client) error) {
		add(id, "logs "+what, func(ctx context.Context, config aws.Config) error {
			return call(ctx, cloudwatchlogs.NewFromConfig(config))
		})
	}
	logs("T42", "DeleteLogGroup", func(ctx context.Context, c *cloudwatchlogs.Client) error {
		return failure(c.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: group}))
	})
	logs("T42", "DeleteLogStream", func(ctx context.Context, c *cloudwatchlogs.Client) error {
		return failure(c.DeleteLogStream(ctx, &cloudwatchlogs.DeleteLogStreamInput{LogGroupName: group, LogStreamName: aws.String("a")}))
	})
	logs("T42", "PutRetentionPolicy", func(ctx context.Context, c *cloudwatchlogs.Client) error {
		return failure(c.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: group, RetentionInDays: aws.Int32(1)}))
	})
	logs("T42", "DeleteSubscriptionFilter", func(ctx context.Context, c *cloudwatchlogs.Client) error {
		return failure(c.DeleteSubscriptionFilter(ctx, &cloudwatchlogs.DeleteSubscriptionFilterInput{LogGroupName: group, FilterName: aws.String("a")}))
	})

	// Unsubscribe names no topic, and is authorized on * as far as is known: no policy can keep the guard's subscriptions alone.
	add("T43", "sns SetTopicAttributes", func(ctx context.Context, config aws.Config) error {
		return failure(sns.NewFromConfig(config).SetTopicAttributes(ctx, &sns.SetTopicAttributesInput{TopicArn: topic, AttributeName: aws.String("Policy"), AttributeValue: policyOf("Allow", account, "sns:Publish", *topic)}))
	})
	add("T43", "sns DeleteTopic", func(ctx context.Context, config aws.Config) error {
		return failure(sns.NewFromConfig(config).DeleteTopic(ctx, &sns.DeleteTopicInput{TopicArn: topic}))
	})

	alarms := ids["AWS::CloudWatch::Alarm"]
	add("T44", "cloudwatch DisableAlarmActions", func(ctx context.Context, config aws.Config) error {
		return failure(cloudwatch.NewFromConfig(config).DisableAlarmActions(ctx, &cloudwatch.DisableAlarmActionsInput{AlarmNames: alarms}))
	})
	add("T44", "cloudwatch SetAlarmState", func(ctx context.Context, config aws.Config) error {
		return failure(cloudwatch.NewFromConfig(config).SetAlarmState(ctx, &cloudwatch.SetAlarmStateInput{AlarmName: &alarms[0],
			StateValue: cloudwatchtypes.StateValueOk, StateReason: aws.String("fine")}))
	})
	add("T44", "cloudwatch PutMetricAlarm", func(ctx context.Context, config aws.Config) error {
		return failure(cloudwatch.NewFromConfig(config).PutMetricAlarm(ctx, &cloudwatch.PutMetricAlarmInput{AlarmName: &alarms[0], MetricName: aws.String("None"),
			Namespace: aws.String("None"), Statistic: cloudwatchtypes.StatisticSum, Period: aws.Int32(60), EvaluationPeriods: aws.Int32(1), Threshold: aws.Float64(1),
			ComparisonOperator: cloudwatchtypes.ComparisonOperatorGreaterThanThreshold}))
	})
	add("T44", "cloudwatch DeleteAlarms", func(ctx context.Context, config aws.Config) error {
		return failure(cloudwatch.NewFromConfig(config).DeleteAlarms(ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: alarms}))
	})

	for _, url := range ids["AWS::SQS::Queue"] {
		add("T59", "sqs PurgeQueue", func(ctx context.Context, config aws.Config) error {
			return failure(sqs.NewFromConfig(config).PurgeQueue(ctx, &sqs.PurgeQueueInput{QueueUrl: &url}))
		})
		add("T59", "sqs SetQueueAttributes", func(ctx context.Context, config aws.Config) error {
			return failure(sqs.NewFromConfig(config).SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: &url, Attributes: map[string]string{"Policy": *policyOf("Allow", account, "sqs:SendMessage", "*")}}))
		})
		add("T59", "sqs DeleteQueue", func(ctx context.Context, config aws.Config) error {
			return failure(sqs.NewFromConfig(config).DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: &url}))
		})
	}
	for _, key := range ids["AWS::KMS::Key"] {
		all = append(all, onKey(account, key)...)
	}

	add("T52", "cloudtrail AddTags", func(ctx context.Context, config aws.Config) error {
		return failure(cloudtrail.NewFromConfig(config).AddTags(ctx, &cloudtrail.AddTagsInput{ResourceId: &g.TrailARN, TagsList: []trailtypes.Tag{{Key: aws.String("owner"), Value: aws.String("me")}}}))
	})
	add("T52", "cloudtrail RemoveTags", func(ctx context.Context, config aws.Config) error {
		return failure(cloudtrail.NewFromConfig(config).RemoveTags(ctx, &cloudtrail.RemoveTagsInput{ResourceId: &g.TrailARN, TagsList: []trailtypes.Tag{{Key: aws.String("owner")}}}))
	})
	add("T56", "cloudtrail CreateTrail of another name", func(ctx context.Context, config aws.Config) error {
		return failure(cloudtrail.NewFromConfig(config).CreateTrail(ctx, &cloudtrail.CreateTrailInput{Name: aws.String("fifth"), S3BucketName: aws.String("elsewhere")}))
	})
	add("T57", "cloudtrail CreateTrail in another Region", func(ctx context.Context, config aws.Config) error {
		config.Region = "us-east-1"
		return failure(cloudtrail.NewFromConfig(config).CreateTrail(ctx, &cloudtrail.CreateTrailInput{Name: &g.TrailName, S3BucketName: aws.String("elsewhere")}))
	})
	return append(all, onStack(g.Stack)...)
}

// onRole are T40.
func onRole(role string) []row {
	name := &role
	do := func(what string, call func(context.Context, *iam.Client) error) row {
		return row{id: "T40", what: "iam " + what + " " + role, call: func(ctx context.Context, config aws.Config) error { return call(ctx, iam.NewFromConfig(config)) }}
	}
	policy := aws.String("arn:aws:iam::aws:policy/AdministratorAccess")
	return []row{
		do("PutRolePolicy", func(ctx context.Context, c *iam.Client) error {
			return failure(c.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: name, PolicyName: aws.String("mine"), PolicyDocument: policyOf("Deny", "", "*", "*")}))
		}),
		do("DeleteRolePolicy", func(ctx context.Context, c *iam.Client) error {
			return failure(c.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: name, PolicyName: aws.String("none")}))
		}),
		do("AttachRolePolicy", func(ctx context.Context, c *iam.Client) error {
			return failure(c.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: name, PolicyArn: policy}))
		}),
		do("DetachRolePolicy", func(ctx context.Context, c *iam.Client) error {
			return failure(c.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: name, PolicyArn: policy}))
		}),
		do("PutRolePermissionsBoundary", func(ctx context.Context, c *iam.Client) error {
			return failure(c.PutRolePermissionsBoundary(ctx, &iam.PutRolePermissionsBoundaryInput{RoleName: name, PermissionsBoundary: policy}))
		}),
		do("UpdateAssumeRolePolicy", func(ctx context.Context, c *iam.Client) error {
			return failure(c.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: name, PolicyDocument: policyOf("Allow", outsider, "sts:AssumeRole", "")}))
		}),
		do("DeleteRole", func(ctx context.Context, c *iam.Client) error {
			return failure(c.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name}))
		}),
	}
}

// onRule are T41. id is the rule's name, after that of its event bus if it has one of its own; to is another target.
func onRule(id, to string) []row {
	bus, name, own := strings.Cut(id, "|")
	if !own {
		bus, name = "default", id
	}
	do := func(what string, call func(context.Context, *eventbridge.Client) error) row {
		return row{id: "T41", what: "events " + what + " " + id, call: func(ctx context.Context, config aws.Config) error {
			return call(ctx, eventbridge.NewFromConfig(config))
		}}
	}
	return []row{
		do("DisableRule", func(ctx context.Context, c *eventbridge.Client) error {
			return failure(c.DisableRule(ctx, &eventbridge.DisableRuleInput{Name: &name, EventBusName: &bus}))
		}),
		do("PutTargets", func(ctx context.Context, c *eventbridge.Client) error {
			return failure(c.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: &name, EventBusName: &bus,
				Targets: []eventtypes.Target{{Id: aws.String("mine"), Arn: &to}}}))
		}),
		do("RemoveTargets", func(ctx context.Context, c *eventbridge.Client) error {
			return failure(c.RemoveTargets(ctx, &eventbridge.RemoveTargetsInput{Rule: &name, EventBusName: &bus, Ids: []string{"Target0"}}))
		}),
		do("PutRule", func(ctx context.Context, c *eventbridge.Client) error {
			return failure(c.PutRule(ctx, &eventbridge.PutRuleInput{Name: &name, EventBusName: &bus, EventPattern: aws.String(`{"source":["none"]}`)}))
		}),
		do("DeleteRule", func(ctx context.Context, c *eventbridge.Client) error {
			return failure(c.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: &name, EventBusName: &bus}))
		}),
	}
}

// onStack are T48.
func onStack(stack string) []row {
	name, template := &stack, aws.String(`{"Resources":{"Queue":{"Type":"AWS::SQS::Queue"}}}`)
	do := func(what string, call func(context.Context, *cloudformation.Client) error) row {
		return row{id: "T48", what: "cloudformation " + what + " " + stack, unmade: what == "UpdateTerminationProtection", call: func(ctx context.Context, config aws.Config) error {
			return call(ctx, cloudformation.NewFromConfig(config))
		}}
	}
	return []row{
		do("SetStackPolicy", func(ctx context.Context, c *cloudformation.Client) error {
			return failure(c.SetStackPolicy(ctx, &cloudformation.SetStackPolicyInput{StackName: name, StackPolicyBody: policyOf("Deny", "*", "Update:*", "*")}))
		}),
		do("UpdateTerminationProtection", func(ctx context.Context, c *cloudformation.Client) error {
			return failure(c.UpdateTerminationProtection(ctx, &cloudformation.UpdateTerminationProtectionInput{StackName: name, EnableTerminationProtection: aws.Bool(false)}))
		}),
		do("CreateChangeSet", func(ctx context.Context, c *cloudformation.Client) error {
			return failure(c.CreateChangeSet(ctx, &cloudformation.CreateChangeSetInput{StackName: name, ChangeSetName: aws.String("mine"), TemplateBody: template}))
		}),
		do("UpdateStack", func(ctx context.Context, c *cloudformation.Client) error {
			return failure(c.UpdateStack(ctx, &cloudformation.UpdateStackInput{StackName: name, TemplateBody: template}))
		}),
		do("DeleteStack", func(ctx context.Context, c *cloudformation.Client) error {
			return failure(c.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: name}))
		}),
	}
}

// onOrganization are T45-T47, from a member. policies are the ids of the guard's.
func onOrganization(policies []string, root string) []row {
	do := func(id, what string, call func(context.Context, *organizations.Client) error) row {
		return row{id: id, what: "organizations " + what, call: func(ctx context.Context, config aws.Config) error {
			return call(ctx, organizations.NewFromConfig(config))
		}}
	}
	member, service := aws.String(memberOne), aws.String("cloudtrail.amazonaws.com")
	all := []row{
		do("T45", "DisableAWSServiceAccess", func(ctx context.Context, c *organizations.Client) error {
			return failure(c.DisableAWSServiceAccess(ctx, &organizations.DisableAWSServiceAccessInput{ServicePrincipal: service}))
		}),
		do("T45", "DeregisterDelegatedAdministrator", func(ctx context.Context, c *organizations.Client) error {
			return failure(c.DeregisterDelegatedAdministrator(ctx, &organizations.DeregisterDelegatedAdministratorInput{AccountId: member, ServicePrincipal: service}))
		}),
		{id: "T45", what: "cloudtrail DeregisterOrganizationDelegatedAdmin", call: func(ctx context.Context, config aws.Config) error {
			return failure(cloudtrail.NewFromConfig(config).DeregisterOrganizationDelegatedAdmin(ctx, &cloudtrail.DeregisterOrganizationDelegatedAdminInput{DelegatedAdminAccountId: member}))
		}},
		do("T46", "DisablePolicyType", func(ctx context.Context, c *organizations.Client) error {
			return failure(c.DisablePolicyType(ctx, &organizations.DisablePolicyTypeInput{RootId: &root, PolicyType: orgtypes.PolicyTypeServiceControlPolicy}))
		}),
		do("T47", "LeaveOrganization", func(ctx context.Context, c *organizations.Client) error {
			return failure(c.LeaveOrganization(ctx, &organizations.LeaveOrganizationInput{}))
		}),
		do("T47", "RemoveAccountFromOrganization", func(ctx context.Context, c *organizations.Client) error {
			return failure(c.RemoveAccountFromOrganization(ctx, &organizations.RemoveAccountFromOrganizationInput{AccountId: member}))
		}),
		do("T47", "MoveAccount", func(ctx context.Context, c *organizations.Client) error {
			return failure(c.MoveAccount(ctx, &organizations.MoveAccountInput{AccountId: member, SourceParentId: &root, DestinationParentId: &root}))
		}),
	}
	for _, id := range policies {
		all = append(all,
			do("T46", "UpdatePolicy", func(ctx context.Context, c *organizations.Client) error {
				return failure(c.UpdatePolicy(ctx, &organizations.UpdatePolicyInput{PolicyId: &id, Content: policyOf("Deny", "", "none:None", "*")}))
			}),
			do("T46", "DetachPolicy", func(ctx context.Context, c *organizations.Client) error {
				return failure(c.DetachPolicy(ctx, &organizations.DetachPolicyInput{PolicyId: &id, TargetId: member}))
			}),
			do("T46", "DeletePolicy", func(ctx context.Context, c *organizations.Client) error {
				return failure(c.DeletePolicy(ctx, &organizations.DeletePolicyInput{PolicyId: &id}))
			}),
		)
	}
	return all
}
