package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// cdk is the CDK's command line in the repository, on an AWS that is not AWS.
type cdk struct {
	tools   tools
	environ []string
	// line is told of each line that the command prints.
	line func(string)
}

// newCDK makes sure that the command line can reach nothing but the endpoint. home is a folder that only it uses: there it remembers the account
// of each access key, and a local AWS gives the same keys for other accounts.
func (p *program) newCDK(t tools, endpoint, region, home string, keys aws.Credentials, line func(string)) *cdk {
	c := &cdk{tools: t, line: line}
	for _, entry := range p.environ {
		if !strings.HasPrefix(entry, "AWS_") && !strings.HasPrefix(entry, "CDK_") {
			c.environ = append(c.environ, entry)
		}
	}
	c.environ = append(c.environ,
		"AWS_ENDPOINT_URL="+endpoint, "AWS_REGION="+region, "AWS_DEFAULT_REGION="+region, "AWS_MAX_ATTEMPTS=1",
		"AWS_ACCESS_KEY_ID="+keys.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+keys.SecretAccessKey,
		"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "AWS_EC2_METADATA_DISABLED=true",
		"NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1",
		// The templates are validated by `make synth` and `make test`; here it would only take time.
		"CDK_HOME="+home, "CDK_VALIDATION=false", "CDK_DISABLE_CLI_TELEMETRY=true", "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=20", "NO_COLOR=1",
	)
	return c
}

// run runs one command. Its error holds all that the command printed.
func (c *cdk) run(ctx context.Context, args ...string) error {
	command := exec.CommandContext(ctx, c.tools.cdk, append(args, "--ci", "--no-notices", "--no-color")...)
	command.Dir, command.Env = c.tools.root, c.environ
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 10 * time.Second
	reader, writer, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("running cdk %s: %w", args[0], err)
	}
	defer reader.Close()
	command.Stdout, command.Stderr = writer, writer
	err = command.Start()
	writer.Close()
	if err != nil {
		return fmt.Errorf("running cdk %s: %w", args[0], err)
	}
	var printed strings.Builder
	for lines := bufio.NewScanner(reader); lines.Scan(); {
		printed.WriteString(lines.Text() + "\n")
		c.line(lines.Text())
	}
	if err := command.Wait(); err != nil {
		return fmt.Errorf("running cdk %s: %w\n%s", args[0], errors.Join(context.Cause(ctx), err), printed.String())
	}
	return nil
}

// assembly is what the CDK app made.
type assembly struct {
	stack    string // the name of its one stack
	template []byte
}

// synth runs the repository's app into a folder.
func (c *cdk) synth(ctx context.Context, folder string) (assembly, error) {
	if err := c.run(ctx, "synth", "--quiet", "--output", folder); err != nil {
		return assembly{}, err
	}
	content, err := os.ReadFile(filepath.Join(folder, "manifest.json"))
	if err != nil {
		return assembly{}, fmt.Errorf("reading what cdk synth made: %w", err)
	}
	var manifest struct {
		Artifacts map[string]struct {
			Type       string
			Properties struct{ TemplateFile, StackName string }
		}
	}
	if err := json.Unmarshal(content, &manifest); err != nil {
		return assembly{}, fmt.Errorf("reading what cdk synth made: %w", err)
	}
	var made assembly
	stacks, file := 0, ""
	for id, artifact := range manifest.Artifacts {
		if artifact.Type == "aws:cloudformation:stack" {
			made.stack, file = artifact.Properties.StackName, artifact.Properties.TemplateFile
			if made.stack == "" {
				made.stack = id
			}
			stacks++
		}
	}
	if stacks != 1 {
		return assembly{}, fmt.Errorf("the app makes %d stacks, and the drill deploys one: give it a template (--template)", stacks)
	}
	if made.template, err = os.ReadFile(filepath.Join(folder, file)); err != nil {
		return assembly{}, fmt.Errorf("reading what cdk synth made: %w", err)
	}
	return made, nil
}

// deploy deploys what synth made. The local CloudFormation has no change sets.
func (c *cdk) deploy(ctx context.Context, folder string) error {
	return c.run(ctx, "deploy", "--app", folder, "--method=direct", "--require-approval=never", "--progress=events")
}
