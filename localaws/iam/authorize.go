package iam

import (
	"context"
	"net/http"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/catalog"
	"github.com/trailguard/trailguard/localaws/iam/policy"
)

// Register has the Authorizer observe what changes policies.
func (a *Authorizer) Register(registry api.Registry) {
	registry.Check("kms:CreateKey", a.checkLockout)
	registry.Check("kms:PutKeyPolicy", a.checkLockout)
	registry.Observe(a)
}

// Begin forgets, once a call has ended, the policies that it may have changed. CloudFormation changes everything.
func (a *Authorizer) Begin(request api.Request) func(api.Outcome) {
	service := catalog.Find(request.Service)
	operation := service.Operation(request.Operation)
	changes := operation.Kind == catalog.Write && operation.By != catalog.Simulated && service.Policies
	if !changes {
		return nil
	}
	return func(outcome api.Outcome) {
		switch {
		case !outcome.Reached:
		case request.Service == "cloudformation":
			a.Forget("")
		default:
			a.Forget(request.Service)
		}
	}
}

// Authorize tells whether a principal may do an action on a resource, by the policies that are deployed now. A refusal is
// an *api.Error with the code AccessDenied. Condition keys that the request itself does not give, such as aws:SourceArn,
// are the caller's to add.
func (a *Authorizer) Authorize(ctx context.Context, p api.Principal, action, resource string, keys map[string][]string) error {
	decision, err := a.decide(ctx, p, a.options.Place.Region, question{action: action, resource: resource, keys: keys})
	if err != nil {
		return err
	}
	if !decision.Allowed {
		return denied(decision)
	}
	return nil
}

// AuthorizeCall refuses a call that the policies do not allow: with the code AccessDenied, unless AWS has another one for what
// is lacking. keys are the condition keys of the caller.
func (a *Authorizer) AuthorizeCall(ctx context.Context, call api.Call, keys map[string][]string) error {
	if catalog.Of(call.Service, call.Operation).Free {
		return nil
	}
	questions, err := a.questions(ctx, call)
	if err != nil {
		return err
	}
	for _, q := range questions {
		q.keys = union(q.keys, keys)
		decision, err := a.decide(ctx, call.Principal, call.Region, q)
		if err != nil {
			return err
		}
		if decision.Allowed {
			continue
		}
		if q.code != "" {
			return api.Errorf(q.code, "%s", decision.Reason)
		}
		return denied(decision)
	}
	return nil
}

func denied(decision policy.Decision) *api.Error {
	return &api.Error{Code: "AccessDenied", Message: decision.Reason, Status: http.StatusForbidden}
}

// AuthorizePublish tells whether a principal may publish to a topic, by the policies that are deployed now and the topic's
// key. It is for services that publish and make no calls here, such as the alarms of CloudWatch.
func (a *Authorizer) AuthorizePublish(ctx context.Context, p api.Principal, topic string, keys map[string][]string) error {
	call := api.Call{Principal: p, Service: "sns", Operation: "Publish", Place: a.options.Place, Input: map[string]any{"TopicArn": topic}}
	if err := a.AuthorizeCall(ctx, call, keys); err != nil {
		return err
	}
	return a.CheckTopicKey(ctx, call)
}
