package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/deployed"
)

// list prints the scenarios, without looking at any guard.
func (p *program) list(o drillOptions) error {
	type entry struct {
		ID    string `json:"id"`
		Call  string `json:"call"`
		Where string `json:"where"`
	}
	entries := []entry{}
	for _, s := range drill.Scenarios() {
		if len(o.scenarios) > 0 && !slices.Contains(o.scenarios, s.ID) {
			continue
		}
		// A guard that declares nothing shows what a scenario asks for.
		where := s.NotApplicable(deployed.Guard{})
		switch {
		case where != "":
			where = "not applicable where " + where
		case s.Needs != "":
			where = "makes " + string(s.Needs) + "; in an AWS account only if it is named"
		case len(s.Refusals) > 0:
			where = "CloudTrail may refuse it: " + strings.Join(s.Refusals, ", ")
		}
		if s.Takes == deployed.IsOrganizationTrail {
			where += "; in an AWS account only if it is named"
		}
		if s.UnseenByConfig != "" {
			where = strings.TrimPrefix(where+"; not seen by AWS Config: "+s.UnseenByConfig, "; ")
		}
		entries = append(entries, entry{s.ID, s.Call, where})
	}
	if o.json {
		return json.NewEncoder(p.stdout).Encode(map[string]any{"scenarios": entries})
	}
	var aligned strings.Builder
	table := tabwriter.NewWriter(&aligned, 0, 0, 2, ' ', 0)
	for _, e := range entries {
		fmt.Fprintf(table, "%s\t%s\t%s\n", e.ID, e.Call, e.Where)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(aligned.String()) {
		if err := p.print(strings.TrimRight(line, " \n") + "\n"); err != nil {
			return err
		}
	}
	return nil
}
