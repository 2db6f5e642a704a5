package deployed

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
)

// Path is a way in which a guard notices that the trail is not as declared. Each must be enough.
type Path string

// The paths.
const (
	EventPath    Path = "event"    // a call that harms the trail, within seconds
	ConfigPath   Path = "config"   // a verdict of AWS Config
	SchedulePath Path = "schedule" // a look at the trail itself, each hour and after a deployment
	AllPaths     Path = "all"
)

// EventRule is a rule of EventBridge that belongs to a guard.
type EventRule struct {
	Name    string
	Enabled bool
	// Starts tells whether the rule starts the runbook; other rules tell people.
	Starts bool
	// Path is the path of a rule that starts the runbook; empty for other rules.
	Path Path
	// OfLogStore tells whether the rule is about the log store: it tells people, and starts the runbook for the log store, not for the trail.
	OfLogStore bool
	// Target is the ARN that the rule starts the runbook by, with its version.
	Target string
	// Pattern and Schedule are what triggers the rule; either is empty if the rule has none.
	Pattern, Schedule string
	// DeadLetters is the ARN of the queue of the events that could not start the runbook; empty if there is none.
	DeadLetters string
}

// ReadEventRules reads the rules of EventBridge that a stack made. A rule that is gone is neither enabled nor starts the
// runbook.
func ReadEventRules(ctx context.Context, clients Clients, guard Guard, resources Resources) ([]EventRule, error) {
	var rules []EventRule
	for _, id := range resources["AWS::Events::Rule"] {
		rule := EventRule{Name: id}
		described, err := clients.Events.DescribeRule(ctx, &eventbridge.DescribeRuleInput{Name: &rule.Name})
		if hasCode(err, "ResourceNotFoundException") {
			rules = append(rules, rule)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading rule %s: %w", rule.Name, err)
		}
		rule.Enabled = described.State == eventtypes.RuleStateEnabled
		rule.Pattern, rule.Schedule = aws.ToString(described.EventPattern), aws.ToString(described.ScheduleExpression)
		targets, err := clients.Events.ListTargetsByRule(ctx, &eventbridge.ListTargetsByRuleInput{Rule: &rule.Name})
		if err != nil {
			return nil, fmt.Errorf("reading the targets of rule %s: %w", rule.Name, err)
		}
		for _, target := range targets.Targets {
			_, document, isDocument := strings.Cut(aws.ToString(target.Arn), ":automation-definition/")
			name, _, _ := strings.Cut(document, ":")
			switch {
			case !isDocument || name != guard.RunbookName:
			case StartsForLogStore(aws.ToString(target.Input)):
				rule.OfLogStore = pathOf(described) != SchedulePath
			default:
				rule.Starts, rule.Path, rule.Target = true, pathOf(described), aws.ToString(target.Arn)
				if target.DeadLetterConfig != nil {
					rule.DeadLetters = aws.ToString(target.DeadLetterConfig.Arn)
				}
			}
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

// StartsForLogStore tells whether the input of a target starts the runbook for the log store.
func StartsForLogStore(input string) bool {
	var parameters struct{ Resource []string }
	return json.Unmarshal([]byte(input), &parameters) == nil && slices.Contains(parameters.Resource, logStore)
}

// pathOf is the path that a rule belongs to, by what triggers it.
func pathOf(rule *eventbridge.DescribeRuleOutput) Path {
	switch {
	case rule.ScheduleExpression != nil || strings.Contains(aws.ToString(rule.EventPattern), "aws.cloudformation"):
		return SchedulePath
	case strings.Contains(aws.ToString(rule.EventPattern), "Config Rules Compliance Change"):
		return ConfigPath
	}
	return EventPath
}
