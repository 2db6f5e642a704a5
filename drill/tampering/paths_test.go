package tampering

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/drill/internal/testbed"
)

// TestEachPathAloneRepairsEveryTampering is the catalogue: every way to tamper with the trail, by every form of caller, the trail
// named by its name and by its ARN, in an account with no other trail, and in one with another trail that has every security
// setting (T54). Each of the three paths is armed alone.
//
// What the path of events sees depends on the form of the call: there the default guard repairs after each form, and where nothing
// about the form is another, the forms take turns. The other paths see the trail: there all forms follow one another before the
// path looks.
func TestEachPathAloneRepairsEveryTampering(t *testing.T) {
	t.Parallel()
	for i, name := range []string{"default", "everything", "organization"} {
		for j, alone := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, the only trail is %v", name, alone), func(t *testing.T) {
				inTurn(t, i+j, func(t *testing.T, a *account) {
					g := guarded(t, a, testbed.ReadTemplate(t, name))
					if !alone {
						g.goodTrail()
					}
					elsewhere := g.elsewhere()
					for _, path := range []deployed.Path{deployed.EventPath, deployed.SchedulePath, deployed.ConfigPath} {
						t.Run(string(path), func(t *testing.T) {
							g := g.in(t)
							g.Only(path)
							g.Pass(0)
							for _, forms := range g.attacks(path != deployed.EventPath || name == "default" && alone) {
								if path != deployed.EventPath {
									g.wantRepairOn(t, path, forms, elsewhere, alone)
									continue
								}
								for i := range forms {
									g.wantRepairOn(t, path, forms[i:i+1], elsewhere, alone)
								}
							}
						})
					}
				})
			})
		}
	}
}

// unnoticed tells whether a path does not see an attack at all: there is no event of it, or no Config rule looks at what it
// changes. Another trail makes the difference twice: it logs the deletion of the guarded one, and it satisfies the Config rule
// that looks at selectors.
func (g guard) unnoticed(path deployed.Path, a attack, alone bool) bool {
	switch path {
	case deployed.EventPath:
		return a.ID == "T02" && alone && g.Options.Readings.DropDeletionOfLastTrail
	case deployed.ConfigPath:
		return a.UnseenByConfig != "" || !alone && slices.Contains([]string{"T13", "T14", "T16", "T17"}, a.ID)
	}
	return false
}

// wantRepairOn makes an attack, in some forms one after the other, on a trail that is as declared, lets the one path that is armed
// look once, and wants the trail to be as declared again, by no more calls than it takes. An attack that CloudTrail refuses has to
// change nothing.
func (g guard) wantRepairOn(t *testing.T, path deployed.Path, forms []attack, elsewhere drill.Target, alone bool) {
	t.Helper()
	a, name := forms[0], forms[0].String()
	if len(forms) > 1 {
		name = a.ID + ", " + a.Call
	}
	passed := t.Run(name, func(t *testing.T) {
		g := g.in(t)
		before := len(g.Executions())
		accepted := false
		for i, form := range forms {
			err := g.tamper(form, elsewhere)
			isAgain := i > 0 && testbed.HasCode(err, "TrailNotFoundException") && a.ID == "T02"
			if err != nil && !testbed.HasCode(err, a.Refusals...) && !isAgain {
				t.Fatalf("%s: %v", form, err)
			}
			accepted = accepted || err == nil
			if i > 0 && i < len(forms)-1 {
				continue // what the same call did
			}
			if damaged := len(g.Unmet()) > 0; damaged != (accepted && !a.Harmless) {
				t.Fatalf("%s: that the trail is not as declared is %v", form, damaged)
			}
		}
		g.Settle()
		if path != deployed.EventPath {
			g.wantExecutions(before, 0)
			g.Pass(period(path))
		}
		if accepted && !a.Harmless && g.unnoticed(path, a, alone) {
			g.wantExecutions(before, 0)
			g.wantNotRepaired()
			g.Must(g.begin(nil))
			g.Settle()
			return
		}
		runs := g.since(before)
		g.WantRepaired()
		g.wantSuccess(runs)
		g.wantNoMoreThan(path, a, runs, accepted)
		if path == deployed.ConfigPath {
			g.Pass(period(path)) // so that the next verdict is another one
		}
	})
	if !passed { // the next attack shall not fail for it
		g.Must(g.begin(nil))
		g.Settle()
	}
}

// wantNoMoreThan wants the runs that answered an attack to have made the calls that it takes and no others, and to have told
// people what they changed.
func (g guard) wantNoMoreThan(path deployed.Path, a attack, runs []run, accepted bool) {
	g.T.Helper()
	var need []string
	if accepted {
		need = g.writes(a)
	}
	var wrote []string
	events := 0
	for _, r := range runs {
		wrote = append(wrote, r.Writes...)
		events += r.events()
		if r.StartedBy != map[deployed.Path]string{deployed.EventPath: "event", deployed.SchedulePath: "schedule", deployed.ConfigPath: "Config"}[path] {
			g.T.Errorf("an execution was started by %s", r.StartedBy)
		}
		if told := r.Message != ""; told != (len(r.Changed) > 0) {
			g.T.Errorf("a run that found %v tells people %q", r.Changed, r.Message)
		}
	}
	ok := true
	switch path {
	case deployed.SchedulePath:
		ok = len(runs) == 1 && slices.Equal(wrote, need)
	case deployed.EventPath:
		// The repair's own calls start a run each, which may help the first one.
		ok = !accepted && len(runs) == 0 || len(runs) == 1+events && slices.Equal(untilLogging(wrote), untilLogging(need))
	case deployed.ConfigPath:
		// Config starts a run for each rule that finds something, all at once.
		ok = len(runs) <= len(g.ConfigRuleNames) && (len(runs) > 0) == (len(need) > 0)
	}
	if !ok || !slices.Equal(set(wrote), set(need)) {
		g.T.Errorf("the executions were %v; it takes %v", said(runs), need)
	}
}

// untilLogging are the calls until one starts the logging; none if none does.
func untilLogging(calls []string) []string { return calls[:slices.Index(calls, "start_logging")+1] }

func set(calls []string) []string {
	calls = slices.Clone(calls)
	slices.Sort(calls)
	return slices.Compact(calls)
}

// events is how many calls of a run are themselves events that start a run.
func (r run) events() int {
	n := 0
	for _, call := range r.Calls {
		if slices.Contains([]string{"UpdateTrail", "PutEventSelectors", "PutInsightSelectors", "AddTags"}, call.API) && call.ErrorCode == "" {
			n++
		}
	}
	return n
}

// writes are the calls that it takes to put back what an attack takes away.
func (g guard) writes(a attack) []string {
	has := func(setting deployed.Setting, empty string) bool {
		value, ok := g.Declared[setting]
		return ok && value != empty
	}
	// What UpdateTrail can be refused for alone is written alone.
	var extras []string
	if has(deployed.SNSTopicARN, `""`) {
		extras = append(extras, "update_trail")
	}
	if has(deployed.CloudWatchLogsLogGroupARN, `""`) {
		extras = append(extras, "update_trail")
	}
	switch {
	case a.Harmless:
		return nil
	case a.ID == "T01":
		return []string{"start_logging"}
	case a.ID == "T02":
		all := []string{"create_trail", "start_logging"}
		if has(deployed.EventSelectors, `["eventCategory = Management"]`) {
			all = append(all, "put_event_selectors")
		}
		all = append(append(all, extras...), "put_insight_selectors")
		if has(deployed.Tags, "{}") {
			all = append(all, "add_tags")
		}
		return all
	case a.ID == "T19":
		return append([]string{"update_trail"}, extras...)
	case strings.Contains(a.Call, "PutEventSelectors"):
		return []string{"put_event_selectors"}
	case strings.Contains(a.Call, "PutInsightSelectors"):
		return []string{"put_insight_selectors"}
	case strings.Contains(a.Call, "Tags"):
		return []string{"add_tags"}
	}
	return []string{"update_trail"}
}

// TestTheComplianceChangeRepairsWhereConfigHasNoRemediation deploys the guard for GovCloud: its template names no Region.
func TestTheComplianceChangeRepairsWhereConfigHasNoRemediation(t *testing.T) {
	inTurn(t, 1, func(t *testing.T, a *account) {
		tpl := testbed.ReadTemplate(t, "govcloud")
		if n := len(tpl.Resources(remediation)); n > 0 {
			t.Fatalf("the template has %d remediation configurations", n)
		}
		g := guarded(t, a, tpl)
		g.Only(deployed.ConfigPath)
		g.Pass(0)
		elsewhere := g.elsewhere()
		for _, forms := range g.attacks(false) {
			g.wantRepairOn(t, deployed.ConfigPath, forms[:1], elsewhere, true)
		}
		// A verdict that does not change starts nothing: the schedule does.
		g.Only()
		g.HoldConfig(false)
		g.strike("T01")
		g.Settle()
		g.Pass(period(deployed.ConfigPath))
		g.Only(deployed.ConfigPath)
		before := len(g.Executions())
		g.Pass(period(deployed.ConfigPath))
		g.wantExecutions(before, 0)
		g.Only(deployed.SchedulePath)
		g.Pass(period(deployed.SchedulePath))
		g.WantRepaired()
	})
}

// TestAllPathsTogetherComeToRest has every path armed, for the attack that touches everything, one that each path sees, and the
// one whose event may never arrive. Once the trail is as declared again, a run an hour looks, and does and says nothing.
func TestAllPathsTogetherComeToRest(t *testing.T) {
	inEach(t, func(t *testing.T, a *account) {
		g := guarded(t, a, testbed.ReadTemplate(t, "everything"))
		g.Only(deployed.AllPaths)
		for _, id := range []string{"T19", "T01", "T02"} {
			before := len(g.Executions())
			g.strike(id)
			g.Settle()
			if !g.unnoticed(deployed.EventPath, attack{scenario(id), callers[0], false}, true) {
				g.WantRepaired()
			} else {
				g.wantExecutions(before, 0)
			}
			g.Pass(30 * time.Minute)
			g.WantRepaired()
			g.Pass(period(deployed.ConfigPath))
			if found := g.notCompliant(); len(found) > 0 {
				t.Errorf("Config finds %v not satisfied", found)
			}
			rested := len(g.Executions())
			g.wantTold(g.told(func() {
				for range 4 {
					g.Pass(30 * time.Minute)
				}
			}))
			g.wantExecutions(rested, 4)
			for _, r := range g.since(rested) {
				if len(r.Writes) > 0 || r.StartedBy != "schedule" {
					t.Errorf("a run by %s wrote %v", r.StartedBy, r.Writes)
				}
			}
			g.wantArmed()
		}
	})
}

// TestAFindingOfGuardDutyRepairs is about the one event that needs no trail of the account: what was done before and after the
// logging was stopped is put back.
func TestAFindingOfGuardDutyRepairs(t *testing.T) {
	inEach(t, func(t *testing.T, a *account) {
		g := guarded(t, a, testbed.ReadTemplate(t, "default"))
		for _, ids := range [][]string{{"T01"}, {"T01", "T19", "T17"}, {"T14", "T02"}} {
			g.Only()
			for _, id := range ids {
				g.strike(id)
			}
			g.Settle() // the events are lost
			g.Only(deployed.EventPath)
			before := len(g.Executions())
			g.Settle()
			g.wantExecutions(before, 0)
			got := g.told(func() {
				g.find(t)
				g.Settle()
			})
			g.WantRepaired()
			// The repair's own calls start a run, too, which may find what is not yet written.
			if n := count(got, "REPAIRED: "); n == 0 || n > 2 || n != len(got) {
				t.Errorf("people are told %q", got)
			}
			if runs := g.since(before); len(runs) == 0 || runs[0].StartedBy != "event" {
				t.Errorf("the executions were %v", said(runs))
			}
		}
	})
}

// TestWhatIsNoTamperingStartsNothing is about calls that failed, and calls on another trail.
func TestWhatIsNoTamperingStartsNothing(t *testing.T) {
	inEach(t, func(t *testing.T, a *account) {
		g := guarded(t, a, testbed.ReadTemplate(t, "default"))
		elsewhere := g.elsewhere()
		other := g.goodTrail()
		for _, c := range callers {
			for _, form := range []string{other.name, other.arn} {
				target := elsewhere
				target.Trail, target.ARN = form, other.arn
				for _, scenario := range drill.Scenarios() {
					if scenario.NotApplicable(g.Guard.Guard) == "" && scenario.Needs == "" && scenario.ID != "T02" && !scenario.Harmless {
						if err := scenario.Tamper(t.Context(), g.attacker(c), target); err != nil && !testbed.HasCode(err, scenario.Refusals...) {
							t.Fatal(err)
						}
					}
				}
			}
			for _, form := range []string{g.TrailName, g.TrailARN} {
				in := &cloudtrail.UpdateTrailInput{Name: &form, KmsKeyId: aws.String("alias/none")}
				if _, err := g.attacker(c).UpdateTrail(t.Context(), in); !testbed.HasCode(err, "KmsKeyNotFoundException") {
					t.Fatalf("the update ended with %v", err)
				}
			}
		}
		// One whom an organization's policy keeps away.
		g.Must(g.IAM.SetOrganizationPolicies(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"cloudtrail:*","Resource":"*"}]}`))
		for _, scenario := range scenarios() {
			attack := attack{scenario, callers[1], true}
			if err := g.tamper(attack, elsewhere); scenario.NotApplicable(g.Guard.Guard) == "" && !testbed.HasCode(err, "AccessDeniedException") {
				t.Fatalf("%s ended with %v", attack, err)
			}
		}
		g.Must(g.IAM.SetOrganizationPolicies())
		before := len(g.Executions())
		g.wantTold(g.told(g.Settle))
		g.wantExecutions(before, 0)
		g.WantRepaired()
	})
}
