package trailguard_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsconfig"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/trailguard"
)

const nameRule = "use 3-128 letters, digits, periods, underscores and dashes, begin and end with a letter or digit, " +
	"put no two marks side by side, and do not form an IP address"

const (
	checkRange     = "is out of range: use whole minutes from 5 minutes to 24 hours, or 0 for never"
	nothingRepairs = "ConfigRules: is false, RepairOnEvents is false and CheckEvery is 0, so that nothing would repair the trail: turn one of them on"
)

// withoutConfig are the errors of props that Config rules have.
func withoutConfig(props ...string) string {
	var lines []string
	for _, prop := range props {
		lines = append(lines, prop+": is for Config rules, and ConfigRules is false: leave out "+prop+", or ConfigRules")
	}
	return strings.Join(lines, "\n")
}

func TestBadPropsGetTheirErrors(t *testing.T) {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Stack"), nil)
	bucket := awss3.Bucket_FromBucketName(stack, jsii.String("Bucket"), jsii.String("my-bucket"))
	role := awsiam.Role_FromRoleArn(stack, jsii.String("Role"), jsii.String("arn:aws:iam::123456789012:role/r"), nil)
	objects := []*trailguard.DataResource{{Type: jsii.String("AWS::S3::Object"), Values: jsii.Strings("arn:aws:s3:::a/")}}
	deletions := []*trailguard.AdvancedEventSelector{{FieldSelectors: []*trailguard.AdvancedFieldSelector{
		{Field: jsii.String("eventCategory"), Equals: jsii.Strings("Data")}, {Field: jsii.String("resources.type"), Equals: jsii.Strings("AWS::S3::Object")},
	}}}
	for _, test := range []struct {
		name  string
		props trailguard.TrailGuardProps
		want  string
	}{
		{"short name", trailguard.TrailGuardProps{TrailName: jsii.String("ab")}, `TrailName: "ab" is not a trail name: ` + nameRule},
		{"marks side by side", trailguard.TrailGuardProps{TrailName: jsii.String("my-_trail")}, `TrailName: "my-_trail" is not a trail name: ` + nameRule},
		{"IP address", trailguard.TrailGuardProps{TrailName: jsii.String("192.168.5.4")}, `TrailName: "192.168.5.4" is not a trail name: ` + nameRule},
		{"name ends in a mark", trailguard.TrailGuardProps{TrailName: jsii.String("trail-")}, `TrailName: "trail-" is not a trail name: ` + nameRule},
		{"name is a token", trailguard.TrailGuardProps{TrailName: jsii.String("${Token[TOKEN.1]}")}, "TrailName: ${Token[TOKEN.1]} is a token, and the policies need the name itself: give a literal name"},
		{"organization", trailguard.TrailGuardProps{OrganizationId: jsii.String("my-org")}, "OrganizationId: \"my-org\" is not an organization id: use o- and 10-32 lower-case letters or digits, as `aws organizations describe-organization` shows it"},
		{"prefix with a slash", trailguard.TrailGuardProps{S3KeyPrefix: jsii.String("audit/")}, `S3KeyPrefix: "audit/" is not a key prefix: use 1-200 characters, without a slash at either end and without * ? $ { }; leave it out for no prefix`},
		{"empty prefix", trailguard.TrailGuardProps{S3KeyPrefix: jsii.String("")}, `S3KeyPrefix: "" is not a key prefix: use 1-200 characters, without a slash at either end and without * ? $ { }; leave it out for no prefix`},
		{"type of data resource", trailguard.TrailGuardProps{DataResources: []*trailguard.DataResource{{Type: jsii.String("AWS::EC2::Instance"), Values: jsii.Strings("x")}}}, `DataResources[0].Type: "AWS::EC2::Instance" is not a type of data resource: use AWS::S3::Object, AWS::Lambda::Function, AWS::DynamoDB::Table`},
		{"empty data resource", trailguard.TrailGuardProps{DataResources: []*trailguard.DataResource{nil}}, "DataResources[0].Type: nothing is not a type of data resource: use AWS::S3::Object, AWS::Lambda::Function, AWS::DynamoDB::Table\n" +
			"DataResources[0].Values: is empty: give at least one ARN, or leave the data resource out"},
		{"too many data resources", trailguard.TrailGuardProps{DataResources: []*trailguard.DataResource{{Type: jsii.String("AWS::S3::Object"), Values: jsii.Strings(strings.Fields(strings.Repeat("arn ", 251))...)}}}, "DataResources: 251 values are too many: give at most 250 over all data resources"},
		{"type of Insights", trailguard.TrailGuardProps{InsightTypes: []trailguard.InsightType{"Gut"}}, `InsightTypes[0]: "Gut" is not a type of Insights: use ApiCallRateInsight or ApiErrorRateInsight`},
		{"role without a log group", trailguard.TrailGuardProps{CloudWatchLogsRole: role}, "CloudWatchLogsRole: has no CloudWatchLogGroup to write to: give CloudWatchLogGroup, or leave out CloudWatchLogsRole"},
		{"supplied bucket", trailguard.TrailGuardProps{LogBucket: bucket, ExpireAfter: awscdk.Duration_Days(jsii.Number(400))}, "ExpireAfter: applies to a new bucket, and a bucket is supplied: leave out ExpireAfter and set it on the supplied bucket, or leave out the bucket"},
		{"half a day", trailguard.TrailGuardProps{TransitionAfter: awscdk.Duration_Hours(jsii.Number(12))}, "TransitionAfter: 12 hours is not a number of whole days: use whole days, 1 or more"},
		{"expiry before the transition", trailguard.TrailGuardProps{ExpireAfter: awscdk.Duration_Days(jsii.Number(90))}, "ExpireAfter: 90 days is not after the transition at 90 days: give a later ExpireAfter or an earlier TransitionAfter"},
		{"removal policy", trailguard.TrailGuardProps{RemovalPolicy: awscdk.RemovalPolicy_SNAPSHOT}, `RemovalPolicy: "SNAPSHOT" is not for a bucket: use RETAIN, RETAIN_ON_UPDATE_OR_DELETE or DESTROY`},
		{"frequency", trailguard.TrailGuardProps{MaximumExecutionFrequency: "HOURLY"}, `MaximumExecutionFrequency: "HOURLY" is not a frequency: use ONE_HOUR, THREE_HOURS, SIX_HOURS, TWELVE_HOURS or TWENTY_FOUR_HOURS`},
		{"attempts", trailguard.TrailGuardProps{MaximumAutomaticAttempts: jsii.Number(26)}, "MaximumAutomaticAttempts: 26 is out of range: use a whole number of attempts from 1 to 25"},
		{"retry time", trailguard.TrailGuardProps{RetryAttempt: awscdk.Duration_Days(jsii.Number(32))}, "RetryAttempt: 2764800 is out of range: use a whole number of seconds from 1 to 2678000"},
		{"concurrency", trailguard.TrailGuardProps{ConcurrentExecutionRatePercentage: jsii.Number(0)}, "ConcurrentExecutionRatePercentage: 0 is out of range: use a whole number of percent from 1 to 100"},
		{"errors", trailguard.TrailGuardProps{ErrorPercentage: jsii.Number(50.5)}, "ErrorPercentage: 50.5 is out of range: use a whole number of percent from 1 to 100"},
		{"e-mail address", trailguard.TrailGuardProps{AlertEmailAddresses: jsii.Strings("a@example.com", "security")}, `AlertEmailAddresses[1]: "security" is not an e-mail address: use one such as security@example.com`},
		{"variable in a data resource", trailguard.TrailGuardProps{DataResources: []*trailguard.DataResource{{Type: jsii.String("AWS::S3::Object"), Values: jsii.Strings("arn:aws:s3:::a/{{ x }}")}}},
			`DataResources[0].Values: ["arn:aws:s3:::a/{{ x }}"] has a value that cannot be used: give no empty value, and none with {{ in it`},
		{"no value in a data resource", trailguard.TrailGuardProps{DataResources: []*trailguard.DataResource{{Type: jsii.String("AWS::S3::Object"), Values: &[]*string{nil}}}},
			`DataResources[0].Values: [""] has a value that cannot be used: give no empty value, and none with {{ in it`},
		{"both kinds of selectors", trailguard.TrailGuardProps{DataResources: objects, AdvancedEventSelectors: deletions}, "AdvancedEventSelectors: take the place of DataResources, and both are given: leave one out"},
		{"advanced event selector", trailguard.TrailGuardProps{AdvancedEventSelectors: append(slices.Clone(deletions), nil)}, `AdvancedEventSelectors[1]: has the category "": give the field eventCategory with Equals Data, NetworkActivity or Management`},
		{"no condition", trailguard.TrailGuardProps{AdvancedEventSelectors: []*trailguard.AdvancedEventSelector{{FieldSelectors: append(slices.Clone(deletions[0].FieldSelectors), nil)}}},
			"AdvancedEventSelectors[0].FieldSelectors[2]: is no condition: give Field, and at least one value of Equals, StartsWith, EndsWith, NotEquals, NotStartsWith or NotEndsWith"},
		{"tag", trailguard.TrailGuardProps{TrailTags: &map[string]*string{"aws:owner": nil}}, `TrailTags: "aws:owner" is not the key of a tag: use 1-128 letters, digits, spaces and _ . : / = + - @, and no aws: at the beginning`},
		{"previous name", trailguard.TrailGuardProps{PreviousTrailNames: jsii.Strings("trailguard")}, `PreviousTrailNames[0]: "trailguard" is given twice, or is the trail's name of now: leave it out`},
		{"no previous name", trailguard.TrailGuardProps{PreviousTrailNames: &[]*string{nil}}, "PreviousTrailNames: has an empty place: give the names that the trail had"},
		{"checks too often", trailguard.TrailGuardProps{CheckEvery: awscdk.Duration_Minutes(jsii.Number(4))}, "CheckEvery: 4 minutes " + checkRange},
		{"checks too seldom", trailguard.TrailGuardProps{CheckEvery: awscdk.Duration_Minutes(jsii.Number(1441))}, "CheckEvery: 1 day 1 minute " + checkRange},
		{"checks in half a minute", trailguard.TrailGuardProps{CheckEvery: awscdk.Duration_Seconds(jsii.Number(330))}, "CheckEvery: 5 minutes 30 seconds " + checkRange},
		{"props of Config without Config", trailguard.TrailGuardProps{
			ConfigRules: jsii.Bool(false), MaximumExecutionFrequency: awsconfig.MaximumExecutionFrequency_ONE_HOUR, MaximumAutomaticAttempts: jsii.Number(5),
			RetryAttempt: awscdk.Duration_Minutes(jsii.Number(1)), ConcurrentExecutionRatePercentage: jsii.Number(1), ErrorPercentage: jsii.Number(1), CreateConfigurationRecorder: jsii.Bool(true),
		}, withoutConfig("MaximumExecutionFrequency", "MaximumAutomaticAttempts", "RetryAttempt", "ConcurrentExecutionRatePercentage", "ErrorPercentage", "CreateConfigurationRecorder")},
		{"nothing starts a repair", trailguard.TrailGuardProps{ConfigRules: jsii.Bool(false), RepairOnEvents: jsii.Bool(false), CheckEvery: awscdk.Duration_Hours(jsii.Number(0))}, nothingRepairs},
		{"nothing starts a repair but what is too short", trailguard.TrailGuardProps{ConfigRules: jsii.Bool(false), RepairOnEvents: jsii.Bool(false), CheckEvery: awscdk.Duration_Millis(jsii.Number(500))},
			"CheckEvery: 500 millis " + checkRange},
		{"several at once", trailguard.TrailGuardProps{TrailName: jsii.String("x"), InsightTypes: []trailguard.InsightType{"Gut"}, ErrorPercentage: jsii.Number(101)},
			`TrailName: "x" is not a trail name: ` + nameRule + "\n" +
				`InsightTypes[0]: "Gut" is not a type of Insights: use ApiCallRateInsight or ApiErrorRateInsight` + "\n" +
				"ErrorPercentage: 101 is out of range: use a whole number of percent from 1 to 100"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.props.Validate()
			if err == nil {
				t.Fatalf("there is no error, it should be\n%s", test.want)
			}
			if err.Error() != test.want {
				t.Errorf("the error is\n%s\nit should be\n%s", err, test.want)
			}
		})
	}
}

func TestGoodPropsGetNone(t *testing.T) {
	for name, props := range map[string]*trailguard.TrailGuardProps{
		"nil":           nil,
		"none":          {},
		"longest name":  {TrailName: jsii.String(strings.Repeat("a", 128))},
		"shortest name": {TrailName: jsii.String("a.b")},
		"no Insights":   {InsightTypes: []trailguard.InsightType{}},
		"tokens": {
			S3KeyPrefix: awscdk.Aws_ACCOUNT_ID(), ErrorPercentage: awscdk.Token_AsNumber(map[string]any{"Ref": "X"}),
			CheckEvery: awscdk.Duration_Minutes(awscdk.Token_AsNumber(map[string]any{"Ref": "X"})),
			TrailTags:  &map[string]*string{"account": awscdk.Aws_ACCOUNT_ID()},
		},
		"most checks":     {CheckEvery: awscdk.Duration_Minutes(jsii.Number(5))},
		"fewest checks":   {CheckEvery: awscdk.Duration_Days(jsii.Number(1))},
		"no checks":       {CheckEvery: awscdk.Duration_Minutes(jsii.Number(0))},
		"no events":       {RepairOnEvents: jsii.Bool(false), CheckEvery: awscdk.Duration_Minutes(jsii.Number(0))},
		"checks alone":    {RepairOnEvents: jsii.Bool(false), ConfigRules: jsii.Bool(false)},
		"events alone":    {ConfigRules: jsii.Bool(false), CheckEvery: awscdk.Duration_Minutes(jsii.Number(0)), CreateConfigurationRecorder: jsii.Bool(false)},
		"checks by token": {RepairOnEvents: jsii.Bool(false), ConfigRules: jsii.Bool(false), CheckEvery: awscdk.Duration_Minutes(awscdk.Token_AsNumber(map[string]any{"Ref": "X"}))},
	} {
		if err := props.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPropsAreNotWrittenTo(t *testing.T) {
	props := &trailguard.TrailGuardProps{}
	trailguard.NewTrailGuard(awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Stack"), nil), jsii.String("Guard"), props)
	if props.TrailName != nil || props.InsightTypes != nil {
		t.Error("the defaults were written to the caller's props")
	}
}

func TestConstructorPanicsWithTheErrorAndTheConstruct(t *testing.T) {
	defer func() {
		err, ok := recover().(error)
		want := `TrailGuard "Guard": InsightTypes[0]: "Gut" is not a type of Insights: use ApiCallRateInsight or ApiErrorRateInsight`
		if !ok || err.Error() != want {
			t.Errorf("the panic is %v, it should be %s", err, want)
		}
	}()
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Stack"), nil)
	trailguard.NewTrailGuard(stack, jsii.String("Guard"), &trailguard.TrailGuardProps{InsightTypes: []trailguard.InsightType{"Gut"}})
}
