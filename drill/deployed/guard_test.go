package deployed

import (
	"errors"
	"maps"
	"os"
	"reflect"
	"strings"
	"testing"

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
	content, err := os.ReadFile("../../assets/runbooks/cloudtrail-remediation-action.yml")
	if err != nil {
		t.Fatal(err)
	}
	runbook, err := ParseRunbook(string(content))
	if err != nil {
		t.Fatal(err)
	}
	got, err := runbook.declared(Guard{TrailName: "org-trail", LogBucketName: "logs", LogKeyARN: "key"}.parameters())
	want := Declared{
		IsLogging: "true", S3BucketName: `"logs"`, S3KeyPrefix: `""`, KMSKeyID: `"key"`, SNSTopicARN: `""`, CloudWatchLogsLogGroupARN: `""`,
		CloudWatchLogsRoleARN: `""`, IsMultiRegionTrail: "true", IsOrganizationTrail: "true", IncludeGlobalServiceEvents: "true",
		LogFileValidationEnabled: "true", InsightSelectors: `["ApiCallRateInsight","ApiErrorRateInsight"]`, EventSelectors: `["eventCategory = Management"]`,
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	if len(want)+1 != len(table) { // no tags are declared
		t.Errorf("there are %d settings, and %d are declared", len(table), len(want))
	}
	if runbook.Runtime() != "python3.11" {
		t.Errorf("the runtime is %q", runbook.Runtime())
	}
}

func TestTheRunbookThatIsDeployedDeclaresItsOnlyValues(t *testing.T) {
	runbook, err := ParseRunbook(`{"parameters": {"Bucket": {"type": "String", "allowedValues": ["logs"]}, "Regions": {"default": false}},
		"mainSteps": [{"name": "Reconcile", "action": "aws:executeScript", "inputs": {"InputPayload": {
			"S3BucketName": "{{ Bucket }}", "IsMultiRegionTrail": "{{Regions}}", "SnsTopicName": "arn:topic", "IsOrganizationTrail": false,
			"EventSelectors": [{"ReadWriteType": "All", "DataResources": [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::b/", "arn:aws:s3:::a/"]}]}],
			"AdvancedEventSelectors": [], "InsightSelectors": [], "TagsList": [{"Key": "owner", "Value": "security"}]}}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := runbook.declared(nil)
	want := Declared{
		IsLogging: "true", S3BucketName: `"logs"`, IsMultiRegionTrail: "false", SNSTopicARN: `"arn:topic"`, InsightSelectors: "[]", Tags: `{"owner":"security"}`,
		// A text that is not there is declared as empty: the script clears it.
		S3KeyPrefix: `""`, KMSKeyID: `""`, CloudWatchLogsLogGroupARN: `""`, CloudWatchLogsRoleARN: `""`,
		EventSelectors: `["eventCategory = Data and resources.ARN starts with arn:aws:s3:::a/ or arn:aws:s3:::b/ and resources.type = AWS::S3::Object","eventCategory = Management"]`,
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	for setting, has := range map[Setting]bool{SNSTopicARN: true, IsMultiRegionTrail: false, InsightSelectors: false, KMSKeyID: false, Tags: true} {
		if got.Has(setting) != has {
			t.Errorf("has %s is %v", setting, !has)
		}
	}
}

func TestARunbookThatIsNotAGuardsIsRefused(t *testing.T) {
	payload := func(of string) string {
		return `{"mainSteps": [{"name": "Reconcile", "action": "aws:executeScript", "inputs": {"InputPayload": ` + of + `}}]}`
	}
	const notAGuards = "it has no step of action aws:executeScript with S3BucketName in its InputPayload: it is not a guard's"
	for content, want := range map[string]string{
		`{"mainSteps": []}`: notAGuards,
		payload(`{}`):       notAGuards,
		payload(`{"S3BucketName": "{{ Nothing }}"}`):                 "S3BucketName of the InputPayload: parameter Nothing has neither a default nor a single allowed value",
		payload(`{"S3BucketName": 7}`):                               "S3BucketName of the InputPayload is a int",
		payload(`{"S3BucketName": "logs", "InsightSelectors": "x"}`): "InsightSelectors of the InputPayload: ",
		`{"mainSteps": 7}`:                                           "parsing the document: ",
	} {
		runbook, err := ParseRunbook(content)
		if err == nil {
			_, err = runbook.declared(nil)
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
	declared := full().Settings()
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
		EventSelectors:             {func(s *State) { s.EventSelectors = nil }, `EventSelectors is [], want ["eventCategory = Management"]`},
		Tags:                       {func(s *State) { s.Tags = s.Tags[1:] }, `Tags is {}, want {"k":"v"}`},
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
		declared[setting] = full().Settings()[setting]
	}
	if unmet := declared.Unmet(State{}); !reflect.DeepEqual(unmet, []string{"there is no trail"}) {
		t.Errorf("got %q", unmet)
	}
	changed := full()
	changed.Tags = append(changed.Tags, trailtypes.Tag{Key: aws.String("another"), Value: aws.String("x")})
	if unmet := declared.Unmet(changed); len(unmet) != 0 {
		t.Errorf("a tag that is not declared is unmet: %q", unmet)
	}
	if got := (State{}).Differences(full()); !reflect.DeepEqual(got, []string{"there is no trail"}) {
		t.Errorf("got %q", got)
	}
	changed = full()
	changed.Tags = nil
	if got := changed.Differences(full()); !reflect.DeepEqual(got, []string{`Tags is {}, want {"k":"v"}`}) {
		t.Errorf("got %q", got)
	}
	if got := (State{}).Differences(State{}); got != nil {
		t.Errorf("got %q", got)
	}
}

func TestSelectorsThatMeanTheSameAreWrittenAlike(t *testing.T) {
	field := func(name string, equals ...string) trailtypes.AdvancedFieldSelector {
		return trailtypes.AdvancedFieldSelector{Field: &name, Equals: equals}
	}
	advanced := func(fields ...trailtypes.AdvancedFieldSelector) State {
		return State{AdvancedEventSelectors: []trailtypes.AdvancedEventSelector{{Name: aws.String("a name"), FieldSelectors: fields}}}
	}
	basic := func(selectors ...trailtypes.EventSelector) State { return State{EventSelectors: selectors} }
	objects := func(arns ...string) trailtypes.EventSelector {
		return trailtypes.EventSelector{IncludeManagementEvents: aws.Bool(false), DataResources: []trailtypes.DataResource{{Type: aws.String("AWS::S3::Object"), Values: arns}}}
	}
	for name, same := range map[string][]State{
		"management": {basic(trailtypes.EventSelector{}), basic(trailtypes.EventSelector{ReadWriteType: "All", IncludeManagementEvents: aws.Bool(true)}), advanced(field("eventCategory", "Management"))},
		"read only":  {basic(trailtypes.EventSelector{ReadWriteType: "ReadOnly"}), advanced(field("readOnly", "true"), field("eventCategory", "Management"))},
		"objects":    {basic(objects("arn:aws:s3")), basic(objects("arn:aws:s3:::")), advanced(field("resources.type", "AWS::S3::Object"), field("eventCategory", "Data"))},
		"order":      {basic(objects("arn:aws:s3:::b/", "arn:aws:s3:::a/")), basic(objects("arn:aws:s3:::a/", "arn:aws:s3:::b/"))},
	} {
		for _, state := range same[1:] {
			if got, want := selectorText(state), selectorText(same[0]); got != want {
				t.Errorf("%s: got %s, want %s", name, got, want)
			}
		}
	}
	seen := map[string]State{}
	for _, other := range []State{
		{}, basic(trailtypes.EventSelector{}), basic(trailtypes.EventSelector{ReadWriteType: "WriteOnly"}), basic(trailtypes.EventSelector{ReadWriteType: "ReadOnly"}),
		basic(trailtypes.EventSelector{ExcludeManagementEventSources: []string{"kms.amazonaws.com"}}), basic(objects("arn:aws:s3:::a/")), basic(objects("arn:aws:s3")),
	} {
		if twin, again := seen[selectorText(other)]; again {
			t.Errorf("%+v is written like %+v", other, twin)
		}
		seen[selectorText(other)] = other
	}
}

func TestTheReportOfARunIsReadFromItsOutputAndFromItsFailure(t *testing.T) {
	const (
		report    = `{"wrong": {"SNS": "gone"}, "writes": ["start_logging"], "startedBy": "event", "changed": {"IsLogging": {"found": false, "declared": true}}`
		whole     = report + `, "message": "NOT REPAIRED"}`
		truncated = report + `, "message": "NOT REPA`
	)
	for _, text := range []string{whole, "Step fails: Failure message: RuntimeError: " + whole + "\n  File \"script\", line 7", "RuntimeError: " + truncated} {
		got := parseRunReport(text)
		if got == nil || got.StartedBy != "event" || got.Writes[0] != "start_logging" || got.Wrong["SNS"] != "gone" || got.Changed["IsLogging"].Declared != true {
			t.Errorf("%s: got %+v", text, got)
		}
	}
	if got := parseRunReport(whole[:40]); got == nil || got.Wrong["SNS"] != "gone" || got.StartedBy != "" {
		t.Errorf("%s: got %+v", whole[:40], got)
	}
	for _, text := range []string{"", "Failure message: KeyError: Name", `{"wrong": ["SNS"]}`} {
		if got := parseRunReport(text); got != nil {
			t.Errorf("%s: got %+v", text, got)
		}
	}
}
