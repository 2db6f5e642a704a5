package organization

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/localaws/api"
)

// preventing is an organization whose members are guarded, with every choice of the configuration that denies.
var preventing = &shape{region: "eu-central-1", account: standing, keys: map[string]any{
	"members": "guard", "denyConfigChanges": true, "breakGlassRoleArns": []string{"arn:aws:iam::*:role/" + breakGlass},
	"logReaderAccounts": []string{security},
}}

// The roles of people in each account. Their own policies allow everything.
const (
	breakGlass    = "BreakGlass"
	administrator = "Admin"
)

// prevented starts an organization in which all is deployed. What is bound, bound is.
func prevented(t *testing.T) *house {
	t.Helper()
	h := settled(t, preventing)
	for _, account := range append(slices.Clone(inTargets), sandboxed) {
		for _, role := range []string{breakGlass, administrator} {
			h.makeRole(account, role)
		}
	}
	h.deploy(preventionStack)
	return h
}

// makeRole makes a role with a policy that allows everything.
func (h *house) makeRole(account, name string) {
	h.t.Helper()
	client := iam.NewFromConfig(h.as(account))
	_, err := client.CreateRole(h.t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + account + `:root"},"Action":"sts:AssumeRole"}]}`)})
	h.must(err)
	_, err = client.PutRolePolicy(h.t.Context(), &iam.PutRolePolicyInput{RoleName: &name, PolicyName: aws.String("Everything"), PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`)})
	h.must(err)
}

// inRole is the configuration of a session of a role, and by that of a principal of an account.
func (h *house) inRole(account, name string) aws.Config {
	return h.by(account, api.Principal{Type: api.AssumedRole, ARN: "arn:aws:iam::" + account + ":role/" + name, SessionName: "mallory"})
}

func (h *house) by(account string, p api.Principal) aws.Config { return h.Account(account).Config(p) }

// administrators are those whom nothing but the organization's policies binds, by what they are.
func administrators(account string) map[string]api.Principal {
	arn := "arn:aws:iam::" + account + ":"
	return map[string]api.Principal{
		"a role":        {Type: api.AssumedRole, ARN: arn + "role/" + administrator, SessionName: "mallory"},
		"a user":        {Type: api.IAMUser, ARN: arn + "user/mallory"},
		"the root user": {Type: api.Root, ARN: arn + "root"},
	}
}

// byServiceControl is how a service control policy refuses a call.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
const byServiceControl, byResourceControl = "explicit deny in a service control policy", "explicit deny in a resource control policy"

// refusedBy tells whether a call was refused, and by that.
func refusedBy(err error, by string) bool {
	return testbed.HasCode(err, "AccessDenied", "AccessDeniedException") && strings.Contains(err.Error(), by)
}

// successes are the calls of an account's principals that succeeded and changed something, since the first n.
func (h *house) successes(account string, n int) []string {
	var all []string
	for _, call := range h.Account(account).Gateway.Calls()[n:] {
		if call.Mutating && call.ErrorCode == "" {
			all = append(all, fmt.Sprintf("%s by %s", call.Action(), call.Principal.SessionARN()))
		}
	}
	return all
}

// wantUnchanged runs something, and reports the calls that have changed something in the meantime.
func (h *house) wantUnchanged(run func()) {
	h.t.Helper()
	accounts := []string{management, archive, security, memberOne, outsider}
	before := map[string]int{}
	for _, account := range accounts {
		before[account] = len(h.Account(account).Gateway.Calls())
	}
	run()
	for _, account := range accounts {
		if got := h.successes(account, before[account]); len(got) > 0 {
			h.t.Errorf("in %s: %v", account, got)
		}
	}
}

// guarded is the guard of a member, with which a test does what only break-glass may.
func (h *house) guarded(account string) testbed.Guard {
	h.t.Helper()
	config := h.inRole(account, breakGlass)
	seen := &testbed.Account{AWS: h.Account(account), Admin: config, Clients: drill.NewClients(config)}
	return seen.ReadGuard(h.t, h.memberStack(account))
}

// target is what scenarios are aimed at, with another bucket and another key. The bucket's name begins as the guard's own do.
func (h *house) target(g testbed.Guard) drill.Target {
	h.t.Helper()
	target := drill.Target{Trail: g.TrailName, ARN: g.TrailARN, Declared: g.Declared}
	others := drill.NewProvisioner(g.Clients, g.Guard)
	for _, need := range []drill.Need{drill.AnotherBucket, drill.AnotherKey} {
		_, err := others.Provision(h.t.Context(), need, &target)
		h.must(err)
	}
	return target
}

// ids are the physical ids of a stack's resources by their types.
func (h *house) ids(account, stack string) map[string][]string {
	h.t.Helper()
	described, err := cloudformation.NewFromConfig(h.as(account)).DescribeStackResources(h.t.Context(), &cloudformation.DescribeStackResourcesInput{StackName: &stack})
	h.must(err)
	ids := map[string][]string{}
	for _, resource := range described.StackResources {
		ids[*resource.ResourceType] = append(ids[*resource.ResourceType], aws.ToString(resource.PhysicalResourceId))
	}
	for kind := range ids {
		slices.Sort(ids[kind])
	}
	return ids
}

// deployOver deploys another template over a stack's, as the caller of a configuration, and returns why that failed.
func (h *house) deployOver(config aws.Config, stack string, template testbed.Template) error {
	client := cloudformation.NewFromConfig(config)
	if _, err := client.UpdateStack(h.t.Context(), &cloudformation.UpdateStackInput{
		StackName: &stack, TemplateBody: aws.String(template.JSON()), Capabilities: testbed.MayMakeRoles,
	}); err != nil {
		return err
	}
	return h.stackEnds(config, stack, cloudformationtypes.StackStatusUpdateComplete)
}

// destroy deletes a stack, as the caller of a configuration, and returns why that failed.
func (h *house) destroy(config aws.Config, stack string) error {
	client := cloudformation.NewFromConfig(config)
	described, err := client.DescribeStacks(h.t.Context(), &cloudformation.DescribeStacksInput{StackName: &stack})
	if err != nil {
		return err
	}
	id := *described.Stacks[0].StackId
	if _, err := client.DeleteStack(h.t.Context(), &cloudformation.DeleteStackInput{StackName: &stack}); err != nil {
		return err
	}
	return h.stackEnds(config, id, cloudformationtypes.StackStatusDeleteComplete)
}

func (h *house) stackEnds(config aws.Config, stack string, want cloudformationtypes.StackStatus) error {
	described, err := cloudformation.NewFromConfig(config).DescribeStacks(h.t.Context(), &cloudformation.DescribeStacksInput{StackName: &stack})
	if err != nil {
		return err
	}
	if got := described.Stacks[0]; got.StackStatus != want {
		return fmt.Errorf("stack %s is %s: %s", stack, got.StackStatus, aws.ToString(got.StackStatusReason))
	}
	return nil
}
