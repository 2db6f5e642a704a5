package tampering

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/drill/internal/testbed"
)

// TestAFloodIsRepairedAndTellsOnce is T59: the same call, once a second. Each event starts a run, of one step; the alarm rings
// once; and at the end the trail is as declared.
func TestAFloodIsRepairedAndTellsOnce(t *testing.T) {
	t.Parallel()
	harmless := func(g guard) drill.Scenario { return scenario("T51") }
	for i, test := range []struct {
		name   string
		what   func(g guard) drill.Scenario
		calls  int
		alone  bool // the guarded trail is the only one: what is done while it does not log is unseen
		atOnce bool // all calls are made before the first run begins
	}{
		{"50 StopLogging", func(guard) drill.Scenario { return scenario("T01") }, 50, true, false},
		{"50 StopLogging at once, which another trail logs", func(guard) drill.Scenario { return scenario("T01") }, 50, false, true},
		{"50 StopLogging, which another trail logs", func(guard) drill.Scenario { return scenario("T01") }, 50, false, false},
		{"20 UpdateTrail that change nothing", harmless, 20, true, false},
		{"20 UpdateTrail that change nothing, at once", harmless, 20, true, true},
		{"50 UpdateTrail that take the key away", func(guard) drill.Scenario { return scenario("T06") }, 50, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			inTurn(t, i, func(t *testing.T, a *account) {
				g := guarded(t, a, testbed.ReadTemplate(t, "default"))
				if !test.alone {
					g.goodTrail()
				}
				g.Only(deployed.EventPath)
				g.Pass(time.Hour) // the alarm's periods begin anew
				before, at := len(g.Executions()), g.Clock.Now()
				flood, made := attack{test.what(g), callers[2], true}, 0
				said := g.told(func() {
					call := func() error {
						made++
						return g.tamper(flood, drill.Target{})
					}
					// A call of a run takes a quarter of a second.
					during := map[int]func() error{}
					for n := 4; n <= 4*test.calls && !test.atOnce; n += 4 {
						during[n] = func() error {
							if made == test.calls {
								return nil
							}
							return call()
						}
					}
					g.Must(call())
					for test.atOnce && made < test.calls {
						g.Must(call())
					}
					g.during(during, g.Settle)
					for made < test.calls { // the runs ended before
						g.Clock.Advance(time.Second)
						g.Must(call())
						g.Settle()
					}
				})
				g.WantRepaired()
				runs := g.since(before)
				g.wantSuccess(runs)
				calls, writes, spoke, own := 0, 0, 0, 0
				for _, r := range runs {
					calls, writes, own = calls+len(r.Calls), writes+len(r.Writes), own+r.events()
					if r.Message != "" {
						spoke++
					}
				}
				told, repaired := count(said, "TAMPERING"), count(said, "REPAIRED")
				if told > test.calls || !test.alone && told != test.calls || repaired != spoke || len(said) != told+repaired {
					t.Errorf("people are told of %d calls and %d repairs, in %d messages", told, repaired, len(said))
				}
				if len(runs) != told+own {
					t.Errorf("%d executions were started for %d events of the flood and %d of the repairs", len(runs), told, own)
				}
				if test.what(g).Harmless && writes+repaired > 0 {
					t.Errorf("the runs made %d writes and told people %d times", writes, repaired)
				}
				rings := g.floodRings(at)
				if want := min(1, len(runs)/11); rings != want {
					t.Errorf("the alarm rings %d times for %d executions", rings, len(runs))
				}
				t.Logf("%d calls: %d executions of 1 step, %d calls of theirs of which %d changed something, %d messages of tampering and %d of repairs, the alarm rang %d times, in %s",
					made, len(runs), calls, writes, told, repaired, rings, g.Clock.Now().Sub(at).Round(time.Second))
			})
		})
	}
}

// TestTwoGuardsOfOneTrailComeToRest is T57: a second stack declares another state of the same trail, by its bucket and its key.
// Each puts back its own, and the calls of one start no run of the other. What keeps two runs that are under way at the same time
// from undoing each other's changes is chance alone: so the bound on them is what was measured.
func TestTwoGuardsOfOneTrailComeToRest(t *testing.T) {
	inTurn(t, 1, func(t *testing.T, a *account) {
		const most = 120 // executions after one event
		g := guarded(t, a, testbed.ReadTemplate(t, "default"))
		g.HoldConfig(true)
		g.Pass(time.Minute)
		before := len(g.Executions())
		second := g.account.deployStack(t, "guard-2", testbed.ReadTemplate(t, "default"))
		said := second.told(g.Settle)
		second.WantRepaired()
		g.wantNotRepaired()
		g.wantExecutions(before, 2) // one at the end of its deployment, and one for the call that this one made
		if count(said, "REPAIRED: ") != 1 {
			t.Errorf("people are told %q", said)
		}
		for seed := range uint64(4) {
			a.Order.Seed(seed, 0)
			before, at := len(g.Executions()), g.Clock.Now()
			said := map[string][]string{}
			said[second.Stack] = second.told(func() {
				said[g.Stack] = g.told(func() {
					g.strike("T01")
					g.Settle()
				})
			})
			stopped := g.started(before)
			if unmet := append(g.Unmet(), second.Unmet()...); strings.Contains(strings.Join(unmet, " "), "IsLogging") {
				t.Errorf("after StopLogging the trail does not log")
			}
			for stack, messages := range said { // by both guards of what was done, and by one at least of what it found
				if count(messages, "TAMPERING: StopLogging") != 1 {
					t.Errorf("stack %s tells %q", stack, messages)
				}
			}
			if count(said[g.Stack], "REPAIRED")+count(said[second.Stack], "REPAIRED") == 0 || stopped > most {
				t.Errorf("after StopLogging %d executions are started, and people are told %q", stopped, said)
			}
			rested := len(g.Executions())
			g.Settle()
			g.wantExecutions(rested, 0)
			t.Logf("StopLogging: %d executions in %s", stopped, g.Clock.Now().Sub(at).Round(time.Second))

			before = len(g.Executions())
			said[second.Stack] = second.told(func() {
				said[g.Stack] = g.told(func() { g.Pass(time.Hour) })
			})
			if n := g.started(before); n > most || n < 2 || count(said[g.Stack], "REPAIRED")+count(said[second.Stack], "REPAIRED") == 0 {
				t.Errorf("in an hour %d executions are started, and people are told %q", n, said)
			}
			t.Logf("an hour: %d executions", g.started(before))
		}
	})
}

// TestWhatTheRoleOfAnotherGuardDoesIsLeftToTheSchedule is T57, too: whoever can make a role below the path of the guards' roles
// avoids the path of events. People are told, and the schedule repairs.
func TestWhatTheRoleOfAnotherGuardDoesIsLeftToTheSchedule(t *testing.T) {
	inEach(t, func(t *testing.T, a *account) {
		g := guarded(t, a, testbed.ReadTemplate(t, "default"))
		other := caller{"another guard", otherGuard}
		g.Administrate(otherGuard)
		client := g.session(otherGuard.ARN)
		for _, path := range []deployed.Path{deployed.EventPath, deployed.SchedulePath} {
			g.Only(path)
			before := len(g.Executions())
			g.wantTold(g.told(func() {
				_, err := client.StopLogging(t.Context(), &cloudtrail.StopLoggingInput{Name: &g.TrailName})
				g.Must(err)
				g.Settle()
			}), g.tamperingMessage("StopLogging", other))
			g.wantExecutions(before, 0)
			g.wantNotRepaired()
			g.Only(deployed.SchedulePath)
			g.wantTold(g.told(func() { g.Pass(time.Hour) }), "REPAIRED: ")
			g.WantRepaired()
		}
	})
}

// TestATrailOfTheSameNameElsewhereIsNotMistaken is T57, too: a trail of another home Region that has the same name and is of every
// Region. It is no tampering, it satisfies nobody, and the guarded one is put back.
func TestATrailOfTheSameNameElsewhereIsNotMistaken(t *testing.T) {
	inEach(t, func(t *testing.T, a *account) {
		g := guarded(t, a, testbed.ReadTemplate(t, "default"))
		const bucket = "shadow-bucket"
		g.openBucket(bucket)
		config := g.Config(callers[1].Principal)
		config.Region = "eu-west-1"
		mallory := cloudtrail.NewFromConfig(config)
		yes := true
		b := bucket
		_, err := mallory.CreateTrail(t.Context(), &cloudtrail.CreateTrailInput{Name: &g.TrailName, S3BucketName: &b, IsMultiRegionTrail: &yes})
		g.Must(err)
		_, err = mallory.StartLogging(t.Context(), &cloudtrail.StartLoggingInput{Name: &g.TrailName})
		g.Must(err)
		before := len(g.Executions())
		g.Settle()
		g.wantExecutions(before, 0)
		g.WantRepaired()
		for _, path := range []deployed.Path{deployed.EventPath, deployed.SchedulePath, deployed.ConfigPath} {
			g.Only(path)
			for _, id := range []string{"T01", "T02", "T05"} {
				g.strike(id)
				g.Settle()
				if path != deployed.EventPath {
					g.Pass(period(path))
				}
				g.WantRepaired()
				g.Pass(period(path))
			}
		}
		shadow, err := mallory.GetTrail(t.Context(), &cloudtrail.GetTrailInput{Name: &g.TrailName})
		g.Must(err)
		if *shadow.Trail.S3BucketName != bucket || *shadow.Trail.HomeRegion != "eu-west-1" {
			t.Errorf("the other trail is %+v", *shadow.Trail)
		}
	})
}
