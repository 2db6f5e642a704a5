package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/drill/status"
	"github.com/trailguard/trailguard/localaws"
	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/repository"
)

// The accounts of the organization: of the members one has a guard, one has none, and one has no role by which it could be looked at.
const (
	management, guardedMember, bareMember, closedMember = "111111111111", "222222222222", "333333333333", "444444444444"
	statusRole                                          = "ReadTrailGuard"
)

// newOrganization starts an organization, to which the usual credential chain leads as the role of examples/status-role.json.
func newOrganization(t *testing.T) *localaws.Organization {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	found, err := (&program{environ: environment()}).findTools()
	must(err)
	o, err := localaws.StartOrganization(t.Context(), localaws.OrganizationOptions{
		Options: localaws.Options{
			Python: found.python, NodeModules: found.nodeModules, Place: api.Place{Account: management, Region: "us-east-1"},
			Start: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), // before the runbook's runtime comes to its end
		},
		Members: []localaws.Member{{ID: guardedMember}, {ID: bareMember}, {ID: closedMember}},
	})
	must(err)
	t.Cleanup(func() {
		if err := errors.Join(o.Err(), o.Close()); err != nil {
			t.Error(err)
		}
	})
	template, err := os.ReadFile(golden)
	must(err)
	role, err := os.ReadFile(repository.Path("examples", "status-role.json"))
	must(err)
	for _, account := range []string{management, guardedMember, bareMember} {
		a := o.Account(account)
		admin := a.Config(a.Administrator())
		_, err := cloudformation.NewFromConfig(admin).CreateStack(t.Context(), &cloudformation.CreateStackInput{
			StackName: aws.String("TrailGuardReader"), TemplateBody: aws.String(string(role)), Capabilities: []types.Capability{types.CapabilityCapabilityNamedIam},
			Parameters: []types.Parameter{{ParameterKey: aws.String("CallerAccount"), ParameterValue: aws.String(management)}},
		})
		must(err)
		if account == bareMember {
			continue
		}
		must(localaws.PutRecorder(t.Context(), admin))
		must(localaws.CreateStack(t.Context(), admin, "TrailGuard", string(template), types.CapabilityCapabilityIam))
		guard, err := deployed.ReadGuard(t.Context(), drill.NewClients(admin).Reads(), "TrailGuard")
		must(err)
		_, err = sns.NewFromConfig(admin).Subscribe(t.Context(), &sns.SubscribeInput{
			TopicArn: &guard.AlertTopicARN, Protocol: aws.String("https"), Endpoint: aws.String("https://people.example.com"),
		})
		must(err)
	}
	must(o.Advance(t.Context(), time.Minute))
	keys := o.Management().Credentials(api.Principal{Type: api.AssumedRole, ARN: "arn:aws:iam::" + management + ":role/" + statusRole, SessionName: "auditor"})
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": o.URL(), "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": keys.AccessKeyID, "AWS_SECRET_ACCESS_KEY": keys.SecretAccessKey,
		"AWS_SESSION_TOKEN": "token", "AWS_PROFILE": "", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
	} {
		t.Setenv(name, value)
	}
	return o
}

// organizationJSON is the JSON report, by its documented names.
type organizationJSON struct {
	Version                int
	Organization, RoleName string
	Regions                []string
	Time                   time.Time
	Whole                  *bool
	Accounts               []struct {
		Verdict, Account, Name string
		Problems               []struct{ What, Mend string }
		NotSeen                []struct{ What, Permission string }
		Stacks                 []struct {
			Verdict, Stack, Trail, Region string
			Parts                         []struct {
				Verdict, Part, Name, LogicalID string
				Problems, Warnings             []struct{ What, Mend string }
				NotSeen                        []struct{ What, Permission string }
			}
		}
	}
}

// TestStatusOfAnOrganizationSaysWhatIsWrongInWhichAccount breaks the guard of a member, by calls through the network as the role that is shipped.
func TestStatusOfAnOrganizationSaysWhatIsWrongInWhichAccount(t *testing.T) {
	o := newOrganization(t)
	ctx := t.Context()
	status := func(change func(*program), args ...string) ran {
		t.Helper()
		return call(t, func(p *program) {
			p.clock = ownedClock{o.Management()}
			if change != nil {
				change(p)
			}
		}, append([]string{"status", "--organization", "--role-name", statusRole}, args...)...)
	}
	const healthy = "--except=" + bareMember + "," + closedMember

	t.Run("whole, and read only", func(t *testing.T) {
		accounts := []string{management, guardedMember, bareMember, closedMember}
		before := map[string]int{}
		for _, account := range accounts {
			before[account] = len(o.Account(account).Gateway.Calls())
		}
		got := status(nil, healthy)
		if got.code != exitRepaired || got.stderr != "" ||
			!strings.HasPrefix(got.stdout, "Guards of organization o-exampleorgid, us-east-1, by role ReadTrailGuard\n\nok  111111111111 master: TrailGuard (") ||
			!strings.Contains(got.stdout, "\nok  222222222222 222222222222: TrailGuard (") ||
			!strings.Contains(got.stdout, "\n\nThe organization is whole: so are the guards of all 2 accounts.\n") {
			t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
		}
		if strings.ContainsAny(got.stdout, "\x1b\r") {
			t.Errorf("without a terminal it prints %q", got.stdout)
		}
		calls, assumed := 0, 0
		for _, account := range accounts {
			for _, one := range o.Account(account).Gateway.Calls()[before[account]:] {
				calls++
				if one.Action() == "sts:AssumeRole" {
					assumed++
				}
				if one.Mutating || one.ErrorCode == "AccessDenied" || one.ErrorCode == "AccessDeniedException" || one.Principal.Type != api.AssumedRole {
					t.Errorf("%s in %s by %s: %q", one.Action(), account, one.Principal.ARN, one.ErrorCode)
				}
			}
		}
		if calls < 100 || assumed != 1 {
			t.Errorf("%d calls were made, %d of them to assume a role", calls, assumed)
		}
	})

	events := eventbridge.NewFromConfig(o.Account(guardedMember).Config(o.Account(guardedMember).Administrator()))
	rules, err := events.ListRules(ctx, &eventbridge.ListRulesInput{})
	if err != nil {
		t.Fatal(err)
	}
	rule := rules.Rules[0].Name
	if _, err := events.DisableRule(ctx, &eventbridge.DisableRuleInput{Name: rule}); err != nil {
		t.Fatal(err)
	}
	t.Run("not whole", func(t *testing.T) {
		got := status(nil)
		for _, want := range []string{
			"\nok  111111111111 master: TrailGuard (",
			"\nNO  222222222222 222222222222: TrailGuard (",
			"    stack TrailGuard, us-east-1\n    NO  event rule " + *rule + " (",
			"          State is DISABLED, want ENABLED\n            mend: aws events enable-rule --name " + *rule + "\n",
			"\nNO  333333333333 333333333333: TrailGuardReader (2 parts)\n      no guard: no stack whose name begins with TrailGuard or StackSet-TrailGuard- guards or watches anything\n" +
				"        mend: move it into an organizational unit of the rollout; if it shall have no guard, leave it out: --except 333333333333\n",
			"\n?   444444444444 444444444444\n      not seen: arn:aws:iam::444444444444:role/ReadTrailGuard cannot be assumed: it is not there, does not trust the caller, or the caller may not call sts:AssumeRole on it\n",
			"\n\nThe organization is not whole: something is wrong with 2 of 4 accounts, and 1 could not be looked at, or not all of their stacks.\n",
		} {
			if !strings.Contains(got.stdout, want) {
				t.Errorf("without %q:\n%s", want, got.stdout)
			}
		}
		if got.code != exitUnrepaired || got.stderr != "trailguard: the organization is not whole\n" || strings.Count(got.stdout, "\n    NO ") != 1 {
			t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
		}
	})
	t.Run("some accounts", func(t *testing.T) {
		if got := status(nil, "--accounts", management); got.code != exitRepaired || !strings.Contains(got.stdout, "the guards of all 1 accounts") || !strings.Contains(got.stdout, "ok  111111111111: ") {
			t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
		}
		// An account that cannot be looked at is alone enough not to be whole, and nothing but such is no report.
		if got := status(nil, "--except", guardedMember+","+bareMember); got.code != exitUnrepaired {
			t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
		}
		if got := status(nil, "--accounts", closedMember); got.code != exitEnvironment || got.stderr != "trailguard: nothing could be seen\n" {
			t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
		}
		for except, want := range map[string]string{
			"999999999999": "trailguard: --except: organization o-exampleorgid has no account 999999999999\n",
			management + "," + guardedMember + "," + bareMember + "," + closedMember: "trailguard: --except: no account is left to look at\n",
		} {
			if got := status(nil, "--except", except); got.code != exitInput || got.stderr != want || got.stdout != "" {
				t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
			}
		}
	})
	t.Run("on a terminal", func(t *testing.T) {
		terminal := func(p *program) {
			p.terminal = func(io.Writer) bool { return true }
			p.environ = append(slices.DeleteFunc(slices.Clone(p.environ), func(one string) bool { return strings.HasPrefix(one, "NO_COLOR=") }), "TERM=xterm")
		}
		got := status(terminal)
		for _, want := range []string{"\x1b[32mok \x1b[0m 111111111111", "\x1b[31mNO \x1b[0m 222222222222", "\x1b[33m?  \x1b[0m 444444444444"} {
			if !strings.Contains(got.stdout, want) {
				t.Errorf("%q is not in %q", want, got.stdout)
			}
		}
		for _, want := range []string{"\r\x1b[Kstacks are looked for: 1 of 4 accounts, ", "\r\x1b[Kstacks are looked at: 4 of 4 accounts, "} {
			if !strings.Contains(got.stderr, want) {
				t.Errorf("%q is not in %q", want, got.stderr)
			}
		}
		got = status(func(p *program) {
			terminal(p)
			p.environ = append(p.environ, "NO_COLOR=1")
		})
		if strings.Contains(got.stdout, "\x1b") {
			t.Errorf("with NO_COLOR it prints\n%q", got.stdout)
		}
	})
	t.Run("for programs", func(t *testing.T) {
		got := status(nil, "--json")
		decoder := json.NewDecoder(strings.NewReader(got.stdout))
		decoder.DisallowUnknownFields()
		var report organizationJSON
		if err := decoder.Decode(&report); err != nil || decoder.More() || got.code != exitUnrepaired {
			t.Fatalf("exit code %d, %v:\n%s", got.code, err, got.stdout)
		}
		if report.Version != statusVersion || report.Organization != o.ID() || report.RoleName != statusRole || !slices.Equal(report.Regions, []string{"us-east-1"}) ||
			report.Whole == nil || *report.Whole || report.Time.IsZero() || len(report.Accounts) != 4 {
			t.Fatalf("the report is %+v", report)
		}
		verdicts := map[string]string{management: "whole", guardedMember: "wrong", bareMember: "wrong", closedMember: "not seen"}
		for _, account := range report.Accounts {
			if account.Verdict != verdicts[account.Account] || account.Name == "" || account.Problems == nil || account.NotSeen == nil || account.Stacks == nil {
				t.Errorf("the account is %+v", account)
			}
			for _, stack := range account.Stacks {
				if isGuard := stack.Stack == "TrailGuard"; isGuard != (stack.Trail == "arn:aws:cloudtrail:us-east-1:"+account.Account+":trail/trailguard") || isGuard != (len(stack.Parts) > 30) ||
					stack.Region != "us-east-1" || (stack.Verdict == "wrong") != (isGuard && account.Account == guardedMember) {
					t.Errorf("the stack is %+v", stack)
				}
			}
		}
	})
	t.Run("no AWS", func(t *testing.T) {
		t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
		t.Setenv("AWS_MAX_ATTEMPTS", "1")
		if got := status(nil); got.code != exitEnvironment || got.stdout != "" || !strings.HasPrefix(got.stderr, "trailguard: reading the organization: ") {
			t.Errorf("exit code %d: %s%s", got.code, got.stdout, got.stderr)
		}
	})
	t.Run("a role that may not read", func(t *testing.T) {
		if _, err := events.EnableRule(ctx, &eventbridge.EnableRuleInput{Name: rule}); err != nil {
			t.Fatal(err)
		}
		admin := o.Account(guardedMember).Config(o.Account(guardedMember).Administrator())
		if _, err := iam.NewFromConfig(admin).DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: aws.String(statusRole), PolicyName: aws.String("Read")}); err != nil {
			t.Fatal(err)
		}
		got := status(nil, healthy)
		if want := "\n?   222222222222 222222222222\n      not seen: its stacks in us-east-1: the caller may not call cloudformation:ListStacks\n"; got.code != exitUnrepaired ||
			!strings.Contains(got.stdout, want) || !strings.HasSuffix(got.stdout, "\nThe role lacks the permissions cloudformation:ListStacks.\n") {
			t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
		}
	})
}

// TestSlowProgressOfAnOrganizationIsToldInLines: without a terminal a line is told only now and then.
func TestSlowProgressOfAnOrganizationIsToldInLines(t *testing.T) {
	for _, test := range []struct {
		while time.Duration
		want  string
	}{{time.Hour, ""}, {0, "stacks are looked at: 2 of 3 accounts\n"}} {
		var told bytes.Buffer
		newOrganizationProgress(&screen{w: &told, began: time.Now().Add(-time.Second)}, test.while)(status.LookingAt, 2, 3, status.Account{ID: management})
		if !strings.HasSuffix(told.String(), test.want) || (test.want == "") != (told.Len() == 0) {
			t.Errorf("each %s: %q is told", test.while, &told)
		}
	}
}
