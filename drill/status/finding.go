package status

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/smithy-go"
)

// Finding is what was seen of one part of a guard.
type Finding struct {
	// Part is the kind of part, such as "event rule".
	Part string `json:"part"`
	// Name is what AWS calls the part.
	Name string `json:"name"`
	// LogicalID is the part's logical id in the template; empty if the stack does not make it.
	LogicalID string `json:"logicalId,omitempty"`
	// Problems say what is wrong; none if nothing is.
	Problems []Problem `json:"problems"`
	// Warnings say what will be wrong, or costs without need.
	Warnings []Problem `json:"warnings"`
	// NotSeen say what could not be looked at.
	NotSeen []NotSeen `json:"notSeen"`

	seen int // reads that succeeded
}

// Problem is something that is wrong with a part.
type Problem struct {
	What string `json:"what"`
	// Mend says what puts it right, as a command if one does.
	Mend string `json:"mend"`
}

// NotSeen is something that could not be looked at.
type NotSeen struct {
	What string `json:"what"`
	// Permission is the permission that the caller lacks; empty if there is another reason.
	Permission string `json:"permission,omitempty"`
}

// Whole tells whether all of the part was seen, and nothing is wrong.
func (f Finding) Whole() bool { return len(f.Problems) == 0 && len(f.NotSeen) == 0 }

// wrong notes a problem.
func (f *Finding) wrong(mend, format string, args ...any) {
	f.Problems = append(f.Problems, Problem{fmt.Sprintf(format, args...), mend})
}

// warn notes a warning.
func (f *Finding) warn(mend, format string, args ...any) {
	f.Warnings = append(f.Warnings, Problem{fmt.Sprintf(format, args...), mend})
}

// outcome is what became of a read.
type outcome int

const (
	unseen outcome = iota
	seen
	gone // what was to be read does not exist
)

// read is what became of a read that ended with an error or nil. absent are the error codes that say that there is nothing to read.
func (f *Finding) read(err error, absent ...string) outcome {
	switch {
	case err == nil:
		f.seen++
		return seen
	case hasCode(err, absent...):
		f.seen++
		return gone
	}
	f.notRead(err)
	return unseen
}

// notRead notes a read that failed.
func (f *Finding) notRead(err error) {
	if lacks := lacking(err); lacks != "" {
		f.NotSeen = append(f.NotSeen, NotSeen{"the caller may not call " + lacks, lacks})
		return
	}
	what, reason := "reading", err.Error()
	var call *smithy.OperationError
	if errors.As(err, &call) {
		what, reason = call.OperationName, call.Unwrap().Error()
	}
	var refused smithy.APIError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		reason = "no answer in time"
	case errors.As(err, &refused):
		reason = refused.ErrorCode() + ": " + refused.ErrorMessage()
	}
	f.NotSeen = append(f.NotSeen, NotSeen{What: what + " failed: " + cut(reason)})
}

// compare notes what differs.
func (f *Finding) compare(mend, where string, want, have any) {
	f.differ(mend, differences(where, want, have))
}

// differ notes differences.
func (f *Finding) differ(mend string, all []difference) {
	for _, one := range all {
		if one.notKnown {
			f.NotSeen = append(f.NotSeen, NotSeen{What: one.text})
			continue
		}
		f.wrong(mend, "%s", one.text)
	}
}

// at is a moment, for people.
func at(moment *time.Time) string {
	if moment == nil {
		return "none"
	}
	return moment.UTC().Format(time.DateTime) + " UTC"
}
