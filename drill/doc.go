// Package drill is a fire drill for a guarded trail: it tampers with the trail as an attacker would, waits until the
// guard has put the trail back, measures, and leaves the account as it found it.
//
// It knows AWS's APIs and the outputs of the guard's stack, and nothing else: what the trail should be is read from the
// runbook that is deployed, so that the drill compares what the account promises, not what a template once said.
//
//	guard, err := deployed.ReadGuard(ctx, clients.Reads(), "TrailGuard")
//	runner := drill.Runner{Guard: guard, Account: drill.NewAccount(clients, guard), Clock: drill.WallClock{}, ...}
//	results, err := runner.Run(ctx, attempts)
package drill
