package moto

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/iam"
)

// Directory looks things of one account up in moto's state behind the gateway's back: nothing that it does is a call of anyone. What
// does not exist is an *api.Error.
type Directory struct {
	state *State
	place api.Place
}

// NewDirectory returns the directory of an account. Its Region is that of what is named by no ARN with another.
func NewDirectory(state *State, place api.Place) *Directory { return &Directory{state, place} }

// look looks something up: see looks.py, which takes the question's fields.
func look[T any](ctx context.Context, d *Directory, question map[string]string) (found T, err error) {
	sent := map[string]any{"account": d.place.Account, "region": d.place.Region}
	for field, value := range question {
		sent[field] = value
	}
	var answer struct {
		Found   json.RawMessage
		Refused *struct{ Code, Message string }
	}
	err = d.state.ask(ctx, "looks", sent, &answer)
	switch {
	case err != nil:
	case answer.Refused != nil:
		err = &api.Error{Code: answer.Refused.Code, Message: answer.Refused.Message}
	default:
		err = json.Unmarshal(answer.Found, &found)
	}
	if err != nil {
		err = fmt.Errorf("looking for %s %s: %w", question["kind"], question["name"], err)
	}
	return found, err
}

// Role returns a role by name.
func (d *Directory) Role(ctx context.Context, name string) (iam.Role, error) {
	return look[iam.Role](ctx, d, map[string]string{"kind": "role", "name": name})
}

// Key returns a key by id, ARN or alias.
func (d *Directory) Key(ctx context.Context, id string) (iam.Key, error) {
	return look[iam.Key](ctx, d, map[string]string{"kind": "key", "name": id})
}

// resource is what is looked up of a resource with a policy.
type resource struct {
	Policy string // empty if it has none
	Region string // of a bucket
	Key    string // of a topic, empty if none encrypts it
	// SendsEvents tells whether a bucket sends its object events to EventBridge.
	SendsEvents bool
}

func (d *Directory) bucket(ctx context.Context, name string) (resource, error) {
	return look[resource](ctx, d, map[string]string{"kind": "bucket", "name": name})
}

// BucketPolicy returns the document of a bucket.
func (d *Directory) BucketPolicy(ctx context.Context, name string) (string, error) {
	found, err := d.bucket(ctx, name)
	return found.Policy, err
}

// BucketRegion is the Region of a bucket; an *api.Error with the code NoSuchBucket where there is none.
func (d *Directory) BucketRegion(ctx context.Context, name string) (string, error) {
	found, err := d.bucket(ctx, name)
	return found.Region, err
}

// SendsToEventBridge tells whether a bucket sends its object events to EventBridge.
func (d *Directory) SendsToEventBridge(ctx context.Context, name string) (bool, error) {
	found, err := d.bucket(ctx, name)
	return found.SendsEvents, err
}

// BucketExists tells whether there is a bucket of this name.
func (d *Directory) BucketExists(ctx context.Context, name string) (bool, error) {
	_, err := d.bucket(ctx, name)
	return exists(err)
}

func (d *Directory) topic(ctx context.Context, arn string) (resource, error) {
	return look[resource](ctx, d, map[string]string{"kind": "topic", "name": arn})
}

// TopicPolicy returns the document of a topic.
func (d *Directory) TopicPolicy(ctx context.Context, arn string) (string, error) {
	found, err := d.topic(ctx, arn)
	return found.Policy, err
}

// TopicKey returns the key of a topic, empty if it has none.
func (d *Directory) TopicKey(ctx context.Context, arn string) (string, error) {
	found, err := d.topic(ctx, arn)
	return found.Key, err
}

// TopicExists tells whether there is a topic: an *api.Error if not.
func (d *Directory) TopicExists(ctx context.Context, arn string) error {
	_, err := d.topic(ctx, arn)
	return err
}

// QueuePolicy returns the document of a queue.
func (d *Directory) QueuePolicy(ctx context.Context, arn string) (string, error) {
	found, err := look[resource](ctx, d, map[string]string{"kind": "queue", "name": api.AfterLast(arn, ":")})
	return found.Policy, err
}

// BusPolicy returns the document of an event bus.
func (d *Directory) BusPolicy(ctx context.Context, arn string) (string, error) {
	found, err := look[resource](ctx, d, map[string]string{"kind": "event bus", "name": api.AfterLast(arn, "/"), "region": api.PlaceOf(arn).Region})
	return found.Policy, err
}

// Document is one version of a document of Systems Manager.
type Document struct{ Content, Version, Type string }

// Document returns a version of a document: a number, $DEFAULT or $LATEST. name may be its ARN.
func (d *Directory) Document(ctx context.Context, name, version string) (Document, error) {
	return look[Document](ctx, d, map[string]string{"kind": "document", "name": api.AfterLast(name, "/"), "version": version})
}

// DocumentExists tells whether there is a document of this name or ARN.
func (d *Directory) DocumentExists(ctx context.Context, name string) (bool, error) {
	_, err := d.Document(ctx, name, "$DEFAULT")
	return exists(err)
}

// LogGroupExists tells whether there is a log group of this name.
func (d *Directory) LogGroupExists(ctx context.Context, name string) (bool, error) {
	return look[bool](ctx, d, map[string]string{"kind": "log group", "name": name})
}

// exists turns a look-up's error into its answer.
func exists(err error) (bool, error) {
	if api.IsRefusal(err) {
		return false, nil
	}
	return err == nil, err
}
