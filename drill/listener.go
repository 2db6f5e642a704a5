package drill

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/trailguard/trailguard/drill/deployed"
)

// Listener hears what people are told.
type Listener interface {
	// Messages are those that came since they were last asked for.
	Messages(ctx context.Context) ([]string, error)
}

// queue is a queue of the drill's own that is subscribed to the alert topic.
type queue struct {
	clients      Clients
	url          string
	subscription string
}

// Listen subscribes a queue of its own to the alert topic of a guard. close deletes the queue and the subscription, of which people are told
// as of any other: its error says what is left, and why.
func Listen(ctx context.Context, clients Clients, guard deployed.Guard) (listener Listener, close func(context.Context) error, err error) {
	q, err := subscribe(ctx, clients, guard)
	if err != nil {
		return nil, nil, fmt.Errorf("listening to what people are told: %w", err)
	}
	return q, q.close, nil
}

// subscribe makes a queue that the alert topic of a guard sends its messages to.
// https://docs.aws.amazon.com/sns/latest/dg/subscribe-sqs-queue-to-sns-topic.html
func subscribe(ctx context.Context, clients Clients, guard deployed.Guard) (*queue, error) {
	name := fmt.Sprintf("trailguard-drill-%08x", rand.Uint32())
	arn := strings.Join([]string{"arn", guard.Partition(), "sqs", guard.Region(), guard.Account(), name}, ":")
	made, err := clients.SQS.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &name, Attributes: map[string]string{
		"Policy": *policy(map[string]any{
			"Effect": "Allow", "Principal": map[string]any{"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn,
			"Condition": map[string]any{"ArnEquals": map[string]any{"aws:SourceArn": guard.AlertTopicARN}},
		}),
	}})
	if err != nil {
		return nil, fmt.Errorf("making a queue: %w", err)
	}
	q := &queue{clients: clients, url: aws.ToString(made.QueueUrl)}
	subscribed, err := clients.SNS.Subscribe(ctx, &sns.SubscribeInput{
		TopicArn: &guard.AlertTopicARN, Protocol: aws.String("sqs"), Endpoint: &arn, ReturnSubscriptionArn: true,
		Attributes: map[string]string{"RawMessageDelivery": "true"},
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("subscribing a queue to the alert topic: %w", err), q.close(context.WithoutCancel(ctx)))
	}
	q.subscription = aws.ToString(subscribed.SubscriptionArn)
	return q, nil
}

// close clears away the subscription, if there still is one, and the queue.
func (q *queue) close(ctx context.Context) error {
	var problems []error
	if q.subscription != "" {
		if _, err := q.clients.SNS.Unsubscribe(ctx, &sns.UnsubscribeInput{SubscriptionArn: &q.subscription}); err != nil && !hasCode(err, "NotFound") {
			problems = append(problems, fmt.Errorf("deleting subscription %s: %w", q.subscription, err))
		}
	}
	if _, err := q.clients.SQS.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: &q.url}); err != nil {
		problems = append(problems, fmt.Errorf("deleting queue %s: %w", q.url, err))
	}
	return errors.Join(problems...)
}

// Messages receives until nothing is left.
func (q *queue) Messages(ctx context.Context) (messages []string, err error) {
	for {
		got, err := q.clients.SQS.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &q.url, MaxNumberOfMessages: 10})
		if err != nil {
			return messages, fmt.Errorf("listening to what people are told: %w", err)
		}
		if len(got.Messages) == 0 {
			return messages, nil
		}
		for _, message := range got.Messages {
			// The target of a rule is given a text of JSON, in quotation marks.
			messages = append(messages, strings.Trim(aws.ToString(message.Body), `"`))
			if _, err := q.clients.SQS.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &q.url, ReceiptHandle: message.ReceiptHandle}); err != nil {
				return messages, fmt.Errorf("deleting a message that was heard: %w", err)
			}
		}
	}
}
