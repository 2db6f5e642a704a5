package review

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestCDKSynthesizesStrictly runs the app as a user does, with the CDK's own validator on.
func TestCDKSynthesizesStrictly(t *testing.T) {
	t.Parallel()
	output := t.TempDir()
	report, err := synth(t, output)
	if err != nil {
		t.Fatalf("%v\n%s", err, report)
	}
	if findings := validatorFindings(t, output); findings != "" {
		t.Errorf("the validator reports %s", findings)
	}
	// CloudFormation takes 51,200 bytes in a request; what the defaults leave of that is for the configuration.
	if size := len(read(t, filepath.Join(output, "TrailGuard.template.json"))); size > 44_000 {
		t.Errorf("the template has %d bytes, the limit is 44,000", size)
	}
	template := readTemplate(t, filepath.Join(output, "TrailGuard.template.json"))
	golden := readTemplate(t, goldenTemplates(t)["default"])
	for id := range golden["Resources"].(map[string]any) {
		if _, ok := template["Resources"].(map[string]any)[id]; !ok {
			t.Errorf("the app's template lacks %s", id)
		}
	}
}

// TestCDKSynthesizesAnOrganizationStrictly: what the archive's policies have is not warned of.
func TestCDKSynthesizesAnOrganizationStrictly(t *testing.T) {
	t.Parallel()
	output := t.TempDir()
	arguments := []string{}
	for _, key := range []string{
		"mode=organization", "members=guard", "organizationTrail=true", "organizationId=o-a1b2c3d4e5", "region=eu-central-1", `organizationalUnitIds=["ou-ab12-c3d4e5f6"]`,
		"managementAccount=111111111111", "logArchiveAccount=222222222222", "logArchiveKeyArn=arn:aws:kms:eu-central-1:222222222222:key/1", "securityAccount=333333333333",
	} {
		arguments = append(arguments, "-c", "trailguard:"+key)
	}
	report, err := synth(t, output, arguments...)
	if err != nil {
		t.Fatalf("%v\n%s", err, report)
	}
	if findings := validatorFindings(t, output); findings != "" {
		t.Errorf("the validator reports %s", findings)
	}
}

// validatorFindings is the report of the CDK's validator in a cloud assembly, empty if it has found nothing.
func validatorFindings(t *testing.T, assembly string) string {
	t.Helper()
	text := read(t, filepath.Join(assembly, "validation-report.json"))
	var validation struct {
		PluginReports []any `json:"pluginReports"`
	}
	if err := json.Unmarshal([]byte(text), &validation); err != nil {
		t.Fatal(err)
	}
	if len(validation.PluginReports) == 0 {
		return ""
	}
	return text
}

func TestABadConfigurationStopsTheSynthesis(t *testing.T) {
	t.Parallel()
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
