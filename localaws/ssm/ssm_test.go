package ssm_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsssm "github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/iam"
	"github.com/trailguard/trailguard/localaws/internal/world"
	"github.com/trailguard/trailguard/localaws/repository"
	"github.com/trailguard/trailguard/localaws/ssm"
	"github.com/trailguard/trailguard/localaws/ssm/automation"
)

// manager is Systems Manager in a world, with documents of one version each.
type manager struct {
	*ssm.Service
	*awsssm.Client // of Mallory
	t              *testing.T
	world          *world.World
	clock          *api.Clock
	documents      map[string]ssm.Document
	events         []map[string]any
	ended          []string // how executions ended
}

func newManager(t *testing.T) *manager {
	t.Helper()
	w := world.New(t)
	m := &manager{Client: awsssm.NewFromConfig(w.As(world.Mallory)), t: t, world: w, clock: w.Recorder.Clock, documents: map[string]ssm.Document{}}
	worker := automation.NewWorker(automation.WorkerOptions{Python: repository.Python()})
	t.Cleanup(func() { m.must(worker.Close()) })
	m.Service = ssm.New(ssm.Options{
		Clock: m.clock, IDs: w.Recorder.IDs, Worker: worker, Authorize: w.Authorize,
		Document: func(_ context.Context, name, _ string) (ssm.Document, error) {
			document, ok := m.documents[name]
			if !ok {
				return ssm.Document{}, api.Errorf("InvalidDocument", "there is no document %s", name)
			}
			return document, nil
		},
		AccessKey: func(p api.Principal) string { return w.ServiceCredentials(p, "ssm.amazonaws.com", nil).AccessKeyID },
		Send: func(r *http.Request) (automation.Answer, error) {
			answer, record, err := w.Send(r)
			if err != nil {
				return automation.Answer{}, err
			}
			return automation.Answer{
				Status: answer.Status, Header: answer.Header, Body: answer.Body, Call: record.Call, ErrorCode: record.ErrorCode,
			}, nil
		},
		Emit:  func(event map[string]any) { m.events = append(m.events, event) },
		Fail:  func(err error) { t.Error(err) },
		Ended: func(id string, success bool) { m.ended = append(m.ended, fmt.Sprint(id, " ", success)) },
	})
	w.Serve(m.Service)
	return m
}

func (m *manager) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *manager) want(what string, got, want any) {
	m.t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		m.t.Errorf("%s is %v, want %v", what, got, want)
	}
}

const sleeps = "import time\ndef main(events, context):\n    time.sleep(10)\n"

// keep keeps a runbook.
func (m *manager) keep(name, content string) {
	m.documents[name] = ssm.Document{Content: content, Version: "1", Type: "Automation"}
}

// start starts an execution and returns its id.
func (m *manager) start(name string) string {
	m.t.Helper()
	started, err := m.StartAutomationExecution(m.t.Context(), &awsssm.StartAutomationExecutionInput{DocumentName: &name})
	m.must(err)
	return *started.AutomationExecutionId
}

func (m *manager) execution(id string) *types.AutomationExecution {
	m.t.Helper()
	got, err := m.GetAutomationExecution(m.t.Context(), &awsssm.GetAutomationExecutionInput{AutomationExecutionId: &id})
	m.must(err)
	return got.AutomationExecution
}

func (m *manager) cancel(id string) error {
	_, err := m.StopAutomationExecution(m.t.Context(), &awsssm.StopAutomationExecutionInput{AutomationExecutionId: &id})
	return err
}

func first(int) int { return 0 }

// step makes n steps of those that run.
func (m *manager) step(n int) {
	m.t.Helper()
	for range n {
		if !m.Step(m.t.Context(), first) {
			m.t.Fatal("nothing runs")
		}
	}
}

// run makes all steps that there are.
func (m *manager) run() {
	for m.Step(m.t.Context(), first) {
	}
}

func TestABrokenDocumentIsRefusedWhenItIsCreated(t *testing.T) {
	m := newManager(t)
	good := world.Runbook("", sleeps)
	broken := strings.NewReplacer("def main", "def other", "python3.11", "python3.9").Replace(good)
	const problems = `step Run: inputs: Runtime "python3.9" is retired: use python3.11` + "\n" +
		`step Run: inputs: Handler "main" is no function that the Script defines at its top level`
	yaml := "schemaVersion: '0.3'\nmainSteps:\n  - name: Wait\n    action: aws:sleep\n    inputs:\n      Duration: PT1S\n"
	// wantRefusal wants an error with the message, and nothing to reach moto; the empty message stands for none.
	wantRefusal := func(what, message string, call func() error) {
		t.Helper()
		before := len(m.world.Forwarded)
		err := call()
		if reached := len(m.world.Forwarded) > before; reached != (message == "") {
			t.Errorf("%s: that it reached moto is %v", what, reached)
		}
		if message == "" {
			world.WantCode(t, err, "")
			return
		}
		world.WantCode(t, err, "InvalidDocumentContent")
		if err != nil && !strings.HasSuffix(err.Error(), "InvalidDocumentContent: "+message) {
			t.Errorf("%s: got %v, want %s", what, err, message)
		}
	}
	for _, test := range []struct {
		name, content string
		kind          types.DocumentType
		format        types.DocumentFormat
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
		wantRefusal(test.name, test.want, func() error {
			_, err := m.CreateDocument(t.Context(), &awsssm.CreateDocumentInput{
				Name: &test.name, Content: &test.content, DocumentType: test.kind, DocumentFormat: test.format,
			})
			return err
		})
	}
	m.keep("good", good)
	m.documents["command"] = ssm.Document{Content: `{"schemaVersion":"2.2","mainSteps":[]}`, Version: "1", Type: "Command"}
	for _, test := range []struct{ what, name, content, want string }{
		{"new version that is broken", "good", broken, problems},
		{"new version", "good", strings.Replace(good, "sleep(10)", "sleep(11)", 1), ""},
		{"new version of a command", "command", `{"schemaVersion":"2.2","mainSteps":[],"description":"d"}`, ""},
		{"new version of no document, which moto refuses", "nothing", broken, ""},
	} {
		wantRefusal(test.what, test.want, func() error {
			_, err := m.UpdateDocument(t.Context(), &awsssm.UpdateDocumentInput{Name: &test.name, Content: &test.content, DocumentVersion: aws.String("$LATEST")})
			return err
		})
	}
}

func TestADocumentThatIsNoRunbookDoesNotStart(t *testing.T) {
	m := newManager(t)
	m.documents["Command"] = ssm.Document{Content: `{"schemaVersion":"2.2","mainSteps":[]}`, Version: "1", Type: "Command"}
	for name, code := range map[string]string{
		"Command": "InvalidAutomationExecutionParametersException", "Nothing": "AutomationDefinitionNotFoundException",
	} {
		_, err := m.StartAutomationExecution(t.Context(), &awsssm.StartAutomationExecutionInput{DocumentName: &name})
		world.WantCode(t, err, code)
	}
}

func TestAnExecutionIsStoppedAtOnce(t *testing.T) {
	m := newManager(t)
	m.keep("Sleep", world.Runbook("", sleeps))
	running, waiting := m.start("Sleep"), m.start("Sleep")
	m.step(1)
	before := m.clock.Now()
	for _, id := range []string{running, waiting} {
		m.must(m.cancel(id))
		m.want("the status", m.execution(id).AutomationExecutionStatus, "Cancelled")
	}
	m.want("the step's status", m.execution(running).StepExecutions[0].StepStatus, "Cancelled")
	m.run()
	m.want("the time that it took", m.clock.Now().Sub(before), time.Duration(0))
	var statuses []any
	for _, event := range m.events {
		statuses = append(statuses, world.At(event, "detail.Status"))
	}
	m.want("what the events say", statuses, []string{"InProgress", "Cancelled", "Cancelled"})
	m.want("what was reported", m.ended, []string{running + " false", waiting + " false"})
	world.WantCode(t, m.cancel(running), "InvalidAutomationStatusUpdateException")
	world.WantCode(t, m.cancel("00000000-0000-4000-8002-ffffffffffff"), "AutomationExecutionNotFoundException")
	_, err := m.StopAutomationExecution(t.Context(), &awsssm.StopAutomationExecutionInput{AutomationExecutionId: &running, Type: "Never"})
	world.WantCode(t, err, "ValidationException")

	// Without the stop it would have ended well.
	id := m.start("Sleep")
	m.run()
	m.want("the status of one that is let be", m.execution(id).AutomationExecutionStatus, "Success")
}

func TestAScriptStopsTheExecutionThatItBelongsTo(t *testing.T) {
	m := newManager(t)
	role := strings.Replace(world.RoleARN, "guard/Repair", "Stopper", 1)
	m.world.Directory.Roles["Stopper"] = iam.Role{ARN: role, Trust: world.TrustsAutomation, Identity: []string{
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ssm:*","Resource":"*"}]}`,
	}}
	m.keep("Attack", world.Runbook(role, "import boto3\ndef main(events, context):\n    ssm = boto3.client('ssm')\n"+
		"    ssm.stop_automation_execution(AutomationExecutionId='{{ automation:EXECUTION_ID }}')\n"+
		"    ssm.describe_document(Name='Attack')\n"))
	id := m.start("Attack")
	m.run()
	m.want("the status", m.execution(id).AutomationExecutionStatus, "Cancelled")
	execution := m.Executions()[0]
	if execution.Status != automation.Cancelled || len(execution.Calls) != 1 {
		t.Errorf("it is %s, and its calls are %+v", execution.Status, execution.Calls)
	}
}

func TestAHundredExecutionsRunAtOnceAndMoreWait(t *testing.T) {
	m := newManager(t)
	m.keep("Sleep", world.Runbook("", sleeps))
	var ids []string
	for range ssm.MaxRunning + 3 {
		ids = append(ids, m.start("Sleep"))
	}
	m.step(ssm.MaxRunning)
	count := func(status string) int {
		n := 0
		for _, id := range ids {
			if string(m.execution(id).AutomationExecutionStatus) == status {
				n++
			}
		}
		return n
	}
	m.want("the number of those that run", count("InProgress"), ssm.MaxRunning)
	m.want("the number of those that wait", count("Pending"), 3)
	m.must(m.cancel(ids[101]))
	m.step(1)
	m.want("the number of those that run once one has ended", count("InProgress"), ssm.MaxRunning-1)
	m.run()
	m.want("the number of those that succeed", count("Success"), ssm.MaxRunning+2)
	began := func(i int) time.Duration {
		return m.Executions()[i].Steps[0].StartTime.Sub(m.Executions()[0].Steps[0].StartTime)
	}
	m.want("when the last began", []time.Duration{began(99), began(100), began(102)}, []time.Duration{0, 10 * time.Second, 10 * time.Second})
}
