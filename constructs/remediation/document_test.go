package remediation

import (
	"encoding/json"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/trailguard/trailguard/assets"
	"github.com/trailguard/trailguard/constructs/partition"
	"github.com/trailguard/trailguard/constructs/trail"
)

const roleARN = "arn:aws:iam::123456789012:role/automation"

var (
	rules = []string{"rule-1", "rule-2"}
	plain = trail.Settings{Name: "t-1", S3BucketName: "bucket", KMSKeyARN: "key"}
	full  = trail.Settings{
		Name: "t-1", S3BucketName: "bucket", KMSKeyARN: "key",
		IsOrganizationTrail: true, S3KeyPrefix: "p", SNSTopicARN: "topic",
		CloudWatchLogsLogGroupARN: "group", CloudWatchLogsRoleARN: "logs-role",
		DataResources: []trail.DataResource{{Type: "AWS::S3::Object", Values: []string{"arn:aws:s3:::a/"}}},
		InsightTypes:  []string{"ApiCallRateInsight"},
		Tags:          map[string]string{"owner": "security", "a": "b"},
	}
)

// documentOf is a document that restores a trail.
func documentOf(settings trail.Settings, rules ...string) document {
	return document{
		trail: &trailPart{settings: settings, roleARN: roleARN, configRuleNames: rules}, trailName: "t-1", alertTopicARN: "alerts", consoleDomain: "aws.amazon.com",
	}
}

// withLogStore is the document, which restores a log store, too.
func withLogStore(d document) document {
	d.logStore = &logStorePart{declared: "[]", roleARN: "store"}
	return d
}

// TestParametersAcceptNoDeclaredState: who may start the runbook chooses among the resources and their roles, and no more.
func TestParametersAcceptNoDeclaredState(t *testing.T) {
	store := withLogStore(document{trailName: "t-1", consoleDomain: "aws.amazon.com"})
	for _, test := range []struct {
		name      string
		document  document
		startedBy []any
		roles     []any
		resources []any // nil if there is no choice
	}{
		{"plain", documentOf(plain), []any{"hand", "event", "schedule", "Config"}, []any{roleARN}, nil},
		{"full", documentOf(full, rules...), []any{"hand", "event", "schedule", "Config"}, []any{roleARN}, nil},
		{"log store", store, []any{"hand", "event", "schedule"}, []any{"store"}, nil},
		{"both", withLogStore(documentOf(plain)), []any{"hand", "event", "schedule", "Config"}, []any{roleARN, "store"}, []any{"CloudTrail trail", "log store"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := map[string]assets.Parameter{
				"StartedBy":            {Type: "String", Default: "hand", AllowedValues: test.startedBy},
				"AutomationAssumeRole": {Type: "String", Default: test.roles[0], AllowedValues: test.roles},
			}
			if test.resources != nil {
				want["Resource"] = assets.Parameter{Type: "String", Default: test.resources[0], AllowedValues: test.resources}
			}
			if got := test.document.runbook().Parameters; !reflect.DeepEqual(got, want) {
				t.Errorf("the parameters are\n%v\nnot\n%v", got, want)
			}
		})
	}
}

func TestThePayloadHasEachDeclaredSetting(t *testing.T) {
	const execution = "https://{{ global:REGION }}.console.aws.amazon.com/systems-manager/automation/execution/{{ automation:EXECUTION_ID }}"
	always := map[string]any{
		"Name": "t-1", "Account": "{{ global:ACCOUNT_ID }}", "StartedBy": "{{ StartedBy }}", "Execution": execution, "Resource": "CloudTrail trail",
	}
	ofTrail := map[string]any{
		"S3BucketName": "bucket", "KmsKeyId": "key", "IsMultiRegionTrail": true, "IncludeGlobalServiceEvents": true, "EnableLogFileValidation": true,
		"AlertTopicArn": "alerts",
	}
	basic := func(resources ...any) []any {
		selector := map[string]any{"ReadWriteType": "All", "IncludeManagementEvents": true}
		if resources != nil {
			selector["DataResources"] = resources
		}
		return []any{selector}
	}
	advanced := plain
	advanced.AdvancedEventSelectors = []trail.AdvancedEventSelector{{
		Name: "deletions", FieldSelectors: []trail.FieldSelector{
			{Field: "eventCategory", Equals: []string{"Data"}}, {Field: "eventName", StartsWith: []string{"Delete"}},
		},
	}}
	delegated := full
	delegated.OwnerAccount, delegated.ARN = "111122223333", "arn"
	central := documentOf(plain)
	central.centralEventBusARN = "bus"
	ofFull := map[string]any{
		"IsOrganizationTrail": true, "S3KeyPrefix": "p", "SnsTopicName": "topic", "CloudWatchLogsLogGroupArn": "group", "CloudWatchLogsRoleArn": "logs-role",
		"EventSelectors":   basic(map[string]any{"Type": "AWS::S3::Object", "Values": []any{"arn:aws:s3:::a/"}}),
		"InsightSelectors": []any{map[string]any{"InsightType": "ApiCallRateInsight"}},
		"TagsList":         []any{map[string]any{"Key": "a", "Value": "b"}, map[string]any{"Key": "owner", "Value": "security"}},
	}
	for _, test := range []struct {
		name     string
		document document
		want     []map[string]any
		has, not []string // what the script has of its parts and of what is for one declared value only
	}{
		{"plain", documentOf(plain), []map[string]any{ofTrail, {"EventSelectors": basic()}},
			[]string{"def look_at_trail"}, []string{"def look_at_store", "def tags", "def arm_config", "TrailArn", "CentralEventBusArn"}},
		{"full", documentOf(full, rules...), []map[string]any{ofTrail, ofFull, {"ConfigRuleNames": []any{"rule-1", "rule-2"}}},
			[]string{"def tags", "def arm_config"}, []string{"TrailArn"}},
		{"delegated", documentOf(delegated), []map[string]any{ofTrail, ofFull, {"TrailArn": "arn"}},
			[]string{"TrailArn"}, []string{"def arm_config"}},
		{"central", central, []map[string]any{ofTrail, {"EventSelectors": basic(), "CentralEventBusArn": "bus"}}, []string{"CentralEventBusArn"}, nil},
		{"advanced event selectors", documentOf(advanced), []map[string]any{ofTrail, {
			"AdvancedEventSelectors": []any{
				map[string]any{"Name": "All management events", "FieldSelectors": []any{
					map[string]any{"Field": "eventCategory", "Equals": []any{"Management"}},
				}},
				map[string]any{"Name": "deletions", "FieldSelectors": []any{
					map[string]any{"Field": "eventCategory", "Equals": []any{"Data"}},
					map[string]any{"Field": "eventName", "StartsWith": []any{"Delete"}},
				}},
			},
		}}, nil, nil},
		{"with a log store", withLogStore(documentOf(plain)), []map[string]any{ofTrail, {"EventSelectors": basic(), "Declared": "[]", "Resource": "{{ Resource }}"}},
			[]string{"def look_at_trail", "def look_at_store"}, nil},
		{"a log store", withLogStore(document{trailName: "t-1", consoleDomain: "aws.amazon.com"}), []map[string]any{{"Declared": "[]", "Resource": "log store"}},
			[]string{"def look_at_store"}, []string{"def look_at_trail"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := maps.Clone(always)
			for _, more := range test.want {
				maps.Copy(want, more)
			}
			runbook := test.document.runbook()
			got := content(runbook).(map[string]any)["mainSteps"].([]any)[0].(map[string]any)["inputs"].(map[string]any)["InputPayload"]
			if !reflect.DeepEqual(got, want) {
				t.Errorf("the payload is\n%s\nnot\n%s", encoded(t, got), encoded(t, want))
			}
			script := runbook.MainSteps[0].Inputs["Script"].(string)
			for _, text := range test.has {
				if !strings.Contains(script, text) {
					t.Errorf("the script has no %s", text)
				}
			}
			for _, text := range test.not {
				if strings.Contains(script, text) {
					t.Errorf("the script has %s", text)
				}
			}
		})
	}
}

func TestAParagraphIsLeftOutWithoutItsValue(t *testing.T) {
	const script = "def f():\n    # Only with A: for a reason.\n    a()\n    # And another.\n    b()\n\n    c()\n    # Only with B: x\n    d()\n\n\ne()\n"
	if got, want := without("A", script), "def f():\n\n    c()\n    # Only with B: x\n    d()\n\n\ne()\n"; got != want {
		t.Errorf("without A the script is %q, not %q", got, want)
	}
	if got, want := without("B", script), "def f():\n    # Only with A: for a reason.\n    a()\n    # And another.\n    b()\n\n    c()\n\n\ne()\n"; got != want {
		t.Errorf("without B the script is %q, not %q", got, want)
	}
	if got := without("C", script); got != script {
		t.Errorf("without C the script is %q", got)
	}
}

func TestTheExecutionIsLinkedInThePartitionsConsole(t *testing.T) {
	for region, want := range map[string]string{
		"eu-central-1":    "aws.amazon.com",
		"cn-north-1":      "amazonaws.cn",
		"us-gov-west-1":   "amazonaws-us-gov.com",
		"eusc-de-east-1":  "amazonaws-eusc.eu",
		"${Token[AWS.3]}": "aws.amazon.com",
		"us-west-2":       "aws.amazon.com",
	} {
		if got := partition.ConsoleDomain(region); got != want {
			t.Errorf("the console of %s is at %s, not %s", region, got, want)
		}
	}
	there := documentOf(plain)
	there.consoleDomain = "amazonaws.cn"
	want := "https://{{ global:REGION }}.console.amazonaws.cn/systems-manager/automation/execution/{{ automation:EXECUTION_ID }}"
	if got := payloadOf(there.runbook())["Execution"]; got != want {
		t.Errorf("the execution is at %s, not %s", got, want)
	}
}

// TestTheScriptHasNoCommentsAndSingleSpaces: a document and a template have a limit. That it is the same program, the module
// review tests.
func TestTheScriptHasNoCommentsAndSingleSpaces(t *testing.T) {
	script := withLogStore(documentOf(full, rules...)).runbook().MainSteps[0].Inputs["Script"].(string)
	depth := 0
	for number, line := range strings.Split(strings.TrimSuffix(script, "\n"), "\n") {
		code := strings.TrimLeft(line, " ")
		if code == "" || strings.HasPrefix(code, "#") {
			t.Errorf("line %d is %q", number+1, line)
		}
		if next := len(line) - len(code); next > depth+1 {
			t.Errorf("line %d is indented by %d spaces, the one before by %d: %q", number+1, next, depth, line)
		} else {
			depth = next
		}
	}
	if len(script) < 5_000 {
		t.Errorf("the script has only %d bytes", len(script))
	}
}

func TestCommentsEmptyLinesAndIndentationAreTakenOut(t *testing.T) {
	const script = "# a comment\nimport x\n\n\ndef f():\n    # another\n    if x:\n        return '# no comment'\n    \n"
	const want = "import x\ndef f():\n if x:\n  return '# no comment'\n"
	if got := withoutComments(script); got != want {
		t.Errorf("the script is %q, not %q", got, want)
	}
}

func TestTheScriptIsTheStepsOnlyOne(t *testing.T) {
	asset, deployed := assets.CloudTrailRemediationAction(), withLogStore(documentOf(full, rules...)).runbook()
	if len(deployed.MainSteps) != 1 || deployed.MainSteps[0].Action != "aws:executeScript" {
		t.Fatalf("the steps are %v", deployed.MainSteps)
	}
	for _, input := range []string{"Runtime", "Handler"} {
		if got, want := deployed.MainSteps[0].Inputs[input], asset.MainSteps[0].Inputs[input]; got != want {
			t.Errorf("the %s is %v, that of the asset is %v", input, got, want)
		}
	}
	if got, want := deployed.MainSteps[0].Runtime(), "python3.11"; got != want {
		t.Errorf("the runtime is %s, not %s", got, want)
	}
	if !slices.Equal(deployed.Outputs, asset.Outputs) || !slices.Equal(deployed.MainSteps[0].Outputs, asset.MainSteps[0].Outputs) {
		t.Errorf("the outputs are %v of %v", deployed.Outputs, deployed.MainSteps[0].Outputs)
	}
}

func TestEachReferenceIsAParameterOrAVariableOfAutomation(t *testing.T) {
	runbook := withLogStore(documentOf(full, rules...)).runbook()
	references := regexp.MustCompile(`\{\{ ?([A-Za-z:_]+) ?\}\}`).FindAllStringSubmatch(encoded(t, runbook), -1)
	if len(references) == 0 {
		t.Fatal("there are no references")
	}
	for _, match := range references {
		_, declared := runbook.Parameters[match[1]]
		if !declared && !slices.Contains([]string{"global:REGION", "global:ACCOUNT_ID", "automation:EXECUTION_ID"}, match[1]) {
			t.Errorf("the runbook refers to %s", match[1])
		}
	}
}

// TestAssetIsNotChanged: each construct narrows a copy of its own.
func TestAssetIsNotChanged(t *testing.T) {
	before := assets.CloudTrailRemediationAction()
	documentOf(full, rules...).runbook()
	if !reflect.DeepEqual(before, assets.CloudTrailRemediationAction()) {
		t.Error("narrowing the runbook changed the asset")
	}
}

func encoded(t *testing.T, value any) string {
	t.Helper()
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
