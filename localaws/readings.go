package localaws

import (
	"github.com/trailguard/trailguard/localaws/config"
	"github.com/trailguard/trailguard/localaws/eventbridge"
)

// Readings choose where AWS's documentation leaves room. A guard must work under every one of them.
type Readings struct {
	// DropDeletionOfLastTrail makes the DeleteTrail of the only logging trail an event that never arrives: see
	// cloudtrail.Recorder.
	DropDeletionOfLastTrail bool
	// DefaultSelectorsAreCustom makes selectors that equal the defaults custom ones: see cloudtrail.Options.
	DefaultSelectorsAreCustom bool
	// UnsetFields is what a configuration item holds for a string of a trail that is not set.
	UnsetFields config.UnsetFields
	// TrailResourceID is the resource id that a rule on trails reports.
	TrailResourceID config.TrailResourceID
	// AttemptCount is how failed attempts at a remediation lead to an exception.
	AttemptCount config.AttemptCount
	// Events are the readings of EventBridge.
	Events eventbridge.Options
}

// AllReadings are readings of which each value that a field can have holds in at least one.
func AllReadings() []Readings {
	return []Readings{
		{UnsetFields: config.UnsetIsNull, TrailResourceID: config.ResourceIDIsARN, AttemptCount: config.AttemptsInARow},
		{
			UnsetFields: config.UnsetIsAbsent, TrailResourceID: config.ResourceIDIsName, AttemptCount: config.AttemptsInWindow,
			DefaultSelectorsAreCustom: true, Events: eventbridge.Options{ScheduleFiresAtCreation: true},
		},
		{
			UnsetFields: config.UnsetIsEmpty, TrailResourceID: config.ResourceIDIsARN, AttemptCount: config.AttemptsInARow,
			DefaultSelectorsAreCustom: true, DropDeletionOfLastTrail: true, Events: eventbridge.Options{AnythingButMatchesAbsent: true},
		},
	}
}
