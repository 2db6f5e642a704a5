package localaws

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/trailguard/trailguard/drill/internal/localaws/api"
)

// anyResource is the resource of an action that takes none.
const anyResource = "*"

// resourceRule says where the resource of some operations is to be found.
type resourceRule struct {
	operations string // separated by spaces
	// member is the path of the input's member that names the resource; a list names several. Empty means that the
	// operations have no resource.
	member string
	// form is the ARN with %s for the name, without arn:aws:SERVICE:REGION:ACCOUNT:. A name that is an ARN stands for
	// itself.
	form string
}

// resourceRules are the rules of each service, by its signing name. They follow the tables of
// https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html.
// S3, KMS, IAM and the rules and recorders of Config, whose ARNs hold more than their names, are in code.
var resourceRules = map[string][]resourceRule{
	"cloudtrail": {
		{operations: "DescribeTrails ListTrails LookupEvents ListPublicKeys RegisterOrganizationDelegatedAdmin DeregisterOrganizationDelegatedAdmin"},
		{operations: "CreateTrail DeleteTrail StartLogging StopLogging UpdateTrail GetTrail GetTrailStatus", member: "Name", form: "trail/%s"},
		{operations: "PutEventSelectors GetEventSelectors PutInsightSelectors GetInsightSelectors", member: "TrailName", form: "trail/%s"},
		{operations: "AddTags RemoveTags", member: "ResourceId", form: "trail/%s"},
		{operations: "ListTags", member: "ResourceIdList", form: "trail/%s"},
	},
	"config": {
		{operations: "DescribeConfigRules DescribeConfigRuleEvaluationStatus DescribeComplianceByConfigRule DescribeComplianceByResource " +
			"GetComplianceDetailsByResource ListConfigurationRecorders PutDeliveryChannel DeleteDeliveryChannel DescribeDeliveryChannels " +
			"DescribeDeliveryChannelStatus PutRemediationExceptions DeleteRemediationExceptions DescribeRemediationExceptions " +
			"StartRemediationExecution PutEvaluations SelectResourceConfig ListDiscoveredResources GetResourceConfigHistory"},
	},
	"ssm": {
		{operations: "ListDocuments DescribeAutomationExecutions ListCommands DescribeParameters"},
		{operations: "CreateDocument DeleteDocument UpdateDocument UpdateDocumentDefaultVersion ModifyDocumentPermission " +
			"DescribeDocument DescribeDocumentPermission GetDocument ListDocumentVersions", member: "Name", form: "document/%s"},
		{operations: "GetAutomationExecution StopAutomationExecution DescribeAutomationStepExecutions SendAutomationSignal",
			member: "AutomationExecutionId", form: "automation-execution/%s"},
		{operations: "AddTagsToResource RemoveTagsFromResource ListTagsForResource", member: "ResourceId", form: "document/%s"},
	},
	"sns": {
		{operations: "ListTopics ListSubscriptions"},
		{operations: "CreateTopic", member: "Name", form: "%s"},
		{operations: "DeleteTopic SetTopicAttributes GetTopicAttributes Publish PublishBatch Subscribe ConfirmSubscription " +
			"ListSubscriptionsByTopic AddPermission RemovePermission", member: "TopicArn"},
		{operations: "TagResource UntagResource ListTagsForResource", member: "ResourceArn"},
	},
	"sqs": {
		{operations: "ListQueues"},
		{operations: "CreateQueue GetQueueUrl", member: "QueueName", form: "%s"},
		{operations: "DeleteQueue SetQueueAttributes GetQueueAttributes SendMessage SendMessageBatch ReceiveMessage DeleteMessage " +
			"DeleteMessageBatch PurgeQueue AddPermission RemovePermission TagQueue UntagQueue ListQueueTags", member: "QueueUrl"},
	},
	"logs": {
		{operations: "DescribeLogGroups PutResourcePolicy DeleteResourcePolicy DescribeResourcePolicies"},
		{operations: "CreateLogGroup DeleteLogGroup PutRetentionPolicy DeleteRetentionPolicy PutSubscriptionFilter " +
			"DeleteSubscriptionFilter DescribeSubscriptionFilters PutMetricFilter DeleteMetricFilter AssociateKmsKey DisassociateKmsKey " +
			"DescribeLogStreams FilterLogEvents CreateLogStream DeleteLogStream PutLogEvents GetLogEvents",
			member: "logGroupName", form: "log-group:%s:log-stream:"},
		{operations: "TagResource UntagResource ListTagsForResource", member: "resourceArn"},
	},
	"monitoring": {
		{operations: "PutMetricData GetMetricData GetMetricStatistics ListMetrics"},
		{operations: "PutMetricAlarm SetAlarmState", member: "AlarmName", form: "alarm:%s"},
		{operations: "DeleteAlarms EnableAlarmActions DisableAlarmActions DescribeAlarms", member: "AlarmNames", form: "alarm:%s"},
	},
	"events": {
		{operations: "ListRules ListRuleNamesByTarget ListEventBuses PutPermission RemovePermission TestEventPattern PutEvents DescribeEventBus"},
		{operations: "PutRule DeleteRule DisableRule EnableRule DescribeRule", member: "Name", form: "rule/%s"},
		{operations: "PutTargets RemoveTargets ListTargetsByRule", member: "Rule", form: "rule/%s"},
		{operations: "TagResource UntagResource ListTagsForResource", member: "ResourceARN"},
	},
	"cloudformation": {
		{operations: "ListStacks ListStackSets ValidateTemplate ListExports ListImports EstimateTemplateCost DescribeType ListTypes"},
		{operations: "CreateStack UpdateStack DeleteStack SetStackPolicy UpdateTerminationProtection CreateChangeSet ExecuteChangeSet " +
			"DescribeChangeSet DeleteChangeSet ListChangeSets GetTemplate GetStackPolicy DescribeStackResource DescribeStackResources " +
			"ListStackResources DescribeStackEvents DescribeEvents RollbackStack ContinueUpdateRollback CancelUpdateStack " +
			"DescribeStacks GetTemplateSummary", member: "StackName", form: "stack/%s/*"},
		{operations: "CreateStackSet UpdateStackSet DeleteStackSet DescribeStackSet CreateStackInstances DeleteStackInstances " +
			"UpdateStackInstances ListStackInstances DescribeStackSetOperation", member: "StackSetName", form: "stackset/%s:*"},
	},
	// The actions on an organization's own policies have a resource, which is not modelled: only statements on every
	// resource bear on them.
	"organizations": {
		{operations: "DescribeOrganization ListAccounts ListRoots ListPolicies ListDelegatedAdministrators LeaveOrganization " +
			"RemoveAccountFromOrganization MoveAccount AttachPolicy DetachPolicy CreatePolicy UpdatePolicy DeletePolicy DescribePolicy " +
			"EnablePolicyType DisablePolicyType EnableAWSServiceAccess DisableAWSServiceAccess ListAWSServiceAccessForOrganization " +
			"RegisterDelegatedAdministrator DeregisterDelegatedAdministrator ListTargetsForPolicy ListPoliciesForTarget"},
	},
}

// passedRoles are the members that hold the ARN of a role which the caller passes to a service.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
var passedRoles = map[string]struct{ member, service string }{
	"cloudtrail:CreateTrail":          {"CloudWatchLogsRoleArn", "cloudtrail.amazonaws.com"},
	"cloudtrail:UpdateTrail":          {"CloudWatchLogsRoleArn", "cloudtrail.amazonaws.com"},
	"config:PutConfigurationRecorder": {"ConfigurationRecorder.roleARN", "config.amazonaws.com"},
	"events:PutRule":                  {"RoleArn", "events.amazonaws.com"},
	"events:PutTargets":               {"Targets.RoleArn", "events.amazonaws.com"},
	"cloudformation:CreateStack":      {"RoleARN", "cloudformation.amazonaws.com"},
	"cloudformation:UpdateStack":      {"RoleARN", "cloudformation.amazonaws.com"},
	"cloudformation:DeleteStack":      {"RoleARN", "cloudformation.amazonaws.com"},
	"cloudformation:CreateChangeSet":  {"RoleARN", "cloudformation.amazonaws.com"},
	"cloudformation:ExecuteChangeSet": {"RoleARN", "cloudformation.amazonaws.com"},
	"logs:PutSubscriptionFilter":      {"roleArn", "logs.amazonaws.com"},
}

// question is one thing that a call must be allowed.
type question struct {
	action, resource string
	keys             map[string][]string // condition keys
	code             string              // of the refusal, if it is not that of the service's protocol
}

// questions are all that a call must be allowed. known is false if the resource of the operation is not modelled.
func (g *Gateway) questions(ctx context.Context, call api.Call) (all []question, known bool, err error) {
	if passed, ok := passedRoles[call.Action()]; ok {
		for _, role := range texts(call.Input, passed.member) {
			if role != "" {
				all = append(all, passRole(role, passed.service))
			}
		}
	}
	ask := func(action string, resources ...string) {
		for _, resource := range resources {
			all = append(all, question{action: action, resource: resource})
		}
	}
	switch call.Service {
	case "s3":
		ask("s3:"+s3Action(call), s3Resources(call)...)
		return all, true, nil
	case "kms":
		resources, err := g.keyResources(ctx, call)
		ask(call.Action(), resources...)
		return all, true, err
	case "iam":
		resources, known, err := g.iamResources(ctx, call)
		ask(call.Action(), resources...)
		return all, known, err
	case "config":
		resources, known, err := g.configResources(ctx, call)
		if known || err != nil {
			ask(call.Action(), resources...)
			return all, known, err
		}
	case "ssm":
		if call.Operation == "StartAutomationExecution" {
			ask(call.Action(), automationResources(call)...)
			return all, true, nil
		}
	}
	for _, rule := range resourceRules[call.Service] {
		if slices.Contains(strings.Fields(rule.operations), call.Operation) {
			ask(iamPrefix(call.Service)+":"+call.Operation, rule.resources(call)...)
			more, err := g.topicKeyQuestions(ctx, call)
			return append(all, more...), true, err
		}
	}
	return all, false, nil
}

// iamPrefix is the prefix of a service's actions, which for most is its signing name.
func iamPrefix(service string) string {
	if service == "monitoring" {
		return "cloudwatch"
	}
	return service
}

func passRole(role, service string) question {
	return question{action: "iam:PassRole", resource: role, keys: map[string][]string{"iam:PassedToService": {service}}}
}

// resources are the ARNs of the resources that a call names.
func (r resourceRule) resources(call api.Call) []string {
	if r.member == "" {
		return []string{anyResource}
	}
	var arns []string
	for _, name := range texts(call.Input, r.member) {
		switch {
		case strings.HasPrefix(name, "arn:"):
			arns = append(arns, name)
		case r.member == "QueueUrl":
			arns = append(arns, arnOf(call, name[strings.LastIndexByte(name, '/')+1:]))
		default:
			arns = append(arns, arnOf(call, fmt.Sprintf(r.form, name)))
		}
	}
	if len(arns) == 0 {
		// Either the member is optional, or the service refuses the call for want of it.
		return []string{anyResource}
	}
	return arns
}

func arnOf(call api.Call, resource string) string {
	service := iamPrefix(call.Service)
	return fmt.Sprintf("arn:%s:%s:%s:%s:%s", api.Partition, service, call.Region, api.Account, resource)
}

// texts are the strings at a path of members, through lists.
func texts(input any, path string) []string {
	switch value := input.(type) {
	case string:
		if path == "" {
			return []string{value}
		}
	case []any:
		var all []string
		for _, item := range value {
			all = append(all, texts(item, path)...)
		}
		return all
	case map[string]any:
		name, rest, _ := strings.Cut(path, ".")
		if member, ok := value[name]; ok {
			return texts(member, rest)
		}
	}
	return nil
}

// text is the first string at a path of members; empty if there is none.
func text(input any, path string) string {
	if all := texts(input, path); len(all) > 0 {
		return all[0]
	}
	return ""
}

func s3Action(call api.Call) string {
	operation, _ := s3ByName(call.Operation)
	action := operation.action
	if action == "" {
		action = operation.name
	}
	if call.Input["VersionId"] != nil && (action == "GetObject" || action == "DeleteObject") {
		action += "Version"
	}
	return action
}

func s3Resources(call api.Call) []string {
	bucket := text(call.Input, "Bucket")
	if bucket == "" {
		return []string{anyResource}
	}
	arn := fmt.Sprintf("arn:%s:s3:::%s", api.Partition, bucket)
	if call.Operation == "DeleteObjects" {
		var arns []string
		for _, key := range texts(call.Input, "Delete.Object.Key") {
			arns = append(arns, arn+"/"+key)
		}
		return arns
	}
	if key := text(call.Input, "Key"); key != "" {
		arn += "/" + key
	}
	return []string{arn}
}

// automationResources are those of StartAutomationExecution. Policies in use name the automation-definition, the service's
// table requires the document and the execution: a caller needs all, so that a policy that passes here passes under either
// reading.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html
func automationResources(call api.Call) []string {
	name, version := text(call.Input, "DocumentName"), text(call.Input, "DocumentVersion")
	if version == "" {
		version = "$DEFAULT"
	}
	if strings.HasPrefix(name, "arn:") {
		name = name[strings.LastIndexByte(name, '/')+1:]
	}
	const execution = "automation-execution/00000000-0000-4000-8002-000000000000" // the id is not known before the start
	return []string{arnOf(call, "document/"+name), arnOf(call, "automation-definition/"+name+":"+version), arnOf(call, execution)}
}

// keyResources are the key, and the alias where there is one.
// https://docs.aws.amazon.com/kms/latest/developerguide/kms-api-permissions-reference.html
func (g *Gateway) keyResources(ctx context.Context, call api.Call) ([]string, error) {
	var arns []string
	switch call.Operation {
	case "CreateKey", "ListKeys", "ListAliases", "GenerateRandom":
		return []string{anyResource}, nil
	case "CreateAlias", "UpdateAlias", "DeleteAlias":
		arns = append(arns, arnOf(call, text(call.Input, "AliasName")))
	}
	id := text(call.Input, "KeyId")
	if id == "" {
		id = text(call.Input, "TargetKeyId")
	}
	if id == "" {
		id = text(call.Input, "AliasName")
	}
	if id == "" {
		return nil, notModelled("kms:%s without a key", call.Operation)
	}
	key, err := g.key(ctx, id)
	if isRefusal(err) {
		// There is no such key: the service says so itself.
		return append(arns, anyResource), nil
	}
	if err != nil {
		return nil, err
	}
	return append(arns, key.ARN), nil
}

// iamResources are the role, user or policy that a call names.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
func (g *Gateway) iamResources(ctx context.Context, call api.Call) (arns []string, known bool, err error) {
	arn := func(kind, path, name string) []string {
		if path == "" {
			path = "/"
		}
		return []string{fmt.Sprintf("arn:%s:iam::%s:%s%s%s", api.Partition, api.Account, kind, path, name)}
	}
	path := text(call.Input, "Path")
	role := text(call.Input, "RoleName")
	switch {
	case call.Operation == "CreateRole":
		return arn("role", path, role), true, nil
	case role != "" && !strings.Contains(call.Operation, "InstanceProfile"):
		found, err := g.role(ctx, role)
		if isRefusal(err) {
			return arn("role", "", role), true, nil
		}
		if err != nil {
			return nil, false, err
		}
		return []string{found.arn}, true, nil
	case call.Operation == "CreateServiceLinkedRole":
		return arn("role", "/aws-service-role/", text(call.Input, "AWSServiceName")+"/*"), true, nil
	case call.Operation == "CreatePolicy":
		return arn("policy", path, text(call.Input, "PolicyName")), true, nil
	case text(call.Input, "PolicyArn") != "":
		return []string{text(call.Input, "PolicyArn")}, true, nil
	case text(call.Input, "UserName") != "":
		return arn("user", path, text(call.Input, "UserName")), true, nil
	case strings.HasPrefix(call.Operation, "List") || call.Operation == "GetAccountSummary":
		return []string{anyResource}, true, nil
	}
	return nil, false, nil
}

// configResources are the rule, remediation or recorder that a call names. Their ARNs end in ids that Config chose, so it
// is asked; what does not exist yet has the id "new".
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsconfig.html
func (g *Gateway) configResources(ctx context.Context, call api.Call) (arns []string, known bool, err error) {
	var members []string
	var kind configKind
	switch call.Operation {
	case "PutConfigRule":
		kind, members = configRule, []string{"ConfigRule.ConfigRuleName"}
	case "DeleteConfigRule", "GetComplianceDetailsByConfigRule", "GetCustomRulePolicy", "DeleteEvaluationResults":
		kind, members = configRule, []string{"ConfigRuleName"}
	case "StartConfigRulesEvaluation":
		kind, members = configRule, []string{"ConfigRuleNames"}
	case "PutRemediationConfigurations":
		kind, members = configRemediation, []string{"RemediationConfigurations.ConfigRuleName"}
	case "DeleteRemediationConfiguration", "DescribeRemediationExecutionStatus":
		kind, members = configRemediation, []string{"ConfigRuleName"}
	case "DescribeRemediationConfigurations":
		kind, members = configRemediation, []string{"ConfigRuleNames"}
	case "PutConfigurationRecorder":
		kind, members = configRecorder, []string{"ConfigurationRecorder.name"}
	case "StartConfigurationRecorder", "StopConfigurationRecorder", "DeleteConfigurationRecorder":
		kind, members = configRecorder, []string{"ConfigurationRecorderName"}
	case "DescribeConfigurationRecorders", "DescribeConfigurationRecorderStatus":
		kind, members = configRecorder, []string{"ConfigurationRecorderNames"}
	default:
		return nil, false, nil
	}
	for _, member := range members {
		for _, name := range texts(call.Input, member) {
			arn, err := g.configARN(ctx, kind, name)
			if err != nil {
				return nil, false, err
			}
			if arn == "" {
				arn = arnOf(call, strings.Replace(kind.form, "%s", name, 1))
			}
			arns = append(arns, arn)
		}
	}
	if len(arns) == 0 {
		arns = []string{anyResource}
	}
	return arns, true, nil
}

// configKind is a kind of resource of Config, and how to ask for its ARN.
type configKind struct{ operation, names, list, arn, form string }

var (
	configRule = configKind{"DescribeConfigRules", "ConfigRuleNames", "ConfigRules", "ConfigRuleArn", "config-rule/new"}

	configRemediation = configKind{"DescribeRemediationConfigurations", "ConfigRuleNames", "RemediationConfigurations", "Arn",
		"remediation-configuration/%s/new"}

	configRecorder = configKind{"DescribeConfigurationRecorders", "ConfigurationRecorderNames", "ConfigurationRecorders", "arn",
		"configuration-recorder/%s/new"}
)

// configARN asks Config for the ARN of one of its resources; empty if it does not exist or does not tell.
func (g *Gateway) configARN(ctx context.Context, kind configKind, name string) (string, error) {
	handler := g.options.Handlers["config"]
	if handler == nil {
		return "", nil
	}
	output, err := handler.Handle(ctx, api.Call{
		Service: "config", Operation: kind.operation, Region: api.Region, Input: map[string]any{kind.names: []any{name}},
	})
	if isRefusal(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("asking Config for %s: %w", name, err)
	}
	decoded, err := normalize(output)
	if err != nil {
		return "", err
	}
	return text(decoded, kind.list+"."+kind.arn), nil
}
