package review

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"

	"github.com/trailguard/trailguard/constructs/trail"
	"github.com/trailguard/trailguard/constructs/trailguard"
	"github.com/trailguard/trailguard/internal/cases"
)

// TestGuardPolicyJudgesEachFieldOfTheConfigurationItem evaluates the deployed policy with cfn-guard, which exits with 0 for
// an item that complies or is skipped, and with 19 for one that fails.
// https://docs.aws.amazon.com/config/latest/developerguide/evaluate-config_develop-rules_cfn-guard.html
func TestGuardPolicyJudgesEachFieldOfTheConfigurationItem(t *testing.T) {
	for name, path := range goldenTemplates(t) {
		if name == "without-config" || name == "delegated" {
			continue // they have no Config rules
		}
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
				for _, wrong := range wrongValues(field, value) {
					if got := verdict(map[string]any{field: wrong}); got != "FAIL" {
						t.Errorf("%s %v is judged %s", field, wrong, got)
					}
				}
			}
			empty, absent := maps.Clone(declared), maps.Clone(declared)
			for field, value := range declared {
				if value == nil {
					empty[field] = ""
					delete(absent, field)
				}
			}
			if got := evaluate(t, policy, empty); got != "PASS" {
				t.Errorf("unset fields that are recorded as empty strings are judged %s", got)
			}
			if got := evaluate(t, policy, absent); got != "PASS" {
				t.Errorf("unset fields that are not recorded are judged %s", got)
			}
			if got := verdict(map[string]any{"trailARN": "arn:aws:cloudtrail:us-east-1:123456789012:trail/other", "isMultiRegionTrail": false}); got != "SKIP" {
				t.Errorf("another trail is judged %s", got)
			}
		})
	}
}

// TestGuardComparesEveryPrefixThatIsTaken holds every character of ASCII that a prefix may have, and others.
func TestGuardComparesEveryPrefixThatIsTaken(t *testing.T) {
	var prefix strings.Builder
	for character := rune(' '); character < 0x7f; character++ {
		if trail.CheckS3KeyPrefix("", "a"+string(character)+"a") == nil {
			prefix.WriteRune(character)
		}
	}
	prefix.WriteString("ü漢🙂 a")
	text := strings.Trim(prefix.String(), "/")
	if err := trail.CheckS3KeyPrefix("S3KeyPrefix", text); err != nil || len(text) < 80 {
		t.Fatalf("%q: %v", text, err)
	}
	policy := func(prefix string) (string, map[string]any) {
		return guardPolicy(t, synthesized(cases.Case{Props: func(awscdk.Stack) *trailguard.TrailGuardProps {
			return &trailguard.TrailGuardProps{S3KeyPrefix: &prefix}
		}}))
	}
	everyCharacter, declared := policy(text)
	if got := evaluate(t, everyCharacter, declared); got != "PASS" {
		t.Errorf("the prefix %q is judged %s", text, got)
	}
	// Why a prefix may have no backslash: the policy would have to escape it, and Guard does not read the escape.
	plain, declared := policy("backslash")
	declared["s3KeyPrefix"] = `back\slash`
	if got := evaluate(t, strings.Replace(plain, `"backslash"`, strconv.Quote(`back\slash`), 1), declared); got != "FAIL" {
		t.Errorf("a prefix with a backslash is judged %s", got)
	}
}

func synthesized(c cases.Case) map[string]any {
	return *assertions.Template_FromStack(c.Stack(), nil).ToJSON()
}

// wrongValues are values that the policy must refuse.
func wrongValues(field string, declared any) []any {
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
	case "hasInsightSelectors":
		if declared == false {
			return nil // what the item says where Insights were turned off is not documented
		}
	}
	switch declared := declared.(type) {
	case bool:
		return []any{!declared, nil}
	case string:
		return []any{declared + "-other", "", nil}
	default:
		return []any{"other", false}
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
	payload := inputs(t, content)["InputPayload"].(map[string]any)
	// What is not declared is not in the payload.
	custom := payload["AdvancedEventSelectors"] != nil
	selectors, _ := payload["EventSelectors"].([]any)
	for _, selector := range selectors {
		custom = custom || selector.(map[string]any)["DataResources"] != nil
	}
	return policy, map[string]any{
		"trailARN":                   resolved(template["Outputs"].(map[string]any)["TrailArn"].(map[string]any)["Value"]),
		"s3BucketName":               payload["S3BucketName"],
		"s3KeyPrefix":                payload["S3KeyPrefix"],
		"kmsKeyId":                   payload["KmsKeyId"],
		"snsTopicARN":                payload["SnsTopicName"],
		"cloudWatchLogsLogGroupArn":  payload["CloudWatchLogsLogGroupArn"],
		"cloudWatchLogsRoleArn":      payload["CloudWatchLogsRoleArn"],
		"isMultiRegionTrail":         payload["IsMultiRegionTrail"],
		"isOrganizationTrail":        payload["IsOrganizationTrail"] == true,
		"includeGlobalServiceEvents": payload["IncludeGlobalServiceEvents"],
		"logFileValidationEnabled":   payload["EnableLogFileValidation"],
		"hasCustomEventSelectors":    custom,
		"hasInsightSelectors":        payload["InsightSelectors"] != nil,
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
