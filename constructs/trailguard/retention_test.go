package trailguard_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/alerting"
	"github.com/trailguard/trailguard/constructs/logstore"
	"github.com/trailguard/trailguard/constructs/trailguard"
	"github.com/trailguard/trailguard/internal/cases"
)

// kept are the types of what holds evidence, or lets it in.
var kept = []string{"AWS::S3::Bucket", "AWS::S3::BucketPolicy", "AWS::KMS::Key"}

// TestEvidenceIsKeptByEachPart looks at what becomes of each bucket, key and policy that is taken out of a stack, or replaced.
func TestEvidenceIsKeptByEachPart(t *testing.T) {
	stack := func() awscdk.Stack { return awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Stack"), nil) }
	archive, told := stack(), stack()
	logstore.NewLogStore(archive, jsii.String("LogStore"), &logstore.LogStoreProps{TrailName: jsii.String("archived-trail")})
	alerting.NewAlerts(told, jsii.String("Alerts"), nil)
	for _, test := range []struct {
		name     string
		template map[string]any
		policy   string
		want     int // how many are kept
	}{
		{"guard", named(t, "default"), "Retain", 6},
		{"guard with a recorder", guarded("", &trailguard.TrailGuardProps{CreateConfigurationRecorder: jsii.Bool(true)}), "Retain", 8},
		{"log store alone", synthesize(archive), "Retain", 5},
		{"alerts alone", synthesize(told), "Retain", 1},
		{"destroyed", guarded("", &trailguard.TrailGuardProps{RemovalPolicy: awscdk.RemovalPolicy_DESTROY}), "Delete", 6},
	} {
		t.Run(test.name, func(t *testing.T) {
			found := 0
			for _, kind := range kept {
				for _, id := range ofType(test.template, kind) {
					found++
					for _, attribute := range []string{"DeletionPolicy", "UpdateReplacePolicy"} {
						got, stated := resource(test.template, id)[attribute]
						if !stated { // then CloudFormation deletes it
							got = "Delete"
						}
						if got != test.policy {
							t.Errorf("%s has the %s %v, not %s", id, attribute, got, test.policy)
						}
					}
				}
			}
			if found != test.want {
				t.Errorf("it has %d buckets, keys and policies, not %d", found, test.want)
			}
		})
	}
}

// TestNoLogFileIsDeletedUnlessItIsAsked looks at all that a bucket does with files in time.
func TestNoLogFileIsDeletedUnlessItIsAsked(t *testing.T) {
	const moves = "AbortIncompleteMultipartUpload:map[DaysAfterInitiation:7] %sStatus:Enabled Transitions:[map[StorageClass:GLACIER_IR TransitionInDays:%d]]"
	for name, want := range map[string]string{
		"default":    "[map[" + fmt.Sprintf(moves, "", 90) + "]]",
		"everything": "[map[" + fmt.Sprintf(moves, "ExpirationInDays:2557 NoncurrentVersionExpiration:map[NoncurrentDays:2557] ", 30) + "]]",
	} {
		if got := property(named(t, name), "LogStoreBucket0AD36629", "LifecycleConfiguration.Rules"); got != want {
			t.Errorf("%s: the lifecycle is\n%s\nnot\n%s", name, got, want)
		}
		for _, id := range ofType(named(t, name), "AWS::S3::Bucket") {
			if got := property(named(t, name), id, "LifecycleConfiguration"); id != "LogStoreBucket0AD36629" && got != "<nil>" {
				t.Errorf("%s: %s has the lifecycle %s", name, id, got)
			}
		}
	}
}

// TestBucketsKeysAndQueuesAreGuarded looks at each bucket, key, queue and topic that is made.
func TestBucketsKeysAndQueuesAreGuarded(t *testing.T) {
	const (
		closed    = "map[BlockPublicAcls:true BlockPublicPolicy:true IgnorePublicAcls:true RestrictPublicBuckets:true]"
		encrypted = "[map[ServerSideEncryptionByDefault:map[KMSMasterKeyID:map[Fn::GetAtt:[LogStoreKeyDBAC2C9C Arn]] SSEAlgorithm:aws:kms]]]"
		byS3      = "[map[ServerSideEncryptionByDefault:map[SSEAlgorithm:AES256]]]"
	)
	template := guarded("", &trailguard.TrailGuardProps{CreateConfigurationRecorder: jsii.Bool(true)})
	for _, id := range ofType(template, "AWS::S3::Bucket") {
		encryption := byS3
		if id == "LogStoreBucket0AD36629" {
			encryption = encrypted
		}
		for path, want := range map[string]string{
			"VersioningConfiguration.Status": "Enabled", "PublicAccessBlockConfiguration": closed, "OwnershipControls.Rules": "[map[ObjectOwnership:BucketOwnerEnforced]]",
			"BucketEncryption.ServerSideEncryptionConfiguration": encryption,
		} {
			if got := property(template, id, path); got != want {
				t.Errorf("%s: %s is %s, not %s", id, path, got, want)
			}
		}
		policies := slices.DeleteFunc(ofType(template, "AWS::S3::BucketPolicy"), func(policy string) bool {
			return property(template, policy, "Bucket") != "map[Ref:"+id+"]"
		})
		if len(policies) != 1 || !strings.Contains(property(template, policies[0], "PolicyDocument.Statement"), "map[Action:s3:* Condition:map[Bool:map[aws:SecureTransport:false]] Effect:Deny") {
			t.Errorf("%s is open to plain HTTP", id)
		}
	}
	for _, is := range []struct{ id, path, want string }{
		{"LogStoreBucket0AD36629", "LoggingConfiguration.DestinationBucketName", "map[Ref:LogStoreServerAccessLogsBucketC4D7B219]"},
		{"LogStoreKeyDBAC2C9C", "EnableKeyRotation", "true"},
		{"LogStoreKeyDBAC2C9C", "PendingWindowInDays", "30"},
		{"AlertingKeyF32BC376", "EnableKeyRotation", "true"},
		{"AlertingKeyF32BC376", "PendingWindowInDays", "<nil>"}, // 30 days
		{"AlertingTopic08189029", "KmsMasterKeyId", "map[Fn::GetAtt:[AlertingKeyF32BC376 Arn]]"},
		{"EventRulesDeadLetterQueue2EC35C94", "MessageRetentionPeriod", fmt.Sprint(14.0 * 24 * 60 * 60)},
		{"EventRulesDeadLetterQueue2EC35C94", "SqsManagedSseEnabled", "true"},
	} {
		if got := property(template, is.id, is.path); got != is.want {
			t.Errorf("%s: %s is %s, not %s", is.id, is.path, got, is.want)
		}
	}
}

// TestEventBridgeTriesForADay: EventBridge's own retry policy is the longest, 24 hours and 185 times. A target that states one has
// no shorter one.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
func TestEventBridgeTriesForADay(t *testing.T) {
	for _, c := range cases.All() {
		template := templateOf(t, c)
		for _, id := range ofType(template, "AWS::Events::Rule") {
			if state := property(template, id, "State"); state != "<nil>" && state != "ENABLED" {
				t.Errorf("%s: %s is %s", c.Name, id, state)
			}
			targets, _ := resource(template, id)["Properties"].(map[string]any)["Targets"].([]any)
			for _, target := range targets {
				age, attempts := fmt.Sprint(at(target, "RetryPolicy", "MaximumEventAgeInSeconds")), fmt.Sprint(at(target, "RetryPolicy", "MaximumRetryAttempts"))
				if age != "<nil>" && age != "86400" || attempts != "<nil>" && attempts != "185" {
					t.Errorf("%s: %s tries for %s seconds, %s times", c.Name, id, age, attempts)
				}
			}
			if len(targets) == 0 && id != "AlertingDigests33CDEC9B" { // whose metric is all that is wanted
				t.Errorf("%s: %s has no target", c.Name, id)
			}
		}
	}
}

// TestConfigRulesLookAtTheTrail: what each rule is told, and when it looks.
func TestConfigRulesLookAtTheTrail(t *testing.T) {
	template := named(t, "everything")
	for _, is := range []struct{ id, path, want string }{
		{"ConfigRulesTrailEnabled2BBAB97E", "Source", "map[Owner:AWS SourceIdentifier:CLOUD_TRAIL_ENABLED]"},
		{"ConfigRulesTrailEnabled2BBAB97E", "InputParameters.s3BucketName", "map[Ref:LogStoreBucket0AD36629]"},
		{"ConfigRulesTrailEnabled2BBAB97E", "InputParameters.snsTopicArn", "map[Ref:DeliveriesBF2F7293]"},
		{"ConfigRulesTrailEnabled2BBAB97E", "InputParameters.cloudWatchLogsLogGroupArn", "map[Fn::GetAtt:[EventsD32975C2 Arn]]"},
		{"ConfigRulesSecurityTrailEnabledCD9D03BD", "Source", "map[Owner:AWS SourceIdentifier:CLOUDTRAIL_SECURITY_TRAIL_ENABLED]"},
		{"ConfigRulesSecurityTrailEnabledCD9D03BD", "MaximumExecutionFrequency", "One_Hour"},
		{"ConfigRulesTrailSettingsA8E21D24", "Scope.ComplianceResourceTypes", "[AWS::CloudTrail::Trail]"},
		{"ConfigRulesTrailSettingsA8E21D24", "Source.Owner", "CUSTOM_POLICY"},
		{"ConfigRulesTrailSettingsA8E21D24", "Source.SourceDetails", "[map[EventSource:aws.config MessageType:ConfigurationItemChangeNotification]]"},
		{"ConfigRulesTrailSettingsA8E21D24", "Source.CustomPolicyDetails.PolicyRuntime", "guard-2.x.x"},
	} {
		if got := property(template, is.id, is.path); got != is.want {
			t.Errorf("%s: %s is %s, not %s", is.id, is.path, got, is.want)
		}
	}
	targets := map[string]bool{}
	for _, id := range ofType(template, "AWS::Config::RemediationConfiguration") {
		targets[property(template, id, "ConfigRuleName")] = true
		for path, want := range map[string]string{
			"Automatic": "true", "TargetType": "SSM_DOCUMENT", "TargetId": "map[Ref:RemediationRunbook702FD778]",
		} {
			if got := property(template, id, path); got != want {
				t.Errorf("%s: %s is %s, not %s", id, path, got, want)
			}
		}
	}
	if len(targets) != len(ofType(template, "AWS::Config::ConfigRule")) {
		t.Errorf("the rules %v are remediated", targets)
	}
	recorder := ofType(template, "AWS::Config::ConfigurationRecorder")[0]
	if got := property(template, recorder, "RecordingGroup"); got != "map[AllSupported:false ResourceTypes:[AWS::CloudTrail::Trail]]" {
		t.Errorf("the recorder records %s", got)
	}
}

func TestTheAlertTopicIsClosedToPlainHTTP(t *testing.T) {
	const want = "map[Action:sns:Publish Condition:map[Bool:map[aws:SecureTransport:false]] Effect:Deny"
	if got := property(named(t, "default"), "AWS::SNS::TopicPolicy", "PolicyDocument.Statement"); !strings.Contains(got, want) {
		t.Errorf("the policy of the topic is %s", got)
	}
}

// TestTheOtherExecutionControlIsConfigsOwn: Config takes both or none.
// https://docs.aws.amazon.com/config/latest/APIReference/API_SsmControls.html
func TestTheOtherExecutionControlIsConfigsOwn(t *testing.T) {
	for want, props := range map[string]*trailguard.TrailGuardProps{
		"map[ConcurrentExecutionRatePercentage:10 ErrorPercentage:20]": {ErrorPercentage: jsii.Number(20)},
		"map[ConcurrentExecutionRatePercentage:30 ErrorPercentage:50]": {ConcurrentExecutionRatePercentage: jsii.Number(30)},
		"<nil>": nil,
	} {
		if got := property(guarded("", props), "AWS::Config::RemediationConfiguration", "ExecutionControls.SsmControls"); got != want {
			t.Errorf("the controls are %s, not %s", got, want)
		}
	}
}
