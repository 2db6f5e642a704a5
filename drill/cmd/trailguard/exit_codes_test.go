package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// exitConstants are the values of the constants whose names begin with exit.
func exitConstants(t *testing.T) map[string]bool {
	t.Helper()
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]bool{}
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if spec, ok := node.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "exit") && len(spec.Values) == 1 {
				if value, ok := spec.Values[0].(*ast.BasicLit); ok && value.Kind == token.INT {
					values[value.Value] = true
				}
			}
			return true
		})
	}
	return values
}

// meanings are the exit codes that a text lists, with what it says of each.
func meanings(line, text string) map[string]string {
	found := map[string]string{}
	for _, match := range regexp.MustCompile(line).FindAllStringSubmatch(text, -1) {
		found[match[1]] = match[2]
	}
	return found
}

// exitCodesDiffer is how the program's exit codes, those of its help and those of the README differ.
func exitCodesDiffer(constants map[string]bool, help, readme string) (problems []string) {
	inHelp := meanings(`(?m)^  ([0-9]+)  (.+)$`, help)
	_, table, _ := strings.Cut(readme, "\n| exit code | when |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	inREADME := meanings(`(?m)^\| ([0-9]+) \| (.+) \|$`, table)
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	for code := range constants {
		if inHelp[code] == "" {
			problem("the help lacks the exit code %s", code)
		}
		if inREADME[code] != inHelp[code] {
			problem("of the exit code %s the README says %q, the help %q", code, inREADME[code], inHelp[code])
		}
	}
	for where, list := range map[string]map[string]string{"help": inHelp, "README": inREADME} {
		for code := range list {
			if !constants[code] {
				problem("the %s has the exit code %s, which the program has not", where, code)
			}
		}
	}
	for _, match := range regexp.MustCompile(`exit code\s+([0-9]+)`).FindAllStringSubmatch(readme, -1) {
		if !constants[match[1]] {
			problem("the README speaks of the exit code %s, which the program has not", match[1])
		}
	}
	return problems
}

func TestTheExitCodesAreThoseOfTheHelpAndTheREADME(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("..", "..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	constants, readme := exitConstants(t), string(content)
	for _, problem := range exitCodesDiffer(constants, exitCodes, readme) {
		t.Error(problem)
	}

	// The negative controls.
	replaced := func(text, old, new string) string {
		if !strings.Contains(text, old) {
			t.Errorf("%q is not in\n%s", old, text)
		}
		return strings.Replace(text, old, new, 1)
	}
	const last = "  3  the environment failed, or the drill was interrupted"
	row := "| " + strings.Replace(strings.TrimSpace(last), "  ", " | ", 1) + " |\n"
	for what, problems := range map[string][]string{
		"a code that the README lacks":               exitCodesDiffer(constants, exitCodes, replaced(readme, row, "")),
		"a code of the README that there is not":     exitCodesDiffer(constants, exitCodes, replaced(readme, row, row+"| 4 | other |\n")),
		"a code in a sentence that there is not":     exitCodesDiffer(constants, exitCodes, replaced(readme, "exit code 2", "exit code 7")),
		"a code of which the README says otherwise":  exitCodesDiffer(constants, exitCodes, replaced(readme, "bad input, or", "bad input and")),
		"a code that help and README lack":           exitCodesDiffer(constants, replaced(exitCodes, last, ""), replaced(readme, row, "")),
		"a code of help that the program has not":    exitCodesDiffer(constants, exitCodes+"\n  4  other", readme),
		"a code of the program that nothing says of": exitCodesDiffer(map[string]bool{"0": true, "1": true, "2": true, "3": true, "4": true}, exitCodes, readme),
	} {
		if len(problems) == 0 {
			t.Errorf("%s is not found", what)
		}
	}
}
