package closedloop

import (
	"flag"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/trailguard/trailguard/drill/internal/testbed"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// account is an account that tests borrow.
type account struct {
	*testbed.Account
	lent    bool
	holding string // the template of the stack that the test which has it shares
	shared  *guard // see share
}

// accounts are started once for all tests. Each reading that TrailGuard must survive holds in at least one of them.
var accounts = []*account{{Account: testbed.FirstReading()}, {Account: testbed.SecondReading()}, {Account: testbed.ThirdReading()}}

// Only the last account takes no more than one change of a trail a second.
var unlimited, limited = accounts[:2], accounts[2:]

func TestMain(m *testing.M) {
	var started []*testbed.Account
	for _, a := range accounts {
		started = append(started, a.Account)
	}
	testbed.Main(m, started, func() error {
		// As many tests at once as there are accounts: most of the work is that of other processes.
		return flag.Set("test.parallel", strconv.Itoa(len(accounts)))
	})
}

// lending guards which accounts are in use; freed is told of each that no longer is.
var (
	lending sync.Mutex
	freed   = sync.NewCond(&lending)
)

// borrow waits until one of the accounts is free: rather one that has the template's shared stack, or none. Where two others are
// busy anyway, it waits for the one that has it.
func borrow(wanted []*account, template string) *account {
	lending.Lock()
	defer lending.Unlock()
	holds := func(a *account) bool { return a.shared != nil && a.shared.template == template }
	for {
		var free []*account
		busy, held := 0, false
		for _, a := range accounts {
			switch {
			case a.lent:
				busy++
				held = held || a.holding == template && slices.Contains(wanted, a)
			case slices.Contains(wanted, a):
				free = append(free, a)
			}
		}
		i := slices.IndexFunc(free, holds)
		if i < 0 && template != "" && held && busy >= 2 {
			free = nil
		} else if i < 0 {
			i = max(0, slices.IndexFunc(free, func(a *account) bool { return a.shared == nil }))
		}
		if len(free) > 0 {
			free[i].lent, free[i].holding = true, template
			return free[i]
		}
		freed.Wait()
	}
}

func (a *account) giveBack() {
	lending.Lock()
	defer lending.Unlock()
	a.lent = false
	freed.Broadcast()
}

// inEach runs a test in each of the accounts, at the same time as other tests in other accounts. shared is the template of the
// stack that it shares, empty if it deploys its own.
func inEach(t *testing.T, among []*account, shared string, test func(t *testing.T, a *account)) {
	t.Helper()
	t.Parallel()
	for left := slices.Clone(among); len(left) > 0; {
		a := borrow(left, shared)
		left = slices.DeleteFunc(left, func(one *account) bool { return one == a })
		t.Run(a.Name, func(t *testing.T) { a.test(t, test) })
	}
}

// inAny runs a test in whatever account is free: it holds under each reading, and one is enough.
func inAny(t *testing.T, test func(t *testing.T, a *account)) {
	t.Helper()
	inOne(t, accounts, "", test)
}

// inOne runs a test in one of the accounts.
func inOne(t *testing.T, among []*account, shared string, test func(t *testing.T, a *account)) {
	t.Helper()
	t.Parallel()
	borrow(among, shared).test(t, test)
}

// onShared runs a test on the shared guard of a template, in whatever account is free.
func onShared(t *testing.T, template string, test func(g guard)) {
	t.Helper()
	inOne(t, accounts, template, func(t *testing.T, a *account) { test(share(t, a, template)) })
}

// onEachShared runs a test on the shared guards of a template in each of the accounts.
func onEachShared(t *testing.T, among []*account, template string, test func(g guard)) {
	t.Helper()
	inEach(t, among, template, func(t *testing.T, a *account) { test(share(t, a, template)) })
}

// test runs a test in an account that is lent for it, and gives the account back. What the simulation itself could not do
// fails the test.
func (a *account) test(t *testing.T, test func(t *testing.T, a *account)) {
	defer a.giveBack()
	defer func() {
		if a.WantSimulated(t); t.Failed() {
			a.shared = nil
			a.ResetCalls()
		}
	}()
	test(t, a)
}
