package evidence

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/deployed"
)

//go:embed page.html
var pageSource string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"after": exact,
	"utc":   func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
	"join":  func(list []string) string { return strings.Join(list, " ") },
	"call":  func(s drill.Scenario) string { return strings.TrimPrefix(s.Call, "cloudtrail ") },
}).Parse(pageSource))

// page is what the page is made of.
type page struct {
	Drill
	Good     bool
	Verdict  string
	Story    story
	HasStory bool
	OneOf    string
	Tables   []shownTable
	Legend   []string
	Counted  string
	Left     []string
}

// shownTable is a part on the page.
type shownTable struct {
	Title    string
	Triggers []deployed.Path
	Sections []section
}

// section is a scenario on the page.
type section struct {
	Anchor    string
	Scenario  drill.Scenario
	Cells     []cell
	Timelines []shown
}

// shown is the timeline that the page shows for a trigger, and the timelines of all attempts with that trigger.
type shown struct {
	timeline
	Trigger deployed.Path
	All     []timeline
}

// WriteHTML writes what a drill found as one page that needs nothing else.
func (d Drill) WriteHTML(w io.Writer) error {
	p := page{Drill: d, Counted: d.counted(), Left: d.left()}
	p.Good = d.Report.Repaired() && d.Report.Told() && len(d.Report.DidNotHold()) == 0 && d.Failure == ""
	switch {
	case d.Failure != "":
		p.Verdict = "The drill ended early"
	case !d.Report.Repaired():
		p.Verdict = "Not everything was repaired"
	case !d.Report.Told():
		p.Verdict = "People were not told of everything"
	case len(d.Report.DidNotHold()) > 0:
		p.Verdict = "AWS is not as assumed"
	default:
		p.Verdict = "Everything was repaired"
	}
	p.Story, p.HasStory = d.story()
	p.OneOf = d.oneOf()
	found := map[outcome]bool{}
	n := 0
	for _, t := range d.tables() {
		made := shownTable{Title: t.Title(), Triggers: t.Triggers}
		for _, one := range t.Rows {
			n++
			s := section{Anchor: fmt.Sprintf("%s-%d", one.Scenario.ID, n), Scenario: one.Scenario, Cells: one.Cells}
			for _, c := range one.Cells {
				found[c.Outcome] = true
				worst, ok := c.worst()
				if !ok {
					continue
				}
				of := shown{timeline: timelineOf(worst), Trigger: c.Trigger}
				for _, r := range c.Results {
					of.All = append(of.All, timelineOf(r))
				}
				s.Timelines = append(s.Timelines, of)
			}
			made.Sections = append(made.Sections, s)
		}
		p.Tables = append(p.Tables, made)
	}
	for _, one := range outcomes {
		if found[one] {
			p.Legend = append(p.Legend, means[one])
		}
	}
	var made bytes.Buffer
	if err := pageTemplate.Execute(&made, p); err != nil {
		return fmt.Errorf("making the page: %w", err)
	}
	_, err := w.Write(bytes.Map(func(r rune) rune {
		if r != '\n' && plain(string(r)) == " " {
			return ' '
		}
		return r
	}, made.Bytes()))
	return err
}

// exact is a time to the tenth of a second.
func exact(d time.Duration) string {
	d = max(d, 0).Round(100 * time.Millisecond)
	return fmt.Sprintf("+%d:%02d:%04.1f", int(d.Hours()), int(d.Minutes())%60, (d % time.Minute).Seconds())
}

// Class is the outcome as a class of the page's style.
func (o outcome) Class() string {
	switch o {
	case notRepaired, notTold:
		return "bad"
	case unseen, notRun:
		return "quiet"
	}
	return "good"
}

// Verdict is what became of the attempt, and who put the trail back.
func (t timeline) Verdict() string {
	if t.Outcome == repaired {
		return "repaired"
	}
	return verdict(t.Result)
}

// Form is how the attempt names the trail.
func (t timeline) Form() string { return form(t.Attempt) }
