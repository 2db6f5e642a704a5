package organization

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/supplied"
)

// FromLogArchive are the bucket and the key of the LogArchive in an account and a Region, for the LogBucket and LogKey of a guard. Its policies
// let the trails of the organization write, so a guard does not ask for statements there.
func FromLogArchive(scope constructs.Construct, account, region, keyArn *string) (awss3.IBucket, awskms.IKey) {
	bucket := awss3.Bucket_FromBucketName(scope, jsii.String("LogArchiveBucket"), jsii.String(LogArchiveBucketName(*account, *region)))
	key := awskms.Key_FromKeyArn(scope, jsii.String("LogArchiveKey"), keyArn)
	supplied.Complete(bucket)
	supplied.Complete(key)
	return bucket, key
}
