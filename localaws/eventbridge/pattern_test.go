package eventbridge

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func decode(t testing.TB, text string) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return out
}

func parse(t testing.TB, text string) Pattern {
	t.Helper()
	pattern, err := ParsePattern(text)
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return pattern
}

// The verdicts are those of https://github.com/aws/event-ruler 2.1.0, AWS's own engine, unless a comment says otherwise.
var verdicts = []struct {
	pattern, event string
	want           bool
}{
	// Exact values.
	{`{"a":["x","y"]}`, `{"a":"y"}`, true},
	{`{"a":["x","y"]}`, `{"a":"z"}`, false},
	{`{"a":["x"]}`, `{"b":"x"}`, false},
	{`{"a":["x"]}`, `{"a":{"b":"x"}}`, false},
	{`{"a":[""]}`, `{"a":""}`, true},
	{`{"a":[1]}`, `{"a":1.0}`, true},
	{`{"a":[1.5]}`, `{"a":"1.5"}`, false},
	{`{"a":[123456789012]}`, `{"a":123456789012}`, true},
	{`{"a":[true]}`, `{"a":true}`, true},
	{`{"a":[true]}`, `{"a":"true"}`, false},
	{`{"a":[null]}`, `{"a":null}`, true},
	{`{"a":[null]}`, `{}`, false},
	{`{"a":["x"],"b":["y"]}`, `{"a":"x","b":"z"}`, false},
	{`{"a":["x"],"b":["y"]}`, `{"a":"x","b":"y","c":1}`, true},
	{`{"a":["10.0.0.1"]}`, `{"a":"10.0.0.1"}`, true},
	{`{"a":["<&>"]}`, `{"a":"<&>"}`, true},
	// Arrays.
	{`{"a":["x"]}`, `{"a":["y","x"]}`, true},
	{`{"a":["x"]}`, `{"a":[]}`, false},
	{`{"a":[1]}`, `{"a":[[1],2]}`, true},
	{`{"a":{"b":[1]}}`, `{"a":[{"b":2},{"b":1}]}`, true},
	{`{"a":{"b":[1],"c":[1]}}`, `{"a":[{"b":1},{"c":1}]}`, false},
	{`{"a":{"b":[1],"c":[1]}}`, `{"a":[{"b":1,"c":1},{"c":1}]}`, true},
	{`{"a":{"b":[1]},"$or":[{"a":{"c":[1]}},{"d":[1]}]}`, `{"a":[{"b":1},{"c":1}]}`, false},
	{`{"a":{"b":[1]},"$or":[{"a":{"c":[1]}},{"d":[1]}]}`, `{"a":[{"b":1,"c":1}]}`, true},
	// Text operators.
	{`{"a":[{"prefix":"x"}]}`, `{"a":"xy"}`, true},
	{`{"a":[{"prefix":"x"}]}`, `{"a":"yx"}`, false},
	{`{"a":[{"prefix":""}]}`, `{"a":"x"}`, true},
	{`{"a":[{"prefix":"1"}]}`, `{"a":12}`, false},
	{`{"a":[{"suffix":".png"}]}`, `{"a":"b.png"}`, true},
	{`{"a":[{"suffix":".png"}]}`, `{"a":"b.png.txt"}`, false},
	{`{"a":[{"equals-ignore-case":"B"}]}`, `{"a":["x","b"]}`, true},
	{`{"a":[{"equals-ignore-case":"ÄB"}]}`, `{"a":"äb"}`, true},
	{`{"a":[{"equals-ignore-case":"B"}]}`, `{"a":"bb"}`, false},
	{`{"a":[{"wildcard":"x*"}]}`, `{"a":"x"}`, true},
	{`{"a":[{"wildcard":"dir/*.png"}]}`, `{"a":"dir/a\nb.png"}`, true},
	{`{"a":[{"wildcard":"dir/*.png"}]}`, `{"a":"dir/axpng"}`, false},
	{`{"a":[{"wildcard":"*"}]}`, `{"a":""}`, true},
	{`{"a":[{"wildcard":"x\\*"}]}`, `{"a":"x*"}`, true},
	{`{"a":[{"wildcard":"x\\*"}]}`, `{"a":"xy"}`, false},
	// exists looks at leaves only.
	{`{"a":[{"exists":true}]}`, `{"a":null}`, true},
	{`{"a":[{"exists":true}]}`, `{"a":{"b":1}}`, false},
	{`{"a":[{"exists":true}]}`, `{"a":[]}`, false},
	{`{"a":[{"exists":false}]}`, `{"a":null}`, false},
	{`{"a":[{"exists":false}]}`, `{"a":{"b":1}}`, true},
	{`{"a":[{"exists":false}]}`, `{"a":[]}`, true},
	{`{"a":{"b":[{"exists":false}]}}`, `{}`, true},
	{`{"a":{"b":[{"exists":false}]}}`, `{"a":"text"}`, true},
	{`{"a":{"b":[{"exists":false}]}}`, `{"a":[{"b":1},{"c":1}]}`, false},
	{`{"a":{"b":[{"exists":false}],"c":[1]}}`, `{"a":[{"b":1},{"c":1}]}`, false},
	{`{"a":["x",{"exists":false}]}`, `{}`, true},
	{`{"a":["x",{"exists":false}]}`, `{"a":"x"}`, true},
	{`{"a":["x",{"exists":false}]}`, `{"a":"y"}`, false},
	// anything-but.
	{`{"a":[{"anything-but":"x"}]}`, `{"a":"y"}`, true},
	{`{"a":[{"anything-but":"x"}]}`, `{"a":"x"}`, false},
	{`{"a":[{"anything-but":["x","y"]}]}`, `{"a":"y"}`, false},
	{`{"a":[{"anything-but":["x"]}]}`, `{"a":["x","y"]}`, true},
	{`{"a":[{"anything-but":["x"]}]}`, `{"a":["x"]}`, false},
	{`{"a":[{"anything-but":["x"]}]}`, `{"a":null}`, true},
	{`{"a":[{"anything-but":["x"]}]}`, `{"a":5}`, true},
	{`{"a":[{"anything-but":5}]}`, `{"a":5.0}`, false},
	{`{"a":[{"anything-but":[5]}]}`, `{"a":"x"}`, true},
	{`{"a":[{"anything-but":{"prefix":"x"}}]}`, `{"a":"xy"}`, false},
	{`{"a":[{"anything-but":{"prefix":"x"}}]}`, `{"a":true}`, true},
	{`{"a":[{"anything-but":{"prefix":["x","y"]}}]}`, `{"a":"yz"}`, false},
	{`{"a":[{"anything-but":{"suffix":"x"}}]}`, `{"a":"yx"}`, false},
	{`{"a":[{"anything-but":{"wildcard":"*x*"}}]}`, `{"a":"yxy"}`, false},
	{`{"a":[{"anything-but":{"wildcard":"*x*"}}]}`, `{"a":"y"}`, true},
	{`{"a":[{"anything-but":"x"},{"exists":false}]}`, `{}`, true},
	{`{"a":[{"anything-but":"x"},{"exists":false}]}`, `{"a":"x"}`, false},
	// numeric.
	{`{"a":[{"numeric":["=",1]}]}`, `{"a":1.0}`, true},
	{`{"a":[{"numeric":["=",1]}]}`, `{"a":"1"}`, false},
	{`{"a":[{"numeric":[">",0,"<=",5]}]}`, `{"a":5}`, true},
	{`{"a":[{"numeric":[">",0,"<=",5]}]}`, `{"a":0}`, false},
	{`{"a":[{"numeric":[">=",0,"<",5]}]}`, `{"a":5}`, false},
	// $or.
	{`{"$or":[{"a":[1]},{"b":[1]}]}`, `{"b":1}`, true},
	{`{"$or":[{"a":[1]},{"b":[1]}]}`, `{"b":2}`, false},
	{`{"c":[1],"$or":[{"a":[1]},{"b":[1]}]}`, `{"b":1}`, false},
	{`{"d":{"$or":[{"a":[1]},{"b":[1],"$or":[{"c":[1]},{"c":[2]}]}]}}`, `{"d":{"b":1,"c":2}}`, true},
	{`{"d":{"$or":[{"a":[1]},{"b":[1],"$or":[{"c":[1]},{"c":[2]}]}]}}`, `{"d":{"b":1,"c":3}}`, false},
}

func TestPatternsMatchAsInAWSsOwnEngine(t *testing.T) {
	for _, tt := range verdicts {
		if got := parse(t, tt.pattern).Matches(decode(t, tt.event)); got != tt.want {
			t.Errorf("%s on %s: got %v, want %v", tt.pattern, tt.event, got, tt.want)
		}
	}
	if (Pattern{}).Matches(map[string]any{}) {
		t.Error("the zero pattern matches")
	}
}

func TestAnythingButOnAnAbsentFieldFollowsTheOption(t *testing.T) {
	for _, text := range []string{`{"a":[{"anything-but":"x"}]}`, `{"a":{"b":[{"anything-but":{"prefix":"x"}}]}}`} {
		pattern := parse(t, text)
		if pattern.Matches(map[string]any{"c": 1}) {
			t.Errorf("%s matches an absent field by default", text)
		}
		other := pattern.With(Options{AnythingButMatchesAbsent: true})
		if !other.Matches(map[string]any{"c": 1}) {
			t.Errorf("%s does not match an absent field with the option", text)
		}
		if other.Matches(map[string]any{"a": "x"}) && other.Matches(map[string]any{"a": map[string]any{"b": "x"}}) {
			t.Errorf("%s matches what it excludes", text)
		}
	}
}

func TestPatternsThatAreWrongOrNotModelledAreErrorsThatNameThePath(t *testing.T) {
	or := func(n int) string {
		choices := make([]string, n)
		for i := range choices {
			choices[i] = fmt.Sprintf(`{"f":[%d]}`, i)
		}
		return "[" + strings.Join(choices, ",") + "]"
	}
	tests := []struct{ pattern, want string }{
		{`[]`, "JSON object"},
		{`{"a":["x"]} x`, "read JSON"},
		{`{"a":["x"`, "read JSON"},
		{`{}`, "empty object"},
		{`{"a":{"b":{}}}`, `"a.b"`},
		{`{"a":{"b":[]}}`, `"a.b": an empty array`},
		{`{"a":{"b":"x"}}`, `"a.b": must be an object or an array`},
		{`{"a":[["x"]]}`, `"a"`},
		{`{"a":["x"],"a":["y"]}`, `"a" twice in one object is not modelled`},
		{`{"detail":{"$or":[{"a":[1]},{"b":[1]}],"$or":[{"c":[1]},{"d":[1]}]}}`, `"$or" twice in one object is not modelled`},
		{`{"detail":{"a":[2],"$or":[{"a":[1]},{"b":[1]}]}}`, `"detail.a": constrained twice, of which EventBridge heeds only the last, is not modelled`},
		{`{"detail":{"$or":[{"a":[1]},{"b":[1]}],"a":[2]}}`, `"detail.a": constrained twice, of which EventBridge heeds only the last, is not modelled`},
		{`{"detail":{"$or":[{"a":[1]}]}}`, `"detail.$or"`},
		{`{"detail":{"$or":{"a":[1]}}}`, `"detail.$or"`},
		{`{"detail":{"$or":["a","b"]}}`, `"detail.$or"`},
		{`{"$or":[{"prefix":[1]},{"b":[1]}]}`, `"prefix": an operator as a field's name inside $or is not modelled`},
		{`{"$or":` + or(101) + `,"x":{"$or":` + or(11) + `}}`, "more than 1000 combinations"},
		{`{"a":[{"cidr":"10.0.0.0/8"}]}`, `"a": operator "cidr" is not modelled`},
		{`{"a":[{"suffixes":"x"}]}`, `"a": operator "suffixes" is unknown`},
		{`{"a":[{"prefix":{"equals-ignore-case":"x"}}]}`, "prefix with equals-ignore-case is not modelled"},
		{`{"a":[{"prefix":{"suffix":"x"}}]}`, "prefix takes a string"},
		{`{"a":[{"prefix":"x","suffix":"y"}]}`, "exactly one key"},
		{`{"a":[{}]}`, "exactly one key"},
		{`{"a":[{"exists":"true"}]}`, "exists needs true or false"},
		{`{"a":[{"wildcard":"**"}]}`, "consecutive"},
		{`{"a":[{"wildcard":"x\\d"}]}`, "escapes"},
		{`{"a":[{"wildcard":"x\\"}]}`, "escapes"},
		{`{"a":[{"anything-but":[]}]}`, "empty list"},
		{`{"a":[{"anything-but":["x",1]}]}`, "strings only or numbers only"},
		{`{"a":[{"anything-but":true}]}`, "strings only or numbers only"},
		{`{"a":[{"anything-but":null}]}`, "strings only or numbers only"},
		{`{"a":[{"anything-but":[{"prefix":"x"}]}]}`, "strings only or numbers only"},
		{`{"a":[{"anything-but":{"prefix":""}}]}`, "empty string"},
		{`{"a":[{"anything-but":{"prefix":1}}]}`, "prefix takes a string"},
		{`{"a":[{"anything-but":{"equals-ignore-case":"x"}}]}`, "anything-but with equals-ignore-case is not modelled"},
		{`{"a":[{"anything-but":{"exists":true}}]}`, "anything-but takes"},
		{`{"a":[{"numeric":[]}]}`, "pairs"},
		{`{"a":[{"numeric":["!=",1]}]}`, "comparison"},
		{`{"a":[{"numeric":["=","1"]}]}`, "comparison"},
		{`{"a":[{"numeric":["<",5,">",0]}]}`, "range"},
		{`{"a":[{"numeric":[">",5,"<",0]}]}`, "range"},
		{`{"a":[{"numeric":[">",6e9]}]}`, "outside"},
		{`{"a":["` + strings.Repeat("x", 2048) + `"]}`, "quota is 2048"},
	}
	for _, tt := range tests {
		if _, err := ParsePattern(tt.pattern); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.100s: got %v, want an error with %q", tt.pattern, err, tt.want)
		} else if errors.Is(err, ErrNotModelled) != strings.Contains(tt.want, "not modelled") {
			t.Errorf("%.100s: %v confuses what EventBridge refuses with what is not modelled", tt.pattern, err)
		}
	}
}

func TestAPatternOfAnEventsOwnLeavesMatchesUntilOneLeafChanges(t *testing.T) {
	word := rapid.StringMatching(`[a-zA-Z0-9:/ _.-]{0,12}`)
	key := rapid.StringMatching(`[a-z]{1,6}`)
	var object func(depth int) *rapid.Generator[map[string]any]
	object = func(depth int) *rapid.Generator[map[string]any] {
		leaf := rapid.OneOf(word.AsAny(), rapid.Int32().AsAny(), rapid.Bool().AsAny(), rapid.Just[any](nil))
		value := leaf
		if depth > 0 {
			value = rapid.OneOf(leaf, object(depth-1).AsAny())
		}
		return rapid.MapOfN(key, value, 1, 3)
	}
	rapid.Check(t, func(t *rapid.T) {
		event := object(2).Draw(t, "event")
		var paths [][]string
		var patternOf func(fields map[string]any, path []string) map[string]any
		patternOf = func(fields map[string]any, path []string) map[string]any {
			out := map[string]any{}
			for name, value := range fields {
				at := append(path[:len(path):len(path)], name)
				if inner, ok := value.(map[string]any); ok {
					out[name] = patternOf(inner, at)
					continue
				}
				paths = append(paths, at)
				out[name] = []any{value}
			}
			return out
		}
		text, err := marshal(patternOf(event, nil))
		if err != nil {
			t.Fatal(err)
		}
		pattern, err := ParsePattern(text)
		if err != nil {
			t.Fatal(err)
		}
		if !pattern.Matches(event) {
			t.Fatalf("%s does not match its own event", text)
		}
		path := rapid.SampledFrom(paths).Draw(t, "changed")
		for _, change := range []func(fields map[string]any, name string){
			func(fields map[string]any, name string) { fields[name] = "changed, beyond the generated length" },
			func(fields map[string]any, name string) { delete(fields, name) },
			func(fields map[string]any, name string) { fields[name] = map[string]any{name: fields[name]} },
		} {
			if changed := edit(event, path, change); pattern.Matches(changed) {
				t.Fatalf("%s matches %v, changed at %v", text, changed, path)
			}
		}
	})
}

// edit changes a copy of the fields at path.
func edit(fields map[string]any, path []string, change func(fields map[string]any, name string)) map[string]any {
	out := maps.Clone(fields)
	if len(path) == 1 {
		change(out, path[0])
	} else {
		out[path[0]] = edit(out[path[0]].(map[string]any), path[1:], change)
	}
	return out
}

const (
	guardRole = "arn:aws:iam::123456789012:role/Guard-AutomationRole-1ABCDEFGHIJKL"
	trailName = "org-trail"
	trailARN  = "arn:aws:cloudtrail:us-east-1:123456789012:trail/org-trail"
)

// tamperingPatterns are three ways to say: the trail was changed, by anyone but the guard's role.
var tamperingPatterns = map[string]string{
	"two $or": `{"source":["aws.cloudtrail"],"detail-type":["AWS API Call via CloudTrail"],
		"detail":{"eventSource":["cloudtrail.amazonaws.com"],"eventName":["StopLogging","DeleteTrail","UpdateTrail","PutEventSelectors"],
			"errorCode":[{"exists":false}],
			"$or":[{"requestParameters":{"name":["` + trailName + `","` + trailARN + `"]}},{"requestParameters":{"trailName":["` + trailName + `","` + trailARN + `"]}}]},
		"$or":[{"detail":{"userIdentity":{"sessionContext":{"sessionIssuer":{"arn":[{"anything-but":["` + guardRole + `"]}]}}}}},
			{"detail":{"userIdentity":{"sessionContext":{"sessionIssuer":{"arn":[{"exists":false}]}}}}}]}`,
	"one $or": `{"source":["aws.cloudtrail"],"detail-type":["AWS API Call via CloudTrail"],
		"detail":{"eventSource":["cloudtrail.amazonaws.com"],"eventName":["StopLogging","DeleteTrail","UpdateTrail","PutEventSelectors"],
			"errorCode":[{"exists":false}],
			"userIdentity":{"sessionContext":{"sessionIssuer":{"arn":[{"anything-but":["` + guardRole + `"]},{"exists":false}]}}},
			"$or":[{"requestParameters":{"name":["` + trailName + `","` + trailARN + `"]}},{"requestParameters":{"trailName":["` + trailName + `","` + trailARN + `"]}}]}}`,
	"$or in $or": `{"source":["aws.cloudtrail"],"detail-type":["AWS API Call via CloudTrail"],
		"detail":{"eventSource":["cloudtrail.amazonaws.com"],"eventName":["StopLogging","DeleteTrail","UpdateTrail","PutEventSelectors"],
			"errorCode":[{"exists":false}],
			"$or":[{"userIdentity":{"sessionContext":{"sessionIssuer":{"arn":[{"anything-but":["` + guardRole + `"]}]}}},
					"$or":[{"requestParameters":{"name":["` + trailName + `","` + trailARN + `"]}},{"requestParameters":{"trailName":["` + trailName + `","` + trailARN + `"]}}]},
				{"userIdentity":{"sessionContext":{"sessionIssuer":{"arn":[{"exists":false}]}}},
					"$or":[{"requestParameters":{"name":["` + trailName + `","` + trailARN + `"]}},{"requestParameters":{"trailName":["` + trailName + `","` + trailARN + `"]}}]}]}}`,
}

// callers are userIdentity elements.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
var callers = map[string]string{
	"root with keys":    `{"type":"Root","principalId":"123456789012","arn":"arn:aws:iam::123456789012:root","accountId":"123456789012","accessKeyId":"AKIAEXAMPLE"}`,
	"root in a console": `{"type":"Root","arn":"arn:aws:iam::123456789012:root","sessionContext":{"attributes":{"creationDate":"2026-01-01T00:00:00Z","mfaAuthenticated":"true"}}}`,
	"root, no issuer":   `{"type":"Root","sessionContext":{"sessionIssuer":{},"webIdFederationData":{},"attributes":{"mfaAuthenticated":"false"}}}`,
	"IAM user":          `{"type":"IAMUser","principalId":"AIDAEXAMPLE","arn":"arn:aws:iam::123456789012:user/eve","accountId":"123456789012","userName":"eve"}`,
	"assumed role":      `{"type":"AssumedRole","arn":"arn:aws:sts::123456789012:assumed-role/admin/eve","sessionContext":{"sessionIssuer":{"type":"Role","arn":"arn:aws:iam::123456789012:role/admin","userName":"admin"}}}`,
	"federated user":    `{"type":"FederatedUser","arn":"arn:aws:sts::123456789012:federated-user/eve","sessionContext":{"sessionIssuer":{"type":"IAMUser","arn":"arn:aws:iam::123456789012:user/eve"}}}`,
	"AWS service":       `{"type":"AWSService","invokedBy":"organizations.amazonaws.com"}`,
	"guard":             `{"type":"AssumedRole","arn":"arn:aws:sts::123456789012:assumed-role/Guard/x","sessionContext":{"sessionIssuer":{"type":"Role","arn":"` + guardRole + `"}}}`,
}

// apiCall is an event of CloudTrail; more is added to its detail.
func apiCall(t testing.TB, eventName, caller, requestParameters, more string) map[string]any {
	return decode(t, `{"version":"0","id":"6a7e8feb-b491-4cf7-a9f1-bf3703467718","detail-type":"AWS API Call via CloudTrail","source":"aws.cloudtrail",
		"account":"123456789012","time":"2026-01-01T00:00:00Z","region":"us-east-1","resources":[],"detail":{"eventVersion":"1.11",
		"userIdentity":`+callers[caller]+`,"eventTime":"2026-01-01T00:00:00Z","eventSource":"cloudtrail.amazonaws.com","eventName":"`+eventName+`",
		"awsRegion":"us-east-1","sourceIPAddress":"198.51.100.7","userAgent":"aws-cli/2","requestParameters":`+requestParameters+`,"responseElements":null,
		"eventID":"1","readOnly":false,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"123456789012"`+more+`}}`)
}

func TestTamperingIsSeenWhoeverCallsHoweverTheTrailIsNamedUnlessItIsTheGuard(t *testing.T) {
	parameters := map[string]bool{ // whether they name the trail
		`{"name":"` + trailName + `"}`:                          true,
		`{"name":"` + trailARN + `"}`:                           true,
		`{"trailName":"` + trailName + `","eventSelectors":[]}`: true,
		`{"trailName":"` + trailARN + `"}`:                      true,
		`{"name":"another"}`:                                    false,
		`{"name":"` + trailARN + `-2"}`:                         false,
		`{"tagsList":[{"name":"x"}]}`:                           false,
		`null`:                                                  false,
	}
	for shape, text := range tamperingPatterns {
		for _, options := range []Options{{}, {AnythingButMatchesAbsent: true}} {
			pattern := parse(t, text).With(options)
			for caller := range callers {
				for named, ours := range parameters {
					want := ours && caller != "guard"
					for more, succeeds := range map[string]bool{``: true, `,"errorCode":"AccessDenied","errorMessage":"denied"`: false} {
						event := apiCall(t, "StopLogging", caller, named, more)
						if got := pattern.Matches(event); got != (want && succeeds) {
							t.Errorf("%s, %+v: %s, %s, %q: got %v", shape, options, caller, named, more, got)
						}
					}
				}
			}
			if pattern.Matches(apiCall(t, "AddTags", "root with keys", `{"name":"`+trailName+`"}`, "")) {
				t.Errorf("%s: an event name that is not listed matches", shape)
			}
		}
	}
}

// TestWithoutTheAlternativeOfAnAbsentIssuerRootGoesUnseen is the control of the test above: only the unlikely reading
// would let such a pattern see root.
func TestWithoutTheAlternativeOfAnAbsentIssuerRootGoesUnseen(t *testing.T) {
	text := strings.ReplaceAll(tamperingPatterns["one $or"], `,{"exists":false}]}}}`, `]}}}`)
	if text == tamperingPatterns["one $or"] {
		t.Fatal("nothing was taken away")
	}
	event := apiCall(t, "StopLogging", "root with keys", `{"name":"`+trailName+`"}`, "")
	if parse(t, text).Matches(event) {
		t.Error("root is seen")
	}
	if !parse(t, text).With(Options{AnythingButMatchesAbsent: true}).Matches(event) {
		t.Error("root is not seen even where anything-but matches absent fields")
	}
}
