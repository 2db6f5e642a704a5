package eventbridge

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
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
	Bus      string // the ARN of its event bus; empty for the default one of the rule's Region
	id       string // among the account's rules: see key
	Pattern  Pattern
	Schedule Schedule
	State    types.RuleState
	Targets  []Target // at most 5
}

// key is the rule's name; its ARN if it is on another event bus than the default one of the account's Region.
func (r Rule) key() string {
	if r.id != "" {
		return r.id
	}
	return r.Name
}

// bus is the ARN of the rule's event bus.
func (r Rule) bus() string {
	if r.Bus != "" {
		return r.Bus
	}
	return api.PlaceOf(r.ARN).ARN("events", "event-bus/"+defaultBus)
}

// RuleSource knows the deployed rules.
type RuleSource interface {
	Rules(ctx context.Context) ([]Rule, error)
	// Schedules are the schedules of the rules that are enabled, by the keys of the rules.
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

// defaultBus is the name of the event bus that each account has in each Region.
const defaultBus = "default"

// busOf is the ARN of the event bus that a call names: by its name, its ARN, or not at all.
func busOf(place api.Place, name string) string {
	switch {
	case name == "":
		name = defaultBus
	case strings.HasPrefix(name, "arn:"):
		return name
	}
	return place.ARN("events", "event-bus/"+name)
}

// busName is an event bus of the account.
type busName struct{ region, name string }

// ClientRules reads the rules of an account's event buses from EventBridge's API and keeps them until Invalidate: those of the default
// bus in one Region, and those of each bus of which it is told.
type ClientRules struct {
	client RulesAPI // of that Region

	// Region is that Region, of which it need not be told.
	Region string
	// Elsewhere is a client of another Region.
	//
	// Default: - there is no other Region.
	Elsewhere func(region string) RulesAPI

	mu         sync.Mutex
	listed     []deployedRule      // nil until they are
	targets    map[string][]Target // by the rule's key
	cached     []Rule              // nil until they are read
	generation int                 // counts what makes it read again
	others     []busName
}

// NewClientRules returns a source that has read nothing yet.
func NewClientRules(client RulesAPI) *ClientRules { return &ClientRules{client: client} }

// Note has the rules of a bus read, too. An empty name is that of the default bus.
func (c *ClientRules) Note(region, name string) {
	if name == "" {
		name = defaultBus
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	bus := busName{region, api.AfterLast(name, "/")}
	if c.Elsewhere != nil && bus != (busName{c.Region, defaultBus}) && !slices.Contains(c.others, bus) {
		c.others = append(c.others, bus)
		c.listed, c.cached, c.generation = nil, nil, c.generation+1
	}
}

// Invalidate makes the next call of Rules read the API again.
func (c *ClientRules) Invalidate() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listed, c.targets, c.cached, c.generation = nil, nil, nil, c.generation+1
}

// InvalidateButTargets makes the next call of Rules read the rules again, and the targets of those rules alone that it has not read yet.
func (c *ClientRules) InvalidateButTargets() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listed, c.cached, c.generation = nil, nil, c.generation+1
}

// InvalidateTargets makes the next call of Rules read the targets again of the rules of one name, on whatever bus.
func (c *ClientRules) InvalidateTargets(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.targets = maps.Clone(c.targets) // somebody may be reading
	maps.DeleteFunc(c.targets, func(key string, _ []Target) bool { return api.AfterLast(key, "/") == name })
	c.cached, c.generation = nil, c.generation+1
}

// Rules returns every rule; one that cannot be parsed or is not modelled is an error.
func (c *ClientRules) Rules(ctx context.Context) ([]Rule, error) {
	c.mu.Lock()
	generation, known, cached := c.generation, c.targets, c.cached
	c.mu.Unlock()
	if cached != nil {
		return cached, nil
	}
	rules, err := c.read(ctx, known)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if generation == c.generation {
		c.cached, c.targets = rules, map[string][]Target{}
		for _, rule := range rules {
			c.targets[rule.key()] = rule.Targets
		}
	}
	return rules, nil
}

// Schedules are the schedules of the rules that are enabled. It reads no targets.
func (c *ClientRules) Schedules(ctx context.Context) (map[string]Schedule, error) {
	deployed, err := c.deployed(ctx)
	if err != nil {
		return nil, err
	}
	schedules := map[string]Schedule{}
	for _, found := range deployed {
		key, expression := found.key(), aws.ToString(found.rule.ScheduleExpression)
		if expression == "" || !enabled(found.rule.State) {
			continue
		}
		if schedules[key], err = ParseSchedule(expression); err != nil {
			return nil, fmt.Errorf("rule %s: %w", aws.ToString(found.rule.Name), err)
		}
	}
	return schedules, nil
}

func (c *ClientRules) read(ctx context.Context, known map[string][]Target) ([]Rule, error) {
	deployed, err := c.deployed(ctx)
	if err != nil {
		return nil, err
	}
	rules := make([]Rule, 0, len(deployed))
	for _, one := range deployed {
		rule, err := readRule(ctx, one, known)
		if err != nil {
			return nil, fmt.Errorf("rule %s: %w", aws.ToString(one.rule.Name), err)
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

// deployedRule is a rule as the API of its Region shows it.
type deployedRule struct {
	client RulesAPI
	bus    *string // nil for the default bus
	home   bool    // on the default bus of the account's Region
	rule   types.Rule
}

func (d deployedRule) key() string {
	if d.home {
		return aws.ToString(d.rule.Name)
	}
	return aws.ToString(d.rule.Arn)
}

// deployed are the rules of all buses, without targets.
func (c *ClientRules) deployed(ctx context.Context) ([]deployedRule, error) {
	c.mu.Lock()
	generation, listed := c.generation, c.listed
	c.mu.Unlock()
	if listed != nil {
		return listed, nil
	}
	listed, err := c.list(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if generation == c.generation {
		c.listed = listed
	}
	return listed, nil
}

func (c *ClientRules) list(ctx context.Context) ([]deployedRule, error) {
	found, err := listBus(ctx, c.client, nil)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for i := range found {
		found[i].home = true
		known[aws.ToString(found[i].rule.Arn)] = true
	}
	c.mu.Lock()
	others := slices.Clone(c.others)
	c.mu.Unlock()
	for _, bus := range others {
		name := &bus.name
		if bus.name == defaultBus {
			name = nil
		}
		more, err := listBus(ctx, c.Elsewhere(bus.region), name)
		var gone *types.ResourceNotFoundException
		if err != nil && !errors.As(err, &gone) {
			return nil, err
		}
		for _, one := range more {
			if !known[aws.ToString(one.rule.Arn)] {
				found = append(found, one)
			}
		}
	}
	return found, nil
}

func listBus(ctx context.Context, client RulesAPI, bus *string) ([]deployedRule, error) {
	found := []deployedRule{}
	for input := (&eventbridge.ListRulesInput{EventBusName: bus}); ; {
		page, err := client.ListRules(ctx, input)
		if err != nil {
			return nil, fmt.Errorf("list rules: %w", err)
		}
		for _, rule := range page.Rules {
			found = append(found, deployedRule{client: client, bus: bus, rule: rule})
		}
		if aws.ToString(page.NextToken) == "" {
			return found, nil
		}
		input.NextToken = page.NextToken
	}
}

func readRule(ctx context.Context, from deployedRule, known map[string][]Target) (_ Rule, err error) {
	deployed := from.rule
	rule := Rule{Name: aws.ToString(deployed.Name), ARN: aws.ToString(deployed.Arn), State: deployed.State, id: from.key()}
	if from.bus != nil {
		rule.Bus = api.PlaceOf(rule.ARN).ARN("events", "event-bus/"+*from.bus)
	}
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
	if targets, ok := known[rule.key()]; ok {
		rule.Targets = targets
		return rule, rule.Validate()
	}
	for input := (&eventbridge.ListTargetsByRuleInput{Rule: deployed.Name, EventBusName: from.bus}); ; {
		page, err := from.client.ListTargetsByRule(ctx, input)
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
