package drill

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/encoding/cbor"
	"github.com/aws/smithy-go/middleware"

	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/internal/golden"
)

// recorded are clients of an AWS that writes down the calls that it gets, without the members that are not set, and does nothing. Reads are
// answered, and not written down.
func recorded(calls *[]string) Clients {
	return NewClients(aws.Config{
		Region: "us-east-1", Credentials: aws.AnonymousCredentials{}, Retryer: func() aws.Retryer { return aws.NopRetryer{} }, HTTPClient: answering{},
		APIOptions: []func(*middleware.Stack) error{func(stack *middleware.Stack) error {
			return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("Record", func(
				ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
			) (middleware.InitializeOutput, middleware.Metadata, error) {
				operation := middleware.GetOperationName(ctx)
				if !strings.HasPrefix(operation, "Get") && !strings.HasPrefix(operation, "Describe") && !strings.HasPrefix(operation, "List") {
					*calls = append(*calls, operation+" "+members(in.Parameters))
				}
				return next.HandleInitialize(context.WithValue(ctx, answering{}, operation), in)
			}), middleware.Before)
		}},
	})
}

// members writes the members of an input that are set.
func members(input any) string {
	var all map[string]any
	if err := json.Unmarshal([]byte(encode(input)), &all); err != nil {
		panic(err)
	}
	for name, value := range all {
		if value == nil {
			delete(all, name)
		}
	}
	return encode(all)
}

// answering answers calls with what scenarios look for.
type answering struct{}

func (answering) Do(request *http.Request) (*http.Response, error) {
	const statement = `{"Version":"2012-10-17","Statement":[{"Sid":"Before"}]}`
	body := map[string]string{
		"GetBucketPolicy": statement, "GetKeyPolicy": `{"Policy":` + encode(statement) + `}`, "CreateGrant": `{"GrantId":"GRANT"}`,
		"DescribeConfigurationRecorders":    `{"ConfigurationRecorders":[{"name":"RECORDER","arn":"ARN","recordingGroup":{"allSupported":true}}]}`,
		"DescribeDeliveryChannels":          `{"DeliveryChannels":[{"name":"CHANNEL"}]}`,
		"DescribeConfigRules":               `{"ConfigRules":[{"ConfigRuleName":"RULE","ConfigRuleArn":"ARN","InputParameters":"{}","Description":"Before","Source":{"Owner":"AWS"}}]}`,
		"DescribeRemediationConfigurations": `{"RemediationConfigurations":[{"ConfigRuleName":"RULE","Automatic":true,"MaximumAutomaticAttempts":5,"TargetId":"RUNBOOK","TargetType":"SSM_DOCUMENT"}]}`,
		"DescribeRule":                      `{"Name":"NOTICE","EventPattern":"{}","State":"ENABLED"}`,
		"ListTargetsByRule":                 `{"Targets":[{"Id":"TARGET","Arn":"TOPIC","InputTransformer":{"InputTemplate":"before"}}]}`,
		"ListRolePolicies":                  `<R><ListRolePoliciesResult><PolicyNames><member>POLICY</member></PolicyNames></ListRolePoliciesResult></R>`,
		"GetRolePolicy":                     `<R><GetRolePolicyResult><PolicyDocument>{}</PolicyDocument></GetRolePolicyResult></R>`,
		"DescribeAlarms": string(cbor.Encode(cbor.Map{"MetricAlarms": cbor.List{cbor.Map{
			"AlarmName": cbor.String("ALARM"), "ComparisonOperator": cbor.String("GreaterThanThreshold"), "EvaluationPeriods": cbor.Uint(1),
		}}})),
		"GetTemplate":        `<R><GetTemplateResult><TemplateBody>{"Resources":{}}</TemplateBody></GetTemplateResult></R>`,
		"UpdateStack":        `<R><UpdateStackResult/></R>`,
		"SetTopicAttributes": `<R><SetTopicAttributesResult/></R>`,
	}[request.Context().Value(answering{}).(string)]
	if body == "" && request.Header.Get("X-Amz-Target") != "" {
		body = "{}"
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body)), Request: request, Header: http.Header{
		"Smithy-Protocol": {"rpc-v2-cbor"}, // of CloudWatch; the others do not look
	}}, nil
}

// TestTheCallsOfTheScenarios is the catalogue as it is sent: its golden lines say which calls each scenario makes.
func TestTheCallsOfTheScenarios(t *testing.T) {
	var lines strings.Builder
	for _, s := range Catalogue() {
		if s.NeverRun != "" {
			continue
		}
		for _, form := range s.forms(deployed.Guard{Parts: deployed.Parts{AccessLogBucket: "ACCESS"}}) {
			var calls []string
			clients := recorded(&calls)
			target := Target{
				Trail: "TRAIL", ARN: "ARN", Bucket: "BUCKET", KeyARN: "KEY", logBucket: "LOG", logKey: "arn/LOGKEY", subscriptionARN: "SUBSCRIPTION",
				Declared: deployed.Declared{deployed.Tags: `{"k":"v"}`, deployed.CloudWatchLogsLogGroupARN: `"arn:aws:logs:us-east-1:123456789012:log-group:GROUP:*"`},
				guard: deployed.Guard{
					Stack: "STACK", TrailARN: "arn:aws:cloudtrail:us-east-1:123456789012:trail/TRAIL", AutomationRoleARN: "arn/ROLE", RunbookName: "RUNBOOK", AlertTopicARN: "TOPIC",
					ConfigRuleNames: []string{"RULE"}, Parts: deployed.Parts{FailureNotice: "NOTICE", Alarms: []string{"ALARM"}},
				},
			}
			switch form {
			case ByARN:
				if s.Part() == Trail {
					continue
				}
			case ByID:
				target.logKey = "LOGKEY"
			case OfAccessLog:
				target.logBucket = "ACCESS"
			}
			a := Attempt{Scenario: s, Form: form, Caller: NewCaller("root", clients)}
			if err := a.tamper(t.Context(), target); err != nil {
				t.Fatalf("%s %s: %v", s.ID, a.Call(), err)
			}
			_, call, _ := strings.Cut(s.Call, " ")
			if !slices.ContainsFunc(calls, func(made string) bool { return strings.HasPrefix(call, strings.Fields(made)[0]) }) {
				t.Errorf("%s says %q and calls %q", s.ID, s.Call, calls)
			}
			fmt.Fprintf(&lines, "%s %s\n", s.ID, strings.Join(calls, " "))
		}
	}
	golden.Check(t, "testdata/scenarios.txt", []byte(lines.String()))
}

func TestEachScenarioOfTheCatalogueIsThere(t *testing.T) {
	var ids []string
	for _, s := range Catalogue() {
		ids = append(ids, s.ID)
	}
	for i := 1; i <= 48; i++ {
		if id := fmt.Sprintf("T%02d", i); !slices.Contains(ids, id) {
			t.Errorf("%s is missing", id)
		}
	}
	for _, id := range []string{"T50", "T51", "T52"} {
		if !slices.Contains(ids, id) {
			t.Errorf("%s is missing", id)
		}
	}
	if !slices.IsSorted(ids) {
		t.Errorf("the order is %q", ids)
	}
}

func TestEachScenarioSaysWhyItDoesNotApply(t *testing.T) {
	nothing, everything := deployed.Guard{}, deployed.Guard{Declared: deployed.Declared{}}
	for _, setting := range deployed.Settings() {
		everything.Declared[setting] = "something"
	}
	for _, s := range Scenarios() {
		if reason := s.NotApplicable(nothing); (reason == "") != (s.Takes == "") {
			t.Errorf("%s takes %q and says %q", s.ID, s.Takes, reason)
		}
		if reason := s.NotApplicable(everything); reason != "" {
			t.Errorf("%s does not apply: %s", s.ID, reason)
		}
	}
}

func TestAPlanLeavesOutWhatMustBeNamed(t *testing.T) {
	guard := deployed.Guard{Declared: deployed.Declared{deployed.IsMultiRegionTrail: "true", deployed.InsightSelectors: `["ApiCallRateInsight"]`}}
	callers := []Caller{{Name: "root"}, {Name: "user"}}
	ids := func(attempts []Attempt) (ids []string) {
		for _, a := range attempts {
			ids = append(ids, a.Scenario.ID)
		}
		return slices.Compact(ids)
	}
	// why is why each scenario of an id is left.
	why := func(left []Left, id string) (all []string) {
		for _, one := range left {
			if one.Scenario.ID == id {
				all = append(all, one.Why)
			}
		}
		return all
	}
	var want []string
	seen, unseen, others := 0, 0, 0
	for _, s := range Catalogue() {
		switch {
		case s.Part() != Trail: // the guard has none of their options
			others++
			continue
		case slices.Contains([]string{"T10", "T11", "T12", "T52"}, s.ID): // no log group, no topic, no organization, no tags
			continue
		case s.UnseenByConfig != "":
			unseen++
		default:
			seen++
		}
		want = append(want, s.ID)
	}
	all, left := Plan{Callers: callers, Path: "event"}.Attempts(guard)
	if !slices.Equal(ids(all), slices.Compact(want)) {
		t.Errorf("got %q, want %q", ids(all), slices.Compact(want))
	}
	const forms = 2 * 2 // of callers, by name and by ARN
	if len(all) != (seen+unseen)*forms || seen < 18 || unseen < 2 || len(left) != 4+others {
		t.Errorf("there are %d attempts, and %d are left", len(all), len(left))
	}
	byConfig, left := Plan{Callers: callers, Path: deployed.ConfigPath}.Attempts(guard)
	if len(byConfig) != seen || !slices.Contains(why(left, "T50"), "not with Config alone: a configuration item does not hold the selectors") {
		t.Errorf("there are %d attempts, and %d are left", len(byConfig), len(left))
	}
	inAccount, left := Plan{Callers: callers, Real: true}.Attempts(guard)
	if slices.Contains(ids(inAccount), "T07") || slices.Contains(ids(inAccount), "T08") || len(left) != 6+others {
		t.Errorf("got %q, and %d are left", ids(inAccount), len(left))
	}
	named, left := Plan{IDs: []string{"T07", "T11"}, Callers: callers[:1], Real: true}.Attempts(guard)
	if !slices.Equal(ids(named), []string{"T07"}) || len(named) != 2 || len(left) != 1 || !slices.Equal(why(left, "T11"), []string{"not applicable: the trail has no SNS topic"}) {
		t.Errorf("got %q, and %d are left", ids(named), len(left))
	}
}

// whole is a guard with every option that scenarios ask for.
func whole() deployed.Guard {
	guard := deployed.Guard{
		TrailName: "org-trail", TrailARN: "arn:aws:cloudtrail:us-east-1:123456789012:trail/org-trail", LogBucketName: "logs",
		LogKeyARN: "arn:aws:kms:us-east-1:123456789012:key/1", Declared: deployed.Declared{},
		ConfigRuleNames: []string{"rule"}, AutomationRoleARN: "arn:aws:iam::123456789012:role/trailguard/automation",
		Parts: deployed.Parts{
			RepairsLogStore: true, AccessLogBucket: "access", TellsOfGuard: true, FailureNotice: "notice", Alarms: []string{"alarm"}, HasRemediation: true,
		},
	}
	for _, setting := range deployed.Settings() {
		guard.Declared[setting] = "something"
	}
	return guard
}

// TestOnlyWhatIsSafeIsRunInAnAccount: nothing is lost, and nothing stays dark, if the drill dies before it has put back what these calls do.
// Of all else the plan says why it is run on the local AWS alone, also if it is named.
func TestOnlyWhatIsSafeIsRunInAnAccount(t *testing.T) {
	safe := []string{
		"T20 s3 PutBucketLifecycleConfiguration, which expires what there is not", "T20 s3 DeleteBucketLifecycle",
		"T21 s3 PutBucketPolicy with one statement more", "T21 s3 PutBucketPolicy with one statement more, of the access log",
		"T24 s3 PutBucketVersioning Status=Suspended", "T24 s3 PutBucketVersioning Status=Suspended, of the access log",
		"T26 s3 PutBucketEncryption SSEAlgorithm=AES256", "T26 s3 DeleteBucketEncryption",
		"T27 s3 DeletePublicAccessBlock", "T27 s3 DeletePublicAccessBlock, of the access log",
		"T27 s3 PutBucketOwnershipControls BucketOwnerPreferred", "T27 s3 PutBucketOwnershipControls BucketOwnerPreferred, of the access log", "T27 s3 PutBucketLogging off",
		"T30 kms PutKeyPolicy with one statement more", "T31 kms DisableKeyRotation, by ARN", "T31 kms DisableKeyRotation, by id", "T31 kms RevokeGrant",
		"T36 config PutConfigRule with another description", "T38 config PutRemediationConfigurations with one attempt more",
		"T38 config PutRemediationExceptions of what there is not", "T39 ssm UpdateDocument, which adds a version", "T40 iam PutRolePolicy, which adds one",
		"T41 events PutRule with another description", "T41 events DisableRule", "T42 logs PutRetentionPolicy of ten years", "T43 sns SetTopicAttributes DisplayName",
		"T43 sns Unsubscribe", "T44 cloudwatch PutMetricAlarm with another description",
	}
	var ids []string
	for _, s := range Catalogue() {
		if s.Part() != Trail {
			ids = append(ids, s.ID)
		}
	}
	attempts, left := Plan{IDs: slices.Compact(ids), Callers: make([]Caller, 1), Real: true, Path: deployed.AllPaths}.Attempts(whole())
	var run []string
	for _, a := range attempts {
		run = append(run, a.Scenario.ID+" "+a.Call())
	}
	if !slices.Equal(run, safe) {
		t.Errorf("run are\n%s\nwant\n%s", strings.Join(run, "\n"), strings.Join(safe, "\n"))
	}
	n := 0
	for _, one := range left {
		switch {
		case one.Scenario.OnlyLocal != "" && one.Why == "on the local AWS only: "+one.Scenario.OnlyLocal:
			n++
		case one.Why != one.Scenario.NeverRun:
			t.Errorf("%s %s is left because %q", one.Scenario.ID, one.Scenario.Call, one.Why)
		}
	}
	if n < 25 {
		t.Errorf("%d scenarios are run on the local AWS only", n)
	}
	everything, _ := Plan{Callers: make([]Caller, 1), Path: deployed.EventPath}.Attempts(whole())
	for _, s := range Catalogue() {
		if runs := slices.ContainsFunc(everything, func(a Attempt) bool { return a.Scenario.Call == s.Call }); runs == (s.NeverRun != "") {
			t.Errorf("that %s %s is run on the local AWS is %t", s.ID, s.Call, runs)
		}
	}
}

// TestWhatPutsBackIsNotTakenForTheNextCall: in an account, where messages may be late, a call of which people must be told is made once.
func TestWhatPutsBackIsNotTakenForTheNextCall(t *testing.T) {
	told := map[string]string{}
	for _, s := range Catalogue() {
		if s.Told == "" || s.OnlyLocal != "" {
			continue
		}
		if told[s.Told] != "" {
			t.Errorf("%s and %s make the same call", told[s.Told], s.Call)
		}
		told[s.Told] = s.Call
	}
}

// TestCallersTakeTurns with what is not the trail, so that each kind of caller tampers.
func TestCallersTakeTurns(t *testing.T) {
	attempts, _ := Plan{Callers: []Caller{{Name: "root"}, {Name: "user"}, {Name: "role"}}, Path: deployed.EventPath}.Attempts(whole())
	count := map[string]int{}
	forms := map[string]bool{}
	for _, a := range attempts {
		if a.Scenario.Part() == LogStore {
			count[a.Caller.Name]++
			if forms[a.Call()] {
				t.Errorf("%s is there twice", a.Call())
			}
			forms[a.Call()] = true
		}
	}
	if count["root"]-count["role"] > 1 || count["role"] < 10 || !forms["kms DisableKey, by id"] || !forms["kms DisableKey, by ARN"] || !forms["s3 DeleteBucketPolicy, of the access log"] {
		t.Errorf("the callers tamper %v times, with %v", count, forms)
	}
}

func TestWhatAGuardDoesWithoutIsNotGuarded(t *testing.T) {
	without := whole()
	without.Parts = deployed.Parts{}
	attempts, left := Plan{Callers: make([]Caller, 1), Path: deployed.EventPath}.Attempts(without)
	if i := slices.IndexFunc(attempts, func(a Attempt) bool { return a.Scenario.Part() != Trail }); i >= 0 {
		t.Errorf("%s is run", attempts[i].Call())
	}
	wantWhy(t, left, map[Part]string{
		LogStore: "not guarded: the stack does not repair its log store", Guard: "not guarded: the stack tells nobody of calls against the guard",
	})
	without.Parts.NotRead = "no permission"
	attempts, left = Plan{Callers: make([]Caller, 1), Path: deployed.EventPath}.Attempts(without)
	if i := slices.IndexFunc(attempts, func(a Attempt) bool { return a.Scenario.Part() != Trail }); i >= 0 || len(attempts) < 20 {
		t.Errorf("of %d attempts %d is not of the trail", len(attempts), i)
	}
	wantWhy(t, left, map[Part]string{
		LogStore: "not guarded: what the stack has may not be read: no permission", Guard: "not guarded: what the stack has may not be read: no permission",
	})
}

// wantWhy reports each scenario of a part that is left for another reason, unless it is never run.
func wantWhy(t *testing.T, left []Left, want map[Part]string) {
	t.Helper()
	n := map[Part]int{}
	for _, one := range left {
		part := one.Scenario.Part()
		if want[part] == "" || one.Scenario.NeverRun != "" {
			continue
		}
		if n[part]++; one.Why != want[part] {
			t.Errorf("%s %s is left because %q, not because %q", one.Scenario.ID, one.Scenario.Call, one.Why, want[part])
		}
	}
	for part := range want {
		if n[part] < 15 {
			t.Errorf("%d scenarios of the %s are left", n[part], part)
		}
	}
}

// TestAGuardIsTamperedWithOnlyWhereItHasWhatIsTakenAway says what it lacks.
func TestAGuardIsTamperedWithOnlyWhereItHasWhatIsTakenAway(t *testing.T) {
	for id, test := range map[string]struct {
		change func(*deployed.Guard)
		want   string
	}{
		"T27": {func(g *deployed.Guard) { g.Parts.AccessLogBucket = "" }, "not applicable: the stack has no bucket for the access log"},
		"T32": {func(g *deployed.Guard) { g.ConfigRuleNames = nil }, "not applicable: the guard has no Config rules"},
		"T38": {func(g *deployed.Guard) { g.Parts.HasRemediation = false }, "not applicable: the guard has no remediation of AWS Config"},
		"T40": {func(g *deployed.Guard) { g.TrailARN = "arn:aws:cloudtrail:eu-west-1:123456789012:trail/org-trail" },
			"not applicable: the events of IAM arrive in another Region, whose stack hands them on or not"},
		"T41": {func(g *deployed.Guard) { g.Parts.FailureNotice = "" }, "not applicable: the stack tells nobody of repairs that failed"},
		"T42": {func(g *deployed.Guard) { delete(g.Declared, deployed.CloudWatchLogsLogGroupARN) }, "not applicable: the trail has no CloudWatch Logs log group"},
		"T44": {func(g *deployed.Guard) { g.Parts.Alarms = nil }, "not applicable: the stack has no alarm"},
	} {
		guard := whole()
		test.change(&guard)
		_, left := Plan{IDs: []string{id}, Callers: make([]Caller, 1), Path: deployed.EventPath}.Attempts(guard)
		if !slices.ContainsFunc(left, func(one Left) bool { return one.Why == test.want }) {
			t.Errorf("%s: nothing says %q", id, test.want)
		}
	}
}
