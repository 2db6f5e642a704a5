package eventbridge_test

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventbridgetypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/trailguard/trailguard/localaws/api"
	localevents "github.com/trailguard/trailguard/localaws/eventbridge"
	"github.com/trailguard/trailguard/localaws/internal/world"
)

// checkedWorld is a world with EventBridge, whose rules are none.
func checkedWorld(t *testing.T) *world.World {
	t.Helper()
	w := world.New(t)
	rules := localevents.NewClientRules(noRules{})
	w.Serve(&localevents.Service{
		Rules: rules, Bus: localevents.NewBus(rules, nil, api.NewClock(time.Time{}), localevents.Options{}), Fail: w.Fail,
	})
	return w
}

// noRules is an EventBridge without rules.
type noRules struct{ localevents.RulesAPI }

func (noRules) ListRules(context.Context, *eventbridge.ListRulesInput, ...func(*eventbridge.Options)) (*eventbridge.ListRulesOutput, error) {
	return &eventbridge.ListRulesOutput{}, nil
}

func TestRulesThatEventBridgeRefusesAreNotPut(t *testing.T) {
	const pattern = `{"source":["aws.cloudtrail"]}`
	for _, test := range []struct{ pattern, schedule, want string }{
		{pattern, "", ""},
		{"", "rate(1 day)", ""},
		{pattern, "rate(5 minutes)", ""},
		{"", "", "ValidationException"},
		{pattern, "rate(1 days)", "ValidationException"},
		{pattern, "every day", "ValidationException"},
		{pattern, "cron(0 12 * * ? *)", "NotModelled"},
		{`{"source":"aws.cloudtrail"}`, "", "InvalidEventPatternException"},
		{`{"source":[{"prefixes":"aws."}]}`, "rate(1 day)", "InvalidEventPatternException"},
		{`{"source":[]}`, "", "InvalidEventPatternException"},
		{`{"source":`, "", "InvalidEventPatternException"},
		{`{"detail":{"sourceIPAddress":[{"cidr":"10.0.0.0/8"}]}}`, "", "NotModelled"},
	} {
		w := checkedWorld(t)
		input := &eventbridge.PutRuleInput{Name: aws.String("r")}
		if test.pattern != "" {
			input.EventPattern = &test.pattern
		}
		if test.schedule != "" {
			input.ScheduleExpression = &test.schedule
		}
		_, err := eventbridge.NewFromConfig(w.As(world.Mallory)).PutRule(t.Context(), input)
		if got := world.Code(err); got != test.want {
			t.Errorf("pattern %s, schedule %q: got %q (%v), want %q", test.pattern, test.schedule, got, err, test.want)
		}
		if forwarded := len(w.Forwarded); (forwarded == 1) != (test.want == "") {
			t.Errorf("pattern %s, schedule %q: %d calls were forwarded", test.pattern, test.schedule, forwarded)
		}
		if failed := w.Err() != nil; failed != (test.want == "NotModelled") {
			t.Errorf("pattern %s, schedule %q: Err is %v", test.pattern, test.schedule, w.Err())
		}
	}
}

func TestTargetsThatEventBridgeRefusesAreNotPut(t *testing.T) {
	retry := func(attempts, age int32) func(*eventbridgetypes.Target) {
		return func(t *eventbridgetypes.Target) {
			t.RetryPolicy = &eventbridgetypes.RetryPolicy{MaximumRetryAttempts: &attempts, MaximumEventAgeInSeconds: &age}
		}
	}
	transform := func(path, template string) func(*eventbridgetypes.Target) {
		return func(t *eventbridgetypes.Target) {
			t.InputTransformer = &eventbridgetypes.InputTransformer{InputPathsMap: map[string]string{"name": path}, InputTemplate: &template}
		}
	}
	for what, test := range map[string]struct {
		change func(*eventbridgetypes.Target)
		want   string
	}{
		"nothing else":           {func(*eventbridgetypes.Target) {}, ""},
		"the least":              {retry(0, 60), ""},
		"the most":               {retry(185, 86400), ""},
		"186 attempts":           {retry(186, 60), "ValidationException"},
		"-1 attempts":            {retry(-1, 60), "ValidationException"},
		"59 seconds":             {retry(0, 59), "ValidationException"},
		"86401 seconds":          {retry(0, 86401), "ValidationException"},
		"a transformer":          {transform("$.detail.eventName", `"<name> happened"`), ""},
		"an unknown variable":    {transform("$.detail.eventName", `"<names> happened"`), "ValidationException"},
		"no JSON":                {transform("$.detail.eventName", `<name> happened`), "ValidationException"},
		"no path":                {transform("detail.eventName", `"<name>"`), "ValidationException"},
		"a path with a wildcard": {transform("$.detail.*", `"<name>"`), "NotModelled"},
		"input that is no JSON":  {func(t *eventbridgetypes.Target) { t.Input = aws.String("{") }, "ValidationException"},
		"a function of Lambda": {func(t *eventbridgetypes.Target) {
			t.Arn = aws.String("arn:aws:lambda:us-east-1:123456789012:function:f")
		}, "NotModelled"},
		"a runbook without a role": {func(t *eventbridgetypes.Target) {
			t.Arn = aws.String("arn:aws:ssm:us-east-1:123456789012:automation-definition/R")
		}, "ValidationException"},
	} {
		w := checkedWorld(t)
		target := eventbridgetypes.Target{Id: aws.String("t"), Arn: aws.String(world.TopicARN)}
		test.change(&target)
		_, err := eventbridge.NewFromConfig(w.As(world.Mallory)).PutTargets(t.Context(), &eventbridge.PutTargetsInput{
			Rule: aws.String("r"), Targets: []eventbridgetypes.Target{{Id: aws.String("good"), Arn: aws.String(world.TopicARN)}, target},
		})
		if got := world.Code(err); got != test.want {
			t.Errorf("%s: got %q (%v), want %q", what, got, err, test.want)
		}
		if forwarded := len(w.Forwarded); (forwarded == 1) != (test.want == "") {
			t.Errorf("%s: %d calls were forwarded", what, forwarded)
		}
	}
}

func TestAPatternIsTestedOnAnEvent(t *testing.T) {
	client := eventbridge.NewFromConfig(checkedWorld(t).As(world.Mallory))
	const envelope = `"id":"1","account":"123456789012","time":"2030-01-01T00:00:00Z","region":"us-east-1","resources":[],"detail-type":"x"`
	for _, test := range []struct {
		pattern, event string
		want           bool
		code           string
	}{
		{`{"source":[{"prefix":"aws."}]}`, `{"source":"aws.ssm",` + envelope + `}`, true, ""},
		{`{"source":[{"prefix":"aws."}]}`, `{"source":"mine",` + envelope + `}`, false, ""},
		{`{"source":[{"prefix":"aws."}]}`, `{"source":"aws.ssm"}`, false, "ValidationException"},
		{`{"source":"aws.ssm"}`, `{"source":"aws.ssm",` + envelope + `}`, false, "InvalidEventPatternException"},
	} {
		got, err := client.TestEventPattern(t.Context(), &eventbridge.TestEventPatternInput{EventPattern: &test.pattern, Event: &test.event})
		world.WantCode(t, err, test.code)
		if err == nil && got.Result != test.want {
			t.Errorf("%s on %s: got %v", test.pattern, test.event, got.Result)
		}
	}
}
