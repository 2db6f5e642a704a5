package main

import (
	"context"
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

const drillHelp = `Tamper with the trail that a guard looks after, in each way that applies, wait for the guard, compare every setting, and put
the trail back whatever happens.

With --local the guard is deployed in an AWS that is simulated on this machine: nothing reaches AWS, and times are those of a
simulated clock. With --stack the drill is real. It looks first, by reads alone, whether AWS does what the guard leans on, and
after the scenarios whether they have shown the rest: each assumption held, did not hold, or was not seen (listed in
localaws/fidelity.md). It goes on whatever it finds.`

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

// newDrill is the command drill.
func (p *program) newDrill() *cobra.Command {
	o := &drillOptions{}
	command := &cobra.Command{
		Use: "drill {--local | --stack NAME} [flags]", Short: "Tamper with a trail and measure the repair", Long: drillHelp,
		DisableFlagsInUseLine: true,
	}
	flags := command.Flags()
	flags.BoolVar(&o.local, "local", false, "drill in an AWS that is simulated on this machine")
	flags.StringVar(&o.stack, "stack", "", "drill the guard of the stack `NAME` in your AWS account")
	addScenario(flags, &o.scenario, "Default: all that apply; in an AWS account without T07 and T08, which make a key and a bucket, "+
		"and T12, which reaches the organization's other accounts")
	flags.BoolVar(&o.json, "json", false, "print the report as JSON on standard output, and the rest on standard error")
	flags.BoolVar(&o.verbose, "verbose", false, "tell each step, and add a line for the attempts of a scenario that came to the same end")
	flags.StringVar(&o.html, "html", "", "write the report as one page to `FILE`, too, with a timeline for each scenario")
	flags.BoolVar(&o.list, "list", false, "the same as drill list")
	flags.Lookup("list").Hidden = true

	flags.StringVar(&o.template, "template", "", "deploy the template in `FILE`. Default: the one that the repository's CDK app makes")
	flags.StringVar((*string)(&o.path), "path", "", "`TRIGGER` that is armed: event, config, schedule or all. Default: each alone, in this order")
	only(flags, "--local", "template", "path")

	flags.StringVar(&o.region, "region", "", "the trail's home `REGION`. Default: that of the environment")
	flags.BoolVar(&o.yes, "yes", false, "do not ask for confirmation")
	flags.BoolVar(&o.organization, "organization", false, "drill an organization trail: the log of every member account is at stake")
	flags.DurationVar(&o.timeout, "timeout", 15*time.Minute, "how long the guard has for each repair, as a `TIME` such as 20m")
	only(flags, "--stack", "region", "yes", "organization", "timeout")

	complete(command, map[string]cobra.CompletionFunc{
		"stack": noFiles, "region": noFiles, "timeout": noFiles, "scenario": scenarioIDs,
		"path":     cobra.FixedCompletions([]string{string(deployed.EventPath), string(deployed.ConfigPath), string(deployed.SchedulePath), string(deployed.AllPaths)}, cobra.ShellCompDirectiveNoFileComp),
		"html":     cobra.FixedCompletions([]string{"html"}, cobra.ShellCompDirectiveFilterFileExt),
		"template": cobra.FixedCompletions([]string{"json", "template"}, cobra.ShellCompDirectiveFilterFileExt),
	})
	p.does(command, o.check, func(ctx context.Context) error {
		switch {
		case o.list:
			return p.list(o.scenarios, o.json)
		case o.local:
			return p.drillLocal(ctx, *o)
		}
		return p.drillAccount(ctx, *o)
	})
	command.AddCommand(p.newDrillList())
	return command
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
	for _, s := range drill.Scenarios() {
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
