package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/trailguard/trailguard/drill/evidence"
)

// report prints what a drill found. It fails if the drill failed, a scenario was not repaired or not told of, or an assumption did not hold.
func (p *program) report(o drillOptions, found evidence.Drill, failed error) error {
	if failed != nil && len(found.Report.Results) == 0 {
		return failed
	}
	if failed != nil {
		found.Failure = failed.Error()
	}
	return errors.Join(judge(found, failed), p.printReport(o, found), p.writePage(o, found))
}

// judge is the error that stands for what was found; nil if all is well.
func judge(found evidence.Drill, failed error) error {
	switch wrong := found.Report.DidNotHold(); {
	case failed != nil:
		return failed
	case !found.Report.Repaired():
		return errUnrepaired
	case !found.Report.Told():
		return errNotTold
	case len(wrong) > 0:
		return fmt.Errorf("%w: %s did not hold", errNotAsAssumed, strings.Join(wrong, ", "))
	}
	return nil
}

func (p *program) printReport(o drillOptions, found evidence.Drill) error {
	if o.json {
		encoder := json.NewEncoder(p.stdout)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(found.Report); err != nil {
			return fmt.Errorf("printing the report: %w", err)
		}
		return nil
	}
	fmt.Fprintln(p.stdout)
	if err := found.WriteText(p.stdout, evidence.Text{Verbose: o.verbose, Color: p.colored(p.stdout)}); err != nil {
		return fmt.Errorf("printing the report: %w", err)
	}
	return nil
}

// writePage writes the page, if --html asks for it.
func (p *program) writePage(o drillOptions, found evidence.Drill) error {
	if o.html == "" {
		return nil
	}
	var page bytes.Buffer
	err := found.WriteHTML(&page)
	if err == nil {
		err = os.WriteFile(o.html, page.Bytes(), 0o644)
	}
	if err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	return nil
}
