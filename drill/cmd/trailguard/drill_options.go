package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/deployed"
)

// paths are the values of --path.
var paths = []deployed.Path{deployed.EventPath, deployed.ConfigPath, deployed.SchedulePath, deployed.AllPaths}

// drillOptions are the flags of drill.
type drillOptions struct {
	list, local       bool
	json, verbose     bool
	html              string
	scenario          string
	stack, region     string
	template          string
	path              deployed.Path
	yes, organization bool
	timeout           time.Duration
	scenarios         []string // of scenario
}

// check names everything that is wrong with the flags.
func (o *drillOptions) check(flags *pflag.FlagSet) (problems []string) {
	o.scenarios, problems = readScenarios(flags, o.scenario)
	if flags.Changed("path") && !slices.Contains(paths, o.path) {
		problems = append(problems, fmt.Sprintf("--path %q is not known: use event, config, schedule or all", o.path))
	}
	if flags.Changed("timeout") && o.timeout <= 0 {
		problems = append(problems, fmt.Sprintf("--timeout %s is not a time to wait: use a positive one, such as 20m", o.timeout))
	}
	if flags.Changed("template") {
		if err := checkTemplate(o.template); err != nil {
			problems = append(problems, fmt.Sprintf("--template %q %v", o.template, err))
		}
	}
	if flags.Changed("html") {
		if err := checkPage(o.html); err != nil {
			problems = append(problems, fmt.Sprintf("--html %q cannot be written: %v", o.html, err))
		}
	}
	atStack := flags.Changed("stack")
	switch {
	case o.list:
	case o.local && atStack:
		problems = append(problems, "--local and --stack exclude one another: drill on this machine, or in your AWS account")
	case atStack && o.stack == "":
		problems = append(problems, "--stack is empty: give the name of the guard's stack")
	case !o.local && !atStack:
		problems = append(problems, "say where: give --local for this machine, or --stack NAME for your AWS account")
	}
	switch {
	case o.local:
		problems = append(problems, misplaced(flags, "--local")...)
	case atStack:
		problems = append(problems, misplaced(flags, "--stack")...)
	}
	return problems
}

// checkTemplate looks whether a file holds a template, as far as that can be told before anything starts.
func checkTemplate(file string) error {
	content, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		return fmt.Errorf("cannot be read: %w", err)
	}
	var template struct{ Resources map[string]json.RawMessage }
	if err := json.Unmarshal(content, &template); err != nil {
		return fmt.Errorf("is no template in JSON: %w", err)
	}
	if len(template.Resources) == 0 {
		return fmt.Errorf("is no template: it has no Resources")
	}
	return nil
}

// checkPage looks whether a file can be written, as far as that can be told before the drill.
func checkPage(file string) error {
	folder := filepath.Dir(file)
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		return fmt.Errorf("it is a folder")
	}
	if info, err := os.Stat(folder); err != nil {
		return err
	} else if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", folder)
	}
	return nil
}

// addScenario adds --scenario.
func addScenario(flags *pflag.FlagSet, into *string, byDefault string) {
	flags.StringVar(into, "scenario", "", "scenarios by their `IDS`, such as T01,T05. "+byDefault)
}

// readScenarios reads the list of --scenario, in any case and order.
func readScenarios(flags *pflag.FlagSet, list string) (ids, problems []string) {
	if !flags.Changed("scenario") {
		return nil, nil
	}
	known := knownScenarios()
	for _, id := range strings.Split(list, ",") {
		id = strings.ToUpper(strings.TrimSpace(id))
		if !slices.Contains(known, id) {
			problems = append(problems, fmt.Sprintf("--scenario %q is not known: trailguard drill list names them; put commas between", id))
			continue
		}
		ids = append(ids, id)
	}
	return ids, problems
}

// knownScenarios are the ids of all scenarios, each once.
func knownScenarios() (ids []string) {
	for _, s := range drill.Catalogue() {
		if !slices.Contains(ids, s.ID) {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// scenarioIDs completes the last id of a list.
func scenarioIDs(_ *cobra.Command, _ []string, typed string) (lists []string, _ cobra.ShellCompDirective) {
	before := typed[:strings.LastIndex(typed, ",")+1]
	for _, id := range knownScenarios() {
		lists = append(lists, before+id)
	}
	return lists, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}
