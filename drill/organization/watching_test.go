package organization

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/configservice"

	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/localaws"
)

// TestOneTrailCoversTheOrganization is the shape in which the management account has the one trail and the members watch for it, in the Region of
// the events of AWS Organizations.
func TestOneTrailCoversTheOrganization(t *testing.T) {
	t.Parallel()
	h := settled(t, watching)
	h.listen()
	guard := h.guard(management, managementStack)
	guards := map[string]deployed.Guard{management: guard}
	h.step("the rollout reaches the accounts of its organizational units, which have the organization's trail and none of their own", func(h *house) {
		var watched []string
		for _, member := range members {
			if h.memberStack(member.ID) != "" {
				watched = append(watched, member.ID)
			}
			if trails := h.Account(member.ID).CloudTrail().Trails(); len(trails) != 0 {
				h.t.Errorf("%s has the trails %+v", member.ID, trails)
			}
			h.wantKept(member.ID, guard)
		}
		if want := []string{archive, security, delegate, memberOne, memberTwo}; !slices.Equal(watched, want) {
			h.t.Errorf("there are stacks in %v, want %v", watched, want)
		}
	})
	h.step("the trail writes into the archive", func(h *house) { h.wantDelivered(guards) })
	h.step("tampering in the management account is repaired there and told centrally once", func(h *house) {
		h.wantEachScenarioRepairedAndToldOnce(guards, func(g deployed.Guard) string { return g.TrailName })
	})
	h.step("a repair that fails is told centrally, and made up for by the schedule", func(h *house) { testFailedRepair(h, management, guard) })
	h.step("a guard whose schedule is taken away falls silent, which the central bus can see", func(h *house) { testSilence(h, guard) })
	h.step("what a member tries on the shadow of the trail is refused and told centrally once", func(h *house) { testShadow(h, guard) })
	h.step("what a member does to AWS Config is told centrally once", testConfig)
	h.step("calls to AWS Organizations are told centrally once", testOrganizationEvents)
	h.step("what is done to the archive is repaired there and told centrally once", testArchiveIsRestored)
	h.step("an account that joins is watched", testWatchedJoining)
	h.step("an account that leaves stays watched", testWatchedLeaving)
}

// testShadow has each attacker of a member try a call.
func testShadow(h *house, guard deployed.Guard) {
	for _, account := range []string{memberOne, archive, security} {
		for i, by := range h.attackers(account) {
			scenario := h.scenario([]string{"T01", "T02", "T05"}[i])
			err := scenario.Tamper(h.t.Context(), h.trailsOf(account, by), target(guard))
			if err == nil {
				h.t.Errorf("%s by %s of %s was let through", scenario.Call, by.kind, account)
			}
			h.settle()
			h.wantKept(management, guard)
			h.wantHeard(scenario.Call+" by "+by.kind, h.refusedCall(eventName(scenario), account, by))
		}
	}
}

// testConfig stops the recorder of a member.
func testConfig(h *house) {
	h.must(localaws.PutRecorder(h.t.Context(), h.as(memberTwo)))
	h.settle()
	h.heard()
	by := h.attackers(memberTwo)[1]
	client := configservice.NewFromConfig(h.Account(memberTwo).Config(by.who))
	recorders, err := client.DescribeConfigurationRecorders(h.t.Context(), &configservice.DescribeConfigurationRecordersInput{})
	h.must(err)
	name := recorders.ConfigurationRecorders[0].Name
	_, err = client.StopConfigurationRecorder(h.t.Context(), &configservice.StopConfigurationRecorderInput{ConfigurationRecorderName: name})
	h.must(err)
	h.settle()
	h.wantHeard("StopConfigurationRecorder", h.tampering("StopConfigurationRecorder", memberTwo, by))
	_, err = client.DeleteConfigRule(h.t.Context(), &configservice.DeleteConfigRuleInput{ConfigRuleName: aws.String("none")})
	if !testbed.HasCode(err, "NoSuchConfigRuleException") {
		h.t.Errorf("got %v", err)
	}
	h.settle()
	h.wantHeard("DeleteConfigRule", h.refusedCall("DeleteConfigRule", memberTwo, by))
}

func testWatchedJoining(h *house) {
	h.move(sandboxed, "Sandbox", "Workloads/Prod")
	h.settle()
	h.wantHeard("an account that joins", h.ofOrganization("MoveAccount"))
	h.wantWatched(sandboxed)
}

func testWatchedLeaving(h *house) {
	h.move(memberTwo, "Workloads/Test/Team", "Sandbox")
	h.settle()
	h.wantHeard("an account that leaves", h.ofOrganization("MoveAccount"))
	h.wantWatched(memberTwo)
}

// wantWatched reports an account from which nothing is told.
func (h *house) wantWatched(account string) {
	h.t.Helper()
	by := h.attackers(account)[0]
	_, err := h.trailsOf(account, by).StopLogging(h.t.Context(), &cloudtrail.StopLoggingInput{
		Name: aws.String(h.Management().Place().ARN("cloudtrail", "trail/"+trailName)),
	})
	if err == nil {
		h.t.Error("a member stops the organization's trail")
	}
	h.settle()
	h.wantHeard("StopLogging", h.refusedCall("StopLogging", account, by))
}

// TestADelegatedAdministratorGuardsTheTrailOfTheOrganization is the shape in which the guard stands in a member account, and the trail is the
// management account's.
func TestADelegatedAdministratorGuardsTheTrailOfTheOrganization(t *testing.T) {
	t.Parallel()
	h := settled(t, delegated)
	h.listen()
	guard := h.guard(delegate, managementStack)
	if want := h.Management().Place().ARN("cloudtrail", "trail/"+trailName); guard.TrailARN != want {
		t.Fatalf("the trail is %s, not %s", guard.TrailARN, want)
	}
	h.step("the trail writes into the archive", func(h *house) { h.wantDelivered(map[string]deployed.Guard{management: guard}) })
	h.step("tampering by the delegated administrator is repaired by the trail's ARN and told centrally once", func(h *house) {
		h.wantEachScenarioRepairedAndToldOnce(map[string]deployed.Guard{delegate: guard}, func(g deployed.Guard) string { return g.TrailARN })
	})
	h.step("tampering in the management account is repaired by the schedule, and the repair is told centrally", func(h *house) {
		for i, by := range h.attackers(management) {
			h.tamper(h.scenario([]string{"T01", "T02", "T05"}[i]), management, by, guard, guard.TrailName)
			h.settle()
			h.wantHeard("tampering that no event tells of")
			h.pass(time.Hour)
			h.wantKept(management, guard)
			h.wantHeard("the schedule", h.repaired(delegate))
		}
	})
	h.step("calls to AWS Organizations are told centrally once", testOrganizationEvents)
	h.step("what the delegated administrator cannot repair is told centrally", func(h *house) { testDemoted(h, guard) })
	h.step("without its delegation a repair fails, which is told centrally", func(h *house) { testUndelegated(h, guard) })
	h.step("status misses what is gone of what other stacks name", testStatusOfWhatIsGone)
}

// testDemoted turns the organization's trail into one of the management account, which a delegated administrator cannot turn back.
func testDemoted(h *house, guard deployed.Guard) {
	by := h.attackers(management)[0]
	h.tamper(h.scenario("T12"), management, by, guard, guard.TrailName)
	h.pass(time.Hour)
	h.wantHeard("a trail that is the organization's no more", h.notRepaired(delegate), h.repairFailed(delegate))
	_, err := h.trailsOf(management, by).UpdateTrail(h.t.Context(), &cloudtrail.UpdateTrailInput{Name: &guard.TrailName, IsOrganizationTrail: aws.Bool(true)})
	h.must(err)
	h.pass(time.Hour)
	h.wantKept(management, guard)
	h.wantHeard("a trail that is the organization's again")
}
