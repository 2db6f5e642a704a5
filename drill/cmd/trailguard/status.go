package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/trailguard/trailguard/drill/deployed"
)

const statusHelp = `Tell whether the guard of a stack is whole: the trail as declared, the rules of AWS Config and EventBridge armed, the
configuration recorder on, the runbook with a runtime. It changes nothing.`

// newStatus is the command status.
func (p *program) newStatus() *cobra.Command {
	var stack, region string
	command := &cobra.Command{
		Use: "status --stack NAME [flags]", Short: "Tell whether a guard is whole", Long: statusHelp, DisableFlagsInUseLine: true,
	}
	command.Flags().StringVar(&stack, "stack", "", "the guard's stack has this `NAME`")
	command.Flags().StringVar(&region, "region", "", "the trail's home `REGION`. Default: that of the environment")
	complete(command, map[string]cobra.CompletionFunc{"stack": noFiles, "region": noFiles})
	p.does(command, func(*pflag.FlagSet) (problems []string) {
		if stack == "" {
			problems = append(problems, "--stack is missing: give the name of the guard's stack")
		}
		return problems
	}, func(ctx context.Context) error { return p.status(ctx, stack, region) })
	return command
}

// status prints whether the guard of a stack is whole.
func (p *program) status(ctx context.Context, stack, region string) error {
	session, err := connect(ctx, region)
	if err != nil {
		return err
	}
	clients := deployed.NewClients(session)
	guard, err := deployed.ReadGuard(ctx, clients, stack)
	if err != nil {
		return err
	}
	findings, err := deployed.Inspect(ctx, clients, guard, p.clock.Now())
	if err != nil {
		return err
	}
	whole := true
	for _, finding := range findings {
		verdict := "ok "
		if len(finding.Problems) > 0 {
			verdict, whole = "NO ", false
		}
		fmt.Fprintf(p.stdout, "%s %s\n", verdict, finding.What)
		for _, problem := range finding.Problems {
			fmt.Fprintf(p.stdout, "      %s\n", problem)
		}
		if finding.Warning != "" {
			fmt.Fprintf(p.stdout, "      warning: %s\n", finding.Warning)
		}
	}
	if !whole {
		return fmt.Errorf("%w: the guard is not whole", errUnrepaired)
	}
	return nil
}
