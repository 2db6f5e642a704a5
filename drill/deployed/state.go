package deployed

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
)

// State is a trail at one moment.
type State struct {
	Trail                  *types.Trail // nil if there is none
	IsLogging              bool
	EventSelectors         []types.EventSelector
	AdvancedEventSelectors []types.AdvancedEventSelector
	InsightSelectors       []types.InsightSelector
	Tags                   []types.Tag
}

// ReadState reads a trail. A trail that does not exist is no error.
func ReadState(ctx context.Context, api CloudTrail, trailARN string) (State, error) {
	got, err := api.GetTrail(ctx, &cloudtrail.GetTrailInput{Name: &trailARN})
	if hasCode(err, "TrailNotFoundException") {
		return State{}, nil
	}
	if err != nil {
		return State{}, fmt.Errorf("reading trail %s: %w", trailARN, err)
	}
	state := State{Trail: got.Trail}
	status, err := api.GetTrailStatus(ctx, &cloudtrail.GetTrailStatusInput{Name: &trailARN})
	if err != nil {
		return stateOrGone(err, "the status", trailARN)
	}
	state.IsLogging = aws.ToBool(status.IsLogging)
	selectors, err := api.GetEventSelectors(ctx, &cloudtrail.GetEventSelectorsInput{TrailName: &trailARN})
	if err != nil {
		return stateOrGone(err, "the event selectors", trailARN)
	}
	state.EventSelectors, state.AdvancedEventSelectors = selectors.EventSelectors, selectors.AdvancedEventSelectors
	insights, err := api.GetInsightSelectors(ctx, &cloudtrail.GetInsightSelectorsInput{TrailName: &trailARN})
	if err != nil && !hasCode(err, "InsightNotEnabledException") {
		return stateOrGone(err, "the Insights selectors", trailARN)
	}
	if err == nil {
		state.InsightSelectors = insights.InsightSelectors
	}
	tags, err := api.ListTags(ctx, &cloudtrail.ListTagsInput{ResourceIdList: []string{trailARN}})
	if err != nil {
		return stateOrGone(err, "the tags", trailARN)
	}
	for _, list := range tags.ResourceTagList {
		state.Tags = append(state.Tags, list.TagsList...)
	}
	return state, nil
}

// stateOrGone is the state of a trail of which a part cannot be read: without a trail if the trail was deleted meanwhile, or else an
// error.
func stateOrGone(err error, what, trailARN string) (State, error) {
	if hasCode(err, "TrailNotFoundException", "ResourceNotFoundException") {
		return State{}, nil
	}
	return State{}, fmt.Errorf("reading %s of trail %s: %w", what, trailARN, err)
}
