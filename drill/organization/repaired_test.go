package organization

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/localaws/ssm/automation"
)

// seenByConfig are scenarios of each rule of AWS Config, whose evaluation takes its time here.
var seenByConfig = []string{"T01", "T02", "T05", "T13"}

// testRepairs: what a break-glass role does is harm, and is repaired by each path that the guard has.
func testRepairs(paths ...deployed.Path) func(h *house) {
	return func(h *house) {
		g := h.guarded(memberOne)
		target := h.target(g)
		for _, other := range []string{management, archive, security, delegate, memberTwo, sandboxed} {
			h.Account(other).HoldConfig(true) // it evaluates a rule by another process
		}
		before, delivered := len(g.Executions()), len(g.Bus().Deliveries())
		for _, path := range paths {
			g.Only(path)
			for i, s := range drill.Scenarios() {
				if s.Harmless || s.NotApplicable(g.Guard) != "" || path == deployed.ConfigPath && !slices.Contains(seenByConfig, s.ID) {
					continue
				}
				target.Trail = []string{g.TrailName, g.TrailARN}[i%2]
				if h.harm(g, s, target) {
					h.wantRepairedBy(path, g, s)
				}
			}
		}
		g.Only(deployed.AllPaths)
		for _, x := range g.Executions()[before:] {
			if x.Status != automation.Success {
				h.t.Errorf("a repair is %s: %s", x.Status, x.FailureMessage)
			}
			if report := fmt.Sprint(x.Outputs["Reconcile.Report"]); strings.Contains(strings.ToLower(report), `"nottold`) {
				h.t.Errorf("a repair was not told: %s", report)
			}
		}
		for _, d := range g.Bus().Deliveries()[delivered:] {
			if d.ErrorCode != "" {
				h.t.Errorf("rule %s did not reach %s: %s", d.Rule, d.Target, d.ErrorMessage)
			}
		}
	}
}

// harm tampers as a break-glass role, and tells whether CloudTrail has let it.
func (h *house) harm(g testbed.Guard, s drill.Scenario, target drill.Target) bool {
	h.t.Helper()
	err := s.Tamper(h.t.Context(), g.Clients.CloudTrail, target)
	if testbed.HasCode(err, s.Refusals...) {
		return false
	}
	h.must(err)
	if len(g.Unmet()) == 0 {
		h.t.Errorf("%s has done no harm", s.Call)
	}
	return true
}

// wantRepairedBy reports a trail that a path has not put back, or that something else has.
func (h *house) wantRepairedBy(path deployed.Path, g testbed.Guard, s drill.Scenario) {
	h.t.Helper()
	g.Settle()
	if path != deployed.EventPath {
		if len(g.Unmet()) == 0 {
			h.t.Errorf("%s: repaired before its time", s.Call)
		}
		for range 24 {
			if g.Pass(time.Hour); path == deployed.SchedulePath || len(g.Unmet()) == 0 {
				break
			}
		}
	}
	if unmet := g.Unmet(); len(unmet) > 0 {
		h.t.Errorf("%s, %s path: %v", s.Call, path, unmet)
	}
}
