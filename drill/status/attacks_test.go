package status

import (
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	configtypes "github.com/aws/aws-sdk-go-v2/service/configservice/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// attack is a way of the catalogue to blind a guard.
type attack struct {
	id, call string
	// template is the one whose guard is attacked.
	template string
	// strike makes the call. What it returns undoes it.
	strike func(g *guard) (revert func())
	// wants are what status must say.
	wants []want
}

// want is what status says of a part, and how to mend it.
type want struct{ part, says, mend string }

// S3

func bucketOf(g *guard) *string { return &g.LogBucketName }

func putLifecycle(rule s3types.LifecycleRule) func(g *guard) func() {
	return func(g *guard) func() {
		before := must(g, g.s3.GetBucketLifecycleConfiguration, &s3.GetBucketLifecycleConfigurationInput{Bucket: bucketOf(g)})
		put := func(rules []s3types.LifecycleRule) {
			must(g, g.s3.PutBucketLifecycleConfiguration, &s3.PutBucketLifecycleConfigurationInput{
				Bucket: bucketOf(g), LifecycleConfiguration: &s3types.BucketLifecycleConfiguration{Rules: rules},
			})
		}
		put([]s3types.LifecycleRule{rule})
		return func() { put(before.Rules) }
	}
}

func oneDay(prefix string) s3types.LifecycleRule {
	return s3types.LifecycleRule{
		Status: s3types.ExpirationStatusEnabled, Filter: &s3types.LifecycleRuleFilter{Prefix: &prefix}, Expiration: &s3types.LifecycleExpiration{Days: aws.Int32(1)},
	}
}

func putBucketPolicy(change func(g *guard, policy string)) func(g *guard) func() {
	return func(g *guard) func() {
		before := must(g, g.s3.GetBucketPolicy, &s3.GetBucketPolicyInput{Bucket: bucketOf(g)})
		change(g, *before.Policy)
		g.deliver()
		return func() {
			must(g, g.s3.PutBucketPolicy, &s3.PutBucketPolicyInput{Bucket: bucketOf(g), Policy: before.Policy})
			g.deliver()
		}
	}
}

func putEncryption(change func(g *guard)) func(g *guard) func() {
	return func(g *guard) func() {
		before := must(g, g.s3.GetBucketEncryption, &s3.GetBucketEncryptionInput{Bucket: bucketOf(g)})
		change(g)
		return func() {
			must(g, g.s3.PutBucketEncryption, &s3.PutBucketEncryptionInput{Bucket: bucketOf(g), ServerSideEncryptionConfiguration: before.ServerSideEncryptionConfiguration})
		}
	}
}

// KMS

func keyOf(g *guard) *string { return aws.String(g.name("AWS::KMS::Key", "LogStoreKey")) }

func alertKeyOf(g *guard) *string { return aws.String(g.name("AWS::KMS::Key", "AlertingKey")) }

func disableKey(key func(*guard) *string) func(g *guard) func() {
	return func(g *guard) func() {
		must(g, g.kms.DisableKey, &kms.DisableKeyInput{KeyId: key(g)})
		return func() { must(g, g.kms.EnableKey, &kms.EnableKeyInput{KeyId: key(g)}) }
	}
}

// IAM

func automationRole(g *guard) *string { return aws.String(g.name("AWS::IAM::Role", "AutomationRole")) }

const nothing = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}`

func putRolePolicy(name func(g *guard) *string) func(g *guard) func() {
	return func(g *guard) func() {
		before, err := g.iam.GetRolePolicy(g.T.Context(), &iam.GetRolePolicyInput{RoleName: automationRole(g), PolicyName: name(g)})
		must(g, g.iam.PutRolePolicy, &iam.PutRolePolicyInput{RoleName: automationRole(g), PolicyName: name(g), PolicyDocument: aws.String(nothing)})
		return func() {
			if err != nil {
				must(g, g.iam.DeleteRolePolicy, &iam.DeleteRolePolicyInput{RoleName: automationRole(g), PolicyName: name(g)})
				return
			}
			must(g, g.iam.PutRolePolicy, &iam.PutRolePolicyInput{RoleName: automationRole(g), PolicyName: name(g), PolicyDocument: aws.String(unescaped(*before.PolicyDocument))})
		}
	}
}

func automationPolicy(*guard) *string { return aws.String("RestoreTrail") }

// deleteRole deletes a role with its policies, and makes it again.
func deleteRole(g *guard) func() {
	role := must(g, g.iam.GetRole, &iam.GetRoleInput{RoleName: automationRole(g)}).Role
	policy := must(g, g.iam.GetRolePolicy, &iam.GetRolePolicyInput{RoleName: role.RoleName, PolicyName: automationPolicy(g)})
	must(g, g.iam.DeleteRolePolicy, &iam.DeleteRolePolicyInput{RoleName: role.RoleName, PolicyName: policy.PolicyName})
	must(g, g.iam.DeleteRole, &iam.DeleteRoleInput{RoleName: role.RoleName})
	return func() {
		must(g, g.iam.CreateRole, &iam.CreateRoleInput{
			RoleName: role.RoleName, Path: role.Path, Description: role.Description, AssumeRolePolicyDocument: aws.String(unescaped(*role.AssumeRolePolicyDocument)),
		})
		must(g, g.iam.PutRolePolicy, &iam.PutRolePolicyInput{RoleName: role.RoleName, PolicyName: policy.PolicyName, PolicyDocument: aws.String(unescaped(*policy.PolicyDocument))})
	}
}

// Config

func configRule(g *guard) *string {
	return aws.String(g.name("AWS::Config::ConfigRule", "ConfigRulesTrailEnabled"))
}

// putConfigRule changes a rule.
func putConfigRule(change func(rule *configtypes.ConfigRule)) func(g *guard) func() {
	return func(g *guard) func() {
		put := func(change func(*configtypes.ConfigRule)) {
			rule := must(g, g.config.DescribeConfigRules, &configservice.DescribeConfigRulesInput{ConfigRuleNames: []string{*configRule(g)}}).ConfigRules[0]
			change(&rule)
			must(g, g.config.PutConfigRule, &configservice.PutConfigRuleInput{ConfigRule: &rule})
		}
		before := must(g, g.config.DescribeConfigRules, &configservice.DescribeConfigRulesInput{ConfigRuleNames: []string{*configRule(g)}}).ConfigRules[0]
		put(change)
		return func() { put(func(rule *configtypes.ConfigRule) { *rule = before }) }
	}
}

// changePolicyRule has the rule on the trail's settings ask for less.
func changePolicyRule(g *guard) func() {
	name := []string{g.name("AWS::Config::ConfigRule", "ConfigRulesTrailSettings")}
	policy := must(g, g.config.GetCustomRulePolicy, &configservice.GetCustomRulePolicyInput{ConfigRuleName: &name[0]}).PolicyText
	put := func(policy string) {
		rule := must(g, g.config.DescribeConfigRules, &configservice.DescribeConfigRulesInput{ConfigRuleNames: name}).ConfigRules[0]
		rule.Source.CustomPolicyDetails.PolicyText = &policy
		must(g, g.config.PutConfigRule, &configservice.PutConfigRuleInput{ConfigRule: &rule})
	}
	put(strings.Replace(*policy, "isMultiRegionTrail == true", "isMultiRegionTrail exists", 1))
	return func() { put(*policy) }
}

// putRemediation changes what remediates for a rule, or takes it away.
func putRemediation(change func(*configtypes.RemediationConfiguration)) func(g *guard) func() {
	return func(g *guard) func() {
		before := must(g, g.config.DescribeRemediationConfigurations, &configservice.DescribeRemediationConfigurationsInput{ConfigRuleNames: []string{*configRule(g)}}).RemediationConfigurations[0]
		put := func(one configtypes.RemediationConfiguration) {
			one.Arn, one.CreatedByService = nil, nil
			must(g, g.config.PutRemediationConfigurations, &configservice.PutRemediationConfigurationsInput{RemediationConfigurations: []configtypes.RemediationConfiguration{one}})
		}
		if change == nil {
			must(g, g.config.DeleteRemediationConfiguration, &configservice.DeleteRemediationConfigurationInput{ConfigRuleName: configRule(g)})
		} else {
			changed := before
			change(&changed)
			put(changed)
		}
		return func() { put(before) }
	}
}

func deleteConfigRule(g *guard) func() {
	rule := must(g, g.config.DescribeConfigRules, &configservice.DescribeConfigRulesInput{ConfigRuleNames: []string{*configRule(g)}}).ConfigRules[0]
	again := putRemediation(nil)(g)
	must(g, g.config.DeleteConfigRule, &configservice.DeleteConfigRuleInput{ConfigRuleName: configRule(g)})
	return func() {
		rule.ConfigRuleArn, rule.ConfigRuleId, rule.ConfigRuleState = nil, nil, ""
		must(g, g.config.PutConfigRule, &configservice.PutConfigRuleInput{ConfigRule: &rule})
		again()
	}
}

func putRecorder(change func(g *guard, recorder *configtypes.ConfigurationRecorder)) func(g *guard) func() {
	return func(g *guard) func() {
		put := func(recorder configtypes.ConfigurationRecorder) {
			must(g, g.config.PutConfigurationRecorder, &configservice.PutConfigurationRecorderInput{ConfigurationRecorder: &recorder})
		}
		before := must(g, g.config.DescribeConfigurationRecorders, &configservice.DescribeConfigurationRecordersInput{}).ConfigurationRecorders[0]
		before.Arn = nil
		changed := before
		change(g, &changed)
		put(changed)
		return func() { put(before) }
	}
}

func recorderOf(g *guard) *string {
	return must(g, g.config.DescribeConfigurationRecorders, &configservice.DescribeConfigurationRecordersInput{}).ConfigurationRecorders[0].Name
}

func stopRecorder(g *guard) func() {
	name := recorderOf(g)
	must(g, g.config.StopConfigurationRecorder, &configservice.StopConfigurationRecorderInput{ConfigurationRecorderName: name})
	return func() {
		must(g, g.config.StartConfigurationRecorder, &configservice.StartConfigurationRecorderInput{ConfigurationRecorderName: name})
	}
}

func deleteRecorder(g *guard) func() {
	before := must(g, g.config.DescribeConfigurationRecorders, &configservice.DescribeConfigurationRecordersInput{}).ConfigurationRecorders[0]
	must(g, g.config.DeleteConfigurationRecorder, &configservice.DeleteConfigurationRecorderInput{ConfigurationRecorderName: before.Name})
	return func() {
		before.Arn = nil
		must(g, g.config.PutConfigurationRecorder, &configservice.PutConfigurationRecorderInput{ConfigurationRecorder: &before})
		must(g, g.config.StartConfigurationRecorder, &configservice.StartConfigurationRecorderInput{ConfigurationRecorderName: before.Name})
	}
}

func deleteChannel(g *guard) func() {
	start := stopRecorder(g)
	channel := must(g, g.config.DescribeDeliveryChannels, &configservice.DescribeDeliveryChannelsInput{}).DeliveryChannels[0]
	must(g, g.config.DeleteDeliveryChannel, &configservice.DeleteDeliveryChannelInput{DeliveryChannelName: channel.Name})
	return func() {
		must(g, g.config.PutDeliveryChannel, &configservice.PutDeliveryChannelInput{DeliveryChannel: &channel})
		start()
	}
}

func exempt(g *guard) func() {
	keys := []configtypes.RemediationExceptionResourceKey{{ResourceId: aws.String("123456789012"), ResourceType: aws.String("AWS::::Account")}}
	// Only what is not compliant can be exempt.
	must(g, g.trails.StopLogging, &cloudtrail.StopLoggingInput{Name: &g.TrailName})
	must(g, g.config.StartConfigRulesEvaluation, &configservice.StartConfigRulesEvaluationInput{ConfigRuleNames: []string{*configRule(g)}})
	g.Must(g.ConfigService().Tick(g.T.Context()))
	must(g, g.config.PutRemediationExceptions, &configservice.PutRemediationExceptionsInput{ConfigRuleName: configRule(g), ResourceKeys: keys})
	must(g, g.trails.StartLogging, &cloudtrail.StartLoggingInput{Name: &g.TrailName})
	return func() {
		must(g, g.config.DeleteRemediationExceptions, &configservice.DeleteRemediationExceptionsInput{ConfigRuleName: configRule(g), ResourceKeys: keys})
	}
}

// SSM

func deleteDocument(g *guard) func() {
	before := must(g, g.ssm.GetDocument, &ssm.GetDocumentInput{Name: &g.RunbookName})
	must(g, g.ssm.DeleteDocument, &ssm.DeleteDocumentInput{Name: &g.RunbookName})
	return func() {
		must(g, g.ssm.CreateDocument, &ssm.CreateDocumentInput{
			Name: &g.RunbookName, Content: before.Content, DocumentFormat: before.DocumentFormat, DocumentType: before.DocumentType,
		})
	}
}

const idle = `{"schemaVersion": "0.3", "mainSteps": [{"name": "Wait", "action": "aws:sleep", "inputs": {"Duration": "PT1S"}}]}`

// updateDocument adds a version to the runbook, and makes it the default if asked to.
func updateDocument(byDefault bool) func(g *guard) func() {
	return func(g *guard) func() {
		again := deleteAndCreate(g)
		must(g, g.ssm.UpdateDocument, &ssm.UpdateDocumentInput{Name: &g.RunbookName, Content: aws.String(idle), DocumentFormat: ssmtypes.DocumentFormatJson, DocumentVersion: aws.String("$LATEST")})
		if byDefault {
			must(g, g.ssm.UpdateDocumentDefaultVersion, &ssm.UpdateDocumentDefaultVersionInput{Name: &g.RunbookName, DocumentVersion: aws.String("2")})
		}
		return again
	}
}

// deleteAndCreate makes the runbook anew, without what was added to it.
func deleteAndCreate(g *guard) func() {
	before := must(g, g.ssm.GetDocument, &ssm.GetDocumentInput{Name: &g.RunbookName})
	return func() {
		must(g, g.ssm.DeleteDocument, &ssm.DeleteDocumentInput{Name: &g.RunbookName})
		must(g, g.ssm.CreateDocument, &ssm.CreateDocumentInput{
			Name: &g.RunbookName, Content: before.Content, DocumentFormat: before.DocumentFormat, DocumentType: before.DocumentType,
		})
	}
}

// anotherDocument replaces the runbook by another of its name.
func anotherDocument(g *guard) func() {
	again := deleteDocument(g)
	must(g, g.ssm.CreateDocument, &ssm.CreateDocumentInput{
		Name: &g.RunbookName, Content: aws.String(idle), DocumentFormat: ssmtypes.DocumentFormatJson, DocumentType: ssmtypes.DocumentTypeAutomation,
	})
	return func() {
		must(g, g.ssm.DeleteDocument, &ssm.DeleteDocumentInput{Name: &g.RunbookName})
		again()
	}
}

func shareDocument(g *guard) func() {
	modify := func(in ssm.ModifyDocumentPermissionInput) {
		in.Name, in.PermissionType = &g.RunbookName, ssmtypes.DocumentPermissionTypeShare
		must(g, g.ssm.ModifyDocumentPermission, &in)
	}
	modify(ssm.ModifyDocumentPermissionInput{AccountIdsToAdd: []string{"999988887777"}})
	return func() { modify(ssm.ModifyDocumentPermissionInput{AccountIdsToRemove: []string{"999988887777"}}) }
}

// EventBridge

func schedule(g *guard) *string { return aws.String(g.name("AWS::Events::Rule", "EventRulesSchedule")) }

func tellTampering(g *guard) *string {
	return aws.String(g.name("AWS::Events::Rule", "AlertingTampering"))
}

func disableRule(g *guard) func() {
	must(g, g.events.DisableRule, &eventbridge.DisableRuleInput{Name: tellTampering(g)})
	return func() { must(g, g.events.EnableRule, &eventbridge.EnableRuleInput{Name: tellTampering(g)}) }
}

// changeRule changes the rule that tells of tampering, or its targets.
func changeRule(change func(g *guard, rule *eventbridge.DescribeRuleOutput, targets []eventtypes.Target)) func(g *guard) func() {
	return changeRuleOf("AlertingTampering", change)
}

// changeRuleOf changes the rule whose logical id begins so, or its targets.
func changeRuleOf(id string, change func(g *guard, rule *eventbridge.DescribeRuleOutput, targets []eventtypes.Target)) func(g *guard) func() {
	return func(g *guard) func() {
		name := aws.String(g.name("AWS::Events::Rule", id))
		rule := must(g, g.events.DescribeRule, &eventbridge.DescribeRuleInput{Name: name})
		targets := must(g, g.events.ListTargetsByRule, &eventbridge.ListTargetsByRuleInput{Rule: name}).Targets
		change(g, rule, targets)
		return func() {
			must(g, g.events.PutRule, &eventbridge.PutRuleInput{Name: name, EventPattern: rule.EventPattern, ScheduleExpression: rule.ScheduleExpression, State: rule.State})
			if len(targets) > 0 {
				must(g, g.events.PutTargets, &eventbridge.PutTargetsInput{Rule: name, Targets: targets})
			}
		}
	}
}

// otherPattern puts a pattern in which one text is another.
func otherPattern(from, to string) func(g *guard, rule *eventbridge.DescribeRuleOutput, _ []eventtypes.Target) {
	return func(g *guard, rule *eventbridge.DescribeRuleOutput, _ []eventtypes.Target) {
		pattern := strings.Replace(*rule.EventPattern, from, to, 1)
		must(g, g.events.PutRule, &eventbridge.PutRuleInput{Name: rule.Name, EventPattern: &pattern, State: rule.State})
	}
}

func removeTargets(g *guard, rule *eventbridge.DescribeRuleOutput, targets []eventtypes.Target) {
	must(g, g.events.RemoveTargets, &eventbridge.RemoveTargetsInput{Rule: rule.Name, Ids: []string{*targets[0].Id}})
}

// SNS and SQS

func silence(g *guard) func() {
	all := must(g, g.sns.ListSubscriptionsByTopic, &sns.ListSubscriptionsByTopicInput{TopicArn: &g.AlertTopicARN}).Subscriptions
	for _, one := range all {
		must(g, g.sns.Unsubscribe, &sns.UnsubscribeInput{SubscriptionArn: one.SubscriptionArn})
	}
	return func() {
		for _, one := range all {
			must(g, g.sns.Subscribe, &sns.SubscribeInput{TopicArn: &g.AlertTopicARN, Protocol: one.Protocol, Endpoint: one.Endpoint})
		}
	}
}

func setTopic(name, value string) func(g *guard) func() {
	return func(g *guard) func() {
		before := must(g, g.sns.GetTopicAttributes, &sns.GetTopicAttributesInput{TopicArn: &g.AlertTopicARN}).Attributes[name]
		set := func(value string) {
			must(g, g.sns.SetTopicAttributes, &sns.SetTopicAttributesInput{TopicArn: &g.AlertTopicARN, AttributeName: &name, AttributeValue: &value})
		}
		set(value)
		return func() { set(before) }
	}
}

func deleteTopic(g *guard) func() {
	before := must(g, g.sns.GetTopicAttributes, &sns.GetTopicAttributesInput{TopicArn: &g.AlertTopicARN}).Attributes
	subscribed := must(g, g.sns.ListSubscriptionsByTopic, &sns.ListSubscriptionsByTopicInput{TopicArn: &g.AlertTopicARN}).Subscriptions
	must(g, g.sns.DeleteTopic, &sns.DeleteTopicInput{TopicArn: &g.AlertTopicARN})
	return func() {
		name := g.AlertTopicARN[len("arn:aws:sns:us-east-1:123456789012:"):]
		must(g, g.sns.CreateTopic, &sns.CreateTopicInput{Name: &name, Attributes: map[string]string{"KmsMasterKeyId": before["KmsMasterKeyId"], "Policy": before["Policy"]}})
		for _, one := range subscribed {
			must(g, g.sns.Subscribe, &sns.SubscribeInput{TopicArn: &g.AlertTopicARN, Protocol: one.Protocol, Endpoint: one.Endpoint})
		}
	}
}

func filterSubscription(g *guard) func() {
	one := must(g, g.sns.ListSubscriptionsByTopic, &sns.ListSubscriptionsByTopicInput{TopicArn: &g.AlertTopicARN}).Subscriptions[0]
	set := func(policy string) {
		must(g, g.sns.SetSubscriptionAttributes, &sns.SetSubscriptionAttributesInput{SubscriptionArn: one.SubscriptionArn, AttributeName: aws.String("FilterPolicy"), AttributeValue: &policy})
	}
	set(`{"never": ["matches"]}`)
	return func() { set("{}") }
}

func queueOf(g *guard) *string {
	return aws.String(g.name("AWS::SQS::Queue", "EventRulesDeadLetterQueue"))
}

func setQueue(name, value string) func(g *guard) func() {
	return func(g *guard) func() {
		before := must(g, g.sqs.GetQueueAttributes, &sqs.GetQueueAttributesInput{QueueUrl: queueOf(g), AttributeNames: []sqstypes.QueueAttributeName{"All"}}).Attributes
		set := func(value string) { // moto forgets the policy if it is not given
			attributes := map[string]string{"Policy": before["Policy"]}
			attributes[name] = value
			must(g, g.sqs.SetQueueAttributes, &sqs.SetQueueAttributesInput{QueueUrl: queueOf(g), Attributes: attributes})
		}
		set(value)
		return func() { set(before[name]) }
	}
}

// CloudWatch

func alarm(g *guard) string { return g.name("AWS::CloudWatch::Alarm", "AlertingUndelivered") }

func putAlarm(change func(g *guard, alarm *cloudwatch.PutMetricAlarmInput)) func(g *guard) func() {
	return putAlarmOf("AlertingUndelivered", change)
}

// putAlarmOf changes the alarm whose logical id begins so, or deletes it if there is nothing to change.
func putAlarmOf(id string, change func(g *guard, alarm *cloudwatch.PutMetricAlarmInput)) func(g *guard) func() {
	return func(g *guard) func() {
		a := must(g, g.alarms.DescribeAlarms, &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{g.name("AWS::CloudWatch::Alarm", id)}}).MetricAlarms[0]
		in := cloudwatch.PutMetricAlarmInput{
			AlarmName: a.AlarmName, AlarmDescription: a.AlarmDescription, ActionsEnabled: aws.Bool(true), AlarmActions: a.AlarmActions, ComparisonOperator: a.ComparisonOperator,
			DatapointsToAlarm: a.DatapointsToAlarm, Dimensions: a.Dimensions, EvaluationPeriods: a.EvaluationPeriods, MetricName: a.MetricName, Namespace: a.Namespace, Period: a.Period,
			Statistic: a.Statistic, Threshold: a.Threshold, TreatMissingData: a.TreatMissingData,
		}
		if change == nil {
			must(g, g.alarms.DeleteAlarms, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{*a.AlarmName}})
		} else {
			changed := in
			change(g, &changed)
			must(g, g.alarms.PutMetricAlarm, &changed)
		}
		return func() { must(g, g.alarms.PutMetricAlarm, &in) }
	}
}

func ring(g *guard) func() {
	set := func(state cwtypes.StateValue) {
		must(g, g.alarms.SetAlarmState, &cloudwatch.SetAlarmStateInput{AlarmName: aws.String(alarm(g)), StateValue: state, StateReason: aws.String("two events")})
	}
	set(cwtypes.StateValueAlarm)
	return func() { set(cwtypes.StateValueOk) }
}

// CloudWatch Logs

func logGroup(g *guard) *string { return aws.String(g.name("AWS::Logs::LogGroup", "Events")) }

func keep(g *guard, days int32) {
	must(g, g.logs.PutRetentionPolicy, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: logGroup(g), RetentionInDays: &days})
}

func deleteLogGroup(g *guard) func() {
	must(g, g.logs.DeleteLogGroup, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: logGroup(g)})
	return func() {
		must(g, g.logs.CreateLogGroup, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: logGroup(g)})
		keep(g, 731)
	}
}

// Organizations

func distrust(g *guard) func() {
	principal := aws.String("cloudtrail.amazonaws.com")
	must(g, g.orgs.DisableAWSServiceAccess, &organizations.DisableAWSServiceAccessInput{ServicePrincipal: principal})
	return func() {
		must(g, g.orgs.EnableAWSServiceAccess, &organizations.EnableAWSServiceAccessInput{ServicePrincipal: principal})
	}
}

// CloudTrail

func createTrail(g *guard, name string) {
	must(g, g.trails.CreateTrail, &cloudtrail.CreateTrailInput{Name: &name, S3BucketName: aws.String(openBucket)})
	must(g, g.trails.StartLogging, &cloudtrail.StartLoggingInput{Name: &name})
}

// deliver lets CloudTrail try to deliver.
func (g *guard) deliver() {
	g.T.Helper()
	g.Clock.Advance(6 * time.Minute)
	g.Must(g.CloudTrail().Deliver(g.T.Context()))
}

func deleteTrail(g *guard, name string) {
	must(g, g.trails.DeleteTrail, &cloudtrail.DeleteTrailInput{Name: &name})
}
