package drill

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// keySettings are all settings of the log's key that calls can change, in the order in which they are put back.
func keySettings(clients Clients, t Target) []setting {
	api, key := clients.KMS, t.guard.LogKeyARN
	return []setting{
		settingOf("key state", func(ctx context.Context) (*kmstypes.KeyState, error) {
			got, err := api.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &key})
			if err != nil {
				return nil, err
			}
			return &got.KeyMetadata.KeyState, nil
		}, func(ctx context.Context, before *kmstypes.KeyState) error { return putKeyState(ctx, api, key, *before) }, nil),
		settingOf("key policy", func(ctx context.Context) (*document, error) {
			got, err := api.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: &key, PolicyName: aws.String("default")})
			if err != nil {
				return nil, err
			}
			return &document{aws.ToString(got.Policy)}, nil
		}, func(ctx context.Context, before *document) error {
			return of(api.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: &key, PolicyName: aws.String("default"), Policy: &before.text}))
		}, nil),
		settingOf("key rotation", func(ctx context.Context) (*bool, error) {
			got, err := api.GetKeyRotationStatus(ctx, &kms.GetKeyRotationStatusInput{KeyId: &key})
			if err != nil {
				return nil, err
			}
			return &got.KeyRotationEnabled, nil
		}, func(ctx context.Context, before *bool) error {
			if *before {
				return of(api.EnableKeyRotation(ctx, &kms.EnableKeyRotationInput{KeyId: &key}))
			}
			return of(api.DisableKeyRotation(ctx, &kms.DisableKeyRotationInput{KeyId: &key}))
		}, nil),
	}
}

// putKeyState never schedules a deletion. A deletion that is cancelled leaves the key disabled.
func putKeyState(ctx context.Context, api *kms.Client, key string, want kmstypes.KeyState) error {
	got, err := api.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &key})
	if err == nil && got.KeyMetadata.KeyState == kmstypes.KeyStatePendingDeletion {
		err = of(api.CancelKeyDeletion(ctx, &kms.CancelKeyDeletionInput{KeyId: &key}))
	}
	if err != nil {
		return err
	}
	switch want {
	case kmstypes.KeyStateEnabled:
		return of(api.EnableKey(ctx, &kms.EnableKeyInput{KeyId: &key}))
	case kmstypes.KeyStateDisabled:
		return of(api.DisableKey(ctx, &kms.DisableKeyInput{KeyId: &key}))
	}
	return fmt.Errorf("a key cannot be made %s", want)
}

// gone says that there is no bucket.
const gone = "NoSuchBucket"

// bucketSettings are all settings that calls can change of the bucket of the log, or of the access log, in the order in which they are put
// back: the bucket itself first, and the access control list before the ownership that has none.
func bucketSettings(clients Clients, t Target) []setting {
	api, bucket, region := clients.S3, t.logBucket, t.guard.Region()
	what := "log bucket"
	if bucket == t.guard.Parts.AccessLogBucket {
		what = "access log bucket"
	}
	named := func(setting string) string { return setting + " of the " + what }
	return []setting{
		settingOf("the "+what, func(ctx context.Context) (*string, error) {
			return &bucket, of(api.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &bucket}))
		}, func(ctx context.Context, _ *string) error { return createBucket(ctx, api, bucket, region) }, nil, gone),
		settingOf(named("access control list"), func(ctx context.Context) (*[]s3types.Grant, error) {
			got, err := api.GetBucketAcl(ctx, &s3.GetBucketAclInput{Bucket: &bucket})
			if err != nil {
				return nil, err
			}
			return &got.Grants, nil
		}, func(ctx context.Context, before *[]s3types.Grant) error {
			got, err := api.GetBucketAcl(ctx, &s3.GetBucketAclInput{Bucket: &bucket})
			if err != nil {
				return err
			}
			return of(api.PutBucketAcl(ctx, &s3.PutBucketAclInput{Bucket: &bucket, AccessControlPolicy: &s3types.AccessControlPolicy{Grants: *before, Owner: got.Owner}}))
		}, nil, gone),
		settingOf(named("ownership"), func(ctx context.Context) (*s3types.OwnershipControls, error) {
			got, err := api.GetBucketOwnershipControls(ctx, &s3.GetBucketOwnershipControlsInput{Bucket: &bucket})
			if err != nil {
				return nil, err
			}
			return got.OwnershipControls, nil
		}, func(ctx context.Context, before *s3types.OwnershipControls) error {
			return of(api.PutBucketOwnershipControls(ctx, &s3.PutBucketOwnershipControlsInput{Bucket: &bucket, OwnershipControls: before}))
		}, func(ctx context.Context) error {
			return of(api.DeleteBucketOwnershipControls(ctx, &s3.DeleteBucketOwnershipControlsInput{Bucket: &bucket}))
		}, gone, "OwnershipControlsNotFoundError"),
		settingOf(named("public access block"), func(ctx context.Context) (*s3types.PublicAccessBlockConfiguration, error) {
			got, err := api.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: &bucket})
			if err != nil {
				return nil, err
			}
			return got.PublicAccessBlockConfiguration, nil
		}, func(ctx context.Context, before *s3types.PublicAccessBlockConfiguration) error {
			return of(api.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{Bucket: &bucket, PublicAccessBlockConfiguration: before}))
		}, func(ctx context.Context) error {
			return of(api.DeletePublicAccessBlock(ctx, &s3.DeletePublicAccessBlockInput{Bucket: &bucket}))
		}, gone, "NoSuchPublicAccessBlockConfiguration"),
		settingOf(named("policy"), func(ctx context.Context) (*document, error) {
			got, err := api.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &bucket})
			if err != nil {
				return nil, err
			}
			return &document{aws.ToString(got.Policy)}, nil
		}, func(ctx context.Context, before *document) error {
			return of(api.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: &before.text}))
		}, func(ctx context.Context) error {
			return of(api.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: &bucket}))
		}, gone, "NoSuchBucketPolicy"),
		settingOf(named("versioning"), func(ctx context.Context) (*s3types.BucketVersioningStatus, error) {
			got, err := api.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &bucket})
			if err != nil || got.Status == "" {
				return nil, err
			}
			return &got.Status, nil
		}, func(ctx context.Context, before *s3types.BucketVersioningStatus) error {
			return putVersioning(ctx, api, bucket, *before)
		}, func(ctx context.Context) error {
			return putVersioning(ctx, api, bucket, s3types.BucketVersioningStatusSuspended)
		}, gone),
		settingOf(named("lifecycle"), func(ctx context.Context) (*[]s3types.LifecycleRule, error) {
			got, err := api.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &bucket})
			if err != nil {
				return nil, err
			}
			for i := range got.Rules {
				got.Rules[i].ID = nil // S3 gives rules ids of its own
			}
			return &got.Rules, nil
		}, func(ctx context.Context, before *[]s3types.LifecycleRule) error {
			return of(api.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{
				Bucket: &bucket, LifecycleConfiguration: &s3types.BucketLifecycleConfiguration{Rules: *before},
			}))
		}, func(ctx context.Context) error {
			return of(api.DeleteBucketLifecycle(ctx, &s3.DeleteBucketLifecycleInput{Bucket: &bucket}))
		}, gone, "NoSuchLifecycleConfiguration"),
		settingOf(named("encryption"), func(ctx context.Context) (*s3types.ServerSideEncryptionConfiguration, error) {
			got, err := api.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: &bucket})
			if err != nil {
				return nil, err
			}
			return got.ServerSideEncryptionConfiguration, nil
		}, func(ctx context.Context, before *s3types.ServerSideEncryptionConfiguration) error {
			return of(api.PutBucketEncryption(ctx, &s3.PutBucketEncryptionInput{Bucket: &bucket, ServerSideEncryptionConfiguration: before}))
		}, func(ctx context.Context) error {
			return of(api.DeleteBucketEncryption(ctx, &s3.DeleteBucketEncryptionInput{Bucket: &bucket}))
		}, gone, "ServerSideEncryptionConfigurationNotFoundError"),
		settingOf(named("access logging"), func(ctx context.Context) (*s3types.LoggingEnabled, error) {
			got, err := api.GetBucketLogging(ctx, &s3.GetBucketLoggingInput{Bucket: &bucket})
			if err != nil {
				return nil, err
			}
			return got.LoggingEnabled, nil
		}, func(ctx context.Context, before *s3types.LoggingEnabled) error {
			return putAccessLogging(ctx, api, bucket, before)
		}, func(ctx context.Context) error { return putAccessLogging(ctx, api, bucket, nil) }, gone),
		settingOf(named("notifications"), func(ctx context.Context) (*s3types.NotificationConfiguration, error) {
			got, err := api.GetBucketNotificationConfiguration(ctx, &s3.GetBucketNotificationConfigurationInput{Bucket: &bucket})
			if err != nil {
				return nil, err
			}
			return &s3types.NotificationConfiguration{
				EventBridgeConfiguration: got.EventBridgeConfiguration, LambdaFunctionConfigurations: got.LambdaFunctionConfigurations,
				QueueConfigurations: got.QueueConfigurations, TopicConfigurations: got.TopicConfigurations,
			}, nil
		}, func(ctx context.Context, before *s3types.NotificationConfiguration) error {
			return of(api.PutBucketNotificationConfiguration(ctx, &s3.PutBucketNotificationConfigurationInput{Bucket: &bucket, NotificationConfiguration: before}))
		}, nil, gone),
		settingOf(named("Object Lock"), func(ctx context.Context) (*s3types.ObjectLockConfiguration, error) {
			got, err := api.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: &bucket})
			if err != nil {
				return nil, err
			}
			return got.ObjectLockConfiguration, nil
		}, func(ctx context.Context, before *s3types.ObjectLockConfiguration) error {
			return of(api.PutObjectLockConfiguration(ctx, &s3.PutObjectLockConfigurationInput{Bucket: &bucket, ObjectLockConfiguration: before}))
		}, nil, gone, "ObjectLockConfigurationNotFoundError"),
	}
}

func createBucket(ctx context.Context, api *s3.Client, bucket, region string) error {
	in := &s3.CreateBucketInput{Bucket: &bucket}
	if region != "us-east-1" {
		in.CreateBucketConfiguration = &s3types.CreateBucketConfiguration{LocationConstraint: s3types.BucketLocationConstraint(region)}
	}
	return of(api.CreateBucket(ctx, in))
}

func putVersioning(ctx context.Context, api *s3.Client, bucket string, status s3types.BucketVersioningStatus) error {
	return of(api.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: &bucket, VersioningConfiguration: &s3types.VersioningConfiguration{Status: status}}))
}

func putAccessLogging(ctx context.Context, api *s3.Client, bucket string, to *s3types.LoggingEnabled) error {
	return of(api.PutBucketLogging(ctx, &s3.PutBucketLoggingInput{Bucket: &bucket, BucketLoggingStatus: &s3types.BucketLoggingStatus{LoggingEnabled: to}}))
}

// of is the error of a call whose answer says nothing.
func of[T any](_ T, err error) error { return err }
