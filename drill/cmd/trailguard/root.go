package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

const rootHelp = `Trailguard looks after a deployed guard. drill tampers with the guarded trail as an attacker would, waits for the guard, and
reports how long the repair took. status tells whether the guard is whole. policy prints the policies that deny tampering.`

const exitCodes = `Exit codes:
  0  all was repaired, or the guard is whole
  1  bad input, or no guard in the stack
  2  a scenario was not repaired, an assumption about AWS did not hold, or the guard is not whole
  3  the environment failed, or the drill was interrupted`

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

// unknownCommand names a command that is near.
func unknownCommand(root *cobra.Command, name string) error {
	use := "use drill, policy or status"
	if near := root.SuggestionsFor(name); len(near) > 0 {
		use = "did you mean " + near[0] + "?"
	}
	return fmt.Errorf("%q is not a command: %s", name, use)
}

// version is that of the module, or of the commit that it was built from, and of Go.
func version() string {
	built := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		built = info.Main.Version
	}
	return fmt.Sprintf("%s (%s %s/%s)", built, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
