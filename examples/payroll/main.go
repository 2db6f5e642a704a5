// An app of its own that guards a trail beside its other resources: with a reader for the auditors, a tag, and a
// dependency.
package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/trailguard"
)

func main() {
	defer jsii.Close()
	app := awscdk.NewApp(nil)
	newStack(app)
	app.Synth(nil)
}

func newStack(app awscdk.App) awscdk.Stack {
	stack := awscdk.NewStack(app, jsii.String("Payroll"), nil)
	slips := awss3.NewBucket(stack, jsii.String("Slips"), &awss3.BucketProps{EnforceSSL: jsii.Bool(true)})
	auditors := awsiam.NewRole(stack, jsii.String("Auditors"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewAccountRootPrincipal(),
	})
	guard := trailguard.NewTrailGuard(stack, jsii.String("TrailGuard"), &trailguard.TrailGuardProps{
		TrailName: jsii.String("payroll-trail"),
		DataResources: &[]*trailguard.DataResource{{
			Type:   jsii.String("AWS::S3::Object"),
			Values: jsii.Strings("arn:aws:s3:::payroll-slips/"),
		}},
	})
	guard.GrantReadLogs(auditors)
	slips.Node().AddDependency(guard) // no slip is written before the guard stands
	awscdk.Tags_Of(guard).Add(jsii.String("team"), jsii.String("security"), nil)
	return stack
}
