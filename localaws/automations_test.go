package localaws

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/internal/world"
	localssm "github.com/trailguard/trailguard/localaws/ssm"
	"github.com/trailguard/trailguard/localaws/ssm/automation"
)

const repairRole = "arn:aws:iam::123456789012:role/Repair"

func (g guarded) ssm() *ssm.Client { return ssm.NewFromConfig(g.Config(Administrator)) }

// runbook is a document of one step that runs a script's function main with a role, which may be empty.
func runbook(role, script string) string {
	content := map[string]any{"schemaVersion": "0.3", "mainSteps": []any{map[string]any{
		"name": "Run", "action": "aws:executeScript", "inputs": map[string]any{"Runtime": "python3.11", "Handler": "main", "Script": script},
	}}}
	if role != "" {
		content["assumeRole"] = role
	}
	encoded, err := json.Marshal(content)
	if err != nil {
		panic(err)
	}
	return string(encoded)
}

const sleeps = "import time\ndef main(events, context):\n    time.sleep(10)\n"

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

func (g guarded) cancel(id string) error {
	_, err := g.ssm().StopAutomationExecution(g.t.Context(), &ssm.StopAutomationExecutionInput{AutomationExecutionId: &id})
	return err
}

// step makes n steps of those that run.
func (g guarded) step(n int) {
	g.t.Helper()
	for range n {
		if !g.current().automations.Step(g.t.Context(), func(int) int { return 0 }) {
			g.t.Fatal("nothing runs")
		}
	}
}

func (g guarded) expect(what string, got, want any) {
	g.t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		g.t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func TestAutomationsRunAsSystemsManagerRunsThem(t *testing.T) {
	scenario := scenarios(t)

	good := runbook("", sleeps)
	broken := strings.NewReplacer("def main", "def other", "python3.11", "python3.9").Replace(good)
	const problems = `step Run: inputs: Runtime "python3.9" is retired: use python3.11` + "\n" +
		`step Run: inputs: Handler "main" is no function that the Script defines at its top level`
	yaml := "schemaVersion: '0.3'\nmainSteps:\n  - name: Wait\n    action: aws:sleep\n    inputs:\n      Duration: PT1S\n"

	scenario("a broken document is refused when it is created", func(g guarded) {
		for _, test := range []struct {
			name, content string
			kind          ssmtypes.DocumentType
			format        ssmtypes.DocumentFormat
			want          string
		}{
			{"good", good, "Automation", "", ""},
			{"good-yaml", yaml, "Automation", "YAML", ""},
			{"good-json-as-yaml", good, "Automation", "YAML", ""},
			{"broken", broken, "Automation", "", problems},
			{"broken-yaml", strings.ReplaceAll(yaml, "PT1S", "1s"), "Automation", "YAML",
				`step Wait: inputs: Duration must be an ISO 8601 duration such as PT30S, of at most 7 days, got "1s"`},
			{"yaml-as-json", yaml, "Automation", "JSON", "the content is no JSON, and the DocumentFormat is JSON"},
			{"yaml-by-default", yaml, "Automation", "", "the content is no JSON, and the DocumentFormat is JSON"},
			{"text", good, "Automation", "TEXT", "the DocumentFormat of an Automation document must be JSON or YAML, got TEXT"},
			{"command", `{"schemaVersion":"2.2","mainSteps":[]}`, "Command", "", ""},
		} {
			_, err := g.ssm().CreateDocument(g.t.Context(), &ssm.CreateDocumentInput{
				Name: &test.name, Content: &test.content, DocumentType: test.kind, DocumentFormat: test.format,
			})
			g.wantRefusal(test.name, err, "InvalidDocumentContent", test.want)
			_, err = g.ssm().GetDocument(g.t.Context(), &ssm.GetDocumentInput{Name: &test.name})
			if exists := err == nil; exists != (test.want == "") {
				g.t.Errorf("%s: that it exists is %v", test.name, exists)
			}
		}
		update := func(name, content string) error {
			_, err := g.ssm().UpdateDocument(g.t.Context(), &ssm.UpdateDocumentInput{Name: &name, Content: &content, DocumentVersion: aws.String("$LATEST")})
			return err
		}
		g.wantRefusal("new version", update("good", broken), "InvalidDocumentContent", problems)
		g.wantRefusal("new version", update("good", strings.Replace(good, "sleep(10)", "sleep(11)", 1)), "", "")
		g.wantRefusal("new version of a command", update("command", `{"schemaVersion":"2.2","mainSteps":[],"description":"d"}`), "", "")
		world.WantCode(g.t, update("nothing", broken), "InvalidDocument")
	})

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
		x := g.Executions()[0]
		if len(x.Calls) != 1 || x.MutatingCalls() != 1 {
			g.t.Fatalf("the calls are %+v", x.Calls)
		}
		call := x.Calls[0]
		g.expect("the call", []string{call.Step, call.Service, call.API, call.ErrorCode}, []string{"Repair", "cloudtrail", "StartLogging", ""})
		g.expect("its input", call.Input, map[string]any{"Name": "guarded"})
		i := slices.IndexFunc(g.Gateway.Calls(), func(c CallRecord) bool {
			return c.Action() == "cloudtrail:StartLogging" && c.Principal.ARN == repairRole
		})
		if i < 0 || !g.Gateway.Calls()[i].Time.Equal(call.Time) {
			g.t.Errorf("the gateway recorded %+v", g.Gateway.Calls())
		}
		shown := g.execution(x.ID)
		g.expect("the outputs", shown.Outputs, map[string][]string{"Repair.Started": {"guarded"}})
		g.expect("the step's outputs", shown.StepExecutions[0].Outputs, map[string][]string{"Started": {"guarded"}})
		g.expect("the parameters", shown.Parameters, map[string][]string{"AutomationAssumeRole": {repairRole}, "TrailName": {"guarded"}})
	})

	scenario("a refused call fails the step with AWS's error", func(g guarded) {
		g.deploy()
		g.createRunbook("Attack", runbook(repairRole, "import boto3\ndef main(events, context):\n    boto3.client('cloudtrail').stop_logging(Name='guarded')\n"))
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
		_, err = g.ssm().StartAutomationExecution(g.t.Context(), &ssm.StartAutomationExecutionInput{DocumentName: aws.String("Sleep"), DocumentVersion: aws.String("3")})
		world.WantCode(g.t, err, "AutomationDefinitionNotFoundException")
	})

	scenario("a document that is no runbook does not start", func(g guarded) {
		_, err := g.ssm().CreateDocument(g.t.Context(), &ssm.CreateDocumentInput{
			Name: aws.String("Command"), Content: aws.String(`{"schemaVersion":"2.2","mainSteps":[]}`), DocumentType: ssmtypes.DocumentTypeCommand,
		})
		g.must(err)
		_, err = g.ssm().StartAutomationExecution(g.t.Context(), &ssm.StartAutomationExecutionInput{DocumentName: aws.String("Command")})
		world.WantCode(g.t, err, "InvalidAutomationExecutionParametersException")
	})

	scenario("an execution is stopped at once", func(g guarded) {
		g.createRunbook("Sleep", good)
		g.listen("status", `{"source":["aws.ssm"]}`, "")
		running, waiting := g.begin("Sleep", ""), g.begin("Sleep", "")
		g.step(1)
		before := g.Clock.Now()
		for _, id := range []string{running, waiting} {
			g.must(g.cancel(id))
			g.expect("the status", g.execution(id).AutomationExecutionStatus, "Cancelled")
		}
		g.expect("the step's status", g.execution(running).StepExecutions[0].StepStatus, "Cancelled")
		g.run()
		g.expect("the time that it took", g.Clock.Now().Sub(before), time.Duration(0))
		var statuses []any
		for _, event := range g.heard("status") {
			statuses = append(statuses, world.At(event, "detail.Status"))
		}
		g.expect("what was told", statuses, []string{"InProgress", "Cancelled", "Cancelled"})
		world.WantCode(g.t, g.cancel(running), "InvalidAutomationStatusUpdateException")
		world.WantCode(g.t, g.cancel("00000000-0000-4000-8002-ffffffffffff"), "AutomationExecutionNotFoundException")
		_, err := g.ssm().StopAutomationExecution(g.t.Context(), &ssm.StopAutomationExecutionInput{AutomationExecutionId: &running, Type: "Never"})
		world.WantCode(g.t, err, "ValidationException")

		// Without the stop it would have ended well.
		id := g.begin("Sleep", "")
		g.run()
		g.expect("the status of one that is let be", g.execution(id).AutomationExecutionStatus, "Success")
	})

	scenario("a script stops the execution that it belongs to", func(g guarded) {
		g.createStack("guard", g.template(map[string]string{"Stopper": `{"Type":"AWS::IAM::Role","Properties":{"RoleName":"Stopper",
			"AssumeRolePolicyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ssm.amazonaws.com"},"Action":"sts:AssumeRole"}]},
			"Policies":[{"PolicyName":"Stop","PolicyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ssm:*","Resource":"*"}]}}]}}`}))
		content := runbook(strings.Replace(repairRole, "Repair", "Stopper", 1), "import boto3\ndef main(events, context):\n    ssm = boto3.client('ssm')\n"+
			"    ssm.stop_automation_execution(AutomationExecutionId='{{ automation:EXECUTION_ID }}')\n"+
			"    ssm.describe_document(Name='Attack')\n")
		g.createRunbook("Attack", content)
		id := g.begin("Attack", "")
		g.run()
		g.expect("the status", g.execution(id).AutomationExecutionStatus, "Cancelled")
		x := g.Executions()[0]
		if x.Status != automation.Cancelled || len(x.Calls) != 1 {
			g.t.Errorf("it is %s, and its calls are %+v", x.Status, x.Calls)
		}
	})

	scenario("a hundred executions run at once, and more wait", func(g guarded) {
		g.createRunbook("Sleep", good)
		var ids []string
		for range localssm.MaxRunning + 3 {
			ids = append(ids, g.begin("Sleep", ""))
		}
		g.step(localssm.MaxRunning)
		count := func(status string) int {
			n := 0
			for _, id := range ids {
				if string(g.execution(id).AutomationExecutionStatus) == status {
					n++
				}
			}
			return n
		}
		g.expect("the number of those that run", count("InProgress"), localssm.MaxRunning)
		g.expect("the number of those that wait", count("Pending"), 3)
		g.must(g.cancel(ids[101]))
		g.step(1)
		g.expect("the number of those that run once one has ended", count("InProgress"), localssm.MaxRunning-1)
		g.run()
		g.expect("the number of those that succeed", count("Success"), localssm.MaxRunning+2)
		began := func(i int) time.Duration {
			return g.Executions()[i].Steps[0].StartTime.Sub(g.Executions()[0].Steps[0].StartTime)
		}
		g.expect("when the last began", []time.Duration{began(99), began(100), began(102)}, []time.Duration{0, 10 * time.Second, 10 * time.Second})
	})

	scenario("a test steps an execution of its own", func(g guarded) {
		g.deploy()
		document, err := automation.Parse([]byte(runbook(repairRole, "import boto3\ndef main(events, context):\n    boto3.client('cloudtrail').start_logging(Name='guarded')\n")))
		g.must(err)
		g.stopLogging()
		engine := g.Engine(api.Principal{Type: api.AssumedRole, ARN: repairRole, SessionName: "s"})
		x, err := engine.Start(document, nil, automation.Options{})
		g.must(err)
		for !x.Step(g.t.Context()) {
		}
		g.expect("the failure", x.FailureMessage, "")
		g.wantLogging(true)
	})
}

// wantRefusal wants an error with a code and a message; the empty message stands for none.
func (g guarded) wantRefusal(what string, err error, code, message string) {
	g.t.Helper()
	if message == "" {
		if err != nil {
			g.t.Errorf("%s: %v", what, err)
		}
		return
	}
	world.WantCode(g.t, err, code)
	if err != nil && !strings.HasSuffix(err.Error(), code+": "+message) {
		g.t.Errorf("%s: got %v, want %s", what, err, message)
	}
}
