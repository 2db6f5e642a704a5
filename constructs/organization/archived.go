package organization

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/supplied"
)

// FromLogArchive are the bucket and the key of the LogArchive in an account and a Region, for the LogBucket and LogKey of a guard. Its policies
// let the trails of the organization write: what a guard would warn of, as it cannot change them, is acknowledged for all in the scope.
func FromLogArchive(scope constructs.Construct, account, region, keyArn *string) (awss3.IBucket, awskms.IKey) {
	for prop, where := range map[string]string{"LogBucket": supplied.BucketPolicy, "LogKey": supplied.KeyPolicy} {
		awscdk.Annotations_Of(scope).AcknowledgeWarning(jsii.String(supplied.WarningID(prop, where)), jsii.String("The LogArchive has these statements."))
	}
	return awss3.Bucket_FromBucketName(scope, jsii.String("LogArchiveBucket"), jsii.String(LogArchiveBucketName(*account, *region))),
		awskms.Key_FromKeyArn(scope, jsii.String("LogArchiveKey"), keyArn)
}
