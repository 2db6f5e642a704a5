package drill

import (
	"context"

	"github.com/trailguard/trailguard/drill/deployed"
)

// Caller is who tampers.
type Caller struct {
	Name string
	API  TrailAPI // against the trail
	// Clients are those of the caller, against other parts than the trail.
	Clients Clients
}

// NewCaller is a caller that has a name for people.
func NewCaller(name string, clients Clients) Caller { return Caller{name, clients.CloudTrail, clients} }

// Attempt is one scenario by one caller.
type Attempt struct {
	Scenario Scenario
	Form     Form
	Caller   Caller
	Path     deployed.Path // of the guard that is armed: event, config, schedule or all
}

// Call is what the caller does, in words.
func (a Attempt) Call() string {
	if a.Form == "" {
		return a.Scenario.Call
	}
	return a.Scenario.Call + ", " + string(a.Form)
}

// tamper makes the call.
func (a Attempt) tamper(ctx context.Context, t Target) error {
	if a.Scenario.Part() == Trail {
		return a.Scenario.Tamper(ctx, a.Caller.API, t)
	}
	return a.Scenario.TamperWith(ctx, a.Caller.Clients, t)
}
