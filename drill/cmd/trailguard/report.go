package main

import (
	"encoding/json"
	"fmt"

	"github.com/trailguard/trailguard/drill"
)

// report prints what a drill found, and fails where something was not repaired, or as the drill itself failed.
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
	if failed == nil && !report.Repaired() {
		return errUnrepaired
	}
	return failed
}
