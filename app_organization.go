package main

import (
	"errors"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/organization"
	"github.com/trailguard/trailguard/constructs/trailguard"
	"github.com/trailguard/trailguard/constructs/validation"
)

// defineOrganization defines the stacks of the mode organization, each for the account where it belongs.
func (c configuration) defineOrganization(app awscdk.App) ([]awscdk.Stack, error) {
	var stacks []awscdk.Stack
	var problems []error
	var defines []func() error
	for _, definition := range c.definitions() {
		stack := newStack(app, definition.name, definition.description, c.environmentOf(definition))
		define, problem := definition.prepare(stack)
		stacks, problems, defines = append(stacks, stack), append(problems, problem), append(defines, define)
	}
	if err := inOrganizationKeys(problems...); err != nil {
		return nil, err
	}
	for _, define := range defines {
		problems = append(problems, define())
	}
	if err := inOrganizationKeys(problems...); err != nil {
		return nil, err
	}
	if c.awaitsKey() {
		awscdk.Annotations_Of(stacks[0]).AddInfoV2(jsii.String("trailguard:logArchiveKeyArn"), jsii.String(
			"The stacks that write to the archive are not defined yet: deploy this one, and give its output LogKeyArn as logArchiveKeyArn"))
	}
	return stacks, validate(app)
}

// definition is a stack of the mode organization.
type definition struct {
	name, description string
	account           *string
	// prepare makes the props in the stack. It returns what defines the construct, which returns what that finds, and what is wrong with the props.
	prepare func(stack awscdk.Stack) (define func() error, problems error)
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

// thisID is left out of the logical ids.
const thisID = "Default"

func (c configuration) logArchive(stack awscdk.Stack) (func() error, error) {
	guard := c.props(stack)
	props := &organization.LogArchiveProps{
		OrganizationId:         c.OrganizationID,
		ReaderAccounts:         c.LogReaderAccounts,
		S3KeyPrefix:            c.S3KeyPrefix,
		TransitionAfter:        days(c.TransitionAfterDays),
		ExpireAfter:            days(c.ExpireAfterDays),
		ObjectLockRetention:    c.objectLockRetention(),
		ServerAccessLogsBucket: guard.ServerAccessLogsBucket,
		RepairLogStore:         c.RepairLogStore,
		RepairOnEvents:         c.RepairOnEvents,
		CheckEvery:             guard.CheckEvery,
		CentralEventBus:        c.centralEventBus(stack),
		AlertEmailAddresses:    c.memberAddresses(),
		RemovalPolicy:          c.RemovalPolicy,
		AlarmOnMissingDigests:  c.AlarmOnMissingDigests,
	}
	if c.hasOrganizationTrail() {
		props.TrailName, props.TrailAccount, props.PreviousTrailNames = jsii.String(c.trailName()), c.ManagementAccount, c.PreviousTrailNames
	}
	if c.memberWritesToArchive() || !c.hasOrganizationTrail() {
		props.MemberTrailName = jsii.String(c.trailName())
	}
	return func() error {
		organization.NewLogArchive(stack, jsii.String(thisID), props)
		return nil
	}, errors.Join(props.Validate(), props.ValidateIn(stack))
}

func (c configuration) management(stack awscdk.Stack) (func() error, error) {
	if !c.hasOrganizationTrail() {
		c.OrganizationID = nil
	}
	if c.DelegatedAdministratorAccount != nil && c.ConfigRules == nil {
		c.ConfigRules = jsii.Bool(false) // in its account Config records no trail of another
	}
	guard := c.guard(stack, c.LogArchiveAccount != nil)
	guard.TrailAccount = c.ManagementAccount
	props := &organization.ManagementProps{Guard: guard}
	return func() error {
		return organization.NewManagement(stack, jsii.String(thisID), props).Validate()
	}, errors.Join(props.Validate(), props.ValidateIn(stack))
}

func (c configuration) rollout(stack awscdk.Stack) (func() error, error) {
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
	return func() error {
		return organization.NewRollout(stack, jsii.String(thisID), props).Validate()
	}, errors.Join(props.Validate(), props.ValidateIn(stack), c.checkMember())
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
	organization.NewWatch(stack, jsii.String(thisID), c.watchProps(stack))
}

func (c configuration) watchProps(stack awscdk.Stack) *organization.WatchProps {
	return &organization.WatchProps{
		TrailName:           c.TrailName,
		GuardAccount:        c.DelegatedAdministratorAccount,
		CentralEventBus:     c.centralEventBus(stack),
		AlertEmailAddresses: c.memberAddresses(),
		RemovalPolicy:       c.RemovalPolicy,
	}
}

// guardMember fills the stack of a member with a trail of its own.
func (c configuration) guardMember(stack awscdk.Stack) {
	trailguard.NewTrailGuard(stack, jsii.String(thisID), c.guardProps(stack))
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
	if archived { // the archive has what is declared of the store, and its stack repairs it
		c.TransitionAfterDays, c.ExpireAfterDays, c.ObjectLockRetentionDays, c.ServerAccessLogsBucketName = nil, nil, nil, nil
		c.AlarmOnMissingDigests, c.RepairLogStore = nil, nil
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

func (c configuration) prevention(stack awscdk.Stack) (func() error, error) {
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
	return func() error {
		organization.NewPrevention(stack, jsii.String(thisID), props)
		return nil
	}, errors.Join(props.Validate(), props.ValidateIn(stack))
}

func (c configuration) central(stack awscdk.Stack) (func() error, error) {
	props := &organization.CentralProps{
		OrganizationId:      c.OrganizationID,
		AlertEmailAddresses: c.AlertEmailAddresses,
		RemovalPolicy:       c.RemovalPolicy,
	}
	if every := c.CheckEveryMinutes; every == nil || *every > 0 && *every <= 60 {
		props.HeartbeatAccounts = &[]*string{c.guardAccount()}
	}
	return func() error {
		return organization.NewCentral(stack, jsii.String(thisID), props).Validate()
	}, errors.Join(props.Validate(), props.ValidateIn(stack))
}

func (c configuration) organizationEvents(stack awscdk.Stack) (func() error, error) {
	props := &organization.OrganizationEventsProps{CentralEventBus: c.centralEventBus(stack)}
	return func() error {
		return organization.NewOrganizationEvents(stack, jsii.String(thisID), props).Validate()
	}, props.Validate()
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
