package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"

	"github.com/trailguard/trailguard/drill/internal/synthesis"
	"github.com/trailguard/trailguard/localaws"
	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/repository"
)

// The organization whose accounts are rolled out to: so many members, in organizational units of 25 below one.
const (
	managementAccount = "111111111111"
	logArchiveAccount = "222222222222"
	securityAccount   = "333333333333"
	rolledOut         = 200
	inUnit            = 25
	organizationID    = "o-a1b2c3d4e5"
	rolloutRegion     = "us-east-1"
)

// fleet is an organization with the stacks of the app.
type fleet struct {
	*localaws.Organization
	app, folder string
	members     []string
	unit        string // the organizational unit of all members
}

// rollouts measures, on a local AWS, how a guard comes to 200 accounts, and how it fares there.
func rollouts(ctx context.Context, folder string) (err error) {
	f, err := newFleet(ctx, folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Err(), f.Close()) }()
	key, err := f.deployArchive(ctx)
	if err != nil {
		return err
	}
	templates, err := f.synthesize(ctx, map[string]any{"logArchiveKeyArn": key})
	if err != nil {
		return err
	}
	began := time.Now()
	rows := []string{}
	part := func(name string, run func() error) error {
		began := time.Now()
		if err := run(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		took := time.Since(began)
		rows = append(rows, row(name, took, anAccount(took)))
		return nil
	}
	for _, one := range []struct {
		name string
		run  func() error
	}{
		{"deploy the StackSet", func() error {
			return f.watched(ctx, func() error { return f.deploy(ctx, managementAccount, "TrailGuardRollout", templates) })
		}},
		{"make the trails", func() error { return f.quiet(ctx, "makes") }},
		{"deliver log files into the archive", func() error { return f.delivered(ctx) }},
		{"stop all trails, and repair them", func() error { return f.repaired(ctx) }},
	} {
		if err := part(one.name, one.run); err != nil {
			return err
		}
	}
	took := time.Since(began)
	rows = append(rows, row("together", took, anAccount(took)))
	return table(fmt.Sprintf("a rollout to %d accounts\twall\tan account", rolledOut), rows...)
}

// anAccount is the share of an account in what the rollout took.
func anAccount(took time.Duration) string { return fmt.Sprintf("%.3f s", took.Seconds()/rolledOut) }

func newFleet(ctx context.Context, folder string) (*fleet, error) {
	f := &fleet{app: filepath.Join(folder, "app"), folder: folder}
	accounts := []localaws.Member{{ID: logArchiveAccount, Unit: "Core"}, {ID: securityAccount, Unit: "Core"}}
	for i := range rolledOut {
		id := fmt.Sprintf("7%011d", i)
		f.members = append(f.members, id)
		accounts = append(accounts, localaws.Member{ID: id, Unit: fmt.Sprint("Fleet/", i/inUnit)})
	}
	started, err := localaws.StartOrganization(ctx, localaws.OrganizationOptions{
		Options: localaws.Options{
			Python: repository.Python(), NodeModules: repository.NodeModules(), OrganizationID: organizationID,
			Place: api.Place{Account: managementAccount, Region: rolloutRegion},
		},
		Members: accounts,
	})
	if err != nil {
		return nil, err
	}
	f.Organization = started
	if f.unit, err = f.Unit(ctx, "Fleet"); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// as is the configuration of an account's administrator.
func (f *fleet) as(account string) aws.Config {
	a := f.Account(account)
	return a.Config(a.Administrator())
}

// synthesize runs the app.
func (f *fleet) synthesize(ctx context.Context, more map[string]any) (map[string]string, error) {
	block := map[string]any{
		"mode": "organization", "members": "guard", "organizationId": organizationID, "region": rolloutRegion, "managementAccount": managementAccount,
		"logArchiveAccount": logArchiveAccount, "securityAccount": securityAccount, "organizationalUnitIds": []string{f.unit},
	}
	for key, value := range more {
		block[key] = value
	}
	output, err := os.MkdirTemp(f.folder, "organization")
	if err != nil {
		return nil, err
	}
	return synthesis.Templates(ctx, f.app, output, block)
}

func (f *fleet) deploy(ctx context.Context, account, stack string, templates map[string]string) error {
	return localaws.CreateStack(ctx, f.as(account), stack, templates[stack], cloudformationtypes.CapabilityCapabilityIam)
}

// deployArchive deploys what the members need, and returns the ARN of the archive's key.
func (f *fleet) deployArchive(ctx context.Context) (string, error) {
	templates, err := f.synthesize(ctx, nil)
	if err != nil {
		return "", err
	}
	const stack = "TrailGuardLogArchive"
	if err := errors.Join(f.deploy(ctx, logArchiveAccount, stack, templates), f.deploy(ctx, securityAccount, "TrailGuardCentral", templates)); err != nil {
		return "", err
	}
	described, err := cloudformation.NewFromConfig(f.as(logArchiveAccount)).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: aws.String(stack)})
	if err != nil {
		return "", err
	}
	for _, output := range described.Stacks[0].Outputs {
		if *output.OutputKey == "LogKeyArn" {
			return *output.OutputValue, nil
		}
	}
	return "", fmt.Errorf("stack %s has no output LogKeyArn", stack)
}

// watched prints how far a rollout is, every few seconds.
func (f *fleet) watched(ctx context.Context, run func() error) error {
	began, done := time.Now(), make(chan error, 1)
	go func() { done <- run() }()
	for tick := time.NewTicker(5 * time.Second); ; {
		select {
		case err := <-done:
			tick.Stop()
			reached, problem := f.reached(ctx)
			fmt.Fprintf(os.Stderr, "%4d of %d accounts after %s\n", reached, rolledOut, time.Since(began).Round(time.Second/10))
			if err == nil && problem == nil && reached != rolledOut {
				err = fmt.Errorf("%d of %d accounts have a guard", reached, rolledOut)
			}
			return errors.Join(err, problem)
		case <-tick.C:
			if reached, err := f.reached(ctx); err == nil {
				fmt.Fprintf(os.Stderr, "%4d of %d accounts after %s\n", reached, rolledOut, time.Since(began).Round(time.Second/10))
			}
		}
	}
}

// reached is in how many accounts the StackSet has its stack.
func (f *fleet) reached(ctx context.Context) (int, error) {
	reached := 0
	pages := cloudformation.NewListStackInstancesPaginator(cloudformation.NewFromConfig(f.as(managementAccount)),
		&cloudformation.ListStackInstancesInput{StackSetName: aws.String("TrailGuard")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return 0, err
		}
		for _, instance := range page.Summaries {
			if instance.Status == cloudformationtypes.StackInstanceStatusCurrent {
				reached++
			}
		}
	}
	return reached, nil
}

// quiet lets the guards end what they have begun, and wants every trail to log.
func (f *fleet) quiet(ctx context.Context, what string) error {
	if err := f.RunToQuiescence(ctx); err != nil {
		return err
	}
	for _, account := range f.members {
		if trails := f.Account(account).CloudTrail().Trails(); len(trails) != 1 || !trails[0].IsLogging {
			return fmt.Errorf("the guard of %s %s no trail: %+v", account, what, trails)
		}
	}
	return nil
}

// delivered lets CloudTrail deliver, and wants it to have done so.
func (f *fleet) delivered(ctx context.Context) error {
	if err := f.Advance(ctx, 15*time.Minute); err != nil {
		return err
	}
	for _, account := range f.members {
		if trail := f.Account(account).CloudTrail().Trails()[0]; trail.Log.Error != "" || trail.Log.Time.IsZero() {
			return fmt.Errorf("the files of %s are not delivered: %+v", account, trail.Log)
		}
	}
	return nil
}

// repaired stops every trail, and wants that each is repaired and told centrally once.
func (f *fleet) repaired(ctx context.Context) error {
	before := len(f.Account(securityAccount).Bus().Deliveries())
	for _, account := range f.members {
		if _, err := cloudtrail.NewFromConfig(f.as(account)).StopLogging(ctx, &cloudtrail.StopLoggingInput{Name: aws.String(trailName)}); err != nil {
			return err
		}
	}
	if err := f.quiet(ctx, "repairs"); err != nil {
		return err
	}
	told := map[string]int{}
	for _, delivery := range f.Account(securityAccount).Bus().Deliveries()[before:] {
		account, _ := delivery.Event["account"].(string)
		if strings.Contains(delivery.Target, ":sns:") {
			told[account]++
		}
	}
	for _, account := range f.members {
		if told[account] != 2 { // the tampering and the repair
			return fmt.Errorf("%d messages were told of %s", told[account], account)
		}
	}
	return nil
}
