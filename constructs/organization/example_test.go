package organization_test

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/organization"
	"github.com/trailguard/trailguard/constructs/protection"
	"github.com/trailguard/trailguard/constructs/trailguard"
)

func ExampleNewLogArchive() {
	stack := exampleStack("222222222222")
	archive := organization.NewLogArchive(stack, jsii.String("LogArchive"), &organization.LogArchiveProps{
		OrganizationId:  jsii.String("o-a1b2c3d4e5"),
		MemberTrailName: jsii.String("trailguard"),
		ReaderAccounts:  jsii.Strings("333333333333"),
		CentralEventBus: organization.CentralEventBus(stack, jsii.String("CentralEventBus"), jsii.String("333333333333"), jsii.String("us-east-1")),
	})
	fmt.Println(*archive.LogStore().Bucket().BucketArn() != "")
	show(stack, "AWS::S3::Bucket", "AWS::KMS::Key", "AWS::SSM::Document")
	// Output:
	// true
	// 2 AWS::S3::Bucket
	// 1 AWS::KMS::Key
	// 1 AWS::SSM::Document
}

func ExampleNewManagement() {
	stack := exampleStack("111111111111")
	management := organization.NewManagement(stack, jsii.String("Management"), &organization.ManagementProps{
		Guard: &trailguard.TrailGuardProps{
			OrganizationId:  jsii.String("o-a1b2c3d4e5"),
			LogBucket:       awss3.Bucket_FromBucketName(stack, jsii.String("LogBucket"), jsii.String(organization.LogArchiveBucketName("222222222222", "us-east-1"))),
			LogKey:          awskms.Key_FromKeyArn(stack, jsii.String("LogKey"), jsii.String("arn:aws:kms:us-east-1:222222222222:key/1")),
			CentralEventBus: organization.CentralEventBus(stack, jsii.String("CentralEventBus"), jsii.String("333333333333"), jsii.String("us-east-1")),
		},
	})
	fmt.Println(*management.Guard().TrailName())
	show(stack, "AWS::SSM::Document", "AWS::S3::Bucket")
	// Output:
	// trailguard
	// 1 AWS::SSM::Document
	// 0 AWS::S3::Bucket
}

func ExampleNewRollout() {
	stack := exampleStack("111111111111")
	organization.NewRollout(stack, jsii.String("Rollout"), &organization.RolloutProps{
		OrganizationalUnitIds: jsii.Strings("ou-ab12-c3d4e5f6"),
		// One account first.
		AccountFilter: &organization.AccountFilter{Type: organization.AccountFilterType_INTERSECTION, Accounts: jsii.Strings("444444444444")},
		Member: func(stack awscdk.Stack) {
			trailguard.NewTrailGuard(stack, jsii.String("TrailGuard"), &trailguard.TrailGuardProps{ConfigRules: jsii.Bool(false)})
		},
	})
	show(stack, "AWS::CloudFormation::StackSet", "AWS::SSM::Document")
	// Output:
	// 1 AWS::CloudFormation::StackSet
	// 0 AWS::SSM::Document
}

func ExampleNewWatch() {
	stack := exampleStack("444444444444")
	watch := organization.NewWatch(stack, jsii.String("Watch"), &organization.WatchProps{
		CentralEventBus: organization.CentralEventBus(stack, jsii.String("CentralEventBus"), jsii.String("333333333333"), jsii.String("us-east-1")),
	})
	fmt.Println(watch.AlertTopic())
	show(stack, "AWS::Events::Rule", "AWS::SNS::Topic")
	// Output:
	// <nil>
	// 2 AWS::Events::Rule
	// 0 AWS::SNS::Topic
}

func ExampleNewCentral() {
	stack := exampleStack("333333333333")
	central := organization.NewCentral(stack, jsii.String("Central"), &organization.CentralProps{
		OrganizationId:      jsii.String("o-a1b2c3d4e5"),
		AlertEmailAddresses: jsii.Strings("security@example.com"),
	})
	fmt.Println(*central.AlertTopic().TopicArn() != "")
	show(stack, "AWS::Events::EventBus", "AWS::SNS::Topic")
	// Output:
	// true
	// 1 AWS::Events::EventBus
	// 1 AWS::SNS::Topic
}

func ExampleNewOrganizationEvents() {
	stack := exampleStack("111111111111")
	organization.NewOrganizationEvents(stack, jsii.String("OrganizationEvents"), &organization.OrganizationEventsProps{
		// Across Regions: the events of AWS Organizations arrive in us-east-1.
		CentralEventBus: organization.CentralEventBus(stack, jsii.String("CentralEventBus"), jsii.String("333333333333"), jsii.String("eu-central-1")),
	})
	show(stack, "AWS::Events::Rule")
	// Output:
	// 1 AWS::Events::Rule
}

func exampleStack(account string) awscdk.Stack {
	return awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Example"), &awscdk.StackProps{
		Env: &awscdk.Environment{Account: &account, Region: jsii.String("us-east-1")},
	})
}

func show(stack awscdk.Stack, kinds ...string) {
	template := assertions.Template_FromStack(stack, nil)
	for _, kind := range kinds {
		fmt.Println(len(*template.FindResources(&kind, nil)), kind)
	}
}

func ExampleNewPrevention() {
	stack := exampleStack("111111111111")
	prevention := organization.NewPrevention(stack, jsii.String("Prevention"), &organization.PreventionProps{
		OrganizationId:     jsii.String("o-a1b2c3d4e5"),
		TargetIds:          jsii.Strings("ou-ab12-c3d4e5f6"),
		BreakGlassRoleArns: jsii.Strings("arn:aws:iam::*:role/BreakGlass"),
	})
	for _, policy := range []int{0, len(prevention.Policies()) - 1} {
		fmt.Println(*prevention.Policies()[policy].Name())
	}
	// Output:
	// TrailGuardServiceControlPolicy1
	// TrailGuardResourceControlPolicy1
}

// The documents themselves, for those who attach them elsewhere.
func ExampleProtectionPolicy() {
	documents, err := organization.ProtectionPolicy(&organization.PreventionProps{OrganizationId: jsii.String("o-a1b2c3d4e5")}, "aws")
	fmt.Println(documents.ServiceControl[0].Sids[0], documents.ServiceControl[0].Characters() <= protection.MaximumCharacters, err)
	// Output:
	// KeepTrail true <nil>
}
