package config_test

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	"github.com/aws/aws-sdk-go-v2/service/configservice/types"

	"github.com/trailguard/trailguard/localaws/config"
	"github.com/trailguard/trailguard/localaws/internal/world"
)

func TestCloudTrailEnabledNeedsOneLoggingTrailThatMatches(t *testing.T) {
	all := `{"s3BucketName":"logs","snsTopicArn":"arn:aws:sns:us-east-1:123456789012:deliveries","cloudWatchLogsLogGroupArn":"group"}`
	tests := []struct {
		what       string
		parameters string
		change     func(*config.Trail)
		want       types.ComplianceType
	}{
		{"a good trail", `{"s3BucketName":"logs"}`, func(*config.Trail) {}, types.ComplianceTypeCompliant},
		{"no trail", `{}`, func(t *config.Trail) { *t = config.Trail{} }, types.ComplianceTypeNonCompliant},
		{"a stopped trail", `{}`, func(t *config.Trail) { t.IsLogging = false }, types.ComplianceTypeNonCompliant},
		{"another bucket", `{"s3BucketName":"logs"}`, func(t *config.Trail) { t.S3BucketName = "spare" }, types.ComplianceTypeNonCompliant},
		{"another bucket that nobody asked about", `{}`, func(t *config.Trail) { t.S3BucketName = "spare" }, types.ComplianceTypeCompliant},
		{"no log group", all, func(*config.Trail) {}, types.ComplianceTypeNonCompliant},
		{"everything", all, func(t *config.Trail) { t.CloudWatchLogsLogGroupARN = "group" }, types.ComplianceTypeCompliant},
		{"no topic", all, func(t *config.Trail) { t.CloudWatchLogsLogGroupARN, t.SNSTopicARN = "group", "" }, types.ComplianceTypeNonCompliant},
		{"a trail of another Region", `{}`, func(t *config.Trail) { t.HomeRegion, t.IsMultiRegionTrail = "eu-west-1", false }, types.ComplianceTypeNonCompliant},
		{"a shadow of another Region", `{}`, func(t *config.Trail) { t.HomeRegion = "eu-west-1" }, types.ComplianceTypeCompliant},
	}
	for _, test := range tests {
		t.Run(test.what, func(t *testing.T) {
			f := recording(t, nil)
			trail := goodTrail()
			test.change(&trail)
			f.set("org-trail", trail)
			rule := enabledRule()
			rule.InputParameters = &test.parameters
			f.must(f.putRule(rule))
			f.tick()
			out, err := f.GetComplianceDetailsByConfigRule(t.Context(), &configservice.GetComplianceDetailsByConfigRuleInput{ConfigRuleName: aws.String("enabled")})
			f.must(err)
			if len(out.EvaluationResults) != 1 {
				t.Fatalf("got %d results", len(out.EvaluationResults))
			}
			got := out.EvaluationResults[0]
			about := got.EvaluationResultIdentifier.EvaluationResultQualifier
			if got.ComplianceType != test.want || *about.ResourceType != "AWS::::Account" || *about.ResourceId != "123456789012" {
				t.Errorf("got %s of %s %s, want %s", got.ComplianceType, *about.ResourceType, *about.ResourceId, test.want)
			}
		})
	}
}

func TestSecurityTrailEnabledNeedsEveryCriterion(t *testing.T) {
	tests := []struct {
		what   string
		change func(*config.Trail)
		want   types.ComplianceType
	}{
		{"a good trail", func(*config.Trail) {}, types.ComplianceTypeCompliant},
		{"a stopped trail", func(t *config.Trail) { t.IsLogging = false }, types.ComplianceTypeCompliant},
		{"no global events", func(t *config.Trail) { t.IncludeGlobalServiceEvents = false }, types.ComplianceTypeNonCompliant},
		{"one Region", func(t *config.Trail) { t.IsMultiRegionTrail = false }, types.ComplianceTypeNonCompliant},
		{"no validation", func(t *config.Trail) { t.LogFileValidationEnabled = false }, types.ComplianceTypeNonCompliant},
		{"no key", func(t *config.Trail) { t.KMSKeyID = "" }, types.ComplianceTypeNonCompliant},
		{"another key", func(t *config.Trail) { t.KMSKeyID = "another" }, types.ComplianceTypeCompliant},
		{"no management events", func(t *config.Trail) { t.LogsAllManagementEvents = false }, types.ComplianceTypeNonCompliant},
	}
	for _, test := range tests {
		f := recording(t, nil)
		trail := goodTrail()
		test.change(&trail)
		f.set("org-trail", trail)
		f.must(f.putRule(securityRule()))
		f.tick()
		if got := f.compliance("security"); got != test.want {
			t.Errorf("%s: got %s", test.what, got)
		}
	}
}

func TestAPeriodicRuleIsEvaluatedAtOnceAndThenEachPeriod(t *testing.T) {
	f := recording(t, nil)
	f.must(f.putRule(enabledRule()))
	if got := f.compliance("enabled"); got != types.ComplianceTypeInsufficientData {
		t.Errorf("before the first tick: %s", got)
	}
	steps := []struct {
		advance time.Duration
		logging bool
		want    types.ComplianceType
	}{
		{0, true, types.ComplianceTypeCompliant},
		{time.Minute, false, types.ComplianceTypeCompliant},
		{58 * time.Minute, false, types.ComplianceTypeCompliant},
		{time.Minute, false, types.ComplianceTypeNonCompliant},
		{30 * time.Minute, true, types.ComplianceTypeNonCompliant},
		{30 * time.Minute, true, types.ComplianceTypeCompliant},
	}
	for i, step := range steps {
		f.clock.Advance(step.advance)
		trail := goodTrail()
		trail.IsLogging = step.logging
		f.set("org-trail", trail)
		f.tick()
		if got := f.compliance("enabled"); got != step.want {
			t.Errorf("step %d: got %s, want %s", i, got, step.want)
		}
	}
}

func TestThePeriodIsTheFrequencyOfTheRule(t *testing.T) {
	for frequency, period := range map[types.MaximumExecutionFrequency]time.Duration{
		types.MaximumExecutionFrequencyOneHour: time.Hour, types.MaximumExecutionFrequencyThreeHours: 3 * time.Hour,
		types.MaximumExecutionFrequencySixHours: 6 * time.Hour, types.MaximumExecutionFrequencyTwelveHours: 12 * time.Hour,
		types.MaximumExecutionFrequencyTwentyFourHours: 24 * time.Hour, "": 24 * time.Hour,
	} {
		f := recording(t, nil)
		rule := enabledRule()
		rule.MaximumExecutionFrequency = frequency
		f.must(f.putRule(rule))
		f.tick()
		f.set("org-trail", goodTrail())
		for _, step := range []struct {
			advance time.Duration
			want    types.ComplianceType
		}{{period - time.Second, types.ComplianceTypeNonCompliant}, {time.Second, types.ComplianceTypeCompliant}} {
			f.clock.Advance(step.advance)
			f.tick()
			if got := f.compliance("enabled"); got != step.want {
				t.Errorf("%q: %s after the last evaluation got %s, want %s", frequency, step.advance, got, step.want)
			}
		}
	}
}

func TestAnEvaluationOnDemandDoesNotMoveThePeriod(t *testing.T) {
	f := recording(t, nil)
	f.must(f.putRule(enabledRule()))
	f.tick()
	start := func() error {
		_, err := f.StartConfigRulesEvaluation(t.Context(), &configservice.StartConfigRulesEvaluationInput{ConfigRuleNames: []string{"enabled"}})
		return err
	}
	f.clock.Advance(59 * time.Minute)
	f.set("org-trail", goodTrail())
	f.must(start())
	world.WantCode(t, start(), "LimitExceededException")
	f.tick()
	if got := f.compliance("enabled"); got != types.ComplianceTypeCompliant {
		t.Errorf("after the evaluation on demand: %s", got)
	}
	f.clock.Advance(time.Minute)
	f.set("org-trail", config.Trail{})
	f.tick()
	if got := f.compliance("enabled"); got != types.ComplianceTypeNonCompliant {
		t.Errorf("after the period: %s", got)
	}
}

func TestAPeriodicRuleRunsWithAStoppedRecorderButNotWithoutOne(t *testing.T) {
	f := recording(t, nil)
	f.must(f.putRule(enabledRule()))
	f.must(f.stopRecorder())
	f.tick()
	if got := f.compliance("enabled"); got != types.ComplianceTypeNonCompliant {
		t.Errorf("with a stopped recorder: %s", got)
	}
	_, err := f.DeleteConfigurationRecorder(t.Context(), &configservice.DeleteConfigurationRecorderInput{ConfigurationRecorderName: aws.String("default")})
	f.must(err)
	f.clock.Advance(2 * time.Hour)
	f.set("org-trail", goodTrail())
	f.tick()
	if got := f.compliance("enabled"); got != types.ComplianceTypeNonCompliant {
		t.Errorf("without a recorder: %s", got)
	}
}

func TestAPolicyRuleIsEvaluatedWhenTheTrailChanges(t *testing.T) {
	f := recording(t, nil)
	f.must(f.putRule(policyRule(`"isMultiRegionTrail":true`)))
	f.set("org-trail", goodTrail())
	f.tick()
	if got := f.compliance("declared"); got != types.ComplianceTypeCompliant || len(f.guarded) != 1 {
		t.Fatalf("got %s after %d evaluations", got, len(f.guarded))
	}

	f.clock.Advance(48 * time.Hour)
	f.tick()
	stopped := goodTrail()
	stopped.IsLogging = false
	f.set("org-trail", stopped)
	f.tick()
	if len(f.guarded) != 1 {
		t.Errorf("%d evaluations without a change of the item", len(f.guarded))
	}

	changed := goodTrail()
	changed.IsMultiRegionTrail = false
	f.set("org-trail", changed)
	f.tick()
	if got := f.compliance("declared"); got != types.ComplianceTypeNonCompliant || len(f.guarded) != 2 {
		t.Errorf("got %s after %d evaluations", got, len(f.guarded))
	}

	f.set("org-trail", config.Trail{})
	f.tick()
	if got := f.compliance("declared"); got != types.ComplianceTypeInsufficientData || len(f.guarded) != 2 {
		t.Errorf("a deleted trail is %s after %d evaluations", got, len(f.guarded))
	}
	f.set("org-trail", goodTrail())
	f.tick()
	if got := f.compliance("declared"); got != types.ComplianceTypeCompliant {
		t.Errorf("the trail that came back is %s", got)
	}
}

func TestAPolicyRuleSeesNothingThatIsNotRecorded(t *testing.T) {
	f := recording(t, nil)
	f.must(f.putRule(policyRule(`"isMultiRegionTrail":true`)))
	f.set("org-trail", goodTrail())
	f.tick()
	changed := goodTrail()
	changed.IsMultiRegionTrail = false
	f.set("org-trail", changed)

	unseen := func(what string) {
		t.Helper()
		_, err := f.StartConfigRulesEvaluation(t.Context(), &configservice.StartConfigRulesEvaluationInput{ConfigRuleNames: []string{"declared"}})
		f.must(err)
		f.tick()
		if got := f.compliance("declared"); got != types.ComplianceTypeCompliant {
			t.Errorf("%s: %s", what, got)
		}
	}
	f.must(f.stopRecorder())
	unseen("a stopped recorder")
	f.must(f.putRecorder("default", &types.RecordingGroup{ResourceTypes: []types.ResourceType{"AWS::S3::Bucket"}}))
	f.must(f.startRecorder())
	unseen("a recorder of buckets")
	f.must(f.putRecorder("default", &types.RecordingGroup{ExclusionByResourceTypes: &types.ExclusionByResourceTypes{ResourceTypes: []types.ResourceType{"AWS::CloudTrail::Trail"}}}))
	unseen("a recorder of all but trails")
	f.must(f.putRecorder("default", nil))
	f.tick()
	if got := f.compliance("declared"); got != types.ComplianceTypeNonCompliant {
		t.Errorf("a recorder of everything: %s", got)
	}
}

func TestTheConfigurationItemHoldsTheFieldsOfTheSchema(t *testing.T) {
	always := []string{"name", "trailARN", "homeRegion", "s3BucketName", "snsTopicARN", "kmsKeyId", "includeGlobalServiceEvents",
		"isMultiRegionTrail", "isOrganizationTrail", "logFileValidationEnabled", "hasCustomEventSelectors", "hasInsightSelectors"}
	unset := []string{"s3KeyPrefix", "snsTopicName", "cloudWatchLogsLogGroupArn", "cloudWatchLogsRoleArn"}
	for reading, want := range map[config.UnsetFields]struct {
		present bool
		value   any
	}{
		config.UnsetIsNull:   {true, nil},
		config.UnsetIsAbsent: {false, nil},
		config.UnsetIsEmpty:  {true, ""},
	} {
		f := recording(t, func(o *config.Options) { o.Unset = reading })
		f.must(f.putRule(policyRule("org-trail")))
		f.set("org-trail", goodTrail())
		f.tick()
		var item struct {
			ResourceType, ResourceID, ResourceName, ARN, AwsRegion string
			Configuration                                          map[string]any
		}
		f.must(json.Unmarshal([]byte(f.guarded[0]), &item))
		if item.ResourceType != "AWS::CloudTrail::Trail" || item.ResourceName != "org-trail" || item.ARN != goodTrail().ARN {
			t.Errorf("got %+v", item)
		}
		fields := slices.Clone(always)
		for _, name := range unset {
			got, present := item.Configuration[name]
			if present != want.present || got != want.value {
				t.Errorf("reading %d: %s is %v, present: %t", reading, name, got, present)
			}
			if want.present {
				fields = append(fields, name)
			}
		}
		slices.Sort(fields)
		if got := slices.Sorted(maps.Keys(item.Configuration)); !slices.Equal(got, fields) {
			t.Errorf("reading %d: got %v, want %v", reading, got, fields)
		}
	}
}

func TestTheResourceIDOfATrailIsItsARNOrItsName(t *testing.T) {
	for reading, want := range map[config.TrailResourceID]string{
		config.ResourceIDIsARN:  goodTrail().ARN,
		config.ResourceIDIsName: "org-trail",
	} {
		f := recording(t, func(o *config.Options) { o.ResourceID = reading })
		f.must(f.putRule(policyRule("nothing has this")))
		f.must(f.putRemediation(remediation("declared")))
		f.set("org-trail", goodTrail())
		f.tick()
		if len(f.starts) != 1 || !slices.Equal(f.starts[0]["Resource"], []string{want}) {
			t.Errorf("started with %v, want %s", f.starts, want)
		}
	}
}

func TestAFailureOfGuardIsReportedAndTheRuleEvaluatedAgain(t *testing.T) {
	f := recording(t, nil)
	f.must(f.putRule(policyRule("broken")))
	f.must(f.putRule(enabledRule()))
	f.set("org-trail", goodTrail())
	for range 2 {
		if err := f.service.Tick(t.Context()); err == nil {
			t.Error("the failure is not told")
		}
	}
	if got := f.compliance("enabled"); got != types.ComplianceTypeCompliant {
		t.Errorf("the other rule is %s", got)
	}
	out, err := f.DescribeConfigRuleEvaluationStatus(t.Context(), &configservice.DescribeConfigRuleEvaluationStatusInput{ConfigRuleNames: []string{"declared"}})
	f.must(err)
	if got := out.ConfigRulesEvaluationStatus[0]; got.LastErrorMessage == nil || got.LastFailedEvaluationTime == nil || got.LastSuccessfulEvaluationTime != nil {
		t.Errorf("got %+v", got)
	}
}

func TestAChangeOfComplianceIsAnEvent(t *testing.T) {
	f := recording(t, nil)
	f.must(f.putRule(enabledRule()))
	f.tick()
	f.clock.Advance(time.Hour)
	f.tick()
	if len(f.events) != 1 {
		t.Fatalf("%d events after one change", len(f.events))
	}
	f.clock.Advance(time.Hour)
	f.set("org-trail", goodTrail())
	f.tick()
	if len(f.events) != 2 {
		t.Fatalf("%d events after two changes", len(f.events))
	}

	first, second := f.events[0]["detail"].(map[string]any), f.events[1]["detail"].(map[string]any)
	if _, old := first["oldEvaluationResult"]; old {
		t.Error("the first result has an older one")
	}
	compliance := func(detail map[string]any, which string) any { return detail[which].(map[string]any)["complianceType"] }
	if compliance(first, "newEvaluationResult") != "NON_COMPLIANT" || compliance(second, "newEvaluationResult") != "COMPLIANT" || compliance(second, "oldEvaluationResult") != "NON_COMPLIANT" {
		t.Errorf("got %v, %v", first, second)
	}
	envelope := maps.Clone(f.events[1])
	delete(envelope, "detail")
	want := map[string]any{
		"version": "0", "id": "00000000-0000-4000-8000-000000000002", "detail-type": "Config Rules Compliance Change", "source": "aws.config",
		"account": "123456789012", "time": "2026-01-02T05:04:05Z", "region": "us-east-1", "resources": []any{},
	}
	if !reflect.DeepEqual(envelope, want) {
		t.Errorf("got %v", envelope)
	}
	for name, text := range map[string]string{
		"configRuleName": "enabled", "configRuleARN": "arn:aws:config:us-east-1:123456789012:config-rule/config-rule-000001", "resourceType": "AWS::::Account",
		"resourceId": "123456789012", "awsAccountId": "123456789012", "awsRegion": "us-east-1", "messageType": "ComplianceChangeNotification",
	} {
		if second[name] != text {
			t.Errorf("%s is %v, want %s", name, second[name], text)
		}
	}
}
