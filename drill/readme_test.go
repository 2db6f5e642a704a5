package drill

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestTheREADMENamesScenariosThatThereAre looks at each id of a scenario in what people read.
func TestTheREADMENamesScenariosThatThereAre(t *testing.T) {
	known := map[string]bool{}
	for _, s := range Scenarios() {
		known[s.ID] = true
	}
	for _, path := range []string{"README.md", "CHANGELOG.md", filepath.Join("localaws", "fidelity.md")} {
		for _, id := range regexp.MustCompile(`\bT[0-9]{2}\b`).FindAllString(documentation(t, path), -1) {
			if !known[id] {
				t.Errorf("%s names the scenario %s, which there is not", path, id)
			}
		}
	}
}

// TestTheREADMENamesExitCodesThatThereAre compares each exit code that it mentions with the constants of the command.
func TestTheREADMENamesExitCodesThatThereAre(t *testing.T) {
	codes := exitCodes(t)
	if len(codes) < 4 {
		t.Errorf("the command has the exit codes %v", codes)
	}
	text := strings.Join(strings.Fields(documentation(t, "README.md")), " ")
	named := regexp.MustCompile(`exit code ([0-9]+)`).FindAllStringSubmatch(text, -1)
	for _, match := range named {
		if !slices.Contains(codes, match[1]) {
			t.Errorf("the README names the exit code %s, which there is not", match[1])
		}
	}
	if len(named) == 0 {
		t.Error("the README names no exit code")
	}
}

// exitCodes are the values of the command's constants whose names begin with exit.
func exitCodes(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("cmd", "trailguard", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if spec, ok := node.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "exit") && len(spec.Values) == 1 {
				if value, ok := spec.Values[0].(*ast.BasicLit); ok {
					codes = append(codes, value.Value)
				}
			}
			return true
		})
	}
	return codes
}

func documentation(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
