package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/trailguard/trailguard/drill/deployed"
)

const drillHelp = `Tamper with the trail that a guard looks after, with its log store and with the guard, in each way that applies. Wait for the guard,
compare every setting, hear what people are told, and put all back whatever happens.

With --local the guard is deployed in an AWS that is simulated on this machine: nothing reaches AWS, and times are those of a
simulated clock. With --stack the drill is real, and leaves out what is not safe by itself (trailguard drill list says why). It looks first, by reads alone, whether AWS does what the guard leans on, and
after the scenarios whether they have shown the rest: each assumption held, did not hold, or was not seen (listed in
localaws/fidelity.md). It goes on whatever it finds.`

// newDrill is the command drill.
func (p *program) newDrill() *cobra.Command {
	o := &drillOptions{}
	command := &cobra.Command{
		Use: "drill {--local | --stack NAME} [flags]", Short: "Tamper with a trail, its log store and its guard, and measure the repair", Long: drillHelp,
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
