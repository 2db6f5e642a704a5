package closedloop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/localaws/repository"
	"github.com/trailguard/trailguard/localaws/ssm/automation"
)

// TestTheRunbookRepairsEveryTampering also compares, for three states, each call with its body and its outcome, and the
// message to people, with a golden file.
func TestTheRunbookRepairsEveryTampering(t *testing.T) {
	for _, template := range []string{"default", "everything"} {
		t.Run(template, func(t *testing.T) {
			onEachShared(t, map[string][]*account{"default": accounts, "everything": unlimited}[template], template, func(g guard) {
				for _, start := range []start{
					{"no trail", func(g guard) { g.deleteTrails() }},
					{"stopped", func(g guard) { g.healthy(); g.stop() }},
					{"healthy", func(g guard) { g.healthy() }},
				} {
					g.step("exact calls from "+start.name, func(g guard) {
						start.make(g)
						g.Clock.Advance(time.Second)
						x := g.repair()
						g.wantSuccess(x)
						g.WantRepaired()
						if !g.Options.RateLimited {
							g.compareGolden(template+"-"+strings.ReplaceAll(start.name, " ", "-"), g.describe(x))
						}
					})
				}
				for _, tampering := range tamperingsOf(template) {
					g.step(tampering.name, func(g guard) {
						g.healthy()
						tampering.do(g)
						if len(g.Unmet()) == 0 {
							g.T.Fatal("the tampering changed nothing")
						}
						existed, logged := len(g.trailARNs()) > 0, g.isLogging()
						g.Clock.Advance(time.Second)
						x := g.repair()
						g.wantSuccess(x)
						g.WantRepaired()
						g.wantOneTrail()
						if made := slices.Compact(writes(x)); !slices.Equal(made, tampering.writes) {
							g.T.Errorf("the writes are %v, want %v", made, tampering.writes)
						}
						if !logged {
							g.wantLoggingFirst(x, existed)
						}
					})
				}
			})
		})
	}
}

// wantLoggingFirst reports anything but one question before logging is back.
func (g guard) wantLoggingFirst(x *automation.Execution, existed bool) {
	g.T.Helper()
	want := []string{"cloudtrail.GetTrailStatus", "cloudtrail.StartLogging"}
	if !existed {
		want = []string{"cloudtrail.GetTrailStatus TrailNotFoundException", "cloudtrail.CreateTrail", "cloudtrail.StartLogging"}
	}
	made := slices.DeleteFunc(calls(x), func(call string) bool { return strings.HasSuffix(call, " ThrottlingException") })
	if !slices.Equal(made[:len(want)], want) {
		g.T.Errorf("the calls are %v, want first %v", made, want)
	}
}

// start is a state of the trail that a repair starts from.
type start struct {
	name string
	make func(g guard)
}

func (g guard) compareGolden(name, got string) {
	g.T.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if g.account == accounts[0] {
			g.Must(os.WriteFile(path, []byte(got), 0o644))
		}
		return
	}
	want, err := os.ReadFile(path)
	g.Must(err)
	if got != string(want) {
		g.T.Errorf("the execution is not that of %s (go test -update rewrites it):\n%s", path, got)
	}
}

var (
	generatedNames = regexp.MustCompile(`guard-[A-Za-z0-9]+-[A-Za-z0-9]{12}\b`)
	times          = regexp.MustCompile(`20[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}`)
)

// describe is an execution as the golden files hold it: each call with its body, then what people were told.
func (g guard) describe(x *automation.Execution) string {
	g.T.Helper()
	names := []string{
		g.TrailARN, "<trail ARN>", g.LogBucketName, "<log bucket>", g.LogKeyARN, "<log key>", g.AlertTopicARN, "<alert topic>", x.ID, "<execution>",
	}
	for i, rule := range g.ConfigRuleNames {
		names = append(names, rule, fmt.Sprintf("<rule %d>", i+1))
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s, steps: %d, changes of CloudTrail: %d\n", x.Status, len(x.Steps), len(writes(x)))
	for _, call := range x.Calls {
		input := maps.Clone(call.Input)
		delete(input, "Message")
		fmt.Fprintf(&text, "%s %s %s\n", call.Service, call.API, g.encode(input))
		if call.ErrorCode != "" {
			fmt.Fprintf(&text, "    refused: %s\n", call.ErrorCode)
		}
	}
	for _, message := range told(x) {
		fmt.Fprintf(&text, "\n%s\n", message)
	}
	return times.ReplaceAllString(generatedNames.ReplaceAllString(strings.NewReplacer(names...).Replace(text.String()), "<generated name>"), "<time>")
}

// encode writes JSON on one line, as it is read.
func (g guard) encode(v any) string {
	g.T.Helper()
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	g.Must(encoder.Encode(v))
	return strings.TrimSuffix(text.String(), "\n")
}

// bestPractice is what the default template declares.
func (g guard) bestPractice() deployed.Declared {
	return deployed.Declared{
		deployed.IsLogging: "true", deployed.S3BucketName: strconv.Quote(g.LogBucketName), deployed.S3KeyPrefix: `""`,
		deployed.KMSKeyID: strconv.Quote(g.LogKeyARN), deployed.SNSTopicARN: `""`, deployed.CloudWatchLogsLogGroupARN: `""`,
		deployed.CloudWatchLogsRoleARN: `""`, deployed.IsMultiRegionTrail: "true", deployed.IncludeGlobalServiceEvents: "true",
		deployed.LogFileValidationEnabled: "true", deployed.EventSelectors: `["eventCategory = Management"]`,
		deployed.InsightSelectors: `["ApiCallRateInsight","ApiErrorRateInsight"]`,
	}
}

func TestTheDeployedRunbookDeclaresAllThatATrailShouldBe(t *testing.T) {
	t.Run("default", func(t *testing.T) {
		onShared(t, "default", func(g guard) {
			if want := g.bestPractice(); !maps.Equal(g.Declared, want) {
				t.Errorf("declared is\n%v\nwant\n%v", g.Declared, want)
			}
		})
	})
	t.Run("everything", func(t *testing.T) {
		onShared(t, "everything", func(g guard) {
			want := g.bestPractice()
			maps.Copy(want, deployed.Declared{
				deployed.S3KeyPrefix: `"audit/trails"`, deployed.IsOrganizationTrail: "true",
				deployed.EventSelectors: `["eventCategory = Data and resources.ARN starts with arn:aws:s3:::payroll/ and ` +
					`resources.type = AWS::S3::Object","eventCategory = Management"]`,
				deployed.InsightSelectors: `["ApiErrorRateInsight"]`, deployed.Tags: `{"cost-center":"4711","owner":"security"}`,
			})
			for setting, input := range map[deployed.Setting]string{
				deployed.SNSTopicARN: "SnsTopicName", deployed.CloudWatchLogsLogGroupARN: "CloudWatchLogsLogGroupArn",
				deployed.CloudWatchLogsRoleARN: "CloudWatchLogsRoleArn",
			} {
				if want[setting] = strconv.Quote(g.declaredText(input)); want[setting] == `""` {
					t.Errorf("%s is empty", input)
				}
			}
			if !maps.Equal(g.Declared, want) {
				t.Errorf("declared is\n%v\nwant\n%v", g.Declared, want)
			}
		})
	})
}

// wantLeftAlone runs the runbook and reports that it did more than to read.
func (g guard) wantLeftAlone() {
	g.T.Helper()
	x := g.repair()
	g.wantSuccess(x)
	if n := x.MutatingCalls(); n > 0 {
		g.T.Errorf("the run made %d changes, or messages: %v", n, calls(x))
	}
	if r := g.reportOf(x); len(r.Changed)+len(r.Wrong)+len(r.Writes) > 0 || r.Message != "" {
		g.T.Errorf("the run reports %+v", r)
	}
}

func TestAHealthyTrailIsOnlyRead(t *testing.T) {
	for _, template := range []string{"default", "everything"} {
		t.Run(template, func(t *testing.T) {
			onShared(t, template, func(g guard) {
				g.healthy()
				before := g.encode(g.CloudTrail().Trails())
				for range 3 {
					g.wantLeftAlone()
				}
				if after := g.encode(g.CloudTrail().Trails()); after != before {
					t.Errorf("the trail is %s, and was %s", after, before)
				}
			})
		})
	}
}

// withScript is a runbook whose script has another text in place of one.
func withScript(old, new string) func(content map[string]any) {
	return func(content map[string]any) {
		inputs := inputsOf(content)
		inputs["Script"] = strings.ReplaceAll(inputs["Script"].(string), old, new)
	}
}

// TestAScriptThatWritesBlindlyIsSeen is a negative control of TestAHealthyTrailIsOnlyRead.
func TestAScriptThatWritesBlindlyIsSeen(t *testing.T) {
	onShared(t, "default", func(g guard) {
		g.healthy()
		if x := g.repairWith(nil, withScript("if not answer['IsLogging']:", "if not dark:")); x.MutatingCalls() == 0 {
			t.Errorf("the calls are %v", calls(x))
		}
	})
}

// payroll are the declared data events of the template that sets everything, in the ways to write them.
var (
	payroll         = []types.DataResource{{Type: aws.String("AWS::S3::Object"), Values: []string{"arn:aws:s3:::payroll/"}}}
	payrollAdvanced = []types.AdvancedEventSelector{
		{Name: aws.String("objects"), FieldSelectors: []types.AdvancedFieldSelector{
			{Field: aws.String("resources.ARN"), StartsWith: payroll[0].Values},
			field("resources.type", "AWS::S3::Object"), field("eventCategory", "Data"),
		}},
		{FieldSelectors: []types.AdvancedFieldSelector{field("eventCategory", "Management")}},
	}
)

// TestWhatMeansTheSameIsLeftAlone: selectors are compared by what they mean, not by how they are written.
func TestWhatMeansTheSameIsLeftAlone(t *testing.T) {
	type form struct {
		name string
		do   func(g guard)
	}
	for template, forms := range map[string][]form{
		"default": {
			{"advanced selectors in place of basic ones", func(g guard) { g.putAdvancedSelector(field("eventCategory", "Management")) }},
			{"two selectors of all management events", func(g guard) { g.putSelectors(types.EventSelector{}, types.EventSelector{}) }},
			{"Insights in another order", func(g guard) {
				g.putInsights(types.InsightTypeApiErrorRateInsight, types.InsightTypeApiCallRateInsight)
			}},
		},
		"everything": {
			{"advanced selectors, named, in another order", func(g guard) { g.putAdvanced(payrollAdvanced...) }},
			{"data events in a selector of their own", func(g guard) {
				g.putSelectors(types.EventSelector{IncludeManagementEvents: no, DataResources: payroll}, types.EventSelector{})
			}},
			{"a tag more", func(g guard) { g.tag("more", "of it") }},
		},
	} {
		t.Run(template, func(t *testing.T) {
			onShared(t, template, func(g guard) {
				for _, form := range forms {
					g.step(form.name, func(g guard) {
						g.healthy()
						before := g.encode(g.CloudTrail().Trails())
						form.do(g)
						if g.encode(g.CloudTrail().Trails()) == before {
							g.T.Error("nothing was changed: the test proves nothing")
						}
						g.wantLeftAlone()
						g.WantRepaired()
					})
				}
			})
		})
	}
}

func TestCloudTrailRefusesAnEmptyListOfSelectors(t *testing.T) {
	onShared(t, "default", func(g guard) {
		g.healthy()
		_, err := g.Clients.CloudTrail.PutEventSelectors(t.Context(), &cloudtrail.PutEventSelectorsInput{TrailName: &g.TrailName})
		if !testbed.HasCode(err, "InvalidEventSelectorsException") {
			t.Errorf("the error is %v", err)
		}
		g.WantRepaired()
	})
}

func TestAnExistingTrailOfThatNameIsAdopted(t *testing.T) {
	onShared(t, "default", func(g guard) {
		e := g.elsewhere()
		g.createTrail(cloudtrail.CreateTrailInput{Name: &g.TrailName, S3BucketName: &e.bucket, S3KeyPrefix: aws.String("other"), SnsTopicName: &e.topic})
		x := g.repair()
		g.wantSuccess(x)
		g.WantRepaired()
		g.wantOneTrail()
		if slices.Contains(writes(x), "CreateTrail") {
			t.Errorf("the writes are %v, want no second trail", writes(x))
		}
	})
}

// createOrganizationTrail makes, as an administrator, an organization trail with the guard's name.
func (g guard) createOrganizationTrail() {
	g.T.Helper()
	g.createTrail(cloudtrail.CreateTrailInput{
		Name: &g.TrailName, S3BucketName: aws.String(g.elsewhere().bucket), IsOrganizationTrail: yes, IsMultiRegionTrail: yes,
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
	onShared(t, "default", func(g guard) {
		repair := func(g guard, run func() *automation.Execution) *automation.Execution {
			g.T.Helper()
			g.deleteTrails()
			g.createOrganizationTrail()
			g.Clock.Advance(time.Second)
			x := run()
			if !g.isLogging() {
				g.T.Error("the trail is not logging")
			}
			return x
		}
		g.step("a log bucket without the organization's folder", func(g guard) {
			x := repair(g, g.repair)
			g.wantFailed(x, "LEFT: bucket: ", "InsufficientS3BucketPolicyException", "Restore it and its policy.")
			if g.demotions() > 0 {
				g.T.Error("the trail was demoted")
			}
		})
		g.step("a log bucket with the organization's folder", func(g guard) {
			g.withOpenBucket(func() { g.wantSuccess(repair(g, g.repair)) })
			g.WantRepaired()
			if g.demotions() > 0 {
				g.T.Error("the trail was demoted")
			}
		})
		g.step("negative control: a script that writes all that differs", func(g guard) {
			repair(g, func() *automation.Execution {
				return g.repairWith(nil, func(content map[string]any) {
					withScript("(part!='organization' or want[key])", " True")(content)
					inputsOf(content)["InputPayload"].(map[string]any)["IsOrganizationTrail"] = false
				})
			})
			if g.demotions() == 0 {
				g.T.Error("the trail was not demoted")
			}
		})
	})
}

// requiredParameters are the parameters with which a person runs the asset, to the state that the deployed runbook declares.
func (g guard) requiredParameters() map[string][]string {
	return map[string][]string{
		"CloudTrailName": {g.TrailName}, "CloudTrailS3BucketName": {g.LogBucketName}, "CloudTrailKmsKeyId": {g.LogKeyARN},
		"AutomationAssumeRole": {g.AutomationRoleARN},
	}
}

// optional are the parameters that the asset does without. A MapList takes one JSON object a value.
func (g guard) optional() map[string][]string {
	parameters := map[string][]string{
		"ConfigRuleNames": g.ConfigRuleNames, "AlertTopicArn": {g.AlertTopicARN}, "StartedBy": {"schedule"},
		"IsMultiRegionTrail": {"true"}, "IsOrganizationTrail": {"true"}, "IncludeGlobalServiceEvents": {"true"}, "EnableLogFileValidation": {"true"},
	}
	for _, name := range []string{"S3KeyPrefix", "SnsTopicName", "CloudWatchLogsLogGroupArn", "CloudWatchLogsRoleArn"} {
		parameters[name] = []string{g.declaredText(name)}
	}
	for _, name := range []string{"EventSelectors", "InsightSelectors", "TagsList"} {
		list, _ := g.payload()[name].([]any)
		for _, one := range list {
			parameters[name] = append(parameters[name], g.encode(one))
		}
	}
	return parameters
}

func TestTheRunbookCanBeRunByHand(t *testing.T) {
	asset, err := os.ReadFile(repository.Path("assets", "runbooks", "cloudtrail-remediation-action.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, template string
		parameters     func(g guard) map[string][]string
		advanced, told bool
	}{
		{name: "with the required parameters", template: "organization", parameters: guard.requiredParameters},
		{name: "for an account's trail", template: "default", parameters: func(g guard) map[string][]string {
			parameters := g.requiredParameters()
			parameters["IsOrganizationTrail"] = []string{"false"}
			return parameters
		}},
		{name: "with the optional parameters", template: "everything", told: true, parameters: func(g guard) map[string][]string {
			parameters := g.requiredParameters()
			maps.Copy(parameters, g.optional())
			return parameters
		}},
		{name: "with advanced event selectors", template: "everything", told: true, advanced: true, parameters: func(g guard) map[string][]string {
			parameters := g.requiredParameters()
			maps.Copy(parameters, g.optional())
			parameters["AdvancedEventSelectors"] = []string{
				`{"FieldSelectors":[{"Field":"eventCategory","Equals":["Management"]}]}`,
				`{"Name":"objects","FieldSelectors":[{"Field":"eventCategory","Equals":["Data"]},` +
					`{"Field":"resources.type","Equals":["AWS::S3::Object"]},{"Field":"resources.ARN","StartsWith":["arn:aws:s3:::payroll/"]}]}`,
			}
			return parameters
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			onShared(t, test.template, func(g guard) {
				parameters := test.parameters(g)
				run := func() *automation.Execution {
					g.Clock.Advance(time.Second)
					x := g.repairBy(string(asset), ssmtypes.DocumentFormatYaml, parameters)
					g.wantSuccess(x)
					g.WantRepaired()
					return x
				}
				for _, tamper := range []func(g guard){func(guard) {}, ruin, func(g guard) { g.deleteTrails() }} {
					tamper(g)
					x := run()
					if told := len(told(x)) > 0; told != test.told {
						t.Errorf("people were told: %v, want %v", told, test.told)
					}
					if message := g.reportOf(x).Message; test.told && !strings.Contains(message, "started by schedule: ") {
						t.Errorf("the message is\n%s", message)
					}
					if advanced := len(g.CloudTrail().Trails()[0].AdvancedEventSelectors) > 0; advanced != test.advanced {
						t.Errorf("the trail has advanced event selectors: %v, want %v", advanced, test.advanced)
					}
				}
				if x := run(); x.MutatingCalls() > 0 {
					t.Errorf("a run on a healthy trail made the calls %v", calls(x))
				}
				defer g.createRunbook(byHand, string(asset), ssmtypes.DocumentFormatYaml)()
				for name, value := range map[string][]string{
					"CloudTrailName": nil, "AlertTopicArn": {"alerts"}, "StartedBy": {"nobody"}, "ConfigRuleNames": {"a rule"},
				} {
					refused := maps.Clone(parameters)
					if refused[name] = value; value == nil {
						delete(refused, name)
					}
					if err := g.Begin(byHand, refused); !testbed.HasCode(err, invalidParameters) {
						t.Errorf("with %s=%v the error is %v", name, value, err)
					}
				}
			})
		})
	}
}

const invalidParameters = "InvalidAutomationExecutionParametersException"

// foreignParameters are what an attacker would have the guard's own role do.
func (g guard) foreignParameters() map[string]string {
	e := g.elsewhere()
	return map[string]string{
		"CloudTrailName": "other", "CloudTrailS3BucketName": e.bucket, "CloudTrailKmsKeyId": e.key, "AutomationAssumeRole": e.logRole,
		"IsMultiRegionTrail": "false", "IsOrganizationTrail": "true", "IncludeGlobalServiceEvents": "false", "EnableLogFileValidation": "false",
		"StartedBy": "an intruder", "Resource": "every trail", "AlertTopicArn": e.topic, "EventSelectors": `{"ReadWriteType":"ReadOnly"}`, "S3KeyPrefix": "other",
	}
}

func TestTheDeployedRunbookAcceptsNoDeclaredState(t *testing.T) {
	onShared(t, "default", func(g guard) {
		g.healthy()
		for name, value := range g.foreignParameters() {
			if err := g.Begin(g.RunbookName, map[string][]string{name: {value}}); !testbed.HasCode(err, invalidParameters) {
				t.Errorf("%s=%s: the error is %v", name, value, err)
			}
		}
		own := map[string][]string{"AutomationAssumeRole": {g.AutomationRoleARN}, "Resource": {"CloudTrail trail"}, "StartedBy": {"hand"}}
		if err := g.Begin(g.RunbookName, own); err != nil {
			t.Errorf("the declared values are refused: %v", err)
		}
		g.Settle()
		g.WantRepaired()
	})
}

// TestARunbookThatAcceptsAnyValueIsSeen is a negative control of TestTheDeployedRunbookAcceptsNoDeclaredState.
func TestARunbookThatAcceptsAnyValueIsSeen(t *testing.T) {
	onShared(t, "default", func(g guard) {
		g.healthy()
		g.repairWith(map[string][]string{"CloudTrailS3BucketName": {g.elsewhere().bucket}}, func(content map[string]any) {
			content["parameters"].(map[string]any)["CloudTrailS3BucketName"] = map[string]any{"type": "String", "default": g.LogBucketName}
			inputsOf(content)["InputPayload"].(map[string]any)["S3BucketName"] = "{{ CloudTrailS3BucketName }}"
		})
		if len(g.Unmet()) == 0 {
			t.Error("a runbook with a parameter for it did not take the log elsewhere")
		}
	})
}
