package drill

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/internal/golden"
)

func results() []Result {
	stop, empty := Scenario{ID: "T01", Call: "cloudtrail StopLogging"}, Scenario{ID: "T15", Call: "cloudtrail PutEventSelectors EventSelectors=[]"}
	root, user := Caller{Name: "root"}, Caller{Name: "IAM user"}
	rule := Scenario{ID: "T41", Call: "events DisableRule", Of: Guard, Told: "DisableRule"}
	return []Result{
		{Attempt: Attempt{Scenario: stop, Caller: root, Form: ByName, Path: "event"}, Repaired: true, CallsToLogging: 1, Calls: 4, Elapsed: 26*time.Second + 140*time.Millisecond},
		{Attempt: Attempt{Scenario: stop, Caller: user, Path: "event", Form: ByARN}, Repaired: true, CallsToLogging: 1, Calls: 5, Elapsed: 26 * time.Second},
		{Attempt: Attempt{Scenario: empty, Caller: root, Form: ByName, Path: "event"}, Repaired: true, Refused: "InvalidEventSelectorsException"},
		{Attempt: Attempt{Scenario: rule, Caller: root, Path: "event"}, Repaired: true, Elapsed: 3 * time.Second, PutBack: true, Told: []string{"TAMPERING: DisableRule on the guard"}},
		{Attempt: Attempt{Scenario: stop, Caller: root, Form: ByName, Path: "config"}, Calls: 1, Elapsed: 25 * time.Hour, PutBack: true,
			Unmet: []string{"IsLogging is false, want true"}, Executions: []deployed.Execution{{Failure: "step StartLogging: AccessDeniedException"}}},
	}
}

func judgements() []Judgement {
	return []Judgement{
		{Assumption{ID: "A01", Statement: "It is so.", IfWrong: "Nothing is repaired."}, Held, "it was seen so"},
		{Assumption{ID: "A02", Statement: "It is so, too.", IfWrong: "Repairs take longer."}, DidNotHold, "it was not so at noon"},
		{Assumption{ID: "A03", Statement: "It is always so.", IfWrong: "Nobody is told."}, NotSeen, "nothing showed it"},
	}
}

func TestTheReportForPrograms(t *testing.T) {
	got, err := json.MarshalIndent(Report{
		Simulated: []string{"CloudTrail", "AWS Config"}, Results: results(), Judged: judgements(),
		Left: []Left{{Scenario{ID: "T50", Call: "cloudtrail PutEventSelectors with other data resources"}, "config", "not with Config alone: an item does not hold the selectors"}},
	}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/report.json", append(got, '\n'))
}

func TestAReportWithoutResultsHasEmptyLists(t *testing.T) {
	got, err := json.Marshal(Report{})
	if want := `{"simulated":[],"scenarios":[],"not_run":[],"assumptions":[]}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func TestAReportIsRepairedOnlyIfEveryAttemptWas(t *testing.T) {
	if (Report{Results: results()}).Repaired() || !(Report{Results: results()[:4]}).Repaired() {
		t.Error("an attempt that was not repaired is not counted")
	}
	untold := results()[3]
	untold.Repaired = false
	if report := (Report{Results: append(results()[:3], untold)}); !report.Repaired() || report.Told() || !(Report{Results: results()}).Told() {
		t.Error("an attempt of which people were not told is taken for one that was not repaired")
	}
	if got := (Report{Judged: judgements()}).DidNotHold(); len(got) != 1 || got[0] != "A02" {
		t.Errorf("%q did not hold", got)
	}
}
