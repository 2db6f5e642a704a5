package configservice_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/configservice/types"

	"github.com/trailguard/trailguard/localaws/configservice"
	"github.com/trailguard/trailguard/localaws/repository"
)

// realGuard is the cfn-guard of the repository's node_modules, or of those that TRAILGUARD_NODE_MODULES names.
func realGuard(t *testing.T) *configservice.CfnGuard {
	t.Helper()
	path, err := configservice.CfnGuardPath(repository.NodeModules())
	if err != nil {
		t.Fatalf("%v: run `make setup`", err)
	}
	return &configservice.CfnGuard{Path: path}
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
		want       configservice.Verdict
	}{
		{"as declared", `{"resourceType":"AWS::CloudTrail::Trail","configuration":{"name":"org-trail","s3BucketName":"logs","isMultiRegionTrail":true}}`, configservice.Pass},
		{"null", `{"resourceType":"AWS::CloudTrail::Trail","configuration":{"name":"org-trail","s3BucketName":"logs","s3KeyPrefix":null,"isMultiRegionTrail":true}}`, configservice.Pass},
		{"another prefix", `{"resourceType":"AWS::CloudTrail::Trail","configuration":{"name":"org-trail","s3BucketName":"logs","s3KeyPrefix":"x","isMultiRegionTrail":true}}`, configservice.Fail},
		{"one Region", `{"resourceType":"AWS::CloudTrail::Trail","configuration":{"name":"org-trail","s3BucketName":"logs","isMultiRegionTrail":false}}`, configservice.Fail},
		{"a missing field", `{"resourceType":"AWS::CloudTrail::Trail","configuration":{"name":"org-trail","s3BucketName":"logs"}}`, configservice.Fail},
		{"another trail", `{"resourceType":"AWS::CloudTrail::Trail","configuration":{"name":"other"}}`, configservice.Skip},
		{"another type", `{"resourceType":"AWS::S3::Bucket","configuration":{}}`, configservice.Skip},
		{"nothing", `{}`, configservice.Skip},
	}
	for _, test := range tests {
		got, err := guard.Evaluate(t.Context(), trailPolicy, []byte(test.item))
		if err != nil || got != test.want {
			t.Errorf("%s: got %s, %v, want %s", test.what, got, err, test.want)
		}
	}
}

func TestCfnGuardTellsABadPolicyFromABadItem(t *testing.T) {
	guard := realGuard(t)
	if _, err := guard.Evaluate(t.Context(), "rule x { a == ", []byte("{}")); !errors.Is(err, configservice.ErrInvalidPolicy) {
		t.Errorf("a bad policy: %v", err)
	}
	if _, err := guard.Evaluate(t.Context(), trailPolicy, []byte("{")); err == nil || errors.Is(err, configservice.ErrInvalidPolicy) {
		t.Errorf("a bad item: %v", err)
	}
}

func TestCfnGuardRemembersItsVerdicts(t *testing.T) {
	guard := realGuard(t)
	if _, err := guard.Evaluate(t.Context(), trailPolicy, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	guard.Path = "/nowhere"
	if got, err := guard.Evaluate(t.Context(), trailPolicy, []byte("{}")); err != nil || got != configservice.Skip {
		t.Errorf("got %s, %v", got, err)
	}
	if _, err := guard.Evaluate(t.Context(), trailPolicy, []byte(`{"a":1}`)); err == nil {
		t.Error("a verdict that was never given is remembered")
	}
}

func TestAMissingCfnGuardSaysHowToInstallIt(t *testing.T) {
	if _, err := configservice.CfnGuardPath(t.TempDir()); err == nil {
		t.Error("cfn-guard is found where it is not")
	}
}

func TestARealPolicyIsEvaluatedAndRemediated(t *testing.T) {
	guard := realGuard(t)
	for _, reading := range []configservice.UnsetFields{configservice.UnsetIsNull, configservice.UnsetIsAbsent, configservice.UnsetIsEmpty} {
		f := recording(t, func(o *configservice.Options) { o.Guard, o.Unset = guard.Evaluate, reading })
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
	f := recording(t, func(o *configservice.Options) { o.Guard = guard.Evaluate })
	wantCode(t, f.putRule(policyRule("rule x { a == ")), "InvalidParameterValueException")
}
