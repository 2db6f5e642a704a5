package detection

import "github.com/trailguard/trailguard/constructs/trail"

// AttemptPattern matches the CloudTrail event of every call that would stop, delete or weaken the trail, whoever makes it and however it
// ends: what is tried on the shadow trail of an organization is refused, and is an attempt all the same.
func AttemptPattern(settings trail.Settings) Pattern {
	pattern := tampering(settings)
	delete(pattern.Detail, "errorCode")
	delete(pattern.Detail, "userIdentity")
	return pattern
}
