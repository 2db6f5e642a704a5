package tampering

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	configtypes "github.com/aws/aws-sdk-go-v2/service/configservice/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventstypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/localaws"
	"github.com/trailguard/trailguard/localaws/api"
)

// examination notes what a guard did not do.
type examination struct {
	guard
	problems []string
	// wanted is a part of the problem that is looked for; empty where all are.
	wanted string
	// only is the one part that is examined; empty for all.
	only string
	// deaf tells that calls of the guard start nothing.
	deaf bool
}

func (e *examination) problem(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(e.problems, text) {
		e.problems = append(e.problems, text)
	}
}

// found tells whether the examination can end.
func (e *examination) found() bool {
	return e.wanted != "" && slices.ContainsFunc(e.problems, func(problem string) bool { return strings.Contains(problem, e.wanted) })
}

// settle settles, and gives up once a dozen executions have been started.
func (e *examination) settle() {
	e.T.Helper()
	ctx, cancel := context.WithCancel(e.T.Context())
	defer cancel()
	before, endless := len(e.Executions()), false
	e.Gateway.SetFaults(localaws.Faults{Before: func(call api.Call) error {
		if call.Action() == "ssm:StartAutomationExecution" && e.started(before) >= 12 {
			endless = true
			cancel()
			return api.Errorf("ThrottlingException", "the test has seen enough")
		}
		return nil
	}})
	defer e.Gateway.SetFaults(localaws.Faults{})
	if err := e.RunToQuiescence(ctx); !endless {
		e.Must(err)
		return
	}
	e.problem("the guard starts itself")
	e.wanted = "the guard starts itself" // there is nothing more to be found out
}

// part does something that starts a number of runs, besides those that their own calls start, and wants people to be told, and the
// trail to be as declared, unless that is not to be had. Where a problem of another part is looked for, it does nothing.
func (e *examination) part(what string, do func(), runs int, repaired bool, told ...string) {
	e.T.Helper()
	if e.found() || e.only != "" && !strings.HasPrefix(what, e.only) {
		return
	}
	before := len(e.Executions())
	messages := e.guard.told(func() {
		do()
		e.settle()
	})
	if e.found() {
		return
	}
	for _, r := range e.since(before) {
		if !e.deaf {
			runs += r.events()
		}
	}
	if n := e.started(before); n != runs {
		e.problem("%d executions, want %d: %s", n, runs, what)
	}
	for _, kind := range []string{"TAMPERING", "REPAIRED", "REPAIR Failed"} {
		if got := count(messages, kind) > 0; got != slices.Contains(told, kind) {
			e.problem("that people are told %s is %v: %s", kind, got, what)
		}
	}
	is := len(e.Unmet()) == 0
	if !is && repaired {
		e.problem("not repaired: %s", what)
	} else if is && !repaired {
		e.problem("repaired: %s", what)
	}
	if !is && !e.found() {
		e.Must(e.IAM.SetOrganizationPolicies())
		e.Must(e.begin(nil))
		e.settle()
	}
}

// session is a client of a session of a role.
func (g guard) session(roleARN string) *cloudtrail.Client {
	return cloudtrail.NewFromConfig(g.Config(api.Principal{Type: api.AssumedRole, ARN: roleARN, SessionName: "mallory"}))
}

// otherGuard is a session of a role below the path of the roles that guards make.
var otherGuard = api.Principal{Type: api.AssumedRole, ARN: "arn:aws:iam::" + api.Account + ":role/trailguard/other", SessionName: "mallory"}

// find has GuardDuty find that logging was disabled.
func (g guard) find(t *testing.T) {
	t.Helper()
	g.Must(g.Bus().Publish(g.T.Context(), read[map[string]any](t, "finding")))
}

// The parts of an examination, besides the calls of attackers.
const (
	aFailedCall    = "a call that failed"
	anOwnCall      = "a call by the guard's own role"
	anotherGuards  = "a call by another guard's role"
	aFinding       = "a finding of GuardDuty"
	anException    = "a remediation exception"
	aFailingRepair = "a repair that fails"
)

// partOf is the part of an examination in which a problem is; empty where it is in any.
func partOf(problem string) string {
	for _, part := range []string{"T01", "T05", "T14", "T18", aFailedCall, anOwnCall, anotherGuards, aFinding, anException, aFailingRepair} {
		if strings.Contains(problem, part) {
			return part
		}
	}
	return ""
}

// examine makes everything happen that the path of events answers, by each form of caller, and some things that it must not
// answer, and says what the guard did not do. It looks for a problem that holds a text, or for all.
func (g guard) examine(t *testing.T, wanted string) []string {
	t.Helper()
	e := &examination{guard: g, wanted: wanted, only: partOf(wanted)}
	g.Only(deployed.EventPath)
	for i, id := range []string{"T01", "T05", "T14", "T18"} {
		for j, c := range callers {
			a := attack{scenario(id), c, (i+j)%2 == 0}
			e.part(a.String(), func() { g.Must(g.tamper(a, drill.Target{})) }, 1, true, "TAMPERING", "REPAIRED")
		}
	}
	name := &g.TrailName
	g.Administrate(otherGuard)
	stopAsAnotherGuard := func() {
		_, err := g.session(otherGuard.ARN).StopLogging(t.Context(), &cloudtrail.StopLoggingInput{Name: name})
		g.Must(err)
	}
	e.part(aFailedCall, func() {
		_, err := g.attacker(callers[0]).UpdateTrail(t.Context(), &cloudtrail.UpdateTrailInput{Name: name, KmsKeyId: aws.String("alias/none")})
		if !testbed.HasCode(err, "KmsKeyNotFoundException") {
			t.Fatalf("the update ended with %v", err)
		}
	}, 0, true)
	e.part(anOwnCall, func() {
		_, err := g.session(g.AutomationRoleARN).UpdateTrail(t.Context(), &cloudtrail.UpdateTrailInput{Name: name, EnableLogFileValidation: aws.Bool(false)})
		g.Must(err)
	}, 1, true, "REPAIRED")
	e.part(anotherGuards, stopAsAnotherGuard, 0, false, "TAMPERING")
	e.part(aFinding, func() {
		stopAsAnotherGuard() // which starts nothing
		g.find(t)
	}, 1, true, "TAMPERING", "REPAIRED")
	for _, rule := range g.ConfigRuleNames {
		e.part(anException, func() {
			_, err := g.Clients.Config.PutRemediationExceptions(t.Context(), &configservice.PutRemediationExceptionsInput{
				ConfigRuleName: &rule, ResourceKeys: []configtypes.RemediationExceptionResourceKey{{ResourceType: aws.String("AWS::::Account"), ResourceId: aws.String(api.Account)}},
			})
			g.Must(err)
		}, 1, true)
	}
	e.part(aFailingRepair, func() { // an organization's policy keeps it from succeeding
		g.strike("T01")
		g.Must(g.IAM.SetOrganizationPolicies(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"cloudtrail:StartLogging","Resource":"*"}]}`))
	}, 1, false, "TAMPERING", "REPAIR Failed")
	g.Must(g.IAM.SetOrganizationPolicies())
	return e.problems
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
	operator, ok := value.(map[string]any)
	return ok && operator["suffix"] != nil
}

func request(rule map[string]any) map[string]any {
	return detail(rule)["requestParameters"].(map[string]any)
}

func issuer(rule map[string]any) map[string]any {
	session := detail(rule)["userIdentity"].(map[string]any)["sessionContext"].(map[string]any)
	return session["sessionIssuer"].(map[string]any)
}

// breakage breaks a part of a deployed guard, and returns how it is mended.
type breakage func(g guard) (mend func())

// ruleWith changes the deployed rules that something is for, as a template has them.
func ruleWith(isOne func(rule map[string]any) bool, change func(rule map[string]any)) breakage {
	return func(g guard) func() {
		g.T.Helper()
		var mends []func()
		for _, rule := range g.eventRules() {
			if before := rule.inTemplate(); isOne(before) {
				after := clone(before)
				if change(after); reflect.DeepEqual(before, after) {
					g.T.Fatal("nothing is broken")
				}
				g.put(*rule.Name, after)
				mends = append(mends, func() { g.put(*rule.Name, before) })
			}
		}
		if len(mends) == 0 {
			g.T.Fatal("there is nothing to break")
		}
		return func() {
			for _, mend := range mends {
				mend()
			}
		}
	}
}

// inTemplate is a rule as a template has it, with every value filled in.
func (r deployedRule) inTemplate() map[string]any {
	rule := map[string]any{"State": string(r.State), "Targets": r.targets}
	if r.ScheduleExpression != nil {
		rule["ScheduleExpression"] = *r.ScheduleExpression
	}
	if r.EventPattern != nil {
		rule["EventPattern"] = json.RawMessage(*r.EventPattern)
	}
	return clone(rule)
}

// put puts a rule that a template has.
func (g guard) put(name string, rule map[string]any) {
	g.T.Helper()
	ctx := g.T.Context()
	input := &eventbridge.PutRuleInput{Name: &name, State: eventstypes.RuleState(rule["State"].(string))}
	if schedule, ok := rule["ScheduleExpression"].(string); ok {
		input.ScheduleExpression = &schedule
	}
	if pattern, ok := rule["EventPattern"]; ok {
		text, err := json.Marshal(pattern)
		g.Must(err)
		input.EventPattern = aws.String(string(text))
	}
	_, err := g.Clients.Events.PutRule(ctx, input)
	g.Must(err)
	var targets []eventstypes.Target
	text, err := json.Marshal(rule["Targets"])
	g.Must(err)
	g.Must(json.Unmarshal(text, &targets))
	if len(targets) == 0 {
		_, err = g.Clients.Events.RemoveTargets(ctx, &eventbridge.RemoveTargetsInput{Rule: &name, Ids: []string{"AlertTopic", "Runbook"}})
	} else {
		_, err = g.Clients.Events.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: &name, Targets: targets})
	}
	g.Must(err)
}

// start changes the rule that starts the runbook on events, schedule the one that does on a schedule, and notice and failures
// those that tell people.
func start(change func(rule map[string]any)) breakage    { return ruleWith(isStart, change) }
func schedule(change func(rule map[string]any)) breakage { return ruleWith(isSchedule, change) }
func notice(change func(rule map[string]any)) breakage   { return ruleWith(isTamperingNotice, change) }
func failures(change func(rule map[string]any)) breakage { return ruleWith(isFailureNotice, change) }

// withoutAlternative takes the alternative that holds a text out of the pattern of the rule that starts the runbook on events.
func withoutAlternative(text string) breakage {
	return start(func(rule map[string]any) {
		dropped(pattern(rule), "$or", func(one any) bool { return strings.Contains(fmt.Sprint(one), text) })
	})
}

// target changes the targets that start the runbook.
func target(change func(target map[string]any)) breakage {
	starts := func(rule map[string]any) bool { return isStart(rule) || isSchedule(rule) }
	return ruleWith(starts, func(rule map[string]any) {
		for _, one := range rule["Targets"].([]any) {
			change(one.(map[string]any))
		}
	})
}

func input(text string) breakage {
	return target(func(target map[string]any) { target["Input"] = text })
}

// version replaces the version that the targets start.
func version(suffix string) breakage {
	return target(func(target map[string]any) { target["Arn"] = strings.TrimSuffix(target["Arn"].(string), ":1") + suffix })
}

// notAllowed takes an action, or a resource, out of the policies of a role.
func notAllowed(role func(g guard) string, word string) breakage {
	return func(g guard) func() {
		g.T.Helper()
		ctx, client := g.T.Context(), iam.NewFromConfig(g.Config(localaws.Administrator))
		arn := role(g)
		name := aws.String(arn[strings.LastIndexByte(arn, '/')+1:])
		listed, err := client.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: name})
		g.Must(err)
		got, err := client.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: name, PolicyName: &listed.PolicyNames[0]})
		g.Must(err)
		before, err := url.PathUnescape(*got.PolicyDocument)
		g.Must(err)
		none := "none:None"
		if strings.HasPrefix(word, "arn:") {
			none = g.TrailARN + "-2"
		}
		after := strings.Replace(before, `"`+word+`"`, `"`+none+`"`, 1)
		if after == before {
			g.T.Fatalf("the role's policy is %s", before)
		}
		put := func(document string) {
			_, err := client.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: name, PolicyName: &listed.PolicyNames[0], PolicyDocument: &document})
			g.Must(err)
		}
		put(after)
		return func() { put(before) }
	}
}

func automationRole(g guard) string { return g.AutomationRoleARN }

func targetRole(g guard) string {
	role, _ := g.delivery()
	return role
}

// untrusted has the role with which EventBridge reaches the targets trust another service.
func untrusted(g guard) func() {
	g.T.Helper()
	ctx, client := g.T.Context(), iam.NewFromConfig(g.Config(localaws.Administrator))
	arn := targetRole(g)
	name := aws.String(arn[strings.LastIndexByte(arn, '/')+1:])
	got, err := client.GetRole(ctx, &iam.GetRoleInput{RoleName: name})
	g.Must(err)
	before, err := url.PathUnescape(*got.Role.AssumeRolePolicyDocument)
	g.Must(err)
	put := func(document string) {
		_, err := client.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: name, PolicyDocument: &document})
		g.Must(err)
	}
	put(strings.ReplaceAll(before, "events.amazonaws.com", "lambda.amazonaws.com"))
	return func() { put(before) }
}

// control is a breakage, and what the examination finds of it.
type control struct {
	broken breakage
	want   string // in one of the problems
}

// starting are ways to break what the rules start the runbook with.
func starting(want string) map[string]control {
	return map[string]control{
		"a scalar parameter":  {input(`{"StartedBy":"event"}`), want},
		"a word that is none": {input(`{"StartedBy":["somebody"]}`), want},
		"a foreign parameter": {input(`{"CloudTrailName":["another-trail"]}`), want},
		"no runbook": {target(func(target map[string]any) {
			target["Arn"] = "arn:aws:ssm:" + api.Region + ":" + api.Account + ":automation-definition/other:1"
		}), want},
		"a version that is none": {version(":2"), want},
		// The role may start version 1 only.
		"no version":                      {version(""), want},
		"the version of the day":          {version(":$DEFAULT"), want},
		"a role of nobody's":              {untrusted, want},
		"no right to pass the role":       {notAllowed(targetRole, "iam:PassRole"), want},
		"no right to start the runbook":   {notAllowed(targetRole, "ssm:StartAutomationExecution"), want},
		"no right to make an execution":   {notAllowed(targetRole, "arn:aws:ssm:"+api.Region+":"+api.Account+":automation-execution/*"), want},
		"no right to read the status":     {notAllowed(automationRole, "cloudtrail:GetTrailStatus"), want},
		"no right to start the logging":   {notAllowed(automationRole, "cloudtrail:StartLogging"), want},
		"a runbook that may not publish":  {notAllowed(automationRole, "sns:Publish"), "that people are told REPAIRED is false"},
		"a runbook without the topic key": {notAllowed(automationRole, "kms:GenerateDataKey"), "that people are told REPAIRED is false"},
	}
}

// TestTheGuardAsDeployedPassesTheExamination and the next tests show that the examination means something.
func TestTheGuardAsDeployedPassesTheExamination(t *testing.T) {
	inEach(t, func(t *testing.T, a *account) {
		g := guarded(t, a, testbed.ReadTemplate(t, "default"))
		if problems := g.examine(t, ""); len(problems) > 0 {
			t.Error(strings.Join(problems, "\n"))
		}
		if problems := g.examineSchedule(t, ""); len(problems) > 0 {
			t.Error(strings.Join(problems, "\n"))
		}
	})
}

// TestABrokenGuardFailsTheExamination breaks each part of the path of events, and of what people are told.
func TestABrokenGuardFailsTheExamination(t *testing.T) {
	event := func(name string) func(any) bool { return func(one any) bool { return one == name } }
	tests := map[string]control{
		"no rule":                              {start(silent), "not repaired: T01"},
		"without the name":                     {start(func(r map[string]any) { dropped(request(r), "name", isName) }), "not repaired: T01, StopLogging, by name"},
		"without the ARN":                      {start(func(r map[string]any) { dropped(request(r), "name", isARN) }), "not repaired: T01, StopLogging, by ARN"},
		"without the name of selectors":        {start(func(r map[string]any) { dropped(request(r), "trailName", isName) }), "not repaired: T14, PutEventSelectors ReadWriteType=ReadOnly, by name"},
		"without the ARN of selectors":         {start(func(r map[string]any) { dropped(request(r), "trailName", isARN) }), "not repaired: T14, PutEventSelectors ReadWriteType=ReadOnly, by ARN"},
		"without calls that have no trailName": {start(func(r map[string]any) { dropped(request(r), "trailName", isAbsence) }), "not repaired: T01"},
		"without calls that have no name":      {start(func(r map[string]any) { dropped(request(r), "name", isAbsence) }), "not repaired: T14"},
		"for event data stores only":           {start(func(r map[string]any) { request(r)["eventDataStore"] = []any{map[string]any{"exists": true}} }), "not repaired: T01"},
		"with the calls that failed":           {start(func(r map[string]any) { delete(detail(r), "errorCode") }), "1 executions, want 0: " + aFailedCall},
		"without StopLogging":                  {start(func(r map[string]any) { dropped(detail(r), "eventName", event("StopLogging")) }), "not repaired: T01"},
		"without UpdateTrail":                  {start(func(r map[string]any) { dropped(detail(r), "eventName", event("UpdateTrail")) }), "not repaired: T05"},
		"without PutEventSelectors":            {start(func(r map[string]any) { dropped(detail(r), "eventName", event("PutEventSelectors")) }), "not repaired: T14"},
		"without PutInsightSelectors":          {start(func(r map[string]any) { dropped(detail(r), "eventName", event("PutInsightSelectors")) }), "not repaired: T18"},
		"without the guard's own calls":        {start(func(r map[string]any) { dropped(issuer(r), "arn", isName) }), "not repaired: " + anOwnCall},
		"with other guards' calls":             {start(func(r map[string]any) { delete(detail(r), "userIdentity") }), "1 executions, want 0: " + anotherGuards},
		"without GuardDuty":                    {withoutAlternative("aws.guardduty"), "not repaired: " + aFinding},
		"without exceptions":                   {withoutAlternative("PutRemediationExceptions"), "0 executions, want 1: " + anException},
		"without tampering":                    {withoutAlternative("StopLogging"), "not repaired: T01"},
		"no right to update the trail":         {notAllowed(automationRole, "cloudtrail:UpdateTrail"), "not repaired: T05"},
		"no right to put selectors":            {notAllowed(automationRole, "cloudtrail:PutEventSelectors"), "not repaired: T14"},
		"no right to put Insights":             {notAllowed(automationRole, "cloudtrail:PutInsightSelectors"), "not repaired: T18"},
		"no notice of tampering":               {notice(disabled), "that people are told TAMPERING is false"},
		"a notice that tells nobody":           {notice(silent), "that people are told TAMPERING is false"},
		"a notice of the guard's own calls":    {notice(func(r map[string]any) { delete(detail(r), "userIdentity") }), "that people are told TAMPERING is true: " + anOwnCall},
		"a notice of calls that failed":        {notice(func(r map[string]any) { delete(detail(r), "errorCode") }), "that people are told TAMPERING is true: " + aFailedCall},
		"no notice of failures":                {failures(disabled), "that people are told REPAIR Failed is false: " + aFailingRepair},
		"a notice of other failures":           {failures(func(r map[string]any) { dropped(detail(r), "Status", event("Failed")) }), "that people are told REPAIR Failed is false: " + aFailingRepair},
		"no right to tell people":              {notAllowed(targetRole, "sns:Publish"), "that people are told TAMPERING is false"},
		"no right to the topic's key":          {notAllowed(targetRole, "kms:GenerateDataKey"), "that people are told TAMPERING is false"},
	}
	maps.Copy(tests, starting("not repaired: T01"))
	wantFound(t, tests, guard.examine)
}

// TestABrokenScheduleFailsTheExamination breaks each part of the path of the schedule.
func TestABrokenScheduleFailsTheExamination(t *testing.T) {
	const neverMade, neverRepaired = "not repaired: the deployment makes the trail", "not repaired: T01"
	deployment := func(r map[string]any) map[string]any { return pattern(r)["detail"].(map[string]any) }
	tests := map[string]control{
		"no rule":          {schedule(silent), neverRepaired},
		"no rule at first": {schedule(silent), neverMade},
		"no rate":          {schedule(func(r map[string]any) { delete(r, "ScheduleExpression") }), neverRepaired},
		"a rate of a day":  {schedule(func(r map[string]any) { r["ScheduleExpression"] = "rate(1 day)" }), neverRepaired},
		"no pattern":       {schedule(func(r map[string]any) { delete(r, "EventPattern") }), neverMade},
		"of another stack": {schedule(func(r map[string]any) { deployment(r)["stack-id"] = []any{"other"} }), neverMade},
		"of another status": {schedule(func(r map[string]any) {
			deployment(r)["status-details"] = map[string]any{"status": []any{"UPDATE_COMPLETE"}}
		}), neverMade},
	}
	maps.Copy(tests, starting(neverRepaired))
	wantFound(t, tests, guard.examineSchedule)
}

// silent takes a rule's targets away.
func silent(rule map[string]any) { rule["Targets"] = []any{} }

// wantFound breaks and mends guards, and wants the examination to find each breakage.
func wantFound(t *testing.T, tests map[string]control, examine func(g guard, t *testing.T, wanted string) []string) {
	t.Helper()
	names := slices.Sorted(maps.Keys(tests))
	inEach(t, func(t *testing.T, a *account) {
		g := guarded(t, a, testbed.ReadTemplate(t, "default"))
		for i, name := range names {
			if accounts[i%len(accounts)] != a {
				continue
			}
			t.Run(name, func(t *testing.T) {
				g, test := g.in(t), tests[name]
				mend := test.broken(g)
				e := examination{wanted: test.want, problems: examine(g, t, test.want)}
				if !e.found() {
					t.Errorf("the examination finds %q, want %q", e.problems, test.want)
				}
				mend()
				g.Only()
				g.Must(g.begin(nil))
				g.Settle()
				g.WantRepaired()
			})
		}
	})
}

// TestARunbookThatDoesNotCompareStartsItself is why a run must see that nothing differs.
func TestARunbookThatDoesNotCompareStartsItself(t *testing.T) {
	inTurn(t, 0, func(t *testing.T, a *account) {
		g := deploy(t, a, testbed.ReadTemplate(t, "default").With(t, scripted("if meaning(found)==meaning(declared):", "if False:")))
		g.makeTrail()
		const endless = "the guard starts itself"
		if problems := g.examine(t, endless); !slices.Contains(problems, endless) {
			t.Errorf("the examination finds %q", problems)
		}
	})
}

// examineSchedule says what the path of the schedule does not do.
func (g guard) examineSchedule(t *testing.T, wanted string) []string {
	g.T.Helper()
	const deployment = "the deployment makes the trail"
	e := &examination{guard: g, wanted: wanted, deaf: true}
	if strings.HasPrefix(wanted, "not repaired: ") {
		e.only = strings.TrimPrefix(wanted, "not repaired: ")
	}
	g.Only(deployed.SchedulePath)
	g.Pass(time.Minute) // a schedule may fire as soon as it is there
	e.part(deployment, func() {
		g.strike("T01") // the event of a deletion may never arrive
		g.strike("T02")
		g.Must(g.Bus().Deliver(t.Context()))
		g.Must(g.Bus().Publish(t.Context(), g.deployment))
	}, 1, true, "TAMPERING", "REPAIRED")
	for _, id := range []string{"T01", "T17"} {
		e.part(id, func() {
			g.strike(id)
			g.Must(g.Bus().Deliver(t.Context()))
			g.Pass(period(deployed.SchedulePath))
		}, 1, true, "TAMPERING", "REPAIRED")
	}
	return e.problems
}

// TestCallersWithoutASessionNeedAnAlternativeOfTheirOwn is about the root user and IAM users, whose events lack what the rules
// look at the role by. Under the reading that anything-but matches what is absent nothing is lost.
func TestCallersWithoutASessionNeedAnAlternativeOfTheirOwn(t *testing.T) {
	inEach(t, func(t *testing.T, a *account) {
		drop := func(rule map[string]any) { dropped(issuer(rule), "arn", isAbsence) }
		g := guarded(t, a, testbed.ReadTemplate(t, "default"))
		start(drop)(g)
		notice(drop)(g)
		problems := g.examine(t, "")
		for _, c := range callers {
			seen := c.Type == api.AssumedRole || c.Type == api.FederatedUser || a.Options.Readings.Events.AnythingButMatchesAbsent
			for _, kind := range []string{"not repaired: ", "that people are told TAMPERING is false: "} {
				missed := slices.ContainsFunc(problems, func(problem string) bool {
					return strings.HasPrefix(problem, kind) && strings.HasSuffix(problem, "by "+c.name)
				})
				if missed == seen {
					t.Errorf("the examination finds %q, and %s is seen: %v", problems, c.name, seen)
				}
			}
		}
	})
}

// makeTrail makes the declared trail without the guard.
func (g guard) makeTrail() {
	g.T.Helper()
	ctx := g.T.Context()
	var declared struct {
		cloudtrail.CreateTrailInput
		EventSelectors   []types.EventSelector
		InsightSelectors []types.InsightSelector
	}
	payload, err := json.Marshal(g.Runbook.Steps[0].Inputs["InputPayload"])
	g.Must(err)
	// Its other members are references to parameters.
	decoder := json.NewDecoder(strings.NewReader(regexp.MustCompile(`"\{\{[^"]*\}\}"`).ReplaceAllString(string(payload), "null")))
	g.Must(decoder.Decode(&declared))
	in := declared.CreateTrailInput
	in.Name, in.S3BucketName, in.KmsKeyId = &g.TrailName, &g.LogBucketName, &g.LogKeyARN
	in.IsMultiRegionTrail, in.EnableLogFileValidation = aws.Bool(true), aws.Bool(true)
	in.IsOrganizationTrail = aws.Bool(g.Declared[deployed.IsOrganizationTrail] == "true")
	_, err = g.Clients.CloudTrail.CreateTrail(ctx, &in)
	g.Must(err)
	_, err = g.Clients.CloudTrail.PutEventSelectors(ctx, &cloudtrail.PutEventSelectorsInput{TrailName: &g.TrailName, EventSelectors: declared.EventSelectors})
	g.Must(err)
	_, err = g.Clients.CloudTrail.PutInsightSelectors(ctx, &cloudtrail.PutInsightSelectorsInput{TrailName: &g.TrailName, InsightSelectors: declared.InsightSelectors})
	g.Must(err)
	g.startLogging()
	g.Only()
	g.Must(g.Bus().Deliver(ctx))
	g.Only(deployed.AllPaths)
	g.WantRepaired()
}

// TestConfigRepairsNothingWithoutItsParts breaks each part of Config's path.
func TestConfigRepairsNothingWithoutItsParts(t *testing.T) {
	t.Parallel()
	for i, test := range []struct {
		name    string
		broken  testbed.Mutation
		after   func(g guard)
		repairs bool
	}{
		{"as deployed", nil, nil, true},
		{"no remediation", testbed.Without(remediation), nil, false},
		{"no automatic remediation", eachRemediation(func(r map[string]any) { r["Automatic"] = false }), nil, false},
		{"a version that is none", eachRemediation(func(r map[string]any) { r["TargetVersion"] = "2" }), nil, false},
		{"a word that is none", eachRemediation(func(r map[string]any) {
			r["Parameters"].(map[string]any)["StartedBy"] = map[string]any{"StaticValue": map[string]any{"Values": []any{"somebody"}}}
		}), nil, false},
		{"no recorder", nil, func(g guard) {
			_, err := g.Clients.Config.StopConfigurationRecorder(g.T.Context(), &configservice.StopConfigurationRecorderInput{ConfigurationRecorderName: aws.String("default")})
			g.Must(err)
			_, err = g.Clients.Config.DeleteConfigurationRecorder(g.T.Context(), &configservice.DeleteConfigurationRecorderInput{ConfigurationRecorderName: aws.String("default")})
			g.Must(err)
		}, false},
		{"no rule", nil, func(g guard) {
			for _, rule := range g.ConfigRuleNames {
				_, err := g.Clients.Config.DeleteRemediationConfiguration(g.T.Context(), &configservice.DeleteRemediationConfigurationInput{ConfigRuleName: &rule})
				g.Must(err)
				_, err = g.Clients.Config.DeleteConfigRule(g.T.Context(), &configservice.DeleteConfigRuleInput{ConfigRuleName: &rule})
				g.Must(err)
			}
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			inTurn(t, i, func(t *testing.T, a *account) {
				tpl := testbed.ReadTemplate(t, "config-only")
				if test.broken != nil {
					tpl.With(t, test.broken)
				}
				g := guarded(t, a, tpl)
				if test.after != nil {
					test.after(g)
				}
				g.blind()
				g.Pass(period(deployed.ConfigPath))
				if test.repairs {
					g.WantRepaired()
				} else {
					g.wantNotRepaired()
				}
			})
		})
	}
}

func eachRemediation(change func(configuration map[string]any)) testbed.Mutation {
	return func(_ testbed.TB, tpl testbed.Template) {
		for _, configuration := range tpl.Resources(remediation) {
			change(configuration)
		}
	}
}

// TestNoEventLeavesAnAccountWithoutATrailThatLogs shows that the events come from the trail: what is done while none is logging
// is unseen, until the schedule or Config looks.
func TestNoEventLeavesAnAccountWithoutATrailThatLogs(t *testing.T) {
	inEach(t, func(t *testing.T, a *account) {
		g := guarded(t, a, testbed.ReadTemplate(t, "default"))
		for _, path := range []deployed.Path{deployed.SchedulePath, deployed.ConfigPath} {
			g.Only()
			g.strike("T01")
			g.Settle()
			g.Only(deployed.EventPath)
			before := len(g.Executions())
			g.wantTold(g.told(func() {
				for _, id := range []string{"T18", "T14", "T19", "T01"} {
					g.Must(g.tamper(attack{scenario(id), callers[0], true}, drill.Target{}))
				}
				g.Settle()
			}))
			g.wantExecutions(before, 0)
			g.Only(path)
			g.Pass(period(path))
			g.WantRepaired()
		}
	})
}

// TestTheGuardRepairsOnlyWhatPoliciesLetItRepair shows that the policies that are deployed decide: here the organization's.
func TestTheGuardRepairsOnlyWhatPoliciesLetItRepair(t *testing.T) {
	inEach(t, func(t *testing.T, a *account) {
		g := guarded(t, a, testbed.ReadTemplate(t, "default"))
		g.strike("T01")
		g.Must(g.IAM.SetOrganizationPolicies(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"cloudtrail:StartLogging","Resource":"*"}]}`))
		before := len(g.Executions())
		got := g.told(g.Settle)
		if count(got, "REPAIR Failed: ") != 1 || count(got, "NOT REPAIRED: ") != 1 || g.started(before) != 1 {
			t.Errorf("people are told %q", got)
		}
		g.Must(g.IAM.SetOrganizationPolicies())
		g.wantNotRepaired()
		g.Pass(time.Hour)
		g.WantRepaired()
	})
}

// TestTheTargetRoleStartsNothingElse is about whoever gets hold of the role with which EventBridge reaches the targets.
func TestTheTargetRoleStartsNothingElse(t *testing.T) {
	inTurn(t, 0, func(t *testing.T, a *account) {
		g := deploy(t, a, testbed.ReadTemplate(t, "default"))
		role, _ := g.delivery()
		session := api.Principal{Type: api.AssumedRole, ARN: role, SessionName: "mallory"}
		arn := func(rest string) string { return "arn:aws:ssm:" + api.Region + ":" + api.Account + ":" + rest }
		toAutomation := map[string][]string{"iam:PassedToService": {"ssm.amazonaws.com"}}
		for _, check := range []struct {
			what, action, resource string
			keys                   map[string][]string
			lets                   bool
		}{
			{"the runbook", "ssm:StartAutomationExecution", arn("automation-definition/" + g.RunbookName + ":1"), nil, true},
			{"the runbook as a document", "ssm:StartAutomationExecution", arn("document/" + g.RunbookName), nil, true},
			{"an execution of it", "ssm:StartAutomationExecution", arn("automation-execution/00000000-0000-4000-8002-000000000001"), nil, true},
			{"another version", "ssm:StartAutomationExecution", arn("automation-definition/" + g.RunbookName + ":2"), nil, false},
			{"the default version", "ssm:StartAutomationExecution", arn("automation-definition/" + g.RunbookName + ":$DEFAULT"), nil, false},
			{"another runbook", "ssm:StartAutomationExecution", arn("automation-definition/other:1"), nil, false},
			{"another runbook as a document", "ssm:StartAutomationExecution", arn("document/other"), nil, false},
			{"passing the role to Automation", "iam:PassRole", g.AutomationRoleARN, toAutomation, true},
			{"passing the role to Lambda", "iam:PassRole", g.AutomationRoleARN, map[string][]string{"iam:PassedToService": {"lambda.amazonaws.com"}}, false},
			{"passing another role", "iam:PassRole", "arn:aws:iam::" + api.Account + ":role/operators", toAutomation, false},
			{"stopping the trail", "cloudtrail:StopLogging", g.TrailARN, nil, false},
			{"telling people", "sns:Publish", g.AlertTopicARN, nil, true},
			{"telling others", "sns:Publish", g.AlertTopicARN + "2", nil, false},
			{"subscribing", "sns:Subscribe", g.AlertTopicARN, nil, false},
			{"encrypting with the key of the log", "kms:GenerateDataKey", g.LogKeyARN, nil, false},
		} {
			if err := g.IAM.Authorize(t.Context(), session, check.action, check.resource, check.keys); (err == nil) != check.lets {
				t.Errorf("%s: %v", check.what, err)
			}
		}
		eventBridge := api.Principal{Type: api.AWSService, ARN: "events.amazonaws.com"}
		for account, lets := range map[string]bool{api.Account: true, "210987654321": false} {
			err := g.IAM.Authorize(t.Context(), eventBridge, "sts:AssumeRole", role, map[string][]string{
				"aws:SourceArn": {"arn:aws:events:" + api.Region + ":" + account + ":rule/any"}, "aws:SourceAccount": {account},
			})
			if (err == nil) != lets {
				t.Errorf("a rule of account %s assumes the role: %v", account, err)
			}
		}
	})
}
