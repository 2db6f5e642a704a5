package review

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestCfnLintFindsNothing(t *testing.T) {
	for name, path := range goldenTemplates(t) {
		if output, err := cfnLint(t, path); err != nil {
			t.Errorf("%s: %v\n%s", name, err, output)
		}
	}
}

func TestCfnLintFindsAMisspeltProperty(t *testing.T) {
	path := filepath.Join(t.TempDir(), "misspelt.template.json")
	write(t, path, strings.ReplaceAll(read(t, goldenTemplates(t)["default"]), "EnableKeyRotation", "EnableKeyRotating"))
	if output, err := cfnLint(t, path); err == nil || !strings.Contains(output, "EnableKeyRotating") {
		t.Errorf("the misspelt property is not found: %v\n%s", err, output)
	}
}

func cfnLint(t *testing.T, path string) (string, error) {
	t.Helper()
	output, err := exec.Command(tool(t, ".venv", "bin", "cfn-lint"), "--regions", "us-east-1", "--", path).CombinedOutput()
	return string(output), err
}

// TestCDKSynthesizesStrictly runs the app as a user does, with the CDK's own validator on.
func TestCDKSynthesizesStrictly(t *testing.T) {
	output := t.TempDir()
	report, err := synth(t, output)
	if err != nil {
		t.Fatalf("%v\n%s", err, report)
	}
	text := read(t, filepath.Join(output, "validation-report.json"))
	var validation struct {
		PluginReports []any `json:"pluginReports"`
	}
	if err := json.Unmarshal([]byte(text), &validation); err != nil {
		t.Fatal(err)
	}
	if len(validation.PluginReports) != 0 {
		t.Errorf("the validator reports %s", text)
	}
	// CloudFormation takes 51,200 bytes in a request; what the defaults leave of that is for the configuration.
	if size := len(read(t, filepath.Join(output, "TrailGuard.template.json"))); size > 32_000 {
		t.Errorf("the template has %d bytes, the limit is 32,000", size)
	}
	template := readTemplate(t, filepath.Join(output, "TrailGuard.template.json"))
	golden := readTemplate(t, goldenTemplates(t)["default"])
	for id := range golden["Resources"].(map[string]any) {
		if _, ok := template["Resources"].(map[string]any)[id]; !ok {
			t.Errorf("the app's template lacks %s", id)
		}
	}
}

func TestABadConfigurationStopsTheSynthesis(t *testing.T) {
	output := t.TempDir()
	report, err := synth(t, output, "-c", "trailguard:trailName=x", "-c", "trailguard:expireAfterDays=30")
	if err == nil {
		t.Error("the synthesis succeeded")
	}
	for _, line := range []string{`trailName: "x" is not a trail name`, "expireAfterDays: 30 days is not after the transition at 90 days"} {
		if !strings.Contains(report, line) {
			t.Errorf("the report lacks %q:\n%s", line, report)
		}
	}
	if _, err := os.Stat(filepath.Join(output, "TrailGuard.template.json")); err == nil {
		t.Error("a template was written all the same")
	}
}

func synth(t *testing.T, output string, arguments ...string) (string, error) {
	t.Helper()
	command := exec.Command(tool(t, "node_modules", ".bin", "cdk"), append([]string{"synth", "--quiet", "--strict", "--output", output}, arguments...)...)
	command.Dir = root
	command.Env = append(os.Environ(), "CDK_VALIDATION=true")
	report, err := command.CombinedOutput()
	return string(report), err
}
