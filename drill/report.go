package drill

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/trailguard/trailguard/drill/deployed"
)

// Report is what a drill found. In JSON it is
//
//	{
//	  "simulated": ["CloudTrail", ...],        what was not AWS; empty in an AWS account
//	  "scenarios": [{
//	    "id": "T01",                           of the scenario; one stands here once for each form, caller and path
//	    "call": "cloudtrail StopLogging, by ARN",
//	    "caller": "root",                      in an AWS account the caller's ARN
//	    "path": "event",                       the part of the guard that was armed: event, config, schedule or all
//	    "repaired": true,                      the whole declared state was back in time
//	    "calls_to_logging": 1,                 the guard's calls to CloudTrail that change a trail, until logging was back
//	    "calls": 5,                            all of them; a call that was refused does not count
//	    "seconds": 26,                         until the declared state was seen, on the drill's clock
//	    "unmet": [],                           what was not as declared at the deadline, in words
//	    "message": "REPAIRED: ..."             what the runbook told people; empty if it told nothing
//	  }],
//	  "assumptions": [{                        about AWS, that were looked at; none on this machine
//	    "id": "A01",
//	    "statement": "The event of ...",       what AWS is taken to do
//	    "verdict": "held",                     or "did not hold", or "not seen"
//	    "why": "so are 5 events ...",          what showed it, or why nothing did
//	    "if_wrong": "Repairs take ..."         what follows if it did not hold
//	  }]
//	}
//
// Members are only ever added. A call that was refused is repaired after 0 seconds, and says so in "call".
type Report struct {
	// Simulated are the parts that were not AWS.
	Simulated []string
	// Results are the attempts, in the order in which they ran.
	Results []Result
	// Left are the scenarios that were not run, each with the reason.
	Left []string
	// Judged are the assumptions about AWS that were looked at.
	Judged []Judgement
}

// DidNotHold are the ids of the assumptions about AWS that did not hold.
func (r Report) DidNotHold() (ids []string) {
	for _, one := range r.Judged {
		if one.Verdict == DidNotHold {
			ids = append(ids, one.ID)
		}
	}
	return ids
}

// Repaired tells whether every attempt was.
func (r Report) Repaired() bool {
	return !slices.ContainsFunc(r.Results, func(one Result) bool { return !one.Repaired })
}

type reportJSON struct {
	Simulated   []string         `json:"simulated"`
	Scenarios   []scenarioJSON   `json:"scenarios"`
	Assumptions []assumptionJSON `json:"assumptions"`
}

type assumptionJSON struct {
	ID        string  `json:"id"`
	Statement string  `json:"statement"`
	Verdict   Verdict `json:"verdict"`
	Why       string  `json:"why"`
	IfWrong   string  `json:"if_wrong"`
}

type scenarioJSON struct {
	ID             string        `json:"id"`
	Call           string        `json:"call"`
	Caller         string        `json:"caller"`
	Path           deployed.Path `json:"path"`
	Repaired       bool          `json:"repaired"`
	CallsToLogging int           `json:"calls_to_logging"`
	Calls          int           `json:"calls"`
	Seconds        float64       `json:"seconds"`
	Unmet          []string      `json:"unmet"`
	Message        string        `json:"message"`
}

// MarshalJSON writes the report for programs.
func (r Report) MarshalJSON() ([]byte, error) {
	out := reportJSON{Simulated: append([]string{}, r.Simulated...), Scenarios: []scenarioJSON{}, Assumptions: []assumptionJSON{}}
	for _, one := range r.Results {
		call := one.Attempt.Call()
		if one.Refused != "" {
			call += " (refused: " + one.Refused + ")"
		}
		out.Scenarios = append(out.Scenarios, scenarioJSON{
			ID: one.Attempt.Scenario.ID, Call: call, Caller: one.Attempt.Caller.Name, Path: one.Attempt.Path, Repaired: one.Repaired,
			CallsToLogging: one.CallsToLogging, Calls: one.Calls, Seconds: seconds(one.Elapsed), Unmet: append([]string{}, one.Unmet...), Message: one.Message(),
		})
	}
	for _, one := range r.Judged {
		out.Assumptions = append(out.Assumptions, assumptionJSON{one.ID, one.Statement, one.Verdict, one.Why, one.IfWrong})
	}
	return json.Marshal(out)
}

func seconds(d time.Duration) float64 { return math.Round(d.Seconds()*10) / 10 }

// row is a line of the table: the attempts of one scenario that came to the same end.
type row struct {
	first            Result
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

// alike is what attempts of one row have in common.
func alike(a, b Result) bool {
	return a.Attempt.Scenario.ID == b.Attempt.Scenario.ID && a.Attempt.Scenario.Call == b.Attempt.Scenario.Call &&
		a.Attempt.Path == b.Attempt.Path && verdict(a) == verdict(b) && slices.Equal(a.Unmet, b.Unmet)
}

func (r Report) rows() []row {
	var rows []row
	for _, one := range r.Results {
		i := slices.IndexFunc(rows, func(candidate row) bool { return alike(candidate.first, one) })
		if i < 0 {
			rows = append(rows, row{
				first: one, least: one.Elapsed, most: one.Elapsed,
				toLogging: span{one.CallsToLogging, one.CallsToLogging}, calls: span{one.Calls, one.Calls},
			})
			i = len(rows) - 1
		}
		form := "name"
		if one.Attempt.ByARN {
			form = "ARN"
		}
		rows[i].forms = with(rows[i].forms, form)
		rows[i].callers = with(rows[i].callers, one.Attempt.Caller.Name)
		rows[i].toLogging.add(one.CallsToLogging)
		rows[i].calls.add(one.Calls)
		rows[i].least, rows[i].most = min(rows[i].least, one.Elapsed), max(rows[i].most, one.Elapsed)
	}
	slices.SortStableFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.first.Attempt.Scenario.ID, b.first.Attempt.Scenario.ID), cmp.Compare(a.first.Attempt.Scenario.Call, b.first.Attempt.Scenario.Call))
	})
	return rows
}

func with(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// WriteTable writes the report for people. Attempts of a scenario that came to the same end share a line.
func (r Report) WriteTable(w io.Writer) error {
	out := &strings.Builder{}
	if len(r.Simulated) > 0 {
		fmt.Fprintf(out, "SIMULATED: %s.\n", strings.Join(r.Simulated, ", "))
		fmt.Fprint(out, "Times are those of a clock that the drill owns: they claim nothing about AWS's latency.\n\n")
	} else {
		fmt.Fprint(out, "Times are until the drill saw the repair, in this account, this time.\n\n")
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "SCENARIO\tCALL\tTRAIL BY\tCALLER\tPATH\tREPAIRED\tTO LOGGING\tCALLS\tTIME\n")
	for _, one := range r.rows() {
		first := one.first
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", first.Attempt.Scenario.ID, strings.TrimPrefix(first.Attempt.Scenario.Call, "cloudtrail "),
			strings.Join(one.forms, ", "), strings.Join(one.callers, ", "), first.Attempt.Path, verdict(first), one.toLogging, one.calls,
			elapsed(one.least, one.most))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	repaired, refused := 0, 0
	for _, one := range r.Results {
		if one.Repaired {
			repaired++
		}
		if one.Refused != "" {
			refused++
		}
	}
	fmt.Fprintf(out, "\n%d of %d repaired", repaired, len(r.Results))
	if refused > 0 {
		fmt.Fprintf(out, ", or refused from the start (%d)", refused)
	}
	fmt.Fprint(out, ". CALLS are those of the runbook that change the trail, TO LOGGING those until logging was back.\n")
	for _, one := range r.rows() {
		for _, unmet := range one.first.Unmet {
			fmt.Fprintf(out, "%s, %s path: %s\n", one.first.Attempt.Scenario.ID, one.first.Attempt.Path, unmet)
		}
		for _, x := range one.first.Executions {
			if x.Failure != "" {
				fmt.Fprintf(out, "%s, %s path: the runbook failed: %s\n", one.first.Attempt.Scenario.ID, one.first.Attempt.Path, x.Failure)
			}
		}
	}
	for _, left := range r.Left {
		fmt.Fprintf(out, "Not run: %s\n", left)
	}
	r.writeJudged(out)
	_, err := io.WriteString(w, out.String())
	return err
}

// writeJudged counts the assumptions that were looked at, and says what follows from those that did not hold.
func (r Report) writeJudged(out io.Writer) {
	if len(r.Judged) == 0 {
		return
	}
	count := map[Verdict]int{}
	for _, one := range r.Judged {
		count[one.Verdict]++
	}
	fmt.Fprintf(out, "Of %d assumptions about AWS %d held, %d did not hold, %d were not seen.\n",
		len(r.Judged), count[Held], count[DidNotHold], count[NotSeen])
	for _, one := range r.Judged {
		if one.Verdict == DidNotHold {
			fmt.Fprintf(out, "%s did not hold: %s But %s. So: %s\n", one.ID, one.Statement, one.Why, one.IfWrong)
		}
	}
}

func verdict(r Result) string {
	switch {
	case r.Refused != "" && r.Repaired:
		return "refused"
	case r.Attempt.Scenario.Harmless && r.Repaired:
		return "left alone"
	case r.Repaired:
		return "yes"
	case r.PutBack:
		return "NO, put back by the drill"
	}
	return "NO"
}

func elapsed(least, most time.Duration) string {
	if seconds(least) == seconds(most) {
		return fmt.Sprintf("%g s", seconds(least))
	}
	return fmt.Sprintf("%g-%g s", seconds(least), seconds(most))
}
