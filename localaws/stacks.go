package localaws

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/trailguard/trailguard/localaws/api"
)

// stacks knows which statuses of CloudFormation's stacks EventBridge has been told of.
type stacks struct {
	client *cloudformation.Client

	mu      sync.Mutex
	told    map[string]bool // by the id of the stack's event
	deleted map[string]bool // by the stack's id: nothing more is to come
}

func newStacks(config aws.Config) *stacks {
	return &stacks{client: cloudformation.NewFromConfig(config), told: map[string]bool{}, deleted: map[string]bool{}}
}

// stackOperations change the status of a stack. They return once it is final.
var stackOperations = []string{
	"CreateStack", "UpdateStack", "DeleteStack", "CreateChangeSet", "ExecuteChangeSet", "RollbackStack", "ContinueUpdateRollback",
	"CancelUpdateStack",
}

// changes are the statuses that stacks have had since the last call, in their order.
func (s *stacks) changes(ctx context.Context) ([]cloudformationtypes.StackEvent, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var changes []cloudformationtypes.StackEvent
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
			fresh, err := s.untold(ctx, id)
			if err != nil {
				return nil, fmt.Errorf("reading the events of stack %s: %w", id, err)
			}
			changes = append(changes, fresh...)
			s.deleted[id] = stack.StackStatus == cloudformationtypes.StackStatusDeleteComplete
		}
	}
	return changes, nil
}

// untold are the events of a stack itself that have not been told. CloudFormation lists the latest first: what comes after one that was
// told has been told, too. The caller holds mu.
func (s *stacks) untold(ctx context.Context, id string) (fresh []cloudformationtypes.StackEvent, err error) {
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
			if s.told[aws.ToString(event.EventId)] {
				return fresh, nil
			}
			s.told[aws.ToString(event.EventId)] = true
			fresh = append(fresh, event)
		}
	}
	return fresh, nil
}

// stackEvent is what EventBridge is told of a stack's status. token is that of the call, if it has one.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/event-detail-stack-status-change.html
func stackEvent(change cloudformationtypes.StackEvent, token, region string, now time.Time, id string) map[string]any {
	detail := map[string]any{
		"stack-id": aws.ToString(change.StackId),
		"status-details": map[string]any{
			"status": string(change.ResourceStatus), "status-reason": aws.ToString(change.ResourceStatusReason),
		},
	}
	if token != "" {
		detail["client-request-token"] = token
	}
	return map[string]any{
		"version": "0", "id": id, "detail-type": "CloudFormation Stack Status Change", "source": "aws.cloudformation",
		"account": api.Account, "time": now.UTC().Format(time.RFC3339), "region": region,
		"resources": []any{aws.ToString(change.StackId)}, "detail": detail,
	}
}

// tellStacks tells EventBridge which statuses stacks have had in a call.
func (a *AWS) tellStacks(call api.Call) {
	changes, err := a.current().stacks.changes(context.Background())
	if err != nil {
		a.Gateway.fail(fmt.Errorf("after %s: %w", call.Action(), err))
		return
	}
	for _, change := range changes {
		id := fmt.Sprintf("00000000-0000-4000-8005-%012x", a.Gateway.sequence.Add(1))
		a.publish(stackEvent(change, text(call.Input, "ClientRequestToken"), call.Region, a.Clock.Now(), id))
	}
}
