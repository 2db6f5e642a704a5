package tampering

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/localaws"
	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/ssm/automation"
)

// during does something, and meanwhile makes attacks: each before one of the calls of the guard's runbooks, which are counted
// from 1. Those whose turn does not come are left.
func (g guard) during(attacks map[int]func() error, do func()) {
	g.T.Helper()
	calls := 0
	var failed error
	g.Gateway.SetFaults(localaws.Faults{Before: func(call api.Call) error {
		if call.Principal.ARN != g.AutomationRoleARN {
			return nil
		}
		calls++
		if attack := attacks[calls]; attack != nil {
			delete(attacks, calls)
			failed = errors.Join(failed, attack()) // the test cannot end in the middle of a call
		}
		return nil
	}})
	do()
	g.Gateway.SetFaults(localaws.Faults{})
	g.Must(failed)
}

// TestARunEndsOnlyOnAGoodLook has a run put back much, and one attack between any two of its calls, of which no event tells. What
// was done before its last look began is put back by the one run; what was done during that look, by the next.
func TestARunEndsOnlyOnAGoodLook(t *testing.T) {
	inEach(t, func(t *testing.T, a *account) {
		g := guarded(t, a, testbed.ReadTemplate(t, "default"))
		g.Only()
		repaired, left := 0, 0
		for i, id := range []string{"T01", "T02", "T06", "T14", "T17", "T18"} {
			if accounts[i%len(accounts)] != a {
				continue
			}
			for call := 1; ; call++ {
				last, unmet := g.attackedRun(id, call)
				switch {
				case call <= last && len(unmet) > 0:
					t.Errorf("%s before call %d, before the last look at call %d: %v", id, call, last, unmet)
				case call <= last:
					repaired++
				case len(unmet) > 0:
					left++
				}
				if last == 0 {
					break // the run has fewer calls
				}
			}
		}
		if repaired < 20 || left == 0 {
			t.Errorf("%d attacks were put back by the run, and %d by the next", repaired, left)
		}
		t.Logf("%d attacks were put back by the run that they met, and %d by the next", repaired, left)
	})
}

// TestARunThatLooksOnceLeavesWhatIsDoneMeanwhile is the negative control of the test before.
func TestARunThatLooksOnceLeavesWhatIsDoneMeanwhile(t *testing.T) {
	inTurn(t, 0, func(t *testing.T, a *account) {
		g := guarded(t, a, testbed.ReadTemplate(t, "default").With(t, scripted("if wrong.keys()<={'delivery'}:", "if wrong.clear() is None:")))
		g.Only()
		const beforeTheEnd = 5 // calls: it looks at the status, starts the logging, looks at selectors and settings, and updates
		if _, unmet := g.attackedRun("T01", beforeTheEnd); len(unmet) == 0 {
			t.Error("what was done meanwhile is put back")
		}
	})
}

// attackedRun starts a run, on its own, on a trail of which much is to be put back, and makes an attack before one of its calls. It
// returns at which call the run's last look began, 0 if the attack was not made, and what was left; and puts that back.
func (g guard) attackedRun(id string, call int) (last int, unmet []string) {
	g.T.Helper()
	g.strike("T01")
	g.strike("T19")
	g.Settle()
	before, made := len(g.Executions()), false
	g.Must(g.begin(nil))
	g.during(map[int]func() error{call: func() error {
		made = true
		err := g.tamper(attack{scenario(id), callers[call%len(callers)], call%2 == 0}, drill.Target{})
		return ignore(err, "TrailNotFoundException")
	}}, g.Settle)
	r := g.since(before)[0]
	if r.Status != automation.Success || g.started(before) != 1 {
		g.T.Fatalf("%s before call %d: %d executions, the first is %s: %s", id, call, g.started(before), r.Status, r.FailureMessage)
	}
	for i, c := range r.Calls {
		if made && c.API == "GetTrailStatus" {
			last = i + 1
		}
	}
	unmet = g.Unmet()
	g.Must(g.begin(nil))
	g.Settle()
	g.WantRepaired()
	return last, unmet
}

// ignore is an error unless CloudTrail answered with one of the codes: it says that what was to be changed is not there, or as the
// last attacker left it.
func ignore(err error, codes ...string) error {
	if testbed.HasCode(err, codes...) {
		return nil
	}
	return err
}

// TestEightAttackersAtOnceLose has eight attackers call in turn between the calls of the runs that put back what they did before.
// Each event starts one run, and at the end the trail is as declared.
func TestEightAttackersAtOnceLose(t *testing.T) {
	const attackers = 8
	inEach(t, func(t *testing.T, a *account) {
		g := guarded(t, a, testbed.ReadTemplate(t, "default"))
		elsewhere := g.elsewhere()
		executions, calls := 0, 0
		for i, turns := range [][]string{
			{"T01", "T06", "T01", "T18", "T05", "T01", "T03", "T01"},
			{"T14", "T03", "T13", "T01", "T16", "T08", "T17", "T19"},
			{"T19", "T16", "T07", "T17", "T08", "T05", "T50", "T09"},
			{"T01", "T02", "T18", "T02", "T01", "T02", "T02", "T01"},
			{"T17", "T17", "T17", "T17", "T17", "T17", "T17", "T17"},
		} {
			for j, gap := range []int{1, 4, 9} {
				if accounts[(i+j)%len(accounts)] != a {
					continue
				}
				t.Run(fmt.Sprintf("%v, every %d calls", turns, gap), func(t *testing.T) {
					g := g.in(t)
					before, accepted := len(g.Executions()), 0
					attackBy := func(i int) func() error {
						return func() error {
							err := g.tamper(attack{scenario(turns[i]), callers[i%len(callers)], i < attackers/2}, elsewhere)
							if err == nil {
								accepted++
							}
							return ignore(err, "TrailNotFoundException", "InvalidInsightSelectorsException", "InsufficientS3BucketPolicyException")
						}
					}
					attacks := map[int]func() error{}
					for i := range turns[1:] {
						attacks[(i+1)*gap] = attackBy(i + 1)
					}
					g.Must(attackBy(0)())
					g.during(attacks, g.Settle)
					for _, left := range slices.Sorted(maps.Keys(attacks)) { // the runs ended before
						g.Must(attacks[left]())
						g.Settle()
					}
					own := 0
					for _, r := range g.since(before) {
						own += r.events()
					}
					if started := g.started(before); started > accepted+own {
						t.Errorf("%d executions were started for %d attacks and %d calls of theirs", started, accepted, own)
					}
					executions, calls = executions+g.started(before), calls+accepted
					g.Pass(time.Hour)
					g.WantRepaired()
					g.Pass(period(deployed.ConfigPath))
					g.WantRepaired()
					g.wantArmed()
					rested := len(g.Executions())
					g.Pass(time.Hour)
					g.wantExecutions(rested, 1)
					if wrote := g.since(rested)[0].Writes; len(wrote) > 0 {
						t.Errorf("a run wrote %v when all was well", wrote)
					}
				})
			}
		}
		t.Logf("%d accepted calls of attackers, %d executions", calls, executions)
	})
}
