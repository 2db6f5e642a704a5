package trailguard

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// delivery is where CloudTrail delivers to besides the log bucket. Every ARN may be empty.
type delivery struct {
	topicARN        string
	logGroupARN     string
	logGroupRoleARN string
	// policies are what must exist before CloudTrail can deliver there.
	policies []constructs.IDependable
}

func (g *trailGuard) newDelivery() delivery {
	var d delivery
	if g.props.SnsTopic != nil {
		d.topicARN = *g.props.SnsTopic.TopicArn()
		d.policies = append(d.policies, g.letTrailPublish()...)
	}
	if g.props.CloudWatchLogGroup != nil {
		role := g.props.CloudWatchLogsRole
		if role == nil {
			role = g.newCloudWatchLogsRole()
			d.policies = append(d.policies, role.Node().FindChild(jsii.String("DefaultPolicy")))
		}
		d.logGroupARN = *g.props.CloudWatchLogGroup.LogGroupArn()
		d.logGroupRoleARN = *role.RoleArn()
	}
	return d
}

// letTrailPublish lets CloudTrail publish to the topic for this trail.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-permissions-for-sns-notifications.html
func (g *trailGuard) letTrailPublish() []constructs.IDependable {
	added := g.props.SnsTopic.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:        jsii.String("CloudTrailPublish"),
		Principals: cloudTrail(),
		Actions:    jsii.Strings("sns:Publish"),
		Resources:  &[]*string{g.props.SnsTopic.TopicArn()},
		Conditions: &map[string]interface{}{
			"StringEquals": map[string]interface{}{"aws:SourceArn": g.logStore.SourceArns()},
		},
	}))
	if !*added.StatementAdded {
		awscdk.Annotations_Of(g).AddWarningV2(jsii.String("trailguard:importedSnsTopic"), jsii.String(
			"SnsTopic is imported, so its policy cannot be changed here: let cloudtrail.amazonaws.com publish to it, as the README shows"))
		return nil
	}
	return []constructs.IDependable{added.PolicyDependable}
}

// newCloudWatchLogsRole may write to the log streams that CloudTrail names after the account, and after the organization.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-required-policy-for-cloudwatch-logs.html
func (g *trailGuard) newCloudWatchLogsRole() awsiam.IRole {
	account := awscdk.Stack_Of(g).Account()
	role := awsiam.NewRole(g, jsii.String("CloudWatchLogsRole"), &awsiam.RoleProps{
		Description: jsii.String("Lets CloudTrail send the events of the trail " + *g.props.TrailName + " to its log group"),
		// Without a condition: CloudTrail sends neither aws:SourceArn nor aws:SourceAccount when it assumes this role.
		// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-required-policy-for-cloudwatch-logs.html
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("cloudtrail.amazonaws.com"), nil),
	})
	streams := []*string{g.logStreams(*account + "_CloudTrail_" + *awscdk.Stack_Of(g).Region() + "*")}
	if g.props.OrganizationId != nil {
		streams = append(streams, g.logStreams(*g.props.OrganizationId+"_*"))
	}
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:       jsii.String("WriteEvents"),
		Actions:   jsii.Strings("logs:CreateLogStream", "logs:PutLogEvents"),
		Resources: &streams,
	}))
	return role
}

func (g *trailGuard) logStreams(pattern string) *string {
	return awscdk.Stack_Of(g).FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("logs"), Resource: jsii.String("log-group"),
		ResourceName: jsii.String(*g.props.CloudWatchLogGroup.LogGroupName() + ":log-stream:" + pattern),
		ArnFormat:    awscdk.ArnFormat_COLON_RESOURCE_NAME,
	})
}

func cloudTrail() *[]awsiam.IPrincipal {
	return &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("cloudtrail.amazonaws.com"), nil)}
}
