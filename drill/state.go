package drill

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
)

// Setting is one setting of a trail, by the name that CloudTrail shows it under.
type Setting string

// The settings of a trail.
const (
	IsLogging                  Setting = "IsLogging"
	S3BucketName               Setting = "S3BucketName"
	S3KeyPrefix                Setting = "S3KeyPrefix"
	KMSKeyID                   Setting = "KmsKeyId"
	SNSTopicARN                Setting = "SnsTopicARN"
	CloudWatchLogsLogGroupARN  Setting = "CloudWatchLogsLogGroupArn"
	CloudWatchLogsRoleARN      Setting = "CloudWatchLogsRoleArn"
	IsMultiRegionTrail         Setting = "IsMultiRegionTrail"
	IsOrganizationTrail        Setting = "IsOrganizationTrail"
	IncludeGlobalServiceEvents Setting = "IncludeGlobalServiceEvents"
	LogFileValidationEnabled   Setting = "LogFileValidationEnabled"
	EventSelectors             Setting = "EventSelectors"
	AdvancedEventSelectors     Setting = "AdvancedEventSelectors"
	InsightSelectors           Setting = "InsightSelectors"
)

var settings = []Setting{
	IsLogging, S3BucketName, S3KeyPrefix, KMSKeyID, SNSTopicARN, CloudWatchLogsLogGroupARN, CloudWatchLogsRoleARN, IsMultiRegionTrail,
	IsOrganizationTrail, IncludeGlobalServiceEvents, LogFileValidationEnabled, EventSelectors, AdvancedEventSelectors, InsightSelectors,
}

// Declared is what a trail's settings should be: strings quoted, the rest in JSON. A setting that is absent may be anything.
type Declared map[Setting]string

// has tells whether a setting is declared to be something that could be taken away.
func (d Declared) has(setting Setting) bool {
	value, ok := d[setting]
	return ok && value != `""` && value != "false" && value != "[]"
}

// Unmet says, for each setting of a state that is not as declared, what it is and what it should be.
func (d Declared) Unmet(state State) []string {
	if state.Trail == nil {
		return []string{"there is no trail"}
	}
	unmet := []string{}
	actual := state.settings()
	for _, setting := range settings {
		if want, ok := d[setting]; ok && actual[setting] != want {
			unmet = append(unmet, fmt.Sprintf("%s is %s, want %s", setting, actual[setting], want))
		}
	}
	return unmet
}

// State is a trail at one moment.
type State struct {
	Trail                  *types.Trail // nil if there is none
	IsLogging              bool
	EventSelectors         []types.EventSelector
	AdvancedEventSelectors []types.AdvancedEventSelector
	InsightSelectors       []types.InsightSelector
	Tags                   []types.Tag
}

// settings are the settings of a trail that exists, all of them.
func (s State) settings() Declared {
	t := s.Trail
	return Declared{
		IsLogging:                  fmt.Sprint(s.IsLogging),
		S3BucketName:               quote(aws.ToString(t.S3BucketName)),
		S3KeyPrefix:                quote(aws.ToString(t.S3KeyPrefix)),
		KMSKeyID:                   quote(aws.ToString(t.KmsKeyId)),
		SNSTopicARN:                quote(aws.ToString(t.SnsTopicARN)),
		CloudWatchLogsLogGroupARN:  quote(aws.ToString(t.CloudWatchLogsLogGroupArn)),
		CloudWatchLogsRoleARN:      quote(aws.ToString(t.CloudWatchLogsRoleArn)),
		IsMultiRegionTrail:         fmt.Sprint(aws.ToBool(t.IsMultiRegionTrail)),
		IsOrganizationTrail:        fmt.Sprint(aws.ToBool(t.IsOrganizationTrail)),
		IncludeGlobalServiceEvents: fmt.Sprint(aws.ToBool(t.IncludeGlobalServiceEvents)),
		LogFileValidationEnabled:   fmt.Sprint(aws.ToBool(t.LogFileValidationEnabled)),
		EventSelectors:             basicText(s.EventSelectors),
		AdvancedEventSelectors:     advancedText(s.AdvancedEventSelectors),
		InsightSelectors:           insightText(s.InsightSelectors),
	}
}

func quote(s string) string { return fmt.Sprintf("%q", s) }

// basicText writes selectors with their defaults filled in, so that equal ones are written alike.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_EventSelector.html
func basicText(selectors []types.EventSelector) string {
	list := []any{}
	for _, selector := range selectors {
		kind := selector.ReadWriteType
		if kind == "" {
			kind = types.ReadWriteTypeAll
		}
		resources := []any{}
		for _, resource := range selector.DataResources {
			resources = append(resources, map[string]any{"Type": aws.ToString(resource.Type), "Values": sorted(resource.Values)})
		}
		list = append(list, map[string]any{
			"ReadWriteType": kind, "IncludeManagementEvents": selector.IncludeManagementEvents == nil || *selector.IncludeManagementEvents,
			"ExcludeManagementEventSources": sorted(selector.ExcludeManagementEventSources), "DataResources": resources,
		})
	}
	return encode(list)
}

func advancedText(selectors []types.AdvancedEventSelector) string {
	list := []any{}
	for _, selector := range selectors {
		fields := []any{}
		for _, field := range selector.FieldSelectors {
			one := map[string]any{"Field": aws.ToString(field.Field)}
			for operator, values := range map[string][]string{
				"Equals": field.Equals, "NotEquals": field.NotEquals, "StartsWith": field.StartsWith,
				"NotStartsWith": field.NotStartsWith, "EndsWith": field.EndsWith, "NotEndsWith": field.NotEndsWith,
			} {
				if len(values) > 0 {
					one[operator] = sorted(values)
				}
			}
			fields = append(fields, one)
		}
		list = append(list, map[string]any{"Name": aws.ToString(selector.Name), "FieldSelectors": fields})
	}
	return encode(list)
}

func insightText(selectors []types.InsightSelector) string {
	list := []string{}
	for _, selector := range selectors {
		list = append(list, string(selector.InsightType))
	}
	return encode(sorted(list))
}

func sorted(list []string) []string {
	list = append([]string{}, list...)
	slices.Sort(list)
	return list
}

// encode writes lists of maps, strings and booleans, which always can be written.
func encode(list any) string {
	encoded, err := json.Marshal(list)
	if err != nil {
		panic(fmt.Sprintf("writing %v: %v", list, err))
	}
	return string(encoded)
}

// ReadState reads a trail. A trail that does not exist is no error.
func ReadState(ctx context.Context, api *cloudtrail.Client, trailARN string) (State, error) {
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

// stateOrGone is what is known of a trail when one of its parts cannot be read: that it was deleted meanwhile, or nothing.
func stateOrGone(err error, what, trailARN string) (State, error) {
	if hasCode(err, "TrailNotFoundException", "ResourceNotFoundException") {
		return State{}, nil
	}
	return State{}, fmt.Errorf("reading %s of trail %s: %w", what, trailARN, err)
}

// differences says in which settings and tags a state differs from one before it.
func (s State) differences(before State) []string {
	if before.Trail == nil {
		if s.Trail == nil {
			return nil
		}
		return []string{"there is a trail, want none"}
	}
	different := before.settings().Unmet(s)
	if s.Trail != nil && tagText(s.Tags) != tagText(before.Tags) {
		different = append(different, fmt.Sprintf("Tags are %s, want %s", tagText(s.Tags), tagText(before.Tags)))
	}
	return different
}

func tagText(tags []types.Tag) string {
	var list []string
	for _, tag := range tags {
		list = append(list, aws.ToString(tag.Key)+"="+aws.ToString(tag.Value))
	}
	return "[" + strings.Join(sorted(list), ", ") + "]"
}
