package disarming

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	configtypes "github.com/aws/aws-sdk-go-v2/service/configservice/types"
	awseventbridge "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/localaws/eventbridge"
)

// intruder takes parts of a guard away, as mallory.
type intruder struct {
	aws.Config
	g testbed.Guard
	// ids are the physical ids of the stack's resources, by their logical ids.
	ids map[string]string
}

func newIntruder(t *testing.T, g testbed.Guard) intruder {
	t.Helper()
	listed, err := g.Clients.CloudFormation.DescribeStackResources(t.Context(), &cloudformation.DescribeStackResourcesInput{StackName: &g.Stack})
	testbed.Must(t, err)
	ids := map[string]string{}
	for _, resource := range listed.StackResources {
		ids[*resource.LogicalResourceId] = aws.ToString(resource.PhysicalResourceId)
	}
	return intruder{g.Config(mallory), g, ids}
}

// id is the physical id of the one resource whose logical id begins with a text, but for eight characters.
func (i intruder) id(beginning string) *string {
	i.g.T.Helper()
	for logical, physical := range i.ids {
		if len(logical) == len(beginning)+8 && strings.HasPrefix(logical, beginning) {
			return &physical
		}
	}
	i.g.T.Fatalf("the stack has no %s: %v", beginning, i.ids)
	return nil
}

func (i intruder) queueURL() *string { return i.id("EventRulesDeadLetterQueue") }

// roleName is the name of a role.
func (i intruder) roleName(beginning string) *string { return i.id(beginning) }

// publish publishes the event of a call that cannot be made here: that of another call of mallory's, in its form.
func (i intruder) publish(ctx context.Context, source, call string, parameters map[string]any) error {
	history := i.g.CloudTrail().History().Events()
	for n := len(history) - 1; n >= 0; n-- {
		event, detail := history[n], history[n]["detail"].(map[string]any)
		if identity := detail["userIdentity"].(map[string]any); identity["arn"] != mallory.ARN || identity["invokedBy"] != nil || detail["errorCode"] != nil {
			continue
		}
		event["source"] = "aws." + strings.TrimSuffix(source, ".amazonaws.com")
		detail["eventSource"], detail["eventName"], detail["requestParameters"] = source, call, parameters
		return i.g.Bus().Publish(ctx, event)
	}
	return errors.New("mallory has not called anything yet")
}

// attack is one call against a part.
type attack struct {
	id, call string
	do       func(ctx context.Context, i intruder) error
	// silences tells that the topic cannot be told any more.
	silences bool
}

func of[T any](_ T, err error) error { return err }

var emptyPolicy = aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}`)

// attacks are T32 to T44 and T48, those that leave the guard able to speak first. What belongs to the organization is told by what watches that.
var attacks = []attack{
	{"T32", "StopConfigurationRecorder", func(ctx context.Context, i intruder) error {
		return of(configservice.NewFromConfig(i.Config).StopConfigurationRecorder(ctx, &configservice.StopConfigurationRecorderInput{ConfigurationRecorderName: aws.String("default")}))
	}, false},
	{"T33", "PutConfigurationRecorder", func(ctx context.Context, i intruder) error {
		client := configservice.NewFromConfig(i.Config)
		got, err := client.DescribeConfigurationRecorders(ctx, &configservice.DescribeConfigurationRecordersInput{})
		if err != nil {
			return err
		}
		recorder := got.ConfigurationRecorders[0]
		return of(client.PutConfigurationRecorder(ctx, &configservice.PutConfigurationRecorderInput{ConfigurationRecorder: &configtypes.ConfigurationRecorder{
			Name: recorder.Name, RoleARN: recorder.RoleARN, RecordingGroup: &configtypes.RecordingGroup{ResourceTypes: []configtypes.ResourceType{"AWS::EC2::Instance"}},
		}}))
	}, false},
	{"T36", "PutConfigRule", func(ctx context.Context, i intruder) error {
		return of(configservice.NewFromConfig(i.Config).PutConfigRule(ctx, &configservice.PutConfigRuleInput{ConfigRule: &configtypes.ConfigRule{
			ConfigRuleName: i.id("ConfigRulesTrailEnabled"), Source: &configtypes.Source{Owner: configtypes.OwnerAws, SourceIdentifier: aws.String("CLOUD_TRAIL_ENABLED")},
		}}))
	}, false},
	{"T38", "PutRemediationConfigurations", func(ctx context.Context, i intruder) error {
		client := configservice.NewFromConfig(i.Config)
		got, err := client.DescribeRemediationConfigurations(ctx, &configservice.DescribeRemediationConfigurationsInput{ConfigRuleNames: []string{*i.id("ConfigRulesTrailSettings")}})
		if err != nil {
			return err
		}
		one := got.RemediationConfigurations[0]
		one.Automatic, one.Arn, one.CreatedByService = false, nil, nil
		return of(client.PutRemediationConfigurations(ctx, &configservice.PutRemediationConfigurationsInput{RemediationConfigurations: []configtypes.RemediationConfiguration{one}}))
	}, false},
	{"T37", "DeleteRemediationConfiguration", func(ctx context.Context, i intruder) error {
		return of(configservice.NewFromConfig(i.Config).DeleteRemediationConfiguration(ctx, &configservice.DeleteRemediationConfigurationInput{ConfigRuleName: i.id("ConfigRulesTrailEnabled")}))
	}, false},
	{"T35", "DeleteConfigRule", func(ctx context.Context, i intruder) error {
		return of(configservice.NewFromConfig(i.Config).DeleteConfigRule(ctx, &configservice.DeleteConfigRuleInput{ConfigRuleName: i.id("ConfigRulesTrailEnabled")}))
	}, false},
	{"T34", "DeleteDeliveryChannel", func(ctx context.Context, i intruder) error {
		return of(configservice.NewFromConfig(i.Config).DeleteDeliveryChannel(ctx, &configservice.DeleteDeliveryChannelInput{DeliveryChannelName: aws.String("default")}))
	}, false},
	{"T32", "DeleteConfigurationRecorder", func(ctx context.Context, i intruder) error {
		return of(configservice.NewFromConfig(i.Config).DeleteConfigurationRecorder(ctx, &configservice.DeleteConfigurationRecorderInput{ConfigurationRecorderName: aws.String("default")}))
	}, false},
	{"T39", "ModifyDocumentPermission", func(ctx context.Context, i intruder) error {
		return of(ssm.NewFromConfig(i.Config).ModifyDocumentPermission(ctx, &ssm.ModifyDocumentPermissionInput{
			Name: &i.g.RunbookName, PermissionType: ssmtypes.DocumentPermissionTypeShare, AccountIdsToAdd: []string{"210987654321"},
		}))
	}, false},
	{"T39", "UpdateDocument", func(ctx context.Context, i intruder) error {
		return of(ssm.NewFromConfig(i.Config).UpdateDocument(ctx, &ssm.UpdateDocumentInput{Name: &i.g.RunbookName, DocumentVersion: aws.String("$LATEST"), Content: aws.String(
			`{"schemaVersion":"0.3","mainSteps":[{"name":"Nothing","action":"aws:sleep","inputs":{"Duration":"PT1S"}}]}`)}))
	}, false},
	{"T39", "UpdateDocumentDefaultVersion", func(ctx context.Context, i intruder) error {
		return of(ssm.NewFromConfig(i.Config).UpdateDocumentDefaultVersion(ctx, &ssm.UpdateDocumentDefaultVersionInput{Name: &i.g.RunbookName, DocumentVersion: aws.String("2")}))
	}, false},
	{"T39", "ModifyDocumentPermission", func(ctx context.Context, i intruder) error {
		return of(ssm.NewFromConfig(i.Config).ModifyDocumentPermission(ctx, &ssm.ModifyDocumentPermissionInput{
			Name: &i.g.RunbookName, PermissionType: ssmtypes.DocumentPermissionTypeShare, AccountIdsToRemove: []string{"210987654321"},
		}))
	}, false},
	{"T39", "DeleteDocument", func(ctx context.Context, i intruder) error {
		return of(ssm.NewFromConfig(i.Config).DeleteDocument(ctx, &ssm.DeleteDocumentInput{Name: &i.g.RunbookName}))
	}, false},
	{"T40", "UpdateAssumeRolePolicy", func(ctx context.Context, i intruder) error {
		return of(iam.NewFromConfig(i.Config).UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: i.roleName("AutomationRole"), PolicyDocument: aws.String(
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"*"}}]}`)}))
	}, false},
	{"T40", "PutRolePermissionsBoundary", func(ctx context.Context, i intruder) error {
		client := iam.NewFromConfig(i.Config)
		made, err := client.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String("nothing"), PolicyDocument: emptyPolicy})
		if err != nil {
			return err
		}
		return of(client.PutRolePermissionsBoundary(ctx, &iam.PutRolePermissionsBoundaryInput{RoleName: i.roleName("AutomationRole"), PermissionsBoundary: made.Policy.Arn}))
	}, false},
	{"T40", "PutRolePolicy", func(ctx context.Context, i intruder) error {
		return of(iam.NewFromConfig(i.Config).PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: i.roleName("AutomationRole"), PolicyName: aws.String("no"), PolicyDocument: emptyPolicy}))
	}, false},
	{"T40", "DeleteRolePolicy", func(ctx context.Context, i intruder) error {
		return of(iam.NewFromConfig(i.Config).DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: i.roleName("AutomationRole"), PolicyName: aws.String("no")}))
	}, false},
	{"T41", "DisableRule", func(ctx context.Context, i intruder) error {
		return of(awseventbridge.NewFromConfig(i.Config).DisableRule(ctx, &awseventbridge.DisableRuleInput{Name: i.id("EventRulesTampering")}))
	}, false},
	{"T41", "PutRule", func(ctx context.Context, i intruder) error {
		return of(awseventbridge.NewFromConfig(i.Config).PutRule(ctx, &awseventbridge.PutRuleInput{Name: i.id("EventRulesTampering"), EventPattern: aws.String(`{"source":["aws.nothing"]}`)}))
	}, false},
	{"T41", "PutTargets", func(ctx context.Context, i intruder) error {
		return of(awseventbridge.NewFromConfig(i.Config).PutTargets(ctx, &awseventbridge.PutTargetsInput{Rule: i.id("EventRulesSchedule"), Targets: []eventtypes.Target{{
			Id: aws.String("Runbook"), Arn: aws.String(i.g.AlertTopicARN), Input: aws.String(`"nothing"`),
		}}}))
	}, false},
	{"T41", "RemoveTargets", func(ctx context.Context, i intruder) error {
		return of(awseventbridge.NewFromConfig(i.Config).RemoveTargets(ctx, &awseventbridge.RemoveTargetsInput{Rule: i.id("EventRulesTampering"), Ids: []string{"Runbook"}}))
	}, false},
	{"T41", "DeleteRule", func(ctx context.Context, i intruder) error {
		return of(awseventbridge.NewFromConfig(i.Config).DeleteRule(ctx, &awseventbridge.DeleteRuleInput{Name: i.id("EventRulesTampering")}))
	}, false},
	{"T43", "Unsubscribe", func(ctx context.Context, i intruder) error {
		client := sns.NewFromConfig(i.Config)
		made, err := client.Subscribe(ctx, &sns.SubscribeInput{TopicArn: &i.g.AlertTopicARN, Protocol: aws.String("email"), Endpoint: aws.String("a@example.com"), ReturnSubscriptionArn: true})
		if err != nil {
			return err
		}
		return of(client.Unsubscribe(ctx, &sns.UnsubscribeInput{SubscriptionArn: made.SubscriptionArn}))
	}, false},
	{"T43", "SetTopicAttributes", func(ctx context.Context, i intruder) error {
		return of(sns.NewFromConfig(i.Config).SetTopicAttributes(ctx, &sns.SetTopicAttributesInput{TopicArn: &i.g.AlertTopicARN, AttributeName: aws.String("DisplayName"), AttributeValue: aws.String("spam")}))
	}, false},
	// moto does not have the call: this is its event.
	{"T44", "DisableAlarmActions", func(ctx context.Context, i intruder) error {
		return i.publish(ctx, "monitoring.amazonaws.com", "DisableAlarmActions", map[string]any{"alarmNames": []any{"another", *i.id("AlertingUndelivered")}})
	}, false},
	{"T44", "SetAlarmState", func(ctx context.Context, i intruder) error {
		return of(cloudwatch.NewFromConfig(i.Config).SetAlarmState(ctx, &cloudwatch.SetAlarmStateInput{
			AlarmName: i.id("AlertingMissingDigests"), StateValue: cloudwatchtypes.StateValueOk, StateReason: aws.String("fine"),
		}))
	}, false},
	{"T44", "PutMetricAlarm", func(ctx context.Context, i intruder) error {
		return of(cloudwatch.NewFromConfig(i.Config).PutMetricAlarm(ctx, &cloudwatch.PutMetricAlarmInput{
			AlarmName: i.id("AlertingMissingDigests"), Namespace: aws.String("AWS/Events"), MetricName: aws.String("MatchedEvents"), Statistic: cloudwatchtypes.StatisticSum,
			Period: aws.Int32(3600), EvaluationPeriods: aws.Int32(3), Threshold: aws.Float64(-1), ComparisonOperator: cloudwatchtypes.ComparisonOperatorLessThanThreshold,
		}))
	}, false},
	{"T44", "DeleteAlarms", func(ctx context.Context, i intruder) error {
		return of(cloudwatch.NewFromConfig(i.Config).DeleteAlarms(ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{*i.id("AlertingUndelivered")}}))
	}, false},
	{"T44", "PurgeQueue", func(ctx context.Context, i intruder) error {
		return of(sqs.NewFromConfig(i.Config).PurgeQueue(ctx, &sqs.PurgeQueueInput{QueueUrl: i.queueURL()}))
	}, false},
	{"T44", "SetQueueAttributes", func(ctx context.Context, i intruder) error {
		return of(sqs.NewFromConfig(i.Config).SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: i.queueURL(), Attributes: map[string]string{
			string(sqstypes.QueueAttributeNameMessageRetentionPeriod): "60",
		}}))
	}, false},
	{"T48", "SetStackPolicy", func(ctx context.Context, i intruder) error {
		return of(cloudformation.NewFromConfig(i.Config).SetStackPolicy(ctx, &cloudformation.SetStackPolicyInput{StackName: &i.g.Stack, StackPolicyBody: aws.String(
			`{"Statement":[{"Effect":"Allow","Action":"Update:*","Principal":"*","Resource":"*"}]}`)}))
	}, false},
	// Nor this one.
	{"T48", "UpdateTerminationProtection", func(ctx context.Context, i intruder) error {
		return i.publish(ctx, "cloudformation.amazonaws.com", "UpdateTerminationProtection", map[string]any{"stackName": i.g.Stack, "enableTerminationProtection": false})
	}, false},
	{"T43", "DisableKey", func(ctx context.Context, i intruder) error {
		return of(kms.NewFromConfig(i.Config).DisableKey(ctx, &kms.DisableKeyInput{KeyId: i.id("AlertingKey")}))
	}, true},
	{"T43", "EnableKey", func(ctx context.Context, i intruder) error {
		return of(kms.NewFromConfig(i.Config).EnableKey(ctx, &kms.EnableKeyInput{KeyId: i.id("AlertingKey")}))
	}, false},
	{"T43", "ScheduleKeyDeletion", func(ctx context.Context, i intruder) error {
		return of(kms.NewFromConfig(i.Config).ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: i.id("AlertingKey")}))
	}, true},
	{"T44", "DeleteQueue", func(ctx context.Context, i intruder) error {
		return of(sqs.NewFromConfig(i.Config).DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: i.queueURL()}))
	}, true},
	{"T43", "DeleteTopic", func(ctx context.Context, i intruder) error {
		return of(sns.NewFromConfig(i.Config).DeleteTopic(ctx, &sns.DeleteTopicInput{TopicArn: &i.g.AlertTopicARN}))
	}, true},
	// The last word of a guard that is taken away by the rule that says so.
	{"T41", "DisableRule", func(ctx context.Context, i intruder) error {
		return of(awseventbridge.NewFromConfig(i.Config).DisableRule(ctx, &awseventbridge.DisableRuleInput{Name: i.id("EventRulesSchedule")}))
	}, true},
}

// TestEachPartThatIsTakenAwayIsToldOnce: who, what, when and from where, in one message, and one event on the central bus. If the topic cannot be told, the bus is.
func TestEachPartThatIsTakenAwayIsToldOnce(t *testing.T) {
	inEach(t, func(t *testing.T, a *account) {
		wantEachToldOnce(t, a.guarded(t, testbed.ReadTemplate(t, "central")))
	})
}

// TestTheNameOfTheStackMayBeLong: as StackSets give it, of which CloudFormation cuts all but the beginning in the names of rules and roles.
func TestTheNameOfTheStackMayBeLong(t *testing.T) {
	in(t, 1, func(t *testing.T, a *account) {
		tpl := testbed.ReadTemplate(t, "central")
		a.Empty(t, tpl)
		g := a.CreateStack(t, "StackSet-Security-and-audit-guards-8d7f3c1e-52aa-4b0e-9c7d-1f2e3d4c5b6a", tpl)
		g.Settle()
		g.WantRepaired()
		i := newIntruder(t, g)
		if name := *i.id("EventRulesTampering"); strings.HasPrefix(name, g.Stack) {
			t.Fatalf("the name of the rule %s has the whole name of the stack", name)
		}
		wantEachToldOnce(t, g)
		// Negative control: in the name of the rule the whole name of the stack is not.
		cut := `{"Fn::Select":[0,{"Fn::Split":["-AlertingRepa",{"Ref":"AlertingRepairFailedF198EDF1"}]}]}`
		a.Empty(t, tpl)
		g = a.CreateStack(t, "StackSet-guards-8d7f3c1e-52aa-4b0e", tpl.With(t, testbed.Replaced(cut, `{"Ref":"AWS::StackName"}`)))
		g.Settle()
		i, before := newIntruder(t, g), len(g.Bus().Deliveries())
		g.Must(of(awseventbridge.NewFromConfig(i.Config).DisableRule(t.Context(), &awseventbridge.DisableRuleInput{Name: i.id("EventRulesTampering")})))
		g.Settle()
		if people := told(g, before, "AlertTopic"); len(people) > 0 {
			t.Errorf("by the whole name of the stack people are told %q", inputs(people))
		}
	})
}

func wantEachToldOnce(t *testing.T, g testbed.Guard) {
	t.Helper()
	g.HoldConfig(true)
	defer g.HoldConfig(false)
	i := newIntruder(t, g)
	for _, attack := range attacks {
		t.Run(attack.id+" "+attack.call, func(t *testing.T) {
			g := g.In(t)
			i.g = g
			before := len(g.Bus().Deliveries())
			g.Must(attack.do(t.Context(), i))
			g.Settle()
			wantToldOnce(t, g, before, attack.call, attack.silences)
		})
	}
}

func wantToldOnce(t *testing.T, g testbed.Guard, before int, call string, silenced bool) {
	t.Helper()
	people, central := told(g, before, "AlertTopic"), told(g, before, "CentralEventBus")
	if len(central) != 1 || central[0].Outcome != eventbridge.Invoked {
		t.Errorf("the central bus is told %q", inputs(central))
	}
	switch {
	case len(people) != 1:
		t.Errorf("people are told %q", inputs(people))
	case silenced && people[0].Outcome != eventbridge.Failed:
		t.Errorf("the topic that is silenced is told with the outcome %s", people[0].Outcome)
	case !silenced && (people[0].Outcome != eventbridge.Invoked || people[0].Input != message(g, call, people[0])):
		t.Errorf("people are told %s, as %s: %s\nwant %s", people[0].Input, people[0].Outcome, people[0].ErrorMessage, message(g, call, people[0]))
	}
}

// TestTheLogGroupOfTheTrailIsAPart is about T42.
func TestTheLogGroupOfTheTrailIsAPart(t *testing.T) {
	in(t, 0, func(t *testing.T, a *account) {
		g := a.guarded(t, testbed.ReadTemplate(t, "everything"))
		i := newIntruder(t, g)
		logs, group := cloudwatchlogs.NewFromConfig(i.Config), i.id("Events")
		for _, attack := range []struct {
			call string
			do   func() error
		}{
			{"PutRetentionPolicy", func() error {
				return of(logs.PutRetentionPolicy(t.Context(), &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: group, RetentionInDays: aws.Int32(1)}))
			}},
			{"DeleteLogGroup", func() error {
				return of(logs.DeleteLogGroup(t.Context(), &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: group}))
			}},
		} {
			before := len(g.Bus().Deliveries())
			g.Must(attack.do())
			g.Settle()
			people := told(g, before, "AlertTopic")
			if len(people) != 1 || people[0].Input != message(g, attack.call, people[0]) {
				t.Errorf("of %s people are told %q", attack.call, inputs(people))
			}
		}
	})
}

// TestWhatIsNoPartIsNotTold: the same calls on what is somebody else's, and what readers of the alerts do.
func TestWhatIsNoPartIsNotTold(t *testing.T) {
	in(t, 1, func(t *testing.T, a *account) {
		g := a.guarded(t, testbed.ReadTemplate(t, "default"))
		ctx, config := t.Context(), g.Config(mallory)
		before := len(g.Bus().Deliveries())
		events, topics := awseventbridge.NewFromConfig(config), sns.NewFromConfig(config)
		g.Must(of(events.PutRule(ctx, &awseventbridge.PutRuleInput{Name: aws.String("mine"), EventPattern: aws.String(`{"source":["aws.ec2"]}`)})))
		g.Must(of(events.DisableRule(ctx, &awseventbridge.DisableRuleInput{Name: aws.String("mine")})))
		g.Must(of(topics.Subscribe(ctx, &sns.SubscribeInput{TopicArn: &g.AlertTopicARN, Protocol: aws.String("email"), Endpoint: aws.String("b@example.com")})))
		g.Must(of(topics.CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String("mine")})))
		g.Must(of(cloudwatch.NewFromConfig(config).DeleteAlarms(ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{"mine"}})))
		g.Settle()
		if people := told(g, before, "AlertTopic"); len(people) > 0 {
			t.Errorf("people are told %q", inputs(people))
		}
	})
}

// TestDeploymentsTellNothing: neither creation, nor an update by a change set, as the CDK makes it, nor what CloudFormation does to delete the stack. Who begins an
// update without a change set, or the deletion, is told, once.
func TestDeploymentsTellNothing(t *testing.T) {
	inEach(t, func(t *testing.T, a *account) {
		g := a.guarded(t, testbed.ReadTemplate(t, "default"))
		if people := told(g, 0, "AlertTopic"); len(people) > 0 {
			t.Errorf("of the creation people are told %q", inputs(people))
		}
		client := cloudformation.NewFromConfig(g.Config(mallory))
		changed := testbed.ReadTemplate(t, "default").With(t, testbed.Replaced("rate(60 minutes)", "rate(30 minutes)"), testbed.Replaced("The log of", "A log of"))
		before := len(g.Bus().Deliveries())
		g.Must(of(client.CreateChangeSet(t.Context(), &cloudformation.CreateChangeSetInput{
			StackName: aws.String(testbed.StackName), ChangeSetName: aws.String("cdk-deploy"), TemplateBody: aws.String(changed.JSON()), Capabilities: testbed.MayMakeRoles,
			ChangeSetType: cloudformationtypes.ChangeSetTypeUpdate,
		})))
		g.Must(of(client.ExecuteChangeSet(t.Context(), &cloudformation.ExecuteChangeSetInput{StackName: aws.String(testbed.StackName), ChangeSetName: aws.String("cdk-deploy")})))
		g.Settle()
		if people := told(g, before, "AlertTopic"); len(people) > 0 {
			t.Errorf("of an update by a change set people are told %q", inputs(people))
		}
		if calls := changesByCloudFormation(g); calls == 0 {
			t.Error("CloudFormation made no call that could have been told")
		}
		before = len(g.Bus().Deliveries())
		g.Must(of(client.UpdateStack(t.Context(), &cloudformation.UpdateStackInput{
			StackName: aws.String(testbed.StackName), TemplateBody: aws.String(testbed.ReadTemplate(t, "default").JSON()), Capabilities: testbed.MayMakeRoles,
		})))
		g.Settle()
		if people := told(g, before, "AlertTopic"); len(people) != 1 || people[0].Input != message(g, "UpdateStack", people[0]) {
			t.Errorf("of an update without a change set people are told %q", inputs(people))
		}
		// CloudFormation answers DeleteStack before it deletes anything; here the deletion is over by then, and the event comes too late.
		before = len(g.Bus().Deliveries())
		described, err := client.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String(testbed.StackName)})
		g.Must(err)
		g.Must(newIntruder(t, g).publish(t.Context(), "cloudformation.amazonaws.com", "DeleteStack", map[string]any{"stackName": *described.Stacks[0].StackId}))
		g.Settle()
		if people := told(g, before, "AlertTopic"); len(people) != 1 || people[0].Input != message(g, "DeleteStack", people[0]) {
			t.Errorf("of the deletion people are told %q", inputs(people))
		}
		before = len(g.Bus().Deliveries())
		g.Must(of(client.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String(testbed.StackName)})))
		g.Settle()
		if people := told(g, before, "AlertTopic"); len(people) > 0 {
			t.Errorf("of what CloudFormation deletes people are told %q", inputs(people))
		}
	})
}

// changesByCloudFormation counts the calls with which CloudFormation changed rules and alarms.
func changesByCloudFormation(g testbed.Guard) int {
	n := 0
	for _, event := range g.CloudTrail().History().Events() {
		detail := event["detail"].(map[string]any)
		if identity := detail["userIdentity"].(map[string]any); identity["invokedBy"] == "cloudformation.amazonaws.com" &&
			(detail["eventName"] == "PutRule" || detail["eventName"] == "PutMetricAlarm") {
			n++
		}
	}
	return n
}
