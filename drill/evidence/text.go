package evidence

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/trailguard/trailguard/drill"
)

// Text is how a drill is written for a terminal.
type Text struct {
	// Verbose adds a line for the attempts of a scenario that came to the same end, with callers and calls.
	Verbose bool
	// Color marks what was repaired and what was not.
	Color bool
}

// width is that of the text, in characters: a terminal of 80 shows it without a break.
const width = 79

// WriteText writes what a drill found.
func (d Drill) WriteText(w io.Writer, how Text) error {
	out := &text{color: how.Color}
	out.bold("Drill of trail " + plain(d.Guard.TrailName))
	if s, ok := d.story(); ok {
		out.print("%s\n", d.oneOf())
		out.paragraph("What was attacked", s.Attack)
		out.paragraph("What the guard did", s.Guard)
		out.bold("What people were told")
		if s.Message == "" {
			out.print("  nothing\n")
		}
		for line := range strings.Lines(s.Message) {
			out.wrapped("  ", strings.TrimSpace(line))
		}
	}
	out.print("\n")
	if len(d.Report.Simulated) > 0 {
		out.wrapped("", fmt.Sprintf("SIMULATED: %s.", strings.Join(d.Report.Simulated, ", ")))
	}
	out.line("%s", d.Times())
	out.wrapped("", fmt.Sprintf("Stack %s, account %s, %s, by trailguard %s at %s.", d.Guard.Stack, d.Guard.Account(), d.Guard.Region(),
		d.Version, d.Ended.UTC().Format("2006-01-02 15:04 UTC")))
	out.print("\n")
	d.writeTables(out)
	if how.Verbose {
		out.print("\n")
		if err := d.writeAttempts(out); err != nil {
			return err
		}
	}
	out.print("\n")
	out.line("%s", d.Summary())
	for _, one := range d.alike() {
		a := one.first.Attempt
		for _, unmet := range one.first.Unmet {
			out.line("%s, %s path: %s", a.Scenario.ID, a.Path, unmet)
		}
		for _, x := range one.first.Executions {
			// That the runbook fails is part of what people are told of.
			if x.Failure != "" && outcomeOf(one.first) != told {
				out.line("%s, %s path: the runbook failed: %s", a.Scenario.ID, a.Path, x.Failure)
			}
		}
	}
	for _, left := range d.left() {
		out.line("Not run: %s", left)
	}
	if counted := d.counted(); counted != "" {
		out.line("%s", counted)
	}
	for _, one := range d.Report.Judged {
		if one.Verdict == drill.DidNotHold {
			out.line("%s did not hold: %s But %s. So: %s", one.ID, one.Statement, one.Why, one.IfWrong)
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// writeTables writes a table for each part, and the legend of what they hold.
func (d Drill) writeTables(out *text) {
	found := map[outcome]bool{}
	for _, one := range d.tables() {
		one.write(out)
		out.print("\n")
		for _, row := range one.Rows {
			for _, c := range row.Cells {
				found[c.Outcome] = true
			}
		}
	}
	for _, one := range outcomes {
		if found[one] {
			out.print("  %s\n", means[one])
		}
	}
}

// write writes a row for each scenario.
func (t table) write(out *text) {
	columns := make([]int, len(t.Rows[0].Cells))
	for i := range columns {
		if i < len(t.Triggers) {
			columns[i] = len(t.Triggers[i])
		}
		for _, one := range t.Rows {
			columns[i] = max(columns[i], utf8.RuneCountInString(one.Cells[i].Text()))
		}
	}
	const id = len("T01  ")
	call := width - id
	for _, column := range columns {
		call -= column + 2
	}
	call = max(call, 24)
	header := fmt.Sprintf("%-*s", id+call, t.Title())
	for i, trigger := range t.Triggers {
		header += "  " + strings.ToUpper(string(trigger)) + strings.Repeat(" ", columns[i]-len(trigger))
	}
	out.bold(strings.TrimRight(header, " "))
	for _, one := range t.Rows {
		lines := wrap(strings.TrimPrefix(one.Scenario.Call, "cloudtrail "), call)
		cells := ""
		for i, c := range one.Cells {
			cells += "  " + out.colored(c.Outcome, c.Text()) + strings.Repeat(" ", columns[i]-utf8.RuneCountInString(c.Text()))
		}
		out.print("%-*s%-*s%s\n", id, plain(one.Scenario.ID), call, lines[0], strings.TrimRight(cells, " "))
		for _, line := range lines[1:] {
			out.print("%*s  %s\n", id, "", line)
		}
	}
}

// text is text that grows.
type text struct {
	strings.Builder
	color bool
}

func (t *text) print(format string, args ...any) { fmt.Fprintf(t, format, args...) }

// line prints one line, of which a terminal obeys nothing.
func (t *text) line(format string, args ...any) { t.print("%s\n", plain(fmt.Sprintf(format, args...))) }

func (t *text) bold(line string) {
	if t.color {
		line = "\x1b[1m" + line + "\x1b[0m"
	}
	t.print("%s\n", line)
}

// colored is a text in the colour of an outcome.
func (t *text) colored(of outcome, text string) string {
	code := map[outcome]string{repaired: "32", told: "32", refused: "32", leftAlone: "32", notRepaired: "1;31", notTold: "1;31"}[of]
	if !t.color || code == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (t *text) paragraph(title string, sentences []string) {
	t.bold(title)
	t.wrapped("  ", strings.Join(sentences, " "))
}

func (t *text) wrapped(indent, paragraph string) {
	for _, line := range wrap(paragraph, width-len(indent)) {
		t.print("%s%s\n", indent, line)
	}
}

// wrap breaks a text between words into lines of at most n characters; a longer word has a line of its own. What a terminal
// would obey is taken out.
func wrap(paragraph string, n int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(plain(paragraph)) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= n:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}
