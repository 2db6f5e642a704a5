package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/trailguard/trailguard/drill/status"
)

const statusHelp = `Tell whether the guard of a stack is whole. The template of the stack is the measure: each resource, the trail, the delivery of
its log and the runs of the runbook are compared with it, by calls that read only. A line for each part says ok, NO, or ? for
what could not be seen; below NO stands what is wrong and what mends it.

What the caller may not read is listed with the permission that is lacking. That alone does not change the exit code, unless nothing
at all could be read: then it is 3.`

// statusOptions are the flags of status.
type statusOptions struct {
	stack, region, template string
	json                    bool
	timeout                 time.Duration
}

// newStatus is the command status.
func (p *program) newStatus() *cobra.Command {
	var o statusOptions
	command := &cobra.Command{
		Use: "status --stack NAME [flags]", Short: "Tell whether a guard is whole", Long: statusHelp, DisableFlagsInUseLine: true,
	}
	command.Flags().StringVar(&o.stack, "stack", "", "the guard's stack has this `NAME`")
	command.Flags().StringVar(&o.region, "region", "", "the trail's home `REGION`. Default: that of the environment")
	command.Flags().StringVar(&o.template, "template", "", "the stack's template should be the one in this `FILE`, which cdk synth wrote")
	command.Flags().BoolVar(&o.json, "json", false, "print the report as JSON, and progress on standard error")
	command.Flags().DurationVar(&o.timeout, "timeout", 30*time.Second, "how long to wait for AWS, for each part")
	complete(command, map[string]cobra.CompletionFunc{"stack": noFiles, "region": noFiles, "timeout": noFiles})
	p.does(command, func(*pflag.FlagSet) (problems []string) {
		if o.stack == "" {
			problems = append(problems, "--stack is missing: give the name of the guard's stack")
		}
		if o.timeout <= 0 {
			problems = append(problems, fmt.Sprintf("--timeout %s is too short: give more than 0s", o.timeout))
		}
		return problems
	}, func(ctx context.Context) error { return p.status(ctx, o) })
	return command
}

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
	progress := &screen{w: p.stderr, terminal: p.terminal(p.stderr) && p.getenv("TERM") != "dumb", began: time.Now()}
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

// statusVersion is that of the JSON: it changes if a member is renamed or removed, or means something else.
const statusVersion = 1

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

type statusFinding struct {
	Verdict string `json:"verdict"` // whole, wrong or not seen
	status.Finding
}

func (p *program) printStatus(o statusOptions, report status.Report) error {
	if !o.json {
		p.writeStatus(p.stdout, report)
		return nil
	}
	guard := report.Guard
	out := statusReport{
		Version: statusVersion, Stack: guard.Stack, Trail: guard.TrailARN, Account: guard.Account(), Region: guard.Region(), Time: p.clock.Now().UTC(),
		Whole: report.Whole(), Parts: []statusFinding{},
	}
	for _, finding := range report.Findings {
		finding.Problems, finding.Warnings = append([]status.Problem{}, finding.Problems...), append([]status.Problem{}, finding.Warnings...)
		finding.NotSeen = append([]status.NotSeen{}, finding.NotSeen...)
		verdict := map[bool]string{true: "whole", false: "not seen"}[finding.Whole()]
		if len(finding.Problems) > 0 {
			verdict = "wrong"
		}
		out.Parts = append(out.Parts, statusFinding{verdict, finding})
	}
	encoder := json.NewEncoder(p.stdout)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(out); err != nil {
		return fmt.Errorf("printing the report: %w", err)
	}
	return nil
}

// writeStatus writes the report for people.
func (p *program) writeStatus(w io.Writer, report status.Report) {
	const green, yellow, red = "32", "33", "31"
	colored := p.colored(w)
	paint := func(color, text string) string {
		if !colored {
			return text
		}
		return "\x1b[" + color + "m" + text + "\x1b[0m"
	}
	guard := report.Guard
	fmt.Fprintf(w, "Guard of trail %s, stack %s in account %s, %s\n\n", guard.TrailName, guard.Stack, guard.Account(), guard.Region())
	var lacking []string
	for _, finding := range report.Findings {
		verdict := paint(green, "ok ")
		switch {
		case len(finding.Problems) > 0:
			verdict = paint(red, "NO ")
		case len(finding.NotSeen) > 0:
			verdict = paint(yellow, "?  ")
		}
		line := strings.TrimSpace(finding.Part + " " + finding.Name)
		if finding.LogicalID != "" {
			line += " (" + finding.LogicalID + ")"
		}
		fmt.Fprintf(w, "%s %s\n", verdict, line)
		for _, problem := range finding.Problems {
			fmt.Fprintf(w, "      %s\n        mend: %s\n", problem.What, problem.Mend)
		}
		for _, warning := range finding.Warnings {
			fmt.Fprintf(w, "      warning: %s\n        mend: %s\n", warning.What, warning.Mend)
		}
		for _, one := range finding.NotSeen {
			fmt.Fprintf(w, "      not seen: %s\n", one.What)
			if one.Permission != "" && !slices.Contains(lacking, one.Permission) {
				lacking = append(lacking, one.Permission)
			}
		}
	}
	all := len(report.Findings)
	fmt.Fprintln(w)
	switch wrong, notSeen := report.Wrong(), report.NotSeen(); {
	case wrong == 0 && notSeen == 0:
		fmt.Fprintf(w, "The guard is whole: all %d parts are as declared.\n", all)
	case wrong == 0:
		fmt.Fprintf(w, "Nothing is wrong with what was seen. Of %d parts, %d could not be seen, or not all of them.\n", all, notSeen)
	default:
		fmt.Fprintf(w, "The guard is not whole: something is wrong with %d of %d parts.\n", wrong, all)
		if notSeen > 0 {
			fmt.Fprintf(w, "Besides, %d could not be seen, or not all of them.\n", notSeen)
		}
	}
	if len(lacking) > 0 {
		slices.Sort(lacking)
		fmt.Fprintf(w, "The caller lacks the permissions %s.\n", strings.Join(lacking, ", "))
	}
}
