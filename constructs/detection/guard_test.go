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
	policy := guardPolicy(trail.Settings{IsOrganizationTrail: true, DataResources: []trail.DataResource{{}}})
	for _, field := range []string{
		"trailARN", "s3BucketName", "s3KeyPrefix", "kmsKeyId", "snsTopicARN", "cloudWatchLogsLogGroupArn",
		"cloudWatchLogsRoleArn", "isMultiRegionTrail", "isOrganizationTrail", "includeGlobalServiceEvents",
		"logFileValidationEnabled", "hasCustomEventSelectors", "hasInsightSelectors",
	} {
		if !strings.Contains(policy, "configuration."+field) {
			t.Errorf("the policy does not compare %s", field)
		}
	}
}
