package trailguard_test

import (
	"fmt"
	"maps"
	"slices"
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

func TestEachOptionHasItsDefaultAndCanBeSet(t *testing.T) {
	templates := map[string]map[string]any{}
	for _, c := range cases.All() {
		templates[c.Name] = templateOf(t, c)
	}
	for _, option := range cases.Options() {
		t.Run(option.String(), func(t *testing.T) {
			if got := property(templates["default"], option.Resource, option.Path); got != option.Default {
				t.Errorf("by default %s is %s, not %s", option.Path, got, option.Default)
			}
			if option.Case == "" {
				option.Case = "everything"
			}
			if got := property(templates[option.Case], option.Resource, option.Path); got != option.Set {
				t.Errorf("when set %s is %s, not %s", option.Path, got, option.Set)
			}
		})
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

// wantContained looks for a resource of each type that contains the text.
func wantContained(t *testing.T, template map[string]any, texts map[string]string) {
	t.Helper()
	for kind, text := range texts {
		if !slices.ContainsFunc(ofType(template, kind), func(id string) bool { return strings.Contains(fmt.Sprint(resource(template, id)), text) }) {
			t.Errorf("no %s contains %s", kind, text)
		}
	}
}

// TestOwnedResourcesGetTheirStatements looks for the statements that the guard adds to the policies of supplied resources.
func TestOwnedResourcesGetTheirStatements(t *testing.T) {
	template := named(t, "owned")
	wantContained(t, template, map[string]string{
		"AWS::S3::BucketPolicy": "CloudTrailWrite",
		"AWS::KMS::Key":         "CloudTrailEncrypt",
		"AWS::IAM::Policy":      "RestoreTrail",
		"AWS::SNS::TopicPolicy": "TellPeople",
	})
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
