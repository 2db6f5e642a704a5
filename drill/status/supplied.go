package status

import (
	"context"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// What somebody supplies to a guard is not in its template. The template has the statements that its policy must have, in an output.

// suppliedBucket is the log bucket; empty if it is the stack's, or that of another stack which is looked at.
func (v *view) suppliedBucket() string {
	if _, own := v.stack.named("AWS::S3::Bucket", v.guard.LogBucketName); own || v.among.makes(v.guard.LogBucketName) {
		return ""
	}
	return v.guard.LogBucketName
}

// suppliedKey is the log key; empty if it is the stack's, or that of another stack which is looked at.
func (v *view) suppliedKey() string {
	if _, own := v.stack.named("AWS::KMS::Key", lastOf(v.guard.LogKeyARN)); own || v.among.makes(v.guard.LogKeyARN) {
		return ""
	}
	return v.guard.LogKeyARN
}

// suppliedRole is the automation role; empty if it is the stack's.
func (v *view) suppliedRole() string {
	name := lastOf(v.guard.AutomationRoleARN)
	if _, own := v.stack.named("AWS::IAM::Role", name); own {
		return ""
	}
	return name
}

func lookAtSuppliedBucket(ctx context.Context, v *view, f *Finding) {
	got, err := v.S3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &f.Name})
	switch {
	case hasCode(err, "NoSuchBucket"):
		f.seen++
		f.wrong("deploy with another LogBucket", "it is deleted")
	case f.read(err, "NoSuchBucketPolicy") == gone:
		f.wrong("put the policy of the output LogBucketStatements", "it has no policy: CloudTrail cannot deliver")
	case err == nil:
		v.wantStatements("LogBucket", aws.ToString(got.Policy), f)
	}
}

func lookAtSuppliedKey(ctx context.Context, v *view, f *Finding) {
	if !lookAtKeyState(ctx, v, f.Name, true, f) {
		return
	}
	policy, err := v.KMS.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: &f.Name, PolicyName: aws.String("default")})
	if f.read(err) == seen {
		v.wantStatements("LogKey", aws.ToString(policy.Policy), f)
	}
}

func lookAtSuppliedRole(ctx context.Context, v *view, f *Finding) {
	_, err := v.IAM.GetRole(ctx, &iam.GetRoleInput{RoleName: &f.Name})
	switch f.read(err, "NoSuchEntity", "NoSuchEntityException") {
	case gone:
		f.wrong("create it again, or deploy with another AutomationRole", "it is deleted: nothing repairs the trail")
	case seen:
		f.NotSeen = append(f.NotSeen, NotSeen{What: "its policies are not in the template: compare them with the output AutomationRoleStatements"})
	}
}

// wantStatements looks whether a policy has the statements of an output. Another statement may allow the same.
func (v *view) wantStatements(prop, policy string, f *Finding) {
	had := statements(policy)
	output := regexp.MustCompile(prop + `Statements[0-9]*([0-9A-F]{8})?$`)
	for _, one := range v.stack.described.Outputs {
		if !output.MatchString(aws.ToString(one.OutputKey)) {
			continue
		}
		for text, statement := range statements(`{"Statement":` + aws.ToString(one.OutputValue) + `}`) {
			if _, has := had[text]; !has {
				f.NotSeen = append(f.NotSeen, NotSeen{What: "statement " + named(statement) + " of the output " + *one.OutputKey + " is not in its policy: whether another allows the same is not seen"})
			}
		}
	}
}
