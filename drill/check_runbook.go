package drill

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/trailguard/trailguard/drill/deployed"
)

func (l *look) startedByEventBridge(ctx context.Context) (Verdict, string, error) {
	found, err := l.startedBy("event", "schedule")
	if err != nil {
		return "", "", err
	}
	if len(found) > 0 {
		return held("EventBridge started execution %s", found[len(found)-1].ID)
	}
	rules, err := l.rules()
	for _, rule := range rules {
		if rule.DeadLetters == "" {
			continue
		}
		dead, err := countMessages(ctx, l.clients.SQS, rule.DeadLetters)
		if err != nil {
			return "", "", err
		}
		if dead != "0" {
			return didNotHold("%s events that could not start the runbook lie in queue %s, and EventBridge started none of the latest executions",
				dead, rule.DeadLetters)
		}
	}
	return NotSeen, "EventBridge started none of the latest executions, and none failed to start", err
}

func countMessages(ctx context.Context, api *sqs.Client, queue string) (string, error) {
	name := queue[strings.LastIndexByte(queue, ':')+1:]
	url, err := api.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &name})
	if err != nil {
		return "", fmt.Errorf("looking for queue %s: %w", name, err)
	}
	const number = sqstypes.QueueAttributeNameApproximateNumberOfMessages
	got, err := api.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: url.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{number}})
	if err != nil {
		return "", fmt.Errorf("reading queue %s: %w", name, err)
	}
	return got.Attributes[string(number)], nil
}

func (l *look) version(context.Context) (Verdict, string, error) {
	found, err := l.startedBy("event", "schedule", "Config")
	for _, x := range found {
		if x.Version != "1" {
			return didNotHold("execution %s, started by %s, is one of version %s", x.ID, x.StartedBy, x.Version)
		}
	}
	if err != nil || len(found) == 0 {
		return NotSeen, "neither EventBridge nor AWS Config started one of the latest executions", err
	}
	return held("so are %d executions", len(found))
}

func (l *look) script(context.Context) (Verdict, string, error) {
	all, err := l.executions()
	if err != nil {
		return "", "", err
	}
	var failed *deployed.Execution
	for _, x := range slices.Backward(all) {
		if x.Report != nil {
			return held("the script of execution %s reported what it did", x.ID)
		}
		if x.Ended() && x.Status != "Cancelled" && failed == nil {
			failed = &x
		}
	}
	if failed != nil {
		return didNotHold("execution %s ended as %s without a report of the script: %s", failed.ID, failed.Status, failed.Failure)
	}
	return notSeen("no execution has ended")
}

func (l *look) roundTrip(context.Context) (Verdict, string, error) {
	const enough = 3
	all, err := l.executions()
	if err != nil {
		return "", "", err
	}
	var wrote []deployed.Execution
	for _, x := range all {
		switch {
		case x.Report == nil:
		case len(x.Report.Writes) > 0:
			wrote = append(wrote, x)
		case x.Status == "Success":
			return held("execution %s found nothing to change", x.ID)
		}
	}
	if len(wrote) >= enough {
		last := wrote[len(wrote)-1]
		return didNotHold("each of %d executions changed something, the last one, %s, by %s", len(wrote), last.ID, strings.Join(last.Report.Writes, ", "))
	}
	return notSeen("%d executions ended, and each changed something", len(wrote))
}
