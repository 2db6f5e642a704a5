package localaws

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/trailguard/trailguard/localaws/api"
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

// Unit is the id of the organizational unit with a path of names, such as Workloads/Prod; the root's if there is none.
func (o *Organization) Unit(ctx context.Context, path string) (string, error) {
	client := organizations.NewFromConfig(o.Management().Config(o.Management().Administrator()))
	roots, err := client.ListRoots(ctx, &organizations.ListRootsInput{})
	if err != nil {
		return "", fmt.Errorf("looking for the root: %w", err)
	}
	id := *roots.Roots[0].Id
	for name := range strings.SplitSeq(path, "/") {
		if name == "" {
			continue
		}
		units, err := client.ListOrganizationalUnitsForParent(ctx, &organizations.ListOrganizationalUnitsForParentInput{ParentId: &id})
		if err != nil {
			return "", fmt.Errorf("looking for the organizational unit %s: %w", path, err)
		}
		i := slices.IndexFunc(units.OrganizationalUnits, func(unit types.OrganizationalUnit) bool { return *unit.Name == name })
		if i < 0 {
			return "", fmt.Errorf("there is no organizational unit %s", path)
		}
		id = *units.OrganizationalUnits[i].Id
	}
	return id, nil
}

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
