package drill

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/smithy-go"

	"github.com/trailguard/trailguard/drill/deployed"
)

// fakeAccount is an account with a trail that a guard repairs, or not. It is its own clock.
type fakeAccount struct {
	now        time.Time
	state      deployed.State
	executions []deployed.Execution
	log        []string

	repairAfter time.Duration // 0: never
	brokenAt    time.Time
	readError   error
	restoreFail int           // how many attempts to put the trail back fail
	onWait      func()        // called at each Wait
	restLater   time.Duration // how long the runbook goes on after the repair
}

var healthy = deployed.State{IsLogging: true, Trail: &types.Trail{S3BucketName: aws.String("logs")}}

func (f *fakeAccount) State(context.Context, Attempt) (State, error) {
	return trailState{f.state, declared}, f.readError
}

func (f *fakeAccount) Restore(_ context.Context, _ Attempt, before, _ State) error {
	f.log = append(f.log, "restore")
	if f.restoreFail > 0 {
		f.restoreFail--
		return errors.New("no permission")
	}
	f.state = before.(trailState).State
	return nil
}

func (f *fakeAccount) Executions(context.Context) ([]deployed.Execution, error) {
	list := slices.Clone(f.executions)
	for i, x := range list {
		if list[i].Status = "Success"; f.now.Before(x.Start.Add(f.restLater)) {
			list[i].Status = "InProgress"
		}
	}
	return list, nil
}

func (f *fakeAccount) Steps(_ context.Context, x deployed.Execution) (deployed.Execution, error) {
	x.Report = &deployed.RunReport{Writes: []string{"start_logging", "update_trail"}, Message: "REPAIRED"}
	return x, nil
}

func (f *fakeAccount) Now() time.Time { return f.now }

func (f *fakeAccount) Wait(ctx context.Context, d time.Duration) error {
	if f.onWait != nil {
		f.onWait()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	f.now = f.now.Add(d)
	if f.repairAfter > 0 && !f.brokenAt.IsZero() && f.now.Sub(f.brokenAt) >= f.repairAfter {
		f.state, f.brokenAt = healthy, time.Time{}
		f.executions = append(f.executions, deployed.Execution{ID: "new", Start: f.now.Add(-3 * time.Second)})
	}
	return nil
}

func (f *fakeAccount) Provision(_ context.Context, _ Need, into *Target) (func(context.Context) error, error) {
	f.log = append(f.log, "provision")
	into.Bucket = "another"
	return func(context.Context) error {
		f.log = append(f.log, "clear away")
		return nil
	}, nil
}

// breaks is a scenario that leaves the trail in a state.
func (f *fakeAccount) breaks(state deployed.State) Scenario {
	return Scenario{ID: "T01", Call: "cloudtrail StopLogging", Tamper: func(_ context.Context, _ TrailAPI, t Target) error {
		f.log = append(f.log, "tamper "+t.Trail+t.Bucket)
		f.state, f.brokenAt = state, f.now
		return nil
	}}
}

var declared = deployed.Declared{deployed.IsLogging: "true", deployed.S3BucketName: `"logs"`}

func (f *fakeAccount) runner() *Runner {
	return &Runner{
		Guard:   deployed.Guard{TrailName: "org-trail", TrailARN: "arn", Declared: declared},
		Account: f, Clock: f, Provisioner: f, Poll: 5 * time.Second, Timeout: time.Minute,
	}
}

func newFake() *fakeAccount {
	return &fakeAccount{now: time.Unix(0, 0), state: healthy, executions: []deployed.Execution{{ID: "old"}}}
}

var stopped = deployed.State{Trail: healthy.Trail}

func TestARepairIsMeasuredAndItsCallsAreCounted(t *testing.T) {
	f := newFake()
	f.repairAfter, f.restLater = 12*time.Second, time.Minute
	results, err := f.runner().Run(t.Context(), []Attempt{{Scenario: f.breaks(stopped), Path: "event"}})
	if err != nil {
		t.Fatal(err)
	}
	r := results[0]
	if !r.Repaired || r.Elapsed != 15*time.Second || r.CallsToLogging != 1 || r.Calls != 2 || len(r.Unmet) != 0 || r.PutBack || len(r.Executions) != 1 || r.Message() != "REPAIRED" {
		t.Errorf("got %+v", r)
	}
	if f.now.Sub(r.Executions[0].Start) < time.Minute {
		t.Error("the runner did not wait for the end of the runbook")
	}
}

// TestWhatTheDrillSawIsKeptWithItsTime: when the trail was not logging, when it was again, and who put it back.
func TestWhatTheDrillSawIsKeptWithItsTime(t *testing.T) {
	f := newFake()
	began := f.now
	narrowed := deployed.State{IsLogging: true, Trail: &types.Trail{S3BucketName: aws.String("x")}}
	f.onWait = func() { // logging is back before the rest
		if f.now.Sub(began) == 10*time.Second {
			f.state = narrowed
		}
	}
	f.repairAfter = 20 * time.Second
	results, err := f.runner().Run(t.Context(), []Attempt{{Scenario: f.breaks(deployed.State{})}})
	want := []Look{
		{At: began, Unmet: []string{"there is no trail"}},
		{At: began.Add(15 * time.Second), Logging: true, Unmet: []string{`S3BucketName is "x", want "logs"`}},
		{At: began.Add(20 * time.Second), Logging: true, Unmet: []string{}},
	}
	if err != nil || !reflect.DeepEqual(results[0].Looks, want) || !results[0].PutBackAt.IsZero() {
		t.Errorf("got %+v, %v, want %+v", results, err, want)
	}
	f = newFake()
	results, err = f.runner().Run(t.Context(), []Attempt{{Scenario: f.breaks(stopped)}})
	want = []Look{{At: began, Unmet: []string{"IsLogging is false, want true"}}}
	if err != nil || !reflect.DeepEqual(results[0].Looks, want) || results[0].PutBackAt != began.Add(61*time.Second) {
		t.Errorf("got %+v, %v, want %+v", results, err, want)
	}
}

func TestALookIsKeptIfAnythingInItDiffers(t *testing.T) {
	var r Result
	for _, one := range []struct {
		state deployed.State
		unmet []string
	}{{healthy, nil}, {healthy, nil}, {stopped, nil}, {deployed.State{}, nil}, {stopped, []string{"x"}}} {
		r.look(time.Unix(0, 0), trailState{State: one.state}, one.unmet)
	}
	if len(r.Looks) != 3 || !r.Looks[0].Logging || r.Looks[1].Logging || len(r.Looks[2].Unmet) != 1 {
		t.Errorf("got %+v", r.Looks)
	}
}

func TestCallsToLoggingAreNoneWhereLoggingNeverStopped(t *testing.T) {
	f := newFake()
	f.repairAfter = time.Second
	results, err := f.runner().Run(t.Context(), []Attempt{{Scenario: f.breaks(deployed.State{IsLogging: true, Trail: &types.Trail{S3BucketName: aws.String("x")}})}})
	if err != nil || results[0].CallsToLogging != 0 || results[0].Calls != 2 {
		t.Errorf("got %+v, %v", results, err)
	}
}

func TestWhatTheGuardLeavesIsListedAndPutBack(t *testing.T) {
	f := newFake()
	results, err := f.runner().Run(t.Context(), []Attempt{{Scenario: f.breaks(stopped)}, {Scenario: f.breaks(deployed.State{}), Form: ByARN}})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"IsLogging is false, want true", "there is no trail"} {
		if r := results[i]; r.Repaired || !r.PutBack || r.Elapsed != time.Minute || !slices.Equal(r.Unmet, []string{want}) {
			t.Errorf("got %+v", r)
		}
	}
	if want := []string{"tamper org-trail", "restore", "tamper arn", "restore"}; !slices.Equal(f.log, want) || !reflect.DeepEqual(f.state, healthy) {
		t.Errorf("the log is %q, the state %+v", f.log, f.state)
	}
}

func TestAnInterruptedDrillPutsTheTrailBackAndClearsAway(t *testing.T) {
	f := newFake()
	ctx, interrupt := context.WithCancel(t.Context())
	f.onWait = interrupt
	s := f.breaks(stopped)
	s.Needs = AnotherBucket
	results, err := f.runner().Run(ctx, []Attempt{{Scenario: s}, {Scenario: s}})
	if !errors.Is(err, context.Canceled) || !strings.HasSuffix(err.Error(), "; the trail is as it was before") || len(results) != 0 || !reflect.DeepEqual(f.state, healthy) {
		t.Errorf("got %v, %v, and the trail is %+v", results, err, f.state)
	}
	if want := []string{"provision", "tamper org-trailanother", "restore", "clear away"}; !slices.Equal(f.log, want) {
		t.Errorf("the log is %q, want %q", f.log, want)
	}
}

func TestPuttingBackIsTriedAgain(t *testing.T) {
	f := newFake()
	f.restoreFail = 3
	results, err := f.runner().Run(t.Context(), []Attempt{{Scenario: f.breaks(stopped)}})
	if err != nil || !results[0].PutBack || !reflect.DeepEqual(f.state, healthy) {
		t.Errorf("got %+v, %v", results, err)
	}
	f = newFake()
	f.restoreFail = 100
	_, err = f.runner().Run(t.Context(), []Attempt{{Scenario: f.breaks(stopped), Form: ByName}})
	if want := "T01 cloudtrail StopLogging, by name, : the trail could not be put back in 10 attempts: no permission"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestATrailThatIsNotAsDeclaredIsLeftAlone(t *testing.T) {
	f := newFake()
	f.state = stopped
	_, err := f.runner().Run(t.Context(), []Attempt{{Scenario: f.breaks(stopped), Form: ByName, Caller: Caller{Name: "root"}}})
	want := "T01 cloudtrail StopLogging, by name, root: the trail is not in its declared state before the tampering: IsLogging is false, want true"
	if err == nil || err.Error() != want || len(f.log) != 0 {
		t.Errorf("got %v and %q, want %s", err, f.log, want)
	}
}

func TestTamperingThatChangesNothingProvesNothing(t *testing.T) {
	f := newFake()
	results, err := f.runner().Run(t.Context(), []Attempt{{Scenario: f.breaks(healthy)}})
	if err != nil || results[0].Repaired || !slices.Equal(results[0].Unmet, []string{"the call changed nothing that is declared"}) {
		t.Errorf("got %+v, %v", results, err)
	}
}

func TestAHarmlessCallIsLeftAlone(t *testing.T) {
	harmless := func(f *fakeAccount, state deployed.State) Scenario {
		s := f.breaks(state)
		s.Harmless = true
		return s
	}
	f := newFake()
	results, err := f.runner().Run(t.Context(), []Attempt{{Scenario: harmless(f, healthy)}})
	if err != nil || !results[0].Repaired || results[0].Calls != 0 {
		t.Errorf("got %+v, %v", results, err)
	}
	f = newFake()
	f.repairAfter = 40 * time.Second // the guard writes, though there is nothing to repair
	f.onWait = func() {
		if len(f.executions) == 1 {
			f.executions = append(f.executions, deployed.Execution{ID: "new", Start: f.now})
		}
	}
	results, err = f.runner().Run(t.Context(), []Attempt{{Scenario: harmless(f, healthy)}})
	if err != nil || results[0].Repaired || len(results[0].Unmet) != 1 {
		t.Errorf("got %+v, %v", results, err)
	}
	f = newFake()
	results, err = f.runner().Run(t.Context(), []Attempt{{Scenario: harmless(f, stopped)}})
	if err != nil || results[0].Repaired {
		t.Errorf("a call that stops the trail passes for harmless: %+v, %v", results, err)
	}
}

func TestARefusalIsNotAFailure(t *testing.T) {
	deny := "User is not authorized with an explicit deny in a service control policy"
	for _, test := range []struct {
		name     string
		err      error
		refusals []string
		want     string // the code; empty for an error of Run
	}{
		{"by CloudTrail", &smithy.GenericAPIError{Code: "InvalidEventSelectorsException"}, []string{"InvalidEventSelectorsException"}, "InvalidEventSelectorsException"},
		{"by an organization policy", &smithy.GenericAPIError{Code: "AccessDeniedException", Message: deny}, nil, "AccessDeniedException"},
		{"no permission", &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "not authorized"}, nil, ""},
		{"no network", errors.New("no such host"), nil, ""},
	} {
		f := newFake()
		s := Scenario{ID: "T15", Refusals: test.refusals, Tamper: func(context.Context, TrailAPI, Target) error { return test.err }}
		results, err := f.runner().Run(t.Context(), []Attempt{{Scenario: s}})
		switch {
		case test.want == "" && (err == nil || !strings.Contains(err.Error(), "tampering: ")):
			t.Errorf("%s: got %+v, %v", test.name, results, err)
		case test.want != "" && (err != nil || !results[0].Repaired || results[0].Refused != test.want || results[0].Calls != 0):
			t.Errorf("%s: got %+v, %v", test.name, results, err)
		}
	}
}

func TestARunnerThatCannotReadSaysSo(t *testing.T) {
	f := newFake()
	s := f.breaks(stopped)
	tamper := s.Tamper
	s.Tamper = func(ctx context.Context, api TrailAPI, target Target) error {
		f.readError = errors.New("throttled")
		return tamper(ctx, api, target)
	}
	_, err := f.runner().Run(t.Context(), []Attempt{{Scenario: s}})
	if err == nil || !strings.Contains(err.Error(), "throttled\nputting the trail back: throttled") {
		t.Errorf("got %v", err)
	}
}

// told records what an Observer is told.
type told []string

func (o *told) Begun(_, _ int, a Attempt) { *o = append(*o, "begun "+a.Call()) }
func (o *told) Waiting(_ Attempt, elapsed time.Duration, unmet []string) {
	*o = append(*o, elapsed.String()+" "+strings.Join(unmet, "; "))
}
func (o *told) Done(_, _ int, r Result) { *o = append(*o, "done after "+r.Elapsed.String()) }

func TestTheObserverFollows(t *testing.T) {
	f, o := newFake(), &told{}
	f.repairAfter = 6 * time.Second
	r := f.runner()
	r.Observer = o
	r.Settle = func(context.Context) error {
		*o = append(*o, "settle")
		return nil
	}
	if _, err := r.Run(t.Context(), []Attempt{{Scenario: f.breaks(stopped), Form: ByARN}}); err != nil {
		t.Fatal(err)
	}
	want := told{
		"begun cloudtrail StopLogging, by ARN", "0s IsLogging is false, want true", "5s IsLogging is false, want true", "settle", "done after 10s",
	}
	if !slices.Equal(*o, want) {
		t.Errorf("got %q, want %q", *o, want)
	}
}

func TestTheWallClockWaitsUntilItIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (WallClock{}).Wait(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := (WallClock{}).Wait(t.Context(), 0); err != nil {
		t.Error(err)
	}
}

func TestCallsAreCountedInTheOrderOfTime(t *testing.T) {
	run := func(second int64, writes ...string) deployed.Execution {
		return deployed.Execution{Start: time.Unix(second, 0), Report: &deployed.RunReport{Writes: writes}}
	}
	executions := []deployed.Execution{run(9, "put_insight_selectors"), {Start: time.Unix(5, 0)}, run(2, "create_trail", "start_logging", "update_trail")}
	if toLogging, all := countCalls(executions); toLogging != 2 || all != 4 {
		t.Errorf("got %d and %d, want 2 and 4", toLogging, all)
	}
}
