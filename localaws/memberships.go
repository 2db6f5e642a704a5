package localaws

import (
	"context"
	"slices"
	"sync"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/cloudtrail"
	"github.com/trailguard/trailguard/localaws/iam"
	"github.com/trailguard/trailguard/localaws/moto"
)

// defaultOrganizationID is the id of an organization that is given no other.
const defaultOrganizationID = "o-exampleorgid"

// memberships are the organizations that moto holds, until a call to AWS Organizations changes one. They are an api.Observer.
type memberships struct {
	read func(context.Context) ([]moto.Organization, error)

	mu         sync.Mutex
	known      []moto.Organization
	valid      bool
	generation int
}

// Begin forgets, once a call has ended, what it may have changed.
func (o *memberships) Begin(request api.Request) func(api.Outcome) {
	if request.Service != "organizations" {
		return nil
	}
	return func(api.Outcome) { o.forget() }
}

func (o *memberships) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.known, o.valid = nil, false
	o.generation++
}

// of is the organization of an account; nil if it is in none.
func (o *memberships) of(ctx context.Context, account string) (*moto.Organization, error) {
	o.mu.Lock()
	known, valid, generation := o.known, o.valid, o.generation
	o.mu.Unlock()
	if !valid {
		var err error
		if known, err = o.read(ctx); err != nil {
			return nil, err
		}
		o.mu.Lock()
		if o.generation == generation {
			o.known, o.valid = known, true
		}
		o.mu.Unlock()
	}
	for i := range known {
		if known[i].Parents[account] != "" {
			return &known[i], nil
		}
	}
	return nil, nil
}

// The types of policies that decide about calls.
const (
	serviceControl  = "SERVICE_CONTROL_POLICY"
	resourceControl = "RESOURCE_CONTROL_POLICY"
)

// membership is what IAM knows of an account's organization.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_evaluation.html
func (o *memberships) membership(ctx context.Context, account string) (iam.Membership, error) {
	found, err := o.of(ctx, account)
	if err != nil || found == nil {
		return iam.Membership{}, err
	}
	levels := []string{account}
	for parent := found.Parents[account]; parent != ""; parent = found.Parents[parent] {
		levels = append(levels, parent)
	}
	slices.Reverse(levels)
	m := iam.Membership{Organization: found.ID, Path: found.ID + "/"}
	for _, id := range levels[:len(levels)-1] {
		m.Path += id + "/"
	}
	if account == found.Management {
		return m, nil
	}
	for _, id := range levels {
		documents := map[string][]string{}
		for _, policy := range found.Policies[id] {
			documents[policy.Type] = append(documents[policy.Type], policy.Content)
			m.Bound = m.Bound || policy.Type == serviceControl && !policy.AWSManaged
		}
		if slices.Contains(found.Types, serviceControl) {
			m.ServiceControl = append(m.ServiceControl, documents[serviceControl])
			m.Bound = m.Bound || len(documents[serviceControl]) == 0
		}
		if slices.Contains(found.Types, resourceControl) {
			m.ResourceControl = append(m.ResourceControl, documents[resourceControl])
		}
	}
	return m, nil
}

// policyType is the type of a policy of an account's organization; empty if there is no such policy.
func (o *memberships) policyType(ctx context.Context, account, id string) (string, error) {
	found, err := o.of(ctx, account)
	if err != nil || found == nil {
		return "", err
	}
	return found.PolicyTypes[id], nil
}

// inCloudTrail is what an account is to CloudTrail.
func (o *memberships) inCloudTrail(ctx context.Context, account string) (cloudtrail.Membership, error) {
	const service = "cloudtrail.amazonaws.com"
	found, err := o.of(ctx, account)
	if err != nil || found == nil {
		return cloudtrail.Membership{}, err
	}
	membership := cloudtrail.Membership{
		Organization: cloudtrail.MemberAccount, ID: found.ID, Management: found.Management,
		Trusted: slices.Contains(found.Services, service),
	}
	switch {
	case account == found.Management && !membership.Trusted:
		membership.Organization = cloudtrail.NoTrustedAccess
	case account == found.Management:
		membership.Organization = cloudtrail.ManagementAccount
	case slices.Contains(found.Administrators[service], account):
		membership.Organization = cloudtrail.DelegatedAdministrator
	}
	return membership, nil
}
