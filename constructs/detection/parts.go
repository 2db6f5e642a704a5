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
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/validation"
)

// Parts are what a guard is made of, besides its trail and log store: whoever takes one apart disarms the guard.
type Parts struct {
	// Rule is a rule of the guard. What CloudFormation names for a stack has the stack's name in front: by that rules, documents, roles, alarms,
	// queues, topics and Config rules are known. In the name of this rule it is as short as in that of any part.
	Rule awsevents.IRule
	// Roles are the roles that do not have a name of the stack's.
	Roles []awsiam.IRole
	// AlertTopic is the topic that is told.
	AlertTopic awssns.ITopic
	// IsSupplied tells whether the topic is not of the stack.
	IsSupplied bool
	// LogGroup is where CloudTrail sends events, nil if there is none.
	LogGroup awslogs.ILogGroup
	// ConfigRules tells whether Config's recorder and rules are parts of the guard.
	ConfigRules bool
}

// PartsPattern is the pattern of a rule that tells of calls against parts of the guard.
type PartsPattern struct {
	// ID is the rule's.
	ID string
	// Text is the pattern. CloudFormation takes a text as well as an object: what the stack's name is cut to stands in it many times, and is worked
	// out once.
	Text *string
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
	text := parts.newText()
	own := parts.ofStack(text)
	guard := text.pattern("GuardTampering", own)
	supplied := parts.supplied(text)
	if len(supplied) == 0 {
		return []PartsPattern{guard}
	}
	if all := text.pattern("GuardTampering", append(own, supplied...)); all.TooLong == nil {
		return []PartsPattern{all}
	}
	return []PartsPattern{guard, text.pattern("SuppliedTampering", supplied)}
}

// ofStack are alternatives for the parts that the stack named.
func (p Parts) ofStack(text *patternText) []any {
	ofStack := []any{map[string]any{"prefix": cutName}}
	ofTopic := []any{map[string]any{"wildcard": "*:" + cutName + "*"}}
	// named are the parameters in which any call names a part. The events of IAM arrive in one Region of a partition, from which IamEvents
	// hands them on.
	named := []any{
		map[string]any{"rule": ofStack},
		map[string]any{"alarmName": ofStack},
		map[string]any{"alarmNames": ofStack},
		map[string]any{"roleName": ofStack},
		map[string]any{"queueUrl": []any{map[string]any{"wildcard": "*/" + cutName + "*"}}},
	}
	if p.ConfigRules {
		named = append(named, map[string]any{"configRule": map[string]any{"configRuleName": ofStack}},
			map[string]any{"remediationConfigurations": map[string]any{"configRuleName": ofStack}})
	}
	alternatives := []any{
		// A trail may be named as the stack is: the services whose name is meant are named, too.
		naming("name", ofStack, map[string]any{"eventSource": []any{"events.amazonaws.com", "ssm.amazonaws.com"}}),
		// It is named by its name, or by its ARN.
		naming("stackName", []any{wholeName, stackID},
			callsOf("DeleteStack", "UpdateStack", "SetStackPolicy", "UpdateTerminationProtection")),
	}
	if !p.IsSupplied {
		named = append(named, map[string]any{"subscriptionArn": ofTopic})
		if key := p.AlertTopic.MasterKey(); key != nil {
			named = append(named, map[string]any{"keyId": []any{map[string]any{"suffix": text.variable("K", *key.KeyId(), uuid, "")}}})
		}
		alternatives = append(alternatives, naming("topicArn", ofTopic, unlessSubscribing))
	}
	if p.ConfigRules {
		alternatives = append(alternatives,
			callsOf("StopConfigurationRecorder", "DeleteConfigurationRecorder", "PutConfigurationRecorder", "DeleteDeliveryChannel", "PutDeliveryChannel"),
			naming("configRuleName", ofStack, callsOf("DeleteConfigRule", "DeleteRemediationConfiguration", "PutRemediationExceptions")))
	}
	return append(alternatives, anyOf(named))
}

// supplied are alternatives for the parts that the stack did not name.
func (p Parts) supplied(text *patternText) []any {
	const topicARN, roleName, logGroupName = 320, 64, 512
	var alternatives []any
	if p.IsSupplied {
		topic := text.variable("T", *p.AlertTopic.TopicArn(), topicARN, "AlertTopic")
		named := []any{map[string]any{"subscriptionArn": []any{map[string]any{"prefix": topic}}}}
		if key := p.AlertTopic.MasterKey(); key != nil {
			named = append(named, map[string]any{"keyId": []any{map[string]any{"suffix": text.variable("K", *key.KeyId(), uuid, "")}}})
		}
		alternatives = append(alternatives, naming("topicArn", []any{topic}, unlessSubscribing), anyOf(named))
	}
	var roles []any
	for i, role := range p.Roles {
		roles = append(roles, text.variable(fmt.Sprint("R", i), *role.RoleName(), roleName, "AutomationRole"))
	}
	if len(roles) > 0 {
		alternatives = append(alternatives, naming("roleName", roles, nil))
	}
	if p.LogGroup != nil {
		most := logGroupName
		if group, ok := p.LogGroup.Node().DefaultChild().(awslogs.CfnLogGroup); ok && *awscdk.Token_IsUnresolved(group.LogGroupName()) {
			most = len(logicalID(group)) + text.longest[wholeName] + random
		}
		name := text.variable("L", *p.LogGroup.LogGroupName(), most, "CloudWatchLogGroup")
		alternatives = append(alternatives, naming("logGroupName", []any{name}, but("CreateLogStream")))
	}
	return alternatives
}

// Variables of a patternText: the stack's name as it is in the names of rules and roles, as it is, and its ARN.
const (
	cutName   = "${S}"
	wholeName = "${AWS::StackName}"
	stackID   = "${AWS::StackId}"
)

const (
	uuid   = 36
	random = 14 // characters that CloudFormation adds to a name, with its hyphens
)

// patternText is the text of a pattern with variables.
type patternText struct {
	variables map[string]*string
	// longest are the most characters of what stands in the place of a variable, and given the values by the names of the properties that they are
	// from.
	longest map[string]int
	given   map[string]string
}

func (p Parts) newText() *patternText {
	const mostOfStack, restOfID = 38, len("arn:aws-us-gov:cloudformation:us-gov-west-1:123456789012:stack//") + uuid
	name := validation.Characters(*p.Rule.Stack().StackName())
	return &patternText{
		variables: map[string]*string{"S": stackIn(p.Rule)},
		longest:   map[string]int{cutName: min(mostOfStack, name), wholeName: name, stackID: restOfID + name},
		given:     map[string]string{"StackName": strings.Repeat("x", name)},
	}
}

// variable is what stands in the text for a value of a property: the value itself, if it is known now.
func (t *patternText) variable(name, value string, most int, property string) string {
	if property != "" {
		t.given[property] += value
	}
	if !*awscdk.Token_IsUnresolved(value) {
		return value
	}
	t.variables[name] = &value
	t.longest["${"+name+"}"] = most
	return "${" + name + "}"
}

// pattern is that of the rule with the id, for calls that match one of the alternatives.
func (t *patternText) pattern(id string, alternatives []any) PartsPattern {
	detail := map[string]any{"$or": alternatives}
	if len(alternatives) == 1 { // EventBridge takes an $or of one for a field of that name
		detail = maps.Clone(alternatives[0].(map[string]any))
	}
	text := validation.JSON(changing(detail).Object())
	longest, variables := text, map[string]*string{}
	for variable, most := range t.longest {
		longest = strings.ReplaceAll(longest, variable, strings.Repeat("x", most))
	}
	for name, value := range t.variables {
		if strings.Contains(text, "${"+name+"}") {
			variables[name] = value
		}
	}
	return PartsPattern{id, awscdk.Fn_Sub(&text, &variables), validation.Text{
		Name: "the event pattern of the rule " + id, Taker: "EventBridge", Unit: "characters", Most: 2048, Has: validation.Characters(longest), Parts: t.given,
	}.Check()}
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

// unlessSubscribing leaves out whoever wants to be told, which does no harm.
var unlessSubscribing = but("Subscribe", "ConfirmSubscription")

func but(names ...any) map[string]any {
	return map[string]any{"eventName": []any{map[string]any{"anything-but": names}}}
}

// stackIn is the stack's name as it is in the name of a rule, which may have 64 characters: CloudFormation cuts both the stack's name and the
// logical id if they are too long together. So it is with roles. A template that knew the name itself would fit one stack alone.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html
func stackIn(rule awsevents.IRule) *string {
	const certain = 12 // characters of the logical id, at the least
	resource := rule.Node().DefaultChild().(awsevents.CfnRule)
	id := logicalID(resource)
	return awscdk.Fn_Select(jsii.Number(0), awscdk.Fn_Split(jsii.String("-"+id[:min(len(id), certain)]), resource.Ref(), nil))
}

func logicalID(resource awscdk.CfnElement) string {
	return fmt.Sprint(resource.Stack().Resolve(resource.LogicalId()))
}
