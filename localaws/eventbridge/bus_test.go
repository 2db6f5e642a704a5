package eventbridge

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/trailguard/trailguard/localaws/api"
)

const (
	runbookARN = "arn:aws:ssm:us-east-1:123456789012:automation-definition/Repair:$DEFAULT"
	topicARN   = "arn:aws:sns:us-east-1:123456789012:alerts"
	queueARN   = "arn:aws:sqs:us-east-1:123456789012:failures"
	startRole  = "arn:aws:iam::123456789012:role/start"
	ruleOneARN = "arn:aws:events:us-east-1:123456789012:rule/one"
)

// fakeTargets records calls; refuse, if set, answers them, and onStart runs when an automation starts.
type fakeTargets struct {
	calls      []string
	attributes []map[string]string
	refuse     func(call string) error
	onStart    func(ctx context.Context) error
}

func (f *fakeTargets) call(format string, args ...any) error {
	call := fmt.Sprintf(format, args...)
	f.calls = append(f.calls, call)
	if f.refuse == nil {
		return nil
	}
	return f.refuse(call)
}

func (f *fakeTargets) StartAutomation(ctx context.Context, roleARN, _, document string, parameters map[string][]string) error {
	if err := f.call("start %s as %s with %v", document, roleARN, parameters); err != nil || f.onStart == nil {
		return err
	}
	return f.onStart(ctx)
}

func (f *fakeTargets) PublishSNS(_ context.Context, roleARN, ruleARN, topicARN, message string) error {
	return f.call("publish %s for %s%s: %s", topicARN, ruleARN, as(roleARN), message)
}

func (f *fakeTargets) SendSQS(_ context.Context, roleARN, ruleARN, queueARN, message string, attributes map[string]string) error {
	f.attributes = append(f.attributes, attributes)
	return f.call("send %s for %s%s: %s", queueARN, ruleARN, as(roleARN), message)
}

func (f *fakeTargets) PutEvent(_ context.Context, roleARN, ruleARN, busARN string, event map[string]any) error {
	return f.call("put on %s for %s%s: %s", busARN, ruleARN, as(roleARN), event["id"])
}

func as(roleARN string) string {
	if roleARN == "" {
		return ""
	}
	return " as " + roleARN
}

type fixedRules []Rule

func (r fixedRules) Rules(context.Context) ([]Rule, error) { return r, nil }

func (r fixedRules) Schedules(context.Context) (map[string]Schedule, error) {
	schedules := map[string]Schedule{}
	for _, rule := range r {
		if rule.Schedule.period > 0 && enabled(rule.State) {
			schedules[rule.Name] = rule.Schedule
		}
	}
	return schedules, nil
}

// ruleOne matches the events of send.
func ruleOne(t testing.TB, targets ...Target) Rule {
	return Rule{Name: "one", ARN: ruleOneARN, State: types.RuleStateEnabled, Pattern: parse(t, `{"source":["test"]}`), Targets: targets}
}

func automationTarget(input string) Target {
	return Target{ID: "runbook", ARN: runbookARN, RoleARN: startRole, Input: input}
}

const goodInput = `{"TrailName":["org-trail"],"AutomationAssumeRole":["arn:aws:iam::123456789012:role/repair"]}`

type bench struct {
	*Bus
	targets *fakeTargets
	clock   *api.Clock
}

func newBench(rules ...Rule) bench {
	targets, clock := &fakeTargets{}, api.NewClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	return bench{NewBus(fixedRules(rules), targets, clock, Options{}), targets, clock}
}

func (b bench) send(t testing.TB) {
	t.Helper()
	event := map[string]any{"source": "test", "detail-type": "test", "id": "e1", "detail": map[string]any{"n": 1}}
	if err := b.Publish(context.Background(), event); err != nil {
		t.Fatal(err)
	}
	b.deliver(t)
}

func (b bench) deliver(t testing.TB) {
	t.Helper()
	if err := b.Deliver(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func (b bench) last(t testing.TB) Delivery {
	t.Helper()
	deliveries := b.Deliveries()
	if len(deliveries) == 0 {
		t.Fatal("nothing was delivered")
	}
	return deliveries[len(deliveries)-1]
}

func TestAMatchingEventStartsEveryTargetWithItsInput(t *testing.T) {
	eventJSON := `{"detail":{"n":1},"detail-type":"test","id":"e1","source":"test"}`
	other := ruleOne(t, automationTarget(goodInput))
	other.Name, other.Pattern = "other", parse(t, `{"source":["elsewhere"]}`)
	disabled := ruleOne(t, automationTarget(goodInput))
	disabled.Name, disabled.State = "disabled", types.RuleStateDisabled
	b := newBench(other, disabled, ruleOne(t,
		automationTarget(goodInput),
		Target{ID: "topic", ARN: topicARN, Transformer: &Transformer{map[string]string{"n": "$.detail.n"}, `"n is <n>"`}},
		Target{ID: "queue", ARN: queueARN},
		Target{ID: "path", ARN: queueARN, RoleARN: startRole, InputPath: "$.detail"},
		Target{ID: "topic with a role", ARN: topicARN, RoleARN: startRole, Input: "1"},
	))
	b.send(t)
	want := []string{
		"start Repair:$DEFAULT as " + startRole + " with map[AutomationAssumeRole:[arn:aws:iam::123456789012:role/repair] TrailName:[org-trail]]",
		"publish " + topicARN + " for " + ruleOneARN + `: "n is 1"`,
		"send " + queueARN + " for " + ruleOneARN + ": " + eventJSON,
		"send " + queueARN + " for " + ruleOneARN + " as " + startRole + `: {"n":1}`,
		"publish " + topicARN + " for " + ruleOneARN + " as " + startRole + ": 1",
	}
	if !reflect.DeepEqual(b.targets.calls, want) {
		t.Errorf("got  %q\nwant %q", b.targets.calls, want)
	}
	wantMetrics := map[string]Metrics{"one": {MatchedEvents: 1, TriggeredRules: 1, Invocations: 5}}
	if got := b.Metrics(); !reflect.DeepEqual(got, wantMetrics) {
		t.Errorf("metrics %+v, want %+v", got, wantMetrics)
	}
	if d := b.Deliveries()[0]; d.Outcome != Invoked || d.Rule != "one" || d.TargetID != "runbook" || d.Input != goodInput || d.Attempt != 1 {
		t.Errorf("delivery %+v", d)
	}
}

func TestAnAutomationStartsOnlyWithListsOfStrings(t *testing.T) {
	for _, input := range []string{`{"TrailName":"org-trail"}`, `{"TrailName":[1]}`, `{"TrailName":[null]}`, `{"TrailName":null}`, `[]`, `"x"`, `null`, ""} {
		target := automationTarget(input) // "" means the event itself
		target.DeadLetterARN = queueARN
		b := newBench(ruleOne(t, target))
		b.send(t)
		d := b.last(t)
		if d.Outcome != Failed || d.ErrorCode != "InvalidInput" || !d.DeadLettered || len(b.targets.calls) != 1 || strings.HasPrefix(b.targets.calls[0], "start") {
			t.Errorf("%s: %+v, %q", input, d, b.targets.calls)
		}
	}
}

func TestInputThatCannotBeMadeIsAFailedInvocation(t *testing.T) {
	for name, target := range map[string]Target{
		"path":     {ID: "t", ARN: topicARN, InputPath: "$.detail.absent"},
		"template": {ID: "t", ARN: topicARN, Transformer: &Transformer{map[string]string{"a": "$.detail.absent"}, `{"a": <a>}`}},
	} {
		b := newBench(ruleOne(t, target))
		b.send(t)
		if d := b.last(t); d.Outcome != Failed || d.ErrorCode != "InvalidInput" || len(b.targets.calls) != 0 || b.Metrics()["one"].FailedInvocations != 1 {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

func TestMissingPermissionsAreNotRetriedAndGoToTheDeadLetterQueue(t *testing.T) {
	target := automationTarget(goodInput)
	target.DeadLetterARN = queueARN
	b := newBench(ruleOne(t, target))
	b.targets.refuse = func(call string) error {
		if strings.HasPrefix(call, "start") {
			return fmt.Errorf("start: %w", api.Errorf("AccessDeniedException", "not authorized"))
		}
		return nil
	}
	b.send(t)
	want := map[string]string{"RULE_ARN": ruleOneARN, "TARGET_ARN": runbookARN, "ERROR_CODE": "NO_PERMISSIONS", "ERROR_MESSAGE": "not authorized", "RETRY_ATTEMPTS": "0"}
	if len(b.targets.attributes) != 1 || !reflect.DeepEqual(b.targets.attributes[0], want) {
		t.Errorf("attributes %v, want %v", b.targets.attributes, want)
	}
	if !strings.HasSuffix(b.targets.calls[1], `"source":"test"}`) {
		t.Errorf("the dead letter is not the event: %s", b.targets.calls[1])
	}
	if got, want := b.Metrics()["one"], (Metrics{MatchedEvents: 1, TriggeredRules: 1, Invocations: 1, FailedInvocations: 1, InvocationsSentToDlq: 1}); got != want {
		t.Errorf("metrics %+v, want %+v", got, want)
	}
	if _, pending := b.NextRetry(); pending {
		t.Error("a retry is pending")
	}
}

func TestARefusedDeadLetterIsCounted(t *testing.T) {
	target := automationTarget(goodInput)
	target.DeadLetterARN = queueARN
	b := newBench(ruleOne(t, target))
	b.targets.refuse = func(string) error { return api.Errorf("AccessDenied", "no") }
	b.send(t)
	if m := b.Metrics()["one"]; m.InvocationsFailedToBeSentToDlq != 1 || m.InvocationsSentToDlq != 0 || b.last(t).DeadLettered {
		t.Errorf("metrics %+v", m)
	}
}

func TestAThrottledInvocationIsRetriedUntilItSucceeds(t *testing.T) {
	b := newBench(ruleOne(t, automationTarget(goodInput)))
	throttled := 2
	b.targets.refuse = func(string) error {
		if throttled--; throttled >= 0 {
			return api.Errorf("ThrottlingException", "slow down")
		}
		return nil
	}
	b.send(t)
	b.deliver(t)
	if len(b.targets.calls) != 1 {
		t.Fatalf("retried before its time: %q", b.targets.calls)
	}
	for at, pending := b.NextRetry(); pending; at, pending = b.NextRetry() {
		b.clock.Advance(at.Sub(b.clock.Now()))
		b.deliver(t)
	}
	if d := b.last(t); len(b.targets.calls) != 3 || d.Outcome != Invoked || d.Attempt != 3 {
		t.Errorf("%q, %+v", b.targets.calls, d)
	}
	if m := b.Metrics()["one"]; m.Invocations != 1 || m.FailedInvocations != 0 {
		t.Errorf("metrics %+v", m)
	}
}

func TestRetriesEndAtTheBoundThatIsMetFirst(t *testing.T) {
	tests := []struct {
		policy               *RetryPolicy
		attempts             int
		exhausted, attribute string
	}{
		{&RetryPolicy{MaximumEventAgeSeconds: 3600, MaximumRetryAttempts: 3}, 4, "MaximumRetryAttempts", "3"},
		{&RetryPolicy{MaximumEventAgeSeconds: 3600, MaximumRetryAttempts: 0}, 1, "MaximumRetryAttempts", "0"},
		{&RetryPolicy{MaximumEventAgeSeconds: 60, MaximumRetryAttempts: 185}, 6, "MaximumEventAgeInSeconds", "5"},
		{nil, 186, "MaximumRetryAttempts", "185"},
	}
	for _, tt := range tests {
		target := automationTarget(goodInput)
		target.RetryPolicy, target.DeadLetterARN = tt.policy, queueARN
		b := newBench(ruleOne(t, target))
		starts := 0
		b.targets.refuse = func(call string) error {
			if strings.HasPrefix(call, "send") {
				return nil
			}
			starts++
			return &api.Error{Code: "InternalServerError", Status: 500}
		}
		b.send(t)
		for at, pending := b.NextRetry(); pending; at, pending = b.NextRetry() {
			b.clock.Advance(at.Sub(b.clock.Now()))
			b.deliver(t)
		}
		if starts != tt.attempts || len(b.targets.attributes) != 1 {
			t.Fatalf("%+v: %d attempts, want %d; dead letters %v", tt.policy, starts, tt.attempts, b.targets.attributes)
		}
		if a := b.targets.attributes[0]; a["EXHAUSTED_RETRY_CONDITION"] != tt.exhausted || a["RETRY_ATTEMPTS"] != tt.attribute {
			t.Errorf("%+v: attributes %v", tt.policy, a)
		}
	}
}

func TestEventsThatATargetBegetsAreDeliveredToo(t *testing.T) {
	again := ruleOne(t, Target{ID: "topic", ARN: topicARN})
	again.Name, again.Pattern = "again", parse(t, `{"source":["begotten"]}`)
	b := newBench(ruleOne(t, automationTarget(goodInput)), again)
	b.targets.onStart = func(ctx context.Context) error {
		return b.Publish(ctx, map[string]any{"source": "begotten", "detail-type": "x", "detail": map[string]any{}})
	}
	b.send(t)
	if b.Metrics()["again"].Invocations != 1 {
		t.Errorf("%q", b.targets.calls)
	}
}

func TestARuleThatTriggersItselfIsAnError(t *testing.T) {
	b := newBench(ruleOne(t, automationTarget(goodInput)))
	event := map[string]any{"source": "test", "detail-type": "x", "detail": map[string]any{}}
	b.targets.onStart = func(ctx context.Context) error { return b.Publish(ctx, event) }
	if err := b.Publish(context.Background(), event); err != nil {
		t.Fatal(err)
	}
	if err := b.Deliver(context.Background()); err == nil || !strings.Contains(err.Error(), "triggers itself") {
		t.Errorf("got %v", err)
	}
}

func TestAFaultOfTheLocalAWSIsReturned(t *testing.T) {
	fault := errors.New("connection refused")
	b := newBench(ruleOne(t, automationTarget(goodInput), Target{ID: "topic", ARN: topicARN}))
	b.targets.refuse = func(call string) error {
		if strings.HasPrefix(call, "start") {
			return fault
		}
		return nil
	}
	if err := b.Publish(context.Background(), map[string]any{"source": "test", "detail-type": "x", "detail": map[string]any{}}); err != nil {
		t.Fatal(err)
	}
	if err := b.Deliver(context.Background()); !errors.Is(err, fault) {
		t.Errorf("got %v", err)
	}
	if len(b.targets.calls) != 2 {
		t.Errorf("the other target was not invoked: %q", b.targets.calls)
	}
}

func TestEnabledRulesDoNotSeeReadOnlyManagementEvents(t *testing.T) {
	for state, want := range map[types.RuleState]int{
		types.RuleStateEnabled: 0, types.RuleStateDisabled: 0, types.RuleStateEnabledWithAllCloudtrailManagementEvents: 1,
	} {
		rule := ruleOne(t, Target{ID: "topic", ARN: topicARN})
		rule.State, rule.Pattern = state, parse(t, `{"source":["aws.cloudtrail"]}`)
		b := newBench(rule)
		event := apiCall(t, "GetTrail", "IAM user", `{}`, "")
		event["detail"].(map[string]any)["readOnly"] = true
		if err := b.Publish(context.Background(), event); err != nil {
			t.Fatal(err)
		}
		b.deliver(t)
		if got := len(b.targets.calls); got != want {
			t.Errorf("%s: %d invocations, want %d", state, got, want)
		}
	}
}

func TestPublishRefusesWhatIsNoEvent(t *testing.T) {
	for _, event := range []map[string]any{nil, {"source": "x", "detail-type": "y"}, {"source": 1, "detail-type": "y", "detail": map[string]any{}}} {
		if err := newBench().Publish(context.Background(), event); err == nil {
			t.Errorf("%v is published", event)
		}
	}
}

func TestRulesThatAreRefusedOrNotModelledDoNotValidate(t *testing.T) {
	good := automationTarget(goodInput)
	with := func(change func(*Target)) []Target {
		target := good
		change(&target)
		return []Target{target}
	}
	tests := []struct {
		targets []Target
		want    string
	}{
		{[]Target{good, good, good, good, good, good}, "at most 5"},
		{with(func(t *Target) { t.ARN = "arn:aws:lambda:us-east-1:123456789012:function:f" }), "not modelled"},
		{with(func(t *Target) { t.ARN = "arn:aws:ssm:us-east-1:123456789012:document/Repair" }), "not modelled"},
		{with(func(t *Target) { t.ARN = "arn:aws:ssm:eu-west-1:123456789012:automation-definition/Repair" }), "not modelled"},
		{with(func(t *Target) { t.ARN = "arn:aws:sns:us-east-1:123456789012:automation-definition/x" }), "not modelled"},
		{with(func(t *Target) { t.RoleARN = "" }), "needs a RoleArn"},
		{with(func(t *Target) { t.DeadLetterARN = topicARN }), "not a queue"},
		{with(func(t *Target) { t.Input = "{" }), "not JSON"},
		{with(func(t *Target) { t.InputPath = "$.detail" }), "only one of"},
		{with(func(t *Target) { t.Input, t.InputPath = "", "$..x" }), "not modelled"},
		{with(func(t *Target) { t.Input, t.Transformer = "", &Transformer{nil, `"<x>"`} }), "<x> is not"},
		{with(func(t *Target) { t.RetryPolicy = &RetryPolicy{MaximumEventAgeSeconds: 59} }), "retry policy"},
		{with(func(t *Target) {
			t.RetryPolicy = &RetryPolicy{MaximumEventAgeSeconds: 60, MaximumRetryAttempts: 186}
		}), "retry policy"},
	}
	for _, tt := range tests {
		if err := ruleOne(t, tt.targets...).Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: got %v, want an error with %q", tt.targets, err, tt.want)
		} else if errors.Is(err, ErrNotModelled) != strings.Contains(tt.want, "not modelled") {
			t.Errorf("%+v: %v confuses what EventBridge refuses with what is not modelled", tt.targets, err)
		}
	}
	if err := ruleOne(t, good).Validate(); err != nil {
		t.Error(err)
	}
}

// fakeAPI gives one rule and one target a page.
type fakeAPI struct {
	rules   []types.Rule
	targets []types.Target
	calls   int
}

func (f *fakeAPI) ListRules(_ context.Context, in *eventbridge.ListRulesInput, _ ...func(*eventbridge.Options)) (*eventbridge.ListRulesOutput, error) {
	f.calls++
	i, next := page(in.NextToken, len(f.rules))
	return &eventbridge.ListRulesOutput{Rules: f.rules[i : i+1], NextToken: next}, nil
}

func (f *fakeAPI) ListTargetsByRule(_ context.Context, in *eventbridge.ListTargetsByRuleInput, _ ...func(*eventbridge.Options)) (*eventbridge.ListTargetsByRuleOutput, error) {
	i, next := page(in.NextToken, len(f.targets))
	return &eventbridge.ListTargetsByRuleOutput{Targets: f.targets[i : i+1], NextToken: next}, nil
}

func page(token *string, n int) (i int, next *string) {
	i = len(aws.ToString(token))
	if i+1 < n {
		next = aws.String(strings.Repeat("x", i+1))
	}
	return i, next
}

func TestClientRulesReadsEveryPageOnceUntilInvalidated(t *testing.T) {
	client := &fakeAPI{
		rules: []types.Rule{
			{Name: aws.String("one"), Arn: aws.String(ruleOneARN), State: types.RuleStateEnabled, EventPattern: aws.String(`{"source":["test"]}`)},
			{Name: aws.String("two"), Arn: aws.String(ruleOneARN), State: types.RuleStateDisabled, EventPattern: aws.String(`{"source":["test"]}`)},
		},
		targets: []types.Target{
			{Id: aws.String("a"), Arn: aws.String(runbookARN), RoleArn: aws.String(startRole), Input: aws.String(goodInput),
				DeadLetterConfig: &types.DeadLetterConfig{Arn: aws.String(queueARN)}, RetryPolicy: &types.RetryPolicy{MaximumRetryAttempts: aws.Int32(4)}},
			{Id: aws.String("b"), Arn: aws.String(topicARN), InputTransformer: &types.InputTransformer{
				InputPathsMap: map[string]string{"n": "$.detail.n"}, InputTemplate: aws.String(`"<n>"`)}},
		},
	}
	source := NewClientRules(client)
	for range 2 {
		rules, err := source.Rules(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		want := []Target{
			{ID: "a", ARN: runbookARN, RoleARN: startRole, Input: goodInput, DeadLetterARN: queueARN,
				RetryPolicy: &RetryPolicy{MaximumEventAgeSeconds: 86400, MaximumRetryAttempts: 4}},
			{ID: "b", ARN: topicARN, Transformer: &Transformer{map[string]string{"n": "$.detail.n"}, `"<n>"`}},
		}
		if len(rules) != 2 || rules[0].ARN != ruleOneARN || rules[1].State != types.RuleStateDisabled || !reflect.DeepEqual(rules[0].Targets, want) {
			t.Fatalf("%+v", rules)
		}
	}
	if client.calls != 2 {
		t.Errorf("ListRules was called %d times, want once a page", client.calls)
	}
	client.rules[1].State, client.targets = types.RuleStateEnabled, client.targets[:1]
	source.InvalidateButTargets()
	if rules, err := source.Rules(context.Background()); err != nil || rules[1].State != types.RuleStateEnabled || len(rules[0].Targets) != 2 {
		t.Errorf("after InvalidateButTargets: %+v, %v", rules, err)
	}
	calls := client.calls
	source.InvalidateTargets("two")
	if rules, err := source.Rules(context.Background()); err != nil || len(rules[0].Targets) != 2 || len(rules[1].Targets) != 1 || client.calls != calls {
		t.Errorf("after InvalidateTargets and %d calls of ListRules: %+v, %v", client.calls-calls, rules, err)
	}
	client.rules = client.rules[:1]
	source.Invalidate()
	if rules, err := source.Rules(context.Background()); err != nil || len(rules) != 1 || len(rules[0].Targets) != 1 {
		t.Errorf("after Invalidate: %v, %v", rules, err)
	}
}

func TestClientRulesRefusesWhatIsNotModelled(t *testing.T) {
	pattern, target := aws.String(`{"source":["test"]}`), types.Target{Id: aws.String("t"), Arn: aws.String(topicARN)}
	for want, client := range map[string]*fakeAPI{
		"cron is not":    {rules: []types.Rule{{Name: aws.String("r"), ScheduleExpression: aws.String("cron(0 12 * * ? *)")}}, targets: []types.Target{target}},
		`"cidr" is not`:  {rules: []types.Rule{{Name: aws.String("r"), EventPattern: aws.String(`{"a":[{"cidr":"10.0.0.0/8"}]}`)}}, targets: []types.Target{target}},
		"target are not": {rules: []types.Rule{{Name: aws.String("r"), EventPattern: pattern}}, targets: []types.Target{{Id: aws.String("t"), SqsParameters: &types.SqsParameters{}}}},
		"not modelled":   {rules: []types.Rule{{Name: aws.String("r"), EventPattern: pattern}}, targets: []types.Target{{Id: aws.String("t"), Arn: aws.String("arn:aws:logs:us-east-1:123456789012:log-group:x")}}},
	} {
		_, err := NewClientRules(client).Rules(context.Background())
		if !errors.Is(err, ErrNotModelled) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
		b := NewBus(NewClientRules(client), &fakeTargets{}, api.NewClock(time.Time{}), Options{})
		if err := b.Publish(context.Background(), map[string]any{"source": "x", "detail-type": "y", "detail": map[string]any{}}); err != nil {
			t.Fatal(err)
		}
		if err := b.Deliver(context.Background()); err == nil {
			t.Errorf("%s: the bus delivers", want)
		}
	}
}

// An event that comes from another event bus is not handed on again; other targets get it.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-account.html
func TestAnEventIsHandedOnOnce(t *testing.T) {
	const own, central = "arn:aws:events:us-east-1:123456789012:event-bus/own", "arn:aws:events:us-east-1:444455556666:event-bus/central"
	rule := ruleOne(t, Target{ID: "bus", ARN: central, RoleARN: startRole}, Target{ID: "queue", ARN: queueARN})
	rule.Bus = own
	event := map[string]any{"source": "test", "detail-type": "test", "id": "e1", "region": "us-east-1", "detail": map[string]any{}}
	for passed, want := range map[bool]int{false: 2, true: 1} {
		b := newBench(rule)
		if err := b.PublishTo(context.Background(), own, event, passed); err != nil {
			t.Fatal(err)
		}
		b.deliver(t)
		if len(b.targets.calls) != want {
			t.Errorf("passed %v: the calls are %v", passed, b.targets.calls)
		}
	}
	b := newBench(rule) // an event on the default bus is none of the rule's
	if err := b.Publish(context.Background(), event); err != nil {
		t.Fatal(err)
	}
	b.deliver(t)
	if len(b.targets.calls) != 0 {
		t.Errorf("from the default bus: the calls are %v", b.targets.calls)
	}
	b = newBench(ruleOne(t, Target{ID: "queue", ARN: queueARN}))
	event["region"] = "eu-west-1" // where the rule is not
	if err := b.Publish(context.Background(), event); err != nil {
		t.Fatal(err)
	}
	b.deliver(t)
	if len(b.targets.calls) != 0 {
		t.Errorf("from another Region: the calls are %v", b.targets.calls)
	}
}
