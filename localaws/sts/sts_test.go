package sts_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/trailguard/trailguard/localaws/iam"
	"github.com/trailguard/trailguard/localaws/internal/world"
)

const deployARN = "arn:aws:iam::123456789012:role/Deploy"

// client is STS for Mallory, whom the role Deploy trusts.
func client(t *testing.T) (*world.World, *sts.Client) {
	t.Helper()
	w := world.New(t)
	w.Directory.Roles["Deploy"] = iam.Role{ARN: deployARN, Trust: `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"AWS":"` + world.Mallory.ARN + `"},"Action":"sts:AssumeRole"}]}`}
	return w, sts.NewFromConfig(w.As(world.Mallory))
}

func TestTheKeyOfAnAssumedRoleIsOfItsSession(t *testing.T) {
	w, mallory := client(t)
	got, err := mallory.AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: aws.String(deployARN), RoleSessionName: aws.String("me")})
	if err != nil {
		t.Fatal(err)
	}
	session := w.Config(aws.Credentials{AccessKeyID: *got.Credentials.AccessKeyId, SecretAccessKey: *got.Credentials.SecretAccessKey})
	identity, err := sts.NewFromConfig(session).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil {
		t.Fatal(err)
	}
	const want = "arn:aws:sts::123456789012:assumed-role/Deploy/me"
	if *identity.Arn != want || *got.AssumedRoleUser.Arn != want || *identity.Account != "123456789012" || *identity.UserId != *got.AssumedRoleUser.AssumedRoleId {
		t.Errorf("the session is %s (%s) of %s, want %s (%s)", *identity.Arn, *identity.UserId, *identity.Account, want, *got.AssumedRoleUser.AssumedRoleId)
	}
}

func TestASessionPolicyIsNotModelled(t *testing.T) {
	_, mallory := client(t)
	for what, change := range map[string]func(*sts.AssumeRoleInput){
		"a policy":         func(in *sts.AssumeRoleInput) { in.Policy = aws.String("{}") },
		"a managed policy": func(in *sts.AssumeRoleInput) { in.PolicyArns = []types.PolicyDescriptorType{{Arn: aws.String("arn")}} },
	} {
		in := &sts.AssumeRoleInput{RoleArn: aws.String(deployARN), RoleSessionName: aws.String("me")}
		change(in)
		_, err := mallory.AssumeRole(t.Context(), in)
		if code := world.Code(err); code != "NotModelled" {
			t.Errorf("%s: got %v", what, err)
		}
	}
}
