package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/trailguard/trailguard/constructs/partition"
)

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

// checkIAMEvents refuses a stack that hands events on from where the guard is, or to where nobody knows.
func (c configuration) checkIAMEvents() error {
	switch {
	case c.IAMEvents == nil || !*c.IAMEvents:
		return nil
	case c.Region == nil:
		return errors.New("iamEvents: is true, and the stack's Region is not known: give region, or leave out iamEvents")
	case *c.Region == partition.IAMEventsRegion(*c.Region):
		return fmt.Errorf("iamEvents: is true, and the events of IAM arrive in %s, the region of the stack: leave out iamEvents", *c.Region)
	}
	return nil
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
