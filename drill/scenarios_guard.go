package drill

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	configtypes "github.com/aws/aws-sdk-go-v2/service/configservice/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/trailguard/trailguard/drill/deployed"
)

// Why scenarios of the guard are not run in an AWS account.
const (
	recordAtStake = "AWS Config would record less, for everybody in the account, until it is put back"
	repairAtStake = "a way of the repair would be gone until it is put back"
	noticeAtStake = "people would be told less until it is put back"
	ofTheWhole    = "a drill is of one account: the stacks of the organization tell of it"
)

const (
	// idle is a runbook that does nothing.
	idle = `{"schemaVersion": "0.3", "mainSteps": [{"name": "Wait", "action": "aws:sleep", "inputs": {"Duration": "PT1S"}}]}`
	// drillPolicy is the name of a policy of the drill's own.
	drillPolicy = "TrailGuardDrill"
	drilled     = "Changed by a fire drill of TrailGuard"
)

// guardScenarios are the ways to take the guard itself apart, in the order of the catalogue. People are told of each.
func guardScenarios() []Scenario {
	var all []Scenario
	add := func(settings func(Clients, Target) []setting, lacks func(deployed.Guard) string, scenarios ...Scenario) {
		for _, s := range scenarios {
			s.Of, s.settings, s.lacks = Guard, settings, lacks
			if s.NeverRun == "" {
				s.Told = strings.Trim(strings.Fields(s.Call)[1], ",")
			}
			all = append(all, s)
		}
	}
	add(recorderSettings, lacksConfig,
		Scenario{ID: "T32", Call: "config StopConfigurationRecorder", OnlyLocal: recordAtStake, TamperWith: stopRecorder},
		Scenario{ID: "T32", Call: "config DeleteConfigurationRecorder", OnlyLocal: recordAtStake, TamperWith: ofRecorder(
			func(ctx context.Context, api *configservice.Client, recorder *configtypes.ConfigurationRecorder) error {
				return of(api.DeleteConfigurationRecorder(ctx, &configservice.DeleteConfigurationRecorderInput{ConfigurationRecorderName: recorder.Name}))
			})},
		Scenario{ID: "T33", Call: "config PutConfigurationRecorder without trails", OnlyLocal: recordAtStake, TamperWith: ofRecorder(
			func(ctx context.Context, api *configservice.Client, recorder *configtypes.ConfigurationRecorder) error {
				recorder.RecordingGroup = &configtypes.RecordingGroup{ResourceTypes: []configtypes.ResourceType{configtypes.ResourceTypeBucket}}
				return of(api.PutConfigurationRecorder(ctx, &configservice.PutConfigurationRecorderInput{ConfigurationRecorder: recorder}))
			})},
		// AWS Config lets go of the channel only while it does not record.
		Scenario{ID: "T34", Call: "config DeleteDeliveryChannel", OnlyLocal: recordAtStake, TamperWith: func(ctx context.Context, clients Clients, t Target) error {
			got, err := clients.Config.DescribeDeliveryChannels(ctx, &configservice.DescribeDeliveryChannelsInput{})
			if err != nil {
				return err
			}
			if len(got.DeliveryChannels) == 0 {
				return missing("there is no delivery channel")
			}
			if err := stopRecorder(ctx, clients, t); err != nil {
				return err
			}
			return of(clients.Config.DeleteDeliveryChannel(ctx, &configservice.DeleteDeliveryChannelInput{DeliveryChannelName: got.DeliveryChannels[0].Name}))
		}},
	)
	add(configRuleSettings, lacksConfig,
		Scenario{ID: "T35", Call: "config DeleteConfigRule", OnlyLocal: repairAtStake, TamperWith: func(ctx context.Context, clients Clients, t Target) error {
			if err := deleteRemediation(ctx, clients, t); err != nil && !hasCode(err, "NoSuchRemediationConfigurationException") {
				return err
			}
			return of(clients.Config.DeleteConfigRule(ctx, &configservice.DeleteConfigRuleInput{ConfigRuleName: aws.String(t.configRule())}))
		}},
		Scenario{ID: "T36", Call: "config PutConfigRule without parameters", OnlyLocal: repairAtStake,
			TamperWith: ofConfigRule(func(rule *configtypes.ConfigRule) { rule.InputParameters = nil })},
		Scenario{ID: "T36", Call: "config PutConfigRule with another description",
			TamperWith: ofConfigRule(func(rule *configtypes.ConfigRule) { rule.Description = aws.String(drilled) })},
	)
	add(configRuleSettings, lacksRemediation,
		Scenario{ID: "T37", Call: "config DeleteRemediationConfiguration", OnlyLocal: repairAtStake, TamperWith: deleteRemediation},
		Scenario{ID: "T38", Call: "config PutRemediationConfigurations Automatic=false", OnlyLocal: repairAtStake,
			TamperWith: ofRemediation(func(one *configtypes.RemediationConfiguration) { one.Automatic = false })},
		Scenario{ID: "T38", Call: "config PutRemediationConfigurations with one attempt more",
			TamperWith: ofRemediation(func(one *configtypes.RemediationConfiguration) {
				one.MaximumAutomaticAttempts = aws.Int32(aws.ToInt32(one.MaximumAutomaticAttempts)%25 + 1)
			})},
		// What is compliant is not made an exception, and what is made one the guard takes back.
		Scenario{ID: "T38", Call: "config PutRemediationExceptions of what there is not", mayChangeNothing: true, TamperWith: func(ctx context.Context, clients Clients, t Target) error {
			return of(clients.Config.PutRemediationExceptions(ctx, &configservice.PutRemediationExceptionsInput{
				ConfigRuleName: aws.String(t.configRule()), Message: aws.String(drilled), ResourceKeys: []configtypes.RemediationExceptionResourceKey{
					{ResourceType: aws.String("AWS::CloudTrail::Trail"), ResourceId: aws.String("trailguard-drill-no-such-trail")},
				},
			}))
		}},
	)
	add(runbookSettings, nil,
		Scenario{ID: "T39", Call: "ssm UpdateDocument, which adds a version", TamperWith: updateDocument},
		Scenario{ID: "T39", Call: "ssm UpdateDocumentDefaultVersion", OnlyLocal: "whoever starts the runbook by hand would start another", TamperWith: func(ctx context.Context, clients Clients, t Target) error {
			if err := updateDocument(ctx, clients, t); err != nil {
				return err
			}
			return of(clients.SSM.UpdateDocumentDefaultVersion(ctx, &ssm.UpdateDocumentDefaultVersionInput{Name: &t.guard.RunbookName, DocumentVersion: aws.String("2")}))
		}},
		Scenario{ID: "T39", Call: "ssm ModifyDocumentPermission", OnlyLocal: "another account could read the runbook", TamperWith: func(ctx context.Context, clients Clients, t Target) error {
			return of(clients.SSM.ModifyDocumentPermission(ctx, &ssm.ModifyDocumentPermissionInput{
				Name: &t.guard.RunbookName, PermissionType: ssmtypes.DocumentPermissionTypeShare, AccountIdsToAdd: []string{"999988887777"},
			}))
		}},
		Scenario{ID: "T39", Call: "ssm DeleteDocument", OnlyLocal: "nothing would be repaired until it is put back", TamperWith: func(ctx context.Context, clients Clients, t Target) error {
			return of(clients.SSM.DeleteDocument(ctx, &ssm.DeleteDocumentInput{Name: &t.guard.RunbookName}))
		}},
	)
	add(roleSettings, lacksIAMEvents,
		Scenario{ID: "T40", Call: "iam PutRolePolicy, which adds one", TamperWith: func(ctx context.Context, clients Clients, t Target) error {
			return of(clients.IAM.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: t.role(), PolicyName: aws.String(drillPolicy), PolicyDocument: policy(
				map[string]any{"Effect": "Deny", "Action": "sts:GetFederationToken", "Resource": "*"}, // which a role cannot call
			)}))
		}},
		Scenario{ID: "T40", Call: "iam DeleteRolePolicy", OnlyLocal: repairAtStake, TamperWith: func(ctx context.Context, clients Clients, t Target) error {
			all, err := rolePolicies(ctx, clients.IAM, *t.role())
			if err != nil {
				return err
			}
			for name := range *all {
				return of(clients.IAM.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: t.role(), PolicyName: &name}))
			}
			return missing("the role has no policy")
		}},
		Scenario{ID: "T40", Call: "iam UpdateAssumeRolePolicy", OnlyLocal: repairAtStake, TamperWith: func(ctx context.Context, clients Clients, t Target) error {
			return of(clients.IAM.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: t.role(), PolicyDocument: policy(
				map[string]any{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": map[string]any{"AWS": t.guard.Account()}},
			)}))
		}},
		Scenario{ID: "T40", Call: "iam PutRolePermissionsBoundary", OnlyLocal: repairAtStake, TamperWith: func(ctx context.Context, clients Clients, t Target) error {
			return of(clients.IAM.PutRolePermissionsBoundary(ctx, &iam.PutRolePermissionsBoundaryInput{
				RoleName: t.role(), PermissionsBoundary: aws.String("arn:" + t.guard.Partition() + ":iam::aws:policy/AWSDenyAll"),
			}))
		}},
		Scenario{ID: "T40", Call: "iam DeleteRole", NeverRun: "a role that is made anew is another: keys and topics that name the first no longer let it in"},
		Scenario{ID: "T40", Call: "iam DetachRolePolicy", NeverRun: "no policy is attached to the role"},
	)
	add(noticeSettings, func(guard deployed.Guard) string {
		if guard.Parts.FailureNotice == "" {
			return "the stack tells nobody of repairs that failed"
		}
		return ""
	},
		Scenario{ID: "T41", Call: "events PutRule with another description", TamperWith: func(ctx context.Context, clients Clients, t Target) error {
			rule, err := eventRule(ctx, clients.Events, t.guard.Parts.FailureNotice)
			if err != nil {
				return err
			}
			rule.Description = aws.String(drilled)
			return of(clients.Events.PutRule(ctx, rule))
		}},
		// The runbook itself tells of what it could not restore, too.
		Scenario{ID: "T41", Call: "events DisableRule", TamperWith: func(ctx context.Context, clients Clients, t Target) error {
			return of(clients.Events.DisableRule(ctx, &eventbridge.DisableRuleInput{Name: &t.guard.Parts.FailureNotice}))
		}},
		Scenario{ID: "T41", Call: "events PutTargets", OnlyLocal: noticeAtStake, TamperWith: ofTarget(func(ctx context.Context, api *eventbridge.Client, rule string, target eventtypes.Target) error {
			target.InputTransformer, target.Input = nil, aws.String(`"nothing"`)
			return of(api.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: &rule, Targets: []eventtypes.Target{target}}))
		})},
		Scenario{ID: "T41", Call: "events RemoveTargets", OnlyLocal: noticeAtStake, TamperWith: ofTarget(removeTarget)},
		Scenario{ID: "T41", Call: "events DeleteRule", OnlyLocal: noticeAtStake, TamperWith: ofTarget(func(ctx context.Context, api *eventbridge.Client, rule string, target eventtypes.Target) error {
			if err := removeTarget(ctx, api, rule, target); err != nil {
				return err
			}
			return of(api.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: &rule}))
		})},
	)
	add(logGroupSettings, func(guard deployed.Guard) string {
		if !guard.Declared.Has(deployed.CloudWatchLogsLogGroupARN) {
			return "the trail has no CloudWatch Logs log group"
		}
		return ""
	},
		Scenario{ID: "T42", Call: "logs PutRetentionPolicy of ten years", TamperWith: func(ctx context.Context, clients Clients, t Target) error {
			return of(clients.Logs.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: aws.String(t.logGroup()), RetentionInDays: aws.Int32(3653)}))
		}},
		Scenario{ID: "T42", Call: "logs DeleteLogGroup", OnlyLocal: "the events in it would be lost", TamperWith: func(ctx context.Context, clients Clients, t Target) error {
			return of(clients.Logs.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: aws.String(t.logGroup())}))
		}},
		Scenario{ID: "T42", Call: "logs DeleteLogStream, DeleteSubscriptionFilter", NeverRun: "the events of the stream would be lost, and the guard has no filter"},
	)
	add(topicSettings, nil,
		Scenario{ID: "T43", Call: "sns SetTopicAttributes DisplayName", TamperWith: func(ctx context.Context, clients Clients, t Target) error {
			return of(clients.SNS.SetTopicAttributes(ctx, &sns.SetTopicAttributesInput{
				TopicArn: &t.guard.AlertTopicARN, AttributeName: aws.String(displayName), AttributeValue: aws.String("Fire drill"),
			}))
		}},
		Scenario{ID: "T43", Call: "sns Unsubscribe", Needs: anotherSubscription, mayChangeNothing: true, TamperWith: func(ctx context.Context, clients Clients, t Target) error {
			return of(clients.SNS.Unsubscribe(ctx, &sns.UnsubscribeInput{SubscriptionArn: &t.subscriptionARN}))
		}},
		Scenario{ID: "T43", Call: "sns DeleteTopic", NeverRun: "a topic that is gone tells nobody: the central event bus is told"},
	)
	add(alarmSettings, func(guard deployed.Guard) string {
		if len(guard.Parts.Alarms) == 0 {
			return "the stack has no alarm"
		}
		return ""
	},
		Scenario{ID: "T44", Call: "cloudwatch PutMetricAlarm with another description", TamperWith: func(ctx context.Context, clients Clients, t Target) error {
			alarm, err := metricAlarm(ctx, clients.CloudWatch, t.alarm())
			if err != nil {
				return err
			}
			if alarm == nil {
				return missing("there is no alarm")
			}
			alarm.AlarmDescription = aws.String(drilled)
			return of(clients.CloudWatch.PutMetricAlarm(ctx, alarm))
		}},
		Scenario{ID: "T44", Call: "cloudwatch DeleteAlarms", OnlyLocal: noticeAtStake, TamperWith: func(ctx context.Context, clients Clients, t Target) error {
			return of(clients.CloudWatch.DeleteAlarms(ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{t.alarm()}}))
		}},
		Scenario{ID: "T44", Call: "cloudwatch DisableAlarmActions", NeverRun: "the local AWS does not have the call, and in an AWS account an alarm could stay without a voice"},
	)
	add(nil, nil,
		Scenario{ID: "T45", Call: "organizations DisableAWSServiceAccess, DeregisterDelegatedAdministrator", NeverRun: ofTheWhole},
		Scenario{ID: "T46", Call: "organizations DetachPolicy, UpdatePolicy, DeletePolicy, DisablePolicyType", NeverRun: ofTheWhole},
		Scenario{ID: "T47", Call: "organizations LeaveOrganization, RemoveAccountFromOrganization, MoveAccount", NeverRun: ofTheWhole},
	)
	add(stackSettings, nil,
		Scenario{ID: "T48", Call: "cloudformation UpdateStack", OnlyLocal: "an update that fails can leave a stack that takes no other", TamperWith: func(ctx context.Context, clients Clients, t Target) error {
			before, err := template(ctx, clients.CloudFormation, t.guard.Stack)
			if err != nil {
				return err
			}
			var changed map[string]any
			if err := json.Unmarshal([]byte(*before), &changed); err != nil {
				return fmt.Errorf("reading the template: %w", err)
			}
			changed["Description"] = drilled
			return updateStack(ctx, clients.CloudFormation, t.guard.Stack, encode(changed))
		}},
		Scenario{ID: "T48", Call: "cloudformation DeleteStack", NeverRun: "what puts the guard back is a deployment"},
		Scenario{ID: "T48", Call: "cloudformation SetStackPolicy", NeverRun: "a stack policy cannot be taken away again"},
		Scenario{ID: "T48", Call: "cloudformation UpdateTerminationProtection", NeverRun: "the local AWS does not have the call"},
	)
	return all
}

func lacksConfig(guard deployed.Guard) string {
	if len(guard.ConfigRuleNames) == 0 {
		return "the guard has no Config rules"
	}
	return ""
}

func lacksRemediation(guard deployed.Guard) string {
	if !guard.Parts.HasRemediation {
		return "the guard has no remediation of AWS Config"
	}
	return ""
}

// lacksIAMEvents tells where the events of IAM do not arrive.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html
func lacksIAMEvents(guard deployed.Guard) string {
	in := map[string]string{"aws": "us-east-1", "aws-us-gov": "us-gov-west-1", "aws-cn": "cn-north-1"}[guard.Partition()]
	if in != guard.Region() {
		return "the events of IAM arrive in another Region, whose stack hands them on or not"
	}
	return ""
}

// ofRecorder tampers with the account's configuration recorder.
func ofRecorder(do func(context.Context, *configservice.Client, *configtypes.ConfigurationRecorder) error) func(context.Context, Clients, Target) error {
	return func(ctx context.Context, clients Clients, _ Target) error {
		one, err := recorder(ctx, clients.Config)
		if err != nil || one == nil {
			return cmp.Or(err, error(missing("there is no configuration recorder")))
		}
		return do(ctx, clients.Config, one)
	}
}

func stopRecorder(ctx context.Context, clients Clients, t Target) error {
	return ofRecorder(func(ctx context.Context, api *configservice.Client, recorder *configtypes.ConfigurationRecorder) error {
		return of(api.StopConfigurationRecorder(ctx, &configservice.StopConfigurationRecorderInput{ConfigurationRecorderName: recorder.Name}))
	})(ctx, clients, t)
}

// ofConfigRule puts the Config rule with a change.
func ofConfigRule(change func(*configtypes.ConfigRule)) func(context.Context, Clients, Target) error {
	return func(ctx context.Context, clients Clients, t Target) error {
		rule, err := configRule(ctx, clients.Config, t.configRule())
		if err != nil {
			return err
		}
		change(rule)
		return of(clients.Config.PutConfigRule(ctx, &configservice.PutConfigRuleInput{ConfigRule: rule}))
	}
}

// ofRemediation puts the remediation of the Config rule with a change.
func ofRemediation(change func(*configtypes.RemediationConfiguration)) func(context.Context, Clients, Target) error {
	return func(ctx context.Context, clients Clients, t Target) error {
		one, err := remediation(ctx, clients.Config, t.configRule())
		if err != nil || one == nil {
			return cmp.Or(err, error(missing("the rule has no remediation")))
		}
		change(one)
		return of(clients.Config.PutRemediationConfigurations(ctx, &configservice.PutRemediationConfigurationsInput{
			RemediationConfigurations: []configtypes.RemediationConfiguration{*one},
		}))
	}
}

func deleteRemediation(ctx context.Context, clients Clients, t Target) error {
	return of(clients.Config.DeleteRemediationConfiguration(ctx, &configservice.DeleteRemediationConfigurationInput{ConfigRuleName: aws.String(t.configRule())}))
}

// updateDocument adds a version to the runbook, which no trigger starts: each names the first.
func updateDocument(ctx context.Context, clients Clients, t Target) error {
	return of(clients.SSM.UpdateDocument(ctx, &ssm.UpdateDocumentInput{
		Name: &t.guard.RunbookName, Content: aws.String(idle), DocumentFormat: ssmtypes.DocumentFormatJson, DocumentVersion: aws.String("$LATEST"),
	}))
}

// ofTarget tampers with the target of the notice.
func ofTarget(do func(ctx context.Context, api *eventbridge.Client, rule string, target eventtypes.Target) error) func(context.Context, Clients, Target) error {
	return func(ctx context.Context, clients Clients, t Target) error {
		rule := t.guard.Parts.FailureNotice
		got, err := clients.Events.ListTargetsByRule(ctx, &eventbridge.ListTargetsByRuleInput{Rule: &rule})
		if err != nil || len(got.Targets) == 0 {
			return cmp.Or(err, error(missing("the rule has no target")))
		}
		return do(ctx, clients.Events, rule, got.Targets[0])
	}
}

func removeTarget(ctx context.Context, api *eventbridge.Client, rule string, target eventtypes.Target) error {
	return of(api.RemoveTargets(ctx, &eventbridge.RemoveTargetsInput{Rule: &rule, Ids: []string{*target.Id}}))
}
