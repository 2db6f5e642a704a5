package detection

import (
	"strings"
	"testing"

	"github.com/trailguard/trailguard/constructs/trail"
)

const tooLong = ": give fewer or shorter values"

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestLimitsOfAWSAreKept: the longest names that AWS takes keep them, and what is longer is refused.
func TestLimitsOfAWSAreKept(t *testing.T) {
	var (
		topic    = "arn:aws-us-gov:sns:us-gov-west-1:123456789012:" + strings.Repeat("t", 210)
		logGroup = "arn:${Token[AWS.Partition.3]}:logs:${Token[AWS.Region.4]}:${Token[AWS.AccountId.0]}:log-group:"
		longest  = trail.Settings{
			Name: strings.Repeat("n", 128), ARN: "${Token[TOKEN.1]}", S3BucketName: "${Token[TOKEN.2]}", KMSKeyARN: "${Token[TOKEN.3]}",
			S3KeyPrefix: strings.Repeat("ü", 200), SNSTopicARN: topic, CloudWatchLogsLogGroupARN: logGroup + strings.Repeat("g", 512) + ":*",
			CloudWatchLogsRoleARN: strings.Repeat("r", 600), Tags: map[string]string{"owner": "security"}, InsightTypes: []string{"x"},
		}
		role      = strings.Repeat("r", 256)
		tooLarge  = longest
		parameter = func(settings trail.Settings) map[string]any {
			return map[string]any{"s3BucketName": settings.S3BucketName, "snsTopicArn": settings.SNSTopicARN, "cloudWatchLogsLogGroupArn": settings.CloudWatchLogsLogGroupARN}
		}
	)
	tooLarge.CloudWatchLogsLogGroupARN = strings.Repeat("g", 1000)
	tooLarge.CloudWatchLogsRoleARN = strings.Repeat("r", 10_000)
	for _, test := range []struct {
		name string
		got  error
		want string
	}{
		{"input parameters", checkInputParameters(longest, parameter(longest)), ""},
		{"policy", checkPolicy(longest, guardPolicy(longest)), ""},
		{"pattern of a notice", CheckPattern("Tampering", TamperingPattern(longest, role).Object(), longest, role, nil), ""},
		{"pattern of a start", CheckPattern("Tampering", StartPattern(longest, role, nil), longest, role, nil), ""},
		{"input parameters that are too long", checkInputParameters(tooLarge, parameter(tooLarge)),
			"CloudWatchLogGroup: makes the input parameters of the rule TrailEnabled up to 1386 characters long, and AWS Config takes 1024" + tooLong},
		{"policy that is too long", checkPolicy(tooLarge, guardPolicy(tooLarge)),
			"CloudWatchLogsRole: makes the policy of the rule TrailSettings up to 12188 characters long, and AWS Config takes 10000" + tooLong},
		{"pattern that is too long", CheckPattern("Tampering", StartPattern(longest, strings.Repeat("r", 2000), nil), longest, strings.Repeat("r", 2000), nil),
			"AutomationRole: makes the event pattern of the rule Tampering up to 3332 characters long, and EventBridge takes 2048" + tooLong},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := message(test.got); got != test.want {
				t.Errorf("the error is\n%s\nnot\n%s", got, test.want)
			}
		})
	}
}
