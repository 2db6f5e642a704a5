package drill

import (
	"slices"

	"github.com/trailguard/trailguard/drill/deployed"
)

// Plan says which attempts a drill makes.
type Plan struct {
	// IDs are the scenarios to run. Default: - all, in an AWS account without those that are OnlyIfNamed.
	IDs []string
	// Real leaves out the scenarios that are OnlyLocal, and those that are OnlyIfNamed and not named.
	Real    bool
	Callers []Caller
	Path    deployed.Path
}

// Left is a scenario that a drill does not run.
type Left struct {
	Scenario Scenario
	// Path is the path with which alone the scenario is not run; empty if it is run with none.
	Path deployed.Path
	// Why says why.
	Why string
}

// Same tells whether two say the same.
func (l Left) Same(other Left) bool {
	return l.Scenario.ID == other.Scenario.ID && l.Scenario.Call == other.Scenario.Call && l.Path == other.Path && l.Why == other.Why
}

// Attempts are the attempts of a plan: each scenario once, by one of the callers, who take turns. With events, which show how a call was made and
// by whom, it is each scenario in each form, and of the trail by each caller. left says which scenarios are not run, and why.
func (p Plan) Attempts(guard deployed.Guard) (attempts []Attempt, left []Left) {
	turn := 0
	for _, s := range Catalogue() {
		named := slices.Contains(p.IDs, s.ID)
		if len(p.IDs) > 0 && !named {
			continue
		}
		if why := p.why(s, guard, named); why != "" {
			left = append(left, Left{Scenario: s, Why: why})
			continue
		}
		if why := s.Unseen(p.Path); why != "" {
			left = append(left, Left{s, p.Path, "not with " + alone[p.Path] + " alone: " + why})
			continue
		}
		forms := s.forms(guard)
		withEvents := p.Path != deployed.ConfigPath && p.Path != deployed.SchedulePath
		if !withEvents {
			forms = forms[:1]
		}
		for _, form := range forms {
			callers := p.Callers
			if !withEvents || s.Part() != Trail {
				callers = callers[turn%len(callers):][:1]
				turn++
			}
			for _, caller := range callers {
				attempts = append(attempts, Attempt{Scenario: s, Form: form, Caller: caller, Path: p.Path})
			}
		}
	}
	return attempts, left
}

// alone names paths in a sentence.
var alone = map[deployed.Path]string{deployed.ConfigPath: "Config", deployed.SchedulePath: "the schedule"}

// why says why a scenario is not run with any path; empty if it is.
func (p Plan) why(s Scenario, guard deployed.Guard, named bool) string {
	if s.NeverRun != "" {
		return s.NeverRun
	}
	if why := s.notGuarded(guard); why != "" {
		return "not guarded: " + why
	}
	if why := s.NotApplicable(guard); why != "" {
		return "not applicable: " + why
	}
	if p.Real && s.OnlyLocal != "" {
		return "on the local AWS only: " + s.OnlyLocal
	}
	if p.Real && s.OnlyIfNamed && !named {
		return "only when it is named (--scenario " + s.ID + ")"
	}
	return ""
}
