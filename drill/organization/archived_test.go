package organization

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/trailguard/trailguard/drill"
)

// testDelivery: CloudTrail delivers from each account to the archive.
func testDelivery(h *house) {
	began := h.Clock.Now()
	h.pass(time.Minute)
	for _, account := range []string{management, archive, security, memberOne, memberTwo, delegate} {
		status, err := h.clients(account).CloudTrail.GetTrailStatus(h.t.Context(), &cloudtrail.GetTrailStatusInput{Name: aws.String(trailName)})
		h.must(err)
		problems := aws.ToString(status.LatestDeliveryError) + aws.ToString(status.LatestDigestDeliveryError)
		if at := status.LatestDeliveryTime; problems != "" || at == nil || at.Before(began) {
			h.t.Errorf("the trail of %s has delivered at %v: %s", account, at, problems)
		}
	}
}

// ciphertext is what CloudTrail would have encrypted for a member's trail.
func (h *house) ciphertext() *kms.DecryptInput {
	h.t.Helper()
	context := map[string]string{"aws:cloudtrail:arn": h.guardARN(memberOne)}
	encrypted, err := kms.NewFromConfig(h.inRole(archive, breakGlass)).Encrypt(h.t.Context(), &kms.EncryptInput{KeyId: &h.key, Plaintext: []byte("{}"), EncryptionContext: context})
	h.must(err)
	return &kms.DecryptInput{KeyId: &h.key, CiphertextBlob: encrypted.CiphertextBlob, EncryptionContext: context}
}

// testReaders: those who may read, read; nobody else does.
func testReaders(h *house) {
	bucket := aws.String(h.output(logArchiveStack, "LogBucketName"))
	_, err := s3.NewFromConfig(h.inRole(archive, breakGlass)).PutObject(h.t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: aws.String(logFile), Body: strings.NewReader("{}")})
	h.must(err)
	secret := h.ciphertext()
	for _, reader := range []struct {
		account, role string
		may           bool
	}{{archive, administrator, true}, {security, administrator, true}, {memberOne, administrator, false}, {outsider, administrator, false}} {
		if reader.account == outsider {
			h.makeRole(outsider, administrator)
		}
		config := h.inRole(reader.account, reader.role)
		for what, err := range map[string]error{
			"GetObject":     failure(s3.NewFromConfig(config).GetObject(h.t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: aws.String(logFile)})),
			"ListObjectsV2": failure(s3.NewFromConfig(config).ListObjectsV2(h.t.Context(), &s3.ListObjectsV2Input{Bucket: bucket})),
			"Decrypt":       failure(kms.NewFromConfig(config).Decrypt(h.t.Context(), secret)),
		} {
			if (err == nil) != reader.may || err != nil && !refusedBy(err, "") {
				h.t.Errorf("%s by %s: %v", what, reader.account, err)
			}
		}
	}
}

// withOpenArchive runs something while the policies of the archive's bucket and key let in everybody: only the organization's policies
// are in the way then.
func (h *house) withOpenArchive(run func(bucket string)) {
	h.t.Helper()
	ctx, config := h.t.Context(), h.inRole(archive, breakGlass)
	buckets, keys := s3.NewFromConfig(config), kms.NewFromConfig(config)
	bucket := h.output(logArchiveStack, "LogBucketName")
	of, err := buckets.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &bucket})
	h.must(err)
	ofKey, err := keys.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: &h.key})
	h.must(err)
	_, err = buckets.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: h.opened(*of.Policy, "s3:*", "arn:aws:s3:::"+bucket, "arn:aws:s3:::"+bucket+"/*")})
	h.must(err)
	_, err = keys.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: &h.key, Policy: h.opened(*ofKey.Policy, "kms:*", "*")})
	h.must(err)
	run(bucket)
	_, err = buckets.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: of.Policy})
	h.must(err)
	_, err = keys.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: &h.key, Policy: ofKey.Policy})
	h.must(err)
}

// opened is a policy with a statement that allows everybody, services included.
func (h *house) opened(policy, action string, resources ...string) *string {
	h.t.Helper()
	var document map[string]any
	h.must(json.Unmarshal([]byte(policy), &document))
	document["Statement"] = append(document["Statement"].([]any), map[string]any{"Effect": "Allow", "Principal": "*", "Action": action, "Resource": resources})
	text, err := json.Marshal(document)
	h.must(err)
	return aws.String(string(text))
}

// strangersTrail makes the trail of an outsider that writes to the archive, and returns why it cannot.
func (h *house) strangersTrail(ctx context.Context, bucket string) error {
	h.t.Helper()
	_, err := drill.NewClients(h.as(outsider)).CloudTrail.CreateTrail(ctx, &cloudtrail.CreateTrailInput{Name: aws.String(trailName), S3BucketName: &bucket})
	return err
}

// testOthers: neither the management account nor a stranger changes or deletes anything in the archive, even if its own policies are
// wide open; a member and the archive's own administrators do not either (see testRowsAreRefused).
func testOthers(h *house) {
	h.withOpenArchive(func(bucket string) {
		h.wantUnchanged(func() {
			for _, account := range []string{management, outsider} {
				for who, principal := range administrators(account) {
					if who == "a role" && account == management {
						continue
					}
					for _, r := range onStore(archive, bucket, h.key) {
						if err := r.call(h.t.Context(), h.by(account, principal)); !refusedBy(err, byResourceControl) {
							h.t.Errorf("%s: %s, by %s in %s: %v", r.id, r.what, who, account, err)
						}
					}
				}
			}
		})
		if err := h.strangersTrail(h.t.Context(), bucket); err == nil || !strings.Contains(err.Error(), "InsufficientS3BucketPolicyException") {
			h.t.Errorf("a stranger's trail may write: %v", err)
		}
		// Negative control: without the policy they do.
		h.withoutPolicies("Core", func() {
			for _, r := range onStore(archive, bucket, h.key) {
				if r.id == "T25" || r.id == "T20" || r.id == "T31" {
					if err := r.call(h.t.Context(), h.as(outsider)); refusedBy(err, "") {
						h.t.Errorf("without the policy, %s: %v", r.what, err)
					}
				}
			}
			h.must(h.strangersTrail(h.t.Context(), bucket))
		}, resourceControl)
	})
}

// The types of policies.
const serviceControl, resourceControl = "SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"

// withoutPolicies runs something while the guard's policies of some types are detached from an organizational unit.
func (h *house) withoutPolicies(unit string, run func(), kinds ...string) {
	h.t.Helper()
	client := organizations.NewFromConfig(h.as(management))
	target := h.unit(unit)
	var detached []*string
	for _, id := range h.ids(management, preventionStack)["AWS::Organizations::Policy"] {
		described, err := client.DescribePolicy(h.t.Context(), &organizations.DescribePolicyInput{PolicyId: &id})
		h.must(err)
		if slices.Contains(kinds, string(described.Policy.PolicySummary.Type)) {
			_, err := client.DetachPolicy(h.t.Context(), &organizations.DetachPolicyInput{PolicyId: &id, TargetId: &target})
			h.must(err)
			detached = append(detached, &id)
		}
	}
	run()
	for _, id := range detached {
		_, err := client.AttachPolicy(h.t.Context(), &organizations.AttachPolicyInput{PolicyId: id, TargetId: &target})
		h.must(err)
	}
}
