package localaws

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventbridgetypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/trailguard/trailguard/localaws/api"
)

// checkedWorld is a world with the checks of a local AWS.
func checkedWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.options.Checks = (&AWS{Gateway: w.Gateway}).checks()
	return w
}

func TestACheckRefusesACallThatIsAuthorized(t *testing.T) {
	w := newWorld(t)
	effects, asked := 0, 0
	w.trail = func(api.Call) (any, error) { effects++; return map[string]any{}, nil }
	refuse := true
	w.options.Checks = map[string]func(context.Context, api.Call) error{
		"cloudtrail:StartLogging": func(_ context.Context, call api.Call) error {
			if asked++; refuse {
				return api.Errorf("InvalidTrailNameException", "%s is no name", text(call.Input, "Name"))
			}
			return nil
		},
	}
	client := w.cloudTrail(repairer)
	start := func(trail string) error {
		_, err := client.StartLogging(t.Context(), &cloudtrail.StartLoggingInput{Name: &trail})
		return err
	}
	wantCode(t, start("other"), "AccessDeniedException")
	if asked != 0 {
		t.Error("the check was asked about a call that is not authorized")
	}
	wantCode(t, start("guarded"), "InvalidTrailNameException")
	if effects != 0 || w.Calls()[1].ErrorCode != "InvalidTrailNameException" || at(w.events[1], "detail.errorCode") != "InvalidTrailNameException" {
		t.Errorf("%d effects, calls %+v", effects, w.Calls())
	}
	refuse = false
	wantCode(t, start("guarded"), "")
	if effects != 1 {
		t.Errorf("there were %d effects, want 1", effects)
	}
	_, err := client.GetTrail(t.Context(), &cloudtrail.GetTrailInput{Name: aws.String("guarded")})
	wantCode(t, err, "")
	if err := w.Err(); err != nil {
		t.Error(err)
	}
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
		_, err := eventbridge.NewFromConfig(w.as(mallory)).PutRule(t.Context(), input)
		if got := code(err); got != test.want {
			t.Errorf("pattern %s, schedule %q: got %q (%v), want %q", test.pattern, test.schedule, got, err, test.want)
		}
		if forwarded := len(w.forwarded); (forwarded == 1) != (test.want == "") {
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
		target := eventbridgetypes.Target{Id: aws.String("t"), Arn: aws.String(topicARN)}
		test.change(&target)
		_, err := eventbridge.NewFromConfig(w.as(mallory)).PutTargets(t.Context(), &eventbridge.PutTargetsInput{
			Rule: aws.String("r"), Targets: []eventbridgetypes.Target{{Id: aws.String("good"), Arn: aws.String(topicARN)}, target},
		})
		if got := code(err); got != test.want {
			t.Errorf("%s: got %q (%v), want %q", what, got, err, test.want)
		}
		if forwarded := len(w.forwarded); (forwarded == 1) != (test.want == "") {
			t.Errorf("%s: %d calls were forwarded", what, forwarded)
		}
	}
}

func TestMessagesThatSNSRefusesAreNotPublished(t *testing.T) {
	long := strings.Repeat("x", 100)
	subject := func(s string) func(*sns.PublishInput) { return func(in *sns.PublishInput) { in.Subject = &s } }
	message := func(s string) func(*sns.PublishInput) { return func(in *sns.PublishInput) { in.Message = &s } }
	for what, test := range map[string]struct {
		change func(*sns.PublishInput)
		want   string
	}{
		"no subject":             {func(*sns.PublishInput) {}, ""},
		"a subject":              {subject("Trail org-trail: repaired (100%)"), ""},
		"100 characters":         {subject(long), ""},
		"101 characters":         {subject(long + "x"), "InvalidParameter"},
		"a line break":           {subject("a\nb"), "InvalidParameter"},
		"a tab":                  {subject("a\tb"), "InvalidParameter"},
		"a dash beyond ASCII":    {subject("a – b"), "InvalidParameter"},
		"a space at the start":   {subject(" a"), "InvalidParameter"},
		"an empty subject":       {subject(""), "InvalidParameter"},
		"an empty message":       {message(""), "InvalidParameter"},
		"256 KB":                 {message(strings.Repeat("x", 262144)), ""},
		"256 KB and a byte":      {message(strings.Repeat("x", 262145)), "InvalidParameter"},
		"256 KB in bytes":        {message(strings.Repeat("ü", 131072)), ""},
		"more than 256 KB bytes": {message(strings.Repeat("ü", 131073)), "InvalidParameter"},
	} {
		w := checkedWorld(t)
		input := &sns.PublishInput{TopicArn: aws.String(topicARN), Message: aws.String("what happened")}
		test.change(input)
		_, err := sns.NewFromConfig(w.as(mallory)).Publish(t.Context(), input)
		if got := code(err); got != test.want {
			t.Errorf("%s: got %q (%.200v), want %q", what, got, err, test.want)
		}
		call := w.Calls()[0]
		if call.ErrorCode != test.want || text(call.Input, "Message") != *input.Message || text(call.Input, "Subject") != aws.ToString(input.Subject) {
			t.Errorf("%s: the call is recorded with the subject %q and the code %q", what, text(call.Input, "Subject"), call.ErrorCode)
		}
	}
	w := checkedWorld(t)
	_, err := sns.NewFromConfig(w.as(mallory)).PublishBatch(t.Context(), &sns.PublishBatchInput{TopicArn: aws.String(topicARN),
		PublishBatchRequestEntries: []snstypes.PublishBatchRequestEntry{{Id: aws.String("1"), Message: aws.String("m"), Subject: aws.String("a\nb")}}})
	wantCode(t, err, "InvalidParameter")
}

// letsPublish is the policy of a topic that lets EventBridge and the role.
const letsPublish = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com","AWS":"` + roleARN + `"},
	"Action":"sns:Publish","Resource":"` + topicARN + `"}]}`

func TestAnEncryptedTopicAsksForItsKey(t *testing.T) {
	keyFor := func(principal, actions, condition string) Key {
		return Key{ARN: keyARN, State: "Enabled", Policy: fmt.Sprintf(`{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"kms:*","Resource":"*"},
			{"Effect":"Allow","Principal":{%s},"Action":[%s],"Resource":"*","Condition":{%s}}]}`, principal, actions, condition)}
	}
	const (
		nobody  = `"AWS":"arn:aws:iam::999999999999:root"`
		service = `"Service":"events.amazonaws.com"`
		role    = `"AWS":"` + roleARN + `"`
		both    = `"kms:GenerateDataKey*","kms:Decrypt"`
		account = `"StringEquals":{"aws:SourceAccount":"123456789012"}`
	)
	mayUseKeys := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["kms:GenerateDataKey*","kms:Decrypt"],"Resource":"` + keyARN + `"}]}`
	in := func(key Key, state string) Key { key.State = state; return key }
	for _, test := range []struct {
		what              string
		keyID             string // of the topic
		key               Key
		identity          string // the role's policy
		service, assigned string // the codes that EventBridge and the role get
	}{
		{"no key", "", Key{}, passing, "", ""},
		{"a key for nobody", keyARN, keyFor(nobody, both, ""), passing, "KMSAccessDenied", "KMSAccessDenied"},
		{"a key for EventBridge", keyARN, keyFor(service, both, ""), passing, "", "KMSAccessDenied"},
		{"a key that wants an account, which EventBridge does not tell", keyARN, keyFor(service, both, account), passing, "KMSAccessDenied", "KMSAccessDenied"},
		{"a key that takes an account where it is told", keyARN, keyFor(service, both, strings.ReplaceAll(account, "Equals", "EqualsIfExists")), passing,
			"", "KMSAccessDenied"},
		{"a key for the role", keyARN, keyFor(role, both, ""), passing, "KMSAccessDenied", ""},
		{"a key for the role by way of SNS", keyARN, keyFor(role, both, `"StringEquals":{"kms:ViaService":"sns.us-east-1.amazonaws.com"}`), passing,
			"KMSAccessDenied", ""},
		{"a key for the role and the topic", keyARN, keyFor(role, both, `"StringEquals":{"kms:EncryptionContext:aws:sns:topicArn":"`+topicARN+`"}`), passing,
			"KMSAccessDenied", ""},
		{"a key for the role and another topic", keyARN, keyFor(role, both, `"StringEquals":{"kms:EncryptionContext:aws:sns:topicArn":"`+topicARN+`2"}`), passing,
			"KMSAccessDenied", "KMSAccessDenied"},
		{"a role for the key", keyARN, keyFor(nobody, both, ""), mayUseKeys, "KMSAccessDenied", ""},
		{"no Decrypt", keyARN, keyFor(service+","+role, `"kms:GenerateDataKey*"`, ""), passing, "KMSAccessDenied", "KMSAccessDenied"},
		{"no GenerateDataKey", keyARN, keyFor(service+","+role, `"kms:Decrypt"`, ""), passing, "KMSAccessDenied", "KMSAccessDenied"},
		{"a disabled key", keyARN, in(keyFor(service+","+role, both, ""), "Disabled"), passing, "KMSDisabled", "KMSDisabled"},
		{"a key that will be deleted", keyARN, in(keyFor(service+","+role, both, ""), "PendingDeletion"), passing, "KMSInvalidState", "KMSInvalidState"},
		{"a key that is gone", "gone", Key{}, passing, "KMSNotFound", "KMSNotFound"},
		{"the key that AWS manages", snsKey, Key{}, passing, "KMSAccessDenied", ""},
	} {
		t.Run(test.what, func(t *testing.T) {
			w := checkedWorld(t)
			w.directory.topics[topicARN] = letsPublish
			w.directory.topicKeys = map[string]string{topicARN: test.keyID}
			w.directory.keys = map[string]Key{keyARN: test.key}
			w.directory.roles["Repair"] = Role{ARN: roleARN, Trust: trustsAutomation, Identity: []string{test.identity}}
			publish := func(credentials aws.Credentials) error {
				_, err := sns.NewFromConfig(w.config(credentials)).Publish(t.Context(), &sns.PublishInput{TopicArn: aws.String(topicARN), Message: aws.String("m")})
				return err
			}
			rule := "arn:aws:events:us-east-1:123456789012:rule/r"
			wantCode(t, publish(w.ServiceCredentials(eventService, eventService.ARN, fromSource(rule))), test.service)
			wantCode(t, publish(w.Credentials(repairer)), test.assigned)
			wantCode(t, asAPI(w.AuthorizePublish(t.Context(), eventService, topicARN, fromSource(rule))), test.service)
			// The topic's own policy comes first.
			w.directory.topics[topicARN] = strings.ReplaceAll(letsPublish, "sns:Publish", "sns:Subscribe")
			w.Reset()
			wantCode(t, publish(w.Credentials(repairer)), "AccessDenied")
			if err := w.Err(); err != nil {
				t.Error(err)
			}
		})
	}
}
