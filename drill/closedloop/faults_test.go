package closedloop

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"

	"github.com/trailguard/trailguard/drill/internal/localaws"
	"github.com/trailguard/trailguard/drill/internal/localaws/api"
	"github.com/trailguard/trailguard/drill/internal/localaws/automation"
)

// start is a state of the trail that a repair starts from.
type start struct {
	name string
	make func(g guard)
}

var starts = []start{
	{"no trail", func(g guard) { g.deleteTrails() }},
	{"weakened and stopped", weaken},
}

// weaken leaves a trail that never logged, and of which each part is wrong that has a step of its own.
func weaken(g guard) {
	g.deleteTrails()
	g.createTrail(cloudtrail.CreateTrailInput{Name: &g.trail, S3BucketName: &g.bucket})
	g.putAdvancedSelector(field("eventCategory", "Management"), field("readOnly", "true"))
}

// failCalls fails the calls of the automation role from the nth (the first is 0), as many as times says.
func (g guard) failCalls(n, times int, code string) func(api.Call) error {
	var made atomic.Int64
	return func(call api.Call) error {
		if !g.isAutomation(call.Principal) {
			return nil
		}
		if i := int(made.Add(1)) - 1; i < n || i >= n+times {
			return nil
		}
		return api.Errorf(code, "injected")
	}
}

// withFaults repairs while errors are injected.
func (g guard) withFaults(faults localaws.Faults) *automation.Execution {
	g.t.Helper()
	g.Gateway.SetFaults(faults)
	defer g.Gateway.SetFaults(localaws.Faults{})
	return g.repair()
}

// refusals counts the calls of executions that were refused with a code.
func refusals(code string, executions ...*automation.Execution) int {
	n := 0
	for _, x := range executions {
		for _, call := range x.Calls {
			if call.ErrorCode == code {
				n++
			}
		}
	}
	return n
}

// wasMade tells whether a call changed something.
func wasMade(call automation.CallRecord) bool { return call.Mutating() && call.ErrorCode == "" }

// TestARepairSurvivesErrorsThatPass injects an error twice at each call of a repair in turn.
func TestARepairSurvivesErrorsThatPass(t *testing.T) {
	faults := []struct {
		name, code string
		at         func(call automation.CallRecord) bool
		after      bool // the change is made, and the caller is not told
	}{
		{name: "throttled", code: "ThrottlingException", at: func(automation.CallRecord) bool { return true }},
		{name: "in conflict", code: "ConflictException", at: automation.CallRecord.Mutating},
		{name: "unanswered", code: "ServiceUnavailableException", at: wasMade, after: true},
	}
	inEach(t, 2, func(t *testing.T, a *account) {
		g := share(t, a, "default")
		for _, start := range starts {
			start.make(g)
			undisturbed := g.repair()
			g.wantSuccess(undisturbed)
			for _, fault := range faults {
				for n, call := range undisturbed.Calls {
					if !fault.at(call) {
						continue
					}
					g.step(fmt.Sprintf("%s: %s of call %d %s in step %s", start.name, call.API, n, fault.name, call.Step), func(g guard) {
						start.make(g)
						faults := localaws.Faults{Before: g.failCalls(n, 2, fault.code)}
						if fault.after {
							faults = localaws.Faults{After: faults.Before}
						}
						x := g.withFaults(faults)
						g.wantSuccess(x)
						if refusals(fault.code, x) == 0 {
							g.t.Error("no error was injected")
						}
						g.wantRepaired()
					})
				}
			}
		}
	})
}

// denial is what comes of a repair whose role lacks one permission.
type denial struct {
	// denied is the step whose record tells of the denied action; ends is the step that ended the execution, empty where
	// the denial does no harm.
	denied, ends string
	// logging and repaired are what the trail is all the same.
	logging, repaired bool
}

var harmless = denial{logging: true, repaired: true}

// denials are by start and action. What is not told to harm must not.
var denials = map[string]map[string]denial{
	"no trail": {
		"cloudtrail:GetTrail":                {"FindTrail", "VerifyS3BucketName", true, true},
		"cloudtrail:CreateTrail":             {"CreateTrail", "StartLogging", false, false},
		"cloudtrail:StartLogging":            {"StartLogging", "StartLogging", false, false},
		"cloudtrail:UpdateTrail":             {"RestoreSettings", "RestoreSettings", true, true},
		"cloudtrail:PutEventSelectors":       {"RestoreEventSelectors", "RestoreEventSelectors", true, true},
		"cloudtrail:PutInsightSelectors":     {"RestoreInsightSelectors", "VerifyInsightSelectors", true, false},
		"cloudtrail:GetTrailStatus":          {"VerifyLogging", "VerifyLogging", true, true},
		"cloudtrail:GetEventSelectors":       {"VerifyManagementEvents", "VerifyManagementEvents", true, true},
		"cloudtrail:GetInsightSelectors":     {"VerifyInsightSelectors", "VerifyInsightSelectors", true, true},
		"config:DeleteRemediationExceptions": harmless,
	},
	"weakened and stopped": {
		"cloudtrail:GetTrail":                {"FindTrail", "VerifyS3BucketName", true, true},
		"cloudtrail:CreateTrail":             harmless,
		"cloudtrail:StartLogging":            {"StartLogging", "StartLogging", false, false},
		"cloudtrail:UpdateTrail":             {"RestoreSettings", "VerifyKmsKeyId", true, false},
		"cloudtrail:PutEventSelectors":       {"RestoreEventSelectors", "VerifyManagementEvents", true, false},
		"cloudtrail:PutInsightSelectors":     {"RestoreInsightSelectors", "VerifyInsightSelectors", true, false},
		"cloudtrail:GetTrailStatus":          {"VerifyLogging", "VerifyLogging", true, true},
		"cloudtrail:GetEventSelectors":       {"VerifyManagementEvents", "VerifyManagementEvents", true, true},
		"cloudtrail:GetInsightSelectors":     {"VerifyInsightSelectors", "VerifyInsightSelectors", true, true},
		"config:DeleteRemediationExceptions": harmless,
	},
}

func TestADeniedCallFailsTheRepairAndIsNamed(t *testing.T) {
	inEach(t, 2, func(t *testing.T, a *account) {
		g := share(t, a, "default")
		for _, start := range starts {
			for _, action := range readTemplate(t, "default").trailActions() {
				if _, known := denials[start.name][action]; !known {
					t.Errorf("%s: nothing is said of %s", start.name, action)
				}
			}
			for _, action := range slices.Sorted(maps.Keys(denials[start.name])) {
				want := denials[start.name][action]
				g.step(start.name+": "+action, func(g guard) {
					start.make(g)
					x := g.withFaults(localaws.Faults{Before: func(call api.Call) error {
						if !g.isAutomation(call.Principal) || call.Action() != action {
							return nil
						}
						return api.Errorf("AccessDeniedException", "not authorized to perform %s", action)
					}})
					if want == harmless {
						g.wantSuccess(x)
						g.wantRepaired()
						return
					}
					if x.Status == automation.Success || !strings.Contains(x.FailureMessage, "step "+want.ends+":") {
						g.t.Errorf("the execution is %s: %s, want it to end at %s", x.Status, x.FailureMessage, want.ends)
					}
					_, operation, _ := strings.Cut(action, ":")
					if failure := stepFailure(x, want.denied); !strings.Contains(failure, operation+": AccessDeniedException") {
						g.t.Errorf("step %s tells %q, want the denial", want.denied, failure)
					}
					if got := g.isLogging(); got != want.logging {
						g.t.Errorf("logging is %v, want %v", got, want.logging)
					}
					if differences := g.differences(); (len(differences) == 0) != want.repaired {
						g.t.Errorf("the differences are %v, want repaired %v", differences, want.repaired)
					}
				})
			}
		}
	})
}

func TestTwoRepairsAtOnceDoNotHinderEachOther(t *testing.T) {
	inEach(t, 2, func(t *testing.T, a *account) {
		g := share(t, a, "default")
		for _, start := range append(starts, start{"healthy", func(g guard) { g.healthy() }}) {
			for seed := range uint64(6) {
				g.step(fmt.Sprintf("%s, order %d", start.name, seed), func(g guard) {
					start.make(g)
					g.order.Seed(seed, 7)
					g.wantSuccess(g.repairAtOnce(2)...)
					g.repairedByTwo()
				})
			}
		}
	})
}

func (g guard) repairedByTwo() {
	g.t.Helper()
	g.wantRepaired()
	if arns := g.trailARNs(); len(arns) != 1 {
		g.t.Errorf("the trails are %v, want one", arns)
	}
}

// TestARepairSurvivesARateOfOneChangeASecond runs the runbook at ten calls a second, alone and twice at once, where
// CloudTrail takes one change a second. An attempt that is refused waits a second, as a step's next attempt does.
func TestARepairSurvivesARateOfOneChangeASecond(t *testing.T) {
	t.Parallel()
	i := slices.IndexFunc(accounts, func(a *account) bool { return a.options.RateLimited })
	accounts[i].using.Lock()
	accounts[i].test(t, repairAtOneChangeASecond)
}

func repairAtOneChangeASecond(t *testing.T, a *account) {
	g := share(t, a, "default")
	runbook, err := automation.Parse([]byte(g.document.Content))
	g.must(err)
	engine := &automation.Engine{
		Config: g.Config(g.automationRole()), Clock: g.Clock, UnmatchedSelector: a.options.UnmatchedSelector,
		StepDuration: 100 * time.Millisecond, RetryInterval: time.Second,
	}
	throttled := 0
	for _, start := range starts {
		for _, together := range []int{1, 2} {
			for seed := range uint64(4) {
				g.step(fmt.Sprintf("%s, %d at once, order %d", start.name, together, seed), func(g guard) {
					start.make(g)
					g.Clock.Advance(time.Second)
					order := rand.New(rand.NewPCG(seed, 11))
					var all, running []*automation.Execution
					for range together {
						x, err := engine.Start(runbook, nil, automation.Options{})
						g.must(err)
						all, running = append(all, x), append(running, x)
					}
					for len(running) > 0 {
						i := order.IntN(len(running))
						if running[i].Step(g.t.Context()) {
							running = slices.Delete(running, i, i+1)
						}
					}
					g.wantSuccess(all...)
					g.repairedByTwo()
					throttled += refusals("ThrottlingException", all...)
				})
			}
		}
	}
	if throttled == 0 {
		t.Error("nothing was throttled: the test proves nothing")
	}
}
