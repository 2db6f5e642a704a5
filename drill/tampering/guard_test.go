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
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/internal/localaws"
	"github.com/trailguard/trailguard/drill/internal/localaws/automation"
)

// tb is a test, or one check of a property.
type tb interface {
	Helper()
	Context() context.Context
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// guard is a deployed stack of TrailGuard in an account that holds nothing else.
type guard struct {
	*account
	drill.Guard
	t     tb
	admin drill.Clients
}

const stackName = "guard"

// deploy empties the account and deploys a template to it. There is no trail yet.
func deploy(t *testing.T, a *account, tpl template) guard {
	t.Helper()
	g := guard{account: a, t: t, admin: drill.NewClients(a.Config(localaws.Administrator))}
	g.must(a.Reset(t.Context()))
	a.order.Seed(0, 0)
	if len(tpl.resources(ownedRecorder)) == 0 {
		g.must(localaws.PutRecorder(t.Context(), a.Config(localaws.Administrator)))
	}
	for _, bucket := range tpl.suppliedBuckets() {
		_, err := g.admin.S3.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket})
		g.must(err)
	}
	_, err := g.admin.CloudFormation.CreateStack(t.Context(), &cloudformation.CreateStackInput{
		StackName: aws.String(stackName), TemplateBody: aws.String(tpl.json()),
		Capabilities: []cloudformationtypes.Capability{cloudformationtypes.CapabilityCapabilityIam},
	})
	g.must(err)
	stacks, err := g.admin.CloudFormation.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String(stackName)})
	g.must(err)
	if stack := stacks.Stacks[0]; stack.StackStatus != cloudformationtypes.StackStatusCreateComplete {
		t.Fatalf("the stack is %s: %s", stack.StackStatus, aws.ToString(stack.StackStatusReason))
	}
	g.Guard, err = drill.ReadGuard(t.Context(), g.admin, stackName)
	g.must(err)
	if len(g.Declared) < 13 {
		t.Fatalf("the runbook declares only %v", g.Declared)
	}
	return g
}

// guarded deploys a template and has the runbook make the trail.
func guarded(t *testing.T, a *account, tpl template) guard {
	t.Helper()
	g := deploy(t, a, tpl)
	g.must(g.begin(nil))
	g.settle()
	g.wantRepaired()
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

// settle delivers events and runs executions until nothing is left to do. Config does nothing meanwhile.
func (g guard) settle() {
	g.t.Helper()
	g.must(g.RunToQuiescence(g.t.Context()))
}

// configLooks lets time pass and Config do what is due.
func (g guard) configLooks(after time.Duration) {
	g.t.Helper()
	g.must(g.Advance(g.t.Context(), after))
}

// period is the longest time between two looks of a periodic Config rule in any template.
const period = 24 * time.Hour

// unmet are the settings of the trail that are not as declared.
func (g guard) unmet() []string {
	g.t.Helper()
	state, err := drill.ReadState(g.t.Context(), g.admin.CloudTrail, g.TrailARN)
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

// since are the executions that started after the first n.
func (g guard) since(n int) []*automation.Execution { return g.Executions()[n:] }

// wantExecutions reports a number of executions after the first n, and what did not succeed.
func (g guard) wantExecutions(n, want int) {
	g.t.Helper()
	started := g.since(n)
	if len(started) != want {
		g.t.Errorf("%d executions were started, want %d: %v", len(started), want, startedBy(started))
	}
	for _, x := range started {
		if x.Status != automation.Success {
			g.t.Errorf("an execution is %s: %s", x.Status, x.FailureMessage)
		}
	}
}

func startedBy(executions []*automation.Execution) []string {
	var who []string
	for _, x := range executions {
		who = append(who, x.ExecutedBy)
	}
	return who
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
