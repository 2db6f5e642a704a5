package drill

import (
	"context"

	"github.com/trailguard/trailguard/drill/deployed"
)

// Account is what the runner sees of an account, and how the runner puts the trail back.
type Account interface {
	// State reads the guarded trail.
	State(ctx context.Context) (deployed.State, error)
	// Restore tries once to bring the trail from the state now to the state before.
	Restore(ctx context.Context, before, now deployed.State) error
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

func (a *account) State(ctx context.Context) (deployed.State, error) {
	return deployed.ReadState(ctx, a.clients.CloudTrail, a.guard.TrailARN)
}

func (a *account) Restore(ctx context.Context, before, now deployed.State) error {
	return restore(ctx, a.clients.CloudTrail, before, now)
}

func (a *account) Executions(ctx context.Context) ([]deployed.Execution, error) {
	return deployed.ListExecutions(ctx, a.clients.SSM, a.guard.RunbookName)
}

func (a *account) Steps(ctx context.Context, x deployed.Execution) (deployed.Execution, error) {
	return deployed.ReadSteps(ctx, a.clients.SSM, x)
}
