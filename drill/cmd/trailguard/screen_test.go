package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/evidence"
)

func TestProgressIsPlainLinesWhereThereIsNoTerminal(t *testing.T) {
	attempts := func(s *screen) {
		o := &localObserver{screen: s, all: 4}
		s.say("stack %s is deployed", "TrailGuard")
		s.detail("people are told\n")
		for i := range 4 {
			a := drill.Attempt{Scenario: drill.Scenario{ID: "T01", Call: "cloudtrail StopLogging\x1b[2J"}, Path: "event"}
			o.Begun(i, 4, a)
			o.Done(i, 4, drill.Result{Attempt: a, Repaired: true})
		}
		s.clear()
	}
	for _, test := range []struct {
		name            string
		terminal, brief bool
		verbose         bool
		want            []string
		none            []string
	}{
		{"plain", false, true, false, []string{"  stack TrailGuard is deployed\n"}, []string{"\r", "\x1b", "people are told", "T01"}},
		{"plain, verbose", false, false, true, []string{"stack TrailGuard is deployed\n", "people are told\n", "  event: T01 cloudtrail StopLogging"}, []string{"\r", "█"}},
		{"a terminal", true, true, false, []string{
			"\r\x1b[Kstack TrailGuard is deployed\r\x1b[K", "░░░   0 %  event: T01 StopLogging [2J", "██████████████████░░░░░░  75 %  event",
		}, []string{"\n", "people are told", "\x1b[2J"}},
		{"a terminal, verbose", true, false, true, []string{"  stack TrailGuard is deployed\n", "people are told\n", "75 %"}, nil},
	} {
		var out bytes.Buffer
		attempts(&screen{w: &out, terminal: test.terminal, brief: test.brief, verbose: test.verbose, began: time.Now()})
		for _, want := range test.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: %q is not in %q", test.name, want, &out)
			}
		}
		for _, none := range test.none {
			if strings.Contains(out.String(), none) {
				t.Errorf("%s: %q is in %q", test.name, none, &out)
			}
		}
		if test.terminal && !strings.HasSuffix(out.String(), "\r\x1b[K") {
			t.Errorf("%s: a line is left: %q", test.name, &out)
		}
	}
}

func TestColoursAreForTerminalsThatWantThem(t *testing.T) {
	for _, test := range []struct {
		terminal bool
		environ  []string
		want     bool
	}{
		{true, []string{"TERM=xterm"}, true}, {true, []string{"NO_COLOR="}, true}, {true, []string{"NO_COLOR=1"}, false},
		{true, []string{"TERM=dumb"}, false}, {false, []string{"TERM=xterm"}, false},
	} {
		p := &program{environ: test.environ, terminal: func(io.Writer) bool { return test.terminal }}
		if got := p.colored(io.Discard); got != test.want {
			t.Errorf("%+v: got %t", test, got)
		}
	}
}

// TestADrillThatEndedEarlyIsReportedAsFarAsItCame, also on the page, and the worst that was found is its exit code.
func TestADrillThatEndedEarlyIsReportedAsFarAsItCame(t *testing.T) {
	page := t.TempDir() + "/drill.html"
	failed := errors.New("the network is down")
	results := []drill.Result{{Attempt: drill.Attempt{Path: "all"}, Repaired: true}}
	var out bytes.Buffer
	p := &program{stdout: &out, terminal: func(io.Writer) bool { return false }}
	err := p.report(drillOptions{html: page}, evidence.Drill{Report: drill.Report{Results: results}}, failed)
	written, unread := os.ReadFile(page)
	if !errors.Is(err, failed) || unread != nil || !bytes.Contains(written, []byte("a part of it: the network is down")) || !strings.Contains(out.String(), "1 of 1 repaired") {
		t.Errorf("got %v, %v, and\n%s\n%s", err, unread, &out, written)
	}
	if err := p.report(drillOptions{html: page}, evidence.Drill{}, failed); err != failed {
		t.Errorf("a drill that found nothing ended with %v", err)
	}
	results[0].Repaired = false
	err = p.report(drillOptions{html: t.TempDir()}, evidence.Drill{Report: drill.Report{Results: results}}, nil)
	if !errors.Is(err, errUnrepaired) || !strings.Contains(err.Error(), "writing the page: ") {
		t.Errorf("got %v", err)
	}
}
