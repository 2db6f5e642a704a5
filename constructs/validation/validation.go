// Package validation is what the constructs check alike, and how they say it: that required properties are given, and that what is
// made of the properties is no longer than AWS takes.
package validation

import (
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Panic panics with the problems, if there are any, in the name of the construct.
func Panic(construct string, id *string, problems ...error) {
	if err := errors.Join(problems...); err != nil {
		if id == nil {
			id = jsii.String("")
		}
		panic(fmt.Errorf("%s %q: %w", construct, *id, err))
	}
}

// Required returns an error if a property is required and not given.
func Required(prop string, given bool) error {
	if given {
		return nil
	}
	return Problem(prop, "is required")
}

// Findings are problems that only the whole construct shows, such as a text that several properties together make too long.
type Findings struct{ problems []error }

// AtSynthesis makes the synthesis fail with the problem, if there is one, so that the findings of all constructs are reported at
// once.
func (f *Findings) AtSynthesis(scope constructs.Construct, problem error) {
	if problem != nil {
		f.problems = append(f.problems, problem)
		scope.Node().AddValidation(&failed{problem})
	}
}

// Validate returns the findings as an error, nil if there are none.
func (f *Findings) Validate() error { return errors.Join(f.problems...) }

// failed is a validation that fails.
type failed struct{ problem error }

// Validate returns the problem, as the CDK asks for it.
func (f *failed) Validate() *[]*string { return jsii.Strings(f.problem.Error()) }
