// Package synthesis runs the repository's app as the CDK's command line does, and reads the templates that it makes.
package synthesis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/trailguard/trailguard/localaws/repository"
)

// Build builds the app.
func Build(ctx context.Context, path string) error {
	build := exec.CommandContext(ctx, "go", "build", "-ldflags=-w", "-o", path, ".")
	build.Dir = repository.Path()
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building the app: %w\n%s", err, output)
	}
	return nil
}

// Templates runs an app that Build has built, with a block trailguard of cdk.json, into a folder. It returns the templates by the stacks' names.
func Templates(ctx context.Context, app, folder string, block map[string]any) (map[string]string, error) {
	given, err := json.Marshal(map[string]any{"trailguard": block})
	if err != nil {
		return nil, fmt.Errorf("synthesizing: %w", err)
	}
	run := exec.CommandContext(ctx, app)
	run.Dir = repository.Path()
	run.Env = append(os.Environ(), "CDK_OUTDIR="+folder, "CDK_CONTEXT_JSON="+string(given), "CDK_VALIDATION=false",
		"JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=20", Path())
	if output, err := run.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("synthesizing: %w\n%s", err, output)
	}
	const ending = ".template.json"
	files, problems := filepath.Glob(filepath.Join(folder, "*"+ending))
	templates := map[string]string{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		problems = errors.Join(problems, err)
		templates[strings.TrimSuffix(filepath.Base(file), ending)] = string(content)
	}
	return templates, problems
}

// Path is the variable of the environment that says where commands are, with the Node.js of the repository before all others.
func Path() string {
	return "PATH=" + filepath.Join(repository.NodeModules(), ".bin") + string(os.PathListSeparator) + os.Getenv("PATH")
}
