package tampering

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/trailguard/trailguard/drill/internal/localaws"
	"github.com/trailguard/trailguard/drill/internal/localaws/api"
	"github.com/trailguard/trailguard/drill/internal/localaws/automation"
)

// during makes attacks while the guard's runbooks run: each before one of their calls, which are counted from 1.
func (g guard) during(attacks map[int]func()) {
	calls := 0
	g.Gateway.SetFaults(localaws.Faults{Before: func(call api.Call) error {
		if call.Principal.ARN != g.AutomationRoleARN {
			return nil
		}
		calls++
		if attack := attacks[calls]; attack != nil {
			delete(attacks, calls)
			attack()
		}
		return nil
	}})
}

// TestTwoAttackersAtOnceLose has two attackers call in turn between the calls of the runbooks that repair what they did
// before. Each accepted call starts one execution at most, and the last one leaves the trail as declared.
func TestTwoAttackersAtOnceLose(t *testing.T) {
	inEach(t, func(t *testing.T, a *account) {
		g := guarded(t, a, readTemplate(t, "default"))
		elsewhere := g.elsewhere()
		for _, turns := range [][]string{
			{"T01", "T06", "T01", "T18"},
			{"T14", "T03", "T13", "T01"},
			{"T19", "T16", "T07", "T17", "T08", "T05"},
			{"T01", "T02", "T18", "T02", "T01"},
			{"T17", "T17", "T17", "T17"},
		} {
			for _, gap := range []int{1, 2, 5, 11, 17} {
				t.Run(fmt.Sprintf("%v, every %d calls", turns, gap), func(t *testing.T) {
					g := g.in(t)
					before, accepted := len(g.Executions()), 0
					tamper := func(i int) func() {
						return func() {
							err := g.tamper(attack{scenario(turns[i]), callers[i%2], i%3 == 0}, elsewhere)
							if err == nil {
								accepted++
							} else if !hasCode(err, "TrailNotFoundException", "InvalidInsightSelectorsException") {
								t.Fatal(err)
							}
						}
					}
					attacks := map[int]func(){}
					for i := range turns[1:] {
						attacks[(i+1)*gap] = tamper(i + 1)
					}
					tamper(0)()
					g.during(attacks)
					g.settle()
					g.Gateway.SetFaults(localaws.Faults{})
					for _, left := range slices.Sorted(maps.Keys(attacks)) { // the runbooks ended before
						attacks[left]()
						g.settle()
					}
					if started := len(g.since(before)); started > accepted {
						t.Errorf("%d executions were started for %d attacks", started, accepted)
					}
					g.configLooks(period)
					g.wantRepaired()
					g.wantArmed()
					all := g.since(before)
					if last := all[len(all)-1]; last.Status != automation.Success {
						t.Errorf("the last execution is %s: %s", last.Status, last.FailureMessage)
					}
					rested := len(g.Executions())
					g.configLooks(period)
					g.wantExecutions(rested, 0)
				})
			}
		}
	})
}
