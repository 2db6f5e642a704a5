package localaws

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/eventbridge"
	"github.com/trailguard/trailguard/localaws/gateway"
	"github.com/trailguard/trailguard/localaws/iam"
)

// eventService is EventBridge as a principal.
var eventService = api.Principal{Type: api.AWSService, ARN: "events.amazonaws.com"}

// targets starts what rules point at: every start is a call through the gateway.
type targets struct {
	place   api.Place
	gateway *gateway.Gateway
	iam     *iam.Authorizer
	bus     func(account string) *eventbridge.Bus

	mu      sync.Mutex
	configs map[string]aws.Config // by the role or the rule
}

func (t *targets) config(key, region string, p api.Principal, keys map[string][]string) aws.Config {
	t.mu.Lock()
	defer t.mu.Unlock()
	config, ok := t.configs[key]
	if !ok {
		config = t.gateway.Config(t.gateway.ServiceCredentials(p, eventService.ARN, keys))
		t.configs[key] = config
	}
	config.Region = region
	return config
}

// as is the configuration with which a rule calls a target: with the target's role, which must trust EventBridge for the
// rule, or as EventBridge itself, where the target has none.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-identity-based.html
func (t *targets) as(ctx context.Context, role, rule string) (aws.Config, error) {
	region := api.PlaceOf(rule).Region
	if role == "" {
		return t.config(rule, region, eventService, t.place.SourceKeys(rule)), nil
	}
	if err := t.assume(ctx, role, rule); err != nil {
		return aws.Config{}, err
	}
	return t.config(role, region, withRole(role), nil), nil
}

// assume tells whether a target's role trusts EventBridge for the rule.
func (t *targets) assume(ctx context.Context, role, rule string) error {
	return t.iam.Authorize(ctx, eventService, "sts:AssumeRole", role, t.place.SourceKeys(rule))
}

func withRole(role string) api.Principal {
	return api.Principal{Type: api.AssumedRole, ARN: role, SessionName: "events"}
}

// PutEvent hands an event on to another event bus. The role must be allowed to, and so must it by the policy of a bus of another
// account. The event keeps its account and Region.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-account.html
func (t *targets) PutEvent(ctx context.Context, role, rule, bus string, event map[string]any) error {
	if err := t.assume(ctx, role, rule); err != nil {
		return err
	}
	keys := map[string][]string{"events:source": {api.Text(event, "source")}, "events:detail-type": {api.Text(event, "detail-type")}}
	if err := t.iam.Authorize(ctx, withRole(role), "events:PutEvents", bus, keys); err != nil {
		return err
	}
	return t.bus(api.PlaceOf(bus).Account).PublishTo(ctx, bus, event, true)
}

// StartAutomation starts a document.
func (t *targets) StartAutomation(ctx context.Context, role, rule, document string, parameters map[string][]string) error {
	config, err := t.as(ctx, role, rule)
	if err != nil {
		return err
	}
	input := &ssm.StartAutomationExecutionInput{Parameters: parameters}
	name, version, found := strings.Cut(document, ":")
	input.DocumentName = &name
	if found {
		input.DocumentVersion = &version
	}
	_, err = ssm.NewFromConfig(config).StartAutomationExecution(ctx, input)
	return err
}

// PublishSNS publishes for a rule. The role must be allowed to, or the topic's policy must let EventBridge.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
func (t *targets) PublishSNS(ctx context.Context, role, rule, topic, message string) error {
	config, err := t.as(ctx, role, rule)
	if err != nil {
		return err
	}
	_, err = sns.NewFromConfig(config).Publish(ctx, &sns.PublishInput{TopicArn: &topic, Message: &message})
	return err
}

// SendSQS sends for a rule. The role must be allowed to, or the queue's policy must let EventBridge.
func (t *targets) SendSQS(ctx context.Context, role, rule, queue, message string, attributes map[string]string) error {
	config, err := t.as(ctx, role, rule)
	if err != nil {
		return err
	}
	url := fmt.Sprintf("http://127.0.0.1/%s/%s", t.place.Account, api.AfterLast(queue, ":"))
	input := &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &message, MessageAttributes: map[string]sqstypes.MessageAttributeValue{}}
	for name, value := range attributes {
		if value != "" {
			input.MessageAttributes[name] = sqstypes.MessageAttributeValue{DataType: aws.String("String"), StringValue: &value}
		}
	}
	_, err = sqs.NewFromConfig(config).SendMessage(ctx, input)
	return err
}
