package alerting

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsssm"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/detection"
	"github.com/trailguard/trailguard/constructs/validation"
)

// AddNotices defines what is told besides what the runbook itself tells.
//
//	tampering by anyone but AutomationRole ────► Tampering ─────┐
//	calls that change a part of the guard ─────► GuardTampering ┤
//	executions of Runbook that fail ───────────► RepairFailed ──┴──tell, as TargetRole──► Topic, CentralEventBus
//	                                                              └──if they cannot──► DeadLetterQueue
//	failures in two checks in a row ───────────► RepeatedFailure┐
//	events in DeadLetterQueue ─────────────────► Undelivered ───┤
//	events that DeadLetterQueue did not take ──► InvocationsFailedToBeSentToDlq ──► Topic
//	more than ten starts in ten minutes ───────► Flood ─────────┘
func (a *alerts) AddNotices(props *NoticesProps) {
	if props == nil {
		props = &NoticesProps{}
	}
	validation.Panic("Notices of", a.Node().Path(), props.Validate())
	props.EventRules.Targets().Allow(Publish(a.topic)...)
	if props.CentralEventBus != nil {
		props.EventRules.Targets().Allow(PutEvents(props.CentralEventBus))
	}
	notice := func(id string, pattern any, problem error, paths map[string]any, template string) awsevents.IRule {
		a.findings.AtSynthesis(a, problem)
		return props.EventRules.Define(a, jsii.String(id), &awsevents.CfnRuleProps{EventPattern: pattern},
			tellers(a.topic, props.CentralEventBus, paths, template)...)
	}
	check := func(id string, pattern map[string]any) error {
		return detection.CheckPattern(id, pattern, props.Settings, *props.AutomationRole.RoleArn(), nil)
	}
	theTrail := "the trail " + props.Settings.Name
	ofTrail := detection.TamperingPattern(props.Settings, *props.AutomationRole.RoleArn()).Object()
	notice("Tampering", ofTrail, check("Tampering", ofTrail), CallPaths(), tamperingWith(theTrail))
	failed := RepairFailedPattern(props.Runbook).Object()
	repairFailed := notice("RepairFailed", failed, check("RepairFailed", failed), ExecutionPaths(),
		repairFailedWith(theTrail))
	parts := detection.Parts{
		Rule: repairFailed, AlertTopic: a.topic, IsSupplied: a.Node().TryFindChild(jsii.String("Topic")) == nil, LogGroup: props.LogGroup, ConfigRules: props.ConfigRules,
	}
	if props.SuppliedRoles != nil {
		parts.Roles = *props.SuppliedRoles
	}
	for _, of := range detection.GuardTamperingPatterns(parts) {
		notice(of.ID, of.Text, of.TooLong, CallPaths(),
			"TAMPERING: <what> on the guard of "+theTrail+" in account <account>, <region>, by <who> from <from> at <when>. cdk deploy --revert-drift puts it back.")
	}
	a.newAlarms(props, repairFailed)
}

func tamperingWith(what string) string {
	return "TAMPERING: <what> on " + what + " in account <account>, <region>, by <who> from <from> at <when>."
}

func repairFailedWith(what string) string {
	return "REPAIR <status>: " + what + " in account <account>, <region> at <when>, execution <execution>."
}

// CallTargets are the targets of a rule that tells of tampering with something: the topic and the event bus, of which one may be nil.
func CallTargets(topic awssns.ITopic, bus awsevents.IEventBus, what string) []*awsevents.CfnRule_TargetProperty {
	return tellers(topic, bus, CallPaths(), tamperingWith(what))
}

// RepairFailedTargets are those of a rule of RepairFailedPattern that tells of repairs of something.
func RepairFailedTargets(topic awssns.ITopic, bus awsevents.IEventBus, what string) []*awsevents.CfnRule_TargetProperty {
	return tellers(topic, bus, ExecutionPaths(), repairFailedWith(what))
}

func tellers(topic awssns.ITopic, bus awsevents.IEventBus, paths map[string]any, template string) []*awsevents.CfnRule_TargetProperty {
	var targets []*awsevents.CfnRule_TargetProperty
	if topic != nil {
		targets = append(targets, &awsevents.CfnRule_TargetProperty{
			Id: jsii.String("AlertTopic"), Arn: topic.TopicArn(),
			InputTransformer: &awsevents.CfnRule_InputTransformerProperty{
				InputPathsMap: paths,
				InputTemplate: jsii.String(`"` + template + `"`),
			},
		})
	}
	if bus != nil {
		// An event bus of another account takes the event only as it is.
		// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutTargets.html
		targets = append(targets, &awsevents.CfnRule_TargetProperty{Id: jsii.String("CentralEventBus"), Arn: bus.EventBusArn()})
	}
	return targets
}

// newAlarms tells of what no event tells of. An event that a rule cannot deliver is in the queue; the rule counts it if not even
// the queue takes it, or if there is none any more. Of the rules that start the runbook, that is asked of the schedule's: it has
// the role, the runbook and the queue of all, and is sure to start regularly.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
//
// A repair that fails is told of by an event. If the next check fails, too, that is no accident: nothing is repaired any more.
func (a *alerts) newAlarms(props *NoticesProps, repairFailed awsevents.IRule) {
	const starts, minutes, checks = 10, 10, 2
	theTrail := "the trail " + props.Settings.Name
	TellUnstarted(a, a.topic, props.EventRules.DeadLetterQueue(), props.EventRules.Schedule(), theTrail)
	// Events match also a rule whose targets are removed.
	alarm{"RepeatedFailure", "The repair of " + theTrail + " keeps failing", "AWS/Events", "MatchedEvents", "RuleName",
		detection.EventRuleName(repairFailed), 0, detection.MinutesOf(props.CheckEvery), checks}.define(a, a.topic)
	// Somebody tampers again and again, or another system and the guard undo each other's changes.
	if tampering := props.EventRules.Tampering(); tampering != nil {
		alarm{"Flood", "Events keep starting the repair of " + theTrail, "AWS/Events", "Invocations", "RuleName", detection.EventRuleName(tampering), starts, minutes, 0}.
			define(a, a.topic)
	}
}

// TellUnstarted defines the alarms that tell the topic if the repair of something does not start.
func TellUnstarted(scope constructs.Construct, topic awssns.ITopic, queue awssqs.IQueue, schedule awsevents.IRule, of string) {
	name := detection.EventRuleName(schedule)
	for _, alarm := range []alarm{
		undelivered(queue, "An event did not start the repair of "+of+", or was not told"),
		{"InvocationsFailedToBeSentToDlq", "Events that start the repair of " + of + " are lost", "AWS/Events", "InvocationsFailedToBeSentToDlq", "RuleName", name, 0, 1, 0},
	} {
		alarm.define(scope, topic)
	}
}

// alarm tells the topic if a metric's sum over some minutes is above a threshold.
type alarm struct {
	id, description              string
	namespace, metric, dimension string
	value                        *string
	threshold, minutes           float64
	// inARow is how many sums have to be above it, one after the other; zero if one is enough.
	inARow float64
}

// define asks for one of the latest five sums: metrics come late, and only then if there is something to count. For several in a row nothing is
// added to that: CloudWatch looks at more sums than it is asked for, so that one that is missing in between, since a run ended a little
// earlier or later than the one before, does no harm.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
func (a alarm) define(scope constructs.Construct, topic awssns.ITopic) {
	enough, of := jsii.Number(1), jsii.Number(5)
	if a.inARow > 0 {
		enough, of = nil, &a.inARow
	}
	awscloudwatch.NewCfnAlarm(scope, &a.id, &awscloudwatch.CfnAlarmProps{
		AlarmDescription:   &a.description,
		AlarmActions:       &[]any{topic.TopicArn()},
		Namespace:          &a.namespace,
		MetricName:         &a.metric,
		Dimensions:         []any{map[string]any{"name": a.dimension, "value": a.value}},
		Statistic:          jsii.String("Sum"),
		Period:             jsii.Number(a.minutes * 60),
		ComparisonOperator: jsii.String("GreaterThanThreshold"),
		Threshold:          &a.threshold,
		DatapointsToAlarm:  enough,
		EvaluationPeriods:  of,
		TreatMissingData:   jsii.String("notBreaching"),
	})
}

// TellUndelivered defines the alarm Undelivered, which tells the topic that events are in the dead-letter queue.
func TellUndelivered(scope constructs.Construct, topic awssns.ITopic, queue awssqs.IQueue, description string) {
	undelivered(queue, description).define(scope, topic)
}

func undelivered(queue awssqs.IQueue, description string) alarm {
	return alarm{"Undelivered", description, "AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue.QueueName(), 0, 1, 0}
}

// CallPaths are what a message takes from the event of an API call: what was called by whom, when and from where, in which account and Region.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
func CallPaths() map[string]any {
	return map[string]any{
		"what": "$.detail.eventName", "who": "$.detail.userIdentity.arn", "when": "$.detail.eventTime",
		"from": "$.detail.sourceIPAddress", "account": "$.account", "region": "$.region",
	}
}

// ExecutionPaths are what a message takes from the event of an execution's status.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/reference-eventbridge-events.html
func ExecutionPaths() map[string]any {
	return map[string]any{"status": "$.detail.Status", "execution": "$.detail.ExecutionId", "when": "$.time", "account": "$.account", "region": "$.region"}
}

// RepairFailedPattern matches the event that an execution of the runbook, or of any where there is none, has ended without restoring
// what it should.
func RepairFailedPattern(runbook awsssm.CfnDocument) detection.Pattern {
	return RepairPattern(runbook, "Failed", "TimedOut", "Cancelled")
}

// RepairPattern matches the event that an execution of the runbook, or of any where there is none, has reached one of the statuses.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/reference-eventbridge-events.html
func RepairPattern(runbook awsssm.CfnDocument, statuses ...string) detection.Pattern {
	reached := []any{}
	for _, status := range statuses {
		reached = append(reached, status)
	}
	detail := map[string]any{"Status": reached}
	if runbook == nil {
		return detection.Pattern{Source: "aws.ssm", DetailType: "EC2 Automation Execution Status-change Notification", Detail: detail}
	}
	// No event of another type has a runbook for its definition.
	detail["Definition"] = []any{runbook.Ref()}
	return detection.Pattern{Source: "aws.ssm", Detail: detail}
}
