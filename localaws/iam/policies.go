// Package iam decides who may do what: it finds what a call must be allowed, gathers the policies that are deployed, and has
// package policy evaluate them.
package iam

import (
	"context"
	"fmt"
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
	// PolicyType is the type of a policy of an account's organization, by the policy's id; empty if there is no such policy.
	//
	// Default: - there is none.
	PolicyType func(ctx context.Context, account, id string) (string, error)
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
	Tags   map[string]string
}

// role is a Role whose policies are parsed.
type role struct {
	arn                string
	trust              policy.Document
	identity, boundary []policy.Document
}

// Membership is what an account is in AWS Organizations. The zero Membership is that of an account in no organization.
type Membership struct {
	Organization string // its id: o-...
	// Path leads to the account's parent, with a slash at its end: o-.../r-.../ou-.../
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_last-accessed-view-data-orgs.html#access_policies_last-accessed-viewing-orgs-entity-path
	Path string
	// ServiceControl and ResourceControl are the documents of the policies that bind the account, from the root's level to its
	// own. Those of a management account are none: neither kind binds it.
	ServiceControl, ResourceControl [][]string
	// Bound tells that one of the service control policies is not AWS's FullAWSAccess.
	Bound bool
}

// of is the Authorizer of an account; a itself if there is no other.
func (a *Authorizer) of(account string) *Authorizer {
	if a.options.Account == nil || account == a.options.Place.Account || len(account) != len(api.Account) {
		return a
	}
	return a.options.Account(account)
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
