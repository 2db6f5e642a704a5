package localaws

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	orgtypes "github.com/aws/aws-sdk-go-v2/service/organizations/types"

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
	id, err := h.Unit(h.t.Context(), path)
	h.must(err)
	return id
}

// test runs a test in a house that is as at its start.
func (h house) test(name string, run func(h house)) {
	h.t.(*testing.T).Run(name, func(t *testing.T) {
		inner := house{h.Organization, t}
		inner.must(inner.Reset(t.Context()))
		run(inner)
		if err := inner.Err(); err != nil {
			t.Error(err)
		}
	})
}

// attach makes a policy and attaches it.
func (h house) attach(kind orgtypes.PolicyType, target, document string) {
	h.t.Helper()
	client := organizations.NewFromConfig(h.as(management))
	made, err := client.CreatePolicy(h.t.Context(), &organizations.CreatePolicyInput{
		Name: aws.String("policy of " + target), Description: aws.String(""), Type: kind, Content: &document,
	})
	h.must(err)
	_, err = client.AttachPolicy(h.t.Context(), &organizations.AttachPolicyInput{PolicyId: made.Policy.PolicySummary.Id, TargetId: &target})
	h.must(err)
}
