package deployed

import (
	"context"
	"slices"
	"strings"
)

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
		if !rule.Starts && !rule.OfLogStore && strings.Contains(rule.Pattern, `"TimedOut"`) {
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
