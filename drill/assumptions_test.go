package drill

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/internal/golden"
)

func TestThePageOfTheAssumptionsIsMadeOfThem(t *testing.T) {
	golden.Check(t, "../localaws/fidelity.md", []byte(AssumptionsPage()))
}

func TestEachAssumptionSaysWhatFollowsAndWhatShowsIt(t *testing.T) {
	var known []string
	for _, s := range Catalogue() {
		known = append(known, s.ID)
	}
	statements := map[string]bool{}
	unchecked := false
	for _, a := range Assumptions() {
		if a.Statement == "" || a.IfWrong == "" || statements[a.Statement] {
			t.Errorf("%s states nothing of its own: %+v", a.ID, a)
		}
		statements[a.Statement] = true
		if (a.check == nil) != (a.Unchecked != "") || (a.Command() == "") != (a.Unchecked != "") {
			t.Errorf("%s has to have either a check or the reason why there is none", a.ID)
		}
		if unchecked = unchecked || a.check == nil; unchecked && a.check != nil {
			t.Errorf("%s, which a drill shows, comes after what it does not", a.ID)
		}
		for _, source := range a.Sources {
			if parsed, err := url.Parse(source); err != nil || parsed.Scheme != "https" {
				t.Errorf("%s: source %s is no page", a.ID, source)
			}
		}
		for _, id := range a.Scenarios {
			if !slices.Contains(known, id) {
				t.Errorf("%s: there is no scenario %s", a.ID, id)
			}
		}
	}
	if got, want := Assumptions()[16].Command(), "trailguard drill --stack NAME --scenario T03,T05,T06"; got != want {
		t.Errorf("the command is %s, want %s", got, want)
	}
}

// TestAnEventIsSeenInTheRunsThatAnAttemptStarted needs no AWS: what ran is given.
func TestAnEventIsSeenInTheRunsThatAnAttemptStarted(t *testing.T) {
	began := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	run := func(by string, after time.Duration, writes ...string) deployed.Execution {
		return deployed.Execution{StartedBy: by, Start: began.Add(after), Report: &deployed.RunReport{Writes: writes}}
	}
	one := func(executions ...deployed.Execution) Result {
		return Result{Attempt: Attempt{Scenario: Scenario{ID: "T05", Call: "UpdateTrail"}, Form: ByName}, Began: began, Elapsed: 20 * time.Minute, Executions: executions}
	}
	armed := []deployed.EventRule{{Name: "Tampering", Starts: true, Path: deployed.EventPath, Enabled: true}}
	unread := errors.New("reading rule Tampering: AccessDenied")
	for _, test := range []struct {
		rules   []deployed.EventRule
		unread  error
		results []Result
		want    Verdict
		why     string
	}{
		{armed, nil, []Result{one(run("event", 50*time.Second, "update_trail")), one(run("event", 9*time.Second, "update_trail"))}, Held, "after 50s at most"},
		{armed, nil, []Result{one(run("event", -time.Second, "update_trail"))}, Held, "of 1 calls started the runbook, after 0s at most"},
		{armed, nil, []Result{one(run("event", 61*time.Second, "update_trail"))}, DidNotHold, "T05 UpdateTrail, by name: the event started the runbook after 1m1s"},
		{armed, nil, []Result{one(run("schedule", 15*time.Minute, "update_trail"))}, DidNotHold, "no event started the runbook in 20m0s"},
		{armed, nil, []Result{one()}, DidNotHold, "no event started the runbook in 20m0s"},
		{armed, nil, []Result{one(run("schedule", 2*time.Second))}, DidNotHold, "no event started the runbook"},
		{armed, nil, []Result{one(run("schedule", 2*time.Second, "update_trail"))}, NotSeen, "another run repaired before"},
		{armed, nil, []Result{{Attempt: Attempt{Scenario: Scenario{ID: "T05"}}, Refused: "AccessDenied"}}, NotSeen, "none of T05 was done"},
		{armed, nil, []Result{{Attempt: Attempt{Scenario: Scenario{ID: "T01"}}}}, NotSeen, "none of T05 was done"},
		{[]deployed.EventRule{{Starts: true, Path: deployed.EventPath}}, nil, []Result{one()}, NotSeen, "no rule that is enabled"},
		{nil, nil, []Result{one()}, NotSeen, "no rule that is enabled"},
		{nil, unread, []Result{one()}, NotSeen, unread.Error()},
	} {
		l := &look{results: test.results, scenarios: []string{"T05"}, rules: func() ([]deployed.EventRule, error) { return test.rules, test.unread }}
		verdict, why, err := l.startedByEvent(t.Context())
		if err != nil {
			verdict, why = NotSeen, err.Error()
		}
		if verdict != test.want || !strings.Contains(why, test.why) {
			t.Errorf("it %s: %s; want that it %s: %s", verdict, why, test.want, test.why)
		}
	}
}

func TestTheEventsOfTheScriptsCallsAreJudged(t *testing.T) {
	now := time.Date(2027, 1, 2, 0, 0, 0, 0, time.UTC)
	const role = "arn:aws:iam::123456789012:role/trailguard/Guard"
	call := func(parameter string, errorCode *string, issuer string) (event trailEvent) {
		event.EventName, event.EventTime, event.ErrorCode = "StartLogging", now, errorCode
		event.RequestParameters = map[string]any{parameter: "org-trail"}
		event.UserIdentity.SessionContext.SessionIssuer.ARN = issuer
		return event
	}
	wrote := func(ago time.Duration) []deployed.Execution {
		return []deployed.Execution{{Start: now.Add(-ago), Report: &deployed.RunReport{Writes: []string{"start_logging"}}}}
	}
	refused := aws.String("AccessDenied")
	for _, test := range []struct {
		events             []trailEvent
		executions         []deployed.Execution
		parameters, issuer Verdict
	}{
		{[]trailEvent{call("name", nil, role), call("", refused, role)}, nil, Held, Held},
		{[]trailEvent{call("Name", nil, role)}, nil, DidNotHold, Held},
		{[]trailEvent{call("name", nil, "arn:aws:iam::123456789012:role/Guard")}, nil, Held, DidNotHold},
		{[]trailEvent{call("name", refused, role)}, wrote(2 * time.Hour), DidNotHold, Held},
		{[]trailEvent{call("name", refused, role)}, wrote(time.Minute), NotSeen, Held},
		{[]trailEvent{call("name", refused, role)}, nil, NotSeen, Held},
		{nil, wrote(2 * time.Hour), NotSeen, NotSeen},
	} {
		l := &look{
			now: now, guard: deployed.Guard{TrailName: "org-trail", AutomationRoleARN: role},
			ownCalls: func() ([]trailEvent, error) { return test.events, nil },
			listed:   func() ([]deployed.Execution, error) { return test.executions, nil },
		}
		if verdict, why, err := l.parametersOfEvents(t.Context()); verdict != test.parameters || err != nil {
			t.Errorf("the parameters of %+v: it %s: %s, %v", test.events, verdict, why, err)
		}
		if verdict, why, err := l.issuerOfEvents(t.Context()); verdict != test.issuer || err != nil {
			t.Errorf("the issuer of %+v: it %s: %s, %v", test.events, verdict, why, err)
		}
	}
}

func TestAScheduleIsMissedOnlyWhereItWasDue(t *testing.T) {
	now := time.Date(2027, 1, 2, 0, 0, 0, 0, time.UTC)
	hourly := deployed.EventRule{Name: "Schedule", Starts: true, Path: deployed.SchedulePath, Enabled: true, Pattern: "{}", Schedule: "rate(60 minutes)"}
	disabled, plain := hourly, hourly
	disabled.Enabled, plain.Pattern = false, ""
	at := func(by string, ago time.Duration) deployed.Execution {
		return deployed.Execution{ID: "x", StartedBy: by, Start: now.Add(-ago)}
	}
	many := slices.Repeat([]deployed.Execution{at("event", time.Minute)}, looked)
	for _, test := range []struct {
		rule       deployed.EventRule
		deployed   time.Duration // ago
		executions []deployed.Execution
		want       Verdict
	}{
		{hourly, 5 * time.Hour, []deployed.Execution{at("schedule", 59*time.Minute)}, Held},
		{hourly, 5 * time.Hour, []deployed.Execution{at("schedule", 2*time.Hour), at("event", time.Minute)}, DidNotHold},
		{hourly, 5 * time.Hour, nil, DidNotHold},
		{hourly, 5 * time.Hour, many, NotSeen},
		{hourly, time.Hour, nil, NotSeen},
		{hourly, 75 * time.Minute, []deployed.Execution{at("schedule", 70*time.Minute)}, DidNotHold}, // it comes from the deployment
		{disabled, 5 * time.Hour, nil, NotSeen},
		{plain, 5 * time.Hour, nil, NotSeen},
		{deployed.EventRule{}, 5 * time.Hour, nil, NotSeen},
	} {
		l := &look{
			now: now, rules: func() ([]deployed.EventRule, error) { return []deployed.EventRule{test.rule}, nil },
			deployed: func() (time.Time, error) { return now.Add(-test.deployed), nil },
			listed:   func() ([]deployed.Execution, error) { return test.executions, nil },
		}
		if verdict, why, err := l.schedule(t.Context()); verdict != test.want || err != nil {
			t.Errorf("%+v: it %s: %s, %v", test, verdict, why, err)
		}
	}
	for expression, want := range map[string]time.Duration{
		"rate(60 minutes)": time.Hour, "rate(1 hour)": time.Hour, "rate(2 days)": 48 * time.Hour, "cron(0 * * * ? *)": 0, "": 0,
	} {
		if got := period(expression); got != want {
			t.Errorf("the period of %q is %s, want %s", expression, got, want)
		}
	}
}
