package evidence

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/deployed"
)

// timeline is what happened in an attempt, in order.
type timeline struct {
	Attempt drill.Attempt
	Result  drill.Result
	Outcome outcome
	Moments []moment
	States  []stretch // of the trail, without a gap
	Runs    []stretch // of the runbook
	End     time.Duration
}

// moment is one thing that happened.
type moment struct {
	At    time.Time
	After time.Duration
	Kind  string // attack, off, altered, guard, whole or drill
	What  string
}

// stretch is a part of a timeline: of the trail in one state, or of a run of the runbook.
type stretch struct {
	Kind        string // off, altered, whole; guard
	What        string
	Left, Width float64 // in percent of the timeline
}

// narrowest is how wide a stretch is at least, so that it can be seen.
const narrowest = 0.8

func timelineOf(r drill.Result) timeline {
	t := timeline{Attempt: r.Attempt, Result: r, Outcome: outcomeOf(r)}
	add := func(at time.Time, kind, format string, args ...any) {
		t.Moments = append(t.Moments, moment{at, at.Sub(r.Began), kind, fmt.Sprintf(format, args...)})
	}
	add(r.Began, "attack", "%s calls %s", r.Attempt.Caller.Name, r.Attempt.Call())
	if r.Refused != "" {
		add(r.Began, "whole", "the call is refused: %s", r.Refused)
	}
	for i, look := range r.Looks {
		stopped := !look.Logging && (i == 0 || r.Looks[i-1].Logging)
		back := look.Logging && i > 0 && !r.Looks[i-1].Logging
		what := "all is as declared"
		if len(look.Unmet) > 0 {
			what = strings.Join(look.Unmet, "; ")
		}
		switch {
		case stopped:
			what = "logging has stopped: " + what
		case back:
			what = "logging is back: " + what
		}
		add(look.At, stateOf(look), "the drill sees: %s", what)
	}
	for _, x := range r.Executions {
		add(x.Start, "guard", "%s starts the runbook: execution %s", starter(x), x.ID)
		if !x.Ended() || x.End.IsZero() {
			continue
		}
		did := "nothing left to do"
		if x.Report != nil && len(x.Report.Writes) > 0 {
			did = "called " + strings.Join(x.Report.Writes, ", ")
		}
		if x.Report != nil && x.Report.Message != "" {
			did += "; people were told"
		}
		if x.Failure != "" {
			did += "; " + x.Failure
		}
		add(x.End, "guard", "the runbook ends, %s: %s", x.Status, did)
	}
	if len(r.Told) > 0 {
		add(r.Began.Add(r.Elapsed), "guard", "people are told of the call")
	}
	if !r.Repaired {
		add(r.Began.Add(r.Elapsed), "off", "the deadline: %s", strings.Join(r.Unmet, "; "))
	}
	if r.PutBack && !r.PutBackAt.IsZero() {
		add(r.PutBackAt, "drill", "the drill has put the %s back", r.Attempt.Scenario.Part())
	}
	slices.SortStableFunc(t.Moments, func(a, b moment) int { return cmp.Compare(a.After, b.After) })
	t.End = t.Moments[len(t.Moments)-1].After
	t.stretch(r)
	return t
}

// stateOf is the kind of what a look saw.
func stateOf(look drill.Look) string {
	switch {
	case !look.Logging:
		return "off"
	case len(look.Unmet) > 0:
		return "altered"
	}
	return "whole"
}

// stretch lays the states and the runs along the timeline, which goes on a little after its last moment.
func (t *timeline) stretch(r drill.Result) {
	total := max(t.End, time.Second) * 10 / 9
	percent := func(d time.Duration) float64 {
		return math.Round(10000*min(max(d.Seconds()/total.Seconds(), 0), 1)) / 100
	}
	lay := func(kind, what string, from, to time.Duration) stretch {
		left := percent(from)
		width := max(percent(to)-left, narrowest)
		if left+width > 100 {
			left = 100 - width
		}
		return stretch{kind, what, left, math.Round(100*width) / 100}
	}
	for i, look := range r.Looks {
		from, to := look.At.Sub(r.Began), total
		if i == 0 {
			from = 0
		}
		if i+1 < len(r.Looks) {
			to = r.Looks[i+1].At.Sub(r.Began)
		} else if !r.PutBackAt.IsZero() {
			to = r.PutBackAt.Sub(r.Began)
		}
		what := map[string]string{"off": "not logging", "altered": "logging, not as declared", "whole": "as declared"}[stateOf(look)]
		if to > from {
			t.States = append(t.States, lay(stateOf(look), fmt.Sprintf("%s from %s to %s", what, short(from), short(to)), from, to))
		}
	}
	if !r.PutBackAt.IsZero() {
		from := r.PutBackAt.Sub(r.Began)
		t.States = append(t.States, lay("drill", "put back by the drill", from, total))
	}
	for _, x := range deployed.ByStart(r.Executions) {
		from, to := x.Start.Sub(r.Began), x.End.Sub(r.Began)
		if x.End.IsZero() {
			to = t.End
		}
		t.Runs = append(t.Runs, lay("guard", fmt.Sprintf("the runbook, started by %s after %s", starter(x), short(from)), from, to))
	}
}

// Label says in words what the picture of the timeline shows.
func (t timeline) Label() string {
	var parts []string
	for _, one := range append(slices.Clone(t.States), t.Runs...) {
		parts = append(parts, one.What)
	}
	return strings.Join(parts, "; ")
}

// Caption names the moments that matter, each with its time.
func (t timeline) Caption() string {
	r := t.Result
	var marks []moment
	add := func(at time.Time, what string) { marks = append(marks, moment{After: at.Sub(r.Began), What: what}) }
	for i, look := range r.Looks {
		if i == 0 {
			look.At = r.Began // what the call did, it did at once
		}
		switch {
		case !look.Logging && (i == 0 || r.Looks[i-1].Logging):
			add(look.At, "logging stopped")
		case i == 0 && len(look.Unmet) > 0:
			add(look.At, "altered")
		case i > 0 && look.Logging && !r.Looks[i-1].Logging && len(look.Unmet) > 0:
			add(look.At, "logging back")
		}
		if i > 0 && len(look.Unmet) == 0 {
			add(look.At, "all as declared")
		}
	}
	if runs := deployed.ByStart(r.Executions); len(runs) > 0 {
		add(runs[0].Start, "runbook started")
	}
	if len(r.Told) > 0 {
		add(r.Began.Add(r.Elapsed), "people told")
	}
	if !r.PutBackAt.IsZero() {
		add(r.PutBackAt, "put back by the drill")
	}
	if len(marks) == 0 || r.Refused != "" {
		return "nothing was taken away"
	}
	slices.SortStableFunc(marks, func(a, b moment) int { return cmp.Compare(a.After, b.After) })
	var parts []string
	for _, one := range marks {
		parts = append(parts, one.What+" +"+short(one.After))
	}
	return strings.Join(parts, ", ")
}

// Text is what became of the attempt, in a few words.
func (t timeline) Text() string {
	if t.Outcome == repaired {
		return "as declared after " + short(t.Result.Elapsed)
	}
	if t.Outcome == told {
		return "told after " + short(t.Result.Elapsed)
	}
	return string(t.Outcome)
}
