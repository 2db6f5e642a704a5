package tampering

import (
	"flag"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"

	"github.com/trailguard/trailguard/drill/internal/testbed"
)

// account is an account whose tests use it one after the other.
type account struct {
	*testbed.Account
	using     sync.Mutex
	attackers map[string]*cloudtrail.Client // of the callers, by name
}

// accounts are started once for all tests. Each reading that the guard must survive holds in one of them.
var accounts = []*account{{Account: testbed.FirstReading()}, {Account: secondReading()}}

func secondReading() *testbed.Account {
	second := testbed.SecondReading()
	second.Options.Readings.DropDeletionOfLastTrail, second.Options.Readings.Events.AnythingButMatchesAbsent = true, true
	return second
}

func TestMain(m *testing.M) {
	var started []*testbed.Account
	for _, a := range accounts {
		started = append(started, a.Account)
	}
	testbed.Main(m, started, func() error {
		// A test waits for its account, so that more of them may run than there are processors.
		if err := flag.Set("test.parallel", "16"); err != nil {
			return err
		}
		for _, a := range accounts {
			a.attackers = map[string]*cloudtrail.Client{}
			for _, c := range callers {
				a.Administrate(c.Principal)
				a.attackers[c.name] = cloudtrail.NewFromConfig(a.Config(c.Principal))
			}
		}
		return setSequences()
	})
}

// inEach runs a test in each account, at the same time. Each test deploys what it needs.
func inEach(t *testing.T, test func(t *testing.T, a *account)) {
	t.Helper()
	t.Parallel()
	for _, a := range accounts {
		t.Run(a.Name, func(t *testing.T) { a.use(t, test) })
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
	a.WantSimulated(t)
}
