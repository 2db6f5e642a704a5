package logstore

import (
	"maps"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/supplied"
)

// letReadersIn lets the principals of the reader accounts read the log files: each also needs a policy of its own account.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-walkthroughs-managing-access-example2.html
func (s *logStore) letReadersIn(props *LogStoreProps) {
	accounts := texts(props.ReaderAccounts)
	if len(accounts) == 0 {
		return
	}
	var readers []awsiam.IPrincipal
	for _, account := range accounts {
		readers = append(readers, awsiam.NewAccountPrincipal(account))
	}
	ofOrganization := map[string]interface{}{}
	if s.writer.organizationID != "" {
		ofOrganization["StringEquals"] = map[string]interface{}{"aws:PrincipalOrgID": s.writer.organizationID}
	}
	statement := func(sid string, conditions map[string]interface{}, resource *string, actions ...string) awsiam.PolicyStatement {
		maps.Copy(conditions, ofOrganization)
		return awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid: &sid, Principals: &readers, Actions: jsii.Strings(actions...), Resources: &[]*string{resource}, Conditions: &conditions,
		})
	}
	supplied.AddToPolicy(s, "LogBucket", "the bucket's policy, for readers,", s.bucket.AddToResourcePolicy,
		statement("ReadersList", map[string]interface{}{}, s.bucket.BucketArn(), listActions...),
		statement("ReadersGet", map[string]interface{}{}, s.bucket.ArnForObjects(jsii.String(s.writer.keys())), getActions...))
	supplied.AddToPolicy(s, "LogKey", "the key's policy, for readers,", supplied.ToKey(s.key),
		statement("ReadersDecrypt", encryptedByCloudTrail(), jsii.String("*"), "kms:Decrypt"))
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
