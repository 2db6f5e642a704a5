package closedloop

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/localaws"
	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/ssm/automation"
)

var startsOfRepairs = []start{
	{"no trail", func(g guard) { g.deleteTrails() }},
	{"weakened and stopped", weaken},
}

// weaken leaves a trail that never logged, and of which each part is wrong that is written by itself.
func weaken(g guard) {
	if slices.Contains(g.trailARNs(), g.TrailARN) {
		g.delete(g.TrailARN)
	}
	g.createTrail(cloudtrail.CreateTrailInput{
		Name: &g.TrailName, S3BucketName: &g.LogBucketName, S3KeyPrefix: aws.String(g.declaredText("S3KeyPrefix")), SnsTopicName: aws.String(g.elsewhere().topic),
	})
	g.putAdvancedSelector(field("eventCategory", "Management"), field("readOnly", "true"))
	g.Clock.Advance(time.Second)
}

// failCalls fails the calls of the automation role from the nth (the first is 0), as many as times says.
func (g guard) failCalls(n, times int, code string) func(api.Call) error {
	var made atomic.Int64
	return func(call api.Call) error {
		if !g.isAutomation(call.Principal) {
			return nil
		}
		if i := int(made.Add(1)) - 1; i < n || i >= n+times {
			return nil
		}
		return api.Errorf(code, "injected")
	}
}

// withFaults repairs while errors are injected.
func (g guard) withFaults(faults localaws.Faults) *automation.Execution {
	g.T.Helper()
	g.Gateway.SetFaults(faults)
	defer g.Gateway.SetFaults(localaws.Faults{})
	return g.repair()
}

// refusals counts the calls of executions that were refused with a code.
func refusals(code string, executions ...*automation.Execution) int {
	n := 0
	for _, x := range executions {
		for _, call := range x.Calls {
			if call.ErrorCode == code {
				n++
			}
		}
	}
	return n
}

// isTrailCall tells whether a call is one of those that look at the trail and change it.
func isTrailCall(call automation.CallRecord) bool {
	return call.Service == "cloudtrail" && call.API != "DescribeTrails"
}

// isChange tells whether a call changed a trail.
func isChange(call automation.CallRecord) bool {
	return isTrailCall(call) && call.Mutating() && call.ErrorCode == ""
}

// attempts is how often botocore makes a call that is throttled: once, and three times again.
const attempts = 4

// TestARepairSurvivesErrorsThatPass injects errors at each call of a repair in turn.
func TestARepairSurvivesErrorsThatPass(t *testing.T) {
	faults := []struct {
		name, code string
		times      int
		at         func(call automation.CallRecord) bool
		after      bool // the change is made, and the caller is not told
	}{
		{name: "throttled", code: "ThrottlingException", times: attempts - 1, at: func(automation.CallRecord) bool { return true }},
		{name: "throttled for long", code: "ThrottlingException", times: 2 * attempts, at: isTrailCall},
		{name: "in conflict", code: "ConflictException", times: 2, at: func(call automation.CallRecord) bool {
			return isTrailCall(call) && call.Mutating()
		}},
		{name: "unanswered", code: "ServiceUnavailableException", times: 2, at: isChange, after: true},
	}
	inOne(t, unlimited, "default", func(t *testing.T, a *account) {
		g := share(t, a, "default")
		for _, start := range startsOfRepairs {
			start.make(g)
			undisturbed := g.repair()
			g.wantSuccess(undisturbed)
			for _, fault := range faults {
				for n, call := range undisturbed.Calls {
					if !fault.at(call) {
						continue
					}
					g.step(fmt.Sprintf("%s: call %d, %s, %s", start.name, n, call.API, fault.name), func(g guard) {
						start.make(g)
						faults := localaws.Faults{Before: g.failCalls(n, fault.times, fault.code)}
						if fault.after {
							faults = localaws.Faults{After: faults.Before}
						}
						x := g.withFaults(faults)
						g.wantSuccess(x)
						if refusals(fault.code, x) == 0 {
							g.T.Error("no error was injected")
						}
						g.WantRepaired()
						g.wantOneTrail()
						if len(told(x)) != 1 {
							g.T.Errorf("people were told %v", told(x))
						}
					})
				}
			}
		}
	})
}

// TestThrottlesAreWaitedOutOnTheLocalClock: botocore makes a throttled call again by itself, four times in all, and the
// script looks again after that.
func TestThrottlesAreWaitedOutOnTheLocalClock(t *testing.T) {
	onShared(t, "default", func(g guard) {
		for _, test := range []struct{ times, looks int }{{1, 2}, {attempts - 1, 2}, {attempts, 3}, {3 * attempts, 5}} {
			g.step(fmt.Sprint(test.times, " times"), func(g guard) {
				g.healthy()
				g.stop()
				g.Clock.Advance(time.Second)
				x := g.withFaults(localaws.Faults{Before: localaws.FailNext("cloudtrail:StartLogging", test.times, "ThrottlingException")})
				g.wantSuccess(x)
				g.WantRepaired()
				made := map[string]int{}
				for _, call := range calls(x) {
					made[call]++
				}
				if got := made["cloudtrail.StartLogging ThrottlingException"]; got != test.times {
					g.T.Errorf("StartLogging was throttled %d times, want %d", got, test.times)
				}
				if got := made["cloudtrail.GetTrailStatus"]; got != test.looks {
					g.T.Errorf("the script looked %d times, want %d", got, test.looks)
				}
			})
		}
	})
}

// TestARunEndsInTime: it gives up after five minutes, and says so, long before Automation would end it after ten.
func TestARunEndsInTime(t *testing.T) {
	throttled := func(services ...string) func(api.Call) error {
		return func(call api.Call) error {
			if !slices.Contains(services, call.Service) {
				return nil
			}
			return api.Errorf("ThrottlingException", "Rate exceeded")
		}
	}
	onShared(t, "default", func(g guard) {
		for _, test := range []struct {
			name  string
			fault func(api.Call) error
			most  time.Duration
			told  string // empty where people cannot be told
		}{
			{"all of CloudTrail is throttled", throttled("cloudtrail"), 8 * time.Minute,
				"LEFT: logging: An error occurred (ThrottlingException) when calling the GetTrailStatus operation"},
			{"everything is throttled", throttled("cloudtrail", "config", "sns"), 10 * time.Minute, ""},
			{"the changes are in conflict", func(call api.Call) error {
				if call.Operation != "StartLogging" && call.Operation != "UpdateTrail" {
					return nil
				}
				return api.Errorf("ConflictException", "try again")
			}, 8 * time.Minute, "LEFT: logging: An error occurred (ConflictException) when calling the StartLogging operation"},
		} {
			g.step(test.name, func(g guard) {
				g.healthy()
				g.update(cloudtrail.UpdateTrailInput{KmsKeyId: empty})
				g.stop()
				began := g.Clock.Now()
				x := g.withFaults(localaws.Faults{Before: func(call api.Call) error {
					if !g.isAutomation(call.Principal) {
						return nil
					}
					return test.fault(call)
				}})
				if took := g.Clock.Now().Sub(began); took < 5*time.Minute || took > test.most {
					g.T.Errorf("the run ended after %s, want 5 minutes to %s", took, test.most)
				}
				// A call takes a quarter of a second, and before botocore makes it again it waits: on the same clock.
				retried := 0
				for i, again := range x.Calls[1:] {
					call := x.Calls[i]
					if call.ErrorCode != "ThrottlingException" || call.API != again.API || !reflect.DeepEqual(call.Input, again.Input) {
						continue
					}
					retried++
					if took := again.Time.Sub(call.Time); took <= 250*time.Millisecond {
						g.T.Errorf("botocore waited on another clock: %s is made again after %s", call.API, took)
					}
				}
				if throttles := test.most > 8*time.Minute || strings.Contains(test.told, "Throttling"); (retried > 0) != throttles {
					g.T.Errorf("botocore made %d calls again", retried)
				}
				g.wantFailed(x, "RuntimeError")
				if test.told != "" {
					g.wantFailed(x, "NOT REPAIRED: CloudTrail trail trailguard", test.told)
				}
				if told := told(x); (len(told) > 0) != (test.told != "") {
					g.T.Errorf("people were told %v", told)
				}
				g.wantSuccess(g.repair())
				g.WantRepaired()
			})
		}
	})
}

// denial is what comes of a repair whose role lacks one permission.
type denial struct {
	// left is the part that people are told is left; empty where all is repaired.
	left string
	// call is what AWS refuses for want of the permission, if that is not the operation of its name.
	call string
	// notTold is why nobody could be told, lost what the message does not say.
	notTold, lost string
	// logging and repaired are what the trail is all the same.
	logging, repaired bool
}

// denials are by action, for every permission of the role. Each is needed.
var denials = map[string]denial{
	"cloudtrail:GetTrail":                        {left: "settings", logging: true},
	"cloudtrail:StartLogging":                    {left: "logging"},
	"cloudtrail:UpdateTrail":                     {left: "key", logging: true},
	"cloudtrail:PutEventSelectors":               {left: "event selectors", logging: true},
	"cloudtrail:PutInsightSelectors":             {left: "InsightSelectors", logging: true},
	"cloudtrail:GetTrailStatus":                  {left: "logging"},
	"cloudtrail:GetEventSelectors":               {left: "event selectors", logging: true},
	"cloudtrail:GetInsightSelectors":             {left: "InsightSelectors", logging: true, repaired: true},
	"cloudtrail:AddTags":                         {left: "tags", logging: true},
	"cloudtrail:ListTags":                        {left: "tags", logging: true},
	"cloudtrail:DescribeTrails":                  {lost: "Trail other writes to elsewhere", logging: true, repaired: true},
	"config:DescribeRemediationExceptions":       {left: "<rule>", logging: true, repaired: true},
	"config:DeleteRemediationExceptions":         {left: "<rule>", logging: true, repaired: true},
	"config:DescribeConfigurationRecorderStatus": {left: "recorder", logging: true, repaired: true},
	"config:StartConfigurationRecorder":          {left: "recorder", logging: true, repaired: true},
	"sns:Publish":                                {notTold: "calling the Publish operation", logging: true, repaired: true},
	"kms:Decrypt":                                {notTold: "KMSAccessDenied", logging: true, repaired: true},
	"kms:GenerateDataKey":                        {notTold: "KMSAccessDenied", logging: true, repaired: true},
	"iam:PassRole":                               {left: "CloudWatch Logs", call: "UpdateTrail", logging: true},
	// What an organization's trail needs besides.
	// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/creating-an-organizational-trail-prepare.html
	"organizations:DescribeOrganization":                {left: "organization", call: "UpdateTrail", logging: true},
	"organizations:ListAWSServiceAccessForOrganization": {left: "organization", call: "UpdateTrail", logging: true},
	"iam:GetRole":                 {left: "organization", call: "UpdateTrail", logging: true},
	"iam:CreateServiceLinkedRole": {left: "organization", call: "UpdateTrail", logging: true},
}

// notAsked is the permission that the guide lists, too, and for which the local AWS does not ask: no call of the runbook is
// known to need it.
var notAsked = []string{"organizations:ListAccounts"}

// withEdited does something while a role's policies have another text in place of one.
func (g guard) withEdited(roleARN, old, new string, do func()) {
	g.T.Helper()
	roles, name := iam.NewFromConfig(g.Admin), roleName(roleARN)
	listed, err := roles.ListRolePolicies(g.T.Context(), &iam.ListRolePoliciesInput{RoleName: name})
	g.Must(err)
	put := func(documents []string) {
		for i, policy := range listed.PolicyNames {
			_, err := roles.PutRolePolicy(g.T.Context(), &iam.PutRolePolicyInput{RoleName: name, PolicyName: &policy, PolicyDocument: &documents[i]})
			g.Must(err)
		}
	}
	before := g.readRole(roleARN).identity
	var after []string
	for _, document := range before {
		after = append(after, strings.ReplaceAll(document, old, new))
	}
	if slices.Equal(before, after) {
		g.T.Fatalf("the role has no %s", old)
	}
	put(after)
	defer put(before)
	do()
}

// withoutPermission does something while the automation role lacks an action.
func (g guard) withoutPermission(action string, do func()) {
	g.T.Helper()
	g.withEdited(g.AutomationRoleARN, `"`+action+`"`, `"cloudtrail:LookupEvents"`, do)
}

// TestEachPermissionIsNeeded: without any of them a repair fails and names the call, or people are told less.
func TestEachPermissionIsNeeded(t *testing.T) {
	for _, action := range roleActions(testbed.ReadTemplate(t, "everything")) {
		if _, known := denials[action]; !known && !slices.Contains(notAsked, action) && action != "cloudtrail:CreateTrail" {
			t.Errorf("nothing is said of %s", action)
		}
	}
	onShared(t, "everything", func(g guard) {
		for _, action := range slices.Sorted(maps.Keys(denials)) {
			want := denials[action]
			g.step(action, func(g guard) {
				g.deleteTrails()
				g.createTrail(cloudtrail.CreateTrailInput{Name: aws.String("other"), S3BucketName: aws.String(g.elsewhere().bucket)})
				weaken(g)
				if action == "config:DeleteRemediationExceptions" {
					g.exempt()
				}
				if action == "config:StartConfigurationRecorder" {
					g.stopRecorder()
				}
				g.Clock.Advance(time.Second)
				var x *automation.Execution
				g.withoutPermission(action, func() { x = g.repair() })
				_, operation, _ := strings.Cut(action, ":")
				if want.left != "" {
					left := strings.Replace(want.left, "<rule>", g.ConfigRuleNames[0], 1)
					g.wantFailed(x, "NOT REPAIRED: ", "LEFT: "+left+": ", "AccessDenied")
					if want.call != "" {
						operation = want.call
					}
					g.wantFailed(x, "(AccessDeniedException) when calling the "+operation+" operation")
				} else {
					g.wantSuccess(x)
					r := g.reportOf(x)
					if !strings.Contains(r.NotTold, want.notTold) || (r.NotTold == "") != (want.notTold == "") {
						g.T.Errorf("it is reported that nobody was told: %q, want %q", r.NotTold, want.notTold)
					}
					if want.lost != "" && strings.Contains(r.Message, want.lost) {
						g.T.Errorf("the message says %q all the same", want.lost)
					}
				}
				if got := g.isLogging(); got != want.logging {
					g.T.Errorf("logging is %v, want %v", got, want.logging)
				}
				if unmet := g.Unmet(); (len(unmet) == 0) != want.repaired {
					g.T.Errorf("unmet is %v, want repaired %v", unmet, want.repaired)
				}
			})
		}
		g.step("cloudtrail:CreateTrail", func(g guard) {
			g.deleteTrails()
			g.withoutPermission("cloudtrail:CreateTrail", func() {
				g.wantFailed(g.repair(), "LEFT: trail: ", "(AccessDeniedException) when calling the CreateTrail operation")
			})
			if arns := g.trailARNs(); len(arns) > 0 {
				g.T.Errorf("the trails are %v", arns)
			}
		})
		g.step("with all of them", func(g guard) {
			g.deleteTrails()
			g.createTrail(cloudtrail.CreateTrailInput{Name: aws.String("other"), S3BucketName: aws.String(g.elsewhere().bucket)})
			weaken(g)
			x := g.repair()
			g.wantSuccess(x)
			g.WantRepaired()
			if r := g.reportOf(x); r.NotTold != "" || !strings.Contains(r.Message, denials["cloudtrail:DescribeTrails"].lost) {
				g.T.Errorf("the report is %+v", r)
			}
		})
	})
}

func TestTwoRepairsAtOnceDoNotHinderEachOther(t *testing.T) {
	onEachShared(t, accounts[1:], "default", func(g guard) {
		for _, start := range append(startsOfRepairs, start{"healthy", func(g guard) { g.healthy() }}) {
			for seed := range uint64(6) {
				g.step(fmt.Sprintf("%s, order %d", start.name, seed), func(g guard) {
					start.make(g)
					g.Order.Seed(seed, 7)
					g.wantSuccess(g.repairAtOnce(2)...)
					g.WantRepaired()
					g.wantOneTrail()
				})
			}
		}
	})
}

// TestARepairSurvivesARateOfOneChangeASecond runs the runbook at ten calls a second, alone and three times at once, where
// CloudTrail takes one change a second.
func TestARepairSurvivesARateOfOneChangeASecond(t *testing.T) {
	throttled := 0
	onEachShared(t, limited, "default", func(g guard) {
		document, err := g.Clients.SSM.GetDocument(g.T.Context(), &ssm.GetDocumentInput{Name: &g.RunbookName})
		g.Must(err)
		runbook, err := automation.Parse([]byte(*document.Content))
		g.Must(err)
		engine := g.Engine(api.Principal{Type: api.AssumedRole, ARN: g.AutomationRoleARN, SessionName: "Automation"})
		engine.CallDuration = 100 * time.Millisecond
		for _, start := range startsOfRepairs {
			for _, together := range []int{1, 3} {
				for seed := range uint64(4) {
					g.step(fmt.Sprintf("%s, %d at once, order %d", start.name, together, seed), func(g guard) {
						start.make(g)
						order := rand.New(rand.NewPCG(seed, 11))
						var all, running []*automation.Execution
						for range together {
							x, err := engine.Start(runbook, nil, automation.Options{})
							g.Must(err)
							all, running = append(all, x), append(running, x)
						}
						for len(running) > 0 {
							i := automation.Next(running, order.IntN)
							if running[i].Step(g.T.Context()) {
								running = slices.Delete(running, i, i+1)
							}
						}
						g.wantSuccess(all...)
						g.WantRepaired()
						g.wantOneTrail()
						throttled += refusals("ThrottlingException", all...)
					})
				}
			}
		}
		if throttled == 0 {
			g.T.Error("nothing was throttled: the test proves nothing")
		}
	})
}

// at returns a fault that does something at the nth call of an action (the first is 0) by the automation role, and lets the
// call be.
func (g guard) at(action string, n int, do func()) func(api.Call) error {
	var made atomic.Int64
	return func(call api.Call) error {
		if g.isAutomation(call.Principal) && call.Action() == action && int(made.Add(1))-1 == n {
			do()
		}
		return nil
	}
}

// TestALookThatIsLateChangesNothing: CloudTrail shows for once what was before. Then the run writes again what it wrote, and
// looks again.
func TestALookThatIsLateChangesNothing(t *testing.T) {
	onEachShared(t, unlimited, "default", func(g guard) {
		for _, test := range []struct {
			name, read    string
			before, after func(g guard)
			writes        []string
		}{
			{"logging", "cloudtrail:GetTrailStatus", func(g guard) { g.stop() }, func(g guard) { g.start() }, []string{"StartLogging", "StartLogging"}},
			{"settings", "cloudtrail:GetTrail", func(g guard) { g.update(cloudtrail.UpdateTrailInput{KmsKeyId: empty}) },
				func(g guard) { g.update(cloudtrail.UpdateTrailInput{KmsKeyId: &g.LogKeyARN}) }, []string{"UpdateTrail", "UpdateTrail"}},
		} {
			g.step(test.name, func(g guard) {
				g.healthy()
				test.before(g)
				x := g.withFaults(localaws.Faults{
					Before: g.at(test.read, 1, func() { test.before(g) }), After: g.at(test.read, 1, func() { test.after(g) }),
				})
				g.wantSuccess(x)
				g.WantRepaired()
				if made := writes(x); !slices.Equal(made, test.writes) {
					g.T.Errorf("the writes are %v, want %v", made, test.writes)
				}
			})
		}
		for _, test := range []struct{ name, read string }{
			{"a trail that is there cannot be found", "cloudtrail:GetTrailStatus"}, {"a trail that was made cannot be found", "cloudtrail:GetTrail"},
		} {
			g.step(test.name, func(g guard) {
				if g.healthy(); test.read == "cloudtrail:GetTrail" {
					g.deleteTrails()
				}
				x := g.withFaults(localaws.Faults{Before: localaws.FailNext(test.read, 1, "TrailNotFoundException")})
				g.wantSuccess(x)
				g.WantRepaired()
				g.wantOneTrail()
			})
		}
	})
}

// TestWhatIsDoneDuringARepairIsRepaired: while the trail does not log, no event tells of what is done to it. So whoever does it
// before a run looks for the last time is too early.
func TestWhatIsDoneDuringARepairIsRepaired(t *testing.T) {
	// The first look reads the trail four times, starts it, and reads the status of the recorder and the exceptions of three rules; the last
	// reads what people hear of it, the status, the selectors, the settings, and then the Insights.
	const lastReading = 9 + 3
	onEachShared(t, unlimited, "default", func(g guard) {
		for n := range lastReading + 1 {
			g.step(fmt.Sprintf("at call %d", n), func(g guard) {
				g.healthy()
				g.stop()
				var made int
				x := g.withFaults(localaws.Faults{Before: func(call api.Call) error {
					if !g.isAutomation(call.Principal) {
						return nil
					}
					if made++; made-1 == n {
						g.putAdvancedSelector(field("eventCategory", "Management"), field("readOnly", "true"))
						g.update(cloudtrail.UpdateTrailInput{S3BucketName: aws.String(g.elsewhere().bucket), EnableLogFileValidation: no})
						g.stop()
					}
					return nil
				}})
				g.wantSuccess(x)
				if n < lastReading {
					g.WantRepaired()
				} else if len(g.Unmet()) == 0 {
					g.T.Error("negative control: what was done after the last look was seen")
				}
			})
		}
	})
}

func (g guard) start() {
	g.T.Helper()
	g.change(func(ctx context.Context, client *cloudtrail.Client) error {
		_, err := client.StartLogging(ctx, &cloudtrail.StartLoggingInput{Name: &g.TrailName})
		return err
	})
}
