package config_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	"github.com/aws/aws-sdk-go-v2/service/configservice/types"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/config"
	"github.com/trailguard/trailguard/localaws/internal/world"
	"github.com/trailguard/trailguard/localaws/sdk"
)

// fixture is a Config with the SDK's client in front of it, and with everything around it under the test's control.
type fixture struct {
	*configservice.Client
	service *config.Service
	clock   *api.Clock
	t       *testing.T

	mu        sync.Mutex
	trails    map[string]config.Trail // by name
	starts    []map[string][]string   // the parameters of each automation that was started
	documents []string                // their documents and versions
	refuse    error                   // what StartAutomation fails with
	events    []map[string]any
	guarded   []string // the items that Guard was asked about
}

func newFixture(t *testing.T, change func(*config.Options)) *fixture {
	t.Helper()
	f := &fixture{clock: api.NewClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)), t: t, trails: map[string]config.Trail{}}
	options := config.Options{
		Clock: f.clock,
		Trails: func() []config.Trail {
			f.mu.Lock()
			defer f.mu.Unlock()
			trails := []config.Trail{}
			for trail := range maps.Values(f.trails) {
				trails = append(trails, trail)
			}
			return trails
		},
		// The policy of most tests is the text that a compliant item contains.
		EvaluatePolicy: func(_ context.Context, policy string, item []byte) (config.Verdict, error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			switch {
			case policy == "unreadable":
				return "", fmt.Errorf("%w: line 1", config.ErrInvalidPolicy)
			case policy == "broken" && string(item) != "{}":
				return "", errors.New("guard is broken")
			case string(item) == "{}":
				return config.Skip, nil
			}
			f.guarded = append(f.guarded, string(item))
			if strings.Contains(string(item), policy) {
				return config.Pass, nil
			}
			return config.Fail, nil
		},
		StartAutomation: func(_ context.Context, document, version string, parameters map[string][]string) (string, error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.refuse != nil {
				return "", f.refuse
			}
			f.starts, f.documents = append(f.starts, parameters), append(f.documents, document+":"+version)
			return fmt.Sprintf("execution-%d", len(f.starts)), nil
		},
		Emit: func(_ context.Context, event map[string]any) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.events = append(f.events, event)
			return nil
		},
		DocumentExists: func(_ context.Context, name string) (bool, error) { return name == "repair", nil },
		BucketExists:   func(_ context.Context, name string) (bool, error) { return name == "config", nil },
	}
	if change != nil {
		change(&options)
	}
	f.service = config.New(options)
	f.Client = configservice.New(configservice.Options{
		Region:           "us-east-1",
		Credentials:      credentials.NewStaticCredentialsProvider("a", "b", ""),
		HTTPClient:       &http.Client{Transport: sdk.Transport{Handler: f.service, Service: "config", Region: "us-east-1"}},
		RetryMaxAttempts: 1,
	})
	return f
}

// recording is a fixture with a recorder of trails that is recording.
func recording(t *testing.T, change func(*config.Options)) *fixture {
	t.Helper()
	f := newFixture(t, change)
	f.must(f.putRecorder("default", &types.RecordingGroup{ResourceTypes: []types.ResourceType{"AWS::CloudTrail::Trail"}}))
	f.must(f.putChannel("default", "config"))
	f.must(f.startRecorder())
	return f
}

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) putRecorder(name string, group *types.RecordingGroup) error {
	_, err := f.PutConfigurationRecorder(f.t.Context(), &configservice.PutConfigurationRecorderInput{ConfigurationRecorder: &types.ConfigurationRecorder{
		Name: &name, RoleARN: aws.String("arn:aws:iam::123456789012:role/config"), RecordingGroup: group,
	}})
	return err
}

func (f *fixture) startRecorder() error {
	_, err := f.StartConfigurationRecorder(f.t.Context(), &configservice.StartConfigurationRecorderInput{ConfigurationRecorderName: aws.String("default")})
	return err
}

func (f *fixture) stopRecorder() error {
	_, err := f.StopConfigurationRecorder(f.t.Context(), &configservice.StopConfigurationRecorderInput{ConfigurationRecorderName: aws.String("default")})
	return err
}

func (f *fixture) putChannel(name, bucket string) error {
	_, err := f.PutDeliveryChannel(f.t.Context(), &configservice.PutDeliveryChannelInput{DeliveryChannel: &types.DeliveryChannel{Name: &name, S3BucketName: &bucket}})
	return err
}

func (f *fixture) putRule(config types.ConfigRule) error {
	_, err := f.PutConfigRule(f.t.Context(), &configservice.PutConfigRuleInput{ConfigRule: &config})
	return err
}

func (f *fixture) tick() {
	f.t.Helper()
	f.must(f.service.Tick(f.t.Context()))
}

// set puts a trail into the account; the zero Trail takes it out.
func (f *fixture) set(name string, trail config.Trail) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if trail.Name == "" {
		delete(f.trails, name)
		return
	}
	f.trails[name] = trail
}

func (f *fixture) compliance(rule string) types.ComplianceType {
	f.t.Helper()
	out, err := f.DescribeComplianceByConfigRule(f.t.Context(), &configservice.DescribeComplianceByConfigRuleInput{ConfigRuleNames: []string{rule}})
	f.must(err)
	return out.ComplianceByConfigRules[0].Compliance.ComplianceType
}

func (f *fixture) exceptions(rule string) []types.RemediationException {
	f.t.Helper()
	out, err := f.DescribeRemediationExceptions(f.t.Context(), &configservice.DescribeRemediationExceptionsInput{ConfigRuleName: &rule})
	f.must(err)
	return out.RemediationExceptions
}

// goodTrail is a trail that every rule of the tests is content with.
func goodTrail() config.Trail {
	return config.Trail{
		Name: "org-trail", ARN: "arn:aws:cloudtrail:us-east-1:123456789012:trail/org-trail", HomeRegion: "us-east-1",
		S3BucketName: "logs", SNSTopicARN: "arn:aws:sns:us-east-1:123456789012:deliveries",
		KMSKeyID:                   "arn:aws:kms:us-east-1:123456789012:key/1",
		IncludeGlobalServiceEvents: true, IsMultiRegionTrail: true, LogFileValidationEnabled: true, IsLogging: true,
		LogsAllManagementEvents: true,
	}
}

func enabledRule() types.ConfigRule {
	return types.ConfigRule{
		ConfigRuleName:            aws.String("enabled"),
		Source:                    &types.Source{Owner: types.OwnerAws, SourceIdentifier: aws.String("CLOUD_TRAIL_ENABLED")},
		InputParameters:           aws.String(`{"s3BucketName":"logs"}`),
		MaximumExecutionFrequency: types.MaximumExecutionFrequencyOneHour,
	}
}

func securityRule() types.ConfigRule {
	return types.ConfigRule{
		ConfigRuleName: aws.String("security"),
		Source:         &types.Source{Owner: types.OwnerAws, SourceIdentifier: aws.String("CLOUDTRAIL_SECURITY_TRAIL_ENABLED")},
	}
}

func policyRule(policy string) types.ConfigRule {
	return types.ConfigRule{
		ConfigRuleName: aws.String("declared"),
		Scope:          &types.Scope{ComplianceResourceTypes: []string{"AWS::CloudTrail::Trail"}},
		Source: &types.Source{
			Owner:               types.OwnerCustomPolicy,
			CustomPolicyDetails: &types.CustomPolicyDetails{PolicyRuntime: aws.String("guard-2.x.x"), PolicyText: &policy},
			SourceDetails:       []types.SourceDetail{{EventSource: types.EventSourceAwsConfig, MessageType: types.MessageTypeConfigurationItemChangeNotification}},
		},
	}
}

func static(values ...string) types.RemediationParameterValue {
	return types.RemediationParameterValue{StaticValue: &types.StaticValue{Values: values}}
}

func remediation(rule string) types.RemediationConfiguration {
	return types.RemediationConfiguration{
		ConfigRuleName: &rule, TargetType: types.RemediationTargetTypeSsmDocument, TargetId: aws.String("repair"), Automatic: true,
		MaximumAutomaticAttempts: aws.Int32(3), RetryAttemptSeconds: aws.Int64(60),
		Parameters: map[string]types.RemediationParameterValue{
			"AutomationAssumeRole": static("arn:aws:iam::123456789012:role/repair"),
			"Regions":              static("us-east-1", "eu-west-1"),
			"Resource":             {ResourceValue: &types.ResourceValue{Value: types.ResourceValueTypeResourceId}},
		},
	}
}

func (f *fixture) putRemediation(config types.RemediationConfiguration) error {
	_, err := f.PutRemediationConfigurations(f.t.Context(), &configservice.PutRemediationConfigurationsInput{RemediationConfigurations: []types.RemediationConfiguration{config}})
	return err
}

func TestARuleNeedsARecorder(t *testing.T) {
	f := newFixture(t, nil)
	world.WantCode(t, f.putRule(enabledRule()), "NoAvailableConfigurationRecorderException")
	f.must(f.putRecorder("default", nil))
	world.WantCode(t, f.putRule(enabledRule()), "")
}

func TestPutConfigRuleRefuses(t *testing.T) {
	const bad = "InvalidParameterValueException"
	tests := []struct {
		what   string
		base   types.ConfigRule
		change func(*types.ConfigRule)
		want   string
	}{
		{"nothing, managed", enabledRule(), func(*types.ConfigRule) {}, ""},
		{"nothing, policy", policyRule("p"), func(*types.ConfigRule) {}, ""},
		{"an unknown identifier", enabledRule(), func(r *types.ConfigRule) { r.Source.SourceIdentifier = aws.String("CLOUD_TRAIL_ENABLE") }, bad},
		{"an unknown parameter", enabledRule(), func(r *types.ConfigRule) { r.InputParameters = aws.String(`{"S3BucketName":"logs"}`) }, bad},
		{"a parameter of the wrong rule", securityRule(), func(r *types.ConfigRule) { r.InputParameters = aws.String(`{"s3BucketName":"logs"}`) }, bad},
		{"parameters that are no JSON", enabledRule(), func(r *types.ConfigRule) { r.InputParameters = aws.String(`s3BucketName=logs`) }, bad},
		{"long parameters", enabledRule(), func(r *types.ConfigRule) {
			r.InputParameters = aws.String(`{"s3BucketName":"` + strings.Repeat("x", 1024) + `"}`)
		}, bad},
		{"a scope on a periodic rule", enabledRule(), func(r *types.ConfigRule) { r.Scope = policyRule("p").Scope }, bad},
		{"an ARN on a new rule", enabledRule(), func(r *types.ConfigRule) { r.ConfigRuleArn = aws.String("arn:x") }, bad},
		{"another runtime", policyRule("p"), func(r *types.ConfigRule) { r.Source.CustomPolicyDetails.PolicyRuntime = aws.String("guard-3.x.x") }, bad},
		{"10,000 characters", policyRule(strings.Repeat("p", 10000)), func(*types.ConfigRule) {}, ""},
		{"10,001 characters", policyRule(strings.Repeat("p", 10001)), func(*types.ConfigRule) {}, bad},
		{"a policy that cannot be read", policyRule("unreadable"), func(*types.ConfigRule) {}, bad},
		{"no details", policyRule("p"), func(r *types.ConfigRule) { r.Source.CustomPolicyDetails = nil }, bad},
		{"no source details", policyRule("p"), func(r *types.ConfigRule) { r.Source.SourceDetails = nil }, bad},
		{"a schedule for a policy", policyRule("p"), func(r *types.ConfigRule) {
			r.Source.SourceDetails[0].MessageType = types.MessageTypeScheduledNotification
		}, bad},
		{"a frequency for a policy", policyRule("p"), func(r *types.ConfigRule) { r.MaximumExecutionFrequency = types.MaximumExecutionFrequencyOneHour }, bad},
		{"another scope", policyRule("p"), func(r *types.ConfigRule) { r.Scope.ComplianceResourceTypes = []string{"AWS::S3::Bucket"} }, "NotModelled"},
		{"a Lambda function", policyRule("p"), func(r *types.ConfigRule) { r.Source.Owner = types.OwnerCustomLambda }, "NotModelled"},
		{"an unknown frequency", enabledRule(), func(r *types.ConfigRule) { r.MaximumExecutionFrequency = "Two_Hours" }, "ValidationException"},
	}
	for _, test := range tests {
		t.Run(test.what, func(t *testing.T) {
			f := recording(t, nil)
			test.change(&test.base)
			world.WantCode(t, f.putRule(test.base), test.want)
			out, err := f.DescribeConfigRules(t.Context(), &configservice.DescribeConfigRulesInput{})
			f.must(err)
			if exists := len(out.ConfigRules) == 1; exists != (test.want == "") {
				t.Errorf("the rule exists: %t", exists)
			}
		})
	}
}

func TestARuleIsDescribedWithoutThePolicyText(t *testing.T) {
	f := recording(t, nil)
	f.must(f.putRule(policyRule("p")))
	out, err := f.DescribeConfigRules(t.Context(), &configservice.DescribeConfigRulesInput{ConfigRuleNames: []string{"declared"}})
	f.must(err)
	got := out.ConfigRules[0]
	if got.Source.CustomPolicyDetails.PolicyText != nil || *got.ConfigRuleId == "" || !strings.HasSuffix(*got.ConfigRuleArn, *got.ConfigRuleId) || got.ConfigRuleState != types.ConfigRuleStateActive {
		t.Errorf("got %+v", got)
	}
	policy, err := f.GetCustomRulePolicy(t.Context(), &configservice.GetCustomRulePolicyInput{ConfigRuleName: aws.String("declared")})
	if err != nil || *policy.PolicyText != "p" {
		t.Errorf("got %v, %v", policy, err)
	}
	_, err = f.DescribeConfigRules(t.Context(), &configservice.DescribeConfigRulesInput{ConfigRuleNames: []string{"nothing"}})
	world.WantCode(t, err, "NoSuchConfigRuleException")
}

func TestARuleIsUpdatedByItsARN(t *testing.T) {
	f := recording(t, nil)
	f.must(f.putRule(enabledRule()))
	out, err := f.DescribeConfigRules(t.Context(), &configservice.DescribeConfigRulesInput{})
	f.must(err)
	changed := enabledRule()
	changed.ConfigRuleName, changed.ConfigRuleArn, changed.Description = nil, out.ConfigRules[0].ConfigRuleArn, aws.String("new")
	f.must(f.putRule(changed))
	out, err = f.DescribeConfigRules(t.Context(), &configservice.DescribeConfigRulesInput{})
	f.must(err)
	if len(out.ConfigRules) != 1 || *out.ConfigRules[0].ConfigRuleName != "enabled" || *out.ConfigRules[0].Description != "new" {
		t.Errorf("got %+v", out.ConfigRules)
	}
}

func TestARuleWithARemediationCannotBeDeleted(t *testing.T) {
	f := recording(t, nil)
	f.must(f.putRule(enabledRule()))
	f.must(f.putRemediation(remediation("enabled")))
	_, err := f.DeleteConfigRule(t.Context(), &configservice.DeleteConfigRuleInput{ConfigRuleName: aws.String("enabled")})
	world.WantCode(t, err, "ResourceInUseException")
	_, err = f.DeleteRemediationConfiguration(t.Context(), &configservice.DeleteRemediationConfigurationInput{ConfigRuleName: aws.String("enabled")})
	f.must(err)
	_, err = f.DeleteConfigRule(t.Context(), &configservice.DeleteConfigRuleInput{ConfigRuleName: aws.String("enabled")})
	f.must(err)
	_, err = f.DeleteConfigRule(t.Context(), &configservice.DeleteConfigRuleInput{ConfigRuleName: aws.String("enabled")})
	world.WantCode(t, err, "NoSuchConfigRuleException")
}

func TestTheRecorderAndItsChannel(t *testing.T) {
	f := newFixture(t, nil)
	world.WantCode(t, f.putChannel("default", "config"), "NoAvailableConfigurationRecorderException")
	f.must(f.putRecorder("default", nil))
	world.WantCode(t, f.putRecorder("second", nil), "MaxNumberOfConfigurationRecordersExceededException")
	world.WantCode(t, f.startRecorder(), "NoAvailableDeliveryChannelException")
	world.WantCode(t, f.putChannel("default", "nowhere"), "NoSuchBucketException")
	f.must(f.putChannel("default", "config"))
	world.WantCode(t, f.putChannel("second", "config"), "MaxNumberOfDeliveryChannelsExceededException")
	f.must(f.startRecorder())

	status := func() types.ConfigurationRecorderStatus {
		t.Helper()
		out, err := f.DescribeConfigurationRecorderStatus(t.Context(), &configservice.DescribeConfigurationRecorderStatusInput{})
		f.must(err)
		return out.ConfigurationRecordersStatus[0]
	}
	if got := status(); !got.Recording || !got.LastStartTime.Equal(f.clock.Now()) || *got.Name != "default" {
		t.Errorf("got %+v", got)
	}
	deleteChannel := func() error {
		_, err := f.DeleteDeliveryChannel(t.Context(), &configservice.DeleteDeliveryChannelInput{DeliveryChannelName: aws.String("default")})
		return err
	}
	world.WantCode(t, deleteChannel(), "LastDeliveryChannelDeleteFailedException")
	f.must(f.stopRecorder())
	if status().Recording {
		t.Error("a stopped recorder is recording")
	}
	f.must(deleteChannel())
	world.WantCode(t, deleteChannel(), "NoSuchDeliveryChannelException")

	recorders, err := f.DescribeConfigurationRecorders(t.Context(), &configservice.DescribeConfigurationRecordersInput{})
	f.must(err)
	if got := recorders.ConfigurationRecorders[0]; *got.RoleARN != "arn:aws:iam::123456789012:role/config" || !got.RecordingGroup.AllSupported {
		t.Errorf("got %+v", got)
	}
	_, err = f.DeleteConfigurationRecorder(t.Context(), &configservice.DeleteConfigurationRecorderInput{ConfigurationRecorderName: aws.String("default")})
	f.must(err)
	world.WantCode(t, f.startRecorder(), "NoSuchConfigurationRecorderException")
}

func TestARecordingGroupHasOneKindOfTypes(t *testing.T) {
	trail := []types.ResourceType{"AWS::CloudTrail::Trail"}
	tests := []struct {
		what  string
		group types.RecordingGroup
		want  string
	}{
		{"all", types.RecordingGroup{AllSupported: true}, ""},
		{"some", types.RecordingGroup{ResourceTypes: trail}, ""},
		{"some, said", types.RecordingGroup{ResourceTypes: trail, RecordingStrategy: &types.RecordingStrategy{UseOnly: types.RecordingStrategyTypeInclusionByResourceTypes}}, ""},
		{"some, said otherwise", types.RecordingGroup{ResourceTypes: trail, RecordingStrategy: &types.RecordingStrategy{UseOnly: types.RecordingStrategyTypeExclusionByResourceTypes}}, "InvalidRecordingGroupException"},
		{"none", types.RecordingGroup{}, "InvalidRecordingGroupException"},
		{"both", types.RecordingGroup{AllSupported: true, ResourceTypes: trail}, "InvalidRecordingGroupException"},
		{"an unknown type", types.RecordingGroup{ResourceTypes: []types.ResourceType{"AWS::CloudTrail::Trial"}}, "ValidationException"},
	}
	for _, test := range tests {
		t.Run(test.what, func(t *testing.T) {
			world.WantCode(t, newFixture(t, nil).putRecorder("default", &test.group), test.want)
		})
	}
}

func TestWhatIsNotSimulatedIsAnError(t *testing.T) {
	f := recording(t, nil)
	_, err := f.PutConformancePack(t.Context(), &configservice.PutConformancePackInput{ConformancePackName: aws.String("p")})
	world.WantCode(t, err, "NotModelled")
	for _, call := range []api.Call{
		{Operation: "DescribeConfigRules", Input: map[string]any{"configRuleNames": []any{}}},
		{Operation: "PutConfigurationRecorder", Input: map[string]any{"ConfigurationRecorder": map[string]any{"Name": "default"}}},
	} {
		_, err := f.service.Handle(t.Context(), call)
		world.WantCode(t, err, "SerializationException")
	}
}
