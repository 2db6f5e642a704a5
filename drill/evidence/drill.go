package evidence

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/deployed"
)

// Drill is a drill that has ended.
type Drill struct {
	Guard  deployed.Guard
	Report drill.Report
	// Version is that of the program that drilled.
	Version string
	// Began and Ended are real time, also if the AWS is simulated and has a clock of its own.
	Began, Ended time.Time
	// Failure is why the drill ended before all attempts were made; empty if all were.
	Failure string
}

// outcome is what became of an attempt, or of some.
type outcome string

const (
	repaired    outcome = "repaired"
	told        outcome = "told"
	refused     outcome = "refused"
	leftAlone   outcome = "left alone"
	notRepaired outcome = "NOT REPAIRED"
	notTold     outcome = "NOT TOLD"
	unseen      outcome = "unseen"
	notRun      outcome = "not run"
)

// outcomes are all, in the order of a legend.
var outcomes = []outcome{repaired, told, refused, leftAlone, notRepaired, notTold, unseen, notRun}

// means says what an outcome is, in the words of a legend.
var means = map[outcome]string{
	repaired:    "a time: all was as declared, or as before, after it",
	told:        "told: people were told of the call once, by then, and the drill put all back",
	refused:     "refused: AWS refused the call, and nothing had to be repaired",
	leftAlone:   "left alone: the call takes nothing away, and the guard changed nothing",
	notRepaired: "NOT REPAIRED: not all was as declared, or as before, at the deadline",
	notTold:     "NOT TOLD: people were not told of the call, or not once",
	unseen:      "unseen: this trigger does not see what the call does",
	notRun:      "not run: see below",
}

func outcomeOf(r drill.Result) outcome {
	switch {
	case !r.Repaired && r.Attempt.Scenario.Told != "" && r.Refused == "":
		return notTold
	case !r.Repaired:
		return notRepaired
	case r.Refused != "":
		return refused
	case r.Attempt.Scenario.Told != "":
		return told
	case r.Attempt.Scenario.Harmless:
		return leftAlone
	}
	return repaired
}

// row is a scenario, with a cell for each trigger.
type row struct {
	Scenario drill.Scenario
	Cells    []cell
}

// cell are the attempts of a scenario with one trigger armed.
type cell struct {
	Trigger deployed.Path
	Results []drill.Result
	Outcome outcome
}

// table are the scenarios of a part, by their ids.
type table struct {
	Part     drill.Part
	Triggers []deployed.Path // that were armed, in the order of the guard's paths
	Rows     []row
}

// Title names the part for people.
func (t table) Title() string { return "The " + string(t.Part) }

// tables are the scenarios by their parts. Those that were not run with any trigger have rows, too.
func (d Drill) tables() (tables []table) {
	for _, part := range drill.Parts() {
		t := table{Part: part}
		var results []drill.Result
		for _, r := range d.Report.Results {
			if r.Attempt.Scenario.Part() == part {
				results = append(results, r)
			}
		}
		for _, path := range []deployed.Path{deployed.EventPath, deployed.ConfigPath, deployed.SchedulePath, deployed.AllPaths} {
			if slices.ContainsFunc(results, func(r drill.Result) bool { return r.Attempt.Path == path }) {
				t.Triggers = append(t.Triggers, path)
			}
		}
		for _, r := range results {
			of := &t.row(r.Attempt.Scenario).Cells[slices.Index(t.Triggers, r.Attempt.Path)]
			of.Results = append(of.Results, r)
		}
		for _, left := range d.Report.Left {
			if left.Scenario.Part() == part && left.Path == "" {
				t.row(left.Scenario)
			}
		}
		for _, one := range t.Rows {
			for i := range one.Cells {
				one.Cells[i].Outcome = one.Cells[i].outcome(one.Scenario)
			}
		}
		slices.SortStableFunc(t.Rows, func(a, b row) int { return compare(a.Scenario, b.Scenario) })
		if len(t.Rows) > 0 {
			tables = append(tables, t)
		}
	}
	return tables
}

// row is the row of a scenario, which is added if there is none.
func (t *table) row(s drill.Scenario) *row {
	i := slices.IndexFunc(t.Rows, func(one row) bool { return compare(one.Scenario, s) == 0 })
	if i < 0 {
		i = len(t.Rows)
		t.Rows = append(t.Rows, row{Scenario: s})
		for _, trigger := range t.Triggers {
			t.Rows[i].Cells = append(t.Rows[i].Cells, cell{Trigger: trigger})
		}
		if len(t.Triggers) == 0 {
			t.Rows[i].Cells = []cell{{}}
		}
	}
	return &t.Rows[i]
}

// ran is the number of scenarios that were run.
func (d Drill) ran() (n int) {
	for _, t := range d.tables() {
		for _, one := range t.Rows {
			if slices.ContainsFunc(one.Cells, func(c cell) bool { return len(c.Results) > 0 }) {
				n++
			}
		}
	}
	return n
}

// left are the scenarios that were not run, by the reason.
func (d Drill) left() (lines []string) {
	var reasons []string
	for _, one := range d.Report.Left {
		if !slices.Contains(reasons, one.Why) {
			reasons = append(reasons, one.Why)
		}
	}
	for _, why := range reasons {
		var ids, names []string
		for _, one := range d.Report.Left {
			if one.Why == why {
				ids, names = with(ids, one.Scenario.ID), append(names, one.Scenario.ID+" "+one.Scenario.Call)
			}
		}
		what := strings.Join(ids, ", ")
		if len(names) == 1 {
			what = names[0]
		}
		lines = append(lines, what+": "+why)
	}
	return lines
}

// compare orders scenarios by their ids, then by their calls.
func compare(a, b drill.Scenario) int {
	return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Call, b.Call))
}

// outcome is the worst outcome of the attempts.
func (c cell) outcome(s drill.Scenario) outcome {
	if len(c.Results) == 0 {
		if s.Unseen(c.Trigger) != "" {
			return unseen
		}
		return notRun
	}
	found := map[outcome]bool{}
	for _, r := range c.Results {
		found[outcomeOf(r)] = true
	}
	for _, one := range []outcome{notRepaired, notTold, repaired, told, leftAlone} {
		if found[one] {
			return one
		}
	}
	return refused
}

// Text is what stands in the cell.
func (c cell) Text() string {
	switch c.Outcome {
	case repaired:
		return between(c.elapsed())
	case told:
		return "told " + between(c.elapsed())
	case notRepaired, notTold:
		n := 0
		for _, r := range c.Results {
			if !r.Repaired {
				n++
			}
		}
		if n < len(c.Results) {
			return fmt.Sprintf("NOT: %d of %d", n, len(c.Results))
		}
	}
	return string(c.Outcome)
}

// elapsed are the shortest and the longest time until what was expected.
func (c cell) elapsed() (least, most time.Duration) {
	first := true
	for _, r := range c.Results {
		if of := outcomeOf(r); of != repaired && of != told {
			continue
		}
		if first {
			least, most, first = r.Elapsed, r.Elapsed, false
		}
		least, most = min(least, r.Elapsed), max(most, r.Elapsed)
	}
	return least, most
}

// worst is the attempt that says most: one that was not repaired, or the slowest.
func (c cell) worst() (drill.Result, bool) {
	if len(c.Results) == 0 {
		return drill.Result{}, false
	}
	return slices.MaxFunc(c.Results, func(a, b drill.Result) int {
		if a.Repaired != b.Repaired {
			if a.Repaired {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Elapsed, b.Elapsed)
	}), true
}

// story is one attempt in a few sentences.
type story struct {
	Attack, Guard []string
	Message       string // that people got; empty if they got none
}

// chosen is the attempt of the story: the first that was not repaired, or else the first that people were told of.
func (d Drill) chosen() (drill.Result, bool) {
	for _, tells := range []func(drill.Result) bool{
		func(r drill.Result) bool { return !r.Repaired },
		func(r drill.Result) bool { return r.Message() != "" },
		func(drill.Result) bool { return true },
	} {
		if i := slices.IndexFunc(d.Report.Results, tells); i >= 0 {
			return d.Report.Results[i], true
		}
	}
	return drill.Result{}, false
}

func (d Drill) story() (s story, ok bool) {
	r, ok := d.chosen()
	if !ok {
		return s, false
	}
	what := "Trail " + d.Guard.TrailName
	if part := r.Attempt.Scenario.Part(); part != drill.Trail {
		what = fmt.Sprintf("The %s of trail %s", part, d.Guard.TrailName)
	}
	s.Attack = []string{fmt.Sprintf("%s: %s called %s.", what, r.Attempt.Caller.Name, r.Attempt.Call())}
	switch {
	case r.Refused != "":
		s.Attack = append(s.Attack, fmt.Sprintf("The call was refused: %s.", r.Refused))
	case len(r.Looks) > 0 && len(r.Looks[0].Unmet) > 0:
		if !r.Looks[0].Logging {
			s.Attack = append(s.Attack, "Nothing was logged any more.")
		}
		s.Attack = append(s.Attack, "Seen then: "+strings.Join(r.Looks[0].Unmet, "; ")+".")
	}
	quiet := 0
	for _, x := range deployed.ByStart(r.Executions) {
		if x.Report != nil && len(x.Report.Writes) == 0 && x.Failure == "" {
			quiet++
			continue
		}
		when := "At once"
		if after := short(x.Start.Sub(r.Began)); after != short(0) {
			when = "After " + after
		}
		s.Guard = append(s.Guard, fmt.Sprintf("%s %s started the runbook.", when, starter(x)))
		if x.Report != nil && len(x.Report.Writes) > 0 {
			s.Guard = append(s.Guard, "It called "+strings.Join(x.Report.Writes, ", ")+".")
		}
		if x.Failure != "" {
			s.Guard = append(s.Guard, "It failed: "+x.Failure+".")
		}
	}
	if quiet > 0 {
		s.Guard = append(s.Guard, fmt.Sprintf("%s found nothing left to do.", plural(quiet, "further run")))
	}
	switch outcomeOf(r) {
	case refused:
		s.Guard = append(s.Guard, "Nothing had to be repaired.")
	case leftAlone:
		s.Guard = append(s.Guard, "It changed nothing, as nothing was taken away.")
	case repaired:
		s.Guard = append(s.Guard, fmt.Sprintf("After %s all was as declared.", short(r.Elapsed)))
	case told:
		s.Guard = append(s.Guard, fmt.Sprintf("After %s it told people.", short(r.Elapsed)))
	case notTold:
		s.Guard = append(s.Guard, fmt.Sprintf("After %s: %s.", short(r.Elapsed), strings.Join(r.Unmet, "; ")))
	case notRepaired:
		s.Guard = append(s.Guard, fmt.Sprintf("After %s not all was as declared: %s.", short(r.Elapsed), strings.Join(r.Unmet, "; ")))
	}
	if r.PutBack {
		s.Guard = append(s.Guard, fmt.Sprintf("The drill put the %s back.", r.Attempt.Scenario.Part()))
	}
	s.Message = strings.TrimSpace(r.Message())
	return s, true
}

// oneOf says that the story is not all; empty if it is.
func (d Drill) oneOf() string {
	if n := len(d.Report.Results); n > 1 {
		return fmt.Sprintf("One of %d attempts, in %s; all are below.\n", n, plural(d.ran(), "scenario"))
	}
	return ""
}

// starter is what started an execution.
func starter(x deployed.Execution) string {
	switch x.StartedBy {
	case "event":
		return "an event of CloudTrail"
	case "schedule":
		return "the schedule"
	case "Config":
		return "AWS Config"
	case "hand":
		return "somebody by hand"
	}
	if x.ExecutedBy != "" {
		return x.ExecutedBy
	}
	return "somebody"
}

// Summary counts the attempts.
func (d Drill) Summary() string {
	type count struct{ met, of, refused int }
	var repairs, messages count
	for _, r := range d.Report.Results {
		of := &repairs
		if r.Attempt.Scenario.Told != "" {
			of = &messages
		}
		of.of++
		if r.Repaired {
			of.met++
		}
		if r.Refused != "" {
			of.refused++
		}
	}
	text := func(c count, what string) string {
		text := fmt.Sprintf("%d of %d %s", c.met, c.of, what)
		if c.refused > 0 {
			text += fmt.Sprintf(", or refused from the start (%d)", c.refused)
		}
		return text + "."
	}
	all := text(repairs, "repaired")
	if messages.of > 0 {
		all += " " + text(messages, "told once")
	}
	return all
}

// counted counts the assumptions about AWS that were looked at; empty if none was.
func (d Drill) counted() string {
	if len(d.Report.Judged) == 0 {
		return ""
	}
	count := map[drill.Verdict]int{}
	for _, one := range d.Report.Judged {
		count[one.Verdict]++
	}
	return fmt.Sprintf("Of %d assumptions about AWS %d held, %d did not hold, %d were not seen.",
		len(d.Report.Judged), count[drill.Held], count[drill.DidNotHold], count[drill.NotSeen])
}

// Times says what the times of the report are worth.
func (d Drill) Times() string {
	if len(d.Report.Simulated) > 0 {
		return "Times are those of a simulated clock: they claim nothing about AWS's latency."
	}
	return "Times are until the drill saw the repair, in this account, this time."
}

// Declared are the settings that were compared, by name.
func (d Drill) Declared() (settings [][2]string) {
	for _, name := range slices.Sorted(maps.Keys(d.Guard.Declared)) {
		settings = append(settings, [2]string{string(name), d.Guard.Declared[name]})
	}
	return settings
}

func with(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// unit is a duration as a number of seconds, minutes, hours or days, and the name of that unit.
func unit(d time.Duration) (number, name string) {
	switch s := d.Seconds(); {
	case s < 10:
		return fmt.Sprintf("%g", float64(int(s*10+0.5))/10), "s"
	case s < 120:
		return fmt.Sprintf("%.0f", s), "s"
	case s < 2*3600:
		return fmt.Sprintf("%.0f", s/60), "min"
	case s < 48*3600:
		return fmt.Sprintf("%.0f", s/3600), "h"
	default:
		return fmt.Sprintf("%.0f", s/86400), "days"
	}
}

// short is a duration as one number with its unit.
func short(d time.Duration) string {
	number, name := unit(max(d, 0))
	return number + " " + name
}

// between is the range of two durations, or a single duration if both read alike.
func between(least, most time.Duration) string {
	from, to := short(least), short(most)
	if from == to {
		return from
	}
	if _, name := unit(most); strings.HasSuffix(from, " "+name) {
		from = strings.TrimSuffix(from, " "+name)
	}
	return from + "-" + to
}

// plain is a text without control characters.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || slices.Contains([]rune{0x2028, 0x2029}, r) || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, text)
}
