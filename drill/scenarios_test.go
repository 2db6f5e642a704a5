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
	}[request.Context().Value(answering{}).(string)]
	if body == "" && request.Header.Get("X-Amz-Target") != "" {
		body = "{}"
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body)), Header: http.Header{}, Request: request}, nil
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
				Trail: "TRAIL", ARN: "ARN", Bucket: "BUCKET", KeyARN: "KEY", Declared: deployed.Declared{deployed.Tags: `{"k":"v"}`}, logBucket: "LOG", logKey: "arn/LOGKEY",
				guard: deployed.Guard{TrailARN: "arn:aws:cloudtrail:us-east-1:123456789012:trail/TRAIL", AutomationRoleARN: "ROLE"},
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
	for i := 1; i <= 31; i++ {
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
		t.Errorf("there are %d attempts, and left are %v", len(all), left)
	}
	byConfig, left := Plan{Callers: callers, Path: deployed.ConfigPath}.Attempts(guard)
	if len(byConfig) != seen*forms || !slices.Contains(why(left, "T50"), "not with Config alone: a configuration item does not hold the selectors") {
		t.Errorf("there are %d attempts, and left are %v", len(byConfig), left)
	}
	inAccount, left := Plan{Callers: callers, Real: true}.Attempts(guard)
	if slices.Contains(ids(inAccount), "T07") || slices.Contains(ids(inAccount), "T08") || len(left) != 6+others {
		t.Errorf("got %q, and left are %v", ids(inAccount), left)
	}
	named, left := Plan{IDs: []string{"T07", "T11"}, Callers: callers[:1], Real: true}.Attempts(guard)
	if !slices.Equal(ids(named), []string{"T07"}) || len(named) != 2 || len(left) != 1 || !slices.Equal(why(left, "T11"), []string{"not applicable: the trail has no SNS topic"}) {
		t.Errorf("got %q, and left are %v", ids(named), left)
	}
}

// whole is a guard with every option that scenarios ask for.
func whole() deployed.Guard {
	guard := deployed.Guard{
		TrailName: "org-trail", TrailARN: "arn:aws:cloudtrail:us-east-1:123456789012:trail/org-trail", LogBucketName: "logs",
		LogKeyARN: "arn:aws:kms:us-east-1:123456789012:key/1", Declared: deployed.Declared{},
		Parts: deployed.Parts{LogStoreRunbook: "store", AccessLogBucket: "access", TellsOfGuard: true},
	}
	for _, setting := range deployed.Settings() {
		guard.Declared[setting] = "something"
	}
	return guard
}

// TestOnlyWhatIsSafeIsRunInAnAccount: whatever could lose the log or its key, or keep it from being written, is run on the local AWS alone, also
// if it is named, and says why.
func TestOnlyWhatIsSafeIsRunInAnAccount(t *testing.T) {
	harms := []string{
		"DeleteBucketPolicy", "DeleteBucket", "DisableKey", "ScheduleKeyDeletion", "PutKeyPolicy without", "which denies", "which lets", "expires all", "expires AWSLogs/",
		"another key", "PutBucketAcl",
	}
	var local []string
	for _, s := range Catalogue() {
		if s.Part() == Trail {
			continue
		}
		_, call, _ := strings.Cut(s.Call, " ")
		harmful := slices.ContainsFunc(harms, func(harm string) bool {
			return call == harm || strings.Contains(harm, " ") && strings.Contains(call, harm) || harm == "PutBucketAcl" && strings.Contains(call, harm)
		})
		if harmful != (s.OnlyLocal != "") {
			t.Errorf("%s %s: it is run on the local AWS alone because %q", s.ID, s.Call, s.OnlyLocal)
		}
		if harmful {
			local = append(local, s.ID)
		}
	}
	attempts, left := Plan{IDs: slices.Compact(local), Callers: make([]Caller, 1), Real: true, Path: deployed.AllPaths}.Attempts(whole())
	for _, a := range attempts {
		if a.Scenario.OnlyLocal != "" {
			t.Errorf("%s %s is run", a.Scenario.ID, a.Call())
		}
	}
	n := 0
	for _, one := range left {
		if one.Scenario.OnlyLocal != "" && one.Why == "on the local AWS only: "+one.Scenario.OnlyLocal {
			n++
		}
	}
	if n != len(local) || n < 10 {
		t.Errorf("of %d scenarios %d say why they are not run: %v", len(local), n, left)
	}
	everything, _ := Plan{Callers: make([]Caller, 1), Path: deployed.EventPath}.Attempts(whole())
	for _, s := range Catalogue() {
		if runs := slices.ContainsFunc(everything, func(a Attempt) bool { return a.Scenario.Call == s.Call }); runs == (s.NeverRun != "") {
			t.Errorf("that %s %s is run on the local AWS is %t", s.ID, s.Call, runs)
		}
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
	for part, want := range map[Part]string{LogStore: "not guarded: the stack does not repair its log store"} {
		if !slices.ContainsFunc(left, func(one Left) bool { return one.Scenario.Part() == part && one.Why == want }) {
			t.Errorf("of the %s nothing says %q: %v", part, want, left)
		}
	}
}
