package trailguard_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/trailguard/trailguard/internal/cases"
)

// TestEachOptionHasItsDefaultAndCanBeSet reads one property of the first resource of a type in the default template, and
// in the one where everything is set.
func TestEachOptionHasItsDefaultAndCanBeSet(t *testing.T) {
	templates := map[string]map[string]any{}
	for _, c := range cases.All() {
		templates[c.Name] = synthesize(c.Stack())
	}
	for _, option := range []struct {
		name         string
		kind         string
		path         string
		defaultValue string
		everything   string
	}{
		{"TrailName", "AWS::SSM::Document", "Content.parameters.CloudTrailName.default", "trailguard", "everything-trail"},
		{"OrganizationId", "AWS::SSM::Document", "Content.parameters.IsOrganizationTrail.default", "false", "true"},
		{"S3KeyPrefix", "AWS::SSM::Document", "Content.mainSteps.[RestoreSettings].inputs.S3KeyPrefix", "", "audit/trails"},
		{"DataResources", "AWS::SSM::Document", "Content.mainSteps.[RestoreEventSelectors].inputs.EventSelectors.0.DataResources", "[]", "[map[Type:AWS::S3::Object Values:[arn:aws:s3:::payroll/]]]"},
		{"InsightTypes", "AWS::SSM::Document", "Content.mainSteps.[RestoreInsightSelectors].inputs.InsightSelectors", "[map[InsightType:ApiCallRateInsight] map[InsightType:ApiErrorRateInsight]]", "[map[InsightType:ApiErrorRateInsight]]"},
		{"SnsTopic", "AWS::SSM::Document", "Content.mainSteps.[RestoreSettings].inputs.SnsTopicName", "", "map[Ref:DeliveriesBF2F7293]"},
		{"CloudWatchLogGroup", "AWS::SSM::Document", "Content.mainSteps.[RestoreSettings].inputs.CloudWatchLogsLogGroupArn", "", "map[Fn::GetAtt:[EventsD32975C2 Arn]]"},
		{"CloudWatchLogsRole", "AWS::SSM::Document", "Content.mainSteps.[RestoreSettings].inputs.CloudWatchLogsRoleArn", "", "map[Fn::GetAtt:[CloudWatchLogsRoleA37E13B4 Arn]]"},
		{"TransitionAfter", "LogStoreBucket0AD36629", "LifecycleConfiguration.Rules.0.Transitions.0.TransitionInDays", "90", "30"},
		{"ExpireAfter", "LogStoreBucket0AD36629", "LifecycleConfiguration.Rules.0.ExpirationInDays", "<nil>", "2557"},
		{"ObjectLockRetention", "LogStoreBucket0AD36629", "ObjectLockConfiguration.Rule.DefaultRetention", "<nil>", "map[Days:365 Mode:COMPLIANCE]"},
		{"MaximumExecutionFrequency", "ConfigRulesTrailEnabled2BBAB97E", "MaximumExecutionFrequency", "One_Hour", "TwentyFour_Hours"},
		{"MaximumAutomaticAttempts", "AWS::Config::RemediationConfiguration", "MaximumAutomaticAttempts", "5", "10"},
		{"RetryAttempt", "AWS::Config::RemediationConfiguration", "RetryAttemptSeconds", "60", "600"},
		{"ConcurrentExecutionRatePercentage", "AWS::Config::RemediationConfiguration", "ExecutionControls.SsmControls.ConcurrentExecutionRatePercentage", "10", "50"},
		{"ErrorPercentage", "AWS::Config::RemediationConfiguration", "ExecutionControls.SsmControls.ErrorPercentage", "50", "100"},
		{"RepairOnEvents", "EventRulesTampering76AE5C63", "Targets.1.Id", "Runbook", "Runbook"},
		{"AlertEmailAddresses", "AWS::SNS::Subscription", "Endpoint", "<nil>", "security@example.com"},
		{"CreateConfigurationRecorder", "AWS::Config::ConfigurationRecorder", "RecordingGroup.ResourceTypes", "<nil>", "[AWS::CloudTrail::Trail]"},
	} {
		t.Run(option.name, func(t *testing.T) {
			if got := property(templates["default"], option.kind, option.path); got != option.defaultValue {
				t.Errorf("by default %s is %s, not %s", option.path, got, option.defaultValue)
			}
			if got := property(templates["everything"], option.kind, option.path); got != option.everything {
				t.Errorf("when set %s is %s, not %s", option.path, got, option.everything)
			}
		})
	}
}

// TestSuppliedResourcesAreUsedAndNotMade reads where each supplied resource must appear.
func TestSuppliedResourcesAreUsedAndNotMade(t *testing.T) {
	var template map[string]any
	for _, c := range cases.All() {
		if c.Name == "supplied" {
			template = synthesize(c.Stack())
		}
	}
	for _, kind := range []string{"AWS::S3::Bucket", "AWS::S3::BucketPolicy", "AWS::KMS::Key", "AWS::SNS::Topic", "AWS::Logs::LogGroup"} {
		if made := ofType(template, kind); len(made) > 0 {
			t.Errorf("%v are made", made)
		}
	}
	for _, id := range append(ofType(template, "AWS::IAM::Role"), ofType(template, "AWS::IAM::Policy")...) {
		if !strings.HasPrefix(id, "EventRulesStartRole") {
			t.Errorf("%s is made", id)
		}
	}
	for path, want := range map[string]string{
		"Content.parameters.CloudTrailS3BucketName.default":                "my-log-bucket",
		"Content.parameters.CloudTrailKmsKeyId.default":                    "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555",
		"Content.parameters.AutomationAssumeRole.default":                  "arn:aws:iam::123456789012:role/my-automation-role",
		"Content.mainSteps.[RestoreSettings].inputs.SnsTopicName":          "arn:aws:sns:us-east-1:123456789012:my-topic",
		"Content.mainSteps.[RestoreSettings].inputs.CloudWatchLogsRoleArn": "arn:aws:iam::123456789012:role/my-logs-role",
	} {
		if got := property(template, "AWS::SSM::Document", path); got != want {
			t.Errorf("%s is %s, not %s", path, got, want)
		}
	}
	for _, id := range ofType(template, "AWS::Events::Rule") {
		if got := property(template, id, "Targets.0.Arn"); got != "arn:aws:sns:us-east-1:123456789012:my-alerts" {
			t.Errorf("%s tells %s", id, got)
		}
	}
	if got := property(template, "AWS::SSM::Document", "Content.mainSteps.[RestoreSettings].inputs.CloudWatchLogsLogGroupArn"); !strings.Contains(got, ":log-group:my-log-group:*") {
		t.Errorf("the log group is %s", got)
	}
}

// TestOwnedResourcesGetTheirStatements looks for the statements that the guard adds to the policies of supplied resources.
func TestOwnedResourcesGetTheirStatements(t *testing.T) {
	template := named(t, "owned")
	for kind, sid := range map[string]string{
		"AWS::S3::BucketPolicy": "CloudTrailWrite",
		"AWS::KMS::Key":         "CloudTrailEncrypt",
		"AWS::IAM::Policy":      "RestoreTrail",
		"AWS::SNS::TopicPolicy": "TellPeople",
	} {
		var found bool
		for _, id := range ofType(template, kind) {
			found = found || strings.Contains(fmt.Sprint(resource(template, id)), sid)
		}
		if !found {
			t.Errorf("no %s has the statement %s", kind, sid)
		}
	}
	for _, id := range ofType(template, "AWS::S3::Bucket") {
		if id != "LogBucketCC3B17E8" {
			t.Errorf("%s is made", id)
		}
	}
}

func TestASuppliedAccessLogBucketIsUsed(t *testing.T) {
	if got := property(named(t, "config-only"), "LogStoreBucket0AD36629", "LoggingConfiguration.DestinationBucketName"); !strings.HasPrefix(got, "map[Ref:AccessLogs") {
		t.Errorf("the access log goes to %s", got)
	}
}

// property returns the text of a property of the resource with the id, or of the first resource of the type. A step of a
// list may be given by its number or by [its name].
func property(template map[string]any, idOrType, path string) string {
	id := idOrType
	if strings.HasPrefix(idOrType, "AWS::") {
		ids := ofType(template, idOrType)
		if len(ids) == 0 {
			return "<nil>"
		}
		id = ids[0]
	}
	var value any = resource(template, id)["Properties"]
	for _, key := range strings.Split(path, ".") {
		switch inner := value.(type) {
		case map[string]any:
			value = inner[key]
		case []any:
			value = element(inner, key)
		default:
			return "<nil>"
		}
	}
	return fmt.Sprint(value)
}

func element(list []any, key string) any {
	for i, item := range list {
		if fmt.Sprint(i) == key {
			return item
		}
		if object, ok := item.(map[string]any); ok && fmt.Sprintf("[%s]", object["name"]) == key {
			return item
		}
	}
	return nil
}
