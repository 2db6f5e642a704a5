// Package world is a gateway for tests: with an Authorizer that looks into a directory which the test fills, a CloudTrail that
// accepts everything, a Config that knows one rule, and a backend that answers S3, SNS and KMS as moto does.
package world

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awscloudtrail "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/smithy-go"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/cloudtrail"
	"github.com/trailguard/trailguard/localaws/gateway"
	"github.com/trailguard/trailguard/localaws/iam"
	"github.com/trailguard/trailguard/localaws/iam/policy"
	"github.com/trailguard/trailguard/localaws/iam/servicereference"
	"github.com/trailguard/trailguard/localaws/repository"
	"github.com/trailguard/trailguard/localaws/sts"
)

// What the world has names for.
const (
	TrailARN  = "arn:aws:cloudtrail:us-east-1:123456789012:trail/guarded"
	KeyARN    = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
	RoleARN   = "arn:aws:iam::123456789012:role/guard/Repair"
	TopicARN  = "arn:aws:sns:us-east-1:123456789012:alerts"
	LinkedARN = "arn:aws:iam::123456789012:role/aws-service-role/remediation.config.amazonaws.com/AWSServiceRoleForConfigRemediation"
)

// Who calls. Mallory may do everything that policies of resources and organizations allow, Repairer what Passing allows.
var (
	Root     = api.Principal{Type: api.Root, ARN: "arn:aws:iam::123456789012:root"}
	Mallory  = api.Principal{Type: api.IAMUser, ARN: "arn:aws:iam::123456789012:user/mallory"}
	Repairer = api.Principal{Type: api.AssumedRole, ARN: RoleARN, SessionName: "Automation-1"}
)

// Passing is the policy of the role Repair, TrustsAutomation its trust policy, KeyForIAM the policy of the key.
const (
	Passing = `{"Version":"2012-10-17","Statement":[
	{"Effect":"Allow","Action":["cloudtrail:StartLogging","cloudtrail:UpdateTrail","cloudtrail:GetTrail"],"Resource":"` + TrailARN + `"},
	{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::123456789012:role/Logs",
	 "Condition":{"StringEquals":{"iam:PassedToService":"cloudtrail.amazonaws.com"}}},
	{"Effect":"Allow","Action":"kms:EnableKey","Resource":"*"}]}`

	TrustsAutomation = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ssm.amazonaws.com"},"Action":"sts:AssumeRole",
	"Condition":{"StringEquals":{"aws:SourceAccount":"123456789012"}}}]}`

	KeyForIAM = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"kms:*","Resource":"*"}]}`
)

// Directory is an iam.Directory of maps, which counts how often it is asked.
type Directory struct {
	Roles                   map[string]iam.Role
	Buckets, Topics, Queues map[string]string
	Buses                   map[string]string
	TopicKeys               map[string]string
	Keys                    map[string]iam.Key
	Asked                   int
}

func look[T any](d *Directory, m map[string]T, name string) (T, error) {
	d.Asked++
	value, ok := m[name]
	if !ok {
		return value, api.Errorf("NotFound", "%s", name)
	}
	return value, nil
}

// Role looks into Roles.
func (d *Directory) Role(_ context.Context, name string) (iam.Role, error) {
	return look(d, d.Roles, name)
}

// BucketPolicy looks into Buckets.
func (d *Directory) BucketPolicy(_ context.Context, name string) (string, error) {
	return look(d, d.Buckets, name)
}

// Key looks into Keys.
func (d *Directory) Key(_ context.Context, id string) (iam.Key, error) { return look(d, d.Keys, id) }

// TopicPolicy looks into Topics.
func (d *Directory) TopicPolicy(_ context.Context, arn string) (string, error) {
	return look(d, d.Topics, arn)
}

// TopicKey looks into TopicKeys.
func (d *Directory) TopicKey(_ context.Context, arn string) (string, error) {
	return look(d, d.TopicKeys, arn)
}

// QueuePolicy looks into Queues.
func (d *Directory) QueuePolicy(_ context.Context, arn string) (string, error) {
	return look(d, d.Queues, arn)
}

// BusPolicy looks into Buses.
func (d *Directory) BusPolicy(_ context.Context, arn string) (string, error) {
	return look(d, d.Buses, arn)
}

// World is what New returns.
type World struct {
	*gateway.Gateway
	*iam.Authorizer
	Directory *Directory
	Recorder  *cloudtrail.Recorder
	Events    []map[string]any            // that EventBridge got
	Trail     func(api.Call) (any, error) // is CloudTrail
	Logging   bool                        // a trail logs
	Forwarded []*http.Request             // to the backend
}

// Reference is the Service Authorization Reference.
func Reference(t testing.TB) *servicereference.Reference {
	t.Helper()
	opened, err := servicereference.Open(repository.NodeModules())
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

// New returns a world.
func New(t testing.TB) *World {
	t.Helper()
	w := &World{
		Logging: true,
		Trail:   func(api.Call) (any, error) { return map[string]any{}, nil },
		Directory: &Directory{
			Roles:   map[string]iam.Role{"Repair": {ARN: RoleARN, Trust: TrustsAutomation, Identity: []string{Passing}}},
			Buckets: map[string]string{}, Topics: map[string]string{}, Queues: map[string]string{}, Buses: map[string]string{},
			Keys: map[string]iam.Key{KeyARN: {ARN: KeyARN, State: "Enabled", Policy: KeyForIAM}},
		},
	}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.Forwarded = append(w.Forwarded, r)
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
		answer(rw, r)
	}))
	t.Cleanup(server.Close)
	clock, ids := api.NewClock(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)), &api.IDs{}
	w.Authorizer = iam.New(iam.Options{
		Directory: w.Directory, Reference: Reference(t),
		Ask: func(ctx context.Context, call api.Call) (any, error) { return w.Ask(ctx, call) },
	})
	w.Gateway = gateway.New(gateway.Options{Clock: clock, IDs: ids, Authorizer: w.Authorizer, Backend: server.URL})
	w.Recorder = &cloudtrail.Recorder{
		Clock: clock, IDs: ids, Logs: func(api.Call) bool { return w.Logging },
		Emit: func(event map[string]any) { w.Events = append(w.Events, event) },
	}
	w.Serve()
	w.Grant(Mallory.ARN, policy.MustParse(policy.Identity, policy.FullAWSAccess))
	return w
}

func answer(rw http.ResponseWriter, r *http.Request) {
	switch {
	case r.Header.Get("X-Amz-Target") == "TrentService.DisableKey":
		rw.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(rw, `{"__type":"com.amazonaws.kms#NotFoundException","message":"gone"}`)
	case r.Header.Get("X-Amz-Target") != "":
		fmt.Fprint(rw, `{"KeyId":"k"}`)
	case strings.HasPrefix(r.URL.Path, "/missing"):
		rw.WriteHeader(http.StatusNotFound)
		fmt.Fprint(rw, `<Error><Code>NoSuchBucket</Code><Message>none</Message></Error>`)
	case strings.HasPrefix(r.URL.Path, "/service/"):
		rw.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
		rw.Write([]byte{0xa0})
	case r.URL.RawQuery == "" && r.Method == http.MethodPost:
		fmt.Fprint(rw, `<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>`)
	}
}

// Serve puts the gateway before more services than it has at first.
func (w *World) Serve(more ...interface{ Register(api.Registry) }) {
	registry := &gateway.Services{}
	w.Register(registry)
	for _, service := range more {
		service.Register(registry)
	}
	sts.Service{Credentials: w.Credentials}.Register(registry)
	registry.Answer("cloudtrail", api.HandlerFunc(func(_ context.Context, call api.Call) (any, error) { return w.Trail(call) }))
	registry.Answer("config", api.HandlerFunc(func(context.Context, api.Call) (any, error) {
		return map[string]any{"ConfigRules": []any{map[string]any{"ConfigRuleArn": "arn:aws:config:us-east-1:123456789012:config-rule/config-rule-abc"}}}, nil
	}))
	registry.Observe(w.Recorder)
	w.Use(registry)
}

// Reset resets the gateway and the Authorizer.
func (w *World) Reset() {
	w.Gateway.Reset()
	w.Authorizer.Reset()
}

// As is the configuration of clients that call as a principal.
func (w *World) As(p api.Principal) aws.Config { return w.Config(w.Credentials(p)) }

// CloudTrail is a client that calls as a principal.
func (w *World) CloudTrail(p api.Principal) *awscloudtrail.Client {
	return awscloudtrail.NewFromConfig(w.As(p))
}

// Runbook is a document of one step that runs a script's function main with a role, which may be empty.
func Runbook(role, script string) string {
	content := map[string]any{"schemaVersion": "0.3", "mainSteps": []any{map[string]any{
		"name": "Run", "action": "aws:executeScript", "inputs": map[string]any{"Runtime": "python3.11", "Handler": "main", "Script": script},
	}}}
	if role != "" {
		content["assumeRole"] = role
	}
	encoded, err := json.Marshal(content)
	if err != nil {
		panic(err)
	}
	return string(encoded)
}

// Code is the error code of a call, empty if it succeeded.
func Code(err error) string {
	var answer smithy.APIError
	var refusal *api.Error
	switch {
	case errors.As(err, &answer):
		return answer.ErrorCode()
	case errors.As(err, &refusal):
		return refusal.Code
	case err != nil:
		return err.Error()
	}
	return ""
}

// WantCode checks the error code of a call.
func WantCode(t testing.TB, err error, want string) {
	t.Helper()
	if got := Code(err); got != want {
		t.Errorf("got %q (%v), want %q", got, err, want)
	}
}

// At finds a value in an event.
func At(event map[string]any, path string) any {
	var value any = event
	for name := range strings.SplitSeq(path, ".") {
		fields, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = fields[name]
	}
	return value
}
