// Package automation executes AWS Systems Manager Automation documents of schema 0.3 against the APIs that an
// aws.Config leads to.
//
// Exactly the actions aws:executeAwsApi, aws:branch, aws:assertAwsResourceProperty, aws:waitForAwsResourceProperty and
// aws:sleep are modelled. Everything else is an error of Parse, and so is an input, an output or a desired value that
// the operation's types in aws-sdk-go-v2 do not allow.
//
// Nothing sleeps and nothing runs in the background: an execution does one attempt of one step at a time, when it is
// told to, and time is a clock that the caller owns. How long AWS takes is not modelled; the durations below only put
// the events in an order. Throttling is retried by a step's maxAttempts alone: the account's throttling retry time
// limit is taken to be 0.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-throttling-retry.html
package automation

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/trailguard/trailguard/drill/internal/localaws/api"
)

// UnmatchedSelector says what becomes of an output whose selector matches nothing, and of a property that is not there.
// AWS does not document it, so a runbook must be right under both readings.
type UnmatchedSelector int

const (
	// FailStep fails the step.
	FailStep UnmatchedSelector = iota
	// EmptyOutput makes the output empty, and a property different from every desired value: a wait goes on.
	EmptyOutput
)

// Engine starts executions. Its fields must not change after the first Start. Executions of one engine may be stepped
// in any order; an execution itself is not safe for concurrent use.
type Engine struct {
	// Config has the credentials of the automation role and the way to the services. Its retryer is not used: the
	// attempts of a step are all there are.
	Config aws.Config
	// Clock is the time. Attempts advance it. Executions that share a clock add up their times.
	Clock *api.Clock
	// UnmatchedSelector is FailStep by default.
	UnmatchedSelector UnmatchedSelector
	// StepDuration is the time that a call or a branch takes. Default: 1 s.
	StepDuration time.Duration
	// RetryInterval is the time between two attempts of a step. Default: 1 s.
	RetryInterval time.Duration
	// PollInterval is the time between two polls of a waiting step. Default: 5 s.
	PollInterval time.Duration
	// AssumeRole, if set, is asked at the start whether the document's role can be assumed; Start fails with its error.
	// It is not asked for a document without a role.
	AssumeRole func(roleARN string) error
	// OnStatus, if set, is called after each change of an execution's status: InProgress, then its last one.
	OnStatus func(*Execution)

	mu      sync.Mutex
	clients map[string]any
	started int
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

func (e *Engine) stepDuration() time.Duration  { return orDefault(e.StepDuration, time.Second) }
func (e *Engine) retryInterval() time.Duration { return orDefault(e.RetryInterval, time.Second) }
func (e *Engine) pollInterval() time.Duration  { return orDefault(e.PollInterval, 5*time.Second) }

func (e *Engine) client(service string) any {
	e.mu.Lock()
	defer e.mu.Unlock()
	client, ok := e.clients[service]
	if !ok {
		cfg := e.Config.Copy()
		cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
		cfg.RetryMaxAttempts = 0 // any other number would wrap the retryer
		client = newClient(service, cfg)
		if e.clients == nil {
			e.clients = map[string]any{}
		}
		e.clients[service] = client
	}
	return client
}

// Status is the status of an execution or of a step.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-statuses.html
type Status string

// The statuses that are modelled.
const (
	Pending    Status = "Pending"
	InProgress Status = "InProgress"
	Success    Status = "Success"
	Failed     Status = "Failed"
	TimedOut   Status = "TimedOut"
)

// Options are what an execution is known by. All are optional.
type Options struct {
	DocumentName    string
	DocumentVersion string
	ExecutedBy      string // the ARN of who started it
}

// Execution is one run of a document.
type Execution struct {
	ID      string
	Options // as given to Start
	// AssumeRole is the role that the document names, with the parameters filled in; "" without one.
	AssumeRole     string
	Status         Status
	FailureMessage string    // names the step, the API and the error code
	StartTime      time.Time // of Start
	EndTime        time.Time // zero until the end
	// Steps are the steps that were begun, in order. Steps only jump ahead: none is there twice.
	Steps []StepRecord
	// Calls are the calls that were sent, in order.
	Calls []CallRecord
	// Outputs are the document's outputs by STEP.OUTPUT, at the end; those of steps that did not succeed are absent.
	Outputs map[string]any

	engine    *Engine
	document  *Document
	arguments map[string]any
	outputs   map[string]map[string]any // of the steps that succeeded

	current int       // index of the step to attempt
	begun   bool      // the current step has a record
	polling bool      // the current attempt has polled before
	since   time.Time // when the current attempt began
	failure string    // of the first critical step that failed and let the execution go on
	failed  Status    // of that step
}

// StepRecord is what became of one step.
type StepRecord struct {
	Name           string
	Action         string
	Status         Status
	Attempts       int    // the polls of a waiting step are one attempt
	FailureMessage string // of the last attempt that failed; "" if the step succeeded
	StartTime      time.Time
	EndTime        time.Time
	Outputs        map[string]any
}

// CallRecord is one call of an API.
type CallRecord struct {
	Step    string
	Service string // as boto3 names it
	API     string
	// Input is what was sent, by the names on the wire. Members that were not given are absent.
	Input map[string]any
	// ErrorCode is the code of the service's refusal, "" if there was none.
	ErrorCode string
	Time      time.Time // before the call
}

// Mutating reports whether the call may change something: its name begins with none of Get, List, Describe, Lookup, Head.
func (c CallRecord) Mutating() bool {
	for _, prefix := range []string{"Get", "List", "Describe", "Lookup", "Head"} {
		if strings.HasPrefix(c.API, prefix) {
			return false
		}
	}
	return true
}

// MutatingCalls counts the calls that may have changed something, refused ones included.
func (x *Execution) MutatingCalls() int { return x.countMutating("") }

// MutatingCallsTo counts those of one service.
func (x *Execution) MutatingCallsTo(service string) int { return x.countMutating(service) }

func (x *Execution) countMutating(service string) int {
	n := 0
	for _, call := range x.Calls {
		if call.Mutating() && (service == "" || call.Service == service) {
			n++
		}
	}
	return n
}

// Record returns the record of a step, and whether it was begun.
func (x *Execution) Record(step string) (StepRecord, bool) {
	for _, record := range x.Steps {
		if record.Name == step {
			return record, true
		}
	}
	return StepRecord{}, false
}

// Start checks the parameters, which are what StartAutomationExecution takes, and makes an execution that has done
// nothing yet. Values that are refused are an *api.Error with the code InvalidAutomationExecutionParametersException
// that names all of them.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_StartAutomationExecution.html
func (e *Engine) Start(doc *Document, parameters map[string][]string, options Options) (*Execution, error) {
	arguments, refused := doc.arguments(parameters)
	if refused != nil {
		return nil, refused
	}
	e.mu.Lock()
	e.started++
	id := fmt.Sprintf("00000000-0000-4000-8000-%012d", e.started)
	e.mu.Unlock()
	x := &Execution{
		ID: id, Options: options, Status: Pending, StartTime: e.Clock.Now(),
		engine: e, document: doc, arguments: arguments, outputs: map[string]map[string]any{},
	}
	role, err := resolve(doc.assumeRole, x.lookup)
	if err != nil {
		return nil, fmt.Errorf("reading assumeRole: %w", err)
	}
	x.AssumeRole = role.(string)
	if e.AssumeRole != nil && x.AssumeRole != "" {
		if err := e.AssumeRole(x.AssumeRole); err != nil {
			return nil, api.Errorf(codeInvalidParameters, "the role %s cannot be assumed: %v", x.AssumeRole, err)
		}
	}
	return x, nil
}

// lookup is the value of a reference at this moment.
func (x *Execution) lookup(ref reference) (any, error) {
	if ref.step != "" {
		outputs, ok := x.outputs[ref.step]
		if !ok {
			return nil, fmt.Errorf("%s has no value: step %s did not succeed", ref, ref.step)
		}
		return outputs[ref.name], nil
	}
	switch ref.name {
	case "automation:EXECUTION_ID":
		return x.ID, nil
	case "global:ACCOUNT_ID":
		return api.Account, nil
	case "global:REGION":
		return api.Region, nil
	case "global:DATE_TIME":
		return x.StartTime.UTC().Format("2006-01-02_15.04.05"), nil
	}
	return x.arguments[ref.name], nil
}

// Run makes all attempts that are left.
func (x *Execution) Run(ctx context.Context) {
	for !x.Step(ctx) {
	}
}

// Step makes one attempt of one step, which is one poll if the step waits, and reports whether the execution has ended.
func (x *Execution) Step(ctx context.Context) (done bool) {
	if x.ended() {
		return true
	}
	if x.Status == Pending {
		x.setStatus(InProgress)
	}
	now := x.engine.Clock.Now()
	s := x.document.steps[x.current]
	if !x.begun {
		x.Steps = append(x.Steps, StepRecord{Name: s.name, Action: s.actionName, Status: InProgress, StartTime: now})
		x.begun = true
	}
	record := &x.Steps[len(x.Steps)-1]
	if !x.polling {
		record.Attempts++
		x.since = now
	}
	r := s.action.attempt(&attempt{ctx: ctx, x: x, step: s, since: x.since})
	x.polling = r.again
	record.FailureMessage = ""
	if r.err != nil {
		record.FailureMessage = r.err.Error()
	}
	switch {
	case r.again:
		return false
	case r.err != nil && record.Attempts < s.maxAttempts:
		x.engine.Clock.Advance(x.engine.retryInterval())
		return false
	}
	record.EndTime = x.engine.Clock.Now()
	if r.err != nil {
		x.fail(s, record, r.timedOut)
	} else {
		record.Status, record.Outputs = Success, r.outputs
		x.outputs[s.name] = r.outputs
		next := s.next
		if r.jump {
			next = r.next
		}
		x.moveTo(next)
	}
	return x.ended()
}

func (x *Execution) ended() bool { return x.Status != Pending && x.Status != InProgress }

// fail goes on after a step has failed for good. By default a step that times out makes the execution time out.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-handling-timeouts.html
func (x *Execution) fail(s *step, record *StepRecord, timedOut bool) {
	record.Status = Failed
	if timedOut {
		record.Status = TimedOut
	}
	message := "step " + s.name + ": " + record.FailureMessage
	if s.onFailure == abort {
		x.end(record.Status, message)
		return
	}
	if s.critical && x.failure == "" {
		x.failure, x.failed = message, record.Status
	}
	x.moveTo(s.onFailure)
}

func (x *Execution) moveTo(step int) {
	x.current, x.begun = step, false
	if step < len(x.document.steps) {
		return
	}
	if x.failure != "" {
		x.end(x.failed, x.failure)
		return
	}
	x.end(Success, "")
}

func (x *Execution) end(status Status, message string) {
	x.EndTime, x.FailureMessage = x.engine.Clock.Now(), message
	x.Outputs = map[string]any{}
	for _, ref := range x.document.outputs {
		if outputs, ok := x.outputs[ref.step]; ok {
			x.Outputs[ref.step+"."+ref.name] = outputs[ref.name]
		}
	}
	x.setStatus(status)
}

func (x *Execution) setStatus(status Status) {
	x.Status = status
	if x.engine.OnStatus != nil {
		x.engine.OnStatus(x)
	}
}
