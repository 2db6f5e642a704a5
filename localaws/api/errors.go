package api

import (
	"errors"
	"fmt"
	"net/http"
)

// Error is a service's refusal, as it stands on the wire.
type Error struct {
	Code    string // the exception's name: TrailNotFoundException
	Message string
	Status  int // the HTTP status; 0 means 400
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Errorf makes an Error with status 400.
func Errorf(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Status: 400}
}

// CodeNotModelled is the code of every request that AWS would answer and the local AWS does not. The gateway keeps such a
// request as a failure of the simulation, so that no test passes on it.
const CodeNotModelled = "NotModelled"

// NotModelled is the refusal of what the local AWS does not model.
func NotModelled(format string, args ...any) *Error {
	return &Error{Code: CodeNotModelled, Message: "the local AWS does not model " + fmt.Sprintf(format, args...), Status: http.StatusNotImplemented}
}

// IsRefusal tells whether an error is a service's answer, not a failure to ask it.
func IsRefusal(err error) bool {
	var refusal *Error
	return errors.As(err, &refusal)
}
