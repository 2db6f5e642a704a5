package cloudtrail

import (
	"context"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"github.com/trailguard/trailguard/localaws/api"
)

const (
	managementCategory = "Management"
	dataCategory       = "Data"
	networkCategory    = "NetworkActivity"
)

// defaultSelectors are the selectors of a trail for which none were put: all management events, read and write.
func defaultSelectors() []types.EventSelector {
	return []types.EventSelector{complete(types.EventSelector{})}
}

// complete fills in the defaults of a selector.
func complete(selector types.EventSelector) types.EventSelector {
	if selector.ReadWriteType == "" {
		selector.ReadWriteType = types.ReadWriteTypeAll
	}
	if selector.IncludeManagementEvents == nil {
		include := true
		selector.IncludeManagementEvents = &include
	}
	if selector.DataResources == nil {
		selector.DataResources = []types.DataResource{}
	}
	if selector.ExcludeManagementEventSources == nil {
		selector.ExcludeManagementEventSources = []string{}
	}
	return selector
}

// putEventSelectors replaces the selectors of a trail, basic or advanced. An empty list is refused: a valid number is 1
// to 5 (InvalidEventSelectorsException).
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_PutEventSelectors.html
func (s *Service) putEventSelectors(_ context.Context, call api.Call, in *cloudtrail.PutEventSelectorsInput) (*cloudtrail.PutEventSelectorsOutput, error) {
	t, err := s.findAtHome(call.Place, value(in.TrailName))
	if err != nil {
		return nil, err
	}
	switch {
	case in.EventSelectors != nil && in.AdvancedEventSelectors != nil:
		return nil, invalidSelectors("EventSelectors and AdvancedEventSelectors exclude one another")
	case in.AdvancedEventSelectors != nil:
		err = checkAdvanced(in.AdvancedEventSelectors)
	default:
		err = checkBasic(call.Partition, in.EventSelectors)
	}
	if err != nil {
		return nil, err
	}
	t.EventSelectors, t.AdvancedEventSelectors = nil, in.AdvancedEventSelectors
	for _, selector := range in.EventSelectors {
		t.EventSelectors = append(t.EventSelectors, complete(selector))
	}
	t.HasCustomEventSelectors = s.options.DefaultSelectorsAreCustom || !reflect.DeepEqual(t.EventSelectors, defaultSelectors())
	s.store(t)
	return &cloudtrail.PutEventSelectorsOutput{
		TrailARN: &t.ARN, EventSelectors: t.EventSelectors, AdvancedEventSelectors: t.AdvancedEventSelectors,
	}, nil
}

func (s *Service) getEventSelectors(_ context.Context, call api.Call, in *cloudtrail.GetEventSelectorsInput) (*cloudtrail.GetEventSelectorsOutput, error) {
	t, err := s.find(call.Place, value(in.TrailName))
	if err != nil {
		return nil, err
	}
	return &cloudtrail.GetEventSelectorsOutput{
		TrailARN: &t.ARN, EventSelectors: t.EventSelectors, AdvancedEventSelectors: t.AdvancedEventSelectors,
	}, nil
}

func invalidSelectors(format string, args ...any) error {
	return api.Errorf("InvalidEventSelectorsException", format, args...)
}

// checkBasic applies the rules for basic selectors.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_EventSelector.html
func checkBasic(partition string, selectors []types.EventSelector) error {
	if len(selectors) == 0 || len(selectors) > maxSelectors {
		return invalidSelectors("%d event selectors: a trail has 1 to %d", len(selectors), maxSelectors)
	}
	resources := 0
	for _, selector := range selectors {
		if selector.IncludeManagementEvents != nil && !*selector.IncludeManagementEvents && len(selector.DataResources) == 0 {
			return invalidSelectors("when IncludeManagementEvents is false, DataResources must not be empty")
		}
		for _, source := range selector.ExcludeManagementEventSources {
			if !excludable(source) {
				return invalidSelectors("management events of %q cannot be excluded: only those of %v", source, excludableSources)
			}
		}
		for _, resource := range selector.DataResources {
			prefix, known := map[string]string{
				"AWS::S3::Object":       ":s3",
				"AWS::Lambda::Function": ":lambda",
				"AWS::DynamoDB::Table":  ":dynamodb",
			}[value(resource.Type)]
			if !known {
				return invalidSelectors("value %s for DataResources.Type is invalid", value(resource.Type))
			}
			for _, arn := range resource.Values {
				if !strings.HasPrefix(arn, "arn:"+partition+prefix) || strings.Contains(arn, "*") {
					return invalidSelectors("value %s for DataResources.Values is invalid", arn)
				}
			}
			resources += len(resource.Values)
		}
	}
	if resources > maxDataResources {
		return invalidSelectors("%d data resources: a trail has at most %d", resources, maxDataResources)
	}
	return nil
}

var excludableSources = []string{"kms.amazonaws.com", "rdsdata.amazonaws.com"}

func excludable(source string) bool { return slices.Contains(excludableSources, source) }

// checkAdvanced applies the rules for advanced selectors.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedFieldSelector.html
func checkAdvanced(selectors []types.AdvancedEventSelector) error {
	if len(selectors) == 0 {
		return invalidSelectors("a trail has at least one advanced event selector")
	}
	values := 0
	for _, selector := range selectors {
		for _, field := range selector.FieldSelectors {
			operators := 0
			for _, operator := range [][]string{field.Equals, field.NotEquals, field.StartsWith, field.NotStartsWith, field.EndsWith, field.NotEndsWith} {
				values += len(operator)
				if len(operator) > 0 {
					operators++
				}
			}
			if operators == 0 {
				return invalidSelectors("field %s needs an operator with a value", value(field.Field))
			}
			onlyEquals := slices.Contains([]string{"readOnly", "eventCategory", "resources.type"}, value(field.Field))
			if onlyEquals && (len(field.Equals) != 1 || operators > 1) {
				return invalidSelectors("field %s takes Equals with one value", value(field.Field))
			}
			if category(selector) == managementCategory {
				if err := checkManagementField(field); err != nil {
					return err
				}
			}
		}
		switch category(selector) {
		case managementCategory:
		case networkCategory:
			if equals(selector, "eventSource") == nil {
				return invalidSelectors("a selector of network activity events needs eventSource")
			}
		case dataCategory:
			if equals(selector, "resources.type") == nil {
				return invalidSelectors("a selector of data events needs resources.type")
			}
		default:
			return invalidSelectors("eventCategory must be %s, %s or %s", managementCategory, dataCategory, networkCategory)
		}
	}
	if values > maxValues {
		return invalidSelectors("%d values: advanced event selectors have at most %d", values, maxValues)
	}
	return nil
}

func checkManagementField(field types.AdvancedFieldSelector) error {
	switch value(field.Field) {
	case "eventCategory", "eventSource":
		return nil
	case "readOnly":
		if field.Equals[0] != "true" && field.Equals[0] != "false" {
			return invalidSelectors("readOnly is true or false, not %q", field.Equals[0])
		}
		return nil
	}
	return invalidSelectors("field %s is not one of a trail's management events", value(field.Field))
}

func category(selector types.AdvancedEventSelector) string {
	if values := equals(selector, "eventCategory"); len(values) == 1 {
		return values[0]
	}
	return ""
}

// equals returns the values of a field's operator Equals.
func equals(selector types.AdvancedEventSelector, field string) []string {
	for _, f := range selector.FieldSelectors {
		if value(f.Field) == field {
			return f.Equals
		}
	}
	return nil
}

// putInsightSelectors replaces the Insights selectors of a trail; an empty list turns Insights off. What an Insights type
// analyzes must be logged: write management events for the call rate, any for the error rate.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_PutInsightSelectors.html
func (s *Service) putInsightSelectors(_ context.Context, call api.Call, in *cloudtrail.PutInsightSelectorsInput) (*cloudtrail.PutInsightSelectorsOutput, error) {
	if in.EventDataStore != nil || in.InsightsDestination != nil {
		return nil, api.NotModelled("Insights of event data stores")
	}
	t, err := s.findAtHome(call.Place, value(in.TrailName))
	if err != nil {
		return nil, err
	}
	if in.InsightSelectors == nil {
		return nil, api.Errorf("InvalidParameterException", "InsightSelectors must be given")
	}
	read, write := t.managementEvents(false)
	seen := map[types.InsightType]bool{}
	for _, selector := range in.InsightSelectors {
		if selector.InsightType == "" || seen[selector.InsightType] {
			return nil, invalidInsights("InsightType %q is missing or given twice", selector.InsightType)
		}
		seen[selector.InsightType] = true
		categories := selector.EventCategories
		if len(categories) == 0 {
			categories = []types.SourceEventCategory{types.SourceEventCategoryManagement}
		}
		for _, source := range categories {
			logged := write || read && selector.InsightType == types.InsightTypeApiErrorRateInsight
			if source == types.SourceEventCategoryData {
				logged = t.dataEvents()
			}
			if !logged {
				return nil, invalidInsights("%s needs a trail that logs the %s events that it analyzes", selector.InsightType, source)
			}
		}
	}
	t.InsightSelectors, t.HasInsightSelectors = in.InsightSelectors, len(in.InsightSelectors) > 0
	s.store(t)
	return &cloudtrail.PutInsightSelectorsOutput{TrailARN: &t.ARN, InsightSelectors: t.InsightSelectors}, nil
}

func (s *Service) getInsightSelectors(_ context.Context, call api.Call, in *cloudtrail.GetInsightSelectorsInput) (*cloudtrail.GetInsightSelectorsOutput, error) {
	if in.EventDataStore != nil {
		return nil, api.NotModelled("Insights of event data stores")
	}
	t, err := s.find(call.Place, value(in.TrailName))
	if err != nil {
		return nil, err
	}
	if !t.HasInsightSelectors {
		return nil, api.Errorf("InsightNotEnabledException", "trail %s does not have Insights enabled", t.Name)
	}
	return &cloudtrail.GetInsightSelectorsOutput{TrailARN: &t.ARN, InsightSelectors: t.InsightSelectors}, nil
}

func invalidInsights(format string, args ...any) error {
	return api.Errorf("InvalidInsightSelectorsException", format, args...)
}

// LogsAllManagementEvents tells whether the selectors select every management event, read and write, of every service.
// An advanced selector counts only if it holds nothing but the category.
func (t Trail) LogsAllManagementEvents() bool {
	read, write := t.managementEvents(true)
	return read && write
}

// managementEvents tells whether some read and some write management events are selected; if only those selectors are
// to count that leave no service out, all.
func (t Trail) managementEvents(onlyUnrestricted bool) (read, write bool) {
	for _, selector := range t.EventSelectors {
		restricted := len(selector.ExcludeManagementEventSources) > 0
		if !*selector.IncludeManagementEvents || onlyUnrestricted && restricted {
			continue
		}
		read = read || selector.ReadWriteType != types.ReadWriteTypeWriteOnly
		write = write || selector.ReadWriteType != types.ReadWriteTypeReadOnly
	}
	for _, selector := range t.AdvancedEventSelectors {
		if category(selector) != managementCategory || onlyUnrestricted && len(selector.FieldSelectors) > 1 {
			continue
		}
		readOnly := equals(selector, "readOnly")
		read = read || !slices.Equal(readOnly, []string{"false"})
		write = write || !slices.Equal(readOnly, []string{"true"})
	}
	return read, write
}

// dataEvents tells whether any data events are selected.
func (t Trail) dataEvents() bool {
	return slices.ContainsFunc(t.EventSelectors, func(s types.EventSelector) bool { return len(s.DataResources) > 0 }) ||
		slices.ContainsFunc(t.AdvancedEventSelectors, func(s types.AdvancedEventSelector) bool { return category(s) == dataCategory })
}
