package iam

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/iam/policy"
)

// union is all keys of both; those of the second win.
func union(a, b map[string][]string) map[string][]string {
	all := make(map[string][]string, len(a)+len(b))
	maps.Copy(all, a)
	maps.Copy(all, b)
	return all
}

// unlimited tells whether a principal may do everything, whatever the resource.
func (a *Authorizer) unlimited(ctx context.Context, p api.Principal) (bool, error) {
	own := a.of(p.Account())
	bound, err := own.boundByOrganization(ctx)
	if err != nil || bound {
		return false, err
	}
	if p.Type == api.Root {
		return true, nil
	}
	own.mu.Lock()
	granted := own.grants[p.ARN]
	own.mu.Unlock()
	decision, err := policy.Evaluate(policy.Request{Principal: p, Action: "any:Thing", Resource: anyResource},
		policy.Policies{Identity: granted})
	return decision.Allowed, err
}

// decide gathers the policies that bear on a question and evaluates them: those of the principal's account and those of the
// account that owns the resource.
func (a *Authorizer) decide(ctx context.Context, p api.Principal, region string, q question) (policy.Decision, error) {
	keys, err := a.keysOf(p, q)
	if err != nil {
		return policy.Decision{}, err
	}
	policies, err := a.of(p.Account()).identityPolicies(ctx, p)
	if err != nil {
		return policy.Decision{}, err
	}
	account, err := a.ownerOf(ctx, q)
	if err != nil {
		return policy.Decision{}, err
	}
	owner := a.of(account)
	if policies.Resource, err = owner.resourcePolicy(ctx, q); err != nil {
		return policy.Decision{}, err
	}
	if policies.ResourceControl, err = owner.resourceControlPolicies(ctx, q); err != nil {
		return policy.Decision{}, err
	}
	request := policy.Request{
		Principal: p, Action: q.action, Resource: q.resource, ResourceAccount: account,
		// Clients reach AWS over TLS only, though this one is reached without.
		Context: map[string][]string{"aws:RequestedRegion": {region}, "aws:SecureTransport": {"true"}},
	}
	// The trails of an organization have no policies: CloudTrail itself knows which accounts may use them.
	if strings.HasPrefix(q.action, "cloudtrail:") {
		request.ResourceAccount, request.Context["aws:ResourceAccount"] = "", []string{account}
	}
	organization, err := a.organizationKeys(ctx, p, account, q, keys)
	if err != nil {
		return policy.Decision{}, err
	}
	tags, err := owner.resourceTags(ctx, q)
	if err != nil {
		return policy.Decision{}, err
	}
	request.Context = union(union(union(request.Context, organization), tags), keys)
	return policy.Evaluate(request, policies)
}

// keysOf are the condition keys that a question has: none that AWS does not have for the action, and none that a service
// does not send.
func (a *Authorizer) keysOf(p api.Principal, q question) (map[string][]string, error) {
	action, known, err := a.options.Reference.Action(q.action)
	if err != nil {
		return nil, err
	}
	if !known {
		return nil, fmt.Errorf("asking for the action %s, which AWS does not have", q.action)
	}
	for key := range q.keys {
		if !action.HasKey(key) {
			return nil, fmt.Errorf("asking for %s with the condition key %s, which AWS does not have there", q.action, key)
		}
	}
	return sentBy(p, q)
}

// resourceTags are the condition keys that say how a resource is tagged: of keys, as policies in use here name no others.
// https://docs.aws.amazon.com/kms/latest/developerguide/tag-authorization.html
func (a *Authorizer) resourceTags(ctx context.Context, q question) (map[string][]string, error) {
	if !strings.HasPrefix(q.action, "kms:") || !strings.Contains(q.resource, ":key/") {
		return nil, nil
	}
	action, _, err := a.options.Reference.Action(q.action)
	if err != nil {
		return nil, err
	}
	key, err := a.Key(ctx, q.resource)
	if err != nil && !api.IsRefusal(err) {
		return nil, err
	}
	keys := map[string][]string{}
	for name, value := range key.Tags {
		if tag := "aws:ResourceTag/" + name; action.HasKey(tag) {
			keys[tag] = []string{value}
		}
	}
	return keys, nil
}

// identityPolicies are those of the principal and of the organization.
func (a *Authorizer) identityPolicies(ctx context.Context, p api.Principal) (policy.Policies, error) {
	a.mu.Lock()
	granted, isGranted := a.grants[p.ARN]
	a.mu.Unlock()
	levels, err := a.serviceControlPolicies(ctx)
	policies := policy.Policies{Identity: granted, Organization: levels}
	if err != nil {
		return policies, err
	}
	if isGranted || p.Type == api.Root || p.Type == api.AWSService {
		return policies, nil
	}
	if p.Type != api.AssumedRole {
		return policies, api.NotModelled("the identity policies of %s: grant them", p.ARN)
	}
	found, err := a.role(ctx, p.Name())
	if api.IsRefusal(err) {
		return policies, &api.Error{Code: "InvalidClientTokenId", Status: http.StatusForbidden,
			Message: fmt.Sprintf("the role %s does not exist any more", p.ARN)}
	}
	if err != nil {
		return policies, err
	}
	if found.arn != p.ARN {
		return policies, fmt.Errorf("the principal's ARN is %s, its role's %s", p.ARN, found.arn)
	}
	policies.Identity, policies.Boundary = found.identity, found.boundary
	return policies, nil
}

// resourcePolicy is the policy of the resource, or the trust policy of the role; nil where there is none.
func (a *Authorizer) resourcePolicy(ctx context.Context, q question) (*policy.Document, error) {
	if q.action == "sts:AssumeRole" {
		found, err := a.role(ctx, q.resource[strings.LastIndexByte(q.resource, '/')+1:])
		if api.IsRefusal(err) || (err == nil && found.arn != q.resource) {
			return nil, nil
		}
		return &found.trust, err
	}
	fields := strings.SplitN(q.resource, ":", 6)
	if len(fields) != 6 {
		return nil, nil
	}
	service, _, _ := strings.Cut(q.action, ":")
	var find func(context.Context, string) (string, error)
	name := q.resource
	switch {
	case service == "s3":
		find = a.options.Directory.BucketPolicy
		name, _, _ = strings.Cut(fields[5], "/")
	case service == "kms" && strings.HasPrefix(fields[5], "key/"):
		found, err := a.Key(ctx, q.resource)
		if api.IsRefusal(err) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return a.parse(policy.Resource, found.Policy)
	case service == "sns":
		find = a.options.Directory.TopicPolicy
	case service == "sqs":
		find = a.options.Directory.QueuePolicy
	case service == "events" && strings.HasPrefix(fields[5], "event-bus/"):
		find = a.options.Directory.BusPolicy
	default:
		return nil, nil
	}
	document, err := Cached(&a.Cache, service, name, func() (string, error) { return find(ctx, name) })
	if api.IsRefusal(err) || (err == nil && document == "") {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the policy of %s: %w", q.resource, err)
	}
	return a.parse(policy.Resource, document)
}
