// An app of its own that guards the trails of an organization whose accounts have each a trail: the log archive, the management account, the members,
// the policies, and the security account with a pager.
package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssnssubscriptions"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/organization"
	"github.com/trailguard/trailguard/constructs/trailguard"
)

// The organization. Its stacks know one another by these values alone.
const (
	organizationID    = "o-a1b2c3d4e5"
	home              = "eu-central-1"
	managementAccount = "111111111111"
	logArchiveAccount = "222222222222"
	securityAccount   = "333333333333"
	workloads         = "ou-ab12-c3d4e5f6"
	trailName         = "audit-trail"
	// logArchiveKeyArn is the output LogKeyArn of the stack LogArchive, which is deployed first.
	logArchiveKeyArn = "arn:aws:kms:eu-central-1:222222222222:key/11111111-2222-3333-4444-555555555555"
)

func main() {
	defer jsii.Close()
	app := awscdk.NewApp(nil)
	newStacks(app)
	app.Synth(nil)
}

func newStacks(app awscdk.App) {
	// Named so that the policies take them for the guard's.
	organization.NewLogArchive(newStack(app, "TrailGuardLogArchive", logArchiveAccount), jsii.String("LogArchive"), &organization.LogArchiveProps{
		OrganizationId:  jsii.String(organizationID),
		MemberTrailName: jsii.String(trailName),
		ReaderAccounts:  jsii.Strings(securityAccount),
		ExpireAfter:     awscdk.Duration_Days(jsii.Number(2557)),
	})
	central := newStack(app, "TrailGuardCentral", securityAccount)
	organization.NewCentral(central, jsii.String("Central"), &organization.CentralProps{
		OrganizationId:     jsii.String(organizationID),
		AlertSubscriptions: &[]awssns.ITopicSubscription{awssnssubscriptions.NewUrlSubscription(jsii.String("https://pager.example.com/trailguard"), nil)},
	})
	management := newStack(app, "TrailGuardManagement", managementAccount)
	organization.NewManagement(management, jsii.String("Management"), &organization.ManagementProps{Guard: guardProps(management)})
	organization.NewRollout(newStack(app, "TrailGuardRollout", managementAccount), jsii.String("Rollout"), &organization.RolloutProps{
		Member:                newMember,
		OrganizationalUnitIds: jsii.Strings(workloads),
	})
	organization.NewPrevention(newStack(app, "TrailGuardPrevention", managementAccount), jsii.String("Prevention"), &organization.PreventionProps{
		OrganizationId:     jsii.String(organizationID),
		TargetIds:          jsii.Strings(workloads),
		TrailNames:         jsii.Strings(trailName),
		KeyArns:            jsii.Strings(logArchiveKeyArn),
		BreakGlassRoleArns: jsii.Strings("arn:aws:iam::*:role/BreakGlass"),
	})
}

// newMember fills the stack that each member account gets.
func newMember(stack awscdk.Stack) {
	props := guardProps(stack)
	props.ConfigRules = jsii.Bool(false) // not each account has a recorder
	trailguard.NewTrailGuard(stack, jsii.String("TrailGuard"), props)
	awscdk.Tags_Of(stack).Add(jsii.String("team"), jsii.String("security"), nil)
}

// guardProps are what the guards have in common: they write to the archive, and tell centrally.
func guardProps(stack awscdk.Stack) *trailguard.TrailGuardProps {
	bucket, key := organization.FromLogArchive(stack, jsii.String(logArchiveAccount), jsii.String(home), jsii.String(logArchiveKeyArn))
	return &trailguard.TrailGuardProps{
		TrailName:       jsii.String(trailName),
		LogBucket:       bucket,
		LogKey:          key,
		CentralEventBus: organization.CentralEventBus(stack, jsii.String("CentralEventBus"), jsii.String(securityAccount), jsii.String(home)),
	}
}

func newStack(app awscdk.App, name, account string) awscdk.Stack {
	return awscdk.NewStack(app, &name, &awscdk.StackProps{
		Env:                         &awscdk.Environment{Account: &account, Region: jsii.String(home)},
		Synthesizer:                 awscdk.NewBootstraplessSynthesizer(nil),
		SuppressTemplateIndentation: jsii.Bool(true),
	})
}
