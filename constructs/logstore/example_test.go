package logstore_test

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudtrail"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/logstore"
)

// A log store by itself keeps the log files of a trail that the CDK's own construct defines.
func ExampleNewLogStore() {
	defer jsii.Close()
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Archive"), nil)

	store := logstore.NewLogStore(stack, jsii.String("LogStore"), &logstore.LogStoreProps{
		TrailName:   jsii.String("audit-trail"),
		ExpireAfter: awscdk.Duration_Days(jsii.Number(2557)),
	})
	trail := awscloudtrail.NewTrail(stack, jsii.String("Trail"), &awscloudtrail.TrailProps{
		TrailName: jsii.String("audit-trail"),
		// By its name, for to a bucket that it can change, Trail adds statements that let every trail in.
		Bucket:        awss3.Bucket_FromBucketName(stack, jsii.String("TrailBucket"), store.Bucket().BucketName()),
		EncryptionKey: store.Key(),
	})
	trail.Node().AddDependency(store.Policy())
	store.GrantRead(awsiam.NewAccountPrincipal(jsii.String("111122223333")))

	template := assertions.Template_FromStack(stack, nil)
	for _, kind := range []string{"AWS::CloudTrail::Trail", "AWS::S3::Bucket", "AWS::S3::BucketPolicy", "AWS::KMS::Key"} {
		fmt.Println(len(*template.FindResources(&kind, nil)), kind)
	}
	template.HasResource(jsii.String("AWS::CloudTrail::Trail"), map[string]any{
		"DependsOn":  assertions.Match_ArrayWith(&[]any{assertions.Match_StringLikeRegexp(jsii.String("^LogStoreBucketPolicy"))}),
		"Properties": map[string]any{"S3BucketName": map[string]any{"Ref": assertions.Match_StringLikeRegexp(jsii.String("^LogStoreBucket"))}},
	})
	// Output:
	// 1 AWS::CloudTrail::Trail
	// 2 AWS::S3::Bucket
	// 2 AWS::S3::BucketPolicy
	// 1 AWS::KMS::Key
}
