package logstore

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// writer is the one trail that may write to the store, under its name and its previous names, and its members: the trails of other
// accounts that may.
type writer struct {
	// trailName and trailARN are empty where only members may write.
	trailName string
	trailARN  string
	// sources are the ARNs that the trail has, and had under its previous names.
	sources []string
	// contexts match the encryption context that CloudTrail uses for each of them, in any Region.
	contexts []string
	account  string
	// owner is the account as text for Fn::Sub.
	owner string
	// prefix is empty or ends in a slash.
	prefix         string
	organizationID string
	members        *members
}

func newWriter(scope constructs.Construct, props *LogStoreProps) writer {
	w := writer{account: *awscdk.Stack_Of(scope).Account(), members: newMembers(props)}
	owner := ownAccount
	if props.TrailAccount != nil {
		owner, w.account = *props.TrailAccount, *props.TrailAccount
	}
	w.owner = owner
	if props.TrailName != nil {
		w.trailName = *props.TrailName
		w.trailARN = trailARN(homeRegion, owner, w.trailName)
		for _, name := range append([]string{w.trailName}, texts(props.PreviousTrailNames)...) {
			w.sources = append(w.sources, trailARN(homeRegion, owner, name))
			w.contexts = append(w.contexts, trailARN("*", owner, name))
		}
	}
	if props.S3KeyPrefix != nil {
		w.prefix = *props.S3KeyPrefix + "/"
	}
	if props.OrganizationId != nil {
		w.organizationID = *props.OrganizationId
	}
	return w
}

// keys matches the keys of all log files and digest files.
func (w writer) keys() string { return w.prefix + "AWSLogs/*" }

// bucketStatements are the statements with which CloudTrail may write for the trail, and for the members.
func (w writer) bucketStatements(bucket awss3.IBucket) []awsiam.PolicyStatement {
	var statements []awsiam.PolicyStatement
	if w.trailARN != "" {
		statements = w.trailBucketStatements(bucket)
	}
	if w.members != nil {
		statements = append(statements, w.members.bucketStatements(bucket, w.prefix)...)
	}
	return statements
}

// keyStatements are the statements with which CloudTrail may encrypt for the trail, and for the members.
func (w writer) keyStatements() []awsiam.PolicyStatement {
	var statements []awsiam.PolicyStatement
	if w.trailARN != "" {
		statements = w.trailKeyStatements()
	}
	if w.members != nil {
		statements = append(statements, w.members.keyStatements()...)
	}
	return statements
}

// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-s3-bucket-policy-for-cloudtrail.html
func (w writer) trailBucketStatements(bucket awss3.IBucket) []awsiam.PolicyStatement {
	objects := []*string{bucket.ArnForObjects(jsii.String(w.prefix + "AWSLogs/" + w.account + "/*"))}
	if w.organizationID != "" {
		objects = append(objects, bucket.ArnForObjects(jsii.String(w.prefix+"AWSLogs/"+w.organizationID+"/*")))
	}
	ofTrail := map[string]interface{}{"aws:SourceArn": oneOrAll(w.sources)}
	return []awsiam.PolicyStatement{
		letCloudTrail("CloudTrailAclCheck", "s3:GetBucketAcl", []*string{bucket.BucketArn()}, map[string]interface{}{"StringEquals": ofTrail}),
		letCloudTrail("CloudTrailWrite", "s3:PutObject", objects, map[string]interface{}{
			"StringEquals": map[string]interface{}{
				"aws:SourceArn": oneOrAll(w.sources),
				"s3:x-amz-acl":  ownerHasFullControl,
			},
		}),
	}
}

// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-kms-key-policy-for-cloudtrail.html
func (w writer) trailKeyStatements() []awsiam.PolicyStatement {
	ofTrail := map[string]interface{}{"aws:SourceArn": oneOrAll(w.sources)}
	return []awsiam.PolicyStatement{
		letCloudTrail("CloudTrailEncrypt", "kms:GenerateDataKey*", theKey(), map[string]interface{}{
			"StringEquals": ofTrail,
			"StringLike":   map[string]interface{}{encryptionContext: oneOrAll(w.contexts)},
		}),
		letCloudTrail("CloudTrailDescribeKey", "kms:DescribeKey", theKey(), map[string]interface{}{"StringEquals": ofTrail}),
	}
}
