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

// Result is what became of an attempt.
type Result struct {
	Attempt        Attempt
	Repaired       bool                 // the whole state was back in time, or nothing had to be repaired, or people were told if that is wanted
	Refused        string               // the code with which the call was refused; empty if it was done
	CallsToLogging int                  // the guard's calls to CloudTrail that change a trail, until logging was back; 0 if it never stopped
	Calls          int                  // the guard's calls that change what was tampered with, all together
	Began          time.Time            // the tampering
	Elapsed        time.Duration        // from the tampering until the drill saw that all was back, or that people were told
	Unmet          []string             // what was not met at the deadline
	Looks          []Look               // after the tampering: the first, and each that differs from the one before
	PutBack        bool                 // the drill itself put back what was tampered with
	PutBackAt      time.Time            // when the drill had put that back; zero if it did not
	Executions     []deployed.Execution // of the runbook, that the tampering started
	Told           []string             // the messages of the call that people got, if people must be told of it
}

// Look is what the drill saw at one moment.
type Look struct {
	At      time.Time
	Logging bool
	Unmet   []string // what was not as declared, or before; empty if all was
}

// look adds what the drill sees, if the look before saw something else.
func (r *Result) look(at time.Time, state State, unmet []string) {
	look := Look{At: at, Logging: state.IsLogging(), Unmet: slices.Clone(unmet)}
	if n := len(r.Looks); n > 0 && r.Looks[n-1].Logging == look.Logging && slices.Equal(r.Looks[n-1].Unmet, look.Unmet) {
		return
	}
	r.Looks = append(r.Looks, look)
}

// Message is what people were told: of the call if that is wanted, or by the runbook of its repair; empty if they were told nothing.
func (r Result) Message() string {
	if len(r.Told) > 0 {
		return r.Told[0]
	}
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
	// Waiting is called after each look at what is not yet repaired.
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
	Listener    Listener    // for scenarios of which people must be told
	// Observer is told how the drill goes on.
	//
	// Default: - nobody is told.
	Observer Observer
	// Poll is the time between two looks. Default: 5 s.
	Poll time.Duration
	// Timeout is how long the guard has to repair. To tell it has as long, or 15 min. Default: 15 min.
	Timeout time.Duration
	// Settle is called after each attempt, when all is back.
	//
	// Default: - the next attempt follows at once.
	Settle func(ctx context.Context) error
}

const (
	changedNothing = "the call changed nothing that is declared"
	notTold        = "people were not told"
)

const (
	defaultPoll    = 5 * time.Second
	defaultTimeout = 15 * time.Minute
	// Reads of CloudTrail are eventually consistent: tampering may not be seen at once.
	seenWithin = 30 * time.Second
	// People who are told twice are told the second time so soon after the first.
	toldAgainWithin = 30 * time.Second
	// What was tampered with is put back even after the drill was interrupted, for so long.
	putBackWithin = 2 * time.Minute
	putBackTries  = 10
)

// Run runs attempts, and returns the results of those that came to an end. An attempt that the guard did not repair is no
// error. Errors are: a part that is not in its declared state beforehand, an account that cannot be read or put back, a
// ctx that ended. Whatever happens, what was tampered with is put back.
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
	what := "the " + string(a.Scenario.Part())
	before, err := r.Account.State(ctx, a)
	if err != nil {
		return result, err
	}
	if unmet := before.Unmet(nil); len(unmet) > 0 {
		return result, fmt.Errorf("%s is not in its declared state before the tampering: %s", what, strings.Join(unmet, "; "))
	}
	known, err := r.Account.Executions(ctx)
	if err != nil {
		return result, err
	}
	target := targetOf(r.Guard, a.Form)
	if a.Scenario.Needs != "" {
		cleanup, failed := r.Provisioner.Provision(ctx, a.Scenario.Needs, &target)
		if failed != nil {
			return result, failed
		}
		defer func() { err = errors.Join(err, atLast(ctx, cleanup)) }()
	}
	defer func() {
		failed := atLast(ctx, func(ctx context.Context) (failed error) {
			if result.PutBack, failed = r.putBack(ctx, a, before); result.PutBack && failed == nil {
				result.PutBackAt = r.Clock.Now()
			}
			return failed
		})
		if err != nil && failed == nil {
			err = fmt.Errorf("%w; %s is as it was before", err, what)
		}
		err = errors.Join(err, failed)
		if err == nil && r.Settle != nil {
			err = r.Settle(ctx)
		}
	}()

	if a.Scenario.Told != "" {
		// What was told before is not of this call.
		if _, err := r.Listener.Messages(ctx); err != nil {
			return result, err
		}
	}
	result.Began = r.Clock.Now()
	if err := a.tamper(ctx, target); err != nil {
		if a.Scenario.Part() == Guard && isMissing(err) {
			result.Unmet = []string{err.Error()}
			return result, nil
		}
		if result.Refused = refusal(err, a.Scenario); result.Refused == "" {
			return result, fmt.Errorf("tampering: %w", err)
		}
	}
	if result.Refused != "" {
		after, err := r.Account.State(ctx, a)
		if err != nil {
			return result, err
		}
		result.Unmet = after.Unmet(before)
		result.look(r.Clock.Now(), after, result.Unmet)
		result.Repaired = len(result.Unmet) == 0
		return result, nil
	}
	if a.Scenario.Told != "" {
		return r.listen(ctx, a, result, before, known)
	}
	return r.watch(ctx, a, result, before, known)
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

// times are the time between two looks, and how long the guard has.
func (r *Runner) times() (poll, timeout time.Duration) {
	poll, timeout = r.Poll, r.Timeout
	if poll == 0 {
		poll = defaultPoll
	}
	if timeout == 0 {
		timeout = defaultTimeout
	}
	return poll, timeout
}

// watch looks until all is as declared, or before, and the runbook rests, or the time is over.
func (r *Runner) watch(ctx context.Context, a Attempt, result Result, before State, known []deployed.Execution) (Result, error) {
	poll, timeout := r.times()
	seen, stopped := false, false
	for {
		state, err := r.Account.State(ctx, a)
		if err != nil {
			return result, err
		}
		result.Unmet, result.Elapsed = append([]string{}, state.Unmet(before)...), r.Clock.Now().Sub(result.Began)
		result.look(result.Began.Add(result.Elapsed), state, result.Unmet)
		met := len(result.Unmet) == 0
		seen = seen || !met
		stopped = stopped || !state.IsLogging()
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
	executions, err := r.rest(ctx, a.Scenario.Part(), known, poll, timeout)
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

// listen hears what people are told until they were told, and nothing more came, or the time is over. A message comes with its event.
func (r *Runner) listen(ctx context.Context, a Attempt, result Result, before State, known []deployed.Execution) (Result, error) {
	poll, timeout := r.times()
	poll, timeout = min(poll, defaultPoll), min(timeout, defaultTimeout)
	changed := a.Scenario.mayChangeNothing
	for {
		state, err := r.Account.State(ctx, a)
		if err != nil {
			return result, err
		}
		now := r.Clock.Now()
		unmet := state.Unmet(before)
		result.look(now, state, unmet)
		changed = changed || len(unmet) > 0
		messages, err := r.Listener.Messages(ctx)
		if err != nil {
			return result, err
		}
		for _, message := range messages {
			if strings.HasPrefix(message, "TAMPERING: "+a.Scenario.Told+" on the "+string(a.Scenario.Part())+" of ") {
				if len(result.Told) == 0 {
					result.Elapsed = now.Sub(result.Began)
				}
				result.Told = append(result.Told, message)
			}
		}
		since := now.Sub(result.Began)
		if len(result.Told) > 0 && since-result.Elapsed >= toldAgainWithin || since >= timeout {
			break
		}
		result.Unmet = []string{notTold}
		if len(result.Told) == 0 && r.Observer != nil {
			r.Observer.Waiting(a, since, result.Unmet)
		}
		if err := r.Clock.Wait(ctx, poll); err != nil {
			return result, err
		}
	}
	switch n := len(result.Told); {
	case n == 0:
		result.Unmet, result.Elapsed = []string{notTold}, r.Clock.Now().Sub(result.Began)
	case n > 1:
		result.Unmet = []string{fmt.Sprintf("people were told %d times, want once", n)}
	case !changed:
		result.Unmet = []string{changedNothing}
	default:
		result.Unmet, result.Repaired = []string{}, true
	}
	executions, err := r.rest(ctx, a.Scenario.Part(), known, poll, timeout)
	result.Executions = executions
	_, result.Calls = countCalls(executions)
	return result, err
}

// rest waits until the executions that the tampering started have ended, so that they do not meet the next scenario. Those that repair another
// part are not returned.
func (r *Runner) rest(ctx context.Context, part Part, known []deployed.Execution, poll, timeout time.Duration) ([]deployed.Execution, error) {
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
			if ended = ended && x.Ended(); x.OfLogStore == (part == LogStore) {
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

// putBack brings what an attempt tampers with back to the state before, and tells whether it had to.
func (r *Runner) putBack(ctx context.Context, a Attempt, before State) (had bool, err error) {
	what := "the " + string(a.Scenario.Part())
	var failed error
	for range putBackTries {
		now, err := r.Account.State(ctx, a)
		if err != nil {
			return had, fmt.Errorf("putting %s back: %w", what, err)
		}
		different := now.Differences(before)
		if len(different) == 0 {
			return had, nil
		}
		had = true
		if failed = r.Account.Restore(ctx, a, before, now); failed == nil {
			failed = errors.New(strings.Join(different, "; "))
		}
		if err := r.Clock.Wait(ctx, time.Second); err != nil {
			return had, fmt.Errorf("putting %s back: %w", what, errors.Join(failed, err))
		}
	}
	return had, fmt.Errorf("%s could not be put back in %d attempts: %w", what, putBackTries, failed)
}

// countCalls counts the calls with which executions changed something, as the executions report them: until logging was back,
// and all.
func countCalls(executions []deployed.Execution) (toLogging, all int) {
	back := false
	for _, x := range deployed.ByStart(executions) {
		if x.Report == nil {
			continue
		}
		for _, call := range x.Report.TrailWrites() {
			all++
			if !back {
				toLogging++
			}
			back = back || call == "start_logging"
		}
	}
	return toLogging, all
}
