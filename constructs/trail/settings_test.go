package trail

import (
	"reflect"
	"testing"
)

// TestAllManagementEventsAreAlwaysSelected: each PutEventSelectors replaces what was there.
func TestAllManagementEventsAreAlwaysSelected(t *testing.T) {
	data := AdvancedEventSelector{Name: "objects", FieldSelectors: []FieldSelector{
		{Field: "eventCategory", Equals: []string{"Data"}}, {Field: "resources.type", Equals: []string{"AWS::S3::Object"}},
	}}
	mine := AdvancedEventSelector{Name: "mine", FieldSelectors: []FieldSelector{{Field: "eventCategory", Equals: []string{"Management"}}}}
	added := AdvancedEventSelector{Name: "All management events", FieldSelectors: mine.FieldSelectors}
	for _, test := range []struct {
		name        string
		given, want []AdvancedEventSelector
	}{
		{"none", nil, []AdvancedEventSelector{}},
		{"data events", []AdvancedEventSelector{data}, []AdvancedEventSelector{added, data}},
		{"management events are given", []AdvancedEventSelector{data, mine}, []AdvancedEventSelector{data, mine}},
	} {
		t.Run(test.name, func(t *testing.T) {
			settings := Settings{AdvancedEventSelectors: test.given}
			if got := settings.AdvancedSelectors(); !reflect.DeepEqual(got, test.want) {
				t.Errorf("the advanced event selectors are %v, not %v", got, test.want)
			}
			basic := 1
			if len(test.given) > 0 {
				basic = 0
			}
			if got := settings.EventSelectors(); len(got) != basic {
				t.Errorf("the event selectors are %v", got)
			}
			if got := settings.LogsMoreThanManagementEvents(); got != (basic == 0) {
				t.Errorf("that it logs more than management events is %t", got)
			}
		})
	}
}

func TestSettingsAreNotChangedByWhatIsMadeOfThem(t *testing.T) {
	given := []AdvancedEventSelector{{FieldSelectors: []FieldSelector{{Field: "eventCategory", Equals: []string{"Management"}}}}}
	Settings{AdvancedEventSelectors: given}.AdvancedSelectors()[0].Name = "changed"
	if given[0].Name != "" {
		t.Error("the declared selector was changed")
	}
}

func TestTagsAreInOrder(t *testing.T) {
	got := Settings{Tags: map[string]string{"b": "2", "a": "1", "c": ""}}.TagsList()
	want := []any{map[string]any{"Key": "a", "Value": "1"}, map[string]any{"Key": "b", "Value": "2"}, map[string]any{"Key": "c", "Value": ""}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the tags are %v, not %v", got, want)
	}
}
