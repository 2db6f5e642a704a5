package alerting_test

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/alerting"
)

// Alerts by themselves are an encrypted topic, to which the account's alarms and whom it lets may publish.
func ExampleNewAlerts() {
	defer jsii.Close()
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Security"), nil)

	alerts := alerting.NewAlerts(stack, jsii.String("Alerts"), &alerting.AlertsProps{
		AlertEmailAddresses: jsii.Strings("security@example.com"),
	})
	scanner := awsiam.NewRole(stack, jsii.String("Scanner"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("ec2.amazonaws.com"), nil),
	})
	for _, statement := range alerting.Publish(alerts.Topic()) {
		scanner.AddToPolicy(statement)
	}

	template := assertions.Template_FromStack(stack, nil)
	for _, kind := range []string{"AWS::SNS::Topic", "AWS::SNS::TopicPolicy", "AWS::SNS::Subscription", "AWS::KMS::Key"} {
		fmt.Println(len(*template.FindResources(&kind, nil)), kind)
	}
	// Output:
	// 1 AWS::SNS::Topic
	// 1 AWS::SNS::TopicPolicy
	// 1 AWS::SNS::Subscription
	// 1 AWS::KMS::Key
}
