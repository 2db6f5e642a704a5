package review

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"

	"github.com/trailguard/trailguard/internal/cases"
	"github.com/trailguard/trailguard/internal/organizationcases"
)

// accepted are the findings that stand, each with the reason. The packs' names are left out: a reason holds in all four.
var accepted = []struct{ rule, path, reason string }{
	{"S3BucketReplicationEnabled", "Bucket", "A copy in another Region or account is the owner's choice of place and price: it belongs on a supplied LogBucket."},
	{"S3DefaultEncryptionKMS", "LogStore/ServerAccessLogsBucket", "S3 does not deliver server access logs to a bucket whose default encryption is SSE-KMS."},
	{"S3DefaultEncryptionKMS", "ConfigRules/Recorder/Bucket", "The bucket holds copies of configuration items, which Config keeps and shows; they contain no log data."},
	{"S3BucketLoggingEnabled", "ConfigRules/Recorder/Bucket", "The bucket holds copies of configuration items; the guarded trail records who changes its settings."},
	{"S1", "ConfigRules/Recorder/Bucket", "The bucket holds copies of configuration items; the guarded trail records who changes its settings."},
	{"IAMNoInlinePolicy", "Role", "The permissions belong to the one role and must live and die with it; a managed policy could be attached elsewhere."},
	{"IAM4", "ConfigRules/Recorder/Role", "Config's managed rules call a changing set of reads with the recorder's role; AWS keeps the managed policy in step."},
	{"IAM5[Resource::<ConfigRulesRecorderBucket", "ConfigRules/Recorder/Role", "Config names its files itself; the wildcard ends at the account's Config folder."},
	{`IAM5[Resource::["arn:${AWS::Partition}:logs:`, "CloudWatchLogsRole", "CloudTrail names its log streams itself; the wildcard ends at its documented prefix."},
	{"IAM5[Resource::*]", "AutomationRole", "cloudtrail:DescribeTrails and the two actions on remediation exceptions take no resource; the recorder has a name and an id that the template does not know, and to start it is all that the role may do to it; nor do the three Organizations reads that CloudTrail asks for in the case of an organization trail."},
	{"IAM5[Resource::arn:<AWS::Partition>:ssm:<AWS::Region>:<AWS::AccountId>:automation-execution/*]", "TargetRole", "The id of an execution is not known before it starts; which runbook may be started, and as which role, is named without a wildcard."},
	{"IAM5[Resource::arn:<AWS::Partition>:kms:<AWS::Region>:<AWS::AccountId>:key/*]", "EventRules/TargetRole", "The key of a supplied topic cannot be seen; the encryption context of the topic is a condition."},
	{"CloudWatchAlarmAction", "MissingDigests", "The log archive has no topic of its own if there is a central event bus: a rule hands the alarm's event on."},
	{"SQS3", "DeadLetterQueue", "The queue is itself the dead-letter queue, of EventBridge targets."},
}

func TestNagPacksFindNothingThatIsNotAccepted(t *testing.T) {
	used := map[int]bool{}
	for _, c := range cases.All() {
		for _, finding := range nag(c.Stack()) {
			if c.Region != "" {
				finding = strings.ReplaceAll(finding, c.Region, "<AWS::Region>")
			}
			i := reasonFor(finding)
			if i < 0 {
				t.Errorf("%s: %s", c.Name, finding)
			}
			used[i] = true
		}
	}
	for _, c := range organizationcases.All() {
		if c.Region != "us-east-1" {
			continue // the packs find the same in each Region
		}
		for _, finding := range nag(c.Stack()) {
			for text, stands := range map[string]string{c.Region: "<AWS::Region>", c.Account: "<AWS::AccountId>"} {
				if text != "" {
					finding = strings.ReplaceAll(finding, text, stands)
				}
			}
			i := reasonFor(finding)
			if i < 0 {
				t.Errorf("%s: %s", c.Name, finding)
			}
			used[i] = true
		}
	}
	for i, a := range accepted {
		if !used[i] {
			t.Errorf("nothing finds %s on %s any more: take the reason out", a.rule, a.path)
		}
	}
}

func TestNagFindsAnOpenBucket(t *testing.T) {
	stack := cases.All()[0].Stack()
	bucket := stack.Node().FindChild(jsii.String("Default")).Node().FindChild(jsii.String("LogStore")).Node().FindChild(jsii.String("Bucket"))
	bucket.Node().DefaultChild().(awss3.CfnBucket).SetPublicAccessBlockConfiguration(&awss3.CfnBucket_PublicAccessBlockConfigurationProperty{
		BlockPublicAcls: jsii.Bool(false),
	})
	for _, finding := range nag(stack) {
		if reasonFor(finding) < 0 && strings.Contains(finding, "S3BucketLevelPublicAccessProhibited") {
			return
		}
	}
	t.Error("the packs do not notice a log bucket that is open to the public")
}

// nag returns the errors that the four packs find in the construct: its path, the rule, and what the rule says.
func nag(stack awscdk.Stack) []string {
	guard := stack.Node().FindChild(jsii.String("Default"))
	for _, pack := range []awscdk.IAspect{
		cdknag.NewAwsSolutionsChecks(nil), cdknag.NewNIST80053R5Checks(nil),
		cdknag.NewHIPAASecurityChecks(nil), cdknag.NewPCIDSS321Checks(nil),
	} {
		awscdk.Aspects_Of(guard).Add(pack, nil)
	}
	var findings []string
	for _, finding := range *assertions.Annotations_FromStack(stack).FindError(jsii.String("*"), assertions.Match_AnyValue()) {
		//lint:ignore SA1019 the assertions still return the deprecated type
		findings = append(findings, *finding.Id+" "+strings.SplitN(fmt.Sprint(finding.Entry.Data), "\n", 2)[0])
	}
	return findings
}

var packName = regexp.MustCompile(` (AwsSolutions|NIST\.800\.53\.R5|HIPAA\.Security|PCI\.DSS\.321)-`)

// reasonFor returns the number of the accepted reason for the finding, -1 where there is none.
func reasonFor(finding string) int {
	parts := packName.Split(finding, 2)
	if len(parts) != 2 {
		return -1
	}
	for i, a := range accepted {
		if strings.HasPrefix(parts[1], a.rule) && strings.Contains(parts[0], a.path) {
			return i
		}
	}
	return -1
}
