package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/localaws"
	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/catalog"
	localtrail "github.com/trailguard/trailguard/localaws/cloudtrail"
	"github.com/trailguard/trailguard/localaws/repository"
)

// guarded is a local AWS with a guard, to which the usual credential chain leads.
type guarded struct {
	localDrill
	t *testing.T
}

// newGuarded starts a local AWS, deploys a template in it and lets the end of the deployment create the trail.
func newGuarded(t *testing.T, template string) *guarded {
	t.Helper()
	p := &program{environ: environment()}
	found, err := p.findTools()
	if err != nil {
		t.Fatal(err)
	}
	local, err := localaws.Start(t.Context(), localaws.Options{
		Python: found.python, NodeModules: found.nodeModules, Organization: localtrail.ManagementAccount, OrganizationID: "o-a1b2c3d4e5",
		Start: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), // before the runbook's runtime comes to its end
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := local.Close(); err != nil {
			t.Error(err)
		}
	})
	g := &guarded{localDrill{
		screen: &screen{w: io.Discard}, local: local, clients: drill.NewClients(local.Config(localaws.Administrator)),
	}, t}
	if err := g.deploy(t.Context(), p, drillOptions{template: template}, found); err != nil {
		t.Fatal(err)
	}
	if err := g.firstLook(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := sns.NewFromConfig(local.Config(localaws.Administrator)).Subscribe(t.Context(), &sns.SubscribeInput{
		TopicArn: aws.String(g.guard.AlertTopicARN), Protocol: aws.String("https"), Endpoint: aws.String("https://people.example.com"),
	}); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": local.URL(), "AWS_REGION": api.Region, "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_CONFIG_FILE": "/dev/null",
		"AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
	} {
		t.Setenv(name, value)
	}
	g.drillAs(t, drillRole)
	roles, name := iam.NewFromConfig(local.Config(localaws.Administrator)), aws.String(drillRole.Name())
	if _, err := roles.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + api.Account + `"},"Action":"sts:AssumeRole"}]}`)}); err != nil {
		t.Fatal(err)
	}
	if _, err := roles.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: name, PolicyName: name, PolicyDocument: aws.String(drillPolicy(t))}); err != nil {
		t.Fatal(err)
	}
	return g
}

// drillRole is who drills: it has the policy of the examples and nothing else. somebody may do everything.
var (
	drillRole = api.Principal{Type: api.AssumedRole, ARN: "arn:" + api.Partition + ":iam::" + api.Account + ":role/drill", SessionName: "drill"}
	somebody  = api.Principal{Type: api.IAMUser, ARN: "arn:" + api.Partition + ":iam::" + api.Account + ":user/drill"}
)

func drillPolicy(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(repository.Path("examples", "drill-policy.json"))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// drillAs has a test call as a principal.
func (g *guarded) drillAs(t *testing.T, who api.Principal) {
	t.Helper()
	keys := g.local.Credentials(who)
	t.Setenv("AWS_ACCESS_KEY_ID", keys.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", keys.SecretAccessKey)
}

// call calls the command, for which time passes as the local AWS lets it.
func (g *guarded) call(change func(*program), args ...string) ran {
	g.t.Helper()
	return call(g.t, func(p *program) {
		p.clock = ownedClock{g.local}
		if change != nil {
			change(p)
		}
	}, args...)
}

// state is the trail as the API shows it.
func (g *guarded) state() deployed.State {
	g.t.Helper()
	state, err := deployed.ReadState(g.t.Context(), g.clients.CloudTrail, g.guard.TrailARN)
	if err != nil {
		g.t.Fatal(err)
	}
	return state
}

func (g *guarded) wantAsDeclared() {
	g.t.Helper()
	if unmet := g.guard.Declared.Unmet(g.state()); len(unmet) > 0 {
		g.t.Errorf("the trail was not put back: %q", unmet)
	}
}

// disarm takes all paths away.
func (g *guarded) disarm() {
	g.t.Helper()
	if err := arm(g.t.Context(), g.local, g.clients, g.rules, deployed.ConfigPath); err != nil {
		g.t.Fatal(err)
	}
	for _, rule := range g.guard.ConfigRuleNames {
		if _, err := g.clients.Config.DeleteRemediationConfiguration(g.t.Context(), &configservice.DeleteRemediationConfigurationInput{
			ConfigRuleName: aws.String(rule),
		}); err != nil {
			g.t.Fatal(err)
		}
	}
}

func TestADrillInAnAccountThatIsGuarded(t *testing.T) {
	g := newGuarded(t, golden)

	t.Run("repairs, and reports for programs", func(t *testing.T) {
		got := g.call(nil, "drill", "--stack", "TrailGuard", "--yes", "--json", "--scenario", "T01,T02,T15")
		if got.code != exitRepaired {
			t.Fatalf("exit code %d:\n%s", got.code, got.stderr)
		}
		report := parseReport(t, got.stdout)
		if len(report.Simulated) != 0 || len(report.Scenarios) != 6 {
			t.Fatalf("the report is\n%s", got.stdout)
		}
		for _, s := range report.Scenarios {
			if !s.Repaired || s.Path != "all" || s.Caller != "arn:aws:sts::123456789012:assumed-role/drill/drill" {
				t.Errorf("not as promised: %+v", s)
			}
		}
		if len(report.Assumptions) != 27 {
			t.Errorf("%d assumptions were looked at", len(report.Assumptions))
		}
		for _, a := range report.Assumptions {
			if a.Verdict != "held" && a.Verdict != "not seen" || a.Statement == "" || a.Why == "" || a.IfWrong == "" {
				t.Errorf("%+v", a)
			}
			if !strings.Contains(got.stderr, "  "+a.ID+" "+a.Statement+"\n") {
				t.Errorf("%s is not in\n%s", a.ID, got.stderr)
			}
		}
		if want := "cloudtrail PutEventSelectors EventSelectors=[], by ARN (refused: InvalidEventSelectorsException)"; report.Scenarios[5].Call != want {
			t.Errorf("the last call is %q, want %q", report.Scenarios[5].Call, want)
		}
		g.wantAsDeclared()
	})

	t.Run("shows progress and what it leaves out to people", func(t *testing.T) {
		before := len(g.local.Gateway.Calls())
		got := g.call(nil, "drill", "--stack", "TrailGuard", "--yes")
		if got.code != exitRepaired || got.stderr != "" {
			t.Fatalf("exit code %d:\n%s", got.code, got.stderr)
		}
		attempts, _ := drill.Plan{Real: true, Callers: make([]drill.Caller, 1), Path: deployed.AllPaths}.Attempts(g.guard)
		n, told := len(attempts), 0
		for _, a := range attempts {
			if a.Scenario.Told != "" {
				told++
			}
		}
		for _, want := range []string{
			"Trail trailguard in account 123456789012 (no alias), us-east-1, as arn:aws:sts::123456789012:assumed-role/drill/drill.\n",
			fmt.Sprintf("[1/%d] T01 cloudtrail StopLogging, by name\n", n), "       repaired after ", "       told after ", "The drill tampers with the trail, the log store, the guard, ",
			fmt.Sprintf("%d of %d repaired, or refused from the start (4). %d of %d told once.", n-told, n-told, told, told),
			"Before it does, it looks whether AWS does what the guard leans on:\nheld          A01 ", "Of 27 assumptions about AWS ", " held, 0 did not hold, ",
			"Not run: T07 cloudtrail UpdateTrail KmsKeyId=another key: only when it is named (--scenario T07)\n",
		} {
			if !strings.Contains(got.stdout, want) {
				t.Errorf("%q is not in\n%s", want, got.stdout)
			}
		}
		if strings.Contains(got.stdout, "SIMULATED") {
			t.Error("it calls an account simulated")
		}
		g.wantSafe(g.local.Gateway.Calls()[before:])
	})

	t.Run("goes on where AWS is not as assumed, and says what follows", func(t *testing.T) {
		policy, err := g.clients.S3.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: &g.guard.LogBucketName})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.clients.S3.DeleteBucketPolicy(t.Context(), &s3.DeleteBucketPolicyInput{Bucket: &g.guard.LogBucketName}); err != nil {
			t.Fatal(err)
		}
		if err := g.local.Advance(t.Context(), time.Minute); err != nil {
			t.Fatal(err)
		}
		got := g.call(nil, "drill", "--stack", "TrailGuard", "--yes", "--scenario", "T01")
		if got.code != exitUnrepaired || got.stderr != "trailguard: AWS is not as assumed: A13 did not hold\n" {
			t.Errorf("exit code %d:\n%s", got.code, got.stderr)
		}
		for _, want := range []string{
			"\ndid not hold  A13 CloudTrail sends aws:SourceArn", "the latest delivery failed: AccessDenied", "so: No log file is delivered",
			"\n2 of 2 repaired", " held, 1 did not hold, ", "\nA13 did not hold: CloudTrail sends",
		} {
			if !strings.Contains(got.stdout, want) {
				t.Errorf("%q is not in\n%s", want, got.stdout)
			}
		}
		if _, err := g.clients.S3.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: &g.guard.LogBucketName, Policy: policy.Policy}); err != nil {
			t.Fatal(err)
		}
		if err := g.local.Advance(t.Context(), time.Minute); err != nil {
			t.Fatal(err)
		}
	})

	t.Run("changes nothing where it may read nothing but the trail", func(t *testing.T) {
		g.local.Gateway.SetFaults(localaws.Faults{Before: func(call api.Call) error {
			read := []string{"cloudtrail:LookupEvents", "cloudformation:ListStackResources", "cloudformation:DescribeStackEvents", "config:DescribeConfigRules"}
			if call.Principal.Name() == "drill" && slices.Contains(read, call.Action()) {
				return &api.Error{Code: "AccessDeniedException", Message: "it may not", Status: 400}
			}
			return nil
		}})
		defer g.local.Gateway.SetFaults(localaws.Faults{})
		got := g.call(nil, "drill", "--stack", "TrailGuard", "--yes", "--scenario", "T05")
		if got.code != exitRepaired || got.stderr != "" || strings.Count(got.stdout, "it may not") < 8 || !strings.Contains(got.stdout, "\nheld          A21 ") {
			t.Errorf("exit code %d:\n%s%s", got.code, got.stderr, got.stdout)
		}
	})

	t.Run("makes a key and a bucket where they are asked for, and clears them away", func(t *testing.T) {
		g.drillAs(t, somebody)
		got := g.call(nil, "drill", "--stack", "TrailGuard", "--yes", "--verbose", "--scenario", "T07,T08")
		if got.code != exitRepaired || !strings.Contains(got.stdout, "4 of 4 repaired") || !strings.Contains(got.stdout, "  TO LOGGING  ") {
			t.Fatalf("exit code %d:\n%s\n%s", got.code, got.stderr, got.stdout)
		}
		var made, gone int
		for _, record := range g.local.Gateway.Calls() {
			switch record.Action() {
			case "s3:CreateBucket", "kms:CreateKey":
				if record.Principal.Name() == "drill" {
					made++
				}
			case "s3:DeleteBucket", "kms:ScheduleKeyDeletion":
				gone++
			}
		}
		if made != 4 || gone != 4 {
			t.Errorf("%d were made, and %d cleared away", made, gone)
		}
	})

	t.Run("leaves a log store alone that is not as declared", func(t *testing.T) {
		suspend := &s3.PutBucketVersioningInput{Bucket: &g.guard.LogBucketName, VersioningConfiguration: &s3types.VersioningConfiguration{Status: s3types.BucketVersioningStatusSuspended}}
		if _, err := g.clients.S3.PutBucketVersioning(t.Context(), suspend); err != nil {
			t.Fatal(err)
		}
		before := len(g.local.Gateway.Calls())
		got := g.call(nil, "drill", "--stack", "TrailGuard", "--yes", "--scenario", "T20")
		want := "trailguard: the log store is not in its declared state before the tampering: bucket " + g.guard.LogBucketName + ": Versioning is Suspended, want Enabled\n"
		if got.code != exitEnvironment || got.stderr != want {
			t.Errorf("exit code %d:\n%swant\n%s", got.code, got.stderr, want)
		}
		for _, record := range g.local.Gateway.Calls()[before:] {
			if record.Mutating {
				t.Errorf("it called %s", record.Action())
			}
		}
		if err := g.local.Advance(t.Context(), time.Minute); err != nil { // the guard puts it back
			t.Fatal(err)
		}
	})

	t.Run("puts the log store and the guard back when it is interrupted", func(t *testing.T) {
		for _, id := range []string{"T24", "T41"} {
			before := len(g.local.Gateway.Calls())
			ctx, interrupt := context.WithCancel(t.Context())
			var stdout, stderr bytes.Buffer
			p := &program{
				args: []string{"drill", "--stack", "TrailGuard", "--yes", "--scenario", id}, stdout: &stdout, stderr: &stderr, environ: environment(),
				terminal: func(io.Writer) bool { return false }, clock: interruptedClock{ownedClock{g.local}, interrupt},
			}
			if code := p.run(ctx); code != exitEnvironment || !strings.Contains(stderr.String(), " is as it was before") {
				t.Errorf("%s: exit code %d:\n%s", id, code, &stderr)
			}
			queues := 0
			for _, record := range g.local.Gateway.Calls()[before:] {
				switch record.Action() {
				case "sqs:CreateQueue":
					queues++
				case "sqs:DeleteQueue":
					queues--
				}
			}
			if queues != 0 {
				t.Errorf("%s: %d queues are left", id, queues)
			}
			if err := g.local.Advance(t.Context(), time.Minute); err != nil {
				t.Fatal(err)
			}
		}
	})

	t.Run("asks for the account's id", func(t *testing.T) {
		before := len(g.local.Gateway.Calls())
		answer := func(text string) func(*program) {
			return func(p *program) {
				p.interactive, p.stdin, p.terminal = true, strings.NewReader(text), func(io.Writer) bool { return true }
				p.environ = append(p.environ, "TERM=xterm", "NO_COLOR=")
			}
		}
		got := g.call(answer("yes\n"), "drill", "--stack", "TrailGuard", "--scenario", "T01")
		if got.code != exitInput || got.stderr != "trailguard: not confirmed: nothing was done\n" {
			t.Errorf("exit code %d:\n%s", got.code, got.stderr)
		}
		for _, record := range g.local.Gateway.Calls()[before:] {
			if record.Mutating {
				t.Errorf("it called %s", record.Action())
			}
		}
		if got = g.call(answer("123456789012\n"), "drill", "--stack", "TrailGuard", "--scenario", "T01"); got.code != exitRepaired || !strings.Contains(got.stdout, "\x1b[1mWhat was attacked\x1b[0m\n") {
			t.Errorf("exit code %d:\n%s", got.code, got.stderr)
		}
	})

	t.Run("names a stack that is not there", func(t *testing.T) {
		got := g.call(nil, "drill", "--stack", "Nobody", "--yes")
		if got.code != exitInput || !strings.HasPrefix(got.stderr, "trailguard: no guard: stack Nobody cannot be found in this account and Region") {
			t.Errorf("exit code %d:\n%s", got.code, got.stderr)
		}
	})

	t.Run("puts the trail back when it is interrupted", func(t *testing.T) {
		ctx, interrupt := context.WithCancel(t.Context())
		var stdout, stderr bytes.Buffer
		p := &program{
			args: []string{"drill", "--stack", "TrailGuard", "--yes", "--scenario", "T19"}, stdout: &stdout, stderr: &stderr, environ: environment(),
			terminal: func(io.Writer) bool { return false }, clock: interruptedClock{ownedClock{g.local}, interrupt},
		}
		if code := p.run(ctx); code != exitEnvironment || stderr.String() !=
			"trailguard: interrupted: T19 cloudtrail UpdateTrail with all of T03 to T06, T10 and T11, by name, arn:aws:sts::123456789012:assumed-role/drill/drill: "+
				"context canceled; the trail is as it was before\n" {
			t.Errorf("exit code %d:\n%s", code, &stderr)
		}
		g.wantAsDeclared()
	})

	t.Run("finds the guard whole", func(t *testing.T) {
		if got := g.call(nil, "status", "--stack", "TrailGuard"); got.code != exitRepaired || strings.Contains("\n"+got.stdout, "\nNO ") {
			t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
		}
	})

	t.Run("warns of a runtime that comes to its end", func(t *testing.T) {
		got := g.call(func(p *program) { p.clock = lateClock{} }, "status", "--stack", "TrailGuard")
		if !strings.Contains(got.stdout, "warning: the runbook's runtime python3.11 is without security fixes from 2027-10-31") {
			t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
		}
	})

	if err := g.local.Err(); err != nil {
		t.Errorf("the simulation could not do everything: %v", err)
	}
}

// wantSafe reports calls of the drill's that could lose the log or its key, or leave something dark, and whatever it does not clear away.
func (g *guarded) wantSafe(calls []localaws.CallRecord) {
	g.t.Helper()
	var made, gone int
	for _, record := range calls {
		if record.Principal.Name() != "drill" {
			continue
		}
		switch record.Operation {
		case "CreateQueue", "Subscribe":
			made++
		case "DeleteQueue", "Unsubscribe":
			gone++
		case "DeleteBucketPolicy", "DeleteBucket", "DisableKey", "ScheduleKeyDeletion", "PutBucketAcl", "DeleteObject", "DeleteObjectVersion", "StopConfigurationRecorder",
			"DeleteConfigurationRecorder", "DeleteDeliveryChannel", "DeleteConfigRule", "DeleteRemediationConfiguration", "UpdateAssumeRolePolicy", "DeleteRole",
			"RemoveTargets", "DeleteRule", "DeleteLogGroup", "DeleteTopic", "DeleteAlarms", "UpdateStack", "DeleteStack":
			g.t.Errorf("the drill calls %s", record.Operation)
		}
	}
	if made != 4 || gone != 5 { // what hears, and what is taken away and then cleared away
		g.t.Errorf("%d were made, and %d cleared away", made, gone)
	}
}

// wantEachActionUsed reports actions of the policy that no call of the drill's needs.
func (g *guarded) wantEachActionUsed(calls []localaws.CallRecord) {
	g.t.Helper()
	used := map[string]bool{}
	for _, record := range calls {
		if record.Principal.Name() != drillRole.Name() {
			continue
		}
		used[catalog.Of(record.Service, record.Operation).Action] = true
	}
	for _, action := range []string{
		"iam:PassRole", "iam:CreateServiceLinkedRole", // with config:PutRemediationConfigurations
		"config:DeleteRemediationExceptions",                           // here no exception is made of what is compliant
		"config:DescribeRemediationExecutionStatus", "sqs:GetQueueUrl", // where nothing started the runbook
	} {
		used[action] = true
	}
	var policy struct {
		Statement []struct{ Action any }
	}
	if err := json.Unmarshal([]byte(drillPolicy(g.t)), &policy); err != nil {
		g.t.Fatal(err)
	}
	n := 0
	for _, statement := range policy.Statement {
		list, isList := statement.Action.([]any)
		if !isList {
			list = []any{statement.Action}
		}
		for _, action := range list {
			if n++; !used[action.(string)] {
				g.t.Errorf("%s is not needed", action)
			}
		}
	}
	if n < 80 {
		g.t.Errorf("the policy has %d actions", n)
	}
}

// inOneList are the ids of the catalogue from one to another, with commas between.
func inOneList(from, to string) string {
	return strings.Join(slices.DeleteFunc(knownScenarios(), func(id string) bool { return id < from || id > to }), ",")
}

// lateClock stands still in the last months of the runbook's runtime.
type lateClock struct{ drill.WallClock }

func (lateClock) Now() time.Time { return time.Date(2027, 6, 1, 0, 0, 0, 0, time.UTC) }

// interruptedClock is interrupted as soon as the drill waits.
type interruptedClock struct {
	ownedClock
	interrupt context.CancelFunc
}

func (c interruptedClock) Wait(ctx context.Context, d time.Duration) error {
	c.interrupt()
	if err := ctx.Err(); err != nil {
		return err
	}
	return c.ownedClock.Wait(ctx, d)
}

// TestADrillOfAGuardThatIsDisarmed is the negative control: nothing repairs, the drill says so, and puts all back. For that it needs each action
// of the policy of the examples.
func TestADrillOfAGuardThatIsDisarmed(t *testing.T) {
	g := newGuarded(t, golden)
	calls := len(g.local.Gateway.Calls())
	defer func() { g.wantEachActionUsed(g.local.Gateway.Calls()[calls:]) }()
	if got := g.call(nil, "drill", "--stack", "TrailGuard", "--yes", "--scenario", "T38"); got.code != exitRepaired {
		t.Fatalf("exit code %d:\n%s\n%s", got.code, got.stderr, got.stdout)
	}
	g.disarm()
	before := g.state()

	got := g.call(nil, "drill", "--stack", "TrailGuard", "--yes", "--json", "--timeout", "1m")
	if got.code != exitUnrepaired || !strings.HasSuffix(got.stderr, "trailguard: not everything was repaired\n") {
		t.Fatalf("exit code %d:\n%s", got.code, got.stderr)
	}
	report := parseReport(t, got.stdout)
	for _, s := range report.Scenarios {
		refused := strings.Contains(s.Call, "(refused: ")
		harmless := strings.HasSuffix(strings.TrimSuffix(strings.TrimSuffix(s.Call, ", by name"), ", by ARN"), "which it is")
		if s.Expected == "told" { // the notices are not disarmed
			continue
		}
		if met := refused || harmless; s.Repaired != met || (len(s.Unmet) == 0) != met || *s.Calls != 0 {
			t.Errorf("%+v", s)
		}
	}
	if want := []string{"IsLogging is false, want true"}; !slices.Equal(report.Scenarios[0].Unmet, want) {
		t.Errorf("unmet of T01 is %q, want %q", report.Scenarios[0].Unmet, want)
	}
	g.wantAsDeclared()
	if after := g.state(); after.IsLogging != before.IsLogging || *after.Trail.TrailARN != *before.Trail.TrailARN || len(after.InsightSelectors) != len(before.InsightSelectors) {
		t.Errorf("the trail was %+v and is %+v", before, after)
	}
	if !strings.Contains(got.stderr, "put back by the drill") {
		t.Errorf("it does not say who put the trail back:\n%s", got.stderr)
	}

	status := g.call(nil, "status", "--stack", "TrailGuard")
	if status.code != exitUnrepaired || strings.Count("\n"+status.stdout, "\nNO  remediation ") != 3 || strings.Count("\n"+status.stdout, "\nNO  event rule ") != 3 ||
		strings.Count(status.stdout, "it is deleted: Config does not start the runbook") != 3 || strings.Count(status.stdout, "State is DISABLED, want ENABLED") != 3 {
		t.Errorf("exit code %d:\n%s%s", status.code, status.stdout, status.stderr)
	}
}

func TestAnOrganizationTrailIsDrilledOnlyWhenToldTo(t *testing.T) {
	g := newGuarded(t, strings.Replace(golden, "default", "organization", 1))
	g.drillAs(t, somebody)
	got := g.call(nil, "drill", "--stack", "TrailGuard", "--yes", "--scenario", "T12")
	want := "trailguard: trail org-trail is an organization trail, so the log of every member account is at stake: give --organization to drill it\n"
	if got.code != exitInput || got.stderr != want {
		t.Errorf("exit code %d, stderr %q, want %q", got.code, got.stderr, want)
	}
	got = g.call(nil, "drill", "--stack", "TrailGuard", "--yes", "--organization", "--scenario", "T12")
	if got.code != exitRepaired || !strings.Contains(got.stdout, "2 of 2 repaired") {
		t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
	}
	g.wantAsDeclared()
}
