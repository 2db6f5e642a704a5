package main

import (
	"encoding/json"
	"html"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// golden is the template that the repository's app makes by default.
const golden = "../../../constructs/trailguard/testdata/default.template.json"

func environment() []string { return os.Environ() }

func keys(id string) aws.Credentials {
	return aws.Credentials{AccessKeyID: id, SecretAccessKey: "secret"}
}

// report is the JSON report, by its documented names.
type jsonReport struct {
	Simulated []string
	Scenarios []struct {
		ID, Call, Caller, Path, Expected string
		Repaired                         bool
		CallsToLogging                   *int `json:"calls_to_logging"`
		Calls                            *int
		Seconds                          *float64
		Unmet                            []string
		Message                          *string
	}
	NotRun      []struct{ ID, Call, Path, Why string } `json:"not_run"`
	Assumptions []struct {
		ID, Statement, Verdict, Why string
		IfWrong                     string `json:"if_wrong"`
	}
}

func parseReport(t *testing.T, stdout string) jsonReport {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(stdout))
	decoder.DisallowUnknownFields()
	var report jsonReport
	if err := decoder.Decode(&report); err != nil || decoder.More() {
		t.Fatalf("standard output is not one report: %v\n%s", err, stdout)
	}
	for _, s := range report.Scenarios {
		if s.CallsToLogging == nil || s.Calls == nil || s.Seconds == nil || s.Unmet == nil || s.Message == nil {
			t.Fatalf("a member is missing in %+v", s)
		}
	}
	return report
}

// TestTheMainJobRunsTheRealCDK synthesizes the app, deploys it with cdk deploy, and drills.
func TestTheMainJobRunsTheRealCDK(t *testing.T) {
	got := call(t, nil, "drill", "--local", "--scenario", "T01", "--json")
	if got.code != exitRepaired {
		t.Fatalf("exit code %d:\n%s", got.code, got.stderr)
	}
	report := parseReport(t, got.stdout)
	if len(report.Simulated) == 0 || len(report.Scenarios) != 8 { // by events in two forms by three callers, and once by Config and by the schedule
		t.Fatalf("the report is\n%s", got.stdout)
	}
	for _, s := range report.Scenarios {
		if !s.Repaired || *s.CallsToLogging != 1 || *s.Calls != 1 || *s.Seconds <= 0 || !strings.HasPrefix(*s.Message, "REPAIRED: CloudTrail trail trailguard\n") {
			t.Errorf("not as promised: %+v", s)
		}
	}
	for _, want := range []string{
		"cdk synth", "cdk deploy TrailGuard", "stack TrailGuard is deployed", "called create_trail, start_logging, put_insight_selectors", "the root user stops the trail",
		"people are told:", "IsLogging: found false, declared true", "trail trailguard is logging, and 12 settings are as declared",
	} {
		if !strings.Contains(got.stderr, want) {
			t.Errorf("%q is not in the timeline:\n%s", want, got.stderr)
		}
	}
}

func TestTheLocalDrillRepairsATemplateOnEachPathAlone(t *testing.T) {
	page := t.TempDir() + "/drill.html"
	got := call(t, nil, "drill", "--local", "--template", golden, "--scenario", "T02,T08,T11,T14,T15", "--html", page)
	if got.code != exitRepaired || got.stderr != "" {
		t.Fatalf("exit code %d:\n%s\n%s", got.code, got.stderr, got.stdout)
	}
	for _, want := range []string{
		"SIMULATED: CloudTrail, ", "they claim nothing about AWS's latency", "40 of 40 repaired",
		"Not run: T11 cloudtrail UpdateTrail SnsTopicName=\"\": not applicable: the trail has no SNS topic\n",
	} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("%q is not in\n%s", want, got.stdout)
		}
	}
	_, report, _ := strings.Cut(got.stdout, "\n\n")
	if !strings.HasPrefix(report, "Drill of trail trailguard\nOne of 40 attempts, in 5 scenarios; all are below.\n\nWhat was attacked\n  Trail trailguard: root called cloudtrail DeleteTrail, by name.") ||
		!strings.Contains(report, "\n  REPAIRED: CloudTrail trail trailguard\n") {
		t.Errorf("the report does not begin with what happened:\n%s", report)
	}
	rows := 0
	for line := range strings.Lines(report) {
		if cells := strings.Fields(line); strings.HasPrefix(line, "T15") {
			rows++
			if !slices.Equal(cells[len(cells)-3:], []string{"refused", "refused", "refused"}) {
				t.Errorf("T15 is %q", line)
			}
		}
	}
	if rows != 1 || strings.Contains(report, "TO LOGGING") || strings.Contains(got.stdout, "people are told:") {
		t.Errorf("there are %d rows of T15, or details that nobody asked for, in\n%s", rows, got.stdout)
	}
	written, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Drill of trail trailguard", "<strong>Simulated:</strong> CloudTrail, ", "40 of 40 repaired", "logging stopped +0 s, ", "REPAIRED: CloudTrail trail trailguard",
		"123456789012, us-east-1 (simulated)", "Not run", "calls cloudtrail DeleteTrail, by ", "the drill sees: all is as declared",
	} {
		if !strings.Contains(html.UnescapeString(string(written)), want) {
			t.Errorf("%q is not in the page", want)
		}
	}
}

// TestTheLogStoreAndTheGuardAreDrilledOnThisMachine: each way of the catalogue, by each caller, and all is as before.
func TestTheLogStoreAndTheGuardAreDrilledOnThisMachine(t *testing.T) {
	got := call(t, nil, "drill", "--local", "--template", golden, "--scenario", inOneList("T20", "T48"), "--json")
	if got.code != exitRepaired || !strings.Contains(got.stderr, " parts of the guard and its log store are as before the drill\n") {
		t.Fatalf("exit code %d:\n%s", got.code, got.stderr)
	}
	report := parseReport(t, got.stdout)
	done, callers := map[string]bool{}, map[string]int{}
	for _, s := range report.Scenarios {
		callers[s.Caller]++
		if !s.Repaired || len(s.Unmet) > 0 {
			t.Errorf("not as promised: %+v", s)
		}
		done[s.ID+" "+s.Expected+" "+s.Path] = true
		switch refused := strings.Contains(s.Call, "(refused: "); {
		case s.Expected == "told" && !refused && !strings.HasPrefix(*s.Message, "TAMPERING: "):
			t.Errorf("people are told %q of %s", *s.Message, s.Call)
		case s.Expected == "repaired" && (!strings.HasPrefix(*s.Message, "REPAIRED: log store trailguard\n") || *s.Calls == 0):
			t.Errorf("after %s people are told %q of %d calls", s.Call, *s.Message, *s.Calls)
		}
	}
	for _, id := range []string{"T20", "T21", "T22", "T24", "T26", "T27", "T28", "T29", "T30", "T31"} {
		if !done[id+" repaired event"] || !done[id+" repaired schedule"] {
			t.Errorf("%s is not repaired on each path", id)
		}
	}
	for _, id := range []string{"T23", "T31", "T32", "T33", "T34", "T35", "T36", "T37", "T38", "T39", "T40", "T41", "T43", "T44", "T48"} {
		if !done[id+" told event"] {
			t.Errorf("people are not told of %s", id)
		}
	}
	if len(callers) != 3 || callers["root"] < 20 || callers["IAM user"] < 20 || callers["assumed role"] < 20 {
		t.Errorf("the callers tamper %v times", callers)
	}
	why := map[string]string{}
	for _, one := range report.NotRun {
		if one.Path == "" {
			why[one.ID] = one.Why
		}
	}
	for id, want := range map[string]string{"T25": "prevention only: ", "T42": "not applicable: ", "T45": "a drill is of one account", "T46": "a drill is of one account", "T47": "a drill is of one account"} {
		if !strings.HasPrefix(why[id], want) && id != "T42" || why[id] == "" {
			t.Errorf("%s is not run because %q, not because %q", id, why[id], want)
		}
	}
}

// TestWhatIsNeitherRepairedNorToldIsReportedAndPutBack is the negative control: a role that may not restore versioning, and a notice that tells nobody.
func TestWhatIsNeitherRepairedNorToldIsReportedAndPutBack(t *testing.T) {
	content, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	weak := t.TempDir() + "/template.json"
	if err := os.WriteFile(weak, []byte(strings.ReplaceAll(string(content), `"s3:PutBucketVersioning"`, `"s3:GetBucketTagging"`)), 0o600); err != nil {
		t.Fatal(err)
	}
	template := change(t, weak, func(resource map[string]any) bool {
		properties, _ := resource["Properties"].(map[string]any)
		if pattern, err := json.Marshal(properties["EventPattern"]); err == nil && strings.Contains(string(pattern), "DeleteStack") {
			delete(properties, "Targets")
		}
		return true
	})
	page := t.TempDir() + "/drill.html"
	got := call(t, nil, "drill", "--local", "--template", template, "--scenario", "T20,T24,T43", "--path", "event", "--verbose", "--html", page)
	if got.code != exitUnrepaired || got.stderr != "trailguard: not everything was repaired\n" {
		t.Fatalf("exit code %d:\n%s", got.code, got.stderr)
	}
	for _, want := range []string{
		"NOT REPAIRED", "NOT TOLD", "NO, put back by the drill", "4 of 6 repaired. 0 of 2 told once.", "versioning of the log bucket is \"Suspended\", want \"Enabled\"",
		"T43, event path: people were not told\n", "The drill put the log store back.", " parts of the guard and its log store are as before the drill\n",
	} {
		if !strings.Contains(strings.Join(strings.Fields(got.stdout), " ")+got.stdout, want) {
			t.Errorf("%q is not in\n%s", want, got.stdout)
		}
	}
	if written, err := os.ReadFile(page); err != nil || !strings.Contains(string(written), "Not everything was repaired") || !strings.Contains(string(written), `class="outcome bad">NOT TOLD`) {
		t.Errorf("the page does not say so: %v", err)
	}
}

// TestWhatAStackDoesWithoutIsNotGuarded: the drill says so, and tampers with nothing that nobody would repair.
func TestWhatAStackDoesWithoutIsNotGuarded(t *testing.T) {
	got := call(t, nil, "drill", "--local", "--template", strings.Replace(golden, "default", "without-store", 1), "--scenario", "T20,T22,T44", "--path", "event")
	if got.code != exitRepaired || got.stderr != "" || !strings.Contains(got.stdout, "0 of 0 repaired. 2 of 2 told once.") ||
		!strings.Contains(got.stdout, "\nNot run: T20, T22: not guarded: the stack does not repair its log store\n") {
		t.Errorf("exit code %d:\n%s\n%s", got.code, got.stderr, got.stdout)
	}
}

func TestAPathThatTheStackLacksIsNamed(t *testing.T) {
	template := change(t, golden, func(resource map[string]any) bool {
		// What tells of undelivered events goes with the rules.
		return !slices.Contains([]any{"AWS::Events::Rule", "AWS::CloudWatch::Alarm", "AWS::SQS::QueuePolicy"}, resource["Type"])
	})
	got := call(t, nil, "drill", "--local", "--template", template, "--path", "event")
	if want := "trailguard: --path \"event\": stack TrailGuard has no such path: use one of [\"config\"]\n"; got.code != exitInput || got.stderr != want {
		t.Errorf("exit code %d, stderr %q, want %q", got.code, got.stderr, want)
	}
}

// TestWithoutTheScheduleTheMainJobFails is its negative control: nothing starts the runbook at the end of the deployment.
func TestWithoutTheScheduleTheMainJobFails(t *testing.T) {
	template := change(t, golden, func(resource map[string]any) bool {
		if slices.Contains([]any{"AWS::SQS::QueuePolicy", "AWS::CloudWatch::Alarm"}, resource["Type"]) {
			return false // they name the schedule's rule
		}
		properties, _ := resource["Properties"].(map[string]any)
		return properties["ScheduleExpression"] == nil && resource["Type"] != "AWS::Config::RemediationConfiguration"
	})
	got := call(t, nil, "drill", "--local", "--template", template)
	want := "trailguard: not everything was repaired: after the deployment trail trailguard is not as declared: there is no trail\n"
	if got.code != exitUnrepaired || got.stderr != want {
		t.Errorf("exit code %d, stderr %q, want %q", got.code, got.stderr, want)
	}
}

func TestATemplateWithoutAGuardIsNamed(t *testing.T) {
	template := t.TempDir() + "/template.json"
	if err := os.WriteFile(template, []byte(`{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}, "Outputs": {"TrailName": {"Value": "x"}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	got := call(t, nil, "drill", "--local", "--template", template)
	want := "trailguard: no guard: stack TrailGuard lacks the outputs TrailArn, LogBucketName, LogKeyArn, AutomationRoleArn, RunbookName: " +
		"name a stack in which TrailGuard is deployed\n"
	if got.code != exitInput || got.stderr != want {
		t.Errorf("exit code %d, stderr %q, want %q", got.code, got.stderr, want)
	}
}

// change writes a template with only the resources that are kept, and without the outputs that are then void.
func change(t *testing.T, file string, keep func(resource map[string]any) bool) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Resources, Outputs map[string]map[string]any
	}
	if err := json.Unmarshal(content, &template); err != nil {
		t.Fatal(err)
	}
	before := len(template.Resources)
	for name, resource := range template.Resources {
		if !keep(resource) {
			delete(template.Resources, name)
		}
	}
	changed, err := json.Marshal(template)
	if err != nil {
		t.Fatal(err)
	}
	if len(template.Resources) == before && len(changed) == len(content) {
		t.Fatal("there is nothing to take away")
	}
	path := t.TempDir() + "/template.json"
	if err := os.WriteFile(path, changed, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMissingToolsAreNamedWithTheCommandThatInstallsThem(t *testing.T) {
	got := call(t, func(p *program) { p.environ = append(p.environ, "TRAILGUARD_PYTHON=/no/such/python") }, "drill", "--local")
	if want := "trailguard: /no/such/python is missing: run `make setup`\n"; got.code != exitEnvironment || got.stderr != want {
		t.Errorf("exit code %d, stderr %q, want %q", got.code, got.stderr, want)
	}
	t.Chdir(t.TempDir())
	got = call(t, nil, "drill", "--local")
	if want := "trailguard: the local drill needs TrailGuard's repository: change into it and run `make drill`\n"; got.code != exitInput || got.stderr != want {
		t.Errorf("exit code %d, stderr %q, want %q", got.code, got.stderr, want)
	}
}
