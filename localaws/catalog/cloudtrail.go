package catalog

// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_Operations.html
var cloudTrail = Service{
	Name: "cloudtrail", Rest: NotModelled,
	Operations: map[string]Operation{
		"AddTags":             {By: Simulated},
		"CreateTrail":         {By: Simulated, Passes: Role{"CloudWatchLogsRoleArn", "cloudtrail.amazonaws.com"}},
		"DeleteTrail":         {By: Simulated},
		"DescribeTrails":      {By: Simulated},
		"GetEventSelectors":   {By: Simulated},
		"GetInsightSelectors": {By: Simulated},
		"GetTrail":            {By: Simulated},
		"GetTrailStatus":      {By: Simulated},
		"ListTags":            {By: Simulated},
		"ListTrails":          {By: Simulated},
		"LookupEvents":        {By: Simulated},
		"PutEventSelectors":   {By: Simulated},
		"PutInsightSelectors": {By: Simulated},
		"RemoveTags":          {By: Simulated},
		"StartLogging":        {By: Simulated},
		"StopLogging":         {By: Simulated},
		"UpdateTrail":         {By: Simulated, Passes: Role{"CloudWatchLogsRoleArn", "cloudtrail.amazonaws.com"}},
	},
	Resources: map[string][]string{
		"eventdatastore": {"EventDataStore"},
		"trail":          {"Name", "TrailName", "ResourceId", "ResourceIdList"},
	},
}
