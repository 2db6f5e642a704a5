package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	configtypes "github.com/aws/aws-sdk-go-v2/service/configservice/types"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/localaws"
	"github.com/trailguard/trailguard/localaws/ssm/automation"
)

// AWS's list prices in us-east-1, in USD, without any free tier.
// https://aws.amazon.com/systems-manager/pricing/
// https://aws.amazon.com/config/pricing/
// https://aws.amazon.com/kms/pricing/
// https://aws.amazon.com/cloudwatch/pricing/
const (
	priceOfStep         = 0.002
	priceOfScriptSecond = 0.00003
	priceOfEvaluation   = 0.001
	priceOfKeyMonth     = 1.0
	priceOfAlarmMonth   = 0.10
)

// The runbook that wrote everything in each run had so many steps and wrote so often, however well the trail was.
const (
	stepsBefore  = 19
	writesBefore = 4
)

const trailName = "trailguard"

// guarded is a guard that is deployed to a local AWS.
type guarded struct {
	*localaws.AWS
	guard  deployed.Guard
	admin  drill.Clients
	counts map[string]int // resources of the stack by type
}

// usage is what some executions took.
type usage struct{ runs, steps, calls, writes, messages, seconds int }

func (u usage) price() float64 {
	return float64(u.steps)*priceOfStep + float64(u.seconds)*priceOfScriptSecond
}

// usageSince adds up the executions after the first n.
func (g *guarded) usageSince(n int) (u usage, err error) {
	for _, x := range g.Executions()[n:] {
		if x.Status != automation.Success {
			return u, fmt.Errorf("an execution is %s: %s", x.Status, x.FailureMessage)
		}
		u.runs, u.steps, u.calls = u.runs+1, u.steps+len(x.Steps), u.calls+len(x.Calls)
		u.seconds += int(x.EndTime.Sub(x.StartTime).Round(time.Second).Seconds())
		for _, call := range x.Calls {
			switch {
			case call.Service == "sns":
				u.messages++
			case call.Service == "cloudtrail" && call.Mutating():
				u.writes++
			}
		}
	}
	return u, nil
}

// repairs measures, on a local AWS, what a run, a month and a flood take.
func repairs(ctx context.Context, _ string) (err error) {
	g, err := newGuarded(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	for _, part := range []func(context.Context) error{g.states, g.month, g.floods} {
		if err := part(ctx); err != nil {
			return err
		}
		fmt.Println()
	}
	return nil
}

// states are what a repair starts from.
func (g *guarded) states(ctx context.Context) error {
	update := func(input cloudtrail.UpdateTrailInput) func() error {
		return func() error {
			input.Name = aws.String(trailName)
			_, err := g.admin.CloudTrail.UpdateTrail(ctx, &input)
			return err
		}
	}
	// Config would start runs of its own beside those that are measured.
	g.HoldConfig(true)
	defer g.HoldConfig(false)
	rows := []string{row("(before, from any state)", 1, stepsBefore, "", writesBefore, "", dollars(stepsBefore*priceOfStep))}
	for _, state := range []struct {
		name  string
		reach func() error
	}{
		{"healthy", func() error { return nil }},
		{"stopped", func() error { return g.stop(ctx) }},
		{"no trail", func() error {
			_, err := g.admin.CloudTrail.DeleteTrail(ctx, &cloudtrail.DeleteTrailInput{Name: aws.String(trailName)})
			return err
		}},
		{"settings weakened", update(cloudtrail.UpdateTrailInput{
			KmsKeyId: aws.String(""), IsMultiRegionTrail: aws.Bool(false), IncludeGlobalServiceEvents: aws.Bool(false), EnableLogFileValidation: aws.Bool(false),
		})},
		{"selectors narrowed", func() error {
			_, err := g.admin.CloudTrail.PutEventSelectors(ctx, &cloudtrail.PutEventSelectorsInput{
				TrailName:      aws.String(trailName),
				EventSelectors: []types.EventSelector{{ReadWriteType: types.ReadWriteTypeReadOnly, IncludeManagementEvents: aws.Bool(true)}},
			})
			return err
		}},
	} {
		if err := state.reach(); err != nil {
			return fmt.Errorf("reaching the state %s: %w", state.name, err)
		}
		n := len(g.Executions())
		// A healthy trail is looked at by the schedule; every other state is an event.
		wait := time.Duration(0)
		if state.name == "healthy" {
			wait = time.Hour
		}
		if err := g.Advance(ctx, wait); err != nil {
			return err
		}
		u, err := g.usageSince(n)
		if err != nil {
			return fmt.Errorf("from the state %s: %w", state.name, err)
		}
		rows = append(rows, row(state.name, u.runs, u.steps, u.calls, u.writes, u.messages, dollars(u.price())))
	}
	return table("trail found\truns\tsteps\tcalls\twrites\tmessages\tUSD", rows...)
}

// month lets thirty days pass over a healthy trail.
func (g *guarded) month(ctx context.Context) error {
	const days = 30
	n := len(g.Executions())
	for range days * 24 {
		if err := g.Advance(ctx, time.Hour); err != nil {
			return err
		}
	}
	u, err := g.usageSince(n)
	if err != nil {
		return err
	}
	rules, err := g.admin.Config.DescribeConfigRules(ctx, &configservice.DescribeConfigRulesInput{ConfigRuleNames: g.guard.ConfigRuleNames})
	if err != nil {
		return fmt.Errorf("reading the Config rules: %w", err)
	}
	evaluations := 0
	for _, rule := range rules.ConfigRules {
		if rule.MaximumExecutionFrequency == configtypes.MaximumExecutionFrequencyTwentyFourHours {
			evaluations += days
		}
	}
	keys, alarms := g.counts["AWS::KMS::Key"], g.counts["AWS::CloudWatch::Alarm"]
	total := u.price() + float64(evaluations)*priceOfEvaluation + float64(keys)*priceOfKeyMonth + float64(alarms)*priceOfAlarmMonth
	return table("a month with a healthy trail\tnumber\tUSD",
		row("runs of the schedule", u.runs, dollars(u.price())),
		row("writes to CloudTrail", u.writes, ""),
		row("messages", u.messages, ""),
		row("evaluations of periodic Config rules", evaluations, dollars(float64(evaluations)*priceOfEvaluation)),
		row("keys", keys, dollars(float64(keys)*priceOfKeyMonth)),
		row("alarms", alarms, dollars(float64(alarms)*priceOfAlarmMonth)),
		row("together", "", dollars(total)))
}

// floods are a thousand calls, one a second.
func (g *guarded) floods(ctx context.Context) error {
	const calls = 1000
	g.HoldConfig(true)
	defer g.HoldConfig(false)
	rows := []string{row("(before)", calls, calls*stepsBefore, calls*writesBefore, calls*3, dollars(calls*stepsBefore*priceOfStep))}
	for _, flood := range []struct {
		name string
		call func() error
	}{
		{"StopLogging", func() error { return g.stop(ctx) }},
		{"UpdateTrail that changes nothing", func() error {
			_, err := g.admin.CloudTrail.UpdateTrail(ctx, &cloudtrail.UpdateTrailInput{Name: aws.String(trailName), IsMultiRegionTrail: aws.Bool(true)})
			return err
		}},
		{"UpdateTrail without validation", func() error {
			_, err := g.admin.CloudTrail.UpdateTrail(ctx, &cloudtrail.UpdateTrailInput{Name: aws.String(trailName), EnableLogFileValidation: aws.Bool(false)})
			return err
		}},
	} {
		n := len(g.Executions())
		for range calls {
			if err := flood.call(); err != nil {
				return fmt.Errorf("flooding: %w", err)
			}
			g.Clock.Advance(time.Second)
			if err := g.RunToQuiescence(ctx); err != nil {
				return err
			}
		}
		u, err := g.usageSince(n)
		if err != nil {
			return err
		}
		rows = append(rows, row(flood.name, u.runs, u.steps, u.writes, u.messages, dollars(u.price())))
	}
	return table(fmt.Sprintf("a flood of %d calls\truns\tsteps\twrites\tmessages of the runbook\tUSD", calls), rows...)
}

func (g *guarded) stop(ctx context.Context) error {
	_, err := g.admin.CloudTrail.StopLogging(ctx, &cloudtrail.StopLoggingInput{Name: aws.String(trailName)})
	return err
}

func dollars(amount float64) string { return fmt.Sprintf("%.4g", amount) }

// newGuarded deploys the default template, whose deployment makes the trail.
func newGuarded(ctx context.Context) (_ *guarded, err error) {
	local, err := localaws.Start(ctx, localaws.Options{Python: filepath.Join(".venv", "bin", "python"), NodeModules: "node_modules"})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, local.Close())
		}
	}()
	config := local.Config(localaws.Administrator)
	g := &guarded{AWS: local, admin: drill.NewClients(config), counts: map[string]int{}}
	text, err := os.ReadFile("constructs/trailguard/testdata/default.template.json")
	if err != nil {
		return nil, err
	}
	if err := localaws.PutRecorder(ctx, config); err != nil {
		return nil, err
	}
	const stack = "TrailGuard"
	if err := localaws.CreateStack(ctx, config, stack, string(text), cloudformationtypes.CapabilityCapabilityIam); err != nil {
		return nil, err
	}
	if g.guard, err = deployed.ReadGuard(ctx, g.admin.Reads(), stack); err != nil {
		return nil, err
	}
	resources, err := deployed.ReadResources(ctx, g.admin.Reads(), g.guard)
	if err != nil {
		return nil, err
	}
	for kind, ids := range resources {
		g.counts[kind] = len(ids)
	}
	// Twice: Config looks once more at what the first run changed.
	for range 2 {
		if err := g.Advance(ctx, 24*time.Hour); err != nil {
			return nil, err
		}
	}
	return g, nil
}
