// Package trail is the declared state of the guarded trail: what the log store lets in, what the runbook restores and
// what the Config rules compare. It is plain Go: a value may be a CDK token wherever it is a string.
package trail

import (
	"errors"
	"maps"
	"slices"

	"github.com/trailguard/trailguard/constructs/validation"
)

// Settings is the declared state of one trail. Logging, multi-Region, global service events, log-file validation and
// encryption are not in it, because a guarded trail always has them.
type Settings struct {
	// Name is the trail's name.
	Name string
	// ARN is the trail's ARN. It is built from the name: the trail itself is not in the template, and a policy that
	// took the ARN from a trail resource would wait for a trail that waits for the policy.
	ARN string
	// OwnerAccount is the id of the account that owns the trail, empty if that is the stack's.
	OwnerAccount string
	// IsOrganizationTrail tells whether the trail logs the events of every account of the organization.
	IsOrganizationTrail bool
	// S3BucketName is the name of the bucket that the log files go to.
	S3BucketName string
	// S3KeyPrefix is what the log files' keys begin with, empty for none.
	S3KeyPrefix string
	// KMSKeyARN is the ARN of the key that encrypts the log files.
	KMSKeyARN string
	// SNSTopicARN is the ARN of the topic that is told of each delivered log file, empty for none.
	SNSTopicARN string
	// CloudWatchLogsLogGroupARN is the ARN, ending in :*, of the log group that the events are sent to, empty for none.
	CloudWatchLogsLogGroupARN string
	// CloudWatchLogsRoleARN is the ARN of the role with which CloudTrail writes to that log group, empty for none.
	CloudWatchLogsRoleARN string
	// DataResources are the resources whose data events are logged besides all management events. They are empty where
	// there are AdvancedEventSelectors.
	DataResources []DataResource
	// AdvancedEventSelectors select the events that are logged besides all management events.
	AdvancedEventSelectors []AdvancedEventSelector
	// InsightTypes are the types of CloudTrail Insights that are on.
	InsightTypes []string
	// Tags are tags that the trail has, by key. Other tags are left alone.
	Tags map[string]string
}

// Validate returns an error that names what every declared state has and this one lacks, nil where there is nothing.
func (s Settings) Validate() error {
	var problems []error
	for _, setting := range []struct{ name, value string }{
		{"Settings.Name", s.Name}, {"Settings.ARN", s.ARN}, {"Settings.S3BucketName", s.S3BucketName}, {"Settings.KMSKeyARN", s.KMSKeyARN},
	} {
		problems = append(problems, validation.Required(setting.name, setting.value != ""))
	}
	return errors.Join(problems...)
}

// AdvancedEventSelector selects events by their fields.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedEventSelector.html
type AdvancedEventSelector struct {
	Name           string `json:",omitempty"`
	FieldSelectors []FieldSelector
}

// FieldSelector is one condition of an AdvancedEventSelector, in the names of the API.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedFieldSelector.html
type FieldSelector struct {
	Field         string
	Equals        []string `json:",omitempty"`
	NotEquals     []string `json:",omitempty"`
	StartsWith    []string `json:",omitempty"`
	NotStartsWith []string `json:",omitempty"`
	EndsWith      []string `json:",omitempty"`
	NotEndsWith   []string `json:",omitempty"`
}

// operators are the values of a condition by the name of its operator.
func (f FieldSelector) operators() map[string][]string {
	return map[string][]string{
		"Equals": f.Equals, "NotEquals": f.NotEquals, "StartsWith": f.StartsWith, "NotStartsWith": f.NotStartsWith,
		"EndsWith": f.EndsWith, "NotEndsWith": f.NotEndsWith,
	}
}

const (
	eventCategory = "eventCategory"
	management    = "Management"
)

// allManagementEvents tells whether the selector selects every management event.
func (s AdvancedEventSelector) allManagementEvents() bool {
	return s.category() == management && len(s.FieldSelectors) == 1
}

// category is what the field eventCategory equals, empty if that is not one value.
func (s AdvancedEventSelector) category() string { return s.value(eventCategory) }

func (s AdvancedEventSelector) value(field string) string {
	for _, condition := range s.FieldSelectors {
		if condition.Field == field && len(condition.Equals) == 1 {
			return condition.Equals[0]
		}
	}
	return ""
}

// DataResource selects data events.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_DataResource.html
type DataResource struct {
	Type   string
	Values []string
}

// EventSelectors is the trail's one event selector in the form that PutEventSelectors takes: all management events, read
// and write, from every source, and the data events of the data resources. It is never abbreviated, because each
// PutEventSelectors replaces what was there.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_EventSelector.html
func (s Settings) EventSelectors() []any {
	if len(s.AdvancedEventSelectors) > 0 {
		return []any{}
	}
	selector := map[string]any{"ReadWriteType": "All", "IncludeManagementEvents": true}
	resources := []any{}
	for _, resource := range s.DataResources {
		resources = append(resources, map[string]any{"Type": resource.Type, "Values": resource.Values})
	}
	if len(resources) > 0 {
		selector["DataResources"] = resources
	}
	return []any{selector}
}

// AdvancedSelectors are the trail's advanced event selectors in the form that PutEventSelectors takes, empty where it has the
// one of EventSelectors. The selector of all management events is always among them.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_PutEventSelectors.html
func (s Settings) AdvancedSelectors() []AdvancedEventSelector {
	if len(s.AdvancedEventSelectors) == 0 || slices.ContainsFunc(s.AdvancedEventSelectors, AdvancedEventSelector.allManagementEvents) {
		return append([]AdvancedEventSelector{}, s.AdvancedEventSelectors...)
	}
	every := AdvancedEventSelector{
		Name: "All management events", FieldSelectors: []FieldSelector{{Field: eventCategory, Equals: []string{management}}},
	}
	return append([]AdvancedEventSelector{every}, s.AdvancedEventSelectors...)
}

// LogsMoreThanManagementEvents tells whether the trail has event selectors that differ from the default.
func (s Settings) LogsMoreThanManagementEvents() bool {
	return len(s.DataResources)+len(s.AdvancedEventSelectors) > 0
}

// TagsList is Tags in the form that AddTags takes, in the order of the keys.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AddTags.html
func (s Settings) TagsList() []any {
	tags := []any{}
	for _, key := range slices.Sorted(maps.Keys(s.Tags)) {
		tags = append(tags, map[string]any{"Key": key, "Value": s.Tags[key]})
	}
	return tags
}

// InsightSelectors is InsightTypes in the form that PutInsightSelectors takes. An empty list turns Insights off.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_PutInsightSelectors.html
func (s Settings) InsightSelectors() []any {
	selectors := []any{}
	for _, insight := range s.InsightTypes {
		selectors = append(selectors, map[string]any{"InsightType": insight})
	}
	return selectors
}
