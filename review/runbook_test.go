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

// runbook is the files of a runbook, and the logical id of the resource that deploys it.
type runbook struct{ yaml, json, script, resource string }

func runbookOf(name, resource string) runbook {
	const folder = root + "/assets/runbooks/"
	return runbook{folder + name + ".yml", folder + name + ".json", folder + strings.ReplaceAll(name, "-", "_") + ".py", resource}
}

var (
	trailRunbook = runbookOf("cloudtrail-remediation-action", "RemediationRunbook702FD778")
	storeRunbook = runbookOf("log-store-remediation-action", "StoreRemediationRunbook9C422389")
	runbooks     = []runbook{trailRunbook, storeRunbook}
)

// TestTheRunbooksYAMLHasItsScript comes before the JSON, which is made of the YAML.
func TestTheRunbooksYAMLHasItsScript(t *testing.T) {
	for _, r := range runbooks {
		script, text := read(t, r.script), read(t, r.yaml)
		want, err := withScript(text, script)
		if err != nil {
			t.Fatal(err)
		}
		golden.Check(t, r.yaml, []byte(want))
		if got := inputs(t, decodedYAML(t, read(t, r.yaml)))["Script"].(string) + "\n"; got != script {
			t.Errorf("the script of %s, read as YAML, is not %s", r.yaml, r.script)
		}
	}
}

func TestTheRunbooksJSONIsItsYAMLWithoutTheScript(t *testing.T) {
	for _, r := range runbooks {
		document := decodedYAML(t, read(t, r.yaml))
		delete(inputs(t, document), "Script")
		var want bytes.Buffer
		encoder := json.NewEncoder(&want)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(document); err != nil {
			t.Fatal(err)
		}
		golden.Check(t, r.json, want.Bytes())
	}
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
	for _, r := range runbooks {
		seen := 0
		for name, path := range goldenTemplates(t) {
			template := readTemplate(t, path)
			if template["Resources"].(map[string]any)[r.resource] == nil {
				continue
			}
			seen++
			if !sameProgram(t, r.declared(t, template), r.deployedScript(t, template)) {
				t.Errorf("%s: the script is not the program %s", name, r.script)
			}
		}
		if seen == 0 {
			t.Errorf("no template has the runbook %s", r.resource)
		}
	}
}

func TestADeployedScriptThatIsAnotherProgramIsNoticed(t *testing.T) {
	template := readTemplate(t, goldenTemplates(t)["default"])
	script, deployed := trailRunbook.declared(t, template), trailRunbook.deployedScript(t, template)
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
	for _, r := range runbooks {
		for number, line := range strings.Split(read(t, r.script), "\n") {
			if strings.Contains(line, "{{") {
				t.Errorf("%s: line %d has two braces in a row: %s", r.script, number+1, line)
			}
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
func (r runbook) declared(t *testing.T, template map[string]any) string {
	t.Helper()
	payload := r.deployedInputs(t, template)["InputPayload"].(map[string]any)
	var kept []string
	skipping := false
	for _, line := range strings.Split(read(t, r.script), "\n") {
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

func (r runbook) deployedScript(t *testing.T, template map[string]any) string {
	t.Helper()
	return r.deployedInputs(t, template)["Script"].(string)
}

// deployedInputs are those of the one step of a template's document.
func (r runbook) deployedInputs(t *testing.T, template map[string]any) map[string]any {
	t.Helper()
	resource := template["Resources"].(map[string]any)[r.resource].(map[string]any)
	return inputs(t, resource["Properties"].(map[string]any)["Content"].(map[string]any))
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
