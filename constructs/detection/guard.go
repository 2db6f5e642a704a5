package detection

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/trailguard/trailguard/constructs/trail"
	"github.com/trailguard/trailguard/constructs/validation"
)

// guardPolicy returns the policy, in the language of AWS CloudFormation Guard, with which Config compares each recorded
// state of the trail with the declared one: every field that the configuration item of AWS::CloudTrail::Trail holds.
// Other trails are skipped. Whether the trail is logging, and the selectors themselves, are not in the item.
// https://docs.aws.amazon.com/config/latest/developerguide/evaluate-config_develop-rules_cfn-guard.html
func guardPolicy(settings trail.Settings) string {
	var clauses []string
	equals := func(field, value string) {
		clauses = append(clauses, fmt.Sprintf("%s == %q", field, value))
	}
	is := func(field string, value bool) {
		clauses = append(clauses, fmt.Sprintf("%s == %t", field, value))
	}
	optional := func(field, value string) {
		if value == "" {
			// Config may leave an unset field out, or record it as null or as an empty string.
			clauses = append(clauses, fmt.Sprintf(`%[1]s not exists or %[1]s in [null, ""]`, field))
			return
		}
		equals(field, value)
	}

	equals("s3BucketName", settings.S3BucketName)
	optional("s3KeyPrefix", settings.S3KeyPrefix)
	equals("kmsKeyId", settings.KMSKeyARN)
	optional("snsTopicARN", settings.SNSTopicARN)
	optional("cloudWatchLogsLogGroupArn", settings.CloudWatchLogsLogGroupARN)
	optional("cloudWatchLogsRoleArn", settings.CloudWatchLogsRoleARN)
	is("isMultiRegionTrail", true)
	if settings.IsOrganizationTrail {
		is("isOrganizationTrail", true)
	}
	is("includeGlobalServiceEvents", true)
	is("logFileValidationEnabled", true)
	if settings.LogsMoreThanManagementEvents() {
		is("hasCustomEventSelectors", true)
	}
	// What the item says where Insights were turned off is not documented.
	if len(settings.InsightTypes) > 0 {
		is("hasInsightSelectors", true)
	}

	return fmt.Sprintf("rule as_declared when configuration.trailARN == %q {\n configuration {\n  %s\n }\n}\n",
		settings.ARN, strings.Join(clauses, "\n  "))
}

// supplied are the values of the policy that are not the guard's own, by the properties that they come from.
func supplied(settings trail.Settings) map[string]string {
	return map[string]string{
		"LogBucket": settings.S3BucketName, "S3KeyPrefix": settings.S3KeyPrefix, "LogKey": settings.KMSKeyARN, "SnsTopic": settings.SNSTopicARN,
		"CloudWatchLogGroup": settings.CloudWatchLogsLogGroupARN, "CloudWatchLogsRole": settings.CloudWatchLogsRoleARN,
	}
}

// checkPlain refuses values that a policy would have to escape.
func checkPlain(settings trail.Settings) error {
	var problems []error
	values := supplied(settings)
	for _, prop := range slices.Sorted(maps.Keys(values)) {
		if !trail.IsPlain(values[prop]) {
			problems = append(problems, validation.Problem(prop, "%q cannot be compared in a Config rule: use nothing that cannot be printed, and no \" or \\", values[prop]))
		}
	}
	return errors.Join(problems...)
}

// checkPolicy refuses a policy that is longer than Config takes.
// https://docs.aws.amazon.com/config/latest/APIReference/API_CustomPolicyDetails.html
func checkPolicy(settings trail.Settings, policy string) error {
	return validation.Text{
		Name: "the policy of the rule TrailSettings", Taker: "AWS Config", Unit: "characters", Most: 10_000,
		Has: validation.Characters(policy), Parts: supplied(settings),
	}.Check()
}
