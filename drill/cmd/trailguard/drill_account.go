package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/drill/evidence"
)

// connect reads the usual credential chain.
func connect(ctx context.Context, region string) (aws.Config, error) {
	var options []func(*config.LoadOptions) error
	if region != "" {
		options = append(options, config.WithRegion(region))
	}
	loaded, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return aws.Config{}, fmt.Errorf("reading the AWS configuration: %w", err)
	}
	if loaded.Region == "" {
		return aws.Config{}, inputError{errors.New("there is no Region: give --region, or set AWS_REGION")}
	}
	return loaded, nil
}

// drillAccount drills the guard of a stack in an AWS account.
func (p *program) drillAccount(ctx context.Context, o drillOptions) error {
	if !o.yes && !p.interactive {
		return inputError{errors.New("nobody can confirm the drill, because standard input is not a terminal: give --yes to go on without")}
	}
	session, err := connect(ctx, o.region)
	if err != nil {
		return err
	}
	clients := drill.NewClients(session)
	guard, err := deployed.ReadGuard(ctx, clients.Reads(), o.stack)
	if err != nil {
		return err
	}
	state, err := deployed.ReadState(ctx, clients.CloudTrail, guard.TrailARN)
	if err != nil {
		return err
	}
	isOrganization := state.Trail != nil && state.Trail.IsOrganizationTrail != nil && *state.Trail.IsOrganizationTrail
	if (isOrganization || guard.Declared[deployed.IsOrganizationTrail] == "true") && !o.organization {
		return inputError{fmt.Errorf("trail %s is an organization trail, so the log of every member account is at stake: give --organization to drill it",
			guard.TrailName)}
	}
	who, err := sts.NewFromConfig(session).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return fmt.Errorf("asking who calls: %w", err)
	}
	guard.Parts = deployed.ReadParts(ctx, clients.Reads(), guard)
	caller := drill.NewCaller(*who.Arn, clients)
	attempts, left := drill.Plan{IDs: o.scenarios, Real: true, Callers: []drill.Caller{caller}, Path: deployed.AllPaths}.Attempts(guard)

	s := p.newScreen(o)
	s.write("Trail %s in account %s (%s), %s, as %s.\n", guard.TrailName, *who.Account, alias(ctx, session), guard.Region(), *who.Arn)
	s.write("The drill tampers with %s, %d times, and waits for the guard each time, %s at most. Meanwhile events may not be logged.\n",
		tamperedWith(attempts), len(attempts), o.timeout)
	if needsListener(attempts) {
		s.write("It subscribes a queue of its own to the alert topic, to hear what people are told. They are told of what the drill puts back, too.\n")
	}
	s.write("Before it does, it looks whether AWS does what the guard leans on:\n")
	judged := drill.JudgeByReads(ctx, clients, guard, p.clock.Now())
	s.judgements(judged)
	if !o.yes {
		s.write("Type the account's id to go on: ")
		if p.answer(ctx) != *who.Account {
			return inputError{errors.New("not confirmed: nothing was done")}
		}
	}
	before, err := whole(ctx, session, o.stack, p.clock.Now(), attempts)
	if err != nil {
		return err
	}
	var listener drill.Listener
	deaf := func(context.Context) error { return nil }
	if needsListener(attempts) {
		if listener, deaf, err = drill.Listen(ctx, clients, guard); err != nil {
			return err
		}
	}
	began := time.Now()
	runner := drill.Runner{
		Guard: guard, Account: drill.NewAccount(clients, guard), Clock: p.clock, Provisioner: drill.NewProvisioner(clients, guard),
		Listener: listener, Observer: accountObserver{s}, Timeout: o.timeout, Poll: 5 * time.Second,
	}
	results, err := runner.Run(ctx, attempts)
	err = errors.Join(err, closed(ctx, deaf), before.wantAsBefore(ctx, session, o.stack, p.clock.Now()))
	if ctx.Err() == nil {
		shown := drill.JudgeByResults(ctx, clients, guard, p.clock.Now(), results)
		s.write("What the scenarios showed of what the guard leans on:\n")
		s.judgements(shown)
		judged = append(judged, shown...)
	}
	return p.report(o, evidence.Drill{
		Guard: guard, Report: drill.Report{Results: results, Left: left, Judged: judged}, Version: version(), Began: began, Ended: time.Now(),
	}, err)
}

// tamperedWith names the parts that attempts tamper with.
func tamperedWith(attempts []drill.Attempt) string {
	var named []string
	for _, part := range drill.Parts() {
		if slices.ContainsFunc(attempts, func(a drill.Attempt) bool { return a.Scenario.Part() == part }) {
			named = append(named, "the "+string(part))
		}
	}
	return strings.Join(named, ", ")
}

// answer is the line that somebody types; empty when ctx ends first.
func (p *program) answer(ctx context.Context) string {
	typed := make(chan string, 1)
	go func() {
		// A line that cannot be read is no answer.
		line, _ := bufio.NewReader(p.stdin).ReadString('\n')
		typed <- strings.TrimSpace(line)
	}()
	select {
	case line := <-typed:
		return line
	case <-ctx.Done():
		return ""
	}
}

// alias is the account's alias; empty if the account has none, or the caller may not read it.
func alias(ctx context.Context, config aws.Config) string {
	listed, err := iam.NewFromConfig(config).ListAccountAliases(ctx, &iam.ListAccountAliasesInput{})
	switch {
	case err != nil:
		return "its alias may not be read"
	case len(listed.AccountAliases) == 0:
		return "no alias"
	}
	return listed.AccountAliases[0]
}
