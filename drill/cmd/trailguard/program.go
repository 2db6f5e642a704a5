package main

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/trailguard/trailguard/drill"
)

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

func (p *program) print(text string) error {
	_, err := io.WriteString(p.stdout, text)
	return err
}

// getenv is a variable of the environment; empty if it is not set.
func (p *program) getenv(name string) string {
	value := ""
	for _, entry := range p.environ {
		if len(entry) > len(name) && entry[:len(name)+1] == name+"=" {
			value = entry[len(name)+1:]
		}
	}
	return value
}

// inputError is what the person who called can mend.
type inputError struct{ error }

func (e inputError) Unwrap() error { return e.error }

var (
	errUnrepaired           = errors.New("not everything was repaired")
	errNotTold              = errors.New("people were not told of everything")
	errNotAsAssumed         = errors.New("AWS is not as assumed")
	errNotWhole             = errors.New("the guard is not whole")
	errOrganizationNotWhole = errors.New("the organization is not whole")
)

// version is that of the module, or of the commit that it was built from, and of Go.
func version() string {
	built := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		built = info.Main.Version
	}
	return fmt.Sprintf("%s (%s %s/%s)", built, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
