package drill

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/trailguard/trailguard/drill/deployed"
)

// Provisioner makes what a scenario needs. cleanup clears it away; its error says what is left, and why.
type Provisioner interface {
	Provision(ctx context.Context, need Need, into *Target) (cleanup func(context.Context) error, err error)
}

// provisioner is a Provisioner through the SDK.
type provisioner struct {
	clients Clients
	guard   deployed.Guard
}

// NewProvisioner makes resources in the account and the Region of a guard's trail.
func NewProvisioner(clients Clients, guard deployed.Guard) Provisioner {
	return &provisioner{clients, guard}
}

func (p *provisioner) Provision(ctx context.Context, need Need, into *Target) (func(context.Context) error, error) {
	switch need {
	case AnotherBucket:
		return p.bucket(ctx, into)
	case AnotherKey:
		return p.key(ctx, into)
	case anotherSubscription:
		return p.subscription(ctx, into)
	}
	return nil, fmt.Errorf("making %q: it is not known how", need)
}

// bucket makes a bucket that CloudTrail may write the trail's files into. Files that arrive during the drill are part of
// the log, so that a bucket that is not empty stays.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-s3-bucket-policy-for-cloudtrail.html
func (p *provisioner) bucket(ctx context.Context, into *Target) (func(context.Context) error, error) {
	name := fmt.Sprintf("trailguard-drill-%s-%08x", p.guard.Account(), rand.Uint32())
	in := &s3.CreateBucketInput{Bucket: &name}
	if p.guard.Region() != "us-east-1" {
		in.CreateBucketConfiguration = &s3types.CreateBucketConfiguration{LocationConstraint: s3types.BucketLocationConstraint(p.guard.Region())}
	}
	if _, err := p.clients.S3.CreateBucket(ctx, in); err != nil {
		return nil, fmt.Errorf("making another bucket: %w", err)
	}
	cleanup := func(ctx context.Context) error {
		if _, err := p.clients.S3.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &name}); err != nil {
			return fmt.Errorf("deleting bucket %s, which may hold log files of the drill: delete it when they are no longer needed: %w", name, err)
		}
		return nil
	}
	arn := strings.Join([]string{"arn", p.guard.Partition(), "s3", "", "", name}, ":")
	service := map[string]any{"Service": "cloudtrail.amazonaws.com"}
	_, err := p.clients.S3.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &name, Policy: policy(
		map[string]any{"Effect": "Allow", "Principal": service, "Action": "s3:GetBucketAcl", "Resource": arn, "Condition": p.fromTrail()},
		map[string]any{"Effect": "Allow", "Principal": service, "Action": "s3:PutObject", "Resource": arn + "/*", "Condition": p.fromTrail()},
	)})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("making another bucket: %w", err), cleanup(context.WithoutCancel(ctx)))
	}
	into.Bucket = name
	return cleanup, nil
}

// key makes a key that CloudTrail may encrypt with. Without the key nobody can read the log files that were encrypted with it
// during the drill: it is deleted as late as KMS allows, after 30 days.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-kms-key-policy-for-cloudtrail.html
func (p *provisioner) key(ctx context.Context, into *Target) (func(context.Context) error, error) {
	administrator := strings.Join([]string{"arn", p.guard.Partition(), "iam", "", p.guard.Account(), "root"}, ":")
	service := map[string]any{"Service": "cloudtrail.amazonaws.com"}
	made, err := p.clients.KMS.CreateKey(ctx, &kms.CreateKeyInput{
		Description: aws.String("Made by a fire drill of TrailGuard"),
		Policy: policy(
			map[string]any{"Effect": "Allow", "Principal": map[string]any{"AWS": administrator}, "Action": "kms:*", "Resource": "*"},
			map[string]any{"Effect": "Allow", "Principal": service, "Action": []string{"kms:GenerateDataKey*", "kms:DescribeKey"},
				"Resource": "*", "Condition": p.fromTrail()},
		),
	})
	if err != nil {
		return nil, fmt.Errorf("making another key: %w", err)
	}
	into.KeyARN = aws.ToString(made.KeyMetadata.Arn)
	return func(ctx context.Context) error {
		if _, err := p.clients.KMS.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{
			KeyId: made.KeyMetadata.KeyId, PendingWindowInDays: aws.Int32(30),
		}); err != nil {
			return fmt.Errorf("scheduling the deletion of key %s: %w", aws.ToString(made.KeyMetadata.Arn), err)
		}
		return nil
	}, nil
}

func (p *provisioner) fromTrail() map[string]any {
	return map[string]any{"StringEquals": map[string]any{"aws:SourceArn": p.guard.TrailARN}}
}

// subscription subscribes another queue, which hears the same.
func (p *provisioner) subscription(ctx context.Context, into *Target) (func(context.Context) error, error) {
	q, err := subscribe(ctx, p.clients, p.guard)
	if err != nil {
		return nil, err
	}
	into.subscriptionARN = q.subscription
	return q.close, nil
}
