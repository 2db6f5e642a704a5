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

// program is one call of the command and what it finds around it.
type program struct {
	args           []string
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string
	interactive    bool // somebody can answer on stdin
	terminal       func(io.Writer) bool
	clock          drill.Clock // of a drill in an AWS account

	began bool // a command runs: its arguments were read without an error
}

// inputError is what the person who called can mend.
type inputError struct{ error }

func (e inputError) Unwrap() error { return e.error }

var (
	errUnrepaired   = errors.New("not everything was repaired")
	errNotAsAssumed = errors.New("AWS is not as assumed")
)

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
	case !p.began, errors.As(err, &input), errors.Is(err, deployed.ErrNoGuard):
		return exitInput
	case errors.Is(err, errUnrepaired), errors.Is(err, errNotAsAssumed):
		return exitUnrepaired
	}
	return exitEnvironment
}

func (p *program) print(text string) error {
	_, err := io.WriteString(p.stdout, text)
	return err
}

// getenv is a variable of the environment; empty where it is not set.
func (p *program) getenv(name string) string {
	value := ""
	for _, entry := range p.environ {
		if len(entry) > len(name) && entry[:len(name)+1] == name+"=" {
			value = entry[len(name)+1:]
		}
	}
	return value
}

// isTerminal tells whether a reader or writer is a terminal. /dev/null is a character device and no terminal.
func isTerminal[T any](stream T) bool {
	file, ok := any(stream).(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
