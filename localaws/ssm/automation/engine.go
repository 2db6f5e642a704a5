// Package automation executes AWS Systems Manager Automation documents of schema 0.3.
//
// Exactly the actions aws:executeScript, in Python, and aws:sleep are modelled; everything else is an error of Parse. A
// script is real Python with real boto3, whose requests are answered by a function, whose sleeps pass on a clock that the
// caller owns, and whose calls can be taken one by one: see Execution.Step. How long AWS takes is not modelled; the
// durations below only put the events in an order. Automation itself retries no throttled call of a script.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-throttling-retry.html
package automation

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/catalog"
)

// Engine starts executions. Its fields must not change after the first Start. Executions of one engine may be stepped
// in any order; an execution itself is not safe for concurrent use.
type Engine struct {
	// Worker runs the scripts. Required where there are any.
	Worker *Worker
	// Send answers a script's request. Required where scripts make any.
	Send func(*http.Request) (Answer, error)
	// AccessKeyID is the key of whose calls a script's are, unless the script signs with a key of its own. A document
	// without assumeRole gives its scripts no credentials.
	// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-document-script-considerations.html
	AccessKeyID string
	// Clock is the time. Calls and sleeps advance it.
	Clock *api.Clock
	// Place is the account and Region in which scripts run.
	//
	// Default: - api.Home.
	Place api.Place
	// CallDuration is the time that a call takes.
	//
	// Default: - 250 ms.
	CallDuration time.Duration
	// RetryInterval is the time between two attempts of a step.
	//
	// Default: - a second.
	RetryInterval time.Duration
	// OnStatus is called after each change of an execution's status: InProgress, then its last one.
	//
	// Default: - nothing is called.
	OnStatus func(*Execution)
	// OnFailure is called with what the simulation itself could not do. The step fails, too.
	//
	// Default: - nothing is called.
	OnFailure func(error)

	started atomic.Int64
}

// Answer is the answer of a request, and what call the request was.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte

	Call      api.Call
	ErrorCode string // of the service's refusal, "" if there was none
}

func (e *Engine) place() api.Place { return e.Place.Or(api.Home()) }

func (e *Engine) callDuration() time.Duration {
	if e.CallDuration == 0 {
		return 250 * time.Millisecond
	}
	return e.CallDuration
}

func (e *Engine) retryInterval() time.Duration {
	if e.RetryInterval == 0 {
		return time.Second
	}
	return e.RetryInterval
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
	Cancelled  Status = "Cancelled"
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
	// Parameters are as given to Start.
	Parameters map[string][]string
	// AssumeRole is the role that the document names, with the parameters filled in; "" without one.
	AssumeRole     string
	Status         Status
	FailureMessage string    // names the step
	StartTime      time.Time // of Start
	EndTime        time.Time // zero until the end
	// Steps are the steps that were begun, in order. Steps only jump ahead: none is there twice.
	Steps []StepRecord
	// Calls are the calls that were sent, in order.
	Calls []CallRecord
	// Outputs are the document's outputs by STEP.OUTPUT, at the end; those of steps that did not succeed are absent.
	Outputs map[string]any

	engine          *Engine
	documentSteps   []*step
	documentOutputs []reference
	arguments       map[string]any
	outputs         map[string]map[string]any // of the steps that succeeded

	current   int       // index of the step to attempt
	begun     bool      // the current step has a record
	attempt   attempt   // of the current step; nil between two attempts
	wake      time.Time // when the sleep ends; zero without one
	cancelled atomic.Bool
	failure   string // of the first critical step that failed and let the execution go on
	failed    Status // of that step
}

// StepRecord is what became of one step.
type StepRecord struct {
	Name           string
	Action         string
	Status         Status
	Attempts       int
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
	// Input is what was sent, by the names on the wire; numbers are as encoding/json has them, and of the query protocol
	// all values are strings.
	Input map[string]any
	// ErrorCode is the code of the service's refusal, "" if there was none.
	ErrorCode string
	Time      time.Time // before the call
}

// Mutating reports whether the call may change something, a resource or the data in it.
func (c CallRecord) Mutating() bool { return catalog.Of(c.Service, c.API).Kind != catalog.Read }

// step is one of mainSteps.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-actions.html
type step struct {
	name, actionName string
	action           action
	maxAttempts      int
	timeout          time.Duration // of one attempt; 0 without one
	critical         bool
	next             int // index of the step after a success; the number of steps ends the execution
	onFailure        int // index of the step after a failure; abort ends the execution
}

const abort = -1

// action is what a step does.
type action interface {
	begin(execution *Execution, s *step) attempt
}

// attempt is one attempt of one step.
type attempt interface {
	// advance makes one call, or begins or ends one sleep.
	advance(ctx context.Context) result
	// stop ends an attempt that will not be advanced any more.
	stop()
}

// result is what became of an attempt. Without err it succeeded, unless it goes on.
type result struct {
	err      error
	timedOut bool
	goesOn   bool
	outputs  map[string]any
}

// MutatingCalls counts the calls that may have changed something, refused ones included.
func (execution *Execution) MutatingCalls() int {
	n := 0
	for _, call := range execution.Calls {
		if call.Mutating() {
			n++
		}
	}
	return n
}

// Record returns the record of a step, and whether it was begun.
func (execution *Execution) Record(step string) (StepRecord, bool) {
	for _, record := range execution.Steps {
		if record.Name == step {
			return record, true
		}
	}
	return StepRecord{}, false
}

// lookup is the value of a reference at this moment.
func (execution *Execution) lookup(ref reference) (any, error) {
	if ref.step != "" {
		outputs, ok := execution.outputs[ref.step]
		if !ok {
			return nil, fmt.Errorf("%s has no value: step %s did not succeed", ref, ref.step)
		}
		return outputs[ref.name], nil
	}
	switch ref.name {
	case "automation:EXECUTION_ID":
		return execution.ID, nil
	case "global:ACCOUNT_ID":
		return execution.engine.place().Account, nil
	case "global:REGION":
		return execution.engine.place().Region, nil
	case "global:DATE_TIME":
		return execution.StartTime.UTC().Format("2006-01-02_15.04.05"), nil
	}
	return execution.arguments[ref.name], nil
}

// Run makes all steps that are left.
func (execution *Execution) Run(ctx context.Context) {
	for !execution.Step(ctx) {
	}
}

// Step goes on to the next moment at which others may act, and reports whether the execution has ended. On the way lies at
// most one call, with the computing of the script around it. A Step ends where a sleep begins; the next Step lets the sleep
// pass, and for that moves the clock to the sleep's end: while other executions run, Next says whose turn it is.
func (execution *Execution) Step(ctx context.Context) (done bool) {
	if execution.ended() {
		return true
	}
	if execution.cancelled.Load() {
		execution.cancel()
		return true
	}
	if execution.Status == Pending {
		execution.setStatus(InProgress)
	}
	if !execution.wake.IsZero() {
		execution.engine.Clock.Advance(max(0, execution.wake.Sub(execution.now())))
		execution.wake = time.Time{}
	}
	s := execution.documentSteps[execution.current]
	if !execution.begun {
		execution.Steps = append(execution.Steps, StepRecord{Name: s.name, Action: s.actionName, Status: InProgress, StartTime: execution.now()})
		execution.begun = true
	}
	record := &execution.Steps[len(execution.Steps)-1]
	if execution.attempt == nil {
		record.Attempts++
		record.FailureMessage = ""
		execution.attempt = s.action.begin(execution, s)
	}
	r := execution.attempt.advance(ctx)
	switch {
	case execution.cancelled.Load():
		execution.cancel()
		return true
	case r.goesOn:
		return false
	}
	execution.attempt = nil
	if r.err != nil {
		record.FailureMessage = r.err.Error()
		if record.Attempts < s.maxAttempts {
			execution.wake = execution.now().Add(execution.engine.retryInterval())
			return false
		}
		record.EndTime = execution.now()
		execution.fail(s, record, r.timedOut)
		return execution.ended()
	}
	record.Status, record.EndTime, record.Outputs = Success, execution.now(), r.outputs
	execution.outputs[s.name] = r.outputs
	execution.moveTo(s.next)
	return execution.ended()
}

// Next is the index of the execution whose turn it is: of one of those that do not sleep, or, where all sleep, of one of
// those that wake first. So sleeps pass at the same time, although each moves the clock. choose returns one of n numbers
// from 0. There must be an execution.
func Next(executions []*Execution, choose func(n int) int) int {
	var awake, first []int
	for i, execution := range executions {
		if !execution.wake.After(execution.now()) {
			awake = append(awake, i)
		}
		if len(first) > 0 {
			switch earliest := executions[first[0]].wake; {
			case execution.wake.After(earliest):
				continue
			case execution.wake.Before(earliest):
				first = nil
			}
		}
		first = append(first, i)
	}
	if len(awake) > 0 {
		first = awake
	}
	return first[choose(len(first))]
}

// Cancel makes the next Step, or the one that is under way, end the execution. It may be called at any time, by a script
// of the execution, too.
func (execution *Execution) Cancel() { execution.cancelled.Store(true) }

func (execution *Execution) cancel() {
	if execution.attempt != nil {
		execution.attempt.stop()
	}
	if execution.begun {
		record := &execution.Steps[len(execution.Steps)-1]
		record.Status, record.EndTime = Cancelled, execution.now()
	}
	execution.end(Cancelled, "")
}

func (execution *Execution) now() time.Time { return execution.engine.Clock.Now() }

func (execution *Execution) ended() bool {
	return execution.Status != Pending && execution.Status != InProgress
}

// fail goes on after a step has failed for good. By default a step that times out makes the execution time out.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-handling-timeouts.html
func (execution *Execution) fail(s *step, record *StepRecord, timedOut bool) {
	record.Status = Failed
	if timedOut {
		record.Status = TimedOut
	}
	message := "step " + s.name + ": " + record.FailureMessage
	if s.onFailure == abort {
		execution.end(record.Status, message)
		return
	}
	if s.critical && execution.failure == "" {
		execution.failure, execution.failed = message, record.Status
	}
	execution.moveTo(s.onFailure)
}

func (execution *Execution) moveTo(step int) {
	execution.current, execution.begun = step, false
	if step < len(execution.documentSteps) {
		return
	}
	if execution.failure != "" {
		execution.end(execution.failed, execution.failure)
		return
	}
	execution.end(Success, "")
}

func (execution *Execution) end(status Status, message string) {
	execution.EndTime, execution.FailureMessage = execution.now(), message
	execution.Outputs = map[string]any{}
	for _, ref := range execution.documentOutputs {
		if outputs, ok := execution.outputs[ref.step]; ok {
			execution.Outputs[ref.step+"."+ref.name] = outputs[ref.name]
		}
	}
	execution.setStatus(status)
}

func (execution *Execution) setStatus(status Status) {
	execution.Status = status
	if execution.engine.OnStatus != nil {
		execution.engine.OnStatus(execution)
	}
}
