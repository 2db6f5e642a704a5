package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

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
	"trailAccount":       "it is the managementAccount",
	"centralEventBusArn": "it is that of the securityAccount",
}

// ofStore are the keys of a log store of one's own, which the archive takes the place of.
var ofStore = []string{"logBucketName", "logKeyArn"}

func (c configuration) isOrganization() bool { return c.Mode != nil && *c.Mode == modeOrganization }

func (c configuration) memberIsGuard() bool { return c.Members != nil && *c.Members == membersGuard }

// memberWritesToArchive tells whether members have trails that write to the archive.
func (c configuration) memberWritesToArchive() bool {
	return c.memberIsGuard() && (c.MemberLogs == nil || *c.MemberLogs == logsArchive)
}

func (c configuration) hasOrganizationTrail() bool {
	if c.OrganizationTrail != nil {
		return *c.OrganizationTrail
	}
	return !c.memberIsGuard()
}

// guardAccount is the account of the stacks Management and Rollout.
func (c configuration) guardAccount() *string {
	if c.DelegatedAdministratorAccount != nil {
		return c.DelegatedAdministratorAccount
	}
	return c.ManagementAccount
}

// checkMode refuses keys of the other mode, and what the mode organization lacks. What the constructs check is left to them.
func (c configuration) checkMode() error {
	var problems []error
	if !c.isOrganization() {
		for _, k := range keys {
			if k.ofOrganization && !c.field(k).IsZero() {
				problems = append(problems, fmt.Errorf("%s: is of the mode organization: give mode organization, or leave out %[1]s", k.key))
			}
		}
		return errors.Join(problems...)
	}
	isGiven := func(key string) bool {
		return slices.ContainsFunc(keys, func(k configurationKey) bool { return k.key == key && !c.field(k).IsZero() })
	}
	for _, key := range required {
		if !isGiven(key) {
			problems = append(problems, fmt.Errorf("%s: is required in the mode organization", key))
		}
	}
	for _, k := range keys {
		if reason, ok := ofAccount[k.key]; ok && isGiven(k.key) {
			problems = append(problems, fmt.Errorf("%s: is not of the mode organization: %s", k.key, reason))
		}
	}
	if c.LogArchiveAccount != nil {
		for _, key := range ofStore {
			if isGiven(key) {
				problems = append(problems, fmt.Errorf("%s: names a log store, and the archive in logArchiveAccount is one: leave out %[1]s, or logArchiveAccount", key))
			}
		}
	}
	return errors.Join(append(problems, c.checkMembers(), c.checkDelegation(), c.checkArchiveKey())...)
}

func (c configuration) checkMembers() error {
	var problems []error
	if c.MemberLogs != nil && !c.memberIsGuard() {
		problems = append(problems, errors.New("memberLogs: is for members that are guards, and members are watch: give members guard, or leave out memberLogs"))
	}
	if c.LogArchiveAccount == nil {
		for _, need := range []struct {
			key    string
			needed bool
			reason string
		}{
			{"logArchiveAccount", c.memberWritesToArchive(), "members are guards whose trails write to the archive"},
			{"logArchiveAccount", c.LogArchiveKeyARN != nil, "logArchiveKeyArn is given"},
			{"logArchiveAccount", c.LogReaderAccounts != nil, "logReaderAccounts are given"},
		} {
			if need.needed {
				problems = append(problems, fmt.Errorf("%s: is required, as %s: give it, or memberLogs own without what is of the archive", need.key, need.reason))
				break
			}
		}
	}
	if !c.memberIsGuard() && !c.hasOrganizationTrail() {
		problems = append(problems, errors.New("organizationTrail: is false, and members are watch, so that they would have no trail: give members guard, or organizationTrail true"))
	}
	return errors.Join(problems...)
}

func (c configuration) checkDelegation() error {
	delegated := c.DelegatedAdministratorAccount
	switch {
	case delegated == nil:
		return nil
	case c.ManagementAccount != nil && *delegated == *c.ManagementAccount:
		return fmt.Errorf("delegatedAdministratorAccount: %q is the managementAccount: leave it out", *delegated)
	case !c.hasOrganizationTrail():
		return errors.New("delegatedAdministratorAccount: can guard the organization trail alone, and organizationTrail is false: give organizationTrail true, or leave out delegatedAdministratorAccount")
	}
	return nil
}

// checkArchiveKey refuses a key that is not where the archive is. What is no ARN is refused elsewhere.
func (c configuration) checkArchiveKey() error {
	if c.LogArchiveKeyARN == nil {
		return nil
	}
	arn := strings.Split(*c.LogArchiveKeyARN, ":")
	if len(arn) < 6 {
		return nil
	}
	differs := func(what, is string, archive *string) error {
		if archive == nil || *archive == is {
			return nil
		}
		return fmt.Errorf("logArchiveKeyArn: is %s %s, and the archive is in %s: give the output LogKeyArn of TrailGuardLogArchive", what, is, *archive)
	}
	return errors.Join(differs("in the Region", arn[3], c.Region), differs("of the account", arn[4], c.LogArchiveAccount))
}
