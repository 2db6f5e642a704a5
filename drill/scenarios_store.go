package drill

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/trailguard/trailguard/drill/deployed"
)

// Why scenarios of the log store are not run in an AWS account.
const (
	logAtStake      = "S3 could delete the log before the lifecycle is put back"
	deliveryAtStake = "nothing would be delivered until it is put back, and what CloudTrail gives up is lost"
	keyAtStake      = "nothing could be delivered or read until it is put back"
)

// storeScenarios are the ways to tamper with the store of the log, in the order of the catalogue.
func storeScenarios() []Scenario {
	each, key := []Form{"", OfAccessLog}, []Form{ByARN, ByID}
	all := []Scenario{
		{ID: "T20", Call: "s3 PutBucketLifecycleConfiguration, which expires all after a day", OnlyLocal: logAtStake, TamperWith: expire("")},
		{ID: "T20", Call: "s3 PutBucketLifecycleConfiguration, which expires AWSLogs/ after a day", OnlyLocal: logAtStake, TamperWith: expire("AWSLogs/")},
		{ID: "T20", Call: "s3 PutBucketLifecycleConfiguration, which expires what there is not", TamperWith: expire("trailguard-drill/no-such-prefix/")},
		{ID: "T20", Call: "s3 DeleteBucketLifecycle", TamperWith: func(ctx context.Context, clients Clients, t Target) error {
			return of(clients.S3.DeleteBucketLifecycle(ctx, &s3.DeleteBucketLifecycleInput{Bucket: &t.logBucket}))
		}},
		{ID: "T21", Call: "s3 PutBucketPolicy, which denies CloudTrail", OnlyLocal: deliveryAtStake, TamperWith: func(ctx context.Context, clients Clients, t Target) error {
			return putBucketPolicy(ctx, clients, t, policy(map[string]any{
				"Effect": "Deny", "Principal": map[string]any{"Service": "cloudtrail.amazonaws.com"}, "Action": "s3:PutObject", "Resource": t.objects(""),
			}))
		}},
		{ID: "T21", Call: "s3 PutBucketPolicy, which lets everybody read", Forms: each, OnlyLocal: "everybody could read the log until it is put back",
			TamperWith: func(ctx context.Context, clients Clients, t Target) error {
				return putBucketPolicy(ctx, clients, t, policy(map[string]any{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": t.objects("")}))
			}},
		{ID: "T21", Call: "s3 PutBucketPolicy with one statement more", Forms: each, TamperWith: func(ctx context.Context, clients Clients, t Target) error {
			got, err := clients.S3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &t.logBucket})
			if err != nil {
				return err
			}
			more, err := document{aws.ToString(got.Policy)}.withStatement(map[string]any{
				"Sid": "TrailGuardDrill", "Effect": "Deny", "Principal": map[string]any{"AWS": "*"}, "Action": "s3:GetObject", "Resource": t.objects("trailguard-drill/no-such-prefix/"),
			})
			if err != nil {
				return err
			}
			return putBucketPolicy(ctx, clients, t, &more)
		}},
		{ID: "T22", Call: "s3 DeleteBucketPolicy", Forms: each, OnlyLocal: deliveryAtStake, TamperWith: func(ctx context.Context, clients Clients, t Target) error {
			return of(clients.S3.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: &t.logBucket}))
		}},
		// S3 refuses to delete a bucket that holds anything.
		{ID: "T23", Call: "s3 DeleteBucket", Forms: each, Told: "DeleteBucket", Refusals: []string{"BucketNotEmpty"},
			OnlyLocal: "a bucket that is still empty would be gone, and its name free for anybody", TamperWith: func(ctx context.Context, clients Clients, t Target) error {
				return of(clients.S3.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &t.logBucket}))
			}},
		// S3 refuses it of a bucket with Object Lock.
		{ID: "T24", Call: "s3 PutBucketVersioning Status=Suspended", Forms: each, Refusals: []string{"InvalidBucketState"},
			TamperWith: func(ctx context.Context, clients Clients, t Target) error {
				return putVersioning(ctx, clients.S3, t.logBucket, s3types.BucketVersioningStatusSuspended)
			}},
		{ID: "T25", Call: "s3 DeleteObject, DeleteObjectVersion", NeverRun: "prevention only: no repair brings an object back. " +
			"Versions, Object Lock and the policies of the organization keep objects"},
		{ID: "T26", Call: "s3 PutBucketEncryption with another key", Forms: each, Needs: AnotherKey,
			OnlyLocal: "what is written until it is put back could not be read any more once the other key is gone", TamperWith: func(ctx context.Context, clients Clients, t Target) error {
				return putEncryption(ctx, clients, t, s3types.ServerSideEncryptionByDefault{SSEAlgorithm: s3types.ServerSideEncryptionAwsKms, KMSMasterKeyID: &t.KeyARN})
			}},
		{ID: "T26", Call: "s3 PutBucketEncryption SSEAlgorithm=AES256", TamperWith: func(ctx context.Context, clients Clients, t Target) error {
			return putEncryption(ctx, clients, t, s3types.ServerSideEncryptionByDefault{SSEAlgorithm: s3types.ServerSideEncryptionAes256})
		}},
		{ID: "T26", Call: "s3 DeleteBucketEncryption", TamperWith: func(ctx context.Context, clients Clients, t Target) error {
			return of(clients.S3.DeleteBucketEncryption(ctx, &s3.DeleteBucketEncryptionInput{Bucket: &t.logBucket}))
		}},
		// Nothing is public by it: the policy lets nobody in who is not named, and access control lists are off.
		{ID: "T27", Call: "s3 DeletePublicAccessBlock", Forms: each, TamperWith: func(ctx context.Context, clients Clients, t Target) error {
			return of(clients.S3.DeletePublicAccessBlock(ctx, &s3.DeletePublicAccessBlockInput{Bucket: &t.logBucket}))
		}},
		{ID: "T27", Call: "s3 PutBucketOwnershipControls BucketOwnerPreferred", Forms: each, TamperWith: func(ctx context.Context, clients Clients, t Target) error {
			return putOwnership(ctx, clients, t, s3types.ObjectOwnershipBucketOwnerPreferred)
		}},
		{ID: "T27", Call: "s3 PutBucketOwnershipControls ObjectWriter, then PutBucketAcl public-read-write", Forms: each,
			OnlyLocal: "everybody could write until it is put back", TamperWith: func(ctx context.Context, clients Clients, t Target) error {
				if err := putOwnership(ctx, clients, t, s3types.ObjectOwnershipObjectWriter); err != nil {
					return err
				}
				return of(clients.S3.PutBucketAcl(ctx, &s3.PutBucketAclInput{Bucket: &t.logBucket, ACL: s3types.BucketCannedACLPublicReadWrite}))
			}},
		{ID: "T27", Call: "s3 PutBucketLogging off", lacks: func(guard deployed.Guard) string {
			if guard.Parts.AccessLogBucket == "" {
				return "the stack has no bucket for the access log"
			}
			return ""
		}, TamperWith: func(ctx context.Context, clients Clients, t Target) error {
			return putAccessLogging(ctx, clients.S3, t.logBucket, nil)
		}},
		{ID: "T27", Call: "s3 DeleteBucketReplication", NeverRun: "the guard does not replicate the log"},
		{ID: "T28", Call: "kms DisableKey", Forms: key, OnlyLocal: keyAtStake, TamperWith: func(ctx context.Context, clients Clients, t Target) error {
			return of(clients.KMS.DisableKey(ctx, &kms.DisableKeyInput{KeyId: &t.logKey}))
		}},
		{ID: "T29", Call: "kms ScheduleKeyDeletion", Forms: key, OnlyLocal: "the key, and with it the whole log, would be lost",
			TamperWith: func(ctx context.Context, clients Clients, t Target) error {
				return of(clients.KMS.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: &t.logKey, PendingWindowInDays: aws.Int32(30)}))
			}},
		{ID: "T30", Call: "kms PutKeyPolicy without CloudTrail", Forms: key, OnlyLocal: keyAtStake, TamperWith: func(ctx context.Context, clients Clients, t Target) error {
			return putKeyPolicy(ctx, clients, t, policy(map[string]any{
				"Effect": "Allow", "Principal": map[string]any{"AWS": t.guard.Account()}, "Action": "kms:*", "Resource": "*",
			}))
		}},
		{ID: "T30", Call: "kms PutKeyPolicy with one statement more", TamperWith: func(ctx context.Context, clients Clients, t Target) error {
			got, err := clients.KMS.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: &t.logKey, PolicyName: aws.String("default")})
			if err != nil {
				return err
			}
			more, err := document{aws.ToString(got.Policy)}.withStatement(map[string]any{
				"Sid": "TrailGuardDrill", "Effect": "Deny", "Principal": map[string]any{"AWS": "*"}, "Action": "kms:Decrypt", "Resource": "*",
				"Condition": map[string]any{"StringEquals": map[string]any{"kms:EncryptionContext:trailguard": "drill"}},
			})
			if err != nil {
				return err
			}
			return putKeyPolicy(ctx, clients, t, &more)
		}},
		{ID: "T31", Call: "kms DisableKeyRotation", Forms: key, TamperWith: func(ctx context.Context, clients Clients, t Target) error {
			return of(clients.KMS.DisableKeyRotation(ctx, &kms.DisableKeyRotationInput{KeyId: &t.logKey}))
		}},
		// The grant is the drill's own, and lets nobody do more than look at the key.
		{ID: "T31", Call: "kms RevokeGrant", Told: "RevokeGrant", mayChangeNothing: true, TamperWith: func(ctx context.Context, clients Clients, t Target) error {
			made, err := clients.KMS.CreateGrant(ctx, &kms.CreateGrantInput{
				KeyId: &t.logKey, GranteePrincipal: &t.guard.AutomationRoleARN, Operations: []kmstypes.GrantOperation{kmstypes.GrantOperationDescribeKey},
			})
			if err != nil {
				return err
			}
			return of(clients.KMS.RevokeGrant(ctx, &kms.RevokeGrantInput{KeyId: &t.logKey, GrantId: made.GrantId}))
		}},
		{ID: "T31", Call: "kms UpdateAlias", NeverRun: "the guard's key has no alias"},
	}
	for i := range all {
		all[i].Of = LogStore
		if all[i].settings = bucketSettings; strings.HasPrefix(all[i].Call, "kms ") {
			all[i].settings = keySettings
		}
	}
	return all
}

// objects are the objects of the bucket that a call is about, below a prefix.
func (t Target) objects(prefix string) string {
	return "arn:" + t.guard.Partition() + ":s3:::" + t.logBucket + "/" + prefix + "*"
}

// expire replaces the lifecycle of a bucket by a rule that deletes objects below a prefix after a day.
func expire(prefix string) func(context.Context, Clients, Target) error {
	return func(ctx context.Context, clients Clients, t Target) error {
		return of(clients.S3.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{
			Bucket: &t.logBucket, LifecycleConfiguration: &s3types.BucketLifecycleConfiguration{Rules: []s3types.LifecycleRule{{
				ID: aws.String("cleanup"), Status: s3types.ExpirationStatusEnabled, Filter: &s3types.LifecycleRuleFilter{Prefix: &prefix},
				Expiration: &s3types.LifecycleExpiration{Days: aws.Int32(1)},
			}}},
		}))
	}
}

func putBucketPolicy(ctx context.Context, clients Clients, t Target, policy *string) error {
	return of(clients.S3.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &t.logBucket, Policy: policy}))
}

func putEncryption(ctx context.Context, clients Clients, t Target, by s3types.ServerSideEncryptionByDefault) error {
	return of(clients.S3.PutBucketEncryption(ctx, &s3.PutBucketEncryptionInput{
		Bucket: &t.logBucket, ServerSideEncryptionConfiguration: &s3types.ServerSideEncryptionConfiguration{
			Rules: []s3types.ServerSideEncryptionRule{{ApplyServerSideEncryptionByDefault: &by}},
		},
	}))
}

func putOwnership(ctx context.Context, clients Clients, t Target, ownership s3types.ObjectOwnership) error {
	return of(clients.S3.PutBucketOwnershipControls(ctx, &s3.PutBucketOwnershipControlsInput{
		Bucket: &t.logBucket, OwnershipControls: &s3types.OwnershipControls{Rules: []s3types.OwnershipControlsRule{{ObjectOwnership: ownership}}},
	}))
}

func putKeyPolicy(ctx context.Context, clients Clients, t Target, policy *string) error {
	return of(clients.KMS.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: &t.logKey, PolicyName: aws.String("default"), Policy: policy}))
}
