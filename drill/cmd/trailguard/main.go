// Command trailguard looks after a deployed guard: drill tampers with the trail and measures the repair, on this machine
// or in an AWS account; status tells whether the guard is whole; policy prints the policies that deny tampering.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/term"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/drill/status"
)

// The exit codes, as the help documents them.
const (
	exitRepaired    = 0
	exitInput       = 1
	exitUnrepaired  = 2
	exitEnvironment = 3
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first interrupt puts the trail back; a second one ends the program.
	context.AfterFunc(ctx, stop)
	p := &program{
		args: os.Args[1:], stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ(),
		interactive: isTerminal(os.Stdin), terminal: isTerminal[io.Writer], clock: drill.WallClock{},
	}
	os.Exit(p.run(ctx))
}

// run does what the arguments say and returns the exit code.
func (p *program) run(ctx context.Context) int {
	root := p.newRoot()
	root.SetArgs(append([]string{}, p.args...))
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitRepaired
	}
	if ctx.Err() != nil {
		fmt.Fprintf(p.stderr, "trailguard: interrupted: %v\n", err)
		return exitEnvironment
	}
	fmt.Fprintf(p.stderr, "trailguard: %s\n", strings.TrimRight(err.Error(), "\n"))
	var input inputError
	switch {
	case !p.began, errors.As(err, &input), errors.Is(err, deployed.ErrNoGuard), errors.Is(err, status.ErrNoOrganization):
		return exitInput
	case errors.Is(err, errUnrepaired), errors.Is(err, errNotTold), errors.Is(err, errNotAsAssumed), errors.Is(err, errNotWhole), errors.Is(err, errOrganizationNotWhole):
		return exitUnrepaired
	}
	return exitEnvironment
}

// isTerminal tells whether a reader or writer is a terminal. /dev/null is a character device and no terminal.
func isTerminal[T any](stream T) bool {
	file, ok := any(stream).(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
