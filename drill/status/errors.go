package status

import (
	"errors"
	"slices"

	"github.com/aws/smithy-go"
)

// hasCode tells whether a service answered with one of these error codes.
func hasCode(err error, codes ...string) bool {
	var refused smithy.APIError
	return errors.As(err, &refused) && slices.Contains(codes, refused.ErrorCode())
}

// prefixes are the services of the SDK as IAM calls them.
var prefixes = map[string]string{
	"CloudFormation": "cloudformation", "CloudTrail": "cloudtrail", "CloudWatch": "cloudwatch", "CloudWatch Logs": "logs", "Config Service": "config",
	"EventBridge": "events", "IAM": "iam", "KMS": "kms", "Organizations": "organizations", "S3": "s3", "SNS": "sns", "SQS": "sqs", "SSM": "ssm", "STS": "sts",
}

// actions are the operations that have an action of another name.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
var actions = map[string]string{
	"GetBucketLifecycleConfiguration":    "GetLifecycleConfiguration",
	"GetBucketEncryption":                "GetEncryptionConfiguration",
	"GetPublicAccessBlock":               "GetBucketPublicAccessBlock",
	"GetBucketReplication":               "GetReplicationConfiguration",
	"GetObjectLockConfiguration":         "GetBucketObjectLockConfiguration",
	"GetBucketNotificationConfiguration": "GetBucketNotification",
}

// permission is what a caller needs for an operation.
func permission(service, operation string) string {
	action, differs := actions[operation]
	if !differs {
		action = operation
	}
	return prefixes[service] + ":" + action
}

// lacking is the permission without which a call was refused; empty if the call failed for another reason.
func lacking(err error) string {
	var call *smithy.OperationError
	if !errors.As(err, &call) || !hasCode(err, "AccessDenied", "AccessDeniedException", "AccessDeniedFault", "AuthorizationError", "AuthorizationErrorException",
		"UnauthorizedOperation", "UnauthorizedAccess") {
		return ""
	}
	return permission(call.ServiceID, call.OperationName)
}
