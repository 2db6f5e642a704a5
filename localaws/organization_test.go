package localaws

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/organizations"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/repository"
)

// The accounts of the tests. The outsider is in no organization.
const (
	management = "111111111111"
	archive    = "222222222222"
	security   = "333333333333"
	memberOne  = "444444444444"
	memberTwo  = "555555555555"
	sandboxed  = "666666666666"
	outsider   = "999999999999"
)

// house is an organization in a test: Core holds the archive and security, Workloads/Prod and Workloads/Test a member each, Sandbox
// one.
type house struct {
	*Organization
	t testing.TB
}

func startHouse(t testing.TB, more ...Member) house {
	t.Helper()
	members := append([]Member{
		{ID: archive, Unit: "Core"}, {ID: security, Unit: "Core"}, {ID: memberOne, Unit: "Workloads/Prod"},
		{ID: memberTwo, Unit: "Workloads/Test"}, {ID: sandboxed, Unit: "Sandbox"},
	}, more...)
	o, err := StartOrganization(t.Context(), OrganizationOptions{
		Options: Options{Python: repository.Python(), NodeModules: repository.NodeModules(), Place: api.Place{Account: management}},
		Members: members,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	})
	return house{o, t}
}

func (h house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// as is the configuration of an account's administrator.
func (h house) as(account string) aws.Config {
	a := h.Account(account)
	return a.Config(a.Administrator())
}

// unit is the id of the organizational unit with a path of names; the root's if there is none.
func (h house) unit(path string) string {
	h.t.Helper()
	client := organizations.NewFromConfig(h.as(management))
	roots, err := client.ListRoots(h.t.Context(), &organizations.ListRootsInput{})
	h.must(err)
	parent := *roots.Roots[0].Id
	for name := range strings.SplitSeq(path, "/") {
		if name == "" {
			continue
		}
		units, err := client.ListOrganizationalUnitsForParent(h.t.Context(), &organizations.ListOrganizationalUnitsForParentInput{ParentId: &parent})
		h.must(err)
		found := ""
		for _, unit := range units.OrganizationalUnits {
			if *unit.Name == name {
				found = *unit.Id
			}
		}
		if found == "" {
			h.t.Fatalf("there is no unit %s in %s", name, path)
		}
		parent = found
	}
	return parent
}

// queueTemplate is a member's template.
const queueTemplate = `{"Resources":{"Queue":{"Type":"AWS::SQS::Queue","Properties":{"DelaySeconds":%d}}}}`

func (h house) createStackSet(account, template string, callAs cfntypes.CallAs) {
	h.t.Helper()
	_, err := cloudformation.NewFromConfig(h.as(account)).CreateStackSet(h.t.Context(), &cloudformation.CreateStackSetInput{
		StackSetName: aws.String("TrailGuard"), PermissionModel: cfntypes.PermissionModelsServiceManaged, TemplateBody: &template, CallAs: callAs,
		AutoDeployment: &cfntypes.AutoDeployment{Enabled: aws.Bool(true), RetainStacksOnAccountRemoval: aws.Bool(false)},
		Capabilities:   []cfntypes.Capability{cfntypes.CapabilityCapabilityNamedIam},
	})
	h.must(err)
}

func (h house) createInstances(account string, callAs cfntypes.CallAs, targets cfntypes.DeploymentTargets) error {
	_, err := cloudformation.NewFromConfig(h.as(account)).CreateStackInstances(h.t.Context(), &cloudformation.CreateStackInstancesInput{
		StackSetName: aws.String("TrailGuard"), Regions: []string{"us-east-1"}, DeploymentTargets: &targets, CallAs: callAs,
		OperationPreferences: &cfntypes.StackSetOperationPreferences{FailureTolerancePercentage: aws.Int32(0)},
	})
	return err
}

func TestTwoHundredAccountsGetTheirStack(t *testing.T) {
	accounts := 10
	if given := os.Getenv("TRAILGUARD_ACCOUNTS"); given != "" {
		_, err := fmt.Sscan(given, &accounts)
		if err != nil {
			t.Fatal(err)
		}
	}
	var more []Member
	for i := range accounts {
		more = append(more, Member{ID: fmt.Sprintf("7%011d", i), Unit: "Fleet"})
	}
	began := time.Now()
	h := startHouse(t, more...)
	t.Logf("the start took %s", time.Since(began))
	golden, err := os.ReadFile(repository.Path("constructs", "trailguard", "testdata", "default.template.json"))
	h.must(err)
	var template bytes.Buffer
	h.must(json.Compact(&template, golden))
	for _, member := range more {
		h.must(PutRecorder(t.Context(), h.as(member.ID)))
	}
	began = time.Now()
	h.must(Compact(h, template.String()))
	t.Logf("%d accounts took %s: %s each", accounts, time.Since(began), time.Since(began)/time.Duration(accounts))
	h.must(h.Err())
}

func Compact(h house, template string) error {
	h.createStackSet(management, template, "")
	if err := h.createInstances(management, "", cfntypes.DeploymentTargets{OrganizationalUnitIds: []string{h.unit("Fleet")}}); err != nil {
		return err
	}
	instances, err := cloudformation.NewFromConfig(h.as(management)).ListStackInstances(context.Background(), &cloudformation.ListStackInstancesInput{StackSetName: aws.String("TrailGuard")})
	if err != nil {
		return err
	}
	for _, i := range instances.Summaries[:1] {
		h.t.Logf("%s %s %s", *i.Account, i.Status, aws.ToString(i.StatusReason))
	}
	return nil
}
