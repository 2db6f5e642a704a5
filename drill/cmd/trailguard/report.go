package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/trailguard/trailguard/drill"
)

// report prints what a drill found, and fails where something was not repaired or not as assumed, or as the drill itself failed.
func (p *program) report(o drillOptions, report drill.Report, failed error) error {
	if failed != nil && len(report.Results) == 0 {
		return failed
	}
	if o.json {
		encoder := json.NewEncoder(p.stdout)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(report); err != nil {
			return fmt.Errorf("printing the report: %w", err)
		}
	} else {
		fmt.Fprintln(p.stdout)
		if err := report.WriteTable(p.stdout); err != nil {
			return fmt.Errorf("printing the report: %w", err)
		}
	}
	switch wrong := report.DidNotHold(); {
	case failed != nil:
		return failed
	case !report.Repaired():
		return errUnrepaired
	case len(wrong) > 0:
		return fmt.Errorf("%w: %s did not hold", errNotAsAssumed, strings.Join(wrong, ", "))
	}
	return nil
}
