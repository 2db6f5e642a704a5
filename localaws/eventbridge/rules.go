package eventbridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/trailguard/trailguard/localaws/api"
)

// ErrNotModelled is in the errors about what EventBridge accepts and the local AWS does not model. EventBridge refuses what
// the other errors of ParsePattern, ParseSchedule and ParseTarget are about.
var ErrNotModelled = errors.New("not modelled")

// maximumTargets is how many targets a rule may have.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
const maximumTargets = 5

// Rule is a deployed rule of one event bus. It has a pattern, a schedule, or both.
type Rule struct {
	Name     string
	ARN      string
	Pattern  Pattern
	Schedule Schedule
	State    types.RuleState
	Targets  []Target // at most 5
}

// Target is what a rule starts. At most one of Input, InputPath and Transformer is set; without any, the target gets the
// event.
type Target struct {
	ID            string
	ARN           string
	RoleARN       string
	Input         string
	InputPath     string
	Transformer   *Transformer
	RetryPolicy   *RetryPolicy // nil: DefaultRetryPolicy
	DeadLetterARN string
}

// RetryPolicy bounds the retries of a failed invocation; whichever bound is met first ends them.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_RetryPolicy.html
type RetryPolicy struct {
	MaximumEventAgeSeconds int // 60 to 86,400
	MaximumRetryAttempts   int // 0 to 185
}

// DefaultRetryPolicy applies where a target says nothing: 24 hours, 185 times.
var DefaultRetryPolicy = RetryPolicy{MaximumEventAgeSeconds: 86400, MaximumRetryAttempts: 185}

func (p RetryPolicy) age() time.Duration {
	return time.Duration(p.MaximumEventAgeSeconds) * time.Second
}

func (t Target) retryPolicy() RetryPolicy {
	if t.RetryPolicy == nil {
		return DefaultRetryPolicy
	}
	return *t.RetryPolicy
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

func (t Target) validate(rule api.Place) error {
	kind, _, err := targetOf(t.ARN, rule)
	if err != nil {
		return err
	}
	if kind == automation && t.RoleARN == "" {
		return errors.New("an automation definition needs a RoleArn")
	}
	if t.DeadLetterARN != "" {
		if kind, _, err := targetOf(t.DeadLetterARN, rule); err != nil || kind != queue {
			return fmt.Errorf("dead-letter target %s is not a queue", t.DeadLetterARN)
		}
	}
	inputs := 0
	if t.Input != "" {
		inputs++
		if n := len([]rune(t.Input)); n > maximumInput || !json.Valid([]byte(t.Input)) {
			return fmt.Errorf("input of %d characters is longer than %d or not JSON", n, maximumInput)
		}
	}
	if t.InputPath != "" {
		inputs++
		err = checkPath(t.InputPath)
	}
	if t.Transformer != nil {
		inputs++
		err = t.Transformer.Validate()
	}
	if inputs > 1 {
		return errors.New("only one of Input, InputPath and InputTransformer is allowed")
	}
	if policy := t.retryPolicy(); policy.MaximumEventAgeSeconds < 60 || policy.MaximumEventAgeSeconds > 86400 ||
		policy.MaximumRetryAttempts < 0 || policy.MaximumRetryAttempts > 185 {
		return fmt.Errorf("retry policy %+v is outside of 60 to 86400 seconds and 0 to 185 attempts", policy)
	}
	return err
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

// ParseTarget reads a target as it is put or deployed. rule is where its rule is.
func ParseTarget(deployed types.Target, rule api.Place) (Target, error) {
	if deployed.AppSyncParameters != nil || deployed.BatchParameters != nil || deployed.EcsParameters != nil ||
		deployed.HttpParameters != nil || deployed.KinesisParameters != nil || deployed.RedshiftDataParameters != nil ||
		deployed.RunCommandParameters != nil || deployed.SageMakerPipelineParameters != nil || deployed.SqsParameters != nil {
		return Target{}, fmt.Errorf("parameters of a kind of target are %w", ErrNotModelled)
	}
	target := Target{
		ID: aws.ToString(deployed.Id), ARN: aws.ToString(deployed.Arn), RoleARN: aws.ToString(deployed.RoleArn),
		Input: aws.ToString(deployed.Input), InputPath: aws.ToString(deployed.InputPath),
	}
	if transformer := deployed.InputTransformer; transformer != nil {
		target.Transformer = &Transformer{transformer.InputPathsMap, aws.ToString(transformer.InputTemplate)}
	}
	if deployed.DeadLetterConfig != nil {
		target.DeadLetterARN = aws.ToString(deployed.DeadLetterConfig.Arn)
	}
	if given := deployed.RetryPolicy; given != nil {
		policy := DefaultRetryPolicy
		if given.MaximumEventAgeInSeconds != nil {
			policy.MaximumEventAgeSeconds = int(*given.MaximumEventAgeInSeconds)
		}
		if given.MaximumRetryAttempts != nil {
			policy.MaximumRetryAttempts = int(*given.MaximumRetryAttempts)
		}
		target.RetryPolicy = &policy
	}
	return target, target.validate(rule)
}
