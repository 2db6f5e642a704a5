// Package problem is how one says of a property that it is wrong: which property, and what can be given instead. It knows neither
// the CDK nor jsii, so that what is not a construct can say it, too.
package problem

import (
	"errors"
	"fmt"
	"strings"
)

// PropError says of one property why it cannot be used. The errors of Validate and ValidateIn, and what a constructor panics with,
// are made of PropErrors: errors.As finds the first of them, and PropErrors finds all.
type PropError struct {
	// Prop is the property, or the part of it that is wrong: TrailName, or DataResources[0].Type.
	Prop string
	// Problem says what is wrong, and what can be given instead.
	Problem string

	// format and args make up Problem again, with other names of the properties that it mentions.
	format string
	args   []any
}

// Prop is the name of a property in the arguments of New.
type Prop string

// New returns the PropError of a property. The arguments are those of the format; other properties among them are of type Prop.
func New(prop, format string, args ...any) *PropError {
	return &PropError{Prop: prop, Problem: fmt.Sprintf(format, args...), format: format, args: args}
}

func (e *PropError) Error() string { return e.Prop + ": " + e.Problem }

// Renamed returns the error with other names for the property and for those that the problem mentions. What follows a property's
// name, such as an index, stays.
func (e *PropError) Renamed(name func(prop string) string) *PropError {
	end := strings.IndexAny(e.Prop, "[.")
	if end < 0 {
		end = len(e.Prop)
	}
	prop := name(e.Prop[:end]) + e.Prop[end:]
	if e.format == "" {
		return &PropError{Prop: prop, Problem: e.Problem}
	}
	args := make([]any, len(e.args))
	for i, arg := range e.args {
		if mentioned, ok := arg.(Prop); ok {
			arg = Prop(name(string(mentioned)))
		}
		args[i] = arg
	}
	return New(prop, e.format, args...)
}

// PropErrors are all PropErrors that an error is made of, in its order.
func PropErrors(err error) []*PropError {
	var found []*PropError
	switch wrapped := err.(type) {
	case *PropError:
		return []*PropError{wrapped}
	case interface{ Unwrap() []error }:
		for _, part := range wrapped.Unwrap() {
			found = append(found, PropErrors(part)...)
		}
	case interface{ Unwrap() error }:
		return PropErrors(wrapped.Unwrap())
	}
	return found
}

// Renamed returns an error whose PropErrors have other names for the properties. It keeps what else the error is joined from.
func Renamed(err error, name func(prop string) string) error {
	switch err := err.(type) {
	case *PropError:
		return err.Renamed(name)
	case interface{ Unwrap() []error }:
		var parts []error
		for _, part := range err.Unwrap() {
			parts = append(parts, Renamed(part, name))
		}
		return errors.Join(parts...)
	}
	return err
}
