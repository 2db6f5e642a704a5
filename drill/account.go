package drill

import (
	"context"

	"github.com/trailguard/trailguard/drill/deployed"
)

// Account is what the runner sees of an account, and how the runner puts back what a scenario changes.
type Account interface {
	// State reads what an attempt tampers with.
	State(ctx context.Context, a Attempt) (State, error)
	// Restore tries once to bring what an attempt tampers with from the state now to the state before.
	Restore(ctx context.Context, a Attempt, before, now State) error
	// Executions lists the latest executions of the runbook, without their steps.
	Executions(ctx context.Context) ([]deployed.Execution, error)
	// Steps completes an execution with its steps.
	Steps(ctx context.Context, x deployed.Execution) (deployed.Execution, error)
}

// account is an Account through the SDK.
type account struct {
	clients Clients
	guard   deployed.Guard
}

// NewAccount returns the account that a guard is deployed in.
func NewAccount(clients Clients, guard deployed.Guard) Account { return &account{clients, guard} }

func (a *account) State(ctx context.Context, attempt Attempt) (State, error) {
	if read := attempt.Scenario.settings; read != nil {
		return readSettings(ctx, read(a.clients, targetOf(a.guard, attempt.Form)))
	}
	state, err := deployed.ReadState(ctx, a.clients.CloudTrail, a.guard.TrailARN)
	return trailState{state, a.guard.Declared}, err
}

func (a *account) Restore(ctx context.Context, _ Attempt, before, now State) error {
	if was, isTrail := before.(trailState); isTrail {
		return restore(ctx, a.clients.CloudTrail, was.State, now.(trailState).State)
	}
	return now.(settingsState).restore(ctx, before.(settingsState))
}

func (a *account) Executions(ctx context.Context) ([]deployed.Execution, error) {
	return deployed.ListExecutions(ctx, a.clients.SSM, a.guard.RunbookName)
}

func (a *account) Steps(ctx context.Context, x deployed.Execution) (deployed.Execution, error) {
	return deployed.ReadSteps(ctx, a.clients.SSM, x)
}
