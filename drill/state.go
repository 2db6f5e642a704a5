package drill

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
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
	// EventSelectors are the basic ones, or the advanced ones, by what they mean.
	EventSelectors   Setting = "EventSelectors"
	InsightSelectors Setting = "InsightSelectors"
	Tags             Setting = "Tags"
)

var settings = []Setting{
	IsLogging, S3BucketName, S3KeyPrefix, KMSKeyID, SNSTopicARN, CloudWatchLogsLogGroupARN, CloudWatchLogsRoleARN, IsMultiRegionTrail,
	IsOrganizationTrail, IncludeGlobalServiceEvents, LogFileValidationEnabled, EventSelectors, InsightSelectors, Tags,
}

// input is the setting's name in the runbook's InputPayload, where a text or a boolean stands for it.
func (s Setting) input() string {
	switch s {
	case SNSTopicARN:
		return "SnsTopicName"
	case LogFileValidationEnabled:
		return "EnableLogFileValidation"
	}
	return string(s)
}

// isText tells whether a text or a boolean stands for the setting.
func (s Setting) isText() bool {
	return !slices.Contains([]Setting{EventSelectors, InsightSelectors, Tags}, s)
}

// Declared is what a trail's settings should be: strings quoted, the rest in JSON. A setting that is absent may be anything.
type Declared map[Setting]string

// has tells whether a setting is declared to be something that could be taken away.
func (d Declared) has(setting Setting) bool {
	value, ok := d[setting]
	return ok && value != `""` && value != "false" && value != "[]" && value != "{}"
}

// tags are the declared tags, in the order of their keys.
func (d Declared) tags() []types.Tag {
	var values map[string]string
	if err := json.Unmarshal([]byte(d[Tags]), &values); err != nil {
		return nil
	}
	var tags []types.Tag
	for _, key := range slices.Sorted(maps.Keys(values)) {
		tags = append(tags, types.Tag{Key: &key, Value: aws.String(values[key])})
	}
	return tags
}

// Unmet says, for each setting of a state that is not as declared, what it is and what it should be.
func (d Declared) Unmet(state State) []string {
	if state.Trail == nil {
		return []string{"there is no trail"}
	}
	unmet := []string{}
	actual := state.settings()
	if want, ok := d[Tags]; ok {
		actual[Tags] = tagText(state.tagsOf(want))
	}
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
		EventSelectors:             selectorText(s),
		InsightSelectors:           insightText(s.InsightSelectors),
		Tags:                       tagText(s.Tags),
	}
}

func quote(s string) string { return fmt.Sprintf("%q", s) }

// selectorText writes what the selectors mean: the advanced ones, or the basic ones as the advanced ones that they stand for;
// each as its conditions, without its name, in order, so that selectors that mean the same are written alike.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_EventSelector.html
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedEventSelector.html
func selectorText(s State) string {
	selectors := s.AdvancedEventSelectors
	for _, basic := range s.EventSelectors {
		selectors = append(selectors, advanced(basic)...)
	}
	list := []string{}
	for _, selector := range selectors {
		var conditions []string
		for _, field := range selector.FieldSelectors {
			for operator, values := range map[string][]string{
				"=": field.Equals, "!=": field.NotEquals, "starts with": field.StartsWith, "starts not with": field.NotStartsWith,
				"ends with": field.EndsWith, "ends not with": field.NotEndsWith,
			} {
				if len(values) > 0 {
					conditions = append(conditions, fmt.Sprintf("%s %s %s", aws.ToString(field.Field), operator, strings.Join(sorted(values), " or ")))
				}
			}
		}
		list = append(list, strings.Join(sorted(conditions), " and "))
	}
	return encode(slices.Compact(sorted(list)))
}

// advanced are the advanced selectors that a basic one stands for.
func advanced(basic types.EventSelector) []types.AdvancedEventSelector {
	field := func(name string, equals ...string) types.AdvancedFieldSelector {
		return types.AdvancedFieldSelector{Field: &name, Equals: equals}
	}
	readOnly := field("readOnly")
	switch basic.ReadWriteType {
	case types.ReadWriteTypeReadOnly:
		readOnly.Equals = []string{"true"}
	case types.ReadWriteTypeWriteOnly:
		readOnly.Equals = []string{"false"}
	}
	var selectors []types.AdvancedEventSelector
	if basic.IncludeManagementEvents == nil || *basic.IncludeManagementEvents {
		excluded := types.AdvancedFieldSelector{Field: aws.String("eventSource"), NotEquals: basic.ExcludeManagementEventSources}
		selectors = append(selectors, types.AdvancedEventSelector{FieldSelectors: []types.AdvancedFieldSelector{
			field("eventCategory", "Management"), readOnly, excluded,
		}})
	}
	for _, resource := range basic.DataResources {
		if len(resource.Values) == 0 {
			continue // none of the type's resources
		}
		fields := []types.AdvancedFieldSelector{field("eventCategory", "Data"), field("resources.type", aws.ToString(resource.Type)), readOnly}
		isService := func(arn string) bool { return strings.Count(strings.TrimRight(arn, ":"), ":") < 3 }
		switch {
		case slices.ContainsFunc(resource.Values, isService): // arn:aws:s3 stands for every object
		case aws.ToString(resource.Type) == "AWS::S3::Object":
			fields = append(fields, types.AdvancedFieldSelector{Field: aws.String("resources.ARN"), StartsWith: resource.Values})
		default:
			fields = append(fields, field("resources.ARN", resource.Values...))
		}
		selectors = append(selectors, types.AdvancedEventSelector{FieldSelectors: fields})
	}
	return selectors
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

// encode writes lists and maps of strings, which always can be written.
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
	if s.Trail == nil {
		return []string{"there is no trail"}
	}
	was, is := before.settings(), s.settings()
	var different []string
	for _, setting := range settings {
		if was[setting] != is[setting] {
			different = append(different, fmt.Sprintf("%s is %s, want %s", setting, is[setting], was[setting]))
		}
	}
	return different
}

// tagsOf are those of the trail's tags whose keys stand in a text of tags: the others may be anybody's.
func (s State) tagsOf(text string) []types.Tag {
	var declared map[string]string
	if err := json.Unmarshal([]byte(text), &declared); err != nil {
		return s.Tags
	}
	return slices.DeleteFunc(slices.Clone(s.Tags), func(tag types.Tag) bool {
		_, isDeclared := declared[aws.ToString(tag.Key)]
		return !isDeclared
	})
}

func tagText(tags []types.Tag) string {
	values := map[string]string{}
	for _, tag := range tags {
		values[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	return encode(values)
}
