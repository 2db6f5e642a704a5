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
			CallsToLogging: one.CallsToLogging, Calls: one.Calls, Seconds: Seconds(one.Elapsed), Unmet: append([]string{}, one.Unmet...), Message: one.Message(),
		})
	}
	for _, one := range r.Judged {
		out.Assumptions = append(out.Assumptions, assumptionJSON{one.ID, one.Statement, one.Verdict, one.Why, one.IfWrong})
	}
	return json.Marshal(out)
}

// Seconds is a duration in seconds, rounded to a tenth.
func Seconds(d time.Duration) float64 { return math.Round(d.Seconds()*10) / 10 }
