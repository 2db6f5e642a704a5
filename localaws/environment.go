package localaws

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/cloudtrail"
	"github.com/trailguard/trailguard/localaws/iam"
	"github.com/trailguard/trailguard/localaws/moto"
)

// trailService is CloudTrail as a principal.
var trailService = api.Principal{Type: api.AWSService, ARN: "cloudtrail.amazonaws.com"}

// environment is what CloudTrail finds in the rest of AWS: the policies that are deployed decide.
type environment struct {
	place      api.Place
	common     *common
	iam        *iam.Authorizer
	directory  *moto.Directory
	membership func(context.Context) (cloudtrail.Membership, error)
}

func (e *environment) BucketRegion(ctx context.Context, bucket string) (string, error) {
	owner, err := e.common.bucketOwner(ctx, bucket)
	if err != nil {
		return "", fmt.Errorf("looking for the owner of bucket %s: %w", bucket, err)
	}
	look := func() (string, error) { return e.directory.BucketRegion(ctx, bucket) }
	if owner == "" {
		return look() // there is none, and who makes it is not known
	}
	return iam.Cached(&e.common.others.authorizer(owner).Cache, "s3", "location of "+bucket, look)
}

// MayDeliver asks what CloudTrail needs of a bucket's policy: to read the ACL, and to put log files and digests.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-s3-bucket-policy-for-cloudtrail.html
func (e *environment) MayDeliver(ctx context.Context, t cloudtrail.Trail) error {
	if _, err := e.BucketRegion(ctx, t.S3BucketName); err != nil {
		return err
	}
	bucket := e.place.BucketARN(t.S3BucketName)
	if err := e.iam.Authorize(ctx, trailService, "s3:GetBucketAcl", bucket, e.place.SourceKeys(t.ARN)); err != nil {
		return err
	}
	prefix := ""
	if t.S3KeyPrefix != "" {
		prefix = strings.TrimSuffix(t.S3KeyPrefix, "/") + "/"
	}
	folders := []string{prefix + "AWSLogs/" + e.place.Account}
	if t.IsOrganizationTrail {
		membership, err := e.membership(ctx)
		if err != nil {
			return err
		}
		folders = append(folders, prefix+"AWSLogs/"+cmp.Or(membership.ID, defaultOrganizationID)+"/"+e.place.Account)
	}
	keys := e.place.SourceKeys(t.ARN)
	keys["s3:x-amz-acl"] = []string{"bucket-owner-full-control"}
	keys["s3:x-amz-server-side-encryption"] = []string{"AES256"}
	if t.KMSKeyID != "" {
		keys["s3:x-amz-server-side-encryption"] = []string{"aws:kms"}
		keys["s3:x-amz-server-side-encryption-aws-kms-key-id"] = []string{t.KMSKeyID}
	}
	for _, folder := range folders {
		for _, kind := range []string{"CloudTrail", "CloudTrail-Digest"} {
			object := fmt.Sprintf("%s/%s/%s/%s/2030/01/01/file.json.gz", bucket, folder, kind, e.place.Region)
			if err := e.iam.Authorize(ctx, trailService, "s3:PutObject", object, keys); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *environment) ResolveKey(ctx context.Context, id string) (string, error) {
	key, err := e.iam.Key(ctx, id)
	return key.ARN, err
}

// MayEncrypt asks what CloudTrail needs of a key's policy.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-kms-key-policy-for-cloudtrail.html
func (e *environment) MayEncrypt(ctx context.Context, t cloudtrail.Trail) error {
	key, err := e.iam.Key(ctx, t.KMSKeyID)
	if api.IsRefusal(err) {
		return api.Errorf("KMS.NotFoundException", "%v", err)
	}
	if err != nil {
		return err
	}
	switch key.State {
	case "Enabled":
	case "Disabled":
		return api.Errorf("KMS.DisabledException", "%s is disabled", key.ARN)
	default:
		return api.Errorf("KMS.KMSInvalidStateException", "%s is %s", key.ARN, key.State)
	}
	if err := e.iam.Authorize(ctx, trailService, "kms:DescribeKey", key.ARN, e.place.SourceKeys(t.ARN)); err != nil {
		return err
	}
	keys := e.place.SourceKeys(t.ARN)
	keys["kms:EncryptionContext:aws:cloudtrail:arn"] = []string{t.ARN}
	keys["kms:EncryptionContext:aws:s3:arn"] = []string{e.place.BucketARN(t.S3BucketName)}
	return e.iam.Authorize(ctx, trailService, "kms:GenerateDataKey", key.ARN, keys)
}

func (e *environment) ResolveTopic(ctx context.Context, nameOrARN string) (string, error) {
	arn := nameOrARN
	if !strings.HasPrefix(arn, "arn:") {
		arn = e.place.ARN("sns", nameOrARN)
	}
	account := cmp.Or(api.PlaceOf(arn).Account, e.place.Account)
	if _, err := iam.Cached(&e.common.others.authorizer(account).Cache, "sns", "existence of "+arn, func() (struct{}, error) {
		return struct{}{}, e.common.others.directory(account).TopicExists(ctx, arn)
	}); err != nil {
		return "", fmt.Errorf("looking for topic %s: %w", arn, err)
	}
	return arn, nil
}

// MayNotify asks what CloudTrail needs of a topic's policy, and of its key.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-permissions-for-sns-notifications.html
func (e *environment) MayNotify(ctx context.Context, t cloudtrail.Trail) error {
	return e.iam.AuthorizePublish(ctx, trailService, t.SNSTopicARN, e.place.SourceKeys(t.ARN))
}

// MayWriteLogs asks what CloudTrail needs to write to CloudWatch Logs: the group, a role that trusts it, and the role's
// permission to make and fill a stream.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-required-policy-for-cloudwatch-logs.html
func (e *environment) MayWriteLogs(ctx context.Context, t cloudtrail.Trail) error {
	group := strings.TrimSuffix(t.CloudWatchLogsLogGroupARN, ":*")
	fields := strings.SplitN(group, ":log-group:", 2)
	if len(fields) != 2 {
		return api.Errorf("ResourceNotFoundException", "%s is no log group", group)
	}
	exists, err := iam.Cached(&e.iam.Cache, "logs", "existence of "+fields[1], func() (bool, error) {
		return e.directory.LogGroupExists(ctx, fields[1])
	})
	if err != nil {
		return fmt.Errorf("looking for log group %s: %w", group, err)
	}
	if !exists {
		return api.Errorf("ResourceNotFoundException", "log group %s does not exist", group)
	}
	if err := e.iam.Authorize(ctx, trailService, "sts:AssumeRole", t.CloudWatchLogsRoleARN, e.place.SourceKeys(t.ARN)); err != nil {
		return err
	}
	writer := api.Principal{Type: api.AssumedRole, ARN: t.CloudWatchLogsRoleARN, SessionName: "CloudTrail"}
	stream := fmt.Sprintf("%s:log-stream:%s_CloudTrail_%s", group, e.place.Account, e.place.Region)
	for _, action := range []string{"logs:CreateLogStream", "logs:PutLogEvents"} {
		if err := e.iam.Authorize(ctx, writer, action, stream, nil); err != nil {
			return err
		}
	}
	return nil
}
