package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/deployed"
)

// paths are the values of --path.
var paths = []deployed.Path{deployed.EventPath, deployed.ConfigPath, deployed.SchedulePath, deployed.AllPaths}

type drillOptions struct {
	help, list, local, json bool
	stack, region           string
	template                string
	path                    deployed.Path
	scenarios               []string
	yes, organization       bool
	timeout                 time.Duration
}

type statusOptions struct {
	help          bool
	stack, region string
}

// parseDrill reads the flags of drill. Its error names everything that is wrong.
func parseDrill(args []string) (drillOptions, error) {
	var o drillOptions
	flags := newFlags("drill")
	flags.BoolVar(&o.list, "list", false, "")
	flags.BoolVar(&o.local, "local", false, "")
	flags.BoolVar(&o.json, "json", false, "")
	flags.StringVar(&o.stack, "stack", "", "")
	flags.StringVar(&o.region, "region", "", "")
	flags.StringVar(&o.template, "template", "", "")
	flags.StringVar((*string)(&o.path), "path", "", "")
	flags.BoolVar(&o.yes, "yes", false, "")
	flags.BoolVar(&o.organization, "organization", false, "")
	flags.DurationVar(&o.timeout, "timeout", 15*time.Minute, "")
	scenarios := flags.String("scenario", "", "")

	help, problems := parse(flags, args)
	if help {
		return drillOptions{help: true}, nil
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if given["scenario"] {
		var wrong []string
		o.scenarios, wrong = parseScenarios(*scenarios)
		problems = append(problems, wrong...)
	}
	if given["path"] && !slices.Contains(paths, o.path) {
		problems = append(problems, fmt.Sprintf("--path %q is not known: use event, config, schedule or all", o.path))
	}
	if given["timeout"] && o.timeout <= 0 {
		problems = append(problems, fmt.Sprintf("--timeout %s is not a time to wait: use a positive one, such as 20m", o.timeout))
	}
	if given["template"] {
		if _, err := os.Stat(o.template); err != nil {
			problems = append(problems, fmt.Sprintf("--template %q cannot be read: %v", o.template, err))
		}
	}
	switch {
	case o.list:
	case o.local && given["stack"]:
		problems = append(problems, "--local and --stack exclude one another: drill on this machine, or in your AWS account")
	case given["stack"] && o.stack == "":
		problems = append(problems, "--stack is empty: give the name of the guard's stack")
	case !o.local && !given["stack"]:
		problems = append(problems, "say where: give --local for this machine, or --stack NAME for your AWS account")
	}
	if o.local {
		problems = append(problems, misplaced(given, "--stack", "region", "yes", "organization", "timeout")...)
	} else if given["stack"] {
		problems = append(problems, misplaced(given, "--local", "template", "path")...)
	}
	return o, inputErrorOf("drill", problems)
}

// misplaced names the flags that are only for another place.
func misplaced(given map[string]bool, place string, names ...string) (problems []string) {
	for _, name := range names {
		if given[name] {
			problems = append(problems, fmt.Sprintf("--%s is only for %s: leave it out", name, place))
		}
	}
	return problems
}

func parseStatus(args []string) (statusOptions, error) {
	var o statusOptions
	flags := newFlags("status")
	flags.StringVar(&o.stack, "stack", "", "")
	flags.StringVar(&o.region, "region", "", "")
	help, problems := parse(flags, args)
	if help {
		return statusOptions{help: true}, nil
	}
	if o.stack == "" {
		problems = append(problems, "--stack is missing: give the name of the guard's stack")
	}
	return o, inputErrorOf("status", problems)
}

func newFlags(name string) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	return flags
}

// parse reads all arguments, where the flag package ends at the first that is wrong.
func parse(flags *flag.FlagSet, args []string) (help bool, problems []string) {
	for len(args) > 0 {
		name, _, hasValue := strings.Cut(strings.TrimLeft(args[0], "-"), "=")
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
			problems = append(problems, fmt.Sprintf("flag --%s is not known: see trailguard %s --help", name, flags.Name()))
			if args = args[1:]; !hasValue && len(args) > 0 && !strings.HasPrefix(args[0], "-") {
				args = args[1:] // most likely its value
			}
			continue
		}
		n := 1
		if boolean, ok := known.Value.(interface{ IsBoolFlag() bool }); !hasValue && !(ok && boolean.IsBoolFlag()) {
			n = 2
		}
		if n > len(args) || n == 2 && strings.HasPrefix(args[1], "--") {
			problems = append(problems, fmt.Sprintf("--%s needs a value", name))
			args = args[1:]
			continue
		}
		if err := flags.Parse(args[:n]); err != nil {
			problems = append(problems, fmt.Sprintf("--%s: %v", name, err))
		}
		args = args[n:]
	}
	return false, problems
}

// parseScenarios reads a list of scenarios, in any case and order.
func parseScenarios(list string) (ids, problems []string) {
	var known []string
	for _, s := range drill.Scenarios() {
		known = append(known, s.ID)
	}
	for _, id := range strings.Split(list, ",") {
		id = strings.ToUpper(strings.TrimSpace(id))
		if !slices.Contains(known, id) {
			problems = append(problems, fmt.Sprintf("--scenario %q is not known: trailguard drill --list names them; put commas between", id))
			continue
		}
		ids = append(ids, id)
	}
	return ids, problems
}

// inputErrorOf is one error that names all problems; nil if there are none.
func inputErrorOf(command string, problems []string) error {
	if len(problems) == 0 {
		return nil
	}
	return inputError{errors.New(command + ":\n  " + strings.Join(problems, "\n  "))}
}
