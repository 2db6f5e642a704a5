package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/organization"
	"github.com/trailguard/trailguard/constructs/trailguard"
	"github.com/trailguard/trailguard/constructs/validation"
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

// definition is a stack of the mode organization.
type definition struct {
	name, description string
	account           *string
	// prepare makes the props in the stack. It returns what is wrong with them, and what defines the construct, which returns what that finds.
	prepare func(stack awscdk.Stack) (problems error, define func() error)
}

// definitions are the stacks. Those that need the archive's key are left out as long as it is not known.
func (c configuration) definitions() []definition {
	var all []definition
	archived := c.LogArchiveAccount == nil || c.LogArchiveKeyARN != nil
	if c.LogArchiveAccount != nil {
		all = append(all, definition{"TrailGuardLogArchive", "Keeps the log files of the organization's trails", c.LogArchiveAccount, c.logArchive})
	}
	if archived {
		all = append(all, definition{"TrailGuardManagement", "Keeps the trail " + c.trailName() + " of the management account switched on and in its declared state",
			c.guardAccount(), c.management})
	}
	if archived || !c.memberWritesToArchive() {
		all = append(all, definition{"TrailGuardRollout", "Deploys TrailGuard to the member accounts", c.guardAccount(), c.rollout})
	}
	all = append(all, definition{"TrailGuardPrevention", "Denies in the member accounts what TrailGuard would have to repair", c.ManagementAccount, c.prevention})
	if c.SecurityAccount == nil {
		return all
	}
	all = append(all, definition{"TrailGuardCentral", "Tells what happens to the trails of the organization", c.SecurityAccount, c.central})
	if c.DelegatedAdministratorAccount != nil || *c.Region != organization.EventsRegion(*c.Region) {
		all = append(all, definition{organizationEventsStack, "Tells what harms TrailGuard from the organization's side", c.ManagementAccount, c.organizationEvents})
	}
	return all
}

// organizationEventsStack is the one stack that stands in the Region of the events of AWS Organizations.
const organizationEventsStack = "TrailGuardOrganizationEvents"

// environmentOf is where a stack stands.
func (c configuration) environmentOf(d definition) *awscdk.Environment {
	region := c.Region
	if d.name == organizationEventsStack {
		region = jsii.String(organization.EventsRegion(*c.Region))
	}
	return &awscdk.Environment{Account: d.account, Region: region}
}

// awaitsKey tells whether stacks are left out.
func (c configuration) awaitsKey() bool {
	return c.LogArchiveAccount != nil && c.LogArchiveKeyARN == nil
}

var thisID = jsii.String("Default") // left out of the logical ids

func (c configuration) logArchive(stack awscdk.Stack) (error, func() error) {
	props := &organization.LogArchiveProps{
		OrganizationId:         c.OrganizationID,
		ReaderAccounts:         c.LogReaderAccounts,
		S3KeyPrefix:            c.S3KeyPrefix,
		TransitionAfter:        days(c.TransitionAfterDays),
		ExpireAfter:            days(c.ExpireAfterDays),
		ObjectLockRetention:    c.objectLockRetention(),
		ServerAccessLogsBucket: c.props(stack).ServerAccessLogsBucket,
		RemovalPolicy:          c.RemovalPolicy,
	}
	if c.hasOrganizationTrail() {
		props.TrailName, props.TrailAccount, props.PreviousTrailNames = jsii.String(c.trailName()), c.ManagementAccount, c.PreviousTrailNames
	}
	if c.memberWritesToArchive() || !c.hasOrganizationTrail() {
		props.MemberTrailName = jsii.String(c.trailName())
	}
	return errors.Join(props.Validate(), props.ValidateIn(stack)), func() error {
		organization.NewLogArchive(stack, thisID, props)
		return nil
	}
}

func (c configuration) management(stack awscdk.Stack) (error, func() error) {
	if !c.hasOrganizationTrail() {
		c.OrganizationID = nil
	}
	if c.DelegatedAdministratorAccount != nil && c.ConfigRules == nil {
		c.ConfigRules = jsii.Bool(false) // in its account Config records no trail of another
	}
	guard := c.guard(stack, c.LogArchiveAccount != nil)
	guard.TrailAccount = c.ManagementAccount
	props := &organization.ManagementProps{Guard: guard}
	return errors.Join(props.Validate(), props.ValidateIn(stack)), func() error {
		return organization.NewManagement(stack, thisID, props).Validate()
	}
}

func (c configuration) rollout(stack awscdk.Stack) (error, func() error) {
	props := &organization.RolloutProps{
		Member:                     c.watchMember,
		OrganizationalUnitIds:      c.OrganizationalUnitIDs,
		AccountFilter:              c.AccountFilter,
		ManagementAccount:          c.ManagementAccount,
		FailureTolerancePercentage: c.FailureTolerancePercentage,
		MaxConcurrentPercentage:    c.MaxConcurrentPercentage,
	}
	if c.memberIsGuard() {
		props.Member = c.guardMember
	}
	if c.DelegatedAdministratorAccount != nil {
		props.CallAs = organization.CallAs_DELEGATED_ADMIN
	}
	return errors.Join(props.Validate(), props.ValidateIn(stack), c.checkMember()), func() error {
		return organization.NewRollout(stack, thisID, props).Validate()
	}
}

// checkMember returns what is wrong with the props of the members, in a stack of their own.
func (c configuration) checkMember() error {
	stack := awscdk.NewStack(nil, nil, &awscdk.StackProps{Env: &awscdk.Environment{Region: c.Region}})
	if !c.memberIsGuard() {
		props := c.watchProps(stack)
		return errors.Join(props.Validate(), props.ValidateIn(stack))
	}
	props := c.guardProps(stack)
	return errors.Join(props.Validate(), props.ValidateIn(stack))
}

// watchMember fills the stack of a member without a trail of its own.
func (c configuration) watchMember(stack awscdk.Stack) {
	organization.NewWatch(stack, thisID, c.watchProps(stack))
}

func (c configuration) watchProps(stack awscdk.Stack) *organization.WatchProps {
	return &organization.WatchProps{
		TrailName:           c.TrailName,
		CentralEventBus:     c.centralEventBus(stack),
		AlertEmailAddresses: c.memberAddresses(),
		RemovalPolicy:       c.RemovalPolicy,
	}
}

// guardMember fills the stack of a member with a trail of its own.
func (c configuration) guardMember(stack awscdk.Stack) {
	trailguard.NewTrailGuard(stack, thisID, c.guardProps(stack))
}

// guardProps leave out what is named in one account alone. Without a recorder Config's rules fail, and the deployment with them: who wants
// them says so.
func (c configuration) guardProps(stack awscdk.Stack) *trailguard.TrailGuardProps {
	c.OrganizationID, c.SNSTopicARN, c.CloudWatchLogGroupName, c.CloudWatchLogsRoleARN = nil, nil, nil, nil
	c.AutomationRoleARN, c.AlertTopicARN, c.LogBucketName, c.LogKeyARN, c.ServerAccessLogsBucketName = nil, nil, nil, nil, nil
	c.AlertEmailAddresses = c.memberAddresses()
	if c.ConfigRules == nil {
		c.ConfigRules = jsii.Bool(false)
		c.MaximumExecutionFrequency, c.CreateConfigurationRecorder = "", nil
		c.MaximumAutomaticAttempts, c.RetryAttemptSeconds, c.ConcurrentExecutionRatePercentage, c.ErrorPercentage = nil, nil, nil, nil
	}
	return c.guard(stack, c.memberWritesToArchive())
}

// guard are the props of a guard of the organization.
func (c configuration) guard(stack awscdk.Stack, archived bool) *trailguard.TrailGuardProps {
	if archived { // the archive has what is declared of the store
		c.TransitionAfterDays, c.ExpireAfterDays, c.ObjectLockRetentionDays, c.ServerAccessLogsBucketName = nil, nil, nil, nil
	}
	props := c.props(stack)
	if archived {
		props.LogBucket, props.LogKey = organization.FromLogArchive(stack, c.LogArchiveAccount, c.Region, c.LogArchiveKeyARN)
	}
	props.CentralEventBus = c.centralEventBus(stack)
	return props
}

// memberAddresses are told in each member account only if nothing is told centrally: each would have to confirm a subscription in each account.
func (c configuration) memberAddresses() *[]*string {
	if c.SecurityAccount != nil {
		return nil
	}
	return c.AlertEmailAddresses
}

func (c configuration) centralEventBus(scope constructs.Construct) awsevents.IEventBus {
	if c.SecurityAccount == nil {
		return nil
	}
	return organization.CentralEventBus(scope, jsii.String("CentralEventBus"), c.SecurityAccount, c.Region)
}

func (c configuration) prevention(stack awscdk.Stack) (error, func() error) {
	props := &organization.PreventionProps{
		OrganizationId:     c.OrganizationID,
		TargetIds:          c.OrganizationalUnitIDs,
		TrailNames:         jsii.Strings(c.trailName()),
		BreakGlassRoleArns: c.BreakGlassRoleARNs,
		DenyCreateTrail:    c.DenyCreateTrail,
		DenyConfigChanges:  c.DenyConfigChanges,
	}
	if c.LogArchiveKeyARN != nil {
		props.KeyArns = &[]*string{c.LogArchiveKeyARN}
	}
	return errors.Join(props.Validate(), props.ValidateIn(stack)), func() error {
		organization.NewPrevention(stack, thisID, props)
		return nil
	}
}

func (c configuration) central(stack awscdk.Stack) (error, func() error) {
	props := &organization.CentralProps{
		OrganizationId:      c.OrganizationID,
		AlertEmailAddresses: c.AlertEmailAddresses,
		RemovalPolicy:       c.RemovalPolicy,
	}
	return errors.Join(props.Validate(), props.ValidateIn(stack)), func() error {
		return organization.NewCentral(stack, thisID, props).Validate()
	}
}

func (c configuration) organizationEvents(stack awscdk.Stack) (error, func() error) {
	props := &organization.OrganizationEventsProps{CentralEventBus: c.centralEventBus(stack)}
	return props.Validate(), func() error {
		return organization.NewOrganizationEvents(stack, thisID, props).Validate()
	}
}

// inOrganizationKeys returns errors with the configuration's keys in place of the properties' names, each error once: several stacks have it.
func inOrganizationKeys(problems ...error) error {
	renamed := validation.Renamed(errors.Join(problems...), func(prop string) string {
		if key, ok := organizationKeys[prop]; ok {
			return key
		}
		return key(prop)
	})
	var each []error
	said := map[string]bool{}
	for _, problem := range parts(renamed) {
		if !said[problem.Error()] {
			said[problem.Error()] = true
			each = append(each, problem)
		}
	}
	return errors.Join(each...)
}

// parts are the errors that an error is joined from.
func parts(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		if err == nil {
			return nil
		}
		return []error{err}
	}
	var all []error
	for _, part := range joined.Unwrap() {
		all = append(all, parts(part)...)
	}
	return all
}

// organizationKeys are the keys of the properties of package organization, and of what TrailGuard gets from them.
var organizationKeys = map[string]string{
	"OrganizationalUnitIds": "organizationalUnitIds", "TargetIds": "organizationalUnitIds", "AccountFilter": "accountFilter",
	"FailureTolerancePercentage": "failureTolerancePercentage", "MaxConcurrentPercentage": "maxConcurrentPercentage",
	"BreakGlassRoleArns": "breakGlassRoleArns", "KeyArns": "logArchiveKeyArn", "ReaderAccounts": "logReaderAccounts",
	"TrailAccount": "managementAccount", "ManagementAccount": "managementAccount", "MemberTrailName": "trailName", "TrailNames": "trailName",
}
