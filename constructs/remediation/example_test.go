package remediation_test

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/remediation"
	"github.com/trailguard/trailguard/constructs/trail"
)

// The runbook by itself, without a rule that starts it: people start it by hand, or a rule of their own does.
func ExampleNewRemediation() {
	defer jsii.Close()
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Runbooks"), nil)

	settings := trail.Settings{
		Name:         "audit-trail",
		ARN:          "arn:aws:cloudtrail:eu-central-1:111122223333:trail/audit-trail",
		S3BucketName: "audit-logs",
		KMSKeyARN:    "arn:aws:kms:eu-central-1:111122223333:key/11111111-2222-3333-4444-555555555555",
		InsightTypes: []string{"ApiErrorRateInsight"},
	}
	role := remediation.NewRole(stack, jsii.String("AutomationRole"), &remediation.RoleProps{Settings: settings})
	runbook := remediation.NewRemediation(stack, jsii.String("Remediation"), &remediation.RemediationProps{
		Settings: settings, AutomationRole: role,
	})
	awscdk.NewCfnOutput(stack, jsii.String("RunbookName"), &awscdk.CfnOutputProps{Value: runbook.Runbook().Ref()})

	template := assertions.Template_FromStack(stack, nil)
	for _, kind := range []string{"AWS::SSM::Document", "AWS::IAM::Role", "AWS::Config::RemediationConfiguration"} {
		fmt.Println(len(*template.FindResources(&kind, nil)), kind)
	}
	for _, parameter := range runbook.Parameters() {
		fmt.Println(parameter.Name)
	}
	// Output:
	// 1 AWS::SSM::Document
	// 1 AWS::IAM::Role
	// 0 AWS::Config::RemediationConfiguration
	// AutomationAssumeRole
	// StartedBy
}
