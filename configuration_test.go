package main

import (
	"encoding/json"
	"errors"
	"testing"
)

func TestBadConfigurationGetsItsErrors(t *testing.T) {
	const keys = "account, alertEmailAddresses, alertTopicArn, automationRoleArn, cloudWatchLogGroupName, cloudWatchLogsRoleArn, concurrentExecutionRatePercentage, " +
		"createConfigurationRecorder, dataResources, errorPercentage, expireAfterDays, insightTypes, logBucketName, logKeyArn, " +
		"maximumAutomaticAttempts, maximumExecutionFrequency, objectLockMode, objectLockRetentionDays, organizationId, region, " +
		"removalPolicy, repairOnEvents, retryAttemptSeconds, s3KeyPrefix, serverAccessLogsBucketName, snsTopicArn, trailName, transitionAfterDays"
	for _, test := range []struct{ name, context, want string }{
		{"not an object", `{"trailguard": "my-trail"}`, `trailguard: "my-trail" is not an object: use {"trailName": "my-trail"}, or -c trailguard:trailName=my-trail`},
		{"unknown keys", `{"trailguard": {"trailname": "x"}, "trailguard:colour": "red"}`,
			"colour: is not a key of the configuration: use " + keys + "\ntrailname: is not a key of the configuration: use " + keys},
		{"wrong types", `{"trailguard": {"trailName": 5, "createConfigurationRecorder": "perhaps", "expireAfterDays": "soon", "insightTypes": 1, "dataResources": "x", "alertEmailAddresses": true}}`,
			`alertEmailAddresses: true is not a list of strings: use ["security@example.com"]` + "\n" +
				`createConfigurationRecorder: "perhaps" is not a boolean: use true or false` + "\n" +
				`dataResources: "x" is not a list of data resources: use [{"type": "AWS::S3::Object", "values": ["arn:aws:s3:::my-bucket/"]}]` + "\n" +
				`expireAfterDays: "soon" is not a number: use digits only` + "\n" +
				`insightTypes: 1 is not a list of types: use ["ApiCallRateInsight", "ApiErrorRateInsight"]` + "\n" +
				`trailName: 5 is not a string: put it in quotes`},
		{"wrong names", `{"trailguard": {"account": "1", "region": "Frankfurt", "snsTopicArn": "topic", "cloudWatchLogGroupName": "a b", "cloudWatchLogsRoleArn": "role",
				"logBucketName": "My_Bucket", "logKeyArn": "alias/x", "serverAccessLogsBucketName": "x", "automationRoleArn": "arn:aws:iam::1:role/x"}}`,
			`account: "1" is not an account id: use 12 digits` + "\n" +
				`region: "Frankfurt" is not a Region: use a code such as eu-central-1` + "\n" +
				`snsTopicArn: "topic" is not the ARN of a topic: use arn:aws:sns:REGION:ACCOUNT:NAME` + "\n" +
				`cloudWatchLogGroupName: "a b" is not the name of a log group: use 1-512 letters, digits and _ / . # -` + "\n" +
				`cloudWatchLogsRoleArn: "role" is not the ARN of a role: use arn:aws:iam::ACCOUNT:role/NAME` + "\n" +
				`logBucketName: "My_Bucket" is not the name of a bucket: use 3-63 lower-case letters, digits, dots and dashes` + "\n" +
				`logKeyArn: "alias/x" is not the ARN of a key: use arn:aws:kms:REGION:ACCOUNT:key/ID` + "\n" +
				`serverAccessLogsBucketName: "x" is not the name of a bucket: use 3-63 lower-case letters, digits, dots and dashes` + "\n" +
				`automationRoleArn: "arn:aws:iam::1:role/x" is not the ARN of a role: use arn:aws:iam::ACCOUNT:role/NAME`},
		{"wrong numbers", `{"trailguard": {"transitionAfterDays": 0, "expireAfterDays": 1.5, "objectLockRetentionDays": -1, "retryAttemptSeconds": 0}}`,
			"transitionAfterDays: 0 is out of range: use a whole number from 1\nexpireAfterDays: 1.5 is out of range: use a whole number from 1\n" +
				"objectLockRetentionDays: -1 is out of range: use a whole number from 1\nretryAttemptSeconds: 0 is out of range: use a whole number from 1"},
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

func TestTheCommandLineWins(t *testing.T) {
	c, err := readConfiguration(decoded(t, `{"trailguard": {"trailName": "from-file", "expireAfterDays": 400},
		"trailguard:trailName": "from-line", "trailguard:errorPercentage": "20", "trailguard:createConfigurationRecorder": "true",
		"trailguard:insightTypes": "[\"ApiCallRateInsight\"]", "@aws-cdk/core:someFlag": true}`))
	if err != nil {
		t.Fatal(err)
	}
	if *c.TrailName != "from-line" || *c.ExpireAfterDays != 400 || *c.ErrorPercentage != 20 || !*c.CreateConfigurationRecorder || len(c.InsightTypes) != 1 {
		t.Errorf("the configuration is %+v", c)
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
	got := inKeys(errors.New("TrailName: x\nRetryAttempt: y\nDataResources[0].Type: z")).Error()
	if want := "trailName: x\nretryAttemptSeconds: y\ndataResources[0].Type: z"; got != want {
		t.Errorf("the error is %q, not %q", got, want)
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
