// Command templates writes the templates that cdk.json describes as YAML into a folder, dist if none is given: for the console of CloudFormation,
// that of StackSets, or another pipeline. If cdk.json is of the mode account, it also writes those of an example organization.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/trailguard/trailguard/drill/templates"
)

func main() {
	folder := "dist"
	if len(os.Args) > 1 {
		folder = os.Args[1]
	}
	if err := run(context.Background(), folder); err != nil {
		fmt.Fprintln(os.Stderr, "templates:", err)
		os.Exit(1)
	}
}

// example is an organization whose values a reader replaces.
var example = []struct{ key, value, is string }{
	{"mode", "organization", ""},
	{"organizationId", "o-a1b2c3d4e5", "the organization"},
	{"region", "us-east-1", "the home Region"},
	{"managementAccount", "111111111111", "the management account"},
	{"logArchiveAccount", "222222222222", "the log-archive account"},
	{"logArchiveKeyArn", "arn:aws:kms:us-east-1:222222222222:key/11111111-2222-3333-4444-555555555555", "the output LogKeyArn of TrailGuardLogArchive"},
	{"securityAccount", "333333333333", "the security account"},
	{"organizationalUnitIds", `["ou-ab12-c3d4e5f6"]`, "the organizational units"},
	{"breakGlassRoleArns", `["arn:aws:iam::*:role/BreakGlass"]`, "the break-glass roles"},
	{"organizationTrail", "true", ""},
}

func run(ctx context.Context, folder string) error {
	temporary, err := os.MkdirTemp("", "trailguard-templates")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	app := filepath.Join(temporary, "app")
	if output, err := exec.CommandContext(ctx, "go", "build", "-o", app, ".").CombinedOutput(); err != nil {
		return fmt.Errorf("building the app: %w\n%s", err, output)
	}
	write := func(assembly string, file func(stack string) string, keys []string, values ...templates.Value) ([]string, error) {
		assembly = filepath.Join(temporary, assembly)
		arguments := []string{"synth", "--quiet", "--no-path-metadata", "--app", app, "--output", assembly}
		for _, key := range keys {
			arguments = append(arguments, "-c", "trailguard:"+key)
		}
		if output, err := exec.CommandContext(ctx, "node_modules/.bin/cdk", arguments...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("synthesizing: %w\n%s", err, output)
		}
		written, err := templates.Write(assembly, folder, file, values...)
		for _, path := range written {
			fmt.Println(path)
		}
		return written, err
	}
	written, err := write("own", func(stack string) string { return stack }, nil)
	if err != nil {
		return err
	}
	if !slices.Contains(written, filepath.Join(folder, "TrailGuard.yaml")) {
		return nil // cdk.json has an organization
	}
	var keys []string
	var values []templates.Value
	for _, one := range example {
		keys = append(keys, one.key+"="+one.value)
		if one.is != "" {
			values = append(values, templates.Value{Value: strings.Trim(one.value, `[]"`), Is: one.is})
		}
	}
	for _, kind := range []struct {
		members, suffix string
		all             bool // of the stacks: the others take members of both kinds
	}{{"guard", "Guard", true}, {"watch", "Watch", false}} {
		file := func(stack string) string {
			switch {
			case stack == "TrailGuardMember", stack == "TrailGuardRollout":
				return stack + kind.suffix
			case kind.all:
				return stack
			}
			return ""
		}
		if _, err := write(kind.members, file, append(keys, "members="+kind.members), values...); err != nil {
			return err
		}
	}
	return nil
}
