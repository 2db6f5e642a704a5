package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

const rootHelp = `Trailguard looks after a deployed guard. drill tampers with the guarded trail as an attacker would, waits for the guard, and
reports how long the repair took. status tells whether the guard is whole. policy prints the policies that deny tampering.`

// newRoot is the command that has all others.
func (p *program) newRoot() *cobra.Command {
	root := &cobra.Command{
		Use: "trailguard", Short: "Look after a deployed guard", Long: rootHelp, Version: version(),
		Example: `  trailguard drill --local                a drill in an AWS that is simulated on this machine
  trailguard drill --stack TrailGuard     a drill in your AWS account
  trailguard status --stack TrailGuard    is the guard whole?
  trailguard policy --organization-id ID  policies for AWS Organizations`,
		Args: cobra.ArbitraryArgs, SilenceErrors: true, SilenceUsage: true,
		RunE: func(root *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("say what to do\n\n%s", help(root))
			}
			return unknownCommand(root, args[0])
		},
	}
	root.SetVersionTemplate("trailguard {{.Version}}\n")
	root.SetHelpFunc(func(command *cobra.Command, _ []string) {
		// Nobody is left to tell that the help cannot be written.
		_ = p.print(help(command))
	})
	root.SetFlagErrorFunc(func(command *cobra.Command, wrong error) error {
		return fmt.Errorf("%w: see %s --help", wrong, command.CommandPath())
	})
	root.AddCommand(p.newDrill(), p.newStatus(), p.newPolicy())
	root.SetHelpCommand(p.newHelp())
	return root
}
