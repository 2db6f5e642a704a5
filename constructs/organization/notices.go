package organization

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/alerting"
	"github.com/trailguard/trailguard/constructs/detection"
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

	targets *detection.Targets
}

// notice is what one rule matches, and the message that it makes of it.
type notice struct {
	id      string
	pattern map[string]any
	paths   map[string]any
	message string
	// report is the variable of paths that holds an object which the message quotes; empty if there is none.
	report string
}

func newNotices(scope constructs.Construct, from awsevents.IEventBus, topic awssns.ITopic, bus awsevents.IEventBus) *notices {
	n := &notices{scope: scope, from: from, topic: topic, bus: bus, targets: detection.DefineTargets(scope)}
	if topic != nil {
		n.targets.Allow(alerting.Publish(topic)...)
	}
	if bus != nil {
		n.targets.Allow(alerting.PutEvents(bus))
	}
	return n
}

// template is what EventBridge makes the message of. It does not escape the texts that it puts in: one of several lines or with quotation marks
// would spoil the message, so that it comes in its object, which is always JSON.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
func (n notice) template() string {
	if n.report == "" {
		return `"` + n.message + `"`
	}
	return `{"message":"` + n.message + `","report":<` + n.report + `>}`
}

// add defines the rule of a notice.
func (n *notices) add(notice notice) {
	var targets []*awsevents.CfnRule_TargetProperty
	if n.topic != nil {
		targets = append(targets, &awsevents.CfnRule_TargetProperty{
			Id: jsii.String("AlertTopic"), Arn: n.topic.TopicArn(),
			InputTransformer: &awsevents.CfnRule_InputTransformerProperty{
				InputPathsMap: notice.paths,
				InputTemplate: jsii.String(notice.template()),
			},
		})
	}
	if n.bus != nil {
		// An event bus of another account takes the event only as it is.
		// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutTargets.html
		targets = append(targets, &awsevents.CfnRule_TargetProperty{Id: jsii.String("CentralEventBus"), Arn: n.bus.EventBusArn()})
	}
	props := &awsevents.CfnRuleProps{EventPattern: notice.pattern}
	if n.from != nil {
		props.EventBusName = n.from.EventBusName()
	}
	n.findings.AtSynthesis(n.scope, checkPattern(notice.id, notice.pattern))
	n.targets.Define(n.scope, &notice.id, props, targets...)
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

// tellUndelivered tells the topic if the rules put into the queue what they could not deliver.
func (n *notices) tellUndelivered() {
	if n.topic != nil {
		alerting.TellUndelivered(n.scope, n.topic, n.targets.DeadLetterQueue(), "An event of TrailGuard was not told: it is in the dead-letter queue")
	}
}

// call is the message of an API call, which a word begins.
func call(word string) string {
	return word + ": <what> in account <account>, <region>, by <who> from <from> at <when>."
}

// refusedPaths are alerting.CallPaths with the error of a call that was refused.
var refusedPaths = func() map[string]any {
	paths := alerting.CallPaths()
	paths["error"] = "$.detail.errorCode"
	return paths
}()

// refused is the message of an API call that was refused.
const refused = "REFUSED: <what> in account <account>, <region>, by <who> from <from> at <when>: <error>."
