package iam

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/iam/policy"
)

// ownerOf is the account that owns what is asked for: the Authorizer's own if neither the ARN nor S3 says another. That the name of
// a bucket is taken S3 says itself.
func (a *Authorizer) ownerOf(ctx context.Context, q question) (string, error) {
	fields := strings.SplitN(q.resource, ":", 6)
	switch {
	case len(fields) != 6, q.action == "s3:CreateBucket":
	case fields[2] == "s3" && a.options.BucketOwner != nil:
		bucket, _, _ := strings.Cut(fields[5], "/")
		owner, err := a.options.BucketOwner(ctx, bucket)
		if err != nil {
			return "", fmt.Errorf("looking for the owner of bucket %s: %w", bucket, err)
		}
		if owner != "" {
			return owner, nil
		}
	case fields[4] != "":
		return fields[4], nil
	}
	return a.options.Place.Account, nil
}

func (a *Authorizer) membership(ctx context.Context, account string) (Membership, error) {
	if a.options.Membership == nil || account == "" {
		return Membership{}, nil
	}
	found, err := a.options.Membership(ctx, account)
	if err != nil {
		return Membership{}, fmt.Errorf("asking what account %s is in AWS Organizations: %w", account, err)
	}
	return found, nil
}

// boundByOrganization tells whether an organization may take something away from the account's principals.
func (a *Authorizer) boundByOrganization(ctx context.Context) (bool, error) {
	a.mu.Lock()
	attached := len(a.organization) > 0
	a.mu.Unlock()
	found, err := a.membership(ctx, a.options.Place.Account)
	return attached || found.Bound, err
}

// serviceControlPolicies bind the account's principals, by level.
func (a *Authorizer) serviceControlPolicies(ctx context.Context) ([][]policy.Document, error) {
	found, err := a.membership(ctx, a.options.Place.Account)
	if err != nil {
		return nil, err
	}
	levels, err := a.parseLevels(policy.Identity, found.ServiceControl)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.organization) > 0 {
		levels = append(levels, a.organization)
	}
	return levels, nil
}

// controlled are the services on whose resources resource control policies bear: those of the page that are modelled here.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps.html#rcp-supported-services
var controlled = []string{"kms", "s3", "secretsmanager", "sqs", "sts"}

// resourceControlPolicies bind the account's resources, by level, if the action is on one of a service that has them.
func (a *Authorizer) resourceControlPolicies(ctx context.Context, q question) ([][]policy.Document, error) {
	service, _, _ := strings.Cut(q.action, ":")
	if !slices.Contains(controlled, service) || q.resource == anyResource {
		return nil, nil
	}
	found, err := a.membership(ctx, a.options.Place.Account)
	if err != nil {
		return nil, err
	}
	return a.parseLevels(policy.Resource, found.ResourceControl)
}

func (a *Authorizer) parseLevels(kind policy.Kind, levels [][]string) ([][]policy.Document, error) {
	var parsed [][]policy.Document
	for _, level := range levels {
		documents := []policy.Document{}
		for _, text := range level {
			document, err := a.parse(kind, text)
			if err != nil {
				return nil, fmt.Errorf("reading a policy of the organization: %w", err)
			}
			documents = append(documents, *document)
		}
		parsed = append(parsed, documents)
	}
	return parsed, nil
}

// organizationKeys are the condition keys that say which organizations the principal, the resource, and the resource for which a
// service acts are of.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
func (a *Authorizer) organizationKeys(
	ctx context.Context, p api.Principal, owner string, q question, keys map[string][]string,
) (map[string][]string, error) {
	found := map[string][]string{}
	set := func(prefix, account string) error {
		m, err := a.membership(ctx, account)
		if err == nil && m.Organization != "" {
			found[prefix+"OrgID"], found[prefix+"OrgPaths"] = []string{m.Organization}, []string{m.Path}
		}
		return err
	}
	if q.resource != anyResource {
		if err := set("aws:Resource", owner); err != nil {
			return nil, err
		}
	}
	if p.Type != api.AWSService {
		return found, set("aws:Principal", p.Account())
	}
	arn, ok := q.keys["aws:SourceArn"]
	if !ok {
		return found, nil
	}
	if fact, err := factOf(p, q); err != nil || !fact.organization {
		return found, err
	}
	return found, set("aws:Source", api.PlaceOf(arn[0]).Account)
}
