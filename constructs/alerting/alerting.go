// Package alerting tells people: the topic, who may publish to it, and what is told besides tampering.
package alerting

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsssm"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/detection"
	"github.com/trailguard/trailguard/constructs/protection"
	"github.com/trailguard/trailguard/constructs/supplied"
	"github.com/trailguard/trailguard/constructs/trail"
	"github.com/trailguard/trailguard/constructs/validation"
)

// AlertsProps are the properties of Alerts. All of them are optional.
type AlertsProps struct {
	// AlertTopic is an existing topic. An imported topic, and the key of an encrypted one, must already let
	// cloudwatch.amazonaws.com publish.
	//
	// Default: - a new topic is created, encrypted with a key of its own.
	AlertTopic awssns.ITopic

	// AlertEmailAddresses are told by e-mail, once each has confirmed its subscription.
	//
	// Default: - nobody is told by e-mail.
	AlertEmailAddresses *[]*string

	// AlertSubscriptions are further subscriptions of the topic.
	//
	// Default: - there are none.
	AlertSubscriptions *[]awssns.ITopicSubscription

	// RemovalPolicy is what becomes of the new key when it is taken out of the stack.
	//
	// Default: - it is retained.
	RemovalPolicy awscdk.RemovalPolicy
}

var emailAddress = regexp.MustCompile(`^[^@\s]+@[^@\s]+\.[^@\s]+$`)

// Validate returns an error that names every property that cannot be used, nil where there is none.
func (p *AlertsProps) Validate() error {
	var problems []error
	// https://docs.aws.amazon.com/sns/latest/dg/sns-fifo-topics.html
	if p.AlertTopic != nil && p.AlertTopic.Fifo() != nil && *p.AlertTopic.Fifo() {
		problems = append(problems, validation.Problem("AlertTopic", "is a FIFO topic, to which EventBridge and CloudWatch cannot publish: give a standard topic"))
	}
	if p.AlertSubscriptions != nil {
		for i, subscription := range *p.AlertSubscriptions {
			if subscription == nil {
				problems = append(problems, validation.Problem(fmt.Sprintf("AlertSubscriptions[%d]", i), "is empty: give a subscription, or leave it out"))
			}
		}
	}
	return errors.Join(append(problems, p.checkAddresses()...)...)
}

// ValidateIn returns an error if the topic is of another account or Region than the scope's stack.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
func (p *AlertsProps) ValidateIn(scope constructs.Construct) error {
	const reason = "rules, alarms and the runbook tell topics of their own account and Region: give one of those"
	if p.AlertTopic == nil {
		return nil
	}
	return errors.Join(
		supplied.OfAccount(scope, "AlertTopic", p.AlertTopic.Env(), reason),
		supplied.InRegion(scope, "AlertTopic", p.AlertTopic.Env(), reason),
	)
}

func (p *AlertsProps) checkAddresses() []error {
	if p.AlertEmailAddresses == nil {
		return nil
	}
	if *awscdk.Token_IsUnresolved(*p.AlertEmailAddresses) {
		return []error{validation.Problem("AlertEmailAddresses", "is a token, and each address is a resource of its own: give literal addresses, or a list of tokens")}
	}
	var problems []error
	for i, address := range *p.AlertEmailAddresses {
		if address == nil || !emailAddress.MatchString(*address) && !*awscdk.Token_IsUnresolved(address) {
			shown := ""
			if address != nil {
				shown = *address
			}
			problems = append(problems, validation.Problem(fmt.Sprintf("AlertEmailAddresses[%d]", i), "%q is not an e-mail address: use one such as security@example.com", shown))
			continue
		}
		if slices.ContainsFunc((*p.AlertEmailAddresses)[:i], func(before *string) bool { return before != nil && strings.EqualFold(*before, *address) }) {
			problems = append(problems, validation.Problem(fmt.Sprintf("AlertEmailAddresses[%d]", i), "%q is given twice: leave it out", *address))
		}
	}
	return problems
}

// NoticesProps are the properties of AddNotices.
type NoticesProps struct {
	// Settings is the declared state of the trail.
	Settings trail.Settings
	// AutomationRole is the role of the runbook: what it does is no tampering.
	AutomationRole awsiam.IRole
	// Runbook is the document whose executions are told of if they fail. What they did, they tell themselves.
	Runbook awsssm.CfnDocument
	// EventRules are the rules that start the runbook.
	EventRules detection.EventRules

	// CheckEvery is how often the schedule starts the runbook: an alarm tells if it fails twice in a row.
	//
	// Default: - every hour.
	CheckEvery awscdk.Duration

	// ConfigRules tells whether the taking apart of AWS Config is told.
	//
	// Default: - it is not.
	ConfigRules bool

	// SuppliedRoles are roles of the guard that the stack did not name.
	//
	// Default: - there are none.
	SuppliedRoles *[]awsiam.IRole

	// LogGroup is the log group that CloudTrail sends events to.
	//
	// Default: - there is none.
	LogGroup awslogs.ILogGroup

	// CentralEventBus gets the events as they are, too.
	//
	// Default: - only the topic is told.
	CentralEventBus awsevents.IEventBus
}

// Validate returns an error that names every property that is missing, nil where there is none.
func (p *NoticesProps) Validate() error {
	return errors.Join(
		p.Settings.Validate(),
		validation.Required("AutomationRole", p.AutomationRole != nil),
		validation.Required("Runbook", p.Runbook != nil),
		validation.Required("EventRules", p.EventRules != nil),
	)
}

// Alerts are the topic that is told, and what it is told.
type Alerts interface {
	constructs.Construct
	// Topic is the topic that is told.
	Topic() awssns.ITopic
	// AddNotices tells the topic of what the runbook does not tell itself. It panics where props.Validate returns an error.
	AddNotices(props *NoticesProps)
	// Validate returns an error if an event pattern is longer than EventBridge takes. The synthesis then fails with it.
	Validate() error
}

type alerts struct {
	constructs.Construct
	findings validation.Findings
	topic    awssns.ITopic
}

// NewAlerts defines Alerts: a new topic, or the given one, completed. Besides those whom IAM lets, only the account's CloudWatch
// alarms may publish to it, and only over TLS. It panics where props.Validate or props.ValidateIn returns an error. Nil props make
// a new topic.
//
//	rules, runbook (by their roles), alarms ──publish──► Topic (encrypted with Key) ──► subscriptions
func NewAlerts(scope constructs.Construct, id *string, props *AlertsProps) Alerts {
	if props == nil {
		props = &AlertsProps{}
	}
	validation.Panic("Alerts", id, props.Validate(), props.ValidateIn(scope))

	this := &alerts{}
	constructs.NewConstruct_Override(this, scope, id)
	this.topic = this.newTopic(props)
	this.letAlarmsPublish()
	this.subscribe(props)
	return this
}

func (a *alerts) Validate() error      { return a.findings.Validate() }
func (a *alerts) Topic() awssns.ITopic { return a.topic }

func (a *alerts) newTopic(props *AlertsProps) awssns.ITopic {
	if props.AlertTopic != nil {
		return props.AlertTopic
	}
	return awssns.NewTopic(a, jsii.String("Topic"), &awssns.TopicProps{
		MasterKey:  newKey(a, props.RemovalPolicy),
		EnforceSSL: jsii.Bool(true),
	})
}

func (a *alerts) subscribe(props *AlertsProps) {
	if props.AlertEmailAddresses != nil {
		for i, address := range *props.AlertEmailAddresses {
			awssns.NewSubscription(a, emailID(i, address), &awssns.SubscriptionProps{
				Topic: a.topic, Protocol: awssns.SubscriptionProtocol_EMAIL, Endpoint: address,
			})
		}
	}
	if props.AlertSubscriptions != nil {
		for _, subscription := range *props.AlertSubscriptions {
			a.topic.AddSubscription(subscription)
		}
	}
}

// emailID is made of the address: by its place in the list, a subscription would be replaced when an address before it is
// dropped, and SNS, which returns the subscription that an endpoint already has, would then lose it.
// https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html
func emailID(i int, address *string) *string {
	if *awscdk.Token_IsUnresolved(address) {
		return jsii.String(fmt.Sprintf("Email%d", i))
	}
	// The CDK takes a slash in an id for two dashes, which another address may have.
	return jsii.String("Email " + strings.ReplaceAll(*address, "/", "%2F"))
}

// newKey is a key apart from the log's: whoever disables that one must not silence the alarm about it. The AWS managed key of
// SNS cannot be used by CloudWatch.
// https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
func newKey(scope constructs.Construct, removalPolicy awscdk.RemovalPolicy) awskms.IKey {
	if removalPolicy == "" {
		removalPolicy = awscdk.RemovalPolicy_RETAIN
	}
	key := awskms.NewKey(scope, jsii.String("Key"), &awskms.KeyProps{
		EnableKeyRotation: jsii.Bool(true),
		RemovalPolicy:     removalPolicy,
	})
	awscdk.Tags_Of(key).Add(jsii.String(protection.KeyTag), awscdk.Aws_STACK_NAME(), nil)
	return key
}

// letAlarmsPublish lets the account's alarms publish to the topic, and use its key where that can be seen. SNS asks for the key
// in the name of CloudWatch, without its source: whose alarm it is, the topic's policy asks. In a key policy the resource * is
// the key itself.
// https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html
// https://repost.aws/knowledge-center/cloudwatch-receive-sns-for-alarm-trigger
func (a *alerts) letAlarmsPublish() {
	alarms := func(actions, resources *[]*string, operator string) awsiam.PolicyStatement {
		return awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid:        jsii.String("TellPeople"),
			Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("cloudwatch.amazonaws.com"), nil)},
			Actions:    actions,
			Resources:  resources,
			Conditions: &map[string]interface{}{
				operator: map[string]interface{}{"aws:SourceAccount": awscdk.Stack_Of(a).Account()},
			},
		})
	}
	publish := alarms(jsii.Strings("sns:Publish"), &[]*string{a.topic.TopicArn()}, "StringEquals")
	encrypt := alarms(jsii.Strings("kms:Decrypt", "kms:GenerateDataKey*"), jsii.Strings("*"), "StringEqualsIfExists")
	supplied.AddToTopic(a, "AlertTopic", a.topic, publish, encrypt)
}

// PutEvents lets a role put events on the bus.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-account.html
func PutEvents(bus awsevents.IEventBus) awsiam.PolicyStatement {
	return awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:       jsii.String("TellCentrally"),
		Actions:   jsii.Strings("events:PutEvents"),
		Resources: &[]*string{bus.EventBusArn()},
	})
}

// Publish lets a role publish to the topic, and use its key: of a topic that is not defined in this app, whatever key encrypts
// its messages.
// https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
func Publish(topic awssns.ITopic) []awsiam.PolicyStatement {
	publish := awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:       jsii.String("TellPeople"),
		Actions:   jsii.Strings("sns:Publish"),
		Resources: &[]*string{topic.TopicArn()},
	})
	encrypt := jsii.Strings("kms:Decrypt", "kms:GenerateDataKey")
	if key := topic.MasterKey(); key != nil {
		// No action takes the resource of the others.
		publish.AddActions(*encrypt...)
		publish.AddResources(key.KeyArn())
	} else if _, isDefined := topic.(awssns.Topic); !isDefined {
		return []awsiam.PolicyStatement{publish, awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid:     jsii.String("EncryptMessages"),
			Actions: encrypt,
			// Which key that is cannot be seen; SNS uses it for no other topic in this context.
			Resources: &[]*string{awscdk.Fn_Sub(jsii.String("arn:${AWS::Partition}:kms:${AWS::Region}:${AWS::AccountId}:key/*"), nil)},
			Conditions: &map[string]interface{}{
				"StringEquals": map[string]interface{}{"kms:EncryptionContext:aws:sns:topicArn": topic.TopicArn()},
			},
		})}
	}
	return []awsiam.PolicyStatement{publish}
}
