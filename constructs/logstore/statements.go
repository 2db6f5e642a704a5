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

// substitution is what stands in a text of Fn::Sub for tokens, which it cannot have itself.
type substitution map[string]*string

// text is a value as it stands in the text: itself, or the variable of the name if it is a token.
func (s substitution) text(variable, value string) string {
	if !*awscdk.Token_IsUnresolved(value) {
		return value
	}
	s[variable] = &value
	return "${" + variable + "}"
}

// in is the text with the values in it.
func (s substitution) in(text string) *string {
	if len(s) == 0 {
		return awscdk.Fn_Sub(&text, nil)
	}
	return awscdk.Fn_Sub(&text, (*map[string]*string)(&s))
}

// trailARN takes an account that is a token, too.
func trailARN(region, account, name string) string {
	given := substitution{}
	return *given.in("arn:${AWS::Partition}:cloudtrail:" + region + ":" + given.text("Account", account) + ":trail/" + name)
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
