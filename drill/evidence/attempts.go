package evidence

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/trailguard/trailguard/drill"
)

// attempts are the attempts of one scenario with one trigger that came to the same end.
type attempts struct {
	first            drill.Result
	callers          []string
	forms            []string
	toLogging, calls span
	least, most      time.Duration
}

// span is from the least number to the greatest.
type span struct{ least, most int }

func (s *span) add(n int) { s.least, s.most = min(s.least, n), max(s.most, n) }

func (s span) String() string {
	if s.least == s.most {
		return fmt.Sprint(s.least)
	}
	return fmt.Sprintf("%d-%d", s.least, s.most)
}

// alike tells whether two attempts belong in one line.
func alike(a, b drill.Result) bool {
	return compare(a.Attempt.Scenario, b.Attempt.Scenario) == 0 &&
		a.Attempt.Path == b.Attempt.Path && verdict(a) == verdict(b) && slices.Equal(a.Unmet, b.Unmet)
}

// alike are the attempts of the drill, put together if they came to the same end.
func (d Drill) alike() []attempts {
	var lines []attempts
	for _, one := range d.Report.Results {
		i := slices.IndexFunc(lines, func(candidate attempts) bool { return alike(candidate.first, one) })
		if i < 0 {
			lines = append(lines, attempts{
				first: one, least: one.Elapsed, most: one.Elapsed,
				toLogging: span{one.CallsToLogging, one.CallsToLogging}, calls: span{one.Calls, one.Calls},
			})
			i = len(lines) - 1
		}
		lines[i].forms = with(lines[i].forms, form(one.Attempt))
		lines[i].callers = with(lines[i].callers, one.Attempt.Caller.Name)
		lines[i].toLogging.add(one.CallsToLogging)
		lines[i].calls.add(one.Calls)
		lines[i].least, lines[i].most = min(lines[i].least, one.Elapsed), max(lines[i].most, one.Elapsed)
	}
	slices.SortStableFunc(lines, func(a, b attempts) int { return compare(a.first.Attempt.Scenario, b.first.Attempt.Scenario) })
	return lines
}

// form is how an attempt names what it tampers with, or of what it is.
func form(a drill.Attempt) string {
	return strings.TrimPrefix(string(a.Form), "by ")
}

// writeAttempts writes a line for the attempts of a scenario that came to the same end.
func (d Drill) writeAttempts(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "SCENARIO\tCALL\tBY\tCALLER\tPATH\tREPAIRED\tTO LOGGING\tCALLS\tTIME\n")
	for _, one := range d.alike() {
		first := one.first
		cells := []string{
			first.Attempt.Scenario.ID, strings.TrimPrefix(first.Attempt.Scenario.Call, "cloudtrail "), strings.Join(one.forms, ", "),
			strings.Join(one.callers, ", "), string(first.Attempt.Path), verdict(first), one.toLogging.String(), one.calls.String(), elapsed(one.least, one.most),
		}
		for i := range cells {
			cells[i] = plain(cells[i])
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprint(out, "\nCALLS are those of the runbook that change something, TO LOGGING those until logging was back.\n")
	return err
}

// verdict is what became of an attempt, and who put the trail back.
func verdict(r drill.Result) string {
	switch outcomeOf(r) {
	case refused:
		return "refused"
	case leftAlone:
		return "left alone"
	case repaired:
		return "yes"
	case told:
		return "told once"
	}
	if r.PutBack {
		return "NO, put back by the drill"
	}
	return "NO"
}

func elapsed(least, most time.Duration) string {
	if drill.Seconds(least) == drill.Seconds(most) {
		return fmt.Sprintf("%g s", drill.Seconds(least))
	}
	return fmt.Sprintf("%g-%g s", drill.Seconds(least), drill.Seconds(most))
}
