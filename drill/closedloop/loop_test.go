package closedloop

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	configtypes "github.com/aws/aws-sdk-go-v2/service/configservice/types"

	"github.com/trailguard/trailguard/drill/internal/localaws"
	"github.com/trailguard/trailguard/drill/internal/localaws/api"
	"github.com/trailguard/trailguard/drill/internal/localaws/automation"
)

// TestConfigCreatesTheTrailAndKeepsItSo deploys, and does nothing then but to tamper and to let time pass.
func TestConfigCreatesTheTrailAndKeepsItSo(t *testing.T) {
	inEach(t, 3, func(t *testing.T, a *account) {
		for _, test := range []struct {
			template string
			period   time.Duration
			in       []*account
		}{
			{"default", time.Hour, accounts},
			{"everything", 24 * time.Hour, accounts[1:2]},
		} {
			if !slices.Contains(test.in, a) {
				continue
			}
			g := deploy(t, a, readTemplate(t, test.template))
			g.step(test.template+": the first evaluation creates the trail", func(g guard) {
				g.tick(0)
				g.wantRepaired()
				if len(g.Executions()) == 0 {
					g.t.Error("nothing was executed")
				}
				for _, x := range g.Executions() {
					if !strings.Contains(x.ExecutedBy, "AWSServiceRoleForConfigRemediation") {
						g.t.Errorf("an execution was started by %s", x.ExecutedBy)
					}
				}
				g.wantSuccess(g.Executions()...)
			})
			g.step(test.template+": a trail that is as declared is left alone", func(g guard) {
				// What the first executions changed is evaluated once more.
				g.tick(test.period)
				before := len(g.Executions())
				for range 3 {
					g.tick(test.period)
				}
				if after := len(g.Executions()); after != before {
					g.t.Errorf("there were %d executions", after-before)
				}
			})
			g.step(test.template+": a stop is repaired with the period", func(g guard) {
				g.stop()
				g.tick(time.Minute)
				if g.isLogging() {
					g.t.Error("the stop was repaired before its time, so this test does not see the rule's period")
				}
				g.tick(test.period)
				g.wantRepaired()
			})
			for _, tampering := range []tampering{
				{name: "another prefix", do: changePrefix},
				{name: "no Insights", do: func(g guard) { g.putInsights() }},
			} {
				g.step(test.template+": "+tampering.name+" is repaired with the change", func(g guard) {
					tampering.do(g)
					if len(g.differences()) == 0 {
						g.t.Fatal("the tampering changed nothing")
					}
					g.tick(time.Minute)
					g.wantRepaired()
				})
			}
			g.step(test.template+": nothing has failed", func(g guard) { g.wantSuccess(g.Executions()...) })
		}
	})
}

func TestTheWholeTemplateRepairsWithoutConfig(t *testing.T) {
	inAny(t, func(t *testing.T, a *account) {
		g := deploy(t, a, readWholeTemplate(t, "default"))
		g.tick(0)
		g.wantRepaired()
		g.stop()
		g.must(g.RunToQuiescence(t.Context()))
		g.wantRepaired()
	})
}

// problems lets Config create the trail and repair a stop, and returns what went wrong.
func (g guard) problems() []string {
	g.t.Helper()
	g.tick(0)
	problems := g.differences()
	if g.actual() != nil {
		g.stop()
		g.tick(time.Hour)
		if !g.isLogging() {
			problems = append(problems, "the stop was not repaired")
		}
	}
	for _, x := range g.Executions() {
		if x.Status != automation.Success {
			problems = append(problems, fmt.Sprintf("an execution is %s: %s", x.Status, x.FailureMessage))
		}
	}
	return problems
}

// TestNothingIsRepairedWithoutTheRemediation is a negative control of TestConfigCreatesTheTrailAndKeepsItSo.
func TestNothingIsRepairedWithoutTheRemediation(t *testing.T) {
	inAny(t, func(t *testing.T, a *account) {
		g := deploy(t, a, readTemplate(t, "default").mutate(t, withoutResources("AWS::Config::RemediationConfiguration")))
		if problems := g.problems(); len(problems) == 0 || len(g.Executions()) > 0 {
			t.Errorf("negative control: without the remediation the problems are %v, with %d executions", problems, len(g.Executions()))
		}
	})
}

// TestEachPermissionOnTheTrailIsNeeded is a negative control: without any one of them, a repair fails and says so.
func TestEachPermissionOnTheTrailIsNeeded(t *testing.T) {
	actions := readTemplate(t, "default").trailActions()
	if len(actions) != 9 {
		t.Fatalf("the role may %v", actions)
	}
	inEach(t, len(accounts), func(t *testing.T, a *account) {
		for i, action := range actions {
			if accounts[i%len(accounts)] != a {
				continue
			}
			t.Run(action, func(t *testing.T) {
				g := deploy(t, a, readTemplate(t, "default").mutate(t, withoutAction(action)))
				if problems := g.problems(); len(problems) == 0 {
					t.Error("nothing went wrong")
				}
				_, operation, _ := strings.Cut(action, ":")
				if !g.failedWith(operation + ": AccessDeniedException") {
					t.Error("no step tells that the action was denied")
				}
			})
		}
	})
}

// failedWith tells whether a step of any execution has failed with a message that has this text.
func (g guard) failedWith(text string) bool {
	for _, x := range g.Executions() {
		for _, step := range x.Steps {
			if strings.Contains(step.FailureMessage, text) {
				return true
			}
		}
	}
	return false
}

func TestASecondTrailDoesNotHideAStop(t *testing.T) {
	for _, test := range []struct {
		name      string
		mutations []mutation
		noticed   bool
	}{
		{"with the bucket in the rule", nil, true},
		{"negative control: without it", []mutation{withoutBucketPin}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			inAny(t, func(t *testing.T, a *account) {
				g := deploy(t, a, readTemplate(t, "default").mutate(t, test.mutations...))
				g.healthy()
				other := aws.String("other")
				g.createTrail(cloudtrail.CreateTrailInput{Name: other, S3BucketName: aws.String(g.elsewhere().bucket), IsMultiRegionTrail: yes})
				g.change(func(ctx context.Context, client *cloudtrail.Client) error {
					_, err := client.StartLogging(ctx, &cloudtrail.StartLoggingInput{Name: other})
					return err
				})
				g.tick(0)
				g.stop()
				g.tick(time.Hour)
				if logging := g.isLogging(); logging != test.noticed {
					t.Errorf("logging is %v, want %v", logging, test.noticed)
				}
			})
		})
	}
}

// deployWhileConfigActs deploys a template, and lets Config evaluate and remediate as soon as a remediation exists: before
// the rest of the stack does.
func deployWhileConfigActs(t *testing.T, a *account, tpl template) guard {
	t.Helper()
	g := prepare(t, a, tpl)
	g.Gateway.SetFaults(localaws.Faults{After: func(call api.Call) error {
		if call.Action() != "config:PutRemediationConfigurations" {
			return nil
		}
		return g.Advance(t.Context(), 0)
	}})
	g.createStack(tpl)
	g.Gateway.SetFaults(localaws.Faults{})
	return g.discover()
}

func TestConfigMayActWhileTheStackIsBeingDeployed(t *testing.T) {
	inAny(t, func(t *testing.T, a *account) {
		for _, template := range []string{"default", "organization", "everything"} {
			g := deployWhileConfigActs(t, a, readTemplate(t, template))
			if len(g.Executions()) == 0 {
				t.Errorf("%s: nothing was executed before the stack was there: the test proves nothing", template)
			}
			g.wantSuccess(g.Executions()...)
			g.wantRepaired()
		}
	})
}

func TestTheRulesWaitForAllThatARepairNeeds(t *testing.T) {
	needs := []struct {
		template, kind, text string
		failure              string // of a repair that comes before
	}{
		{"default", "AWS::IAM::Policy", "cloudtrail:StartLogging", "AccessDeniedException"},
		{"default", "AWS::S3::BucketPolicy", "cloudtrail.amazonaws.com", "InsufficientS3BucketPolicyException"},
		{"everything", "AWS::SNS::TopicPolicy", "cloudtrail.amazonaws.com", "InsufficientSnsTopicPolicyException"},
		{"everything", "AWS::IAM::Policy", "logs:PutLogEvents", "InvalidCloudWatchLogsRoleArnException"},
	}
	inAny(t, func(t *testing.T, a *account) {
		for _, need := range needs {
			t.Run(need.template+" "+need.kind+" "+need.text, func(t *testing.T) {
				tpl := readTemplate(t, need.template).mutate(t, late(need.kind, need.text))
				g := prepare(t, a, tpl)
				if err := g.tryCreateStack(tpl); err == nil || !strings.Contains(strings.ToLower(err.Error()), "circular") {
					t.Errorf("CloudFormation may create it after the remediations: %v", err)
				}
				g = deployWhileConfigActs(t, a, tpl.mutate(t, withoutOrder))
				if !g.failedWith(need.failure) {
					t.Errorf("negative control: without the order no remediation met %s", need.failure)
				}
			})
		}
	})
}

// exceptions are the remediation exceptions of all rules.
func (g guard) exceptions() []configtypes.RemediationException {
	g.t.Helper()
	var all []configtypes.RemediationException
	for _, rule := range g.rules {
		got, err := g.config().DescribeRemediationExceptions(g.t.Context(), &configservice.DescribeRemediationExceptionsInput{ConfigRuleName: &rule})
		g.must(err)
		all = append(all, got.RemediationExceptions...)
	}
	return all
}

// disarm puts exceptions for all that the rules find wrong.
func (g guard) disarm() {
	g.t.Helper()
	for _, rule := range g.rules {
		found, err := g.config().GetComplianceDetailsByConfigRule(g.t.Context(), &configservice.GetComplianceDetailsByConfigRuleInput{
			ConfigRuleName: &rule, ComplianceTypes: []configtypes.ComplianceType{configtypes.ComplianceTypeNonCompliant},
		})
		g.must(err)
		for _, result := range found.EvaluationResults {
			resource := result.EvaluationResultIdentifier.EvaluationResultQualifier
			_, err := g.config().PutRemediationExceptions(g.t.Context(), &configservice.PutRemediationExceptionsInput{
				ConfigRuleName: &rule,
				ResourceKeys:   []configtypes.RemediationExceptionResourceKey{{ResourceType: resource.ResourceType, ResourceId: resource.ResourceId}},
			})
			g.must(err)
		}
	}
}

func TestARepairArmsConfigAgain(t *testing.T) {
	for _, test := range []struct {
		name      string
		mutations []mutation
		readings  int
		left      int
	}{
		{"with the permission", nil, 2, 0},
		{"negative control: without it", []mutation{withoutAction("config:DeleteRemediationExceptions")}, 1, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			inEach(t, test.readings, func(t *testing.T, a *account) {
				g := deploy(t, a, readTemplate(t, "default").mutate(t, test.mutations...))
				g.healthy()
				// All three rules find something, and no remediation can be started.
				g.update(cloudtrail.UpdateTrailInput{EnableLogFileValidation: no})
				g.stop()
				g.Gateway.SetFaults(localaws.Faults{Before: localaws.FailNext("ssm:StartAutomationExecution", 3, "ThrottlingException")})
				g.tick(0)
				g.Gateway.SetFaults(localaws.Faults{})
				g.disarm()
				if n := len(g.exceptions()); n != 3 {
					t.Fatalf("there are %d exceptions, want one a rule", n)
				}
				g.tick(time.Hour)
				if g.isLogging() {
					t.Fatal("Config remediates in spite of the exceptions")
				}
				g.wantSuccess(g.repair())
				g.wantRepaired()
				if n := len(g.exceptions()); n != test.left {
					t.Errorf("%d exceptions are left, want %d", n, test.left)
				}
				g.stop()
				g.tick(time.Hour)
				if logging := g.isLogging(); logging != (test.left == 0) {
					t.Errorf("after the next stop logging is %v", logging)
				}
			})
		})
	}
}
