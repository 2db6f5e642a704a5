package config_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/configservice/types"

	"github.com/trailguard/trailguard/localaws/config"
	"github.com/trailguard/trailguard/localaws/internal/world"
	"github.com/trailguard/trailguard/localaws/repository"
)

// realGuard is the cfn-guard of the repository's node_modules, or of those that TRAILGUARD_NODE_MODULES names.
func realGuard(t *testing.T) *config.CfnGuard {
	t.Helper()
	path, err := config.CfnGuardPath(repository.NodeModules())
	if err != nil {
		t.Fatalf("%v: run `make setup`", err)
	}
	return &config.CfnGuard{Path: path}
}

const trailPolicy = `rule trail_is_as_declared when resourceType == "AWS::CloudTrail::Trail"
    configuration.name == "org-trail" {
    configuration.s3BucketName == "logs"
    configuration.s3KeyPrefix not exists or configuration.s3KeyPrefix == null or configuration.s3KeyPrefix == ""
    configuration.isMultiRegionTrail == true
}
`

func TestCfnGuardEvaluates(t *testing.T) {
	guard := realGuard(t)
	tests := []struct {
		what, item string
		want       config.Verdict
	}{
		{"as declared", `{"resourceType":"AWS::CloudTrail::Trail","configuration":{"name":"org-trail","s3BucketName":"logs","isMultiRegionTrail":true}}`, config.Pass},
		{"null", `{"resourceType":"AWS::CloudTrail::Trail","configuration":{"name":"org-trail","s3BucketName":"logs","s3KeyPrefix":null,"isMultiRegionTrail":true}}`, config.Pass},
		{"another prefix", `{"resourceType":"AWS::CloudTrail::Trail","configuration":{"name":"org-trail","s3BucketName":"logs","s3KeyPrefix":"x","isMultiRegionTrail":true}}`, config.Fail},
		{"one Region", `{"resourceType":"AWS::CloudTrail::Trail","configuration":{"name":"org-trail","s3BucketName":"logs","isMultiRegionTrail":false}}`, config.Fail},
		{"a missing field", `{"resourceType":"AWS::CloudTrail::Trail","configuration":{"name":"org-trail","s3BucketName":"logs"}}`, config.Fail},
		{"another trail", `{"resourceType":"AWS::CloudTrail::Trail","configuration":{"name":"other"}}`, config.Skip},
		{"another type", `{"resourceType":"AWS::S3::Bucket","configuration":{}}`, config.Skip},
		{"nothing", `{}`, config.Skip},
	}
	for _, test := range tests {
		got, err := guard.Evaluate(t.Context(), trailPolicy, []byte(test.item))
		if err != nil || got != test.want {
			t.Errorf("%s: got %s, %v, want %s", test.what, got, err, test.want)
		}
	}
}

func TestCfnGuardDistinguishesABadPolicyFromABadItem(t *testing.T) {
	guard := realGuard(t)
	if _, err := guard.Evaluate(t.Context(), "rule x { a == ", []byte("{}")); !errors.Is(err, config.ErrInvalidPolicy) {
		t.Errorf("a bad policy: %v", err)
	}
	if _, err := guard.Evaluate(t.Context(), trailPolicy, []byte("{")); err == nil || errors.Is(err, config.ErrInvalidPolicy) {
		t.Errorf("a bad item: %v", err)
	}
}

func TestCfnGuardRemembersItsVerdicts(t *testing.T) {
	guard := realGuard(t)
	if _, err := guard.Evaluate(t.Context(), trailPolicy, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	guard.Path = "/nowhere"
	if got, err := guard.Evaluate(t.Context(), trailPolicy, []byte("{}")); err != nil || got != config.Skip {
		t.Errorf("got %s, %v", got, err)
	}
	if _, err := guard.Evaluate(t.Context(), trailPolicy, []byte(`{"a":1}`)); err == nil {
		t.Error("a verdict that was never given is remembered")
	}
}

func TestAMissingCfnGuardSaysHowToInstallIt(t *testing.T) {
	if _, err := config.CfnGuardPath(t.TempDir()); err == nil {
		t.Error("cfn-guard is found where it is not")
	}
}

func TestARealPolicyIsEvaluatedAndRemediated(t *testing.T) {
	guard := realGuard(t)
	for _, reading := range []config.UnsetFields{config.UnsetIsNull, config.UnsetIsAbsent, config.UnsetIsEmpty} {
		f := recording(t, func(o *config.Options) { o.EvaluatePolicy, o.Unset = guard.Evaluate, reading })
		f.must(f.putRule(policyRule(trailPolicy)))
		f.must(f.putRemediation(remediation("declared")))
		other := goodTrail()
		other.Name, other.ARN, other.S3BucketName = "other", other.ARN+"2", "spare"
		f.set("other", other)
		f.set("org-trail", goodTrail())
		f.tick()
		if got := f.compliance("declared"); got != types.ComplianceTypeCompliant {
			t.Errorf("as declared: %s", got)
		}
		changed := goodTrail()
		changed.S3KeyPrefix = "elsewhere"
		f.set("org-trail", changed)
		f.tick()
		if got := f.compliance("declared"); got != types.ComplianceTypeNonCompliant || f.started() != 1 {
			t.Errorf("with another prefix: %s after %d starts", got, f.started())
		}
	}
	f := recording(t, func(o *config.Options) { o.EvaluatePolicy = guard.Evaluate })
	world.WantCode(t, f.putRule(policyRule("rule x { a == ")), "InvalidParameterValueException")
}
