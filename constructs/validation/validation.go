// Package validation is what the constructs check alike: that required properties are given, that supplied resources are where
// the stack is, and that what is made of the properties is no longer than AWS takes.
package validation

import (
	"errors"
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/interfaces"
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
func Required(field string, given bool) error {
	if given {
		return nil
	}
	return fmt.Errorf("%s: is required", field)
}

// OfAccount returns an error if a resource is known to be of another account than the stack. The reason says why it must not be.
func OfAccount(scope constructs.Construct, field string, of *interfaces.ResourceEnvironment, reason string) error {
	return Same(field, "is of the account", of.Account, "the stack is of", awscdk.Stack_Of(scope).Account(), reason)
}

// InRegion returns an error if a resource is known to be in another Region than the stack. The reason says why it must not be.
func InRegion(scope constructs.Construct, field string, of *interfaces.ResourceEnvironment, reason string) error {
	return Same(field, "is in the Region", of.Region, "the stack is in", awscdk.Stack_Of(scope).Region(), reason)
}

// Same returns an error if two values are known and differ. The reason says why they must not.
func Same(field, is string, one *string, otherIs string, other *string, reason string) error {
	if *one == *other || *awscdk.Token_IsUnresolved(one) || *awscdk.Token_IsUnresolved(other) {
		return nil
	}
	return fmt.Errorf("%s: %s %s, and %s %s: %s", field, is, *one, otherIs, *other, reason)
}

// AtSynthesis makes the synthesis fail with the problem, if there is one: what only the whole shows is reported of every construct
// at once.
func AtSynthesis(scope constructs.Construct, problem error) {
	if problem != nil {
		scope.Node().AddValidation(&failed{problem})
	}
}

// failed is a validation that fails.
type failed struct{ problem error }

// Validate returns the problem, as the CDK asks for it.
func (f *failed) Validate() *[]*string { return jsii.Strings(f.problem.Error()) }
