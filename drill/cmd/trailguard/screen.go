package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/trailguard/trailguard/drill"
)

// screen tells a person how a drill goes on: lines that stay, and on a terminal one that changes.
type screen struct {
	w        io.Writer
	terminal bool
	verbose  bool
	began    time.Time
	// brief leaves out what the report tells again; on a terminal each line gives way to the next, so that the report alone stays.
	brief bool
	// clock shows the time on the owned clock. Default: - the drill has none.
	clock func() time.Time
	start time.Time // of the owned clock

	line    bool   // a line that changes is shown
	last    string // the scenario and path that were last named
	minutes int    // that were last told
}

// newScreen writes to standard output, or to standard error where the report on standard output is for programs.
func (p *program) newScreen(o drillOptions) *screen {
	w := p.stdout
	if o.json {
		w = p.stderr
	}
	return &screen{w: w, terminal: p.terminal(w) && p.getenv("TERM") != "dumb", verbose: o.verbose, began: time.Now()}
}

// colored tells whether a writer shows colours, and nobody asked for none (https://no-color.org).
func (p *program) colored(w io.Writer) bool {
	return p.terminal(w) && p.getenv("TERM") != "dumb" && p.getenv("NO_COLOR") == ""
}

// owned makes a screen show an owned clock, too.
func (s *screen) owned(clock func() time.Time) { s.clock, s.start = clock, clock() }

// say writes a line with the time that has passed, real and on the owned clock.
func (s *screen) say(format string, args ...any) {
	if s.brief && s.terminal {
		s.show(format, args...)
		return
	}
	s.clear()
	owned := ""
	if s.clock != nil {
		passed := s.clock().Sub(s.start)
		owned = fmt.Sprintf("+%d:%02d:%02d", int(passed.Hours()), int(passed.Minutes())%60, int(passed.Seconds())%60)
	}
	fmt.Fprintf(s.w, "%6.1f s %9s  %s\n", time.Since(s.began).Seconds(), owned, fmt.Sprintf(format, args...))
}

// detail writes lines as they are, unless the report tells the same.
func (s *screen) detail(format string, args ...any) {
	if !s.brief {
		s.write(format, args...)
	}
}

// write writes lines as they are.
func (s *screen) write(format string, args ...any) {
	s.clear()
	fmt.Fprintf(s.w, format, args...)
}

// judgements writes what was found about assumptions, and what follows from those that did not hold.
func (s *screen) judgements(list []drill.Judgement) {
	for _, one := range list {
		s.write("%-12s  %s %s\n%18s%s\n", one.Verdict, one.ID, one.Statement, "", one.Why)
		if one.Verdict == drill.DidNotHold {
			s.write("%18sso: %s\n", "", one.IfWrong)
		}
	}
}

// show replaces the line that changes. Without a terminal it does nothing.
func (s *screen) show(format string, args ...any) {
	if !s.terminal {
		return
	}
	text := strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, fmt.Sprintf(format, args...))
	if runes := []rune(text); len(runes) > 78 {
		text = string(runes[:77]) + "…"
	}
	fmt.Fprintf(s.w, "\r\x1b[K%s", text)
	s.line = true
}

func (s *screen) clear() {
	if s.line {
		fmt.Fprint(s.w, "\r\x1b[K")
		s.line = false
	}
}

// localObserver tells of attempts on the local AWS, of which there are many: on a terminal how many are done, else a line for
// each scenario, if every step is to be told.
type localObserver struct {
	*screen
	done, all int // attempts, with every path
}

func (o *localObserver) Begun(_, _ int, a drill.Attempt) {
	const width = 24
	full := width * o.done / max(o.all, 1)
	o.show("%s%s %3d %%  %s: %s %s", strings.Repeat("█", full), strings.Repeat("░", width-full), 100*o.done/max(o.all, 1), a.Path, a.Scenario.ID,
		strings.TrimPrefix(a.Scenario.Call, "cloudtrail "))
	if name := string(a.Path) + ": " + a.Scenario.ID + " " + a.Scenario.Call; o.verbose && name != o.last {
		o.say("%s", name)
		o.last = name
	}
}

func (o *localObserver) Waiting(drill.Attempt, time.Duration, []string) {}

func (o *localObserver) Done(_, _ int, r drill.Result) {
	o.done++
	if !r.Repaired {
		verdict := "NOT repaired"
		if r.Attempt.Scenario.Told != "" {
			verdict = "NOT told"
		}
		o.say("%s %s, %s: %s on the %s path: %s", r.Attempt.Scenario.ID, r.Attempt.Call(), r.Attempt.Caller.Name, verdict,
			r.Attempt.Path, strings.Join(r.Unmet, "; "))
	}
}

// accountObserver tells of attempts in an AWS account, which take minutes.
type accountObserver struct{ *screen }

func (o accountObserver) Begun(i, n int, a drill.Attempt) {
	o.say("[%d/%d] %s %s", i+1, n, a.Scenario.ID, a.Call())
	o.minutes = 0
}

func (o accountObserver) Waiting(a drill.Attempt, elapsed time.Duration, unmet []string) {
	o.show("         waiting for the guard, %s: %s", elapsed.Round(time.Second), strings.Join(unmet, "; "))
	if minutes := int(elapsed.Minutes()); !o.terminal && minutes > o.minutes {
		o.say("       %s: waiting for %d min: %s", a.Scenario.ID, minutes, strings.Join(unmet, "; "))
		o.minutes = minutes
	}
}

func (o accountObserver) Done(_, _ int, r drill.Result) {
	verdict := fmt.Sprintf("repaired after %s", r.Elapsed.Round(100*time.Millisecond))
	switch told := r.Attempt.Scenario.Told != ""; {
	case r.Refused != "":
		verdict = "refused: " + r.Refused
	case told && r.Repaired:
		verdict = fmt.Sprintf("told after %s", r.Elapsed.Round(100*time.Millisecond))
	case told:
		verdict = fmt.Sprintf("NOT told in %s: %s", r.Elapsed.Round(time.Second), strings.Join(r.Unmet, "; "))
	case !r.Repaired:
		verdict = fmt.Sprintf("NOT repaired in %s: %s", r.Elapsed.Round(time.Second), strings.Join(r.Unmet, "; "))
	}
	if r.PutBack {
		verdict += "; put back by the drill"
	}
	o.say("       %s", verdict)
}
