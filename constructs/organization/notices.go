package organization

import (
	"maps"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/alerting"
	"github.com/trailguard/trailguard/constructs/validation"
)

// notices are event rules that hand on what they match: to a topic as a message, to an event bus as it is, or to both.
//
//	rules ──tell, as TargetRole──► topic, event bus
//	  └──if they cannot──► DeadLetterQueue ──► Undelivered (alarm) ──► topic
type notices struct {
	findings validation.Findings
	scope    constructs.Construct
	// from is the event bus that the rules are on, the account's default one if it is nil.
	from awsevents.IEventBus
	// topic and bus are told. One of them may be nil.
	topic awssns.ITopic
	bus   awsevents.IEventBus

	targetRole      awsiam.Role
	deadLetterQueue awssqs.Queue
	rules           []*string
}

// notice is what one rule matches, and the message that it makes of it.
type notice struct {
	id      string
	pattern map[string]any
	paths   map[string]any
	message string
}

func newNotices(scope constructs.Construct, from awsevents.IEventBus, topic awssns.ITopic, bus awsevents.IEventBus) *notices {
	n := &notices{scope: scope, from: from, topic: topic, bus: bus}
	n.deadLetterQueue = awssqs.NewQueue(scope, jsii.String("DeadLetterQueue"), &awssqs.QueueProps{
		Encryption:      awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL:      jsii.Bool(true),
		RetentionPeriod: awscdk.Duration_Days(jsii.Number(14)),
	})
	n.targetRole = n.newTargetRole()
	return n
}

// newTargetRole is the one role for what EventBridge may do here. An event bus that lets in the accounts of an organization lets in roles
// only.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-account.html
func (n *notices) newTargetRole() awsiam.Role {
	role := awsiam.NewRole(n.scope, jsii.String("TargetRole"), &awsiam.RoleProps{
		Path: jsii.String(rolePath),
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), &awsiam.ServicePrincipalOpts{
			Conditions: &map[string]interface{}{
				"StringEquals": map[string]interface{}{"aws:SourceAccount": awscdk.Stack_Of(n.scope).Account()},
				// A condition on the rules' ARNs would be circular: each rule refers to this role.
				"ArnLike": map[string]interface{}{"aws:SourceArn": awscdk.Fn_Sub(jsii.String("arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/*"), nil)},
			},
		}),
	})
	if n.topic != nil {
		for _, statement := range alerting.Publish(n.topic) {
			role.AddToPolicy(statement)
		}
	}
	if n.bus != nil {
		role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid:       jsii.String("TellCentrally"),
			Actions:   jsii.Strings("events:PutEvents"),
			Resources: &[]*string{n.bus.EventBusArn()},
		}))
	}
	return role
}

// add defines the rule of a notice.
func (n *notices) add(notice notice) {
	var targets []any
	target := func(id string, arn *string) *awsevents.CfnRule_TargetProperty {
		property := &awsevents.CfnRule_TargetProperty{
			Id: &id, Arn: arn, RoleArn: n.targetRole.RoleArn(),
			DeadLetterConfig: &awsevents.CfnRule_DeadLetterConfigProperty{Arn: n.deadLetterQueue.QueueArn()},
		}
		targets = append(targets, property)
		return property
	}
	if n.topic != nil {
		target("AlertTopic", n.topic.TopicArn()).InputTransformer = &awsevents.CfnRule_InputTransformerProperty{
			InputPathsMap: notice.paths,
			InputTemplate: jsii.String(`"` + notice.message + `"`),
		}
	}
	if n.bus != nil {
		target("CentralEventBus", n.bus.EventBusArn())
	}
	props := &awsevents.CfnRuleProps{EventPattern: notice.pattern, Targets: targets}
	if n.from != nil {
		props.EventBusName = n.from.EventBusName()
	}
	n.findings.AtSynthesis(n.scope, checkPattern(notice.id, notice.pattern))
	rule := awsevents.NewCfnRule(n.scope, &notice.id, props)
	rule.Node().AddDependency(n.targetRole.Node().FindChild(jsii.String("DefaultPolicy")))
	n.rules = append(n.rules, rule.AttrArn())
}

// Validate returns an error if an event pattern is longer than EventBridge takes.
func (n *notices) Validate() error { return n.findings.Validate() }

// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
func checkPattern(rule string, pattern map[string]any) error {
	text := validation.JSON(pattern)
	return validation.Text{
		Name: "the event pattern of the rule " + rule, Taker: "EventBridge", Unit: "characters", Most: 2048,
		Has: validation.Characters(text), Parts: map[string]string{"PolicyIds": text},
	}.Check()
}

// keepUndelivered lets the rules put into the queue what they cannot deliver, and tells the topic if they do.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
func (n *notices) keepUndelivered() {
	n.deadLetterQueue.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), nil)},
		Actions:    jsii.Strings("sqs:SendMessage"),
		Resources:  &[]*string{n.deadLetterQueue.QueueArn()},
		Conditions: &map[string]interface{}{"ArnEquals": map[string]interface{}{"aws:SourceArn": n.rules}},
	}))
	if n.topic == nil {
		return
	}
	awscloudwatch.NewCfnAlarm(n.scope, jsii.String("Undelivered"), &awscloudwatch.CfnAlarmProps{
		AlarmDescription:   jsii.String("An event of TrailGuard was not told: it is in the dead-letter queue"),
		AlarmActions:       &[]any{n.topic.TopicArn()},
		Namespace:          jsii.String("AWS/SQS"),
		MetricName:         jsii.String("ApproximateNumberOfMessagesVisible"),
		Dimensions:         []any{map[string]any{"name": "QueueName", "value": n.deadLetterQueue.QueueName()}},
		Statistic:          jsii.String("Sum"),
		Period:             jsii.Number(60),
		ComparisonOperator: jsii.String("GreaterThanThreshold"),
		Threshold:          jsii.Number(0),
		DatapointsToAlarm:  jsii.Number(1),
		EvaluationPeriods:  jsii.Number(5),
		TreatMissingData:   jsii.String("notBreaching"),
	})
}

// callPaths are what a message takes from the event of an API call.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
var callPaths = map[string]any{
	"what": "$.detail.eventName", "who": "$.detail.userIdentity.arn", "when": "$.detail.eventTime",
	"from": "$.detail.sourceIPAddress", "account": "$.account", "region": "$.region",
}

// call is the message of an API call, which a word begins.
func call(word string) string {
	return word + ": <what> in account <account>, <region>, by <who> from <from> at <when>."
}

// refusedPaths are callPaths with the error of a call that was refused.
var refusedPaths = func() map[string]any {
	paths := maps.Clone(callPaths)
	paths["error"] = "$.detail.errorCode"
	return paths
}()

// refused is the message of an API call that was refused.
const refused = "REFUSED: <what> in account <account>, <region>, by <who> from <from> at <when>: <error>."
