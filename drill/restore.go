package drill

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"github.com/trailguard/trailguard/drill/deployed"
)

// restore tries once to bring a trail from the state now to the state before, its logging first. It never makes an
// organization trail an account's trail. The caller looks whether the trail is back.
func restore(ctx context.Context, api *cloudtrail.Client, before, now deployed.State) error {
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
		create := &cloudtrail.CreateTrailInput{Name: t.Name, TagsList: before.Tags}
		deployed.PutSettings(create, t, false)
		_, err := api.CreateTrail(ctx, create)
		failed("the trail", err)
	}
	if before.IsLogging && !now.IsLogging {
		_, err := api.StartLogging(ctx, &cloudtrail.StartLoggingInput{Name: t.TrailARN})
		failed("logging", err)
	}
	update := &cloudtrail.UpdateTrailInput{Name: t.TrailARN}
	deployed.PutSettings(update, t, true)
	if !aws.ToBool(t.IsOrganizationTrail) || now.Trail != nil && aws.ToBool(now.Trail.IsOrganizationTrail) {
		update.IsOrganizationTrail = nil
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
	if now.Trail != nil && len(before.Tags) > 0 && now.Settings()[deployed.Tags] != before.Settings()[deployed.Tags] {
		_, err := api.AddTags(ctx, &cloudtrail.AddTagsInput{ResourceId: t.TrailARN, TagsList: before.Tags})
		failed("the tags", err)
	}
	return errors.Join(problems...)
}
