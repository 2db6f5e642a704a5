package drill

import (
	"encoding/json"
	"math"
	"slices"
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
//	    "expected": "repaired",                or "told", if people must be told of the call exactly once, or "left alone"
//	    "repaired": true,                      what was expected came in time: the whole state was back, or people were told
//	    "calls_to_logging": 1,                 the guard's calls to CloudTrail that change a trail, until logging was back
//	    "calls": 5,                            all its calls that change something; a call that was refused does not count
//	    "seconds": 26,                         until the state was seen, or people were told, on the drill's clock
//	    "unmet": [],                           what was not as declared, or before, at the deadline, in words
//	    "message": "REPAIRED: ..."             what people were told; empty if they were told nothing
//	  }],
//	  "not_run": [{                            scenarios that were not run, or not with each path
//	    "id": "T25",
//	    "call": "s3 DeleteObject, ...",
//	    "path": "",                            the path with which alone the scenario was not run; empty if it was run with none
//	    "why": "prevention only: ..."
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
	Left []Left
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

// Repaired tells whether every attempt was that must be.
func (r Report) Repaired() bool {
	return !slices.ContainsFunc(r.Results, func(one Result) bool { return !one.Repaired && one.Attempt.Scenario.Told == "" })
}

// Told tells whether people were told of each call that they must be told of.
func (r Report) Told() bool {
	return !slices.ContainsFunc(r.Results, func(one Result) bool { return !one.Repaired && one.Attempt.Scenario.Told != "" })
}

// expected is what the guard must make of a scenario.
func expected(s Scenario) string {
	switch {
	case s.Told != "":
		return "told"
	case s.Harmless:
		return "left alone"
	}
	return "repaired"
}

type reportJSON struct {
	Simulated   []string         `json:"simulated"`
	Scenarios   []scenarioJSON   `json:"scenarios"`
	NotRun      []leftJSON       `json:"not_run"`
	Assumptions []assumptionJSON `json:"assumptions"`
}

type assumptionJSON struct {
	ID        string  `json:"id"`
	Statement string  `json:"statement"`
	Verdict   Verdict `json:"verdict"`
	Why       string  `json:"why"`
	IfWrong   string  `json:"if_wrong"`
}

type leftJSON struct {
	ID   string        `json:"id"`
	Call string        `json:"call"`
	Path deployed.Path `json:"path"`
	Why  string        `json:"why"`
}

type scenarioJSON struct {
	ID             string        `json:"id"`
	Call           string        `json:"call"`
	Caller         string        `json:"caller"`
	Path           deployed.Path `json:"path"`
	Expected       string        `json:"expected"`
	Repaired       bool          `json:"repaired"`
	CallsToLogging int           `json:"calls_to_logging"`
	Calls          int           `json:"calls"`
	Seconds        float64       `json:"seconds"`
	Unmet          []string      `json:"unmet"`
	Message        string        `json:"message"`
}

// MarshalJSON writes the report for programs.
func (r Report) MarshalJSON() ([]byte, error) {
	out := reportJSON{Simulated: append([]string{}, r.Simulated...), Scenarios: []scenarioJSON{}, NotRun: []leftJSON{}, Assumptions: []assumptionJSON{}}
	for _, one := range r.Results {
		call := one.Attempt.Call()
		if one.Refused != "" {
			call += " (refused: " + one.Refused + ")"
		}
		out.Scenarios = append(out.Scenarios, scenarioJSON{
			ID: one.Attempt.Scenario.ID, Call: call, Caller: one.Attempt.Caller.Name, Path: one.Attempt.Path,
			Expected: expected(one.Attempt.Scenario), Repaired: one.Repaired, CallsToLogging: one.CallsToLogging, Calls: one.Calls, Seconds: Seconds(one.Elapsed), Unmet: append([]string{}, one.Unmet...), Message: one.Message(),
		})
	}
	for _, one := range r.Left {
		out.NotRun = append(out.NotRun, leftJSON{one.Scenario.ID, one.Scenario.Call, one.Path, one.Why})
	}
	for _, one := range r.Judged {
		out.Assumptions = append(out.Assumptions, assumptionJSON{one.ID, one.Statement, one.Verdict, one.Why, one.IfWrong})
	}
	return json.Marshal(out)
}

// Seconds is a duration in seconds, rounded to a tenth.
func Seconds(d time.Duration) float64 { return math.Round(d.Seconds()*10) / 10 }
