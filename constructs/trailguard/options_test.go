package trailguard_test

import (
	"fmt"
	"maps"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"

	"github.com/trailguard/trailguard/constructs/trailguard"
	"github.com/trailguard/trailguard/internal/cases"
)

const (
	document = "AWS::SSM::Document"
	payload  = "Content.mainSteps.0.inputs.InputPayload."
)

// options are the props with a value: where it stands in the template, what is there by default, and what is there in the case
// that sets it.
var options = []struct {
	name         string
	idOrType     string
	path         string
	defaultValue string
	set          string
	inCase       string // everything, if it is empty
}{
	{name: "TrailName", idOrType: document, path: "Content.parameters.CloudTrailName.default", defaultValue: "trailguard", set: "everything-trail"},
	{name: "PreviousTrailNames", idOrType: "LogStoreBucketPolicyA9D99A2D", path: "PolicyDocument.Statement.1.Condition.StringEquals.aws:SourceArn",
		defaultValue: trailARN("trailguard"), set: "[" + trailARN("everything-trail") + " " + trailARN("old-trail") + "]"},
	{name: "OrganizationId", idOrType: document, path: "Content.parameters.IsOrganizationTrail.default", defaultValue: "false", set: "true"},
	{name: "S3KeyPrefix", idOrType: document, path: payload + "S3KeyPrefix", defaultValue: "", set: "audit/trails"},
	{name: "DataResources", idOrType: document, path: payload + "EventSelectors.0.DataResources", defaultValue: "[]", set: "[map[Type:AWS::S3::Object Values:[arn:aws:s3:::payroll/]]]"},
	{name: "AdvancedEventSelectors", idOrType: document, path: payload + "AdvancedEventSelectors", defaultValue: "[]",
		set: "[map[FieldSelectors:[map[Equals:[Management] Field:eventCategory]] Name:All management events] " +
			"map[FieldSelectors:[map[Equals:[Data] Field:eventCategory] map[Equals:[AWS::S3::Object] Field:resources.type] " +
			"map[Field:eventName StartsWith:[Delete]]] Name:Objects that are deleted]]",
		inCase: "without-config"},
	{name: "InsightTypes", idOrType: document, path: payload + "InsightSelectors",
		defaultValue: "[map[InsightType:ApiCallRateInsight] map[InsightType:ApiErrorRateInsight]]", set: "[map[InsightType:ApiErrorRateInsight]]"},
	{name: "TrailTags", idOrType: document, path: payload + "TagsList", defaultValue: "[]", set: "[map[Key:cost-center Value:4711] map[Key:owner Value:security]]"},
	{name: "SnsTopic", idOrType: document, path: payload + "SnsTopicName", defaultValue: "", set: "map[Ref:DeliveriesBF2F7293]"},
	{name: "CloudWatchLogGroup", idOrType: document, path: payload + "CloudWatchLogsLogGroupArn", defaultValue: "", set: "map[Fn::GetAtt:[EventsD32975C2 Arn]]"},
	{name: "CloudWatchLogsRole", idOrType: document, path: payload + "CloudWatchLogsRoleArn", defaultValue: "", set: "map[Fn::GetAtt:[CloudWatchLogsRoleA37E13B4 Arn]]"},
	{name: "TransitionAfter", idOrType: "LogStoreBucket0AD36629", path: "LifecycleConfiguration.Rules.0.Transitions.0.TransitionInDays", defaultValue: "90", set: "30"},
	{name: "ExpireAfter", idOrType: "LogStoreBucket0AD36629", path: "LifecycleConfiguration.Rules.0.ExpirationInDays", defaultValue: "<nil>", set: "2557"},
	{name: "ObjectLockRetention", idOrType: "LogStoreBucket0AD36629", path: "ObjectLockConfiguration.Rule.DefaultRetention", defaultValue: "<nil>", set: "map[Days:365 Mode:COMPLIANCE]"},
	{name: "RepairOnEvents", idOrType: "EventRulesTampering76AE5C63", path: "Targets.0.Id", defaultValue: "Runbook", set: "Runbook"},
	{name: "RepairOnEvents, off", idOrType: "EventRulesTampering76AE5C63", path: "Targets.0.Id", defaultValue: "Runbook", set: "<nil>", inCase: "config-only"},
	{name: "CheckEvery", idOrType: "EventRulesScheduleE2B5BCBC", path: "ScheduleExpression", defaultValue: "rate(60 minutes)", set: "rate(30 minutes)"},
	{name: "CheckEvery, never", idOrType: "EventRulesScheduleE2B5BCBC", path: "ScheduleExpression", defaultValue: "rate(60 minutes)", set: "<nil>", inCase: "config-only"},
	{name: "ConfigRules", idOrType: "ConfigRulesTrailEnabled2BBAB97E", path: "Source.SourceIdentifier", defaultValue: "CLOUD_TRAIL_ENABLED", set: "CLOUD_TRAIL_ENABLED"},
	{name: "ConfigRules, off", idOrType: "ConfigRulesTrailEnabled2BBAB97E", path: "Source.SourceIdentifier", defaultValue: "CLOUD_TRAIL_ENABLED", set: "<nil>", inCase: "without-config"},
	{name: "MaximumExecutionFrequency", idOrType: "ConfigRulesTrailEnabled2BBAB97E", path: "MaximumExecutionFrequency", defaultValue: "TwentyFour_Hours", set: "One_Hour"},
	{name: "MaximumAutomaticAttempts", idOrType: "AWS::Config::RemediationConfiguration", path: "MaximumAutomaticAttempts", defaultValue: "5", set: "10"},
	{name: "RetryAttempt", idOrType: "AWS::Config::RemediationConfiguration", path: "RetryAttemptSeconds", defaultValue: "60", set: "600"},
	{name: "ConcurrentExecutionRatePercentage", idOrType: "AWS::Config::RemediationConfiguration", path: "ExecutionControls.SsmControls.ConcurrentExecutionRatePercentage", defaultValue: "<nil>", set: "50"},
	{name: "ErrorPercentage", idOrType: "AWS::Config::RemediationConfiguration", path: "ExecutionControls.SsmControls.ErrorPercentage", defaultValue: "<nil>", set: "100"},
	{name: "AlertEmailAddresses", idOrType: "AlertingEmailsecurityexamplecom4CD17086", path: "Endpoint", defaultValue: "<nil>", set: "security@example.com"},
	{name: "AlertSubscriptions", idOrType: "AlertingTopichttpsexamplecomalertsD8C87C5C", path: "Endpoint", defaultValue: "<nil>", set: "https://example.com/alerts"},
	{name: "CreateConfigurationRecorder", idOrType: "AWS::Config::ConfigurationRecorder", path: "RecordingGroup.ResourceTypes", defaultValue: "<nil>", set: "[AWS::CloudTrail::Trail]"},
	{name: "RemovalPolicy", idOrType: "LogStoreBucket0AD36629", path: "DeletionPolicy", defaultValue: "Retain", set: "RetainExceptOnCreate"},
	{name: "LogBucket", idOrType: document, path: "Content.parameters.CloudTrailS3BucketName.default", defaultValue: "map[Ref:LogStoreBucket0AD36629]", set: "my-log-bucket", inCase: "supplied"},
	{name: "LogKey", idOrType: document, path: "Content.parameters.CloudTrailKmsKeyId.default", defaultValue: "map[Fn::GetAtt:[LogStoreKeyDBAC2C9C Arn]]",
		set: "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555", inCase: "supplied"},
	{name: "ServerAccessLogsBucket", idOrType: "LogStoreBucket0AD36629", path: "LoggingConfiguration.DestinationBucketName",
		defaultValue: "map[Ref:LogStoreServerAccessLogsBucketC4D7B219]", set: "map[Ref:AccessLogs8B620ECA]", inCase: "config-only"},
	{name: "AutomationRole", idOrType: document, path: "Content.parameters.AutomationAssumeRole.default", defaultValue: "map[Fn::GetAtt:[AutomationRoleC58D7324 Arn]]",
		set: "arn:aws:iam::123456789012:role/my-automation-role", inCase: "supplied"},
	{name: "AlertTopic", idOrType: document, path: payload + "AlertTopicArn", defaultValue: "map[Ref:AlertingTopic08189029]", set: "arn:aws:sns:us-east-1:123456789012:my-alerts", inCase: "supplied"},
}

func TestEachOptionHasItsDefaultAndCanBeSet(t *testing.T) {
	templates := map[string]map[string]any{}
	for _, c := range cases.All() {
		templates[c.Name] = templateOf(t, c)
	}
	for _, option := range options {
		t.Run(option.name, func(t *testing.T) {
			if got := property(templates["default"], option.idOrType, option.path); got != option.defaultValue {
				t.Errorf("by default %s is %s, not %s", option.path, got, option.defaultValue)
			}
			if option.inCase == "" {
				option.inCase = "everything"
			}
			if got := property(templates[option.inCase], option.idOrType, option.path); got != option.set {
				t.Errorf("when set %s is %s, not %s", option.path, got, option.set)
			}
		})
	}
}

func TestEachPropIsAnOption(t *testing.T) {
	tested := map[string]bool{}
	for _, option := range options {
		tested[option.name] = true
	}
	props := reflect.TypeFor[trailguard.TrailGuardProps]()
	for i := range props.NumField() {
		if name := props.Field(i).Name; !tested[name] {
			t.Errorf("no option tests the default of %s, and that it can be set", name)
		}
	}
}

// TestADurationThatIsATokenIsWrittenAsOne: its number is not known before the deployment.
func TestADurationThatIsATokenIsWrittenAsOne(t *testing.T) {
	template := guarded("", &trailguard.TrailGuardProps{
		CheckEvery: awscdk.Duration_Minutes(awscdk.Token_AsNumber(map[string]any{"Fn::ImportValue": "Minutes"})),
	})
	got := property(template, "EventRulesScheduleE2B5BCBC", "ScheduleExpression")
	if want := "map[Fn::Join:[ [rate( map[Fn::ImportValue:Minutes]  minutes)]]]"; got != want {
		t.Errorf("the schedule is %s, not %s", got, want)
	}
}

// TestSuppliedResourcesAreUsedAndNotMade reads where each supplied resource must appear, besides what options says.
func TestSuppliedResourcesAreUsedAndNotMade(t *testing.T) {
	template := named(t, "supplied")
	for _, kind := range []string{"AWS::S3::Bucket", "AWS::S3::BucketPolicy", "AWS::KMS::Key", "AWS::SNS::Topic", "AWS::Logs::LogGroup"} {
		if made := ofType(template, kind); len(made) > 0 {
			t.Errorf("%v are made", made)
		}
	}
	for _, id := range append(ofType(template, "AWS::IAM::Role"), ofType(template, "AWS::IAM::Policy")...) {
		if !strings.HasPrefix(id, "EventRulesTargetRole") {
			t.Errorf("%s is made", id)
		}
	}
	for path, want := range map[string]string{
		payload + "SnsTopicName":          "arn:aws:sns:us-east-1:123456789012:my-topic",
		payload + "CloudWatchLogsRoleArn": "arn:aws:iam::123456789012:role/my-logs-role",
	} {
		if got := property(template, document, path); got != want {
			t.Errorf("%s is %s, not %s", path, got, want)
		}
	}
	for _, id := range ofType(template, "AWS::Events::Rule") {
		if starting(template)[id] != nil {
			continue
		}
		if got := property(template, id, "Targets.0.Arn"); got != "arn:aws:sns:us-east-1:123456789012:my-alerts" {
			t.Errorf("%s tells %s", id, got)
		}
	}
	if got := property(template, document, payload+"CloudWatchLogsLogGroupArn"); !strings.Contains(got, ":log-group:my-log-group:*") {
		t.Errorf("the log group is %s", got)
	}
}

// TestPoliciesLetTheTrailInUnderItsPreviousNames reads every statement for CloudTrail of the bucket, the key and the topic.
func TestPoliciesLetTheTrailInUnderItsPreviousNames(t *testing.T) {
	template := named(t, "everything")
	want := "[" + trailARN("everything-trail") + " " + trailARN("old-trail") + "]"
	found := map[string]int{}
	for id, path := range map[string]string{
		"LogStoreBucketPolicyA9D99A2D": "PolicyDocument", "LogStoreKeyDBAC2C9C": "KeyPolicy", "DeliveriesPolicyEE91327E": "PolicyDocument",
	} {
		for _, statement := range resource(template, id)["Properties"].(map[string]any)[path].(map[string]any)["Statement"].([]any) {
			statement := statement.(map[string]any)
			if fmt.Sprint(statement["Principal"]) != "map[Service:cloudtrail.amazonaws.com]" {
				continue
			}
			found[id]++
			condition := statement["Condition"].(map[string]any)
			if got := fmt.Sprint(condition["StringEquals"].(map[string]any)["aws:SourceArn"]); got != want {
				t.Errorf("%s: %s is for %s, not %s", id, statement["Sid"], got, want)
			}
			if like, ok := condition["StringLike"].(map[string]any); ok {
				want := strings.ReplaceAll(want, "${AWS::Region}", "*")
				if got := fmt.Sprint(like["kms:EncryptionContext:aws:cloudtrail:arn"]); got != want {
					t.Errorf("%s: %s is for the encryption contexts %s, not %s", id, statement["Sid"], got, want)
				}
			}
		}
	}
	if want := map[string]int{"LogStoreBucketPolicyA9D99A2D": 2, "LogStoreKeyDBAC2C9C": 2, "DeliveriesPolicyEE91327E": 1}; !maps.Equal(found, want) {
		t.Errorf("the numbers of statements for CloudTrail are %v, not %v", found, want)
	}
}

func trailARN(name string) string {
	return "map[Fn::Sub:arn:${AWS::Partition}:cloudtrail:${AWS::Region}:${AWS::AccountId}:trail/" + name + "]"
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

// property returns the text of a property, or of DeletionPolicy, of the resource with the id, or of the first resource of the
// type. It is <nil> where there is none.
func property(template map[string]any, idOrType, path string) string {
	id := idOrType
	if strings.HasPrefix(idOrType, "AWS::") {
		ids := ofType(template, idOrType)
		if len(ids) == 0 {
			return "<nil>"
		}
		id = ids[0]
	}
	found, ok := template["Resources"].(map[string]any)[id].(map[string]any)
	if !ok {
		return "<nil>"
	}
	if path == "DeletionPolicy" {
		return fmt.Sprint(found[path])
	}
	value := found["Properties"]
	for _, key := range strings.Split(path, ".") {
		switch inner := value.(type) {
		case map[string]any:
			value = inner[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i >= len(inner) {
				return "<nil>"
			}
			value = inner[i]
		default:
			return "<nil>"
		}
	}
	return fmt.Sprint(value)
}
