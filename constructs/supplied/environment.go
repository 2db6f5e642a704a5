package supplied

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/interfaces"
	"github.com/aws/constructs-go/constructs/v10"

	"github.com/trailguard/trailguard/constructs/validation"
)

// OfAccount returns an error if the resource of a property is known to be of another account than the stack. The reason, a format,
// says why it must not be.
func OfAccount(scope constructs.Construct, prop string, of *interfaces.ResourceEnvironment, reason string, args ...any) error {
	return Same(prop, "is of the account", of.Account, "the stack is of", awscdk.Stack_Of(scope).Account(), reason, args...)
}

// InRegion returns an error if the resource of a property is known to be in another Region than the stack. The reason, a format,
// says why it must not be.
func InRegion(scope constructs.Construct, prop string, of *interfaces.ResourceEnvironment, reason string, args ...any) error {
	return Same(prop, "is in the Region", of.Region, "the stack is in", awscdk.Stack_Of(scope).Region(), reason, args...)
}

// Same returns an error if two values are known and differ. The reason, a format, says why they must not.
func Same(prop, is string, one *string, otherIs string, other *string, reason string, args ...any) error {
	if *one == *other || *awscdk.Token_IsUnresolved(one) || *awscdk.Token_IsUnresolved(other) {
		return nil
	}
	return validation.Problem(prop, "%s %s, and %s %s: "+reason, append([]any{is, *one, otherIs, *other}, args...)...)
}
