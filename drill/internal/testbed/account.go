package testbed

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/localaws"
	"github.com/trailguard/trailguard/localaws/cloudtrail"
	"github.com/trailguard/trailguard/localaws/repository"
)

// OrganizationID is the one in the golden templates.
const OrganizationID = "o-a1b2c3d4e5"

// Account is a local AWS under one reading of what AWS does not document. Its tests use it one after the other.
type Account struct {
	*localaws.AWS
	Name    string
	Options localaws.Options
	// Admin is that of an administrator; there is one access key for all, as moto keeps clients for each.
	Admin   aws.Config
	Clients drill.Clients // of the administrator
	Order   *rand.PCG     // decides which of the running automations makes its next call
}

// NewAccount is an account that Run starts. It is the management account of an organization, unless the options say otherwise.
func NewAccount(name string, options localaws.Options) *Account {
	if options.Organization == "" {
		options.Organization, options.OrganizationID = cloudtrail.ManagementAccount, OrganizationID
	}
	return &Account{Name: name, Options: options}
}

// FirstReading and the others are readings of what AWS does not document. Each that a guard must survive holds in at least one of them.
func FirstReading() *Account {
	return NewAccount("first reading", localaws.Options{Readings: localaws.AllReadings()[0]})
}

// SecondReading differs from the first in every field that an item of Config can have, and in the schedule.
func SecondReading() *Account {
	return NewAccount("second reading", localaws.Options{Readings: localaws.AllReadings()[1]})
}

// ThirdReading takes no more than one change of a trail a second, and loses the event that deletes the last trail.
func ThirdReading() *Account {
	return NewAccount("third reading", localaws.Options{Readings: localaws.AllReadings()[2], RateLimited: true})
}

// start starts the local AWS.
func (a *Account) start() (err error) {
	a.Order = rand.NewPCG(0, 0)
	a.Options.Python, a.Options.NodeModules, a.Options.Rand = repository.Python(), repository.NodeModules(), rand.New(a.Order)
	if a.AWS, err = localaws.Start(context.Background(), a.Options); err != nil {
		return fmt.Errorf("starting the account of the %s: %w (what is missing, make setup installs)", a.Name, err)
	}
	a.Admin = a.Config(localaws.Administrator)
	a.Clients = drill.NewClients(a.Admin)
	return nil
}

// Main starts accounts, all at once, runs the tests of a package, and ends it. ready is what has to be done before the tests.
func Main(m *testing.M, accounts []*Account, ready func() error) {
	flag.Parse()
	code, err := run(m, accounts, ready)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M, accounts []*Account, ready func() error) (code int, err error) {
	var starting sync.WaitGroup
	problems := make([]error, len(accounts))
	for i, a := range accounts {
		starting.Go(func() { problems[i] = a.start() })
	}
	starting.Wait()
	defer func() {
		for _, a := range accounts {
			if a.AWS != nil {
				err = errors.Join(err, a.Close())
			}
		}
	}()
	if err := errors.Join(problems...); err != nil {
		return 0, err
	}
	if err := ready(); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// Empty takes everything out of the account that somebody deployed, and makes its executions repeat. It leaves a configuration
// recorder of the account's own, if a template has rules for one and does not bring it.
func (a *Account) Empty(t TB, tpl Template) {
	t.Helper()
	Must(t, a.Reset(t.Context()))
	a.Order.Seed(0, 0)
	if len(tpl.Resources("AWS::Config::ConfigRule")) > 0 && len(tpl.Resources("AWS::Config::ConfigurationRecorder")) == 0 {
		Must(t, localaws.PutRecorder(t.Context(), a.Admin))
	}
}

// WantSimulated reports what the local AWS itself could not do.
func (a *Account) WantSimulated(t TB) {
	t.Helper()
	if err := a.Err(); err != nil {
		t.Errorf("the simulation itself failed, so that this test proves nothing: %v", err)
	}
}
