package main

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
)

// ran is what became of one call of the command.
type ran struct {
	code           int
	stdout, stderr string
}

// call calls the command with nobody at the keyboard.
func call(t *testing.T, change func(*program), args ...string) ran {
	t.Helper()
	var stdout, stderr bytes.Buffer
	p := &program{
		args: args, stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, environ: environment(),
		terminal: func(io.Writer) bool { return false },
	}
	if change != nil {
		change(p)
	}
	code := p.run(t.Context())
	return ran{code, stdout.String(), stderr.String()}
}

func TestWrongFlagsAreAllNamedAtOnce(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{}, "trailguard: say what to do\n\n" + usage + "\n"},
		{[]string{"dril"}, "trailguard: \"dril\" is not a command: use drill or status\n\n" + usage + "\n"},
		{[]string{"drill"}, "trailguard: drill:\n  say where: give --local for this machine, or --stack NAME for your AWS account\n"},
		{[]string{"drill", "--local", "--stack", "x"}, "trailguard: drill:\n  --local and --stack exclude one another: drill on this machine, or in your AWS account\n"},
		{[]string{"drill", "--stack="}, "trailguard: drill:\n  --stack is empty: give the name of the guard's stack\n"},
		{[]string{"drill", "--stack"}, "trailguard: drill:\n  --stack needs a value\n" +
			"  say where: give --local for this machine, or --stack NAME for your AWS account\n"},
		{[]string{"drill", "--local", "--path", "evnt", "--scenario", "T01,T99,t1", "--colour", "red", "now", "--template", "no/such.json"},
			"trailguard: drill:\n" +
				"  flag --colour is not known: see trailguard drill --help\n" +
				"  argument \"now\" is not expected: leave it out\n" +
				"  --scenario \"T99\" is not known: trailguard drill --list names them; put commas between\n" +
				"  --scenario \"T1\" is not known: trailguard drill --list names them; put commas between\n" +
				"  --path \"evnt\" is not known: use event, config, schedule or all\n" +
				"  --template \"no/such.json\" cannot be read: stat no/such.json: no such file or directory\n"},
		{[]string{"drill", "--local", "--yes", "--region", "eu-west-1", "--timeout=5m", "--organization"}, "trailguard: drill:\n" +
			"  --region is only for --stack: leave it out\n" +
			"  --yes is only for --stack: leave it out\n" +
			"  --organization is only for --stack: leave it out\n" +
			"  --timeout is only for --stack: leave it out\n"},
		{[]string{"drill", "--stack", "x", "--path", "event", "--timeout", "-1s"}, "trailguard: drill:\n" +
			"  --timeout -1s is not a time to wait: use a positive one, such as 20m\n" +
			"  --path is only for --local: leave it out\n"},
		{[]string{"drill", "--stack", "x", "--timeout", "soon"}, "trailguard: drill:\n" +
			"  --timeout: invalid value \"soon\" for flag -timeout: parse error\n"},
		{[]string{"drill", "--stack", "x"}, "trailguard: nobody can confirm the drill, because standard input is not a terminal: give --yes to go on without\n"},
		{[]string{"status"}, "trailguard: status:\n  --stack is missing: give the name of the guard's stack\n"},
		{[]string{"status", "--local"}, "trailguard: status:\n  flag --local is not known: see trailguard status --help\n" +
			"  --stack is missing: give the name of the guard's stack\n"},
	} {
		got := call(t, nil, test.args...)
		if got.code != exitInput || got.stderr != test.want || got.stdout != "" {
			t.Errorf("%q: exit code %d, stdout %q, stderr:\n%s\nwant:\n%s", test.args, got.code, got.stdout, got.stderr, test.want)
		}
	}
}

func TestHelpIsNoError(t *testing.T) {
	for _, args := range [][]string{{"help"}, {"--help"}, {"drill", "--help"}, {"drill", "--local", "-h"}, {"status", "--help"}} {
		if got := call(t, nil, args...); got.code != exitRepaired || got.stdout != usage || got.stderr != "" {
			t.Errorf("%q: exit code %d, stdout %q, stderr %q", args, got.code, got.stdout, got.stderr)
		}
	}
}

func TestTheScenariosAreListedForPeopleAndPrograms(t *testing.T) {
	got := call(t, nil, "drill", "--list")
	for _, want := range []string{
		"T01  cloudtrail StopLogging\n",
		"T11  cloudtrail UpdateTrail SnsTopicName=\"\"", "not applicable where the trail has no SNS topic\n",
		"makes another bucket; in an AWS account only if it is named\n",
	} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("%q is not in\n%s", want, got.stdout)
		}
	}
	if got.code != exitRepaired || strings.Count(got.stdout, "\n") != 24 {
		t.Errorf("exit code %d, and\n%s", got.code, got.stdout)
	}
	got = call(t, nil, "drill", "--list", "--json", "--scenario", "t02,T14")
	var list struct {
		Scenarios []struct{ ID, Call, Where string }
	}
	if err := json.Unmarshal([]byte(got.stdout), &list); err != nil || len(list.Scenarios) != 3 || list.Scenarios[0].Call != "cloudtrail DeleteTrail" {
		t.Errorf("%v:\n%s", err, got.stdout)
	}
}

func TestTheEnvironmentOfTheCDKReachesNothingButTheEndpoint(t *testing.T) {
	p := &program{environ: []string{"PATH=/bin", "AWS_PROFILE=production", "AWS_ENDPOINT_URL_CLOUDFORMATION=https://elsewhere", "CDK_DEFAULT_ACCOUNT=1"}}
	got := " " + strings.Join(p.newCDK(tools{}, "http://127.0.0.1:1", "us-east-1", keys("AKIALOCAL"), nil).environ, " ") + " "
	for _, gone := range []string{"AWS_PROFILE", "AWS_ENDPOINT_URL_CLOUDFORMATION", "CDK_DEFAULT_ACCOUNT"} {
		if strings.Contains(got, gone) {
			t.Errorf("%s is still in %s", gone, got)
		}
	}
	for _, want := range []string{" PATH=/bin ", " AWS_ENDPOINT_URL=http://127.0.0.1:1 ", " AWS_ACCESS_KEY_ID=AKIALOCAL ", " AWS_CONFIG_FILE=/dev/null "} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
}
