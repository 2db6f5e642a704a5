package closedloop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/trailguard/trailguard/drill/internal/localaws/automation"
	"github.com/trailguard/trailguard/drill/internal/repository"
)

// maxChanges is how many changes of CloudTrail one repair may make, and maxChangesBeforeLogging how many of them before
// a trail that exists is logging again. CloudTrail takes one a second.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/WhatIsCloudTrail-Limits.html
const (
	maxChanges              = 6
	maxChangesBeforeLogging = 1
)

// changes are the changes of CloudTrail that an execution asked for, in order.
func changes(x *automation.Execution) []string {
	var names []string
	for _, call := range x.Calls {
		if call.Mutating() && call.Service == "cloudtrail" {
			names = append(names, call.API)
		}
	}
	return names
}

func TestTheDeployedRunbookDeclaresAllThatATrailShouldBe(t *testing.T) {
	inAny(t, func(t *testing.T, a *account) {
		g := share(t, a, "default")
		want := plain(t, state{
			"IsLogging": true, "S3BucketName": g.bucket, "S3KeyPrefix": "", "KmsKeyId": g.key, "SnsTopicARN": "",
			"CloudWatchLogsLogGroupArn": "", "CloudWatchLogsRoleArn": "", "IsMultiRegionTrail": true, "IsOrganizationTrail": false,
			"IncludeGlobalServiceEvents": true, "LogFileValidationEnabled": true, "AdvancedEventSelectors": []any{},
			"EventSelectors": []any{map[string]any{
				"ReadWriteType": "All", "IncludeManagementEvents": true, "ExcludeManagementEventSources": []any{}, "DataResources": []any{},
			}},
			"InsightSelectors": []any{
				map[string]any{"InsightType": "ApiCallRateInsight"}, map[string]any{"InsightType": "ApiErrorRateInsight"},
			},
		})
		for name, value := range g.declared() {
			if fmt.Sprint(value) != fmt.Sprint(want[name]) {
				t.Errorf("%s is declared as %v, want %v", name, value, want[name])
			}
		}
	})
}

// TestTheRunbookRepairsEveryTampering also compares, for three states, each step, its status and the body of each request
// with a golden file.
func TestTheRunbookRepairsEveryTampering(t *testing.T) {
	inEach(t, 2, func(t *testing.T, a *account) {
		for _, template := range []string{"everything", "default"} {
			g := share(t, a, template)
			for _, start := range []start{
				{"no trail", func(g guard) { g.deleteTrails() }},
				{"stopped", func(g guard) { g.healthy(); g.stop() }},
				{"healthy", func(g guard) { g.healthy() }},
			} {
				g.step(template+": exact steps from "+start.name, func(g guard) {
					start.make(g)
					x := g.repair()
					g.wantSuccess(x)
					g.wantRepaired()
					g.compareGolden(template+"-"+strings.ReplaceAll(start.name, " ", "-"), g.describe(x))
				})
			}
			for _, tampering := range tamperingsOf(template) {
				g.step(template+": "+tampering.name, func(g guard) {
					g.healthy()
					tampering.do(g)
					if len(g.differences()) == 0 {
						g.t.Fatal("the tampering changed nothing")
					}
					existed, logged := len(g.trailARNs()) > 0, g.isLogging()
					x := g.repair()
					g.wantSuccess(x)
					g.wantRepaired()
					made := changes(x)
					if len(made) > maxChanges {
						g.t.Errorf("the changes are %v, want at most %d", made, maxChanges)
					}
					if i := slices.Index(made, "StartLogging"); existed && !logged && (i < 0 || i >= maxChangesBeforeLogging) {
						g.t.Errorf("the changes are %v, want logging back with the first", made)
					}
				})
			}
		}
	})
}

func TestCloudTrailRefusesAnEmptyListOfSelectors(t *testing.T) {
	inAny(t, func(t *testing.T, a *account) {
		g := share(t, a, "default")
		g.healthy()
		_, err := g.cloudTrail().PutEventSelectors(t.Context(), &cloudtrail.PutEventSelectorsInput{TrailName: &g.trail})
		if !hasCode(err, "InvalidEventSelectorsException") {
			t.Errorf("the error is %v", err)
		}
		g.wantRepaired()
	})
}

func (g guard) compareGolden(name, got string) {
	g.t.Helper()
	path := filepath.Join("testdata", name+".golden")
	first := g.account == accounts[0]
	if *update {
		if first {
			g.must(os.WriteFile(path, []byte(got), 0o644))
		}
		return
	}
	want, err := os.ReadFile(path)
	g.must(err)
	if !first {
		// Where there is no delivery error to read, the one reading fails the step, and the other gives it an empty output.
		want = bytes.ReplaceAll(want, []byte("ReadDelivery Failed"), []byte("ReadDelivery Success"))
	}
	if got != string(want) {
		g.t.Errorf("the execution is not that of %s (go test -update rewrites it):\n%s", path, got)
	}
}

var generatedNames = regexp.MustCompile(`guard-[A-Za-z0-9]+-[A-Za-z0-9]{12}\b`)

// describe is an execution as the golden files hold it: each step with the calls that it made.
func (g guard) describe(x *automation.Execution) string {
	g.t.Helper()
	names := []string{g.trailARN, "<trail ARN>", g.bucket, "<log bucket>", g.key, "<log key>", g.role, "<automation role>"}
	for i, rule := range g.rules {
		names = append(names, rule, fmt.Sprintf("<rule %d>", i+1))
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s, changes of CloudTrail: %d\n", x.Status, len(changes(x)))
	for _, step := range x.Steps {
		fmt.Fprintf(&text, "%s %s\n", step.Name, step.Status)
		for _, call := range x.Calls {
			if call.Step != step.Name {
				continue
			}
			var body bytes.Buffer
			encoder := json.NewEncoder(&body)
			encoder.SetEscapeHTML(false)
			g.must(encoder.Encode(call.Input))
			fmt.Fprintf(&text, "    %s %s %s", call.Service, call.API, body.String())
			if call.ErrorCode != "" {
				fmt.Fprintf(&text, "        refused: %s\n", call.ErrorCode)
			}
		}
	}
	return generatedNames.ReplaceAllString(strings.NewReplacer(names...).Replace(text.String()), "<generated name>")
}

func TestASecondRunFindsNothingToDo(t *testing.T) {
	inEach(t, 2, func(t *testing.T, a *account) {
		g := share(t, a, "default")
		g.healthy()
		before := g.actual()
		for range 2 {
			g.wantSuccess(g.repair())
			g.wantRepaired()
		}
		if after := g.actual(); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("the trail is %v, and was %v", after, before)
		}
	})
}

func TestAnExistingTrailOfThatNameIsAdopted(t *testing.T) {
	inEach(t, 2, func(t *testing.T, a *account) {
		g := share(t, a, "default")
		e := g.elsewhere()
		g.createTrail(cloudtrail.CreateTrailInput{Name: &g.trail, S3BucketName: &e.bucket, S3KeyPrefix: aws.String("other"), SnsTopicName: &e.topic})
		g.repairedOnce()
	})
}

// repairedOnce repairs the one trail that there is and wants no second one.
func (g guard) repairedOnce() {
	g.t.Helper()
	g.wantSuccess(g.repair())
	g.wantRepaired()
	if arns := g.trailARNs(); len(arns) != 1 {
		g.t.Errorf("the trails are %v, want one", arns)
	}
}

// createOrganizationTrail makes, as an administrator, an organization trail with the guard's name.
func (g guard) createOrganizationTrail() {
	g.t.Helper()
	g.createTrail(cloudtrail.CreateTrailInput{
		Name: &g.trail, S3BucketName: aws.String(g.elsewhere().bucket), IsOrganizationTrail: yes, IsMultiRegionTrail: yes,
	})
}

// demotions counts how often the trail was taken from the members of the organization.
func (g guard) demotions() int {
	n := 0
	for _, trail := range g.CloudTrail().Trails() {
		n += trail.Demotions
		if !trail.IsOrganizationTrail {
			n++
		}
	}
	return n
}

func TestAnOrganizationTrailIsNeverDemoted(t *testing.T) {
	for _, test := range []struct {
		name      string
		mutations []mutation
		open      bool // the bucket's policy has the folder of the organization
		success   bool
		demoted   bool
	}{
		{"a log bucket without the organization's folder", nil, false, false, false},
		{"a log bucket with the organization's folder", nil, true, true, false},
		{"negative control: a runbook that says false",
			[]mutation{withInput("UpdateTrail", "IsOrganizationTrail", false)}, false, true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			inAny(t, func(t *testing.T, a *account) {
				g := share(t, a, "default")
				if len(test.mutations) > 0 {
					g = deploy(t, a, readTemplate(t, "default").mutate(t, test.mutations...))
				}
				g.createOrganizationTrail()
				repair := func() {
					x := g.repair()
					if success := x.Status == automation.Success; success != test.success {
						t.Errorf("the execution is %s: %s, want success %v", x.Status, x.FailureMessage, test.success)
					}
				}
				if test.open {
					g.withOpenBucket(repair)
				} else {
					repair()
				}
				if !g.isLogging() {
					t.Error("the trail is not logging")
				}
				if demoted := g.demotions() > 0; demoted != test.demoted {
					t.Errorf("demoted is %v, want %v", demoted, test.demoted)
				}
			})
		})
	}
}

func TestTheRunbookCanBeRunByHand(t *testing.T) {
	asset, err := os.ReadFile(repository.Path("assets", "runbooks", "cloudtrail-remediation-action.yml"))
	if err != nil {
		t.Fatal(err)
	}
	inEach(t, 2, func(t *testing.T, a *account) {
		for _, test := range []struct {
			name, template string
			parameters     func(g guard) map[string][]string
		}{
			{"with the required parameters", "default", func(guard) map[string][]string {
				return map[string][]string{"IsOrganizationTrail": {"false"}}
			}},
			{"with the optional parameters", "everything", func(g guard) map[string][]string {
				declared := g.declared()
				parameters := map[string][]string{
					"SnsTopicName":     {declared["SnsTopicARN"].(string)},
					"TrailEnabledRule": {g.rules[0]}, "SecurityTrailEnabledRule": {g.rules[1]}, "TrailSettingsRule": {g.rules[2]},
				}
				for _, name := range []string{"S3KeyPrefix", "CloudWatchLogsLogGroupArn", "CloudWatchLogsRoleArn"} {
					parameters[name] = []string{declared[name].(string)}
				}
				// A MapList takes one JSON object a value.
				for _, name := range []string{"EventSelectors", "InsightSelectors"} {
					for _, selector := range declared[name].([]any) {
						object, err := json.Marshal(selector)
						g.must(err)
						parameters[name] = append(parameters[name], string(object))
					}
				}
				return parameters
			}},
		} {
			t.Run(test.name, func(t *testing.T) {
				g := share(t, a, test.template)
				documents, byHand := ssm.NewFromConfig(g.admin), aws.String("by-hand")
				_, err := documents.CreateDocument(t.Context(), &ssm.CreateDocumentInput{
					Name: byHand, Content: aws.String(string(asset)),
					DocumentType: ssmtypes.DocumentTypeAutomation, DocumentFormat: ssmtypes.DocumentFormatYaml,
				})
				g.must(err)
				defer func() {
					_, err := documents.DeleteDocument(t.Context(), &ssm.DeleteDocumentInput{Name: byHand})
					g.must(err)
				}()
				parameters := test.parameters(g)
				for name, value := range map[string]string{
					"CloudTrailName": g.trail, "CloudTrailS3BucketName": g.bucket, "CloudTrailKmsKeyId": g.key, "AutomationAssumeRole": g.role,
				} {
					parameters[name] = []string{value}
				}
				for _, tampered := range []bool{false, true} {
					if tampered {
						ruin(g)
					}
					g.must(g.begin(*byHand, parameters))
					g.must(g.RunToQuiescence(t.Context()))
					executions := g.Executions()
					g.wantSuccess(executions[len(executions)-1])
					g.wantRepaired()
				}
				delete(parameters, "CloudTrailName")
				if err := g.begin(*byHand, parameters); !hasCode(err, invalidParameters) {
					t.Errorf("without the trail's name the error is %v", err)
				}
			})
		}
	})
}

const invalidParameters = "InvalidAutomationExecutionParametersException"

// foreignParameters are what an attacker would have the guard's own role do.
func (g guard) foreignParameters() map[string]string {
	e := g.elsewhere()
	return map[string]string{
		"CloudTrailName": "other", "CloudTrailS3BucketName": e.bucket, "CloudTrailKmsKeyId": e.key, "AutomationAssumeRole": e.logRole,
		"IsMultiRegionTrail": "false", "IsOrganizationTrail": "true", "IncludeGlobalServiceEvents": "false", "EnableLogFileValidation": "false",
	}
}

func TestTheDeployedRunbookAcceptsOnlyTheDeclaredValues(t *testing.T) {
	inEach(t, 2, func(t *testing.T, a *account) {
		g := share(t, a, "default")
		g.healthy()
		for name, value := range g.foreignParameters() {
			if err := g.begin(g.runbook, map[string][]string{name: {value}}); !hasCode(err, invalidParameters) {
				t.Errorf("%s=%s: the error is %v", name, value, err)
			}
		}
		g.must(g.RunToQuiescence(t.Context()))
		g.wantRepaired()
		if err := g.begin(g.runbook, map[string][]string{"CloudTrailS3BucketName": {g.bucket}, "IsMultiRegionTrail": {"true"}}); err != nil {
			t.Errorf("the declared values are refused: %v", err)
		}

		if a != accounts[0] {
			return
		}
		g = deploy(t, a, readTemplate(t, "default").mutate(t, withoutAllowedValues))
		g.healthy()
		g.must(g.begin(g.runbook, map[string][]string{"CloudTrailS3BucketName": {g.elsewhere().bucket}}))
		g.must(g.RunToQuiescence(t.Context()))
		if len(g.differences()) == 0 {
			t.Error("negative control: without allowed values the runbook did not take the log elsewhere")
		}
	})
}

func TestADeliveryErrorIsTold(t *testing.T) {
	inEach(t, 2, func(t *testing.T, a *account) {
		g := share(t, a, "default")
		g.healthy()
		policy := g.bucketPolicy()
		g.deleteBucketPolicy()
		g.must(g.CloudTrail().Deliver(t.Context()))

		x := g.repair()
		if x.Status != automation.Failed || !strings.Contains(stepFailure(x, "RestoreSettings"), "InsufficientS3BucketPolicyException") {
			t.Errorf("while CloudTrail is shut out, the execution is %s: %s", x.Status, x.FailureMessage)
		}

		// The error stays until CloudTrail next delivers.
		g.putBucketPolicy(policy)
		x = g.repair()
		g.wantSuccess(x)
		if told := x.Outputs["ReadDelivery.LatestDeliveryError"]; told != "AccessDenied" {
			t.Errorf("after the repair the delivery error is told as %v", told)
		}

		g.Clock.Advance(time.Minute)
		g.must(g.CloudTrail().Deliver(t.Context()))
		x = g.repair()
		g.wantSuccess(x)
		if told := x.Outputs["ReadDelivery.LatestDeliveryError"]; told != nil && told != "" {
			t.Errorf("after a delivery the delivery error is told as %v", told)
		}
	})
}

// stepFailure is why a step failed; empty if it did not.
func stepFailure(x *automation.Execution, name string) string {
	record, _ := x.Record(name)
	return record.FailureMessage
}
