package closedloop

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/localaws"
	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/ssm/automation"
)

// withReader adds a rule that puts what the central event bus gets into a queue.
func withReader(_ testbed.TB, tpl testbed.Template) {
	resources := tpl["Resources"].(map[string]any)
	var bus string
	for id, resource := range tpl.ByID() {
		if resource["Type"] == "AWS::Events::EventBus" {
			bus = id
		}
	}
	queue := map[string]any{"Fn::GetAtt": []any{"ReaderQueue", "Arn"}}
	resources["ReaderQueue"] = map[string]any{"Type": "AWS::SQS::Queue"}
	resources["ReaderQueuePolicy"] = map[string]any{"Type": "AWS::SQS::QueuePolicy", "Properties": map[string]any{
		"Queues": []any{map[string]any{"Ref": "ReaderQueue"}},
		"PolicyDocument": map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
			"Effect": "Allow", "Principal": map[string]any{"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": queue,
		}}},
	}}
	resources["Reader"] = map[string]any{"Type": "AWS::Events::Rule", "DependsOn": []any{"ReaderQueuePolicy"}, "Properties": map[string]any{
		"EventBusName": map[string]any{"Ref": bus}, "EventPattern": map[string]any{"source": []any{"trailguard", "aws.cloudtrail", "aws.ssm"}},
		"Targets": []any{map[string]any{"Id": "Queue", "Arn": queue}},
	}}
}

// heard are the events that the central event bus got since a number of deliveries, by their type and what they say.
func (g guard) heard(since int) []map[string]any {
	g.T.Helper()
	var events []map[string]any
	for _, delivery := range g.Bus().Deliveries()[since:] {
		// What a test does to the guard's parts is told, too: package disarming is about that.
		if strings.Contains(delivery.Target, "ReaderQueue") && delivery.Event["source"] != "aws.iam" && delivery.Event["source"] != "aws.events" {
			events = append(events, delivery.Event)
		}
	}
	return events
}

func kindsOf(events []map[string]any) []string {
	kinds := []string{}
	for _, event := range events {
		kinds = append(kinds, fmt.Sprint(event["source"], ": ", event["detail-type"]))
	}
	slices.Sort(kinds)
	return kinds
}

const (
	repairEvent    = "trailguard: TrailGuard Repair"
	tamperingEvent = "aws.cloudtrail: AWS API Call via CloudTrail"
	failureEvent   = "aws.ssm: EC2 Automation Execution Status-change Notification"
)

func TestACentralEventBusIsToldOfTamperingAndOfTheRepairOnce(t *testing.T) {
	inEach(t, accounts, "", func(t *testing.T, a *account) {
		g := guarded(t, a, testbed.ReadTemplate(t, "central").With(t, withReader))
		g.Only(deployed.EventPath)
		g.step("tampering that is repaired", func(g guard) {
			before, ran := len(g.Bus().Deliveries()), len(g.Executions())
			g.stop()
			g.Settle()
			g.WantRepaired()
			events := g.heard(before)
			if got, want := kindsOf(events), []string{tamperingEvent, repairEvent}; !slices.Equal(got, want) {
				g.T.Errorf("the event bus got %v, not %v", got, want)
			}
			messages := told(g.since(ran)...)
			for _, event := range events {
				if event["source"] != "trailguard" {
					continue
				}
				detail := event["detail"].(map[string]any)
				if len(messages) != 1 || detail["message"] != messages[0] || detail["subject"] != "REPAIRED: CloudTrail trail trailguard" || detail["trail"] != "trailguard" {
					g.T.Errorf("the event bus was told %v, people %v", detail, messages)
				}
				if event["account"] != api.Account || event["region"] != api.Region {
					g.T.Errorf("the event is of %v, %v", event["account"], event["region"])
				}
			}
		})
		g.step("a repair that fails", func(g guard) {
			before := len(g.Bus().Deliveries())
			g.withoutPermission("cloudtrail:StartLogging", func() {
				g.stop()
				g.Settle()
			})
			if got, want := kindsOf(g.heard(before)), []string{tamperingEvent, failureEvent, repairEvent}; !slices.Equal(got, want) {
				g.T.Errorf("the event bus got %v, not %v", got, want)
			}
			g.wantSuccess(g.repair())
		})
		g.step("nothing to repair", func(g guard) {
			before := len(g.Bus().Deliveries())
			g.wantSuccess(g.repair())
			if got := kindsOf(g.heard(before)); len(got) > 0 {
				g.T.Errorf("the event bus got %v", got)
			}
		})
	})
}

// TestACentralEventBusThatIsGoneKeepsNothingElseFromHappening: the trail is repaired, people are told, and the report says what was not told.
func TestACentralEventBusThatIsGoneKeepsNothingElseFromHappening(t *testing.T) {
	onShared(t, "central", func(g guard) {
		for name, fault := range map[string]func(g guard) *automation.Execution{
			"the role may not": func(g guard) (x *automation.Execution) {
				g.withoutPermission("events:PutEvents", func() { x = g.repair() })
				return x
			},
			"EventBridge fails": func(g guard) *automation.Execution {
				return g.withFaults(localaws.Faults{Before: localaws.FailNext("events:PutEvents", 100, "InternalException")})
			},
		} {
			g.step(name, func(g guard) {
				g.healthy()
				g.stop()
				x := fault(g)
				g.wantSuccess(x)
				g.WantRepaired()
				if n := len(told(x)); n != 1 {
					g.T.Errorf("people were told %d messages", n)
				}
				var said struct{ NotToldCentrally, NotTold string }
				g.Must(json.Unmarshal([]byte(x.Outputs["Reconcile.Report"].(string)), &said))
				if said.NotToldCentrally == "" || said.NotTold != "" {
					g.T.Errorf("the report says %+v", said)
				}
			})
		}
		g.step("negative control: a script that lets the error out", func(g guard) {
			g.healthy()
			g.stop()
			g.withoutPermission("events:PutEvents", func() {
				g.wantFailed(g.repairWith(nil, withScript("report['notToldCentrally']=str(error)", "raise")), "PutEvents")
			})
		})
	})
}
