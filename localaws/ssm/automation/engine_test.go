package automation

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/repository"
)

// worker is one for all tests, but for those that end it.
var worker = NewWorker(WorkerOptions{Python: repository.Python()})

func TestMain(m *testing.M) {
	code := m.Run()
	if err := worker.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// cloud is a gateway that answers each operation with its answers in turn, the last one again and again. An answer is
// the body of a response, or, if it begins with !, the code of an error. It is also what has been sent.
type cloud struct {
	answers map[string][]string
	sent    []string // operation and body
	keys    []string // the access keys
	urls    []string
	before  func(operation string)
}

func (c *cloud) send(r *http.Request) (Answer, error) {
	operation := r.Header.Get("X-Amz-Target")
	operation = operation[strings.LastIndex(operation, ".")+1:]
	if c.before != nil {
		c.before(operation)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return Answer{}, err
	}
	_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	scope := strings.Split(credential, "/")
	c.sent, c.keys, c.urls = append(c.sent, operation+" "+string(body)), append(c.keys, scope[0]), append(c.urls, r.URL.String())
	answer := "{}"
	if answers := c.answers[operation]; len(answers) > 0 {
		answer = answers[0]
		if len(answers) > 1 {
			c.answers[operation] = answers[1:]
		}
	}
	a := Answer{
		Status: http.StatusOK, Body: []byte(answer), Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}},
		Call: api.Call{Service: scope[3], Operation: operation},
	}
	if operation == "" {
		a.Body = []byte(`<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>`)
	} else if err := json.Unmarshal(body, &a.Call.Input); err != nil {
		return Answer{}, err
	}
	if code, isError := strings.CutPrefix(answer, "!"); isError {
		a.Status, a.ErrorCode = http.StatusBadRequest, code
		a.Body = []byte(`{"__type":"` + code + `","message":"no"}`)
	}
	return a, nil
}

func (c *cloud) operations() []string {
	var names []string
	for _, sent := range c.sent {
		name, _, _ := strings.Cut(sent, " ")
		names = append(names, name)
	}
	return names
}

var noon = time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)

func newEngine(c *cloud) *Engine {
	return &Engine{Worker: worker, Send: c.send, AccessKeyID: "ASIAROLE", Clock: api.NewClock(noon)}
}

// scripted is a document of one step, Repair, that runs a script's function main. The other fields of the step are JSON.
func scripted(script, fields string) string {
	if fields != "" {
		fields = "," + fields
	}
	text, err := json.Marshal(script)
	if err != nil {
		panic(err)
	}
	return `{"schemaVersion": "0.3", "assumeRole": "arn:aws:iam::123456789012:role/guard", "mainSteps": [{"name": "Repair",
		"action": "aws:executeScript", "inputs": {"Runtime": "python3.11", "Handler": "main", "Script": ` + string(text) + `}` + fields + `}]}`
}

// lines is a script whose function main has these lines.
func lines(body ...string) string {
	return "import boto3, datetime, os, random, time\n\ndef main(events, context):\n    " + strings.Join(body, "\n    ") + "\n"
}

func mustParse(t testing.TB, document string) *Document {
	t.Helper()
	doc, err := Parse([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func start(t testing.TB, e *Engine, document string, parameters map[string][]string) *Execution {
	t.Helper()
	execution, err := e.Start(mustParse(t, document), parameters, Options{DocumentName: "guard"})
	if err != nil {
		t.Fatal(err)
	}
	return execution
}

func execute(t testing.TB, e *Engine, document string) *Execution {
	t.Helper()
	execution := start(t, e, document, nil)
	execution.Run(context.Background())
	return execution
}

// interleave steps executions until all have ended.
func interleave(executions []*Execution, choose func(n int) int) {
	for running := slices.Clone(executions); len(running) > 0; {
		i := Next(running, choose)
		execution := running[i]
		running = slices.Delete(running, i, i+1)
		if !execution.Step(context.Background()) {
			running = append(running, execution)
		}
	}
}

func inTurn(int) int { return 0 }

func expect(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

// expectPrefix is for failure messages, which end with a traceback.
func expectPrefix(t *testing.T, got, want string) {
	t.Helper()
	if !strings.HasPrefix(got, want) {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func stepNames(execution *Execution) []string {
	var names []string
	for _, record := range execution.Steps {
		names = append(names, record.Name+" "+string(record.Status))
	}
	return names
}

func declared() map[string][]string {
	return map[string][]string{"AutomationAssumeRole": {"arn:aws:iam::123456789012:role/guard"}, "CloudTrailName": {"org-trail"}}
}

// trail is a cloud with a trail.
func trail() *cloud {
	return &cloud{answers: map[string][]string{"GetTrail": {`{"Trail":{"Name":"org-trail","S3BucketName":"logs"}}`}}}
}

func TestTheRunbookCallsWithItsRole(t *testing.T) {
	c := trail()
	e := newEngine(c)
	var statuses []Status
	e.OnStatus = func(execution *Execution) { statuses = append(statuses, execution.Status) }
	execution := start(t, e, runbook, declared())
	execution.Run(context.Background())

	expect(t, "failure", execution.FailureMessage, "")
	expect(t, "status changes", statuses, []Status{InProgress, Success})
	expect(t, "role", execution.AssumeRole, "arn:aws:iam::123456789012:role/guard")
	expect(t, "steps", stepNames(execution), []string{"Repair Success", "Settle Success", "Report Success"})
	expect(t, "sent", c.sent, []string{`GetTrail {"Name": "org-trail"}`})
	expect(t, "access keys", c.keys, []string{"ASIAROLE"})
	expect(t, "calls", execution.Calls, []CallRecord{{
		Step: "Repair", Service: "cloudtrail", API: "GetTrail", Input: map[string]any{"Name": "org-trail"}, Time: noon,
	}})
	expect(t, "outputs of the step", execution.Steps[0].Outputs, map[string]any{
		"Bucket": "logs", "Trail": map[string]any{"Name": "org-trail", "S3BucketName": "logs"},
	})
	expect(t, "outputs", execution.Outputs, map[string]any{"Repair.Bucket": "logs"})
	// A call of 250 ms, and a sleep of 10 s.
	expect(t, "duration", execution.EndTime.Sub(execution.StartTime), 10250*time.Millisecond)
}

func TestReferencesReachTheScriptWithTheirTypes(t *testing.T) {
	document := strings.Replace(runbook, `return dict(Trail=trail, Bucket=trail["S3BucketName"], Region=region)`,
		`return dict(Trail=dict(events, Region=region, S3BucketName="b"))`, 1)
	parameters := declared()
	parameters["IsMultiRegionTrail"] = []string{"False"}
	parameters["EventSelectors"] = []string{`{"ReadWriteType":"ReadOnly"}`, `{"DataResources":[{"Type":"t"}]}`}
	execution := start(t, newEngine(trail()), document, parameters)
	execution.Run(context.Background())
	expect(t, "failure", execution.FailureMessage, "")
	expect(t, "payload", execution.Steps[0].Outputs["Trail"], map[string]any{
		"Name": "org-trail", "Region": "us-east-1", "S3BucketName": "b",
		"Settings": map[string]any{
			"IsMultiRegionTrail": false,
			"EventSelectors": []any{
				map[string]any{"ReadWriteType": "ReadOnly"}, map[string]any{"DataResources": []any{map[string]any{"Type": "t"}}},
			},
			"Insights": []any{[]any{"ApiCallRateInsight"}, "123456789012-org-trail-3"},
		},
	})
}

func TestFailuresOfAScript(t *testing.T) {
	tests := []struct{ name, script, want string }{
		{"misspelt parameter", lines(`boto3.client("cloudtrail").get_trail(TrailName="t")`),
			"Failure message: ParamValidationError: Parameter validation failed:\n" +
				"Missing required parameter in input: \"Name\"\nUnknown parameter in input: \"TrailName\", must be one of: Name\n  File script.py, line 4, in main\n"},
		{"wrong type of a parameter", lines(`boto3.client("cloudtrail").start_logging(Name=True)`),
			"Failure message: ParamValidationError: Parameter validation failed:\nInvalid type for parameter Name, value: True, type: <class 'bool'>"},
		{"misspelt operation", lines(`boto3.client("cloudtrail").get_trails()`),
			"Failure message: AttributeError: 'CloudTrail' object has no attribute 'get_trails'"},
		{"misspelt service", lines(`boto3.client("cloud-trail")`),
			"Failure message: UnknownServiceError: Unknown service: 'cloud-trail'."},
		{"missing permission", lines(`boto3.client("cloudtrail").stop_logging(Name="t")`),
			"Failure message: AccessDeniedException: An error occurred (AccessDeniedException) when calling the StopLogging operation: no\n" +
				"  File script.py, line 4, in main\n    boto3.client(\"cloudtrail\").stop_logging(Name=\"t\")"},
		{"exception", "def inner():\n    raise ValueError('é')\n\ndef main(events, context):\n    inner()\n",
			"Failure message: ValueError: é\n  File script.py, line 5, in main\n    inner()\n  File script.py, line 2, in inner\n    raise ValueError('é')"},
		{"exit", lines(`raise SystemExit(3)`), "Failure message: SystemExit: 3\n"},
		{"exception that cannot be told", "class E(Exception):\n    def __str__(self):\n        raise self\n\ndef main(events, context):\n    raise E\n",
			"Failure message: what was raised cannot be described"},
		{"syntax", "def main(events, context):\n    retrun 1\n", "Failure message: SyntaxError: invalid syntax (script.py, line 2)"},
		{"module that is not there", "import no_such_module\ndef main(events, context):\n    pass\n",
			"Failure message: ModuleNotFoundError: No module named 'no_such_module'\n  File script.py, line 1, in <module>\n    import no_such_module"},
		{"output that is no JSON", lines(`return datetime.datetime.now()`), "the output is no JSON: Object of type DateTime is not JSON serializable"},
		{"output that is no number", lines(`return float("nan")`), "the output is no JSON: Out of range float values are not JSON compliant"},
		{"output without end", lines(`a = []`, `a.append(a)`, `return a`), "the output is no JSON: Circular reference detected"},
		{"output over 100 kB", lines(`return "x" * 99_999`), "the output has 100001 bytes: at most 100000 are allowed"},
		{"output over 100 kB, although it has fewer characters", lines(`return "é" * 50_000`), "the output has 100002 bytes: at most 100000 are allowed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := &cloud{answers: map[string][]string{"StopLogging": {"!AccessDeniedException"}}}
			execution := execute(t, newEngine(c), scripted(test.script, ""))
			expect(t, "status", execution.Status, Failed)
			expectPrefix(t, execution.FailureMessage, "step Repair: "+test.want)
			if sent := len(c.sent); sent != len(execution.Calls) || sent > 0 && test.name != "missing permission" {
				t.Errorf("sent %v, recorded %v", c.sent, execution.Calls)
			}
		})
	}
	execution := execute(t, newEngine(&cloud{}), scripted(lines(`return "x" * 99_998`), ""))
	expect(t, "status with 100 kB", execution.Status, Success)
}

func TestALongFailureKeepsItsTextAndTheEndOfTheTraceback(t *testing.T) {
	script := "def main(events, context):\n    deeper(200)\n\ndef deeper(n):\n    if n == 0:\n        raise ValueError('v' * 9999)\n    deeper(n - 1)\n"
	execution := execute(t, newEngine(&cloud{}), scripted(script, ""))
	message := execution.Steps[0].FailureMessage
	expectPrefix(t, message, "Failure message: ValueError: vvv")
	if len(message) > 4000 || len(message) < 3900 || !strings.HasSuffix(message, "line 6, in deeper\n    raise ValueError('v' * 9999)") {
		t.Errorf("it has %d characters: %s", len(message), message)
	}
}

func TestOutputsHaveTheirDeclaredTypes(t *testing.T) {
	tests := []struct{ selector, typ, value, want string }{
		{"$.Payload", "String", `"a"`, ""},
		{"$.Payload", "Boolean", `True`, ""},
		{"$.Payload", "Integer", `1`, ""},
		{"$.Payload", "StringList", `["a", "b"]`, ""},
		{"$.Payload", "StringList", `[]`, ""},
		{"$.Payload", "MapList", `[dict(a=1)]`, ""},
		{"$.Payload", "StringMap", `dict(a=1)`, ""},
		{"$.Payload.a.b-c", "Boolean", `{"a": {"b-c": False}}`, ""},
		{"$.Payload", "String", `None`, "output Out is a String: $.Payload must be a string, got null"},
		{"$.Payload", "String", `1`, "output Out is a String: $.Payload must be a string, got the number 1"},
		{"$.Payload", "Boolean", `"true"`, `output Out is a Boolean: $.Payload must be true or false, without quotes, got the string "true"`},
		{"$.Payload", "Integer", `1.5`, "output Out is a Integer: $.Payload must be a whole number, got the number 1.5"},
		{"$.Payload", "StringList", `"a"`, `output Out is a StringList: $.Payload must be a list, got the string "a"`},
		{"$.Payload", "StringList", `["a", 1]`, "output Out is a StringList: $.Payload [1] must be a string, got the number 1"},
		{"$.Payload", "MapList", `["a"]`, `output Out is a MapList: $.Payload [0] must be a map, got the string "a"`},
		{"$.Payload", "StringMap", `[]`, "output Out is a StringMap: $.Payload must be a map, got a list"},
		{"$.Payload.a.b", "String", `dict(a=dict(c=1))`, "output Out: the selector $.Payload.a.b matches nothing"},
		{"$.Payload.a.b", "String", `dict(a="b")`, "output Out: the selector $.Payload.a.b matches nothing"},
		{"$.Payload.a", "String", `None`, "output Out: the selector $.Payload.a matches nothing"},
	}
	for _, test := range tests {
		fields := `"outputs": [{"Name": "Out", "Selector": "` + test.selector + `", "Type": "` + test.typ + `"}]`
		execution := execute(t, newEngine(&cloud{}), scripted(lines("return "+test.value), fields))
		expect(t, test.typ+" from "+test.value, execution.Steps[0].FailureMessage, test.want)
		expect(t, "status", execution.Status == Success, test.want == "")
	}
}

func TestWithoutARoleAScriptHasNoCredentials(t *testing.T) {
	document := scripted(lines(`boto3.client("cloudtrail").get_trail(Name="t")`), "")
	c := trail()
	execution := execute(t, newEngine(c), strings.Replace(document, `"assumeRole": "arn:aws:iam::123456789012:role/guard",`, "", 1))
	expectPrefix(t, execution.FailureMessage, "step Repair: Failure message: NoCredentialsError: Unable to locate credentials")
	expect(t, "sent", c.sent, []string(nil))
	execution = execute(t, newEngine(c), document)
	expect(t, "status with a role", execution.Status, Success)
}

func TestAKeyOfTheScriptsOwnIsNotReplaced(t *testing.T) {
	c := trail()
	execution := execute(t, newEngine(c), scripted(lines(
		`boto3.client("cloudtrail", aws_access_key_id="ASIAOTHER", aws_secret_access_key="s").get_trail(Name="t")`,
		`boto3.session.Session().client("cloudtrail").get_trail(Name="t")`,
	), ""))
	expect(t, "failure", execution.FailureMessage, "")
	expect(t, "access keys", c.keys, []string{"ASIAOTHER", "ASIAROLE"})
}

func TestAScriptSpeaksEveryProtocol(t *testing.T) {
	c := &cloud{}
	execute(t, newEngine(c), scripted(lines(
		`s3 = boto3.client("s3")`,
		`s3.put_object(Bucket="logs", Key="a/b", Body="é")`,
		`s3.put_object(Bucket="logs", Key="c", Body=b"\xff")`,
		`boto3.resource("s3").Bucket("logs").Object("d").delete()`,
		`boto3.client("sns").publish(TopicArn="t", Message="m")`,
	), ""))
	expect(t, "sent", c.sent, []string{" é", " \xff", " ", " Action=Publish&Version=2010-03-31&TopicArn=t&Message=m"})
	expect(t, "addresses", c.urls, []string{"http://127.0.0.1/logs/a/b", "http://127.0.0.1/logs/c", "http://127.0.0.1/logs/d", "http://127.0.0.1/"})
}

func TestAScriptReachesNothingButTheGateway(t *testing.T) {
	for _, test := range []struct{ attempt, event string }{
		{`__import__("socket").create_connection(("127.0.0.1", 9))`, "socket.getaddrinfo"},
		{`__import__("socket").socket().connect(("127.0.0.1", 9))`, "socket.connect"},
		{`__import__("urllib.request").request.urlopen("http://127.0.0.1:9")`, "socket.getaddrinfo"},
		{`__import__("subprocess").run(["true"])`, "subprocess.Popen"},
		{`os.system("true")`, "os.system"},
		{`__import__("threading").Thread(target=print).start()`, "threading.Thread"},
	} {
		execution := execute(t, newEngine(&cloud{}), scripted(lines(test.attempt), ""))
		if !strings.Contains(execution.FailureMessage, test.event+" is not modelled in a script") {
			t.Errorf("%s: %s: %s", test.attempt, execution.Status, execution.FailureMessage)
		}
	}
}

func TestWhatAScriptPrintsDoesNotDisturb(t *testing.T) {
	execution := execute(t, newEngine(trail()), scripted(lines(
		`import subprocess, sys`,
		`print('{"id": 1, "end": {}}', flush=True)`,
		`os.write(1, b"{}\n")`,
		`sys.stdout.write("x" * 200_000)`,
		`sys.__stdout__.flush()`,
		`assert sys.stdin.read() == ""`,
		`boto3.client("cloudtrail").get_trail(Name="t")`,
		`print("done", file=sys.stderr)`,
		`return 1`,
	), ""))
	expect(t, "failure", execution.FailureMessage, "")
}

func TestTheClockOfAScriptIsTheLocalOne(t *testing.T) {
	execution := execute(t, newEngine(trail()), scripted(lines(
		`from datetime import date, datetime as dt, timedelta, timezone`,
		`def clocks():`,
		`    return [time.time(), time.time_ns() / 1e9, time.monotonic(), time.perf_counter(), time.mktime(time.localtime()),`,
		`        dt.now().timestamp(), dt.now(timezone.utc).timestamp(), dt.utcnow().replace(tzinfo=timezone.utc).timestamp()]`,
		`def words():`,
		`    return [time.strftime("%Y-%m-%d", time.gmtime()), time.strftime("%Y"), str(date.today()), str(dt.today().date()), time.ctime()[-4:]]`,
		`first = clocks()`,
		`time.sleep(2)`,
		`assert isinstance(dt.now() - timedelta(hours=1), dt) and isinstance(dt.now(), date) and not isinstance(date.today(), dt)`,
		`boto3.client("cloudtrail").get_trail(Name="t")`,
		`return dict(First=sorted(set(first)), Second=sorted({round(c, 3) for c in clocks()}), Words=words())`,
	), `"outputs": [{"Name": "Clocks", "Selector": "$.Payload", "Type": "StringMap"}]`))
	expect(t, "failure", execution.FailureMessage, "")
	expect(t, "clocks", execution.Steps[0].Outputs["Clocks"], map[string]any{
		"First": []any{float64(noon.Unix())}, "Second": []any{float64(noon.Unix()) + 2, float64(noon.Unix()) + 2.25},
		"Words": []any{"2030-05-01", "2030", "2030-05-01", "2030-05-01", "2030"},
	})
}

func TestThrottledCallsAreRetriedOnTheLocalClock(t *testing.T) {
	run := func() *Execution {
		c := trail()
		c.answers["GetTrail"] = append([]string{"!ThrottlingException", "!ThrottlingException"}, c.answers["GetTrail"]...)
		return execute(t, newEngine(c), scripted(lines(
			`from botocore.config import Config`,
			`boto3.client("cloudtrail", config=Config(retries=dict(mode="standard", max_attempts=3))).get_trail(Name="t")`,
			`time.sleep(500)`, // would be noticed, if it were of a real clock
		), ""))
	}
	execution := run()
	expect(t, "failure", execution.FailureMessage, "")
	var codes []string
	for _, call := range execution.Calls {
		codes = append(codes, call.API+" "+call.ErrorCode)
	}
	expect(t, "calls", codes, []string{"GetTrail ThrottlingException", "GetTrail ThrottlingException", "GetTrail "})
	took := execution.EndTime.Sub(execution.StartTime) - 500*time.Second
	if backoff := took - 3*250*time.Millisecond; backoff <= 0 || backoff > 3*time.Second {
		t.Errorf("the backoff is %v", backoff)
	}
	expect(t, "the second time", run().Calls, execution.Calls)
}

func TestTheQuotaOfRetriesIsEachRunsOwn(t *testing.T) {
	c := &cloud{answers: map[string][]string{"GetTrail": {"!ThrottlingException"}}}
	for range 60 { // the quota of a client is 500, and a retry costs 5
		execution := execute(t, newEngine(c), scripted(lines(
			`from botocore.config import Config`,
			`boto3.client("cloudtrail", config=Config(retries=dict(mode="standard", max_attempts=3))).get_trail(Name="t")`,
		), ""))
		expect(t, "calls", len(execution.Calls), 4)
	}
}

func TestNothingIsLeftForTheNextRun(t *testing.T) {
	document := scripted("seen = []\n"+lines(`seen.append(1)`, `boto3.setup_default_session(aws_access_key_id="a", aws_secret_access_key="b")`,
		`return len(seen)`), `"outputs": [{"Name": "Seen", "Selector": "$.Payload", "Type": "Integer"}]`)
	for range 2 {
		execution := execute(t, newEngine(&cloud{}), document)
		expect(t, "runs seen", execution.Steps[0].Outputs, map[string]any{"Seen": int64(1)})
	}
	c := trail()
	execute(t, newEngine(c), scripted(lines(`boto3.client("cloudtrail").get_trail(Name="t")`), ""))
	expect(t, "access keys", c.keys, []string{"ASIAROLE"})
}

// TestAClientIsLentAgainAsItWasMade: a run marks its client where nobody looks, and the next run finds the mark if it has the same client.
func TestAClientIsLentAgainAsItWasMade(t *testing.T) {
	for name, test := range map[string]struct {
		settings string // of the client
		use      string // what the first run does with it
		next     string // the settings for the next run, unless they are the same
		noRole   bool   // of the next run
		lent     bool
	}{
		"nothing is done":                 {use: `pass`, lent: true},
		"a call is made":                  {use: `c.get_trail(Name="t")`, lent: true},
		"the script fails":                {use: `raise ValueError()`, lent: true},
		"an attribute is set":             {use: `c.mine = 1`},
		"a handler is added":              {use: `c.meta.events.register("before-call", lambda **_: None)`},
		"a handler is removed":            {use: `c.meta.events.unregister("request-created.cloudtrail", c._request_signer.handler)`},
		"a call is refused":               {use: `c.stop_logging(Name="t")`},
		"the script is stopped":           {use: `time.sleep(21)`},
		"there are settings":              {settings: `, retries=dict(max_attempts=2)`, use: `pass`, lent: true},
		"the settings are others":         {use: `pass`, next: `, retries=dict(max_attempts=2)`},
		"a setting is no value":           {settings: `, signature_version=UNSIGNED`, use: `pass`},
		"the client adapts its rate":      {settings: `, retries=dict(mode="adaptive")`, use: `pass`},
		"the next run has no credentials": {use: `pass`, noRole: true},
	} {
		t.Run(name, func(t *testing.T) {
			marking := func(settings, use string) string {
				return scripted(lines(`from botocore import UNSIGNED`, `from botocore.config import Config`,
					`c = boto3.client("cloudtrail", config=Config(user_agent_extra="`+strings.ReplaceAll(name, " ", "-")+`"`+settings+`))`,
					`seen = "mark" in c._cache`, `c._cache["mark"] = True`, use, `return seen`),
					`"timeoutSeconds": 20, "outputs": [{"Name": "Seen", "Selector": "$.Payload", "Type": "Boolean"}]`)
			}
			next := marking(cmp.Or(test.next, test.settings), "pass")
			if test.noRole {
				next = strings.Replace(next, `"assumeRole": "arn:aws:iam::123456789012:role/guard",`, "", 1)
			}
			e := newEngine(&cloud{answers: map[string][]string{"StopLogging": {"!ThrottlingException"}}})
			execute(t, e, marking(test.settings, test.use))
			expect(t, "that the next run has the client", execute(t, e, next).Steps[0].Outputs, map[string]any{"Seen": test.lent})
		})
	}
}

func TestAScriptTimesOut(t *testing.T) {
	tests := []struct {
		name, script, fields, want string
		after                      time.Duration
		calls                      int
	}{
		{"sleeps without end", lines(`while True:`, `    time.sleep(1)`), "", "timed out after 600 s", 600 * time.Second, 0},
		{"sleeps of no time without end", lines(`while True:`, `    time.sleep(0)`), `"timeoutSeconds": 1`, "timed out after 1 s", time.Second, 0},
		{"one long sleep", lines(`time.sleep(10 ** 9)`), "", "timed out after 600 s", 600 * time.Second, 0},
		{"a shorter timeout", lines(`time.sleep(61)`), `"timeoutSeconds": 60`, "timed out after 60 s", 60 * time.Second, 0},
		{"a longer timeout", lines(`time.sleep(601)`), `"timeoutSeconds": 3600`, "timed out after 600 s", 600 * time.Second, 0},
		{"calls without end", lines(`c = boto3.client("cloudtrail")`, `while True:`, `    c.get_trail(Name="t")`), `"timeoutSeconds": 2`,
			"timed out after 2 s", 2250 * time.Millisecond, 9},
		{"a call after a sleep", lines(`time.sleep(600)`, `boto3.client("cloudtrail").get_trail(Name="t")`), "",
			"timed out after 600 s", 600*time.Second + 250*time.Millisecond, 1},
		{"nothing but what is in time", lines(`time.sleep(600)`), "", "", 600 * time.Second, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			execution := execute(t, newEngine(trail()), scripted(test.script, test.fields))
			expect(t, "message", execution.Steps[0].FailureMessage, test.want)
			expect(t, "timed out", execution.Status == TimedOut && execution.Steps[0].Status == TimedOut, test.want != "")
			expect(t, "duration", execution.EndTime.Sub(execution.StartTime), test.after)
			expect(t, "calls", len(execution.Calls), test.calls)
		})
	}
}

func TestTheTimeThatOthersTakeCounts(t *testing.T) {
	e := newEngine(trail())
	execution := start(t, e, scripted(lines(`c = boto3.client("cloudtrail")`, `c.get_trail(Name="t")`, `c.get_trail(Name="t")`), ""), nil)
	execution.Step(context.Background())
	e.Clock.Advance(time.Hour)
	execution.Step(context.Background())
	expect(t, "status", execution.Status, TimedOut)
	expect(t, "calls", len(execution.Calls), 1)
}

// impatiently executes a document whose script computes without end, and waits no more than a second for it. The other scripts of the
// worker have the time that a busy machine takes.
func impatiently(t *testing.T, e *Engine, document string) *Execution {
	t.Helper()
	patience := e.Worker.options.ComputeLimit
	e.Worker.options.ComputeLimit = time.Second
	defer func() { e.Worker.options.ComputeLimit = patience }()
	return execute(t, e, document)
}

func TestAScriptThatComputesWithoutEndIsStopped(t *testing.T) {
	impatient := NewWorker(WorkerOptions{Python: repository.Python()})
	impatient.stopTimeout = time.Minute
	defer impatient.Close()
	e := newEngine(trail())
	e.Worker = impatient
	e.OnFailure = func(err error) { t.Errorf("the simulation failed: %v", err) }
	other := newEngine(trail())
	other.Worker = impatient
	sleeper := start(t, other, scripted(lines(`time.sleep(1)`, `boto3.client("cloudtrail").get_trail(Name="t")`), ""), nil)
	sleeper.Step(context.Background())
	execution := impatiently(t, e, scripted(lines(`while True:`, `    pass`), ""))
	expect(t, "message", execution.FailureMessage, "step Repair: timed out after 600 s")
	expect(t, "status", execution.Status, TimedOut)
	expect(t, "duration", execution.EndTime.Sub(execution.StartTime), 600*time.Second)
	sleeper.Run(context.Background())
	expect(t, "what the other run comes to", sleeper.FailureMessage, "")
}

func TestAScriptThatCannotBeStoppedTakesTheProcessWithIt(t *testing.T) {
	impatient := NewWorker(WorkerOptions{Python: repository.Python()})
	impatient.stopTimeout = 300 * time.Millisecond
	defer impatient.Close()
	e := newEngine(trail())
	e.Worker = impatient
	var failures []error
	e.OnFailure = func(err error) { failures = append(failures, err) }
	sleeper := start(t, e, scripted(lines(`time.sleep(1)`), ""), nil)
	sleeper.Step(context.Background())
	execution := impatiently(t, e, scripted(lines(`while True:`, `    try:`, `        while True:`, `            pass`, `    except BaseException:`, `        pass`), ""))
	expect(t, "status", execution.Status, TimedOut)
	expect(t, "failures so far", len(failures), 0)
	sleeper.Run(context.Background())
	expect(t, "what the other run comes to", sleeper.Status, Failed)
	expect(t, "failures of the simulation", len(failures), 1)
	execution = execute(t, e, scripted(lines(`boto3.client("cloudtrail").get_trail(Name="t")`), ""))
	expect(t, "the next run", execution.FailureMessage, "")
}

func TestAProcessThatEndsIsAFailureOfTheSimulation(t *testing.T) {
	own := NewWorker(WorkerOptions{Python: repository.Python()})
	defer own.Close()
	e := newEngine(trail())
	e.Worker = own
	var failures []error
	e.OnFailure = func(err error) { failures = append(failures, err) }
	execution := execute(t, e, scripted(lines(`os.write(2, b"last words")`, `os._exit(1)`), ""))
	expect(t, "status", execution.Status, Failed)
	if len(failures) != 1 || !strings.Contains(failures[0].Error(), "python has ended: last words") {
		t.Errorf("the failures are %v", failures)
	}
	execution = execute(t, e, scripted(look, ""))
	expect(t, "the next run", execution.FailureMessage, "")
	if err := own.Close(); err != nil {
		t.Error(err)
	}
	execution = execute(t, e, scripted(look, ""))
	expect(t, "after Close", execution.FailureMessage, "step Repair: the worker is closed")
}

func TestAMissingInterpreterIsAnErrorThatNamesTheRemedy(t *testing.T) {
	e := newEngine(&cloud{})
	e.Worker = NewWorker(WorkerOptions{Python: "/nowhere/python"})
	execution := execute(t, e, scripted(look, ""))
	expectPrefix(t, execution.FailureMessage, "step Repair: starting python: no interpreter (run `make setup`): ")
	expect(t, "closing what never started", e.Worker.Close(), nil)
}

// look is a script of one call.
var look = lines(`return boto3.client("cloudtrail").get_trail(Name="t")["Trail"]`)

func TestOneStepIsOneCallOrOneSleep(t *testing.T) {
	c := trail()
	e := newEngine(c)
	execution := start(t, e, scripted(lines(
		`c = boto3.client("cloudtrail")`, `c.get_trail(Name="t")`, `c.start_logging(Name="t")`, `time.sleep(7)`, `c.get_trail(Name="t")`,
	), ""), nil)
	expect(t, "status", execution.Status, Pending)
	var steps []string
	for done := false; !done; {
		done = execution.Step(context.Background())
		steps = append(steps, fmt.Sprintf("%d calls at %s", len(c.sent), e.Clock.Now().Format("05.00")))
	}
	expect(t, "steps", steps, []string{"1 calls at 00.25", "2 calls at 00.50", "2 calls at 07.50", "3 calls at 07.75"})
	if !execution.Step(context.Background()) {
		t.Error("an execution that has ended goes on")
	}
	expect(t, "calls after the end", len(execution.Calls), 3)
}

func TestScriptsInterleaveCallByCall(t *testing.T) {
	document := scripted(lines(
		`c = boto3.client("cloudtrail")`, `for _ in range(3):`, `    c.get_trail(Name="t")`, `    time.sleep(random.random())`, `    c.start_logging(Name="t")`,
	), "")
	run := func(choose func(n int) int) []string {
		c := trail()
		e := newEngine(c)
		executions := []*Execution{start(t, e, document, nil), start(t, e, document, nil)}
		if executions[0].ID == executions[1].ID {
			t.Errorf("both executions are %s", executions[0].ID)
		}
		var order []string
		c.before = func(operation string) { order = append(order, operation+" "+e.Clock.Now().Format("05.000000")) }
		interleave(executions, choose)
		for _, execution := range executions {
			expect(t, "failure", execution.FailureMessage, "")
			expect(t, "calls", len(execution.Calls), 6)
		}
		return order
	}
	first := run(inTurn)
	expect(t, "first calls", []string{first[0], first[1]}, []string{"GetTrail 00.000000", "GetTrail 00.250000"})
	expect(t, "the second time", run(inTurn), first)
	seeded := func() func(n int) int { return rand.New(rand.NewPCG(1, 2)).IntN }
	other := run(seeded())
	expect(t, "the second time in another order", run(seeded()), other)
	if reflect.DeepEqual(first, other) {
		t.Error("the order does not matter: the test proves nothing")
	}
}

func TestAnAttackerComesBetweenTwoCalls(t *testing.T) {
	c := trail()
	execution := start(t, newEngine(c), scripted(lines(
		`c = boto3.client("cloudtrail")`, `before = c.get_trail(Name="t")`, `after = c.get_trail(Name="t")`,
		`return [before["Trail"]["S3BucketName"], after["Trail"]["S3BucketName"]]`,
	), `"outputs": [{"Name": "Buckets", "Selector": "$.Payload", "Type": "StringList"}]`), nil)
	execution.Step(context.Background())
	c.answers["GetTrail"] = []string{`{"Trail":{"S3BucketName":"evil"}}`}
	execution.Run(context.Background())
	expect(t, "buckets", execution.Steps[0].Outputs["Buckets"], []any{"logs", "evil"})
}

func TestSleepsPassAtTheSameTime(t *testing.T) {
	sleeps := scripted(lines(`time.sleep(100)`, `time.sleep(10)`), "")
	waits := `{"schemaVersion": "0.3", "mainSteps": [{"name": "Wait", "action": "aws:sleep", "inputs": {"Duration": "PT1M"}}]}`
	fails := scripted(lines(`raise ValueError`), `"maxAttempts": 3`)
	e := newEngine(&cloud{})
	e.RetryInterval = 30 * time.Second
	var executions []*Execution
	for range 3 {
		executions = append(executions, start(t, e, sleeps, nil), start(t, e, waits, nil), start(t, e, fails, nil))
	}
	interleave(executions, inTurn)
	for i, want := range []time.Duration{110 * time.Second, time.Minute, time.Minute} {
		for ; i < len(executions); i += 3 {
			expect(t, "duration", executions[i].EndTime.Sub(executions[i].StartTime), want)
		}
	}
	expect(t, "clock", e.Clock.Now().Sub(noon), 110*time.Second)
}

func TestSixtyScriptsRunAtOnce(t *testing.T) {
	document := scripted(lines(
		`c = boto3.client("cloudtrail")`, `for i in range(5):`, `    c.get_trail(Name=str(i))`, `    time.sleep(1)`, `return c.meta.region_name`,
	), "")
	t.Run("in turn", func(t *testing.T) {
		c := trail()
		e := newEngine(c)
		var executions []*Execution
		for range 60 {
			executions = append(executions, start(t, e, document, nil))
		}
		interleave(executions, inTurn)
		for _, execution := range executions {
			expect(t, "failure", execution.FailureMessage, "")
		}
		expect(t, "calls", len(c.sent), 300)
	})
	t.Run("in parallel", func(t *testing.T) {
		var wait sync.WaitGroup
		executions := make([]*Execution, 60)
		for i := range executions {
			executions[i] = start(t, newEngine(trail()), document, nil)
			wait.Go(func() { executions[i].Run(context.Background()) })
		}
		wait.Wait()
		for _, execution := range executions {
			expect(t, "failure", execution.FailureMessage, "")
			expect(t, "duration", execution.EndTime.Sub(execution.StartTime), 5*time.Second+5*250*time.Millisecond)
		}
	})
}

func TestACancelledExecutionEnds(t *testing.T) {
	loops := scripted(lines(`c = boto3.client("cloudtrail")`, `try:`, `    while True:`, `        c.get_trail(Name="t")`, `finally:`, `    c.stop_logging(Name="t")`), "")
	c := trail()
	e := newEngine(c)
	var statuses []Status
	e.OnStatus = func(execution *Execution) { statuses = append(statuses, execution.Status) }

	execution := start(t, e, loops, nil)
	execution.Step(context.Background())
	execution.Cancel()
	if !execution.Step(context.Background()) {
		t.Error("it goes on")
	}
	expect(t, "statuses", statuses, []Status{InProgress, Cancelled})
	expect(t, "steps", stepNames(execution), []string{"Repair Cancelled"})
	expect(t, "sent", c.operations(), []string{"GetTrail"})

	execution = start(t, e, loops, nil)
	c.before = func(string) { execution.Cancel() }
	if !execution.Step(context.Background()) {
		t.Error("an execution that cancels itself goes on")
	}
	expect(t, "status", execution.Status, Cancelled)
	expect(t, "calls", len(execution.Calls), 1)

	execution = start(t, e, loops, nil)
	execution.Cancel()
	execution.Run(context.Background())
	expect(t, "status of one that never ran", execution.Status, Cancelled)
	expect(t, "its steps", stepNames(execution), []string(nil))

	before := e.Clock.Now()
	execution = start(t, e, scripted(lines(`time.sleep(300)`), ""), nil)
	execution.Step(context.Background())
	execution.Cancel()
	execution.Run(context.Background())
	expect(t, "status of one that sleeps", execution.Status, Cancelled)
	expect(t, "time that it took", e.Clock.Now().Sub(before), time.Duration(0))
}

func TestAnEndedContextEndsTheScript(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	c := trail()
	c.before = func(string) { cancel() }
	execution := start(t, newEngine(c), scripted(lines(`boto3.client("cloudtrail").get_trail(Name="t")`, `while True:`, `    pass`), ""), nil)
	execution.Run(ctx)
	expect(t, "message", execution.FailureMessage, "step Repair: waiting for the script: context canceled")
}

func TestAFailedAttemptIsMadeAgain(t *testing.T) {
	c := &cloud{answers: map[string][]string{"GetTrail": {"!InternalError", "!InternalError", `{"Trail":{}}`}}}
	e := newEngine(c)
	e.CallDuration, e.RetryInterval = time.Second, 4*time.Second
	execution := execute(t, e, scripted(look, `"maxAttempts": 3`))
	expect(t, "status", execution.Status, Success)
	expect(t, "attempts", execution.Steps[0].Attempts, 3)
	expect(t, "message", execution.Steps[0].FailureMessage, "")
	expect(t, "duration", execution.EndTime.Sub(execution.StartTime), 11*time.Second)

	c = &cloud{answers: map[string][]string{"GetTrail": {"!InternalError"}}}
	execution = execute(t, newEngine(c), scripted(look, `"maxAttempts": 3`))
	expect(t, "status", execution.Status, Failed)
	expect(t, "sent", len(c.sent), 3)
}

// flow is a document of the steps A, B and C, of which A fails.
func flow(fields string) string {
	script := func(name, body, fields string) string {
		return `{"name": "` + name + `", "action": "aws:executeScript", "inputs": {"Runtime": "python3.11", "Handler": "main",
			"Script": "def main(events, context):\n    ` + body + `\n"}` + fields + `}`
	}
	return `{"schemaVersion": "0.3", "mainSteps": [` + script("A", "raise ValueError('a')", fields) + "," + script("B", "pass", "") + "," +
		script("C", "return 1", `, "outputs": [{"Name": "One", "Selector": "$.Payload", "Type": "Integer"}]`) + `], "outputs": ["C.One"]}`
}

func TestAFailureDecidesAboutTheNextStep(t *testing.T) {
	tests := []struct {
		fields  string
		status  Status
		steps   []string
		outputs map[string]any
	}{
		{"", Failed, []string{"A Failed"}, map[string]any{}},
		{`, "onFailure": "Abort", "isCritical": false`, Failed, []string{"A Failed"}, map[string]any{}},
		{`, "onFailure": "Continue"`, Success, []string{"A Failed", "B Success", "C Success"}, map[string]any{"C.One": int64(1)}},
		{`, "onFailure": "Continue", "isCritical": true`, Failed, []string{"A Failed", "B Success", "C Success"}, map[string]any{"C.One": int64(1)}},
		{`, "onFailure": "Continue", "nextStep": "C"`, Success, []string{"A Failed", "C Success"}, map[string]any{"C.One": int64(1)}},
		{`, "onFailure": "Continue", "isEnd": true`, Success, []string{"A Failed"}, map[string]any{}},
		{`, "onFailure": "step:C"`, Failed, []string{"A Failed", "C Success"}, map[string]any{"C.One": int64(1)}},
		{`, "onFailure": "step:C", "isCritical": false`, Success, []string{"A Failed", "C Success"}, map[string]any{"C.One": int64(1)}},
	}
	for _, test := range tests {
		execution := execute(t, newEngine(&cloud{}), flow(test.fields))
		expect(t, "status with "+test.fields, execution.Status, test.status)
		expect(t, "steps", stepNames(execution), test.steps)
		expect(t, "outputs", execution.Outputs, test.outputs)
		message := ""
		if test.status == Failed {
			message = "step A: Failure message: ValueError: a\n  File script.py, line 2, in main\n    raise ValueError('a')"
		}
		expect(t, "message", execution.FailureMessage, message)
	}
}

func TestAReferenceToAStepThatFailedFailsTheStep(t *testing.T) {
	execution := start(t, newEngine(&cloud{answers: map[string][]string{"GetTrail": {"!TrailNotFoundException"}}}), runbook, declared())
	execution.Run(context.Background())
	expect(t, "steps", stepNames(execution), []string{"Repair Failed", "Settle Success", "Report Failed"})
	report, _ := execution.Record("Report")
	expect(t, "message", report.FailureMessage, "{{ Repair.Bucket }} has no value: step Repair did not succeed")
}

func TestParametersAreRefusedAtTheStart(t *testing.T) {
	long := strings.Repeat("x", 513)
	document := `{"schemaVersion": "0.3", "parameters": {
		"Name": {"type": "String", "allowedValues": ["a", "b"]},
		"Role": {"type": "String", "allowedPattern": "arn:.*", "default": "arn:x"},
		"Flag": {"type": "Boolean", "default": false},
		"Count": {"type": "Integer", "default": 1, "allowedValues": [1, 2]},
		"Names": {"type": "StringList", "default": [], "allowedValues": ["a", "b"]},
		"Maps": {"type": "MapList", "default": [], "allowedValues": [{"A": 1, "B": [true]}]}},
		"mainSteps": [{"name": "Wait", "action": "aws:sleep", "inputs": {"Duration": "PT1S"}}]}`
	tests := []struct {
		name, want string
		given      map[string][]string
	}{
		{"nothing wrong", "", map[string][]string{"Name": {"a"}, "Flag": {"True"}, "Count": {"2"}, "Names": {"a", "b"}, "Maps": {`{"B":[true],"A":1}`}}},
		{"required", "parameter Name is required", nil},
		{"unknown", "parameter name is not defined in the document; parameter Name is required", map[string][]string{"name": {"a"}}},
		{"not allowed", `parameter Name: "c" is not one of the allowedValues ["a","b"]`, map[string][]string{"Name": {"c"}}},
		{"two values", `parameter Name: must have one value, got 2`, map[string][]string{"Name": {"a", "b"}}},
		{"pattern", `parameter Role: "x arn:" does not match the allowedPattern arn:.*`, map[string][]string{"Name": {"a"}, "Role": {"x arn:"}}},
		{"boolean", `parameter Flag: value 0 must be true or false, got "yes"`, map[string][]string{"Name": {"a"}, "Flag": {"yes"}}},
		{"number", `parameter Count: value 0 must be a whole number, got "one"`, map[string][]string{"Name": {"a"}, "Count": {"one"}}},
		{"number that is not allowed", `parameter Count: 3 is not one of the allowedValues [1,2]`, map[string][]string{"Name": {"a"}, "Count": {"3"}}},
		{"item", `parameter Names: [1] "c" is not one of the allowedValues ["a","b"]`, map[string][]string{"Name": {"a"}, "Names": {"a", "c"}}},
		{"map", `parameter Maps: [0] {"A":1,"B":[false]} is not one of the allowedValues [{"A":1,"B":[true]}]`, map[string][]string{"Name": {"a"}, "Maps": {`{"A":1,"B":[false]}`}}},
		{"map with a key twice", `parameter Maps: value 0 must be a JSON object: the key "A" is given twice`, map[string][]string{"Name": {"a"}, "Maps": {`{"A":1,"A":2}`}}},
		{"text that is no map", `parameter Maps: [0] must be a map, got the string "a"`, map[string][]string{"Name": {"a"}, "Maps": {`"a"`}}},
		{"two maps in one text", `parameter Maps: value 0 must be a JSON object: something follows the value`, map[string][]string{"Name": {"a"}, "Maps": {`{} {}`}}},
		{"long", `parameter Role: value 0 has 513 characters: at most 512 are allowed`, map[string][]string{"Name": {"a"}, "Role": {long}}},
		{"all at once", `parameter Flag: value 0 must be true or false, got ""; parameter Name: "" is not one of the allowedValues ["a","b"]`, map[string][]string{"Name": {""}, "Flag": {""}}},
	}
	doc := mustParse(t, document)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := newEngine(&cloud{}).Start(doc, test.given, Options{})
			if test.want == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			var refused *api.Error
			if !errors.As(err, &refused) {
				t.Fatalf("got %v, want an *api.Error", err)
			}
			expect(t, "code", refused.Code, "InvalidAutomationExecutionParametersException")
			expect(t, "message", refused.Message, test.want)
		})
	}
}

func TestForeignValuesAreRefusedByAllowedValues(t *testing.T) {
	parameters := declared()
	parameters["CloudTrailName"] = []string{"attackers-trail"}
	_, err := newEngine(trail()).Start(mustParse(t, runbook), parameters, Options{})
	want := `InvalidAutomationExecutionParametersException: parameter CloudTrailName: "attackers-trail" is not one of the allowedValues ["org-trail"]`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// BenchmarkTenCalls is one run of a script that makes two clients and ten calls: go test -bench TenCalls.
func BenchmarkTenCalls(b *testing.B) {
	e, doc := newEngine(trail()), mustParse(b, scripted(lines(
		`cloudtrail, config = boto3.client("cloudtrail"), boto3.client("config")`,
		`for _ in range(8):`, `    cloudtrail.get_trail(Name="t")`,
		`for _ in range(2):`, `    config.describe_config_rules()`,
	), ""))
	for b.Loop() {
		execution, err := e.Start(doc, nil, Options{})
		if err != nil {
			b.Fatal(err)
		}
		if execution.Run(context.Background()); execution.Status != Success {
			b.Fatal(execution.FailureMessage)
		}
	}
}
