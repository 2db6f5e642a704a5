package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// does makes a command check all its arguments, name everything that is wrong with them in one error, and else run.
func (p *program) does(command *cobra.Command, check func(*pflag.FlagSet) (problems []string), run func(context.Context) error) {
	begin := func(command *cobra.Command) error {
		_, args, err := command.Root().Find(p.args)
		if err != nil {
			return err
		}
		help, problems := parse(command, args)
		if help {
			return pflag.ErrHelp
		}
		if problems = append(problems, check(command.Flags())...); len(problems) > 0 {
			name := strings.TrimPrefix(command.CommandPath(), command.Root().Name()+" ")
			return errors.New(name + ":\n  " + strings.Join(problems, "\n  "))
		}
		p.began = true
		return run(command.Context())
	}
	command.Args = cobra.ArbitraryArgs
	command.Flags().SortFlags = false
	command.RunE = func(command *cobra.Command, _ []string) error { return begin(command) }
	command.SetFlagErrorFunc(func(command *cobra.Command, _ error) error { return begin(command) })
}

// parse reads all arguments again, because pflag ends at the first that is wrong.
func parse(command *cobra.Command, args []string) (help bool, problems []string) {
	flags := command.Flags()
	flags.VisitAll(func(flag *pflag.Flag) {
		if flag.Changed {
			// A default can always be read.
			_ = flag.Value.Set(flag.DefValue)
			flag.Changed = false
		}
	})
	for len(args) > 0 {
		name, value, hasValue := strings.Cut(strings.TrimLeft(args[0], "-"), "=")
		if !strings.HasPrefix(args[0], "-") || name == "" {
			problems = append(problems, fmt.Sprintf("argument %q is not expected: leave it out", args[0]))
			args = args[1:]
			continue
		}
		if name == "help" || name == "h" {
			return true, nil
		}
		known := flags.Lookup(name)
		if known == nil {
			problems = append(problems, fmt.Sprintf("flag --%s is not known: see %s --help", name, command.CommandPath()))
			if args = args[1:]; !hasValue && len(args) > 0 && !strings.HasPrefix(args[0], "-") {
				args = args[1:] // most likely its value
			}
			continue
		}
		if !strings.HasPrefix(args[0], "--") {
			problems = append(problems, fmt.Sprintf("flag -%s is not known: write --%s", name, name))
		}
		args = args[1:]
		switch {
		case hasValue:
		case known.NoOptDefVal != "":
			value = known.NoOptDefVal
		case len(args) == 0 || strings.HasPrefix(args[0], "--"):
			problems = append(problems, fmt.Sprintf("--%s needs a value", name))
			continue
		default:
			value, args = args[0], args[1:]
		}
		if err := flags.Set(name, value); err != nil {
			problems = append(problems, fmt.Sprintf("--%s %q cannot be read: %v", name, value, errors.Unwrap(err)))
		}
	}
	return false, problems
}

// misplaced names the flags that are only for another place.
func misplaced(flags *pflag.FlagSet, here string) (problems []string) {
	flags.VisitAll(func(flag *pflag.Flag) {
		if where := placeOf(flag); flag.Changed && where != "" && where != here {
			problems = append(problems, fmt.Sprintf("--%s is only for %s: leave it out", flag.Name, where))
		}
	})
	return problems
}

// complete says how the shell completes the values of flags.
func complete(command *cobra.Command, flags map[string]cobra.CompletionFunc) {
	for name, values := range flags {
		if err := command.RegisterFlagCompletionFunc(name, values); err != nil {
			panic(fmt.Errorf("completing --%s of %s: %w", name, command.Name(), err))
		}
	}
	command.ValidArgsFunction = noFiles
}

// noFiles keeps the shell from offering files as a flag's value.
func noFiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveNoFileComp
}
