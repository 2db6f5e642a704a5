package main

import (
	"github.com/trailguard/trailguard/constructs/organization"
)

// organizationConfiguration are the keys that the mode organization has besides. The other keys describe the guards in the management account
// and in the member accounts.
type organizationConfiguration struct {
	// ManagementAccount is the id of the organization's management account, which owns the organization trail. It is required.
	ManagementAccount *string `json:"managementAccount" prop:"-"`
	// DelegatedAdministratorAccount is the id of the account in which the stacks TrailGuardManagement and TrailGuardRollout stand instead of
	// the management account: the delegated administrator of CloudTrail and of StackSets.
	//
	// Default: - they stand in the management account.
	DelegatedAdministratorAccount *string `json:"delegatedAdministratorAccount" prop:"-"`
	// LogArchiveAccount is the id of the account of the stack TrailGuardLogArchive, to which the trails write.
	//
	// Default: - each trail writes to a bucket of its own account.
	LogArchiveAccount *string `json:"logArchiveAccount" prop:"-"`
	// LogArchiveKeyARN is the ARN of the archive's key, which the output LogKeyArn of the stack TrailGuardLogArchive has.
	//
	// Default: - the stacks that need it are not defined yet.
	LogArchiveKeyARN *string `json:"logArchiveKeyArn" prop:"-"`
	// LogReaderAccounts are the ids of the accounts, at most 50, whose principals may read the archive.
	//
	// Default: - principals of the archive's account may.
	LogReaderAccounts *[]*string `json:"logReaderAccounts" prop:"-"`
	// SecurityAccount is the id of the account of the stack TrailGuardCentral, to which all accounts tell what happens.
	//
	// Default: - nothing is told centrally.
	SecurityAccount *string `json:"securityAccount" prop:"-"`
	// Members is what each member account gets: watch, which has no trail and watches for the organization's, or guard, which has a trail of
	// its own.
	//
	// Default: - watch.
	Members *string `json:"members" prop:"-"`
	// MemberLogs is where the trails of members that are guards write: archive, or own, a bucket of each account.
	//
	// Default: - archive.
	MemberLogs *string `json:"memberLogs" prop:"-"`
	// OrganizationTrail tells whether the trail of the management account covers the organization.
	//
	// Default: - it does if members are watch.
	OrganizationTrail *bool `json:"organizationTrail" prop:"-"`
	// OrganizationalUnitIDs are the ids of the organizational units, such as ou-ab12-c3d4e5f6, or of the root, such as r-ab12, whose accounts
	// are members. They are required.
	OrganizationalUnitIDs *[]*string `json:"organizationalUnitIds" prop:"-"`
	// AccountFilter picks accounts of the organizational units, with the type INTERSECTION, or leaves some out, with the type DIFFERENCE.
	//
	// Default: - every account of the organizational units is a member.
	AccountFilter *organization.AccountFilter `json:"accountFilter" prop:"-"`
	// FailureTolerancePercentage is the share of accounts, 0-100 percent, in which a rollout may fail before it stops.
	//
	// Default: - 10 percent.
	FailureTolerancePercentage *float64 `json:"failureTolerancePercentage" prop:"-"`
	// MaxConcurrentPercentage is the share of accounts, 1-100 percent, that are deployed to at once.
	//
	// Default: - 25 percent.
	MaxConcurrentPercentage *float64 `json:"maxConcurrentPercentage" prop:"-"`
	// BreakGlassRoleARNs are the ARNs of roles that the policies do not bind, such as arn:aws:iam::*:role/BreakGlass.
	//
	// Default: - the guard's roles, and those with which CloudFormation deploys, are exempt alone.
	BreakGlassRoleARNs *[]*string `json:"breakGlassRoleArns" prop:"-"`
	// DenyCreateTrail denies the creation of other trails, five of which lock the guard's out. It costs others their own trails.
	//
	// Default: - it is denied.
	DenyCreateTrail *bool `json:"denyCreateTrail" prop:"-"`
	// DenyConfigChanges denies changes of AWS Config, whose rules have ids instead of names. It costs others their own rules.
	//
	// Default: - it is allowed.
	DenyConfigChanges *bool `json:"denyConfigChanges" prop:"-"`
}

// The values of mode, members and memberLogs.
const (
	modeAccount      = "account"
	modeOrganization = "organization"
	membersWatch     = "watch"
	membersGuard     = "guard"
	logsArchive      = "archive"
	logsOwn          = "own"
)

// required are the keys that the mode organization cannot do without.
var required = []string{"organizationId", "region", "managementAccount", "organizationalUnitIds"}

// ofAccount are the keys that the mode organization has no use for, with the reason.
var ofAccount = map[string]string{
	"account":            "each stack has its own: use managementAccount, logArchiveAccount and securityAccount",
	"iamEvents":          "it hands the events of one account on",
	"trailAccount":       "it is the managementAccount",
	"centralEventBusArn": "it is that of the securityAccount",
}

// ofStore are the keys of a log store of one's own, which the archive takes the place of.
var ofStore = []string{"logBucketName", "logKeyArn"}
