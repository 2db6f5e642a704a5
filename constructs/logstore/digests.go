package logstore

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
)

// sendEvents has the bucket send its object events to EventBridge: of digest files, which arrive each hour, and of all other objects. Set
// here, not as the bucket's prop: for that the CDK deploys a Lambda function.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventBridge.html
func sendEvents(bucket awss3.Bucket) {
	bucket.Node().DefaultChild().(awss3.CfnBucket).SetNotificationConfiguration(&awss3.CfnBucket_NotificationConfigurationProperty{
		EventBridgeConfiguration: &awss3.CfnBucket_EventBridgeConfigurationProperty{EventBridgeEnabled: jsii.Bool(true)},
	})
}

// digestKeys matches, as EventBridge's wildcards do, the keys of the digest files of the trail in its home Region; those of the trails of
// all members if only members may write.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html
func (w writer) digestKeys() *string {
	account, name := w.owner, w.trailName
	if w.trailARN == "" {
		account, name = "*", w.members.trailName
	}
	given := substitution{}
	folder := given.text("Prefix", w.prefix) + "AWSLogs/"
	if w.trailARN != "" && w.organizationID != "" {
		folder += given.text("Organization", w.organizationID) + "/"
	}
	return given.in(folder + given.text("Account", account) + "/CloudTrail-Digest/" + homeRegion + "/*_" + given.text("Trail", name) + "_" + homeRegion + "_*")
}
