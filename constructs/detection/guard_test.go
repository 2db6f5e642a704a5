package detection

import (
	"strings"
	"testing"

	"github.com/trailguard/trailguard/constructs/trail"
)

// TestLongestGuardPolicyFitsConfig: a policy text has at most 10,000 characters.
// https://docs.aws.amazon.com/config/latest/APIReference/API_CustomPolicyDetails.html
func TestLongestGuardPolicyFitsConfig(t *testing.T) {
	long := strings.Repeat("x", 512)
	policy := guardPolicy(trail.Settings{
		Name: long, ARN: long, S3BucketName: long, S3KeyPrefix: long, KMSKeyARN: long, SNSTopicARN: long,
		CloudWatchLogsLogGroupARN: long, CloudWatchLogsRoleARN: long, IsOrganizationTrail: true,
		DataResources: []trail.DataResource{{}}, InsightTypes: []string{long},
	})
	if len(policy) > 10_000 {
		t.Errorf("the policy has %d characters", len(policy))
	}
}

func TestGuardPolicyComparesEveryFieldOfTheConfigurationItem(t *testing.T) {
	for _, test := range []struct {
		name     string
		settings trail.Settings
		want     []string
	}{
		{"nothing but what a trail always has", trail.Settings{ARN: "arn", S3BucketName: "bucket", KMSKeyARN: "key"}, []string{
			`s3BucketName == "bucket"`,
			`s3KeyPrefix not exists or s3KeyPrefix in [null, ""]`,
			`kmsKeyId == "key"`,
			`snsTopicARN not exists or snsTopicARN in [null, ""]`,
			`cloudWatchLogsLogGroupArn not exists or cloudWatchLogsLogGroupArn in [null, ""]`,
			`cloudWatchLogsRoleArn not exists or cloudWatchLogsRoleArn in [null, ""]`,
			`isMultiRegionTrail == true`,
			`includeGlobalServiceEvents == true`,
			`logFileValidationEnabled == true`,
		}},
		{"everything", trail.Settings{
			ARN: "arn", S3BucketName: "bucket", KMSKeyARN: "key", S3KeyPrefix: "p", SNSTopicARN: "topic",
			CloudWatchLogsLogGroupARN: "group", CloudWatchLogsRoleARN: "role", IsOrganizationTrail: true,
			DataResources: []trail.DataResource{{}}, InsightTypes: []string{"x"},
		}, []string{
			`s3BucketName == "bucket"`,
			`s3KeyPrefix == "p"`,
			`kmsKeyId == "key"`,
			`snsTopicARN == "topic"`,
			`cloudWatchLogsLogGroupArn == "group"`,
			`cloudWatchLogsRoleArn == "role"`,
			`isMultiRegionTrail == true`,
			`isOrganizationTrail == true`,
			`includeGlobalServiceEvents == true`,
			`logFileValidationEnabled == true`,
			`hasCustomEventSelectors == true`,
			`hasInsightSelectors == true`,
		}},
		{"advanced event selectors", trail.Settings{
			ARN: "arn", S3BucketName: "bucket", KMSKeyARN: "key", S3KeyPrefix: "p", SNSTopicARN: "topic",
			CloudWatchLogsLogGroupARN: "group", CloudWatchLogsRoleARN: "role", AdvancedEventSelectors: []trail.AdvancedEventSelector{{}},
		}, []string{
			`s3BucketName == "bucket"`,
			`s3KeyPrefix == "p"`,
			`kmsKeyId == "key"`,
			`snsTopicARN == "topic"`,
			`cloudWatchLogsLogGroupArn == "group"`,
			`cloudWatchLogsRoleArn == "role"`,
			`isMultiRegionTrail == true`,
			`includeGlobalServiceEvents == true`,
			`logFileValidationEnabled == true`,
			`hasCustomEventSelectors == true`,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := "rule as_declared when configuration.trailARN == \"arn\" {\n" +
				" configuration {\n  " + strings.Join(test.want, "\n  ") + "\n }\n}\n"
			if got := guardPolicy(test.settings); got != want {
				t.Errorf("the policy is\n%s\nnot\n%s", got, want)
			}
		})
	}
}
