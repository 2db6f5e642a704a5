package detection

import (
	"errors"
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsssm"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/partition"
	"github.com/trailguard/trailguard/constructs/trail"
	"github.com/trailguard/trailguard/constructs/validation"
)

// EventRulesProps are the properties of EventRules.
type EventRulesProps struct {
	// Settings is the declared state of the trail.
	Settings trail.Settings

	// AutomationRole is the role with which the runbook restores the trail.
	AutomationRole awsiam.IRole

	// Runbook is the SSM Automation document that restores the trail. Its parameters have the declared values as defaults.
	Runbook awsssm.CfnDocument

	// ConfigRules are the rules whose remediation exceptions start the runbook, and whose verdicts do so where Config has no
	// remediation.
	//
	// Default: - there are none.
	ConfigRules ConfigRules

	// RepairOnEvents tells whether tampering starts the runbook.
	//
	// Default: - it does, within seconds.
	RepairOnEvents *bool

	// CheckEvery is how often the runbook looks at the trail, 5 minutes to 24 hours, in whole minutes. Zero turns it off.
	//
	// Default: - every hour.
	CheckEvery awscdk.Duration

	// CentralEventBus gets the event of each start by the schedule, too: that the guard is there, and that its rules work. The TargetRole must
	// be allowed to put events there.
	//
	// Default: - no event leaves the account.
	CentralEventBus awsevents.IEventBus
}

// EventRules are the EventBridge rules that start the runbook.
type EventRules interface {
	constructs.Construct
	// Tampering is the rule that starts the runbook within seconds of tampering. It is nil where events start nothing.
	Tampering() awsevents.IRule
	// Schedule is the rule that starts the runbook regularly, and at the end of the stack's deployment.
	Schedule() awsevents.IRule
	// Rules are all rules that start the runbook.
	Rules() *[]awsevents.IRule
	// Define defines a rule of the guard with its targets: EventBridge reaches them with the role of the Targets, and puts what it cannot deliver into
	// the DeadLetterQueue.
	Define(scope constructs.Construct, id *string, props *awsevents.CfnRuleProps, targets ...*awsevents.CfnRule_TargetProperty) awsevents.IRule
	// DeadLetterQueue holds events that could not be delivered to a target, for 14 days.
	DeadLetterQueue() awssqs.Queue
	// Targets are the TargetRole and the DeadLetterQueue.
	Targets() *Targets
	// AlsoOnSchedule makes the Schedule start another runbook, too, which the Targets let start.
	AlsoOnSchedule(start Start)
	// Validate returns an error if an event pattern is longer than EventBridge takes. The synthesis then fails with it.
	Validate() error
}

type eventRules struct {
	constructs.Construct
	findings  validation.Findings
	props     *EventRulesProps
	tampering awsevents.IRule
	schedule  awsevents.IRule
	rules     []awsevents.IRule
	targets   *Targets
}

// NewEventRules defines EventRules. It panics where props.Validate returns an error.
//
//	tampering, a finding of GuardDuty, a remediation exception ──► Tampering ──┐
//	each hour, the end of the stack's deployment ────────────────► Schedule ───┼──start, as TargetRole─► Runbook
//	NON_COMPLIANT, where Config has no remediation ──────────────► NonCompliant┘     └──if it cannot──► DeadLetterQueue
func NewEventRules(scope constructs.Construct, id *string, props *EventRulesProps) EventRules {
	if props == nil {
		props = &EventRulesProps{}
	}
	validation.Panic("EventRules", id, props.Validate())

	this := &eventRules{props: props}
	constructs.NewConstruct_Override(this, scope, id)
	this.targets = DefineTargets(this)
	this.targets.LetStart(this.start())
	if props.RepairOnEvents == nil || *props.RepairOnEvents {
		this.tampering = this.newTampering()
	}
	this.schedule = this.newSchedule()
	if props.ConfigRules != nil && !partition.HasRemediation(this) {
		this.newNonCompliant()
	}
	return this
}

func (r *eventRules) Tampering() awsevents.IRule    { return r.tampering }
func (r *eventRules) Schedule() awsevents.IRule     { return r.schedule }
func (r *eventRules) Rules() *[]awsevents.IRule     { return &r.rules }
func (r *eventRules) Validate() error               { return r.findings.Validate() }
func (r *eventRules) DeadLetterQueue() awssqs.Queue { return r.targets.DeadLetterQueue() }
func (r *eventRules) Targets() *Targets             { return r.targets }
func (r *eventRules) start() Start {
	return Start{Runbook: r.props.Runbook, Role: r.props.AutomationRole}
}

// Validate returns an error that names every property that is missing or cannot be used, nil where there is none.
func (p *EventRulesProps) Validate() error {
	return errors.Join(
		p.Settings.Validate(),
		validation.Required("AutomationRole", p.AutomationRole != nil),
		validation.Required("Runbook", p.Runbook != nil),
		p.ValidateOptional(),
	)
}

// ValidateOptional returns an error that names every optional property that cannot be used, nil where there is none.
func (p *EventRulesProps) ValidateOptional() error {
	const fewest, most = 5, 24 * 60
	if p.CheckEvery == nil || *p.CheckEvery.IsUnresolved() {
		return nil
	}
	minutes := *p.CheckEvery.ToMinutes(&awscdk.TimeConversionOptions{Integral: jsii.Bool(false)})
	if minutes != 0 && (minutes < fewest || minutes > most || minutes != float64(int(minutes))) {
		return validation.Problem("CheckEvery", "%s is out of range: use whole minutes from %d minutes to 24 hours, or 0 for never",
			*p.CheckEvery.ToHumanString(), fewest)
	}
	return nil
}

// newTampering starts the runbook when somebody harms the trail.
func (r *eventRules) newTampering() awsevents.IRule {
	return r.starts("Tampering", "event", &awsevents.CfnRuleProps{
		EventPattern: StartPattern(r.props.Settings, *r.props.AutomationRole.RoleArn(), r.props.ConfigRules),
	})
}

// newSchedule starts the runbook at the end of the stack's deployment, which creates the trail and applies what was declared
// anew, and regularly: the certain path, which needs neither an event of the trail nor Config.
func (r *eventRules) newSchedule() awsevents.IRule {
	schedule := DefineSchedule(r, r.targets, r.props.CheckEvery, r.start())
	if r.props.CentralEventBus != nil {
		r.targets.add(schedule, &awsevents.CfnRule_TargetProperty{Id: jsii.String("CentralEventBus"), Arn: r.props.CentralEventBus.EventBusArn()})
	}
	r.rules = append(r.rules, schedule)
	return schedule
}

// DefineSchedule defines the rule Schedule, which starts a runbook at the end of the stack's deployment, and regularly.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stack-event-notifications.html
func DefineSchedule(scope constructs.Construct, targets *Targets, every awscdk.Duration, start Start) awsevents.IRule {
	return targets.Define(scope, jsii.String("Schedule"), &awsevents.CfnRuleProps{
		ScheduleExpression: rate(every),
		EventPattern: Pattern{"aws.cloudformation", "CloudFormation Stack Status Change", map[string]any{
			"stack-id":       []any{awscdk.Stack_Of(scope).StackId()},
			"status-details": map[string]any{"status": []any{"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"}},
		}}.Object(),
	}, start.Target("Runbook", "schedule"))
}

func (r *eventRules) AlsoOnSchedule(start Start) {
	r.targets.add(r.schedule, start.Target("LogStore", "schedule"))
}

// newNonCompliant starts the runbook when Config finds the trail not as declared, where Config cannot do so itself.
func (r *eventRules) newNonCompliant() {
	r.starts("NonCompliant", "Config", &awsevents.CfnRuleProps{
		EventPattern: NonCompliantPattern(r.props.ConfigRules).Object(),
	})
}

// starts defines a rule that starts the runbook.
func (r *eventRules) starts(id, startedBy string, props *awsevents.CfnRuleProps) awsevents.IRule {
	if pattern, ok := props.EventPattern.(map[string]any); ok {
		r.findings.AtSynthesis(r, CheckPattern(id, pattern, r.props.Settings, *r.props.AutomationRole.RoleArn(), r.props.ConfigRules))
	}
	rule := r.Define(r, jsii.String(id), props, r.start().Target("Runbook", startedBy))
	r.rules = append(r.rules, rule)
	return rule
}

func (r *eventRules) Define(scope constructs.Construct, id *string, props *awsevents.CfnRuleProps, targets ...*awsevents.CfnRule_TargetProperty) awsevents.IRule {
	return r.targets.Define(scope, id, props, targets...)
}

// StartsNothing tells whether neither events nor the schedule start a runbook.
func StartsNothing(repairOnEvents *bool, checkEvery awscdk.Duration) bool {
	never := checkEvery != nil && !*checkEvery.IsUnresolved() && *checkEvery.ToMilliseconds(nil) == 0
	return never && repairOnEvents != nil && !*repairOnEvents
}

// MinutesOf is how often the schedule starts the runbook, in minutes: every hour if it is not known, or if it never does.
func MinutesOf(every awscdk.Duration) float64 {
	const hourly = 60
	if every == nil || *every.IsUnresolved() || *every.ToMinutes(nil) == 0 {
		return hourly
	}
	return *every.ToMinutes(nil)
}

// rate is the schedule of a rule, nil for never.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
func rate(every awscdk.Duration) *string {
	if every == nil {
		every = awscdk.Duration_Minutes(jsii.Number(60))
	}
	if *every.IsUnresolved() {
		return jsii.String("rate(" + *every.FormatTokenToNumber() + ")")
	}
	minutes := *every.ToMinutes(nil)
	if minutes == 0 {
		return nil
	}
	return jsii.String(fmt.Sprintf("rate(%.0f minutes)", minutes))
}
