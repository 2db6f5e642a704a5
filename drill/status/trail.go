package status

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"

	"github.com/trailguard/trailguard/drill/deployed"
)

// lookAtTrail compares each setting of the trail with what the runbook declares.
func lookAtTrail(ctx context.Context, v *view, f *Finding) {
	state, err := deployed.ReadState(ctx, v.CloudTrail, v.guard.TrailARN)
	if f.read(err) == unseen {
		return
	}
	for _, unmet := range v.guard.Declared.Unmet(state) {
		f.wrong("the guard repairs it within its schedule; at once: "+start(v.guard.RunbookName), "%s", unmet)
	}
	if state.Trail != nil {
		return
	}
	// Five trails in a Region are a fixed quota: with five others the runbook cannot create this one.
	// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/WhatIsCloudTrail-Limits.html
	const quota = 5
	listed, err := v.CloudTrail.DescribeTrails(ctx, &cloudtrail.DescribeTrailsInput{})
	if f.read(err) == seen && len(listed.TrailList) >= quota {
		f.wrong("delete a trail of the Region that is not needed: aws cloudtrail delete-trail --name NAME", "%d other trails fill the Region's quota, so that it cannot be created: %s",
			len(listed.TrailList), namesOf(listed.TrailList))
	}
}
