package organization

import (
	"testing"

	"github.com/trailguard/trailguard/drill/deployed"
)

func TestPrevention(t *testing.T) {
	h := prevented(t)
	h.step("each scenario is refused", testScenariosAreRefused)
	h.step("each other row of the catalogue is refused", testRowsAreRefused)
	h.step("what break-glass does is repaired", testRepairs(deployed.EventPath, deployed.SchedulePath))
	h.step("CloudTrail delivers to the archive", testDelivery)
	h.step("readers read the archive", testReaders)
	h.step("nobody else changes the archive", testOthers)
}
