package review

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/jsii-runtime-go"
)

// TestMain runs the tests. Only those are parallel that leave all the work to other processes: jsii is one connection.
func TestMain(m *testing.M) {
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

// root is the folder of the repository, where `make setup` installs the tools.
const root = ".."

// tool returns the path of an installed tool.
func tool(t *testing.T, parts ...string) string {
	t.Helper()
	path, err := toolPath(parts...)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func toolPath(parts ...string) (string, error) {
	path, err := filepath.Abs(filepath.Join(append([]string{root}, parts...)...))
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%s is missing: run `make setup`", filepath.Join(parts...))
	}
	return path, nil
}

// goldenTemplates are the reviewed templates of the guards by the names of their cases.
func goldenTemplates(t *testing.T) map[string]string {
	t.Helper()
	return goldenTemplatesOf(t, "trailguard")
}

// goldenTemplatesOf are those of a package of constructs.
func goldenTemplatesOf(t *testing.T, folder string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, "constructs", folder, "testdata/*.template.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("there are no golden templates: %v", err)
	}
	templates := map[string]string{}
	for _, path := range paths {
		name := filepath.Base(path)
		templates[name[:len(name)-len(".template.json")]] = path
	}
	return templates
}

func readTemplate(t *testing.T, path string) map[string]any {
	t.Helper()
	var template map[string]any
	if err := json.Unmarshal([]byte(read(t, path)), &template); err != nil {
		t.Fatal(err)
	}
	return template
}

// resolved returns the value with its intrinsic functions replaced by what they stand for in an account.
func resolved(value any) any {
	switch value := value.(type) {
	case map[string]any:
		if ref, ok := value["Ref"].(string); ok {
			return physical(ref)
		}
		if attribute, ok := value["Fn::GetAtt"].([]any); ok {
			return "arn:" + physical(attribute[0].(string))
		}
		if join, ok := value["Fn::Join"].([]any); ok {
			text := ""
			for _, part := range join[1].([]any) {
				text += fmt.Sprint(resolved(part))
			}
			return text
		}
		if choice, ok := value["Fn::Select"].([]any); ok {
			parts, i := resolved(choice[1]).([]any), int(choice[0].(float64))
			if i >= len(parts) { // of an ARN, which a physical id here is not
				return "part"
			}
			return parts[i]
		}
		if split, ok := value["Fn::Split"].([]any); ok {
			var parts []any
			for _, part := range strings.Split(fmt.Sprint(resolved(split[1])), split[0].(string)) {
				parts = append(parts, part)
			}
			return parts
		}
		if given, ok := value["Fn::Sub"].([]any); ok {
			text := given[0].(string)
			for name, variable := range given[1].(map[string]any) {
				text = strings.ReplaceAll(text, "${"+name+"}", fmt.Sprint(resolved(variable)))
			}
			return resolved(map[string]any{"Fn::Sub": text})
		}
		if text, ok := value["Fn::Sub"].(string); ok {
			return variable.ReplaceAllStringFunc(text, func(name string) string {
				id, _, isAttribute := strings.Cut(name[2:len(name)-1], ".")
				if isAttribute {
					return "arn:" + physical(id)
				}
				return physical(id)
			})
		}
		object := map[string]any{}
		for key, inner := range value {
			object[key] = resolved(inner)
		}
		return object
	case []any:
		list := make([]any, len(value))
		for i, inner := range value {
			list[i] = resolved(inner)
		}
		return list
	}
	return value
}

var variable = regexp.MustCompile(`\$\{[A-Za-z0-9:.]+\}`)

func physical(id string) string {
	pseudo := map[string]string{"AWS::Partition": "aws", "AWS::Region": "us-east-1", "AWS::AccountId": "123456789012", "AWS::URLSuffix": "amazonaws.com"}
	if value, ok := pseudo[id]; ok {
		return value
	}
	return "physical-" + id
}
