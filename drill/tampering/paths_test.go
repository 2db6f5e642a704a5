package tampering

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/internal/localaws/api"
)

// TestTheEventPathRepairsEveryTamperingAlone deploys the guard without remediation by Config, which never looks, either. Each
// event starts one execution: the guard's own calls start none.
func TestTheEventPathRepairsEveryTamperingAlone(t *testing.T) {
	for name, scenarios := range map[string][]drill.Scenario{"default": scenarios(), "everything": optionalScenarios()} {
		t.Run(name, func(t *testing.T) {
			inEach(t, func(t *testing.T, a *account) {
				g := guarded(t, a, readTemplate(t, name).with(t, without(remediation)))
				g.eachAttack(t, g.attacks(scenarios, callers), func(g guard, attack attack) {
					before := len(g.Executions())
					g.settle()
					if attack.isUnseen(a) {
						g.wantExecutions(before, 0)
						g.wantNotRepaired()
						g.must(g.begin(nil))
						g.settle()
						return
					}
					g.wantRepaired()
					g.wantExecutions(before, 1)
				})
			})
		})
	}
}

// TestConfigRepairsEveryTamperingAlone deploys the guard without the event that starts the runbook, or takes it away.
func TestConfigRepairsEveryTamperingAlone(t *testing.T) {
	for name, scenarios := range map[string][]drill.Scenario{"config-only": scenarios(), "everything": optionalScenarios()} {
		t.Run(name, func(t *testing.T) {
			inEach(t, func(t *testing.T, a *account) {
				g := guarded(t, a, readTemplate(t, name))
				g.repairOnEvents(false)
				g.configLooks(0)
				g.eachAttack(t, g.attacks(scenarios, callers), func(g guard, attack attack) {
					before := len(g.Executions())
					g.settle()
					g.wantExecutions(before, 0)
					g.wantNotRepaired()
					g.configLooks(period)
					g.wantRepaired()
					for _, x := range g.since(before) {
						if !strings.Contains(x.ExecutedBy, "AWSServiceRoleForConfigRemediation") || x.FailureMessage != "" {
							g.t.Errorf("an execution that %s started is %s: %s", x.ExecutedBy, x.Status, x.FailureMessage)
						}
					}
					g.configLooks(time.Minute) // and records the repair, so that the next attack is a change
				})
				g.wantArmed()
			})
		})
	}
}

// TestBothPathsRepairTheTrailThatIsDeleted is about the one event that may never arrive.
func TestBothPathsRepairTheTrailThatIsDeleted(t *testing.T) {
	inEach(t, func(t *testing.T, a *account) {
		g := guarded(t, a, readTemplate(t, "default"))
		g.configLooks(0)
		before := len(g.Executions())
		deletion := attack{scenario("T02"), callers[0], true}
		g.must(g.tamper(deletion, drill.Target{}))
		g.settle()
		if deletion.isUnseen(a) {
			g.wantNotRepaired()
			g.wantExecutions(before, 0)
		} else {
			g.wantRepaired()
			g.wantExecutions(before, 1)
		}
		g.configLooks(period)
		g.wantRepaired()
		g.configLooks(period)
		if found := g.notCompliant(); len(found) > 0 {
			t.Errorf("Config finds %v not satisfied", found)
		}
		rested := len(g.Executions())
		g.configLooks(period)
		g.wantExecutions(rested, 0)
		g.wantArmed()
	})
}

// TestTheComplianceChangeRepairsWhereConfigHasNoRemediation deploys the guard for GovCloud, in the one Region that there is,
// and takes the tampering rule away.
func TestTheComplianceChangeRepairsWhereConfigHasNoRemediation(t *testing.T) {
	inEach(t, func(t *testing.T, a *account) {
		tpl := readTemplate(t, "govcloud").inRegion(t, "us-gov-west-1").with(t, eachRule(isTampering, disabled))
		if n := len(tpl.resources(remediation)); n > 0 {
			t.Fatalf("the template has %d remediation configurations", n)
		}
		g := guarded(t, a, tpl)
		g.configLooks(0)
		g.eachAttack(t, g.attacks(scenarios(), callers[:1]), func(g guard, _ attack) {
			before := len(g.Executions())
			g.settle()
			g.wantExecutions(before, 0)
			g.wantNotRepaired()
			g.configLooks(period)
			g.wantRepaired()
			if len(g.since(before)) == 0 {
				g.t.Errorf("no execution was started")
			}
			g.configLooks(period) // so that the next verdict is another one
		})
	})
}

// TestWhatIsNoTamperingStartsNothing is about calls that failed, and calls on another trail.
func TestWhatIsNoTamperingStartsNothing(t *testing.T) {
	inEach(t, func(t *testing.T, a *account) {
		g := guarded(t, a, readTemplate(t, "default"))
		elsewhere := g.elsewhere()
		other := g.anotherTrail(elsewhere.Bucket)
		for _, c := range callers {
			for _, form := range []string{other.name, other.arn} {
				target := elsewhere
				target.Trail = form
				for _, scenario := range drill.Scenarios() {
					if scenario.NotApplicable(g.Guard) == "" && scenario.Needs == "" && scenario.ID != "T02" {
						if err := scenario.Tamper(t.Context(), g.attacker(c), target); err != nil && !hasCode(err, scenario.Refusals...) {
							t.Fatal(err)
						}
					}
				}
			}
			for _, form := range []string{g.TrailName, g.TrailARN} {
				in := &cloudtrail.UpdateTrailInput{Name: &form, KmsKeyId: aws.String("alias/none")}
				if _, err := g.attacker(c).UpdateTrail(t.Context(), in); !hasCode(err, "KmsKeyNotFoundException") {
					t.Fatalf("the update ended with %v", err)
				}
			}
		}
		// One whom an organization's policy keeps away.
		g.must(g.Gateway.SetOrganizationPolicies(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"cloudtrail:*","Resource":"*"}]}`))
		for _, attack := range g.attacks(scenarios(), callers) {
			if err := g.tamper(attack, elsewhere); !hasCode(err, "AccessDeniedException") {
				t.Fatalf("%s ended with %v", attack, err)
			}
		}
		g.must(g.Gateway.SetOrganizationPolicies())
		before := len(g.Executions())
		g.settle()
		g.wantExecutions(before, 0)
		g.wantRepaired()
	})
}

// eachAttack makes each attack in a test of its own, on a trail that is as declared. An attack that CloudTrail refuses has
// to change nothing; what follows on the others is then's to tell.
func (g guard) eachAttack(t *testing.T, attacks []attack, then func(g guard, attack attack)) {
	t.Helper()
	elsewhere := g.elsewhere()
	for _, attack := range attacks {
		passed := t.Run(attack.String(), func(t *testing.T) {
			g := g.in(t)
			if unmet := g.unmet(); len(unmet) > 0 {
				t.Fatalf("the trail is not as declared to begin with: %s", strings.Join(unmet, "; "))
			}
			err := g.tamper(attack, elsewhere)
			if err == nil {
				g.wantNotRepaired()
				then(g, attack)
				return
			}
			if !hasCode(err, attack.Refusals...) {
				t.Fatal(err)
			}
			before := len(g.Executions())
			g.settle()
			g.wantExecutions(before, 0)
			g.wantRepaired()
		})
		if !passed { // the next attack shall not fail for it
			g.must(g.begin(nil))
			g.settle()
		}
	}
}

// trail is another trail than the guarded one.
type trail struct{ name, arn string }

// anotherTrail makes a trail that nobody guards, and starts it.
func (g guard) anotherTrail(bucket string) trail {
	g.t.Helper()
	// The other bucket lets in the guarded trail only.
	g.openBucket(bucket)
	made, err := g.admin.CloudTrail.CreateTrail(g.t.Context(), &cloudtrail.CreateTrailInput{
		Name: aws.String(g.TrailName + "-2"), S3BucketName: &bucket, IsMultiRegionTrail: aws.Bool(true), EnableLogFileValidation: aws.Bool(true),
	})
	g.must(err)
	_, err = g.admin.CloudTrail.StartLogging(g.t.Context(), &cloudtrail.StartLoggingInput{Name: made.Name})
	g.must(err)
	return trail{*made.Name, "arn:aws:cloudtrail:" + api.Region + ":" + api.Account + ":trail/" + *made.Name}
}
