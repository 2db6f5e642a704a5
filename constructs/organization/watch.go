package organization

import (
	"errors"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/alerting"
	"github.com/trailguard/trailguard/constructs/detection"
	"github.com/trailguard/trailguard/constructs/trail"
	"github.com/trailguard/trailguard/constructs/trailguard"
	"github.com/trailguard/trailguard/constructs/validation"
)

// WatchProps are the properties of a Watch. All of them are optional.
type WatchProps struct {
	// TrailName is the name of the organization trail, whose shadow the member account has.
	//
	// Default: - the trail is named trailguard.
	TrailName *string

	// GuardAccount is the id of an account that has the trail's guard beside a Watch, as that of a delegated administrator can. Its guard tells of
	// the calls that change the trail or its organization, and its Watch leaves them to it, so that they are told once.
	//
	// Default: - the Watch of each account tells of all.
	GuardAccount *string

	// CentralEventBus gets the events, such as that of Central in the security account. It may be in another account.
	//
	// Default: - the events stay in the account, and AlertTopic is told.
	CentralEventBus awsevents.IEventBus

	// AlertTopic is an existing topic of the account that is told in messages.
	//
	// Default: - a new topic is created, encrypted with a key of its own, if there is no CentralEventBus or somebody is to be told by e-mail.
	AlertTopic awssns.ITopic

	// AlertEmailAddresses are told by e-mail, once each has confirmed its subscription.
	//
	// Default: - nobody is told by e-mail.
	AlertEmailAddresses *[]*string

	// RemovalPolicy is what becomes of the new topic's key when it is taken out of the stack.
	//
	// Default: - it is retained.
	RemovalPolicy awscdk.RemovalPolicy
}

// Validate returns an error that names every property that cannot be used, nil where there is none. Nil props are fine.
func (p *WatchProps) Validate() error {
	p = resolved(p)
	return errors.Join(trail.CheckName("TrailName", *p.TrailName), checkAccount("GuardAccount", p.GuardAccount), p.alerts().Validate())
}

// ValidateIn returns an error if the topic is of another account or Region than the scope's stack. Nil props are fine.
func (p *WatchProps) ValidateIn(scope constructs.Construct) error {
	return resolved(p).alerts().ValidateIn(scope)
}

func resolved(p *WatchProps) *WatchProps {
	props := WatchProps{}
	if p != nil {
		props = *p
	}
	props.TrailName = textOr(props.TrailName, trailguard.DefaultTrailName)
	return &props
}

func (p *WatchProps) alerts() *alerting.AlertsProps {
	return &alerting.AlertsProps{AlertTopic: p.AlertTopic, AlertEmailAddresses: p.AlertEmailAddresses, RemovalPolicy: p.RemovalPolicy}
}

// tellsTopic tells whether the account has a topic that is told.
func (p *WatchProps) tellsTopic() bool {
	return p.CentralEventBus == nil || p.AlertTopic != nil || len(listed(p.AlertEmailAddresses)) > 0
}

// Watch tells what is tried, in a member account that has no trail of its own, against the trail of its organization.
type Watch interface {
	constructs.Construct
	// AlertTopic is the topic that is told, nil if CentralEventBus alone is.
	AlertTopic() awssns.ITopic
	// Validate returns an error if an event pattern is longer than EventBridge takes. The synthesis then fails with it.
	Validate() error
}

type watch struct {
	constructs.Construct
	notices *notices
}

// NewWatch defines a Watch. It panics where props.Validate or props.ValidateIn returns an error. Nil props watch for the organization trail
// named trailguard, and tell a new topic.
//
//	stopping, deleting, weakening the shadow trail ────────┐
//	taking Config's recorder, channel or rules apart ──────┼──► Tampering, Refused ──tell──► Alerting (Topic), CentralEventBus
//	leaving the organization, loosening its policies ──────┘          └──if they cannot──► DeadLetterQueue
//
// It repairs nothing: CloudTrail refuses a member account's calls on the organization's trail, and the account that owns the trail has a guard.
// Calls that were refused are told as well. That somebody leaves the organization is seen only in the Region in which the events of AWS
// Organizations arrive (EventsRegion); the patterns of its calls are left out of stacks in other Regions.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/creating-trail-organization.html
func NewWatch(scope constructs.Construct, id *string, props *WatchProps) Watch {
	validation.Panic("Watch", id, props.Validate(), props.ValidateIn(scope))

	this := &watch{}
	constructs.NewConstruct_Override(this, scope, id)
	props = resolved(props)
	var topic awssns.ITopic
	if props.tellsTopic() {
		topic = alerting.NewAlerts(this, jsii.String("Alerting"), props.alerts()).Topic()
	}
	this.notices = newNotices(this, nil, topic, props.CentralEventBus)
	guarded, watched := []detection.Pattern{trailPattern(*props.TrailName)}, configurationPatterns()
	if seesOrganizationEvents(this) {
		guarded = append(guarded, organizationPatterns(nil)...)
	}
	this.notices.add(notice{"Tampering", withError(absent, slices.Concat(outside(props.GuardAccount, guarded), watched)...), alerting.CallPaths(), call("TAMPERING"), ""})
	this.notices.add(notice{"Refused", withError(present, slices.Concat(guarded, watched)...), refusedPaths, refused, ""})
	this.notices.tellUndelivered()
	if topic != nil {
		awscdk.NewCfnOutput(this, jsii.String("AlertTopicArn"), &awscdk.CfnOutputProps{Value: topic.TopicArn()})
	}
	return this
}

func (w *watch) AlertTopic() awssns.ITopic { return w.notices.topic }
func (w *watch) Validate() error           { return w.notices.Validate() }
