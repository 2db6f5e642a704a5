package review

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestGuardPolicyJudgesEachFieldOfTheConfigurationItem evaluates the deployed policy with cfn-guard, which exits with 0 for
// an item that complies or is skipped, and with 19 for one that fails.
// https://docs.aws.amazon.com/config/latest/developerguide/evaluate-config_develop-rules_cfn-guard.html
func TestGuardPolicyJudgesEachFieldOfTheConfigurationItem(t *testing.T) {
	for name, path := range goldenTemplates(t) {
		t.Run(name, func(t *testing.T) {
			policy, declared := guardPolicy(t, readTemplate(t, path))
			verdict := func(change map[string]any) string {
				item := maps.Clone(declared)
				maps.Copy(item, change)
				return evaluate(t, policy, item)
			}
			if got := verdict(nil); got != "PASS" {
				t.Errorf("the declared state is judged %s", got)
			}
			for field, value := range declared {
				for _, wrong := range wrongValues(name, field, value) {
					if got := verdict(map[string]any{field: wrong}); got != "FAIL" {
						t.Errorf("%s %v is judged %s", field, wrong, got)
					}
				}
			}
			unset := map[string]any{}
			for field, value := range declared {
				if value == nil {
					unset[field] = ""
				}
			}
			if got := verdict(unset); got != "PASS" {
				t.Errorf("unset fields that are recorded as empty strings are judged %s", got)
			}
			if got := verdict(map[string]any{"trailARN": "arn:aws:cloudtrail:us-east-1:123456789012:trail/other", "isMultiRegionTrail": false}); got != "SKIP" {
				t.Errorf("another trail is judged %s", got)
			}
		})
	}
}

// wrongValues are values that the policy must refuse.
func wrongValues(name, field string, declared any) []any {
	switch field {
	case "trailARN":
		return nil // another trail's item, and not this one's
	case "isOrganizationTrail":
		if declared == false {
			return nil // an organization trail is never demoted, so it is no failure
		}
	case "hasCustomEventSelectors":
		if declared == false {
			return nil // whether selectors like the default ones count as custom is not documented
		}
	}
	switch declared := declared.(type) {
	case bool:
		return []any{!declared, nil}
	case string:
		return []any{declared + "-other", "", nil}
	default:
		return []any{"other"}
	}
}

// guardPolicy returns the policy of the template, and the configuration of the trail that it declares.
func guardPolicy(t *testing.T, template map[string]any) (string, map[string]any) {
	t.Helper()
	var policy string
	var content map[string]any
	for _, resource := range template["Resources"].(map[string]any) {
		resource := resource.(map[string]any)
		properties, _ := resource["Properties"].(map[string]any)
		switch resource["Type"] {
		case "AWS::Config::ConfigRule":
			if details, ok := properties["Source"].(map[string]any)["CustomPolicyDetails"].(map[string]any); ok {
				policy = resolved(details["PolicyText"]).(string)
			}
		case "AWS::SSM::Document":
			content = resolved(properties["Content"]).(map[string]any)
		}
	}
	parameter := func(name string) any {
		return content["parameters"].(map[string]any)[name].(map[string]any)["default"]
	}
	inputs := map[string]any{}
	for _, step := range content["mainSteps"].([]any) {
		step := step.(map[string]any)
		inputs[step["name"].(string)] = step["inputs"]
	}
	settings := inputs["RestoreSettings"].(map[string]any)
	selectors := inputs["RestoreEventSelectors"].(map[string]any)["EventSelectors"].([]any)
	insights := inputs["RestoreInsightSelectors"].(map[string]any)["InsightSelectors"].([]any)
	optional := func(name string) any {
		if settings[name] == "" {
			return nil
		}
		return settings[name]
	}
	_, arn, _ := strings.Cut(policy, "configuration.trailARN == \"")
	arn, _, _ = strings.Cut(arn, "\"")
	return policy, map[string]any{
		"trailARN":                   arn,
		"s3BucketName":               parameter("CloudTrailS3BucketName"),
		"s3KeyPrefix":                optional("S3KeyPrefix"),
		"kmsKeyId":                   parameter("CloudTrailKmsKeyId"),
		"snsTopicARN":                optional("SnsTopicName"),
		"cloudWatchLogsLogGroupArn":  optional("CloudWatchLogsLogGroupArn"),
		"cloudWatchLogsRoleArn":      optional("CloudWatchLogsRoleArn"),
		"isMultiRegionTrail":         true,
		"isOrganizationTrail":        parameter("IsOrganizationTrail"),
		"includeGlobalServiceEvents": true,
		"logFileValidationEnabled":   true,
		"hasCustomEventSelectors":    len(selectors[0].(map[string]any)["DataResources"].([]any)) > 0,
		"hasInsightSelectors":        len(insights) > 0,
	}
}

func evaluate(t *testing.T, policy string, configuration map[string]any) string {
	t.Helper()
	folder := t.TempDir()
	item, err := json.Marshal(map[string]any{"resourceType": "AWS::CloudTrail::Trail", "configuration": configuration})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"policy.guard": []byte(policy), "item.json": item} {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	platform := map[string]string{"linux": "ubuntu", "darwin": "macos"}[runtime.GOOS]
	machine := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	guard := tool(t, "node_modules", "@cdklabs", "cdk-validator-cfnguard", "bin", platform, machine, "cfn-guard")
	output, err := exec.Command(guard, "validate", "--rules", filepath.Join(folder, "policy.guard"),
		"--data", filepath.Join(folder, "item.json"), "--output-format", "json", "--structured", "--show-summary", "none").Output()
	var reports []struct{ Status string }
	if jsonErr := json.Unmarshal(output, &reports); jsonErr != nil || len(reports) != 1 {
		t.Fatalf("cfn-guard did not judge the item: %v\n%s", err, output)
	}
	return reports[0].Status
}
