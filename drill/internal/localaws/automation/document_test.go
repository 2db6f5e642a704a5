package automation

import (
	_ "embed"
	"encoding/json"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

//go:embed testdata/runbook.yml
var runbook string

// replaced is the runbook with one text replaced, which must be there exactly once.
func replaced(t *testing.T, old, new string) string {
	t.Helper()
	if n := strings.Count(runbook, old); n != 1 {
		t.Fatalf("%q is in the runbook %d times, not once", old, n)
	}
	return strings.Replace(runbook, old, new, 1)
}

func TestTheRunbookIsValidAsYAMLAndAsJSON(t *testing.T) {
	if _, err := Parse([]byte(runbook)); err != nil {
		t.Errorf("as YAML: %v", err)
	}
	var v any
	if err := yaml.Unmarshal([]byte(runbook), &v); err != nil {
		t.Fatal(err)
	}
	for _, indent := range []string{"", "\t"} {
		text, err := json.MarshalIndent(v, "", indent)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(text); err != nil {
			t.Errorf("as JSON indented by %q: %v", indent, err)
		}
	}
}

func TestEachPlantedMistakeIsFoundAndNamed(t *testing.T) {
	tests := []struct{ name, old, new, want string }{
		{"schema version", `schemaVersion: "0.3"`, `schemaVersion: "2.2"`,
			`document: schemaVersion must be "0.3", got "2.2"`},
		{"schema version that is a number", `schemaVersion: "0.3"`, `schemaVersion: 0.3`,
			`document: schemaVersion must be a string, got the number 0.3`},
		{"unknown key of the document", "mainSteps:", "files: {}\nmainSteps:",
			`document: unknown key "files"`},
		{"missing steps", runbook[strings.Index(runbook, "mainSteps:"):], "",
			`document: mainSteps is missing`},
		{"key given twice", "    description: The role.", "    description: The role.\n    description: Again.",
			`reading the document as yaml: line 8: the key "description" is given twice`},
		{"yes without quotes", "Value: '{{ global:ACCOUNT_ID }}-{{ CloudTrailName }}'", "Value: yes",
			`reading the document as yaml: line 59: yes is a boolean to some yaml readers: quote it, or write true or false`},
		{"date without quotes", "Value: '{{ global:ACCOUNT_ID }}-{{ CloudTrailName }}'", "Value: 2024-01-01",
			`reading the document as yaml: line 59: 2024-01-01 is read as !!timestamp: quote it if it is a text`},

		{"parameter type", "type: MapList", "type: StringMap",
			`parameter EventSelectors: type "StringMap" is not one of String, Boolean, Integer, StringList, MapList`},
		{"unknown key of a parameter", "    description: The role.", "    minChars: 1",
			`parameter AutomationAssumeRole: unknown key "minChars"`},
		{"quoted boolean default", "    default: true", `    default: "true"`,
			`parameter IsMultiRegionTrail: default must be true or false, without quotes, got the string "true"`},
		{"default that is not allowed", "    allowedValues: [org-trail]", "    allowedValues: [org-trail]\n    default: other",
			`parameter CloudTrailName: default "other" is not one of the allowedValues ["org-trail"]`},
		{"allowed value of another type", "[true, false]", "[true, \"false\"]",
			`parameter IsMultiRegionTrail: allowedValues[1] must be true or false, without quotes, got the string "false"`},
		{"no allowed values", "[org-trail]", "[]",
			`parameter CloudTrailName: allowedValues must not be empty`},
		{"pattern", `^arn:aws[a-z-]*:iam::\d{12}:role/.+$`, `^(?!x).*$`,
			"parameter AutomationAssumeRole: allowedPattern cannot be evaluated here: error parsing regexp: invalid or unsupported Perl syntax: `(?!`"},

		{"duplicate name", "name: Settle", "name: StartLogging",
			`step StartLogging: the name is used twice`},
		{"name with a dash", "name: Settle", "name: Settle-down",
			`step Settle-down: the name must be letters, digits and _`},
		{"unknown action", "action: aws:sleep", "action: aws:executeScript",
			`step Settle: action "aws:executeScript" is not modelled: aws:executeAwsApi, aws:branch, aws:assertAwsResourceProperty, aws:waitForAwsResourceProperty and aws:sleep are`},
		{"unknown step option", "timeoutSeconds: 60", "timeoutsSeconds: 60",
			`step WaitUntilLogging: unknown key "timeoutsSeconds"`},
		{"quoted number", "timeoutSeconds: 60", `timeoutSeconds: "60"`,
			`step WaitUntilLogging: timeoutSeconds must be a whole number of at least 1, got the string "60"`},
		{"dangling nextStep", "nextStep: StartLogging", "nextStep: StartLoging",
			`step FindTrail: nextStep names the step "StartLoging", which does not exist`},
		{"nextStep that goes back", "    isEnd: true\n", "    nextStep: FindTrail\n",
			`step ReportStatus: nextStep names the step "FindTrail", which is not after this one: loops are not modelled`},
		{"dangling onFailure", "onFailure: step:CreateTrail", "onFailure: step:createTrail",
			`step FindTrail: onFailure names the step "createTrail", which does not exist; did you mean "CreateTrail"?`},
		{"onFailure", "onFailure: step:CreateTrail", "onFailure: CreateTrail",
			`step FindTrail: onFailure must be Abort, Continue or step:NAME, got "CreateTrail"`},
		{"isEnd and nextStep", "nextStep: StartLogging", "nextStep: StartLogging\n    isEnd: true",
			"step FindTrail: isEnd and nextStep exclude one another\nstep FindTrail: isEnd with onFailure step:CreateTrail is not modelled"},
		{"quoted isCritical", "isCritical: true", `isCritical: "true"`,
			`step UpdateTrail: isCritical must be true or false, got the string "true"`},

		{"unknown parameter", "EventSelectors: '{{ EventSelectors }}'", "EventSelectors: '{{ Eventselectors }}'",
			`step PutEventSelectors: inputs.EventSelectors: {{ Eventselectors }}: there is no parameter "Eventselectors"; did you mean "EventSelectors"?`},
		{"unknown variable", "{{ global:ACCOUNT_ID }}", "{{ global:ORGANIZATION_ID }}",
			`step CreateTrail: inputs.TagsList[0].Value: {{ global:ORGANIZATION_ID }}: not a variable that is modelled: automation:EXECUTION_ID, global:ACCOUNT_ID, global:DATE_TIME, global:REGION`},
		{"output of a later step", "{{ global:ACCOUNT_ID }}", "{{ ReportStatus.IsLogging }}",
			`step CreateTrail: inputs.TagsList[0].Value: {{ ReportStatus.IsLogging }}: no earlier step has the name "ReportStatus"`},
		{"unknown output", "{{ global:ACCOUNT_ID }}", "{{ FindTrail.keyId }}",
			`step CreateTrail: inputs.TagsList[0].Value: {{ FindTrail.keyId }}: step FindTrail has no output "keyId"; did you mean "KeyId"?`},
		{"boolean inside a text", "{{ global:ACCOUNT_ID }}", "{{ IsMultiRegionTrail }}",
			`step CreateTrail: inputs.TagsList[0].Value: {{ IsMultiRegionTrail }} is a Boolean inside a longer string: how AWS spells it there is not documented`},
		{"unclosed reference", "{{ global:ACCOUNT_ID }}", "{{ global:ACCOUNT_ID }",
			`step CreateTrail: inputs.TagsList[0].Value: "{{ global:ACCOUNT_ID }-{{ CloudTrailName }}" holds {{ that does not begin a reference`},
		{"unknown output of the document", "- ReportStatus.IsLogging", "- ReportStatus.Logging",
			`document: outputs[0]: {{ ReportStatus.Logging }}: step ReportStatus has no output "Logging"`},

		{"service given twice", "Api: PutInsightSelectors", "Api: PutInsightSelectors\n      Service: CloudTrail",
			`reading the document as yaml: line 105: the key "Service" is given twice`},
		{"unknown Api", "Api: PutInsightSelectors", "Api: put_insight_selectors",
			`step PutInsightSelectors: inputs.Api: cloudtrail has no operation "put_insight_selectors"; did you mean "PutInsightSelectors"?`},
		{"method of the client that is no operation", "Api: PutInsightSelectors", "Api: Options",
			`step PutInsightSelectors: inputs.Api: cloudtrail has no operation "Options"`},
		{"wrong casing of an input", "      EnableLogFileValidation", "      enableLogFileValidation",
			`step UpdateTrail: inputs: UpdateTrailInput has no member "enableLogFileValidation"; did you mean "EnableLogFileValidation"?`},
		{"name that the output has", "      EnableLogFileValidation", "      LogFileValidationEnabled",
			`step UpdateTrail: inputs: UpdateTrailInput has no member "LogFileValidationEnabled"`},
		{"quoted boolean", "EnableLogFileValidation: true", `EnableLogFileValidation: "true"`,
			`step UpdateTrail: inputs.EnableLogFileValidation: must be true or false, without quotes, got the string "true"`},
		{"string parameter for a boolean", "'{{ IsMultiRegionTrail }}'\n      Enable", "'{{ CloudTrailName }}'\n      Enable",
			`step UpdateTrail: inputs.IsMultiRegionTrail: must be a boolean, and {{ CloudTrailName }} is a String`},
		{"map for a list", "        - InsightType: ApiCallRateInsight", "        InsightType: ApiCallRateInsight",
			`step PutInsightSelectors: inputs.InsightSelectors: must be a list, got a map`},
		{"string list for a list of maps", "EventSelectors: '{{ EventSelectors }}'", "EventSelectors: '{{ Insights }}'",
			`step PutEventSelectors: inputs.EventSelectors: must be a list, and {{ Insights }} is a StringList`},
		{"wrong enum", "- InsightType: ApiCallRateInsight", "- InsightType: ApiCallRate",
			`step PutInsightSelectors: inputs.InsightSelectors[0].InsightType: "ApiCallRate" is not one of ApiCallRateInsight, ApiErrorRateInsight`},
		{"wrong casing in a default", "- ReadWriteType: All", "- readWriteType: All",
			`step PutEventSelectors: inputs.EventSelectors[0]: EventSelector has no member "readWriteType"; did you mean "ReadWriteType"?, in a value of {{ EventSelectors }}`},
		{"wrong enum in a default", "- ReadWriteType: All", "- ReadWriteType: Everything",
			`step PutEventSelectors: inputs.EventSelectors[0].ReadWriteType: "Everything" is not one of ReadOnly, WriteOnly, All, in a value of {{ EventSelectors }}`},
		{"missing required member", "      S3BucketName: '{{ CloudTrailS3BucketName }}'\n      TagsList", "      TagsList",
			`step CreateTrail: inputs.S3BucketName is required by CreateTrail`},
		{"missing nested required member", "- Key: managed-by\n          Value", "- Value",
			`step CreateTrail: inputs.TagsList[0].Key is required by CreateTrail`},

		{"unknown member of a selector", "$.Trail.KmsKeyId", "$.Trail.KMSKeyId",
			`step FindTrail: outputs[1]: Selector "$.Trail.KMSKeyId": Trail has no member "KMSKeyId"; did you mean "KmsKeyId"?`},
		{"selector without $", "$.Trail.KmsKeyId", "Trail.KmsKeyId",
			`step FindTrail: outputs[1]: Selector "Trail.KmsKeyId" must begin with $ and select a member`},
		{"wrong type of an output", "Selector: $.Trail.KmsKeyId\n        Type: String", "Selector: $.Trail.KmsKeyId\n        Type: Boolean",
			`step FindTrail: outputs[1]: Type is Boolean, but $.Trail.KmsKeyId selects a string`},
		{"missing type of an output", "Selector: $.Trail.KmsKeyId\n        Type: String", "Selector: $.Trail.KmsKeyId",
			`step FindTrail: outputs[1]: Type is missing`},
		{"spelling of a desired boolean", `DesiredValues: ["True"]`, `DesiredValues: ["true"]`,
			`step WaitUntilLogging: inputs.DesiredValues[0]: $.IsLogging is a boolean: it compares to the strings "True" and "False", got "true"`},
		{"desired boolean without quotes", `DesiredValues: ["True"]`, `DesiredValues: [True]`,
			`step WaitUntilLogging: inputs.DesiredValues[0]: must be a string, got the boolean true`},
		{"desired value from a boolean parameter", `DesiredValues: ["True"]`, `DesiredValues: ['{{ IsMultiRegionTrail }}']`,
			`step WaitUntilLogging: inputs.DesiredValues[0]: {{ IsMultiRegionTrail }} is a Boolean: how AWS spells it here is not documented; only a String can be compared`},
		{"desired values that are no list", `DesiredValues: ["True"]`, `DesiredValues: "True"`,
			`step WaitUntilLogging: inputs: DesiredValues must be a list, got the string "True"`},
		{"property of the wrong output", "$.IsLogging\n      Desired", "$.Trail.IsLogging\n      Desired",
			`step WaitUntilLogging: inputs: PropertySelector "$.Trail.IsLogging": GetTrailStatusOutput has no member "Trail"`},

		{"operator", "StringEquals: other-trail", "Contains: other-trail",
			`step IsItMultiRegion: inputs.Choices[0].And[1].Not: operator "Contains" is not modelled: And, Or, Not, StringEquals, EqualsIgnoreCase, BooleanEquals are`},
		{"quoted boolean in a choice", "BooleanEquals: false", `BooleanEquals: "false"`,
			`step IsItMultiRegion: inputs.Choices[0].And[0].BooleanEquals: must be true or false, without quotes, got the string "false"`},
		{"boolean operator on a string", "StringEquals: other-trail", "BooleanEquals: true",
			`step IsItMultiRegion: inputs.Choices[0].And[1].Not: Variable must be one reference to a Boolean for BooleanEquals`},
		{"dangling choice", "- NextStep: PutInsightSelectors", "- NextStep: PutInsights",
			`step IsItMultiRegion: inputs.Choices[0]: NextStep names the step "PutInsights", which does not exist`},
		{"dangling default", "Default: PutEventSelectors", "Default: PutSelectors",
			`step IsItMultiRegion: inputs.Default names the step "PutSelectors", which does not exist`},
		{"duration", "Duration: PT10S", "Duration: 10s",
			`step Settle: inputs: Duration must be an ISO 8601 duration such as PT30S, of at most 7 days, got "10s"`},
		{"timeout of a sleep", "Duration: PT10S", "Duration: PT10S\n    timeoutSeconds: 5",
			`step Settle: timeoutSeconds on aws:sleep is not modelled`},
		{"unknown input of an action", "Duration: PT10S", "Duration: PT10S\n      Timestamp: '2024-01-01T00:00:00Z'",
			`step Settle: inputs: unknown key "Timestamp"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse([]byte(replaced(t, test.old, test.new)))
			if err == nil {
				t.Fatalf("valid, want the error:\n%s", test.want)
			}
			if err.Error() != test.want {
				t.Errorf("got the error:\n%s\nwant:\n%s", err, test.want)
			}
		})
	}
}

func TestAllProblemsAreReportedAtOnce(t *testing.T) {
	broken := strings.NewReplacer("Api: CreateTrail", "Api: MakeTrail", "Duration: PT10S", "Duration: soon", "type: StringList", "type: Strings").Replace(runbook)
	_, err := Parse([]byte(broken))
	if err == nil {
		t.Fatal("valid")
	}
	want := `parameter Insights: type "Strings" is not one of String, Boolean, Integer, StringList, MapList
step CreateTrail: inputs.Api: cloudtrail has no operation "MakeTrail"
step Settle: inputs: Duration must be an ISO 8601 duration such as PT30S, of at most 7 days, got "soon"`
	if err.Error() != want {
		t.Errorf("got:\n%s\nwant:\n%s", err, want)
	}
}

func TestJSONEscapesAreRead(t *testing.T) {
	doc, err := Parse([]byte(strings.Replace(oneStep(`{"Service": "sts", "Api": "GetCallerIdentity"}`), `{"schema`, `{"description": "a\/b \u00e9 \ud83d\ude00 \"\t", "schema`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if want := "a/b é 😀 \"\t"; doc.Description != want {
		t.Errorf("got %q, want %q", doc.Description, want)
	}
}

func TestTextsThatAreNoDocumentAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                   "reading the document as yaml: EOF",
		"- a":                "document: must be a map, got a list",
		`{"a": 1, "a": 2}`:   `reading the document as json: the key "a" is given twice`,
		`{"a": [1, {"b": 2}`: "reading the document as json: EOF",
		`{"a": 1} {}`:        "reading the document as json: something follows the value",
		"a: 1\n---\nb: 2":    "reading the document as yaml: more than one document",
		"a: &x 1\nb: *x":     "reading the document as yaml: line 1: anchors, aliases and tags are not allowed",
		"a: !!str 1":         "reading the document as yaml: line 1: anchors, aliases and tags are not allowed",
		"a: 012":             "reading the document as yaml: line 1: 012 is not a plain decimal number: quote it if it is a text",
		"1: a":               `reading the document as yaml: line 1: the key "1" is not a string`,
	} {
		_, err := Parse([]byte(text))
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got the error %v, want %s", text, err, want)
		}
	}
}

func TestADocumentOfMoreThan64KBIsRefused(t *testing.T) {
	fits := runbook + "#" + strings.Repeat(" ", 64*1024-len(runbook)-1)
	if _, err := Parse([]byte(fits)); err != nil {
		t.Errorf("64 KB: %v", err)
	}
	_, err := Parse([]byte(fits + " "))
	if want := "the document has 65537 bytes: at most 65536 are allowed"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// oneStep is a document of one executeAwsApi step.
func oneStep(inputs string) string {
	return `{"schemaVersion": "0.3", "mainSteps": [{"name": "Only", "action": "aws:executeAwsApi", "inputs": ` + inputs + `}]}`
}

func TestInputsAreNamedAsBoto3NamesThem(t *testing.T) {
	tests := []struct{ name, inputs, want string }{
		{"config", `{"Service": "config", "Api": "DeleteRemediationExceptions", "ConfigRuleName": "r",
			"ResourceKeys": [{"ResourceType": "AWS::::Account", "ResourceId": "123456789012"}]}`, ""},
		{"config in the casing of another API of it", `{"Service": "config", "Api": "DeleteRemediationExceptions", "ConfigRuleName": "r",
			"ResourceKeys": [{"resourceType": "AWS::::Account", "ResourceId": "1"}]}`,
			`step Only: inputs.ResourceKeys[0]: RemediationExceptionResourceKey has no member "resourceType"; did you mean "ResourceType"?`},
		{"config without required members", `{"Service": "config", "Api": "PutRemediationConfigurations", "RemediationConfigurations": [
			{"ConfigRuleName": "r", "TargetId": "d", "Parameters": {"Id": {"ResourceValue": {}}}}]}`,
			"step Only: inputs.RemediationConfigurations[0].TargetType is required by PutRemediationConfigurations\n" +
				"step Only: inputs.RemediationConfigurations[0].Parameters[\"Id\"].ResourceValue.Value is required by PutRemediationConfigurations"},
		{"config, lower camel", `{"Service": "config", "Api": "PutConfigurationRecorder", "ConfigurationRecorder":
			{"name": "default", "roleARN": "arn", "recordingGroup": {"allSupported": false, "resourceTypes": ["AWS::CloudTrail::Trail"]}}}`, ""},
		{"config, remediation", `{"Service": "config", "Api": "PutRemediationConfigurations", "RemediationConfigurations": [
			{"ConfigRuleName": "r", "TargetType": "SSM_DOCUMENT", "TargetId": "d", "Automatic": true, "MaximumAutomaticAttempts": 5,
			 "Parameters": {"CloudTrailName": {"StaticValue": {"Values": ["t"]}}, "Id": {"ResourceValue": {"Value": "RESOURCE_ID"}}}}]}`, ""},
		{"config, enum in a map", `{"Service": "config", "Api": "PutRemediationConfigurations", "RemediationConfigurations": [
			{"ConfigRuleName": "r", "TargetType": "SSM_DOCUMENT", "TargetId": "d",
			 "Parameters": {"Id": {"ResourceValue": {"Value": "RESOURCE_NAME"}}}}]}`,
			`step Only: inputs.RemediationConfigurations[0].Parameters.Id.ResourceValue.Value: "RESOURCE_NAME" is not one of RESOURCE_ID`},
		{"logs", `{"Service": "logs", "Api": "PutRetentionPolicy", "logGroupName": "g", "retentionInDays": 365}`, ""},
		{"logs in Go's casing", `{"Service": "logs", "Api": "PutRetentionPolicy", "LogGroupName": "g", "retentionInDays": 365}`,
			`step Only: inputs: PutRetentionPolicyInput has no member "LogGroupName"; did you mean "logGroupName"?`},
		{"logs without a required member", `{"Service": "logs", "Api": "PutRetentionPolicy", "retentionInDays": 365}`,
			`step Only: inputs.logGroupName is required by PutRetentionPolicy`},
		{"logs with a quoted number", `{"Service": "logs", "Api": "PutRetentionPolicy", "logGroupName": "g", "retentionInDays": "365"}`,
			`step Only: inputs.retentionInDays: must be a whole number of 32 bits, got the string "365"`},
		{"cloudtrail, lower camel", `{"Service": "cloudtrail", "Api": "DescribeTrails", "trailNameList": ["t"], "includeShadowTrails": false}`, ""},
		{"s3", `{"Service": "s3", "Api": "PutBucketEncryption", "Bucket": "b", "ServerSideEncryptionConfiguration": {"Rules": [
			{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "k"}, "BucketKeyEnabled": true}]}}`, ""},
		{"s3 in the casing of XML", `{"Service": "s3", "Api": "PutBucketVersioning", "Bucket": "b", "VersioningConfiguration": {"status": "Enabled"}}`,
			`step Only: inputs.VersioningConfiguration: VersioningConfiguration has no member "status"; did you mean "Status"?`},
		{"s3 stream", `{"Service": "s3", "Api": "GetObject", "Bucket": "b", "Key": "k"}`,
			`step Only: inputs.Api: s3 GetObject streams: Automation does not support it`},
		{"service", `{"Service": "CloudTrail", "Api": "GetTrail", "Name": "t"}`,
			`step Only: inputs.Service "CloudTrail" is not one of cloudtrail, cloudwatch, config, events, iam, kms, logs, s3, sns, sqs, ssm, sts`},
		{"service in the name of the Go SDK", `{"Service": "configservice", "Api": "DescribeConfigRules"}`,
			`step Only: inputs.Service "configservice" is not one of cloudtrail, cloudwatch, config, events, iam, kms, logs, s3, sns, sqs, ssm, sts`},
		{"kms", `{"Service": "kms", "Api": "EnableKey", "KeyId": "k"}`, ""},
		{"iam", `{"Service": "iam", "Api": "GetRole", "RoleName": "r"}`, ""},
		{"sns", `{"Service": "sns", "Api": "Publish", "TopicArn": "t", "Message": "m"}`, ""},
		{"events", `{"Service": "events", "Api": "EnableRule", "Name": "r"}`, ""},
		{"null", `{"Service": "events", "Api": "EnableRule", "Name": null}`,
			`step Only: inputs.Name: must be a string, got null`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse([]byte(oneStep(test.inputs)))
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("got the error:\n%s\nwant:\n%s", got, test.want)
			}
		})
	}
}

// TestLowerCamelNamesExist finds an entry that no longer matches a field of the SDK.
func TestLowerCamelNamesExist(t *testing.T) {
	var c catalog
	for service, names := range map[string][]string{"cloudtrail": {"DescribeTrails"}, "iam": {"ListDelegationRequests"},
		"sns": {"CheckIfPhoneNumberIsOptedOut", "GetSMSAttributes", "ListPhoneNumbersOptedOut", "OptInPhoneNumber", "SetSMSAttributes"}} {
		for _, name := range names {
			op, err := c.operation(service, name)
			if err != nil {
				t.Fatal(err)
			}
			for field := range lowerCamelNames() {
				parts := strings.Split(field, ".")
				for _, typ := range []string{op.input.Name(), op.output.Name()} {
					if parts[0] != service || parts[1] != typ {
						continue
					}
					_, in := op.input.FieldByName(parts[2])
					_, out := op.output.FieldByName(parts[2])
					if !in && !out {
						t.Errorf("%s is no field", field)
					}
				}
			}
		}
	}
}
