package main

import (
	"bytes"
	"encoding/json"
	"go/parser"
	"go/token"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"github.com/trailguard/trailguard/drill/status"
	"github.com/trailguard/trailguard/localaws"
)

// TestStatusCannotTamper: what the files of status import can only read a guard.
func TestStatusCannotTamper(t *testing.T) {
	files, err := filepath.Glob("status*.go")
	if err != nil {
		t.Fatal(err)
	}
	reads := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, imported := range file.Imports {
			switch path := imported.Path.Value; {
			case path == `"github.com/trailguard/trailguard/drill/status"`:
				reads++
			case strings.Contains(path, "trailguard") || strings.Contains(path, "aws-sdk-go"):
				t.Errorf("%s imports %s", name, path)
			}
		}
	}
	if reads < 3 {
		t.Errorf("of %q, %d import drill/status", files, reads)
	}
}

// TestStatusSaysWhatIsWrongAndHowToMendIt breaks something, and mends it. What status finds, the tests of drill/status show.
func TestStatusSaysWhatIsWrongAndHowToMendIt(t *testing.T) {
	g := newGuarded(t, golden)
	ctx, admin := t.Context(), g.local.Config(localaws.Administrator)
	events := eventbridge.NewFromConfig(admin)
	rules, err := events.ListRules(ctx, &eventbridge.ListRulesInput{})
	if err != nil {
		t.Fatal(err)
	}
	rule := rules.Rules[0].Name
	status := []string{"status", "--stack", "TrailGuard"}

	t.Run("whole", func(t *testing.T) {
		got := g.call(nil, status...)
		_, last, _ := strings.Cut(got.stdout, "\n\nThe guard is whole: ")
		if got.code != exitRepaired || got.stderr != "" || !strings.HasSuffix(last, " parts are as declared.\n") ||
			!strings.HasPrefix(got.stdout, "Guard of trail trailguard, stack TrailGuard in account 123456789012, us-east-1\n\nok  stack TrailGuard\n") {
			t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
		}
		for line := range strings.Lines(got.stdout) {
			if strings.ContainsAny(line, "\x1b\r") {
				t.Errorf("without a terminal the line %q is printed", line)
			}
		}
	})

	if _, err := events.DisableRule(ctx, &eventbridge.DisableRuleInput{Name: rule}); err != nil {
		t.Fatal(err)
	}
	t.Run("not whole", func(t *testing.T) {
		got := g.call(nil, status...)
		want := "\n      State is DISABLED, want ENABLED\n        mend: aws events enable-rule --name " + *rule + "\n"
		if got.code != exitUnrepaired || strings.Count(got.stdout, "\nNO ") != 1 || !strings.Contains(got.stdout, "\nNO  event rule "+*rule+" (") || !strings.Contains(got.stdout, want) ||
			!strings.Contains(got.stdout, "\nThe guard is not whole: something is wrong with 1 of ") || got.stderr != "trailguard: the guard is not whole\n" {
			t.Errorf("exit code %d, without %q:\n%s%s", got.code, want, got.stdout, got.stderr)
		}
	})
	t.Run("on a terminal", func(t *testing.T) {
		terminal := func(p *program) {
			p.terminal = func(io.Writer) bool { return true }
			p.environ = append(slices.DeleteFunc(slices.Clone(p.environ), func(one string) bool { return strings.HasPrefix(one, "NO_COLOR=") }), "TERM=xterm")
		}
		got := g.call(terminal, status...)
		if !strings.Contains(got.stdout, "\x1b[31mNO \x1b[0m event rule ") || !strings.Contains(got.stderr, "\r\x1b[K1 of 3") {
			t.Errorf("got\n%q\n%q", got.stdout, got.stderr)
		}
		got = g.call(func(p *program) {
			terminal(p)
			p.environ = append(p.environ, "NO_COLOR=1")
		}, status...)
		if strings.Contains(got.stdout, "\x1b") {
			t.Errorf("with NO_COLOR it prints\n%q", got.stdout)
		}
	})
	t.Run("for programs", func(t *testing.T) {
		got := g.call(nil, append(status, "--json")...)
		decoder := json.NewDecoder(strings.NewReader(got.stdout))
		decoder.DisallowUnknownFields()
		type problem struct{ What, Mend string }
		var report struct {
			Version                       int
			Stack, Trail, Account, Region string
			Time                          time.Time
			Whole                         *bool
			Parts                         []struct {
				Verdict, Part, Name, LogicalID string
				Problems, Warnings             []problem
				NotSeen                        []struct{ What, Permission string }
			}
		}
		if err := decoder.Decode(&report); err != nil || decoder.More() || got.code != exitUnrepaired {
			t.Fatalf("exit code %d, %v:\n%s", got.code, err, got.stdout)
		}
		if report.Version != statusVersion || report.Stack != "TrailGuard" || report.Trail != g.guard.TrailARN || report.Account != "123456789012" || report.Whole == nil || *report.Whole || report.Time.IsZero() {
			t.Errorf("the report is %+v", report)
		}
		verdicts := map[string]int{}
		for _, part := range report.Parts {
			if verdicts[part.Verdict]++; part.Problems == nil || part.Warnings == nil || part.NotSeen == nil || (part.Verdict == "wrong") != (len(part.Problems) > 0) {
				t.Errorf("the part is %+v", part)
			}
		}
		if verdicts["wrong"] != 1 || verdicts["whole"] < 30 || len(verdicts) != 2 {
			t.Errorf("the verdicts are %v", verdicts)
		}
	})
	if _, err := events.EnableRule(ctx, &eventbridge.EnableRuleInput{Name: rule}); err != nil {
		t.Fatal(err)
	}

	t.Run("by another template", func(t *testing.T) {
		if got := g.call(nil, append(status, "--template", golden)...); got.code != exitRepaired {
			t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
		}
		other := strings.Replace(golden, "default", "everything", 1)
		if got := g.call(nil, append(status, "--template", other)...); got.code != exitUnrepaired || !strings.Contains(got.stdout, "is in the template that was given only\n        mend: cdk deploy\n") {
			t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
		}
	})
	t.Run("no guard", func(t *testing.T) {
		got := g.call(nil, "status", "--stack", "Another")
		if got.code != exitInput || got.stderr != "trailguard: no guard: stack Another cannot be found in this account and Region: deploy it again, or name another stack or Region\n" {
			t.Errorf("exit code %d: %s", got.code, got.stderr)
		}
	})
	t.Run("no AWS", func(t *testing.T) {
		t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
		t.Setenv("AWS_MAX_ATTEMPTS", "1")
		if got := g.call(nil, status...); got.code != exitEnvironment || got.stdout != "" || !strings.HasPrefix(got.stderr, "trailguard: reading stack TrailGuard: ") {
			t.Errorf("exit code %d: %s%s", got.code, got.stdout, got.stderr)
		}
	})
}

// TestSlowProgressIsToldInLines: without a terminal a line is told only now and then.
func TestSlowProgressIsToldInLines(t *testing.T) {
	for _, test := range []struct {
		while time.Duration
		want  int
	}{{time.Hour, 0}, {0, 3}} {
		var told bytes.Buffer
		progress := newProgress(&screen{w: &told, began: time.Now().Add(-time.Second)}, test.while)
		for i := range 3 {
			progress(i+1, 3, status.Finding{Part: "key"})
			time.Sleep(time.Millisecond)
		}
		if got := strings.Count(told.String(), " of 3 parts are looked at\n"); got != test.want {
			t.Errorf("each %s: %d lines are told, want %d:\n%s", test.while, got, test.want, &told)
		}
	}
}
