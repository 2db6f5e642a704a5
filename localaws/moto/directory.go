package moto

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/iam"
)

// Directory reads moto's state behind the gateway's back: nothing that it does is a call of anyone.
type Directory struct {
	iam  *awsiam.Client
	kms  *kms.Client
	s3   *s3.Client
	ssm  *ssm.Client
	sns  *sns.Client
	sqs  *sqs.Client
	logs *cloudwatchlogs.Client

	events func(region string) *eventbridge.Client
}

// connections are those to moto. One transport serves the clients of all accounts.
var connections = &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true}

// ClientConfig is the configuration of clients that call moto itself, in an account and a Region. timeout is how long moto may take
// to answer.
func ClientConfig(endpoint string, place api.Place, timeout time.Duration) aws.Config {
	return aws.Config{
		Region:                     place.Region,
		BaseEndpoint:               aws.String(endpoint),
		Credentials:                credentials.NewStaticCredentialsProvider("AKIALOCALDIRECTORY00", "secret", ""),
		HTTPClient:                 &inMemoryClient{http.Client{Timeout: timeout, Transport: connections}, place.Account},
		Retryer:                    func() aws.Retryer { return aws.NopRetryer{} },
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	}
}

// inMemoryClient says in which account it calls, and sends requests whose bodies the SDK cannot close. The SDK closes a body once the answer's header is
// there; net/http may then be looking whether the body has ended, gets io.EOF as an error from
// safeWriteToReadCloser.WriteTo (smithy-go 1.28.9), and closes the connection while the answer is being read.
type inMemoryClient struct {
	http.Client
	account string
}

func (c *inMemoryClient) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, fmt.Errorf("reading a request: %w", err)
		}
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	r.Header.Set(api.AccountHeader, c.account)
	return c.Client.Do(r)
}

// NewDirectory returns a directory that reads with clients of ClientConfig.
func NewDirectory(config aws.Config) *Directory {
	return &Directory{
		iam: awsiam.NewFromConfig(config), kms: kms.NewFromConfig(config), s3: s3.NewFromConfig(config),
		sns: sns.NewFromConfig(config), sqs: sqs.NewFromConfig(config), ssm: ssm.NewFromConfig(config),
		logs: cloudwatchlogs.NewFromConfig(config),
		events: func(region string) *eventbridge.Client {
			return eventbridge.NewFromConfig(config, func(o *eventbridge.Options) { o.Region = region })
		},
	}
}

// Refused turns a service's answer into an *api.Error and leaves other errors as they are.
func Refused(err error) error {
	var answer smithy.APIError
	if errors.As(err, &answer) {
		return &api.Error{Code: answer.ErrorCode(), Message: answer.ErrorMessage()}
	}
	return err
}

// Role returns a role by name.
func (d *Directory) Role(ctx context.Context, name string) (iam.Role, error) {
	got, err := d.iam.GetRole(ctx, &awsiam.GetRoleInput{RoleName: &name})
	if err != nil {
		return iam.Role{}, fmt.Errorf("reading role %s: %w", name, Refused(err))
	}
	r := iam.Role{ARN: aws.ToString(got.Role.Arn)}
	if r.Trust, err = url.PathUnescape(aws.ToString(got.Role.AssumeRolePolicyDocument)); err != nil {
		return iam.Role{}, fmt.Errorf("reading role %s: %w", name, err)
	}
	if boundary := got.Role.PermissionsBoundary; boundary != nil {
		if r.Boundary, err = d.managedPolicy(ctx, aws.ToString(boundary.PermissionsBoundaryArn)); err != nil {
			return iam.Role{}, fmt.Errorf("reading the boundary of role %s: %w", name, err)
		}
	}
	for pages := awsiam.NewListRolePoliciesPaginator(d.iam, &awsiam.ListRolePoliciesInput{RoleName: &name}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return iam.Role{}, fmt.Errorf("reading the policies of role %s: %w", name, err)
		}
		for _, policy := range page.PolicyNames {
			got, err := d.iam.GetRolePolicy(ctx, &awsiam.GetRolePolicyInput{RoleName: &name, PolicyName: &policy})
			if err != nil {
				return iam.Role{}, fmt.Errorf("reading policy %s of role %s: %w", policy, name, err)
			}
			document, err := url.PathUnescape(aws.ToString(got.PolicyDocument))
			if err != nil {
				return iam.Role{}, fmt.Errorf("reading policy %s of role %s: %w", policy, name, err)
			}
			r.Identity = append(r.Identity, document)
		}
	}
	input := &awsiam.ListAttachedRolePoliciesInput{RoleName: &name}
	for pages := awsiam.NewListAttachedRolePoliciesPaginator(d.iam, input); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return iam.Role{}, fmt.Errorf("reading the attached policies of role %s: %w", name, err)
		}
		for _, policy := range page.AttachedPolicies {
			document, err := d.managedPolicy(ctx, aws.ToString(policy.PolicyArn))
			if err != nil {
				return iam.Role{}, fmt.Errorf("reading the attached policies of role %s: %w", name, err)
			}
			r.Identity = append(r.Identity, document)
		}
	}
	return r, nil
}

// managedPolicy reads a policy's default version. One that is not there is a failure: a role has it attached.
func (d *Directory) managedPolicy(ctx context.Context, arn string) (string, error) {
	policy, err := d.iam.GetPolicy(ctx, &awsiam.GetPolicyInput{PolicyArn: &arn})
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", arn, err)
	}
	version, err := d.iam.GetPolicyVersion(ctx, &awsiam.GetPolicyVersionInput{PolicyArn: &arn, VersionId: policy.Policy.DefaultVersionId})
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", arn, err)
	}
	document, err := url.PathUnescape(aws.ToString(version.PolicyVersion.Document))
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", arn, err)
	}
	return document, nil
}

// BucketPolicy returns the document of a bucket.
func (d *Directory) BucketPolicy(ctx context.Context, bucket string) (string, error) {
	got, err := d.s3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &bucket})
	if err != nil {
		return "", Refused(err)
	}
	return aws.ToString(got.Policy), nil
}

// Key returns a key by id, ARN or alias.
func (d *Directory) Key(ctx context.Context, id string) (iam.Key, error) {
	described, err := d.kms.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &id})
	if err != nil {
		return iam.Key{}, Refused(err)
	}
	key := described.KeyMetadata
	policy, err := d.kms.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: key.Arn})
	if err != nil {
		return iam.Key{}, Refused(err)
	}
	tags, err := d.kms.ListResourceTags(ctx, &kms.ListResourceTagsInput{KeyId: key.Arn})
	if err != nil {
		return iam.Key{}, Refused(err)
	}
	found := iam.Key{ARN: aws.ToString(key.Arn), State: string(key.KeyState), Policy: aws.ToString(policy.Policy), Tags: map[string]string{}}
	for _, tag := range tags.Tags {
		found.Tags[aws.ToString(tag.TagKey)] = aws.ToString(tag.TagValue)
	}
	return found, nil
}

// TopicPolicy returns the document of a topic.
func (d *Directory) TopicPolicy(ctx context.Context, arn string) (string, error) {
	got, err := d.sns.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: &arn})
	if err != nil {
		return "", Refused(err)
	}
	return got.Attributes["Policy"], nil
}

// TopicKey returns the key of a topic, empty if it has none.
func (d *Directory) TopicKey(ctx context.Context, arn string) (string, error) {
	got, err := d.sns.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: &arn})
	if err != nil {
		return "", Refused(err)
	}
	return got.Attributes["KmsMasterKeyId"], nil
}

// QueuePolicy returns the document of a queue.
func (d *Directory) QueuePolicy(ctx context.Context, arn string) (string, error) {
	name := arn[strings.LastIndexByte(arn, ':')+1:]
	queue, err := d.sqs.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &name})
	if err != nil {
		return "", Refused(err)
	}
	got, err := d.sqs.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: queue.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNamePolicy},
	})
	if err != nil {
		return "", Refused(err)
	}
	return got.Attributes[string(sqstypes.QueueAttributeNamePolicy)], nil
}

// BusPolicy returns the document of an event bus.
func (d *Directory) BusPolicy(ctx context.Context, arn string) (string, error) {
	name := api.AfterLast(arn, "/")
	got, err := d.events(api.PlaceOf(arn).Region).DescribeEventBus(ctx, &eventbridge.DescribeEventBusInput{Name: &name})
	if err != nil {
		return "", Refused(err)
	}
	return aws.ToString(got.Policy), nil
}

// BucketRegion is the Region of a bucket; an *api.Error with the code NoSuchBucket where there is none.
func (d *Directory) BucketRegion(ctx context.Context, bucket string) (string, error) {
	got, err := d.s3.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: &bucket})
	if err != nil {
		return "", fmt.Errorf("looking for bucket %s: %w", bucket, Refused(err))
	}
	if got.LocationConstraint == "" {
		return "us-east-1", nil
	}
	return string(got.LocationConstraint), nil
}

// SendsToEventBridge tells whether a bucket sends its object events to EventBridge.
func (d *Directory) SendsToEventBridge(ctx context.Context, bucket string) (bool, error) {
	got, err := d.s3.GetBucketNotificationConfiguration(ctx, &s3.GetBucketNotificationConfigurationInput{Bucket: &bucket})
	if err != nil {
		return false, fmt.Errorf("reading the notifications of bucket %s: %w", bucket, Refused(err))
	}
	return got.EventBridgeConfiguration != nil, nil
}

// BucketExists tells whether there is a bucket of this name.
func (d *Directory) BucketExists(ctx context.Context, bucket string) (bool, error) {
	_, err := d.BucketRegion(ctx, bucket)
	return exists(err)
}

// Document is one version of a document of Systems Manager.
type Document struct{ Content, Version, Type string }

// Document returns a version of a document: a number, $DEFAULT or $LATEST. name may be its ARN.
func (d *Directory) Document(ctx context.Context, name, version string) (Document, error) {
	name = api.AfterLast(name, "/")
	input := &ssm.GetDocumentInput{Name: &name}
	// moto takes no version for the default one, and knows no other name for it.
	if version != "$DEFAULT" {
		input.DocumentVersion = &version
	}
	got, err := d.ssm.GetDocument(ctx, input)
	if err != nil {
		return Document{}, Refused(err)
	}
	return Document{Content: aws.ToString(got.Content), Version: aws.ToString(got.DocumentVersion), Type: string(got.DocumentType)}, nil
}

// TopicExists tells whether there is a topic: an *api.Error if not.
func (d *Directory) TopicExists(ctx context.Context, arn string) error {
	_, err := d.sns.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: &arn})
	return Refused(err)
}

// LogGroupExists tells whether there is a log group of this name.
func (d *Directory) LogGroupExists(ctx context.Context, name string) (bool, error) {
	found, err := d.logs.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: &name})
	if err != nil {
		return false, Refused(err)
	}
	for _, group := range found.LogGroups {
		if aws.ToString(group.LogGroupName) == name {
			return true, nil
		}
	}
	return false, nil
}

// DocumentExists tells whether there is a document of this name or ARN.
func (d *Directory) DocumentExists(ctx context.Context, name string) (bool, error) {
	_, err := d.Document(ctx, name, "$DEFAULT")
	return exists(err)
}

// exists turns a look-up's error into its answer.
func exists(err error) (bool, error) {
	var refusal *api.Error
	if errors.As(err, &refusal) && refusal.Status < http.StatusInternalServerError {
		return false, nil
	}
	return err == nil, err
}
