// Package organizationcases holds the stacks of an organization that the tests synthesize: each is one golden template.
package organizationcases

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/detection"
	"github.com/trailguard/trailguard/constructs/organization"
	"github.com/trailguard/trailguard/constructs/partition"
	"github.com/trailguard/trailguard/constructs/trailguard"
)

// The accounts of the organization of the cases.
const (
	organizationID    = "o-a1b2c3d4e5"
	managementAccount = "111111111111"
	logArchiveAccount = "222222222222"
	securityAccount   = "333333333333"
)

// Case is a stack of an organization.
type Case struct {
	Name string
	// Account is the account of the stack, empty for a stack that fits every member account.
	Account, Region string
	// Define fills the stack.
	Define func(stack awscdk.Stack)
}

// All are the stacks of an organization: in us-east-1, whose one trail covers all, or whose accounts have each a trail of its own; and in other
// partitions.
func All() []Case {
	const home = "us-east-1"
	return []Case{
		{"log-archive", logArchiveAccount, home, logArchive},
		{"log-archive-alone", logArchiveAccount, home, logArchiveAlone},
		{"management", managementAccount, home, management},
		{"rollout-watch", managementAccount, home, RolloutOf(WatchMember, 1)},
		{"rollout-guard", managementAccount, home, RolloutOf(GuardMember, 1)},
		{"rollout-own", managementAccount, home, RolloutOf(ownMember, 1)},
		{"member-watch", "", home, WatchMember},
		{"member-guard", "", home, GuardMember},
		{"member-own", "", home, ownMember},
		{"central", securityAccount, home, central},
		{"prevention", managementAccount, home, prevention},
		{"organization-events", managementAccount, home, organizationEvents},
		{"iam-events", "", home, iamEvents},
		{"govcloud-management", managementAccount, "us-gov-east-1", management},
		{"govcloud-rollout-guard", managementAccount, "us-gov-east-1", RolloutOf(GuardMember, 1)},
		{"china-rollout-watch", managementAccount, "cn-northwest-1", RolloutOf(WatchMember, 1)},
		{"govcloud-prevention", managementAccount, "us-gov-west-1", prevention},
		{"china-central", securityAccount, "cn-northwest-1", central},
	}
}

// Stack defines the case in a new app.
func (c Case) Stack() awscdk.Stack {
	app := awscdk.NewApp(&awscdk.AppProps{AnalyticsReporting: jsii.Bool(false)})
	environment := &awscdk.Environment{Region: &c.Region}
	if c.Account != "" {
		environment.Account = &c.Account
	}
	stack := awscdk.NewStack(app, jsii.String("TrailGuard"), &awscdk.StackProps{
		Env:                         environment,
		Synthesizer:                 awscdk.NewBootstraplessSynthesizer(nil),
		SuppressTemplateIndentation: jsii.Bool(true),
	})
	c.Define(stack)
	return stack
}

// logArchive has a reader of the user's besides: what is added to the policies is part of the declared state.
func logArchive(stack awscdk.Stack) {
	archive := organization.NewLogArchive(stack, jsii.String("Default"), &organization.LogArchiveProps{
		OrganizationId:  jsii.String(organizationID),
		TrailName:       jsii.String(trailguard.DefaultTrailName),
		TrailAccount:    jsii.String(managementAccount),
		MemberTrailName: jsii.String(trailguard.DefaultTrailName),
		ReaderAccounts:  jsii.Strings(securityAccount),
		CentralEventBus: centralEventBus(stack),
	})
	store := archive.LogStore()
	read := func(action string, resource *string) awsiam.PolicyStatement {
		return awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid: jsii.String("Auditor"), Actions: &[]*string{&action}, Resources: &[]*string{resource},
			Principals: &[]awsiam.IPrincipal{awsiam.NewAccountRootPrincipal()},
			Conditions: &map[string]any{"ArnLike": map[string]any{"aws:PrincipalArn": "arn:" + *stack.Partition() + ":iam::" + logArchiveAccount + ":role/Auditor"}},
		})
	}
	store.Bucket().AddToResourcePolicy(read("s3:GetObject", store.Bucket().ArnForObjects(jsii.String("*"))))
	store.Key().AddToResourcePolicy(read("kms:Decrypt", jsii.String("*")), nil)
}

// logArchiveAlone is an archive that nobody is told of centrally.
func logArchiveAlone(stack awscdk.Stack) {
	organization.NewLogArchive(stack, jsii.String("Default"), &organization.LogArchiveProps{
		OrganizationId:      jsii.String(organizationID),
		MemberTrailName:     jsii.String(trailguard.DefaultTrailName),
		AlertEmailAddresses: jsii.Strings("security@example.com"),
		CheckEvery:          awscdk.Duration_Minutes(jsii.Number(15)),
	})
}

func management(stack awscdk.Stack) {
	props := &trailguard.TrailGuardProps{OrganizationId: jsii.String(organizationID)}
	toArchive(stack, props)
	organization.NewManagement(stack, jsii.String("Default"), &organization.ManagementProps{Guard: props})
}

func organizationEvents(stack awscdk.Stack) {
	organization.NewOrganizationEvents(stack, jsii.String("Default"), &organization.OrganizationEventsProps{
		CentralEventBus: organization.CentralEventBus(stack, jsii.String("CentralEventBus"), jsii.String(securityAccount), jsii.String("eu-central-1")),
	})
}

func iamEvents(stack awscdk.Stack) {
	detection.NewIamEvents(stack, jsii.String("Default"), &detection.IamEventsProps{GuardStackName: jsii.String("TrailGuard"), GuardRegion: jsii.String("eu-central-1")})
}

func prevention(stack awscdk.Stack) {
	organization.NewPrevention(stack, jsii.String("Default"), &organization.PreventionProps{
		OrganizationId:     jsii.String(organizationID),
		TargetIds:          jsii.Strings("ou-ab12-00000000"),
		BreakGlassRoleArns: jsii.Strings("arn:" + partition.Of(stack) + ":iam::*:role/BreakGlass"),
	})
}

func central(stack awscdk.Stack) {
	organization.NewCentral(stack, jsii.String("Default"), &organization.CentralProps{
		OrganizationId:      jsii.String(organizationID),
		AlertEmailAddresses: jsii.Strings("security@example.com"),
	})
}

// WatchMember fills the stack of a member account of an organization whose one trail covers all.
func WatchMember(stack awscdk.Stack) {
	organization.NewWatch(stack, jsii.String("Default"), &organization.WatchProps{CentralEventBus: centralEventBus(stack)})
}

// GuardMember fills the stack of a member account with a trail of its own, which writes to the archive.
func GuardMember(stack awscdk.Stack) {
	props := &trailguard.TrailGuardProps{ConfigRules: jsii.Bool(false)}
	toArchive(stack, props)
	trailguard.NewTrailGuard(stack, jsii.String("Default"), props)
}

// ownMember fills the stack of a member account whose trail writes to a bucket of that account, which is repaired there.
func ownMember(stack awscdk.Stack) {
	trailguard.NewTrailGuard(stack, jsii.String("Default"), &trailguard.TrailGuardProps{
		ConfigRules: jsii.Bool(false), RepairLogStore: jsii.Bool(true), CentralEventBus: centralEventBus(stack),
	})
}

// centralEventBus is that of the security account, in the stack's Region.
func centralEventBus(stack awscdk.Stack) awsevents.IEventBus {
	return organization.CentralEventBus(stack, jsii.String("CentralEventBus"), jsii.String(securityAccount), stack.Region())
}

// toArchive makes a trail write to the archive, and its guard tell centrally.
func toArchive(stack awscdk.Stack, props *trailguard.TrailGuardProps) {
	region := *stack.Region()
	key := "arn:" + *stack.Partition() + ":kms:" + region + ":" + logArchiveAccount + ":key/11111111-2222-3333-4444-555555555555"
	props.LogBucket, props.LogKey = organization.FromLogArchive(stack, jsii.String(logArchiveAccount), &region, &key)
	props.CentralEventBus = centralEventBus(stack)
}

// RolloutOf fills a stack that rolls the member stack out over an organization with so many accounts: a hundred to an organizational unit, of which
// one is left out.
func RolloutOf(member func(stack awscdk.Stack), accounts int) func(stack awscdk.Stack) {
	return func(stack awscdk.Stack) {
		props := &organization.RolloutProps{Member: member}
		units, leftOut := []*string{}, []*string{}
		for i := range (accounts + 99) / 100 {
			units = append(units, jsii.String(fmt.Sprintf("ou-ab12-%08d", i)))
			if accounts > 1 {
				leftOut = append(leftOut, jsii.String(fmt.Sprintf("9%011d", i)))
			}
		}
		props.OrganizationalUnitIds = &units
		if len(leftOut) > 0 {
			props.AccountFilter = &organization.AccountFilter{Type: organization.AccountFilterType_DIFFERENCE, Accounts: &leftOut}
		}
		organization.NewRollout(stack, jsii.String("Default"), props)
	}
}
