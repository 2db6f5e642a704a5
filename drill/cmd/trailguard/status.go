package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"
)

const statusHelp = `Tell whether the guard of a stack is whole. The template of the stack is the measure: each resource, the trail, the delivery of
its log and the runs of the runbook are compared with it, by calls that read only. A line for each part says ok, NO, or ? for
what could not be seen; below NO stands what is wrong and what mends it.

What the caller may not read is listed with the permission that is lacking. That alone does not change the exit code, unless nothing
at all could be read: then it is 3.

With --organization it looks at each account of the organization, by a role that is in all of them, and prints a line for each account
that is whole, and of the others what is wrong. An account that cannot be looked at is not whole: the exit code is 2. The role, and who
may call: docs/organization.md.`

const statusExample = `  trailguard status --stack TrailGuard
  trailguard status --organization --role-name ReadTrailGuard --except 111122223333`

// newStatus is the command status.
func (p *program) newStatus() *cobra.Command {
	var o statusOptions
	command := &cobra.Command{
		Use: "status (--stack NAME | --organization --role-name NAME) [flags]", Short: "Tell whether a guard is whole", Long: statusHelp, Example: statusExample,
		DisableFlagsInUseLine: true,
	}
	flags := command.Flags()
	flags.StringVar(&o.stack, "stack", "", "look at the guard of the stack of this `NAME`")
	flags.BoolVar(&o.organization, "organization", false, "look at the guards of all accounts of the organization")
	flags.StringVar(&o.region, "region", "", "the trail's home `REGION`; with --organization all Regions of guards' stacks, with commas between. Default: that of the environment")
	flags.BoolVar(&o.json, "json", false, "print the report as JSON, and progress on standard error")
	flags.DurationVar(&o.timeout, "timeout", 30*time.Second, "how long to wait for AWS, for each part")
	flags.StringVar(&o.template, "template", "", "the stack's template should be the one in this `FILE`, which cdk synth wrote")
	flags.StringVar(&o.roleName, "role-name", "", "assume the role of this `NAME` in each account but the caller's own")
	flags.StringVar(&o.accounts, "accounts", "", "look at the accounts of these `IDS` only, with commas between. Default: all that AWS Organizations lists")
	flags.StringVar(&o.except, "except", "", "leave out the accounts of these `IDS`, with commas between. Default: none")
	flags.StringVar(&o.prefixes, "name-prefixes", "TrailGuard,StackSet-TrailGuard-", "what the names of the guards' stacks begin with: `PREFIXES`, with commas between")
	only(flags, "--stack", "template")
	only(flags, "--organization", "role-name", "accounts", "except", "name-prefixes")
	complete(command, map[string]cobra.CompletionFunc{
		"stack": noFiles, "region": noFiles, "timeout": noFiles, "role-name": noFiles, "accounts": noFiles, "except": noFiles, "name-prefixes": noFiles,
	})
	p.does(command, o.check, func(ctx context.Context) error {
		if o.organization {
			return p.statusOfOrganization(ctx, o)
		}
		return p.status(ctx, o)
	})
	return command
}
