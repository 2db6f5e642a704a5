// Package api holds the words that the parts of the local AWS share: who calls, what is called, how a call fails,
// and what time it is.
package api

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// The one account and Region of the local AWS. The account is the one that moto uses.
const (
	Account   = "123456789012"
	Region    = "us-east-1"
	Partition = "aws"
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

// PrincipalType is the type of a caller, in the words of a CloudTrail event's userIdentity.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
type PrincipalType string

// The callers that the local AWS knows.
const (
	Root          PrincipalType = "Root"
	IAMUser       PrincipalType = "IAMUser"
	AssumedRole   PrincipalType = "AssumedRole"
	FederatedUser PrincipalType = "FederatedUser"
	AWSService    PrincipalType = "AWSService"
)

// Principal is a caller.
type Principal struct {
	Type PrincipalType
	// ARN is the ARN that policies are written for: of the root user, the user, or the role itself (not its session);
	// for a service its name, such as config.amazonaws.com.
	ARN string
	// SessionName is the name of an assumed role's or federated user's session.
	SessionName string
}

// Name is the last part of the principal's ARN.
func (p Principal) Name() string { return p.ARN[strings.LastIndexAny(p.ARN, "/:")+1:] }

// Call is one request to one service, as the gateway understands it.
type Call struct {
	Principal Principal
	Service   string // the signing name: cloudtrail, s3, config
	Operation string // StartLogging
	Region    string
	// Input holds the members of a JSON, query or REST request by their names on the wire.
	Input map[string]any
}

// Action is the IAM action of the call: cloudtrail:StartLogging.
func (c Call) Action() string { return c.Service + ":" + c.Operation }

// Handler is a service that runs inside the local AWS. The output is marshalled to JSON; an error that is an *Error
// reaches the caller under its code, any other error is an internal failure (HTTP 500).
type Handler interface {
	Handle(ctx context.Context, call Call) (output any, err error)
}

// Clock is a clock that a test owns: it stands still until it is advanced.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that shows start.
func NewClock(start time.Time) *Clock { return &Clock{now: start} }

// Now returns the time that the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock forward.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
