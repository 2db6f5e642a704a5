package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/trailguard/trailguard/drill/status"
)

// status prints whether the guard of a stack is whole.
func (p *program) status(ctx context.Context, o statusOptions) error {
	options := status.Options{Timeout: o.timeout}
	if o.template != "" {
		content, err := os.ReadFile(o.template)
		if err != nil {
			return inputError{fmt.Errorf("--template: %w", err)}
		}
		options.Template = string(content)
	}
	session, err := connect(ctx, o.region)
	if err != nil {
		return err
	}
	progress := p.newProgressScreen()
	options.Progress = newProgress(progress, 10*time.Second)
	report, err := status.Inspect(ctx, status.NewClients(session), o.stack, p.clock.Now(), options)
	progress.clear()
	if err != nil && !errors.Is(err, status.ErrNothingSeen) {
		return err
	}
	if failed := p.printStatus(o, report); failed != nil {
		return failed
	}
	if err == nil && report.Wrong() > 0 {
		return errNotWhole
	}
	return err
}

// newProgress tells how many parts were looked at: on a terminal always, and else after each such while.
func newProgress(s *screen, while time.Duration) func(done, all int, last status.Finding) {
	told := s.began
	return func(done, all int, last status.Finding) {
		s.show("%d of %d parts: %s %s", done, all, last.Part, last.Name)
		if !s.terminal && time.Since(told) > while {
			told = time.Now()
			s.say("%d of %d parts are looked at", done, all)
		}
	}
}

// statusReport is the report in JSON.
type statusReport struct {
	Version int             `json:"version"`
	Stack   string          `json:"stack"`
	Trail   string          `json:"trail"`
	Account string          `json:"account"`
	Region  string          `json:"region"`
	Time    time.Time       `json:"time"`
	Whole   bool            `json:"whole"`
	Parts   []statusFinding `json:"parts"`
}

func (p *program) printStatus(o statusOptions, report status.Report) error {
	if !o.json {
		p.writeStatus(p.stdout, report)
		return nil
	}
	guard := report.Guard
	return p.printJSON(statusReport{
		Version: statusVersion, Stack: guard.Stack, Trail: guard.TrailARN, Account: guard.Account(), Region: guard.Region(), Time: p.clock.Now().UTC(),
		Whole: report.Whole(), Parts: partsOf(report),
	})
}

// writeStatus writes the report for people.
func (p *program) writeStatus(to io.Writer, report status.Report) {
	w, guard := p.newStatusWriter(to), report.Guard
	w.write("Guard of trail %s, stack %s in account %s, %s\n\n", guard.TrailName, guard.Stack, guard.Account(), guard.Region())
	for _, finding := range report.Findings {
		w.finding("", finding)
	}
	all := len(report.Findings)
	w.write("\n")
	switch wrong, notSeen := report.Wrong(), report.NotSeen(); {
	case wrong == 0 && notSeen == 0:
		w.write("The guard is whole: all %d parts are as declared.\n", all)
	case wrong == 0:
		w.write("Nothing is wrong with what was seen. Of %d parts, %d could not be seen, or not all of them.\n", all, notSeen)
	default:
		w.write("The guard is not whole: something is wrong with %d of %d parts.\n", wrong, all)
		if notSeen > 0 {
			w.write("Besides, %d could not be seen, or not all of them.\n", notSeen)
		}
	}
	w.permissions("The caller")
}
