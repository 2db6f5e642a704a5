package detection

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsconfig"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// newRecorder defines the smallest configuration recorder that the rules can work with. CloudFormation starts a recorder
// when its delivery channel exists, so neither may wait for the other.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-config-configurationrecorder.html
//
//	ConfigurationRecorder ──assumes──► Role
//	        └──► DeliveryChannel ──writes──► Bucket
func newRecorder(scope constructs.Construct, id *string) constructs.IDependable {
	this := constructs.NewConstruct(scope, id)
	bucket := awss3.NewBucket(this, jsii.String("Bucket"), &awss3.BucketProps{
		Versioned:         jsii.Bool(true),
		ObjectOwnership:   awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED,
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		EnforceSSL:        jsii.Bool(true),
		Encryption:        awss3.BucketEncryption_S3_MANAGED,
		RemovalPolicy:     awscdk.RemovalPolicy_RETAIN,
	})
	bucket.Policy().ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN)
	role := newRecorderRole(this, bucket)
	recorder := awsconfig.NewCfnConfigurationRecorder(this, jsii.String("ConfigurationRecorder"), &awsconfig.CfnConfigurationRecorderProps{
		RoleArn: role.RoleArn(),
		RecordingGroup: &awsconfig.CfnConfigurationRecorder_RecordingGroupProperty{
			AllSupported:  jsii.Bool(false),
			ResourceTypes: jsii.Strings("AWS::CloudTrail::Trail"),
		},
	})
	channel := awsconfig.NewCfnDeliveryChannel(this, jsii.String("DeliveryChannel"), &awsconfig.CfnDeliveryChannelProps{
		S3BucketName: bucket.BucketName(),
	})
	channel.Node().AddDependency(role)
	return recorder
}

// newRecorderRole is the role with which Config reads trails and delivers what it recorded. The managed policy's managed
// rules need the reads of a service that no policy of ours could keep up with.
// https://docs.aws.amazon.com/config/latest/developerguide/iamrole-permissions.html
func newRecorderRole(scope constructs.Construct, bucket awss3.IBucket) awsiam.IRole {
	account := awscdk.Stack_Of(scope).Account()
	return awsiam.NewRole(scope, jsii.String("Role"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("config.amazonaws.com"), &awsiam.ServicePrincipalOpts{
			Conditions: &map[string]interface{}{
				"StringEquals": map[string]interface{}{"aws:SourceAccount": account},
			},
		}),
		ManagedPolicies: &[]awsiam.IManagedPolicy{
			awsiam.ManagedPolicy_FromAwsManagedPolicyName(jsii.String("service-role/AWS_ConfigRole")),
		},
		InlinePolicies: &map[string]awsiam.PolicyDocument{"DeliverConfiguration": awsiam.NewPolicyDocument(&awsiam.PolicyDocumentProps{
			Statements: &[]awsiam.PolicyStatement{
				awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
					Sid:       jsii.String("CheckBucket"),
					Actions:   jsii.Strings("s3:GetBucketAcl", "s3:ListBucket"),
					Resources: &[]*string{bucket.BucketArn()},
				}),
				awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
					Sid:       jsii.String("DeliverConfiguration"),
					Actions:   jsii.Strings("s3:PutObject"),
					Resources: &[]*string{bucket.ArnForObjects(jsii.String("AWSLogs/" + *account + "/Config/*"))},
				}),
			},
		})},
	})
}
