package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/trailguard/trailguard/drill"
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
		{[]string{}, "trailguard: say what to do\n\n" + call(t, nil, "help").stdout},
		{[]string{"dril"}, "trailguard: \"dril\" is not a command: did you mean drill?\n"},
		{[]string{"repair", "--now"}, "trailguard: unknown flag: --now: see trailguard --help\n"},
		{[]string{"repair"}, "trailguard: \"repair\" is not a command: use drill, policy or status\n"},
		{[]string{"help", "repair"}, "trailguard: \"repair\" is not a command: use drill, policy or status\n"},
		{[]string{"completion", "bash", "now"}, "trailguard: unknown command \"now\" for \"trailguard completion bash\"\n"},
		{[]string{"drill"}, "trailguard: drill:\n  say where: give --local for this machine, or --stack NAME for your AWS account\n"},
		{[]string{"drill", "--local", "--stack", "x"}, "trailguard: drill:\n  --local and --stack exclude one another: drill on this machine, or in your AWS account\n"},
		{[]string{"drill", "--stack="}, "trailguard: drill:\n  --stack is empty: give the name of the guard's stack\n"},
		{[]string{"drill", "--stack"}, "trailguard: drill:\n  --stack needs a value\n" +
			"  say where: give --local for this machine, or --stack NAME for your AWS account\n"},
		{[]string{"drill", "--local", "--path", "evnt", "--scenario", "T01,T99,t1", "--colour", "red", "now", "--template", "no/such.json"},
			"trailguard: drill:\n" +
				"  flag --colour is not known: see trailguard drill --help\n" +
				"  argument \"now\" is not expected: leave it out\n" +
				"  --scenario \"T99\" is not known: trailguard drill list names them; put commas between\n" +
				"  --scenario \"T1\" is not known: trailguard drill list names them; put commas between\n" +
				"  --path \"evnt\" is not known: use event, config, schedule or all\n" +
				"  --template \"no/such.json\" cannot be read: open no/such.json: no such file or directory\n"},
		{[]string{"drill", "--local", "--yes", "--region", "eu-west-1", "--timeout=5m", "--organization"}, "trailguard: drill:\n" +
			"  --region is only for --stack: leave it out\n" +
			"  --yes is only for --stack: leave it out\n" +
			"  --organization is only for --stack: leave it out\n" +
			"  --timeout is only for --stack: leave it out\n"},
		{[]string{"drill", "--stack", "x", "--path", "event", "--timeout", "-1s"}, "trailguard: drill:\n" +
			"  --timeout -1s is not a time to wait: use a positive one, such as 20m\n" +
			"  --path is only for --local: leave it out\n"},
		{[]string{"drill", "--stack", "x", "--timeout", "soon"}, "trailguard: drill:\n" +
			"  --timeout \"soon\" cannot be read: time: invalid duration \"soon\"\n"},
		{[]string{"drill", "--local", "--template", "--json", "-yes"}, "trailguard: drill:\n" +
			"  --template needs a value\n" +
			"  flag -yes is not known: write --yes\n" +
			"  --yes is only for --stack: leave it out\n"},
		{[]string{"drill", "list", "--local", "--scenario", "T0", "now"}, "trailguard: drill list:\n" +
			"  flag --local is not known: see trailguard drill list --help\n" +
			"  argument \"now\" is not expected: leave it out\n" +
			"  --scenario \"T0\" is not known: trailguard drill list names them; put commas between\n"},
		{[]string{"drill", "--stack", "x"}, "trailguard: nobody can confirm the drill, because standard input is not a terminal: give --yes to go on without\n"},
		{[]string{"status"}, "trailguard: status:\n  say what to look at: give --stack NAME for a guard, or --organization for those of all accounts\n"},
		{[]string{"status", "--local"}, "trailguard: status:\n  flag --local is not known: see trailguard status --help\n" +
			"  say what to look at: give --stack NAME for a guard, or --organization for those of all accounts\n"},
		{[]string{"status", "--stack", "x", "--organization"}, "trailguard: status:\n  --stack and --organization exclude one another: look at one stack, or at all accounts\n"},
		{[]string{"status", "--stack", "x", "--role-name", "y", "--accounts", "1", "--except", "2", "--name-prefixes", "z"}, "trailguard: status:\n" +
			"  --role-name is only for --organization: leave it out\n" +
			"  --accounts is only for --organization: leave it out\n" +
			"  --except is only for --organization: leave it out\n" +
			"  --name-prefixes is only for --organization: leave it out\n"},
		{[]string{"status", "--organization"}, "trailguard: status:\n" +
			"  --role-name is missing: give the name of the role by which each account is read, such as that of examples/status-role.json\n"},
		{[]string{"status", "--organization", "--role-name", "arn:aws:iam::111122223333:role/R", "--template", "x", "--region", "eu-west-1,Frankfurt", "--accounts", "111122223333,12",
			"--except", "", "--name-prefixes", "TrailGuard,1", "--timeout", "-1s"}, "trailguard: status:\n" +
			"  --template is only for --stack: leave it out\n" +
			"  --role-name \"arn:aws:iam::111122223333:role/R\" is no name of a role: use 1 to 64 letters, digits and +=,.@-_, after its path if it has one\n" +
			"  --accounts and --except exclude one another: name the accounts to look at, or those to leave out\n" +
			"  --region \"Frankfurt\" is no Region: use such as eu-central-1, with commas between\n" +
			"  --accounts \"12\" is no id of an account: use 12 digits, with commas between\n" +
			"  --except \"\" is no id of an account: use 12 digits, with commas between\n" +
			"  --name-prefixes \"1\" is no beginning of a stack's name: use letters, digits and -, with commas between\n" +
			"  --timeout -1s is too short: give more than 0s\n"},
		{[]string{"status", "--stack", "x", "--timeout", "0s"}, "trailguard: status:\n  --timeout 0s is too short: give more than 0s\n"},
		{[]string{"status", "--stack", "x", "--template", "no-such-file"}, "trailguard: --template: open no-such-file: no such file or directory\n"},
	} {
		got := call(t, nil, test.args...)
		if got.code != exitInput || got.stderr != test.want || got.stdout != "" {
			t.Errorf("%q: exit code %d, stdout %q, stderr:\n%s\nwant:\n%s", test.args, got.code, got.stdout, got.stderr, test.want)
		}
	}
}

func TestHelpIsNoError(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string // the beginning
	}{
		{[]string{"help"}, rootHelp}, {[]string{"--help"}, rootHelp}, {[]string{"-h"}, rootHelp},
		{[]string{"drill", "--help"}, drillHelp}, {[]string{"drill", "--local", "-h"}, drillHelp}, {[]string{"drill", "-help"}, drillHelp},
		{[]string{"help", "drill"}, drillHelp}, {[]string{"drill", "--colour", "--help"}, drillHelp},
		{[]string{"help", "drill", "list"}, "List the ways"}, {[]string{"status", "--help"}, statusHelp}, {[]string{"help", "status"}, statusHelp}, {[]string{"policy", "--help"}, policyHelp},
		{[]string{"completion", "--help"}, "Generate the autocompletion script"},
	} {
		if got := call(t, nil, test.args...); got.code != exitRepaired || !strings.HasPrefix(got.stdout, test.want) || got.stderr != "" {
			t.Errorf("%q: exit code %d, stdout %q, stderr %q", test.args, got.code, got.stdout, got.stderr)
		}
	}
}

// TestTheHelpNamesEachFlagAndExitCode: a flag is in the help of its command, below the place that it is only for.
func TestTheHelpNamesEachFlagAndExitCode(t *testing.T) {
	got := call(t, nil, "help", "drill").stdout
	forAll, rest, _ := strings.Cut(got, "\nFlags with --local:\n")
	local, stack, _ := strings.Cut(rest, "\nFlags with --stack:\n")
	for flags, text := range map[string]string{
		"local stack scenario json verbose html": forAll, "template path": local, "region yes organization timeout": stack,
	} {
		for flag := range strings.FieldsSeq(flags) {
			if line := "\n      --" + flag + " "; !strings.Contains("\n"+text, line) {
				t.Errorf("%q is not in\n%s", line, text)
			}
		}
	}
	got = call(t, nil, "help", "status").stdout
	forAll, rest, _ = strings.Cut(got, "\nFlags with --stack:\n")
	stack, organization, _ := strings.Cut(rest, "\nFlags with --organization:\n")
	for flags, text := range map[string]string{"stack organization region json timeout": forAll, "template": stack, "role-name accounts except name-prefixes": organization} {
		for flag := range strings.FieldsSeq(flags) {
			if line := "\n      --" + flag + " "; !strings.Contains("\n"+text, line) {
				t.Errorf("%q is not in\n%s", line, text)
			}
		}
	}
	for _, command := range [][]string{{"help"}, {"help", "drill"}, {"help", "status"}} {
		for code := exitRepaired; code <= exitEnvironment; code++ {
			if text := call(t, nil, command...).stdout; !strings.Contains(text, fmt.Sprintf("\n  %d  ", code)) {
				t.Errorf("exit code %d is not in\n%s", code, text)
			}
		}
	}
}

func TestTheVersionIsOneLine(t *testing.T) {
	got := call(t, nil, "--version")
	if want := "trailguard " + version() + "\n"; got.code != exitRepaired || got.stdout != want || !strings.Contains(want, "("+runtime.Version()) {
		t.Errorf("exit code %d, stdout %q, want %q", got.code, got.stdout, want)
	}
}

func TestTheShellCompletes(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string // the first lines
	}{
		{[]string{"dr"}, "drill\tTamper with a trail, its log store and its guard, and measure the repair\n:4\n"},
		{[]string{"help", "drill", ""}, "list\tList the scenarios\n:4\n"},
		{[]string{"drill", "--pat"}, "--path\t"},
		{[]string{"drill", "--path", ""}, "event\nconfig\nschedule\nall\n:4\n"},
		{[]string{"drill", "--scenario", "T01,T0"}, "T01,T01\nT01,T02\n"},
		{[]string{"drill", "list", "--scenario", ""}, "T01\nT02\n"},
		{[]string{"drill", "--html", ""}, "html\n:8\n"},
		{[]string{"drill", "--template", ""}, "json\ntemplate\n:8\n"},
		{[]string{"status", "--stack", ""}, ":4\n"}, {[]string{"policy", "--trail-name", ""}, ":4\n"},
	} {
		got := call(t, nil, append([]string{"__complete"}, test.args...)...)
		if got.code != exitRepaired || !strings.HasPrefix(got.stdout, test.want) {
			t.Errorf("%q: exit code %d, and\n%s%swant\n%s", test.args, got.code, got.stdout, got.stderr, test.want)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if got := call(t, nil, "completion", shell); got.code != exitRepaired || !strings.Contains(got.stdout, "__complete") || got.stderr != "" {
			t.Errorf("%s: exit code %d, and\n%s%s", shell, got.code, got.stdout, got.stderr)
		}
	}
}

func TestATemplateIsReadBeforeAnythingStarts(t *testing.T) {
	for content, want := range map[string]string{
		"Resources:\n  Topic: {}\n": "is no template in JSON: invalid character 'R' looking for beginning of value",
		"":                          "is no template in JSON: unexpected end of JSON input",
		`{"Resources": [1]}`:        "is no template in JSON: json: cannot unmarshal array into Go struct field .Resources of type map[string]json.RawMessage",
		`{"Resources": {}}`:         "is no template: it has no Resources",
	} {
		file := t.TempDir() + "/template"
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		got := call(t, nil, "drill", "--local", "--template", file)
		if want := fmt.Sprintf("trailguard: drill:\n  --template %q %s\n", file, want); got.code != exitInput || got.stderr != want || got.stdout != "" {
			t.Errorf("%q: exit code %d, stdout %q, stderr %q, want %q", content, got.code, got.stdout, got.stderr, want)
		}
	}
}

func TestThePageIsOfAFileThatCanBe(t *testing.T) {
	folder := t.TempDir()
	for file, want := range map[string]string{
		folder:                    "it is a folder",
		folder + "/no/drill.html": "stat " + folder + "/no: no such file or directory",
		"flags.go/drill.html":     "flags.go is not a folder",
	} {
		got := call(t, nil, "drill", "--local", "--html", file)
		if want := fmt.Sprintf("trailguard: drill:\n  --html %q cannot be written: %s\n", file, want); got.code != exitInput || got.stderr != want {
			t.Errorf("exit code %d, stderr %q, want %q", got.code, got.stderr, want)
		}
	}
}

// TestNothingButATerminalIsATerminal: /dev/null is none by whatever name it was opened, as standard input is.
func TestNothingButATerminalIsATerminal(t *testing.T) {
	for _, path := range []string{os.DevNull, "/dev/zero", t.TempDir()} {
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		// A descriptor of its own: a second file of the same descriptor would close, at some later time, whatever has it then.
		descriptor, err := syscall.Dup(int(file.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		standardInput := os.NewFile(uintptr(descriptor), "/dev/stdin")
		defer standardInput.Close()
		if isTerminal(standardInput) || isTerminal(file) {
			t.Errorf("%s is a terminal", path)
		}
	}
	if isTerminal[io.Writer](&bytes.Buffer{}) {
		t.Error("a buffer is a terminal")
	}
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	if !isTerminal(terminal) {
		t.Error("a terminal is none")
	}
}

func TestTheScenariosAreListedForPeopleAndPrograms(t *testing.T) {
	got := call(t, nil, "drill", "list")
	if alias := call(t, nil, "drill", "--list"); alias != got {
		t.Errorf("drill --list is not the same:\n%s", alias.stdout)
	}
	for _, want := range []string{
		"T01  cloudtrail StopLogging\n",
		"T11  cloudtrail UpdateTrail SnsTopicName=\"\"", "not applicable where the trail has no SNS topic\n",
		"makes another bucket; in an AWS account only if it is named\n",
	} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("%q is not in\n%s", want, got.stdout)
		}
	}
	if got.code != exitRepaired || strings.Count(got.stdout, "\n") != len(drill.Catalogue()) {
		t.Errorf("exit code %d, and\n%s", got.code, got.stdout)
	}
	got = call(t, nil, "drill", "list", "--json", "--scenario", "t02,T14")
	var list struct {
		Scenarios []struct{ ID, Call, Where string }
	}
	if err := json.Unmarshal([]byte(got.stdout), &list); err != nil || len(list.Scenarios) != 3 || list.Scenarios[0].Call != "cloudtrail DeleteTrail" {
		t.Errorf("%v:\n%s", err, got.stdout)
	}
}

func TestTheEnvironmentOfTheCDKReachesNothingButTheEndpoint(t *testing.T) {
	p := &program{environ: []string{"PATH=/bin", "AWS_PROFILE=production", "AWS_ENDPOINT_URL_CLOUDFORMATION=https://elsewhere", "CDK_DEFAULT_ACCOUNT=1"}}
	got := " " + strings.Join(p.newCDK(tools{}, "http://127.0.0.1:1", "us-east-1", "/home", keys("AKIALOCAL"), nil).environ, " ") + " "
	for _, gone := range []string{"AWS_PROFILE", "AWS_ENDPOINT_URL_CLOUDFORMATION", "CDK_DEFAULT_ACCOUNT"} {
		if strings.Contains(got, gone) {
			t.Errorf("%s is still in %s", gone, got)
		}
	}
	for _, want := range []string{" PATH=/bin ", " AWS_ENDPOINT_URL=http://127.0.0.1:1 ", " AWS_ACCESS_KEY_ID=AKIALOCAL ", " AWS_CONFIG_FILE=/dev/null ", " CDK_HOME=/home "} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
}
