package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	configtypes "github.com/aws/aws-sdk-go-v2/service/configservice/types"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/localaws"
)

// alter is another behaviour of AWS: it changes the requests of an operation, or their answers. What it does not know, it
// returns as it is.
type alter struct {
	request, answer func(operation, body string) string
}

// answers changes a text in the answers of an operation.
func answers(operation, old, new string) alter {
	return alter{answer: func(of, body string) string {
		if of != operation {
			return body
		}
		return strings.ReplaceAll(body, old, new)
	}}
}

// and is both.
func (a alter) and(b alter) alter {
	return alter{answer: func(operation, body string) string { return b.answer(operation, a.answer(operation, body)) }}
}

// elsewhere is a client of an AWS that behaves otherwise.
type elsewhere struct {
	alter
	aws.HTTPClient
}

func (e elsewhere) Do(r *http.Request) (*http.Response, error) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if e.request != nil && operation != "" {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(strings.NewReader(e.request(operation, string(body))))
	}
	response, err := e.HTTPClient.Do(r)
	if err != nil || e.answer == nil || operation == "" {
		return response, err
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	changed := []byte(e.answer(operation, string(body)))
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(changed)), int64(len(changed))
	response.Header.Set("Content-Length", strconv.Itoa(len(changed)))
	return response, nil
}

// clientsOf are the clients of an AWS that behaves otherwise.
func (g *guarded) clientsOf(a alter) drill.Clients {
	config := g.local.Config(localaws.Administrator)
	config.HTTPClient = elsewhere{a, config.HTTPClient}
	return drill.NewClients(config)
}

// judged is what is found about an assumption.
func judged(t *testing.T, list []drill.Judgement, id string) drill.Judgement {
	t.Helper()
	i := slices.IndexFunc(list, func(one drill.Judgement) bool { return one.ID == id })
	if i < 0 {
		t.Fatalf("%s is not among %d", id, len(list))
	}
	return list[i]
}

// except makes Config exempt the account from the remediation of the first rule, which is NON_COMPLIANT.
func (g *guarded) except() {
	g.t.Helper()
	if _, err := g.clients.Config.PutRemediationExceptions(g.t.Context(), &configservice.PutRemediationExceptionsInput{
		ConfigRuleName: &g.guard.ConfigRuleNames[0], ResourceKeys: []configtypes.RemediationExceptionResourceKey{
			{ResourceType: aws.String("AWS::::Account"), ResourceId: aws.String(g.guard.Account())},
		},
	}); err != nil {
		g.t.Fatal(err)
	}
}

// results are what comes of scenarios, by the trail's name, in an AWS that these clients see.
func (g *guarded) results(t *testing.T, clients drill.Clients, scenarios ...string) []drill.Result {
	t.Helper()
	attempts, _ := drill.Plan{
		IDs: scenarios, Callers: []drill.Caller{drill.NewCaller("drill", clients)}, Path: deployed.AllPaths,
	}.Attempts(g.guard)
	listener, deaf, err := drill.Listen(t.Context(), clients, g.guard)
	if err != nil {
		t.Fatal(err)
	}
	runner := drill.Runner{
		Guard: g.guard, Account: drill.NewAccount(clients, g.guard), Clock: ownedClock{g.local}, Provisioner: drill.NewProvisioner(clients, g.guard), Listener: listener,
	}
	results, err := runner.Run(t.Context(), slices.DeleteFunc(attempts, func(a drill.Attempt) bool { return a.Form == drill.ByARN }))
	if err := errors.Join(err, deaf(t.Context())); err != nil {
		t.Fatal(err)
	}
	return results
}

const (
	listed, read = "DescribeAutomationExecutions", "GetAutomationExecution"
	byHand       = `"StartedBy":["hand"]`
)

// byAnybodyBut makes executions be started by hand that were started otherwise.
func byAnybodyBut(starters ...string) alter {
	a := answers(read, "", "")
	for _, starter := range starters {
		a = a.and(answers(read, `"StartedBy":["`+starter+`"]`, byHand))
	}
	return a
}

var startTime = regexp.MustCompile(`"ExecutionStartTime":([0-9.]+)`)

// late makes executions begin later than they did.
func late(t *testing.T, by time.Duration) alter {
	return alter{answer: func(operation, body string) string {
		if operation != listed {
			return body
		}
		return startTime.ReplaceAllStringFunc(body, func(member string) string {
			at, err := strconv.ParseFloat(startTime.FindStringSubmatch(member)[1], 64)
			if err != nil {
				t.Error(err)
			}
			return fmt.Sprintf(`"ExecutionStartTime":%.3f`, at+by.Seconds())
		})
	}}
}

// TestEachAssumptionIsFoundToHoldOrNot: in the local AWS each holds, and in one that behaves otherwise in this, it does not.
func TestEachAssumptionIsFoundToHoldOrNot(t *testing.T) {
	g := newGuarded(t, strings.Replace(golden, "default", "everything", 1))
	g.except()
	for range 3 { // each time the schedule starts the runbook
		if err := g.local.Advance(t.Context(), 75*time.Minute); err != nil {
			t.Fatal(err)
		}
	}

	byReads := map[string]alter{
		"A01": answers("LookupEvents", `\"name\":\"`+g.guard.TrailName, `\"trail\":\"`+g.guard.TrailName),
		"A02": answers("LookupEvents", ":role/trailguard/", ":role/"),
		"A03": answers("TestEventPattern", "true", "false"),
		"A04": byAnybodyBut("schedule"),
		"A05": answers(read, `"AutomationExecutionStatus":"Success"`, `"AutomationExecutionStatus":"Failed"`),
		"A06": byAnybodyBut("schedule"),
		"A07": byAnybodyBut("schedule", "event").and(answers("GetQueueAttributes", `"0"`, `"3"`)),
		"A08": answers(listed, `"DocumentVersion":"1"`, `"DocumentVersion":"2"`),
		"A09": answers(read, `{\"wrong\"`, `{\"found\"`),
		"A10": answers(read, `\"writes\": []`, `\"writes\": [\"update_trail\"]`),
		"A11": byAnybodyBut("Config").and(answers("DescribeRemediationExecutionStatus", "SUCCEEDED", "FAILED")),
		"A12": answers("GetComplianceDetailsByConfigRule", `"COMPLIANT"`, `"NON_COMPLIANT"`),
		"A13": answers("GetTrailStatus", `{"IsLogging"`, `{"LatestDigestDeliveryError":"AccessDenied","IsLogging"`),
		"A14": answers("GetTrailStatus", `{"IsLogging"`, `{"LatestNotificationError":"AuthorizationError","IsLogging"`),
		"A15": answers("GetTrailStatus", `{"IsLogging"`, `{"LatestCloudWatchLogsDeliveryError":"Access denied","IsLogging"`),
		"A16": answers(read, `\"wrong\": {}`, `\"wrong\": {\"`+g.guard.ConfigRuleNames[0]+`\": \"no such key\"}`).and(answers(read, `\"changed\"`, `\"formerly\"`)),
	}
	byReads["A24"] = byReads["A10"]
	slow := late(t, 2*time.Minute)
	byScenario := map[string]struct {
		scenario string
		alter    alter
	}{
		"A17": {"T05", slow}, "A18": {"T01", slow}, "A19": {"T02", slow}, "A20": {"T13", slow},
		"A21": {"T05", answers(read, `\"changed\": {`, `\"changed\": {\"IsMultiRegionTrail\": {}, `)},
		"A22": {"T11", alter{request: func(_, body string) string { return strings.Replace(body, `,"SnsTopicName":""`, "", 1) }}},
		"A23": {"T02", answers(read, `\"wrong\": {}`, `\"wrong\": {\"trail\": \"TrailAlreadyExistsException\"}`)},
		"A25": {"T24", slow}, "A26": {"T27", answers(read, `\"wrong\": {}`, `\"wrong\": {\"OwnershipControls\": \"AccessDenied\"}`)},
		"A27": {"T44", answers("ReceiveMessage", `"Messages"`, `"Silence"`)},
	}

	now := g.local.Clock.Now()
	here := drill.JudgeByReads(t.Context(), g.clients, g.guard, now)
	for id, otherwise := range byReads {
		if one := judged(t, here, id); one.Verdict != drill.Held {
			t.Errorf("%s %s: %s", id, one.Verdict, one.Why)
		}
		if one := judged(t, drill.JudgeByReads(t.Context(), g.clientsOf(otherwise), g.guard, now), id); one.Verdict != drill.DidNotHold {
			t.Errorf("elsewhere %s %s: %s", id, one.Verdict, one.Why)
		}
	}
	here = drill.JudgeByResults(t.Context(), g.clients, g.guard, now, g.results(t, g.clients, "T01", "T02", "T05", "T11", "T13", "T24", "T27", "T44"))
	for id, otherwise := range byScenario {
		if one := judged(t, here, id); one.Verdict != drill.Held {
			t.Errorf("%s %s: %s", id, one.Verdict, one.Why)
		}
		clients := g.clientsOf(otherwise.alter)
		if one := judged(t, drill.JudgeByResults(t.Context(), clients, g.guard, now, g.results(t, clients, otherwise.scenario)), id); one.Verdict != drill.DidNotHold {
			t.Errorf("elsewhere %s %s: %s", id, one.Verdict, one.Why)
		}
	}
	for _, a := range drill.Assumptions() {
		_, reads := byReads[a.ID]
		_, runs := byScenario[a.ID]
		if !reads && !runs && a.Unchecked == "" {
			t.Errorf("%s has no negative control", a.ID)
		}
	}
	if err := g.local.Err(); err != nil {
		t.Errorf("the simulation could not do everything: %v", err)
	}
}
