package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/trailguard/trailguard/drill/status"
)

// statusVersion is that of the JSON: it changes if a member is renamed or removed, or means something else.
const statusVersion = 1

// newProgressScreen shows on standard error how a look goes on.
func (p *program) newProgressScreen() *screen {
	return &screen{w: p.stderr, terminal: p.terminal(p.stderr) && p.getenv("TERM") != "dumb", began: time.Now()}
}

type statusFinding struct {
	Verdict string `json:"verdict"` // whole, wrong or not seen
	status.Finding
}

// verdict is what is said of a part, a stack or an account.
func verdict(whole bool, wrong int) string {
	switch {
	case wrong > 0:
		return "wrong"
	case whole:
		return "whole"
	}
	return "not seen"
}

// partsOf are the parts of a stack, for programs.
func partsOf(report status.Report) []statusFinding {
	parts := []statusFinding{}
	for _, finding := range report.Findings {
		finding.Problems, finding.Warnings = append([]status.Problem{}, finding.Problems...), append([]status.Problem{}, finding.Warnings...)
		finding.NotSeen = append([]status.NotSeen{}, finding.NotSeen...)
		parts = append(parts, statusFinding{verdict(finding.Whole(), len(finding.Problems)), finding})
	}
	return parts
}

// printJSON prints a report for programs.
func (p *program) printJSON(report any) error {
	encoder := json.NewEncoder(p.stdout)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(report); err != nil {
		return fmt.Errorf("printing the report: %w", err)
	}
	return nil
}

// statusWriter writes a report for people.
type statusWriter struct {
	w       io.Writer
	colored bool
	lacking []string // permissions
}

func (p *program) newStatusWriter(w io.Writer) *statusWriter {
	return &statusWriter{w: w, colored: p.colored(w)}
}

func (w *statusWriter) write(format string, args ...any) { fmt.Fprintf(w.w, format, args...) }

// line writes what is said of a part or an account: ok, NO or ?.
func (w *statusWriter) line(indent, verdict, text string) {
	mark, color := "ok ", "32" // green
	switch verdict {
	case "wrong":
		mark, color = "NO ", "31" // red
	case "not seen":
		mark, color = "?  ", "33" // yellow
	}
	if w.colored {
		mark = "\x1b[" + color + "m" + mark + "\x1b[0m"
	}
	w.write("%s%s %s\n", indent, mark, text)
}

// finding writes what was seen of a part.
func (w *statusWriter) finding(indent string, f status.Finding) {
	text := strings.TrimSpace(f.Part + " " + f.Name)
	if f.LogicalID != "" {
		text += " (" + f.LogicalID + ")"
	}
	w.line(indent, verdict(f.Whole(), len(f.Problems)), text)
	w.details(indent, f.Problems, f.Warnings, f.NotSeen)
}

// details write what is wrong, and what mends it.
func (w *statusWriter) details(indent string, problems, warnings []status.Problem, notSeen []status.NotSeen) {
	for _, problem := range problems {
		w.write("%s      %s\n%s        mend: %s\n", indent, problem.What, indent, problem.Mend)
	}
	for _, warning := range warnings {
		w.write("%s      warning: %s\n%s        mend: %s\n", indent, warning.What, indent, warning.Mend)
	}
	for _, one := range notSeen {
		w.write("%s      not seen: %s\n", indent, one.What)
		if one.Permission != "" && !slices.Contains(w.lacking, one.Permission) {
			w.lacking = append(w.lacking, one.Permission)
		}
	}
}

// permissions writes which permissions are lacking.
func (w *statusWriter) permissions(who string) {
	if len(w.lacking) > 0 {
		slices.Sort(w.lacking)
		w.write("%s lacks the permissions %s.\n", who, strings.Join(w.lacking, ", "))
	}
}
