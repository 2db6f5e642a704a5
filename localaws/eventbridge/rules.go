package eventbridge

import (
	"context"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/trailguard/trailguard/localaws/api"
)

// Rule is a deployed rule of one event bus. It has a pattern, a schedule, or both.
type Rule struct {
	Name     string
	ARN      string
	Pattern  Pattern
	Schedule Schedule
	State    types.RuleState
	Targets  []Target // at most 5
}

// RuleSource knows the deployed rules.
type RuleSource interface {
	Rules(ctx context.Context) ([]Rule, error)
	// Schedules are the schedules of the rules that are enabled, by the names of the rules.
	Schedules(ctx context.Context) (map[string]Schedule, error)
}

// Validate finds what EventBridge refuses when a rule and its targets are put, and what is not modelled.
func (r Rule) Validate() error {
	if len(r.Targets) > maximumTargets {
		return fmt.Errorf("rule %s has %d targets, at most %d are allowed", r.Name, len(r.Targets), maximumTargets)
	}
	if r.Pattern.alternatives == nil && r.Schedule.period == 0 {
		return fmt.Errorf("rule %s has neither a pattern nor a schedule", r.Name)
	}
	for _, target := range r.Targets {
		if err := target.validate(api.PlaceOf(r.ARN)); err != nil {
			return fmt.Errorf("rule %s, target %s: %w", r.Name, target.ID, err)
		}
	}
	return nil
}

// RulesAPI is the part of *eventbridge.Client that ClientRules uses.
type RulesAPI interface {
	ListRules(context.Context, *eventbridge.ListRulesInput, ...func(*eventbridge.Options)) (*eventbridge.ListRulesOutput, error)
	ListTargetsByRule(context.Context, *eventbridge.ListTargetsByRuleInput, ...func(*eventbridge.Options)) (*eventbridge.ListTargetsByRuleOutput, error)
}

// ClientRules reads the rules of the default bus from EventBridge's API and keeps them until Invalidate.
type ClientRules struct {
	client RulesAPI

	mu         sync.Mutex
	cached     []Rule
	generation int // counts the calls of Invalidate
	valid      bool
}

// NewClientRules returns a source that has read nothing yet.
func NewClientRules(client RulesAPI) *ClientRules { return &ClientRules{client: client} }

// Invalidate makes the next call of Rules read the API again.
func (c *ClientRules) Invalidate() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.valid, c.generation = false, c.generation+1
}

// Rules returns every rule; one that cannot be parsed or is not modelled is an error.
func (c *ClientRules) Rules(ctx context.Context) ([]Rule, error) {
	c.mu.Lock()
	generation := c.generation
	if c.valid {
		defer c.mu.Unlock()
		return c.cached, nil
	}
	c.mu.Unlock()
	rules, err := c.read(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if generation == c.generation {
		c.cached, c.valid = rules, true
	}
	return rules, nil
}

// Schedules asks the API each time, for the rules alone: it is called after every change of a rule.
func (c *ClientRules) Schedules(ctx context.Context) (map[string]Schedule, error) {
	deployed, err := c.list(ctx)
	if err != nil {
		return nil, err
	}
	schedules := map[string]Schedule{}
	for _, rule := range deployed {
		name, expression := aws.ToString(rule.Name), aws.ToString(rule.ScheduleExpression)
		if expression == "" || !enabled(rule.State) {
			continue
		}
		if schedules[name], err = ParseSchedule(expression); err != nil {
			return nil, fmt.Errorf("rule %s: %w", name, err)
		}
	}
	return schedules, nil
}

func (c *ClientRules) read(ctx context.Context) ([]Rule, error) {
	deployed, err := c.list(ctx)
	if err != nil {
		return nil, err
	}
	rules := make([]Rule, 0, len(deployed))
	for _, one := range deployed {
		rule, err := c.readRule(ctx, one)
		if err != nil {
			return nil, fmt.Errorf("rule %s: %w", aws.ToString(one.Name), err)
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

func (c *ClientRules) list(ctx context.Context) ([]types.Rule, error) {
	var rules []types.Rule
	for input := (&eventbridge.ListRulesInput{}); ; {
		page, err := c.client.ListRules(ctx, input)
		if err != nil {
			return nil, fmt.Errorf("list rules: %w", err)
		}
		rules = append(rules, page.Rules...)
		if aws.ToString(page.NextToken) == "" {
			return rules, nil
		}
		input.NextToken = page.NextToken
	}
}

func (c *ClientRules) readRule(ctx context.Context, deployed types.Rule) (_ Rule, err error) {
	rule := Rule{Name: aws.ToString(deployed.Name), ARN: aws.ToString(deployed.Arn), State: deployed.State}
	if text := aws.ToString(deployed.EventPattern); text != "" {
		if rule.Pattern, err = ParsePattern(text); err != nil {
			return Rule{}, err
		}
	}
	if expression := aws.ToString(deployed.ScheduleExpression); expression != "" {
		if rule.Schedule, err = ParseSchedule(expression); err != nil {
			return Rule{}, err
		}
	}
	for input := (&eventbridge.ListTargetsByRuleInput{Rule: deployed.Name}); ; {
		page, err := c.client.ListTargetsByRule(ctx, input)
		if err != nil {
			return Rule{}, fmt.Errorf("list targets: %w", err)
		}
		for _, target := range page.Targets {
			read, err := ParseTarget(target, api.PlaceOf(rule.ARN))
			if err != nil {
				return Rule{}, fmt.Errorf("target %s: %w", aws.ToString(target.Id), err)
			}
			rule.Targets = append(rule.Targets, read)
		}
		if aws.ToString(page.NextToken) == "" {
			return rule, rule.Validate()
		}
		input.NextToken = page.NextToken
	}
}

// enabled tells whether a rule in this state does anything.
func enabled(state types.RuleState) bool {
	return state == types.RuleStateEnabled || state == types.RuleStateEnabledWithAllCloudtrailManagementEvents
}
