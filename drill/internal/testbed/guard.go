package testbed

import (
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/localaws"
	"github.com/trailguard/trailguard/localaws/ssm/automation"
)

// StackName is the name of the guard's stack.
const StackName = "guard"

// MayMakeRoles is what CloudFormation wants to be told of a guard's template.
var MayMakeRoles = []types.Capability{types.CapabilityCapabilityIam}

// Guard is a deployed stack of TrailGuard, seen by a test.
type Guard struct {
	*Account
	deployed.Guard
	T TB
	// Rules are the rules of EventBridge, as the template declares them.
	Rules []deployed.EventRule
}

// Executions are those of every runbook, but those that restore log stores.
func (g Guard) Executions() []*automation.Execution {
	return slices.DeleteFunc(slices.Clone(g.AWS.Executions()), isOfLogStore)
}

// LogStoreExecutions are those that restore log stores.
func (g Guard) LogStoreExecutions() []*automation.Execution {
	return slices.DeleteFunc(slices.Clone(g.AWS.Executions()), func(x *automation.Execution) bool { return !isOfLogStore(x) })
}

// isOfLogStore goes by what the start said, or by the name that CloudFormation makes of the logical id of a document that restores nothing else.
func isOfLogStore(x *automation.Execution) bool {
	return slices.Equal(x.Parameters["Resource"], []string{"log store"}) || strings.Contains(x.DocumentName, "StoreRemediationRunbook")
}

// In is the guard in a part of a test.
func (g Guard) In(t TB) Guard {
	g.T = t
	return g
}

// Deploy empties the account and deploys a template to it. Nothing has come of the deployment yet: there is no trail.
func (a *Account) Deploy(t TB, tpl Template) Guard {
	t.Helper()
	a.Empty(t, tpl)
	return a.CreateStack(t, StackName, tpl)
}

// CreateStack deploys a template next to what the account holds.
func (a *Account) CreateStack(t TB, name string, tpl Template) Guard {
	t.Helper()
	Must(t, localaws.CreateStack(t.Context(), a.Admin, name, tpl.JSON(), MayMakeRoles...))
	return a.ReadGuard(t, name)
}

// UpdateStack deploys another template over the one that is deployed.
func (a *Account) UpdateStack(t TB, name string, tpl Template) Guard {
	t.Helper()
	a.WantUpdate(t, name, tpl, types.StackStatusUpdateComplete)
	return a.ReadGuard(t, name)
}

// WantUpdate deploys another template over the one that is deployed, and ends the test unless the stack has a status then.
func (a *Account) WantUpdate(t TB, name string, tpl Template, want types.StackStatus) {
	t.Helper()
	_, err := a.Clients.CloudFormation.UpdateStack(t.Context(), &cloudformation.UpdateStackInput{
		StackName: &name, TemplateBody: aws.String(tpl.JSON()), Capabilities: MayMakeRoles,
	})
	Must(t, err)
	described, err := a.Clients.CloudFormation.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: &name})
	Must(t, err)
	if got := described.Stacks[0]; got.StackStatus != want {
		t.Fatalf("stack %s is %s, not %s: %s", name, got.StackStatus, want, aws.ToString(got.StackStatusReason))
	}
}

// ReadGuard reads what a stack and its runbook say about a guard.
func (a *Account) ReadGuard(t TB, stack string) Guard {
	t.Helper()
	g, err := deployed.ReadGuard(t.Context(), a.Clients.Reads(), stack)
	Must(t, err)
	resources, err := deployed.ReadResources(t.Context(), a.Clients.Reads(), g)
	Must(t, err)
	rules, err := deployed.ReadEventRules(t.Context(), a.Clients.Reads(), g, resources)
	Must(t, err)
	return Guard{Account: a, Guard: g, T: t, Rules: rules}
}

// Must ends the test if an error keeps it from going on.
func (g Guard) Must(err error) {
	g.T.Helper()
	Must(g.T, err)
}

// Settle delivers events and runs what they start until nothing is left to do. No time passes but that of the executions: neither
// Config nor a schedule does anything.
func (g Guard) Settle() {
	g.T.Helper()
	g.Must(g.RunToQuiescence(g.T.Context()))
}

// Pass lets time pass, and lets Config and the schedules do what is due.
func (g Guard) Pass(d time.Duration) {
	g.T.Helper()
	g.Must(g.Advance(g.T.Context(), d))
}

// Only lets these paths start the runbook for the trail, and no others. For the log store events start it if all paths may, and the schedule
// does. The rules are switched as somebody with the permission can; one that the template declares disabled stays so.
func (g Guard) Only(paths ...deployed.Path) {
	g.T.Helper()
	armed := func(path deployed.Path) bool {
		return slices.Contains(paths, path) || slices.Contains(paths, deployed.AllPaths)
	}
	for _, rule := range g.Rules {
		if rule.Starts {
			g.Enable(rule.Name, rule.Enabled && armed(rule.Path))
		}
		if rule.OfLogStore {
			g.Enable(rule.Name, slices.Contains(paths, deployed.AllPaths))
		}
	}
	g.HoldConfig(!armed(deployed.ConfigPath))
}

// Enable enables or disables a rule of EventBridge.
func (g Guard) Enable(rule string, on bool) {
	g.T.Helper()
	var err error
	if on {
		_, err = g.Clients.Events.EnableRule(g.T.Context(), &eventbridge.EnableRuleInput{Name: aws.String(rule)})
	} else {
		_, err = g.Clients.Events.DisableRule(g.T.Context(), &eventbridge.DisableRuleInput{Name: aws.String(rule)})
	}
	g.Must(err)
}

// Begin starts a runbook by hand.
func (g Guard) Begin(runbook string, parameters map[string][]string) error {
	_, err := g.Clients.SSM.StartAutomationExecution(g.T.Context(), &ssm.StartAutomationExecutionInput{
		DocumentName: &runbook, Parameters: parameters,
	})
	return err
}

// Unmet are the settings of the trail that are not as declared.
func (g Guard) Unmet() []string {
	g.T.Helper()
	state, err := deployed.ReadState(g.T.Context(), g.Clients.CloudTrail, g.TrailARN)
	g.Must(err)
	return g.Declared.Unmet(state)
}

// WantRepaired reports what of the trail is not as declared.
func (g Guard) WantRepaired() {
	g.T.Helper()
	if unmet := g.Unmet(); len(unmet) > 0 {
		g.T.Errorf("the trail is not as declared: %s", strings.Join(unmet, "; "))
	}
}
