package status

import (
	"context"
	"slices"

	"github.com/trailguard/trailguard/drill/deployed"
)

// part is one part of a guard that is to be looked at.
type part struct {
	Finding
	look func(context.Context, *view, *Finding)
}

// kind is a kind of part.
type kind struct {
	part string
	// resource is the type of the resources that are such parts; empty if the part is none of the stack's resources.
	resource string
	look     func(context.Context, *view, resource, *Finding)
	// of is the name of a part that is none of the stack's resources; empty if the guard does not have it.
	of func(*view) string
}

// kinds are the kinds of parts, in the order in which they are told.
func kinds(reviewed string) []kind {
	trail := func(v *view) string { return v.guard.TrailName }
	single := func(look func(context.Context, *view, *Finding)) func(context.Context, *view, resource, *Finding) {
		return func(ctx context.Context, v *view, _ resource, f *Finding) { look(ctx, v, f) }
	}
	return []kind{
		{part: "stack", of: func(v *view) string { return v.stack.name }, look: single(func(ctx context.Context, v *view, f *Finding) { lookAtStack(ctx, v, reviewed, f) })},
		{part: "trail", of: trail, look: single(lookAtTrail)},
		{part: "delivery of trail", of: trail, look: single(lookAtDelivery)},
		{part: "other trails", look: single(lookAtOtherTrails), of: func(v *view) string {
			if v.guard.TrailARN == "" {
				return ""
			}
			return "of " + v.guard.Region()
		}},
		{part: "organization", look: single(lookAtOrganization), of: func(v *view) string {
			if v.guard.Declared.Has(deployed.IsOrganizationTrail) {
				return "of the account"
			}
			return ""
		}},
		{part: "runs of runbook", resource: "AWS::SSM::Document", look: lookAtRuns},
		{part: "runbook", resource: "AWS::SSM::Document", look: lookAtDocument},
		{part: "bucket", resource: "AWS::S3::Bucket", look: lookAtBucket},
		{part: "bucket policy", resource: "AWS::S3::BucketPolicy", look: lookAtBucketPolicy},
		{part: "key", resource: "AWS::KMS::Key", look: lookAtKey},
		{part: "supplied log bucket", of: (*view).suppliedBucket, look: single(lookAtSuppliedBucket)},
		{part: "supplied log key", of: (*view).suppliedKey, look: single(lookAtSuppliedKey)},
		{part: "supplied automation role", of: (*view).suppliedRole, look: single(lookAtSuppliedRole)},
		{part: "role", resource: "AWS::IAM::Role", look: lookAtRole},
		{part: "role policy", resource: "AWS::IAM::Policy", look: lookAtRolePolicy},
		{part: "recording by AWS Config", look: single(lookAtRecording), of: func(v *view) string {
			if len(v.stack.of("AWS::Config::ConfigRule")) > 0 {
				return string(recorded)
			}
			return ""
		}},
		{part: "configuration recorder", resource: "AWS::Config::ConfigurationRecorder", look: lookAtRecorder},
		{part: "delivery channel", resource: "AWS::Config::DeliveryChannel", look: lookAtDeliveryChannel},
		{part: "Config rule", resource: "AWS::Config::ConfigRule", look: lookAtConfigRule},
		{part: "remediation", resource: "AWS::Config::RemediationConfiguration", look: lookAtRemediation},
		{part: "event rule", resource: "AWS::Events::Rule", look: lookAtEventRule},
		{part: "event bus", resource: "AWS::Events::EventBus", look: lookAtEventBus},
		{part: "event bus policy", resource: "AWS::Events::EventBusPolicy", look: lookAtEventBusPolicy},
		{part: "queue", resource: "AWS::SQS::Queue", look: lookAtQueue},
		{part: "queue policy", resource: "AWS::SQS::QueuePolicy", look: lookAtQueuePolicy},
		{part: "alert subscriptions", of: (*view).alertTopic, look: single(lookAtPeople)},
		{part: "topic", resource: "AWS::SNS::Topic", look: lookAtTopic},
		{part: "topic policy", resource: "AWS::SNS::TopicPolicy", look: lookAtTopicPolicy},
		{part: "subscription", resource: "AWS::SNS::Subscription", look: lookAtSubscription},
		{part: "alarm", resource: "AWS::CloudWatch::Alarm", look: lookAtAlarm},
		{part: "log group", resource: "AWS::Logs::LogGroup", look: lookAtLogGroup},
		{part: "StackSet", resource: "AWS::CloudFormation::StackSet", look: lookAtStackSet},
		{part: "organization policy", resource: "AWS::Organizations::Policy", look: lookAtOrganizationPolicy},
		{part: "subscription filter", resource: "AWS::Logs::SubscriptionFilter", look: lookAtSubscriptionFilter},
	}
}

// parts are all parts of a guard, in the order of their kinds.
func (v *view) parts(reviewed string) (all []part) {
	known := []string{"AWS::CDK::Metadata"} // it is nothing but a note
	for _, kind := range kinds(reviewed) {
		known = append(known, kind.resource)
		if kind.resource != "" {
			all = append(all, v.resources(kind)...)
		} else if name := kind.of(v); name != "" {
			all = append(all, part{Finding{Part: kind.part, Name: name}, func(ctx context.Context, v *view, f *Finding) { kind.look(ctx, v, resource{}, f) }})
		}
	}
	for _, r := range v.stack.resources {
		if !slices.Contains(known, r.kind) {
			all = append(all, part{Finding{Part: r.kind, Name: r.name, LogicalID: r.id}, func(_ context.Context, _ *view, f *Finding) {
				f.NotSeen = append(f.NotSeen, NotSeen{What: "nothing is known of resources of this type"})
			}})
		}
	}
	return all
}

// resources are the parts that are resources of the stack.
func (v *view) resources(kind kind) (all []part) {
	for _, r := range v.stack.of(kind.resource) {
		all = append(all, part{Finding{Part: kind.part, Name: r.name, LogicalID: r.id}, func(ctx context.Context, v *view, f *Finding) {
			if r.name == "" {
				f.seen++
				f.wrong("cdk deploy", "the stack has not made it")
				return
			}
			kind.look(ctx, v, r, f)
		}})
	}
	return all
}
