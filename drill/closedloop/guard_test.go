package closedloop

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"

	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/localaws"
	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/automation"
)

// guard is a deployed stack of TrailGuard in an account that holds nothing else.
type guard struct {
	*account
	deployed.Guard
	t        *testing.T
	template string // see share
	// foreign is what an attacker would use, once it was asked for.
	foreign *foreign
	// rules are the names of the rules that start the runbook, by path, once they were asked for.
	rules map[deployed.Path][]string
}

const stackName = "guard"

// deploy empties the account and deploys a template to it. What the end of the deployment starts has not run yet.
func deploy(t *testing.T, a *account, tpl template) guard {
	t.Helper()
	g := prepare(t, a, tpl)
	g.createStack(tpl)
	return g.discover()
}

// guarded deploys a template, and lets the end of the deployment do its work: there is a trail, as declared.
func guarded(t *testing.T, a *account, tpl template) guard {
	t.Helper()
	g := deploy(t, a, tpl)
	g.settle()
	g.wantRepaired()
	g.wantSuccess(g.Executions()...)
	if t.Failed() {
		t.FailNow()
	}
	return g
}

// share is deploy for tests that leave the stack as it is: they may find that of the test before, without its trails. Nothing
// but the test itself starts its runbook: see only.
func share(t *testing.T, a *account, template string) guard {
	t.Helper()
	if a.shared == nil || a.shared.template != template {
		g := deploy(t, a, readTemplate(t, template).mutate(t, withoutRules))
		g.template = template
		a.shared = &g
	}
	g := *a.shared
	g.t = t
	a.order.Seed(0, 0)
	g.only()
	g.deleteTrails()
	return g
}

var triggers = []deployed.Path{deployed.EventPath, deployed.SchedulePath, deployed.ConfigPath}

// only lets these triggers start the runbook, and no others. The rules are switched as somebody with the permission can.
func (g guard) only(paths ...deployed.Path) {
	g.t.Helper()
	g.HoldConfig(!slices.Contains(paths, deployed.ConfigPath))
	if len(g.rules) == 0 && len(paths) == 0 && g.template != "" {
		return // the rules are off from the start
	}
	if len(g.rules) == 0 {
		resources, err := deployed.ReadResources(g.t.Context(), g.clients.Reads(), g.Guard)
		g.must(err)
		rules, err := deployed.ReadEventRules(g.t.Context(), g.clients.Reads(), g.Guard, resources)
		g.must(err)
		for _, rule := range rules {
			if rule.Starts {
				g.rules[rule.Path] = append(g.rules[rule.Path], rule.Name)
			}
		}
	}
	for path, names := range g.rules {
		for _, name := range names {
			var err error
			if slices.Contains(paths, path) {
				_, err = g.clients.Events.EnableRule(g.t.Context(), &eventbridge.EnableRuleInput{Name: &name})
			} else {
				_, err = g.clients.Events.DisableRule(g.t.Context(), &eventbridge.DisableRuleInput{Name: &name})
			}
			g.must(err)
		}
	}
}

// prepare empties the account. It gets a configuration recorder of its own unless the template brings one.
func prepare(t *testing.T, a *account, tpl template) guard {
	t.Helper()
	g := guard{account: a, t: t, foreign: &foreign{}, rules: map[deployed.Path][]string{}}
	a.shared = nil
	g.must(a.Err())
	g.must(a.Reset(t.Context()))
	a.order.Seed(0, 0)
	rules, recorders := tpl.resources("AWS::Config::ConfigRule"), tpl.resources("AWS::Config::ConfigurationRecorder")
	if len(rules) > 0 && len(recorders) == 0 {
		g.must(localaws.PutRecorder(t.Context(), g.admin))
	}
	return g
}

func (g guard) createStack(tpl template) {
	g.t.Helper()
	g.must(g.tryCreateStack(tpl))
}

var mayMakeRoles = []cloudformationtypes.Capability{cloudformationtypes.CapabilityCapabilityIam}

func (g guard) tryCreateStack(tpl template) error {
	g.t.Helper()
	_, err := g.clients.CloudFormation.CreateStack(g.t.Context(), &cloudformation.CreateStackInput{
		StackName: aws.String(stackName), TemplateBody: aws.String(tpl.json(g.t)), Capabilities: mayMakeRoles,
	})
	return err
}

// updateStack deploys another template over the one that is deployed.
func (g guard) updateStack(tpl template) guard {
	g.t.Helper()
	g.must(g.tryUpdateStack(tpl))
	clear(g.rules)
	return g.discover()
}

// tryUpdateStack returns once the stack is updated, or rolled back.
func (g guard) tryUpdateStack(tpl template) error {
	g.t.Helper()
	_, err := g.clients.CloudFormation.UpdateStack(g.t.Context(), &cloudformation.UpdateStackInput{
		StackName: aws.String(stackName), TemplateBody: aws.String(tpl.json(g.t)), Capabilities: mayMakeRoles,
	})
	return err
}

// discover reads what the stack and its runbook say about the guard.
func (g guard) discover() guard {
	g.t.Helper()
	stacks, err := g.clients.CloudFormation.DescribeStacks(g.t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String(stackName)})
	g.must(err)
	complete := []cloudformationtypes.StackStatus{cloudformationtypes.StackStatusCreateComplete, cloudformationtypes.StackStatusUpdateComplete}
	if stack := stacks.Stacks[0]; !slices.Contains(complete, stack.StackStatus) {
		g.t.Fatalf("the stack is %s: %s", stack.StackStatus, aws.ToString(stack.StackStatusReason))
	}
	g.Guard, err = deployed.ReadGuard(g.t.Context(), g.clients.Reads(), stackName)
	g.must(err)
	return g
}

func (g guard) must(err error) {
	if err != nil {
		g.t.Helper()
		g.t.Fatal(err)
	}
}

// step runs a part of a test.
func (g guard) step(name string, part func(g guard)) {
	g.t.Helper()
	g.t.Run(name, func(t *testing.T) {
		g.t = t
		part(g)
	})
}

func (g guard) isAutomation(p api.Principal) bool { return p.ARN == g.AutomationRoleARN }

// settle delivers events and runs what they start until nothing is left to do. No time passes but that of the executions.
func (g guard) settle() {
	g.t.Helper()
	g.must(g.RunToQuiescence(g.t.Context()))
}

// tick moves the clock, and lets Config and the schedules do what is due.
func (g guard) tick(d time.Duration) {
	g.t.Helper()
	g.must(g.Advance(g.t.Context(), d))
}

// begin starts a runbook by hand.
func (g guard) begin(runbook string, parameters map[string][]string) error {
	_, err := g.clients.SSM.StartAutomationExecution(g.t.Context(), &ssm.StartAutomationExecutionInput{
		DocumentName: &runbook, Parameters: parameters,
	})
	return err
}

// repair runs the deployed runbook by hand.
func (g guard) repair() *automation.Execution {
	g.t.Helper()
	return g.repairAtOnce(1)[0]
}

// repairAtOnce runs the deployed runbook several times, one call of any of them at a time.
func (g guard) repairAtOnce(n int) []*automation.Execution {
	g.t.Helper()
	before := len(g.Executions())
	for range n {
		g.must(g.begin(g.RunbookName, nil))
	}
	g.settle()
	all := g.Executions()
	if len(all) != before+n {
		g.t.Fatalf("%d executions ran, want %d", len(all)-before, n)
	}
	return all[before:]
}

// deployedRunbook is the content of the deployed runbook.
func (g guard) deployedRunbook() map[string]any {
	g.t.Helper()
	document, err := g.clients.SSM.GetDocument(g.t.Context(), &ssm.GetDocumentInput{Name: &g.RunbookName, DocumentFormat: ssmtypes.DocumentFormatJson})
	g.must(err)
	var content map[string]any
	g.must(json.Unmarshal([]byte(*document.Content), &content))
	return content
}

// inputsOf are the inputs of a runbook's one step.
func inputsOf(content map[string]any) map[string]any {
	return content["mainSteps"].([]any)[0].(map[string]any)["inputs"].(map[string]any)
}

// repairWith runs a runbook that differs from the deployed one, for the negative controls. It fails the test if it does not.
func (g guard) repairWith(parameters map[string][]string, change func(content map[string]any)) *automation.Execution {
	g.t.Helper()
	content := g.deployedRunbook()
	before := g.encode(content)
	if change(content); g.encode(content) == before {
		g.t.Fatal("the runbook is as it was")
	}
	return g.repairBy(g.encode(content), ssmtypes.DocumentFormatJson, parameters)
}

// repairBy runs a runbook that is deployed for that only.
func (g guard) repairBy(content string, format ssmtypes.DocumentFormat, parameters map[string][]string) *automation.Execution {
	g.t.Helper()
	defer g.createRunbook(byHand, content, format)()
	before := len(g.Executions())
	g.must(g.begin(byHand, parameters))
	g.settle()
	if n := len(g.since(before)); n != 1 {
		g.t.Fatalf("%d executions ran, want 1", n)
	}
	return g.since(before)[0]
}

// byHand is the name of a runbook that a test makes beside the deployed one.
const byHand = "by-hand"

func (g guard) createRunbook(name, content string, format ssmtypes.DocumentFormat) (remove func()) {
	g.t.Helper()
	_, err := g.clients.SSM.CreateDocument(g.t.Context(), &ssm.CreateDocumentInput{
		Name: &name, Content: &content, DocumentType: ssmtypes.DocumentTypeAutomation, DocumentFormat: format,
	})
	g.must(err)
	return func() {
		_, err := g.clients.SSM.DeleteDocument(g.t.Context(), &ssm.DeleteDocumentInput{Name: &name})
		g.must(err)
	}
}

// since are the executions that started after the first n.
func (g guard) since(n int) []*automation.Execution { return g.Executions()[n:] }

// startedBy is the word that a trigger passes to the runbook.
func startedBy(x *automation.Execution) string {
	if word := x.Parameters["StartedBy"]; len(word) == 1 {
		return word[0]
	}
	return "hand"
}

// wantStartedBy reports executions that another trigger has started, and that there are none.
func (g guard) wantStartedBy(word string, executions []*automation.Execution) {
	g.t.Helper()
	if len(executions) == 0 {
		g.t.Error("nothing was executed")
	}
	for _, x := range executions {
		if got := startedBy(x); got != word {
			g.t.Errorf("an execution was started by %s, as %s: want %s", got, x.ExecutedBy, word)
		}
	}
}

// wantSuccess reports executions that have not ended well.
func (g guard) wantSuccess(executions ...*automation.Execution) {
	g.t.Helper()
	for _, x := range executions {
		if x.Status != automation.Success {
			g.t.Errorf("an execution is %s: %s", x.Status, x.FailureMessage)
		}
	}
}

// wantFailed reports an execution that has not failed, and what neither its failure nor its message says.
func (g guard) wantFailed(x *automation.Execution, texts ...string) {
	g.t.Helper()
	if x.Status != automation.Failed {
		g.t.Errorf("the execution is %s: %s, want it to fail", x.Status, x.FailureMessage)
	}
	said := x.FailureMessage + "\n" + strings.Join(told(x), "\n")
	for _, text := range texts {
		if !strings.Contains(said, text) {
			g.t.Errorf("the execution does not say %q, but\n%s", text, said)
		}
	}
}

// unmet are the settings of the trail that are not as declared.
func (g guard) unmet() []string {
	g.t.Helper()
	state, err := deployed.ReadState(g.t.Context(), g.clients.CloudTrail, g.TrailARN)
	g.must(err)
	return g.Declared.Unmet(state)
}

// wantRepaired reports what the trail is not as declared.
func (g guard) wantRepaired() {
	g.t.Helper()
	for _, unmet := range g.unmet() {
		g.t.Error(unmet)
	}
}

// wantOneTrail reports that there is not exactly one trail.
func (g guard) wantOneTrail() {
	g.t.Helper()
	if arns := g.trailARNs(); len(arns) != 1 {
		g.t.Errorf("the trails are %v, want one", arns)
	}
}

func (g guard) trailARNs() []string {
	g.t.Helper()
	got, err := g.clients.CloudTrail.ListTrails(g.t.Context(), &cloudtrail.ListTrailsInput{})
	g.must(err)
	var arns []string
	for _, trail := range got.Trails {
		arns = append(arns, *trail.TrailARN)
	}
	return arns
}

func (g guard) isLogging() bool {
	g.t.Helper()
	status, err := g.clients.CloudTrail.GetTrailStatus(g.t.Context(), &cloudtrail.GetTrailStatusInput{Name: &g.TrailName})
	if hasCode(err, "TrailNotFoundException") {
		return false
	}
	g.must(err)
	return *status.IsLogging
}

func hasCode(err error, code string) bool {
	var refused smithy.APIError
	return errors.As(err, &refused) && refused.ErrorCode() == code
}

var reference = regexp.MustCompile(`^\{\{ *(\w+) *\}\}$`)

// payload is what the deployed runbook hands to its script, with the defaults of the parameters.
func (g guard) payload() map[string]any {
	g.t.Helper()
	payload := map[string]any{}
	for name, value := range g.Runbook.Steps[0].Inputs["InputPayload"].(map[string]any) {
		if text, ok := value.(string); ok {
			if match := reference.FindStringSubmatch(text); match != nil {
				value = g.Runbook.Parameters[match[1]].Default
			}
		}
		payload[name] = value
	}
	return payload
}

// declaredText is a declared setting that is a text.
func (g guard) declaredText(name string) string {
	g.t.Helper()
	return g.payload()[name].(string)
}

// calls are the calls of a service that executions made, in order, as Service.API; refused ones with their code.
func calls(executions ...*automation.Execution) []string {
	var all []string
	for _, x := range executions {
		for _, call := range x.Calls {
			all = append(all, strings.TrimSpace(call.Service+"."+call.API+" "+call.ErrorCode))
		}
	}
	return all
}

// writes are the changes of CloudTrail that executions made, in order.
func writes(executions ...*automation.Execution) []string {
	names := []string{}
	for _, x := range executions {
		for _, call := range x.Calls {
			if call.Mutating() && call.Service == "cloudtrail" && call.ErrorCode == "" {
				names = append(names, call.API)
			}
		}
	}
	return names
}

// told are the messages that executions sent to people. Those that SNS refused are none.
func told(executions ...*automation.Execution) []string {
	var messages []string
	for _, x := range executions {
		for _, call := range x.Calls {
			if call.Service == "sns" && call.ErrorCode == "" {
				messages = append(messages, fmt.Sprint(call.Input["Message"]))
			}
		}
	}
	return messages
}

// report is what a run says of itself.
type report struct {
	Changed map[string]struct{ Found, Declared any }
	Wrong   map[string]string
	Armed   []string
	Writes  []string
	Dark    struct{ Since, Until string }

	StartedBy, Message, NotTold string
}

// reportOf reads the report of an execution that has succeeded.
func (g guard) reportOf(x *automation.Execution) report {
	g.t.Helper()
	text, _ := x.Outputs["Reconcile.Report"].(string)
	var r report
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		g.t.Fatalf("the output of an execution that is %s (%s) is no report: %v: %q", x.Status, x.FailureMessage, err, text)
	}
	return r
}
