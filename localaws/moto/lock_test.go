package moto

import (
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// TestABucketThatHoldsFilesIsLockedInPlace: S3 turns Object Lock on for a bucket that is in use, and never off. moto would want it
// to be empty, and would deny every call to a bucket whose policy denies plain HTTP.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-configure.html
func TestABucketThatHoldsFilesIsLockedInPlace(t *testing.T) {
	cfg := fresh(t)
	lock := func(on bool) string {
		return edited(t, func(resources map[string]map[string]any) {
			scratch := map[string]any{"VersioningConfiguration": map[string]any{"Status": "Enabled"}}
			resources["Scratch"]["Properties"] = scratch
			if on {
				scratch["ObjectLockEnabled"] = true
				scratch["ObjectLockConfiguration"] = map[string]any{
					"ObjectLockEnabled": "Enabled", "Rule": map[string]any{"DefaultRetention": map[string]any{"Mode": "GOVERNANCE", "Days": 1}},
				}
			}
			resources["ScratchPolicy"] = map[string]any{"Type": "AWS::S3::BucketPolicy", "Properties": map[string]any{
				"Bucket": map[string]any{"Ref": "Scratch"},
				"PolicyDocument": map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
					"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": map[string]any{"Fn::Sub": "${Scratch.Arn}/*"},
					"Condition": map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}},
				}}},
			}}
		})
	}
	bucket := aws.String(outputs(create(t, cfg, lock(false)))["ScratchName"])
	client := s3Client(cfg)
	if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: aws.String("a"), Body: strings.NewReader("x")}); err != nil {
		t.Fatal(err)
	}
	stack := update(t, cfg, lock(true))
	wantStatus(t, stack, cfntypes.StackStatusUpdateComplete)
	if name := outputs(stack)["ScratchName"]; name != *bucket {
		t.Errorf("the bucket was %s and is %s", *bucket, name)
	}
	wantStatus(t, update(t, cfg, lock(false)), cfntypes.StackStatusUpdateRollbackComplete)
	if reason := aws.ToString(describe(t, cfg).StackStatusReason); !strings.Contains(reason, "Object Lock of a bucket cannot be disabled") {
		t.Errorf("the reason is %q", reason)
	}
	got, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: aws.String("a")})
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(got.Body); err != nil || string(text) != "x" {
		t.Errorf("the file is %q (%v)", text, err)
	}
	configured, err := client.GetObjectLockConfiguration(t.Context(), &s3.GetObjectLockConfigurationInput{Bucket: bucket})
	if err != nil || configured.ObjectLockConfiguration.Rule == nil {
		t.Errorf("the lock is %+v (%v)", configured, err)
	}
}
