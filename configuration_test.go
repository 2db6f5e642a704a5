package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/trailguard"
	"github.com/trailguard/trailguard/constructs/validation"
)

// TestMain is the app itself, instead of its tests, in a process that runs as the app.
func TestMain(m *testing.M) {
	if os.Getenv(asTheApp) != "" {
		main()
		return
	}
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

func TestBadConfigurationGetsItsErrors(t *testing.T) {
	var all []string
	for _, k := range keys {
		all = append(all, k.key)
	}
	slices.Sort(all)
	every := strings.Join(all, ", ")
	const noBucket = "is not the name of a bucket: use 3-63 lower-case letters, digits, dots and dashes, begin and end with a letter or digit, " +
		"put no dot beside a dot or dash, form no IP address, and use no beginning or end that S3 reserves"
	const selectors = `a list of advanced event selectors: use [{"name": "...", "fieldSelectors": [{"field": "eventCategory", "equals": ["Data"]}]}]`
	for _, test := range []struct{ name, context, want string }{
		{"not an object", `{"trailguard": "my-trail"}`, `trailguard: "my-trail" is not an object: use {"trailName": "my-trail"}, or -c trailguard:trailName=my-trail`},
		{"unknown keys", `{"trailguard": {"trailname": "x"}, "trailguard:colour": "red"}`,
			"colour: is not a key of the configuration: use " + every + "\ntrailname: is not a key of the configuration: use " + every},
		{"wrong types", `{"trailguard": {"trailName": 5, "createConfigurationRecorder": "perhaps", "expireAfterDays": "soon", "insightTypes": 1, "dataResources": "x", "alertEmailAddresses": true}}`,
			`alertEmailAddresses: true is not a list of strings: use ["one", "two"]` + "\n" +
				`createConfigurationRecorder: "perhaps" is not a boolean: use true or false` + "\n" +
				`dataResources: "x" is not a list of data resources: use [{"type": "AWS::S3::Object", "values": ["arn:aws:s3:::my-bucket/"]}]` + "\n" +
				`expireAfterDays: "soon" is not a number: use digits only` + "\n" +
				`insightTypes: 1 is not a list of types: use ["ApiCallRateInsight", "ApiErrorRateInsight"]` + "\n" +
				`trailName: 5 is not a string: put it in quotes`},
		{"wrong types of the new keys", `{"trailguard": {"advancedEventSelectors": {"name": "x"}, "checkEveryMinutes": "often", "configRules": 0, "previousTrailNames": "old", "trailTags": ["a"]}}`,
			`advancedEventSelectors: {"name":"x"} is not ` + selectors + "\n" +
				`checkEveryMinutes: "often" is not a number: use digits only` + "\n" +
				`configRules: 0 is not a boolean: use true or false` + "\n" +
				`previousTrailNames: "old" is not a list of strings: use ["one", "two"]` + "\n" +
				`trailTags: ["a"] is not an object of strings: use {"key": "value"}`},
		{"wrong values in objects", `{"trailguard": {"trailTags": {"cost-center": 4711}}, "trailguard:previousTrailNames": "[5]"}`,
			`previousTrailNames: "[5]" is not a list of strings: use ["one", "two"]` + "\n" +
				`trailTags: {"cost-center":4711} is not an object of strings: use {"key": "value"}`},
		{"unknown keys in objects", `{"trailguard": {"advancedEventSelectors": [{"fieldSelectors": [{"field": "eventName", "beginsWith": ["Get"]}]}],
				"dataResources": [{"type": "AWS::S3::Object", "value": ["arn:aws:s3:::a/"]}]}}`,
			`advancedEventSelectors: [{"fieldSelectors":[{"beginsWith":["Get"],"field":"eventName"}]}] is not ` + selectors + "\n" +
				`dataResources: [{"type":"AWS::S3::Object","value":["arn:aws:s3:::a/"]}] is not a list of data resources: use [{"type": "AWS::S3::Object", "values": ["arn:aws:s3:::my-bucket/"]}]`},
		{"more than one value on the command line", `{"trailguard:checkEveryMinutes": "30 60", "trailguard:configRules": "false,"}`,
			`checkEveryMinutes: "30 60" is not a number: use digits only` + "\n" +
				`configRules: "false," is not a boolean: use true or false`},
		{"wrong names", `{"trailguard": {"account": "1", "region": "Frankfurt", "snsTopicArn": "topic", "cloudWatchLogGroupName": "a b", "cloudWatchLogsRoleArn": "role",
				"logBucketName": "My_Bucket", "logKeyArn": "alias/x", "serverAccessLogsBucketName": "x", "automationRoleArn": "arn:aws:iam::1:role/x", "trailAccount": "me", "centralEventBusArn": "trailguard"}}`,
			`account: "1" is not an account id: use 12 digits` + "\n" +
				`region: "Frankfurt" is not a Region: use a code such as eu-central-1` + "\n" +
				`trailAccount: "me" is not an account id: use 12 digits` + "\n" +
				`snsTopicArn: "topic" is not the ARN of a topic: use arn:aws:sns:REGION:ACCOUNT:NAME` + "\n" +
				`cloudWatchLogGroupName: "a b" is not the name of a log group: use 1-512 letters, digits and _ / . # -` + "\n" +
				`cloudWatchLogsRoleArn: "role" is not the ARN of a role: use arn:aws:iam::ACCOUNT:role/NAME` + "\n" +
				`logKeyArn: "alias/x" is not the ARN of a key: use arn:aws:kms:REGION:ACCOUNT:key/ID` + "\n" +
				`automationRoleArn: "arn:aws:iam::1:role/x" is not the ARN of a role: use arn:aws:iam::ACCOUNT:role/NAME` + "\n" +
				`centralEventBusArn: "trailguard" is not the ARN of an event bus: use arn:aws:events:REGION:ACCOUNT:event-bus/NAME` + "\n" +
				`logBucketName: "My_Bucket" ` + noBucket + "\n" +
				`serverAccessLogsBucketName: "x" ` + noBucket},
		{"tokens", `{"trailguard": {"s3KeyPrefix": "${Token[TOKEN.7]}", "alertEmailAddresses": ["#{Token[TOKEN.8]}"]}}`,
			`alertEmailAddresses: ["#{Token[TOKEN.8]}"] has a token of the CDK in it, which only code can make: give what it stands for` + "\n" +
				`s3KeyPrefix: "${Token[TOKEN.7]}" has a token of the CDK in it, which only code can make: give what it stands for`},
		{"names of buckets", `{"trailguard": {"logBucketName": "192.168.1.1", "serverAccessLogsBucketName": "a.b..c"}}`,
			`logBucketName: "192.168.1.1" ` + noBucket + "\n" + `serverAccessLogsBucketName: "a.b..c" ` + noBucket},
		{"names in ARNs", `{"trailguard": {"snsTopicArn": "arn:aws:sns:us-east-1:123456789012:a/b", "logKeyArn": "arn:aws:kms:us-east-1:123456789012:key/a b",
				"automationRoleArn": "arn:aws:iam::123456789012:role/a b"}}`,
			`snsTopicArn: "arn:aws:sns:us-east-1:123456789012:a/b" is not the ARN of a topic: use arn:aws:sns:REGION:ACCOUNT:NAME` + "\n" +
				`logKeyArn: "arn:aws:kms:us-east-1:123456789012:key/a b" is not the ARN of a key: use arn:aws:kms:REGION:ACCOUNT:key/ID` + "\n" +
				`automationRoleArn: "arn:aws:iam::123456789012:role/a b" is not the ARN of a role: use arn:aws:iam::ACCOUNT:role/NAME`},
		{"more than 100 years", `{"trailguard": {"objectLockRetentionDays": 36501}}`, "objectLockRetentionDays: 36501 is out of range: use a whole number from 1 to 36500"},
		{"wrong numbers", `{"trailguard": {"transitionAfterDays": 0, "expireAfterDays": 1.5, "objectLockRetentionDays": -1, "retryAttemptSeconds": 0}}`,
			"transitionAfterDays: 0 is out of range: use a whole number from 1\nexpireAfterDays: 1.5 is out of range: use a whole number from 1\n" +
				"objectLockRetentionDays: -1 is out of range: use a whole number from 1\nretryAttemptSeconds: 0 is out of range: use a whole number from 1"},
		{"negative minutes", `{"trailguard": {"checkEveryMinutes": -5}}`, "checkEveryMinutes: -5 is out of range: use a whole number from 5 to 1440, or 0 for never"},
		{"wrong mode", `{"trailguard": {"objectLockMode": "STRICT"}}`,
			`objectLockMode: "STRICT" is not a mode: use GOVERNANCE or COMPLIANCE` + "\n" +
				"objectLockMode: has no retention: give objectLockRetentionDays too, or leave out objectLockMode"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := readConfiguration(decoded(t, test.context))
			if err == nil {
				t.Fatalf("there is no error, it should be\n%s", test.want)
			}
			if err.Error() != test.want {
				t.Errorf("the error is\n%s\nit should be\n%s", err, test.want)
			}
		})
	}
}

// TestTheCommandLineWins: all its values are strings.
func TestTheCommandLineWins(t *testing.T) {
	c, err := readConfiguration(decoded(t, `{"trailguard": {"trailName": "from-file", "expireAfterDays": 400, "configRules": true, "trailTags": {"c": "d"}},
		"trailguard:trailName": "from-line", "trailguard:errorPercentage": "20", "trailguard:createConfigurationRecorder": "true",
		"trailguard:insightTypes": "[\"ApiCallRateInsight\"]", "trailguard:trailTags": "{\"a\":\"b\"}", "trailguard:checkEveryMinutes": "30",
		"trailguard:configRules": "false", "trailguard:previousTrailNames": "[\"old-trail\"]",
		"trailguard:advancedEventSelectors": "[{\"name\": \"x\", \"fieldSelectors\": [{\"field\": \"eventName\", \"notStartsWith\": [\"Get\"]}]}]",
		"@aws-cdk/core:someFlag": true}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(map[string]any{
		"trailName": c.TrailName, "expireAfterDays": c.ExpireAfterDays, "errorPercentage": c.ErrorPercentage, "insightTypes": c.InsightTypes,
		"createConfigurationRecorder": c.CreateConfigurationRecorder, "trailTags": c.TrailTags, "checkEveryMinutes": c.CheckEveryMinutes,
		"configRules": c.ConfigRules, "previousTrailNames": c.PreviousTrailNames, "notStartsWith": (*(*c.AdvancedEventSelectors)[0].FieldSelectors)[0].NotStartsWith,
	})
	want := `{"checkEveryMinutes":30,"configRules":false,"createConfigurationRecorder":true,"errorPercentage":20,"expireAfterDays":400,` +
		`"insightTypes":["ApiCallRateInsight"],"notStartsWith":["Get"],"previousTrailNames":["old-trail"],"trailName":"from-line","trailTags":{"a":"b"}}`
	if err != nil || string(got) != want {
		t.Errorf("the configuration is\n%s\nnot\n%s\n%v", got, want, err)
	}
}

func TestRegionsOfEveryPartitionAreTaken(t *testing.T) {
	for region, good := range map[string]bool{
		"eu-central-1": true, "us-gov-west-1": true, "cn-northwest-1": true, "eusc-de-east-1": true, "us-iso-east-1": true, "ap-southeast-7": true,
		"": false, "eu": false, "eu-central": false, "eu-central-1a": false, "EU-CENTRAL-1": false, "e-central-1": false,
	} {
		if _, err := readConfiguration(map[string]any{"trailguard": map[string]any{"region": region}}); (err == nil) != good {
			t.Errorf("%q: %v", region, err)
		}
	}
}

// TestEachPropHasAKey gives every key of the configuration, and looks for the props that it does not set.
func TestEachPropHasAKey(t *testing.T) {
	c, err := readConfiguration(decoded(t, `{"trailguard": `+everyKey(t)+`}`))
	if err != nil {
		t.Fatal(err)
	}
	if missing := unset(c); len(missing) > 0 {
		t.Fatalf("the test gives no key for %v", missing)
	}
	if missing := unset(*c.props(awscdk.NewStack(nil, nil, nil))); !slices.Equal(missing, goOnly) {
		t.Errorf("the configuration does not set %v: give each a key, or name it in goOnly, which is %v", missing, goOnly)
	}
}

// TestEachKeyReachesItsPropAlone gives one key after the other, and looks at the value of its prop, and that no other prop is set.
func TestEachKeyReachesItsPropAlone(t *testing.T) {
	const (
		topic = "arn:aws:sns:eu-central-1:123456789012:topic"
		role  = "arn:aws:iam::123456789012:role/role"
		logs  = "arn:aws:kms:eu-central-1:123456789012:key/1"
		bus   = "arn:aws:events:eu-central-1:123456789012:event-bus/trailguard"
	)
	type props = *trailguard.TrailGuardProps
	tested := map[string]bool{"account": true, "region": true, "objectLockMode": true, "mode": true, "iamEvents": true} // below, and with objectLockRetentionDays
	for _, test := range []struct {
		key, value string
		of         func(p props) any
		want       string
	}{
		{"trailName", `"my-trail"`, func(p props) any { return *p.TrailName }, "my-trail"},
		{"previousTrailNames", `["one", "two"]`, func(p props) any { return plainTexts(p.PreviousTrailNames) }, "[one two]"},
		{"organizationId", `"o-a1b2c3d4e5"`, func(p props) any { return *p.OrganizationId }, "o-a1b2c3d4e5"},
		{"s3KeyPrefix", `"audit"`, func(p props) any { return *p.S3KeyPrefix }, "audit"},
		{"dataResources", `[{"type": "AWS::S3::Object", "values": ["arn:aws:s3:::a/"]}]`, func(p props) any {
			return *(*p.DataResources)[0].Type + plainTexts((*p.DataResources)[0].Values)
		}, "AWS::S3::Object[arn:aws:s3:::a/]"},
		{"advancedEventSelectors", `[{"name": "n", "fieldSelectors": [{"field": "f", "equals": ["a"], "notEquals": ["b"], "startsWith": ["c"], "notStartsWith": ["d"], "endsWith": ["e"], "notEndsWith": ["g"]}]}]`,
			func(p props) any {
				selector := (*p.AdvancedEventSelectors)[0]
				field := (*selector.FieldSelectors)[0]
				return *selector.Name + *field.Field + plainTexts(field.Equals) + plainTexts(field.NotEquals) + plainTexts(field.StartsWith) +
					plainTexts(field.NotStartsWith) + plainTexts(field.EndsWith) + plainTexts(field.NotEndsWith)
			}, "nf[a][b][c][d][e][g]"},
		{"insightTypes", `["ApiErrorRateInsight"]`, func(p props) any { return *p.InsightTypes }, "[ApiErrorRateInsight]"},
		{"insightTypes", `[]`, func(p props) any { return *p.InsightTypes }, "[]"},
		{"trailTags", `{"owner": "security"}`, func(p props) any { return *(*p.TrailTags)["owner"] }, "security"},
		{"snsTopicArn", `"` + topic + `"`, func(p props) any { return *p.SnsTopic.TopicArn() }, topic},
		{"cloudWatchLogGroupName", `"group"`, func(p props) any { return *p.CloudWatchLogGroup.LogGroupName() }, "group"},
		{"cloudWatchLogsRoleArn", `"` + role + `"`, func(p props) any { return *p.CloudWatchLogsRole.RoleArn() }, role},
		{"logBucketName", `"my-bucket"`, func(p props) any { return *p.LogBucket.BucketName() }, "my-bucket"},
		{"logKeyArn", `"` + logs + `"`, func(p props) any { return *p.LogKey.KeyArn() }, logs},
		{"transitionAfterDays", `30`, func(p props) any { return *p.TransitionAfter.ToDays(nil) }, "30"},
		{"expireAfterDays", `400`, func(p props) any { return *p.ExpireAfter.ToDays(nil) }, "400"},
		{"objectLockRetentionDays", `365`, func(p props) any { return locked(p.ObjectLockRetention) }, "GOVERNANCE for 365 days"},
		{"objectLockRetentionDays", `7, "objectLockMode": "GOVERNANCE"`, func(p props) any { return locked(p.ObjectLockRetention) }, "GOVERNANCE for 7 days"},
		{"objectLockRetentionDays", `8, "objectLockMode": "COMPLIANCE"`, func(p props) any { return locked(p.ObjectLockRetention) }, "COMPLIANCE for 8 days"},
		{"serverAccessLogsBucketName", `"my-access-logs"`, func(p props) any { return *p.ServerAccessLogsBucket.BucketName() }, "my-access-logs"},
		{"removalPolicy", `"DESTROY"`, func(p props) any { return p.RemovalPolicy }, "DESTROY"},
		{"removalPolicy", `"RETAIN_ON_UPDATE_OR_DELETE"`, func(p props) any { return p.RemovalPolicy }, "RETAIN_ON_UPDATE_OR_DELETE"},
		{"automationRoleArn", `"` + role + `"`, func(p props) any { return *p.AutomationRole.RoleArn() }, role},
		{"repairOnEvents", `false`, func(p props) any { return *p.RepairOnEvents }, "false"},
		{"repairOnEvents", `true`, func(p props) any { return *p.RepairOnEvents }, "true"},
		{"repairLogStore", `true`, func(p props) any { return *p.RepairLogStore }, "true"},
		{"checkEveryMinutes", `30`, func(p props) any { return *p.CheckEvery.ToMinutes(nil) }, "30"},
		{"checkEveryMinutes", `0`, func(p props) any { return *p.CheckEvery.ToMinutes(nil) }, "0"},
		{"configRules", `false`, func(p props) any { return *p.ConfigRules }, "false"},
		{"alertTopicArn", `"` + topic + `"`, func(p props) any { return *p.AlertTopic.TopicArn() }, topic},
		{"centralEventBusArn", `"` + bus + `"`, func(p props) any { return *p.CentralEventBus.EventBusArn() }, bus},
		{"alertEmailAddresses", `["a@example.com", "b@example.com"]`, func(p props) any { return plainTexts(p.AlertEmailAddresses) }, "[a@example.com b@example.com]"},
		{"maximumExecutionFrequency", `"SIX_HOURS"`, func(p props) any { return p.MaximumExecutionFrequency }, "SIX_HOURS"},
		{"maximumAutomaticAttempts", `7`, func(p props) any { return *p.MaximumAutomaticAttempts }, "7"},
		{"retryAttemptSeconds", `90`, func(p props) any { return *p.RetryAttempt.ToSeconds(nil) }, "90"},
		{"concurrentExecutionRatePercentage", `20`, func(p props) any { return *p.ConcurrentExecutionRatePercentage }, "20"},
		{"errorPercentage", `30`, func(p props) any { return *p.ErrorPercentage }, "30"},
		{"createConfigurationRecorder", `true`, func(p props) any { return *p.CreateConfigurationRecorder }, "true"},
	} {
		t.Run(test.key+" "+test.value, func(t *testing.T) {
			tested[test.key] = true
			c, err := readConfiguration(decoded(t, `{"trailguard": {"`+test.key+`": `+test.value+`}}`))
			if err != nil {
				t.Fatal(err)
			}
			p := c.props(awscdk.NewStack(nil, nil, nil))
			var set []string
			for _, field := range reflect.VisibleFields(reflect.TypeOf(*p)) {
				if !reflect.ValueOf(*p).FieldByIndex(field.Index).IsZero() {
					set = append(set, field.Name)
				}
			}
			if len(set) != 1 || key(set[0]) != test.key {
				t.Fatalf("it sets %v", set)
			}
			if got := fmt.Sprint(test.of(p)); got != test.want {
				t.Errorf("the prop is %s, not %s", got, test.want)
			}
		})
	}
	for _, k := range keys {
		if tested[k.key] || k.ofOrganization {
			continue
		}
		field := reflect.TypeFor[configuration]().FieldByIndex(k.index)
		prop, isProp := reflect.TypeFor[trailguard.TrailGuardProps]().FieldByName(k.prop)
		if !isProp || prop.Type != field.Type {
			t.Errorf("%s is not tried: give it a value above", k.key)
			continue
		}
		// What has the type of its prop is handed on.
		c, err := readConfiguration(decoded(t, `{"trailguard": {"`+k.key+`": `+text(t, sample(k.key, field.Type))+`}}`))
		if err != nil {
			t.Fatal(err)
		}
		got, given := reflect.ValueOf(*c.props(awscdk.NewStack(nil, nil, nil))).FieldByIndex(prop.Index), c.field(k)
		if given.IsZero() || !reflect.DeepEqual(got.Interface(), given.Interface()) {
			t.Errorf("%s is %v in the configuration, and %v in the props", k.key, given, got)
		}
	}
}

func plainTexts(list *[]*string) string {
	var texts []string
	for _, text := range *list {
		texts = append(texts, *text)
	}
	return fmt.Sprint(texts)
}

func locked(retention awss3.ObjectLockRetention) string {
	return fmt.Sprintf("%s for %v days", retention.Mode(), *retention.Duration().ToDays(nil))
}

// TestAccountAndRegionAreTheStacks: either may be left out.
func TestAccountAndRegionAreTheStacks(t *testing.T) {
	for context, want := range map[string]string{
		`{}`:                          "none",
		`{"account": "123456789012"}`: "123456789012 in -",
		`{"region": "us-gov-west-1"}`: "- in us-gov-west-1",
		`{"account": "123456789012", "region": "cn-north-1"}`: "123456789012 in cn-north-1",
	} {
		c, err := readConfiguration(decoded(t, `{"trailguard": `+context+`}`))
		if err != nil {
			t.Fatal(err)
		}
		got := "none"
		if environment := c.environment(); environment != nil {
			parts := []string{"-", "-"}
			for i, part := range []*string{environment.Account, environment.Region} {
				if part != nil {
					parts[i] = *part
				}
			}
			got = strings.Join(parts, " in ")
		}
		if got != want {
			t.Errorf("%s: the environment is %s, not %s", context, got, want)
		}
	}
}

// unset are the names of the fields that have no value.
func unset(object any) []string {
	var names []string
	for i := range reflect.TypeOf(object).NumField() {
		if reflect.ValueOf(object).Field(i).IsZero() && !reflect.TypeOf(object).Field(i).Anonymous {
			names = append(names, reflect.TypeOf(object).Field(i).Name)
		}
	}
	return names
}

// TestEachPropIsNamedByItsKey looks for the key of each prop among those of the configuration.
func TestEachPropIsNamedByItsKey(t *testing.T) {
	keys := reflect.TypeFor[configuration]()
	known := map[string]bool{}
	for i := range keys.NumField() {
		known[keys.Field(i).Tag.Get("json")] = true
	}
	props := reflect.TypeFor[trailguard.TrailGuardProps]()
	for i := range props.NumField() {
		name := props.Field(i).Name
		if got := key(name); !known[got] && !slices.Contains(goOnly, name) {
			t.Errorf("%s is named %s, which is no key", name, got)
		}
	}
}

// TestWhatPropsRefuseIsToldInKeys reads the configuration, as the app does, and names what its user wrote.
func TestWhatPropsRefuseIsToldInKeys(t *testing.T) {
	for _, test := range []struct{ context, want string }{
		{`{"trailguard:checkEveryMinutes": "7.5"}`, "checkEveryMinutes: 7 minutes 30 seconds is out of range: use whole minutes from 5 minutes to 24 hours, or 0 for never"},
		{`{"trailguard": {"checkEveryMinutes": 1500}}`, "checkEveryMinutes: 1 day 1 hour is out of range: use whole minutes from 5 minutes to 24 hours, or 0 for never"},
		{`{"trailguard": {"configRules": false, "retryAttemptSeconds": 60}}`, "retryAttemptSeconds: is for Config rules, and configRules is false: leave out retryAttemptSeconds, or configRules"},
		{`{"trailguard": {"trailTags": {"a:b!": "x"}}}`, `trailTags: "a:b!" is not the key of a tag: use 1-128 letters, digits, spaces and _ . : / = + - @, and no aws: at the beginning`},
		{`{"trailguard": {"trailTags": {"a:b": "!"}}}`, `trailTags[a:b]: "!" is not the value of a tag: use at most 256 letters, digits, spaces and _ . : / = + - @`},
		{`{"trailguard": {"advancedEventSelectors": [{"fieldSelectors": []}], "previousTrailNames": ["trailguard"]}}`,
			`previousTrailNames[0]: "trailguard" is given twice, or is the trail's name of now: leave it out` + "\n" +
				`advancedEventSelectors[0]: has the category "": give the field eventCategory with Equals Data, NetworkActivity or Management`},
	} {
		c, err := readConfiguration(decoded(t, test.context))
		if err != nil {
			t.Fatal(err)
		}
		err = c.props(awscdk.NewStack(nil, nil, nil)).Validate()
		if err == nil {
			t.Errorf("%s: there is no error", test.context)
		} else if got := inKeys(err).Error(); got != test.want {
			t.Errorf("the error is\n%s\nit should be\n%s", got, test.want)
		}
	}
}

func TestNoConfigurationIsFine(t *testing.T) {
	for _, context := range []string{`{}`, `{"trailguard": {}}`} {
		c, err := readConfiguration(decoded(t, context))
		if err != nil || c.trailName() != "trailguard" || c.environment() != nil {
			t.Errorf("%s: %+v, %v", context, c, err)
		}
	}
}

func TestErrorsOfPropsNameTheKeys(t *testing.T) {
	other := errors.New("LogKey: is said by somebody else")
	err := inKeys(errors.Join(
		validation.Problem("TrailName", "x"),
		errors.Join(validation.Problem("RetryAttempt", "y"), validation.Problem("DataResources[0].Type", "z"), other),
		&trailguard.PropError{Prop: "CheckEvery", Problem: "4 minutes"},
		validation.Problem("TrailTags[a:LogKey]", "%q is not %s, %s", `a " LogKey`, validation.Prop("LogKey"), validation.Prop("Nothing")),
	))
	want := "trailName: x\nretryAttemptSeconds: y\ndataResources[0].Type: z\nLogKey: is said by somebody else\ncheckEveryMinutes: 4 minutes\n" +
		"trailTags[a:LogKey]: \"a \\\" LogKey\" is not logKeyArn, Nothing"
	if got := err.Error(); got != want {
		t.Errorf("the error is %q, not %q", got, want)
	}
	if !errors.Is(err, other) {
		t.Error("what is no PropError is lost")
	}
}

func decoded(t *testing.T, text string) any {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	return value
}

// TestEventsOfIAMAreHandedOnToAnotherRegion: by a stack of its own, in the Region where they arrive.
func TestEventsOfIAMAreHandedOnToAnotherRegion(t *testing.T) {
	for block, want := range map[string]string{
		`{"region": "eu-central-1"}`:                      "[TrailGuard eu-central-1]",
		`{"region": "eu-central-1", "iamEvents": true}`:   "[TrailGuard eu-central-1 TrailGuardIamEvents us-east-1]",
		`{"region": "us-gov-east-1", "iamEvents": true}`:  "[TrailGuard us-gov-east-1 TrailGuardIamEvents us-gov-west-1]",
		`{"region": "cn-northwest-1", "iamEvents": true}`: "[TrailGuard cn-northwest-1 TrailGuardIamEvents cn-north-1]",
		`{"region": "us-east-1", "iamEvents": true}`:      "iamEvents: is true, and the events of IAM arrive in us-east-1, the region of the stack: leave out iamEvents",
		`{"iamEvents": true}`:                             "iamEvents: is true, and the stack's Region is not known: give region, or leave out iamEvents",
	} {
		c, err := readConfiguration(decoded(t, `{"trailguard": `+block+`}`))
		if err != nil {
			t.Fatal(err)
		}
		stacks, err := c.defineAccount(awscdk.NewApp(nil))
		got := []string{}
		for _, stack := range stacks {
			got = append(got, *stack.StackName(), *stack.Region())
		}
		if shown := fmt.Sprint(got); err == nil && shown != want || err != nil && err.Error() != want {
			t.Errorf("of %s there are the stacks %s, %v", block, shown, err)
		}
	}
}
