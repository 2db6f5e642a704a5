package main

import (
	"os"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

func TestMain(m *testing.M) {
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

func TestTheGuardTakesTagsDependenciesAndGrants(t *testing.T) {
	template := assertions.Template_FromStack(newStack(awscdk.NewApp(nil)), nil)
	template.HasResourceProperties(jsii.String("AWS::KMS::Key"), map[string]any{
		"Tags": assertions.Match_ArrayWith(&[]any{map[string]any{"Key": "team", "Value": "security"}}),
	})
	template.HasResource(jsii.String("AWS::S3::Bucket"), map[string]any{
		"DependsOn": assertions.Match_ArrayWith(&[]any{assertions.Match_StringLikeRegexp(jsii.String("^TrailGuardConfigRules"))}),
	})
	template.HasResourceProperties(jsii.String("AWS::IAM::Policy"), map[string]any{
		"Roles": []any{map[string]any{"Ref": assertions.Match_StringLikeRegexp(jsii.String("^Auditors"))}},
		"PolicyDocument": map[string]any{"Statement": assertions.Match_ArrayWith(&[]any{assertions.Match_ObjectLike(&map[string]any{
			"Action":    "kms:Decrypt",
			"Condition": map[string]any{"Null": map[string]any{"kms:EncryptionContext:aws:cloudtrail:arn": "false"}},
		})})},
	})
}

func TestTheGuardIsOpenToAspects(t *testing.T) {
	stack := newStack(awscdk.NewApp(nil))
	buckets := &bucketCounter{}
	awscdk.Aspects_Of(stack).Add(buckets, nil)
	assertions.Template_FromStack(stack, nil)
	if buckets.count != 3 {
		t.Errorf("the aspect saw %d buckets, not the slips, the log bucket and its access log", buckets.count)
	}
}

type bucketCounter struct{ count int }

func (b *bucketCounter) Visit(node constructs.IConstruct) {
	if _, ok := node.(awss3.CfnBucket); ok {
		b.count++
	}
}
