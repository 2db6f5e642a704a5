package trailguard

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

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
		}
		d.policies = append(d.policies, supplied.AddToRole(g, "CloudWatchLogsRole", "CloudWatchLogsRole", role, g.writeEvents())...)
		d.logGroupARN = *g.props.CloudWatchLogGroup.LogGroupArn()
		d.logGroupRoleARN = *role.RoleArn()
	}
	return d
}

// letTrailPublish lets CloudTrail publish to the topic for this trail, and use the topic's key where that can be seen.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-permissions-for-sns-notifications.html
func (g *trailGuard) letTrailPublish() []constructs.IDependable {
	topic := g.props.SnsTopic
	publish := awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:        jsii.String("CloudTrailPublish"),
		Principals: cloudTrail(),
		Actions:    jsii.Strings("sns:Publish"),
		Resources:  &[]*string{topic.TopicArn()},
		Conditions: &map[string]interface{}{
			"StringEquals": map[string]interface{}{"aws:SourceArn": g.logStore.SourceArns()},
		},
	})
	// Which keys CloudTrail sends to the key of a topic is not documented.
	encrypt := awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:        jsii.String("CloudTrailEncryptNotices"),
		Principals: cloudTrail(),
		Actions:    jsii.Strings("kms:Decrypt", "kms:GenerateDataKey*"),
		Resources:  jsii.Strings("*"),
		Conditions: &map[string]interface{}{
			"StringEqualsIfExists": map[string]interface{}{"aws:SourceAccount": g.trailAccount()},
		},
	})
	return supplied.AddToTopic(g, "SnsTopic", topic, publish, encrypt)
}

// newCloudWatchLogsRole is the role with which CloudTrail writes to the log group.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-required-policy-for-cloudwatch-logs.html
func (g *trailGuard) newCloudWatchLogsRole() awsiam.IRole {
	return awsiam.NewRole(g, jsii.String("CloudWatchLogsRole"), &awsiam.RoleProps{
		Description: jsii.String("Lets CloudTrail send the events of the trail " + *g.props.TrailName + " to its log group"),
		// Without a condition: CloudTrail sends neither aws:SourceArn nor aws:SourceAccount when it assumes this role.
		// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-required-policy-for-cloudwatch-logs.html
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("cloudtrail.amazonaws.com"), nil),
	})
}

// writeEvents is what the role may do: write to the log streams that CloudTrail names after the account, and after the
// organization.
func (g *trailGuard) writeEvents() awsiam.PolicyStatement {
	account := g.trailAccount()
	streams := []*string{g.logStreams(*account + "_CloudTrail_" + *awscdk.Stack_Of(g).Region() + "*")}
	if g.props.OrganizationId != nil {
		streams = append(streams, g.logStreams(*g.props.OrganizationId+"_*"))
	}
	return awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:       jsii.String("WriteEvents"),
		Actions:   jsii.Strings("logs:CreateLogStream", "logs:PutLogEvents"),
		Resources: &streams,
	})
}

// trailAccount is the account that owns the trail.
func (g *trailGuard) trailAccount() *string {
	if owner := g.props.ownerAccount(g); owner != "" {
		return &owner
	}
	return awscdk.Stack_Of(g).Account()
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
