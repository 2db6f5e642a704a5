// Package iam decides who may do what: it finds what a call must be allowed, gathers the policies that are deployed, and has
// package policy evaluate them.
package iam

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/iam/policy"
	"github.com/trailguard/trailguard/localaws/iam/servicereference"
)

// Options are the settings of an Authorizer.
type Options struct {
	// Place is the account, and the Region of its services.
	//
	// Default: - api.Home.
	Place api.Place
	// Directory finds the policies. Required.
	Directory Directory
	// Reference says which resources and condition keys each action has. Required.
	Reference *servicereference.Reference
	// Ask asks a service of the local AWS, for no principal. It is for ARNs that only the service knows.
	//
	// Default: - such ARNs are open.
	Ask func(ctx context.Context, call api.Call) (output any, err error)
	// Account is the Authorizer of another account: it knows the account's principals and the policies of its resources.
	//
	// Default: - there is no other account.
	Account func(id string) *Authorizer
	// BucketOwner is the account that owns a bucket; empty if there is no such bucket.
	//
	// Default: - the account owns every bucket.
	BucketOwner func(ctx context.Context, bucket string) (string, error)
	// Membership is what an account is in AWS Organizations.
	//
	// Default: - no account is in an organization.
	Membership func(ctx context.Context, account string) (Membership, error)
}

// Authorizer decides by the policies that are deployed now. It is safe for concurrent use.
type Authorizer struct {
	// Cache holds what the Authorizer has looked up. It is for others, too, who look at the same services.
	Cache

	options Options

	mu           sync.Mutex
	grants       map[string][]policy.Document
	organization []policy.Document
	parsed       map[string]policy.Document
}

// New returns an Authorizer that has looked up nothing yet.
func New(options Options) *Authorizer {
	options.Place = options.Place.Or(api.Home())
	return &Authorizer{options: options, grants: map[string][]policy.Document{}, parsed: map[string]policy.Document{}}
}

// Grant gives the principal with this ARN identity policies that IAM does not hold, instead of those that it does.
func (a *Authorizer) Grant(arn string, policies ...policy.Document) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.grants[arn] = policies
}

// SetOrganizationPolicies attaches service control policies to the account, next to FullAWSAccess, in place of those that it
// attached before, as another level of those that AWS Organizations holds for the account. None takes that level away.
func (a *Authorizer) SetOrganizationPolicies(documents ...string) error {
	var policies []policy.Document
	if len(documents) > 0 {
		documents = append([]string{policy.FullAWSAccess}, documents...)
	}
	for _, document := range documents {
		parsed, err := policy.Parse(policy.Identity, document)
		if err != nil {
			return fmt.Errorf("attaching an organization policy: %w", err)
		}
		policies = append(policies, parsed)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.organization = policies
	return nil
}

// Reset forgets organization policies and what is known of the deployed ones. What was granted stays.
func (a *Authorizer) Reset() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.organization = nil
	a.Forget("")
}

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
	// BusPolicy returns the document of an event bus, empty where it has none.
	BusPolicy(ctx context.Context, arn string) (string, error)
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
	request.Context = union(union(request.Context, organization), keys)
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

// Key returns a key by id, ARN or alias; by its ARN also one of another account.
func (a *Authorizer) Key(ctx context.Context, id string) (Key, error) {
	a = a.of(api.PlaceOf(id).Account)
	return Cached(&a.Cache, "kms", id, func() (Key, error) { return a.options.Directory.Key(ctx, id) })
}

// role returns a role whose policies are parsed.
func (a *Authorizer) role(ctx context.Context, name string) (role, error) {
	return Cached(&a.Cache, "iam", name, func() (role, error) {
		found, err := a.options.Directory.Role(ctx, name)
		if err != nil {
			return role{}, err
		}
		parsed := role{arn: found.ARN}
		trust, err := a.parse(policy.Trust, found.Trust)
		if err != nil {
			return role{}, fmt.Errorf("the trust policy of %s: %w", found.ARN, err)
		}
		parsed.trust = *trust
		for _, document := range found.Identity {
			own, err := a.parse(policy.Identity, document)
			if err != nil {
				return role{}, fmt.Errorf("a policy of %s: %w", found.ARN, err)
			}
			parsed.identity = append(parsed.identity, *own)
		}
		if found.Boundary != "" {
			boundary, err := a.parse(policy.Identity, found.Boundary)
			if err != nil {
				return role{}, fmt.Errorf("the boundary of %s: %w", found.ARN, err)
			}
			parsed.boundary = append(parsed.boundary, *boundary)
		}
		return parsed, nil
	})
}

// parse parses each document once.
func (a *Authorizer) parse(kind policy.Kind, document string) (*policy.Document, error) {
	a.mu.Lock()
	parsed, known := a.parsed[string(kind)+document]
	a.mu.Unlock()
	if known {
		return &parsed, nil
	}
	parsed, err := policy.Parse(kind, document)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.parsed[string(kind)+document] = parsed
	return &parsed, nil
}
