package closedloop

import (
	"slices"
	"testing"
	"time"

	"github.com/trailguard/trailguard/localaws"
	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/ssm/automation"
)

// named are the names by which executions called a trail, by the calls. CreateTrail must have its name, the others its ARN: a name alone is of
// a trail of the caller's account.
func named(executions ...*automation.Execution) map[string][]string {
	names := map[string][]string{}
	for _, x := range executions {
		for _, call := range x.Calls {
			for _, parameter := range []string{"Name", "TrailName"} {
				if name, ok := call.Input[parameter].(string); ok && call.Service == "cloudtrail" && !slices.Contains(names[call.API], name) {
					names[call.API] = append(names[call.API], name)
				}
			}
		}
	}
	return names
}

// wantByARN reports calls that do not name the trail as the trail of another account must be named.
func (g guard) wantByARN(executions ...*automation.Execution) {
	g.T.Helper()
	for call, got := range named(executions...) {
		want := g.TrailARN
		if call == "CreateTrail" {
			want = g.TrailName
		}
		if !slices.Equal(got, []string{want}) {
			g.T.Errorf("%s is of %v, want %s", call, got, want)
		}
	}
}

// TestTheTrailOfAnotherAccountIsMadeByItsNameAndKeptByItsARN: the local AWS is one account, to which the ARN leads as well.
func TestTheTrailOfAnotherAccountIsMadeByItsNameAndKeptByItsARN(t *testing.T) {
	onShared(t, "delegated", func(g guard) {
		for _, one := range tamperingsOf("delegated") {
			g.step(one.name, func(g guard) {
				g.healthy()
				one.do(g)
				g.Clock.Advance(time.Second)
				x := g.repair()
				g.wantSuccess(x)
				g.WantRepaired()
				g.wantByARN(x)
				if n := len(told(x)); n != 1 {
					g.T.Errorf("people were told %d messages", n)
				}
			})
		}
		g.step("what is healthy is only read", func(g guard) {
			g.healthy()
			g.wantLeftAloneFor(schedulePeriod)
		})
	})
}

// TestADelegatedAdministratorNeverMakesATrailOfItsOwnAccount: without its organization the trail would be that, and another one than the declared.
func TestADelegatedAdministratorNeverMakesATrailOfItsOwnAccount(t *testing.T) {
	onShared(t, "delegated", func(g guard) {
		x := g.withFaults(localaws.Faults{Before: func(call api.Call) error {
			if call.Action() == "cloudtrail:CreateTrail" {
				return &api.Error{Code: "InsufficientDependencyServiceAccessPermissionException", Message: "no trusted access", Status: 400}
			}
			return nil
		}})
		g.wantFailed(x, "NOT REPAIRED: CloudTrail trail org-trail", "LEFT: trail: ")
		for _, call := range x.Calls {
			if call.API == "CreateTrail" && call.Input["IsOrganizationTrail"] != true {
				t.Errorf("it made a trail with %v", call.Input)
			}
		}
	})
}
