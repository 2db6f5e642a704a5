package tampering

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/localaws"
	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/catalog"
	"github.com/trailguard/trailguard/localaws/ssm/automation"
)

// runbookOf is a runbook with one step, which runs a script or sleeps, as a role that is given when it starts.
func (g guard) runbookOf(action string, inputs map[string]any) string {
	g.T.Helper()
	content, err := json.Marshal(map[string]any{
		"schemaVersion": "0.3",
		"assumeRole":    "{{ AutomationAssumeRole }}",
		"parameters":    map[string]any{"AutomationAssumeRole": map[string]any{"type": "String", "default": ""}},
		"mainSteps":     []any{map[string]any{"name": "Step", "action": action, "inputs": inputs}},
	})
	g.Must(err)
	return string(content)
}

// operate has an operator, who may do everything, make a runbook and start it.
func (g guard) operate(name, content, role string, times int) {
	g.T.Helper()
	client := ssm.NewFromConfig(g.Config(callers[2].Principal))
	_, err := client.CreateDocument(g.T.Context(), &ssm.CreateDocumentInput{Name: &name, Content: &content, DocumentType: ssmtypes.DocumentTypeAutomation})
	g.Must(err)
	parameters := map[string][]string{}
	if role != "" {
		parameters["AutomationAssumeRole"] = []string{role}
	}
	for range times {
		_, err := client.StartAutomationExecution(g.T.Context(), &ssm.StartAutomationExecutionInput{DocumentName: &name, Parameters: parameters})
		g.Must(err)
	}
}

// TestTheGuardsRoleInAnotherRunbookIsNoticed is T53: an operator has a runbook of their own run as the guard's role. Nobody is told
// of that as of tampering: the message of the repair says what was found.
func TestTheGuardsRoleInAnotherRunbookIsNoticed(t *testing.T) {
	scripts := map[string]struct{ script, found string }{
		"selectors": {"trail.put_event_selectors(TrailName=name, EventSelectors=[dict(ReadWriteType='ReadOnly', IncludeManagementEvents=True)])",
			`EventSelectors: found [{"ReadWriteType": "ReadOnly"`},
		"settings": {"trail.update_trail(Name=name, EnableLogFileValidation=False, KmsKeyId='')", `KmsKeyId: found ""`},
		"Insights": {"trail.put_insight_selectors(TrailName=name, InsightSelectors=[])", "InsightSelectors: found []"},
		"selectors, and then unseen all the rest": {"trail.put_event_selectors(TrailName=name, EventSelectors=[dict(ReadWriteType='ReadOnly', IncludeManagementEvents=True)])\n" +
			" trail.update_trail(Name=name, IsMultiRegionTrail=False, IncludeGlobalServiceEvents=False, EnableLogFileValidation=False, KmsKeyId='')\n" +
			" trail.put_insight_selectors(TrailName=name, InsightSelectors=[])", "IsMultiRegionTrail: found false"},
	}
	inEach(t, func(t *testing.T, a *account) {
		g := guarded(t, a, testbed.ReadTemplate(t, "default"))
		documents := 0
		for i, alone := range []bool{true, false} {
			if accounts[i] != a {
				continue
			}
			if !alone {
				g.goodTrail()
			}
			for _, path := range []deployed.Path{deployed.EventPath, deployed.SchedulePath} {
				for what, one := range sorted(scripts) {
					documents++
					t.Run(fmt.Sprintf("%s, %s, the only trail is %v", what, path, alone), func(t *testing.T) {
						g := g.in(t)
						g.Only(path)
						before := len(g.Executions())
						script := "import boto3\ndef handler(events, context):\n name, trail = events['Name'], boto3.client('cloudtrail')\n " + one.script
						said := g.told(func() {
							g.operate(fmt.Sprintf("mallory-%d", documents), g.runbookOf("aws:executeScript", map[string]any{
								"Runtime": "python3.11", "Handler": "handler", "InputPayload": map[string]any{"Name": g.TrailName}, "Script": script,
							}), g.AutomationRoleARN, 1)
							g.Settle()
							if path == deployed.SchedulePath {
								g.wantNotRepaired()
								g.Pass(time.Hour)
							}
						})
						g.WantRepaired()
						g.wantSuccess(g.since(before))
						if count(said, "TAMPERING") > 0 || !slices.ContainsFunc(said, func(message string) bool { return strings.Contains(message, "\n"+one.found) }) {
							t.Errorf("people are told %q", said)
						}
					})
				}
			}
		}
	})
}

// TestAReplacedRunbookHasNoEffect is T58: somebody makes a version of the guard's runbook that does nothing the default one.
func TestAReplacedRunbookHasNoEffect(t *testing.T) {
	t.Parallel()
	starts := []deployed.Path{deployed.EventPath, deployed.SchedulePath, deployed.ConfigPath}
	for i, test := range []struct {
		name   string
		change func(_ testbed.TB, tpl testbed.Template)
		blind  []deployed.Path // the paths that the replaced runbook blinds
	}{
		{"as deployed", nil, nil},
		// The negative controls.
		{"rules that start the version of the day", func(_ testbed.TB, tpl testbed.Template) {
			text := strings.ReplaceAll(tpl.JSON(), `${RemediationRunbook702FD778}:1"`, `${RemediationRunbook702FD778}:$DEFAULT"`)
			var changed testbed.Template
			if err := json.Unmarshal([]byte(text), &changed); err != nil {
				t.Fatal(err)
			}
			tpl["Resources"] = changed["Resources"]
		}, starts[:2]},
		{"remediations that start the version of the day", eachRemediation(func(r map[string]any) { delete(r, "TargetVersion") }), starts[2:]},
	} {
		t.Run(test.name, func(t *testing.T) {
			inTurn(t, i, func(t *testing.T, a *account) {
				tpl := testbed.ReadTemplate(t, "default")
				if test.change != nil {
					tpl.With(t, test.change)
				}
				g := guarded(t, a, tpl)
				g.Pass(0)
				nothing := g.runbookOf("aws:sleep", map[string]any{"Duration": "PT1S"})
				// It takes the guard's parameters, too.
				var content map[string]any
				g.Must(json.Unmarshal([]byte(nothing), &content))
				for name := range g.Runbook.Parameters {
					content["parameters"].(map[string]any)[name] = map[string]any{"type": "String", "default": ""}
				}
				text, err := json.Marshal(content)
				g.Must(err)
				client := ssm.NewFromConfig(g.Config(callers[2].Principal))
				updated, err := client.UpdateDocument(t.Context(), &ssm.UpdateDocumentInput{
					Name: &g.RunbookName, Content: aws.String(string(text)), DocumentVersion: aws.String("$LATEST"), DocumentFormat: ssmtypes.DocumentFormatJson,
				})
				g.Must(err)
				_, err = client.UpdateDocumentDefaultVersion(t.Context(), &ssm.UpdateDocumentDefaultVersionInput{
					Name: &g.RunbookName, DocumentVersion: updated.DocumentDescription.DocumentVersion,
				})
				g.Must(err)
				for _, path := range starts {
					g.Only(path)
					g.startLogging()
					before := len(g.Executions())
					g.strike("T01")
					g.Settle()
					if path != deployed.EventPath {
						g.Pass(period(path))
					}
					started := g.Executions()[before:]
					for _, x := range started {
						if pinned := x.DocumentVersion == "1"; pinned == slices.Contains(test.blind, path) || x.Status != automation.Success {
							t.Errorf("on the path %s version %s runs, and is %s", path, x.DocumentVersion, x.Status)
						}
					}
					if repaired := len(g.Unmet()) == 0; len(started) == 0 || repaired == slices.Contains(test.blind, path) {
						t.Errorf("on the path %s %d executions run, and that the trail is repaired is %v", path, len(started), repaired)
					}
				}
			})
		})
	}
}

// TestAStoppedRepairIsToldAndMadeLater is T60: an administrator stops the repair, before each of its calls. A later run puts back
// what the stopped one left.
func TestAStoppedRepairIsToldAndMadeLater(t *testing.T) {
	inTurn(t, 0, func(t *testing.T, a *account) {
		g := guarded(t, a, testbed.ReadTemplate(t, "default"))
		client := ssm.NewFromConfig(g.Config(callers[0].Principal))
		left := 0
		for call := 1; ; call++ {
			before, stopped := len(g.Executions()), ""
			got := g.told(func() {
				g.Only(deployed.EventPath)
				g.strike("T01") // starts the repair
				g.strike("T19") // is unseen
				g.Must(g.Bus().Deliver(t.Context()))
				g.Only() // the repair's own calls bring no help
				g.during(map[int]func() error{call: func() error {
					stopped = g.Executions()[before].ID
					_, err := client.StopAutomationExecution(t.Context(), &ssm.StopAutomationExecutionInput{AutomationExecutionId: &stopped})
					return err
				}}, g.Settle)
			})
			if stopped == "" {
				break // the repair has fewer calls
			}
			runs := g.since(before)
			if len(g.Unmet()) > 0 {
				left++
			}
			if first := runs[0]; first.Status != automation.Cancelled || !slices.Contains(got, g.failureMessage(first)) {
				t.Errorf("before call %d: the execution is %s, and people are told %q", call, first.Status, got)
			}
			g.Only(deployed.SchedulePath)
			g.Pass(time.Hour)
			g.WantRepaired()
		}
		if left < 4 { // it stops the logging, and changes settings: two calls to look and to write each
			t.Errorf("only %d stopped repairs left something", left)
		}
	})
}

// sleepers are as many automations as run at once.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/adaptive-concurrency.html
const sleepers = 100

// TestAFullQueueDelaysTheRepair is T60, too: other automations leave the repair no room. People are told of the tampering all the
// same, and the repair is made when there is room.
func TestAFullQueueDelaysTheRepair(t *testing.T) {
	inTurn(t, 0, func(t *testing.T, a *account) {
		g := guarded(t, a, testbed.ReadTemplate(t, "default"))
		g.operate("sleeper", g.runbookOf("aws:sleep", map[string]any{"Duration": "PT3H"}), "", sleepers)
		before, at := len(g.Executions()), g.Clock.Now()
		got := g.told(func() {
			g.strike("T01")
			g.Must(g.Bus().Deliver(t.Context()))
			g.wantTold(g.told(func() {})) // nothing yet
		})
		g.wantTold(got, g.tamperingMessage("StopLogging", callers[0]))
		g.wantNotRepaired()
		if x := g.Executions()[before]; x.Status != automation.Pending {
			t.Errorf("the execution is %s", x.Status)
		}
		g.Settle()
		g.WantRepaired()
		g.wantExecutions(before, 1)
		if x := g.since(before)[0]; x.EndTime.Sub(at) < 3*time.Hour {
			t.Errorf("the repair waited %s", x.EndTime.Sub(at))
		}
	})
}

// TestABusyCloudTrailIsWaitedFor is T60, too: somebody uses up the one call a second that CloudTrail answers, or all of AWS
// throttles the runbook. It gives up before Automation ends it, says why, and a later run repairs.
func TestABusyCloudTrailIsWaitedFor(t *testing.T) {
	t.Parallel()
	i := 0
	for what, busy := range sorted(map[string]func(call api.Call) bool{
		"the calls that change something": func(call api.Call) bool {
			return call.Service == "cloudtrail" && catalog.Writes(call.Service, call.Operation)
		},
		"every call to CloudTrail": func(call api.Call) bool { return call.Service == "cloudtrail" },
		"every call":               func(api.Call) bool { return true },
	}) {
		i++
		t.Run(what, func(t *testing.T) {
			inTurn(t, i, func(t *testing.T, a *account) {
				g := guarded(t, a, testbed.ReadTemplate(t, "everything"))
				g.strike("T14")
				g.strike("T19")
				g.strike("T01")
				g.Gateway.SetFaults(localaws.Faults{Before: func(call api.Call) error {
					if call.Principal.ARN == g.AutomationRoleARN && busy(call) {
						return api.Errorf("ThrottlingException", "Rate exceeded")
					}
					return nil
				}})
				before := len(g.Executions())
				got := g.told(g.Settle)
				g.Gateway.SetFaults(localaws.Faults{})
				g.wantNotRepaired()
				for _, r := range g.since(before) {
					lasted := r.EndTime.Sub(r.StartTime)
					if r.Status != automation.Failed || lasted < 5*time.Minute || lasted >= 10*time.Minute {
						t.Errorf("an execution is %s after %s: %s", r.Status, lasted, r.FailureMessage)
					}
					reason := r.told + r.Wrong["logging"] // it cannot speak either where all throttles
					if !slices.Contains(got, g.failureMessage(r)) || !strings.Contains(reason, "ThrottlingException") {
						t.Errorf("an execution says %q, and people are told %q", reason, got)
					}
					t.Logf("an execution gave up after %s and %d calls", lasted, len(r.Calls))
				}
				g.Pass(time.Hour)
				g.WantRepaired()
			})
		})
	}
}
