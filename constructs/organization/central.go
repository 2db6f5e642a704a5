package organization

import (
	"errors"
	"regexp"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/alerting"
	"github.com/trailguard/trailguard/constructs/detection"
	"github.com/trailguard/trailguard/constructs/trail"
	"github.com/trailguard/trailguard/constructs/validation"
)

// CentralProps are the properties of a Central.
type CentralProps struct {
	// OrganizationId is the id, such as o-a1b2c3d4e5, of the organization whose accounts may send events.
	OrganizationId *string

	// EventBusName is the name of the event bus, by which the other stacks find it.
	//
	// Default: - it is named trailguard, as the function CentralEventBus expects.
	EventBusName *string

	// AlertTopic is an existing topic of the account that is told. An imported topic, and the key of an encrypted one, must already let
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

	// HeartbeatAccounts are the ids of accounts with guards whose schedules tell the event bus each hour: there is an alarm for each that
	// is silent for three hours. Its guard, or all of it, may have been taken away.
	//
	// Default: - nobody is told of accounts that fall silent.
	HeartbeatAccounts *[]*string

	// RemovalPolicy is what becomes of the new topic's key when it is taken out of the stack.
	//
	// Default: - it is retained.
	RemovalPolicy awscdk.RemovalPolicy
}

// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_CreateEventBus.html
var eventBusName = regexp.MustCompile(`^[._A-Za-z0-9-]{1,256}$`)

// Validate returns an error that names every property that cannot be used, nil where there is none.
func (p *CentralProps) Validate() error {
	if p == nil {
		p = &CentralProps{}
	}
	problems := []error{validation.Required("OrganizationId", p.OrganizationId != nil)}
	if p.OrganizationId != nil {
		problems = append(problems, trail.CheckOrganizationID("OrganizationId", *p.OrganizationId))
	}
	if name := p.EventBusName; name != nil && !*awscdk.Token_IsUnresolved(name) && (!eventBusName.MatchString(*name) || *name == "default") {
		problems = append(problems, validation.Problem("EventBusName", "%q is not the name of an event bus of one's own: use 1-256 letters, digits and . _ -, not default", *name))
	}
	problems = append(problems, checkEach("HeartbeatAccounts", p.HeartbeatAccounts, trail.CheckAccountID)...)
	return errors.Join(append(problems, p.alerts().Validate())...)
}

// ValidateIn returns an error if the topic is of another account or Region than the scope's stack.
func (p *CentralProps) ValidateIn(scope constructs.Construct) error {
	if p == nil {
		return nil
	}
	return p.alerts().ValidateIn(scope)
}

func (p *CentralProps) alerts() *alerting.AlertsProps {
	return &alerting.AlertsProps{
		AlertTopic: p.AlertTopic, AlertEmailAddresses: p.AlertEmailAddresses, AlertSubscriptions: p.AlertSubscriptions, RemovalPolicy: p.RemovalPolicy,
	}
}

// Central is where the accounts of an organization tell what happened to their trails.
type Central interface {
	constructs.Construct
	// EventBus is the event bus that the accounts send their events to.
	EventBus() awsevents.IEventBus
	// AlertTopic is the topic that is told of what arrives.
	AlertTopic() awssns.ITopic
	// Validate returns an error if an event pattern is longer than EventBridge takes. The synthesis then fails with it.
	Validate() error
}

type central struct {
	constructs.Construct
	notices *notices
}

// NewCentral defines a Central, in an account that the organization's people of security look at. It panics where props.Validate or
// props.ValidateIn returns an error.
//
//	accounts of the organization ──► EventBus ──► Tampering, Refused ─────┐
//	                                     ├──────► Organization, Guard ────┼──tell──► Alerting (Topic) ──► subscriptions
//	                                     ├──────► Repaired, RepairFailed ─┤
//	                                     ├──────► Alarm ──────────────────┘
//	                                     └──────► Heartbeat… ──none──► Silent… (alarm) ──► Alerting (Topic)
//	                                                   └──if they cannot──► DeadLetterQueue ──► Undelivered (alarm)
//
// Each message names the account and the Region that its event is from: EventBridge writes them, not the sender.
func NewCentral(scope constructs.Construct, id *string, props *CentralProps) Central {
	validation.Panic("Central", id, props.Validate(), props.ValidateIn(scope))

	this := &central{}
	constructs.NewConstruct_Override(this, scope, id)
	bus := this.newEventBus(props)
	topic := alerting.NewAlerts(this, jsii.String("Alerting"), props.alerts()).Topic()
	this.notices = newNotices(this, bus, topic, nil)
	this.addCalls()
	this.addRepairs()
	this.addAlarms()
	this.addHeartbeats(listed(props.HeartbeatAccounts))
	this.notices.tellUndelivered()
	this.newOutputs()
	return this
}

func (c *central) EventBus() awsevents.IEventBus { return c.notices.from }
func (c *central) AlertTopic() awssns.ITopic     { return c.notices.topic }
func (c *central) Validate() error               { return c.notices.Validate() }

// sources are what guards send: events of AWS, which a rule of theirs hands on, and their own reports, which they put. Calls against the
// parts of a guard come from as many sources as it has parts.
var sources = []any{"aws.*", reportSource}

// newEventBus lets in the accounts of the organization alone. A caller cannot put an event whose source begins with aws. by itself. For events
// that a rule hands on it is not documented whether they come with events:source: if they do not, the condition lets them in.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-bus-perms.html
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html
func (c *central) newEventBus(props *CentralProps) awsevents.IEventBus {
	bus := awsevents.NewEventBus(c, jsii.String("EventBus"), &awsevents.EventBusProps{EventBusName: textOr(props.EventBusName, CentralEventBusName)})
	awsevents.NewCfnEventBusPolicy(c, jsii.String("EventBusPolicy"), &awsevents.CfnEventBusPolicyProps{
		EventBusName: bus.EventBusName(),
		StatementId:  jsii.String("Organization"),
		Statement: map[string]any{
			"Sid":       "Organization",
			"Effect":    "Allow",
			"Principal": "*",
			"Action":    "events:PutEvents",
			"Resource":  bus.EventBusArn(),
			"Condition": map[string]any{
				"StringEquals":            map[string]any{"aws:PrincipalOrgID": props.OrganizationId},
				"ForAllValues:StringLike": map[string]any{"events:source": sources},
			},
		},
	})
	return bus
}

// addCalls tells of calls.
func (c *central) addCalls() {
	calls := func(sources ...string) []detection.Pattern {
		var patterns []detection.Pattern
		for _, source := range sources {
			patterns = append(patterns, detection.Pattern{Source: source, DetailType: apiCall})
		}
		return patterns
	}
	c.notices.add(notice{"Tampering", withError(absent, calls("aws.cloudtrail", "aws.config", "aws.kms", "aws.s3")...), alerting.CallPaths(), call("TAMPERING"), ""})
	c.notices.add(notice{"Organization", withError(absent, calls("aws.organizations")...), alerting.CallPaths(), call("ORGANIZATION"), ""})
	c.notices.add(notice{"Guard", map[string]any{
		"source": []any{map[string]any{"anything-but": []any{"aws.cloudtrail", "aws.config", "aws.kms", "aws.organizations", "aws.s3"}}}, "detail-type": []any{apiCall},
		"detail": map[string]any{"errorCode": absent},
	}, alerting.CallPaths(), "TAMPERING: <what> on a guard in account <account>, <region>, by <who> from <from> at <when>. cdk deploy --revert-drift puts it back.", ""})
	c.notices.add(notice{"Refused", withError(present, calls("aws.cloudtrail", "aws.config", "aws.organizations")...), refusedPaths, refused, ""})
}

// What the runbook puts on the event bus when it has repaired a trail, or has tried to.
const (
	reportSource     = "trailguard"
	reportDetailType = "TrailGuard Repair"
)

// addRepairs tells of repairs.
func (c *central) addRepairs() {
	c.notices.add(notice{
		"Repaired", map[string]any{"source": []any{reportSource}, "detail-type": []any{reportDetailType}},
		map[string]any{"subject": "$.detail.subject", "report": "$.detail", "account": "$.account", "region": "$.region", "when": "$.time"},
		"<subject> in account <account>, <region>, at <when>.", "report",
	})
	c.notices.add(notice{
		"RepairFailed", alerting.RepairFailedPattern(nil).Object(), alerting.ExecutionPaths(),
		"REPAIR <status>: in account <account>, <region>, at <when>, execution <execution>.", "",
	})
}

// addAlarms tells of alarms.
func (c *central) addAlarms() {
	c.notices.add(notice{"Alarm", alarmPattern(), map[string]any{
		"alarm": "$.detail.alarmName", "what": "$.detail.configuration.description", "account": "$.account", "region": "$.region", "when": "$.time",
	}, "ALARM: <what> Alarm <alarm> in account <account>, <region>, at <when>.", ""})
}

// addHeartbeats tells of each account whose guard's schedule sends nothing any more. EventBridge writes the account into an event, not who
// sends it. Metrics of EventBridge know no account, so that each has a rule of its own.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
func (c *central) addHeartbeats(accounts []*string) {
	const hours = 3
	for _, account := range accounts {
		rule := awsevents.NewCfnRule(c, jsii.String("Heartbeat"+*account), &awsevents.CfnRuleProps{
			EventBusName: c.notices.from.EventBusName(),
			EventPattern: map[string]any{"source": []any{"aws.events"}, "detail-type": []any{"Scheduled Event"}, "account": []any{account}},
		})
		awscloudwatch.NewCfnAlarm(c, jsii.String("Silent"+*account), &awscloudwatch.CfnAlarmProps{
			AlarmDescription: jsii.String("The guard in account " + *account + " has not told for three hours that it is there"),
			AlarmActions:     &[]any{c.notices.topic.TopicArn()},
			Namespace:        jsii.String("AWS/Events"),
			MetricName:       jsii.String("MatchedEvents"),
			Dimensions: []any{
				map[string]any{"name": "EventBusName", "value": c.notices.from.EventBusName()},
				map[string]any{"name": "RuleName", "value": awscdk.Fn_Select(jsii.Number(1), awscdk.Fn_Split(jsii.String("|"), rule.Ref(), nil))},
			},
			Statistic:          jsii.String("Sum"),
			Period:             jsii.Number(60 * 60),
			ComparisonOperator: jsii.String("LessThanThreshold"),
			Threshold:          jsii.Number(1),
			EvaluationPeriods:  jsii.Number(hours),
			TreatMissingData:   jsii.String("breaching"),
		})
	}
}

func (c *central) newOutputs() {
	awscdk.NewCfnOutput(c, jsii.String("EventBusArn"), &awscdk.CfnOutputProps{Value: c.notices.from.EventBusArn()})
	awscdk.NewCfnOutput(c, jsii.String("AlertTopicArn"), &awscdk.CfnOutputProps{Value: c.notices.topic.TopicArn()})
}
