package tampering

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/configservice"
	configtypes "github.com/aws/aws-sdk-go-v2/service/configservice/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/localaws/ssm/automation"
)

// guard is a deployed stack of TrailGuard.
type guard struct {
	account *account
	testbed.Guard
	// deployment is the event of the deployment's end.
	deployment map[string]any
}

// deploy empties the account and deploys a template to it. Nothing has come of the deployment yet: there is no trail.
func deploy(t *testing.T, a *account, tpl testbed.Template) guard {
	t.Helper()
	a.Empty(t, tpl)
	return a.deployStack(t, testbed.StackName, tpl)
}

// deployStack deploys a template next to what the account holds.
func (a *account) deployStack(t testbed.TB, name string, tpl testbed.Template) guard {
	t.Helper()
	for _, bucket := range suppliedBuckets(tpl) {
		_, err := a.Clients.S3.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket})
		testbed.Must(t, err)
	}
	g := guard{account: a, Guard: a.CreateStack(t, name, withoutLogStore(tpl))}
	if len(g.Declared) < 12 {
		t.Fatalf("the runbook declares only %v", g.Declared)
	}
	return g
}

// withoutLogStore lets the schedule start the runbook for the trail alone: the package closedloop tampers with the log store, and its runs make
// three times the calls.
func withoutLogStore(tpl testbed.Template) testbed.Template {
	for _, rule := range tpl.Resources(eventRule) {
		if targets, ok := rule["Targets"].([]any); ok {
			rule["Targets"] = slices.DeleteFunc(targets, func(target any) bool { return target.(map[string]any)["Id"] == "LogStore" })
		}
	}
	return tpl
}

// guarded deploys a template. The end of the deployment makes the trail.
func guarded(t *testing.T, a *account, tpl testbed.Template) guard {
	t.Helper()
	g := deploy(t, a, tpl)
	g.Settle()
	g.WantRepaired()
	g.deployment = g.Bus().Deliveries()[0].Event
	return g
}

// in is the guard in a part of a test.
func (g guard) in(t testbed.TB) guard {
	g.Guard = g.In(t)
	return g
}

// begin starts the guard's runbook by hand.
func (g guard) begin(parameters map[string][]string) error {
	return g.Begin(g.RunbookName, parameters)
}

// period is the longest time between two looks of a path in any template.
func period(path deployed.Path) time.Duration {
	if path == deployed.SchedulePath {
		return time.Hour
	}
	return 24 * time.Hour
}

// rule is the one that starts the runbook on a path.
func (g guard) rule(path deployed.Path) string {
	g.T.Helper()
	for _, rule := range g.Rules {
		if rule.Path == path {
			return rule.Name
		}
	}
	g.T.Fatalf("no rule starts the runbook on the path %s", path)
	return ""
}

func (g guard) wantNotRepaired() {
	g.T.Helper()
	if len(g.Unmet()) == 0 {
		g.T.Errorf("the trail is as declared, want it tampered with")
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
	g.T.Helper()
	var runs []run
	for _, x := range g.Executions()[n:] {
		r := run{Execution: x}
		for _, call := range x.Calls {
			if call.Service == "sns" && call.API == "Publish" && call.ErrorCode == "" {
				r.told += call.Input["Message"].(string)
			}
		}
		if x.DocumentName == g.RunbookName && (x.Status == automation.Success || x.Status == automation.Failed) {
			read, err := deployed.ReadSteps(g.T.Context(), g.Clients.SSM, deployed.Execution{ID: x.ID})
			g.Must(err)
			if read.Report != nil {
				r.RunReport = *read.Report
			}
			if len(read.Steps) != 1 || x.Status == automation.Success && read.Report == nil {
				g.T.Errorf("an execution has %d steps, and reports %+v", len(read.Steps), read.Report)
			}
			// Of a failure's text Automation keeps 3,000 characters: then the report lacks its last parts, and that nobody was told.
			isCut := x.Status == automation.Failed && len(x.FailureMessage) > 3000
			if read.Report != nil && r.NotTold == "" && r.told != r.Message && !(isCut && (r.Message == "" || r.told == "")) {
				g.T.Errorf("an execution reports the message %q, and people are told %q", r.Message, r.told)
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
	g.T.Helper()
	runs := g.since(n)
	if len(runs) != want {
		g.T.Errorf("%d executions were started, want %d: %v", len(runs), want, said(runs))
	}
	g.wantSuccess(runs)
}

func (g guard) wantSuccess(runs []run) {
	g.T.Helper()
	for _, r := range runs {
		if r.Status != automation.Success {
			g.T.Errorf("an execution is %s: %s", r.Status, r.FailureMessage)
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
	g.T.Helper()
	var found []string
	for _, rule := range g.ConfigRuleNames {
		got, err := g.Clients.Config.DescribeRemediationExceptions(g.T.Context(), &configservice.DescribeRemediationExceptionsInput{ConfigRuleName: &rule})
		g.Must(err)
		for _, exception := range got.RemediationExceptions {
			found = append(found, fmt.Sprintf("%s: %s %s", rule, *exception.ResourceType, *exception.ResourceId))
		}
	}
	return found
}

// wantArmed reports what keeps Config from remediating.
func (g guard) wantArmed() {
	g.T.Helper()
	if found := g.exceptions(); len(found) > 0 {
		g.T.Errorf("Config no longer remediates %v", found)
	}
	got, err := g.Clients.Config.DescribeRemediationConfigurations(g.T.Context(), &configservice.DescribeRemediationConfigurationsInput{
		ConfigRuleNames: g.ConfigRuleNames,
	})
	g.Must(err)
	automatic := 0
	for _, configuration := range got.RemediationConfigurations {
		if configuration.Automatic {
			automatic++
		}
	}
	if automatic != len(g.ConfigRuleNames) {
		g.T.Errorf("Config remediates %d of the rules %v by itself", automatic, g.ConfigRuleNames)
	}
}

// notCompliant are the rules that are not satisfied, as Config saw it last.
func (g guard) notCompliant() []string {
	g.T.Helper()
	got, err := g.Clients.Config.DescribeComplianceByConfigRule(g.T.Context(), &configservice.DescribeComplianceByConfigRuleInput{
		ConfigRuleNames: g.ConfigRuleNames,
	})
	g.Must(err)
	var found []string
	for _, rule := range got.ComplianceByConfigRules {
		if rule.Compliance.ComplianceType != configtypes.ComplianceTypeCompliant {
			found = append(found, *rule.ConfigRuleName)
		}
	}
	return found
}
