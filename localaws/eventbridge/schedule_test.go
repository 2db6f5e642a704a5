package eventbridge

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/trailguard/trailguard/localaws/api"
)

func schedule(t testing.TB, expression string) Schedule {
	t.Helper()
	s, err := ParseSchedule(expression)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRatesAreReadAsStrictlyAsEventBridgeReadsThem(t *testing.T) {
	for expression, want := range map[string]time.Duration{
		"rate(1 minute)": time.Minute, "rate(5 minutes)": 5 * time.Minute, "rate(1 hour)": time.Hour, "rate(12 hours)": 12 * time.Hour,
		"rate(1 day)": 24 * time.Hour, "rate(30 days)": 30 * 24 * time.Hour,
	} {
		if got := schedule(t, expression).period; got != want {
			t.Errorf("%s is %s, want %s", expression, got, want)
		}
	}
	for _, expression := range []string{
		"", "rate()", "rate(1 minutes)", "rate(5 minute)", "rate(0 minutes)", "rate(-1 minutes)", "rate(1.5 hours)", "rate(1 week)",
		"rate(30 seconds)", "Rate(1 hour)", "rate(1hour)", "rate(1  hour)", " rate(1 hour)", "rate(1 hour) ", "1 hour", "at(2030-01-01T00:00:00)",
		"rate(99999999999999999999 days)",
	} {
		if s, err := ParseSchedule(expression); err == nil || errors.Is(err, ErrNotModelled) || s.period != 0 {
			t.Errorf("%q: got %v, %v, want a refusal", expression, s, err)
		}
	}
	for _, expression := range []string{"cron(0 12 * * ? *)", "rate(999999999 days)"} {
		if _, err := ParseSchedule(expression); !errors.Is(err, ErrNotModelled) {
			t.Errorf("%q: got %v, want that it is not modelled", expression, err)
		}
	}
}

// daily is a rule with a schedule and no pattern.
func daily(t testing.TB) Rule {
	return Rule{Name: "one", ARN: ruleOneARN, State: types.RuleStateEnabled, Schedule: schedule(t, "rate(1 day)"),
		Targets: []Target{{ID: "topic", ARN: topicARN}}}
}

func (b bench) note(t testing.TB) {
	t.Helper()
	if err := b.NoteSchedules(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// advance moves the clock, fires what is due and returns how often targets were invoked by that.
func (b bench) advance(t testing.TB, d time.Duration) int {
	t.Helper()
	before := len(b.targets.calls)
	b.clock.Advance(d)
	if err := b.FireSchedules(context.Background()); err != nil {
		t.Fatal(err)
	}
	b.deliver(t)
	return len(b.targets.calls) - before
}

func (b bench) wantFired(t testing.TB, d time.Duration, want int) {
	t.Helper()
	if got := b.advance(t, d); got != want {
		t.Errorf("at %s: fired %d times, want %d", b.clock.Now().Format(time.DateTime), got, want)
	}
}

func TestAScheduleInvokesTheTargetsOfItsRuleAlone(t *testing.T) {
	everything := ruleOne(t, Target{ID: "topic", ARN: topicARN})
	everything.Name, everything.Pattern = "everything", parse(t, `{"account":["123456789012"]}`)
	b := newBench(daily(t), everything)
	b.note(t)
	b.wantFired(t, 24*time.Hour, 1)
	d := b.last(t)
	want := map[string]any{
		"version": "0", "id": "00000000-0000-4000-8004-000000000001", "detail-type": "Scheduled Event", "source": "aws.events",
		"account": "123456789012", "time": "2026-01-02T00:00:00Z", "region": "us-east-1", "resources": []any{ruleOneARN}, "detail": map[string]any{},
	}
	if d.Rule != "one" || d.Outcome != Invoked || !reflect.DeepEqual(d.Event, want) {
		t.Errorf("got %+v", d)
	}
	if got, want := b.Metrics(), (map[string]Metrics{"one": {MatchedEvents: 1, TriggeredRules: 1, Invocations: 1}}); !reflect.DeepEqual(got, want) {
		t.Errorf("metrics %+v, want %+v", got, want)
	}
}

func TestAScheduleFiresOnceAPeriodFromTheCreationOfItsRule(t *testing.T) {
	b := newBench(daily(t))
	b.clock.Advance(6 * time.Hour)
	b.note(t)
	b.wantFired(t, 23*time.Hour, 0)
	b.wantFired(t, 2*time.Hour, 1)
	b.wantFired(t, 0, 0)
	// The next is due a day after the first was, not a day after it came.
	b.wantFired(t, 22*time.Hour, 0)
	b.wantFired(t, time.Hour, 1)
	// Of the periods that one advance passes over, one fires.
	b.wantFired(t, 5*24*time.Hour+time.Hour, 1)
	b.wantFired(t, 22*time.Hour, 0)
	b.wantFired(t, time.Hour, 1)
}

func TestUnderTheOtherReadingAScheduleFiresAtOnceToo(t *testing.T) {
	b := newBench(daily(t))
	b.options.ScheduleFiresAtCreation = true
	b.note(t)
	b.wantFired(t, 0, 0)
	b.wantFired(t, time.Second, 1)
	b.wantFired(t, time.Hour, 0)
	b.wantFired(t, 23*time.Hour, 1)
	b = newBench(daily(t))
	b.options.ScheduleFiresAtCreation = true
	b.note(t)
	b.wantFired(t, 24*time.Hour, 1)
}

func TestAScheduleCountsAnewWhenItsRuleIsEnabledAgainOrRescheduled(t *testing.T) {
	rules := []Rule{daily(t)}
	set := func(b bench, change func(*Rule)) {
		t.Helper()
		change(&rules[0])
		b.note(t)
	}
	b := newBench(rules...)
	b.rules = fixedRules(rules)
	b.note(t)
	b.wantFired(t, 12*time.Hour, 0)

	set(b, func(r *Rule) { r.State = types.RuleStateDisabled })
	b.wantFired(t, 24*time.Hour, 0)
	set(b, func(r *Rule) { r.State = types.RuleStateEnabledWithAllCloudtrailManagementEvents })
	b.wantFired(t, 23*time.Hour, 0)
	b.wantFired(t, time.Hour, 1)

	b.wantFired(t, time.Hour, 0)
	set(b, func(r *Rule) { r.Schedule = schedule(t, "rate(24 hours)") })
	b.wantFired(t, 23*time.Hour, 0)
	b.wantFired(t, time.Hour, 1)

	// Other changes leave the schedule as it is.
	b.wantFired(t, time.Hour, 0)
	set(b, func(r *Rule) { r.Targets = append(r.Targets, Target{ID: "queue", ARN: queueARN}) })
	b.wantFired(t, 23*time.Hour, 2)
}

func TestADeletedRuleDoesNotFire(t *testing.T) {
	b := newBench(daily(t))
	b.note(t)
	b.rules = fixedRules(nil)
	b.note(t)
	b.wantFired(t, 48*time.Hour, 0)
}

func TestARuleMayHaveAPatternAndASchedule(t *testing.T) {
	both := daily(t)
	both.Pattern = parse(t, `{"source":["test"]}`)
	b := newBench(both)
	b.note(t)
	b.send(t)
	b.wantFired(t, 24*time.Hour, 1)
	if m := b.Metrics()["one"]; m.MatchedEvents != 2 || m.Invocations != 2 {
		t.Errorf("metrics %+v", m)
	}
	// The control: a schedule alone matches no event.
	b = newBench(daily(t))
	b.send(t)
	if len(b.targets.calls) != 0 {
		t.Errorf("%q", b.targets.calls)
	}
}

func TestAScheduledEventIsRetriedAndDeadLettered(t *testing.T) {
	rule := daily(t)
	rule.Targets[0].RetryPolicy = &RetryPolicy{MaximumEventAgeSeconds: 60, MaximumRetryAttempts: 1}
	rule.Targets[0].DeadLetterARN = queueARN
	b := newBench(rule)
	b.note(t)
	b.targets.refuse = func(call string) error {
		if strings.HasPrefix(call, "send") {
			return nil
		}
		return &api.Error{Code: "InternalError", Status: 500}
	}
	b.wantFired(t, 24*time.Hour, 1)
	at, pending := b.NextRetry()
	if !pending {
		t.Fatal("no retry is pending")
	}
	b.wantFired(t, at.Sub(b.clock.Now()), 2)
	if m := b.Metrics()["one"]; m.FailedInvocations != 1 || m.InvocationsSentToDlq != 1 || !b.last(t).DeadLettered {
		t.Errorf("metrics %+v, delivery %+v", m, b.last(t))
	}
}

func TestClientRulesReadsSchedulesOfEnabledRules(t *testing.T) {
	client := &fakeAPI{rules: []types.Rule{
		{Name: aws.String("pattern"), Arn: aws.String(ruleOneARN), State: types.RuleStateEnabled, EventPattern: aws.String(`{"source":["test"]}`)},
		{Name: aws.String("both"), Arn: aws.String(ruleOneARN), State: types.RuleStateEnabled, EventPattern: aws.String(`{"source":["test"]}`), ScheduleExpression: aws.String("rate(1 hour)")},
		{Name: aws.String("off"), Arn: aws.String(ruleOneARN), State: types.RuleStateDisabled, ScheduleExpression: aws.String("rate(1 hour)")},
		{Name: aws.String("alone"), Arn: aws.String(ruleOneARN), State: types.RuleStateEnabled, ScheduleExpression: aws.String("rate(1 day)")},
	}, targets: []types.Target{{Id: aws.String("t"), Arn: aws.String(topicARN)}}}
	source := NewClientRules(client)
	for range 2 {
		got, err := source.Schedules(context.Background())
		want := map[string]Schedule{"both": schedule(t, "rate(1 hour)"), "alone": schedule(t, "rate(1 day)")}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
	rules, err := source.Rules(context.Background())
	if client.calls != len(client.rules) {
		t.Errorf("ListRules was called %d times, want once a page", client.calls)
	}
	if err != nil || rules[1].Schedule != schedule(t, "rate(1 hour)") || rules[1].Pattern.alternatives == nil || rules[3].Pattern.alternatives != nil {
		t.Errorf("got %+v, %v", rules, err)
	}
	client.rules[2].State = types.RuleStateEnabled
	source.InvalidateButTargets()
	if got, err := source.Schedules(context.Background()); err != nil || len(got) != 3 {
		t.Errorf("after a rule is enabled: %v, %v", got, err)
	}
	client.rules[0] = types.Rule{Name: aws.String("neither"), Arn: aws.String(ruleOneARN), State: types.RuleStateEnabled}
	source.Invalidate()
	if _, err := source.Rules(context.Background()); err == nil || !strings.Contains(err.Error(), "neither a pattern nor a schedule") {
		t.Errorf("got %v", err)
	}
}
