package localaws

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/cloudtrail"
)

// trailService is CloudTrail as a principal.
var trailService = api.Principal{Type: api.AWSService, ARN: "cloudtrail.amazonaws.com"}

// environment is what CloudTrail finds in the rest of AWS: the policies that are deployed decide.
type environment struct {
	gateway        *Gateway
	backend        *backend
	logs           *cloudwatchlogs.Client
	organizationID string
}

func (e *environment) BucketRegion(ctx context.Context, bucket string) (string, error) {
	return cached(e.gateway, "s3 location of "+bucket, func() (string, error) { return e.backend.bucketRegion(ctx, bucket) })
}

// MayDeliver asks what CloudTrail needs of a bucket's policy: to read the ACL, and to put log files and digests.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-s3-bucket-policy-for-cloudtrail.html
func (e *environment) MayDeliver(ctx context.Context, t cloudtrail.Trail) error {
	if _, err := e.BucketRegion(ctx, t.S3BucketName); err != nil {
		return err
	}
	bucket := fmt.Sprintf("arn:%s:s3:::%s", api.Partition, t.S3BucketName)
	if err := e.gateway.Authorize(ctx, trailService, "s3:GetBucketAcl", bucket, fromSource(t.ARN)); err != nil {
		return err
	}
	prefix := ""
	if t.S3KeyPrefix != "" {
		prefix = strings.TrimSuffix(t.S3KeyPrefix, "/") + "/"
	}
	folders := []string{prefix + "AWSLogs/" + api.Account}
	if t.IsOrganizationTrail {
		folders = append(folders, prefix+"AWSLogs/"+e.organizationID+"/"+api.Account)
	}
	keys := fromSource(t.ARN)
	keys["s3:x-amz-acl"] = []string{"bucket-owner-full-control"}
	keys["s3:x-amz-server-side-encryption"] = []string{"AES256"}
	if t.KMSKeyID != "" {
		keys["s3:x-amz-server-side-encryption"] = []string{"aws:kms"}
		keys["s3:x-amz-server-side-encryption-aws-kms-key-id"] = []string{t.KMSKeyID}
	}
	for _, folder := range folders {
		for _, kind := range []string{"CloudTrail", "CloudTrail-Digest"} {
			object := fmt.Sprintf("%s/%s/%s/%s/2030/01/01/file.json.gz", bucket, folder, kind, api.Region)
			if err := e.gateway.Authorize(ctx, trailService, "s3:PutObject", object, keys); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *environment) ResolveKey(ctx context.Context, id string) (string, error) {
	key, err := e.gateway.key(ctx, id)
	return key.ARN, err
}

// MayEncrypt asks what CloudTrail needs of a key's policy.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-kms-key-policy-for-cloudtrail.html
func (e *environment) MayEncrypt(ctx context.Context, t cloudtrail.Trail) error {
	key, err := e.gateway.key(ctx, t.KMSKeyID)
	if isRefusal(err) {
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
	if err := e.gateway.Authorize(ctx, trailService, "kms:DescribeKey", key.ARN, fromSource(t.ARN)); err != nil {
		return err
	}
	keys := fromSource(t.ARN)
	keys["kms:EncryptionContext:aws:cloudtrail:arn"] = []string{t.ARN}
	keys["kms:EncryptionContext:aws:s3:arn"] = []string{fmt.Sprintf("arn:%s:s3:::%s", api.Partition, t.S3BucketName)}
	return e.gateway.Authorize(ctx, trailService, "kms:GenerateDataKey", key.ARN, keys)
}

func (e *environment) ResolveTopic(ctx context.Context, nameOrARN string) (string, error) {
	arn := nameOrARN
	if !strings.HasPrefix(arn, "arn:") {
		arn = fmt.Sprintf("arn:%s:sns:%s:%s:%s", api.Partition, api.Region, api.Account, nameOrARN)
	}
	if _, err := e.backend.sns.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: &arn}); err != nil {
		return "", fmt.Errorf("looking for topic %s: %w", arn, refused(err))
	}
	return arn, nil
}

// MayNotify asks what CloudTrail needs of a topic's policy, and of its key.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-permissions-for-sns-notifications.html
func (e *environment) MayNotify(ctx context.Context, t cloudtrail.Trail) error {
	return e.gateway.AuthorizePublish(ctx, trailService, t.SNSTopicARN, fromSource(t.ARN))
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
	found, err := e.logs.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: &fields[1]})
	if err != nil {
		return fmt.Errorf("looking for log group %s: %w", group, refused(err))
	}
	exists := false
	for _, g := range found.LogGroups {
		exists = exists || aws.ToString(g.LogGroupName) == fields[1]
	}
	if !exists {
		return api.Errorf("ResourceNotFoundException", "log group %s does not exist", group)
	}
	if err := e.gateway.Authorize(ctx, trailService, "sts:AssumeRole", t.CloudWatchLogsRoleARN, fromSource(t.ARN)); err != nil {
		return err
	}
	writer := api.Principal{Type: api.AssumedRole, ARN: t.CloudWatchLogsRoleARN, SessionName: "CloudTrail"}
	stream := fmt.Sprintf("%s:log-stream:%s_CloudTrail_%s", group, api.Account, api.Region)
	for _, action := range []string{"logs:CreateLogStream", "logs:PutLogEvents"} {
		if err := e.gateway.Authorize(ctx, writer, action, stream, nil); err != nil {
			return err
		}
	}
	return nil
}

// bucketRegion is the Region of a bucket; an *api.Error with the code NoSuchBucket where there is none.
func (b *backend) bucketRegion(ctx context.Context, bucket string) (string, error) {
	got, err := b.s3.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: &bucket})
	if err != nil {
		return "", fmt.Errorf("looking for bucket %s: %w", bucket, refused(err))
	}
	if got.LocationConstraint == "" {
		return "us-east-1", nil
	}
	return string(got.LocationConstraint), nil
}

func (b *backend) bucketExists(ctx context.Context, bucket string) (bool, error) {
	_, err := b.bucketRegion(ctx, bucket)
	return exists(err)
}

// document is the content of a version of a document.
func (b *backend) document(ctx context.Context, name, version string) (string, error) {
	if strings.HasPrefix(name, "arn:") {
		name = name[strings.LastIndexByte(name, '/')+1:]
	}
	input := &ssm.GetDocumentInput{Name: &name}
	// moto takes no version for the default one, and knows no other name for it.
	if version != "$DEFAULT" {
		input.DocumentVersion = &version
	}
	got, err := b.ssm.GetDocument(ctx, input)
	if err != nil {
		return "", refused(err)
	}
	return aws.ToString(got.Content), nil
}

func (b *backend) documentExists(ctx context.Context, name string) (bool, error) {
	_, err := b.document(ctx, name, "$DEFAULT")
	return exists(err)
}

// exists turns a look-up's error into its answer.
func exists(err error) (bool, error) {
	var refused *api.Error
	if errors.As(err, &refused) && refused.Status < http.StatusInternalServerError {
		return false, nil
	}
	return err == nil, err
}
