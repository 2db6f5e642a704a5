package deployed

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
)

// selectorText writes what the event selectors of a state mean: advanced event selectors, into which basic event selectors are
// translated, each as its conditions, without its name, in order. Selectors with one meaning are written alike.
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

// advanced are the advanced event selectors that have the meaning of a basic event selector.
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
