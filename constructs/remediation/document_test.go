package remediation

import (
	"reflect"
	"slices"
	"testing"

	"github.com/trailguard/trailguard/assets"
	"github.com/trailguard/trailguard/constructs/trail"
)

const role = "arn:aws:iam::123456789012:role/automation"

var (
	plain = trail.Settings{
		Name: "t-1", S3BucketName: "bucket", KMSKeyARN: "key",
		InsightTypes: []string{"ApiCallRateInsight"},
	}
	full = trail.Settings{
		Name: "t-1", S3BucketName: "bucket", KMSKeyARN: "key",
		IsOrganizationTrail: true, S3KeyPrefix: "p", SNSTopicARN: "topic",
		CloudWatchLogsLogGroupARN: "group", CloudWatchLogsRoleARN: "logs-role",
		InsightTypes: []string{"ApiCallRateInsight"},
	}
)

func TestStepsFollowTheDeclaredState(t *testing.T) {
	withoutInsights := plain
	withoutInsights.InsightTypes = nil
	for _, test := range []struct {
		name     string
		settings trail.Settings
		want     []string
	}{
		{"plain", plain, []string{
			"FindTrail", "CreateTrail", "StartLogging", "RestoreEventSelectors", "RestoreSettings", "RestoreInsightSelectors",
			"VerifyLogging", "VerifyS3BucketName", "VerifyKmsKeyId", "VerifyMultiRegionTrail", "VerifyGlobalServiceEvents",
			"VerifyLogFileValidation", "VerifyManagementEvents", "VerifyReadWriteType", "VerifyInsightSelectors", "ReadDelivery",
		}},
		{"full", full, []string{
			"FindTrail", "CreateTrail", "StartLogging", "RestoreEventSelectors", "RestoreSettings", "RestoreOrganizationTrail", "RestoreInsightSelectors",
			"VerifyLogging", "VerifyS3BucketName", "VerifyS3KeyPrefix", "VerifyKmsKeyId", "VerifySnsTopic",
			"VerifyCloudWatchLogsLogGroup", "VerifyCloudWatchLogsRole", "VerifyMultiRegionTrail", "VerifyOrganizationTrail",
			"VerifyGlobalServiceEvents", "VerifyLogFileValidation", "VerifyManagementEvents", "VerifyReadWriteType", "VerifyInsightSelectors", "ReadDelivery",
		}},
		{"without Insights", withoutInsights, []string{
			"FindTrail", "CreateTrail", "StartLogging", "RestoreEventSelectors", "RestoreSettings", "RestoreInsightSelectors",
			"VerifyLogging", "VerifyS3BucketName", "VerifyKmsKeyId", "VerifyMultiRegionTrail", "VerifyGlobalServiceEvents",
			"VerifyLogFileValidation", "VerifyManagementEvents", "VerifyReadWriteType", "ReadDelivery",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, step := range document(test.settings, role, ruleNames{}).MainSteps {
				got = append(got, step.Name)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("the steps are\n%v\nnot\n%v", got, test.want)
			}
		})
	}
}

func TestOnlyPassedParametersRemain(t *testing.T) {
	runbook := document(full, role, ruleNames{})
	if len(runbook.Parameters) != 8 {
		t.Errorf("there are %d parameters, not 8", len(runbook.Parameters))
	}
	for _, parameter := range Parameters(full, role) {
		got := runbook.Parameters[parameter.Name]
		if got.Default != parameter.Value || !reflect.DeepEqual(got.AllowedValues, []any{parameter.Value}) {
			t.Errorf("%s has the default %v and allows %v, both should be %v", parameter.Name, got.Default, got.AllowedValues, parameter.Value)
		}
	}
}

func TestEmptySettingsAreClearedButNotCreated(t *testing.T) {
	for _, step := range document(plain, role, ruleNames{}).MainSteps {
		value, given := step.Inputs["S3KeyPrefix"]
		switch step.Inputs["Api"] {
		case "CreateTrail":
			if given {
				t.Errorf("CreateTrail sends the prefix %q", value)
			}
		case "UpdateTrail":
			for _, setting := range []string{"S3KeyPrefix", "SnsTopicName", "CloudWatchLogsLogGroupArn", "CloudWatchLogsRoleArn"} {
				if step.Inputs[setting] != "" {
					t.Errorf("UpdateTrail sends %s %v, which does not clear it", setting, step.Inputs[setting])
				}
			}
		}
	}
}

// TestAssetIsNotChanged: each construct narrows a copy of its own.
func TestAssetIsNotChanged(t *testing.T) {
	before := assets.CloudTrailRemediationAction()
	document(full, role, ruleNames{})
	if !reflect.DeepEqual(before, assets.CloudTrailRemediationAction()) {
		t.Error("narrowing the runbook changed the asset")
	}
}

func TestABranchThatLeadsNowhereIsRefused(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a branch to a step that does not follow was accepted")
		}
	}()
	takeBranches([]assets.Step{{Name: "If", Action: "aws:branch", Inputs: map[string]any{"Choices": []any{
		map[string]any{"Variable": "{{ X }}", "StringEquals": "", "NextStep": "Nowhere"},
	}}}}, map[string]any{"X": ""})
}
