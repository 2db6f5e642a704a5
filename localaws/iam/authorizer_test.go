package iam_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/trailguard/trailguard/localaws/api"
	localiam "github.com/trailguard/trailguard/localaws/iam"
	"github.com/trailguard/trailguard/localaws/iam/policy"
	"github.com/trailguard/trailguard/localaws/internal/world"
)

func TestARoleMayDoWhatItsPoliciesSay(t *testing.T) {
	w := world.New(t)
	client := w.CloudTrail(world.Repairer)
	for _, test := range []struct {
		name, trail, want string
	}{
		{"by name", "guarded", ""},
		{"by ARN", world.TrailARN, ""},
		{"another trail", "other", "AccessDeniedException"},
		{"the same name in another account", "arn:aws:cloudtrail:us-east-1:999999999999:trail/guarded", "AccessDeniedException"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := client.StartLogging(t.Context(), &cloudtrail.StartLoggingInput{Name: &test.trail})
			world.WantCode(t, err, test.want)
		})
	}
	_, err := client.StopLogging(t.Context(), &cloudtrail.StopLoggingInput{Name: aws.String("guarded")})
	want := "User: arn:aws:sts::123456789012:assumed-role/Repair/Automation-1 is not authorized to perform: cloudtrail:StopLogging " +
		"on resource: " + world.TrailARN + " because no identity-based policy allows the cloudtrail:StopLogging action"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := w.Err(); err != nil {
		t.Error(err)
	}
}

func TestPassingARoleIsAuthorized(t *testing.T) {
	w := world.New(t)
	for role, want := range map[string]string{
		"arn:aws:iam::123456789012:role/Logs":  "",
		"":                                     "",
		"arn:aws:iam::123456789012:role/Other": "AccessDeniedException",
	} {
		_, err := w.CloudTrail(world.Repairer).UpdateTrail(t.Context(), &cloudtrail.UpdateTrailInput{
			Name: aws.String("guarded"), CloudWatchLogsRoleArn: &role,
		})
		world.WantCode(t, err, want)
	}
}

func TestAnOrganizationPolicyBindsEveryoneButThoseItExempts(t *testing.T) {
	w := world.New(t)
	if err := w.SetOrganizationPolicies(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"cloudtrail:*","Resource":"*",
		"Condition":{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/guard/*"}}}]}`); err != nil {
		t.Fatal(err)
	}
	start := &cloudtrail.StartLoggingInput{Name: aws.String("guarded")}
	for p, want := range map[api.Principal]string{
		world.Mallory: "AccessDeniedException", world.Root: "AccessDeniedException", world.Repairer: "",
		{Type: api.AssumedRole, ARN: world.LinkedARN, SessionName: "s"}: "",
	} {
		w.Grant(world.LinkedARN, policy.MustParse(policy.Identity, policy.FullAWSAccess))
		_, err := w.CloudTrail(p).StartLogging(t.Context(), start)
		world.WantCode(t, err, want)
	}
	w.Reset()
	_, err := w.CloudTrail(world.Mallory).StartLogging(t.Context(), start)
	world.WantCode(t, err, "")
}

func TestABadOrganizationPolicyIsAnError(t *testing.T) {
	if err := world.New(t).SetOrganizationPolicies(`{}`); err == nil {
		t.Error("got no error")
	}
}

func TestABucketPolicyCanDenyAnAdministrator(t *testing.T) {
	w := world.New(t)
	w.Directory.Buckets["logs"] = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::logs/*"}]}`
	client := s3.NewFromConfig(w.As(world.Mallory))
	_, err := client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("logs"), Key: aws.String("AWSLogs/a")})
	world.WantCode(t, err, "AccessDenied")
	_, err = client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("others"), Key: aws.String("AWSLogs/a")})
	world.WantCode(t, err, "")
	_, err = client.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: aws.String("logs"), Delete: &s3types.Delete{
		Objects: []s3types.ObjectIdentifier{{Key: aws.String("AWSLogs/a")}},
	}})
	world.WantCode(t, err, "AccessDenied")
}

func TestAKeyPolicyMustAllow(t *testing.T) {
	w := world.New(t)
	enable := func(p api.Principal) error {
		_, err := kms.NewFromConfig(w.As(p)).EnableKey(t.Context(), &kms.EnableKeyInput{KeyId: aws.String(world.KeyARN)})
		return err
	}
	world.WantCode(t, enable(world.Repairer), "")
	w.Directory.Keys[world.KeyARN] = localiam.Key{ARN: world.KeyARN, Policy: strings.ReplaceAll(world.KeyForIAM, "123456789012:root", "999999999999:root")}
	// EnableKey has changed something, so the policy is read again.
	world.WantCode(t, enable(world.Repairer), "AccessDeniedException")
	world.WantCode(t, enable(world.Mallory), "AccessDeniedException")
}

func TestPoliciesAreReadOnceUntilACallChangesThem(t *testing.T) {
	w := world.New(t)
	start := func() error {
		_, err := w.CloudTrail(world.Repairer).StartLogging(t.Context(), &cloudtrail.StartLoggingInput{Name: aws.String("guarded")})
		return err
	}
	for range 3 {
		world.WantCode(t, start(), "")
	}
	if w.Directory.Asked != 1 {
		t.Errorf("the directory was asked %d times, want once", w.Directory.Asked)
	}
	w.Directory.Roles["Repair"] = localiam.Role{ARN: world.RoleARN, Trust: world.TrustsAutomation}
	world.WantCode(t, start(), "")
	_, err := iam.NewFromConfig(w.As(world.Mallory)).DeleteRolePolicy(t.Context(), &iam.DeleteRolePolicyInput{
		RoleName: aws.String("Repair"), PolicyName: aws.String("p"),
	})
	world.WantCode(t, err, "")
	world.WantCode(t, start(), "AccessDeniedException")
	delete(w.Directory.Roles, "Repair")
	w.Reset()
	world.WantCode(t, start(), "InvalidClientTokenId")
}

func TestARoleIsAssumedByThoseItTrusts(t *testing.T) {
	w := world.New(t)
	w.Directory.Roles["Deploy"] = localiam.Role{ARN: "arn:aws:iam::123456789012:role/Deploy", Identity: []string{world.Passing},
		Trust: strings.ReplaceAll(world.TrustsAutomation, `"Service":"ssm.amazonaws.com"`, `"AWS":"`+world.Mallory.ARN+`"`)}
	assume := func(role string) (*sts.AssumeRoleOutput, error) {
		return sts.NewFromConfig(w.As(world.Mallory)).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("me")})
	}
	for _, role := range []string{world.RoleARN, "arn:aws:iam::123456789012:role/None", "arn:aws:iam::123456789012:role/other/Deploy"} {
		_, err := assume(role)
		world.WantCode(t, err, "AccessDenied")
	}
	_, err := assume("arn:aws:iam::123456789012:role/Deploy")
	world.WantCode(t, err, "AccessDenied") // the condition on aws:SourceAccount is not met
	deploy := w.Directory.Roles["Deploy"]
	deploy.Trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + world.Mallory.ARN + `"},"Action":"sts:AssumeRole"}]}`
	w.Directory.Roles["Deploy"] = deploy
	w.Reset()
	got, err := assume(deploy.ARN)
	if err != nil {
		t.Fatal(err)
	}
	session := w.Config(aws.Credentials{AccessKeyID: *got.Credentials.AccessKeyId, SecretAccessKey: *got.Credentials.SecretAccessKey})
	identity, err := sts.NewFromConfig(session).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil || *identity.Arn != "arn:aws:sts::123456789012:assumed-role/Deploy/me" {
		t.Errorf("got %v, %v", identity, err)
	}
}

func TestAutomationAssumesARoleWithItsSource(t *testing.T) {
	w := world.New(t)
	service := api.Principal{Type: api.AWSService, ARN: "ssm.amazonaws.com"}
	source := func(account string) map[string][]string { return map[string][]string{"aws:SourceAccount": {account}} }
	world.WantCode(t, w.Authorize(t.Context(), service, "sts:AssumeRole", world.RoleARN, source("123456789012")), "")
	world.WantCode(t, w.Authorize(t.Context(), service, "sts:AssumeRole", world.RoleARN, source("999999999999")), "AccessDenied")
}
