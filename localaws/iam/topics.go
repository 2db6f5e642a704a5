package iam

import (
	"context"
	"fmt"

	"github.com/trailguard/trailguard/localaws/api"
)

// snsKey is the key that AWS manages for SNS. Its policy lets the principals of the account, and no service.
const snsKey = "alias/aws/sns"

// topicKey is the id of the key with which a topic encrypts the messages that a call publishes; empty if there is none.
func (a *Authorizer) topicKey(ctx context.Context, call api.Call) (string, error) {
	topic := call.Text("TopicArn")
	if call.Service != "sns" || call.Operation != "Publish" && call.Operation != "PublishBatch" || topic == "" {
		return "", nil
	}
	owner := a.of(api.PlaceOf(topic).Account)
	id, err := Cached(&owner.Cache, "sns", "key of "+topic, func() (string, error) { return owner.options.Directory.TopicKey(ctx, topic) })
	if api.IsRefusal(err) {
		return "", nil // there is no such topic: SNS says so itself
	}
	if err != nil {
		return "", fmt.Errorf("reading the key of topic %s: %w", topic, err)
	}
	return id, nil
}

// topicKeyQuestions are what the key of a topic asks of whoever publishes to it.
// https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
func (a *Authorizer) topicKeyQuestions(ctx context.Context, call api.Call) ([]question, error) {
	id, err := a.topicKey(ctx, call)
	service := call.Principal.Type == api.AWSService
	if err != nil || id == "" || id == snsKey && !service {
		return nil, err
	}
	key, err := a.of(api.PlaceOf(call.Text("TopicArn")).Account).Key(ctx, id)
	if api.IsRefusal(err) && id != snsKey {
		return nil, nil // see CheckTopicKey
	}
	if err != nil && !api.IsRefusal(err) {
		return nil, err
	}
	if id == snsKey {
		key.ARN = call.ARN("kms", snsKey)
	}
	keys := map[string][]string{"kms:EncryptionContext:aws:sns:topicArn": {call.Text("TopicArn")}}
	if !service {
		keys["kms:ViaService"], keys["kms:CallerAccount"] = []string{"sns." + call.Region + ".amazonaws.com"}, []string{call.Account}
	}
	var all []question
	for _, action := range []string{"kms:GenerateDataKey", "kms:Decrypt"} {
		all = append(all, question{action: action, resource: key.ARN, keys: keys, via: "sns", code: "KMSAccessDenied"})
	}
	return all, nil
}

// CheckTopicKey is an api.Check that refuses to publish to a topic whose key cannot be used.
func (a *Authorizer) CheckTopicKey(ctx context.Context, call api.Call) error {
	id, err := a.topicKey(ctx, call)
	if err != nil || id == "" || id == snsKey {
		return err
	}
	key, err := a.of(api.PlaceOf(call.Text("TopicArn")).Account).Key(ctx, id)
	switch {
	case api.IsRefusal(err):
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
