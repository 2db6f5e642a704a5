// Command bench measures what TrailGuard costs: time and memory of a synthesis, size of the template, phases of a drill, steps and
// calls of a repair, and time of a build. It prints ratios of figures that were taken in the one run; a figure by itself says as much
// about the machine.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx := context.Background()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	folder, err := os.MkdirTemp("", "trailguard-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	for _, part := range []func(context.Context, string) error{builds, syntheses, manyGuards, manyAccounts, rollouts, templates, drills, repairs} {
		if err := part(ctx, folder); err != nil {
			return err
		}
		fmt.Println()
	}
	return nil
}

// measured is what one command took.
type measured struct {
	wall time.Duration
	// memory is the size of the largest process of the command.
	memory int64
}

func measure(ctx context.Context, environment []string, name string, arguments ...string) (measured, error) {
	command := exec.CommandContext(ctx, name, arguments...)
	command.Env = append(os.Environ(), environment...)
	start := time.Now()
	if output, err := command.CombinedOutput(); err != nil {
		return measured{}, fmt.Errorf("running %s: %w\n%s", name, err, output)
	}
	usage := command.ProcessState.SysUsage().(*syscall.Rusage)
	memory := usage.Maxrss
	if runtime.GOOS == "linux" { // kilobytes there, bytes elsewhere
		memory *= 1024
	}
	return measured{wall: time.Since(start), memory: memory}, nil
}

func builds(ctx context.Context, folder string) error {
	app := filepath.Join(folder, "app")
	cold, err := measure(ctx, []string{"GOCACHE=" + filepath.Join(folder, "cache")}, "go", "build", "-o", app, ".")
	if err != nil {
		return err
	}
	warm, err := measure(ctx, nil, "go", "build", "-o", app, ".")
	if err != nil {
		return err
	}
	return table("build of the app\twall\tratio",
		row("cold cache", cold.wall, ratio(cold.wall, warm.wall)),
		row("warm cache", warm.wall, "1.0"))
}

func syntheses(ctx context.Context, folder string) error {
	synthesis := func(validation string) (measured, error) {
		return measure(ctx, []string{"CDK_VALIDATION=" + validation}, "node_modules/.bin/cdk", "synth", "--quiet",
			"--app", filepath.Join(folder, "app"), "--output", filepath.Join(folder, "cdk.out"))
	}
	without, err := synthesis("false")
	if err != nil {
		return err
	}
	with, err := synthesis("true")
	if err != nil {
		return err
	}
	return table("synthesis\twall\tratio\tlargest process\tratio",
		row("with validation", with.wall, ratio(with.wall, without.wall), megabytes(with.memory), ratio(with.memory, without.memory)),
		row("without", without.wall, "1.0", megabytes(without.memory), "1.0"))
}

// manyGuards measures how a synthesis grows with the number of guards in an app, each in a stack.
func manyGuards(ctx context.Context, folder string) error {
	app := filepath.Join(folder, "manyguards")
	if _, err := measure(ctx, nil, "go", "build", "-o", app, "./internal/manyguards"); err != nil {
		return err
	}
	var one measured
	rows := []string{}
	for _, guards := range []int{1, 10, 50} {
		took, err := measure(ctx, []string{"CDK_VALIDATION=false", "CDK_OUTDIR=" + filepath.Join(folder, fmt.Sprint("guards", guards))}, app, fmt.Sprint(guards))
		if err != nil {
			return err
		}
		if guards == 1 {
			one = took
		}
		rows = append(rows, row(guards, took.wall, ratio(took.wall, one.wall), megabytes(took.memory), ratio(took.memory, one.memory)))
	}
	return table("guards in an app, without validation\twall\tratio\tlargest process\tratio", rows...)
}

// manyAccounts measures how the synthesis of a rollout grows with the accounts of the organization: a hundred to an organizational unit, of which one is
// left out. The templates of the member and of the rollout are measured, too.
func manyAccounts(ctx context.Context, folder string) error {
	app := filepath.Join(folder, "manyaccounts")
	if _, err := measure(ctx, nil, "go", "build", "-o", app, "./internal/manyaccounts"); err != nil {
		return err
	}
	var one measured
	rows := []string{}
	for _, accounts := range []int{1, 100, 10_000} {
		output := filepath.Join(folder, fmt.Sprint("accounts", accounts))
		took, err := measure(ctx, []string{"CDK_VALIDATION=false", "CDK_OUTDIR=" + output}, app, fmt.Sprint(accounts))
		if err != nil {
			return err
		}
		if accounts == 1 {
			one = took
		}
		rollout, member, err := rolloutSize(filepath.Join(output, "TrailGuardRollout.template.json"))
		if err != nil {
			return err
		}
		rows = append(rows, row(accounts, took.wall, ratio(took.wall, one.wall), megabytes(took.memory), ratio(took.memory, one.memory), member, rollout))
	}
	return table("accounts of an organization, without validation\twall\tratio\tlargest process\tratio\tbytes of the member's template\tof the rollout's", rows...)
}

// rolloutSize is the length of the template of a rollout, and of that in it.
func rolloutSize(path string) (rollout, member int, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, 0, err
	}
	var template struct {
		Resources map[string]struct{ Properties struct{ TemplateBody string } }
	}
	if err := json.Unmarshal(text, &template); err != nil {
		return 0, 0, fmt.Errorf("reading %s: %w", path, err)
	}
	for _, resource := range template.Resources {
		member += len(resource.Properties.TemplateBody)
	}
	return len(text), member, nil
}

// drills measures the phases of a drill on the local AWS: what it takes to start and deploy, and to try a scenario and all.
func drills(ctx context.Context, folder string) error {
	command := filepath.Join(folder, "trailguard")
	if _, err := measure(ctx, nil, "go", "build", "-o", command, "./drill/cmd/trailguard"); err != nil {
		return err
	}
	drill := func(arguments ...string) (measured, error) {
		return measure(ctx, nil, command, append([]string{"drill", "--local"}, arguments...)...)
	}
	const template = "constructs/trailguard/testdata/default.template.json"
	one, err := drill("--template", template, "--scenario", "T01", "--path", "event")
	if err != nil {
		return err
	}
	all, err := drill("--template", template)
	if err != nil {
		return err
	}
	synthesized, err := drill("--scenario", "T01", "--path", "event")
	if err != nil {
		return err
	}
	return table("drill on the local AWS\twall\tratio",
		row("start, deploy, one scenario by events", one.wall, "1.0"),
		row("the same, and synthesize first", synthesized.wall, ratio(synthesized.wall, one.wall)),
		row("start, deploy, all scenarios by each trigger", all.wall, ratio(all.wall, one.wall)))
}

func templates(context.Context, string) error {
	paths, err := filepath.Glob("constructs/*/testdata/*.template.json")
	if err != nil {
		return err
	}
	const hardLimit = 51_200
	rows := []string{}
	for _, path := range paths {
		if strings.Contains(filepath.Base(path), "rollout") {
			continue // its golden file lacks the member's template: manyAccounts measures both
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var template struct{ Resources map[string]any }
		var whole any
		if err := json.Unmarshal(text, &template); err != nil {
			return fmt.Errorf("reading %s: %w", path, err)
		}
		if err := json.Unmarshal(text, &whole); err != nil {
			return fmt.Errorf("reading %s: %w", path, err)
		}
		minified, err := json.Marshal(whole)
		if err != nil {
			return err
		}
		folder, name := filepath.Base(filepath.Dir(filepath.Dir(path))), filepath.Base(path)
		rows = append(rows, row(folder+"/"+name[:len(name)-len(".template.json")], len(minified), fmt.Sprintf("%.0f%%", 100*float64(len(minified))/hardLimit), len(template.Resources)))
	}
	return table("template\tbytes, as the app writes it\tof CloudFormation's limit\tresources", rows...)
}
