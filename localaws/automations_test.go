package localaws

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/internal/world"
	"github.com/trailguard/trailguard/localaws/ssm/automation"
)

const repairRole = "arn:aws:iam::123456789012:role/Repair"

func (g guarded) ssm() *ssm.Client { return ssm.NewFromConfig(g.Config(Administrator)) }

func (g guarded) createRunbook(name, content string) {
	g.t.Helper()
	_, err := g.ssm().CreateDocument(g.t.Context(), &ssm.CreateDocumentInput{Name: &name, Content: &content, DocumentType: ssmtypes.DocumentTypeAutomation})
	g.must(err)
}

// begin starts an execution and returns its id.
func (g guarded) begin(name, version string) string {
	g.t.Helper()
	input := &ssm.StartAutomationExecutionInput{DocumentName: &name}
	if version != "" {
		input.DocumentVersion = &version
	}
	started, err := g.ssm().StartAutomationExecution(g.t.Context(), input)
	g.must(err)
	return *started.AutomationExecutionId
}

func (g guarded) execution(id string) *ssmtypes.AutomationExecution {
	g.t.Helper()
	got, err := g.ssm().GetAutomationExecution(g.t.Context(), &ssm.GetAutomationExecutionInput{AutomationExecutionId: &id})
	g.must(err)
	return got.AutomationExecution
}

func (g guarded) expect(what string, got, want any) {
	g.t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		g.t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func TestAutomationsRunAsSystemsManagerRunsThem(t *testing.T) {
	scenario := scenarios(t)

	scenario("a stack with a broken runbook is rolled back", func(g guarded) {
		template := *g.template(nil)
		g.createStack("bad", aws.String(strings.Replace(template, `"Handler":"repair"`, `"Handler":"mend"`, 1)))
		stacks, err := g.cloudFormation().DescribeStacks(g.t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String("bad")})
		g.must(err)
		stack := stacks.Stacks[0]
		if stack.StackStatus != cloudformationtypes.StackStatusRollbackComplete || !strings.Contains(aws.ToString(stack.StackStatusReason), `Handler "mend" is no function`) {
			g.t.Errorf("the stack is %s: %s", stack.StackStatus, aws.ToString(stack.StackStatusReason))
		}
	})

	scenario("a script calls as the automation role", func(g guarded) {
		g.deploy()
		g.run()
		g.listen("calls", `{"detail-type":["AWS API Call via CloudTrail"],"detail":{"eventName":["StartLogging"]}}`, "")
		g.stopLogging()
		g.run()
		g.wantLogging(true)
		heard := g.heard("calls")
		if len(heard) != 1 {
			g.t.Fatalf("the events are %v", heard)
		}
		g.expect("the caller", world.At(heard[0], "detail.userIdentity.arn"), "arn:aws:sts::123456789012:assumed-role/Repair/Automation")
		g.expect("its role", world.At(heard[0], "detail.userIdentity.sessionContext.sessionIssuer.arn"), repairRole)
		execution := g.Executions()[0]
		if len(execution.Calls) != 1 || execution.MutatingCalls() != 1 {
			g.t.Fatalf("the calls are %+v", execution.Calls)
		}
		call := execution.Calls[0]
		g.expect("the call", []string{call.Step, call.Service, call.API, call.ErrorCode}, []string{"Repair", "cloudtrail", "StartLogging", ""})
		g.expect("its input", call.Input, map[string]any{"Name": "guarded"})
		i := slices.IndexFunc(g.Gateway.Calls(), func(c CallRecord) bool {
			return c.Action() == "cloudtrail:StartLogging" && c.Principal.ARN == repairRole
		})
		if i < 0 || !g.Gateway.Calls()[i].Time.Equal(call.Time) {
			g.t.Errorf("the gateway recorded %+v", g.Gateway.Calls())
		}
		shown := g.execution(execution.ID)
		g.expect("the outputs", shown.Outputs, map[string][]string{"Repair.Started": {"guarded"}})
		g.expect("the step's outputs", shown.StepExecutions[0].Outputs, map[string][]string{"Started": {"guarded"}})
		g.expect("the parameters", shown.Parameters, map[string][]string{"AutomationAssumeRole": {repairRole}, "TrailName": {"guarded"}})
	})

	scenario("a refused call fails the step with AWS's error", func(g guarded) {
		g.deploy()
		g.createRunbook("Attack", world.Runbook(repairRole, "import boto3\ndef main(events, context):\n    boto3.client('cloudtrail').stop_logging(Name='guarded')\n"))
		id := g.begin("Attack", "")
		g.run()
		g.wantLogging(true)
		shown := g.execution(id)
		g.expect("the status", shown.AutomationExecutionStatus, "Failed")
		const want = "Failure message: AccessDeniedException: An error occurred (AccessDeniedException) when calling the StopLogging operation: "
		if message := aws.ToString(shown.StepExecutions[0].FailureMessage); !strings.HasPrefix(message, want) {
			g.t.Errorf("the message is %s", message)
		}
		if message := aws.ToString(shown.FailureMessage); !strings.HasPrefix(message, "step Run: "+want) {
			g.t.Errorf("the execution's message is %s", message)
		}
	})

	scenario("an execution runs the version that was asked for, and tells which", func(g guarded) {
		good := world.Runbook("", "import time\ndef main(events, context):\n    time.sleep(10)\n")
		g.createRunbook("Sleep", good)
		_, err := g.ssm().UpdateDocument(g.t.Context(), &ssm.UpdateDocumentInput{
			Name: aws.String("Sleep"), DocumentVersion: aws.String("$LATEST"), Content: aws.String(strings.Replace(good, "sleep(10)", "sleep(20)", 1)),
		})
		g.must(err)
		g.listen("status", `{"source":["aws.ssm"]}`, "")
		run := func(given, want string, duration int) {
			g.t.Helper()
			id := g.begin("Sleep", given)
			g.run()
			events := g.heard("status")
			event := events[len(events)-1]
			shown := g.execution(id)
			g.expect("the version of "+given, aws.ToString(shown.DocumentVersion), want)
			g.expect("the event's version", world.At(event, "detail.DefinitionVersion"), want)
			g.expect("the event's resources", event["resources"], []string{
				"arn:aws:ssm:us-east-1:123456789012:automation-execution/" + id, "arn:aws:ssm:us-east-1:123456789012:automation-definition/Sleep:" + want,
			})
			g.expect("the event's status", world.At(event, "detail.Status"), "Success")
			g.expect("the event's time", world.At(event, "detail.Time"), duration*1000)
		}
		run("", "1", 10)
		run("$DEFAULT", "1", 10)
		run("$LATEST", "2", 20)
		run("2", "2", 20)
		_, err = g.ssm().UpdateDocumentDefaultVersion(g.t.Context(), &ssm.UpdateDocumentDefaultVersionInput{Name: aws.String("Sleep"), DocumentVersion: aws.String("2")})
		g.must(err)
		run("$DEFAULT", "2", 20)
		run("1", "1", 10)
		_, err = g.ssm().UpdateDocument(g.t.Context(), &ssm.UpdateDocumentInput{Name: aws.String("Nothing"), DocumentVersion: aws.String("$LATEST"), Content: &good})
		world.WantCode(g.t, err, "InvalidDocument")
		_, err = g.ssm().StartAutomationExecution(g.t.Context(), &ssm.StartAutomationExecutionInput{DocumentName: aws.String("Sleep"), DocumentVersion: aws.String("3")})
		world.WantCode(g.t, err, "AutomationDefinitionNotFoundException")
	})

	scenario("a test steps an execution of its own", func(g guarded) {
		g.deploy()
		document, err := automation.Parse([]byte(world.Runbook(repairRole, "import boto3\ndef main(events, context):\n    boto3.client('cloudtrail').start_logging(Name='guarded')\n")))
		g.must(err)
		g.stopLogging()
		engine := g.Engine(api.Principal{Type: api.AssumedRole, ARN: repairRole, SessionName: "s"})
		execution, err := engine.Start(document, nil, automation.Options{})
		g.must(err)
		for !execution.Step(g.t.Context()) {
		}
		g.expect("the failure", execution.FailureMessage, "")
		g.wantLogging(true)
	})
}
