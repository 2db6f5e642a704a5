package drill

import (
	"errors"
	"maps"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	trailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
)

func outputs(values map[string]string) (list []types.Output) {
	for key, value := range values {
		list = append(list, types.Output{OutputKey: aws.String(key), OutputValue: aws.String(value)})
	}
	return list
}

func TestTheOutputsOfAStackAreRead(t *testing.T) {
	plain := map[string]string{
		"TrailName": "org-trail", "TrailArn": "arn:aws-cn:cloudtrail:cn-north-1:123456789012:trail/org-trail", "LogBucketName": "logs", "LogKeyArn": "key",
		"AutomationRoleArn": "role", "RunbookName": "Runbook", "ConfigRuleNames": "a,b", "AlertTopicArn": "topic",
	}
	want := Guard{
		Stack: "Guard", TrailName: "org-trail", TrailARN: plain["TrailArn"], LogBucketName: "logs", LogKeyARN: "key", AutomationRoleARN: "role",
		RunbookName: "Runbook", ConfigRuleNames: []string{"a", "b"}, AlertTopicARN: "topic",
	}
	prefixed := map[string]string{"SomethingElse": "x", "TrailNameOfAnother": "x"}
	for name, value := range plain {
		prefixed["AuditTrailGuard"+name+"62C5A1B2"] = value
	}
	for _, values := range []map[string]string{plain, prefixed} {
		if got, err := guardOf("Guard", outputs(values)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	if want.Account() != "123456789012" || want.Region() != "cn-north-1" {
		t.Errorf("the account is %s, the Region %s", want.Account(), want.Region())
	}
	optional := maps.Clone(plain)
	delete(optional, "ConfigRuleNames")
	delete(optional, "AlertTopicArn")
	if got, err := guardOf("Guard", outputs(optional)); err != nil || got.ConfigRuleNames != nil || got.AlertTopicARN != "" {
		t.Errorf("got %+v, %v", got, err)
	}

	lacking := maps.Clone(plain)
	delete(lacking, "TrailArn")
	delete(lacking, "RunbookName")
	wantError(t, "Guard", lacking, "no guard: stack Guard lacks the outputs TrailArn, RunbookName: name a stack in which TrailGuard is deployed")
	double := maps.Clone(prefixed)
	double["OtherTrailName00000000"] = "other"
	wantError(t, "Guard", double, "no guard: stack Guard has more than one output for TrailName (AuditTrailGuardTrailName62C5A1B2, OtherTrailName00000000): "+
		"put one guard in a stack")
}

func wantError(t *testing.T, stack string, values map[string]string, want string) {
	t.Helper()
	if _, err := guardOf(stack, outputs(values)); !errors.Is(err, ErrNoGuard) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestTheRunbookThatIsSharedDeclaresEverySetting reads the document that people paste into the console: it allows any
// value, so that the stack's outputs fill in what has no default.
func TestTheRunbookThatIsSharedDeclaresEverySetting(t *testing.T) {
	content, err := os.ReadFile("../assets/runbooks/cloudtrail-remediation-action.yml")
	if err != nil {
		t.Fatal(err)
	}
	runbook, err := ParseRunbook(string(content))
	if err != nil {
		t.Fatal(err)
	}
	got, err := runbook.declared(Guard{TrailName: "org-trail", LogBucketName: "logs", LogKeyARN: "key"})
	want := Declared{
		IsLogging: "true", S3BucketName: `"logs"`, S3KeyPrefix: `""`, KMSKeyID: `"key"`, SNSTopicARN: `""`, CloudWatchLogsLogGroupARN: `""`,
		CloudWatchLogsRoleARN: `""`, IsMultiRegionTrail: "true", IsOrganizationTrail: "true", IncludeGlobalServiceEvents: "true",
		LogFileValidationEnabled: "true", AdvancedEventSelectors: "[]", InsightSelectors: `["ApiCallRateInsight","ApiErrorRateInsight"]`,
		EventSelectors: `[{"DataResources":[],"ExcludeManagementEventSources":[],"IncludeManagementEvents":true,"ReadWriteType":"All"}]`,
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	if len(want) != len(settings) {
		t.Errorf("there are %d settings, and %d are declared", len(settings), len(want))
	}
	if operation, changes := runbook.call("RestoreEventSelectors"); operation != "PutEventSelectors" || !changes {
		t.Errorf("RestoreEventSelectors calls %s, %v", operation, changes)
	}
	if _, changes := runbook.call("FindTrail"); changes {
		t.Error("FindTrail is said to change the trail")
	}
	if _, changes := runbook.call("VerifyLogging"); changes {
		t.Error("VerifyLogging is said to change the trail")
	}
}

func TestTheRunbookThatIsDeployedDeclaresItsOnlyValues(t *testing.T) {
	runbook, err := ParseRunbook(`{"parameters": {"Bucket": {"type": "String", "allowedValues": ["logs"]}, "Regions": {"default": false}, "IsOrganizationTrail": {"default": false}},
		"mainSteps": [
			{"name": "RestoreSettings", "inputs": {"S3BucketName": "{{ Bucket }}", "IsMultiRegionTrail": "{{Regions}}", "SnsTopicName": "arn:topic"}},
			{"name": "RestoreOrganizationTrail", "inputs": {"IsOrganizationTrail": true}},
			{"name": "RestoreEventSelectors", "inputs": {"EventSelectors": [{"ReadWriteType": "All", "DataResources": [{"Type": "AWS::S3::Object", "Values": ["b", "a"]}]}]}},
			{"name": "RestoreInsightSelectors", "inputs": {"InsightSelectors": []}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := runbook.declared(Guard{})
	want := Declared{
		IsLogging: "true", S3BucketName: `"logs"`, IsMultiRegionTrail: "false", SNSTopicARN: `"arn:topic"`, AdvancedEventSelectors: "[]", InsightSelectors: "[]",
		EventSelectors: `[{"DataResources":[{"Type":"AWS::S3::Object","Values":["a","b"]}],"ExcludeManagementEventSources":[],` +
			`"IncludeManagementEvents":true,"ReadWriteType":"All"}]`,
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	for setting, has := range map[Setting]bool{SNSTopicARN: true, IsMultiRegionTrail: false, InsightSelectors: false, KMSKeyID: false} {
		if got.has(setting) != has {
			t.Errorf("has %s is %v", setting, !has)
		}
	}
}

func TestARunbookThatIsNotAGuardsIsRefused(t *testing.T) {
	for content, want := range map[string]string{
		`{"mainSteps": []}`: "it has no step RestoreSettings with the input S3BucketName: it is not a guard's",
		`{"mainSteps": [{"name": "RestoreSettings", "inputs": {"S3BucketName": "{{ Nothing }}"}}]}`: "input S3BucketName of step RestoreSettings: parameter Nothing has neither a default nor a single allowed value",
		`{"mainSteps": [{"name": "RestoreSettings", "inputs": {"S3BucketName": 7}}]}`:               "input S3BucketName of step RestoreSettings is a int",
		`{"mainSteps": 7}`: "parsing the document: ",
	} {
		runbook, err := ParseRunbook(content)
		if err == nil {
			_, err = runbook.declared(Guard{})
		}
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", content, err, want)
		}
	}
}

func TestEverySettingIsCompared(t *testing.T) {
	full := func() State {
		return State{
			IsLogging:      true,
			EventSelectors: []trailtypes.EventSelector{{}},
			Trail: &trailtypes.Trail{
				S3BucketName: aws.String("logs"), S3KeyPrefix: aws.String("p"), KmsKeyId: aws.String("k"), SnsTopicARN: aws.String("t"),
				CloudWatchLogsLogGroupArn: aws.String("g"), CloudWatchLogsRoleArn: aws.String("r"), IsMultiRegionTrail: aws.Bool(true),
				IsOrganizationTrail: aws.Bool(true), IncludeGlobalServiceEvents: aws.Bool(true), LogFileValidationEnabled: aws.Bool(true),
			},
			InsightSelectors: []trailtypes.InsightSelector{{InsightType: "ApiErrorRateInsight"}, {InsightType: "ApiCallRateInsight"}},
			Tags:             []trailtypes.Tag{{Key: aws.String("k"), Value: aws.String("v")}},
		}
	}
	declared := full().settings()
	if unmet := declared.Unmet(full()); len(unmet) != 0 {
		t.Fatalf("unmet are %q", unmet)
	}
	for setting, test := range map[Setting]struct {
		change func(*State)
		want   string
	}{
		IsLogging:                  {func(s *State) { s.IsLogging = false }, "IsLogging is false, want true"},
		S3BucketName:               {func(s *State) { s.Trail.S3BucketName = aws.String("x") }, `S3BucketName is "x", want "logs"`},
		S3KeyPrefix:                {func(s *State) { s.Trail.S3KeyPrefix = nil }, `S3KeyPrefix is "", want "p"`},
		KMSKeyID:                   {func(s *State) { s.Trail.KmsKeyId = nil }, `KmsKeyId is "", want "k"`},
		SNSTopicARN:                {func(s *State) { s.Trail.SnsTopicARN = nil }, `SnsTopicARN is "", want "t"`},
		CloudWatchLogsLogGroupARN:  {func(s *State) { s.Trail.CloudWatchLogsLogGroupArn = nil }, `CloudWatchLogsLogGroupArn is "", want "g"`},
		CloudWatchLogsRoleARN:      {func(s *State) { s.Trail.CloudWatchLogsRoleArn = nil }, `CloudWatchLogsRoleArn is "", want "r"`},
		IsMultiRegionTrail:         {func(s *State) { s.Trail.IsMultiRegionTrail = nil }, "IsMultiRegionTrail is false, want true"},
		IsOrganizationTrail:        {func(s *State) { s.Trail.IsOrganizationTrail = nil }, "IsOrganizationTrail is false, want true"},
		IncludeGlobalServiceEvents: {func(s *State) { s.Trail.IncludeGlobalServiceEvents = nil }, "IncludeGlobalServiceEvents is false, want true"},
		LogFileValidationEnabled:   {func(s *State) { s.Trail.LogFileValidationEnabled = nil }, "LogFileValidationEnabled is false, want true"},
		EventSelectors: {func(s *State) { s.EventSelectors = nil }, "EventSelectors is [], want " +
			`[{"DataResources":[],"ExcludeManagementEventSources":[],"IncludeManagementEvents":true,"ReadWriteType":"All"}]`},
		AdvancedEventSelectors: {func(s *State) {
			s.AdvancedEventSelectors = []trailtypes.AdvancedEventSelector{{FieldSelectors: []trailtypes.AdvancedFieldSelector{
				{Field: aws.String("eventCategory"), Equals: []string{"Data"}},
			}}}
		}, `AdvancedEventSelectors is [{"FieldSelectors":[{"Equals":["Data"],"Field":"eventCategory"}],"Name":""}], want []`},
		InsightSelectors: {func(s *State) { s.InsightSelectors = s.InsightSelectors[:1] },
			`InsightSelectors is ["ApiErrorRateInsight"], want ["ApiCallRateInsight","ApiErrorRateInsight"]`},
	} {
		changed := full()
		test.change(&changed)
		if unmet := declared.Unmet(changed); !reflect.DeepEqual(unmet, []string{test.want}) {
			t.Errorf("%s: got %q, want %q", setting, unmet, test.want)
		}
		delete(declared, setting)
		if unmet := declared.Unmet(changed); len(unmet) != 0 {
			t.Errorf("%s is compared although it is not declared: %q", setting, unmet)
		}
		declared[setting] = full().settings()[setting]
	}
	if unmet := declared.Unmet(State{}); !reflect.DeepEqual(unmet, []string{"there is no trail"}) {
		t.Errorf("got %q", unmet)
	}
	changed := full()
	changed.Tags = nil
	if got := changed.differences(full()); !reflect.DeepEqual(got, []string{"Tags are [], want [k=v]"}) {
		t.Errorf("got %q", got)
	}
	if got := (State{}).differences(State{}); got != nil {
		t.Errorf("got %q", got)
	}
}

func TestCallsAreCountedInTheOrderOfTime(t *testing.T) {
	step := func(second int64, name, status string) Step {
		return Step{Name: name, Status: status, Start: time.Unix(second, 0)}
	}
	first := Execution{Steps: []Step{
		step(0, "FindTrail", "Failed"), step(2, "StartLogging", "Failed"), step(6, "RestoreSettings", "Success"), step(7, "Verify", "Success"), step(8, "Arm", "Success"),
	}}
	second := Execution{Steps: []Step{step(1, "FindTrail", "Success"), step(4, "StartLogging", "Success"), step(5, "RestoreSettings", "Failed")}}
	if toLogging, all := steps.countCalls([]Execution{first, second}); toLogging != 2 || all != 4 {
		t.Errorf("got %d and %d, want 2 and 4", toLogging, all)
	}
}
