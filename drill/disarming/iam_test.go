package disarming

import (
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/localaws"
	"github.com/trailguard/trailguard/localaws/eventbridge"
	"github.com/trailguard/trailguard/localaws/repository"
)

// TestCallsOnTheRolesAreToldInAnotherRegion: by the stack that hands the events of IAM on. Without it nobody is told.
func TestCallsOnTheRolesAreToldInAnotherRegion(t *testing.T) {
	a := elsewhere
	g := a.guarded(t, testbed.ReadTemplate(t, "default"))
	client, role := iam.NewFromConfig(g.Config(mallory)), newIntruder(t, g).roleName("AutomationRole")
	toldOf := func(policy string) []eventbridge.Delivery {
		t.Helper()
		before := len(g.Bus().Deliveries())
		g.Must(of(client.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: role, PolicyName: &policy, PolicyDocument: emptyPolicy})))
		g.Settle()
		return told(g, before, "AlertTopic")
	}
	if people := toldOf("one"); len(people) > 0 {
		t.Errorf("without the stack people are told %q", inputs(people))
	}
	content, err := os.ReadFile(repository.Path("constructs", "organization", "testdata", "iam-events.template.json"))
	g.Must(err)
	tpl := testbed.ParseTemplate(t, string(content)).With(t, testbed.Replaced("TrailGuard-", "guard-"))
	there := a.Admin.Copy()
	there.Region = "us-east-1"
	g.Must(localaws.CreateStack(t.Context(), there, "iam-events", tpl.JSON(), testbed.MayMakeRoles...))
	g.Settle()
	people := toldOf("two")
	if len(people) != 1 || people[0].Event["region"] != "us-east-1" {
		t.Errorf("with the stack people are told %q", inputs(people))
	}
	a.WantSimulated(t)
}
