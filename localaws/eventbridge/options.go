package eventbridge

import "errors"

// Options select between readings of EventBridge where its documentation leaves room.
type Options struct {
	// AnythingButMatchesAbsent lets anything-but match an event that lacks the field. The documentation is silent;
	// AWS's own matching engine, https://github.com/aws/event-ruler, does not match, which is the default here.
	AnythingButMatchesAbsent bool
	// ScheduleFiresAtCreation lets a schedule also fire as soon as time has passed since the rule was created, enabled again
	// or given another schedule. The documentation says that the rate counts from then and not when it fires first; the
	// default is one period later.
	ScheduleFiresAtCreation bool
}

// ErrNotModelled is in the errors about what EventBridge accepts and the local AWS does not model. EventBridge refuses what
// the other errors of ParsePattern, ParseSchedule and ParseTarget are about.
var ErrNotModelled = errors.New("not modelled")
