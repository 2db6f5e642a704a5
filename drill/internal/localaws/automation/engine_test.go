package automation

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/trailguard/trailguard/drill/internal/localaws/api"
)

// script is a CloudTrail that answers each operation with its answers in turn, the last one again and again. An answer
// is the body of a response, or, if it begins with !, the code of an error. It is also what has been sent.
type script struct {
	answers map[string][]string
	sent    []string // operation and body
	before  func(operation string)
}

func (s *script) Do(r *http.Request) (*http.Response, error) {
	operation := r.Header.Get("X-Amz-Target")
	operation = operation[strings.LastIndex(operation, ".")+1:]
	if s.before != nil {
		s.before(operation)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.sent = append(s.sent, operation+" "+string(body))
	answer := "{}"
	if answers := s.answers[operation]; len(answers) > 0 {
		answer = answers[0]
		if len(answers) > 1 {
			s.answers[operation] = answers[1:]
		}
	}
	status := http.StatusOK
	if code, isError := strings.CutPrefix(answer, "!"); isError {
		status, answer = http.StatusBadRequest, `{"__type":"`+code+`","Message":"no"}`
	}
	return &http.Response{
		StatusCode: status, Request: r, Body: io.NopCloser(strings.NewReader(answer)),
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}},
	}, nil
}

func (s *script) operations() []string {
	var names []string
	for _, sent := range s.sent {
		name, _, _ := strings.Cut(sent, " ")
		names = append(names, name)
	}
	return names
}

var noon = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

func newEngine(s *script) *Engine {
	return &Engine{
		Config: aws.Config{Region: "us-east-1", HTTPClient: s, Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret", "")},
		Clock:  api.NewClock(noon),
	}
}

// healthy answers as a trail in its declared state.
func healthy() *script {
	return &script{answers: map[string][]string{
		"GetTrail":       {`{"Trail":{"Name":"org-trail","S3BucketName":"logs-bucket","IsOrganizationTrail":false,"KmsKeyId":"key"}}`},
		"GetTrailStatus": {`{"IsLogging":true}`},
	}}
}

func declared() map[string][]string {
	return map[string][]string{
		"AutomationAssumeRole":   {"arn:aws:iam::123456789012:role/guard"},
		"CloudTrailName":         {"org-trail"},
		"CloudTrailS3BucketName": {"logs-bucket"},
	}
}

func mustParse(t testing.TB, document string) *Document {
	t.Helper()
	doc, err := Parse([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func start(t testing.TB, e *Engine, document string, parameters map[string][]string) *Execution {
	t.Helper()
	x, err := e.Start(mustParse(t, document), parameters, Options{DocumentName: "guard"})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func run(t testing.TB, e *Engine, document string, parameters map[string][]string) *Execution {
	t.Helper()
	x := start(t, e, document, parameters)
	x.Run(context.Background())
	return x
}

func stepNames(x *Execution) []string {
	var names []string
	for _, record := range x.Steps {
		names = append(names, record.Name+" "+string(record.Status))
	}
	return names
}

func expect(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

func TestAHealthyTrailIsRestoredWithTypedInputs(t *testing.T) {
	cloud := healthy()
	e := newEngine(cloud)
	var statuses []Status
	e.OnStatus = func(x *Execution) { statuses = append(statuses, x.Status) }
	x := run(t, e, runbook, declared())

	expect(t, "status", x.Status, Success)
	expect(t, "failure", x.FailureMessage, "")
	expect(t, "status changes", statuses, []Status{InProgress, Success})
	expect(t, "role", x.AssumeRole, "arn:aws:iam::123456789012:role/guard")
	expect(t, "outputs", x.Outputs, map[string]any{"ReportStatus.IsLogging": true})
	expect(t, "steps", stepNames(x), []string{"FindTrail Success", "StartLogging Success", "UpdateTrail Success",
		"IsItMultiRegion Success", "PutEventSelectors Success", "PutInsightSelectors Success", "Settle Success",
		"WaitUntilLogging Success", "AssertBucket Success", "ReportStatus Success"})
	expect(t, "sent", cloud.sent, []string{
		`GetTrail {"Name":"org-trail"}`,
		`StartLogging {"Name":"org-trail"}`,
		`UpdateTrail {"EnableLogFileValidation":true,"IsMultiRegionTrail":true,"KmsKeyId":"","Name":"org-trail","S3BucketName":"logs-bucket"}`,
		`PutEventSelectors {"EventSelectors":[{"IncludeManagementEvents":true,"ReadWriteType":"All"}],"TrailName":"org-trail"}`,
		`PutInsightSelectors {"InsightSelectors":[{"InsightType":"ApiCallRateInsight"}],"TrailName":"org-trail"}`,
		`GetTrailStatus {"Name":"org-trail"}`,
		`GetTrail {"Name":"org-trail"}`,
		`GetTrailStatus {"Name":"org-trail"}`,
	})
	for i, call := range x.Calls {
		body, err := json.Marshal(call.Input)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, "recorded input", call.API+" "+string(body), cloud.sent[i])
	}
	expect(t, "mutating calls", x.MutatingCalls(), 4)
	expect(t, "mutating calls to kms", x.MutatingCallsTo("kms"), 0)
	found, _ := x.Record("FindTrail")
	expect(t, "outputs of FindTrail", found.Outputs, map[string]any{"IsOrganizationTrail": false, "KeyId": "key"})
	// Eight calls and a branch of 1 s each, and a sleep of 10 s.
	expect(t, "duration", x.EndTime.Sub(x.StartTime), 19*time.Second)
}

func TestRunTimeParametersReachTheAPIWithTheirTypes(t *testing.T) {
	cloud := healthy()
	parameters := declared()
	parameters["IsMultiRegionTrail"] = []string{"True"}
	parameters["EventSelectors"] = []string{`{"ReadWriteType":"ReadOnly"}`, `{"ReadWriteType":"WriteOnly","IncludeManagementEvents":false}`}
	x := run(t, newEngine(cloud), runbook, parameters)
	expect(t, "status", x.Status, Success)
	expect(t, "sent", cloud.sent[3], `PutEventSelectors {"EventSelectors":[{"ReadWriteType":"ReadOnly"},{"IncludeManagementEvents":false,"ReadWriteType":"WriteOnly"}],"TrailName":"org-trail"}`)
}

func TestAMapListWithAMistakeFailsTheStepBeforeAnyCall(t *testing.T) {
	for value, want := range map[string]string{
		`{"readWriteType":"All"}`:                 `inputs.EventSelectors[0]: EventSelector has no member "readWriteType"; did you mean "ReadWriteType"?`,
		`{"ReadWriteType":"Some"}`:                `inputs.EventSelectors[0].ReadWriteType: "Some" is not one of ReadOnly, WriteOnly, All`,
		`{"IncludeManagementEvents":"true"}`:      `inputs.EventSelectors[0].IncludeManagementEvents: must be true or false, without quotes, got the string "true"`,
		`{"DataResources":[{"Values":["a", 1]}]}`: `inputs.EventSelectors[0].DataResources[0].Values[1]: must be a string, got the number 1`,
	} {
		cloud := healthy()
		parameters := declared()
		parameters["EventSelectors"] = []string{value}
		x := run(t, newEngine(cloud), runbook, parameters)
		record, _ := x.Record("PutEventSelectors")
		expect(t, "message", record.FailureMessage, "cloudtrail PutEventSelectors: "+want)
		for _, sent := range cloud.sent {
			if strings.HasPrefix(sent, "PutEventSelectors") {
				t.Errorf("it was sent: %s", sent)
			}
		}
	}
}

func TestARequiredMemberThatOnlyAValueLacksFailsTheStepBeforeAnyCall(t *testing.T) {
	cloud := &script{}
	document := `{"schemaVersion": "0.3", "parameters": {"Tags": {"type": "MapList"}}, "mainSteps": [
		{"name": "Tag", "action": "aws:executeAwsApi", "inputs": {"Service": "cloudtrail", "Api": "AddTags", "ResourceId": "t", "TagsList": "{{ Tags }}"}}]}`
	x := run(t, newEngine(cloud), document, map[string][]string{"Tags": {`{"Value":"v"}`}})
	expect(t, "status", x.Status, Failed)
	expect(t, "message", x.FailureMessage, "step Tag: cloudtrail AddTags: inputs.TagsList[0].Key is required by AddTags")
	expect(t, "calls", len(x.Calls)+len(cloud.sent), 0)
}

func TestARequestThatTheSDKCannotMakeIsNoCall(t *testing.T) {
	document := `{"schemaVersion": "0.3", "parameters": {"Key": {"type": "String"}}, "mainSteps": [
		{"name": "Look", "action": "aws:executeAwsApi", "inputs": {"Service": "s3", "Api": "HeadObject", "Bucket": "b", "Key": "{{ Key }}"}}]}`
	cloud := &script{}
	x := run(t, newEngine(cloud), document, map[string][]string{"Key": {""}})
	expect(t, "status", x.Status, Failed)
	expect(t, "message", x.FailureMessage, "step Look: s3 HeadObject: the request cannot be made: serialization failed: input member Key must not be empty")
	expect(t, "calls", len(x.Calls)+len(cloud.sent), 0)
}

func TestParametersAreRefusedAtTheStart(t *testing.T) {
	long := strings.Repeat("x", 513)
	document := `{"schemaVersion": "0.3", "parameters": {
		"Name": {"type": "String", "allowedValues": ["a", "b"]},
		"Role": {"type": "String", "allowedPattern": "arn:.*", "default": "arn:x"},
		"Flag": {"type": "Boolean", "default": false},
		"Count": {"type": "Integer", "default": 1, "allowedValues": [1, 2]},
		"Names": {"type": "StringList", "default": [], "allowedValues": ["a", "b"]},
		"Maps": {"type": "MapList", "default": [], "allowedValues": [{"A": 1, "B": [true]}]}},
		"mainSteps": [{"name": "Wait", "action": "aws:sleep", "inputs": {"Duration": "PT1S"}}]}`
	tests := []struct {
		name, want string
		given      map[string][]string
	}{
		{"nothing wrong", "", map[string][]string{"Name": {"a"}, "Flag": {"True"}, "Count": {"2"}, "Names": {"a", "b"}, "Maps": {`{"B":[true],"A":1}`}}},
		{"required", "parameter Name is required", nil},
		{"unknown", "parameter name is not defined in the document; parameter Name is required", map[string][]string{"name": {"a"}}},
		{"not allowed", `parameter Name: "c" is not one of the allowedValues ["a","b"]`, map[string][]string{"Name": {"c"}}},
		{"two values", `parameter Name: must have one value, got 2`, map[string][]string{"Name": {"a", "b"}}},
		{"pattern", `parameter Role: "x arn:" does not match the allowedPattern arn:.*`, map[string][]string{"Name": {"a"}, "Role": {"x arn:"}}},
		{"boolean", `parameter Flag: value 0 must be true or false, got "yes"`, map[string][]string{"Name": {"a"}, "Flag": {"yes"}}},
		{"number", `parameter Count: value 0 must be a whole number, got "one"`, map[string][]string{"Name": {"a"}, "Count": {"one"}}},
		{"number that is not allowed", `parameter Count: 3 is not one of the allowedValues [1,2]`, map[string][]string{"Name": {"a"}, "Count": {"3"}}},
		{"item", `parameter Names: [1] "c" is not one of the allowedValues ["a","b"]`, map[string][]string{"Name": {"a"}, "Names": {"a", "c"}}},
		{"map", `parameter Maps: [0] {"A":1,"B":[false]} is not one of the allowedValues [{"A":1,"B":[true]}]`, map[string][]string{"Name": {"a"}, "Maps": {`{"A":1,"B":[false]}`}}},
		{"map with a key twice", `parameter Maps: value 0 must be a JSON object: the key "A" is given twice`, map[string][]string{"Name": {"a"}, "Maps": {`{"A":1,"A":2}`}}},
		{"text that is no map", `parameter Maps: [0] must be a map, got the string "a"`, map[string][]string{"Name": {"a"}, "Maps": {`"a"`}}},
		{"two maps in one text", `parameter Maps: value 0 must be a JSON object: something follows the value`, map[string][]string{"Name": {"a"}, "Maps": {`{} {}`}}},
		{"long", `parameter Role: value 0 has 513 characters: at most 512 are allowed`, map[string][]string{"Name": {"a"}, "Role": {long}}},
		{"all at once", `parameter Flag: value 0 must be true or false, got ""; parameter Name: "" is not one of the allowedValues ["a","b"]`, map[string][]string{"Name": {""}, "Flag": {""}}},
	}
	doc := mustParse(t, document)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := newEngine(&script{}).Start(doc, test.given, Options{})
			if test.want == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			var refused *api.Error
			if !errors.As(err, &refused) {
				t.Fatalf("got %v, want an *api.Error", err)
			}
			expect(t, "code", refused.Code, "InvalidAutomationExecutionParametersException")
			expect(t, "message", refused.Message, test.want)
		})
	}
}

func TestForeignValuesAreRefusedByAllowedValues(t *testing.T) {
	parameters := declared()
	parameters["CloudTrailName"] = []string{"attackers-trail"}
	_, err := newEngine(healthy()).Start(mustParse(t, runbook), parameters, Options{})
	want := `InvalidAutomationExecutionParametersException: parameter CloudTrailName: "attackers-trail" is not one of the allowedValues ["org-trail"]`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestARoleThatCannotBeAssumedIsRefusedAtTheStart(t *testing.T) {
	e := newEngine(healthy())
	var asked string
	e.AssumeRole = func(role string) error { asked = role; return errors.New("no such role") }
	_, err := e.Start(mustParse(t, runbook), declared(), Options{})
	want := "InvalidAutomationExecutionParametersException: the role arn:aws:iam::123456789012:role/guard cannot be assumed: no such role"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	expect(t, "asked for", asked, "arn:aws:iam::123456789012:role/guard")
}

func TestThrottledTwiceThenSucceedsWithinThreeAttempts(t *testing.T) {
	cloud := healthy()
	cloud.answers["StartLogging"] = []string{"!ThrottlingException", "!ThrottlingException", "{}"}
	e := newEngine(cloud)
	e.StepDuration, e.RetryInterval = time.Second, 4*time.Second
	x := run(t, e, runbook, declared())
	expect(t, "status", x.Status, Success)
	record, _ := x.Record("StartLogging")
	expect(t, "attempts", record.Attempts, 3)
	expect(t, "message", record.FailureMessage, "")
	expect(t, "duration", record.EndTime.Sub(record.StartTime), 11*time.Second)
	var codes []string
	for _, call := range x.Calls {
		if call.Step == "StartLogging" {
			codes = append(codes, call.ErrorCode)
		}
	}
	expect(t, "error codes", codes, []string{"ThrottlingException", "ThrottlingException", ""})
}

func TestThrottledThreeTimesAborts(t *testing.T) {
	cloud := healthy()
	cloud.answers["StartLogging"] = []string{"!ThrottlingException"}
	x := run(t, newEngine(cloud), runbook, declared())
	expect(t, "status", x.Status, Failed)
	expect(t, "message", x.FailureMessage, "step StartLogging: cloudtrail StartLogging: ThrottlingException: no")
	expect(t, "sent", cloud.operations(), []string{"GetTrail", "StartLogging", "StartLogging", "StartLogging"})
	expect(t, "steps", stepNames(x), []string{"FindTrail Success", "StartLogging Failed"})
	expect(t, "outputs", x.Outputs, map[string]any{})
}

func TestACriticalFailureThatContinuesFailsTheExecutionAtItsEnd(t *testing.T) {
	cloud := healthy()
	cloud.answers["UpdateTrail"] = []string{"!AccessDeniedException"}
	x := run(t, newEngine(cloud), runbook, declared())
	expect(t, "status", x.Status, Failed)
	expect(t, "message", x.FailureMessage, "step UpdateTrail: cloudtrail UpdateTrail: AccessDeniedException: no")
	record, _ := x.Record("UpdateTrail")
	expect(t, "step's message", record.FailureMessage, "cloudtrail UpdateTrail: AccessDeniedException: no")
	last, _ := x.Record("ReportStatus")
	expect(t, "last step", last.Status, Success)
	expect(t, "outputs", x.Outputs, map[string]any{"ReportStatus.IsLogging": true})
}

func TestAFailureThatIsNotCriticalDoesNotFailTheExecution(t *testing.T) {
	cloud := healthy()
	cloud.answers["UpdateTrail"] = []string{"!AccessDeniedException"}
	for _, critical := range []string{"    isCritical: false", ""} { // Continue alone is not critical
		x := run(t, newEngine(cloud), replaced(t, "    isCritical: true", critical), declared())
		expect(t, "status", x.Status, Success)
		record, _ := x.Record("UpdateTrail")
		expect(t, "step", record.Status, Failed)
	}
}

func TestOnFailureLeadsToTheStepThatItNames(t *testing.T) {
	cloud := healthy()
	found := cloud.answers["GetTrail"][0]
	cloud.answers["GetTrail"] = []string{"!TrailNotFoundException", "!TrailNotFoundException", "!TrailNotFoundException", found}
	x := run(t, newEngine(cloud), runbook, declared())
	expect(t, "status", x.Status, Success)
	expect(t, "sent", cloud.operations()[:5], []string{"GetTrail", "GetTrail", "GetTrail", "CreateTrail", "StartLogging"})
	expect(t, "CreateTrail", cloud.sent[3], `CreateTrail {"Name":"org-trail","S3BucketName":"logs-bucket","TagsList":[{"Key":"managed-by","Value":"123456789012-org-trail"}]}`)

	critical := strings.Replace(runbook, "    isCritical: false\n    nextStep", "    nextStep", 1)
	cloud.answers["GetTrail"] = []string{"!TrailNotFoundException", "!TrailNotFoundException", "!TrailNotFoundException", found}
	x = run(t, newEngine(cloud), critical, declared())
	expect(t, "status if critical", x.Status, Failed)
	expect(t, "message", x.FailureMessage, "step FindTrail: cloudtrail GetTrail: TrailNotFoundException: no")
	last, _ := x.Record("ReportStatus")
	expect(t, "last step", last.Status, Success)
}

func TestAStepThatUsesTheOutputOfAFailedStepFails(t *testing.T) {
	cloud := healthy()
	cloud.answers["GetTrail"] = []string{"!TrailNotFoundException"}
	x := run(t, newEngine(cloud), replaced(t, "{{ global:ACCOUNT_ID }}", "{{ FindTrail.KeyId }}"), declared())
	record, _ := x.Record("CreateTrail")
	expect(t, "message", record.FailureMessage, "{{ FindTrail.KeyId }} has no value: step FindTrail did not succeed")
}

func TestAWaitPollsUntilTheValueIsThere(t *testing.T) {
	cloud := healthy()
	cloud.answers["GetTrailStatus"] = []string{`{"IsLogging":false}`, `{"IsLogging":false}`, `{"IsLogging":true}`}
	x := run(t, newEngine(cloud), runbook, declared())
	expect(t, "status", x.Status, Success)
	record, _ := x.Record("WaitUntilLogging")
	expect(t, "attempts", record.Attempts, 1)
	expect(t, "duration", record.EndTime.Sub(record.StartTime), 3*time.Second+2*5*time.Second)
}

func TestAWaitTimesOut(t *testing.T) {
	cloud := healthy()
	cloud.answers["GetTrailStatus"] = []string{`{"IsLogging":false}`}
	for _, test := range []struct {
		document string
		duration time.Duration
		message  string
	}{
		{runbook, 60 * time.Second, `step WaitUntilLogging: cloudtrail GetTrailStatus: $.IsLogging is "False", not "True": timed out after 1m0s`},
		{replaced(t, "    timeoutSeconds: 60\n", ""), 3600 * time.Second, `step WaitUntilLogging: cloudtrail GetTrailStatus: $.IsLogging is "False", not "True": timed out after 1h0m0s`},
	} {
		x := run(t, newEngine(cloud), test.document, declared())
		expect(t, "status", x.Status, TimedOut)
		expect(t, "message", x.FailureMessage, test.message)
		record, _ := x.Record("WaitUntilLogging")
		expect(t, "step", record.Status, TimedOut)
		expect(t, "duration", record.EndTime.Sub(record.StartTime), test.duration)
	}
}

func TestEachAttemptOfAWaitHasItsOwnTimeout(t *testing.T) {
	cloud := healthy()
	cloud.answers["GetTrailStatus"] = []string{`{"IsLogging":false}`}
	x := run(t, newEngine(cloud), replaced(t, "timeoutSeconds: 60", "timeoutSeconds: 60\n    maxAttempts: 2"), declared())
	record, _ := x.Record("WaitUntilLogging")
	expect(t, "attempts", record.Attempts, 2)
	expect(t, "duration", record.EndTime.Sub(record.StartTime), 121*time.Second)
}

func TestAnAssertionFailsAtOnce(t *testing.T) {
	cloud := healthy()
	cloud.answers["GetTrail"] = []string{`{"Trail":{"S3BucketName":"foreign-bucket","IsOrganizationTrail":false,"KmsKeyId":"k"}}`}
	x := run(t, newEngine(cloud), runbook, declared())
	expect(t, "status", x.Status, Failed)
	expect(t, "message", x.FailureMessage, `step AssertBucket: cloudtrail GetTrail: $.Trail.S3BucketName is "foreign-bucket", not "logs-bucket"`)
}

func TestACallThatTakesMoreThan25SecondsTimesOut(t *testing.T) {
	for duration, want := range map[time.Duration]Status{25 * time.Second: Success, 26 * time.Second: TimedOut} {
		e := newEngine(healthy())
		e.StepDuration = duration
		x := run(t, e, replaced(t, "onFailure: step:CreateTrail", "onFailure: Abort"), declared())
		expect(t, "status after "+duration.String(), x.Status, want)
	}
}

func TestBothReadingsOfASelectorThatMatchesNothing(t *testing.T) {
	document := `{"schemaVersion": "0.3", "mainSteps": [
		{"name": "Find", "action": "aws:executeAwsApi", "inputs": {"Service": "cloudtrail", "Api": "GetTrail", "Name": "t"}, "outputs": [
			{"Name": "KeyId", "Selector": "$.Trail.KmsKeyId", "Type": "String"},
			{"Name": "Organization", "Selector": "$.Trail.IsOrganizationTrail", "Type": "Boolean"}]},
		{"name": "Choose", "action": "aws:branch", "inputs": {"Choices": [
			{"NextStep": "Own", "Variable": "{{ Find.Organization }}", "BooleanEquals": true}], "Default": "Foreign"}},
		{"name": "Own", "action": "aws:sleep", "inputs": {"Duration": "PT1S"}, "isEnd": true},
		{"name": "Foreign", "action": "aws:waitForAwsResourceProperty", "timeoutSeconds": 20, "inputs": {"Service": "cloudtrail", "Api": "GetTrail", "Name": "t",
			"PropertySelector": "$.Trail.KmsKeyId", "DesiredValues": ["key"]}}]}`
	appears := func() *script {
		return &script{answers: map[string][]string{"GetTrail": {`{"Trail":{}}`, `{"Trail":{}}`, `{"Trail":{"KmsKeyId":"key"}}`}}}
	}

	e := newEngine(appears())
	x := run(t, e, document, nil)
	expect(t, "FailStep", x.FailureMessage, "step Find: cloudtrail GetTrail: the selector $.Trail.KmsKeyId of output KeyId matches nothing")
	expect(t, "FailStep", x.Status, Failed)

	e = newEngine(appears())
	e.UnmatchedSelector = EmptyOutput
	x = run(t, e, document, nil)
	expect(t, "EmptyOutput", stepNames(x), []string{"Find Success", "Choose Success", "Foreign Success"})
	expect(t, "EmptyOutput", x.Steps[0].Outputs, map[string]any{"KeyId": "", "Organization": ""})

	e = newEngine(&script{answers: map[string][]string{"GetTrail": {`{"Trail":{}}`}}})
	e.UnmatchedSelector = EmptyOutput
	x = run(t, e, strings.Replace(document, `["key"]`, `[""]`, 1), nil)
	expect(t, "EmptyOutput of a wait for the empty string", x.Status, TimedOut)

	waits := `{"schemaVersion": "0.3", "mainSteps": [` + document[strings.Index(document, `{"name": "Foreign"`):]
	x = run(t, newEngine(appears()), waits, nil)
	expect(t, "FailStep of a wait", x.FailureMessage, "step Foreign: cloudtrail GetTrail: the selector $.Trail.KmsKeyId matches nothing")
}

func TestSelectorsGiveListsMapsAndItems(t *testing.T) {
	document := `{"schemaVersion": "0.3", "mainSteps": [{"name": "Find", "action": "aws:executeAwsApi",
		"inputs": {"Service": "cloudtrail", "Api": "GetEventSelectors", "TrailName": "t"}, "outputs": [
			{"Name": "First", "Selector": "$.EventSelectors[0].IncludeManagementEvents", "Type": "Boolean"},
			{"Name": "Selectors", "Selector": "$.EventSelectors", "Type": "MapList"},
			{"Name": "Selector", "Selector": "$.EventSelectors[1]", "Type": "StringMap"},
			{"Name": "Kinds", "Selector": "$.EventSelectors[*].ReadWriteType", "Type": "StringList"},
			{"Name": "Excluded", "Selector": "$.EventSelectors[?(@.ReadWriteType == 'All')].ExcludeManagementEventSources[0]", "Type": "StringList"}]}]}`
	cloud := &script{answers: map[string][]string{"GetEventSelectors": {`{"EventSelectors":[
		{"ReadWriteType":"All","IncludeManagementEvents":false,"ExcludeManagementEventSources":["kms.amazonaws.com"]},{"ReadWriteType":"ReadOnly"}]}`}}}
	x := run(t, newEngine(cloud), document, nil)
	first := map[string]any{"ReadWriteType": "All", "IncludeManagementEvents": false, "ExcludeManagementEventSources": []any{"kms.amazonaws.com"}}
	second := map[string]any{"ReadWriteType": "ReadOnly"}
	expect(t, "message", x.FailureMessage, "")
	expect(t, "outputs", x.Steps[0].Outputs, map[string]any{
		"First": false, "Selectors": []any{first, second}, "Selector": second,
		"Kinds": []any{"All", "ReadOnly"}, "Excluded": []any{"kms.amazonaws.com"},
	})
}

func TestTimesAndNumbersAreExportedAndVariablesFilledIn(t *testing.T) {
	document := `{"schemaVersion": "0.3", "mainSteps": [
		{"name": "Find", "action": "aws:executeAwsApi", "inputs": {"Service": "kms", "Api": "DescribeKey",
			"KeyId": "{{ global:REGION }}/{{ global:DATE_TIME }}/{{automation:EXECUTION_ID}}"}, "outputs": [
			{"Name": "Deletion", "Selector": "$.KeyMetadata.DeletionDate", "Type": "String"},
			{"Name": "Window", "Selector": "$.KeyMetadata.PendingDeletionWindowInDays", "Type": "Integer"}]},
		{"name": "Check", "action": "aws:assertAwsResourceProperty", "inputs": {"Service": "kms", "Api": "DescribeKey",
			"KeyId": "{{ Find.Window }} {{ Find.Deletion }}", "PropertySelector": "$.KeyMetadata.PendingDeletionWindowInDays", "DesiredValues": ["7", "30"]}}]}`
	cloud := &script{answers: map[string][]string{"DescribeKey": {`{"KeyMetadata":{"KeyId":"k","DeletionDate":1714564800,"PendingDeletionWindowInDays":30}}`}}}
	x := run(t, newEngine(cloud), document, nil)
	expect(t, "message", x.FailureMessage, "")
	expect(t, "outputs", x.Steps[0].Outputs, map[string]any{"Deletion": "2024-05-01T12:00:00Z", "Window": int64(30)})
	expect(t, "sent", cloud.sent, []string{
		`DescribeKey {"KeyId":"us-east-1/2024-05-01_12.00.00/` + x.ID + `"}`,
		`DescribeKey {"KeyId":"30 2024-05-01T12:00:00Z"}`,
	})
}

func TestABranchTakesTheFirstChoiceThatHolds(t *testing.T) {
	document := func(choices, fallback string) string {
		return `{"schemaVersion": "0.3", "parameters": {"Name": {"type": "String"}, "Flag": {"type": "Boolean"}}, "mainSteps": [
			{"name": "Choose", "action": "aws:branch", "inputs": {"Choices": [` + choices + `]` + fallback + `}},
			{"name": "Next", "action": "aws:sleep", "inputs": {"Duration": "PT1S"}, "isEnd": true},
			{"name": "A", "action": "aws:sleep", "inputs": {"Duration": "PT1S"}, "isEnd": true},
			{"name": "B", "action": "aws:sleep", "inputs": {"Duration": "PT1S"}, "isEnd": true}]}`
	}
	const name, flag = `"Variable": "{{ Name }}"`, `"Variable": "{{ Flag }}"`
	tests := []struct{ choices, fallback, want string }{
		{`{"NextStep": "A", ` + name + `, "StringEquals": "trail"}`, "", "A"},
		{`{"NextStep": "A", ` + name + `, "StringEquals": "Trail"}`, "", "Next"},
		{`{"NextStep": "A", ` + name + `, "StringEquals": "Trail"}`, `, "Default": "B"`, "B"},
		{`{"NextStep": "A", ` + name + `, "EqualsIgnoreCase": "Trail"}`, "", "A"},
		{`{"NextStep": "A", ` + name + `, "StringEquals": "{{ Name }}"}`, "", "A"},
		{`{"NextStep": "A", ` + flag + `, "BooleanEquals": true}`, "", "A"},
		{`{"NextStep": "A", ` + flag + `, "BooleanEquals": false}, {"NextStep": "B", ` + flag + `, "BooleanEquals": true}`, "", "B"},
		{`{"NextStep": "A", "And": [{` + flag + `, "BooleanEquals": true}, {` + name + `, "StringEquals": "x"}]}`, "", "Next"},
		{`{"NextStep": "A", "Or": [{` + flag + `, "BooleanEquals": false}, {` + name + `, "StringEquals": "trail"}]}`, "", "A"},
		{`{"NextStep": "A", "Or": [{` + flag + `, "BooleanEquals": false}, {` + name + `, "StringEquals": "x"}]}`, "", "Next"},
		{`{"NextStep": "A", "Not": {` + name + `, "StringEquals": "x"}}`, "", "A"},
	}
	for _, test := range tests {
		x := run(t, newEngine(&script{}), document(test.choices, test.fallback), map[string][]string{"Name": {"trail"}, "Flag": {"true"}})
		expect(t, test.choices, x.Steps[len(x.Steps)-1].Name, test.want)
	}
}

func TestTwoExecutionsAndAnAttackerInterleave(t *testing.T) {
	cloud := healthy()
	e := newEngine(cloud)
	attacked := false
	cloud.before = func(operation string) { attacked = attacked || operation == "StopLogging" }
	a, b := start(t, e, runbook, declared()), start(t, e, runbook, declared())
	if a.ID == b.ID {
		t.Errorf("both executions are %s", a.ID)
	}
	ctx := context.Background()
	for doneA, doneB := false, false; !doneA || !doneB; {
		doneA = a.Step(ctx)
		if len(cloud.sent) == 3 {
			if _, err := cloud.Do(stopLogging(t)); err != nil {
				t.Fatal(err)
			}
		}
		doneB = b.Step(ctx)
	}
	expect(t, "first calls", cloud.operations()[:6], []string{"GetTrail", "GetTrail", "StartLogging", "StopLogging", "StartLogging", "UpdateTrail"})
	expect(t, "statuses", []Status{a.Status, b.Status}, []Status{Success, Success})
	expect(t, "calls", []int{len(a.Calls), len(b.Calls)}, []int{8, 8})
	expect(t, "attacked", attacked, true)
	if !a.Step(ctx) {
		t.Error("an execution that has ended goes on")
	}
	expect(t, "calls after the end", len(a.Calls), 8)
}

func stopLogging(t *testing.T) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, "http://localhost", strings.NewReader(`{"Name":"org-trail"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", "CloudTrail_20131101.StopLogging")
	return r
}

func TestOneStepIsOneAttempt(t *testing.T) {
	cloud := healthy()
	cloud.answers["GetTrail"] = append([]string{"!ThrottlingException"}, cloud.answers["GetTrail"]...)
	cloud.answers["GetTrailStatus"] = []string{`{"IsLogging":false}`, `{"IsLogging":true}`}
	x := start(t, newEngine(cloud), runbook, declared())
	expect(t, "status", x.Status, Pending)
	steps := 1
	for sent := 0; !x.Step(context.Background()); steps++ {
		if now := len(cloud.sent); now > sent+1 {
			t.Fatalf("one Step sent %v", cloud.operations()[sent:])
		} else {
			sent = now
		}
	}
	// Ten steps, one second attempt, one second poll.
	expect(t, "steps", steps, 12)
}

// BenchmarkExecution is one execution of 8 calls: go test -bench Execution.
func BenchmarkExecution(b *testing.B) {
	doc, e := mustParse(b, runbook), newEngine(healthy())
	for b.Loop() {
		x, err := e.Start(doc, declared(), Options{})
		if err != nil {
			b.Fatal(err)
		}
		if x.Run(context.Background()); x.Status != Success {
			b.Fatal(x.FailureMessage)
		}
	}
}

// BenchmarkParse is one reading of the runbook.
func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		mustParse(b, runbook)
	}
}
