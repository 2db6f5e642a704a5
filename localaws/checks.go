package localaws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	eventbridgetypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/eventbridge"
)

// checks are what services refuse and moto accepts, by action.
func (a *AWS) checks() map[string]func(context.Context, api.Call) error {
	publish := func(ctx context.Context, call api.Call) error {
		if err := checkMessages(call); err != nil {
			return err
		}
		return a.Gateway.checkTopicKey(ctx, call)
	}
	lockout := func(ctx context.Context, call api.Call) error { return a.Gateway.checkLockout(ctx, call) }
	return map[string]func(context.Context, api.Call) error{
		"config:PutRemediationConfigurations": a.checkRemediations,
		"events:PutRule":                      func(_ context.Context, call api.Call) error { return checkRule(call) },
		"events:PutTargets":                   func(_ context.Context, call api.Call) error { return checkTargets(call) },
		"kms:CreateKey":                       lockout,
		"kms:PutKeyPolicy":                    lockout,
		"sns:Publish":                         publish,
		"sns:PublishBatch":                    publish,
		"ssm:CreateDocument":                  a.backend.checkDocument,
		"ssm:UpdateDocument":                  a.backend.checkDocument,
	}
}

// checkRule refuses a rule that EventBridge does not take.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
func checkRule(call api.Call) error {
	pattern, schedule := text(call.Input, "EventPattern"), text(call.Input, "ScheduleExpression")
	if pattern == "" && schedule == "" {
		return api.Errorf("ValidationException", "Parameter(s) EventPattern or ScheduleExpression must be specified.")
	}
	if schedule != "" {
		if _, err := eventbridge.ParseSchedule(schedule); err != nil {
			return refusedUnlessNotModelled(err, "ValidationException", "Parameter ScheduleExpression is not valid.")
		}
	}
	if pattern != "" {
		if _, err := eventbridge.ParsePattern(pattern); err != nil {
			return refusedUnlessNotModelled(err, "InvalidEventPatternException", fmt.Sprintf("Event pattern is not valid. Reason: %v", err))
		}
	}
	return nil
}

// patternTester is the operation of EventBridge that tells whether an event matches a pattern.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_TestEventPattern.html
type patternTester struct{ options eventbridge.Options }

// Handle answers one call.
func (t patternTester) Handle(_ context.Context, call api.Call) (any, error) {
	var event map[string]any
	if err := json.Unmarshal([]byte(text(call.Input, "Event")), &event); err != nil {
		return nil, api.Errorf("ValidationException", "Parameter Event is not valid: %v", err)
	}
	for _, field := range []string{"id", "account", "source", "time", "region", "resources", "detail-type"} {
		if event[field] == nil {
			return nil, api.Errorf("ValidationException", "Parameter Event is not valid: %s is required", field)
		}
	}
	pattern, err := eventbridge.ParsePattern(text(call.Input, "EventPattern"))
	if err != nil {
		return nil, refusedUnlessNotModelled(err, "InvalidEventPatternException", fmt.Sprintf("Event pattern is not valid. Reason: %v", err))
	}
	return map[string]any{"Result": pattern.With(t.options).Matches(event)}, nil
}

// checkTargets refuses targets that EventBridge does not take.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutTargets.html
func checkTargets(call api.Call) error {
	encoded, err := json.Marshal(call.Input["Targets"])
	if err != nil {
		return fmt.Errorf("reading the targets: %w", err)
	}
	var targets []eventbridgetypes.Target
	if err := json.Unmarshal(encoded, &targets); err != nil {
		return api.Errorf("SerializationException", "%v", err)
	}
	for i, target := range targets {
		if _, err := eventbridge.ParseTarget(target); err != nil {
			return refusedUnlessNotModelled(err, "ValidationException", fmt.Sprintf("targets.%d.member: %v", i+1, err))
		}
	}
	return nil
}

// refusedUnlessNotModelled is the refusal that an error of package events stands for.
func refusedUnlessNotModelled(err error, code, message string) error {
	if errors.Is(err, eventbridge.ErrNotModelled) {
		return &api.Error{Code: "NotModelled", Message: err.Error(), Status: http.StatusNotImplemented}
	}
	return &api.Error{Code: code, Message: message}
}

// The longest subject of a message, in characters, and the longest message of a topic that has no limit of its own, in
// bytes.
const (
	maximumSubject = 100
	maximumMessage = 256 << 10
)

// checkMessages refuses messages that SNS does not take. A subject in UTF-8 is refused, although SNS takes it by now:
// what passes here passes everywhere.
// https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
func checkMessages(call api.Call) error {
	subjects := append(texts(call.Input, "Subject"), texts(call.Input, "PublishBatchRequestEntries.Subject")...)
	for _, subject := range subjects {
		printable := strings.IndexFunc(subject, func(r rune) bool { return r < ' ' || r > '~' }) < 0
		if !printable || subject == "" || subject[0] == ' ' || utf8.RuneCountInString(subject) > maximumSubject {
			return api.Errorf("InvalidParameter", "Invalid parameter: Subject")
		}
	}
	size := 0
	for _, message := range append(texts(call.Input, "Message"), texts(call.Input, "PublishBatchRequestEntries.Message")...) {
		if message == "" {
			return api.Errorf("InvalidParameter", "Invalid parameter: Empty message")
		}
		size += len(message)
	}
	if size > maximumMessage {
		return api.Errorf("InvalidParameter", "Invalid parameter: Message too long")
	}
	return nil
}

// snsKey is the key that AWS manages for SNS. Its policy lets the principals of the account, and no service.
const snsKey = "alias/aws/sns"

// topicKey is the id of the key with which a topic encrypts the messages that a call publishes; empty if there is none.
func (g *Gateway) topicKey(ctx context.Context, call api.Call) (string, error) {
	topic := text(call.Input, "TopicArn")
	if call.Service != "sns" || call.Operation != "Publish" && call.Operation != "PublishBatch" || topic == "" {
		return "", nil
	}
	id, err := cached(g, "sns key of "+topic, func() (string, error) { return g.options.Directory.TopicKey(ctx, topic) })
	if isRefusal(err) {
		return "", nil // there is no such topic: SNS says so itself
	}
	if err != nil {
		return "", fmt.Errorf("reading the key of topic %s: %w", topic, err)
	}
	return id, nil
}

// topicKeyQuestions are what the key of a topic asks of whoever publishes to it.
// https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
func (g *Gateway) topicKeyQuestions(ctx context.Context, call api.Call) ([]question, error) {
	id, err := g.topicKey(ctx, call)
	service := call.Principal.Type == api.AWSService
	if err != nil || id == "" || id == snsKey && !service {
		return nil, err
	}
	key, err := g.key(ctx, id)
	if isRefusal(err) && id != snsKey {
		return nil, nil // see checkTopicKey
	}
	if err != nil && !isRefusal(err) {
		return nil, err
	}
	if id == snsKey {
		key.ARN = arnOf(api.Call{Service: "kms", Region: call.Region}, snsKey)
	}
	keys := map[string][]string{"kms:EncryptionContext:aws:sns:topicArn": {text(call.Input, "TopicArn")}}
	if !service {
		keys["kms:ViaService"], keys["kms:CallerAccount"] = []string{"sns." + call.Region + ".amazonaws.com"}, []string{api.Account}
	}
	var all []question
	for _, action := range []string{"kms:GenerateDataKey", "kms:Decrypt"} {
		all = append(all, question{action: action, resource: key.ARN, keys: keys, via: "sns", code: "KMSAccessDenied"})
	}
	return all, nil
}

// AuthorizePublish tells whether a principal may publish to a topic, by the policies that are deployed now and the topic's
// key. It is for services that publish and make no calls here, such as the alarms of CloudWatch.
func (g *Gateway) AuthorizePublish(ctx context.Context, p api.Principal, topic string, keys map[string][]string) error {
	call := api.Call{Principal: p, Service: "sns", Operation: "Publish", Region: api.Region, Input: map[string]any{"TopicArn": topic}}
	if err := g.authorizeCall(ctx, call, keys, awsQuery); err != nil {
		return err
	}
	return g.checkTopicKey(ctx, call)
}

// checkTopicKey refuses to publish to a topic whose key cannot be used.
func (g *Gateway) checkTopicKey(ctx context.Context, call api.Call) error {
	id, err := g.topicKey(ctx, call)
	if err != nil || id == "" || id == snsKey {
		return err
	}
	key, err := g.key(ctx, id)
	switch {
	case isRefusal(err):
		return api.Errorf("KMSNotFound", "key %s does not exist", id)
	case err != nil:
		return err
	case key.State == "Disabled":
		return api.Errorf("KMSDisabled", "%s is disabled.", key.ARN)
	case key.State != "Enabled":
		return api.Errorf("KMSInvalidState", "%s is %s.", key.ARN, key.State)
	}
	return nil
}
