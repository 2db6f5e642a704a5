package tampering

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	configtypes "github.com/aws/aws-sdk-go-v2/service/configservice/types"

	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/localaws"
	"github.com/trailguard/trailguard/localaws/api"
	localconfig "github.com/trailguard/trailguard/localaws/config"
)

// blind stops the trail and clears its settings, so that each of the guard's Config rules finds something.
func (g guard) blind() {
	g.T.Helper()
	g.strike("T19")
	g.strike("T01")
}

// nonCompliant are the resources that Config found not compliant, by rule.
func (g guard) nonCompliant() map[string][]configtypes.RemediationExceptionResourceKey {
	g.T.Helper()
	found := map[string][]configtypes.RemediationExceptionResourceKey{}
	for _, rule := range g.ConfigRuleNames {
		details, err := g.Clients.Config.GetComplianceDetailsByConfigRule(g.T.Context(), &configservice.GetComplianceDetailsByConfigRuleInput{
			ConfigRuleName: &rule, ComplianceTypes: []configtypes.ComplianceType{configtypes.ComplianceTypeNonCompliant},
		})
		g.Must(err)
		for _, result := range details.EvaluationResults {
			resource := result.EvaluationResultIdentifier.EvaluationResultQualifier
			found[rule] = append(found[rule], configtypes.RemediationExceptionResourceKey{ResourceType: resource.ResourceType, ResourceId: resource.ResourceId})
		}
	}
	return found
}

// disarm has somebody exempt from remediation what each of the guard's Config rules finds.
func (g guard) disarm(c caller) {
	g.T.Helper()
	g.Only(deployed.ConfigPath)
	g.blind()
	g.Pass(period(deployed.ConfigPath)) // repairs; the verdicts stay until the next look
	g.WantRepaired()
	client := configservice.NewFromConfig(g.Config(c.Principal))
	for rule, resources := range g.nonCompliant() {
		put, err := client.PutRemediationExceptions(g.T.Context(), &configservice.PutRemediationExceptionsInput{
			ConfigRuleName: aws.String(rule), ResourceKeys: resources,
		})
		g.Must(err)
		if len(put.FailedBatches) > 0 {
			g.T.Fatalf("no exception was made: %s", *put.FailedBatches[0].FailureMessage)
		}
	}
	if found := g.exceptions(); len(found) != len(g.ConfigRuleNames) {
		g.T.Fatalf("the exceptions are %v", found)
	}
}

// letConfigGiveUp has each repair that Config starts fail, until Config exempts the trail by itself. The runs may not even delete
// the exceptions of one another.
func (g guard) letConfigGiveUp() {
	g.T.Helper()
	g.Only(deployed.ConfigPath)
	g.blind()
	// Failures that count only while they are recent must come faster than a runbook fails.
	fast := g.Options.Readings.AttemptCount == localconfig.AttemptsInWindow
	g.Gateway.SetFaults(localaws.Faults{Before: func(call api.Call) error {
		if fast && call.Action() == "ssm:StartAutomationExecution" || call.Principal.ARN == g.AutomationRoleARN && call.Service != "sns" {
			return api.Errorf("AccessDeniedException", "denied for a while")
		}
		return nil
	}})
	said := g.told(func() {
		g.Pass(period(deployed.ConfigPath))
		for range 200 {
			if len(g.exceptions()) == len(g.ConfigRuleNames) {
				break
			}
			g.Pass(10 * time.Second)
		}
	})
	if failures := count(said, "REPAIR Failed: "); failures < 5 && !fast {
		g.T.Errorf("people are told of %d failures", failures)
	}
	g.Gateway.SetFaults(localaws.Faults{})
	if found := g.exceptions(); len(found) != len(g.ConfigRuleNames) {
		g.T.Fatalf("the exceptions are %v", found)
	}
	before := len(g.Executions())
	g.Pass(period(deployed.ConfigPath))
	g.wantExecutions(before, 0)
	g.wantNotRepaired()
}

// wantArmedBy wants runs to have deleted an exception of each rule, and to have told people of it.
func (g guard) wantArmedBy(runs []run, messages []string) {
	g.T.Helper()
	g.wantArmed()
	var armed []string
	for _, r := range runs {
		for _, rule := range g.ConfigRuleNames {
			if _, found := r.Changed[rule]; !found {
				continue
			}
			armed = append(armed, rule)
			if line := "\n" + rule + ": found \"exempted\", declared \"remediated\"\n"; !slices.Contains(messages, r.Message) || !strings.Contains(r.Message, line) {
				g.T.Errorf("people are told %q", messages)
			}
		}
	}
	slices.Sort(armed)
	want := slices.Sorted(slices.Values(g.ConfigRuleNames))
	if !slices.Equal(armed, want) {
		g.T.Errorf("the runs armed %v, want %v", armed, want)
	}
}

// TestConfigIsArmedAgain is T38: somebody, or Config itself, exempts the trail from remediation. Somebody's call is an event, and
// Config's is found by the schedule. Each time the trail itself is as declared, or becomes so.
func TestConfigIsArmedAgain(t *testing.T) {
	t.Parallel()
	i := 0
	for name, disarm := range sorted(map[string]struct {
		disarm      func(g guard)
		path        deployed.Path
		eachReading bool // of how Config counts its attempts
	}{
		"after an administrator's exceptions, by the event": {func(g guard) { g.disarm(callers[1]) }, deployed.EventPath, false},
		"after root's exceptions, by the schedule": {func(g guard) {
			g.disarm(callers[0])
			g.Settle() // the event is lost
		}, deployed.SchedulePath, false},
		"after Config's own exceptions, by the schedule": {guard.letConfigGiveUp, deployed.SchedulePath, true},
	}) {
		t.Run(name, func(t *testing.T) {
			test := func(t *testing.T, a *account) {
				g := guarded(t, a, testbed.ReadTemplate(t, "default"))
				g.Pass(0)
				disarm.disarm(g)
				g.Only(disarm.path)
				before := len(g.Executions())
				said := g.told(func() {
					g.Settle()
					if disarm.path != deployed.EventPath {
						g.Pass(period(disarm.path))
					}
				})
				g.WantRepaired()
				g.wantArmedBy(g.since(before), said)

				g.Only(deployed.ConfigPath)
				g.Pass(period(deployed.ConfigPath))
				g.blind()
				g.Pass(period(deployed.ConfigPath))
				g.WantRepaired()
				g.wantArmed()
			}
			if i++; disarm.eachReading {
				inEach(t, test)
			} else {
				inTurn(t, i, test)
			}
		})
	}
}

// TestConfigStaysDisarmedWithoutItsParts is the negative control of the test before.
func TestConfigStaysDisarmedWithoutItsParts(t *testing.T) {
	t.Parallel()
	for i, test := range []struct {
		name   string
		broken breakage
		path   deployed.Path
	}{
		{"the event of an exception starts nothing", withoutAlternative("PutRemediationExceptions"), deployed.EventPath},
		{"the event of the exceptions of other rules does", start(func(rule map[string]any) {
			exception(rule)["requestParameters"].(map[string]any)["configRuleName"] = []any{"other"}
		}), deployed.EventPath},
		{"the schedule starts nothing", schedule(silent), deployed.SchedulePath},
		{"the runbook may not delete an exception", notAllowed(automationRole, "config:DeleteRemediationExceptions"), deployed.SchedulePath},
		{"the runbook may not look for exceptions", notAllowed(automationRole, "config:DescribeRemediationExceptions"), deployed.EventPath},
	} {
		t.Run(test.name, func(t *testing.T) {
			inTurn(t, i, func(t *testing.T, a *account) {
				g := guarded(t, a, testbed.ReadTemplate(t, "default"))
				g.Pass(0)
				test.broken(g)
				g.disarm(callers[1])
				if test.path == deployed.SchedulePath {
					g.Settle() // the event is lost
				}
				g.Only(test.path)
				g.Settle()
				if test.path == deployed.SchedulePath {
					g.Pass(period(test.path))
				}
				if found := g.exceptions(); len(found) != len(g.ConfigRuleNames) {
					t.Errorf("the exceptions are %v", found)
				}
			})
		})
	}
}

// TestConfigIsArmedAgainThoughItThrottles has Config refuse the first calls for each rule.
func TestConfigIsArmedAgainThoughItThrottles(t *testing.T) {
	inEach(t, func(t *testing.T, a *account) {
		g := guarded(t, a, testbed.ReadTemplate(t, "default"))
		g.Pass(0)
		g.disarm(callers[1])
		throttled := map[string]int{}
		g.Gateway.SetFaults(localaws.Faults{Before: func(call api.Call) error {
			what := fmt.Sprint(call.Operation, call.Input)
			if call.Principal.ARN != g.AutomationRoleARN || call.Service != "config" || throttled[what] == 2 {
				return nil
			}
			throttled[what]++
			return api.Errorf("ThrottlingException", "injected")
		}})
		g.Only(deployed.EventPath)
		before := len(g.Executions())
		said := g.told(g.Settle)
		g.Gateway.SetFaults(localaws.Faults{})
		if len(throttled) < 2*len(g.ConfigRuleNames) {
			t.Errorf("Config throttled %v", throttled)
		}
		g.wantArmedBy(g.since(before), said)
	})
}

// TestTheRunbookTakesNoForeignValues is T49: an administrator starts the guard's own runbook with other values.
func TestTheRunbookTakesNoForeignValues(t *testing.T) {
	t.Parallel()
	for i, name := range []string{"default", "everything"} {
		t.Run(name, func(t *testing.T) {
			inTurn(t, i, func(t *testing.T, a *account) {
				g := guarded(t, a, testbed.ReadTemplate(t, name))
				foreign := g.foreignValues(t)
				if len(foreign) < 9 {
					t.Fatalf("the runbook has only the parameters %v", foreign)
				}
				foreign["Unknown"] = "x"
				before := len(g.Executions())
				for parameter, value := range foreign {
					err := g.begin(map[string][]string{parameter: {value}})
					if !testbed.HasCode(err, "InvalidAutomationExecutionParametersException") {
						t.Errorf("with %s=%s the start ended with %v", parameter, value, err)
					}
				}
				g.Settle()
				g.wantExecutions(before, 0)
				g.WantRepaired()
				g.Must(g.begin(map[string][]string{"Resource": {"CloudTrail trail"}, "AutomationAssumeRole": {g.AutomationRoleARN}}))
				g.Settle()
				g.wantExecutions(before, 1)
			})
		})
	}
}

// TestARunbookThatTakesAnyValueIsTurnedAgainstTheTrail is the negative control of the test before.
func TestARunbookThatTakesAnyValueIsTurnedAgainstTheTrail(t *testing.T) {
	inEach(t, func(t *testing.T, a *account) {
		g := guarded(t, a, testbed.ReadTemplate(t, "default").With(t, func(_ testbed.TB, tpl testbed.Template) {
			for _, document := range tpl.Resources(runbook) {
				content := document["Content"].(map[string]any)
				payload := content["mainSteps"].([]any)[0].(map[string]any)["inputs"].(map[string]any)["InputPayload"].(map[string]any)
				content["parameters"].(map[string]any)["CloudTrailS3BucketName"] = map[string]any{"type": "String", "default": payload["S3BucketName"]}
				payload["S3BucketName"] = "{{ CloudTrailS3BucketName }}"
			}
		}))
		start := map[string][]string{"CloudTrailS3BucketName": {g.foreignValues(t)["CloudTrailS3BucketName"]}}
		g.Only()
		g.Must(g.begin(start))
		g.Settle()
		g.wantNotRepaired()
	})
}

// foreignValues are a value for each parameter of the runbook that it must not take, and for parameters that it must not have.
func (g guard) foreignValues(t *testing.T) map[string]string {
	t.Helper()
	elsewhere := g.elsewhere()
	values := map[string]string{
		"CloudTrailName": g.TrailName + "-2", "CloudTrailS3BucketName": elsewhere.Bucket, "CloudTrailKmsKeyId": elsewhere.KeyARN,
		"AutomationAssumeRole": "arn:aws:iam::" + api.Account + ":role/operators",
	}
	foreign := maps.Clone(values)
	for _, setting := range []string{"IsMultiRegionTrail", "IncludeGlobalServiceEvents", "EnableLogFileValidation"} {
		foreign[setting] = "false"
	}
	for name, parameter := range g.Runbook.Parameters {
		switch declared := parameter.Default.(type) {
		case bool:
			foreign[name] = fmt.Sprint(!declared)
		case string:
			foreign[name] = declared + "2"
		case nil:
		default:
			t.Fatalf("parameter %s is a %T", name, declared)
		}
		if value := values[name]; value != "" {
			foreign[name] = value
		}
		if foreign[name] == "" {
			t.Fatalf("there is no foreign value for parameter %s", name)
		}
	}
	return foreign
}
