package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// tools are what the local drill needs of TrailGuard's repository.
type tools struct {
	root        string
	python      string
	nodeModules string
	cdk         string
}

// findTools looks for the repository around the working folder. $TRAILGUARD_PYTHON may name another Python with moto.
func (p *program) findTools() (tools, error) {
	folder, err := os.Getwd()
	if err != nil {
		return tools{}, fmt.Errorf("looking for the repository: %w", err)
	}
	for ; ; folder = filepath.Dir(folder) {
		if exists(filepath.Join(folder, "cdk.json")) && exists(filepath.Join(folder, "requirements.txt")) {
			break
		}
		if folder == filepath.Dir(folder) {
			return tools{}, inputError{errors.New("the local drill needs TrailGuard's repository: change into it and run `make drill`")}
		}
	}
	t := tools{
		root: folder, python: p.getenv("TRAILGUARD_PYTHON"),
		nodeModules: filepath.Join(folder, "node_modules"), cdk: filepath.Join(folder, "node_modules", ".bin", "cdk"),
	}
	if t.python == "" {
		t.python = filepath.Join(folder, ".venv", "bin", "python")
	}
	var missing []string
	for _, path := range []string{t.python, t.cdk} {
		if !exists(path) {
			missing = append(missing, path)
		}
	}
	if len(missing) > 0 {
		return tools{}, fmt.Errorf("%s is missing: run `make setup`", strings.Join(missing, " and "))
	}
	return t, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
