package eventbridge

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/trailguard/trailguard/localaws/api"
)

// maximumEvents ends a Deliver in which events beget events without end.
const maximumEvents = 1000

// Targets starts what rules point at. A refusal by the service is an *api.Error or an error of the SDK; any other error
// is a fault of the local AWS, which Deliver returns.
type Targets interface {
	// StartAutomation starts NAME or NAME:VERSION with the target's role, which EventBridge assumes for the rule.
	StartAutomation(ctx context.Context, roleARN, ruleARN, documentNameAndVersion string, parameters map[string][]string) error
	// PublishSNS publishes with the target's role or, without one, as events.amazonaws.com for the rule.
	PublishSNS(ctx context.Context, roleARN, ruleARN, topicARN, message string) error
	// SendSQS sends with the target's role or, without one, as events.amazonaws.com for the rule. A dead letter has
	// attributes, and no role.
	SendSQS(ctx context.Context, roleARN, ruleARN, queueARN, message string, attributes map[string]string) error
	// PutEvent hands an event on to another event bus, of whatever account and Region, with the target's role.
	PutEvent(ctx context.Context, roleARN, ruleARN, busARN string, event map[string]any) error
}

// Outcome is how an attempt to invoke a target ended.
type Outcome string

// The outcomes of an attempt.
const (
	Invoked  Outcome = "Invoked"
	Retrying Outcome = "Retrying"
	Failed   Outcome = "Failed" // for good
)

// Delivery is one attempt to hand one event to one target.
type Delivery struct {
	Time     time.Time
	Rule     string
	TargetID string
	Target   string // the ARN
	Event    map[string]any
	Input    string // "" if the input could not be made
	Attempt  int    // from 1
	Outcome  Outcome
	// ErrorCode and ErrorMessage say why the attempt failed. The codes are NO_PERMISSIONS, the target's own exceptions,
	// and InvalidInput for an input that is not JSON or not of the target's form.
	ErrorCode    string
	ErrorMessage string
	DeadLettered bool
}

// Metrics counts what one rule did, under the names of the metrics of AWS/Events.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
type Metrics struct {
	MatchedEvents                  int
	TriggeredRules                 int
	Invocations                    int // attempts that succeeded or failed for good
	FailedInvocations              int // for good, dead-lettered or not
	InvocationsSentToDlq           int
	InvocationsFailedToBeSentToDlq int
}

// Bus is all event buses of an account, in all Regions.
type Bus struct {
	rules   RuleSource
	targets Targets
	clock   *api.Clock
	options Options

	delivering sync.Mutex // held by Deliver

	mu         sync.Mutex // guards the rest
	queue      []arrival
	retries    []*invocation
	deliveries []Delivery
	metrics    map[string]Metrics
	matched    map[string][]time.Time
	timers     map[string]timer // of the rules that are enabled and have a schedule, by key
	fired      int              // schedules so far
}

type arrival struct {
	event  map[string]any
	fields map[string][]field
	at     time.Time
	bus    string // the ARN of the event bus; empty for the default one of the event's Region
	passed bool   // the event comes from another event bus
	rule   *Rule  // whose schedule the event comes from, and which alone gets it; nil for every other event
}

// invocation is one target's share of one event. The rule stays as it was when it matched.
type invocation struct {
	arrival
	rule    Rule
	target  Target
	attempt int
	next    time.Time // of the next attempt
	refusal failure   // of the last attempt
}

// failure is a failed attempt.
type failure struct {
	code, message string
	retriable     bool
	fault         error // of the local AWS itself
}

// NewBus returns a bus with an empty queue.
func NewBus(rules RuleSource, targets Targets, clock *api.Clock, options Options) *Bus {
	return &Bus{rules: rules, targets: targets, clock: clock, options: options, metrics: map[string]Metrics{}, matched: map[string][]time.Time{}}
}

// Publish queues an event of the account on the default event bus of the event's Region. A target may publish while Deliver runs.
func (b *Bus) Publish(ctx context.Context, event map[string]any) error {
	return b.publish(ctx, event, arrival{})
}

// PublishTo queues an event on an event bus, by its ARN. passed tells that it comes from another event bus.
func (b *Bus) PublishTo(ctx context.Context, bus string, event map[string]any, passed bool) error {
	return b.publish(ctx, event, arrival{bus: bus, passed: passed})
}

func (b *Bus) publish(ctx context.Context, event map[string]any, to arrival) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	event, err := copyEvent(event)
	if err != nil {
		return fmt.Errorf("publish event: %w", err)
	}
	_, hasSource := event["source"].(string)
	_, hasType := event["detail-type"].(string)
	_, hasDetail := event["detail"].(map[string]any)
	if !hasSource || !hasType || !hasDetail {
		return errors.New("publish event: source and detail-type must be strings and detail an object")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	to.event, to.fields, to.at = event, fieldsOf(event), b.clock.Now()
	b.queue = append(b.queue, to)
	return nil
}

// Deliver hands every queued event, and every retry that is due, to the targets of the rules that match, and the events
// that this begets in turn. Failed invocations are no error of Deliver: see Deliveries. Its errors are rules that cannot
// be read or are not modelled, faults of Targets, and more than 1,000 events, which is a rule that triggers itself.
func (b *Bus) Deliver(ctx context.Context) error {
	b.delivering.Lock()
	defer b.delivering.Unlock()
	var faults []error
	for n := 0; ; {
		if err := ctx.Err(); err != nil {
			return errors.Join(append(faults, err)...)
		}
		if retry := b.dueRetry(); retry != nil {
			faults = append(faults, b.attempt(ctx, retry))
			continue
		}
		next, ok := b.nextArrival()
		if !ok {
			return errors.Join(faults...)
		}
		if n++; n > maximumEvents {
			return errors.Join(append(faults, fmt.Errorf("more than %d events in one delivery: a rule triggers itself", maximumEvents))...)
		}
		if next.rule != nil {
			faults = append(faults, b.trigger(ctx, *next.rule, next))
			continue
		}
		rules, err := b.rules.Rules(ctx)
		if err != nil {
			b.mu.Lock()
			b.queue = slices.Insert(b.queue, 0, next)
			b.mu.Unlock()
			return errors.Join(append(faults, fmt.Errorf("deliver event: %w", err))...)
		}
		for _, rule := range rules {
			faults = append(faults, b.trigger(ctx, rule, next))
		}
	}
}

// Queued tells whether Deliver has an event to deliver.
func (b *Bus) Queued() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.queue) > 0
}

// NextRetry is the time of the earliest pending retry.
func (b *Bus) NextRetry() (at time.Time, pending bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, retry := range b.retries {
		if !pending || retry.next.Before(at) {
			at, pending = retry.next, true
		}
	}
	return at, pending
}

// Deliveries returns every attempt so far, in order.
func (b *Bus) Deliveries() []Delivery {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.deliveries)
}

// Metrics returns the counts so far by the names of rules; by their ARNs for those of other event buses than the default one of the
// account's Region.
func (b *Bus) Metrics() map[string]Metrics {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.metrics)
}

// MatchedAt are the times of the events that a rule has matched so far, by its key in Metrics: what the metric MatchedEvents counts in
// a period.
func (b *Bus) MatchedAt(rule string) []time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.matched[rule])
}

func (b *Bus) match(rule Rule, event arrival) {
	at := event.at
	if text, ok := event.event["time"].(string); ok {
		if written, err := time.Parse(time.RFC3339, text); err == nil {
			at = written
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.matched[rule.key()] = append(b.matched[rule.key()], at)
}

func (b *Bus) nextArrival() (arrival, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) == 0 {
		return arrival{}, false
	}
	next := b.queue[0]
	b.queue = b.queue[1:]
	return next, true
}

func (b *Bus) dueRetry() *invocation {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clock.Now()
	i := slices.IndexFunc(b.retries, func(r *invocation) bool { return !r.next.After(now) })
	if i < 0 {
		return nil
	}
	due := b.retries[i]
	b.retries = slices.Delete(b.retries, i, i+1)
	return due
}

func (b *Bus) trigger(ctx context.Context, rule Rule, event arrival) error {
	if err := rule.Validate(); err != nil {
		return err
	}
	if event.rule == nil && (!event.isOn(rule) || !looksAt(rule.State, event.event) || !rule.Pattern.With(b.options).matches(event.fields)) {
		return nil
	}
	b.count(rule, func(m *Metrics) {
		m.MatchedEvents++
		m.TriggeredRules++
	})
	b.match(rule, event)
	var faults []error
	for _, target := range rule.Targets {
		// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-account.html
		if kind, _, _ := targetOf(target.ARN, api.PlaceOf(rule.ARN)); kind == eventBus && event.passed {
			continue // an event is passed on once
		}
		faults = append(faults, b.attempt(ctx, &invocation{arrival: event, rule: rule, target: target}))
	}
	return errors.Join(faults...)
}

// isOn tells whether an event has arrived at a rule's event bus.
func (a arrival) isOn(rule Rule) bool {
	if a.bus != "" {
		return a.bus == rule.bus()
	}
	place := api.PlaceOf(rule.ARN)
	region, _ := a.event["region"].(string)
	return rule.bus() == place.ARN("events", "event-bus/"+defaultBus) && (region == "" || place.Region == "" || region == place.Region)
}

// looksAt tells whether a rule in this state looks at the event: an enabled one does not look at CloudTrail's read-only
// management events.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail-management.html
func looksAt(state types.RuleState, event map[string]any) bool {
	if state != types.RuleStateEnabled {
		return enabled(state)
	}
	detail, _ := event["detail"].(map[string]any)
	return event["detail-type"] != "AWS API Call via CloudTrail" || detail["readOnly"] != true || detail["managementEvent"] == false
}

// attempt invokes a target once and decides what follows. Its error is a fault of the local AWS.
func (b *Bus) attempt(ctx context.Context, i *invocation) error {
	policy := i.target.retryPolicy()
	deadline := i.at.Add(policy.age())
	if i.attempt > 0 && !b.clock.Now().Before(deadline) {
		return b.fail(ctx, i, "", "MaximumEventAgeInSeconds")
	}
	i.attempt++
	input, refusal := b.invoke(ctx, i)
	if refusal == nil {
		b.count(i.rule, func(m *Metrics) { m.Invocations++ })
		b.record(i, input, Invoked, failure{}, false)
		return nil
	}
	i.refusal = *refusal
	switch {
	case !refusal.retriable:
		return errors.Join(refusal.fault, b.fail(ctx, i, input, ""))
	case i.attempt > policy.MaximumRetryAttempts:
		return b.fail(ctx, i, input, "MaximumRetryAttempts")
	}
	if i.next = b.clock.Now().Add(backoff(i.attempt)); i.next.After(deadline) {
		i.next = deadline
	}
	b.record(i, input, Retrying, i.refusal, false)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.retries = append(b.retries, i)
	return nil
}

// backoff doubles from one second to eight minutes, so that 185 retries fit into a day. EventBridge publishes no figures.
func backoff(attempt int) time.Duration { return min(time.Second<<min(attempt-1, 9), 8*time.Minute) }

// fail ends an invocation for good, in the dead-letter queue if there is one.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
func (b *Bus) fail(ctx context.Context, i *invocation, input, exhausted string) error {
	var fault error
	sent := false
	if i.target.DeadLetterARN != "" {
		attributes := map[string]string{
			"RULE_ARN": i.rule.ARN, "TARGET_ARN": i.target.ARN, "RETRY_ATTEMPTS": strconv.Itoa(i.attempt - 1),
			"ERROR_CODE": i.refusal.code, "ERROR_MESSAGE": i.refusal.message,
		}
		if exhausted != "" {
			attributes["EXHAUSTED_RETRY_CONDITION"] = exhausted
		}
		message, err := marshal(i.event)
		if err == nil {
			err = b.targets.SendSQS(ctx, "", i.rule.ARN, i.target.DeadLetterARN, message, attributes)
		}
		if sent = err == nil; !sent {
			fault = classify(i.target.DeadLetterARN, err).fault
		}
	}
	b.count(i.rule, func(m *Metrics) {
		m.Invocations++
		m.FailedInvocations++
		switch {
		case sent:
			m.InvocationsSentToDlq++
		case i.target.DeadLetterARN != "":
			m.InvocationsFailedToBeSentToDlq++
		}
	})
	b.record(i, input, Failed, i.refusal, sent)
	return fault
}

func (b *Bus) record(i *invocation, input string, outcome Outcome, refusal failure, deadLettered bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.deliveries = append(b.deliveries, Delivery{
		Time: b.clock.Now(), Rule: i.rule.Name, TargetID: i.target.ID, Target: i.target.ARN, Event: i.event, Input: input,
		Attempt: i.attempt, Outcome: outcome, ErrorCode: refusal.code, ErrorMessage: refusal.message, DeadLettered: deadLettered,
	})
}

func (b *Bus) count(rule Rule, add func(*Metrics)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.metrics[rule.key()]
	add(&m)
	b.metrics[rule.key()] = m
}

// invoke makes the input and starts the target; nil means success.
func (b *Bus) invoke(ctx context.Context, i *invocation) (input string, refusal *failure) {
	kind, resource, err := targetOf(i.target.ARN, api.PlaceOf(i.rule.ARN))
	if err != nil {
		return "", &failure{code: api.CodeNotModelled, message: err.Error(), fault: err}
	}
	if input, err = i.input(); err != nil {
		return "", &failure{code: "InvalidInput", message: err.Error()}
	}
	switch kind {
	case automation:
		parameters, ok := automationParameters(input)
		if !ok {
			return input, &failure{code: "InvalidInput", message: "the input of an automation is an object of lists of strings, not " + input}
		}
		err = b.targets.StartAutomation(ctx, i.target.RoleARN, i.rule.ARN, resource, parameters)
	case topic:
		err = b.targets.PublishSNS(ctx, i.target.RoleARN, i.rule.ARN, i.target.ARN, input)
	case queue:
		err = b.targets.SendSQS(ctx, i.target.RoleARN, i.rule.ARN, i.target.ARN, input, nil)
	case eventBus:
		err = b.targets.PutEvent(ctx, i.target.RoleARN, i.rule.ARN, i.target.ARN, i.event)
	}
	if err != nil {
		return input, classify(i.target.ARN, err)
	}
	return input, nil
}

// automationParameters reads the input of an automation. Every value must be a list of strings: a scalar is accepted at
// deployment and then never starts.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_StartAutomationExecution.html
func automationParameters(input string) (map[string][]string, bool) {
	value, err := decodeOrdered(input)
	fields, ok := value.(object)
	if err != nil || !ok {
		return nil, false
	}
	parameters := map[string][]string{}
	for _, field := range fields {
		list, ok := field.value.([]any)
		if !ok {
			return nil, false
		}
		parameters[field.key] = []string{}
		for _, element := range list {
			text, ok := element.(string)
			if !ok {
				return nil, false
			}
			parameters[field.key] = append(parameters[field.key], text)
		}
	}
	return parameters, true
}

func (i *invocation) input() (string, error) {
	switch {
	case i.target.Transformer != nil:
		return i.target.Transformer.Render(i.rule.Name, i.rule.ARN, i.event, i.at)
	case i.target.Input != "":
		return i.target.Input, nil
	case i.target.InputPath != "":
		value, found := lookUp(i.event, i.target.InputPath)
		if !found {
			return "", fmt.Errorf("the event has nothing at %s", i.target.InputPath)
		}
		return marshal(value)
	}
	return marshal(i.event)
}

// classify says what becomes of a target's refusal: EventBridge tries again after a throttle and after a failure on the
// target's side (HTTP 429 and 5xx) and after no other.
// https://repost.aws/knowledge-center/eventbridge-resolve-failedinvocation-errors
func classify(target string, err error) *failure {
	refusal := failure{message: err.Error()}
	var own *api.Error
	var sdk interface {
		ErrorCode() string
		ErrorMessage() string
	}
	var response interface{ HTTPStatusCode() int }
	status := 0
	switch {
	case errors.As(err, &own):
		refusal.code, refusal.message, status = own.Code, own.Message, own.Status
	case errors.As(err, &sdk):
		refusal.code, refusal.message = sdk.ErrorCode(), sdk.ErrorMessage()
		if errors.As(err, &response) {
			status = response.HTTPStatusCode()
		}
	default:
		refusal.code, refusal.fault = "InternalFault", fmt.Errorf("invoke target %s: %w", target, err)
	}
	denied := []string{"AccessDenied", "Unauthorized", "AuthorizationError", "KMSAccessDenied"}
	throttled := []string{"Throttl", "TooManyRequests", "RequestLimitExceeded", "AutomationExecutionLimitExceeded"}
	isOne := func(prefix string) bool { return strings.HasPrefix(refusal.code, prefix) }
	if slices.ContainsFunc(denied, isOne) {
		refusal.code = "NO_PERMISSIONS"
	} else {
		refusal.retriable = status == 429 || status >= 500 || slices.ContainsFunc(throttled, isOne)
	}
	return &refusal
}
