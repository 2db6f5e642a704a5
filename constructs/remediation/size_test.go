package remediation

import (
	"fmt"
	"strings"
	"testing"

	"github.com/trailguard/trailguard/constructs/trail"
)

// TestARunbookThatIsTooLongNamesTheLargestProp does not depend on the length of the script.
func TestARunbookThatIsTooLongNamesTheLargestProp(t *testing.T) {
	values := func(n, length int) []string {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf("%0*d", length, i))
		}
		return list
	}
	objects := trail.DataResource{Type: "AWS::S3::Object", Values: values(250, 300)}
	selector := trail.AdvancedEventSelector{FieldSelectors: []trail.FieldSelector{{Field: "eventName", Equals: values(250, 300)}}}
	tags := map[string]string{}
	for i := range 500 {
		tags[fmt.Sprint(i)] = strings.Repeat("x", 150)
	}
	for _, test := range []struct {
		name   string
		change func(settings *trail.Settings)
		want   string // the prop, empty where nothing is too long
	}{
		{"nothing", func(*trail.Settings) {}, ""},
		{"as many data resources as a trail takes", func(s *trail.Settings) { s.DataResources = []trail.DataResource{{Values: values(250, 60)}} }, ""},
		{"data resources", func(s *trail.Settings) { s.DataResources = []trail.DataResource{objects} }, "DataResources"},
		{"selectors", func(s *trail.Settings) { s.AdvancedEventSelectors = []trail.AdvancedEventSelector{selector} }, "AdvancedEventSelectors"},
		{"tags", func(s *trail.Settings) { s.Tags = tags }, "TrailTags"},
		{"tags and fewer data resources", func(s *trail.Settings) {
			s.Tags, s.DataResources = tags, []trail.DataResource{{Values: values(100, 60)}}
		}, "TrailTags"},
	} {
		t.Run(test.name, func(t *testing.T) {
			settings := plain
			test.change(&settings)
			err := documentOf(settings).checkSize()
			if test.want == "" {
				if err != nil {
					t.Errorf("the error is %v", err)
				}
				return
			}
			if err == nil || !strings.HasPrefix(err.Error(), test.want+": makes the runbook up to ") ||
				!strings.HasSuffix(err.Error(), " bytes long, and Systems Manager takes 65536: give fewer or shorter values") {
				t.Errorf("the error is %v", err)
			}
		})
	}
}
