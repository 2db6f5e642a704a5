package cloudtrail

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
)

func TestSelectorsDecideWhichEventsAreLogged(t *testing.T) {
	basic := func(management bool, kind types.ReadWriteType, excluded ...string) types.EventSelector {
		return types.EventSelector{IncludeManagementEvents: &management, ReadWriteType: kind, ExcludeManagementEventSources: excluded}
	}
	field := func(name string, equals, notEquals []string) types.AdvancedFieldSelector {
		return types.AdvancedFieldSelector{Field: &name, Equals: equals, NotEquals: notEquals}
	}
	for _, test := range []struct {
		name     string
		basic    []types.EventSelector
		advanced []types.AdvancedFieldSelector
		want     bool
	}{
		{"all", []types.EventSelector{basic(true, "All")}, nil, true},
		{"write only", []types.EventSelector{basic(true, "WriteOnly")}, nil, true},
		{"read only", []types.EventSelector{basic(true, "ReadOnly")}, nil, false},
		{"no management events", []types.EventSelector{basic(false, "All")}, nil, false},
		{"the service is excluded", []types.EventSelector{basic(true, "All", "kms.amazonaws.com")}, nil, false},
		{"nothing", nil, nil, false},
		{"advanced: management", nil, []types.AdvancedFieldSelector{field("eventCategory", []string{"Management"}, nil)}, true},
		{"advanced: data", nil, []types.AdvancedFieldSelector{field("eventCategory", []string{"Data"}, nil)}, false},
		{"advanced: read only", nil, []types.AdvancedFieldSelector{
			field("eventCategory", []string{"Management"}, nil), field("readOnly", []string{"true"}, nil)}, false},
		{"advanced: the service is excluded", nil, []types.AdvancedFieldSelector{
			field("eventCategory", []string{"Management"}, nil), field("eventSource", nil, []string{"kms.amazonaws.com"})}, false},
	} {
		var advanced []types.AdvancedEventSelector
		if test.advanced != nil {
			advanced = append(advanced, types.AdvancedEventSelector{FieldSelectors: test.advanced})
		}
		trail := trailWith(test.basic, advanced)
		if got := selectsWrites(trail, "kms.amazonaws.com"); got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}

func trailWith(basic []types.EventSelector, advanced []types.AdvancedEventSelector) Trail {
	return Trail{EventSelectors: basic, AdvancedEventSelectors: advanced}
}
