package closedloop

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	configtypes "github.com/aws/aws-sdk-go-v2/service/configservice/types"

	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/localaws"
	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/eventbridge"
	"github.com/trailguard/trailguard/localaws/ssm/automation"
)

// The periods of the default template.
const (
	configPeriod   = 24 * time.Hour
	schedulePeriod = time.Hour
)

// wantLeftAloneFor lets time pass, and reports that somebody changed the trail, or told people anything.
func (g guard) wantLeftAloneFor(d time.Duration) {
	g.T.Helper()
	before := len(g.Executions())
	g.Pass(d)
	x := g.since(before)
	g.wantSuccess(x...)
	if made := writes(x...); len(made) > 0 {
		g.T.Errorf("a healthy trail was changed: %v", made)
	}
	if told := told(x...); len(told) > 0 {
		g.T.Errorf("people were told of a healthy trail: %v", told)
	}
}

// wantKept tampers with a trail that is as declared, lets something happen, and reports that the trail was not restored by
// executions that one trigger has started.
func (g guard) wantKept(trigger string, tamper func(g guard), happen func()) {
	g.T.Helper()
	before := len(g.Executions())
	tamper(g)
	if len(g.Unmet()) == 0 {
		g.T.Fatal("the tampering changed nothing")
	}
	happen()
	g.WantRepaired()
	g.wantStartedBy(trigger, g.since(before))
	g.wantSuccess(g.since(before)...)
	if told := strings.Join(told(g.since(before)...), "\n"); !strings.Contains(told, "started by "+trigger+": ") {
		g.T.Errorf("people were told\n%s", told)
	}
}

// TestConfigAloneCreatesAndKeepsTheTrail deploys, and does nothing then but to tamper and to let time pass.
func TestConfigAloneCreatesAndKeepsTheTrail(t *testing.T) {
	for _, test := range []struct {
		template string
		period   time.Duration
		among    []*account
		deploy   func(*testing.T, *account, testbed.Template) guard
	}{
		{"default", configPeriod, accounts, deploy},
		{"everything", time.Hour, accounts[1:2], deployWhileConfigActs},
	} {
		t.Run(test.template, func(t *testing.T) {
			inEach(t, test.among, "", func(t *testing.T, a *account) {
				g := test.deploy(t, a, testbed.ReadTemplate(t, test.template).With(t, withoutRules))
				g.step("the first evaluation creates the trail", func(g guard) {
					g.Pass(0)
					g.WantRepaired()
					g.wantStartedBy("Config", g.Executions())
					g.wantSuccess(g.Executions()...)
					for _, x := range g.Executions() {
						if !strings.Contains(x.ExecutedBy, "AWSServiceRoleForConfigRemediation") {
							g.T.Errorf("an execution was started by %s", x.ExecutedBy)
						}
					}
				})
				g.step("a trail that is as declared is left alone", func(g guard) {
					// What the first executions changed is evaluated once more.
					g.Pass(test.period)
					before := len(g.Executions())
					for range 3 {
						g.wantLeftAloneFor(test.period)
					}
					if after := len(g.Executions()); after != before {
						g.T.Errorf("there were %d executions", after-before)
					}
				})
				g.step("a stop is repaired with the period", func(g guard) {
					g.wantKept("Config", guard.stop, func() {
						g.Pass(time.Minute)
						if g.isLogging() {
							g.T.Error("the stop was repaired before its time, so this test does not see the rule's period")
						}
						g.Pass(test.period)
					})
				})
				for name, tamper := range map[string]func(g guard){
					"another prefix": changePrefix, "no Insights": func(g guard) { g.putInsights() },
				} {
					g.step(name+" is repaired with the change", func(g guard) {
						g.wantKept("Config", tamper, func() { g.Pass(time.Minute) })
					})
				}
				g.step("negative control: without the remediations nothing is repaired", func(g guard) {
					for _, rule := range g.ConfigRuleNames {
						_, err := g.Clients.Config.DeleteRemediationConfiguration(g.T.Context(), &configservice.DeleteRemediationConfigurationInput{ConfigRuleName: &rule})
						g.Must(err)
					}
					before := len(g.Executions())
					g.stop()
					g.Pass(2 * test.period)
					if n := len(g.since(before)); n > 0 || g.isLogging() {
						g.T.Errorf("there were %d executions, and logging is %v", n, g.isLogging())
					}
				})
			})
		})
	}
}

// TestTheScheduleAloneCreatesAndKeepsTheTrail: without an event of the trail, and without Config. What the end of a deployment
// does, TestADeploymentAppliesWhatItDeclaresAnew tests.
func TestTheScheduleAloneCreatesAndKeepsTheTrail(t *testing.T) {
	onEachShared(t, accounts, "default", func(g guard) {
		g.Only(deployed.SchedulePath)
		g.step("the trail is created with the period", func(g guard) {
			before := len(g.Executions())
			g.Pass(schedulePeriod)
			g.WantRepaired()
			g.wantStartedBy("schedule", g.since(before))
		})
		g.step("a trail that is as declared is left alone", func(g guard) {
			before := len(g.Executions())
			for range 3 {
				g.wantLeftAloneFor(schedulePeriod)
			}
			if n := len(g.Executions()) - before; n < 3 {
				g.T.Errorf("there were %d executions: the test proves nothing", n)
			}
		})
		for name, tamper := range map[string]func(g guard){"a stop": guard.stop, "everything at once": ruin, "a deletion": guard.deleteTrails} {
			g.step(name+" is repaired with the period", func(g guard) {
				g.wantKept("schedule", tamper, func() {
					g.Pass(schedulePeriod / 2)
					if len(g.Unmet()) == 0 {
						g.T.Error("it was repaired before its time, so this test does not see the period")
					}
					g.Pass(schedulePeriod / 2)
				})
			})
		}
	})
}

// TestEventsAloneKeepTheTrail: its calls tell of the tampering, and GuardDuty's finding where nothing else can, as there is no
// trail.
func TestEventsAloneKeepTheTrail(t *testing.T) {
	finding := map[string]any{
		"version": "0", "id": "00000000-0000-4000-8009-000000000001", "source": "aws.guardduty", "detail-type": "GuardDuty Finding",
		"account": api.Account, "region": api.Region, "resources": []any{},
		"detail": map[string]any{"type": "Stealth:IAMUser/CloudTrailLoggingDisabled", "severity": 2.0},
	}
	onEachShared(t, accounts, "default", func(g guard) {
		g.Only(deployed.EventPath)
		find := func() {
			g.Must(g.Bus().Publish(t.Context(), finding))
			g.Settle()
		}
		before := len(g.Executions())
		find()
		g.WantRepaired()
		g.wantStartedBy("event", g.since(before))
		for name, tamper := range map[string]func(g guard){"a stop": guard.stop, "everything at once": ruin} {
			g.step(name, func(g guard) { g.wantKept("event", tamper, g.Settle) })
		}
		g.step("a deletion", func(g guard) {
			g.wantKept("event", guard.deleteTrails, func() {
				if g.Settle(); g.Options.Readings.DropDeletionOfLastTrail {
					find()
				}
			})
		})
		g.wantLeftAloneFor(0)
	})
}

// TestAGuardWithoutEventsCreatesAndKeepsTheTrail: the deployment's end creates it, and Config keeps it.
func TestAGuardWithoutEventsCreatesAndKeepsTheTrail(t *testing.T) {
	inAny(t, func(t *testing.T, a *account) {
		g := guarded(t, a, testbed.ReadTemplate(t, "config-only"))
		g.wantStartedBy("schedule", g.Executions())
		g.wantLeftAloneFor(configPeriod)
		g.wantKept("Config", guard.stop, func() {
			g.Pass(2 * schedulePeriod)
			if g.isLogging() {
				t.Error("the trail is looked at each hour, although it should not be")
			}
			g.Pass(configPeriod)
		})
	})
}

// TestAGuardWithoutConfigCreatesAndKeepsTheTrail, in an account without a configuration recorder.
func TestAGuardWithoutConfigCreatesAndKeepsTheTrail(t *testing.T) {
	inAny(t, func(t *testing.T, a *account) {
		g := guarded(t, a, testbed.ReadTemplate(t, "without-config"))
		g.wantKept("event", guard.stop, g.Settle)
		g.wantKept("event", ruin, g.Settle)
		g.wantLeftAloneFor(3 * schedulePeriod)
		g.Only(deployed.SchedulePath)
		g.wantKept("schedule", ruin, func() { g.Pass(schedulePeriod) })
		for _, call := range g.Gateway.Calls() {
			if call.Service == "config" {
				t.Errorf("a guard without Config calls %s", call.Action())
			}
		}
	})
}

// TestALostRecorderStopsNoRepair: Config sees nothing any more, and the schedule does.
func TestALostRecorderStopsNoRepair(t *testing.T) {
	inAny(t, func(t *testing.T, a *account) {
		g := guarded(t, a, testbed.ReadTemplate(t, "default").With(t, withoutEvents))
		g.Pass(0)
		recorders, err := g.Clients.Config.DescribeConfigurationRecorders(t.Context(), &configservice.DescribeConfigurationRecordersInput{})
		g.Must(err)
		for _, recorder := range recorders.ConfigurationRecorders {
			_, err := g.Clients.Config.DeleteConfigurationRecorder(t.Context(), &configservice.DeleteConfigurationRecorderInput{ConfigurationRecorderName: recorder.Name})
			g.Must(err)
		}
		g.wantKept("schedule", ruin, func() { g.Pass(schedulePeriod + time.Minute) })
	})
}

// TestTheWholeGuardComesToRest: what its own repair starts finds nothing to do.
func TestTheWholeGuardComesToRest(t *testing.T) {
	onEachShared(t, accounts, "default", func(g guard) {
		g.healthy()
		g.Only(triggers...)
		g.Pass(0)
		for _, test := range []struct {
			name   string
			tamper func(g guard)
			want   int // executions: those that tampering starts, and those that their writes start
		}{
			{"StartLogging starts none", guard.stop, 1},
			{"UpdateTrail starts one", func(g guard) { g.update(cloudtrail.UpdateTrailInput{KmsKeyId: empty}) }, 2},
		} {
			g.step(test.name, func(g guard) {
				before := len(g.Executions())
				test.tamper(g)
				g.Settle()
				g.WantRepaired()
				x := g.since(before)
				g.wantSuccess(x...)
				if len(x) != test.want || len(writes(x...)) != 1 || len(told(x...)) != 1 {
					g.T.Errorf("%d executions wrote %v and told people %v: want %d that write once in all", len(x), writes(x...), told(x...), test.want)
				}
			})
		}
		g.wantLeftAloneFor(configPeriod)
	})
}

// failedWith tells whether any execution has failed, and says this text.
func (g guard) failedWith(text string) bool {
	return slices.ContainsFunc(g.Executions(), func(x *automation.Execution) bool {
		return x.Status == automation.Failed && strings.Contains(x.FailureMessage+strings.Join(told(x), "\n"), text)
	})
}

// TestASecondTrailDoesNotHideAStop from Config, which has the schedule beside it for what it does not see.
func TestASecondTrailDoesNotHideAStop(t *testing.T) {
	inAny(t, func(t *testing.T, a *account) {
		g := deploy(t, a, testbed.ReadTemplate(t, "default").With(t, withoutRules))
		g.healthy()
		other := aws.String("other")
		g.createTrail(cloudtrail.CreateTrailInput{Name: other, S3BucketName: aws.String(g.elsewhere().bucket), IsMultiRegionTrail: yes})
		g.change(func(ctx context.Context, client *cloudtrail.Client) error {
			_, err := client.StartLogging(ctx, &cloudtrail.StartLoggingInput{Name: other})
			return err
		})
		g.Pass(0)
		g.wantKept("Config", guard.stop, func() { g.Pass(configPeriod) })
		g.step("negative control: a rule that does not name the bucket", func(g guard) {
			rules, err := g.Clients.Config.DescribeConfigRules(g.T.Context(), &configservice.DescribeConfigRulesInput{ConfigRuleNames: g.ConfigRuleNames})
			g.Must(err)
			for _, rule := range rules.ConfigRules {
				if aws.ToString(rule.Source.SourceIdentifier) == "CLOUD_TRAIL_ENABLED" {
					rule.InputParameters = nil
					_, err := g.Clients.Config.PutConfigRule(g.T.Context(), &configservice.PutConfigRuleInput{ConfigRule: &rule})
					g.Must(err)
				}
			}
			g.Pass(configPeriod)
			g.stop()
			g.Pass(2 * configPeriod)
			if g.isLogging() {
				g.T.Error("the stop was seen")
			}
		})
	})
}

// deployWhileConfigActs deploys a template, and lets Config evaluate and remediate as soon as a remediation exists: before
// the rest of the stack does.
func deployWhileConfigActs(t *testing.T, a *account, tpl testbed.Template) guard {
	t.Helper()
	a.prepare(t, tpl)
	a.Gateway.SetFaults(localaws.Faults{After: func(call api.Call) error {
		if call.Action() != "config:PutRemediationConfigurations" {
			return nil
		}
		return a.Advance(t.Context(), 0)
	}})
	defer a.Gateway.SetFaults(localaws.Faults{})
	return a.createStack(t, tpl)
}

func TestConfigMayActWhileTheStackIsBeingDeployed(t *testing.T) {
	for _, template := range []string{"default", "organization"} {
		t.Run(template, func(t *testing.T) {
			inAny(t, func(t *testing.T, a *account) {
				g := deployWhileConfigActs(t, a, testbed.ReadTemplate(t, template).With(t, withoutRules))
				g.wantStartedBy("Config", g.Executions())
				g.wantSuccess(g.Executions()...)
				g.WantRepaired()
			})
		})
	}
}

// TestTheRulesWaitForAllThatARepairNeeds leaves out the policies of roles: they are part of the roles, to which the runbook refers.
func TestTheRulesWaitForAllThatARepairNeeds(t *testing.T) {
	type need struct {
		kind, text string
		failure    string // of a repair that comes before
	}
	for _, test := range []struct {
		template string
		needs    []need
	}{
		{"default", []need{{"AWS::S3::BucketPolicy", "cloudtrail.amazonaws.com", "InsufficientS3BucketPolicyException"}}},
		{"everything", []need{{"AWS::SNS::TopicPolicy", "cloudtrail.amazonaws.com", "InsufficientSnsTopicPolicyException"}}},
	} {
		t.Run(test.template+" "+test.needs[0].kind, func(t *testing.T) {
			inAny(t, func(t *testing.T, a *account) {
				without := testbed.ReadTemplate(t, test.template).With(t, withoutRules, withoutOrder)
				for _, need := range test.needs {
					tpl := testbed.ReadTemplate(t, test.template).With(t, withoutRules, late(need.kind, need.text))
					a.prepare(t, tpl)
					if err := localaws.CreateStack(t.Context(), a.Admin, testbed.StackName, tpl.JSON(), testbed.MayMakeRoles...); err == nil || !strings.Contains(strings.ToLower(err.Error()), "circular") {
						t.Errorf("CloudFormation may create the %s after the remediations: %v", need.kind, err)
					}
					without.With(t, late(need.kind, need.text))
				}
				g := deployWhileConfigActs(t, a, without)
				for _, need := range test.needs {
					if !g.failedWith(need.failure) {
						t.Errorf("negative control: without the order no remediation met %s", need.failure)
					}
				}
			})
		})
	}
}

// exceptions are the remediation exceptions of all rules.
func (g guard) exceptions() []configtypes.RemediationException {
	g.T.Helper()
	var all []configtypes.RemediationException
	for _, rule := range g.ConfigRuleNames {
		got, err := g.Clients.Config.DescribeRemediationExceptions(g.T.Context(), &configservice.DescribeRemediationExceptionsInput{ConfigRuleName: &rule})
		g.Must(err)
		all = append(all, got.RemediationExceptions...)
	}
	return all
}

// exempt has Config find the trail not as declared, keeps it from remediating that, and puts exceptions for all of it.
func (g guard) exempt() []configtypes.RemediationException {
	g.T.Helper()
	g.Only(deployed.ConfigPath)
	defer g.Only()
	g.Gateway.SetFaults(outage)
	g.evaluate()
	g.Pass(0)
	for _, rule := range g.ConfigRuleNames {
		found, err := g.Clients.Config.GetComplianceDetailsByConfigRule(g.T.Context(), &configservice.GetComplianceDetailsByConfigRuleInput{
			ConfigRuleName: &rule, ComplianceTypes: []configtypes.ComplianceType{configtypes.ComplianceTypeNonCompliant},
		})
		g.Must(err)
		for _, result := range found.EvaluationResults {
			resource := result.EvaluationResultIdentifier.EvaluationResultQualifier
			_, err := g.Clients.Config.PutRemediationExceptions(g.T.Context(), &configservice.PutRemediationExceptionsInput{
				ConfigRuleName: &rule,
				ResourceKeys:   []configtypes.RemediationExceptionResourceKey{{ResourceType: resource.ResourceType, ResourceId: resource.ResourceId}},
			})
			g.Must(err)
		}
	}
	g.Gateway.SetFaults(localaws.Faults{})
	exceptions := g.exceptions()
	if len(exceptions) == 0 {
		g.T.Fatal("Config finds the trail as declared, so that there is nothing to exempt")
	}
	return exceptions
}

// stopRecorder stops the recorder of the template, or of the account.
func (g guard) stopRecorder() {
	g.T.Helper()
	found, err := g.Clients.Config.DescribeConfigurationRecorders(g.T.Context(), &configservice.DescribeConfigurationRecordersInput{})
	g.Must(err)
	_, err = g.Clients.Config.StopConfigurationRecorder(g.T.Context(), &configservice.StopConfigurationRecorderInput{ConfigurationRecorderName: found.ConfigurationRecorders[0].Name})
	g.Must(err)
}

// isRecording tells whether the recorder records.
func (g guard) isRecording() bool {
	g.T.Helper()
	status, err := g.Clients.Config.DescribeConfigurationRecorderStatus(g.T.Context(), &configservice.DescribeConfigurationRecorderStatusInput{})
	g.Must(err)
	return status.ConfigurationRecordersStatus[0].Recording
}

// TestARecorderThatWasStoppedIsStartedAgain is T32, of which no event starts the runbook: the schedule does.
func TestARecorderThatWasStoppedIsStartedAgain(t *testing.T) {
	inAny(t, func(t *testing.T, a *account) {
		g := guarded(t, a, testbed.ReadTemplate(t, "default"))
		g.Only(deployed.SchedulePath)
		for range 2 {
			g.stopRecorder()
			before := len(g.Executions())
			g.Pass(schedulePeriod)
			x := g.since(before)
			g.wantSuccess(x...)
			if !g.isRecording() {
				t.Error("AWS Config does not record")
			}
			if said := strings.Join(told(x...), "\n"); strings.Count(said, "\nrecorder default: found \"stopped\", declared \"recording\"\n") != 1 {
				t.Errorf("people are told %q", said)
			}
			before = len(g.Executions())
			g.Pass(schedulePeriod)
			if said := told(g.since(before)...); len(said) > 0 {
				t.Errorf("when it records people are told %q", said)
			}
		}
	})
}

// outage refuses every start of an automation.
var outage = localaws.Faults{Before: func(call api.Call) error {
	if call.Action() != "ssm:StartAutomationExecution" {
		return nil
	}
	return api.Errorf("ThrottlingException", "injected")
}}

// disarm has Config use its attempts up: it writes exceptions by itself, and remediates no more.
func (g guard) disarm() {
	g.T.Helper()
	g.Gateway.SetFaults(outage)
	defer g.Gateway.SetFaults(localaws.Faults{})
	g.update(cloudtrail.UpdateTrailInput{EnableLogFileValidation: no})
	g.stop()
	g.Pass(configPeriod)
	for range 60 {
		if len(g.exceptions()) == len(g.ConfigRuleNames) {
			return
		}
		g.Pass(10 * time.Second)
	}
	g.T.Fatalf("Config has written only %v", g.exceptions())
}

// configStarts counts the executions that Config has started.
func configStarts(executions []*automation.Execution) int {
	n := 0
	for _, x := range executions {
		if startedBy(x) == "Config" {
			n++
		}
	}
	return n
}

// TestTheScheduleArmsConfigAgain: after a throttle of Automation, Config is disarmed for good, and no event tells so.
func TestTheScheduleArmsConfigAgain(t *testing.T) {
	inEach(t, unlimited, "", func(t *testing.T, a *account) {
		g := guarded(t, a, testbed.ReadTemplate(t, "default").With(t, withoutEvents))
		g.disarm()
		g.step("negative control: without the permission", func(g guard) {
			before := len(g.Executions())
			g.withoutPermission("config:DeleteRemediationExceptions", func() { g.Pass(schedulePeriod) })
			g.WantRepaired()
			g.wantStartedBy("schedule", g.since(before))
			for _, x := range g.since(before) {
				g.wantFailed(x, "LEFT: "+g.ConfigRuleNames[0]+": ", "(AccessDeniedException) when calling the DeleteRemediationExceptions operation")
			}
			if n := len(g.exceptions()); n != len(g.ConfigRuleNames) {
				g.T.Errorf("%d exceptions are left", n)
			}
			g.Only(deployed.ConfigPath)
			g.stop()
			g.Pass(configPeriod)
			if configStarts(g.since(before)) > 0 || g.isLogging() {
				g.T.Error("Config remediates all the same: the exceptions are no obstacle")
			}
		})
		g.step("with the permission", func(g guard) {
			g.Only(deployed.ConfigPath, deployed.SchedulePath)
			g.wantKept("schedule", func(guard) {}, func() { g.Pass(schedulePeriod) })
			if left := g.exceptions(); len(left) > 0 {
				g.T.Errorf("exceptions are left: %v", left)
			}
			g.Only(deployed.ConfigPath)
			g.wantKept("Config", guard.stop, func() { g.Pass(configPeriod) })
		})
	})
}

func (g guard) evaluate() {
	g.T.Helper()
	_, err := g.Clients.Config.StartConfigRulesEvaluation(g.T.Context(), &configservice.StartConfigRulesEvaluationInput{ConfigRuleNames: g.ConfigRuleNames})
	g.Must(err)
}

// TestAVerdictWhoseEventGotLostIsNotTheLastWord: where Config has no remediation, it tells of a verdict once.
func TestAVerdictWhoseEventGotLostIsNotTheLastWord(t *testing.T) {
	lose := func(g guard) {
		g.T.Helper()
		g.stop()
		g.Gateway.SetFaults(localaws.Faults{Before: localaws.FailNext("ssm:StartAutomationExecution", 10, "AccessDeniedException")})
		g.evaluate()
		g.Pass(time.Minute)
		g.Gateway.SetFaults(localaws.Faults{})
		if g.isLogging() {
			g.T.Fatal("the event was not lost")
		}
	}
	inAny(t, func(t *testing.T, a *account) {
		g := guarded(t, a, testbed.ReadTemplate(t, "govcloud"))
		g.Pass(0)
		g.step("a verdict starts the runbook", func(g guard) {
			g.Only(deployed.ConfigPath)
			g.wantKept("Config", guard.stop, func() {
				g.evaluate()
				g.Pass(time.Minute)
			})
			g.Pass(configPeriod)
		})
		g.step("the schedule tries again", func(g guard) {
			g.Only(deployed.ConfigPath, deployed.SchedulePath)
			g.Pass(schedulePeriod)
			g.wantKept("schedule", lose, func() { g.Pass(schedulePeriod) })
			g.Pass(configPeriod)
		})
		g.step("negative control: without the schedule", func(g guard) {
			g.Only(deployed.ConfigPath)
			lose(g)
			for range 3 {
				g.Pass(configPeriod)
			}
			if g.isLogging() {
				g.T.Error("Config tells of a verdict again")
			}
		})
	})
}

// TestEachPermissionOfTheTargetRoleIsNeeded: without any of them the event starts nothing, and is kept.
func TestEachPermissionOfTheTargetRoleIsNeeded(t *testing.T) {
	onShared(t, "default", func(g guard) {
		g.healthy()
		g.Only(deployed.EventPath)
		for _, needed := range []string{
			"ssm:StartAutomationExecution", "iam:PassRole", ":document/" + g.RunbookName, ":automation-definition/" + g.RunbookName + ":1",
			":automation-execution/*", g.AutomationRoleARN,
		} {
			g.step(needed, func(g guard) {
				other := needed + "-of-another"
				if service, _, isAction := strings.Cut(needed, ":"); isAction && service != "" && service != "arn" {
					other = service + ":ListTags"
				}
				g.withEdited(g.startRole(), needed, other, func() {
					g.stop()
					g.Settle()
				})
				if g.isLogging() {
					g.T.Error("the trail was restored")
				}
				deliveries := g.Bus().Deliveries()
				if last := deliveries[len(deliveries)-1]; last.Outcome != eventbridge.Failed || !last.DeadLettered {
					g.T.Errorf("the last delivery is %+v", last)
				}
				// What is done to a trail that does not log starts nothing.
				g.start()
				g.wantKept("event", guard.stop, g.Settle)
			})
		}
	})
}
