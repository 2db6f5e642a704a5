package drill

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/smithy-go"

	"github.com/trailguard/trailguard/drill/deployed"
)

// Clock is the time of a drill.
type Clock interface {
	Now() time.Time
	// Wait lets time pass: d, or less if something happened meanwhile. Its error is ctx's, or why time cannot pass.
	Wait(ctx context.Context, d time.Duration) error
}

// WallClock is real time.
type WallClock struct{}

// Now is the time.
func (WallClock) Now() time.Time { return time.Now() }

// Wait sleeps.
func (WallClock) Wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// Caller is who tampers.
type Caller struct {
	Name string
	API  TrailAPI
}

// Attempt is one scenario by one caller.
type Attempt struct {
	Scenario Scenario
	ByARN    bool // the trail is named by its ARN, else by its name
	Caller   Caller
	Path     deployed.Path // of the guard that is armed: event, config, schedule or all
}

// Call is what the caller does, in words.
func (a Attempt) Call() string {
	if a.ByARN {
		return a.Scenario.Call + ", by ARN"
	}
	return a.Scenario.Call + ", by name"
}

// Result is what became of an attempt.
type Result struct {
	Attempt        Attempt
	Repaired       bool                 // the whole declared state was back in time, or nothing had to be repaired
	Refused        string               // the code with which the call was refused; empty if it was done
	CallsToLogging int                  // the guard's calls to CloudTrail that change a trail, until logging was back; 0 if it never stopped
	Calls          int                  // the guard's calls to CloudTrail that change a trail, all together
	Began          time.Time            // the tampering
	Elapsed        time.Duration        // from the tampering until the drill saw the declared state
	Unmet          []string             // what was not met at the deadline
	Looks          []Look               // at the trail after the tampering: the first, and each that differs from the one before
	PutBack        bool                 // the drill itself put the trail back
	PutBackAt      time.Time            // when the drill had put the trail back; zero if it did not
	Executions     []deployed.Execution // of the runbook, that the tampering started
}

// Look is what the drill saw of a trail at one moment.
type Look struct {
	At      time.Time
	Logging bool
	Unmet   []string // what was not as declared; empty if all was
}

// look adds what the drill sees of a trail, if the look before saw something else.
func (r *Result) look(at time.Time, state deployed.State, unmet []string) {
	look := Look{At: at, Logging: state.Trail != nil && state.IsLogging, Unmet: slices.Clone(unmet)}
	if n := len(r.Looks); n > 0 && r.Looks[n-1].Logging == look.Logging && slices.Equal(r.Looks[n-1].Unmet, look.Unmet) {
		return
	}
	r.Looks = append(r.Looks, look)
}

// Message is what the runbook told people of its repair; empty if it told nothing.
func (r Result) Message() string {
	for _, x := range r.Executions {
		if x.Report != nil && x.Report.Message != "" {
			return x.Report.Message
		}
	}
	return ""
}

// Observer is told how a drill goes on.
type Observer interface {
	// Begun is called before each attempt; i counts from 0.
	Begun(i, n int, a Attempt)
	// Waiting is called after each look at a trail that is not yet repaired.
	Waiting(a Attempt, elapsed time.Duration, unmet []string)
	// Done is called after each attempt.
	Done(i, n int, r Result)
}

// Runner runs attempts one after the other.
type Runner struct {
	Guard       deployed.Guard
	Account     Account
	Clock       Clock
	Provisioner Provisioner // for scenarios that need something
	// Observer is told how the drill goes on.
	//
	// Default: - nobody is told.
	Observer Observer
	// Poll is the time between two looks at the trail. Default: 5 s.
	Poll time.Duration
	// Timeout is how long the guard has for a repair. Default: 15 min.
	Timeout time.Duration
	// Settle is called after each attempt, when the trail is back.
	//
	// Default: - the next attempt follows at once.
	Settle func(ctx context.Context) error
}

const changedNothing = "the call changed nothing that is declared"

const (
	defaultPoll    = 5 * time.Second
	defaultTimeout = 15 * time.Minute
	// Reads of CloudTrail are eventually consistent: tampering may not be seen at once.
	seenWithin = 30 * time.Second
	// A trail is put back even after the drill was interrupted, for so long.
	putBackWithin = 2 * time.Minute
	putBackTries  = 10
)

// Run runs attempts, and returns the results of those that came to an end. An attempt that the guard did not repair is no
// error. Errors are: a trail that is not in its declared state beforehand, an account that cannot be read or put back, a
// ctx that ended. Whatever happens, the trail is put back.
func (r *Runner) Run(ctx context.Context, attempts []Attempt) ([]Result, error) {
	var results []Result
	for i, a := range attempts {
		if r.Observer != nil {
			r.Observer.Begun(i, len(attempts), a)
		}
		result, err := r.attempt(ctx, a)
		if err != nil {
			return results, fmt.Errorf("%s %s, %s: %w", a.Scenario.ID, a.Call(), a.Caller.Name, err)
		}
		results = append(results, result)
		if r.Observer != nil {
			r.Observer.Done(i, len(attempts), result)
		}
	}
	return results, nil
}

func (r *Runner) attempt(ctx context.Context, a Attempt) (result Result, err error) {
	result = Result{Attempt: a, Unmet: []string{}}
	before, err := r.Account.State(ctx)
	if err != nil {
		return result, err
	}
	if unmet := r.Guard.Declared.Unmet(before); len(unmet) > 0 {
		return result, fmt.Errorf("the trail is not in its declared state before the tampering: %s", strings.Join(unmet, "; "))
	}
	known, err := r.Account.Executions(ctx)
	if err != nil {
		return result, err
	}
	target := Target{Trail: r.Guard.TrailName, ARN: r.Guard.TrailARN, Declared: r.Guard.Declared}
	if a.ByARN {
		target.Trail = r.Guard.TrailARN
	}
	if a.Scenario.Needs != "" {
		cleanup, failed := r.Provisioner.Provision(ctx, a.Scenario.Needs, &target)
		if failed != nil {
			return result, failed
		}
		defer func() { err = errors.Join(err, atLast(ctx, cleanup)) }()
	}
	defer func() {
		failed := atLast(ctx, func(ctx context.Context) (failed error) {
			if result.PutBack, failed = r.putBack(ctx, before); result.PutBack && failed == nil {
				result.PutBackAt = r.Clock.Now()
			}
			return failed
		})
		if err != nil && failed == nil {
			err = fmt.Errorf("%w; the trail is as it was before", err)
		}
		err = errors.Join(err, failed)
		if err == nil && r.Settle != nil {
			err = r.Settle(ctx)
		}
	}()

	began := r.Clock.Now()
	result.Began = began
	if err := a.Scenario.Tamper(ctx, a.Caller.API, target); err != nil {
		if result.Refused = refusal(err, a.Scenario); result.Refused == "" {
			return result, fmt.Errorf("tampering: %w", err)
		}
	}
	if result.Refused != "" {
		after, err := r.Account.State(ctx)
		result.Unmet = r.Guard.Declared.Unmet(after)
		result.look(r.Clock.Now(), after, result.Unmet)
		result.Repaired = len(result.Unmet) == 0
		return result, err
	}
	return r.watch(ctx, a, result, began, known)
}

// atLast does what must be done even if ctx has ended.
func atLast(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), putBackWithin)
	defer cancel()
	return do(ctx)
}

// refusal is the code with which CloudTrail or an organization's policy refused a call; empty if the call failed otherwise.
func refusal(err error, s Scenario) string {
	var refused smithy.APIError
	if !errors.As(err, &refused) {
		return ""
	}
	byPolicy := strings.Contains(refused.ErrorMessage(), "explicit deny in a service control policy")
	if byPolicy || slices.Contains(s.Refusals, refused.ErrorCode()) {
		return refused.ErrorCode()
	}
	return ""
}

// watch looks at the trail until it is as declared and the runbook rests, or the time is over.
func (r *Runner) watch(ctx context.Context, a Attempt, result Result, began time.Time, known []deployed.Execution) (Result, error) {
	poll, timeout := r.Poll, r.Timeout
	if poll == 0 {
		poll = defaultPoll
	}
	if timeout == 0 {
		timeout = defaultTimeout
	}
	seen, stopped := false, false
	for {
		state, err := r.Account.State(ctx)
		if err != nil {
			return result, err
		}
		result.Unmet, result.Elapsed = r.Guard.Declared.Unmet(state), r.Clock.Now().Sub(began)
		result.look(began.Add(result.Elapsed), state, result.Unmet)
		met := len(result.Unmet) == 0
		seen = seen || !met
		stopped = stopped || state.Trail == nil || !state.IsLogging
		if a.Scenario.Harmless && result.Elapsed >= seenWithin {
			result.Repaired = met
			break
		}
		if !seen && !a.Scenario.Harmless && result.Elapsed >= seenWithin {
			result.Unmet = []string{changedNothing}
			break
		}
		if seen && met && !a.Scenario.Harmless {
			result.Repaired = true
			break
		}
		if result.Elapsed >= timeout {
			break
		}
		if r.Observer != nil {
			r.Observer.Waiting(a, result.Elapsed, result.Unmet)
		}
		if err := r.Clock.Wait(ctx, poll); err != nil {
			return result, err
		}
	}
	executions, err := r.rest(ctx, known, poll, timeout)
	if err != nil {
		return result, err
	}
	result.Executions = executions
	if result.CallsToLogging, result.Calls = countCalls(executions); !stopped {
		result.CallsToLogging = 0
	}
	if a.Scenario.Harmless && result.Calls > 0 {
		result.Repaired = false
		result.Unmet = append(result.Unmet, fmt.Sprintf("the guard made %d calls that change a trail from which nothing was taken", result.Calls))
	}
	return result, nil
}

// rest waits until the executions that the tampering started have ended, so that they do not meet the next scenario.
func (r *Runner) rest(ctx context.Context, known []deployed.Execution, poll, timeout time.Duration) ([]deployed.Execution, error) {
	began := r.Clock.Now()
	for {
		all, err := r.Account.Executions(ctx)
		if err != nil {
			return nil, err
		}
		var started []deployed.Execution
		ended := true
		for _, x := range all {
			if slices.ContainsFunc(known, func(k deployed.Execution) bool { return k.ID == x.ID }) {
				continue
			}
			if x, err = r.Account.Steps(ctx, x); err != nil {
				return nil, err
			}
			if ended = ended && x.Ended(); !x.OfLogStore {
				started = append(started, x)
			}
		}
		if ended || r.Clock.Now().Sub(began) >= timeout {
			return started, nil
		}
		if err := r.Clock.Wait(ctx, poll); err != nil {
			return nil, err
		}
	}
}

// putBack brings the trail back to the state before, and tells whether it had to.
func (r *Runner) putBack(ctx context.Context, before deployed.State) (had bool, err error) {
	var failed error
	for range putBackTries {
		now, err := r.Account.State(ctx)
		if err != nil {
			return had, fmt.Errorf("putting the trail back: %w", err)
		}
		different := now.Differences(before)
		if len(different) == 0 {
			return had, nil
		}
		had = true
		if failed = r.Account.Restore(ctx, before, now); failed == nil {
			failed = errors.New(strings.Join(different, "; "))
		}
		if err := r.Clock.Wait(ctx, time.Second); err != nil {
			return had, fmt.Errorf("putting the trail back: %w", errors.Join(failed, err))
		}
	}
	return had, fmt.Errorf("the trail could not be put back in %d attempts: %w", putBackTries, failed)
}

// countCalls counts the calls with which executions changed the trail, as the executions report them: until logging was back,
// and all.
func countCalls(executions []deployed.Execution) (toLogging, all int) {
	back := false
	for _, x := range deployed.ByStart(executions) {
		if x.Report == nil {
			continue
		}
		for _, call := range x.Report.Writes {
			all++
			if !back {
				toLogging++
			}
			back = back || call == "start_logging"
		}
	}
	return toLogging, all
}
