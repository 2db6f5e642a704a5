package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/deployed"
)

// newDrillList is the command drill list.
func (p *program) newDrillList() *cobra.Command {
	var scenario string
	var scenarios []string
	var asJSON bool
	command := &cobra.Command{
		Use: "list [flags]", Short: "List the scenarios",
		Long: "List the ways in which drill tampers, the guards to which each applies, and those that are run on this machine only.", DisableFlagsInUseLine: true,
	}
	addScenario(command.Flags(), &scenario, "Default: all")
	command.Flags().BoolVar(&asJSON, "json", false, "print the list as JSON")
	complete(command, map[string]cobra.CompletionFunc{"scenario": scenarioIDs})
	p.does(command, func(flags *pflag.FlagSet) (problems []string) {
		scenarios, problems = readScenarios(flags, scenario)
		return problems
	}, func(context.Context) error { return p.list(scenarios, asJSON) })
	return command
}

// list prints scenarios, without looking at any guard. None stand for all.
func (p *program) list(scenarios []string, asJSON bool) error {
	type entry struct {
		ID    string `json:"id"`
		Call  string `json:"call"`
		Where string `json:"where"`
	}
	entries := []entry{}
	for _, s := range drill.Catalogue() {
		if len(scenarios) > 0 && !slices.Contains(scenarios, s.ID) {
			continue
		}
		entries = append(entries, entry{s.ID, s.Call, where(s)})
	}
	if asJSON {
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

// where says to which guards a scenario applies, and where it is run.
func where(s drill.Scenario) string {
	if s.NeverRun != "" {
		return "not run: " + s.NeverRun
	}
	var parts []string
	// A guard that declares nothing shows what a scenario asks for.
	if lacks := s.NotApplicable(deployed.Guard{}); lacks != "" {
		parts = append(parts, "not applicable where "+lacks)
	}
	if s.Told != "" {
		parts = append(parts, "people are told")
	}
	if s.Needs != "" {
		parts = append(parts, "makes "+string(s.Needs))
	}
	if len(s.Refusals) > 0 {
		parts = append(parts, "AWS may refuse it: "+strings.Join(s.Refusals, ", "))
	}
	if s.OnlyIfNamed {
		parts = append(parts, "in an AWS account only if it is named")
	}
	if s.OnlyLocal != "" {
		parts = append(parts, "on the local AWS only: "+s.OnlyLocal)
	}
	if s.UnseenByConfig != "" {
		parts = append(parts, "not seen by AWS Config: "+s.UnseenByConfig)
	}
	return strings.Join(parts, "; ")
}
