package organization

import (
	"strings"
	"testing"

	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/protection"
)

// TestPoliciesThatLockOutStackSetsAreRefused: what becomes of such policies once they are attached, drill/organization shows.
func TestPoliciesThatLockOutStackSetsAreRefused(t *testing.T) {
	documents, err := ProtectionPolicy(&PreventionProps{OrganizationId: jsii.String("o-a1b2c3d4e5"), TargetIds: jsii.Strings("r-ab12")}, "aws")
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range []string{"stacksets-exec-*", "AWSCloudFormationStackSetExecutionRole"} {
		for i := range documents.ServiceControl {
			changed := protection.Documents{ServiceControl: append([]protection.Document{}, documents.ServiceControl...)}
			changed.ServiceControl[i].JSON = strings.ReplaceAll(changed.ServiceControl[i].JSON, role, "none")
			want := "a service control policy does not exempt " + role + ", so that StackSets could not deploy any more: "
			if err := checkDeployable(changed); err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("without %s in policy %d: %v", role, i+1, err)
			}
		}
	}
}
