package testbed

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/internal/plain"
)

// LogStoreState is everything that the services say about a key and some buckets, whose names are given by what they hold.
func LogStoreState(t TB, clients drill.Clients, keyARN string, buckets map[string]string) map[string]string {
	t.Helper()
	ctx, state := t.Context(), map[string]string{}
	note := func(name string, value any, err error) {
		t.Helper()
		if err != nil && !HasCode(err, "NoSuchBucketPolicy", "NoSuchLifecycleConfiguration", "NoSuchPublicAccessBlockConfiguration",
			"ServerSideEncryptionConfigurationNotFoundError", "OwnershipControlsNotFoundError", "ObjectLockConfigurationNotFoundError",
			"ReplicationConfigurationNotFoundError", "NoSuchTagSet") {
			Must(t, err)
		}
		state[name], err = plain.JSON(value)
		Must(t, err)
	}
	key, err := clients.KMS.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &keyARN})
	Must(t, err)
	note("key", fmt.Sprint(key.KeyMetadata.KeyState, key.KeyMetadata.DeletionDate), nil)
	policy, err := clients.KMS.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: &keyARN})
	Must(t, err)
	note("key policy", json.RawMessage(*policy.Policy), nil)
	rotation, err := clients.KMS.GetKeyRotationStatus(ctx, &kms.GetKeyRotationStatusInput{KeyId: &keyARN})
	Must(t, err)
	note("rotation", rotation.KeyRotationEnabled, nil)
	for what, name := range buckets {
		client, bucket := clients.S3, &name
		policy, err := client.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: bucket})
		text := json.RawMessage("null")
		if err == nil {
			text = json.RawMessage(*policy.Policy)
		}
		note(what+": policy", text, err)
		lifecycle, err := client.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: bucket})
		if err == nil {
			for i := range lifecycle.Rules {
				lifecycle.Rules[i].ID = nil
			}
			note(what+": lifecycle", lifecycle.Rules, nil)
		} else {
			note(what+": lifecycle", nil, err)
		}
		versioning, err := client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: bucket})
		Must(t, err)
		note(what+": versioning", versioning.Status, nil)
		encryption, err := client.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: bucket})
		if err == nil {
			note(what+": encryption", encryption.ServerSideEncryptionConfiguration, nil)
		} else {
			note(what+": encryption", nil, err)
		}
		block, err := client.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: bucket})
		if err == nil {
			note(what+": public access block", block.PublicAccessBlockConfiguration, nil)
		} else {
			note(what+": public access block", nil, err)
		}
		ownership, err := client.GetBucketOwnershipControls(ctx, &s3.GetBucketOwnershipControlsInput{Bucket: bucket})
		if err == nil {
			note(what+": ownership", ownership.OwnershipControls, nil)
		} else {
			note(what+": ownership", nil, err)
		}
		acl, err := client.GetBucketAcl(ctx, &s3.GetBucketAclInput{Bucket: bucket})
		Must(t, err)
		note(what+": access control list", acl.Grants, nil)
		logging, err := client.GetBucketLogging(ctx, &s3.GetBucketLoggingInput{Bucket: bucket})
		Must(t, err)
		note(what+": access logging", logging.LoggingEnabled, nil)
		lock, err := client.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: bucket})
		if err == nil {
			note(what+": Object Lock", lock.ObjectLockConfiguration, nil)
		} else {
			note(what+": Object Lock", nil, err)
		}
	}
	return state
}

// WantLogStoreState reports what is not as it was.
func WantLogStoreState(t TB, got, want map[string]string) {
	t.Helper()
	for _, name := range Changed(got, want) {
		t.Errorf("%s is\n%s\nnot\n%s", name, got[name], want[name])
	}
}

// Changed are the names of what is not as it was.
func Changed(got, want map[string]string) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(want)), func(name string) bool { return got[name] == want[name] })
}
