// Command trailguard looks after a deployed guard: drill tampers with the trail and measures the repair, on this machine
// or in an AWS account; status tells whether the guard is whole.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/deployed"
)

// The exit codes, as the usage documents them.
const (
	exitRepaired    = 0
	exitInput       = 1
	exitUnrepaired  = 2
	exitEnvironment = 3
)

const usage = `usage:
  trailguard drill --local [flags]        tamper with a trail in an AWS that is simulated on this machine
  trailguard drill --stack NAME [flags]   tamper with the trail that a stack guards in your AWS account
  trailguard drill --list                 list the scenarios
  trailguard status --stack NAME          tell whether the guard is whole

drill:
  --scenario IDS    scenarios to run, such as T01,T05. Default: all that apply; in an AWS account without T07 and T08, which
                    make a key and a bucket, and T12, which reaches the organization's other accounts
  --json            print the report as JSON on standard output, and the rest on standard error
drill --local:
  --template FILE   a template to deploy instead of the one that the repository's CDK app makes
  --path PATH       the part of the guard that is armed: event, config, schedule or all. Default: each alone, in this order
drill --stack and status:
  --region REGION   the trail's home Region. Default: that of the environment
drill --stack:
  --yes             do not ask for confirmation
  --organization    drill an organization trail: the log of every member account is at stake
  --timeout TIME    how long the guard has for each repair, such as 20m. Default: 15m

drill --stack looks first, by reads alone, whether AWS does what the guard leans on, and after the scenarios whether they
showed the rest: each assumption held, did not hold, or was not seen (listed in localaws/fidelity.md). It goes
on whatever it finds.

exit codes: 0 all repaired, or the guard is whole; 1 bad input; 2 a scenario was not repaired, an assumption about AWS did not
hold, or the guard is not whole; 3 the environment failed, or the drill was interrupted. Whatever happens, the drill puts the
trail back.
`

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
	err := p.dispatch(ctx)
	if err == nil {
		return exitRepaired
	}
	if ctx.Err() != nil {
		fmt.Fprintf(p.stderr, "trailguard: interrupted: %v\n", err)
		return exitEnvironment
	}
	fmt.Fprintf(p.stderr, "trailguard: %v\n", err)
	var input inputError
	switch {
	case errors.As(err, &input), errors.Is(err, deployed.ErrNoGuard):
		return exitInput
	case errors.Is(err, errUnrepaired), errors.Is(err, errNotAsAssumed):
		return exitUnrepaired
	}
	return exitEnvironment
}

func (p *program) dispatch(ctx context.Context) error {
	command := ""
	if len(p.args) > 0 {
		command = p.args[0]
	}
	switch command {
	case "drill":
		o, err := parseDrill(p.args[1:])
		switch {
		case err != nil:
			return err
		case o.help:
			return p.print(usage)
		case o.list:
			return p.list(o)
		case o.local:
			return p.drillLocal(ctx, o)
		}
		return p.drillAccount(ctx, o)
	case "status":
		o, err := parseStatus(p.args[1:])
		switch {
		case err != nil:
			return err
		case o.help:
			return p.print(usage)
		}
		return p.status(ctx, o)
	case "help", "--help", "-help", "-h":
		return p.print(usage)
	case "":
		return inputError{fmt.Errorf("say what to do\n\n%s", usage)}
	}
	return inputError{fmt.Errorf("%q is not a command: use drill or status\n\n%s", command, usage)}
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

// isTerminal tells whether a reader or writer is a character device, other than the one that swallows everything.
func isTerminal[T any](stream T) bool {
	file, ok := any(stream).(*os.File)
	if !ok || file.Name() == os.DevNull {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
