package logstore

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"
)

const (
	homeRegion = "${AWS::Region}"
	ownAccount = "${AWS::AccountId}"
)

// trailARN takes an account that is a token, too, which Fn::Sub cannot have in its text.
func trailARN(region, account, name string) string {
	if *awscdk.Token_IsUnresolved(account) {
		return *awscdk.Fn_Sub(jsii.String("arn:${AWS::Partition}:cloudtrail:"+region+":${Account}:trail/"+name), &map[string]*string{"Account": &account})
	}
	return *awscdk.Fn_Sub(jsii.String("arn:${AWS::Partition}:cloudtrail:"+region+":"+account+":trail/"+name), nil)
}

const (
	ownerHasFullControl = "bucket-owner-full-control"
	encryptionContext   = "kms:EncryptionContext:aws:cloudtrail:arn"
)

// theKey is the key itself, in its policy.
func theKey() []*string { return *jsii.Strings("*") }

func letCloudTrail(sid, action string, resources []*string, conditions map[string]interface{}) awsiam.PolicyStatement {
	return awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:        &sid,
		Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("cloudtrail.amazonaws.com"), nil)},
		Actions:    jsii.Strings(action),
		Resources:  &resources,
		Conditions: &conditions,
	})
}

// oneOrAll is a value of a condition: a list only where there are several.
func oneOrAll(values []string) any {
	if len(values) == 1 {
		return values[0]
	}
	return values
}

var (
	listActions = []string{"s3:ListBucket", "s3:GetBucketLocation"}
	getActions  = []string{"s3:GetObject", "s3:GetObjectVersion"}
)

// encryptedByCloudTrail is the condition that CloudTrail encrypted what is decrypted.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-kms-key-policy-for-cloudtrail.html
func encryptedByCloudTrail() map[string]interface{} {
	return map[string]interface{}{"Null": map[string]interface{}{encryptionContext: "false"}}
}
