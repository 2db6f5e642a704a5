package tampering

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/configservice"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/internal/localaws"
	"github.com/trailguard/trailguard/drill/internal/localaws/api"
)

// examine makes each kind of call by each form of caller, some by name and some by ARN, and a call that fails, and says what the
// guard that repairs on events alone did not do. It leaves the trail as declared.
func (g guard) examine() (problems []string) {
	g.t.Helper()
	problem := func(format string, args ...any) {
		if text := fmt.Sprintf(format, args...); !slices.Contains(problems, text) {
			problems = append(problems, text)
		}
	}
	for i, id := range []string{"T01", "T05", "T14", "T18"} {
		for j, c := range callers {
			a, before := attack{scenario(id), c, (i+j)%2 == 0}, len(g.Executions())
			endless := false
			messages := g.told(func() {
				g.must(g.tamper(a, drill.Target{}))
				endless = g.settleUnlessEndless(before)
			})
			if endless {
				return append(problems, "the guard starts itself")
			}
			if unmet := g.unmet(); len(unmet) > 0 {
				problem("not repaired: %s", a)
				g.must(g.begin(nil))
				g.settle()
			} else if n := len(g.since(before)); n != 1 {
				problem("%d executions: %s", n, a)
			}
			for _, kind := range []string{"TAMPERING", "REPAIR InProgress", "REPAIR Success"} {
				if count(messages, kind) == 0 {
					problem("not told: %s", kind)
				}
			}
		}
	}
	before := len(g.Executions())
	_, err := g.attacker(callers[0]).UpdateTrail(g.t.Context(), &cloudtrail.UpdateTrailInput{Name: &g.TrailName, KmsKeyId: aws.String("alias/none")})
	if !hasCode(err, "KmsKeyNotFoundException") {
		g.t.Fatalf("the update ended with %v", err)
	}
	g.settle()
	if n := len(g.since(before)); n > 0 {
		problem("a call that failed starts an execution")
	}
	return problems
}

// settleUnlessEndless settles, and gives up once one attack has started a dozen executions.
func (g guard) settleUnlessEndless(before int) (endless bool) {
	g.t.Helper()
	ctx, cancel := context.WithCancel(g.t.Context())
	defer cancel()
	g.Gateway.SetFaults(localaws.Faults{Before: func(call api.Call) error {
		if call.Action() == "ssm:StartAutomationExecution" && len(g.since(before)) >= 12 {
			endless = true
			cancel()
			return api.Errorf("ThrottlingException", "the test has seen enough")
		}
		return nil
	}})
	defer g.Gateway.SetFaults(localaws.Faults{})
	if err := g.RunToQuiescence(ctx); !endless {
		g.must(err)
	}
	return endless
}

// dropped takes values out of a list of a pattern.
func dropped(from map[string]any, field string, isOne func(value any) bool) {
	kept := slices.DeleteFunc(slices.Clone(from[field].([]any)), isOne)
	if from[field] = kept; len(kept) == 0 {
		delete(from, field)
	}
}

func isAbsence(value any) bool {
	operator, ok := value.(map[string]any)
	return ok && operator["exists"] == false
}

func isName(value any) bool { _, ok := value.(string); return ok }

func isARN(value any) bool {
	function, ok := value.(map[string]any)
	return ok && function["Fn::Join"] != nil
}

func request(rule map[string]any) map[string]any {
	return detail(rule)["requestParameters"].(map[string]any)
}

func issuer(rule map[string]any) map[string]any {
	session := detail(rule)["userIdentity"].(map[string]any)["sessionContext"].(map[string]any)
	return session["sessionIssuer"].(map[string]any)
}

// withTampering changes the tampering rule.
func withTampering(change func(rule map[string]any)) mutation { return eachRule(isTampering, change) }

// TestTheGuardAsDeployedPassesTheExamination and the next test show that the examination means something.
func TestTheGuardAsDeployedPassesTheExamination(t *testing.T) {
	inEach(t, func(t *testing.T, a *account) {
		g := guarded(t, a, readTemplate(t, "default").with(t, without(remediation)))
		if problems := g.examine(); len(problems) > 0 {
			t.Error(strings.Join(problems, "\n"))
		}
	})
}

// TestABrokenGuardFailsTheExamination breaks each part of the event path.
func TestABrokenGuardFailsTheExamination(t *testing.T) {
	for i, test := range []struct {
		name   string
		broken mutation
		want   string // in one of the problems
	}{
		{"no rule", withTampering(disabled), "not repaired: T01"},
		{"without the name", withTampering(func(rule map[string]any) { dropped(request(rule), "name", isName) }), "not repaired: T01, StopLogging, by name"},
		{"without the ARN", withTampering(func(rule map[string]any) { dropped(request(rule), "name", isARN) }), "not repaired: T01, StopLogging, by ARN"},
		{"without the name of selectors", withTampering(func(rule map[string]any) { dropped(request(rule), "trailName", isName) }), "by name"},
		{"without the ARN of selectors", withTampering(func(rule map[string]any) { dropped(request(rule), "trailName", isARN) }), "by ARN"},
		{"without calls that have no trailName", withTampering(func(rule map[string]any) { dropped(request(rule), "trailName", isAbsence) }), "not repaired: T01"},
		{"without calls that have no name", withTampering(func(rule map[string]any) { dropped(request(rule), "name", isAbsence) }), "not repaired: T18"},
		{"with the calls that failed", withTampering(func(rule map[string]any) { delete(detail(rule), "errorCode") }), "a call that failed starts an execution"},
		{"without a call", withTampering(func(rule map[string]any) {
			dropped(detail(rule), "eventName", func(name any) bool { return name == "PutInsightSelectors" })
		}), "not repaired: T18"},
		{"another role is the guard's", withTampering(func(rule map[string]any) {
			issuer(rule)["arn"] = []any{map[string]any{"anything-but": []any{"arn:aws:iam::" + api.Account + ":role/other"}}, map[string]any{"exists": false}}
		}), "the guard starts itself"},
		{"any role", withTampering(func(rule map[string]any) { delete(detail(rule), "userIdentity") }), "the guard starts itself"},
		{"a scalar parameter", runbookTargets(func(target map[string]any) {
			target["Input"] = map[string]any{"Fn::Sub": `{"CloudTrailName":"trailguard"}`}
		}), "not repaired: T01"},
		{"a foreign parameter", runbookTargets(func(target map[string]any) {
			target["Input"] = `{"CloudTrailName":["another-trail"]}`
		}), "not repaired: T01"},
		{"no runbook", runbookTargets(func(target map[string]any) {
			target["Arn"] = "arn:aws:ssm:" + api.Region + ":" + api.Account + ":automation-definition/other"
		}), "not repaired: T01"},
		{"a role that may not pass the automation role", withoutAction("iam:PassRole"), "not repaired: T01"},
		{"a role that may not start the runbook", withoutAction("ssm:StartAutomationExecution"), "not repaired: T01"},
		{"an automation role that may not start logging", withoutAction("cloudtrail:StartLogging"), "not repaired: T01"},
		{"a role that does not trust EventBridge", func(tpl template) {
			for _, role := range tpl.resources("AWS::IAM::Role") {
				for _, statement := range role["AssumeRolePolicyDocument"].(map[string]any)["Statement"].([]any) {
					if principal := statement.(map[string]any)["Principal"].(map[string]any); principal["Service"] == "events.amazonaws.com" {
						principal["Service"] = "lambda.amazonaws.com"
					}
				}
			}
		}, "not repaired: T01"},
		{"no notice of repairs", eachRule(isRepairNotice, disabled), "not told: REPAIR InProgress"},
		{"no notice of success", eachRule(isRepairNotice, func(rule map[string]any) {
			dropped(detail(rule), "Status", func(status any) bool { return status == "Success" })
		}), "not told: REPAIR Success"},
		{"no notice of tampering", withTampering(func(rule map[string]any) {
			rule["Targets"] = slices.DeleteFunc(rule["Targets"].([]any), func(target any) bool { return target.(map[string]any)["RoleArn"] == nil })
		}), "not told: TAMPERING"},
		{"a topic that EventBridge may not publish to", without("AWS::SNS::TopicPolicy"), "not told: TAMPERING"},
	} {
		t.Run(test.name, func(t *testing.T) {
			inTurn(t, i, func(t *testing.T, a *account) {
				g := deploy(t, a, readTemplate(t, "default").with(t, without(remediation), test.broken))
				g.makeTrail()
				problems := g.examine()
				if !slices.ContainsFunc(problems, func(problem string) bool { return strings.Contains(problem, test.want) }) {
					t.Errorf("the examination finds %q, want %q", problems, test.want)
				}
			})
		})
	}
}

// TestCallersWithoutASessionNeedAnAlternativeOfTheirOwn is about the root user and IAM users, whose events lack what the rule
// excludes the automation role by. Under the reading that anything-but matches what is absent nothing is lost.
func TestCallersWithoutASessionNeedAnAlternativeOfTheirOwn(t *testing.T) {
	inEach(t, func(t *testing.T, a *account) {
		g := deploy(t, a, readTemplate(t, "default").with(t, without(remediation),
			withTampering(func(rule map[string]any) { dropped(issuer(rule), "arn", isAbsence) })))
		g.makeTrail()
		problems := strings.Join(g.examine(), "\n")
		for _, c := range callers {
			seen := c.Type == api.AssumedRole || c.Type == api.FederatedUser || a.options.Events.AnythingButMatchesAbsent
			if unseen := strings.Contains(problems, "by "+c.name); unseen == seen {
				t.Errorf("the examination finds %s, and %s is seen: %v", problems, c.name, seen)
			}
		}
	})
}

// makeTrail makes the declared trail without the guard.
func (g guard) makeTrail() {
	g.t.Helper()
	ctx := g.t.Context()
	_, err := g.admin.CloudTrail.CreateTrail(ctx, &cloudtrail.CreateTrailInput{
		Name: &g.TrailName, S3BucketName: &g.LogBucketName, KmsKeyId: &g.LogKeyARN, IsMultiRegionTrail: aws.Bool(true), EnableLogFileValidation: aws.Bool(true),
	})
	g.must(err)
	_, err = g.admin.CloudTrail.PutInsightSelectors(ctx, &cloudtrail.PutInsightSelectorsInput{TrailName: &g.TrailName, InsightSelectors: []types.InsightSelector{
		{InsightType: types.InsightTypeApiCallRateInsight}, {InsightType: types.InsightTypeApiErrorRateInsight},
	}})
	g.must(err)
	g.startLogging()
	g.must(g.Bus().Deliver(ctx))
	g.wantRepaired()
}

// TestConfigsNoticesAreFoundMissing breaks the notices of Config's verdicts and exceptions.
func TestConfigsNoticesAreFoundMissing(t *testing.T) {
	for i, test := range []struct {
		name   string
		broken mutation
		lacks  string
	}{
		{"as deployed", nil, ""},
		{"no notice of verdicts", eachRule(isNonCompliantNotice, disabled), "NON_COMPLIANT: "},
		{"no notice of exceptions", eachRule(isException, disabled), "DISARMED: "},
		{"a notice of the exceptions of other rules", eachRule(isException, func(rule map[string]any) {
			request(rule)["configRuleName"] = []any{"other"}
		}), "DISARMED: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			inTurn(t, i, func(t *testing.T, a *account) {
				tpl := readTemplate(t, "default")
				if test.broken != nil {
					tpl.with(t, test.broken)
				}
				g := guarded(t, a, tpl)
				g.repairOnEvents(false)
				got := g.told(func() {
					g.blind()
					g.configLooks(period)
					for rule, resources := range g.nonCompliant() {
						_, err := g.admin.Config.PutRemediationExceptions(t.Context(), &configservice.PutRemediationExceptionsInput{ConfigRuleName: &rule, ResourceKeys: resources})
						g.must(err)
					}
					g.settle()
				})
				for _, kind := range []string{"NON_COMPLIANT: ", "DISARMED: "} {
					if told := count(got, kind) > 0; told != (kind != test.lacks) {
						t.Errorf("that people are told %q is %v", kind, told)
					}
				}
			})
		})
	}
}

// TestConfigRepairsNothingWithoutItsParts breaks each part of Config's path.
func TestConfigRepairsNothingWithoutItsParts(t *testing.T) {
	for i, test := range []struct {
		name    string
		broken  mutation
		after   func(g guard)
		repairs bool
	}{
		{"as deployed", nil, nil, true},
		{"no remediation", without(remediation), nil, false},
		{"no automatic remediation", func(tpl template) {
			for _, configuration := range tpl.resources(remediation) {
				configuration["Automatic"] = false
			}
		}, nil, false},
		{"no recorder", nil, func(g guard) {
			_, err := g.admin.Config.StopConfigurationRecorder(g.t.Context(), &configservice.StopConfigurationRecorderInput{ConfigurationRecorderName: aws.String("default")})
			g.must(err)
			_, err = g.admin.Config.DeleteConfigurationRecorder(g.t.Context(), &configservice.DeleteConfigurationRecorderInput{ConfigurationRecorderName: aws.String("default")})
			g.must(err)
		}, false},
		{"no rule", nil, func(g guard) {
			for _, rule := range g.ConfigRuleNames {
				_, err := g.admin.Config.DeleteRemediationConfiguration(g.t.Context(), &configservice.DeleteRemediationConfigurationInput{ConfigRuleName: &rule})
				g.must(err)
				_, err = g.admin.Config.DeleteConfigRule(g.t.Context(), &configservice.DeleteConfigRuleInput{ConfigRuleName: &rule})
				g.must(err)
			}
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			inTurn(t, i, func(t *testing.T, a *account) {
				tpl := readTemplate(t, "config-only")
				if test.broken != nil {
					tpl.with(t, test.broken)
				}
				g := guarded(t, a, tpl)
				if test.after != nil {
					test.after(g)
				}
				g.blind()
				g.configLooks(period)
				if test.repairs {
					g.wantRepaired()
				} else {
					g.wantNotRepaired()
				}
			})
		})
	}
}

// TestNoEventLeavesAnAccountWithoutATrailThatLogs shows that the events come from the trail: what is done while none is
// logging is unseen, until Config looks.
func TestNoEventLeavesAnAccountWithoutATrailThatLogs(t *testing.T) {
	inEach(t, func(t *testing.T, a *account) {
		g := guarded(t, a, readTemplate(t, "default"))
		g.configLooks(0)
		g.repairOnEvents(false)
		g.must(g.tamper(attack{scenario("T01"), callers[0], false}, drill.Target{}))
		g.settle()
		g.repairOnEvents(true)
		before := len(g.Executions())
		got := g.told(func() {
			for _, id := range []string{"T18", "T14", "T19", "T01"} {
				g.must(g.tamper(attack{scenario(id), callers[0], true}, drill.Target{}))
			}
			g.settle()
		})
		g.wantTold(got)
		g.wantExecutions(before, 0)
		g.configLooks(period)
		g.wantRepaired()
	})
}

// TestTheGuardRepairsOnlyWhatPoliciesLetItRepair shows that the policies that are deployed decide: here the organization's.
func TestTheGuardRepairsOnlyWhatPoliciesLetItRepair(t *testing.T) {
	inEach(t, func(t *testing.T, a *account) {
		g := guarded(t, a, readTemplate(t, "default"))
		g.must(g.tamper(attack{scenario("T01"), callers[0], false}, drill.Target{}))
		g.must(g.Gateway.SetOrganizationPolicies(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"cloudtrail:StartLogging","Resource":"*"}]}`))
		before := len(g.Executions())
		got := g.told(g.settle)
		if count(got, "REPAIR Failed: ") != 1 || len(g.since(before)) != 1 {
			t.Errorf("people are told %q", got)
		}
		g.must(g.Gateway.SetOrganizationPolicies())
		g.wantNotRepaired()
		g.configLooks(period)
		g.wantRepaired()
	})
}
