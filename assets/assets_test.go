package assets

import (
	"strings"
	"testing"
	"time"
)

func TestARuntimeWarnsHalfAYearBeforeItsEnd(t *testing.T) {
	const warning = "the runbook's runtime python3.11 is without security fixes from 2027-10-31, and Automation will end it: update TrailGuard"
	for _, test := range []struct {
		runtime string
		now     time.Time
		want    string
	}{
		{"python3.11", time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC), ""},
		{"python3.11", time.Date(2027, time.April, 30, 23, 59, 59, 0, time.UTC), ""},
		{"python3.11", time.Date(2027, time.May, 1, 0, 0, 0, 0, time.UTC), warning},
		{"python3.11", time.Date(2027, time.October, 31, 0, 0, 0, 0, time.UTC), warning},
		{"python3.11", time.Date(2030, time.January, 1, 0, 0, 0, 0, time.UTC), warning},
		{"python3.99", time.Date(2030, time.January, 1, 0, 0, 0, 0, time.UTC), ""},
		{"", time.Date(2030, time.January, 1, 0, 0, 0, 0, time.UTC), ""},
	} {
		if got := RuntimeWarning(test.runtime, test.now); got != test.want {
			t.Errorf("%s on %s warns %q, not %q", test.runtime, test.now.Format(time.DateOnly), got, test.want)
		}
	}
}

// TestTheEndOfTheRunbooksRuntimeIsKnown: without it nobody is warned.
func TestTheEndOfTheRunbooksRuntimeIsKnown(t *testing.T) {
	for _, step := range CloudTrailRemediationAction().MainSteps {
		if _, known := endsOfLife[step.Runtime()]; step.Action == "aws:executeScript" && !known {
			t.Errorf("the end of the runtime %q of the step %s is not known", step.Runtime(), step.Name)
		}
	}
}

func TestAStepWithoutAScriptHasNoRuntime(t *testing.T) {
	if got := (Step{Action: "aws:sleep"}).Runtime(); got != "" {
		t.Errorf("its runtime is %q", got)
	}
}

func TestTheRunbookHasItsScript(t *testing.T) {
	if script, _ := CloudTrailRemediationAction().MainSteps[0].Inputs["Script"].(string); !strings.Contains(script, "def handler(events, context):") {
		t.Errorf("the script is %q", script)
	}
}

func TestCallersGetCopiesOfTheRunbook(t *testing.T) {
	changed := CloudTrailRemediationAction()
	changed.MainSteps[0].Inputs["Script"] = "changed"
	changed.MainSteps[0].Inputs["InputPayload"].(map[string]any)["Name"] = "changed"
	delete(changed.Parameters, "CloudTrailName")
	again := CloudTrailRemediationAction()
	inputs := again.MainSteps[0].Inputs
	if _, kept := again.Parameters["CloudTrailName"]; !kept || inputs["Script"] == "changed" || inputs["InputPayload"].(map[string]any)["Name"] == "changed" {
		t.Error("a caller's change is seen by the next caller")
	}
}
