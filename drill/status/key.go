package status

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// lookAtKey compares a key with the template's.
func lookAtKey(ctx context.Context, v *view, r resource, f *Finding) {
	if !lookAtKeyState(ctx, v, r.name, r.properties["Enabled"] == nil || same(r.properties["Enabled"], true), f) {
		return
	}
	rotation, err := v.KMS.GetKeyRotationStatus(ctx, &kms.GetKeyRotationStatusInput{KeyId: &r.name})
	if f.read(err, "KMSInvalidStateException") == seen {
		f.compare("aws kms enable-key-rotation --key-id "+r.name, "KeyRotationEnabled", r.properties["EnableKeyRotation"], rotation.KeyRotationEnabled)
		if want := r.properties["RotationPeriodInDays"]; want != nil && rotation.KeyRotationEnabled {
			f.compare(revert, "RotationPeriodInDays", want, plain(rotation.RotationPeriodInDays))
		}
	}
	policy, err := v.KMS.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: &r.name, PolicyName: aws.String("default")})
	if f.read(err) == seen {
		f.comparePolicy(r.properties["KeyPolicy"], aws.ToString(policy.Policy))
	}
}

// lookAtKeyState looks whether a key can be used. It is false if there is no key any more.
func lookAtKeyState(ctx context.Context, v *view, key string, enabled bool, f *Finding) bool {
	described, err := v.KMS.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &key})
	switch f.read(err, "NotFoundException") {
	case gone:
		f.wrong("deploy with another key (the prop LogKey): what was encrypted with this one cannot be read any more", "it is deleted, for good")
		return false
	case seen:
		enable := "aws kms enable-key --key-id " + key
		switch state := described.KeyMetadata.KeyState; {
		case state == types.KeyStatePendingDeletion:
			f.wrong("aws kms cancel-key-deletion --key-id "+key+" && "+enable, "it will be deleted at %s, and with it the log that it encrypts", at(described.KeyMetadata.DeletionDate))
		case state != types.KeyStateEnabled && enabled:
			f.wrong(enable, "it is %s", state)
		}
	}
	return true
}
