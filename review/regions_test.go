package review

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/partition"
)

// TestRegionsWithoutRemediationAreThoseOfTheSchemas fails when AWS opens a Region, or a service in one, and cfn-lint knows of it.
func TestRegionsWithoutRemediationAreThoseOfTheSchemas(t *testing.T) {
	for region, has := range schemas(t) {
		if remediates(region) != has {
			t.Errorf("that Config has remediation in %s is %t to the constructs, and %t in the schemas", region, remediates(region), has)
		}
	}
}

func TestCfnLintFindsATypeThatARegionDoesNotHave(t *testing.T) {
	t.Parallel()
	path := goldenTemplates(t)["default"]
	want := path + ": AWS::Config::RemediationConfiguration does not exist in mx-central-1\n"
	if findings := cfnLint(t, lintJob{path, []string{"mx-central-1", "eu-central-1"}}); findings != want {
		t.Errorf("the findings are %q, not %q", findings, want)
	}
}

func TestCfnLintFindsAMisspeltProperty(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "misspelt.template.json")
	write(t, path, strings.ReplaceAll(read(t, goldenTemplates(t)["default"]), "EnableKeyRotation", "EnableKeyRotating"))
	if findings := cfnLint(t, lintJob{path, []string{"us-east-1"}}); !strings.Contains(findings, "EnableKeyRotating") {
		t.Errorf("the misspelt property is not found in %q", findings)
	}
}

// lintJob is a template and the Regions that it is for.
type lintJob struct {
	Template string   `json:"template"`
	Regions  []string `json:"regions"`
}

// cfnLint returns what cfn-lint finds, a line each.
func cfnLint(t *testing.T, jobs ...lintJob) string {
	t.Helper()
	input, err := json.Marshal(jobs)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(tool(t, ".venv", "bin", "python"), "-B", "cfn_lint.py")
	command.Stdin = bytes.NewReader(input)
	output, err := command.CombinedOutput()
	if err != nil && len(output) == 0 {
		t.Fatal(err)
	}
	return string(output)
}

func remediates(region string) bool {
	return partition.HasRemediation(awscdk.NewStack(nil, nil, &awscdk.StackProps{Env: &awscdk.Environment{Region: jsii.String(region)}}))
}

// schemas tell, by Region, whether CloudFormation has the remediation of Config there.
func schemas(t *testing.T) map[string]bool {
	t.Helper()
	has, err := readSchemas()
	if err != nil {
		t.Fatal(err)
	}
	return has
}

var readSchemas = sync.OnceValues(func() (has map[string]bool, err error) {
	python, err := toolPath(".venv", "bin", "python")
	if err != nil {
		return nil, err
	}
	output, err := exec.Command(python, "-B", "cfn_lint.py", "--regions", "AWS::Config::RemediationConfiguration").Output()
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(output, &has); err != nil {
		return nil, err
	}
	if len(has) < 40 {
		return nil, fmt.Errorf("cfn-lint knows %d Regions only", len(has))
	}
	return has, nil
})
