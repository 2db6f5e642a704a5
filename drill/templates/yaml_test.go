package templates

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// golden are the golden templates.
func golden(t *testing.T) []string {
	t.Helper()
	var paths []string
	for _, folder := range []string{"trailguard", "organization"} {
		found, err := filepath.Glob(filepath.Join("..", "..", "constructs", folder, "testdata", "*.template.json"))
		if err != nil || len(found) == 0 {
			t.Fatalf("there are no golden templates of %s: %v", folder, err)
		}
		paths = append(paths, found...)
	}
	return paths
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// tricky are strings that parsers of YAML 1.1 take for something else, if they are not quoted.
const tricky = `{"Resources": {"R": {"Type": "T", "Properties": {"List": ["yes", "No", "on", "y", "1", "012", "0x1F", "1_000", "12:30:45", "1e3", ".5", "~", "null", "",
	" a", "a ", "a: b", "a #b", "- a", "!Ref", "{a", "*a", "&a", "%a", "@a", "2012-10-17", "=", "<<", "it's", "say \"x\"", "it's \"x\"", "\t", "a\nb", "a\n", "a\n\n", "\na", " a\nb", "a \nb", "ü→"],
	"Numbers": [0, 1, -1.5, 1e21], "Booleans": [true, false, null], "Empty": [{}, []], "yes": "key", "1": "key",
	"Functions": [{"Ref": "A"}, {"Fn::Sub": "${A}"}, {"Fn::Sub": ["${a}", {"a": {"Ref": "A"}}]}, {"Fn::GetAtt": ["A", "Arn"]}, {"Fn::Join": ["", ["a", {"Ref": "A"}]]},
		{"Fn::Select": [0, {"Fn::Split": [",", "a,b"]}]}, {"Fn::If": ["C", 1, 2]}, {"Ref": "A", "B": 1}]}}}}`

// meaning are the templates as cfn-lint reads them, which knows the short forms of CloudFormation.
func meaning(t *testing.T, texts ...[]byte) []any {
	t.Helper()
	const program = `
import json, sys
from cfnlint.decode.cfn_yaml import loads
json.dump([loads(text) for text in json.load(sys.stdin)], sys.stdout)`
	python := filepath.Join("..", "..", ".venv", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		t.Fatalf("%s is missing: run make setup", python)
	}
	all := []string{}
	for _, text := range texts {
		all = append(all, string(text))
	}
	input, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(python, "-B", "-c", program)
	command.Stdin, command.Stderr = bytes.NewReader(input), os.Stderr
	output, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	var read []any
	if err := json.Unmarshal(output, &read); err != nil || len(read) != len(texts) {
		t.Fatalf("%v: %.300s", err, output)
	}
	return read
}

func TestTheYAMLMeansWhatTheJSONDoes(t *testing.T) {
	names, sources := []string{"tricky"}, [][]byte{[]byte(tricky)}
	for _, path := range golden(t) {
		names, sources = append(names, path), append(sources, read(t, path))
	}
	var converted [][]byte
	for i, source := range sources {
		first, err := YAML(source, "Header\n\nof two lines")
		if err != nil {
			t.Fatalf("%s: %v", names[i], err)
		}
		if second, err := YAML(source, "Header\n\nof two lines"); err != nil || !bytes.Equal(first, second) {
			t.Errorf("%s: a second run gives other bytes: %v", names[i], err)
		}
		converted = append(converted, first)
	}
	for i, got := range meaning(t, converted...) {
		var want any
		if err := json.Unmarshal(sources[i], &want); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s means something else:\n%s", names[i], difference(got, want, "$"))
		}
	}
}

// difference is where two values first differ.
func difference(got, want any, path string) string {
	switch want := want.(type) {
	case map[string]any:
		if got, ok := got.(map[string]any); ok && len(got) == len(want) {
			for key := range want {
				if text := difference(got[key], want[key], path+"."+key); text != "" {
					return text
				}
			}
			return ""
		}
	case []any:
		if got, ok := got.([]any); ok && len(got) == len(want) {
			for i := range want {
				if text := difference(got[i], want[i], path+"[]"); text != "" {
					return text
				}
			}
			return ""
		}
	}
	if reflect.DeepEqual(got, want) {
		return ""
	}
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(want)
	return path + ": " + string(a) + ", not " + string(b)
}

func TestAnotherMeaningIsSeen(t *testing.T) {
	read := meaning(t, []byte("a: yes"), []byte(`a: "yes"`), []byte("a: !Ref b"), []byte("a: {Ref: b}"))
	if reflect.DeepEqual(read[0], read[1]) || !reflect.DeepEqual(read[2], read[3]) {
		t.Errorf("they mean %v", read)
	}
}

func TestTheScriptIsABlock(t *testing.T) {
	text, err := YAML(read(t, filepath.Join("..", "..", "constructs", "trailguard", "testdata", "default.template.json")), "")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "Script: |\n") || !strings.Contains(string(text), " import boto3\n") {
		t.Error("the script is no literal block")
	}
}

func TestAHeaderSaysWhatATemplateIs(t *testing.T) {
	assembly, folder := t.TempDir(), filepath.Join(t.TempDir(), "dist")
	rollout := `{"Description": "Deploys", "Resources": {"S": {"Type": "AWS::CloudFormation::StackSet", "Properties": {"Accounts": ["111111111111"],
		"TemplateBody": "{\"Description\": \"Keeps\", \"Resources\": {\"R\": {\"Type\": \"AWS::IAM::Role\"}}}"}}}}`
	if err := os.WriteFile(filepath.Join(assembly, "TrailGuardRollout.template.json"), []byte(rollout), 0o600); err != nil {
		t.Fatal(err)
	}
	written, err := Write(assembly, folder, func(stack string) string { return stack + "Watch" },
		Value{"111111111111", "the management account"}, Value{"222222222222", "the archive"})
	want := []string{filepath.Join(folder, "TrailGuardMemberWatch.yaml"), filepath.Join(folder, "TrailGuardRolloutWatch.yaml")}
	if err != nil || !slices.Equal(written, want) {
		t.Fatalf("it writes %v: %v", written, err)
	}
	if got := string(read(t, written[0])); !strings.HasPrefix(got, "# TrailGuardMember: Keeps.\n#\n# It is what TrailGuardRollout deploys.") ||
		!strings.Contains(got, "# Parameters: none.\n# Capabilities: CAPABILITY_IAM.\n#\n# Made by") {
		t.Errorf("the member is\n%s", got)
	}
	if got := string(read(t, written[1])); !strings.Contains(got, "# Capabilities: none.\n# Change: these values of an example, where they stand:\n#   111111111111 (the management account)\n#\n# Made by") {
		t.Errorf("the rollout is\n%s", got)
	}
}

func TestATemplateThatIsTooLongIsRefused(t *testing.T) {
	assembly, folder := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(assembly, "TrailGuard.template.json"), read(t, filepath.Join("..", "..", "constructs", "trailguard", "testdata", "everything.template.json")), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Write(assembly, folder, func(stack string) string { return stack })
	if err == nil || !strings.Contains(err.Error(), "and CloudFormation takes 51200 in a request: deploy the JSON of `make synth`, which is shorter") {
		t.Errorf("the error is %v", err)
	}
	if _, err := os.Stat(filepath.Join(folder, "TrailGuard.yaml")); err == nil {
		t.Error("it is written all the same")
	}
	if _, err := Write(t.TempDir(), folder, nil); err == nil {
		t.Error("an assembly without templates is no error")
	}
}
