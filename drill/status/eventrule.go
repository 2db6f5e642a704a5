package status

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
)

// lookAtEventRule compares a rule of EventBridge with the template's: whether it is enabled, what triggers it and what it does.
func lookAtEventRule(ctx context.Context, v *view, r resource, f *Finding) {
	// The physical id of a rule of another bus than the default has the bus before the name.
	name := r.name[strings.LastIndex(r.name, "|")+1:]
	var bus *string
	if given := r.text("EventBusName"); given != "" {
		bus = &given
	}
	described, err := v.Events.DescribeRule(ctx, &eventbridge.DescribeRuleInput{Name: &name, EventBusName: bus})
	switch f.read(err, "ResourceNotFoundException") {
	case gone:
		f.wrong(revert, "it is deleted")
		return
	case seen:
		want := r.properties["State"]
		if want == nil {
			want = "ENABLED"
		}
		enable := "aws events enable-rule --name " + name
		if bus != nil {
			enable += " --event-bus-name " + *bus
		}
		f.compare(enable, "State", want, string(described.State))
		f.compare(revert, "EventPattern", opened(r.properties["EventPattern"]), opened(orNone(aws.ToString(described.EventPattern))))
		f.compare(revert, "ScheduleExpression", r.properties["ScheduleExpression"], orNone(aws.ToString(described.ScheduleExpression)))
		f.compare(revert, "RoleArn", r.properties["RoleArn"], orNone(aws.ToString(described.RoleArn)))
	}
	targets, err := v.Events.ListTargetsByRule(ctx, &eventbridge.ListTargetsByRuleInput{Rule: &name, EventBusName: bus})
	if f.read(err, "ResourceNotFoundException") != seen {
		return
	}
	had := map[string]any{}
	for _, target := range targets.Targets {
		had["target "+aws.ToString(target.Id)] = plain(target)
	}
	wanted := map[string]any{}
	for _, target := range list(r.properties["Targets"]) {
		id, _ := member(target, "Id").(string)
		wanted["target "+id] = target
	}
	for _, id := range slices.Sorted(maps.Keys(union(wanted, had))) {
		switch {
		case wanted[id] == nil:
			f.wrong(revert, "%s is not in the template: %s", id, shown(member(had[id], "Arn")))
		case had[id] == nil:
			f.wrong(revert, "%s is removed: %s", id, shown(member(wanted[id], "Arn")))
		default:
			f.compare(revert, id, wanted[id], had[id])
		}
	}
}

// lookAtEventBus compares a bus of EventBridge with the template's.
func lookAtEventBus(ctx context.Context, v *view, r resource, f *Finding) {
	described, err := v.Events.DescribeEventBus(ctx, &eventbridge.DescribeEventBusInput{Name: &r.name})
	switch f.read(err, "ResourceNotFoundException") {
	case gone:
		f.wrong(revert, "it is deleted")
	case seen:
		if policy := r.properties["Policy"]; policy != nil {
			f.comparePolicy(policy, aws.ToString(described.Policy))
			return
		}
		declared := v.stack.of("AWS::Events::EventBusPolicy")
		for _, statement := range statements(aws.ToString(described.Policy)) {
			sid := sidOf(statement)
			if !slices.ContainsFunc(declared, func(policy resource) bool {
				return policy.text("EventBusName") == r.name && policy.text("StatementId") == sid
			}) {
				f.wrong("aws events remove-permission --event-bus-name "+r.name+" --statement-id "+sid, "statement %s of its policy is not in the template", named(statement))
			}
		}
	}
}

// lookAtEventBusPolicy compares a statement of a bus's policy with the template's.
func lookAtEventBusPolicy(ctx context.Context, v *view, r resource, f *Finding) {
	sid, bus := r.text("StatementId"), r.text("EventBusName")
	if bus == "" {
		bus = "default"
	}
	f.Name = sid + " of " + bus
	described, err := v.Events.DescribeEventBus(ctx, &eventbridge.DescribeEventBusInput{Name: &bus})
	switch f.read(err, "ResourceNotFoundException") {
	case gone:
		f.wrong(revert, "the bus is deleted")
	case seen:
		had := []any{}
		for _, statement := range statements(aws.ToString(described.Policy)) {
			if sidOf(statement) == sid {
				had = append(had, statement)
			}
		}
		if r.properties["Statement"] == nil {
			f.NotSeen = append(f.NotSeen, NotSeen{What: "what it allows is not looked at: the template has no Statement"})
			return
		}
		f.comparePolicy(map[string]any{"Statement": r.properties["Statement"]}, map[string]any{"Statement": had})
	}
}
