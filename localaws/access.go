package localaws

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/iam/policy"
)

// Directory finds the policies of what IAM, S3, KMS, SNS and SQS hold. What does not exist is an *api.Error; any other
// error is a failure to look.
type Directory interface {
	// Role returns a role by name.
	Role(ctx context.Context, name string) (Role, error)
	// BucketPolicy returns the document, empty where the bucket has none.
	BucketPolicy(ctx context.Context, bucket string) (string, error)
	// Key returns a key by id, ARN or alias.
	Key(ctx context.Context, id string) (Key, error)
	// TopicPolicy returns the document, empty where the topic has none.
	TopicPolicy(ctx context.Context, arn string) (string, error)
	// TopicKey returns the id, ARN or alias of the key that encrypts the topic, empty where none does.
	TopicKey(ctx context.Context, arn string) (string, error)
	// QueuePolicy returns the document, empty where the queue has none.
	QueuePolicy(ctx context.Context, arn string) (string, error)
}

// Role is a role of IAM with the documents of its policies.
type Role struct {
	ARN      string
	Trust    string
	Identity []string // inline and attached
	Boundary string   // empty where there is none
}

// Key is a key of KMS.
type Key struct {
	ARN    string
	State  string // Enabled, Disabled, PendingDeletion, ...
	Policy string
}

// role is a Role whose policies are parsed.
type role struct {
	arn                string
	trust              policy.Document
	identity, boundary []policy.Document
}

// Authorize tells whether a principal may do an action on a resource, by the policies that are deployed now. A refusal is
// an *api.Error with the code AccessDenied. Condition keys that the request itself does not give, such as aws:SourceArn,
// are the caller's to add.
func (g *Gateway) Authorize(ctx context.Context, p api.Principal, action, resource string, keys map[string][]string) error {
	decision, err := g.decide(ctx, p, api.Region, question{action: action, resource: resource, keys: keys})
	if err != nil {
		return err
	}
	if !decision.Allowed {
		return &api.Error{Code: "AccessDenied", Message: decision.Reason, Status: http.StatusForbidden}
	}
	return nil
}

// authorizeCall refuses a call that the policies do not allow.
func (g *Gateway) authorizeCall(ctx context.Context, call api.Call, keys map[string][]string, p protocol) error {
	if call.Action() == "sts:GetCallerIdentity" {
		return nil // it needs no permission
	}
	questions, err := g.questions(ctx, call)
	if err != nil {
		return err
	}
	for _, q := range questions {
		q.keys = union(q.keys, keys)
		decision, err := g.decide(ctx, call.Principal, call.Region, q)
		if err != nil {
			return err
		}
		if decision.Allowed {
			continue
		}
		if q.code != "" {
			return api.Errorf(q.code, "%s", decision.Reason)
		}
		if p == awsQuery || p == restS3 {
			return &api.Error{Code: "AccessDenied", Message: decision.Reason, Status: http.StatusForbidden}
		}
		return &api.Error{Code: "AccessDeniedException", Message: decision.Reason, Status: http.StatusBadRequest}
	}
	return nil
}

// union is all keys of both; those of the second win.
func union(a, b map[string][]string) map[string][]string {
	all := make(map[string][]string, len(a)+len(b))
	maps.Copy(all, a)
	maps.Copy(all, b)
	return all
}

// unlimited tells whether a principal may do everything, whatever the resource.
func (g *Gateway) unlimited(p api.Principal) (bool, error) {
	g.mu.Lock()
	granted, organization := g.grants[p.ARN], len(g.organization)
	g.mu.Unlock()
	if organization > 0 {
		return false, nil
	}
	if p.Type == api.Root {
		return true, nil
	}
	decision, err := policy.Evaluate(policy.Request{Principal: p, Action: "any:Thing", Resource: anyResource},
		policy.Policies{Identity: granted})
	return decision.Allowed, err
}

// decide gathers the policies that bear on a question and evaluates them.
func (g *Gateway) decide(ctx context.Context, p api.Principal, region string, q question) (policy.Decision, error) {
	keys, err := g.keysOf(p, q)
	if err != nil {
		return policy.Decision{}, err
	}
	policies, err := g.identityPolicies(ctx, p)
	if err != nil {
		return policy.Decision{}, err
	}
	if policies.Resource, err = g.resourcePolicy(ctx, q); err != nil {
		return policy.Decision{}, err
	}
	request := policy.Request{
		Principal: p, Action: q.action, Resource: q.resource, ResourceAccount: api.Account,
		// Clients reach AWS over TLS only, though this one is reached without.
		Context: map[string][]string{"aws:RequestedRegion": {region}, "aws:SecureTransport": {"true"}},
	}
	if fields := strings.SplitN(q.resource, ":", 6); len(fields) == 6 && fields[4] != "" {
		request.ResourceAccount = fields[4]
	}
	request.Context = union(request.Context, keys)
	return policy.Evaluate(request, policies)
}

// keysOf are the condition keys that a question has: none that AWS does not have for the action, and none that a service
// does not send.
func (g *Gateway) keysOf(p api.Principal, q question) (map[string][]string, error) {
	action, known, err := g.options.Reference.Action(q.action)
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

// identityPolicies are those of the principal and of the organization.
func (g *Gateway) identityPolicies(ctx context.Context, p api.Principal) (policy.Policies, error) {
	g.mu.Lock()
	granted, isGranted := g.grants[p.ARN]
	policies := policy.Policies{Identity: granted, Organization: g.organization}
	g.mu.Unlock()
	if isGranted || p.Type == api.Root || p.Type == api.AWSService {
		return policies, nil
	}
	if p.Type != api.AssumedRole {
		return policies, notModelled("the identity policies of %s: grant them", p.ARN)
	}
	found, err := g.role(ctx, p.Name())
	if isRefusal(err) {
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
func (g *Gateway) resourcePolicy(ctx context.Context, q question) (*policy.Document, error) {
	if q.action == "sts:AssumeRole" {
		found, err := g.role(ctx, q.resource[strings.LastIndexByte(q.resource, '/')+1:])
		if isRefusal(err) || (err == nil && found.arn != q.resource) {
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
		find = g.options.Directory.BucketPolicy
		name, _, _ = strings.Cut(fields[5], "/")
	case service == "kms" && strings.HasPrefix(fields[5], "key/"):
		found, err := g.key(ctx, q.resource)
		if isRefusal(err) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return g.parse(policy.Resource, found.Policy)
	case service == "sns":
		find = g.options.Directory.TopicPolicy
	case service == "sqs":
		find = g.options.Directory.QueuePolicy
	default:
		return nil, nil
	}
	document, err := cached(g, service+" "+name, func() (string, error) { return find(ctx, name) })
	if isRefusal(err) || (err == nil && document == "") {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the policy of %s: %w", q.resource, err)
	}
	return g.parse(policy.Resource, document)
}

func (g *Gateway) key(ctx context.Context, id string) (Key, error) {
	return cached(g, "kms "+id, func() (Key, error) { return g.options.Directory.Key(ctx, id) })
}

// role returns a role whose policies are parsed.
func (g *Gateway) role(ctx context.Context, name string) (role, error) {
	return cached(g, "iam "+name, func() (role, error) {
		found, err := g.options.Directory.Role(ctx, name)
		if err != nil {
			return role{}, err
		}
		parsed := role{arn: found.ARN}
		trust, err := g.parse(policy.Trust, found.Trust)
		if err != nil {
			return role{}, fmt.Errorf("the trust policy of %s: %w", found.ARN, err)
		}
		parsed.trust = *trust
		for _, document := range found.Identity {
			own, err := g.parse(policy.Identity, document)
			if err != nil {
				return role{}, fmt.Errorf("a policy of %s: %w", found.ARN, err)
			}
			parsed.identity = append(parsed.identity, *own)
		}
		if found.Boundary != "" {
			boundary, err := g.parse(policy.Identity, found.Boundary)
			if err != nil {
				return role{}, fmt.Errorf("the boundary of %s: %w", found.ARN, err)
			}
			parsed.boundary = append(parsed.boundary, *boundary)
		}
		return parsed, nil
	})
}

// parse parses each document once.
func (g *Gateway) parse(kind policy.Kind, document string) (*policy.Document, error) {
	g.mu.Lock()
	parsed, known := g.parsed[string(kind)+document]
	g.mu.Unlock()
	if known {
		return &parsed, nil
	}
	parsed, err := policy.Parse(kind, document)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.parsed[string(kind)+document] = parsed
	return &parsed, nil
}

// found is a look-up's result, or that there is nothing to find.
type found[T any] struct {
	value T
	err   error
}

// cached looks something up once, until a call changes something. What does not exist is remembered, too.
func cached[T any](g *Gateway, key string, load func() (T, error)) (T, error) {
	g.mu.Lock()
	known, ok := g.cache[key].(found[T])
	generation := g.generation
	g.mu.Unlock()
	if ok {
		return known.value, known.err
	}
	value, err := load()
	var refused *api.Error
	if err != nil && !errors.As(err, &refused) {
		return value, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.generation == generation {
		g.cache[key] = found[T]{value, err}
	}
	return value, err
}

// policyServices are the services whose calls change policies. CloudFormation changes everything.
var policyServices = map[string]bool{"iam": true, "s3": true, "kms": true, "sns": true, "sqs": true, "ssm": true}

// invalidate forgets the policies that a call may have changed.
func (g *Gateway) invalidate(call api.Call) {
	if !isMutating(call) || slices.Contains(automationOperations, call.Operation) || !policyServices[call.Service] && call.Service != "cloudformation" {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.generation++
	for key := range g.cache {
		if strings.HasPrefix(key, call.Service+" ") || call.Service == "cloudformation" {
			delete(g.cache, key)
		}
	}
}
