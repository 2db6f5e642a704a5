package detection

import (
	"fmt"
	"maps"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/validation"
)

// Parts are what a guard is made of, besides its trail and log store: whoever takes one apart disarms the guard.
type Parts struct {
	// Scope is a construct of the guard's stack. What CloudFormation names for a stack has the stack's name in front: rules, documents,
	// roles, alarms and Config rules are known by that.
	Scope constructs.Construct
	// Rule is a rule of the guard: in its name the stack's is as short as in that of any part.
	Rule awsevents.IRule
	// Roles are the roles that do not have a name of the stack's.
	Roles []awsiam.IRole
	// AlertTopic is the topic that is told, and DeadLetterQueue what keeps what it was not told.
	AlertTopic      awssns.ITopic
	DeadLetterQueue awssqs.IQueue
	// IsSupplied tells whether the topic is not of the stack.
	IsSupplied bool
	// LogGroup is where CloudTrail sends events, nil if there is none.
	LogGroup awslogs.ILogGroup
	// ConfigRules tells whether Config's recorder and rules are parts of the guard.
	ConfigRules bool
}

// PartsPattern is the pattern of a rule that tells of calls against parts.
type PartsPattern struct {
	// ID is the rule's.
	ID string
	Pattern
	// TooLong says that the pattern is longer than EventBridge takes, and of what.
	TooLong error
}

// GuardTamperingPatterns match the CloudTrail event of every successful call that changes a part of the guard, whoever makes it: but what
// CloudFormation does in a deployment. They are the pattern of one rule, GuardTampering, or of two, if the parts that the stack did not name do
// not fit into it: the other is SuppliedTampering.
//
// A part that the parameters name is enough: what will be possible to do to it some day counts, too. Calls are named only where others that
// name the part do no harm. The call that begins a deployment is told if it is DeleteStack or UpdateStack, of which the second has no change
// set that people could look at before. An ExecuteChangeSet, with which the CDK deploys, is not. Parts of another stack whose name begins
// with the guard's are taken for the guard's.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/access_forward_access_sessions.html
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-api-logging-cloudtrail.html
func GuardTamperingPatterns(parts Parts) []PartsPattern {
	own, longest := parts.ofStack()
	supplied, longestSupplied, given := parts.supplied()
	guard := parts.pattern("GuardTampering", own, longest, map[string]string{"StackName": strings.Repeat("x", parts.stackName())})
	if len(supplied) == 0 {
		return []PartsPattern{guard}
	}
	maps.Copy(longest, longestSupplied)
	if all := parts.pattern("GuardTampering", append(own, supplied...), longest, given); all.TooLong == nil {
		return []PartsPattern{all}
	}
	return []PartsPattern{guard, parts.pattern("SuppliedTampering", supplied, longestSupplied, given)}
}

// ofStack are the alternatives for the parts that the stack named, and the most characters of what tokens in them stand for.
func (p Parts) ofStack() (alternatives []any, longest map[string]int) {
	cut := stackIn(p.Rule)
	ofStack := []any{map[string]any{"prefix": cut}}
	// The names of alarms may have 255 characters: in them the stack's is whole.
	ofAlarms := []any{map[string]any{"prefix": awscdk.Aws_STACK_NAME()}}
	// The stack is named by its name, or by its ARN, which ends with what is in no other.
	id := awscdk.Fn_Select(jsii.Number(2), awscdk.Fn_Split(jsii.String("/"), awscdk.Aws_STACK_ID(), nil))
	// named are the parameters in which any call names a part. The events of IAM arrive in one Region of a partition, from which IamEvents
	// hands them on.
	named := []any{
		map[string]any{"rule": ofStack},
		map[string]any{"alarmName": ofAlarms},
		map[string]any{"alarmNames": ofAlarms},
		map[string]any{"roleName": ofStack},
		map[string]any{"queueUrl": []any{map[string]any{"suffix": p.DeadLetterQueue.QueueName()}}},
	}
	if p.ConfigRules {
		named = append(named, map[string]any{"configRule": map[string]any{"configRuleName": ofStack}},
			map[string]any{"remediationConfigurations": map[string]any{"configRuleName": ofStack}})
	}
	if !p.IsSupplied {
		named = append(named, p.namedOfTopic()...)
		alternatives = append(alternatives, p.ofTopic())
	}
	alternatives = append(alternatives,
		anyOf(named),
		// A trail may be named as the stack is: the services whose name is meant are named, too.
		naming("name", ofStack, map[string]any{"eventSource": []any{"events.amazonaws.com", "ssm.amazonaws.com"}}),
		naming("stackName", []any{awscdk.Aws_STACK_NAME(), map[string]any{"suffix": id}},
			callsOf("DeleteStack", "UpdateStack", "SetStackPolicy", "UpdateTerminationProtection")),
	)
	if p.ConfigRules {
		alternatives = append(alternatives,
			callsOf("StopConfigurationRecorder", "DeleteConfigurationRecorder", "PutConfigurationRecorder", "DeleteDeliveryChannel", "PutDeliveryChannel"),
			naming("configRuleName", ofStack, callsOf("DeleteConfigRule", "DeleteRemediationConfiguration", "PutRemediationExceptions")))
	}
	const queueName = 80
	stackName := p.stackName()
	longest = map[string]int{
		*awscdk.Aws_STACK_NAME(): stackName, *cut: min(stackName, mostOfStack), *id: uuid, *p.DeadLetterQueue.QueueName(): queueName,
	}
	if topic, ok := p.AlertTopic.Node().DefaultChild().(awssns.CfnTopic); ok {
		longest[*topic.Ref()] = len("arn:aws-us-gov:sns:us-gov-west-1:123456789012:") + stackName + len(logicalID(topic)) + len("--") + random
	}
	if key := p.AlertTopic.MasterKey(); key != nil {
		longest[*key.KeyId()] = uuid
	}
	return alternatives, longest
}

// supplied are the alternatives for the parts that the stack did not name, the most characters of what tokens in them stand for, and what may make
// them long.
func (p Parts) supplied() (alternatives []any, longest map[string]int, given map[string]string) {
	const roleName, topicARN, logGroupName = 64, 320, 512
	longest, given = map[string]int{}, map[string]string{}
	if p.IsSupplied {
		longest[*p.AlertTopic.TopicArn()] = topicARN
		given["AlertTopic"] = *p.AlertTopic.TopicArn()
		alternatives = append(alternatives, p.ofTopic(), anyOf(p.namedOfTopic()))
	}
	if len(p.Roles) > 0 {
		var roles []any
		for _, role := range p.Roles {
			roles = append(roles, role.RoleName())
			longest[*role.RoleName()] = roleName
			given["AutomationRole"] += *role.RoleName()
		}
		alternatives = append(alternatives, naming("roleName", roles, nil))
	}
	if p.LogGroup != nil {
		name := *p.LogGroup.LogGroupName()
		alternatives = append(alternatives, naming("logGroupName", []any{name}, but("CreateLogStream")))
		longest[name] = logGroupName
		given["CloudWatchLogGroup"] = name
		if group, ok := p.LogGroup.Node().DefaultChild().(awslogs.CfnLogGroup); ok {
			longest[name] = p.stackName() + len(logicalID(group)) + len("--") + random
		}
	}
	return alternatives, longest, given
}

func (p Parts) stackName() int { return validation.Characters(*awscdk.Stack_Of(p.Scope).StackName()) }

// pattern is that of the rule with the id, for calls that match one of the alternatives.
func (p Parts) pattern(id string, alternatives []any, longest map[string]int, given map[string]string) PartsPattern {
	detail := map[string]any{"$or": alternatives}
	if len(alternatives) == 1 { // EventBridge takes an $or of one for a field of that name
		detail = maps.Clone(alternatives[0].(map[string]any))
	}
	pattern := changing(detail)
	return PartsPattern{id, pattern, p.check(id, pattern, longest, given)}
}

// ofTopic matches what is done to the topic. Whoever wants to be told does no harm.
func (p Parts) ofTopic() map[string]any {
	return naming("topicArn", []any{p.AlertTopic.TopicArn()}, but("Subscribe", "ConfirmSubscription"))
}

// namedOfTopic are the parameters in which any call names a subscription of the topic, or its key.
func (p Parts) namedOfTopic() []any {
	named := []any{map[string]any{"subscriptionArn": []any{map[string]any{"prefix": p.AlertTopic.TopicArn()}}}}
	if key := p.AlertTopic.MasterKey(); key != nil {
		named = append(named, map[string]any{"keyId": []any{map[string]any{"suffix": key.KeyId()}}})
	}
	return named
}

// changing matches successful calls, but for those that CloudFormation makes in a deployment.
func changing(detail map[string]any) Pattern {
	detail["errorCode"] = []any{absent}
	// Events of other types do not have it, and messages to the topic and the queue, which are data events, have another value.
	detail["managementEvent"] = []any{true}
	detail["userIdentity"] = map[string]any{"invokedBy": []any{absent, map[string]any{"anything-but": "cloudformation.amazonaws.com"}}}
	return Pattern{Detail: detail}
}

// anyOf matches calls whose parameters match one of some. EventBridge takes an $or of one for a field of that name.
func anyOf(parameters []any) map[string]any {
	if len(parameters) == 1 {
		return map[string]any{"requestParameters": parameters[0]}
	}
	return map[string]any{"requestParameters": map[string]any{"$or": parameters}}
}

// naming matches calls that name one of the values in a parameter, and what else they must match.
func naming(parameter string, values any, also map[string]any) map[string]any {
	detail := map[string]any{"requestParameters": map[string]any{parameter: values}}
	for name, value := range also {
		detail[name] = value
	}
	return detail
}

func callsOf(names ...any) map[string]any { return map[string]any{"eventName": names} }

func but(names ...any) map[string]any {
	return map[string]any{"eventName": []any{map[string]any{"anything-but": names}}}
}

// What CloudFormation makes of a name that may have 64 characters, such as a rule's or a role's: it cuts both the stack's name and the logical id
// if they are too long together.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html
const (
	certain     = 12 // characters of the logical id, at the least
	random      = 12
	mostOfStack = 64 - certain - random - len("--")
	uuid        = 36
)

// stackIn is the stack's name as it is in the name of a rule. A template that knew the name itself would fit one stack alone.
func stackIn(rule awsevents.IRule) *string {
	resource := rule.Node().DefaultChild().(awsevents.CfnRule)
	id := logicalID(resource)
	return awscdk.Fn_Select(jsii.Number(0), awscdk.Fn_Split(jsii.String("-"+id[:min(len(id), certain)]), resource.Ref(), nil))
}

func logicalID(resource awscdk.CfnElement) string {
	return fmt.Sprint(resource.Stack().Resolve(resource.LogicalId()))
}

// check refuses a pattern that is longer than EventBridge takes. The longest are the most characters of what the tokens stand for; given is
// what makes it long, by the names of the properties.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
func (p Parts) check(rule string, pattern Pattern, longest map[string]int, given map[string]string) error {
	text := validation.JSON(pattern.Object())
	for token, most := range longest {
		if !*awscdk.Token_IsUnresolved(token) {
			continue
		}
		text = strings.ReplaceAll(text, token, strings.Repeat("x", most))
	}
	return validation.Text{
		Name: "the event pattern of the rule " + rule, Taker: "EventBridge", Unit: "characters", Most: 2048, Has: validation.Characters(text), Parts: given,
	}.Check()
}
