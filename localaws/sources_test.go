package localaws

import (
	"strings"
	"testing"

	"github.com/trailguard/trailguard/localaws/api"
)

func TestEachFactOfWhatAServiceSendsHasItsSource(t *testing.T) {
	seen := map[string]bool{}
	for _, fact := range sentKeys {
		name := fact.service + " " + fact.action + " " + fact.via
		if seen[name] {
			t.Errorf("%s stands there twice", name)
		}
		seen[name] = true
		if !strings.HasPrefix(fact.page, "https://") {
			t.Errorf("%s has the source %q", name, fact.page)
		}
		if _, known, err := reference(t).Action(fact.action); !known || err != nil {
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
	for _, fact := range sentKeys {
		t.Run(fact.service+" "+fact.action+" "+fact.via, func(t *testing.T) {
			resource := map[string]string{"s3": "arn:aws:s3:::logs/x", "kms": keyARN, "sns": topicARN, "sqs": queueARN, "sts": roleARN}[fact.action[:3]]
			if resource == "" {
				resource = "arn:aws:s3:::logs"
			}
			ask := func(condition string) error {
				w := newWorld(t)
				on := `"Resource":"*",`
				if fact.action == "sts:AssumeRole" {
					on = ""
				}
				document := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` + fact.service + `.amazonaws.com"},"Action":"` +
					fact.action + `",` + on + `"Condition":{` + condition + `}}]}`
				w.directory.buckets["logs"], w.directory.topics[topicARN], w.directory.queue[queueARN] = document, document, document
				w.directory.keys[keyARN] = Key{ARN: keyARN, State: "Enabled", Policy: document}
				w.directory.roles["Repair"] = Role{ARN: roleARN, Trust: document}
				decision, err := w.decide(t.Context(), api.Principal{Type: api.AWSService, ARN: fact.service + ".amazonaws.com"}, api.Region, question{
					action: fact.action, resource: resource, via: fact.via, keys: fromSource(source),
				})
				if err != nil {
					t.Fatal(err)
				}
				if !decision.Allowed {
					return api.Errorf("AccessDenied", "%s", decision.Reason)
				}
				return nil
			}
			for condition, want := range map[string]bool{
				`"StringEquals":{"aws:SourceArn":"` + source + `"}`:           fact.arn,
				`"StringEquals":{"aws:SourceAccount":"123456789012"}`:         fact.account,
				`"StringEqualsIfExists":{"aws:SourceAccount":"123456789012"}`: true,
				`"StringEqualsIfExists":{"aws:SourceAccount":"999999999999"}`: !fact.account,
			} {
				if got := ask(condition) == nil; got != want {
					t.Errorf("with the condition %s allowed is %v, want %v", condition, got, want)
				}
			}
		})
	}
}

func TestWhatAServiceSendsMustBeKnown(t *testing.T) {
	w := newWorld(t)
	service := api.Principal{Type: api.AWSService, ARN: "config.amazonaws.com"}
	if err := w.Authorize(t.Context(), service, "s3:PutObject", "arn:aws:s3:::logs/x", fromSource("x")); err == nil || isRefusal(err) {
		t.Errorf("got %v", err)
	}
	if err := w.Authorize(t.Context(), service, "s3:PutObject", "arn:aws:s3:::logs/x", nil); !isRefusal(err) {
		t.Errorf("without a source: got %v", err)
	}
	if err := w.Authorize(t.Context(), repairer, "sts:AssumeRole", roleARN, fromSource("x")); !isRefusal(err) {
		t.Errorf("who is no service: got %v", err)
	}
}
