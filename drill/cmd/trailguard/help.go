package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// place is the annotation of a flag that is only for one place: its value is the flag that chooses the place.
const place = "place"

// only says that flags are only for a place: --local, --stack or --organization.
func only(flags *pflag.FlagSet, where string, names ...string) {
	for _, name := range names {
		flags.Lookup(name).Annotations = map[string][]string{place: {where}}
	}
}

// placeOf is the place that a flag is only for; empty if the flag is for all.
func placeOf(flag *pflag.Flag) string { return strings.Join(flag.Annotations[place], "") }

const exitCodes = `Exit codes:
  0  all was repaired, or the guard is whole
  1  bad input, or no guard in the stack
  2  a scenario was not repaired or told, an assumption about AWS did not hold, or the guard is not whole
  3  the environment failed, or the drill was interrupted`

// help is all that is to be known of a command.
func help(command *cobra.Command) string {
	text := &strings.Builder{}
	if command.Long != "" {
		fmt.Fprintf(text, "%s\n", command.Long)
	} else {
		fmt.Fprintf(text, "%s.\n", command.Short)
	}
	if command.Runnable() && command.HasParent() {
		fmt.Fprintf(text, "\nUsage:\n  %s\n", command.UseLine())
	} else {
		fmt.Fprintf(text, "\nUsage:\n  %s COMMAND\n", command.CommandPath())
	}
	if command.HasAvailableSubCommands() {
		fmt.Fprint(text, "\nCommands:\n")
		for _, sub := range command.Commands() {
			if sub.IsAvailableCommand() || sub.Name() == "help" {
				fmt.Fprintf(text, "  %-12s %s\n", sub.Name(), sub.Short)
			}
		}
	}
	if command.HasExample() {
		fmt.Fprintf(text, "\nExamples:\n%s\n", command.Example)
	}
	command.InitDefaultHelpFlag()
	command.InitDefaultVersionFlag()
	for _, where := range []string{"", "--local", "--stack", "--organization"} {
		some := pflag.NewFlagSet("", pflag.ContinueOnError)
		some.SortFlags = false
		command.LocalFlags().VisitAll(func(flag *pflag.Flag) {
			if placeOf(flag) == where {
				some.AddFlag(flag)
			}
		})
		if !some.HasAvailableFlags() {
			continue
		}
		title := "Flags"
		if where != "" {
			title += " with " + where
		}
		fmt.Fprintf(text, "\n%s:\n%s", title, some.FlagUsagesWrapped(120))
	}
	switch {
	case !command.HasParent():
		fmt.Fprintf(text, "\n%s\n\nMore on a command: %s help COMMAND\n", exitCodes, command.CommandPath())
	case command.Name() == "drill" || command.Name() == "status":
		fmt.Fprintf(text, "\n%s\n", exitCodes)
	}
	return text.String()
}

// newHelp is help COMMAND.
func (p *program) newHelp() *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]", Short: "Show the help of a command", Args: cobra.ArbitraryArgs,
		ValidArgsFunction: func(command *cobra.Command, args []string, _ string) (names []string, _ cobra.ShellCompDirective) {
			if of, rest, err := command.Root().Find(args); err == nil && len(rest) == 0 {
				for _, sub := range of.Commands() {
					if sub.IsAvailableCommand() {
						names = append(names, sub.Name()+"\t"+sub.Short)
					}
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(command *cobra.Command, args []string) error {
			of, rest, err := command.Root().Find(args)
			switch {
			case err != nil:
				return err
			case len(rest) > 0:
				return unknownCommand(of, rest[0])
			}
			return p.print(help(of))
		},
	}
}

// unknownCommand names a command that is near.
func unknownCommand(root *cobra.Command, name string) error {
	use := "use drill, policy or status"
	if near := root.SuggestionsFor(name); len(near) > 0 {
		use = "did you mean " + near[0] + "?"
	}
	return fmt.Errorf("%q is not a command: %s", name, use)
}
