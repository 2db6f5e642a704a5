package logstore

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// writer is the one trail that may write to the store, under its name and its previous names.
type writer struct {
	trailName string
	trailARN  string
	// sources are the ARNs that the trail has, and had under its previous names.
	sources []string
	// contexts match the encryption context that CloudTrail uses for each of them, in any Region.
	contexts []string
	account  string
	// prefix is empty or ends in a slash.
	prefix         string
	organizationID string
}

func newWriter(scope constructs.Construct, props *LogStoreProps) writer {
	arn := func(region, name string) string {
		return *awscdk.Fn_Sub(jsii.String("arn:${AWS::Partition}:cloudtrail:"+region+":${AWS::AccountId}:trail/"+name), nil)
	}
	const home = "${AWS::Region}"
	w := writer{
		trailName: *props.TrailName,
		trailARN:  arn(home, *props.TrailName),
		account:   *awscdk.Stack_Of(scope).Account(),
	}
	for _, name := range append([]string{*props.TrailName}, texts(props.PreviousTrailNames)...) {
		w.sources = append(w.sources, arn(home, name))
		w.contexts = append(w.contexts, arn("*", name))
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

// bucketStatements are the statements with which CloudTrail may write for the trail.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-s3-bucket-policy-for-cloudtrail.html
func (w writer) bucketStatements(bucket awss3.IBucket) []awsiam.PolicyStatement {
	objects := []*string{bucket.ArnForObjects(jsii.String(w.prefix + "AWSLogs/" + w.account + "/*"))}
	if w.organizationID != "" {
		objects = append(objects, bucket.ArnForObjects(jsii.String(w.prefix+"AWSLogs/"+w.organizationID+"/*")))
	}
	return []awsiam.PolicyStatement{
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid:        jsii.String("CloudTrailAclCheck"),
			Principals: cloudTrail(),
			Actions:    jsii.Strings("s3:GetBucketAcl"),
			Resources:  &[]*string{bucket.BucketArn()},
			Conditions: &map[string]interface{}{
				"StringEquals": map[string]interface{}{"aws:SourceArn": oneOrAll(w.sources)},
			},
		}),
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid:        jsii.String("CloudTrailWrite"),
			Principals: cloudTrail(),
			Actions:    jsii.Strings("s3:PutObject"),
			Resources:  &objects,
			Conditions: &map[string]interface{}{
				"StringEquals": map[string]interface{}{
					"aws:SourceArn": oneOrAll(w.sources),
					"s3:x-amz-acl":  "bucket-owner-full-control",
				},
			},
		}),
	}
}

// keyStatements are the statements with which CloudTrail may encrypt for the trail. In a key policy the resource * is
// the key itself.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-kms-key-policy-for-cloudtrail.html
func (w writer) keyStatements() []awsiam.PolicyStatement {
	statement := func(sid, action string, conditions map[string]interface{}) awsiam.PolicyStatement {
		return awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid:        jsii.String(sid),
			Principals: cloudTrail(),
			Actions:    jsii.Strings(action),
			Resources:  jsii.Strings("*"),
			Conditions: &conditions,
		})
	}
	ofTrail := map[string]interface{}{"aws:SourceArn": oneOrAll(w.sources)}
	return []awsiam.PolicyStatement{
		statement("CloudTrailEncrypt", "kms:GenerateDataKey*", map[string]interface{}{
			"StringEquals": ofTrail,
			"StringLike":   map[string]interface{}{"kms:EncryptionContext:aws:cloudtrail:arn": oneOrAll(w.contexts)},
		}),
		statement("CloudTrailDescribeKey", "kms:DescribeKey", map[string]interface{}{"StringEquals": ofTrail}),
	}
}

func cloudTrail() *[]awsiam.IPrincipal {
	return &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("cloudtrail.amazonaws.com"), nil)}
}

// oneOrAll is a value of a condition: a list only where there are several.
func oneOrAll(values []string) any {
	if len(values) == 1 {
		return values[0]
	}
	return values
}
