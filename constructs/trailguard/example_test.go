package trailguard_test

import (
	"errors"
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/trailguard"
)

func ExampleNewTrailGuard() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Audit"), nil)
	auditors := awsiam.NewRole(stack, jsii.String("Auditors"), &awsiam.RoleProps{AssumedBy: awsiam.NewAccountRootPrincipal()})
	pager := awseventstargets.NewSnsTopic(awssns.NewTopic(stack, jsii.String("Pager"), nil), nil)

	guard := trailguard.NewTrailGuard(stack, jsii.String("TrailGuard"), &trailguard.TrailGuardProps{
		TrailName:           jsii.String("audit-trail"),
		AlertEmailAddresses: jsii.Strings("security@example.com"),
	})
	guard.GrantReadLogs(auditors)
	guard.OnRepairFailed(jsii.String("Page"), &awsevents.OnEventOptions{Target: pager})
	for _, rule := range *guard.Rules() {
		rule.OnComplianceChange(jsii.String("Changed"), &awsevents.OnEventOptions{Target: pager})
	}

	template := assertions.Template_FromStack(stack, nil)
	for _, kind := range []string{"AWS::Config::ConfigRule", "AWS::SSM::Document", "AWS::CloudTrail::Trail"} {
		fmt.Println(len(*template.FindResources(&kind, nil)), kind)
	}
	// Output:
	// 3 AWS::Config::ConfigRule
	// 2 AWS::SSM::Document
	// 0 AWS::CloudTrail::Trail
}

func ExampleTrailGuardProps_Validate() {
	props := &trailguard.TrailGuardProps{
		TrailName:    jsii.String("my-trail"),
		InsightTypes: &[]trailguard.InsightType{"Gut"},
	}
	var problem *trailguard.PropError
	if errors.As(props.Validate(), &problem) {
		fmt.Println(problem.Prop)
		fmt.Println(problem.Problem)
	}
	// Output:
	// InsightTypes[0]
	// "Gut" is not a type of Insights: use ApiCallRateInsight or ApiErrorRateInsight
}
