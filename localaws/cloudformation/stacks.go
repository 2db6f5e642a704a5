// Package cloudformation emits the events of the statuses of stacks, which moto keeps: whoever waits for the event of a stack must
// get it.
package cloudformation

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/trailguard/trailguard/localaws/api"
)

// Status is a status that a stack has had.
type Status struct{ Account, Region, StackID, Status, Reason string }

// Options are the settings of a Service. All are required.
type Options struct {
	// Unread are the statuses that the stacks of all accounts have had since the last call, in their order.
	Unread func(ctx context.Context) ([]Status, error)
	Clock  *api.Clock
	IDs    *api.IDs
	// Emit hands an event to the EventBridge of its account, Fail receives what could not be simulated.
	Emit func(event map[string]any)
	Fail func(error)
}

// Service emits the events of the stacks of all accounts: a call in one may deploy into others.
type Service struct{ options Options }

// New returns a Service.
func New(options Options) *Service { return &Service{options} }

// Register has the service observe calls.
func (s *Service) Register(registry api.Registry) { registry.Observe(s) }

// Begin emits, once a call has ended, the events of the statuses that stacks have had in it. Stack sets follow the accounts of an
// organization.
func (s *Service) Begin(request api.Request) func(api.Outcome) {
	if !slices.Contains(operations, request.Action()) {
		return nil
	}
	return func(outcome api.Outcome) {
		if !outcome.Reached {
			return
		}
		statuses, err := s.options.Unread(context.Background())
		if err != nil {
			s.options.Fail(fmt.Errorf("after %s: %w", request.Action(), err))
			return
		}
		for _, status := range statuses {
			s.options.Emit(stackEvent(status, request.Call, s.options.Clock.Now(), s.options.IDs.UUID(api.StackEventID)))
		}
	}
}

// operations change the statuses of stacks. They return once those are final.
var operations = []string{
	"cloudformation:CreateStack", "cloudformation:UpdateStack", "cloudformation:DeleteStack", "cloudformation:CreateChangeSet",
	"cloudformation:ExecuteChangeSet", "cloudformation:RollbackStack", "cloudformation:ContinueUpdateRollback", "cloudformation:CancelUpdateStack",
	"cloudformation:CreateStackInstances", "cloudformation:UpdateStackInstances", "cloudformation:DeleteStackInstances",
	"cloudformation:UpdateStackSet", "organizations:CreateAccount", "organizations:MoveAccount", "organizations:CloseAccount",
	"organizations:RemoveAccountFromOrganization", "organizations:LeaveOrganization",
}

// stackEvent is the event of a stack's status.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/event-detail-stack-status-change.html
func stackEvent(status Status, call api.Call, now time.Time, id string) map[string]any {
	detail := map[string]any{
		"stack-id":       status.StackID,
		"status-details": map[string]any{"status": status.Status, "status-reason": status.Reason},
	}
	if token := call.Text("ClientRequestToken"); token != "" && status.Account == call.Account {
		detail["client-request-token"] = token
	}
	return map[string]any{
		"version": "0", "id": id, "detail-type": "CloudFormation Stack Status Change", "source": "aws.cloudformation",
		"account": status.Account, "time": now.UTC().Format(time.RFC3339), "region": status.Region,
		"resources": []any{status.StackID}, "detail": detail,
	}
}
