package localaws

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/cloudformation"
	"github.com/trailguard/trailguard/localaws/cloudtrail"
	"github.com/trailguard/trailguard/localaws/gateway"
	"github.com/trailguard/trailguard/localaws/iam"
	"github.com/trailguard/trailguard/localaws/moto"
)

// OrganizationOptions are the settings of an Organization.
type OrganizationOptions struct {
	// Options are those of all accounts. Place.Account is the management account; Organization must be empty: what an account is in
	// the organization AWS Organizations says. OrganizationID is the organization's.
	Options
	// Members are the accounts that the organization has at once. Further ones are made with organizations:CreateAccount.
	//
	// Default: - only the management account.
	Members []Member
}

// Member is an account of an organization.
type Member = moto.NewMember

// Organization is a running local AWS of several accounts, which share one moto, one endpoint and one clock. Its root has the service
// control policies and resource control policies enabled, and CloudTrail and StackSets have trusted access.
type Organization struct {
	Clock *api.Clock

	machine *machine
	options OrganizationOptions
}

// StartOrganization starts a local AWS in which AWS Organizations has an organization. The caller must Close what it returns. ctx
// bounds the start only.
func StartOrganization(ctx context.Context, options OrganizationOptions) (_ *Organization, err error) {
	if options.Organization != "" {
		return nil, fmt.Errorf("starting an organization: Organization is %q and must be empty", options.Organization)
	}
	if options.OrganizationID == "" {
		options.OrganizationID = defaultOrganizationID
	}
	m, err := startMachine(ctx, options.Options, false)
	if err != nil {
		return nil, err
	}
	o := &Organization{Clock: m.clock, machine: m, options: options}
	m.found = o.create
	if err := o.create(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("starting an organization: %w", err), m.close())
	}
	return o, nil
}

func (o *Organization) create(ctx context.Context) error {
	defer o.machine.memberships.forget()
	return o.machine.state.CreateOrganization(ctx, o.machine.options.Place, o.options.OrganizationID, o.options.Members)
}

// Account is the account with an id of 12 digits. One that is not of the organization is an account outside of it.
func (o *Organization) Account(id string) *AWS { return o.machine.account(id) }

// Management is the management account.
func (o *Organization) Management() *AWS { return o.machine.account(o.machine.options.Place.Account) }

// ID is the organization's id.
func (o *Organization) ID() string { return o.options.OrganizationID }

// URL is the endpoint for clients of other processes, whatever their account: the access key says which it is.
func (o *Organization) URL() string { return o.machine.url() }

// Advance lets time pass in all accounts: see AWS.Advance.
func (o *Organization) Advance(ctx context.Context, d time.Duration) error {
	return o.machine.advance(ctx, d)
}

// RunToQuiescence runs all accounts: see AWS.RunToQuiescence.
func (o *Organization) RunToQuiescence(ctx context.Context) error {
	return o.machine.runToQuiescence(ctx)
}

// Err is what the simulation of any account could not do.
func (o *Organization) Err() error { return o.machine.err() }

// Reset forgets all state of all accounts but the clock, access keys and administrators, and makes the organization anew. Nothing may
// be running.
func (o *Organization) Reset(ctx context.Context) error { return o.machine.reset(ctx) }

// Close ends everything that StartOrganization started.
func (o *Organization) Close() error { return o.machine.close() }

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

// inCloudTrail is what an account is to CloudTrail.
func (m *machine) inCloudTrail(ctx context.Context, account string) (cloudtrail.Membership, error) {
	if m.options.Organization != "" {
		return cloudtrail.Membership{Organization: m.options.Organization, ID: m.options.OrganizationID, Management: account}, nil
	}
	const service = "cloudtrail.amazonaws.com"
	found, err := m.memberships.of(ctx, account)
	if err != nil || found == nil {
		return cloudtrail.Membership{ID: m.options.OrganizationID}, err
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

// stackJournal is how many of the statuses of stacks have been read.
type stackJournal struct {
	mu   sync.Mutex
	read int
}

// unreadStatuses are the statuses that the stacks of all accounts have had since the last call.
func (m *machine) unreadStatuses(ctx context.Context) ([]cloudformation.Status, error) {
	m.stacks.mu.Lock()
	defer m.stacks.mu.Unlock()
	events, err := m.state.StackEvents(ctx, m.stacks.read)
	if err != nil {
		return nil, err
	}
	m.stacks.read += len(events)
	var statuses []cloudformation.Status
	for _, event := range events {
		statuses = append(statuses, cloudformation.Status(event))
	}
	return statuses, nil
}

// stackSetsKey is an access key of StackSets in the management account, of which a gateway is made.
func (m *machine) stackSetsKey(made *gateway.Gateway) string {
	if m.stackSets == "" {
		m.stackSets = made.ServiceCredentials(stackSetsRole(m.options.Place), "stacksets.cloudformation.amazonaws.com", nil).AccessKeyID
	}
	return m.stackSets
}
