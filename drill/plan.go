package drill

import (
	"fmt"
	"slices"

	"github.com/trailguard/trailguard/drill/deployed"
)

// Plan says which attempts a drill makes.
type Plan struct {
	// IDs are the scenarios to run. Default: - all, in an AWS account without those that are OnlyIfNamed.
	IDs []string
	// Real leaves out the scenarios that are OnlyIfNamed and not named.
	Real    bool
	Callers []Caller
	Path    deployed.Path
}

// Attempts are the attempts of a plan: each scenario, the trail named by name and by ARN, by each caller. left says which
// scenarios are not run, and why.
func (p Plan) Attempts(guard deployed.Guard) (attempts []Attempt, left []string) {
	for _, s := range Scenarios() {
		named := slices.Contains(p.IDs, s.ID)
		if len(p.IDs) > 0 && !named {
			continue
		}
		if reason := s.NotApplicable(guard); reason != "" {
			left = append(left, fmt.Sprintf("%s %s: not applicable: %s", s.ID, s.Call, reason))
			continue
		}
		if p.Path == deployed.ConfigPath && s.UnseenByConfig != "" {
			left = append(left, fmt.Sprintf("%s %s: not with Config alone: %s", s.ID, s.Call, s.UnseenByConfig))
			continue
		}
		if p.Real && s.OnlyIfNamed && !named {
			left = append(left, fmt.Sprintf("%s %s: only when it is named (--scenario %s)", s.ID, s.Call, s.ID))
			continue
		}
		for _, byARN := range []bool{false, true} {
			for _, caller := range p.Callers {
				attempts = append(attempts, Attempt{Scenario: s, ByARN: byARN, Caller: caller, Path: p.Path})
			}
		}
	}
	return attempts, left
}
