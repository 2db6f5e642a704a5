package organization

import (
	"testing"

	"github.com/trailguard/trailguard/drill/deployed"
)

// TestPrevention leads one organization through its life under the policies: each step finds what the steps before it have left.
func TestPrevention(t *testing.T) {
	t.Parallel()
	h := prevented(t)
	h.step("each scenario is refused", testScenariosAreRefused)
	h.step("each other row of the catalogue is refused", testRowsAreRefused)
	h.step("what break-glass does is repaired", testRepairs(deployed.EventPath, deployed.SchedulePath))
	h.step("what break-glass does to the archive is repaired", testArchiveIsRestoredUnderPolicies)
	h.step("CloudTrail delivers to the archive", testDelivery)
	h.step("status sees every account, and policies that are detached", testStatusUnderPolicies)
	h.step("readers read the archive", testReaders)
	h.step("nobody else changes the archive", testOthers)
	h.step("an account joins", testAnAccountJoins)
	h.step("the members' template is updated", testTheTemplateIsUpdated)
	h.step("AWS Config repairs", testRepairs(deployed.ConfigPath))
	h.step("without the policies the same calls succeed", testDetached)
	h.step("an instance is removed", testAnInstanceIsRemoved)
	h.step("without the exemption of StackSets nothing is rolled out", testWithoutTheExemption)
	h.step("the stacks of people are changed by break-glass", testStacksOfPeople)
	h.step("without the exemption of the guard nothing is repaired", testWithoutTheExemptionOfTheGuard)
	h.step("everything is taken away", testDestruction)
	h.step("the policies are backed out", testBackingOut)
}
