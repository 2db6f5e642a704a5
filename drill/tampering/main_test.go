package tampering

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"

	awscloudtrail "github.com/aws/aws-sdk-go-v2/service/cloudtrail"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/localaws"
	"github.com/trailguard/trailguard/localaws/cloudtrail"
	"github.com/trailguard/trailguard/localaws/configservice"
	"github.com/trailguard/trailguard/localaws/events"
	"github.com/trailguard/trailguard/localaws/repository"
)

// organizationID is the one in the golden templates.
const organizationID = "o-a1b2c3d4e5"

// account is a local AWS under one reading of what AWS does not document. Its tests use it one after the other.
type account struct {
	*localaws.AWS
	name      string
	options   localaws.Options
	order     *rand.PCG // decides which of the running automations makes its next step
	using     sync.Mutex
	admin     drill.Clients
	attackers map[string]*awscloudtrail.Client // of the callers, by name
}

// accounts are started once for all tests. Each reading that the guard must survive holds in one of them.
var accounts = []*account{
	{name: "first reading", options: localaws.Options{
		UnsetFields: configservice.UnsetIsNull, TrailResourceID: configservice.ResourceIDIsARN,
		AttemptCount: configservice.AttemptsInARow,
	}},
	{name: "second reading", options: localaws.Options{
		UnsetFields: configservice.UnsetIsAbsent, TrailResourceID: configservice.ResourceIDIsName,
		AttemptCount: configservice.AttemptsInWindow, DefaultSelectorsAreCustom: true,
		DropDeletionOfLastTrail: true, Events: events.Options{AnythingButMatchesAbsent: true, ScheduleFiresAtCreation: true},
	}},
}

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := runTests(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runTests(m *testing.M) (code int, err error) {
	if err := setSequences(); err != nil {
		return 0, err
	}
	// A test waits for its account, so that more of them may run than there are processors.
	if err := flag.Set("test.parallel", "16"); err != nil {
		return 0, err
	}
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
	a.admin, a.attackers = drill.NewClients(a.Config(localaws.Administrator)), map[string]*awscloudtrail.Client{}
	for _, c := range callers {
		a.Administrate(c.Principal)
		a.attackers[c.name] = awscloudtrail.NewFromConfig(a.Config(c.Principal))
	}
	return nil
}

// inEach runs a test in each account, at the same time. Each test deploys what it needs.
func inEach(t *testing.T, test func(t *testing.T, a *account)) {
	t.Helper()
	t.Parallel()
	for _, a := range accounts {
		t.Run(a.name, func(t *testing.T) { a.use(t, test) })
	}
}

// inTurn runs the i-th of several tests that any account will do for. Tests in other accounts run at the same time.
func inTurn(t *testing.T, i int, test func(t *testing.T, a *account)) {
	t.Helper()
	accounts[i%len(accounts)].use(t, test)
}

func (a *account) use(t *testing.T, test func(t *testing.T, a *account)) {
	t.Helper()
	t.Parallel()
	a.using.Lock()
	defer a.using.Unlock()
	test(t, a)
	if err := a.Err(); err != nil {
		t.Errorf("the simulation itself failed, so that this test proves nothing: %v", err)
	}
}
