package trailguard_test

import (
	"errors"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsconfig"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/trailguard"
	"github.com/trailguard/trailguard/constructs/validation"
)

const nameRule = "use 3-128 letters, digits, periods, underscores and dashes, begin and end with a letter or digit, " +
	"put no two marks side by side, and do not form an IP address"

const (
	prefixRule = `is not a key prefix: use 1-200 characters, without a slash at either end and without * ? $ { } " \ and what cannot be printed; leave it out for no prefix`
	bucketRule = "is not the name of a bucket: use 3-63 lower-case letters, digits, dots and dashes, begin and end with a letter or digit, " +
		"put no dot beside a dot or dash, form no IP address, and use no beginning or end that S3 reserves"
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
	deletion := []*trailguard.AdvancedFieldSelector{
		{Field: jsii.String("eventCategory"), Equals: jsii.Strings("Data")}, {Field: jsii.String("resources.type"), Equals: jsii.Strings("AWS::S3::Object")},
	}
	conditions := func(others ...*trailguard.AdvancedFieldSelector) *[]*trailguard.AdvancedFieldSelector {
		all := append(slices.Clone(deletion), others...)
		return &all
	}
	fifo := awssns.Topic_FromTopicArn(stack, jsii.String("FIFO"), jsii.String("arn:aws:sns:us-east-1:123456789012:t.fifo"))
	newFIFO := awssns.NewTopic(stack, jsii.String("NewFIFO"), &awssns.TopicProps{Fifo: jsii.Bool(true)})
	longTopic := "arn:aws:sns:us-east-1:123456789012:" + strings.Repeat("t", 226)
	longRole := "arn:aws:iam::123456789012:role/" + strings.Repeat("p/", 122) + "r0"
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
		{"prefix with a slash", trailguard.TrailGuardProps{S3KeyPrefix: jsii.String("audit/")}, `S3KeyPrefix: "audit/" is not a key prefix: use 1-200 characters, without a slash at either end and without * ? $ { } " \ and what cannot be printed; leave it out for no prefix`},
		{"empty prefix", trailguard.TrailGuardProps{S3KeyPrefix: jsii.String("")}, `S3KeyPrefix: "" is not a key prefix: use 1-200 characters, without a slash at either end and without * ? $ { } " \ and what cannot be printed; leave it out for no prefix`},
		{"type of data resource", trailguard.TrailGuardProps{DataResources: &[]*trailguard.DataResource{{Type: jsii.String("AWS::EC2::Instance"), Values: jsii.Strings("x")}}}, `DataResources[0].Type: "AWS::EC2::Instance" is not a type of data resource: use AWS::DynamoDB::Table, AWS::Lambda::Function, AWS::S3::Object`},
		{"empty data resource", trailguard.TrailGuardProps{DataResources: &[]*trailguard.DataResource{nil}}, "DataResources[0].Type: \"\" is not a type of data resource: use AWS::DynamoDB::Table, AWS::Lambda::Function, AWS::S3::Object\n" +
			"DataResources[0].Values: is empty: give at least one ARN, or leave the data resource out"},
		{"too many data resources", trailguard.TrailGuardProps{DataResources: &[]*trailguard.DataResource{{Type: jsii.String("AWS::S3::Object"), Values: jsii.Strings(strings.Fields(strings.Repeat("arn:aws:s3:::a/ ", 251))...)}}}, "DataResources: 251 values are too many: give at most 250 over all data resources"},
		{"type of Insights", trailguard.TrailGuardProps{InsightTypes: &[]trailguard.InsightType{"Gut"}}, `InsightTypes[0]: "Gut" is not a type of Insights: use ApiCallRateInsight or ApiErrorRateInsight`},
		{"role without a log group", trailguard.TrailGuardProps{CloudWatchLogsRole: role}, "CloudWatchLogsRole: has no CloudWatchLogGroup to write to: give CloudWatchLogGroup, or leave out CloudWatchLogsRole"},
		{"supplied bucket", trailguard.TrailGuardProps{LogBucket: bucket, ExpireAfter: awscdk.Duration_Days(jsii.Number(400))}, "ExpireAfter: applies to a new bucket, and a bucket is supplied: leave out ExpireAfter and set it on the supplied bucket, or leave out the bucket"},
		{"half a day", trailguard.TrailGuardProps{TransitionAfter: awscdk.Duration_Hours(jsii.Number(12))}, "TransitionAfter: 12 hours is not a number of whole days: use whole days, 1 to 2147483647"},
		{"expiry before the transition", trailguard.TrailGuardProps{ExpireAfter: awscdk.Duration_Days(jsii.Number(90))}, "ExpireAfter: 90 days is not after the transition at 90 days: give a later ExpireAfter or an earlier TransitionAfter"},
		{"removal policy", trailguard.TrailGuardProps{RemovalPolicy: awscdk.RemovalPolicy_SNAPSHOT}, `RemovalPolicy: "SNAPSHOT" is not for a bucket: use RETAIN, RETAIN_ON_UPDATE_OR_DELETE or DESTROY`},
		{"frequency", trailguard.TrailGuardProps{MaximumExecutionFrequency: "HOURLY"}, `MaximumExecutionFrequency: "HOURLY" is not a frequency: use ONE_HOUR, THREE_HOURS, SIX_HOURS, TWELVE_HOURS or TWENTY_FOUR_HOURS`},
		{"attempts", trailguard.TrailGuardProps{MaximumAutomaticAttempts: jsii.Number(26)}, "MaximumAutomaticAttempts: 26 is out of range: use a whole number of attempts from 1 to 25"},
		{"retry time", trailguard.TrailGuardProps{RetryAttempt: awscdk.Duration_Days(jsii.Number(32))}, "RetryAttempt: 2764800 is out of range: use a whole number of seconds from 1 to 2678000"},
		{"concurrency", trailguard.TrailGuardProps{ConcurrentExecutionRatePercentage: jsii.Number(0)}, "ConcurrentExecutionRatePercentage: 0 is out of range: use a whole number of percent from 1 to 100"},
		{"errors", trailguard.TrailGuardProps{ErrorPercentage: jsii.Number(50.5)}, "ErrorPercentage: 50.5 is out of range: use a whole number of percent from 1 to 100"},
		{"e-mail address", trailguard.TrailGuardProps{AlertEmailAddresses: jsii.Strings("a@example.com", "security")}, `AlertEmailAddresses[1]: "security" is not an e-mail address: use one such as security@example.com`},
		{"variable in a data resource", trailguard.TrailGuardProps{DataResources: &[]*trailguard.DataResource{{Type: jsii.String("AWS::S3::Object"), Values: jsii.Strings("arn:aws:s3:::a/{{ x }}")}}},
			`DataResources[0].Values: ["arn:aws:s3:::a/{{ x }}"] has a value that cannot be used: give no empty value, and none with {{ in it or that is not UTF-8`},
		{"no value in a data resource", trailguard.TrailGuardProps{DataResources: &[]*trailguard.DataResource{{Type: jsii.String("AWS::S3::Object"), Values: &[]*string{nil}}}},
			`DataResources[0].Values: [""] has a value that cannot be used: give no empty value, and none with {{ in it or that is not UTF-8`},
		{"both kinds of selectors", trailguard.TrailGuardProps{DataResources: &objects, AdvancedEventSelectors: &[]*trailguard.AdvancedEventSelector{{FieldSelectors: &deletion}}}, "AdvancedEventSelectors: take the place of DataResources, and both are given: leave one out"},
		{"advanced event selector", trailguard.TrailGuardProps{AdvancedEventSelectors: &[]*trailguard.AdvancedEventSelector{{FieldSelectors: &deletion}, nil}}, `AdvancedEventSelectors[1]: has the category "": give the field eventCategory with Equals Data, NetworkActivity or Management`},
		{"no condition", trailguard.TrailGuardProps{AdvancedEventSelectors: &[]*trailguard.AdvancedEventSelector{{FieldSelectors: conditions(nil)}}},
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
		{"nothing to repair", trailguard.TrailGuardProps{
			RepairLogStore: jsii.Bool(true), LogBucket: bucket,
			LogKey: awskms.Key_FromKeyArn(stack, jsii.String("KeyOfOthers"), jsii.String("arn:aws:kms:us-east-1:123456789012:key/k")),
		}, "RepairLogStore: is true, and LogBucket and LogKey are imported, whose owner restores them: leave out one of the two, or set RepairLogStore to false"},
		{"nothing starts a repair", trailguard.TrailGuardProps{ConfigRules: jsii.Bool(false), RepairOnEvents: jsii.Bool(false), CheckEvery: awscdk.Duration_Hours(jsii.Number(0))}, nothingRepairs},
		{"nothing starts a repair but what is too short", trailguard.TrailGuardProps{ConfigRules: jsii.Bool(false), RepairOnEvents: jsii.Bool(false), CheckEvery: awscdk.Duration_Millis(jsii.Number(500))},
			"CheckEvery: 500 millis " + checkRange},
		{"backslash in a prefix", trailguard.TrailGuardProps{S3KeyPrefix: jsii.String(`a\b`)}, `S3KeyPrefix: "a\\b" ` + prefixRule},
		{"quote in a prefix", trailguard.TrailGuardProps{S3KeyPrefix: jsii.String(`a"b`)}, `S3KeyPrefix: "a\"b" ` + prefixRule},
		{"value that is no ARN", trailguard.TrailGuardProps{DataResources: &[]*trailguard.DataResource{
			{Type: jsii.String("AWS::S3::Object"), Values: jsii.Strings("arn:aws-cn:s3:::a/", "my-bucket", "arn:aws:s3express")},
			{Type: jsii.String("AWS::Lambda::Function"), Values: jsii.Strings("arn:aws:lambda", "arn:aws:s3:::a/")},
			{Type: jsii.String("AWS::DynamoDB::Table"), Values: jsii.Strings("arn:aws-eusc:dynamodb:eusc-de-east-1:123456789012:table/t")},
		}}, `DataResources[0].Values[1]: "my-bucket" is not the ARN, or the beginning of the ARN, of AWS::S3::Object: begin with arn:aws:s3, with the stack's partition in the place of aws` + "\n" +
			`DataResources[0].Values[2]: "arn:aws:s3express" is not the ARN, or the beginning of the ARN, of AWS::S3::Object: begin with arn:aws:s3, with the stack's partition in the place of aws` + "\n" +
			`DataResources[1].Values[1]: "arn:aws:s3:::a/" is not the ARN, or the beginning of the ARN, of AWS::Lambda::Function: begin with arn:aws:lambda, with the stack's partition in the place of aws`},
		{"value too long", trailguard.TrailGuardProps{AdvancedEventSelectors: &[]*trailguard.AdvancedEventSelector{{
			FieldSelectors: conditions(&trailguard.AdvancedFieldSelector{Field: jsii.String("event name"), Equals: jsii.Strings("x", strings.Repeat("x", 2049))}),
		}}}, "AdvancedEventSelectors[0].FieldSelectors[2].Equals: value 1 has 2049 characters: use at most 2048\n" +
			`AdvancedEventSelectors[0].FieldSelectors[2].Field: "event name" is not the name of a field: use 1-1000 letters, digits, dots and underscores`},
		{"Insights twice", trailguard.TrailGuardProps{InsightTypes: &[]trailguard.InsightType{trailguard.InsightType_API_CALL_RATE, trailguard.InsightType_API_CALL_RATE}},
			`InsightTypes[1]: "ApiCallRateInsight" is given twice: leave it out`},
		{"too many previous names", trailguard.TrailGuardProps{PreviousTrailNames: jsii.Strings(strings.Split("old-a old-b old-c old-d old-e old-f old-g old-h old-i old-j old-k old-l old-m old-n old-o old-p old-q old-r old-s old-t old-u", " ")...)},
			"PreviousTrailNames: 21 names are too many: give at most 20"},
		{"FIFO topics", trailguard.TrailGuardProps{SnsTopic: fifo, AlertTopic: newFIFO}, "SnsTopic: is a FIFO topic, to which CloudTrail cannot publish: give a standard topic\n" +
			"AlertTopic: is a FIFO topic, to which EventBridge and CloudWatch cannot publish: give a standard topic"},
		{"names that AWS does not take", trailguard.TrailGuardProps{
			LogBucket:          awss3.Bucket_FromBucketName(stack, jsii.String("Legacy"), jsii.String("My_Bucket")),
			CloudWatchLogGroup: awslogs.LogGroup_FromLogGroupName(stack, jsii.String("Events"), jsii.String("my events")),
			SnsTopic:           awssns.Topic_FromTopicArn(stack, jsii.String("Long"), jsii.String(longTopic)),
			AutomationRole:     awsiam.Role_FromRoleArn(stack, jsii.String("LongRole"), jsii.String(longRole), nil),
		}, `LogBucket: "My_Bucket" ` + bucketRule + "\n" +
			`SnsTopic: "` + longTopic + `" has 261 characters, and CloudTrail takes at most 256: give a topic with a shorter name` + "\n" +
			`CloudWatchLogGroup: "my events" is not the name of a log group: use 1-512 letters, digits and _ / . # -` + "\n" +
			`AutomationRole: "` + longRole + `" has 277 characters, and AWS Config passes at most 256 to a runbook: give a role with a shorter path or name`},
		{"bucket for the access log", trailguard.TrailGuardProps{ServerAccessLogsBucket: awss3.Bucket_FromBucketName(stack, jsii.String("Reserved"), jsii.String("xn--bucket"))},
			`ServerAccessLogsBucket: "xn--bucket" ` + bucketRule},
		{"role that Guard cannot compare", trailguard.TrailGuardProps{
			CloudWatchLogGroup: awslogs.LogGroup_FromLogGroupName(stack, jsii.String("Group"), jsii.String("events")),
			CloudWatchLogsRole: awsiam.Role_FromRoleArn(stack, jsii.String("Backslash"), jsii.String(`arn:aws:iam::123456789012:role/a\b/r`), nil),
		}, `CloudWatchLogsRole: "arn:aws:iam::123456789012:role/a\\b/r" cannot be compared in a Config rule: give a role without " and \ in its path`},
		{"alias of a key", trailguard.TrailGuardProps{LogKey: awskms.Alias_FromAliasName(stack, jsii.String("Alias"), jsii.String("alias/log"))},
			`LogKey: "alias/log" is an alias, and CloudTrail reports the key's own ARN, which would never be the declared one: give the key`},
		{"addresses twice", trailguard.TrailGuardProps{AlertEmailAddresses: jsii.Strings("a@example.com", "b@example.com", "A@Example.com")},
			`AlertEmailAddresses[2]: "A@Example.com" is given twice: leave it out`},
		{"addresses that are a token", trailguard.TrailGuardProps{AlertEmailAddresses: awscdk.Fn_Split(jsii.String(","), awscdk.Fn_ImportValue(jsii.String("Addresses")), nil)},
			"AlertEmailAddresses: is a token, and each address is a resource of its own: give literal addresses, or a list of tokens"},
		{"no subscription", trailguard.TrailGuardProps{AlertSubscriptions: &[]awssns.ITopicSubscription{nil}}, "AlertSubscriptions[0]: is empty: give a subscription, or leave it out"},
		{"no number", trailguard.TrailGuardProps{MaximumAutomaticAttempts: jsii.Number(math.Inf(1)), ErrorPercentage: jsii.Number(math.NaN())},
			"MaximumAutomaticAttempts: +Inf is out of range: use a whole number of attempts from 1 to 25\nErrorPercentage: NaN is out of range: use a whole number of percent from 1 to 100"},
		{"several at once", trailguard.TrailGuardProps{TrailName: jsii.String("x"), InsightTypes: &[]trailguard.InsightType{"Gut"}, ErrorPercentage: jsii.Number(101)},
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
			namesItsProps(t, err)
		})
	}
}

var quotedOrInBrackets = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|\[[^\]]*\]`)

// namesItsProps sees that an error is made of PropErrors, that each is of a property, and that each mention of another can be renamed.
func namesItsProps(t *testing.T, err error) {
	t.Helper()
	var lines []string
	for _, problem := range validation.PropErrors(err) {
		lines = append(lines, problem.Error())
		prop, _, _ := strings.Cut(problem.Prop, ".")
		prop, _, _ = strings.Cut(prop, "[")
		if _, ok := reflect.TypeFor[trailguard.TrailGuardProps]().FieldByName(prop); !ok && prop != "StackName" {
			t.Errorf("%s is no property", prop)
		}
		renamed := quotedOrInBrackets.ReplaceAllString(problem.Renamed(strings.ToLower).Error(), "")
		for _, field := range reflect.VisibleFields(reflect.TypeFor[trailguard.TrailGuardProps]()) {
			if regexp.MustCompile(`\b` + field.Name + `\b`).MatchString(renamed) {
				t.Errorf("in %q, %s cannot be renamed", problem, field.Name)
			}
		}
	}
	if got := strings.Join(lines, "\n"); got != err.Error() {
		t.Errorf("of the error\n%v\nonly this is of properties:\n%s", err, got)
	}
}

func TestGoodPropsGetNone(t *testing.T) {
	for name, props := range map[string]*trailguard.TrailGuardProps{
		"nil":           nil,
		"none":          {},
		"longest name":  {TrailName: jsii.String(strings.Repeat("a", 128))},
		"shortest name": {TrailName: jsii.String("a.b")},
		"no Insights":   {InsightTypes: &[]trailguard.InsightType{}},
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
		var problem *trailguard.PropError
		if !errors.As(err, &problem) || problem.Prop != "InsightTypes[0]" {
			t.Errorf("the error of the property is %+v", problem)
		}
	}()
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Stack"), nil)
	trailguard.NewTrailGuard(stack, jsii.String("Guard"), &trailguard.TrailGuardProps{InsightTypes: &[]trailguard.InsightType{"Gut"}})
}

// TestPropsThatDoNotFitTheStackGetTheirErrors compares supplied resources with the account and the Region of the stack.
func TestPropsThatDoNotFitTheStackGetTheirErrors(t *testing.T) {
	const (
		ofTopics = "rules, alarms and the runbook tell topics of their own account and Region: give one of those"
		ofGroups = "CloudTrail delivers to log groups of the trail's account and Region: give one of those"
		ofLogs   = "S3 delivers the access log to buckets of the log bucket's account and Region: give one of those"
	)
	known := &awscdk.Environment{Account: jsii.String("123456789012"), Region: jsii.String("eu-central-1")}
	topic := func(stack awscdk.Stack, arn string) awssns.ITopic {
		return awssns.Topic_FromTopicArn(stack, jsii.String("Topic"), jsii.String("arn:aws:sns:"+arn+":t"))
	}
	key := func(stack awscdk.Stack, arn string) awskms.IKey {
		return awskms.Key_FromKeyArn(stack, jsii.String("Key"), jsii.String("arn:aws:kms:"+arn+":key/k"))
	}
	role := func(stack awscdk.Stack, account string) awsiam.IRole {
		return awsiam.Role_FromRoleArn(stack, jsii.String("Role"), jsii.String("arn:aws:iam::"+account+":role/r"), nil)
	}
	group := func(stack awscdk.Stack, arn string) awslogs.ILogGroup {
		return awslogs.LogGroup_FromLogGroupArn(stack, jsii.String("Group"), jsii.String("arn:aws:logs:"+arn+":log-group:g"))
	}
	bucket := func(stack awscdk.Stack, account, region string) awss3.IBucket {
		return awss3.Bucket_FromBucketAttributes(stack, jsii.String("Bucket"), &awss3.BucketAttributes{
			BucketName: jsii.String("my-bucket"), Account: jsii.String(account), Region: jsii.String(region),
		})
	}
	bus := func(stack awscdk.Stack, of string) awsevents.IEventBus {
		return awsevents.EventBus_FromEventBusArn(stack, jsii.String("Bus"), jsii.String("arn:aws:events:"+of))
	}
	for _, test := range []struct {
		name        string
		stackName   string
		environment *awscdk.Environment
		props       func(stack awscdk.Stack) *trailguard.TrailGuardProps
		want        string
	}{
		{"nothing is known of the stack", "Stack", nil, func(stack awscdk.Stack) *trailguard.TrailGuardProps {
			return &trailguard.TrailGuardProps{
				AlertTopic: topic(stack, "us-east-1:999999999999"), LogKey: key(stack, "us-east-1:999999999999"), AutomationRole: role(stack, "999999999999"),
				CloudWatchLogGroup: group(stack, "us-east-1:999999999999"),
			}
		}, ""},
		{"all are of the stack's", "Stack", known, func(stack awscdk.Stack) *trailguard.TrailGuardProps {
			return &trailguard.TrailGuardProps{
				AlertTopic: topic(stack, "eu-central-1:123456789012"), LogKey: key(stack, "eu-central-1:123456789012"), AutomationRole: role(stack, "123456789012"),
				CloudWatchLogGroup: group(stack, "eu-central-1:123456789012"),
			}
		}, ""},
		{"an archive of another account and Region", "Stack", known, func(stack awscdk.Stack) *trailguard.TrailGuardProps {
			return &trailguard.TrailGuardProps{LogBucket: bucket(stack, "999999999999", "us-east-1"), LogKey: key(stack, "us-east-1:999999999999")}
		}, ""},
		{"a key beside a bucket whose Region is not known", "Stack", known, func(stack awscdk.Stack) *trailguard.TrailGuardProps {
			return &trailguard.TrailGuardProps{LogBucket: awss3.Bucket_FromBucketName(stack, jsii.String("Bucket"), jsii.String("my-bucket")), LogKey: key(stack, "us-east-1:999999999999")}
		}, ""},
		{"notices to another account", "Stack", known, func(stack awscdk.Stack) *trailguard.TrailGuardProps {
			return &trailguard.TrailGuardProps{SnsTopic: topic(stack, "eu-central-1:999999999999")}
		}, ""},
		{"alert topic", "Stack", known, func(stack awscdk.Stack) *trailguard.TrailGuardProps {
			return &trailguard.TrailGuardProps{AlertTopic: topic(stack, "us-east-1:999999999999")}
		}, "AlertTopic: is of the account 999999999999, and the stack is of 123456789012: " + ofTopics + "\n" +
			"AlertTopic: is in the Region us-east-1, and the stack is in eu-central-1: " + ofTopics},
		{"topic of notices", "Stack", known, func(stack awscdk.Stack) *trailguard.TrailGuardProps {
			return &trailguard.TrailGuardProps{SnsTopic: topic(stack, "us-east-1:123456789012")}
		}, "SnsTopic: is in the Region us-east-1, and the stack is in eu-central-1: give a topic of the trail's Region, which gets the notices of all Regions"},
		{"key", "Stack", known, func(stack awscdk.Stack) *trailguard.TrailGuardProps {
			return &trailguard.TrailGuardProps{LogKey: key(stack, "us-east-1:123456789012")}
		}, "LogKey: is in the Region us-east-1, and the stack is in eu-central-1: CloudTrail needs key and bucket in one Region: give a key of the stack's, or LogBucket, too"},
		{"key and bucket", "Stack", known, func(stack awscdk.Stack) *trailguard.TrailGuardProps {
			return &trailguard.TrailGuardProps{LogBucket: bucket(stack, "123456789012", "us-west-2"), LogKey: key(stack, "us-east-1:123456789012")}
		}, "LogKey: is in the Region us-east-1, and the bucket is in us-west-2: CloudTrail needs both in one Region: give a key of the bucket's"},
		{"bucket", "Stack", known, func(stack awscdk.Stack) *trailguard.TrailGuardProps {
			return &trailguard.TrailGuardProps{LogBucket: bucket(stack, "999999999999", "us-east-1")}
		}, "LogBucket: is in the Region us-east-1, and the stack is in eu-central-1: CloudTrail needs key and bucket in one Region: give LogKey, too, a key of the bucket's"},
		{"bucket for the access log", "Stack", known, func(stack awscdk.Stack) *trailguard.TrailGuardProps {
			return &trailguard.TrailGuardProps{ServerAccessLogsBucket: bucket(stack, "999999999999", "us-east-1")}
		}, "ServerAccessLogsBucket: is of the account 999999999999, and the stack is of 123456789012: " + ofLogs + "\n" +
			"ServerAccessLogsBucket: is in the Region us-east-1, and the stack is in eu-central-1: " + ofLogs},
		{"log group", "Stack", known, func(stack awscdk.Stack) *trailguard.TrailGuardProps {
			return &trailguard.TrailGuardProps{CloudWatchLogGroup: group(stack, "us-east-1:999999999999")}
		}, "CloudWatchLogGroup: is of the account 999999999999, and the stack is of 123456789012: " + ofGroups + "\n" +
			"CloudWatchLogGroup: is in the Region us-east-1, and the stack is in eu-central-1: " + ofGroups},
		{"role of the log group", "Stack", known, func(stack awscdk.Stack) *trailguard.TrailGuardProps {
			return &trailguard.TrailGuardProps{CloudWatchLogGroup: group(stack, "eu-central-1:123456789012"), CloudWatchLogsRole: role(stack, "999999999999")}
		}, "CloudWatchLogsRole: is of the account 999999999999, and the stack is of 123456789012: CloudTrail assumes roles of the trail's account only: give one of those"},
		{"automation role", "Stack", known, func(stack awscdk.Stack) *trailguard.TrailGuardProps {
			return &trailguard.TrailGuardProps{AutomationRole: role(stack, "999999999999")}
		}, "AutomationRole: is of the account 999999999999, and the stack is of 123456789012: Automation assumes roles of its own account only: give one of those"},
		{"partition", "Stack", &awscdk.Environment{Region: jsii.String("cn-north-1")}, func(awscdk.Stack) *trailguard.TrailGuardProps {
			return &trailguard.TrailGuardProps{DataResources: &[]*trailguard.DataResource{{Type: jsii.String("AWS::S3::Object"), Values: jsii.Strings("arn:aws-cn:s3", "arn:aws:s3:::a/")}}}
		}, `DataResources[0].Values[1]: "arn:aws:s3:::a/" is of the partition aws, and the stack is in cn-north-1, of aws-cn: begin with arn:aws-cn:s3`},
		{"the trail of another account", "Stack", known, func(awscdk.Stack) *trailguard.TrailGuardProps {
			return &trailguard.TrailGuardProps{TrailAccount: jsii.String("999999999999")}
		}, `TrailAccount: "999999999999" owns the trail, which only a delegated administrator of its organization may guard from the stack's account: give OrganizationId, or leave out TrailAccount` + "\n" +
			"ConfigRules: are on, and cannot see the trail of the account 999999999999: set ConfigRules to false"},
		{"the trail of an account that may be another", "Stack", nil, func(awscdk.Stack) *trailguard.TrailGuardProps {
			return &trailguard.TrailGuardProps{TrailAccount: jsii.String("999999999999"), OrganizationId: jsii.String("o-a1b2c3d4e5")}
		}, "ConfigRules: are on, and cannot see the trail of the account 999999999999: set ConfigRules to false"},
		{"the trail of the stack's account", "Stack", known, func(awscdk.Stack) *trailguard.TrailGuardProps {
			return &trailguard.TrailGuardProps{TrailAccount: jsii.String("123456789012")}
		}, ""},
		{"the trail of no account", "Stack", known, func(awscdk.Stack) *trailguard.TrailGuardProps {
			return &trailguard.TrailGuardProps{TrailAccount: jsii.String("management"), OrganizationId: jsii.String("o-a1b2c3d4e5"), ConfigRules: jsii.Bool(false)}
		}, `TrailAccount: "management" is not an account id: use 12 digits`},
		{"central event bus of another account", "Stack", known, func(stack awscdk.Stack) *trailguard.TrailGuardProps {
			return &trailguard.TrailGuardProps{CentralEventBus: bus(stack, "eu-central-1:999999999999:event-bus/default")}
		}, ""},
		{"central event bus", "Stack", known, func(stack awscdk.Stack) *trailguard.TrailGuardProps {
			return &trailguard.TrailGuardProps{CentralEventBus: bus(stack, "us-east-1:123456789012:event-bus/default")}
		}, "CentralEventBus: is in the Region us-east-1, and the stack is in eu-central-1: events can be put on buses of their own Region only: give one of the stack's Region\n" +
			"CentralEventBus: is the default bus of the stack's account, from which the events are forwarded: give another bus"},
		{"central event bus of a stack of which nothing is known", "Stack", nil, func(stack awscdk.Stack) *trailguard.TrailGuardProps {
			return &trailguard.TrailGuardProps{CentralEventBus: awsevents.EventBus_FromEventBusName(stack, jsii.String("Bus"), jsii.String("default"))}
		}, "CentralEventBus: is the default bus of the stack's account, from which the events are forwarded: give another bus"},
		{"name of the stack", "AMZN-audit", nil, func(awscdk.Stack) *trailguard.TrailGuardProps { return nil },
			`StackName: "AMZN-audit" cannot be the stack's, for the name of the runbook begins with it, and Systems Manager reserves names ` +
				"that begin with aws, amazon or amzn: give the stack another name"},
	} {
		t.Run(test.name, func(t *testing.T) {
			stack := awscdk.NewStack(nil, &test.stackName, &awscdk.StackProps{Env: test.environment})
			props := test.props(stack)
			err := errors.Join(props.Validate(), props.ValidateIn(stack))
			if err == nil {
				err = errors.New("")
			} else {
				namesItsProps(t, err)
			}
			if err.Error() != test.want {
				t.Errorf("the error is\n%s\nit should be\n%s", err, test.want)
			}
		})
	}
}

// TestANestedStackHasTheNameOfItsParent: its own is not known before the deployment.
func TestANestedStackHasTheNameOfItsParent(t *testing.T) {
	outer := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("AWSAudit"), nil)
	nested := awscdk.NewNestedStack(outer, jsii.String("Inner"), nil)
	var props *trailguard.TrailGuardProps
	if err := props.ValidateIn(nested); err == nil || !strings.HasPrefix(err.Error(), `StackName: "AWSAudit" cannot be the stack's`) {
		t.Errorf("the error is %v", err)
	}
}
