package organization

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"

	"github.com/trailguard/trailguard/constructs/supplied"
	"github.com/trailguard/trailguard/constructs/trail"
	"github.com/trailguard/trailguard/constructs/validation"
)

// AccountFilterType says what the accounts of a filter are to those of the organizational units.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-cloudformation-stackset-deploymenttargets.html
type AccountFilterType string

const (
	// AccountFilterType_INTERSECTION deploys to those accounts of the organizational units that are named.
	AccountFilterType_INTERSECTION AccountFilterType = "INTERSECTION"
	// AccountFilterType_DIFFERENCE deploys to all accounts of the organizational units but those that are named.
	AccountFilterType_DIFFERENCE AccountFilterType = "DIFFERENCE"
)

// AccountFilter names accounts of the organizational units.
type AccountFilter struct {
	// Type says what the accounts are to those of the organizational units.
	Type AccountFilterType
	// Accounts are the ids of the accounts.
	Accounts *[]*string
}

// CallAs says in which role the StackSet is made.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-orgs-delegated-admin.html
type CallAs string

const (
	// CallAs_SELF is that of the management account.
	CallAs_SELF CallAs = "SELF"
	// CallAs_DELEGATED_ADMIN is that of the delegated administrator of StackSets.
	CallAs_DELEGATED_ADMIN CallAs = "DELEGATED_ADMIN"
)

// ConcurrencyMode says what failures do to the number of accounts that are deployed to at once.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/concurrency-mode.html
type ConcurrencyMode string

const (
	// ConcurrencyMode_STRICT_FAILURE_TOLERANCE deploys to one account more than may fail, at most, and to fewer with each failure.
	ConcurrencyMode_STRICT_FAILURE_TOLERANCE ConcurrencyMode = "STRICT_FAILURE_TOLERANCE"
	// ConcurrencyMode_SOFT_FAILURE_TOLERANCE deploys to MaxConcurrentPercentage of the accounts at once, until too many have failed.
	ConcurrencyMode_SOFT_FAILURE_TOLERANCE ConcurrencyMode = "SOFT_FAILURE_TOLERANCE"
)

// RolloutProps are the properties of a Rollout.
type RolloutProps struct {
	// Member fills the stack that each member account gets, with a TrailGuard or a Watch. The stack is of an app of its own, with the context of
	// this one: nothing of another stack can be referred to there, but by its name. What it makes must fit every account.
	Member func(stack awscdk.Stack)

	// OrganizationalUnitIds are the ids of the organizational units, such as ou-ab12-c3d4e5f6, or of the root, such as r-ab12, whose accounts
	// get the stack.
	OrganizationalUnitIds *[]*string

	// AccountFilter picks accounts of the organizational units, to try the stack on a few first, or leaves some out.
	//
	// Default: - every account of the organizational units gets the stack.
	AccountFilter *AccountFilter

	// ManagementAccount is the id of the organization's management account, to which StackSets never deploy.
	//
	// Default: - it is the stack's account, unless CallAs is DELEGATED_ADMIN.
	ManagementAccount *string

	// Region is the home Region of the trails, the one in which each account gets the stack.
	//
	// Default: - it is the stack's Region.
	Region *string

	// StackSetName is the name of the StackSet. The stacks' names begin with StackSet- and it, as the policies of Prevention expect.
	//
	// Default: - it is named TrailGuard.
	StackSetName *string

	// FailureTolerancePercentage is the share of accounts, 0-100 percent, in which a deployment may fail before it stops. What an account gets
	// when it joins is not part of it.
	//
	// Default: - 10 percent.
	FailureTolerancePercentage *float64

	// MaxConcurrentPercentage is the share of accounts, 1-100 percent, that are deployed to at once.
	//
	// Default: - 25 percent.
	MaxConcurrentPercentage *float64

	// ConcurrencyMode says what failures do to the number of accounts that are deployed to at once. With STRICT_FAILURE_TOLERANCE it is never
	// more than FailureTolerancePercentage and one account.
	//
	// Default: - SOFT_FAILURE_TOLERANCE: MaxConcurrentPercentage holds, and a stack that fails is rolled back in its account.
	ConcurrencyMode ConcurrencyMode

	// CallAs says in which role the StackSet is made.
	//
	// Default: - SELF, that of the management account.
	CallAs CallAs
}

// What a Rollout does where nothing is given.
const (
	DefaultFailureTolerancePercentage = 10
	DefaultMaxConcurrentPercentage    = 25
)

// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStackSet.html
var stackSetName = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9-]{0,127}$`)

// Validate returns an error that names every property that is missing or cannot be used, nil where there is none.
func (p *RolloutProps) Validate() error {
	if p == nil {
		p = &RolloutProps{}
	}
	problems := []error{
		validation.Required("Member", p.Member != nil),
		validation.Required("OrganizationalUnitIds", len(listed(p.OrganizationalUnitIds)) > 0),
	}
	problems = append(problems, checkOrganizationalUnits("OrganizationalUnitIds", p.OrganizationalUnitIds)...)
	problems = append(problems, p.checkAccountFilter()...)
	problems = append(problems,
		checkAccount("ManagementAccount", p.ManagementAccount),
		checkPercentage("FailureTolerancePercentage", p.FailureTolerancePercentage, 0),
		checkPercentage("MaxConcurrentPercentage", p.MaxConcurrentPercentage, 1),
	)
	if name := p.StackSetName; name != nil && !*awscdk.Token_IsUnresolved(name) && !stackSetName.MatchString(*name) {
		problems = append(problems, validation.Problem("StackSetName", "%q is not the name of a StackSet: use 1-128 letters, digits and -, and begin with a letter", *name))
	}
	if !slices.Contains([]ConcurrencyMode{"", ConcurrencyMode_SOFT_FAILURE_TOLERANCE, ConcurrencyMode_STRICT_FAILURE_TOLERANCE}, p.ConcurrencyMode) {
		problems = append(problems, validation.Problem("ConcurrencyMode", "%q is not a mode: use SOFT_FAILURE_TOLERANCE or STRICT_FAILURE_TOLERANCE", p.ConcurrencyMode))
	}
	if !slices.Contains([]CallAs{"", CallAs_SELF, CallAs_DELEGATED_ADMIN}, p.CallAs) {
		problems = append(problems, validation.Problem("CallAs", "%q is not a role: use SELF or DELEGATED_ADMIN", p.CallAs))
	}
	return errors.Join(problems...)
}

// checkAccountFilter refuses the union of accounts with organizational units: CloudFormation updates such a StackSet, and cannot create it.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-cloudformation-stackset-deploymenttargets.html
func (p *RolloutProps) checkAccountFilter() []error {
	if p.AccountFilter == nil {
		return nil
	}
	var problems []error
	switch p.AccountFilter.Type {
	case AccountFilterType_INTERSECTION, AccountFilterType_DIFFERENCE:
	case "UNION":
		problems = append(problems, validation.Problem("AccountFilter.Type", "is UNION, with which CloudFormation cannot create a StackSet: "+
			"give the accounts' organizational units, and INTERSECTION"))
	default:
		problems = append(problems, validation.Problem("AccountFilter.Type", "%q is not a type of filter: use INTERSECTION or DIFFERENCE", p.AccountFilter.Type))
	}
	if len(listed(p.AccountFilter.Accounts)) == 0 {
		problems = append(problems, validation.Problem("AccountFilter.Accounts", "is empty: name the accounts, or leave out %s", validation.Prop("AccountFilter")))
	}
	return append(problems, checkEach("AccountFilter.Accounts", p.AccountFilter.Accounts, trail.CheckAccountID)...)
}

// ValidateIn returns an error that names every property that cannot be used in the scope's stack, nil where there is none.
func (p *RolloutProps) ValidateIn(scope constructs.Construct) error {
	if p == nil {
		return nil
	}
	var problems []error
	management := p.managementAccount(scope)
	if p.AccountFilter != nil && p.AccountFilter.Type == AccountFilterType_INTERSECTION && management != nil {
		for i, account := range listed(p.AccountFilter.Accounts) {
			if account != nil && *account == *management {
				problems = append(problems, validation.Problem(fmt.Sprintf("AccountFilter.Accounts[%d]", i), "%q is the management account, to which "+
					"StackSets never deploy: leave it out, and guard its trail with a Management", *account))
			}
		}
	}
	if p.Region != nil {
		problems = append(problems, supplied.Same("Region", "is", p.Region, "the stack is in", awscdk.Stack_Of(scope).Region(),
			"the trails, their archive and what is told of them have one home Region: give the stack that Region"))
	}
	return errors.Join(problems...)
}

// checkAccount refuses what is no account id. Nothing given is fine.
func checkAccount(prop string, account *string) error {
	if account == nil {
		return nil
	}
	return trail.CheckAccountID(prop, *account)
}

// managementAccount is nil if it is not known.
func (p *RolloutProps) managementAccount(scope constructs.Construct) *string {
	account := p.ManagementAccount
	if account == nil && p.CallAs != CallAs_DELEGATED_ADMIN {
		account = awscdk.Stack_Of(scope).Account()
	}
	if account == nil || *awscdk.Token_IsUnresolved(account) {
		return nil
	}
	return account
}
