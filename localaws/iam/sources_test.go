package iam_test

import (
	"context"
	"strings"
	"testing"

	"github.com/trailguard/trailguard/localaws/api"
	localiam "github.com/trailguard/trailguard/localaws/iam"
	"github.com/trailguard/trailguard/localaws/internal/world"
)

func TestEachFactOfWhatAServiceSendsHasItsSource(t *testing.T) {
	seen := map[string]bool{}
	for _, fact := range localiam.Facts() {
		name := fact.Service + " " + fact.Action + " " + fact.Via
		if seen[name] {
			t.Errorf("%s stands there twice", name)
		}
		seen[name] = true
		if !strings.HasPrefix(fact.Page, "https://") {
			t.Errorf("%s has the source %q", name, fact.Page)
		}
		if _, known, err := world.Reference(t).Action(fact.Action); !known || err != nil {
			t.Errorf("%s: AWS has no such action (%v)", name, err)
		}
	}
}

// TestAServiceSendsOnlyWhatAWSSaysThatItSends asks each service with policies that want a key. That it is not sent is the
// negative control of the policies that are deployed.
func TestAServiceSendsOnlyWhatAWSSaysThatItSends(t *testing.T) {
	const (
		source   = "arn:aws:service:us-east-1:123456789012:thing/x"
		queueARN = "arn:aws:sqs:us-east-1:123456789012:q"
	)
	for _, fact := range localiam.Facts() {
		t.Run(fact.Service+" "+fact.Action+" "+fact.Via, func(t *testing.T) {
			resource := map[string]string{"s3": "arn:aws:s3:::logs/x", "kms": world.KeyARN, "sns": world.TopicARN, "sqs": queueARN, "sts": world.RoleARN}[fact.Action[:3]]
			if resource == "" {
				resource = "arn:aws:s3:::logs"
			}
			ask := func(condition string) error {
				w := world.New(t)
				on := `"Resource":"*",`
				if fact.Action == "sts:AssumeRole" {
					on = ""
				}
				document := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` + fact.Service + `.amazonaws.com"},"Action":"` +
					fact.Action + `",` + on + `"Condition":{` + condition + `}}]}`
				w.Directory.Buckets["logs"], w.Directory.Topics[world.TopicARN], w.Directory.Queues[queueARN] = document, document, document
				w.Directory.Keys[world.KeyARN] = localiam.Key{ARN: world.KeyARN, State: "Enabled", Policy: document}
				w.Directory.Roles["Repair"] = localiam.Role{ARN: world.RoleARN, Trust: document}
				decision, err := w.Decide(t.Context(), api.Principal{Type: api.AWSService, ARN: fact.Service + ".amazonaws.com"},
					fact.Action, resource, fact.Via, api.Home().SourceKeys(source))
				if err != nil {
					t.Fatal(err)
				}
				if !decision.Allowed {
					return api.Errorf("AccessDenied", "%s", decision.Reason)
				}
				return nil
			}
			for condition, want := range map[string]bool{
				`"StringEquals":{"aws:SourceArn":"` + source + `"}`:           fact.ARN,
				`"StringEquals":{"aws:SourceAccount":"123456789012"}`:         fact.Account,
				`"StringEqualsIfExists":{"aws:SourceAccount":"123456789012"}`: true,
				`"StringEqualsIfExists":{"aws:SourceAccount":"999999999999"}`: !fact.Account,
			} {
				if got := ask(condition) == nil; got != want {
					t.Errorf("with the condition %s allowed is %v, want %v", condition, got, want)
				}
			}
		})
	}
}

func TestWhatAServiceSendsMustBeKnown(t *testing.T) {
	w := world.New(t)
	service := api.Principal{Type: api.AWSService, ARN: "config.amazonaws.com"}
	if err := w.Authorize(t.Context(), service, "s3:PutObject", "arn:aws:s3:::logs/x", api.Home().SourceKeys("x")); err == nil || api.IsRefusal(err) {
		t.Errorf("got %v", err)
	}
	if err := w.Authorize(t.Context(), service, "s3:PutObject", "arn:aws:s3:::logs/x", nil); !api.IsRefusal(err) {
		t.Errorf("without a source: got %v", err)
	}
	if err := w.Authorize(t.Context(), world.Repairer, "sts:AssumeRole", world.RoleARN, api.Home().SourceKeys("x")); !api.IsRefusal(err) {
		t.Errorf("who is no service: got %v", err)
	}
}

// The organization is that of the source's account. That it is not sent elsewhere is the negative control.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-sourceorgid
func TestAServiceSendsTheOrganizationOfItsSource(t *testing.T) {
	const (
		member  = "arn:aws:cloudtrail:us-east-1:444455556666:trail/t"
		foreign = "arn:aws:cloudtrail:us-east-1:999999999999:trail/t"
	)
	w := world.New(t)
	memberships := func(_ context.Context, account string) (localiam.Membership, error) {
		if account == "444455556666" {
			return localiam.Membership{Organization: "o-exampleorgid", Path: "o-exampleorgid/r-abcd/ou-abcd-12345678/"}, nil
		}
		return localiam.Membership{}, nil
	}
	authorizer := localiam.New(localiam.Options{Directory: w.Directory, Reference: world.Reference(t), Membership: memberships})
	for _, test := range []struct {
		action, condition, source string
		want                      bool
	}{
		{"s3:GetBucketAcl", `"StringEquals":{"aws:SourceOrgID":"o-exampleorgid"}`, member, true},
		{"s3:GetBucketAcl", `"StringEquals":{"aws:SourceOrgID":"o-exampleorgid"}`, foreign, false},
		{"s3:GetBucketAcl", `"ForAnyValue:StringLike":{"aws:SourceOrgPaths":"o-exampleorgid/r-abcd/*"}`, member, true},
		{"sns:Publish", `"StringEquals":{"aws:SourceOrgID":"o-exampleorgid"}`, member, false},
	} {
		document := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"cloudtrail.amazonaws.com"},"Action":"` + test.action +
			`","Resource":"*","Condition":{` + test.condition + `}}]}`
		w.Directory.Buckets["logs"], w.Directory.Topics[world.TopicARN] = document, document
		authorizer.Forget("")
		resource := map[string]string{"s3:GetBucketAcl": "arn:aws:s3:::logs", "sns:Publish": world.TopicARN}[test.action]
		err := authorizer.Authorize(t.Context(), api.Principal{Type: api.AWSService, ARN: "cloudtrail.amazonaws.com"}, test.action, resource,
			api.PlaceOf(test.source).SourceKeys(test.source))
		if err != nil && !api.IsRefusal(err) {
			t.Fatal(err)
		}
		if got := err == nil; got != test.want {
			t.Errorf("%s with %s for %s: allowed is %v (%v)", test.action, test.condition, test.source, got, err)
		}
	}
}
