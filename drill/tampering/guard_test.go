package tampering

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	configtypes "github.com/aws/aws-sdk-go-v2/service/configservice/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go"

	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/localaws"
	"github.com/trailguard/trailguard/localaws/automation"
)

// tb is a test, or one check of a property.
type tb interface {
	Helper()
	Context() context.Context
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// guard is a deployed stack of TrailGuard.
type guard struct {
	*account
	deployed.Guard
	t     tb
	rules []deployed.EventRule
	// deployment is the event of the deployment's end.
	deployment map[string]any
}

const stackName = "guard"

// deploy empties the account and deploys a template to it. Nothing has come of the deployment yet: there is no trail.
func deploy(t *testing.T, a *account, tpl template) guard {
	t.Helper()
	g := guard{account: a, t: t}
	g.must(a.Reset(t.Context()))
	a.order.Seed(0, 0)
	if len(tpl.resources(ownedRecorder)) == 0 {
		g.must(localaws.PutRecorder(t.Context(), a.Config(localaws.Administrator)))
	}
	return g.deployStack(stackName, tpl)
}

// deployStack deploys a template next to what the account holds.
func (g guard) deployStack(name string, tpl template) guard {
	g.t.Helper()
	ctx := g.t.Context()
	for _, bucket := range tpl.suppliedBuckets() {
		_, err := g.admin.S3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &bucket})
		g.must(err)
	}
	_, err := g.admin.CloudFormation.CreateStack(ctx, &cloudformation.CreateStackInput{
		StackName: &name, TemplateBody: aws.String(tpl.json()),
		Capabilities: []cloudformationtypes.Capability{cloudformationtypes.CapabilityCapabilityIam},
	})
	g.must(err)
	stacks, err := g.admin.CloudFormation.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	g.must(err)
	if stack := stacks.Stacks[0]; stack.StackStatus != cloudformationtypes.StackStatusCreateComplete {
		g.t.Fatalf("the stack is %s: %s", stack.StackStatus, aws.ToString(stack.StackStatusReason))
	}
	g.Guard, err = deployed.ReadGuard(ctx, g.admin.Reads(), name)
	g.must(err)
	if len(g.Declared) < 12 {
		g.t.Fatalf("the runbook declares only %v", g.Declared)
	}
	resources, err := deployed.ReadResources(ctx, g.admin.Reads(), g.Guard)
	g.must(err)
	g.rules, err = deployed.ReadEventRules(ctx, g.admin.Reads(), g.Guard, resources)
	g.must(err)
	return g
}

// guarded deploys a template. The end of the deployment makes the trail.
func guarded(t *testing.T, a *account, tpl template) guard {
	t.Helper()
	g := deploy(t, a, tpl)
	g.settle()
	g.wantRepaired()
	g.deployment = g.Bus().Deliveries()[0].Event
	return g
}

func (g guard) must(err error) {
	if err != nil {
		g.t.Helper()
		g.t.Fatal(err)
	}
}

// in is the guard in a part of a test.
func (g guard) in(t tb) guard {
	g.t = t
	return g
}

// begin starts the runbook by hand.
func (g guard) begin(parameters map[string][]string) error {
	_, err := g.admin.SSM.StartAutomationExecution(g.t.Context(), &ssm.StartAutomationExecutionInput{
		DocumentName: &g.RunbookName, Parameters: parameters,
	})
	return err
}

// settle delivers events and runs executions until nothing is left to do. Neither Config nor a schedule does anything
// meanwhile.
func (g guard) settle() {
	g.t.Helper()
	g.must(g.RunToQuiescence(g.t.Context()))
}

// pass lets time pass, and Config and the schedule do what is due.
func (g guard) pass(d time.Duration) {
	g.t.Helper()
	g.must(g.Advance(g.t.Context(), d))
}

// period is the longest time between two looks of a path in any template.
func period(path deployed.Path) time.Duration {
	if path == deployed.SchedulePath {
		return time.Hour
	}
	return 24 * time.Hour
}

// noPath arms none.
const noPath = "none"

// only leaves one path of the guard armed, or all.
func (g guard) only(path deployed.Path) {
	g.t.Helper()
	for _, rule := range g.rules {
		if rule.Starts {
			g.enable(rule.Name, rule.Enabled && (path == rule.Path || path == deployed.AllPaths))
		}
	}
	g.HoldConfig(path != deployed.ConfigPath && path != deployed.AllPaths)
}

// enable enables or disables a rule of EventBridge.
func (g guard) enable(rule string, on bool) {
	g.t.Helper()
	var err error
	if on {
		_, err = g.admin.Events.EnableRule(g.t.Context(), &eventbridge.EnableRuleInput{Name: &rule})
	} else {
		_, err = g.admin.Events.DisableRule(g.t.Context(), &eventbridge.DisableRuleInput{Name: &rule})
	}
	g.must(err)
}

// rule is the one that starts the runbook on a path.
func (g guard) rule(path deployed.Path) string {
	g.t.Helper()
	for _, rule := range g.rules {
		if rule.Path == path {
			return rule.Name
		}
	}
	g.t.Fatalf("no rule starts the runbook on the path %s", path)
	return ""
}

// unmet are the settings of the trail that are not as declared.
func (g guard) unmet() []string {
	g.t.Helper()
	state, err := deployed.ReadState(g.t.Context(), g.admin.CloudTrail, g.TrailARN)
	g.must(err)
	return g.Declared.Unmet(state)
}

func (g guard) wantRepaired() {
	g.t.Helper()
	if unmet := g.unmet(); len(unmet) > 0 {
		g.t.Errorf("the trail is not as declared: %s", strings.Join(unmet, "; "))
	}
}

func (g guard) wantNotRepaired() {
	g.t.Helper()
	if len(g.unmet()) == 0 {
		g.t.Errorf("the trail is as declared, want it tampered with")
	}
}

// run is an execution with what it says of itself.
type run struct {
	*automation.Execution
	deployed.RunReport
	// told is the message that it published.
	told string
}

// since are the executions that started after the first n, with their reports.
func (g guard) since(n int) []run {
	g.t.Helper()
	var runs []run
	for _, x := range g.Executions()[n:] {
		r := run{Execution: x}
		for _, call := range x.Calls {
			if call.Service == "sns" && call.API == "Publish" && call.ErrorCode == "" {
				r.told += call.Input["Message"].(string)
			}
		}
		if x.DocumentName == g.RunbookName && (x.Status == automation.Success || x.Status == automation.Failed) {
			read, err := deployed.ReadSteps(g.t.Context(), g.admin.SSM, deployed.Execution{ID: x.ID})
			g.must(err)
			if read.Report != nil {
				r.RunReport = *read.Report
			}
			if len(read.Steps) != 1 || x.Status == automation.Success && read.Report == nil {
				g.t.Errorf("an execution has %d steps, and reports %+v", len(read.Steps), read.Report)
			}
			// Of a failure's text Automation keeps 3,000 characters: then the report lacks its last parts.
			isCut := x.Status == automation.Failed && len(x.FailureMessage) > 3000
			if read.Report != nil && r.NotTold == "" && r.told != r.Message && !(isCut && r.Message == "") {
				g.t.Errorf("an execution reports the message %q, and people are told %q", r.Message, r.told)
			}
		}
		runs = append(runs, r)
	}
	return runs
}

// started is the number of executions after the first n.
func (g guard) started(n int) int { return len(g.Executions()) - n }

// wantExecutions reports a number of executions after the first n, and what did not succeed.
func (g guard) wantExecutions(n, want int) {
	g.t.Helper()
	runs := g.since(n)
	if len(runs) != want {
		g.t.Errorf("%d executions were started, want %d: %v", len(runs), want, said(runs))
	}
	g.wantSuccess(runs)
}

func (g guard) wantSuccess(runs []run) {
	g.t.Helper()
	for _, r := range runs {
		if r.Status != automation.Success {
			g.t.Errorf("an execution is %s: %s", r.Status, r.FailureMessage)
		}
	}
}

// said are who started executions, and what these wrote.
func said(runs []run) []string {
	var all []string
	for _, r := range runs {
		all = append(all, fmt.Sprintf("by %s: %v", r.StartedBy, r.Writes))
	}
	return all
}

// exceptions are the resources that Config no longer remediates, by rule.
func (g guard) exceptions() []string {
	g.t.Helper()
	var found []string
	for _, rule := range g.ConfigRuleNames {
		got, err := g.admin.Config.DescribeRemediationExceptions(g.t.Context(), &configservice.DescribeRemediationExceptionsInput{ConfigRuleName: &rule})
		g.must(err)
		for _, exception := range got.RemediationExceptions {
			found = append(found, fmt.Sprintf("%s: %s %s", rule, *exception.ResourceType, *exception.ResourceId))
		}
	}
	return found
}

// wantArmed reports what keeps Config from remediating.
func (g guard) wantArmed() {
	g.t.Helper()
	if found := g.exceptions(); len(found) > 0 {
		g.t.Errorf("Config no longer remediates %v", found)
	}
	got, err := g.admin.Config.DescribeRemediationConfigurations(g.t.Context(), &configservice.DescribeRemediationConfigurationsInput{
		ConfigRuleNames: g.ConfigRuleNames,
	})
	g.must(err)
	automatic := 0
	for _, configuration := range got.RemediationConfigurations {
		if configuration.Automatic {
			automatic++
		}
	}
	if automatic != len(g.ConfigRuleNames) {
		g.t.Errorf("Config remediates %d of the rules %v by itself", automatic, g.ConfigRuleNames)
	}
}

// notCompliant are the rules that are not satisfied, as Config saw it last.
func (g guard) notCompliant() []string {
	g.t.Helper()
	got, err := g.admin.Config.DescribeComplianceByConfigRule(g.t.Context(), &configservice.DescribeComplianceByConfigRuleInput{
		ConfigRuleNames: g.ConfigRuleNames,
	})
	g.must(err)
	var found []string
	for _, rule := range got.ComplianceByConfigRules {
		if rule.Compliance.ComplianceType != configtypes.ComplianceTypeCompliant {
			found = append(found, *rule.ConfigRuleName)
		}
	}
	return found
}

// hasCode tells whether a service answered with one of these error codes.
func hasCode(err error, codes ...string) bool {
	var refused smithy.APIError
	return errors.As(err, &refused) && slices.Contains(codes, refused.ErrorCode())
}
