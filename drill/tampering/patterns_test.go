package tampering

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/trailguard/trailguard/drill/internal/localaws/api"
	"github.com/trailguard/trailguard/drill/internal/localaws/events"
)

// readings are both readings of anything-but on a field that is absent.
var readings = []events.Options{{}, {AnythingButMatchesAbsent: true}}

func read[T any](t *testing.T, name string, replace ...string) T {
	t.Helper()
	content, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var value T
	if err := json.Unmarshal([]byte(strings.NewReplacer(replace...).Replace(string(content))), &value); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return value
}

// event is the full event of a call.
func event(t *testing.T, identity map[string]any, call map[string]any) map[string]any {
	t.Helper()
	document := read[map[string]any](t, "event")
	detail := document["detail"].(map[string]any)
	detail["userIdentity"] = identity
	maps.Copy(detail, call)
	return document
}

// patternOf is the deployed pattern of the one rule whose pattern holds a text.
func (g guard) patternOf(text string) events.Pattern {
	g.t.Helper()
	var found []string
	for _, rule := range g.eventRules() {
		if strings.Contains(*rule.EventPattern, text) {
			found = append(found, *rule.EventPattern)
		}
	}
	if len(found) != 1 {
		g.t.Fatalf("%d rules have %q in their patterns, want one", len(found), text)
	}
	parsed, err := events.ParsePattern(found[0])
	g.must(err)
	return parsed
}

// TestTheTamperingPatternMatchesEveryCallByEveryCaller crosses full events of calls with the identities of callers.
func TestTheTamperingPatternMatchesEveryCallByEveryCaller(t *testing.T) {
	inTurn(t, 0, func(t *testing.T, a *account) {
		g := deploy(t, a, readTemplate(t, "default"))
		pattern := g.patternOf(`"StopLogging"`)
		want := func(description string, document map[string]any, want bool) {
			t.Helper()
			for _, reading := range readings {
				if got := pattern.With(reading).Matches(document); got != want {
					t.Errorf("%s, %+v: the pattern matches is %v", description, reading, got)
				}
			}
		}
		calls := func(trail string) []map[string]any { return read[[]map[string]any](t, "calls", "TRAIL", trail) }
		identities := read[map[string]map[string]any](t, "identities")
		guard := clone(identities["assumed role"])
		guard["arn"] = "arn:aws:sts::" + api.Account + ":assumed-role/" + g.AutomationRoleARN[strings.LastIndexByte(g.AutomationRoleARN, '/')+1:] + "/Automation-1"
		guard["invokedBy"] = "ssm.amazonaws.com"
		guard["sessionContext"].(map[string]any)["sessionIssuer"].(map[string]any)["arn"] = g.AutomationRoleARN

		for _, who := range slices.Sorted(maps.Keys(identities)) {
			identity := identities[who]
			for _, trail := range []string{g.TrailName, g.TrailARN} {
				for _, call := range calls(trail) {
					name := fmt.Sprintf("%s of %s by %s", call["eventName"], trail, who)
					want(name, event(t, identity, call), true)
					want(name+", with a key of its own in the response", event(t, identity, with(call, "responseElements", map[string]any{"name": "other"})), true)
					want(name+", its parameters too large to be recorded", event(t, identity, with(call, "requestParameters", nil)), true)
					want(name+", its parameters left out", event(t, identity, with(call, "requestParameters", map[string]any{"requestParametersOmitted": true})), true)

					want(name+", refused", event(t, identity, with(call, "errorCode", "AccessDenied")), false)
					want(name+", by the guard", event(t, guard, call), false)
					other := event(t, identity, call)
					other["source"], other["detail"].(map[string]any)["eventSource"] = "aws.s3", "s3.amazonaws.com"
					want(name+", of another service", other, false)
					insight := event(t, identity, call)
					insight["detail-type"] = "AWS Insight via CloudTrail"
					want(name+", as an insight", insight, false)
					for _, harmless := range []string{"StartLogging", "AddTags", "GetTrailStatus", "DescribeTrails", "CreateTrail", "stoplogging", "StopLoggingX"} {
						want(harmless+" of "+trail, event(t, identity, with(call, "eventName", harmless)), false)
					}
				}
			}
			for _, trail := range []string{
				"other", g.TrailName + "-2", "my-" + g.TrailName, strings.ToUpper(g.TrailName), g.TrailARN + "-2",
				strings.Replace(g.TrailARN, api.Account, "210987654321", 1), strings.Replace(g.TrailARN, api.Region, "eu-west-1", 1),
			} {
				for _, call := range calls(trail) {
					want(fmt.Sprintf("%s of %s by %s", call["eventName"], trail, who), event(t, identity, call), false)
				}
			}
		}
	})
}

// TestThePatternsOfTheNoticesMatchWhatTheyAreFor matches documents of EventBridge's own examples, and neighbours of them.
func TestThePatternsOfTheNoticesMatchWhatTheyAreFor(t *testing.T) {
	inTurn(t, 1, func(t *testing.T, a *account) {
		g := deploy(t, a, readTemplate(t, "default"))
		exceptions, verdicts, repairs := g.patternOf(`"PutRemediationExceptions"`), g.patternOf(`"NON_COMPLIANT"`), g.patternOf(`"Definition"`)
		type check struct {
			name    string
			pattern events.Pattern
			event   map[string]any
			want    bool
		}
		var checks []check
		identities := read[map[string]map[string]any](t, "identities")
		for who, identity := range identities {
			put := func(rule string, more ...any) map[string]any {
				call := map[string]any{"eventSource": "config.amazonaws.com", "eventName": "PutRemediationExceptions", "requestParameters": map[string]any{
					"configRuleName": rule, "resourceKeys": []any{map[string]any{"resourceType": "AWS::::Account", "resourceId": api.Account}},
				}}
				if len(more) > 0 {
					call[more[0].(string)] = more[1]
				}
				document := event(t, identity, call)
				document["source"] = "aws.config"
				return document
			}
			for _, rule := range g.ConfigRuleNames {
				checks = append(checks,
					check{"an exception by " + who, exceptions, put(rule), true},
					check{"a refused exception by " + who, exceptions, put(rule, "errorCode", "AccessDenied"), false},
					check{"the end of an exception by " + who, exceptions, put(rule, "eventName", "DeleteRemediationExceptions"), false},
				)
			}
			checks = append(checks, check{"an exception for another rule", exceptions, put("other"), false})
		}
		for _, rule := range append(slices.Clone(g.ConfigRuleNames), "other") {
			for _, verdict := range []string{"NON_COMPLIANT", "COMPLIANT", "NOT_APPLICABLE", "INSUFFICIENT_DATA"} {
				checks = append(checks, check{rule + " is " + verdict, verdicts, map[string]any{
					"version": "0", "id": "1", "detail-type": "Config Rules Compliance Change", "source": "aws.config", "account": api.Account,
					"time": "2030-01-01T08:15:30Z", "region": api.Region, "resources": []any{},
					"detail": map[string]any{
						"resourceId": api.Account, "awsRegion": api.Region, "awsAccountId": api.Account, "configRuleName": rule, "recordVersion": "1.0",
						"configRuleARN": "arn:aws:config:us-east-1:123456789012:config-rule/config-rule-abcdef", "messageType": "ComplianceChangeNotification",
						"newEvaluationResult": map[string]any{"complianceType": verdict, "resultRecordedTime": "2030-01-01T08:15:30.000Z"},
						"oldEvaluationResult": map[string]any{"complianceType": "NON_COMPLIANT"}, "resourceType": "AWS::::Account",
					},
				}, rule != "other" && verdict == "NON_COMPLIANT"})
			}
		}
		for _, document := range []string{g.RunbookName, g.RunbookName + "-2", "AWS-RunShellScript"} {
			for status, told := range map[string]bool{
				"Pending": false, "InProgress": true, "Waiting": false, "Success": true, "Failed": true, "TimedOut": true, "Cancelled": true, "Cancelling": false,
			} {
				checks = append(checks, check{document + " is " + status, repairs, map[string]any{
					"version": "0", "id": "1", "detail-type": "EC2 Automation Execution Status-change Notification", "source": "aws.ssm", "account": api.Account,
					"time": "2030-01-01T08:15:30Z", "region": api.Region,
					"resources": []any{"arn:aws:ssm:us-east-1:123456789012:automation-execution/333ba70b-2333-48db-b17e-a5e69c6f4d1c"},
					"detail": map[string]any{
						"ExecutionId": "333ba70b-2333-48db-b17e-a5e69c6f4d1c", "Definition": document, "DefinitionVersion": "1", "Status": status,
						"StartTime": "Jan 1, 2030 8:15:29 AM", "Time": "Jan 1, 2030 8:15:30 AM", "ExecutedBy": "arn:aws:sts::123456789012:assumed-role/start/events",
					},
				}, document == g.RunbookName && told})
			}
		}
		for _, c := range checks {
			for _, reading := range readings {
				if got := c.pattern.With(reading).Matches(c.event); got != c.want {
					t.Errorf("%s, %+v: the pattern matches is %v", c.name, reading, got)
				}
			}
		}
	})
}

// clone copies what was read from JSON.
func clone(value map[string]any) map[string]any {
	var copied map[string]any
	var content bytes.Buffer
	if json.NewEncoder(&content).Encode(value) != nil || json.NewDecoder(&content).Decode(&copied) != nil {
		panic("it was read from JSON")
	}
	return copied
}

// with is a call with another member.
func with(call map[string]any, member string, value any) map[string]any {
	changed := maps.Clone(call)
	changed[member] = value
	return changed
}
