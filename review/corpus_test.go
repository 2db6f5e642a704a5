package review

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsconfig"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssnssubscriptions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"
	"gopkg.in/yaml.v3"

	"github.com/trailguard/trailguard/constructs/trailguard"
)

// site is where a guard of the corpus stands. A site without an account has no environment, and its supplied resources are in Region.
type site struct {
	account, region, partition string
	stack                      awscdk.Stack
}

var sites = []site{
	{"", "us-east-1", "aws", nil},
	{"111122223333", "eu-central-2", "aws", nil},
	{"111122223333", "cn-north-1", "aws-cn", nil},
	{"111122223333", "us-gov-west-1", "aws-us-gov", nil},
	{"111122223333", "eusc-de-east-1", "aws-eusc", nil},
	{"111122223333", "mx-central-1", "aws", nil},
}

func (s site) environment() *awscdk.Environment {
	if s.account == "" {
		return nil
	}
	return &awscdk.Environment{Account: &s.account, Region: &s.region}
}

// arn is the ARN of a supplied resource of the site.
func (s site) arn(service, resource string) *string {
	return s.arnOf(service, s.region, "111122223333", resource)
}

func (s site) arnOf(service, region, account, resource string) *string {
	if service == "iam" {
		region = ""
	}
	return jsii.String(strings.Join([]string{"arn", s.partition, service, region, account, resource}, ":"))
}

// variant is a value of a prop.
type variant struct {
	name string
	set  func(s site, p *trailguard.TrailGuardProps)
}

func imported(name string) *string { return awscdk.Fn_ImportValue(&name) }

func number() *float64 { return awscdk.Token_AsNumber(map[string]any{"Fn::ImportValue": "Number"}) }

func times(n int, text string) string { return strings.Repeat(text, n) }

func list(n int, format string) *[]*string {
	var texts []*string
	for i := range n {
		texts = append(texts, jsii.String(fmt.Sprintf(format, i)))
	}
	return &texts
}

func role(s site, id, service string) awsiam.IRole {
	return awsiam.NewRole(s.stack, &id, &awsiam.RoleProps{AssumedBy: awsiam.NewServicePrincipal(&service, nil)})
}

func importedRole(s site, id, name string, mutable bool) awsiam.IRole {
	return awsiam.Role_FromRoleArn(s.stack, &id, s.arn("iam", "role/"+name), &awsiam.FromRoleArnOptions{Mutable: &mutable})
}

// topics are the kinds of topics that a prop may get.
func topics(prop string, set func(p *trailguard.TrailGuardProps, topic awssns.ITopic)) []variant {
	return []variant{
		{"imported", func(s site, p *trailguard.TrailGuardProps) {
			set(p, awssns.Topic_FromTopicArn(s.stack, &prop, s.arn("sns", "t")))
		}},
		{"new", func(s site, p *trailguard.TrailGuardProps) { set(p, awssns.NewTopic(s.stack, &prop, nil)) }},
		{"encrypted", func(s site, p *trailguard.TrailGuardProps) {
			key := awskms.NewKey(s.stack, jsii.String(prop+"Key"), nil)
			set(p, awssns.NewTopic(s.stack, &prop, &awssns.TopicProps{MasterKey: key}))
		}},
		{"encrypted with an imported key", func(s site, p *trailguard.TrailGuardProps) {
			key := awskms.Key_FromKeyArn(s.stack, jsii.String(prop+"Key"), s.arn("kms", "key/k"))
			set(p, awssns.NewTopic(s.stack, &prop, &awssns.TopicProps{MasterKey: key}))
		}},
		{"with a long name", func(s site, p *trailguard.TrailGuardProps) {
			set(p, awssns.Topic_FromTopicArn(s.stack, &prop, s.arn("sns", times(209, "x"))))
		}},
	}
}

func data(values *[]*string) *[]*trailguard.DataResource {
	return &[]*trailguard.DataResource{{Type: jsii.String("AWS::S3::Object"), Values: values}}
}

func selectors(name *string, conditions ...*trailguard.AdvancedFieldSelector) *[]*trailguard.AdvancedEventSelector {
	all := append([]*trailguard.AdvancedFieldSelector{
		{Field: jsii.String("eventCategory"), Equals: jsii.Strings("Data")},
		{Field: jsii.String("resources.type"), Equals: jsii.Strings("AWS::S3::Object")},
	}, conditions...)
	return &[]*trailguard.AdvancedEventSelector{{Name: name, FieldSelectors: &all}}
}

// numbers are the limits of a prop, and a token.
func numbers(most float64, set func(p *trailguard.TrailGuardProps, value *float64)) []variant {
	return []variant{
		{"least", func(_ site, p *trailguard.TrailGuardProps) { set(p, jsii.Number(1)) }},
		{"most", func(_ site, p *trailguard.TrailGuardProps) { set(p, &most) }},
		{"token", func(_ site, p *trailguard.TrailGuardProps) { set(p, number()) }},
	}
}

// good are values of each prop that a guard takes: the shortest and longest, tokens, and supplied resources of each kind.
var good = withSwitches(map[string][]variant{
	"TrailName": {
		{"shortest", func(_ site, p *trailguard.TrailGuardProps) { p.TrailName = jsii.String("a.b") }},
		{"default", func(site, *trailguard.TrailGuardProps) {}},
		{"longest", func(_ site, p *trailguard.TrailGuardProps) { p.TrailName = jsii.String(times(128, "a")) }},
	},
	"OrganizationId": {
		{"shortest", func(_ site, p *trailguard.TrailGuardProps) { p.OrganizationId = jsii.String("o-a1b2c3d4e5") }},
		{"longest", func(_ site, p *trailguard.TrailGuardProps) { p.OrganizationId = jsii.String("o-" + times(32, "a")) }},
		{"token", func(_ site, p *trailguard.TrailGuardProps) { p.OrganizationId = imported("Organization") }},
	},
	"PreviousTrailNames": {
		{"none", func(_ site, p *trailguard.TrailGuardProps) { p.PreviousTrailNames = &[]*string{} }},
		{"most", func(_ site, p *trailguard.TrailGuardProps) { p.PreviousTrailNames = list(20, times(126, "b")+"%02d") }},
	},
	"S3KeyPrefix": {
		{"shortest", func(_ site, p *trailguard.TrailGuardProps) { p.S3KeyPrefix = jsii.String("a") }},
		{"longest", func(_ site, p *trailguard.TrailGuardProps) { p.S3KeyPrefix = jsii.String(times(100, "ü'")) }},
		{"token", func(_ site, p *trailguard.TrailGuardProps) { p.S3KeyPrefix = imported("Prefix") }},
	},
	"DataResources": {
		{"every object", func(s site, p *trailguard.TrailGuardProps) {
			p.DataResources = data(jsii.Strings("arn:" + s.partition + ":s3"))
		}},
		{"most", func(s site, p *trailguard.TrailGuardProps) {
			p.DataResources = data(list(250, "arn:"+s.partition+":s3:::bucket-%03d/"+times(20, "x")))
		}},
		{"tokens", func(_ site, p *trailguard.TrailGuardProps) {
			p.DataResources = data(&[]*string{imported("Objects"), imported("More")})
		}},
		{"a list that is a token", func(_ site, p *trailguard.TrailGuardProps) {
			p.DataResources = data(awscdk.Fn_Split(jsii.String(","), imported("Objects"), nil))
		}},
		{"marks", func(s site, p *trailguard.TrailGuardProps) {
			p.DataResources = data(jsii.Strings("arn:" + s.partition + `:s3:::bucket/a"b\c${d}&<é>'` + "\t"))
		}},
	},
	"AdvancedEventSelectors": {
		{"one", func(_ site, p *trailguard.TrailGuardProps) { p.AdvancedEventSelectors = selectors(nil) }},
		{"most values", func(_ site, p *trailguard.TrailGuardProps) {
			p.AdvancedEventSelectors = selectors(jsii.String(times(1000, "n")), &trailguard.AdvancedFieldSelector{
				Field: jsii.String("resources.ARN"), NotStartsWith: list(498, "arn:aws:s3:::bucket-%03d"),
			})
		}},
		{"longest value", func(_ site, p *trailguard.TrailGuardProps) {
			p.AdvancedEventSelectors = selectors(nil, &trailguard.AdvancedFieldSelector{Field: jsii.String("eventName"), Equals: jsii.Strings(times(2048, "x"))})
		}},
		{"token", func(_ site, p *trailguard.TrailGuardProps) {
			p.AdvancedEventSelectors = selectors(imported("Name"), &trailguard.AdvancedFieldSelector{Field: jsii.String("resources.ARN"), StartsWith: &[]*string{imported("Objects")}})
		}},
	},
	"InsightTypes": {
		{"none", func(_ site, p *trailguard.TrailGuardProps) { p.InsightTypes = &[]trailguard.InsightType{} }},
		{"one", func(_ site, p *trailguard.TrailGuardProps) {
			p.InsightTypes = &[]trailguard.InsightType{trailguard.InsightType_API_ERROR_RATE}
		}},
	},
	"TrailTags": {
		{"none", func(_ site, p *trailguard.TrailGuardProps) { p.TrailTags = &map[string]*string{} }},
		{"most", func(_ site, p *trailguard.TrailGuardProps) {
			tags := map[string]*string{times(128, "k"): jsii.String(times(256, "v"))}
			for i := range 49 {
				tags[fmt.Sprintf("ключ %02d", i)] = jsii.String("")
			}
			p.TrailTags = &tags
		}},
		{"token", func(_ site, p *trailguard.TrailGuardProps) {
			p.TrailTags = &map[string]*string{"owner": imported("Owner")}
		}},
	},
	"SnsTopic": topics("Deliveries", func(p *trailguard.TrailGuardProps, topic awssns.ITopic) { p.SnsTopic = topic }),
	"CloudWatchLogGroup": {
		{"imported by name", func(s site, p *trailguard.TrailGuardProps) {
			p.CloudWatchLogGroup = awslogs.LogGroup_FromLogGroupName(s.stack, jsii.String("Events"), jsii.String("/a_b.c-d#1"))
		}},
		{"imported by ARN", func(s site, p *trailguard.TrailGuardProps) {
			p.CloudWatchLogGroup = awslogs.LogGroup_FromLogGroupArn(s.stack, jsii.String("Events"), s.arn("logs", "log-group:g"))
		}},
		{"new", func(s site, p *trailguard.TrailGuardProps) {
			p.CloudWatchLogGroup = awslogs.NewLogGroup(s.stack, jsii.String("Events"), nil)
		}},
		{"with the longest name", func(s site, p *trailguard.TrailGuardProps) {
			p.CloudWatchLogGroup = awslogs.LogGroup_FromLogGroupName(s.stack, jsii.String("Events"), jsii.String(times(512, "g")))
		}},
	},
	"CloudWatchLogsRole": {
		{"imported", func(s site, p *trailguard.TrailGuardProps) {
			p.CloudWatchLogsRole = importedRole(s, "LogsRole", "logs", true)
		}},
		{"immutable", func(s site, p *trailguard.TrailGuardProps) {
			p.CloudWatchLogsRole = importedRole(s, "LogsRole", times(100, "p/")+"logs", false)
		}},
		{"new", func(s site, p *trailguard.TrailGuardProps) {
			p.CloudWatchLogsRole = role(s, "LogsRole", "cloudtrail.amazonaws.com")
		}},
		{"the guard's", func(site, *trailguard.TrailGuardProps) {}},
	},
	"LogBucket": {
		{"imported", func(s site, p *trailguard.TrailGuardProps) {
			p.LogBucket = awss3.Bucket_FromBucketName(s.stack, jsii.String("Log"), jsii.String("a.b"))
		}},
		{"of another account", func(s site, p *trailguard.TrailGuardProps) {
			p.LogBucket = awss3.Bucket_FromBucketAttributes(s.stack, jsii.String("Log"), &awss3.BucketAttributes{
				BucketName: jsii.String(times(63, "b")), Account: jsii.String("444455556666"), Region: &s.region,
			})
		}},
		{"new", func(s site, p *trailguard.TrailGuardProps) {
			p.LogBucket = awss3.NewBucket(s.stack, jsii.String("Log"), nil)
		}},
		{"token", func(s site, p *trailguard.TrailGuardProps) {
			p.LogBucket = awss3.Bucket_FromBucketName(s.stack, jsii.String("Log"), imported("Bucket"))
		}},
	},
	"LogKey": {
		{"imported", func(s site, p *trailguard.TrailGuardProps) {
			p.LogKey = awskms.Key_FromKeyArn(s.stack, jsii.String("LogKey"), s.arn("kms", "key/mrk-1"))
		}},
		{"of another account", func(s site, p *trailguard.TrailGuardProps) {
			p.LogKey = awskms.Key_FromKeyArn(s.stack, jsii.String("LogKey"), s.arnOf("kms", s.region, "444455556666", "key/k"))
		}},
		{"new", func(s site, p *trailguard.TrailGuardProps) {
			p.LogKey = awskms.NewKey(s.stack, jsii.String("LogKey"), nil)
		}},
		{"token", func(s site, p *trailguard.TrailGuardProps) {
			p.LogKey = awskms.Key_FromKeyArn(s.stack, jsii.String("LogKey"), imported("Key"))
		}},
	},
	"TransitionAfter": {
		{"shortest", func(_ site, p *trailguard.TrailGuardProps) { p.TransitionAfter = awscdk.Duration_Days(jsii.Number(1)) }},
		{"longest", func(_ site, p *trailguard.TrailGuardProps) {
			p.TransitionAfter = awscdk.Duration_Days(jsii.Number(math.MaxInt32 - 1))
		}},
		{"token", func(_ site, p *trailguard.TrailGuardProps) { p.TransitionAfter = awscdk.Duration_Days(number()) }},
	},
	"ExpireAfter": {
		{"shortest", func(_ site, p *trailguard.TrailGuardProps) { p.ExpireAfter = awscdk.Duration_Days(jsii.Number(2)) }},
		{"longest", func(_ site, p *trailguard.TrailGuardProps) {
			p.ExpireAfter = awscdk.Duration_Days(jsii.Number(math.MaxInt32))
		}},
		{"token", func(_ site, p *trailguard.TrailGuardProps) { p.ExpireAfter = awscdk.Duration_Days(number()) }},
	},
	"ObjectLockRetention": {
		{"shortest", func(_ site, p *trailguard.TrailGuardProps) {
			p.ObjectLockRetention = awss3.ObjectLockRetention_Governance(awscdk.Duration_Days(jsii.Number(1)))
		}},
		{"longest", func(_ site, p *trailguard.TrailGuardProps) {
			p.ObjectLockRetention = awss3.ObjectLockRetention_Compliance(awscdk.Duration_Days(jsii.Number(36500)))
		}},
	},
	"ServerAccessLogsBucket": {
		{"imported", func(s site, p *trailguard.TrailGuardProps) {
			p.ServerAccessLogsBucket = awss3.Bucket_FromBucketName(s.stack, jsii.String("Access"), jsii.String("access-log"))
		}},
		{"new", func(s site, p *trailguard.TrailGuardProps) {
			p.ServerAccessLogsBucket = awss3.NewBucket(s.stack, jsii.String("Access"), nil)
		}},
	},
	"RemovalPolicy": {
		{"retain", func(_ site, p *trailguard.TrailGuardProps) { p.RemovalPolicy = awscdk.RemovalPolicy_RETAIN }},
		{"retain but on failure", func(_ site, p *trailguard.TrailGuardProps) {
			p.RemovalPolicy = awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE
		}},
		{"destroy", func(_ site, p *trailguard.TrailGuardProps) { p.RemovalPolicy = awscdk.RemovalPolicy_DESTROY }},
	},
	"AutomationRole": {
		{"imported", func(s site, p *trailguard.TrailGuardProps) {
			p.AutomationRole = importedRole(s, "Automation", "r", true)
		}},
		{"immutable", func(s site, p *trailguard.TrailGuardProps) {
			p.AutomationRole = importedRole(s, "Automation", times(80, "p/")+"r", false)
		}},
		{"imported by name", func(s site, p *trailguard.TrailGuardProps) {
			p.AutomationRole = awsiam.Role_FromRoleName(s.stack, jsii.String("Automation"), jsii.String("r"), nil)
		}},
		{"new", func(s site, p *trailguard.TrailGuardProps) {
			p.AutomationRole = role(s, "Automation", "ssm.amazonaws.com")
		}},
		{"token", func(s site, p *trailguard.TrailGuardProps) {
			p.AutomationRole = awsiam.Role_FromRoleArn(s.stack, jsii.String("Automation"), imported("Role"), nil)
		}},
	},
	"RepairOnEvents": {
		{"on", func(_ site, p *trailguard.TrailGuardProps) { p.RepairOnEvents = jsii.Bool(true) }},
		{"off", func(_ site, p *trailguard.TrailGuardProps) { p.RepairOnEvents = jsii.Bool(false) }},
	},
	"RepairLogStore": {
		{"on", func(_ site, p *trailguard.TrailGuardProps) { p.RepairLogStore = jsii.Bool(true) }},
		{"off", func(_ site, p *trailguard.TrailGuardProps) { p.RepairLogStore = jsii.Bool(false) }},
	},
	"CheckEvery": { // never where RepairOnEvents is on
		{"never", func(_ site, p *trailguard.TrailGuardProps) { p.CheckEvery = awscdk.Duration_Minutes(jsii.Number(0)) }},
		{"most often", func(_ site, p *trailguard.TrailGuardProps) { p.CheckEvery = awscdk.Duration_Minutes(jsii.Number(5)) }},
		{"least often", func(_ site, p *trailguard.TrailGuardProps) { p.CheckEvery = awscdk.Duration_Days(jsii.Number(1)) }},
		{"token", func(_ site, p *trailguard.TrailGuardProps) { p.CheckEvery = awscdk.Duration_Minutes(number()) }},
	},
	"ConfigRules": {
		{"on", func(_ site, p *trailguard.TrailGuardProps) { p.ConfigRules = jsii.Bool(true) }},
	},
	"TrailAccount": {
		{"another", func(_ site, p *trailguard.TrailGuardProps) { p.TrailAccount = jsii.String("444455556666") }},
		{"the stack's", func(_ site, p *trailguard.TrailGuardProps) { p.TrailAccount = jsii.String("111122223333") }},
		{"token", func(_ site, p *trailguard.TrailGuardProps) { p.TrailAccount = imported("Management") }},
	},
	"CentralEventBus": {
		{"new", func(s site, p *trailguard.TrailGuardProps) {
			p.CentralEventBus = awsevents.NewEventBus(s.stack, jsii.String("Central"), nil)
		}},
		{"of another account", func(s site, p *trailguard.TrailGuardProps) {
			p.CentralEventBus = awsevents.EventBus_FromEventBusArn(s.stack, jsii.String("Central"), s.arnOf("events", s.region, "444455556666", "event-bus/"+times(256, "x")))
		}},
		{"token", func(s site, p *trailguard.TrailGuardProps) {
			p.CentralEventBus = awsevents.EventBus_FromEventBusArn(s.stack, jsii.String("Central"), imported("Bus"))
		}},
	},
	"AlertTopic": topics("Alerts", func(p *trailguard.TrailGuardProps, topic awssns.ITopic) { p.AlertTopic = topic }),
	"AlertEmailAddresses": {
		{"none", func(_ site, p *trailguard.TrailGuardProps) { p.AlertEmailAddresses = &[]*string{} }},
		{"many", func(_ site, p *trailguard.TrailGuardProps) { p.AlertEmailAddresses = list(30, "a/b+%d@example.com") }},
		{"tokens", func(_ site, p *trailguard.TrailGuardProps) {
			p.AlertEmailAddresses = &[]*string{imported("One"), jsii.String("a--b@example.com"), jsii.String("a/b@example.com"), imported("Other")}
		}},
	},
	"AlertSubscriptions": {
		{"URL", func(_ site, p *trailguard.TrailGuardProps) {
			p.AlertSubscriptions = &[]awssns.ITopicSubscription{awssnssubscriptions.NewUrlSubscription(jsii.String("https://example.com/"), nil)}
		}},
		{"queue", func(s site, p *trailguard.TrailGuardProps) {
			queue := awssqs.NewQueue(s.stack, jsii.String("Queue"), nil)
			p.AlertSubscriptions = &[]awssns.ITopicSubscription{awssnssubscriptions.NewSqsSubscription(queue, nil)}
		}},
	},
	"MaximumExecutionFrequency": {
		{"shortest", func(_ site, p *trailguard.TrailGuardProps) {
			p.MaximumExecutionFrequency = awsconfig.MaximumExecutionFrequency_ONE_HOUR
		}},
		{"longest", func(_ site, p *trailguard.TrailGuardProps) {
			p.MaximumExecutionFrequency = awsconfig.MaximumExecutionFrequency_TWENTY_FOUR_HOURS
		}},
	},
	"MaximumAutomaticAttempts": numbers(25, func(p *trailguard.TrailGuardProps, n *float64) { p.MaximumAutomaticAttempts = n }),
	"RetryAttempt":             numbers(2_678_000, func(p *trailguard.TrailGuardProps, n *float64) { p.RetryAttempt = awscdk.Duration_Seconds(n) }),
	"ConcurrentExecutionRatePercentage": numbers(100, func(p *trailguard.TrailGuardProps, n *float64) {
		p.ConcurrentExecutionRatePercentage = n
	}),
	"ErrorPercentage": numbers(100, func(p *trailguard.TrailGuardProps, n *float64) { p.ErrorPercentage = n }),
})

// withSwitches adds the switches: each prop that is a boolean is on and off.
func withSwitches(values map[string][]variant) map[string][]variant {
	for _, field := range reflect.VisibleFields(reflect.TypeFor[trailguard.TrailGuardProps]()) {
		if field.Type != reflect.TypeFor[*bool]() || values[field.Name] != nil {
			continue
		}
		for name, value := range map[string]bool{"on": true, "off": false} {
			values[field.Name] = append(values[field.Name], variant{name, func(_ site, p *trailguard.TrailGuardProps) {
				reflect.ValueOf(p).Elem().FieldByIndex(field.Index).Set(reflect.ValueOf(&value))
			}})
		}
		slices.SortFunc(values[field.Name], func(one, other variant) int { return -strings.Compare(one.name, other.name) })
	}
	return values
}

// without are props that go together with no others of a guard, in turn: those of a new bucket, and its repair, with a supplied one, data resources
// with advanced event selectors, and those of Config rules without them, or with the trail of another account.
var without = [][]string{
	{"LogBucket", "AdvancedEventSelectors", "TrailAccount"},
	{"TransitionAfter", "ExpireAfter", "ObjectLockRetention", "ServerAccessLogsBucket", "RepairLogStore", "AlarmOnMissingDigests",
		"DataResources", "TrailAccount"},
	{"LogBucket", "AdvancedEventSelectors", "ConfigRules", "MaximumExecutionFrequency", "MaximumAutomaticAttempts", "RetryAttempt",
		"ConcurrentExecutionRatePercentage", "ErrorPercentage", "CreateConfigurationRecorder"},
}

// oddity is what became of a configuration.
type oddity struct {
	name     string
	site     site
	template map[string]any
}

// odd is a configuration of the corpus.
type odd struct {
	name     string
	site     site
	variants map[string]variant // by the props
	props    func(s site) *trailguard.TrailGuardProps
}

// combinations are as many configurations as bring in each value of each prop.
func combinations() []odd {
	longest := 0
	for _, variants := range good {
		longest = max(longest, len(variants))
	}
	var all []odd
	for i := range longest {
		for j, left := range without {
			variants := map[string]variant{}
			for prop, values := range good {
				if !slices.Contains(left, prop) {
					variants[prop] = values[i%len(values)]
				}
			}
			s := sites[len(all)%len(sites)]
			all = append(all, odd{fmt.Sprintf("%s-%d-%d", s.region, i, j), s, variants, func(s site) *trailguard.TrailGuardProps {
				p := &trailguard.TrailGuardProps{}
				if slices.Contains(left, "ConfigRules") {
					p.ConfigRules = jsii.Bool(false)
				}
				for _, prop := range slices.Sorted(maps.Keys(variants)) {
					variants[prop].set(s, p)
				}
				return p
			}})
		}
	}
	return all
}

// corpus are the combinations, synthesized.
func corpus(t *testing.T) []oddity {
	t.Helper()
	unused := map[string]bool{}
	for prop, variants := range good {
		for _, v := range variants {
			unused[prop+": "+v.name] = true
		}
	}
	var all []oddity
	for _, c := range combinations() {
		template, err := attempt(c.site, "Odd", c.props)
		if err != nil {
			t.Errorf("%s is refused:\n%v", c.name, err)
			continue
		}
		for prop, v := range c.variants {
			delete(unused, prop+": "+v.name)
		}
		all = append(all, oddity{c.name, c.site, template})
	}
	for v := range unused {
		t.Errorf("no configuration has %s", v)
	}
	return all
}

// attempt synthesizes a guard at the site, and returns what the constructs, or the CDK, refuse.
func attempt(s site, stackName string, props func(site) *trailguard.TrailGuardProps) (template map[string]any, err error) {
	defer recovered(&err)
	app := awscdk.NewApp(&awscdk.AppProps{AnalyticsReporting: jsii.Bool(false)})
	s.stack = awscdk.NewStack(app, &stackName, &awscdk.StackProps{Env: s.environment(), Synthesizer: awscdk.NewBootstraplessSynthesizer(nil)})
	trailguard.NewTrailGuard(s.stack, jsii.String("Default"), props(s))
	return *assertions.Template_FromStack(s.stack, nil).ToJSON(), nil
}

// recovered turns a panic with an error into the error.
func recovered(err *error) {
	switch problem := recover().(type) {
	case nil:
	case runtime.Error:
		panic(problem)
	case error:
		*err = problem
	default:
		panic(problem)
	}
}

func TestOddConfigurationsAreTemplatesThatAWSTakes(t *testing.T) {
	all := append(corpus(t), structures(t)...)
	folder := t.TempDir()
	var jobs []lintJob
	for _, o := range all {
		text, err := json.Marshal(o.template)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(folder, o.name+".template.json")
		write(t, path, string(text))
		jobs = append(jobs, lintJob{path, []string{o.site.region}})
		for id, output := range o.template["Outputs"].(map[string]any) {
			value := fmt.Sprint(resolved(output.(map[string]any)["Value"]))
			if strings.Contains(id, "Statements") && !json.Valid([]byte(value)) {
				t.Errorf("%s: the output %s is no JSON: %s", o.name, id, value)
			}
		}
		for _, problem := range overLimit(t, o.template) {
			t.Errorf("%s: %s", o.name, problem)
		}
	}
	for finding := range strings.Lines(cfnLint(t, jobs...)) {
		if !strings.Contains(finding, "[W6001: ") { // an output whose value is imported, as the supplied resource is
			t.Error(strings.ReplaceAll(finding, folder, ""))
		}
	}
}

const underTheValidator = "TRAILGUARD_TEST_UNDER_THE_VALIDATOR"

// TestTheCDKsValidatorTakesOddConfigurations runs this test alone in a process in which the CDK validates each synthesis: one of each
// site, into a folder that the process is told.
func TestTheCDKsValidatorTakesOddConfigurations(t *testing.T) {
	odds := combinations()[len(sites) : 2*len(sites)]
	if folder := os.Getenv(underTheValidator); folder != "" {
		for _, c := range odds {
			app := awscdk.NewApp(&awscdk.AppProps{AnalyticsReporting: jsii.Bool(false), Outdir: jsii.String(filepath.Join(folder, c.name))})
			c.site.stack = awscdk.NewStack(app, jsii.String("Odd"), &awscdk.StackProps{Env: c.site.environment(), Synthesizer: awscdk.NewBootstraplessSynthesizer(nil)})
			trailguard.NewTrailGuard(c.site.stack, jsii.String("Default"), c.props(c.site))
			app.Synth(nil)
		}
		app := awscdk.NewApp(&awscdk.AppProps{Outdir: jsii.String(filepath.Join(folder, "misspelt"))})
		topic := awssns.NewTopic(awscdk.NewStack(app, jsii.String("Misspelt"), nil), jsii.String("Topic"), nil)
		topic.Node().DefaultChild().(awssns.CfnTopic).AddPropertyOverride(jsii.String("KmsMasterKeyName"), "x")
		app.Synth(nil)
		return
	}
	t.Parallel()
	folder := t.TempDir()
	command := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	command.Env = append(os.Environ(), "CDK_VALIDATION=true", underTheValidator+"="+folder)
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	for _, c := range odds {
		if findings := validatorFindings(t, filepath.Join(folder, c.name)); findings != "" {
			t.Errorf("%s: the validator reports %s", c.name, findings)
		}
	}
	if findings := validatorFindings(t, filepath.Join(folder, "misspelt")); !strings.Contains(findings, "KmsMasterKeyName") {
		t.Errorf("of a misspelt property the validator reports %q", findings)
	}
}

func TestTheCorpusHasEachProp(t *testing.T) {
	props := reflect.TypeFor[trailguard.TrailGuardProps]()
	for i := range props.NumField() {
		name := props.Field(i).Name
		if len(good[name]) == 0 {
			t.Errorf("no configuration has %s: give it values in good", name)
		}
		isSwitch := props.Field(i).Type == reflect.TypeFor[*bool]()
		if len(bad[name]) == 0 && !isSwitch && !slices.Contains(neverBad, name) {
			t.Errorf("no configuration that is refused has %s: give it values in bad, or name it in neverBad", name)
		}
	}
}

// structures are guards beside, within and across other constructs.
func structures(t *testing.T) []oddity {
	t.Helper()
	var all []oddity
	for _, structure := range []struct {
		name  string
		build func(app awscdk.App, s site) awscdk.Stack
	}{
		{"two-guards", func(app awscdk.App, s site) awscdk.Stack {
			stack := awscdk.NewStack(app, jsii.String("Two"), &awscdk.StackProps{Env: s.environment()})
			for _, name := range []string{"one", "two"} {
				trailguard.NewTrailGuard(stack, &name, &trailguard.TrailGuardProps{TrailName: &name})
			}
			return stack
		}},
		{"nested", func(app awscdk.App, s site) awscdk.Stack {
			stack := awscdk.NewStack(app, jsii.String("Outer"), &awscdk.StackProps{Env: s.environment()})
			nested := awscdk.NewNestedStack(stack, jsii.String("Inner"), nil)
			trailguard.NewTrailGuard(nested, jsii.String("Guard"), nil)
			return nested
		}},
		{"stage", func(app awscdk.App, s site) awscdk.Stack {
			stage := awscdk.NewStage(app, jsii.String("Stage"), &awscdk.StageProps{Env: s.environment()})
			stack := awscdk.NewStack(stage, jsii.String("Stack"), nil)
			trailguard.NewTrailGuard(stack, jsii.String("Guard"), nil)
			return stack
		}},
		{"resources-of-another-stack", func(app awscdk.App, s site) awscdk.Stack {
			s.stack = awscdk.NewStack(app, jsii.String("Shared"), &awscdk.StackProps{Env: s.environment()})
			key := awskms.NewKey(s.stack, jsii.String("TopicKey"), nil)
			props := &trailguard.TrailGuardProps{
				LogKey:                 awskms.NewKey(s.stack, jsii.String("Key"), nil),
				ServerAccessLogsBucket: awss3.NewBucket(s.stack, jsii.String("Access"), nil),
				AutomationRole:         role(s, "Automation", "ssm.amazonaws.com"),
				SnsTopic:               awssns.NewTopic(s.stack, jsii.String("Deliveries"), &awssns.TopicProps{MasterKey: key}),
				CloudWatchLogsRole:     role(s, "Logs", "cloudtrail.amazonaws.com"),
			}
			stack := awscdk.NewStack(app, jsii.String("Guard"), &awscdk.StackProps{Env: s.environment()})
			props.CloudWatchLogGroup = awslogs.NewLogGroup(stack, jsii.String("Events"), nil)
			trailguard.NewTrailGuard(stack, jsii.String("Default"), props)
			return stack
		}},
		{"more-resources-of-another-stack", func(app awscdk.App, s site) awscdk.Stack {
			s.stack = awscdk.NewStack(app, jsii.String("Shared"), &awscdk.StackProps{Env: s.environment()})
			key := awskms.NewKey(s.stack, jsii.String("TopicKey"), nil)
			props := &trailguard.TrailGuardProps{
				LogBucket:           awss3.NewBucket(s.stack, jsii.String("Log"), nil),
				AutomationRole:      importedRole(s, "Automation", "r", true),
				AlertTopic:          awssns.NewTopic(s.stack, jsii.String("Alerts"), &awssns.TopicProps{MasterKey: key}),
				AlertEmailAddresses: jsii.Strings("a@example.com"),
				CloudWatchLogGroup:  awslogs.NewLogGroup(s.stack, jsii.String("Events"), nil),
			}
			stack := awscdk.NewStack(app, jsii.String("Guard"), &awscdk.StackProps{Env: s.environment()})
			trailguard.NewTrailGuard(stack, jsii.String("Default"), props)
			return stack
		}},
	} {
		for _, s := range sites[:2] {
			template, err := func() (template map[string]any, err error) {
				defer recovered(&err)
				stack := structure.build(awscdk.NewApp(&awscdk.AppProps{AnalyticsReporting: jsii.Bool(false)}), s)
				return *assertions.Template_FromStack(stack, nil).ToJSON(), nil
			}()
			if err != nil {
				t.Errorf("%s in %s is refused: %v", structure.name, s.region, err)
				continue
			}
			all = append(all, oddity{structure.name + "-" + s.region, s, template})
		}
	}
	return all
}

// neverBad are the props of which every value can be used, besides the switches.
var neverBad = []string{"ObjectLockRetention"}

func durations(set func(p *trailguard.TrailGuardProps, value awscdk.Duration), values ...awscdk.Duration) []variant {
	var variants []variant
	for _, value := range values {
		variants = append(variants, variant{*value.ToHumanString(), func(_ site, p *trailguard.TrailGuardProps) { set(p, value) }})
	}
	return variants
}

func outOfRange(set func(p *trailguard.TrailGuardProps, value *float64), values ...float64) []variant {
	var variants []variant
	for _, value := range values {
		variants = append(variants, variant{fmt.Sprint(value), func(_ site, p *trailguard.TrailGuardProps) { set(p, &value) }})
	}
	return variants
}

func badTopics(prop string, set func(p *trailguard.TrailGuardProps, topic awssns.ITopic)) []variant {
	return []variant{
		{"FIFO", func(s site, p *trailguard.TrailGuardProps) {
			set(p, awssns.Topic_FromTopicArn(s.stack, &prop, s.arn("sns", "t.fifo")))
		}},
		{"new FIFO", func(s site, p *trailguard.TrailGuardProps) {
			set(p, awssns.NewTopic(s.stack, &prop, &awssns.TopicProps{Fifo: jsii.Bool(true)}))
		}},
		{"of another Region", func(s site, p *trailguard.TrailGuardProps) {
			set(p, awssns.Topic_FromTopicArn(s.stack, &prop, s.arnOf("sns", "us-west-2", s.account, "t")))
		}},
	}
}

// bad are values of each prop that are refused, at a site whose account and Region are known.
var bad = map[string][]variant{
	"TrailName": {
		{"too short", func(_ site, p *trailguard.TrailGuardProps) { p.TrailName = jsii.String("ab") }},
		{"empty", func(_ site, p *trailguard.TrailGuardProps) { p.TrailName = jsii.String("") }},
		{"token", func(_ site, p *trailguard.TrailGuardProps) { p.TrailName = imported("Name") }},
	},
	"OrganizationId": {{"no id", func(_ site, p *trailguard.TrailGuardProps) { p.OrganizationId = jsii.String("") }}},
	"PreviousTrailNames": {
		{"nothing", func(_ site, p *trailguard.TrailGuardProps) { p.PreviousTrailNames = &[]*string{nil} }},
		{"too many", func(_ site, p *trailguard.TrailGuardProps) { p.PreviousTrailNames = list(21, "old-%d") }},
		{"a token", func(_ site, p *trailguard.TrailGuardProps) {
			p.PreviousTrailNames = awscdk.Fn_Split(jsii.String(","), imported("Names"), nil)
		}},
	},
	"S3KeyPrefix": {
		{"backslash", func(_ site, p *trailguard.TrailGuardProps) { p.S3KeyPrefix = jsii.String(`a\b`) }},
		{"quote", func(_ site, p *trailguard.TrailGuardProps) { p.S3KeyPrefix = jsii.String(`a"b`) }},
		{"space that cannot be printed", func(_ site, p *trailguard.TrailGuardProps) { p.S3KeyPrefix = jsii.String("a\u00a0b") }},
		{"no UTF-8", func(_ site, p *trailguard.TrailGuardProps) { p.S3KeyPrefix = jsii.String("a\xffb") }},
		{"too long", func(_ site, p *trailguard.TrailGuardProps) { p.S3KeyPrefix = jsii.String(times(201, "a")) }},
	},
	"DataResources": {
		{"nothing", func(_ site, p *trailguard.TrailGuardProps) { p.DataResources = &[]*trailguard.DataResource{nil} }},
		{"empty", func(_ site, p *trailguard.TrailGuardProps) { p.DataResources = &[]*trailguard.DataResource{{}} }},
		{"no ARN", func(_ site, p *trailguard.TrailGuardProps) { p.DataResources = data(jsii.Strings("my-bucket")) }},
		{"ARN of another service", func(s site, p *trailguard.TrailGuardProps) {
			p.DataResources = data(&[]*string{s.arn("lambda", "function:f")})
		}},
		{"of another partition", func(_ site, p *trailguard.TrailGuardProps) {
			p.DataResources = data(jsii.Strings("arn:aws-cn:s3:::a/"))
		}},
		{"too many", func(_ site, p *trailguard.TrailGuardProps) { p.DataResources = data(list(251, "arn:aws:s3:::a/%d")) }},
		{"too long together", func(_ site, p *trailguard.TrailGuardProps) {
			p.DataResources = data(list(250, "arn:aws:s3:::a/"+times(250, "x")+"%d"))
		}},
	},
	"AdvancedEventSelectors": {
		{"nothing", func(_ site, p *trailguard.TrailGuardProps) {
			p.AdvancedEventSelectors = &[]*trailguard.AdvancedEventSelector{nil}
		}},
		{"value too long", func(_ site, p *trailguard.TrailGuardProps) {
			p.AdvancedEventSelectors = selectors(nil, &trailguard.AdvancedFieldSelector{Field: jsii.String("eventName"), Equals: jsii.Strings(times(2049, "x"))})
		}},
		{"no field", func(_ site, p *trailguard.TrailGuardProps) {
			p.AdvancedEventSelectors = selectors(nil, &trailguard.AdvancedFieldSelector{Field: jsii.String("event name"), Equals: jsii.Strings("x")})
		}},
		{"too long together", func(_ site, p *trailguard.TrailGuardProps) {
			p.AdvancedEventSelectors = selectors(nil, &trailguard.AdvancedFieldSelector{Field: jsii.String("eventName"), Equals: list(100, times(1000, "x")+"%d")})
		}},
	},
	"InsightTypes": {
		{"unknown", func(_ site, p *trailguard.TrailGuardProps) { p.InsightTypes = &[]trailguard.InsightType{"Gut"} }},
		{"twice", func(_ site, p *trailguard.TrailGuardProps) {
			p.InsightTypes = &[]trailguard.InsightType{trailguard.InsightType_API_CALL_RATE, trailguard.InsightType_API_CALL_RATE}
		}},
	},
	"TrailTags": {
		{"key of AWS", func(_ site, p *trailguard.TrailGuardProps) { p.TrailTags = &map[string]*string{"aws:x": nil} }},
		{"too many", func(_ site, p *trailguard.TrailGuardProps) {
			tags := map[string]*string{}
			for i := range 51 {
				tags[fmt.Sprint(i)] = nil
			}
			p.TrailTags = &tags
		}},
	},
	"SnsTopic": append(badTopics("Deliveries", func(p *trailguard.TrailGuardProps, topic awssns.ITopic) { p.SnsTopic = topic }),
		variant{"name too long", func(s site, p *trailguard.TrailGuardProps) {
			p.SnsTopic = awssns.Topic_FromTopicArn(s.stack, jsii.String("Deliveries"), s.arn("sns", times(240, "x")))
		}}),
	"CloudWatchLogGroup": {
		{"no name", func(s site, p *trailguard.TrailGuardProps) {
			p.CloudWatchLogGroup = awslogs.LogGroup_FromLogGroupName(s.stack, jsii.String("Events"), jsii.String("a b"))
		}},
		{"of another account", func(s site, p *trailguard.TrailGuardProps) {
			p.CloudWatchLogGroup = awslogs.LogGroup_FromLogGroupArn(s.stack, jsii.String("Events"), s.arnOf("logs", s.region, "444455556666", "log-group:g"))
		}},
		{"of another Region", func(s site, p *trailguard.TrailGuardProps) {
			p.CloudWatchLogGroup = awslogs.LogGroup_FromLogGroupArn(s.stack, jsii.String("Events"), s.arnOf("logs", "us-west-2", s.account, "log-group:g"))
		}},
	},
	"CloudWatchLogsRole": {
		{"without a log group", func(s site, p *trailguard.TrailGuardProps) { p.CloudWatchLogsRole = importedRole(s, "Logs", "r", true) }},
		{"of another account", func(s site, p *trailguard.TrailGuardProps) {
			good["CloudWatchLogGroup"][0].set(s, p)
			p.CloudWatchLogsRole = awsiam.Role_FromRoleArn(s.stack, jsii.String("Logs"), s.arnOf("iam", "", "444455556666", "role/r"), nil)
		}},
		{"a backslash in its path", func(s site, p *trailguard.TrailGuardProps) {
			good["CloudWatchLogGroup"][0].set(s, p)
			p.CloudWatchLogsRole = importedRole(s, "Logs", `a\b/r`, true)
		}},
	},
	"LogBucket": {
		{"name of old times", func(s site, p *trailguard.TrailGuardProps) {
			p.LogBucket = awss3.Bucket_FromBucketName(s.stack, jsii.String("Log"), jsii.String("My_Bucket"))
		}},
		{"reserved name", func(s site, p *trailguard.TrailGuardProps) {
			p.LogBucket = awss3.Bucket_FromBucketName(s.stack, jsii.String("Log"), jsii.String("xn--bucket"))
		}},
		{"of another Region, with a new key", func(s site, p *trailguard.TrailGuardProps) {
			p.LogBucket = awss3.Bucket_FromBucketAttributes(s.stack, jsii.String("Log"), &awss3.BucketAttributes{
				BucketName: jsii.String("bucket"), Region: jsii.String("us-west-2"),
			})
		}},
	},
	"LogKey": {
		{"alias", func(s site, p *trailguard.TrailGuardProps) {
			p.LogKey = awskms.Alias_FromAliasName(s.stack, jsii.String("Key"), jsii.String("alias/x"))
		}},
		{"of another Region", func(s site, p *trailguard.TrailGuardProps) {
			p.LogKey = awskms.Key_FromKeyArn(s.stack, jsii.String("Key"), s.arnOf("kms", "us-west-2", s.account, "key/k"))
		}},
		{"of another Region than a new bucket", func(s site, p *trailguard.TrailGuardProps) {
			good["LogBucket"][2].set(s, p)
			p.LogKey = awskms.Key_FromKeyArn(s.stack, jsii.String("Key"), s.arnOf("kms", "us-west-2", s.account, "key/k"))
		}},
	},
	"TransitionAfter": {
		{"half a day", func(_ site, p *trailguard.TrailGuardProps) {
			p.TransitionAfter = awscdk.Duration_Hours(jsii.Number(12))
		}},
		{"too long", func(_ site, p *trailguard.TrailGuardProps) {
			p.TransitionAfter = awscdk.Duration_Days(jsii.Number(1e10))
		}},
	},
	"ExpireAfter": {
		{"before the transition", func(_ site, p *trailguard.TrailGuardProps) { p.ExpireAfter = awscdk.Duration_Days(jsii.Number(90)) }},
		{"nothing", func(_ site, p *trailguard.TrailGuardProps) { p.ExpireAfter = awscdk.Duration_Days(jsii.Number(0)) }},
	},
	"ServerAccessLogsBucket": {
		{"of another Region", func(s site, p *trailguard.TrailGuardProps) {
			p.ServerAccessLogsBucket = awss3.Bucket_FromBucketAttributes(s.stack, jsii.String("Access"), &awss3.BucketAttributes{
				BucketName: jsii.String("bucket"), Region: jsii.String("us-west-2"),
			})
		}},
		{"name of old times", func(s site, p *trailguard.TrailGuardProps) {
			p.ServerAccessLogsBucket = awss3.Bucket_FromBucketName(s.stack, jsii.String("Access"), jsii.String("My_Bucket"))
		}},
	},
	"RemovalPolicy": {{"snapshot", func(_ site, p *trailguard.TrailGuardProps) { p.RemovalPolicy = awscdk.RemovalPolicy_SNAPSHOT }}},
	"AutomationRole": {
		{"of another account", func(s site, p *trailguard.TrailGuardProps) {
			p.AutomationRole = awsiam.Role_FromRoleArn(s.stack, jsii.String("Role"), s.arnOf("iam", "", "444455556666", "role/r"), nil)
		}},
		{"path too long", func(s site, p *trailguard.TrailGuardProps) {
			p.AutomationRole = importedRole(s, "Role", times(120, "p/")+"r", false)
		}},
	},
	"CheckEvery": durations(func(p *trailguard.TrailGuardProps, value awscdk.Duration) { p.CheckEvery = value },
		awscdk.Duration_Minutes(jsii.Number(4)), awscdk.Duration_Seconds(jsii.Number(330)), awscdk.Duration_Minutes(jsii.Number(1441))),
	"RepairLogStore": {{"nothing to repair", func(s site, p *trailguard.TrailGuardProps) {
		p.RepairLogStore = jsii.Bool(true)
		p.LogBucket = awss3.Bucket_FromBucketName(s.stack, jsii.String("Bucket"), jsii.String("my-log-bucket"))
		p.LogKey = awskms.Key_FromKeyArn(s.stack, jsii.String("Key"), s.arnOf("kms", s.region, "111122223333", "key/11111111-2222-3333-4444-555555555555"))
	}}},
	"ConfigRules": {{"nothing starts the runbook", func(_ site, p *trailguard.TrailGuardProps) {
		p.ConfigRules, p.RepairOnEvents, p.CheckEvery = jsii.Bool(false), jsii.Bool(false), awscdk.Duration_Minutes(jsii.Number(0))
	}}},
	"TrailAccount": {
		{"no account", func(_ site, p *trailguard.TrailGuardProps) {
			p.TrailAccount, p.OrganizationId, p.ConfigRules = jsii.String("4444-5555-6666"), jsii.String("o-a1b2c3d4e5"), jsii.Bool(false)
		}},
		{"of no organization", func(_ site, p *trailguard.TrailGuardProps) {
			p.TrailAccount, p.ConfigRules = jsii.String("444455556666"), jsii.Bool(false)
		}},
	},
	"CentralEventBus": {
		{"of another Region", func(s site, p *trailguard.TrailGuardProps) {
			p.CentralEventBus = awsevents.EventBus_FromEventBusArn(s.stack, jsii.String("Central"), s.arnOf("events", "us-east-1", "444455556666", "event-bus/central"))
		}},
		{"the stack's default one", func(s site, p *trailguard.TrailGuardProps) {
			p.CentralEventBus = awsevents.EventBus_FromEventBusArn(s.stack, jsii.String("Central"), s.arn("events", "event-bus/default"))
		}},
	},
	"AlertTopic": append(badTopics("Alerts", func(p *trailguard.TrailGuardProps, topic awssns.ITopic) { p.AlertTopic = topic }),
		variant{"of another account", func(s site, p *trailguard.TrailGuardProps) {
			p.AlertTopic = awssns.Topic_FromTopicArn(s.stack, jsii.String("Alerts"), s.arnOf("sns", s.region, "444455556666", "t"))
		}}),
	"AlertEmailAddresses": {
		{"nothing", func(_ site, p *trailguard.TrailGuardProps) { p.AlertEmailAddresses = &[]*string{nil} }},
		{"twice", func(_ site, p *trailguard.TrailGuardProps) { p.AlertEmailAddresses = jsii.Strings("a@b.cc", "A@B.cc") }},
		{"a token", func(_ site, p *trailguard.TrailGuardProps) {
			p.AlertEmailAddresses = awscdk.Fn_Split(jsii.String(","), imported("Addresses"), nil)
		}},
	},
	"AlertSubscriptions":                {{"nothing", func(_ site, p *trailguard.TrailGuardProps) { p.AlertSubscriptions = &[]awssns.ITopicSubscription{nil} }}},
	"MaximumExecutionFrequency":         {{"unknown", func(_ site, p *trailguard.TrailGuardProps) { p.MaximumExecutionFrequency = "HOURLY" }}},
	"MaximumAutomaticAttempts":          outOfRange(func(p *trailguard.TrailGuardProps, n *float64) { p.MaximumAutomaticAttempts = n }, 0, 26, 1.5, -1, math.Inf(1), math.NaN()),
	"RetryAttempt":                      outOfRange(func(p *trailguard.TrailGuardProps, n *float64) { p.RetryAttempt = awscdk.Duration_Seconds(n) }, 0, 2_678_001),
	"ConcurrentExecutionRatePercentage": outOfRange(func(p *trailguard.TrailGuardProps, n *float64) { p.ConcurrentExecutionRatePercentage = n }, 0, 101),
	"ErrorPercentage":                   outOfRange(func(p *trailguard.TrailGuardProps, n *float64) { p.ErrorPercentage = n }, 0, 101),
}

// heading is what stands before a refusal, by the construct or at the synthesis.
var heading = regexp.MustCompile(`^(TrailGuard "Default": |ValidationFailedWithErrors: Validation failed with the following errors:\n)`)

// TestWhatCannotBeUsedIsRefusedByTheNameOfItsProp knows nothing of the messages but their form. The constructs' tests have them.
func TestWhatCannotBeUsedIsRefusedByTheNameOfItsProp(t *testing.T) {
	here := sites[1]
	for prop, variants := range bad {
		for _, v := range variants {
			t.Run(prop+", "+v.name, func(t *testing.T) {
				_, err := attempt(here, "Odd", func(s site) *trailguard.TrailGuardProps {
					p := &trailguard.TrailGuardProps{}
					v.set(s, p)
					return p
				})
				if err == nil {
					t.Fatal("it is not refused")
				}
				text := heading.ReplaceAllString(err.Error(), "")
				refusal := regexp.MustCompile(`^( {2}\[Odd/Default/[A-Za-z]+\] )?` + prop + `(\[[^\]]*\]|\.[A-Z][A-Za-z]*)*: .`)
				for line := range strings.Lines(text) {
					if !refusal.MatchString(line) {
						t.Errorf("it is refused with\n%.1000s", err.Error())
					}
				}
			})
		}
	}
}

func TestAStackWhoseNameSystemsManagerReservesIsRefused(t *testing.T) {
	for name, reserved := range map[string]bool{"AWS-audit": true, "aWsome": true, "Amazonia": true, "amzn": true, "Awful": false, "My-AWS": false} {
		_, err := attempt(sites[0], name, func(site) *trailguard.TrailGuardProps { return nil })
		want := fmt.Sprintf(`TrailGuard "Default": StackName: %q cannot be the stack's, for the name of the runbook begins with it, and Systems Manager reserves `+
			"names that begin with aws, amazon or amzn: give the stack another name", name)
		if reserved != (err != nil) || err != nil && err.Error() != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// overLimit are the limits of AWS that the template does not keep, with names and ARNs as long as they become.
func overLimit(t *testing.T, template map[string]any) []string {
	t.Helper()
	var problems []string
	check := func(what string, value any, most int) {
		text, isText := value.(string)
		if !isText {
			encoded, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			text = string(encoded)
		}
		if len(text) > most {
			problems = append(problems, fmt.Sprintf("%s has %d characters, and the limit is %d", what, len(text), most))
		}
	}
	for id, resource := range template["Resources"].(map[string]any) {
		resource := resource.(map[string]any)
		properties, _ := resolved(resource["Properties"]).(map[string]any)
		switch resource["Type"] {
		case "AWS::SSM::Document":
			document, err := yaml.Marshal(properties["Content"])
			if err != nil {
				t.Fatal(err)
			}
			check(id, string(document), 64*1024)
		case "AWS::Config::ConfigRule":
			check(id+"'s parameters", properties["InputParameters"], 1024)
			check(id+"'s description", properties["Description"], 256)
			if details, ok := properties["Source"].(map[string]any)["CustomPolicyDetails"].(map[string]any); ok {
				check(id+"'s policy", details["PolicyText"], 10_000)
			}
		case "AWS::Config::RemediationConfiguration":
			for name, value := range properties["Parameters"].(map[string]any) {
				check(id+"'s "+name, value.(map[string]any)["StaticValue"].(map[string]any)["Values"].([]any)[0], 256)
			}
		case "AWS::Events::Rule":
			check(id+"'s pattern", properties["EventPattern"], 2048)
		case "AWS::S3::BucketPolicy":
			check(id, properties["PolicyDocument"], 20*1024)
		case "AWS::KMS::Key":
			check(id+"'s policy", properties["KeyPolicy"], 32*1024)
		case "AWS::SNS::TopicPolicy":
			check(id, properties["PolicyDocument"], 30*1024)
		case "AWS::IAM::Policy":
			check(id, properties["PolicyDocument"], 10_240)
		}
	}
	return problems
}

func TestALimitThatIsNotKeptIsFound(t *testing.T) {
	template := readTemplate(t, goldenTemplates(t)["default"])
	if problems := overLimit(t, template); len(problems) > 0 {
		t.Error(problems)
	}
	for _, resource := range template["Resources"].(map[string]any) {
		if resource := resource.(map[string]any); resource["Type"] == "AWS::SSM::Document" {
			resource["Properties"].(map[string]any)["Content"].(map[string]any)["description"] = times(64*1024, "x")
		}
	}
	if problems := overLimit(t, template); len(problems) != 1 || !strings.Contains(problems[0], "the limit is 65536") {
		t.Errorf("the problems are %q", problems)
	}
}
