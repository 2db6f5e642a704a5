package drill

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
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

// The settings of what a guard is made of, each in the order in which they are put back.

// configRule is the Config rule that is tampered with.
func (t Target) configRule() string { return t.guard.ConfigRuleNames[0] }

// alarm is the alarm that is tampered with.
func (t Target) alarm() string { return t.guard.Parts.Alarms[0] }

// role is the name of the automation role.
func (t Target) role() *string { return aws.String(lastOf(t.guard.AutomationRoleARN)) }

// logGroup is the name of the log group that the trail sends events to.
func (t Target) logGroup() string {
	_, name, _ := strings.Cut(strings.Trim(t.Declared[deployed.CloudWatchLogsLogGroupARN], `"`), ":log-group:")
	return strings.TrimSuffix(name, ":*")
}

// only is the only item of a list; nil if there is none.
func only[T any](list []T) *T {
	if len(list) == 0 {
		return nil
	}
	return &list[0]
}

// recorderSettings are those of the account's configuration recorder.
func recorderSettings(clients Clients, _ Target) []setting {
	api := clients.Config
	return []setting{
		settingOf("configuration recorder", func(ctx context.Context) (*configtypes.ConfigurationRecorder, error) { return recorder(ctx, api) },
			func(ctx context.Context, before *configtypes.ConfigurationRecorder) error {
				return of(api.PutConfigurationRecorder(ctx, &configservice.PutConfigurationRecorderInput{ConfigurationRecorder: before}))
			}, nil),
		settingOf("delivery channel", func(ctx context.Context) (*configtypes.DeliveryChannel, error) {
			got, err := api.DescribeDeliveryChannels(ctx, &configservice.DescribeDeliveryChannelsInput{})
			if err != nil {
				return nil, err
			}
			return only(got.DeliveryChannels), nil
		}, func(ctx context.Context, before *configtypes.DeliveryChannel) error {
			return of(api.PutDeliveryChannel(ctx, &configservice.PutDeliveryChannelInput{DeliveryChannel: before}))
		}, nil),
		settingOf("recording", func(ctx context.Context) (*bool, error) {
			got, err := api.DescribeConfigurationRecorderStatus(ctx, &configservice.DescribeConfigurationRecorderStatusInput{})
			if err != nil || len(got.ConfigurationRecordersStatus) == 0 {
				return nil, err
			}
			return &got.ConfigurationRecordersStatus[0].Recording, nil
		}, func(ctx context.Context, before *bool) error {
			one, err := recorder(ctx, api)
			switch {
			case err != nil:
				return err
			case one == nil:
				return missing("there is no configuration recorder")
			case *before:
				return of(api.StartConfigurationRecorder(ctx, &configservice.StartConfigurationRecorderInput{ConfigurationRecorderName: one.Name}))
			}
			return of(api.StopConfigurationRecorder(ctx, &configservice.StopConfigurationRecorderInput{ConfigurationRecorderName: one.Name}))
		}, nil),
	}
}

// recorder is the account's configuration recorder; nil if there is none.
func recorder(ctx context.Context, api *configservice.Client) (*configtypes.ConfigurationRecorder, error) {
	got, err := api.DescribeConfigurationRecorders(ctx, &configservice.DescribeConfigurationRecordersInput{})
	if err != nil {
		return nil, err
	}
	one := only(got.ConfigurationRecorders)
	if one != nil {
		one.Arn = nil // it is not put
	}
	return one, nil
}

// configRuleSettings are those of a Config rule of the guard and its remediation.
func configRuleSettings(clients Clients, t Target) []setting {
	api, name := clients.Config, t.configRule()
	return []setting{
		settingOf("Config rule", func(ctx context.Context) (*configtypes.ConfigRule, error) { return configRule(ctx, api, name) },
			func(ctx context.Context, before *configtypes.ConfigRule) error {
				return of(api.PutConfigRule(ctx, &configservice.PutConfigRuleInput{ConfigRule: before}))
			}, nil, "NoSuchConfigRuleException"),
		settingOf("remediation", func(ctx context.Context) (*configtypes.RemediationConfiguration, error) {
			return remediation(ctx, api, name)
		},
			func(ctx context.Context, before *configtypes.RemediationConfiguration) error {
				return of(api.PutRemediationConfigurations(ctx, &configservice.PutRemediationConfigurationsInput{
					RemediationConfigurations: []configtypes.RemediationConfiguration{*before},
				}))
			}, nil),
		settingOf("remediation exceptions", func(ctx context.Context) (*[]configtypes.RemediationExceptionResourceKey, error) {
			return exceptions(ctx, api, name)
		}, func(ctx context.Context, before *[]configtypes.RemediationExceptionResourceKey) error {
			now, err := exceptions(ctx, api, name)
			if err != nil {
				return err
			}
			more := slices.DeleteFunc(*now, func(key configtypes.RemediationExceptionResourceKey) bool {
				return slices.ContainsFunc(*before, func(was configtypes.RemediationExceptionResourceKey) bool { return meaning(was) == meaning(key) })
			})
			if len(more) == 0 {
				return nil
			}
			return of(api.DeleteRemediationExceptions(ctx, &configservice.DeleteRemediationExceptionsInput{ConfigRuleName: &name, ResourceKeys: more}))
		}, nil, "NoSuchConfigRuleException", "InvalidParameterValueException"),
	}
}

// configRule is a Config rule as it is put.
func configRule(ctx context.Context, api *configservice.Client, name string) (*configtypes.ConfigRule, error) {
	got, err := api.DescribeConfigRules(ctx, &configservice.DescribeConfigRulesInput{ConfigRuleNames: []string{name}})
	if err != nil {
		return nil, err
	}
	rule := only(got.ConfigRules)
	if rule == nil {
		return nil, missing("there is no rule " + name)
	}
	rule.ConfigRuleArn, rule.ConfigRuleId, rule.ConfigRuleState, rule.CreatedBy = nil, nil, "", nil
	return rule, nil
}

// remediation is what remediates for a Config rule, as it is put; nil if nothing does.
func remediation(ctx context.Context, api *configservice.Client, rule string) (*configtypes.RemediationConfiguration, error) {
	got, err := api.DescribeRemediationConfigurations(ctx, &configservice.DescribeRemediationConfigurationsInput{ConfigRuleNames: []string{rule}})
	if err != nil {
		return nil, err
	}
	one := only(got.RemediationConfigurations)
	if one != nil {
		one.Arn, one.CreatedByService = nil, nil
	}
	return one, nil
}

// exceptions are the resources that are exempt from the remediation of a Config rule.
func exceptions(ctx context.Context, api *configservice.Client, rule string) (*[]configtypes.RemediationExceptionResourceKey, error) {
	keys := []configtypes.RemediationExceptionResourceKey{}
	pages := configservice.NewDescribeRemediationExceptionsPaginator(api, &configservice.DescribeRemediationExceptionsInput{ConfigRuleName: &rule})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, one := range page.RemediationExceptions {
			keys = append(keys, configtypes.RemediationExceptionResourceKey{ResourceType: one.ResourceType, ResourceId: one.ResourceId})
		}
	}
	return &keys, nil
}

// runbookDocument is a document as it is created.
type runbookDocument struct {
	Content string
	Format  ssmtypes.DocumentFormat
	Type    ssmtypes.DocumentType
}

// runbookSettings are those of the guard's runbook.
func runbookSettings(clients Clients, t Target) []setting {
	api, name := clients.SSM, t.guard.RunbookName
	return []setting{
		settingOf("runbook", func(ctx context.Context) (*runbookDocument, error) {
			got, err := api.GetDocument(ctx, &ssm.GetDocumentInput{Name: &name, DocumentVersion: aws.String("1")})
			if err != nil {
				return nil, err
			}
			return &runbookDocument{aws.ToString(got.Content), got.DocumentFormat, got.DocumentType}, nil
		}, func(ctx context.Context, before *runbookDocument) error {
			return of(api.CreateDocument(ctx, &ssm.CreateDocumentInput{
				Name: &name, Content: &before.Content, DocumentFormat: before.Format, DocumentType: before.Type,
			}))
		}, nil, "InvalidDocument"),
		settingOf("default version of the runbook", func(ctx context.Context) (*string, error) {
			got, err := api.DescribeDocument(ctx, &ssm.DescribeDocumentInput{Name: &name})
			if err != nil {
				return nil, err
			}
			return got.Document.DefaultVersion, nil
		}, func(ctx context.Context, before *string) error {
			return of(api.UpdateDocumentDefaultVersion(ctx, &ssm.UpdateDocumentDefaultVersionInput{Name: &name, DocumentVersion: before}))
		}, nil, "InvalidDocument"),
		settingOf("latest version of the runbook", func(ctx context.Context) (*string, error) { return latestVersion(ctx, api, name) },
			func(ctx context.Context, _ *string) error {
				latest, err := latestVersion(ctx, api, name)
				if err != nil {
					return err
				}
				return of(api.DeleteDocument(ctx, &ssm.DeleteDocumentInput{Name: &name, DocumentVersion: latest}))
			}, nil, "InvalidDocument"),
		settingOf("accounts that share the runbook", func(ctx context.Context) (*[]string, error) { return sharing(ctx, api, name) },
			func(ctx context.Context, before *[]string) error {
				now, err := sharing(ctx, api, name)
				if err != nil {
					return err
				}
				more := slices.DeleteFunc(*now, func(account string) bool { return slices.Contains(*before, account) })
				return of(api.ModifyDocumentPermission(ctx, &ssm.ModifyDocumentPermissionInput{
					Name: &name, PermissionType: ssmtypes.DocumentPermissionTypeShare, AccountIdsToRemove: more,
				}))
			}, nil, "InvalidDocument"),
	}
}

// latestVersion is the version that was added to a document last.
func latestVersion(ctx context.Context, api *ssm.Client, name string) (*string, error) {
	got, err := api.DescribeDocument(ctx, &ssm.DescribeDocumentInput{Name: &name})
	if err != nil {
		return nil, err
	}
	return got.Document.LatestVersion, nil
}

// sharing are the accounts that a document is shared with.
func sharing(ctx context.Context, api *ssm.Client, name string) (*[]string, error) {
	got, err := api.DescribeDocumentPermission(ctx, &ssm.DescribeDocumentPermissionInput{Name: &name, PermissionType: ssmtypes.DocumentPermissionTypeShare})
	if err != nil {
		return nil, err
	}
	return &got.AccountIds, nil
}

// roleSettings are those of the automation role.
func roleSettings(clients Clients, t Target) []setting {
	api, name := clients.IAM, lastOf(t.guard.AutomationRoleARN)
	return []setting{
		settingOf("trust policy of the role", func(ctx context.Context) (*document, error) {
			got, err := api.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
			if err != nil {
				return nil, err
			}
			return decoded(got.Role.AssumeRolePolicyDocument)
		}, func(ctx context.Context, before *document) error {
			return of(api.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: &name, PolicyDocument: &before.text}))
		}, nil),
		settingOf("permissions boundary of the role", func(ctx context.Context) (*string, error) {
			got, err := api.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
			if err != nil || got.Role.PermissionsBoundary == nil {
				return nil, err
			}
			return got.Role.PermissionsBoundary.PermissionsBoundaryArn, nil
		}, func(ctx context.Context, before *string) error {
			return of(api.PutRolePermissionsBoundary(ctx, &iam.PutRolePermissionsBoundaryInput{RoleName: &name, PermissionsBoundary: before}))
		}, func(ctx context.Context) error {
			return of(api.DeleteRolePermissionsBoundary(ctx, &iam.DeleteRolePermissionsBoundaryInput{RoleName: &name}))
		}),
		settingOf("policies of the role", func(ctx context.Context) (*map[string]document, error) { return rolePolicies(ctx, api, name) },
			func(ctx context.Context, before *map[string]document) error {
				now, err := rolePolicies(ctx, api, name)
				if err != nil {
					return err
				}
				for policy, was := range *before {
					if _, err := api.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &name, PolicyName: &policy, PolicyDocument: &was.text}); err != nil {
						return err
					}
				}
				for policy := range *now {
					if _, kept := (*before)[policy]; !kept {
						if _, err := api.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: &name, PolicyName: &policy}); err != nil {
							return err
						}
					}
				}
				return nil
			}, nil),
	}
}

// decoded is a policy as IAM shows it.
func decoded(encoded *string) (*document, error) {
	text, err := url.QueryUnescape(aws.ToString(encoded))
	if err != nil {
		return nil, fmt.Errorf("reading a policy: %w", err)
	}
	return &document{text}, nil
}

// rolePolicies are the inline policies of a role.
func rolePolicies(ctx context.Context, api *iam.Client, role string) (*map[string]document, error) {
	all := map[string]document{}
	for pages := iam.NewListRolePoliciesPaginator(api, &iam.ListRolePoliciesInput{RoleName: &role}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, policy := range page.PolicyNames {
			got, err := api.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &role, PolicyName: &policy})
			if err != nil {
				return nil, err
			}
			text, err := decoded(got.PolicyDocument)
			if err != nil {
				return nil, err
			}
			all[policy] = *text
		}
	}
	return &all, nil
}

// noticeSettings are those of the rule that tells people of a repair that failed.
func noticeSettings(clients Clients, t Target) []setting {
	api, name := clients.Events, t.guard.Parts.FailureNotice
	return []setting{
		settingOf("rule", func(ctx context.Context) (*eventbridge.PutRuleInput, error) { return eventRule(ctx, api, name) },
			func(ctx context.Context, before *eventbridge.PutRuleInput) error { return of(api.PutRule(ctx, before)) }, nil, "ResourceNotFoundException"),
		settingOf("targets of the rule", func(ctx context.Context) (*[]eventtypes.Target, error) {
			got, err := api.ListTargetsByRule(ctx, &eventbridge.ListTargetsByRuleInput{Rule: &name})
			if err != nil {
				return nil, err
			}
			return &got.Targets, nil
		}, func(ctx context.Context, before *[]eventtypes.Target) error {
			return of(api.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: &name, Targets: *before}))
		}, nil, "ResourceNotFoundException"),
	}
}

// eventRule is a rule as it is put.
func eventRule(ctx context.Context, api *eventbridge.Client, name string) (*eventbridge.PutRuleInput, error) {
	got, err := api.DescribeRule(ctx, &eventbridge.DescribeRuleInput{Name: &name})
	if err != nil {
		return nil, err
	}
	return &eventbridge.PutRuleInput{
		Name: &name, Description: got.Description, EventPattern: got.EventPattern, ScheduleExpression: got.ScheduleExpression, RoleArn: got.RoleArn, State: got.State,
	}, nil
}

// logGroupSettings are those of the log group that the trail sends events to.
func logGroupSettings(clients Clients, t Target) []setting {
	api, name := clients.Logs, t.logGroup()
	return []setting{
		settingOf("log group", func(ctx context.Context) (*logtypes.LogGroup, error) {
			group, err := logGroup(ctx, api, name)
			if group != nil {
				group = &logtypes.LogGroup{LogGroupName: group.LogGroupName, KmsKeyId: group.KmsKeyId}
			}
			return group, err
		}, func(ctx context.Context, before *logtypes.LogGroup) error {
			return of(api.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &name, KmsKeyId: before.KmsKeyId}))
		}, nil),
		settingOf("retention of the log group", func(ctx context.Context) (*int32, error) {
			group, err := logGroup(ctx, api, name)
			if err != nil || group == nil {
				return nil, err
			}
			return group.RetentionInDays, nil
		}, func(ctx context.Context, before *int32) error {
			return of(api.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: &name, RetentionInDays: before}))
		}, func(ctx context.Context) error {
			return of(api.DeleteRetentionPolicy(ctx, &cloudwatchlogs.DeleteRetentionPolicyInput{LogGroupName: &name}))
		}),
	}
}

func logGroup(ctx context.Context, api *cloudwatchlogs.Client, name string) (*logtypes.LogGroup, error) {
	got, err := api.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: &name})
	if err != nil {
		return nil, err
	}
	return only(slices.DeleteFunc(got.LogGroups, func(g logtypes.LogGroup) bool { return aws.ToString(g.LogGroupName) != name })), nil
}

// displayName is the attribute of a topic that harms nobody.
const displayName = "DisplayName"

// topicSettings are those of the alert topic that scenarios change.
func topicSettings(clients Clients, t Target) []setting {
	api, topic := clients.SNS, t.guard.AlertTopicARN
	return []setting{settingOf("display name of the topic", func(ctx context.Context) (*string, error) {
		got, err := api.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: &topic})
		if err != nil {
			return nil, err
		}
		return aws.String(got.Attributes[displayName]), nil
	}, func(ctx context.Context, before *string) error {
		return of(api.SetTopicAttributes(ctx, &sns.SetTopicAttributesInput{TopicArn: &topic, AttributeName: aws.String(displayName), AttributeValue: before}))
	}, nil)}
}

// alarmSettings are those of one of the guard's alarms.
func alarmSettings(clients Clients, t Target) []setting {
	api := clients.CloudWatch
	return []setting{settingOf("alarm", func(ctx context.Context) (*cloudwatch.PutMetricAlarmInput, error) {
		return metricAlarm(ctx, api, t.alarm())
	},
		func(ctx context.Context, before *cloudwatch.PutMetricAlarmInput) error {
			return of(api.PutMetricAlarm(ctx, before))
		}, nil)}
}

// metricAlarm is an alarm as it is put; nil if there is none.
func metricAlarm(ctx context.Context, api *cloudwatch.Client, name string) (*cloudwatch.PutMetricAlarmInput, error) {
	got, err := api.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{name}, AlarmTypes: []cwtypes.AlarmType{cwtypes.AlarmTypeMetricAlarm}})
	if err != nil || len(got.MetricAlarms) == 0 {
		return nil, err
	}
	var alarm cloudwatch.PutMetricAlarmInput
	if err := json.Unmarshal([]byte(encode(got.MetricAlarms[0])), &alarm); err != nil { // members have the same names
		return nil, fmt.Errorf("reading an alarm: %w", err)
	}
	if alarm.Metrics != nil && len(alarm.Metrics) == 0 {
		alarm.Metrics = nil
	}
	return &alarm, nil
}

// stackSettings are those of the guard's stack.
func stackSettings(clients Clients, t Target) []setting {
	api, stack := clients.CloudFormation, t.guard.Stack
	return []setting{settingOf("template of the stack", func(ctx context.Context) (*string, error) { return template(ctx, api, stack) },
		func(ctx context.Context, before *string) error { return updateStack(ctx, api, stack, *before) }, nil)}
}

func template(ctx context.Context, api *cloudformation.Client, stack string) (*string, error) {
	got, err := api.GetTemplate(ctx, &cloudformation.GetTemplateInput{StackName: &stack, TemplateStage: cfntypes.TemplateStageOriginal})
	if err != nil {
		return nil, err
	}
	return got.TemplateBody, nil
}

func updateStack(ctx context.Context, api *cloudformation.Client, stack, template string) error {
	return of(api.UpdateStack(ctx, &cloudformation.UpdateStackInput{
		StackName: &stack, TemplateBody: &template, Capabilities: []cfntypes.Capability{cfntypes.CapabilityCapabilityIam, cfntypes.CapabilityCapabilityNamedIam},
	}))
}
