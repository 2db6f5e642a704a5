// Package repository finds what the tests need of TrailGuard's repository: its files, and the tools that `make setup`
// installs at its top.
package repository

import (
	"fmt"
	"os"
	"path/filepath"
)

// Path is a path in the repository, whose top is the nearest folder, from the working folder upwards, that holds go.work.
// It panics outside the repository.
func Path(parts ...string) string {
	start, err := os.Getwd()
	if err != nil {
		panic(fmt.Errorf("looking for the repository: %w", err))
	}
	for top := start; ; top = filepath.Dir(top) {
		if _, err := os.Stat(filepath.Join(top, "go.work")); err == nil {
			return filepath.Join(append([]string{top}, parts...)...)
		}
		if top == filepath.Dir(top) {
			panic(fmt.Errorf("looking for the repository: there is none above %s", start))
		}
	}
}

// Python is $TRAILGUARD_PYTHON, or the interpreter that `make setup` makes.
func Python() string { return tool("TRAILGUARD_PYTHON", ".venv", "bin", "python") }

// NodeModules is $TRAILGUARD_NODE_MODULES, or the folder of Node modules that `make setup` makes.
func NodeModules() string { return tool("TRAILGUARD_NODE_MODULES", "node_modules") }

func tool(variable string, parts ...string) string {
	if given := os.Getenv(variable); given != "" {
		return given
	}
	return Path(parts...)
}
