package organization

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/organizations"

	"github.com/trailguard/trailguard/drill/deployed"
)

func sorted[V any](by map[string]V) []string { return slices.Sorted(maps.Keys(by)) }

// guards are those of the member accounts and of the management account.
func (h *house) guards() map[string]deployed.Guard {
	h.t.Helper()
	found := map[string]deployed.Guard{management: h.guard(management, managementStack)}
	for _, member := range members {
		if stack := h.memberStack(member.ID); stack != "" {
			found[member.ID] = h.guard(member.ID, stack)
		}
	}
	return found
}

// TestEachAccountHasAGuardOfItsOwn is the shape in which each account has a trail of its own that writes into the archive, away from the Region
// of the events of AWS Organizations.
func TestEachAccountHasAGuardOfItsOwn(t *testing.T) {
	t.Parallel()
	h := settled(t, guarding)
	h.listen()
	guards := h.guards()
	h.step("the rollout reaches the accounts of its organizational units, and of those below, without a recorder of AWS Config", func(h *house) {
		if got, want := sorted(guards), []string{management, archive, security, memberOne, memberTwo, delegate}; !slices.Equal(got, want) {
			h.t.Errorf("there are guards in %v, want %v", got, want)
		}
		for account, guard := range guards {
			h.wantKept(account, guard)
			if guard.LogBucketName != "trailguard-logs-"+archive+"-"+h.region || guard.LogKeyARN != h.key {
				h.t.Errorf("the trail of %s writes to %s, with %s", account, guard.LogBucketName, guard.LogKeyARN)
			}
		}
	})
	h.step("every trail writes into the archive", func(h *house) { h.wantDelivered(guards) })
	h.step("status sees every account, and says what is wrong in which", testStatusOfAll)
	h.step("no other trail writes into the archive", testWhoMayWrite)
	h.step("tampering is repaired where it is done and told centrally once", func(h *house) {
		h.wantEachScenarioRepairedAndToldOnce(guards, func(g deployed.Guard) string { return g.TrailName })
	})
	h.step("a repair that fails is told centrally, and made up for by the schedule", func(h *house) { testFailedRepair(h, memberOne, guards[memberOne]) })
	h.step("calls to AWS Organizations are told centrally from another Region", testOrganizationEvents)
	h.step("the members deliver again once the archive is repaired", func(h *house) { testArchive(h, guards) })
	h.step("a member's own log store is repaired there and told centrally once", testOwnStore)
	h.step("an account that joins gets its guard", testJoining)
	h.step("an account that leaves keeps its guard", func(h *house) { testLeaving(h, guards[memberTwo]) })
	h.step("an account that is created in an organizational unit of the rollout gets its guard", testCreation)
	h.step("an account that is removed from the organization keeps its guard, and neither is heard nor writes into the archive any more", testRemoval)
	h.step("negative control: without the organization in the policy of the event bus nothing arrives, and the dead-letter queue tells", func(h *house) {
		testShutBus(h, memberOne, guards[memberOne])
	})
	h.step("negative control: a rule of AWS Config breaks the rollout to an account without a recorder", testWithConfigRule)
}

// wantDelivered lets CloudTrail deliver, and reports trails that it could not deliver the files of.
func (h *house) wantDelivered(guards map[string]deployed.Guard) {
	h.t.Helper()
	before := h.Clock.Now()
	h.pass(15 * time.Minute)
	for account := range guards {
		for _, trail := range h.Account(account).CloudTrail().Trails() {
			if !trail.Log.Time.After(before) || trail.Log.Error != "" || !trail.Digest.Time.After(before) || trail.Digest.Error != "" {
				h.t.Errorf("%s: log files %+v, digest files %+v", trail.ARN, trail.Log, trail.Digest)
			}
		}
	}
}

// testFailedRepair takes away the permission that a repair needs.
func testFailedRepair(h *house, account string, guard deployed.Guard) {
	by := h.attackers(account)[1]
	stop := h.scenario("T01")
	restore := h.withoutPermission(account, guard.AutomationRoleARN, "cloudtrail:StartLogging")
	h.tamper(stop, account, by, guard, guard.TrailARN)
	h.settle()
	messages := h.wantHeard("a repair that fails", append(h.ofGuard("PutRolePolicy", account), h.tampering("StopLogging", account, by), h.notRepaired(account), h.repairFailed(account))...)
	if !strings.Contains(strings.Join(messages, "\n"), "AccessDenied") {
		h.t.Errorf("no message says why: %v", messages)
	}
	restore()
	h.pass(time.Hour)
	h.wantKept(account, guard)
	h.wantHeard("the next repair", h.repaired(account))
}

// ofGuard is the message of what an administrator does to a role of a guard, which is told in the Region where the events of IAM arrive.
func (h *house) ofGuard(call, account string) []string {
	if h.region != "us-east-1" {
		return nil
	}
	return []string{fmt.Sprintf("TAMPERING: %s on a guard in account %s, %s, by %s from ", call, account, h.region, h.Account(account).Administrator().ARN)}
}

// testSilence takes the schedule away, whose events tell the central bus each hour that the guard is there.
func testSilence(h *house, guard deployed.Guard) {
	beats := func() (n int) {
		bus := h.Account(security).Bus()
		for rule := range bus.Metrics() {
			if strings.Contains(rule, "Heartbeat"+guard.Account()) {
				n += len(bus.MatchedAt(rule))
			}
		}
		return n
	}
	hours := func(n int) {
		for range n {
			h.pass(time.Hour)
		}
	}
	before := beats()
	hours(3)
	if got := beats() - before; got != 3 {
		h.t.Errorf("in three hours the central bus gets %d heartbeats", got)
	}
	client := eventbridge.NewFromConfig(h.as(guard.Account()))
	resources, err := cloudformation.NewFromConfig(h.as(guard.Account())).DescribeStackResources(h.t.Context(), &cloudformation.DescribeStackResourcesInput{StackName: &guard.Stack})
	h.must(err)
	i := slices.IndexFunc(resources.StackResources, func(r cloudformationtypes.StackResource) bool {
		return strings.HasPrefix(*r.LogicalResourceId, "EventRulesSchedule")
	})
	rule := resources.StackResources[i].PhysicalResourceId
	_, err = client.DisableRule(h.t.Context(), &eventbridge.DisableRuleInput{Name: rule})
	h.must(err)
	h.settle()
	h.wantHeard("a schedule that is disabled", h.ofGuard("DisableRule", guard.Account())...)
	before = beats()
	hours(3)
	if got := beats() - before; got != 0 {
		h.t.Errorf("without the schedule the central bus gets %d heartbeats in three hours", got)
	}
	_, err = client.EnableRule(h.t.Context(), &eventbridge.EnableRuleInput{Name: rule})
	h.must(err)
	h.settle()
	h.wantHeard("a schedule that is enabled", h.ofGuard("EnableRule", guard.Account())...)
}

// calls of an administrator of the management account to AWS Organizations.
func (h *house) organizations() *organizations.Client {
	config := h.as(management)
	config.Region = "us-east-1"
	return organizations.NewFromConfig(config)
}

// move moves an account from one organizational unit to another.
func (h *house) move(account, from, to string) {
	h.t.Helper()
	_, err := h.organizations().MoveAccount(h.t.Context(), &organizations.MoveAccountInput{
		AccountId: &account, SourceParentId: aws.String(h.unit(from)), DestinationParentId: aws.String(h.unit(to)),
	})
	h.must(err)
}

func testJoining(h *house) {
	account := h.create("new")
	h.settle()
	h.wantHeard("an account that is created in the root")
	if stack := h.memberStack(account); stack != "" {
		h.t.Errorf("the account has the stack %s before it is in an organizational unit of the rollout", stack)
	}
	h.move(account, "", "Workloads/Test")
	h.wantGuarded(account, h.ofOrganization("MoveAccount"))
	h.move(sandboxed, "Sandbox", "Workloads")
	h.wantGuarded(sandboxed, h.ofOrganization("MoveAccount"))
}

// wantGuarded reports what an account lacks that has just come into an organizational unit of the rollout, which messages tell.
func (h *house) wantGuarded(account string, messages ...string) {
	h.t.Helper()
	h.settle()
	stack := h.memberStack(account)
	if stack == "" {
		h.t.Fatalf("%s has no guard", account)
	}
	guard := h.guard(account, stack)
	h.wantKept(account, guard)
	h.wantDelivered(map[string]deployed.Guard{account: guard})
	h.wantHeard("an account that has joined", append(messages, h.repaired(account))...)
	by := h.attackers(account)[0]
	h.tamper(h.scenario("T02"), account, by, guard, guard.TrailName)
	h.settle()
	h.wantKept(account, guard)
	h.wantHeard("tampering in it", h.tampering("DeleteTrail", account, by), h.repaired(account))
}

func testLeaving(h *house, guard deployed.Guard) {
	h.move(memberTwo, "Workloads/Test/Team", "Sandbox")
	h.settle()
	h.wantHeard("an account that leaves", h.ofOrganization("MoveAccount"))
	listed, err := cloudformation.NewFromConfig(h.as(management)).ListStackInstances(h.t.Context(), &cloudformation.ListStackInstancesInput{
		StackSetName: aws.String("TrailGuard"), StackInstanceAccount: aws.String(memberTwo),
	})
	h.must(err)
	if len(listed.Summaries) != 0 {
		h.t.Error("the StackSet goes on with the account")
	}
	if h.memberStack(memberTwo) != guard.Stack {
		h.t.Error("its stack is gone")
	}
	by := h.attackers(memberTwo)[2]
	h.tamper(h.scenario("T01"), memberTwo, by, guard, guard.TrailName)
	h.settle()
	h.wantKept(memberTwo, guard)
	h.wantHeard("tampering in it", h.tampering("StopLogging", memberTwo, by), h.repaired(memberTwo))
	h.move(memberTwo, "Sandbox", "Workloads/Test/Team")
	h.settle()
	h.heard()
}

// create makes an account, which begins in the root.
func (h *house) create(name string) string {
	h.t.Helper()
	made, err := h.organizations().CreateAccount(h.t.Context(), &organizations.CreateAccountInput{AccountName: &name, Email: aws.String(name + "@example.com")})
	h.must(err)
	return *made.CreateAccountStatus.AccountId
}

// testCreation rolls out to the root as well, in which accounts are created.
func testCreation(h *house) {
	_, err := cloudformation.NewFromConfig(h.as(management)).CreateStackInstances(h.t.Context(), &cloudformation.CreateStackInstancesInput{
		StackSetName: aws.String("TrailGuard"), Regions: []string{h.region},
		DeploymentTargets: &cloudformationtypes.DeploymentTargets{OrganizationalUnitIds: []string{h.unit("")}},
	})
	h.must(err)
	h.settle()
	h.heard()
	h.wantGuarded(h.create("born"))
}

// testRemoval removes an account. The central event bus and the archive trust the organization alone.
func testRemoval(h *house) {
	_, err := h.organizations().RemoveAccountFromOrganization(h.t.Context(), &organizations.RemoveAccountFromOrganizationInput{AccountId: aws.String(sandboxed)})
	h.must(err)
	h.settle()
	h.wantHeard("an account that is removed", h.ofOrganization("RemoveAccountFromOrganization"))
	guard := h.guard(sandboxed, h.memberStack(sandboxed))
	h.tamper(h.scenario("T01"), sandboxed, h.attackers(sandboxed)[0], guard, guard.TrailName)
	h.settle()
	h.wantKept(sandboxed, guard)
	h.wantHeard("tampering in it")
	h.pass(15 * time.Minute)
	h.wantUndelivered("AccessDenied", sandboxed)
}

// testWithConfigRule updates the StackSet to a template with a rule of AWS Config, in the accounts that have no recorder.
func testWithConfigRule(h *house) {
	member := h.memberTemplate()
	member["Resources"].(map[string]any)["Rule"] = map[string]any{"Type": "AWS::Config::ConfigRule", "Properties": map[string]any{
		"Source": map[string]any{"Owner": "AWS", "SourceIdentifier": "CLOUD_TRAIL_ENABLED"},
	}}
	client := cloudformation.NewFromConfig(h.as(management))
	started, err := client.UpdateStackSet(h.t.Context(), &cloudformation.UpdateStackSetInput{
		StackSetName: aws.String("TrailGuard"), TemplateBody: aws.String(member.JSON()), Capabilities: []cloudformationtypes.Capability{"CAPABILITY_IAM"},
		OperationPreferences: &cloudformationtypes.StackSetOperationPreferences{FailureTolerancePercentage: aws.Int32(0)},
	})
	h.must(err)
	ended, err := client.DescribeStackSetOperation(h.t.Context(), &cloudformation.DescribeStackSetOperationInput{
		StackSetName: aws.String("TrailGuard"), OperationId: started.OperationId,
	})
	h.must(err)
	if got := ended.StackSetOperation.Status; got != cloudformationtypes.StackSetOperationStatusFailed {
		h.t.Errorf("the operation is %s", got)
	}
	results, err := client.ListStackSetOperationResults(h.t.Context(), &cloudformation.ListStackSetOperationResultsInput{
		StackSetName: aws.String("TrailGuard"), OperationId: started.OperationId,
	})
	h.must(err)
	if len(results.Summaries) == 0 || !strings.Contains(fmt.Sprint(aws.ToString(results.Summaries[0].StatusReason)), "NoAvailableConfigurationRecorder") {
		h.t.Errorf("the results are %+v", results.Summaries)
	}
}
