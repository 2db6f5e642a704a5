// Package cloudformation emits the events of the statuses of stacks, which moto keeps: whoever waits for the event of a stack must
// get it.
package cloudformation

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/trailguard/trailguard/localaws/api"
)

// Options are the settings of a Service. All are required.
type Options struct {
	// Config is the configuration of a client that reads moto's stacks.
	Config aws.Config
	Clock  *api.Clock
	IDs    *api.IDs
	// Emit hands an event to EventBridge, Fail receives what could not be simulated.
	Emit func(event map[string]any)
	Fail func(error)
}

// Service knows of which statuses of stacks it has emitted an event.
type Service struct {
	options Options
	client  *cloudformation.Client

	mu      sync.Mutex
	emitted map[string]bool // by the id of the stack's event
	deleted map[string]bool // by the stack's id: nothing more is to come
}

// New returns a Service that knows no stack.
func New(options Options) *Service {
	return &Service{options: options, client: cloudformation.NewFromConfig(options.Config), emitted: map[string]bool{}, deleted: map[string]bool{}}
}

// Register has the service observe calls.
func (s *Service) Register(registry api.Registry) { registry.Observe(s) }

// Begin emits, once a call has ended, the events of the statuses that stacks have had in it.
func (s *Service) Begin(request api.Request) func(api.Outcome) {
	if request.Service != "cloudformation" || !slices.Contains(stackOperations, request.Operation) {
		return nil
	}
	return func(outcome api.Outcome) {
		if !outcome.Reached {
			return
		}
		changes, err := s.changes(context.Background())
		if err != nil {
			s.options.Fail(fmt.Errorf("after %s: %w", request.Action(), err))
			return
		}
		for _, change := range changes {
			s.options.Emit(stackEvent(change, request.Call, s.options.Clock.Now(), s.options.IDs.UUID(api.StackEventID)))
		}
	}
}

// stackOperations change the status of a stack. They return once it is final.
var stackOperations = []string{
	"CreateStack", "UpdateStack", "DeleteStack", "CreateChangeSet", "ExecuteChangeSet", "RollbackStack", "ContinueUpdateRollback",
	"CancelUpdateStack",
}

// changes are the statuses that stacks have had since the last call, in their order.
func (s *Service) changes(ctx context.Context) ([]types.StackEvent, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var changes []types.StackEvent
	for pages := cloudformation.NewListStacksPaginator(s.client, &cloudformation.ListStacksInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("listing the stacks: %w", err)
		}
		for _, stack := range page.StackSummaries {
			id := aws.ToString(stack.StackId)
			if s.deleted[id] {
				continue
			}
			fresh, err := s.newEvents(ctx, id)
			if err != nil {
				return nil, fmt.Errorf("reading the events of stack %s: %w", id, err)
			}
			changes = append(changes, fresh...)
			s.deleted[id] = stack.StackStatus == types.StackStatusDeleteComplete
		}
	}
	return changes, nil
}

// newEvents are the events of a stack itself that have not been emitted. CloudFormation lists the latest first: what comes after one
// that was emitted has been emitted, too. The caller holds mu.
func (s *Service) newEvents(ctx context.Context, id string) (fresh []types.StackEvent, err error) {
	input := &cloudformation.DescribeStackEventsInput{StackName: &id}
	defer func() { slices.Reverse(fresh) }()
	for pages := cloudformation.NewDescribeStackEventsPaginator(s.client, input); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, event := range page.StackEvents {
			if aws.ToString(event.PhysicalResourceId) != id {
				continue
			}
			if s.emitted[aws.ToString(event.EventId)] {
				return fresh, nil
			}
			s.emitted[aws.ToString(event.EventId)] = true
			fresh = append(fresh, event)
		}
	}
	return fresh, nil
}

// stackEvent is the event of a stack's status.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/event-detail-stack-status-change.html
func stackEvent(change types.StackEvent, call api.Call, now time.Time, id string) map[string]any {
	detail := map[string]any{
		"stack-id": aws.ToString(change.StackId),
		"status-details": map[string]any{
			"status": string(change.ResourceStatus), "status-reason": aws.ToString(change.ResourceStatusReason),
		},
	}
	if token := call.Text("ClientRequestToken"); token != "" {
		detail["client-request-token"] = token
	}
	return map[string]any{
		"version": "0", "id": id, "detail-type": "CloudFormation Stack Status Change", "source": "aws.cloudformation",
		"account": call.Account, "time": now.UTC().Format(time.RFC3339), "region": call.Region,
		"resources": []any{aws.ToString(change.StackId)}, "detail": detail,
	}
}
