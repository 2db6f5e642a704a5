// Package eventbridge is the EventBridge of the local AWS: it matches events against the patterns of rules, fires their
// schedules, shapes the input of their targets and starts those targets, with EventBridge's retries, dead-letter queues and
// metrics, on a clock that the test owns. Rules, targets and queues live elsewhere; see RuleSource and Targets.
package eventbridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/catalog"
)

// Service is EventBridge as the gateway sees it: moto keeps its rules, and the bus delivers by them. It checks what moto does not.
type Service struct {
	// Bus delivers. Required.
	Bus *Bus
	// Rules are those that the bus delivers by. Required.
	Rules *ClientRules
	// Fail receives what could not be simulated. Required.
	Fail func(error)
	// Clock and IDs are those of the events that callers put. Required.
	Clock *api.Clock
	IDs   *api.IDs
	// Account is the EventBridge of another account.
	//
	// Default: - there is no other account.
	Account func(id string) *Bus
}

// Register has the service answer, check and observe calls.
func (s *Service) Register(registry api.Registry) {
	registry.Answer("events:PutEvents", api.HandlerFunc(inbox{s.Bus, s.Clock, s.IDs, s.Account}.putEvents))
	registry.Answer("events:TestEventPattern", api.HandlerFunc(s.testEventPattern))
	registry.Check("events:PutRule", checkRule)
	registry.Check("events:PutTargets", s.checkTargets)
	registry.Observe(s)
}

// scheduleOperations change whether and when the schedule of a rule fires.
var scheduleOperations = []string{"PutRule", "DeleteRule", "EnableRule", "DisableRule"}

// targetless are those that leave the targets of each rule as they are.
var targetless = []string{"PutRule", "EnableRule", "DisableRule"}

// Begin forgets, once a call has ended, the rules that it may have changed, and takes notice of their schedules.
// CloudFormation's calls change rules behind the gateway's back.
func (s *Service) Begin(request api.Request) func(api.Outcome) {
	changes := (request.Service == "events" || request.Service == "cloudformation") && catalog.Writes(request.Service, request.Operation)
	if !changes {
		return nil
	}
	return func(outcome api.Outcome) {
		if !outcome.Reached {
			return
		}
		if request.Service == "events" {
			s.Rules.Note(request.Region, request.Text("EventBusName"))
		}
		switch {
		case request.Service == "events" && slices.Contains(targetless, request.Operation):
			s.Rules.InvalidateButTargets()
		case request.Action() == "events:PutTargets" || request.Action() == "events:RemoveTargets":
			s.Rules.InvalidateTargets(request.Text("Rule"))
		default:
			s.Rules.Invalidate()
		}
		if request.Service != "events" || !slices.Contains(scheduleOperations, request.Operation) {
			return
		}
		if err := s.Bus.NoteSchedules(context.Background()); err != nil {
			s.Fail(fmt.Errorf("after %s: %w", request.Action(), err))
		}
	}
}

// checkRule refuses a rule that EventBridge does not take.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
func checkRule(_ context.Context, call api.Call) error {
	pattern, schedule := call.Text("EventPattern"), call.Text("ScheduleExpression")
	if pattern == "" && schedule == "" {
		return api.Errorf("ValidationException", "Parameter(s) EventPattern or ScheduleExpression must be specified.")
	}
	if bus := busOf(call.Place, call.Text("EventBusName")); schedule != "" && bus != busOf(call.Place, "") {
		return api.Errorf("ValidationException", "ScheduleExpression is supported only on the default event bus.")
	}
	if schedule != "" {
		if _, err := ParseSchedule(schedule); err != nil {
			return refusalUnlessNotModelled(err, "ValidationException", "Parameter ScheduleExpression is not valid.")
		}
	}
	if pattern != "" {
		if _, err := ParsePattern(pattern); err != nil {
			return refusalUnlessNotModelled(err, "InvalidEventPatternException", fmt.Sprintf("Event pattern is not valid. Reason: %v", err))
		}
	}
	return nil
}

// testEventPattern tells whether an event matches a pattern.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_TestEventPattern.html
func (s *Service) testEventPattern(_ context.Context, call api.Call) (any, error) {
	var event map[string]any
	if err := json.Unmarshal([]byte(call.Text("Event")), &event); err != nil {
		return nil, api.Errorf("ValidationException", "Parameter Event is not valid: %v", err)
	}
	for _, field := range []string{"id", "account", "source", "time", "region", "resources", "detail-type"} {
		if event[field] == nil {
			return nil, api.Errorf("ValidationException", "Parameter Event is not valid: %s is required", field)
		}
	}
	pattern, err := ParsePattern(call.Text("EventPattern"))
	if err != nil {
		return nil, refusalUnlessNotModelled(err, "InvalidEventPatternException", fmt.Sprintf("Event pattern is not valid. Reason: %v", err))
	}
	return map[string]any{"Result": pattern.With(s.Bus.options).Matches(event)}, nil
}

// checkTargets refuses targets that EventBridge does not take, and more of them than a rule may have.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutTargets.html
func (s *Service) checkTargets(ctx context.Context, call api.Call) error {
	encoded, err := json.Marshal(call.Input["Targets"])
	if err != nil {
		return fmt.Errorf("reading the targets: %w", err)
	}
	var targets []types.Target
	if err := json.Unmarshal(encoded, &targets); err != nil {
		return api.Errorf("SerializationException", "%v", err)
	}
	for i, target := range targets {
		if _, err := ParseTarget(target, call.Place); err != nil {
			return refusalUnlessNotModelled(err, "ValidationException", fmt.Sprintf("targets.%d.member: %v", i+1, err))
		}
	}
	return s.checkCount(ctx, call, targets)
}

// checkCount refuses targets that would be too many together with those that the rule has. Of a rule that does not exist moto
// says so itself.
func (s *Service) checkCount(ctx context.Context, call api.Call, targets []types.Target) error {
	rules, err := s.Rules.Rules(ctx)
	if err != nil {
		return err
	}
	ids := map[string]bool{}
	for _, r := range rules {
		for _, target := range r.Targets {
			if r.Name == call.Text("Rule") && r.bus() == busOf(call.Place, call.Text("EventBusName")) {
				ids[target.ID] = true
			}
		}
	}
	for _, target := range targets {
		ids[aws.ToString(target.Id)] = true
	}
	if len(ids) > maximumTargets {
		return api.Errorf("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
	}
	return nil
}

// refusalUnlessNotModelled is the refusal that an error of Parse… stands for.
func refusalUnlessNotModelled(err error, code, message string) error {
	if errors.Is(err, ErrNotModelled) {
		return &api.Error{Code: api.CodeNotModelled, Message: err.Error(), Status: http.StatusNotImplemented}
	}
	return &api.Error{Code: code, Message: message}
}
