package disarming

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/localaws"
	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/eventbridge"
)

// account is an account whose tests use it one after the other.
type account struct {
	*testbed.Account
	using sync.Mutex
}

// accounts are two readings, one of which lets anything-but match what is absent.
var accounts = []*account{{Account: testbed.FirstReading()}, {Account: secondReading()}}

func secondReading() *testbed.Account {
	second := testbed.SecondReading()
	second.Options.Readings.Events.AnythingButMatchesAbsent = true
	return second
}

// elsewhere is an account whose guard is in another Region than the events of IAM.
var elsewhere = &account{Account: testbed.NewAccount("another Region", localaws.Options{Place: api.Home().In("eu-central-1")})}

var mallory = api.Principal{Type: api.IAMUser, ARN: "arn:aws:iam::" + api.Account + ":user/mallory"}

func TestMain(m *testing.M) {
	all := append(accounts[:len(accounts):len(accounts)], elsewhere)
	var started []*testbed.Account
	for _, a := range all {
		started = append(started, a.Account)
	}
	testbed.Main(m, started, func() error {
		for _, a := range all {
			a.Administrate(mallory)
		}
		return nil
	})
}

// inEach runs a test in each account, at the same time.
func inEach(t *testing.T, test func(t *testing.T, a *account)) {
	t.Helper()
	t.Parallel()
	for i := range accounts {
		t.Run(accounts[i].Name, func(t *testing.T) { in(t, i, test) })
	}
}

// in runs a test in one of the accounts.
func in(t *testing.T, i int, test func(t *testing.T, a *account)) {
	t.Helper()
	t.Parallel()
	a := accounts[i%len(accounts)]
	a.using.Lock()
	defer a.using.Unlock()
	test(t, a)
	a.WantSimulated(t)
}

// guarded deploys a template. The end of the deployment makes the trail.
func (a *account) guarded(t *testing.T, tpl testbed.Template) testbed.Guard {
	t.Helper()
	g := a.Deploy(t, tpl)
	g.Settle()
	g.WantRepaired()
	return g
}

// told are the deliveries of the rule GuardTampering, after the first n of all, to one of its targets.
func told(g testbed.Guard, n int, target string) []eventbridge.Delivery {
	var found []eventbridge.Delivery
	for _, delivery := range g.Bus().Deliveries()[n:] {
		if (strings.Contains(delivery.Rule, "AlertingGuardTampering") || strings.Contains(delivery.Rule, "AlertingSuppliedTampering")) && delivery.TargetID == target {
			found = append(found, delivery)
		}
	}
	return found
}

// inputs are what people are told, with how each attempt ended.
func inputs(deliveries []eventbridge.Delivery) []string {
	found := []string{}
	for _, delivery := range deliveries {
		found = append(found, string(delivery.Outcome)+" "+delivery.Input)
	}
	return found
}

// message is what people are told of a call of mallory's, which a delivery is of.
func message(g testbed.Guard, call string, delivery eventbridge.Delivery) string {
	at := delivery.Event["detail"].(map[string]any)["eventTime"]
	return fmt.Sprintf(`"TAMPERING: %s on the guard of the trail %s in account %s, %s, by %s from 127.0.0.1 at %s. cdk deploy --revert-drift puts it back."`,
		call, g.TrailName, api.Account, api.Region, mallory.ARN, at)
}
