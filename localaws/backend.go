package localaws

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go"

	"github.com/trailguard/trailguard/localaws/api"
)

// backend reads moto's state behind the gateway's back: nothing that it does is a call of anyone.
type backend struct {
	iam *iam.Client
	kms *kms.Client
	s3  *s3.Client
	ssm *ssm.Client
	sns *sns.Client
	sqs *sqs.Client
}

// backendConfig is the configuration of clients that call moto itself.
func backendConfig(endpoint string) aws.Config {
	return aws.Config{
		Region:                     api.Region,
		BaseEndpoint:               aws.String(endpoint),
		Credentials:                credentials.NewStaticCredentialsProvider("AKIALOCALDIRECTORY00", "secret", ""),
		HTTPClient:                 &inMemoryClient{http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true}}},
		Retryer:                    func() aws.Retryer { return aws.NopRetryer{} },
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	}
}

// inMemoryClient sends requests whose bodies the SDK cannot close. The SDK closes a body once the answer's header is
// there; net/http may then be looking whether the body has ended, gets io.EOF as an error from
// safeWriteToReadCloser.WriteTo (smithy-go 1.28.9), and closes the connection while the answer is being read.
type inMemoryClient struct{ http.Client }

func (c *inMemoryClient) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, fmt.Errorf("reading a request: %w", err)
		}
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return c.Client.Do(r)
}

func newBackend(config aws.Config) *backend {
	return &backend{
		iam: iam.NewFromConfig(config), kms: kms.NewFromConfig(config), s3: s3.NewFromConfig(config),
		sns: sns.NewFromConfig(config), sqs: sqs.NewFromConfig(config), ssm: ssm.NewFromConfig(config),
	}
}

// refused turns a service's answer into an *api.Error and leaves other errors as they are.
func refused(err error) error {
	var answer smithy.APIError
	if errors.As(err, &answer) {
		return &api.Error{Code: answer.ErrorCode(), Message: answer.ErrorMessage()}
	}
	return err
}

func (b *backend) Role(ctx context.Context, name string) (Role, error) {
	got, err := b.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
	if err != nil {
		return Role{}, fmt.Errorf("reading role %s: %w", name, refused(err))
	}
	r := Role{ARN: aws.ToString(got.Role.Arn)}
	if r.Trust, err = url.PathUnescape(aws.ToString(got.Role.AssumeRolePolicyDocument)); err != nil {
		return Role{}, fmt.Errorf("reading role %s: %w", name, err)
	}
	if boundary := got.Role.PermissionsBoundary; boundary != nil {
		if r.Boundary, err = b.managedPolicy(ctx, aws.ToString(boundary.PermissionsBoundaryArn)); err != nil {
			return Role{}, fmt.Errorf("reading the boundary of role %s: %w", name, err)
		}
	}
	for pages := iam.NewListRolePoliciesPaginator(b.iam, &iam.ListRolePoliciesInput{RoleName: &name}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return Role{}, fmt.Errorf("reading the policies of role %s: %w", name, err)
		}
		for _, policy := range page.PolicyNames {
			got, err := b.iam.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &name, PolicyName: &policy})
			if err != nil {
				return Role{}, fmt.Errorf("reading policy %s of role %s: %w", policy, name, err)
			}
			document, err := url.PathUnescape(aws.ToString(got.PolicyDocument))
			if err != nil {
				return Role{}, fmt.Errorf("reading policy %s of role %s: %w", policy, name, err)
			}
			r.Identity = append(r.Identity, document)
		}
	}
	input := &iam.ListAttachedRolePoliciesInput{RoleName: &name}
	for pages := iam.NewListAttachedRolePoliciesPaginator(b.iam, input); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return Role{}, fmt.Errorf("reading the attached policies of role %s: %w", name, err)
		}
		for _, policy := range page.AttachedPolicies {
			document, err := b.managedPolicy(ctx, aws.ToString(policy.PolicyArn))
			if err != nil {
				return Role{}, fmt.Errorf("reading the attached policies of role %s: %w", name, err)
			}
			r.Identity = append(r.Identity, document)
		}
	}
	return r, nil
}

// managedPolicy reads a policy's default version. One that is not there is a failure: a role has it attached.
func (b *backend) managedPolicy(ctx context.Context, arn string) (string, error) {
	policy, err := b.iam.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: &arn})
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", arn, err)
	}
	version, err := b.iam.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: &arn, VersionId: policy.Policy.DefaultVersionId})
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", arn, err)
	}
	document, err := url.PathUnescape(aws.ToString(version.PolicyVersion.Document))
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", arn, err)
	}
	return document, nil
}

func (b *backend) BucketPolicy(ctx context.Context, bucket string) (string, error) {
	got, err := b.s3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &bucket})
	if err != nil {
		return "", refused(err)
	}
	return aws.ToString(got.Policy), nil
}

func (b *backend) Key(ctx context.Context, id string) (Key, error) {
	described, err := b.kms.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &id})
	if err != nil {
		return Key{}, refused(err)
	}
	key := described.KeyMetadata
	policy, err := b.kms.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: key.Arn})
	if err != nil {
		return Key{}, refused(err)
	}
	return Key{ARN: aws.ToString(key.Arn), State: string(key.KeyState), Policy: aws.ToString(policy.Policy)}, nil
}

func (b *backend) TopicPolicy(ctx context.Context, arn string) (string, error) {
	got, err := b.sns.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: &arn})
	if err != nil {
		return "", refused(err)
	}
	return got.Attributes["Policy"], nil
}

func (b *backend) TopicKey(ctx context.Context, arn string) (string, error) {
	got, err := b.sns.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: &arn})
	if err != nil {
		return "", refused(err)
	}
	return got.Attributes["KmsMasterKeyId"], nil
}

func (b *backend) QueuePolicy(ctx context.Context, arn string) (string, error) {
	name := arn[strings.LastIndexByte(arn, ':')+1:]
	queue, err := b.sqs.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &name})
	if err != nil {
		return "", refused(err)
	}
	got, err := b.sqs.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: queue.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNamePolicy},
	})
	if err != nil {
		return "", refused(err)
	}
	return got.Attributes[string(sqstypes.QueueAttributeNamePolicy)], nil
}
