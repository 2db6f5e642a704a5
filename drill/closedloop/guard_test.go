package closedloop

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/ssm/automation"
)

// guard is a deployed stack of TrailGuard in an account that holds nothing else.
type guard struct {
	testbed.Guard
	account  *account
	template string // see share
	// foreign is what an attacker would use, once it was asked for.
	foreign *foreign
}

// deploy empties the account and deploys a template to it. What the end of the deployment starts has not run yet.
func deploy(t *testing.T, a *account, tpl testbed.Template) guard {
	t.Helper()
	a.prepare(t, tpl)
	return a.createStack(t, tpl)
}

// prepare empties the account.
func (a *account) prepare(t *testing.T, tpl testbed.Template) {
	t.Helper()
	a.shared = nil
	a.WantSimulated(t)
	a.Empty(t, tpl)
}

// createStack deploys a template.
func (a *account) createStack(t *testing.T, tpl testbed.Template) guard {
	t.Helper()
	return guard{Guard: a.CreateStack(t, testbed.StackName, tpl), account: a, foreign: &foreign{}}.switchable()
}

// switchable lets Only enable every rule, also one that the template declares disabled.
func (g guard) switchable() guard {
	for i := range g.Rules {
		g.Rules[i].Enabled = true
	}
	return g
}

// in is the guard in a part of a test.
func (g guard) in(t *testing.T) guard {
	g.Guard = g.In(t)
	return g
}

// guarded deploys a template, and lets the end of the deployment do its work: there is a trail, as declared.
func guarded(t *testing.T, a *account, tpl testbed.Template) guard {
	t.Helper()
	g := deploy(t, a, tpl)
	g.Settle()
	g.WantRepaired()
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
		g := deploy(t, a, testbed.ReadTemplate(t, template).With(t, withoutRules))
		g.template = template
		a.shared = &g
	}
	g := a.shared.in(t)
	a.Order.Seed(0, 0)
	g.Only()
	g.deleteTrails()
	return g
}

var triggers = []deployed.Path{deployed.EventPath, deployed.SchedulePath, deployed.ConfigPath}

// updateStack deploys another template over the one that is deployed.
func (g guard) updateStack(tpl testbed.Template) guard {
	g.T.Helper()
	g.Guard = g.UpdateStack(g.T, testbed.StackName, tpl)
	return g.switchable()
}

// step runs a part of a test.
func (g guard) step(name string, part func(g guard)) {
	g.T.Helper()
	g.T.(*testing.T).Run(name, func(t *testing.T) { part(g.in(t)) })
}

func (g guard) isAutomation(p api.Principal) bool { return p.ARN == g.AutomationRoleARN }

// repair runs the deployed runbook by hand.
func (g guard) repair() *automation.Execution {
	g.T.Helper()
	return g.repairAtOnce(1)[0]
}

// repairAtOnce runs the deployed runbook several times, one call of any of them at a time.
func (g guard) repairAtOnce(n int) []*automation.Execution {
	g.T.Helper()
	before := len(g.Executions())
	for range n {
		g.Must(g.Begin(g.RunbookName, nil))
	}
	g.Settle()
	all := g.Executions()
	if len(all) != before+n {
		g.T.Fatalf("%d executions ran, want %d", len(all)-before, n)
	}
	return all[before:]
}

// deployedRunbook is the content of the deployed runbook.
func (g guard) deployedRunbook() map[string]any {
	g.T.Helper()
	document, err := g.Clients.SSM.GetDocument(g.T.Context(), &ssm.GetDocumentInput{Name: &g.RunbookName, DocumentFormat: ssmtypes.DocumentFormatJson})
	g.Must(err)
	var content map[string]any
	g.Must(json.Unmarshal([]byte(*document.Content), &content))
	return content
}

// inputsOf are the inputs of a runbook's one step.
func inputsOf(content map[string]any) map[string]any {
	return content["mainSteps"].([]any)[0].(map[string]any)["inputs"].(map[string]any)
}

// repairWith runs a runbook that differs from the deployed one, for the negative controls. It fails the test if it does not.
func (g guard) repairWith(parameters map[string][]string, change func(content map[string]any)) *automation.Execution {
	g.T.Helper()
	content := g.deployedRunbook()
	before := g.encode(content)
	if change(content); g.encode(content) == before {
		g.T.Fatal("the runbook is as it was")
	}
	return g.repairBy(g.encode(content), ssmtypes.DocumentFormatJson, parameters)
}

// repairBy runs a runbook that is deployed for that only.
func (g guard) repairBy(content string, format ssmtypes.DocumentFormat, parameters map[string][]string) *automation.Execution {
	g.T.Helper()
	defer g.createRunbook(byHand, content, format)()
	before := len(g.Executions())
	g.Must(g.Begin(byHand, parameters))
	g.Settle()
	if n := len(g.since(before)); n != 1 {
		g.T.Fatalf("%d executions ran, want 1", n)
	}
	return g.since(before)[0]
}

// byHand is the name of a runbook that a test makes beside the deployed one.
const byHand = "by-hand"

func (g guard) createRunbook(name, content string, format ssmtypes.DocumentFormat) (remove func()) {
	g.T.Helper()
	_, err := g.Clients.SSM.CreateDocument(g.T.Context(), &ssm.CreateDocumentInput{
		Name: &name, Content: &content, DocumentType: ssmtypes.DocumentTypeAutomation, DocumentFormat: format,
	})
	g.Must(err)
	return func() {
		_, err := g.Clients.SSM.DeleteDocument(g.T.Context(), &ssm.DeleteDocumentInput{Name: &name})
		g.Must(err)
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
	g.T.Helper()
	if len(executions) == 0 {
		g.T.Error("nothing was executed")
	}
	for _, x := range executions {
		if got := startedBy(x); got != word {
			g.T.Errorf("an execution was started by %s, as %s: want %s", got, x.ExecutedBy, word)
		}
	}
}

// wantSuccess reports executions that have not ended well.
func (g guard) wantSuccess(executions ...*automation.Execution) {
	g.T.Helper()
	for _, x := range executions {
		if x.Status != automation.Success {
			g.T.Errorf("an execution is %s: %s", x.Status, x.FailureMessage)
		}
	}
}

// wantFailed reports an execution that has not failed, and what neither its failure nor its message says.
func (g guard) wantFailed(x *automation.Execution, texts ...string) {
	g.T.Helper()
	if x.Status != automation.Failed {
		g.T.Errorf("the execution is %s: %s, want it to fail", x.Status, x.FailureMessage)
	}
	said := x.FailureMessage + "\n" + strings.Join(told(x), "\n")
	for _, text := range texts {
		if !strings.Contains(said, text) {
			g.T.Errorf("the execution does not say %q, but\n%s", text, said)
		}
	}
}

// wantOneTrail reports that there is not exactly one trail.
func (g guard) wantOneTrail() {
	g.T.Helper()
	if arns := g.trailARNs(); len(arns) != 1 {
		g.T.Errorf("the trails are %v, want one", arns)
	}
}

func (g guard) trailARNs() []string {
	g.T.Helper()
	got, err := g.Clients.CloudTrail.ListTrails(g.T.Context(), &cloudtrail.ListTrailsInput{})
	g.Must(err)
	var arns []string
	for _, trail := range got.Trails {
		arns = append(arns, *trail.TrailARN)
	}
	return arns
}

func (g guard) isLogging() bool {
	g.T.Helper()
	status, err := g.Clients.CloudTrail.GetTrailStatus(g.T.Context(), &cloudtrail.GetTrailStatusInput{Name: &g.TrailName})
	if testbed.HasCode(err, "TrailNotFoundException") {
		return false
	}
	g.Must(err)
	return *status.IsLogging
}

var reference = regexp.MustCompile(`^\{\{ *(\w+) *\}\}$`)

// payload is what the deployed runbook hands to its script, with the defaults of the parameters.
func (g guard) payload() map[string]any {
	g.T.Helper()
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
	g.T.Helper()
	text, _ := g.payload()[name].(string)
	return text
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
	Writes  []string

	StartedBy, Message, NotTold string
}

// reportOf reads the report of an execution that has succeeded.
func (g guard) reportOf(x *automation.Execution) report {
	g.T.Helper()
	text, _ := x.Outputs["Reconcile.Report"].(string)
	var r report
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		g.T.Fatalf("the output of an execution that is %s (%s) is no report: %v: %q", x.Status, x.FailureMessage, err, text)
	}
	return r
}
