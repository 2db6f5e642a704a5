package deployed

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
)

// Has tells whether a setting is declared to be something that could be taken away.
func (d Declared) Has(setting Setting) bool {
	value, ok := d[setting]
	return ok && value != `""` && value != "false" && value != "[]" && value != "{}"
}

// Tags are the declared tags, in the order of their keys.
func (d Declared) Tags() []types.Tag {
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

// InsightsAre tells whether the declared Insights are these types.
func (d Declared) InsightsAre(kinds ...types.InsightType) bool {
	var selectors []types.InsightSelector
	for _, kind := range kinds {
		selectors = append(selectors, types.InsightSelector{InsightType: kind})
	}
	return d[InsightSelectors] == insightText(selectors)
}

// Unmet says, for each setting of a state that is not as declared, the setting's value and the declared value.
func (d Declared) Unmet(state State) []string {
	if state.Trail == nil {
		return []string{"there is no trail"}
	}
	unmet := []string{}
	actual := state.Settings()
	if want, ok := d[Tags]; ok {
		actual[Tags] = tagText(state.tagsOf(want))
	}
	for _, setting := range Settings() {
		if want, ok := d[setting]; ok && actual[setting] != want {
			unmet = append(unmet, fmt.Sprintf("%s is %s, want %s", setting, actual[setting], want))
		}
	}
	return unmet
}

// Differences says in which settings and tags a state differs from one before it.
func (s State) Differences(before State) []string {
	if before.Trail == nil {
		if s.Trail == nil {
			return nil
		}
		return []string{"there is a trail, want none"}
	}
	if s.Trail == nil {
		return []string{"there is no trail"}
	}
	was, is := before.Settings(), s.Settings()
	var different []string
	for _, setting := range Settings() {
		if was[setting] != is[setting] {
			different = append(different, fmt.Sprintf("%s is %s, want %s", setting, is[setting], was[setting]))
		}
	}
	return different
}

// tagsOf are the trail's tags whose keys are in text, which is a JSON object of declared tags: other tags may be anybody's.
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
