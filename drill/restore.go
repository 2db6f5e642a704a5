package drill

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
)

// restore makes a trail what it was, once: logging first. It never makes an organization trail an account's trail. The
// caller looks whether that was enough.
func restore(ctx context.Context, api *cloudtrail.Client, before, now State) error {
	t := before.Trail
	if t == nil {
		return nil
	}
	var problems []error
	failed := func(what string, err error) {
		if err != nil {
			problems = append(problems, fmt.Errorf("restoring %s: %w", what, err))
		}
	}
	if now.Trail == nil {
		_, err := api.CreateTrail(ctx, &cloudtrail.CreateTrailInput{
			Name: t.Name, S3BucketName: t.S3BucketName, S3KeyPrefix: t.S3KeyPrefix, KmsKeyId: t.KmsKeyId, SnsTopicName: t.SnsTopicARN,
			CloudWatchLogsLogGroupArn: t.CloudWatchLogsLogGroupArn, CloudWatchLogsRoleArn: t.CloudWatchLogsRoleArn,
			IsMultiRegionTrail: t.IsMultiRegionTrail, IsOrganizationTrail: t.IsOrganizationTrail,
			IncludeGlobalServiceEvents: t.IncludeGlobalServiceEvents, EnableLogFileValidation: t.LogFileValidationEnabled, TagsList: before.Tags,
		})
		failed("the trail", err)
	}
	if before.IsLogging && !now.IsLogging {
		_, err := api.StartLogging(ctx, &cloudtrail.StartLoggingInput{Name: t.TrailARN})
		failed("logging", err)
	}
	update := &cloudtrail.UpdateTrailInput{
		Name: t.TrailARN, S3BucketName: t.S3BucketName, S3KeyPrefix: orEmpty(t.S3KeyPrefix), KmsKeyId: orEmpty(t.KmsKeyId),
		SnsTopicName: orEmpty(t.SnsTopicARN), CloudWatchLogsLogGroupArn: orEmpty(t.CloudWatchLogsLogGroupArn),
		CloudWatchLogsRoleArn: orEmpty(t.CloudWatchLogsRoleArn), IsMultiRegionTrail: t.IsMultiRegionTrail,
		IncludeGlobalServiceEvents: t.IncludeGlobalServiceEvents, EnableLogFileValidation: t.LogFileValidationEnabled,
	}
	if aws.ToBool(t.IsOrganizationTrail) && (now.Trail == nil || !aws.ToBool(now.Trail.IsOrganizationTrail)) {
		update.IsOrganizationTrail = t.IsOrganizationTrail
	}
	_, err := api.UpdateTrail(ctx, update)
	failed("the settings", err)

	selectors := &cloudtrail.PutEventSelectorsInput{TrailName: t.TrailARN, EventSelectors: before.EventSelectors}
	if len(before.AdvancedEventSelectors) > 0 {
		selectors.EventSelectors, selectors.AdvancedEventSelectors = nil, before.AdvancedEventSelectors
	}
	_, err = api.PutEventSelectors(ctx, selectors)
	failed("the event selectors", err)

	insights := before.InsightSelectors
	if insights == nil {
		insights = []types.InsightSelector{}
	}
	_, err = api.PutInsightSelectors(ctx, &cloudtrail.PutInsightSelectorsInput{TrailName: t.TrailARN, InsightSelectors: insights})
	failed("Insights", err)

	// A trail that was deleted and made anew has lost its tags.
	if now.Trail != nil && len(before.Tags) > 0 && tagText(now.Tags) != tagText(before.Tags) {
		_, err := api.AddTags(ctx, &cloudtrail.AddTagsInput{ResourceId: t.TrailARN, TagsList: before.Tags})
		failed("the tags", err)
	}
	return errors.Join(problems...)
}

func orEmpty(s *string) *string { return aws.String(aws.ToString(s)) }
