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

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/eventbridge"
)

// readings are both readings of anything-but on a field that is absent.
var readings = []eventbridge.Options{{}, {AnythingButMatchesAbsent: true}}

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

// patternOf is the deployed pattern of the one rule that something is for.
func (g guard) patternOf(isOne func(rule map[string]any) bool) eventbridge.Pattern {
	g.T.Helper()
	var found []string
	for _, rule := range g.eventRules() {
		if isOne(rule.inTemplate()) {
			found = append(found, *rule.EventPattern)
		}
	}
	if len(found) != 1 {
		g.T.Fatalf("%d rules are for it, want one", len(found))
	}
	parsed, err := eventbridge.ParsePattern(found[0])
	g.Must(err)
	return parsed
}

// wantMatch reports a pattern that does not match an event as it should, under a reading.
func wantMatch(t *testing.T, pattern eventbridge.Pattern, description string, document map[string]any, want bool) {
	t.Helper()
	for _, reading := range readings {
		if got := pattern.With(reading).Matches(document); got != want {
			t.Errorf("%s, %+v: the pattern matches is %v", description, reading, got)
		}
	}
}

// TestTheTamperingPatternsMatchEveryCallByEveryCaller crosses full events of calls with the identities of callers. What starts the
// runbook and what people are told differ in the calls of guards only.
func TestTheTamperingPatternsMatchEveryCallByEveryCaller(t *testing.T) {
	t.Parallel()
	for i, name := range []string{"default", "everything"} {
		t.Run(name, func(t *testing.T) {
			inTurn(t, i, func(t *testing.T, a *account) {
				g := deploy(t, a, testbed.ReadTemplate(t, name))
				starts, tells := g.patternOf(isStart), g.patternOf(isTamperingNotice)
				want := func(description string, document map[string]any, want bool) {
					t.Helper()
					wantMatch(t, starts, description+", which starts the runbook", document, want)
					wantMatch(t, tells, description+", of which people are told", document, want)
				}
				calls := func(trail string) []map[string]any { return read[[]map[string]any](t, "calls", "TRAIL", trail) }
				tagging := func(arn string) []map[string]any {
					parameters := map[string]any{"resourceId": arn, "tagsList": []any{map[string]any{"key": "owner", "value": "mallory"}}}
					return []map[string]any{{"eventName": "AddTags", "requestParameters": parameters}, {"eventName": "RemoveTags", "requestParameters": parameters}}
				}
				identities := read[map[string]map[string]any](t, "identities")
				session := func(role string) map[string]any {
					identity := clone(identities["assumed role"])
					identity["arn"] = "arn:aws:sts::" + api.Account + ":assumed-role/" + role[strings.LastIndexByte(role, '/')+1:] + "/Automation-1"
					identity["invokedBy"] = "ssm.amazonaws.com"
					identity["sessionContext"].(map[string]any)["sessionIssuer"].(map[string]any)["arn"] = role
					return identity
				}
				guard, other := session(g.AutomationRoleARN), session(otherGuard.ARN)

				for who, identity := range sorted(identities) {
					for _, trail := range []string{
						g.TrailName, g.TrailARN,
						// Its shadow in another Region; and a trail of that name elsewhere, for which a run finds nothing to do.
						strings.Replace(g.TrailARN, api.Region, "eu-west-1", 1), strings.Replace(g.TrailARN, api.Account, "210987654321", 1),
					} {
						for _, call := range calls(trail) {
							name := fmt.Sprintf("%s of %s by %s", call["eventName"], trail, who)
							want(name, event(t, identity, call), true)
							want(name+", with a key of its own in the response", event(t, identity, with(call, "responseElements", map[string]any{"name": "other"})), true)
							want(name+", its parameters too large to be recorded", event(t, identity, with(call, "requestParameters", nil)), true)
							want(name+", its parameters left out", event(t, identity, with(call, "requestParameters", map[string]any{"requestParametersOmitted": true})), true)

							want(name+", refused", event(t, identity, with(call, "errorCode", "AccessDenied")), false)
							document := event(t, identity, call)
							document["source"], document["detail"].(map[string]any)["eventSource"] = "aws.s3", "s3.amazonaws.com"
							want(name+", of another service", document, false)
							insight := event(t, identity, map[string]any{"insightDetails": map[string]any{"eventName": call["eventName"]}})
							insight["detail-type"] = "AWS Insight via CloudTrail"
							want(name+", as an insight", insight, false)
							for _, harmless := range []string{"StartLogging", "GetTrailStatus", "DescribeTrails", "CreateTrail", "stoplogging", "StopLoggingX"} {
								want(harmless+" of "+trail, event(t, identity, with(call, "eventName", harmless)), false)
							}
						}
					}
					for _, call := range tagging(g.TrailARN) {
						want(fmt.Sprintf("%s by %s", call["eventName"], who), event(t, identity, call), name == "everything")
					}
					for _, trail := range []string{"other", g.TrailName + "-2", "my-" + g.TrailName, strings.ToUpper(g.TrailName), g.TrailARN + "-2",
						strings.Replace(g.TrailARN, ":trail/", ":trail/my-", 1), g.TrailARN + "/" + g.TrailName} {
						for _, call := range append(calls(trail), tagging(trail)...) {
							want(fmt.Sprintf("%s of %s by %s", call["eventName"], trail, who), event(t, identity, call), false)
						}
					}
					store := map[string]any{"eventName": "PutInsightSelectors", "requestParameters": map[string]any{"eventDataStore": "store", "insightSelectors": []any{}}}
					want("PutInsightSelectors of an event data store by "+who, event(t, identity, store), false)
				}
				for _, call := range append(calls(g.TrailARN), calls(g.TrailName)...) {
					what := call["eventName"].(string)
					wantMatch(t, starts, what+" by the guard, which starts the runbook", event(t, guard, call), true)
					wantMatch(t, tells, what+" by the guard, of which people are told", event(t, guard, call), false)
					wantMatch(t, starts, what+" by another guard, which starts the runbook", event(t, other, call), false)
					wantMatch(t, tells, what+" by another guard, of which people are told", event(t, other, call), true)
				}
			})
		})
	}
}

// TestTheOtherPatternsMatchWhatTheyAreFor matches documents of AWS's own examples, and neighbours of them.
func TestTheOtherPatternsMatchWhatTheyAreFor(t *testing.T) {
	inTurn(t, 1, func(t *testing.T, a *account) {
		g := deploy(t, a, testbed.ReadTemplate(t, "govcloud"))
		starts, deployments, failures := g.patternOf(isStart), g.patternOf(isSchedule), g.patternOf(isFailureNotice)
		verdicts := g.patternOf(func(rule map[string]any) bool { return !isStart(rule) && detail(rule)["newEvaluationResult"] != nil })

		for what, matches := range map[string]bool{
			"Stealth:IAMUser/CloudTrailLoggingDisabled": true, "Stealth:IAMUser/PasswordPolicyChange": false, "Stealth:S3/ServerAccessLoggingDisabled": false,
		} {
			finding := read[map[string]any](t, "finding", "Stealth:IAMUser/CloudTrailLoggingDisabled", what)
			wantMatch(t, starts, what, finding, matches)
			finding["source"] = "custom.guardduty"
			wantMatch(t, starts, what+" of another source", finding, false)
		}
		for who, identity := range read[map[string]map[string]any](t, "identities") {
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
				wantMatch(t, starts, "an exception by "+who, put(rule), true)
				wantMatch(t, starts, "a refused exception by "+who, put(rule, "errorCode", "AccessDenied"), false)
				wantMatch(t, starts, "the end of an exception by "+who, put(rule, "eventName", "DeleteRemediationExceptions"), false)
			}
			wantMatch(t, starts, "an exception for another rule", put("other"), false)
		}
		described, err := g.Clients.CloudFormation.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: &g.Stack})
		g.Must(err)
		stack := *described.Stacks[0].StackId
		for id, own := range map[string]bool{stack: true, strings.Replace(stack, g.Stack, "other", 1): false} {
			for status, matches := range map[string]bool{
				"CREATE_COMPLETE": true, "UPDATE_COMPLETE": true, "UPDATE_ROLLBACK_COMPLETE": true, "CREATE_IN_PROGRESS": false,
				"UPDATE_IN_PROGRESS": false, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": false, "UPDATE_ROLLBACK_FAILED": false, "DELETE_COMPLETE": false,
			} {
				for kind, is := range map[string]bool{"CloudFormation Stack Status Change": true, "CloudFormation Resource Status Change": false} {
					wantMatch(t, deployments, fmt.Sprintf("%s: %s is %s", kind, id, status), map[string]any{
						"version": "0", "id": "1", "detail-type": kind, "source": "aws.cloudformation", "account": api.Account,
						"time": "2030-01-01T08:15:30Z", "region": api.Region, "resources": []any{id},
						"detail": map[string]any{"stack-id": id, "status-details": map[string]any{"status": status, "status-reason": ""}},
					}, own && matches && is)
				}
			}
		}
		for _, rule := range append(slices.Clone(g.ConfigRuleNames), "other") {
			for _, verdict := range []string{"NON_COMPLIANT", "COMPLIANT", "NOT_APPLICABLE", "INSUFFICIENT_DATA"} {
				wantMatch(t, verdicts, rule+" is "+verdict, map[string]any{
					"version": "0", "id": "1", "detail-type": "Config Rules Compliance Change", "source": "aws.config", "account": api.Account,
					"time": "2030-01-01T08:15:30Z", "region": api.Region, "resources": []any{},
					"detail": map[string]any{
						"resourceId": api.Account, "awsRegion": api.Region, "awsAccountId": api.Account, "configRuleName": rule, "recordVersion": "1.0",
						"configRuleARN": "arn:aws:config:us-east-1:123456789012:config-rule/config-rule-abcdef", "messageType": "ComplianceChangeNotification",
						"newEvaluationResult": map[string]any{"complianceType": verdict, "resultRecordedTime": "2030-01-01T08:15:30.000Z"},
						"oldEvaluationResult": map[string]any{"complianceType": "NON_COMPLIANT"}, "resourceType": "AWS::::Account",
					},
				}, rule != "other" && verdict == "NON_COMPLIANT")
			}
		}
		for _, document := range []string{g.RunbookName, g.RunbookName + "-2", "AWS-RunShellScript"} {
			for status, told := range map[string]bool{
				"Pending": false, "InProgress": false, "Waiting": false, "Success": false, "Failed": true, "TimedOut": true, "Cancelled": true, "Cancelling": false,
			} {
				wantMatch(t, failures, document+" is "+status, map[string]any{
					"version": "0", "id": "1", "detail-type": "EC2 Automation Execution Status-change Notification", "source": "aws.ssm", "account": api.Account,
					"time": "2030-01-01T08:15:30Z", "region": api.Region,
					"resources": []any{"arn:aws:ssm:us-east-1:123456789012:automation-execution/333ba70b-2333-48db-b17e-a5e69c6f4d1c"},
					"detail": map[string]any{
						"ExecutionId": "333ba70b-2333-48db-b17e-a5e69c6f4d1c", "Definition": document, "DefinitionVersion": "1", "Status": status,
						"StartTime": "Jan 1, 2030 8:15:29 AM", "Time": "Jan 1, 2030 8:15:30 AM", "ExecutedBy": "arn:aws:sts::123456789012:assumed-role/start/events",
					},
				}, document == g.RunbookName && told)
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
