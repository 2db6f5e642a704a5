package config

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/configservice/types"
)

// Verdict is what a Guard policy says about a configuration item.
type Verdict string

// The verdicts of Guard: all its rules that apply hold, one of them does not, none of them applies.
const (
	Pass Verdict = "PASS"
	Fail Verdict = "FAIL"
	Skip Verdict = "SKIP"
)

func (v Verdict) compliance() types.ComplianceType {
	switch v {
	case Pass:
		return types.ComplianceTypeCompliant
	case Fail:
		return types.ComplianceTypeNonCompliant
	}
	return types.ComplianceTypeNotApplicable
}

// ErrInvalidPolicy is the error of a policy that Guard cannot read.
var ErrInvalidPolicy = errors.New("invalid Guard policy")

// The exit codes of cfn-guard validate that are not failures of its own.
// https://github.com/aws-cloudformation/cloudformation-guard/blob/main/guard/src/commands/mod.rs
const (
	exitFail          = 19
	exitInvalidPolicy = 5
)

// CfnGuard evaluates policies with the cfn-guard binary at Path. It remembers its verdicts and is safe for concurrent use.
type CfnGuard struct {
	Path string

	mu       sync.Mutex
	verdicts map[[sha256.Size]byte]Verdict
}

// CfnGuardPath returns the path of the cfn-guard binary that the npm package @cdklabs/cdk-validator-cfnguard brings for
// this machine, below a folder node_modules.
func CfnGuardPath(nodeModules string) (string, error) {
	system := map[string]string{"linux": "ubuntu", "darwin": "macos"}[runtime.GOOS]
	processor := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	if system == "" || processor == "" {
		return "", fmt.Errorf("@cdklabs/cdk-validator-cfnguard has no cfn-guard for %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	path := filepath.Join(nodeModules, "@cdklabs", "cdk-validator-cfnguard", "bin", system, processor, "cfn-guard")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("looking for cfn-guard (make setup installs it): %w", err)
	}
	return path, nil
}

// Evaluate evaluates a policy on a configuration item, a JSON document.
func (g *CfnGuard) Evaluate(ctx context.Context, policy string, item []byte) (Verdict, error) {
	hash := sha256.New()
	fmt.Fprintf(hash, "%d\n%s%s", len(policy), policy, item)
	key := [sha256.Size]byte(hash.Sum(nil))
	g.mu.Lock()
	verdict, known := g.verdicts[key]
	g.mu.Unlock()
	if known {
		return verdict, nil
	}
	verdict, err := g.run(ctx, policy, item)
	if err != nil {
		return "", err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.verdicts == nil {
		g.verdicts = map[[sha256.Size]byte]Verdict{}
	}
	g.verdicts[key] = verdict
	return verdict, nil
}

func (g *CfnGuard) run(ctx context.Context, policy string, item []byte) (Verdict, error) {
	payload, err := json.Marshal(map[string]any{"rules": []string{policy}, "data": []string{string(item)}})
	if err != nil {
		return "", fmt.Errorf("writing the payload of cfn-guard: %w", err)
	}
	var stdout, stderr bytes.Buffer
	command := exec.CommandContext(ctx, g.Path, "validate", "--payload", "--structured", "--output-format", "json", "--show-summary", "none")
	command.Stdin, command.Stdout, command.Stderr = bytes.NewReader(payload), &stdout, &stderr
	err = command.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == exitInvalidPolicy:
		return "", fmt.Errorf("%w: %s", ErrInvalidPolicy, strings.TrimSpace(stderr.String()))
	case errors.As(err, &exit) && exit.ExitCode() == exitFail:
	case err != nil:
		return "", fmt.Errorf("running cfn-guard: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	var reports []struct{ Status Verdict }
	if err := json.Unmarshal(stdout.Bytes(), &reports); err != nil {
		return "", fmt.Errorf("reading the report of cfn-guard: %w", err)
	}
	if len(reports) != 1 {
		return "", fmt.Errorf("cfn-guard reports on %d documents instead of 1", len(reports))
	}
	switch verdict := reports[0].Status; verdict {
	case Pass, Fail, Skip:
		return verdict, nil
	default:
		return "", fmt.Errorf("cfn-guard reports the unknown status %q", verdict)
	}
}
