package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/configservice"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/drill/evidence"
	"github.com/trailguard/trailguard/localaws"
	"github.com/trailguard/trailguard/localaws/api"
	localtrail "github.com/trailguard/trailguard/localaws/cloudtrail"
)

// Config evaluates once a day at the latest.
const localTimeout = 25 * time.Hour

// localPoll is the time between two looks at what is not repaired.
func localPoll(path deployed.Path) time.Duration {
	switch path {
	case deployed.ConfigPath:
		return time.Hour
	case deployed.SchedulePath:
		return 30 * time.Minute
	}
	return 5 * time.Minute
}

// localDrill is a drill on the local AWS.
type localDrill struct {
	*screen
	local   *localaws.AWS
	clients drill.Clients // of the administrator
	guard   deployed.Guard
	rules   []deployed.EventRule
	known   int // executions that were told of
	// listener hears what people are told.
	//
	// Default: - no attempt needs one.
	listener drill.Listener
}

// drillLocal is the main job: a guard is deployed on this machine, makes its trail, and repairs it.
func (p *program) drillLocal(ctx context.Context, o drillOptions) (err error) {
	d := &localDrill{screen: p.newScreen(o)}
	d.brief = !o.json && !o.verbose
	defer d.clear()
	found, err := p.findTools()
	if err != nil {
		return err
	}
	d.say("starting an AWS on this machine: nothing below reaches AWS, or tells how long AWS takes")
	d.local, err = localaws.Start(ctx, localaws.Options{
		Python: found.python, NodeModules: found.nodeModules, Organization: localtrail.ManagementAccount, OrganizationID: "o-a1b2c3d4e5",
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.local.Close()) }()
	d.owned(d.local.Clock.Now)
	d.clients = drill.NewClients(d.local.Config(localaws.Administrator))
	d.say("it answers on %s; the times with a + are on its own clock", d.local.URL())

	if err := d.deploy(ctx, p, o, found); err != nil {
		return err
	}
	paths, err := d.paths(o)
	if err != nil {
		return err
	}
	if err := d.firstLook(ctx); err != nil {
		return err
	}
	if err := d.stopAndRepair(ctx, paths); err != nil {
		return err
	}
	drilled := evidence.Drill{Guard: d.guard, Report: drill.Report{Simulated: simulated}, Version: version(), Began: d.began}
	report := func(failed error) error {
		d.clear()
		drilled.Ended = time.Now()
		return p.report(o, drilled, failed)
	}
	callers := localCallers(d.local)
	attempts := make([][]drill.Attempt, len(paths))
	observer := &localObserver{screen: d.screen}
	for i, path := range paths {
		var left []drill.Left
		attempts[i], left = drill.Plan{IDs: o.scenarios, Callers: callers, Path: path}.Attempts(d.guard)
		drilled.Report.Left = union(drilled.Report.Left, left)
		observer.all += len(attempts[i])
	}
	admin := d.local.Config(localaws.Administrator)
	if err := arm(ctx, d.local, d.clients, d.rules, deployed.AllPaths); err != nil {
		return err
	}
	before, err := whole(ctx, admin, d.guard.Stack, d.local.Clock.Now(), slices.Concat(attempts...))
	if err != nil {
		return err
	}
	deaf := func(context.Context) error { return nil }
	if needsListener(attempts...) {
		if d.listener, deaf, err = drill.Listen(ctx, d.clients, d.guard); err != nil {
			return err
		}
	}
	for i, path := range paths {
		results, err := d.scenarios(ctx, path, attempts[i], observer)
		drilled.Report.Results = append(drilled.Report.Results, results...)
		if err != nil {
			return report(errors.Join(err, closed(ctx, deaf)))
		}
	}
	if err := errors.Join(closed(ctx, deaf), d.finish(ctx), before.wantAsBefore(ctx, admin, d.guard.Stack, d.local.Clock.Now())); err != nil {
		return report(err)
	}
	if len(before) > 0 {
		d.say("%d parts of the guard and its log store are as before the drill", len(before))
	}
	return report(nil)
}

// union are what both lists hold, each once.
func union(a, b []drill.Left) []drill.Left {
	for _, one := range b {
		if !slices.ContainsFunc(a, one.Same) {
			a = append(a, one)
		}
	}
	return a
}

// deploy deploys a template, as the CDK does or as CloudFormation does, and reads the guard.
func (d *localDrill) deploy(ctx context.Context, p *program, o drillOptions, found tools) error {
	stack := "TrailGuard"
	if o.template != "" {
		template, err := os.ReadFile(o.template)
		if err != nil {
			return inputError{fmt.Errorf("reading the template: %w", err)}
		}
		if err := d.putRecorder(ctx, template); err != nil {
			return err
		}
		d.say("deploying %s by CloudFormation", o.template)
		if err := d.createStack(ctx, stack, template); err != nil {
			return err
		}
	} else {
		folder, err := os.MkdirTemp("", "trailguard-drill-")
		if err != nil {
			return fmt.Errorf("making a folder for the template: %w", err)
		}
		defer os.RemoveAll(folder)
		cdk := p.newCDK(found, d.local.URL(), api.Region, filepath.Join(folder, "home"), d.local.Credentials(localaws.Administrator), func(line string) { d.show("         %s", line) })
		d.say("cdk synth: the repository's app makes the template")
		output := filepath.Join(folder, "cdk.out")
		made, err := cdk.synth(ctx, output)
		if err != nil {
			return err
		}
		if err := d.putRecorder(ctx, made.template); err != nil {
			return err
		}
		d.say("the account is bootstrapped for the CDK")
		if err := localaws.Bootstrap(ctx, d.local.Config(localaws.Administrator)); err != nil {
			return err
		}
		stack = made.stack
		d.say("cdk deploy %s", stack)
		if err := cdk.deploy(ctx, output); err != nil {
			return err
		}
	}
	var err error
	if d.guard, err = deployed.ReadGuard(ctx, d.clients.Reads(), stack); err != nil {
		return err
	}
	resources, err := deployed.ReadResources(ctx, d.clients.Reads(), d.guard)
	if err != nil {
		return err
	}
	if d.rules, err = deployed.ReadEventRules(ctx, d.clients.Reads(), d.guard, resources); err != nil {
		return err
	}
	d.guard.Parts = deployed.PartsOf(d.guard, resources, d.rules)
	n := 0
	for _, ids := range resources {
		n += len(ids)
	}
	d.say("stack %s is deployed: %d resources, runbook %s, %d rules of Config, %d of EventBridge that start the runbook",
		stack, n, d.guard.RunbookName, len(d.guard.ConfigRuleNames), d.starting())
	return nil
}

// putRecorder gives the account a configuration recorder, unless the template brings one: an account has one at most.
func (d *localDrill) putRecorder(ctx context.Context, template []byte) error {
	if bytes.Contains(template, []byte(`"AWS::Config::ConfigurationRecorder"`)) {
		return nil
	}
	d.say("the account has a configuration recorder of its own")
	return localaws.PutRecorder(ctx, d.local.Config(localaws.Administrator))
}

func (d *localDrill) createStack(ctx context.Context, stack string, template []byte) error {
	if _, err := d.clients.CloudFormation.CreateStack(ctx, &cloudformation.CreateStackInput{
		StackName: &stack, TemplateBody: aws.String(string(template)), Capabilities: []cloudformationtypes.Capability{"CAPABILITY_NAMED_IAM"},
	}); err != nil {
		return fmt.Errorf("deploying the template: %w", err)
	}
	described, err := d.clients.CloudFormation.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &stack})
	if err != nil {
		return fmt.Errorf("deploying the template: %w", err)
	}
	if one := described.Stacks[0]; one.StackStatus != cloudformationtypes.StackStatusCreateComplete {
		return fmt.Errorf("deploying the template: stack %s is %s: %s", stack, one.StackStatus, aws.ToString(one.StackStatusReason))
	}
	return nil
}

// starting counts the rules of EventBridge that start the runbook.
func (d *localDrill) starting() int {
	n := 0
	for _, rule := range d.rules {
		if rule.Starts {
			n++
		}
	}
	return n
}

// paths are the paths to drill, each alone: by default all that the guard has.
func (d *localDrill) paths(o drillOptions) ([]deployed.Path, error) {
	var has []deployed.Path
	for _, path := range []deployed.Path{deployed.EventPath, deployed.ConfigPath, deployed.SchedulePath} {
		starts := slices.ContainsFunc(d.rules, func(rule deployed.EventRule) bool { return rule.Starts && rule.Path == path })
		if starts || path == deployed.ConfigPath && len(d.guard.ConfigRuleNames) > 0 {
			has = append(has, path)
		}
	}
	switch {
	case o.path == "" && len(has) > 0:
		return has, nil
	case o.path == "" || o.path != deployed.AllPaths && !slices.Contains(has, o.path):
		return nil, inputError{fmt.Errorf("--path %q: stack %s has no such path: use one of %q", o.path, d.guard.Stack, has)}
	}
	return []deployed.Path{o.path}, nil
}

// firstLook lets the end of the deployment start the runbook, which makes the trail.
func (d *localDrill) firstLook(ctx context.Context) error {
	d.say("the end of the deployment starts the runbook: there is no trail")
	if err := d.local.Advance(ctx, time.Minute); err != nil {
		return err
	}
	if err := d.tell(ctx); err != nil {
		return err
	}
	return d.verify(ctx, "after the deployment")
}

// stopAndRepair stops the trail through the network, as any client does, and lets each path repair it.
func (d *localDrill) stopAndRepair(ctx context.Context, paths []deployed.Path) error {
	keys := d.local.Credentials(rootUser)
	attacker := cloudtrail.New(cloudtrail.Options{
		Region: api.Region, BaseEndpoint: aws.String(d.local.URL()),
		Credentials: credentials.NewStaticCredentialsProvider(keys.AccessKeyID, keys.SecretAccessKey, ""),
	})
	for _, path := range paths {
		if err := arm(ctx, d.local, d.clients, d.rules, path); err != nil {
			return err
		}
		clock := ownedClock{d.local}
		if err := clock.settle(ctx); err != nil {
			return err
		}
		d.say("the root user stops the trail, with %s", armed(path))
		if _, err := attacker.StopLogging(ctx, &cloudtrail.StopLoggingInput{Name: &d.guard.TrailName}); err != nil {
			return fmt.Errorf("stopping the trail: %w", err)
		}
		for stopped := clock.Now(); ; {
			state, err := deployed.ReadState(ctx, d.clients.CloudTrail, d.guard.TrailARN)
			if err != nil {
				return err
			}
			if state.IsLogging || clock.Now().Sub(stopped) > localTimeout {
				break
			}
			d.show("         the trail is not logging")
			if err := clock.Wait(ctx, time.Hour); err != nil {
				return err
			}
		}
		if err := d.tell(ctx); err != nil {
			return err
		}
		if err := d.verify(ctx, "after the repair"); err != nil {
			return err
		}
	}
	return nil
}

// tell writes what the runbook did since it was last told: what it called, and what people got.
func (d *localDrill) tell(ctx context.Context) error {
	executions, err := deployed.ListExecutions(ctx, d.clients.SSM, d.guard.RunbookName)
	if err != nil {
		return err
	}
	for _, x := range executions[d.known:] {
		if x, err = deployed.ReadSteps(ctx, d.clients.SSM, x); err != nil {
			return err
		}
		if x.OfLogStore {
			continue // the trail alone is tampered with here
		}
		did := "changed nothing"
		if x.Report != nil && len(x.Report.Writes) > 0 {
			did = "called " + strings.Join(x.Report.Writes, ", ")
		}
		d.say("runbook started by %s: %s, %s", cmp.Or(x.StartedBy, x.ExecutedBy), x.Status, did)
		if x.Report == nil {
			d.detail("%22s%s\n", "", x.Failure)
			continue
		}
		if x.Report.Message != "" {
			d.detail("%18speople are told:\n", "")
			for line := range strings.Lines(x.Report.Message) {
				d.detail("%22s%s\n", "", strings.TrimSpace(line))
			}
		}
	}
	d.known = len(executions)
	return nil
}

// verify fails unless the trail is logging with every declared setting, and the simulation had an answer to everything.
func (d *localDrill) verify(ctx context.Context, when string) error {
	state, err := deployed.ReadState(ctx, d.clients.CloudTrail, d.guard.TrailARN)
	if err != nil {
		return err
	}
	if err := d.local.Err(); err != nil {
		return fmt.Errorf("the simulation could not do everything: %w", err)
	}
	if unmet := d.guard.Declared.Unmet(state); len(unmet) > 0 {
		return fmt.Errorf("%w: %s trail %s is not as declared: %s", errUnrepaired, when, d.guard.TrailName, strings.Join(unmet, "; "))
	}
	d.say("trail %s is logging, and %d settings are as declared", d.guard.TrailName, len(d.guard.Declared))
	return nil
}

// scenarios runs attempts with one path armed.
func (d *localDrill) scenarios(ctx context.Context, path deployed.Path, attempts []drill.Attempt, observer drill.Observer) ([]drill.Result, error) {
	if err := arm(ctx, d.local, d.clients, d.rules, path); err != nil {
		return nil, err
	}
	clock := ownedClock{d.local}
	if err := clock.settle(ctx); err != nil {
		return nil, err
	}
	d.say("%d attempts with %s", len(attempts), armed(path))
	runner := drill.Runner{
		Guard: d.guard, Account: drill.NewAccount(d.clients, d.guard), Clock: clock, Provisioner: drill.NewProvisioner(d.clients, d.guard),
		Listener: d.listener, Observer: observer, Poll: localPoll(path), Timeout: localTimeout, Settle: clock.settle,
	}
	return runner.Run(ctx, attempts)
}

// finish puts the guard's rules back, lets Config evaluate, which was held, and looks at the trail for the last time.
func (d *localDrill) finish(ctx context.Context) error {
	if err := arm(ctx, d.local, d.clients, d.rules, deployed.AllPaths); err != nil {
		return err
	}
	if len(d.guard.ConfigRuleNames) > 0 {
		if _, err := d.clients.Config.StartConfigRulesEvaluation(ctx, &configservice.StartConfigRulesEvaluationInput{ConfigRuleNames: d.guard.ConfigRuleNames}); err != nil {
			return fmt.Errorf("letting AWS Config evaluate: %w", err)
		}
		if err := d.local.Advance(ctx, time.Minute); err != nil {
			return err
		}
	}
	return d.verify(ctx, "at the end")
}
