package closedloop

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/trailguard/trailguard/drill/internal/localaws"
	"github.com/trailguard/trailguard/drill/internal/localaws/automation"
	"github.com/trailguard/trailguard/drill/internal/localaws/cloudtrail"
	"github.com/trailguard/trailguard/drill/internal/localaws/configservice"
	"github.com/trailguard/trailguard/drill/internal/repository"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// organizationID is the one in the golden templates.
const organizationID = "o-a1b2c3d4e5"

// account is a local AWS under one reading of what AWS does not document. Its tests use it one after the other.
type account struct {
	*localaws.AWS
	name    string
	options localaws.Options
	admin   aws.Config // of an administrator; one access key for all, as moto keeps clients for each
	order   *rand.PCG  // decides which of the running automations makes its next attempt
	using   sync.Mutex
	shared  *guard // see share
}

// accounts are started once for all tests. Each reading that TrailGuard must survive holds in at least one of them.
var accounts = []*account{
	{name: "first reading", options: localaws.Options{
		UnmatchedSelector: automation.FailStep, UnsetFields: configservice.UnsetIsNull, TrailResourceID: configservice.ResourceIDIsARN,
		AttemptCount: configservice.AttemptsInARow,
	}},
	{name: "second reading", options: localaws.Options{
		UnmatchedSelector: automation.EmptyOutput, UnsetFields: configservice.UnsetIsAbsent, TrailResourceID: configservice.ResourceIDIsName,
		AttemptCount: configservice.AttemptsInWindow, RateLimited: true, DefaultSelectorsAreCustom: true,
	}},
	{name: "third reading", options: localaws.Options{
		UnmatchedSelector: automation.EmptyOutput, UnsetFields: configservice.UnsetIsEmpty, TrailResourceID: configservice.ResourceIDIsARN,
		AttemptCount: configservice.AttemptsInARow, DefaultSelectorsAreCustom: true,
	}},
}

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
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
		return 0, fmt.Errorf("%w (what is missing, make setup installs)", err)
	}
	return m.Run(), nil
}

func (a *account) start() (err error) {
	a.order = rand.NewPCG(0, 0)
	a.options.Python = repository.Python()
	a.options.NodeModules = repository.NodeModules()
	a.options.Rand = rand.New(a.order)
	a.options.Organization, a.options.OrganizationID = cloudtrail.ManagementAccount, organizationID
	if a.AWS, err = localaws.Start(context.Background(), a.options); err != nil {
		return err
	}
	a.admin = a.Config(localaws.Administrator)
	return nil
}

// inEach runs a test in each of the first n accounts, at the same time as other tests in other accounts.
func inEach(t *testing.T, n int, test func(t *testing.T, a *account)) {
	t.Helper()
	t.Parallel()
	for _, a := range accounts[:n] {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			a.using.Lock()
			a.test(t, test)
		})
	}
}

// inAny runs a test in whatever account is free: it holds under each reading, and one is enough.
func inAny(t *testing.T, test func(t *testing.T, a *account)) {
	t.Helper()
	t.Parallel()
	i := slices.IndexFunc(accounts, func(a *account) bool { return a.using.TryLock() })
	if i < 0 {
		i = 0
		accounts[i].using.Lock()
	}
	accounts[i].test(t, test)
}

// test runs a test in an account that is in use for it, and frees the account. What the simulation itself could not do
// fails the test.
func (a *account) test(t *testing.T, test func(t *testing.T, a *account)) {
	defer a.using.Unlock()
	defer func() {
		err := a.Err()
		if err != nil {
			t.Error(err)
		}
		if t.Failed() {
			a.shared = nil
			a.Gateway.Reset()
		}
	}()
	test(t, a)
}
