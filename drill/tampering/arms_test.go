package tampering

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	configtypes "github.com/aws/aws-sdk-go-v2/service/configservice/types"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/internal/localaws"
	"github.com/trailguard/trailguard/drill/internal/localaws/api"
	localconfig "github.com/trailguard/trailguard/drill/internal/localaws/configservice"
)

// TestTheRunbookTakesNoForeignValues is T49: an administrator starts the guard's own runbook with other values.
func TestTheRunbookTakesNoForeignValues(t *testing.T) {
	for _, name := range []string{"default", "everything"} {
		t.Run(name, func(t *testing.T) {
			inEach(t, func(t *testing.T, a *account) {
				g := guarded(t, a, readTemplate(t, name))
				foreign := g.foreignValues(t)
				if len(foreign) < 8 {
					t.Fatalf("the runbook has only the parameters %v", foreign)
				}
				foreign["Unknown"] = "x"
				before := len(g.Executions())
				for parameter, value := range foreign {
					err := g.begin(map[string][]string{parameter: {value}})
					if !hasCode(err, "InvalidAutomationExecutionParametersException") {
						t.Errorf("with %s=%s the start ended with %v", parameter, value, err)
					}
				}
				g.settle()
				g.wantExecutions(before, 0)
				g.wantRepaired()
				g.must(g.begin(map[string][]string{"CloudTrailName": {g.TrailName}, "CloudTrailS3BucketName": {g.LogBucketName}, "CloudTrailKmsKeyId": {g.LogKeyARN}}))
				g.settle()
				g.wantExecutions(before, 1)
			})
		})
	}
}

// TestARunbookThatTakesAnyValueIsTurnedAgainstTheTrail is the negative control of the test before.
func TestARunbookThatTakesAnyValueIsTurnedAgainstTheTrail(t *testing.T) {
	inEach(t, func(t *testing.T, a *account) {
		g := guarded(t, a, readTemplate(t, "default").with(t, func(tpl template) {
			for _, document := range tpl.resources(runbook) {
				for _, parameter := range document["Content"].(map[string]any)["parameters"].(map[string]any) {
					delete(parameter.(map[string]any), "allowedValues")
				}
			}
		}))
		g.must(g.begin(map[string][]string{"CloudTrailS3BucketName": {g.foreignValues(t)["CloudTrailS3BucketName"]}}))
		g.settle()
		g.wantNotRepaired()
	})
}

// foreignValues are a value for each parameter of the runbook that it must not take.
func (g guard) foreignValues(t *testing.T) map[string]string {
	t.Helper()
	elsewhere := g.elsewhere()
	values := map[string]string{
		"CloudTrailName": g.TrailName + "-2", "CloudTrailS3BucketName": elsewhere.Bucket, "CloudTrailKmsKeyId": elsewhere.KeyARN,
		"AutomationAssumeRole": "arn:aws:iam::" + api.Account + ":role/operators",
	}
	foreign := map[string]string{}
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

// nonCompliant are the resources that Config found not compliant, by rule.
func (g guard) nonCompliant() map[string][]configtypes.RemediationExceptionResourceKey {
	g.t.Helper()
	found := map[string][]configtypes.RemediationExceptionResourceKey{}
	for _, rule := range g.ConfigRuleNames {
		details, err := g.admin.Config.GetComplianceDetailsByConfigRule(g.t.Context(), &configservice.GetComplianceDetailsByConfigRuleInput{
			ConfigRuleName: &rule, ComplianceTypes: []configtypes.ComplianceType{configtypes.ComplianceTypeNonCompliant},
		})
		g.must(err)
		for _, result := range details.EvaluationResults {
			resource := result.EvaluationResultIdentifier.EvaluationResultQualifier
			found[rule] = append(found[rule], configtypes.RemediationExceptionResourceKey{ResourceType: resource.ResourceType, ResourceId: resource.ResourceId})
		}
	}
	return found
}

// blind stops the trail and clears its settings, so that each of the guard's Config rules finds something.
func (g guard) blind() {
	g.t.Helper()
	g.must(g.tamper(attack{scenario("T19"), callers[0], false}, drill.Target{}))
	g.must(g.tamper(attack{scenario("T01"), callers[0], false}, drill.Target{}))
}

// startLogging is what an administrator may do: it is no tampering, and lets events through again.
func (g guard) startLogging() {
	g.t.Helper()
	_, err := g.admin.CloudTrail.StartLogging(g.t.Context(), &cloudtrail.StartLoggingInput{Name: &g.TrailName})
	g.must(err)
}

// TestARepairByAnEventArmsConfigAgain is T38: somebody, or Config itself, exempts the trail from remediation.
func TestARepairByAnEventArmsConfigAgain(t *testing.T) {
	disarm := map[string]func(g guard){
		"after an administrator's exceptions": func(g guard) {
			g.blind()
			g.configLooks(period) // repairs; the verdicts stay until the next look
			for rule, resources := range g.nonCompliant() {
				mallory := configservice.NewFromConfig(g.Config(callers[1].Principal))
				put, err := mallory.PutRemediationExceptions(g.t.Context(), &configservice.PutRemediationExceptionsInput{
					ConfigRuleName: aws.String(rule), ResourceKeys: resources,
				})
				g.must(err)
				if len(put.FailedBatches) > 0 {
					g.t.Fatalf("no exception was made: %s", *put.FailedBatches[0].FailureMessage)
				}
			}
			said := g.told(func() { g.settle() })
			for _, rule := range g.ConfigRuleNames {
				want := fmt.Sprintf("DISARMED: Config no longer remediates the trail %s in account %s, %s, for the rule %s, by %s at ",
					g.TrailName, api.Account, api.Region, rule, callers[1].ARN)
				if count(said, want) != 1 {
					g.t.Errorf("nobody is told of the exception for rule %s: %q", rule, said)
				}
			}
			g.blind()
			g.configLooks(period)
		},
		"after Config's own exceptions": func(g guard) {
			g.blind()
			// Failures that count only while they are recent must come faster than a runbook fails.
			fast := g.options.AttemptCount == localconfig.AttemptsInWindow
			g.Gateway.SetFaults(localaws.Faults{Before: func(call api.Call) error {
				if fast && call.Action() == "ssm:StartAutomationExecution" || call.Principal.ARN == g.AutomationRoleARN && call.Service == "cloudtrail" {
					return api.Errorf("AccessDeniedException", "denied for a while")
				}
				return nil
			}})
			said := g.told(func() {
				g.configLooks(period)
				for range 60 {
					g.configLooks(10 * time.Second)
				}
			})
			if failures := count(said, "REPAIR Failed: "); failures < 5 && !fast {
				g.t.Errorf("people are told of %d failures", failures)
			}
			if count(said, "NON_COMPLIANT: ") == 0 {
				g.t.Errorf("nobody is told of Config's verdict: %q", said)
			}
			g.Gateway.SetFaults(localaws.Faults{})
		},
	}
	for name, disarm := range disarm {
		t.Run(name, func(t *testing.T) {
			inEach(t, func(t *testing.T, a *account) {
				g := guarded(t, a, readTemplate(t, "default"))
				g.configLooks(0)
				g.repairOnEvents(false)
				disarm(g)
				if found := g.exceptions(); len(found) != len(g.ConfigRuleNames) {
					t.Fatalf("the exceptions are %v", found)
				}
				before := len(g.Executions())
				g.configLooks(period)
				g.wantExecutions(before, 0)
				g.wantNotRepaired()

				g.startLogging()
				g.repairOnEvents(true)
				g.must(g.tamper(attack{scenario("T01"), callers[0], false}, drill.Target{}))
				g.settle()
				g.wantRepaired()
				g.wantArmed()

				g.configLooks(period)
				g.repairOnEvents(false)
				g.blind()
				g.configLooks(period)
				g.wantRepaired()
				g.wantArmed()
			})
		})
	}
}

// TestConfigIsArmedAgainThoughItThrottles has Config refuse the first call of each of the runbook's steps.
func TestConfigIsArmedAgainThoughItThrottles(t *testing.T) {
	inEach(t, func(t *testing.T, a *account) {
		g := guarded(t, a, readTemplate(t, "default"))
		g.configLooks(0)
		g.repairOnEvents(false)
		g.blind()
		g.configLooks(period)
		for rule, resources := range g.nonCompliant() {
			_, err := g.admin.Config.PutRemediationExceptions(t.Context(), &configservice.PutRemediationExceptionsInput{
				ConfigRuleName: aws.String(rule), ResourceKeys: resources,
			})
			g.must(err)
		}
		throttled := map[string]bool{}
		g.Gateway.SetFaults(localaws.Faults{Before: func(call api.Call) error {
			what := fmt.Sprint(call.Input)
			if call.Action() != "config:DeleteRemediationExceptions" || throttled[what] {
				return nil
			}
			throttled[what] = true
			return api.Errorf("ThrottlingException", "injected")
		}})
		g.repairOnEvents(true)
		g.must(g.tamper(attack{scenario("T01"), callers[0], false}, drill.Target{}))
		g.settle()
		g.Gateway.SetFaults(localaws.Faults{})
		g.wantRepaired()
		g.wantArmed()
	})
}
