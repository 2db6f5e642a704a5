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

	"github.com/trailguard/trailguard/assets"
	"github.com/trailguard/trailguard/internal/golden"
)

// runbook is the files of a runbook, and what it restores.
type runbook struct {
	yaml, json string
	resource   assets.Resource
}

func runbookOf(name string, resource assets.Resource) runbook {
	const folder = root + "/assets/runbooks/"
	return runbook{folder + name + ".yml", folder + name + ".json", resource}
}

var runbooks = []runbook{runbookOf("cloudtrail-remediation-action", assets.Trail), runbookOf("log-store-remediation-action", assets.LogStore)}

// deployedRunbooks are the logical ids of the resources that deploy a runbook.
var deployedRunbooks = []string{"RemediationRunbook702FD778", "StoreRemediationRunbook9C422389"}

// TestTheRunbooksYAMLHasItsScript comes before the JSON, which is made of the YAML.
func TestTheRunbooksYAMLHasItsScript(t *testing.T) {
	for _, r := range runbooks {
		script, text := assets.Script(r.resource), read(t, r.yaml)
		want, err := withScript(text, script)
		if err != nil {
			t.Fatal(err)
		}
		golden.Check(t, r.yaml, []byte(want))
		if got := inputs(t, decodedYAML(t, read(t, r.yaml)))["Script"].(string) + "\n"; got != script {
			t.Errorf("the script of %s, read as YAML, is another", r.yaml)
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

// TestTheDeployedScriptIsTheSameProgram: it has lost its comments, empty lines and indentation, and the parts of what is not declared.
func TestTheDeployedScriptIsTheSameProgram(t *testing.T) {
	seen := map[string]int{}
	for name, path := range goldenTemplates(t) {
		template := readTemplate(t, path)
		for _, id := range deployedRunbooks {
			if template["Resources"].(map[string]any)[id] == nil {
				continue
			}
			seen[id]++
			deployed := deployedInputs(t, template, id)
			script, restores := declared(deployed["InputPayload"].(map[string]any))
			seen[restores]++
			if !sameProgram(t, script, deployed["Script"].(string)) {
				t.Errorf("%s: the script of %s is another program", name, id)
			}
		}
	}
	for _, what := range []string{deployedRunbooks[0], string(assets.Trail), string(assets.Trail) + string(assets.LogStore)} {
		if seen[what] == 0 {
			t.Errorf("no template has the runbook of %s: %v", what, seen)
		}
	}
}

func TestADeployedScriptThatIsAnotherProgramIsNoticed(t *testing.T) {
	inputs := deployedInputs(t, readTemplate(t, goldenTemplates(t)["default"]), deployedRunbooks[0])
	script, _ := declared(inputs["InputPayload"].(map[string]any))
	deployed := inputs["Script"].(string)
	for _, change := range []struct {
		name, from, to string
		same           bool
	}{
		{"a line is lost", "\n arm_config()\n", "\n", false},
		{"a line has left its block", "\n  raise RuntimeError(text)\n", "\n  pass\n raise RuntimeError(text)\n", false},
		{"a text has changed", "REPAIRED: ", " REPAIRED: ", false},
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
		for number, line := range strings.Split(assets.Script(r.resource), "\n") {
			if strings.Contains(line, "{{") {
				t.Errorf("%s: line %d of the script has two braces in a row: %s", r.yaml, number+1, line)
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

// declared is the script of what a payload declares, without the paragraphs for what it does not, and the names of what it restores.
func declared(payload map[string]any) (script, restores string) {
	var resources []assets.Resource
	if payload["S3BucketName"] != nil {
		resources = append(resources, assets.Trail)
	}
	if payload["Declared"] != nil {
		resources = append(resources, assets.LogStore)
	}
	var kept []string
	skipping := false
	for _, line := range strings.Split(assets.Script(resources...), "\n") {
		if _, after, isOnly := strings.Cut(line, "# Only with "); isOnly {
			value, _, _ := strings.Cut(after, ":")
			skipping = payload[value] == nil
		}
		skipping = skipping && line != ""
		if !skipping {
			kept = append(kept, line)
		}
	}
	for _, resource := range resources {
		restores += string(resource)
	}
	return strings.Join(kept, "\n"), restores
}

// deployedInputs are those of the one step of a template's document.
func deployedInputs(t *testing.T, template map[string]any, id string) map[string]any {
	t.Helper()
	resource := template["Resources"].(map[string]any)[id].(map[string]any)
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
