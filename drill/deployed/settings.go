package deployed

import (
	"fmt"
	"reflect"

	"github.com/aws/aws-sdk-go-v2/aws"
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
	// EventSelectors are the basic or the advanced event selectors, as selectorText writes them.
	EventSelectors   Setting = "EventSelectors"
	InsightSelectors Setting = "InsightSelectors"
	Tags             Setting = "Tags"
)

// row is what is known of a setting.
type row struct {
	setting Setting
	// member is the setting's name in CreateTrail, in UpdateTrail and in the runbook's InputPayload; empty if these do not have it. The
	// types.Trail of the SDK has such a setting under its own name.
	member string
	// text writes the setting of a state: a text quoted, the rest in JSON.
	//
	// Default: - the member's text or boolean is written.
	text func(State) string
}

// isText tells whether the setting of a trail is a text.
func (r row) isText() bool {
	field, _ := reflect.TypeFor[types.Trail]().FieldByName(string(r.setting))
	return r.member != "" && field.Type == reflect.TypeFor[*string]()
}

// table has all settings. Reading a state, reading the runbook, comparing two states and restoring follow it.
var table = []row{
	{setting: IsLogging, text: func(s State) string { return fmt.Sprint(s.IsLogging) }},
	{setting: S3BucketName, member: "S3BucketName"},
	{setting: S3KeyPrefix, member: "S3KeyPrefix"},
	{setting: KMSKeyID, member: "KmsKeyId"},
	{setting: SNSTopicARN, member: "SnsTopicName"},
	{setting: CloudWatchLogsLogGroupARN, member: "CloudWatchLogsLogGroupArn"},
	{setting: CloudWatchLogsRoleARN, member: "CloudWatchLogsRoleArn"},
	{setting: IsMultiRegionTrail, member: "IsMultiRegionTrail"},
	{setting: IsOrganizationTrail, member: "IsOrganizationTrail"},
	{setting: IncludeGlobalServiceEvents, member: "IncludeGlobalServiceEvents"},
	{setting: LogFileValidationEnabled, member: "EnableLogFileValidation"},
	{setting: EventSelectors, text: selectorText},
	{setting: InsightSelectors, text: func(s State) string { return insightText(s.InsightSelectors) }},
	{setting: Tags, text: func(s State) string { return tagText(s.Tags) }},
}

// Settings are all settings of a trail.
func Settings() (all []Setting) {
	for _, row := range table {
		all = append(all, row.setting)
	}
	return all
}

// Declared is what a trail's settings should be: strings quoted, the rest in JSON. A setting that is absent may be anything.
type Declared map[Setting]string

// Settings are the settings of a trail that exists, all of them.
func (s State) Settings() Declared {
	settings := Declared{}
	for _, row := range table {
		if row.text != nil {
			settings[row.setting] = row.text(s)
			continue
		}
		switch value := reflect.ValueOf(s.Trail).Elem().FieldByName(string(row.setting)).Interface().(type) {
		case *string:
			settings[row.setting] = quote(aws.ToString(value))
		case *bool:
			settings[row.setting] = fmt.Sprint(aws.ToBool(value))
		}
	}
	return settings
}

// PutSettings sets the members of an input of CreateTrail or UpdateTrail to the settings of a trail. A text that the trail does not have
// becomes an empty one, which takes it away, if clear is set; otherwise the member stays unset.
func PutSettings(input any, trail *types.Trail, clear bool) {
	for _, row := range table {
		if row.member == "" {
			continue
		}
		value := reflect.ValueOf(trail).Elem().FieldByName(string(row.setting))
		if _, isText := value.Interface().(*string); isText && value.IsNil() && clear {
			value = reflect.ValueOf(aws.String(""))
		}
		reflect.ValueOf(input).Elem().FieldByName(row.member).Set(value)
	}
}

func quote(s string) string { return fmt.Sprintf("%q", s) }

func insightText(selectors []types.InsightSelector) string {
	list := []string{}
	for _, selector := range selectors {
		list = append(list, string(selector.InsightType))
	}
	return encode(sorted(list))
}

func tagText(tags []types.Tag) string {
	values := map[string]string{}
	for _, tag := range tags {
		values[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	return encode(values)
}
