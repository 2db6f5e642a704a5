package status

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// ErrNoOrganization is what ReadOrganization's error wraps if the caller's account is in no organization.
var ErrNoOrganization = errors.New("no organization")

// Organization is what is looked at of an organization.
type Organization struct {
	ID string
	// Management is the id of the management account.
	Management string
	// Accounts are in the order of their ids.
	Accounts []Account
	// isComplete tells whether Accounts were all that the organization has, and leftOut are those that were taken away since.
	isComplete bool
	leftOut    []string
}

// has tells whether an account is of the organization, as far as that is known.
func (o Organization) has(account string) bool {
	return !o.isComplete || slices.Contains(o.leftOut, account) || slices.ContainsFunc(o.Accounts, func(one Account) bool { return one.ID == account })
}

// Account is an account of an organization.
type Account struct {
	ID string
	// Name is what the organization calls the account; empty if that is not known.
	Name string
	// IsClosed tells whether the account is suspended or closed, so that nobody can call in it.
	IsClosed bool
}

// Directory lists the accounts of an organization.
type Directory interface {
	DescribeOrganization(context.Context, *organizations.DescribeOrganizationInput, ...func(*organizations.Options)) (*organizations.DescribeOrganizationOutput, error)
	ListAccounts(context.Context, *organizations.ListAccountsInput, ...func(*organizations.Options)) (*organizations.ListAccountsOutput, error)
}

// NewDirectory makes the Directory of one caller.
func NewDirectory(config aws.Config) Directory { return organizations.NewFromConfig(config) }

// ReadOrganization lists the accounts of the caller's organization, or takes those that are given: who may list them is the management account
// and a delegated administrator.
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccounts.html
func ReadOrganization(ctx context.Context, api Directory, accounts []string) (Organization, error) {
	described, err := api.DescribeOrganization(ctx, &organizations.DescribeOrganizationInput{})
	if hasCode(err, "AWSOrganizationsNotInUseException") {
		return Organization{}, fmt.Errorf("%w: the caller's account is in none", ErrNoOrganization)
	}
	if err != nil {
		return Organization{}, unlisted("reading the organization", err)
	}
	o := Organization{ID: aws.ToString(described.Organization.Id), Management: aws.ToString(described.Organization.MasterAccountId), isComplete: len(accounts) == 0}
	for _, id := range accounts {
		o.Accounts = append(o.Accounts, Account{ID: id})
	}
	pages := organizations.NewListAccountsPaginator(api, &organizations.ListAccountsInput{})
	for o.isComplete && pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return Organization{}, unlisted("listing the organization's accounts", err)
		}
		for _, one := range page.Accounts {
			o.Accounts = append(o.Accounts, Account{ID: aws.ToString(one.Id), Name: aws.ToString(one.Name), IsClosed: isClosed(one)})
		}
	}
	slices.SortFunc(o.Accounts, func(a, b Account) int { return strings.Compare(a.ID, b.ID) })
	return o, nil
}

// isClosed tells whether nobody can call in an account. Status is what came before State.
func isClosed(account types.Account) bool {
	if account.State == "" {
		return account.Status == types.AccountStatusSuspended
	}
	return account.State == types.AccountStateSuspended || account.State == types.AccountStateClosed
}

func unlisted(what string, err error) error {
	if lacks := lacking(err); lacks != "" {
		return fmt.Errorf("%s: the caller may not call %s, which the management account and delegated administrators may: allow it, or name the accounts", what, lacks)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// Without is the organization without some of its accounts. The error names those that it does not have.
func (o Organization) Without(accounts []string) (Organization, error) {
	var unknown []string
	for _, id := range accounts {
		if !o.has(id) {
			unknown = append(unknown, id)
		}
	}
	if len(unknown) > 0 {
		return Organization{}, fmt.Errorf("organization %s has no account %s", o.ID, strings.Join(unknown, ", "))
	}
	o.leftOut = accounts
	o.Accounts = slices.DeleteFunc(slices.Clone(o.Accounts), func(one Account) bool { return slices.Contains(accounts, one.ID) })
	return o, nil
}

// Reach gives the clients of an account, by their Region. Its error says why nobody can call there.
type Reach func(ctx context.Context, account string) (func(region string) Clients, error)

// AssumeRole reaches each account with a role of a name, and the caller's own account with the caller's own credentials.
func AssumeRole(ctx context.Context, config aws.Config, name string) (Reach, error) {
	caller, err := sts.NewFromConfig(config).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return nil, fmt.Errorf("asking who calls: %w", err)
	}
	partition := strings.Split(aws.ToString(caller.Arn), ":")[1]
	return func(ctx context.Context, account string) (func(string) Clients, error) {
		there := config.Copy()
		if account != aws.ToString(caller.Account) {
			role := fmt.Sprintf("arn:%s:iam::%s:role/%s", partition, account, name)
			there.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(config), role, func(o *stscreds.AssumeRoleOptions) {
				o.RoleSessionName = "trailguard-status"
			}))
			if _, err := there.Credentials.Retrieve(ctx); err != nil {
				return nil, unassumed(role, err)
			}
		}
		return func(region string) Clients {
			there := there.Copy()
			there.Region = region
			return NewClients(there)
		}, nil
	}, nil
}

// unassumed says why a role cannot be assumed. AWS gives the same answer for a role that is not there.
func unassumed(role string, err error) error {
	if lacking(err) != "" {
		return fmt.Errorf("%s cannot be assumed: it is not there, does not trust the caller, or the caller may not call sts:AssumeRole on it", role)
	}
	var f Finding
	f.notRead(err)
	return fmt.Errorf("%s cannot be assumed: %s", role, f.NotSeen[0].What)
}
