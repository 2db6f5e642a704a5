// Package trail is the declared state of the guarded trail: what the log store lets in, what the runbook restores and
// what the Config rules compare. It is plain Go: a value may be a CDK token wherever it is a string.
package trail

// Settings is the declared state of one trail. Logging, multi-Region, global service events, log-file validation and
// encryption are not in it, because a guarded trail always has them.
type Settings struct {
	// Name is the trail's name.
	Name string
	// ARN is the trail's ARN. It is built from the name: the trail itself is not in the template, and a policy that
	// took the ARN from a trail resource would wait for a trail that waits for the policy.
	ARN string
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
	// DataResources are the resources whose data events are logged besides all management events.
	DataResources []DataResource
	// InsightTypes are the types of CloudTrail Insights that are on.
	InsightTypes []string
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
	resources := []any{}
	for _, resource := range s.DataResources {
		resources = append(resources, map[string]any{"Type": resource.Type, "Values": resource.Values})
	}
	return []any{map[string]any{
		"ReadWriteType":                 "All",
		"IncludeManagementEvents":       true,
		"ExcludeManagementEventSources": []any{},
		"DataResources":                 resources,
	}}
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
