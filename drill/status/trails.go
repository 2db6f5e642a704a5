package status

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
)

// namesOf are the names of trails, for people.
func namesOf(trails []types.Trail) string {
	var names []string
	for _, trail := range trails {
		names = append(names, aws.ToString(trail.Name))
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// lookAtOtherTrails looks for trails of the same name in other Regions, for trails that log the same events again, and for another guard
// of the trail.
func lookAtOtherTrails(ctx context.Context, v *view, f *Finding) {
	listed, err := v.CloudTrail.DescribeTrails(ctx, &cloudtrail.DescribeTrailsInput{})
	if f.read(err) == seen {
		for _, trail := range listed.TrailList {
			lookAtOtherTrail(ctx, v, trail, f)
		}
	}
	lookForAnotherGuard(ctx, v, f)
}

func lookAtOtherTrail(ctx context.Context, v *view, trail types.Trail, f *Finding) {
	arn, home := aws.ToString(trail.TrailARN), aws.ToString(trail.HomeRegion)
	if arn == v.guard.TrailARN {
		return
	}
	remove := "aws cloudtrail delete-trail --region " + home + " --name " + aws.ToString(trail.Name)
	if aws.ToString(trail.Name) == v.guard.TrailName {
		f.wrong(remove, "%s has the guarded trail's name", arn)
	}
	status, err := v.CloudTrail.GetTrailStatus(ctx, &cloudtrail.GetTrailStatusInput{Name: &arn})
	if f.read(err, "TrailNotFoundException") != seen || !aws.ToBool(status.IsLogging) {
		return
	}
	// https://aws.amazon.com/cloudtrail/pricing/
	f.warn("if nothing needs it: "+remove, "%s logs too: CloudTrail bills each further copy of management events", arn)
}

// lookForAnotherGuard looks for another role that says of itself what the guard's automation role does: two guards with different
// declared states each put their own back.
func lookForAnotherGuard(ctx context.Context, v *view, f *Finding) {
	name := lastOf(v.guard.AutomationRoleARN)
	own, made := v.stack.named("AWS::IAM::Role", name)
	if !made || own.text("Description") == "" || own.text("Path") == "" {
		return
	}
	pages := iam.NewListRolesPaginator(v.IAM, &iam.ListRolesInput{PathPrefix: aws.String(own.text("Path"))})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if f.read(err) != seen {
			return
		}
		for _, role := range page.Roles {
			if aws.ToString(role.RoleName) != name && aws.ToString(role.Description) == own.text("Description") {
				f.wrong("delete one of the two stacks", "another guard has the same trail: its role is %s", aws.ToString(role.Arn))
			}
		}
	}
}
