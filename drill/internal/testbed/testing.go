package testbed

import (
	"context"
	"errors"
	"slices"

	"github.com/aws/smithy-go"
)

// TB is a test, or one check of a property.
type TB interface {
	Helper()
	Context() context.Context
	Error(args ...any)
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// Must ends a test that an error keeps from going on.
func Must(t TB, err error) {
	if err != nil {
		t.Helper()
		t.Fatal(err)
	}
}

// HasCode tells whether a service answered with one of these error codes.
func HasCode(err error, codes ...string) bool {
	var refused smithy.APIError
	return errors.As(err, &refused) && slices.Contains(codes, refused.ErrorCode())
}
