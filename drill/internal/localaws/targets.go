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

	"github.com/trailguard/trailguard/drill/internal/localaws/api"
)

// eventService is EventBridge as a principal.
var eventService = api.Principal{Type: api.AWSService, ARN: "events.amazonaws.com"}

// targets starts what rules point at: every start is a call through the gateway.
type targets struct {
	gateway *Gateway

	mu      sync.Mutex
	configs map[string]aws.Config // by the role or the rule
}

func (t *targets) config(key string, p api.Principal, keys map[string][]string) aws.Config {
	t.mu.Lock()
	defer t.mu.Unlock()
	config, ok := t.configs[key]
	if !ok {
		config = t.gateway.config(t.gateway.ServiceCredentials(p, eventService.ARN, keys))
		t.configs[key] = config
	}
	return config
}

// StartAutomation starts a document with the target's role, which must trust EventBridge for the rule.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-identity-based.html
func (t *targets) StartAutomation(ctx context.Context, role, rule, document string, parameters map[string][]string) error {
	if err := t.gateway.Authorize(ctx, eventService, "sts:AssumeRole", role, fromRule(rule)); err != nil {
		return err
	}
	p := api.Principal{Type: api.AssumedRole, ARN: role, SessionName: "events"}
	input := &ssm.StartAutomationExecutionInput{Parameters: parameters}
	name, version, found := strings.Cut(document, ":")
	input.DocumentName = &name
	if found {
		input.DocumentVersion = &version
	}
	_, err := ssm.NewFromConfig(t.config(role, p, nil)).StartAutomationExecution(ctx, input)
	return err
}

// PublishSNS publishes for a rule. The topic's policy must let EventBridge.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
func (t *targets) PublishSNS(ctx context.Context, topic, rule, message string) error {
	_, err := sns.NewFromConfig(t.config(rule, eventService, fromRule(rule))).Publish(ctx, &sns.PublishInput{
		TopicArn: &topic, Message: &message,
	})
	return err
}

// SendSQS sends for a rule. The queue's policy must let EventBridge.
func (t *targets) SendSQS(ctx context.Context, queue, rule, message string, attributes map[string]string) error {
	url := fmt.Sprintf("http://127.0.0.1/%s/%s", api.Account, queue[strings.LastIndexByte(queue, ':')+1:])
	input := &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &message, MessageAttributes: map[string]sqstypes.MessageAttributeValue{}}
	for name, value := range attributes {
		if value != "" {
			input.MessageAttributes[name] = sqstypes.MessageAttributeValue{DataType: aws.String("String"), StringValue: &value}
		}
	}
	_, err := sqs.NewFromConfig(t.config(rule, eventService, fromRule(rule))).SendMessage(ctx, input)
	return err
}

func fromRule(rule string) map[string][]string {
	return map[string][]string{"aws:SourceArn": {rule}, "aws:SourceAccount": {api.Account}}
}
