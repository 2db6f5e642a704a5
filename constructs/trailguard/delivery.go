package trailguard

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/logstore"
	"github.com/trailguard/trailguard/constructs/supplied"
)

// delivery is where CloudTrail delivers to besides the log bucket. Every ARN may be empty.
type delivery struct {
	topicARN        string
	logGroupARN     string
	logGroupRoleARN string
	// policies are what must exist before CloudTrail can deliver there.
	policies []constructs.IDependable
}

func newDelivery(scope constructs.Construct, props *TrailGuardProps, logStore logstore.LogStore) delivery {
	var d delivery
	if props.SnsTopic != nil {
		d.topicARN = *props.SnsTopic.TopicArn()
		d.policies = append(d.policies, letTrailPublish(scope, props, logStore)...)
	}
	if props.CloudWatchLogGroup != nil {
		role := props.CloudWatchLogsRole
		if role == nil {
			role = newCloudWatchLogsRole(scope, props)
			d.policies = append(d.policies, role)
		} else {
			d.policies = append(d.policies, supplied.AddToRole(scope, "CloudWatchLogsRole", "CloudWatchLogsRole", role, writeEvents(scope, props))...)
		}
		d.logGroupARN = *props.CloudWatchLogGroup.LogGroupArn()
		d.logGroupRoleARN = *role.RoleArn()
	}
	return d
}

// letTrailPublish lets CloudTrail publish to the SnsTopic for this trail, and use the topic's key where that can be seen.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-permissions-for-sns-notifications.html
func letTrailPublish(scope constructs.Construct, props *TrailGuardProps, logStore logstore.LogStore) []constructs.IDependable {
	publish := awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:        jsii.String("CloudTrailPublish"),
		Principals: cloudTrail(),
		Actions:    jsii.Strings("sns:Publish"),
		Resources:  &[]*string{props.SnsTopic.TopicArn()},
		Conditions: &map[string]interface{}{
			"StringEquals": map[string]interface{}{"aws:SourceArn": logStore.SourceArns()},
		},
	})
	// Which keys CloudTrail sends to the key of a topic is not documented.
	encrypt := awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:        jsii.String("CloudTrailEncryptNotices"),
		Principals: cloudTrail(),
		Actions:    jsii.Strings("kms:Decrypt", "kms:GenerateDataKey*"),
		Resources:  jsii.Strings("*"),
		Conditions: &map[string]interface{}{
			"StringEqualsIfExists": map[string]interface{}{"aws:SourceAccount": trailAccount(scope, props)},
		},
	})
	return supplied.AddToTopic(scope, "SnsTopic", props.SnsTopic, publish, encrypt)
}

// newCloudWatchLogsRole is the role with which CloudTrail writes to the log group.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-required-policy-for-cloudwatch-logs.html
func newCloudWatchLogsRole(scope constructs.Construct, props *TrailGuardProps) awsiam.IRole {
	return awsiam.NewRole(scope, jsii.String("CloudWatchLogsRole"), &awsiam.RoleProps{
		// Without a condition: CloudTrail sends neither aws:SourceArn nor aws:SourceAccount when it assumes this role.
		// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-required-policy-for-cloudwatch-logs.html
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("cloudtrail.amazonaws.com"), nil),
		InlinePolicies: &map[string]awsiam.PolicyDocument{
			"WriteEvents": awsiam.NewPolicyDocument(&awsiam.PolicyDocumentProps{Statements: &[]awsiam.PolicyStatement{writeEvents(scope, props)}}),
		},
	})
}

// writeEvents is what the role may do: write to the log streams that CloudTrail names after the account, and after the
// organization.
func writeEvents(scope constructs.Construct, props *TrailGuardProps) awsiam.PolicyStatement {
	account := trailAccount(scope, props)
	streams := []*string{logStreams(props.CloudWatchLogGroup, account, "_CloudTrail_${AWS::Region}*")}
	if props.OrganizationId != nil {
		streams = append(streams, logStreams(props.CloudWatchLogGroup, props.OrganizationId, "_*"))
	}
	return awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:       jsii.String("WriteEvents"),
		Actions:   jsii.Strings("logs:CreateLogStream", "logs:PutLogEvents"),
		Resources: &streams,
	})
}

// trailAccount is the account that owns the trail.
func trailAccount(scope constructs.Construct, props *TrailGuardProps) *string {
	if owner := props.ownerAccount(scope); owner != "" {
		return &owner
	}
	return awscdk.Stack_Of(scope).Account()
}

// logStreams are those that CloudTrail names after an account, or an organization: either may be a token.
func logStreams(group awslogs.ILogGroup, owner *string, pattern string) *string {
	streams := "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:${Group}:log-stream:${Owner}" + pattern
	return awscdk.Fn_Sub(&streams, &map[string]*string{"Group": group.LogGroupName(), "Owner": owner})
}

func cloudTrail() *[]awsiam.IPrincipal {
	return &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("cloudtrail.amazonaws.com"), nil)}
}
