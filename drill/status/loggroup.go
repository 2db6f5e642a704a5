package status

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

// lookAtLogGroup compares a log group with the template's.
func lookAtLogGroup(ctx context.Context, v *view, r resource, f *Finding) {
	pages := cloudwatchlogs.NewDescribeLogGroupsPaginator(v.Logs, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: &r.name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if f.read(err) != seen {
			return
		}
		for _, group := range page.LogGroups {
			if aws.ToString(group.LogGroupName) == r.name {
				f.compare(revert, "RetentionInDays", r.properties["RetentionInDays"], plain(group.RetentionInDays))
				mend := revert
				if r.properties["KmsKeyId"] == nil { // CloudFormation leaves what the template does not declare
					mend = "aws logs disassociate-kms-key --log-group-name " + r.name
				}
				f.compare(mend, "KmsKeyId", r.properties["KmsKeyId"], orNone(aws.ToString(group.KmsKeyId)))
				return
			}
		}
	}
	f.wrong(revert, "it is deleted")
}

// lookAtSubscriptionFilter compares a subscription filter of a log group with the template's.
func lookAtSubscriptionFilter(ctx context.Context, v *view, r resource, f *Finding) {
	group := r.text("LogGroupName")
	got, err := v.Logs.DescribeSubscriptionFilters(ctx, &cloudwatchlogs.DescribeSubscriptionFiltersInput{LogGroupName: &group, FilterNamePrefix: &r.name})
	switch f.read(err, "ResourceNotFoundException") {
	case unseen:
		return
	case seen:
		if i := slices.IndexFunc(got.SubscriptionFilters, func(one types.SubscriptionFilter) bool { return aws.ToString(one.FilterName) == r.name }); i >= 0 {
			have := got.SubscriptionFilters[i]
			f.compare(revert, "DestinationArn", r.properties["DestinationArn"], orNone(aws.ToString(have.DestinationArn)))
			f.compare(revert, "FilterPattern", r.properties["FilterPattern"], aws.ToString(have.FilterPattern))
			f.compare(revert, "RoleArn", r.properties["RoleArn"], orNone(aws.ToString(have.RoleArn)))
			return
		}
	}
	f.wrong(revert, "it is deleted")
}
