package review

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/trailguard/trailguard/internal/golden"
)

const (
	runbookYAML   = root + "/assets/runbooks/cloudtrail-remediation-action.yml"
	runbookJSON   = root + "/assets/runbooks/cloudtrail-remediation-action.json"
	runbookScript = root + "/assets/runbooks/cloudtrail_remediation_action.py"
)

// TestTheRunbooksYAMLHasItsScript comes before the JSON, which is made of the YAML.
func TestTheRunbooksYAMLHasItsScript(t *testing.T) {
	script, text := read(t, runbookScript), read(t, runbookYAML)
	want, err := withScript(text, script)
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, runbookYAML, []byte(want))
	if got := inputs(t, decodedYAML(t, read(t, runbookYAML)))["Script"].(string) + "\n"; got != script {
		t.Error("the script of cloudtrail-remediation-action.yml, read as YAML, is not cloudtrail_remediation_action.py")
	}
}

func TestTheRunbooksJSONIsItsYAMLWithoutTheScript(t *testing.T) {
	document := decodedYAML(t, read(t, runbookYAML))
	delete(inputs(t, document), "Script")
	var want bytes.Buffer
	encoder := json.NewEncoder(&want)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(document); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, runbookJSON, want.Bytes())
}

func TestAScriptIsPutIntoTheYAMLAndTheRestIsLeft(t *testing.T) {
	const text = "mainSteps:\n  - name: Step\n    inputs:\n      # A comment.\n      Script: |-\n        old\n\n        older\n    outputs:\n      - Name: Report\n\noutputs:\n  - Step.Report\n"
	const want = "mainSteps:\n  - name: Step\n    inputs:\n      # A comment.\n      Script: |-\n        if new:\n            pass\n\n        end\n    outputs:\n      - Name: Report\n\noutputs:\n  - Step.Report\n"
	got, err := withScript(text, "if new:\n    pass\n\nend\n")
	if err != nil || got != want {
		t.Errorf("the YAML is\n%s\nnot\n%s\n%v", got, want, err)
	}
	for _, text := range []string{"", "      Script: |-\n        old\n", "    outputs:\n"} {
		if got, err := withScript(text, "new\n"); err == nil {
			t.Errorf("%q has no place for a script, and became %q", text, got)
		}
	}
}

// withScript returns the YAML of the runbook with the script in the place of the one that it has.
func withScript(text, script string) (string, error) {
	const start, end = "      Script: |-\n", "\n    outputs:\n"
	before, rest, started := strings.Cut(text, start)
	_, after, ended := strings.Cut(rest, end)
	if !started || !ended {
		return "", errors.New("the YAML of the runbook has no step with a Script: |- that is followed by outputs")
	}
	lines := strings.Split(strings.TrimSuffix(script, "\n"), "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = "        " + line
		}
	}
	return before + start + strings.Join(lines, "\n") + end + after, nil
}

// TestTheDeployedScriptIsTheSameProgram: it has lost its comments, empty lines and indentation.
func TestTheDeployedScriptIsTheSameProgram(t *testing.T) {
	script := read(t, runbookScript)
	for name, path := range goldenTemplates(t) {
		if !sameProgram(t, declared(t, script, readTemplate(t, path)), deployedScript(t, readTemplate(t, path))) {
			t.Errorf("%s: the script is not the program cloudtrail_remediation_action.py", name)
		}
	}
}

func TestADeployedScriptThatIsAnotherProgramIsNoticed(t *testing.T) {
	template := readTemplate(t, goldenTemplates(t)["default"])
	script, deployed := declared(t, read(t, runbookScript), template), deployedScript(t, template)
	for _, change := range []struct {
		name, from, to string
		same           bool
	}{
		{"a line is lost", "\n  arm_config()\n", "\n", false},
		{"a line has left its block", "\n  raise RuntimeError(text)\n", "\n  pass\n raise RuntimeError(text)\n", false},
		{"a text has changed", "REPAIRED:", " REPAIRED:", false},
		{"spaces", "sleep(pause)", "sleep( pause )", true},
	} {
		changed := strings.Replace(deployed, change.from, change.to, 1)
		if changed == deployed {
			t.Errorf("%s: the script has no %q", change.name, change.from)
		}
		if same := sameProgram(t, script, changed); same != change.same {
			t.Errorf("%s: the same program is %t", change.name, same)
		}
	}
}

// TestTheScriptHasNoVariableOfAutomation: two braces in a row are one to Automation, in a script too.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-executeScript.html
func TestTheScriptHasNoVariableOfAutomation(t *testing.T) {
	for number, line := range strings.Split(read(t, runbookScript), "\n") {
		if strings.Contains(line, "{{") {
			t.Errorf("line %d has two braces in a row: %s", number+1, line)
		}
	}
}

// sameProgram tells whether two scripts are one and the same to Python.
func sameProgram(t *testing.T, scripts ...string) bool {
	t.Helper()
	const compare = "import ast, sys\none, other = (ast.dump(ast.parse(open(path).read())) for path in sys.argv[1:])\nprint(one == other)"
	arguments := []string{"-c", compare}
	for i, script := range scripts {
		path := filepath.Join(t.TempDir(), string(rune('a'+i))+".py")
		write(t, path, script)
		arguments = append(arguments, path)
	}
	output, err := exec.Command(tool(t, ".venv", "bin", "python"), arguments...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return strings.TrimSpace(string(output)) == "True"
}

// declared is the script without the paragraphs for what a template does not declare.
func declared(t *testing.T, script string, template map[string]any) string {
	t.Helper()
	payload := deployedInputs(t, template)["InputPayload"].(map[string]any)
	var kept []string
	skipping := false
	for _, line := range strings.Split(script, "\n") {
		if _, after, isOnly := strings.Cut(line, "# Only with "); isOnly {
			value, _, _ := strings.Cut(after, ":")
			skipping = payload[value] == nil
		}
		skipping = skipping && line != ""
		if !skipping {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

func deployedScript(t *testing.T, template map[string]any) string {
	t.Helper()
	return deployedInputs(t, template)["Script"].(string)
}

// deployedInputs are those of the one step of a template's document.
func deployedInputs(t *testing.T, template map[string]any) map[string]any {
	t.Helper()
	for _, resource := range template["Resources"].(map[string]any) {
		if resource := resource.(map[string]any); resource["Type"] == "AWS::SSM::Document" {
			return inputs(t, resource["Properties"].(map[string]any)["Content"].(map[string]any))
		}
	}
	t.Fatal("the template has no document")
	return nil
}

// inputs are those of the one step of a document.
func inputs(t *testing.T, document map[string]any) map[string]any {
	t.Helper()
	steps := document["mainSteps"].([]any)
	if len(steps) != 1 {
		t.Fatalf("the document has %d steps", len(steps))
	}
	return steps[0].(map[string]any)["inputs"].(map[string]any)
}

func decodedYAML(t *testing.T, text string) map[string]any {
	t.Helper()
	var document map[string]any
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		t.Fatal(err)
	}
	return document
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
