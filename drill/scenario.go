package drill

import (
	"context"

	"github.com/trailguard/trailguard/drill/deployed"
)

// Part is what a scenario tampers with.
type Part string

// The parts.
const (
	Trail    Part = "trail"
	LogStore Part = "log store" // the bucket and the key of the trail's log, and the bucket of its access log
	Guard    Part = "guard"     // what the guard itself is made of
)

// Parts are all parts, in the order of a drill.
func Parts() []Part { return []Part{Trail, LogStore, Guard} }

// Form is how a call names what it is about, or which of several things it is about.
type Form string

// The forms.
const (
	ByName      Form = "by name"
	ByARN       Form = "by ARN"
	ByID        Form = "by id"
	OfAccessLog Form = "of the access log" // instead of the log bucket
)

// Target is what a scenario is aimed at.
type Target struct {
	Trail string // the name or the ARN
	ARN   string // the ARN
	// Declared is the state that is taken away.
	Declared deployed.Declared
	Bucket   string // another bucket that lets CloudTrail in, if the scenario needs it
	KeyARN   string // another key that lets CloudTrail in, if the scenario needs it

	guard           deployed.Guard
	logBucket       string // that of the log, or of the access log
	logKey          string // the id or the ARN
	subscriptionARN string // another subscription of the alert topic, if the scenario needs it
}

// targetOf is what an attempt is aimed at.
func targetOf(guard deployed.Guard, form Form) Target {
	t := Target{
		Trail: guard.TrailName, ARN: guard.TrailARN, Declared: guard.Declared, guard: guard, logBucket: guard.LogBucketName, logKey: guard.LogKeyARN,
	}
	switch form {
	case ByARN:
		t.Trail = guard.TrailARN
	case ByID:
		t.logKey = lastOf(guard.LogKeyARN)
	case OfAccessLog:
		t.logBucket = guard.Parts.AccessLogBucket
	}
	return t
}

// Need is what a scenario needs beside what it tampers with. It is made before the tampering and cleared away after it.
type Need string

// What scenarios need.
const (
	AnotherBucket       Need = "another bucket"
	AnotherKey          Need = "another key"
	anotherSubscription Need = "another subscription"
)

// Scenario is one way to tamper with a part. The trail is repaired when its whole declared state is back, the log store when each of its
// settings is as before. Settings that are not declared, and that the guard leaves as they are, the drill puts back from what it read before.
// A part of the guard is not repaired: people are told, and the drill puts it back.
type Scenario struct {
	// ID is the scenario's number in the catalogue. Scenarios with one ID are the same tampering by different calls.
	ID string
	// Call names the call and what is special about its parameters.
	Call string
	// Of is the part that is tampered with.
	//
	// Default: - the trail.
	Of Part
	// Tamper makes the call, if it is against the trail.
	Tamper func(context.Context, TrailAPI, Target) error
	// TamperWith makes the call, if it is against another part.
	TamperWith func(context.Context, Clients, Target) error
	// Forms are those in which the call is made.
	//
	// Default: - of the trail by name and by ARN, of other parts in the only one there is.
	Forms []Form
	// Refusals are the codes with which AWS itself may refuse the call. A refused call needs no repair.
	Refusals []string
	// Takes is the setting that the scenario takes away: the scenario applies to trails that declare it.
	//
	// Default: - the scenario applies to every trail.
	Takes deployed.Setting
	// Needs is what is made for the scenario.
	//
	// Default: - nothing.
	Needs Need
	// UnseenByConfig says why AWS Config does not notice what the scenario does; empty if AWS Config notices it.
	UnseenByConfig string
	// Harmless tells that the call takes nothing away: the guard must leave the trail alone.
	Harmless bool
	// Told is the call, by its name in CloudTrail, of which people must be told exactly once, in the place of a repair.
	//
	// Default: - a repair is expected.
	Told string
	// OnlyIfNamed keeps the scenario from running in an AWS account unless it is asked for by its id, because it makes
	// resources there or reaches other accounts.
	OnlyIfNamed bool
	// OnlyLocal says why the scenario is not run in an AWS account: what would be lost, or not be seen, if the drill died before it put
	// that back; empty if the scenario is safe by itself.
	OnlyLocal string
	// NeverRun says why no drill runs the scenario; empty if drills do.
	NeverRun string

	// lacks says what the guard must have, and has not, for the scenario to apply; empty if it applies.
	//
	// Default: - it applies.
	lacks func(deployed.Guard) string
	// mayChangeNothing tells that a call of which people must be told may leave its settings as they are.
	mayChangeNothing bool
	// settings are those of what the call changes.
	//
	// Default: - those of the trail.
	settings func(Clients, Target) []setting
}

// Part is the part that is tampered with.
func (s Scenario) Part() Part {
	if s.Of == "" {
		return Trail
	}
	return s.Of
}

// forms are those in which the call is made against a guard.
func (s Scenario) forms(guard deployed.Guard) (forms []Form) {
	if len(s.Forms) == 0 && s.Part() == Trail {
		return []Form{ByName, ByARN}
	}
	if len(s.Forms) == 0 {
		return []Form{""}
	}
	for _, form := range s.Forms {
		if form != OfAccessLog || guard.Parts.AccessLogBucket != "" {
			forms = append(forms, form)
		}
	}
	return forms
}

// NotApplicable says why a scenario does not apply to a guard; empty if it applies.
func (s Scenario) NotApplicable(guard deployed.Guard) string {
	if s.lacks != nil {
		return s.lacks(guard)
	}
	if s.Takes == "" || guard.Declared.Has(s.Takes) {
		return ""
	}
	return map[deployed.Setting]string{
		deployed.CloudWatchLogsLogGroupARN: "the trail has no CloudWatch Logs log group",
		deployed.SNSTopicARN:               "the trail has no SNS topic",
		deployed.IsOrganizationTrail:       "the trail is not declared to be an organization trail",
		deployed.InsightSelectors:          "the trail has no Insights",
		deployed.IsMultiRegionTrail:        "the trail is not declared to be of every Region",
		deployed.Tags:                      "no tags of the trail are declared",
	}[s.Takes]
}

// notGuarded says why a guard does nothing about a scenario, by the options that it was deployed with; empty if it does.
func (s Scenario) notGuarded(guard deployed.Guard) string {
	switch {
	case s.Part() != Trail && guard.Parts.NotRead != "":
		return "what the stack has may not be read: " + guard.Parts.NotRead
	case s.Part() == LogStore && !guard.Parts.RepairsLogStore:
		return "the stack does not repair its log store"
	case s.Part() == Guard && !guard.Parts.TellsOfGuard:
		return "the stack tells nobody of calls against the guard"
	}
	return ""
}

// Unseen says why a trigger does not notice what a scenario does, if it is armed alone; empty if it notices.
func (s Scenario) Unseen(path deployed.Path) string {
	switch {
	case s.Told != "" && path != deployed.EventPath && path != deployed.AllPaths:
		return "the event of the call is what is told"
	case path == deployed.ConfigPath && s.Part() == LogStore:
		return "no Config rule looks at the log store"
	case path == deployed.ConfigPath:
		return s.UnseenByConfig
	}
	return ""
}
