package deployed

import (
	"context"
	"slices"
	"strings"
)

// Parts are those of a guard's stack that its outputs do not name. They are known by what they do.
type Parts struct {
	// RepairsLogStore tells whether the guard puts its log store back.
	RepairsLogStore bool
	// AccessLogBucket is the bucket of the log bucket's access log; empty if the stack has none.
	AccessLogBucket string
	// TellsOfGuard tells whether people are told of calls against the parts of the guard.
	TellsOfGuard bool
	// FailureNotice is the name of the rule that tells people of a repair that failed; empty if there is none.
	FailureNotice string
	// Alarms are the names of the alarms.
	Alarms []string
	// HasRemediation tells whether AWS Config starts the runbook.
	HasRemediation bool
	// NotRead is why the parts could not be read; empty if they could.
	NotRead string
}

// PartsOf are the parts that the resources and the rules of a guard's stack show.
func PartsOf(guard Guard, resources Resources, rules []EventRule) Parts {
	parts := Parts{
		Alarms: slices.Sorted(slices.Values(resources["AWS::CloudWatch::Alarm"])), HasRemediation: len(resources["AWS::Config::RemediationConfiguration"]) > 0,
	}
	// A bucket that was supplied is none of the stack's resources.
	for _, bucket := range resources["AWS::S3::Bucket"] {
		if bucket != guard.LogBucketName {
			parts.AccessLogBucket = bucket
		}
	}
	for _, rule := range rules {
		parts.RepairsLogStore = parts.RepairsLogStore || rule.OfLogStore
		// Whoever deletes the stack takes the guard away.
		parts.TellsOfGuard = parts.TellsOfGuard || strings.Contains(rule.Pattern, `"DeleteStack"`)
		if !rule.Starts && !rule.OfLogStore && strings.Contains(rule.Pattern, "EC2 Automation Execution Status-change Notification") {
			parts.FailureNotice = rule.Name
		}
	}
	return parts
}

// ReadParts reads the parts of a guard. What cannot be read is not known.
func ReadParts(ctx context.Context, clients Clients, guard Guard) Parts {
	resources, err := ReadResources(ctx, clients, guard)
	if err != nil {
		return Parts{NotRead: err.Error()}
	}
	rules, err := ReadEventRules(ctx, clients, guard, resources)
	if err != nil {
		return Parts{NotRead: err.Error()}
	}
	return PartsOf(guard, resources, rules)
}
