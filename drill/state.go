package drill

import "github.com/trailguard/trailguard/drill/deployed"

// State is what a scenario tampers with, at one moment.
type State interface {
	// IsLogging is false if the trail is not logging.
	IsLogging() bool
	// Unmet says what is not as declared or, of what is not declared to the drill, not as before. Without a state before nothing of the
	// second kind is said.
	Unmet(before State) []string
	// Differences says in what the state differs from one before, all of which can be put back.
	Differences(before State) []string
}

// trailState is the trail at one moment.
type trailState struct {
	deployed.State
	declared deployed.Declared
}

func (s trailState) IsLogging() bool { return s.Trail != nil && s.State.IsLogging }

func (s trailState) Unmet(State) []string { return s.declared.Unmet(s.State) }

func (s trailState) Differences(before State) []string {
	return s.State.Differences(before.(trailState).State)
}
