package remediation

import (
	"encoding/json"
	"fmt"
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

var (
	around = surroundings{
		automationRoleARN: "arn:aws:iam::123456789012:role/automation",
		alertTopicARN:     "alerts",
		configRuleNames:   []string{"rule-1", "rule-2"},
		consoleDomain:     "aws.amazon.com",
	}
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

// everyDeclared are the parameters that a start of the runbook passes with the declared value.
func everyDeclared(settings trail.Settings) map[string]any {
	return map[string]any{
		"AutomationAssumeRole":       around.automationRoleARN,
		"CloudTrailName":             settings.Name,
		"CloudTrailS3BucketName":     settings.S3BucketName,
		"CloudTrailKmsKeyId":         settings.KMSKeyARN,
		"IsMultiRegionTrail":         true,
		"IsOrganizationTrail":        settings.IsOrganizationTrail,
		"IncludeGlobalServiceEvents": true,
		"EnableLogFileValidation":    true,
	}
}

func TestParametersAcceptTheDeclaredValueAlone(t *testing.T) {
	for name, settings := range map[string]trail.Settings{"plain": plain, "full": full} {
		t.Run(name, func(t *testing.T) {
			want := map[string]assets.Parameter{
				"StartedBy": {Type: "String", Default: "hand", AllowedValues: []any{"hand", "event", "schedule", "Config"}},
			}
			for parameter, value := range everyDeclared(settings) {
				kind := "String"
				if _, ok := value.(bool); ok {
					kind = "Boolean"
				}
				want[parameter] = assets.Parameter{Type: kind, Default: value, AllowedValues: []any{value}}
			}
			if got := document(settings, around).Parameters; !reflect.DeepEqual(got, want) {
				t.Errorf("the parameters are\n%v\nnot\n%v", got, want)
			}
		})
	}
}

// TestParametersAreThoseOfTheAWSPattern: Config passes each as text, with the case that the runbook's parameters have.
func TestParametersAreThoseOfTheAWSPattern(t *testing.T) {
	got := map[string]any{}
	for _, parameter := range Parameters(full, around.automationRoleARN) {
		got[parameter.Name] = parameter.Value
		if want := fmt.Sprint(parameter.Value); parameter.Text() != want {
			t.Errorf("%s is passed as %q, not %q", parameter.Name, parameter.Text(), want)
		}
	}
	if want := everyDeclared(full); !reflect.DeepEqual(got, want) {
		t.Errorf("the parameters are %v, not %v", got, want)
	}
}

func TestThePayloadHasEachDeclaredSetting(t *testing.T) {
	const execution = "https://{{ global:REGION }}.console.aws.amazon.com/systems-manager/automation/execution/{{ automation:EXECUTION_ID }}"
	references := map[string]any{
		"Name": "{{ CloudTrailName }}", "S3BucketName": "{{ CloudTrailS3BucketName }}", "KmsKeyId": "{{ CloudTrailKmsKeyId }}",
		"IsMultiRegionTrail": "{{ IsMultiRegionTrail }}", "IsOrganizationTrail": "{{ IsOrganizationTrail }}",
		"IncludeGlobalServiceEvents": "{{ IncludeGlobalServiceEvents }}", "EnableLogFileValidation": "{{ EnableLogFileValidation }}",
		"StartedBy": "{{ StartedBy }}", "Execution": execution,
	}
	basic := func(resources ...any) []any {
		return []any{map[string]any{
			"ReadWriteType": "All", "IncludeManagementEvents": true, "ExcludeManagementEventSources": []any{},
			"DataResources": append([]any{}, resources...),
		}}
	}
	advanced := plain
	advanced.AdvancedEventSelectors = []trail.AdvancedEventSelector{{
		Name: "deletions", FieldSelectors: []trail.FieldSelector{
			{Field: "eventCategory", Equals: []string{"Data"}}, {Field: "eventName", StartsWith: []string{"Delete"}},
		},
	}}
	for _, test := range []struct {
		name     string
		settings trail.Settings
		around   surroundings
		want     map[string]any
	}{
		{"plain", plain, surroundings{consoleDomain: "aws.amazon.com"}, map[string]any{
			"S3KeyPrefix": "", "SnsTopicName": "", "CloudWatchLogsLogGroupArn": "", "CloudWatchLogsRoleArn": "",
			"EventSelectors": basic(), "AdvancedEventSelectors": []any{}, "InsightSelectors": []any{}, "TagsList": []any{},
			"ConfigRuleNames": []any{}, "AlertTopicArn": "",
		}},
		{"full", full, around, map[string]any{
			"S3KeyPrefix": "p", "SnsTopicName": "topic", "CloudWatchLogsLogGroupArn": "group", "CloudWatchLogsRoleArn": "logs-role",
			"EventSelectors":         basic(map[string]any{"Type": "AWS::S3::Object", "Values": []any{"arn:aws:s3:::a/"}}),
			"AdvancedEventSelectors": []any{},
			"InsightSelectors":       []any{map[string]any{"InsightType": "ApiCallRateInsight"}},
			"TagsList":               []any{map[string]any{"Key": "a", "Value": "b"}, map[string]any{"Key": "owner", "Value": "security"}},
			"ConfigRuleNames":        []any{"rule-1", "rule-2"}, "AlertTopicArn": "alerts",
		}},
		{"advanced event selectors", advanced, around, map[string]any{
			"S3KeyPrefix": "", "SnsTopicName": "", "CloudWatchLogsLogGroupArn": "", "CloudWatchLogsRoleArn": "",
			"EventSelectors": []any{}, "InsightSelectors": []any{}, "TagsList": []any{},
			"AdvancedEventSelectors": []any{
				map[string]any{"Name": "All management events", "FieldSelectors": []any{
					map[string]any{"Field": "eventCategory", "Equals": []any{"Management"}},
				}},
				map[string]any{"Name": "deletions", "FieldSelectors": []any{
					map[string]any{"Field": "eventCategory", "Equals": []any{"Data"}},
					map[string]any{"Field": "eventName", "StartsWith": []any{"Delete"}},
				}},
			},
			"ConfigRuleNames": []any{"rule-1", "rule-2"}, "AlertTopicArn": "alerts",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for name, reference := range references {
				test.want[name] = reference
			}
			got := content(document(test.settings, test.around)).(map[string]any)["mainSteps"].([]any)[0].(map[string]any)["inputs"].(map[string]any)["InputPayload"]
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("the payload is\n%s\nnot\n%s", encoded(t, got), encoded(t, test.want))
			}
		})
	}
}

// TestThePayloadHasWhatTheAssetHas: a setting that is left out of the deployed payload would be missing in the script. Only what the script has
// paragraphs of its own for is left out, with them, if it is not declared.
func TestThePayloadHasWhatTheAssetHas(t *testing.T) {
	central := around
	central.centralEventBusARN = "bus"
	delegated := full
	delegated.OwnerAccount, delegated.ARN = "111122223333", "arn"
	for _, test := range []struct {
		name     string
		settings trail.Settings
		around   surroundings
		without  []string
	}{
		{"plain", plain, around, []string{"TrailArn", "CentralEventBusArn"}},
		{"full", full, around, []string{"TrailArn", "CentralEventBusArn"}},
		{"delegated", delegated, around, []string{"CentralEventBusArn"}},
		{"central", full, central, []string{"TrailArn"}},
		{"both", delegated, central, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			deployed, asset := document(test.settings, test.around), payload(assets.CloudTrailRemediationAction())
			for _, name := range test.without {
				delete(asset, name)
				if script := deployed.MainSteps[0].Inputs["Script"].(string); strings.Contains(script, name) {
					t.Errorf("the script has %s", name)
				}
			}
			if got, want := slices.Sorted(maps.Keys(payload(deployed))), slices.Sorted(maps.Keys(asset)); !slices.Equal(got, want) {
				t.Errorf("the payload has %v, not %v", got, want)
			}
			for name, value := range payload(deployed) {
				if fmt.Sprint(value) == "{{ "+name+" }}" && slices.Contains([]string{"TrailArn", "CentralEventBusArn"}, name) {
					t.Errorf("%s has no value", name)
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
	there := around
	there.consoleDomain = "amazonaws.cn"
	want := "https://{{ global:REGION }}.console.amazonaws.cn/systems-manager/automation/execution/{{ automation:EXECUTION_ID }}"
	if got := payload(document(plain, there))["Execution"]; got != want {
		t.Errorf("the execution is at %s, not %s", got, want)
	}
}

// TestTheScriptHasNoCommentsAndSingleSpaces: a document and a template have a limit. That it is the same program, the module
// review tests.
func TestTheScriptHasNoCommentsAndSingleSpaces(t *testing.T) {
	script := document(full, around).MainSteps[0].Inputs["Script"].(string)
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
	asset, deployed := assets.CloudTrailRemediationAction(), document(full, around)
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
	runbook := document(full, around)
	references := regexp.MustCompile(`\{\{ ?([A-Za-z:_]+) ?\}\}`).FindAllStringSubmatch(encoded(t, runbook), -1)
	if len(references) == 0 {
		t.Fatal("there are no references")
	}
	for _, match := range references {
		_, declared := runbook.Parameters[match[1]]
		if !declared && match[1] != "global:REGION" && match[1] != "automation:EXECUTION_ID" {
			t.Errorf("the runbook refers to %s", match[1])
		}
	}
}

// TestAssetIsNotChanged: each construct narrows a copy of its own.
func TestAssetIsNotChanged(t *testing.T) {
	before := assets.CloudTrailRemediationAction()
	document(full, around)
	if !reflect.DeepEqual(before, assets.CloudTrailRemediationAction()) {
		t.Error("narrowing the runbook changed the asset")
	}
}

func payload(runbook assets.Runbook) map[string]any {
	return runbook.MainSteps[0].Inputs["InputPayload"].(map[string]any)
}

func encoded(t *testing.T, value any) string {
	t.Helper()
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
