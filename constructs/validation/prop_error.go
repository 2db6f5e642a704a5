package validation

import "github.com/trailguard/trailguard/constructs/validation/problem"

// PropError says of one property why it cannot be used. The errors of Validate and ValidateIn, and what a constructor panics with,
// are made of PropErrors: errors.As finds the first of them, and PropErrors finds all.
type PropError = problem.PropError

// Prop is the name of a property in the arguments of Problem.
type Prop = problem.Prop

// Problem returns the PropError of a property. The arguments are those of the format; other properties among them are of type Prop.
func Problem(prop, format string, args ...any) *PropError { return problem.New(prop, format, args...) }

// PropErrors are all PropErrors that an error is made of, in its order.
func PropErrors(err error) []*PropError { return problem.PropErrors(err) }

// Renamed returns an error whose PropErrors have other names for the properties. It keeps what else the error is joined from.
func Renamed(err error, name func(prop string) string) error { return problem.Renamed(err, name) }
