package localaws

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/trailguard/trailguard/drill/internal/localaws/api"
	"github.com/trailguard/trailguard/drill/internal/localaws/authorize"
	"github.com/trailguard/trailguard/drill/internal/localaws/automation"
)

// automationService is the principal that assumes the roles of runbooks.
const automationService = "ssm.amazonaws.com"

// automations is the part of Systems Manager that runs documents: StartAutomationExecution, GetAutomationExecution and
// DescribeAutomationExecutions. Executions do nothing until they are stepped. That 100 of them may run at once is not
// modelled.
type automations struct {
	gateway *Gateway
	clock   *api.Clock
	// document returns the content of a document's version; an *api.Error where there is none.
	document  func(ctx context.Context, name, version string) (string, error)
	unmatched automation.UnmatchedSelector
	// changed is told of each change of an execution's status. It must not step executions.
	changed func(*automation.Execution)

	mu      sync.Mutex
	parsed  map[string]*automation.Document // by content
	engines map[api.Principal]*automation.Engine
	all     []*automation.Execution
	running []*automation.Execution
	shown   map[string]map[string]any // what GetAutomationExecution answers, by id
}

func newAutomations(gateway *Gateway, clock *api.Clock) *automations {
	return &automations{
		gateway: gateway, clock: clock, changed: func(*automation.Execution) {},
		parsed: map[string]*automation.Document{}, engines: map[api.Principal]*automation.Engine{}, shown: map[string]map[string]any{},
	}
}

// automationOperations are the operations of Systems Manager that moto must not answer.
var automationOperations = []string{
	"StartAutomationExecution", "GetAutomationExecution", "DescribeAutomationExecutions", "StopAutomationExecution",
	"DescribeAutomationStepExecutions", "SendAutomationSignal", "StartChangeRequestExecution", "GetExecutionPreview", "StartExecutionPreview",
}

// Handle answers one call.
func (a *automations) Handle(ctx context.Context, call api.Call) (any, error) {
	switch call.Operation {
	case "StartAutomationExecution":
		return a.start(ctx, call)
	case "GetAutomationExecution":
		return a.get(call)
	case "DescribeAutomationExecutions":
		return a.describe(call)
	}
	return nil, notModelled("ssm:%s", call.Operation)
}

// decodeInput reads a call's input, and refuses members that are not modelled.
func decodeInput(call api.Call, into any) error {
	encoded, err := json.Marshal(call.Input)
	if err != nil {
		return fmt.Errorf("reading the input of %s: %w", call.Action(), err)
	}
	decoder := json.NewDecoder(strings.NewReader(string(encoded)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return notModelled("this input of %s: %v", call.Action(), err)
	}
	return nil
}

// start makes an execution. The caller must be allowed to pass the role to Automation, and the role must trust it.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-setup-identity-based-policies.html
func (a *automations) start(ctx context.Context, call api.Call) (any, error) {
	var in struct {
		DocumentName    string
		DocumentVersion string
		Parameters      map[string][]string
		Mode            string
		Tags            []map[string]string
		ClientToken     string
	}
	if err := decodeInput(call, &in); err != nil {
		return nil, err
	}
	if in.Mode != "" && in.Mode != "Auto" {
		return nil, notModelled("an automation in mode %s", in.Mode)
	}
	if in.DocumentVersion == "" {
		in.DocumentVersion = "$DEFAULT"
	}
	content, err := a.document(ctx, in.DocumentName, in.DocumentVersion)
	if isRefusal(err) {
		return nil, api.Errorf("AutomationDefinitionNotFoundException", "document %s of version %s: %v", in.DocumentName, in.DocumentVersion, err)
	}
	if err != nil {
		return nil, fmt.Errorf("reading document %s: %w", in.DocumentName, err)
	}
	document, err := a.parse(content)
	if err != nil {
		return nil, fmt.Errorf("reading document %s: %w", in.DocumentName, err)
	}
	options := automation.Options{
		DocumentName: in.DocumentName, DocumentVersion: in.DocumentVersion, ExecutedBy: authorize.SessionARN(call.Principal),
	}
	// The role is known once the parameters are filled in.
	draft, err := (&automation.Engine{Clock: a.clock}).Start(document, in.Parameters, options)
	if err != nil {
		return nil, err
	}
	id := fmt.Sprintf("00000000-0000-4000-8002-%012x", a.gateway.sequence.Add(1))
	actor, err := a.actor(ctx, call, draft.AssumeRole, id)
	if err != nil {
		return nil, err
	}
	x, err := a.engine(actor).Start(document, in.Parameters, options)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	x.ID = id
	a.all = append(a.all, x)
	a.running = append(a.running, x)
	a.shown[x.ID] = show(x)
	return map[string]any{"AutomationExecutionId": x.ID}, nil
}

// actor is the principal whose permissions an execution has: the role that the document names, or else the caller.
func (a *automations) actor(ctx context.Context, call api.Call, role, id string) (api.Principal, error) {
	if role == "" {
		return call.Principal, nil
	}
	pass := passRole(role, automationService)
	decision, err := a.gateway.decide(ctx, call.Principal, call.Region, pass)
	if err != nil {
		return api.Principal{}, err
	}
	if !decision.Allowed {
		return api.Principal{}, api.Errorf("AccessDeniedException", "%s", decision.Reason)
	}
	service := api.Principal{Type: api.AWSService, ARN: automationService}
	err = a.gateway.Authorize(ctx, service, "sts:AssumeRole", role, map[string][]string{
		"aws:SourceAccount": {api.Account},
		"aws:SourceArn":     {arnOf(call, "automation-execution/"+id)},
	})
	if isRefusal(err) {
		return api.Principal{}, api.Errorf("InvalidAutomationExecutionParametersException", "the defined assume role is unable to be assumed: %v", err)
	}
	return api.Principal{Type: api.AssumedRole, ARN: role, SessionName: "Automation"}, err
}

// engine is the one that works for a principal.
func (a *automations) engine(actor api.Principal) *automation.Engine {
	a.mu.Lock()
	defer a.mu.Unlock()
	engine, ok := a.engines[actor]
	if !ok {
		engine = &automation.Engine{
			Config:            a.gateway.config(a.gateway.ServiceCredentials(actor, automationService, nil)),
			Clock:             a.clock,
			UnmatchedSelector: a.unmatched,
			OnStatus:          func(x *automation.Execution) { a.changed(x) },
		}
		a.engines[actor] = engine
	}
	return engine
}

func (a *automations) parse(content string) (*automation.Document, error) {
	a.mu.Lock()
	document, ok := a.parsed[content]
	a.mu.Unlock()
	if ok {
		return document, nil
	}
	document, err := automation.Parse([]byte(content))
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.parsed[content] = document
	return document, nil
}

// step makes one attempt of one execution of those that run.
func (a *automations) step(ctx context.Context, choose func(n int) int) (running bool) {
	a.mu.Lock()
	if len(a.running) == 0 {
		a.mu.Unlock()
		return false
	}
	i := choose(len(a.running))
	x := a.running[i]
	a.running = slices.Delete(slices.Clone(a.running), i, i+1)
	a.mu.Unlock()

	done := x.Step(ctx)

	a.mu.Lock()
	defer a.mu.Unlock()
	a.shown[x.ID] = show(x)
	if !done {
		a.running = append(a.running, x)
	}
	return true
}

func (a *automations) executions() []*automation.Execution {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.all)
}

func (a *automations) get(call api.Call) (any, error) {
	var in struct{ AutomationExecutionId string }
	if err := decodeInput(call, &in); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	shown, ok := a.shown[in.AutomationExecutionId]
	if !ok {
		return nil, api.Errorf("AutomationExecutionNotFoundException", "there is no automation execution %s", in.AutomationExecutionId)
	}
	return map[string]any{"AutomationExecution": shown}, nil
}

// describe lists executions, the latest first, on one page.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DescribeAutomationExecutions.html
func (a *automations) describe(call api.Call) (any, error) {
	var in struct {
		Filters []struct {
			Key    string
			Values []string
		}
		MaxResults int
	}
	if err := decodeInput(call, &in); err != nil {
		return nil, err
	}
	fields := map[string]string{
		"DocumentNamePrefix": "DocumentName", "ExecutionStatus": "AutomationExecutionStatus", "ExecutionId": "AutomationExecutionId",
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	list := []any{}
	for _, x := range slices.Backward(a.all) {
		shown := a.shown[x.ID]
		matches := true
		for _, filter := range in.Filters {
			field, ok := fields[filter.Key]
			if !ok {
				return nil, notModelled("filter %s of ssm:DescribeAutomationExecutions", filter.Key)
			}
			matches = matches && slices.ContainsFunc(filter.Values, func(value string) bool {
				got := text(shown[field], "")
				return got == value || field == "DocumentName" && strings.HasPrefix(got, value)
			})
		}
		if !matches {
			continue
		}
		summary := map[string]any{}
		for name, value := range shown {
			if name != "StepExecutions" && name != "Parameters" {
				summary[name] = value
			}
		}
		list = append(list, summary)
		if len(list) == in.MaxResults {
			break
		}
	}
	return map[string]any{"AutomationExecutionMetadataList": list}, nil
}

// show is an execution as GetAutomationExecution shows it.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_AutomationExecution.html
func show(x *automation.Execution) map[string]any {
	steps := []any{}
	for _, record := range x.Steps {
		step := map[string]any{
			"StepName": record.Name, "Action": record.Action, "StepStatus": string(record.Status), "ExecutionStartTime": seconds(record.StartTime),
		}
		put(step, "ExecutionEndTime", record.EndTime)
		if record.FailureMessage != "" {
			step["FailureMessage"] = record.FailureMessage
		}
		steps = append(steps, step)
	}
	outputs := map[string][]string{}
	for name, value := range x.Outputs {
		outputs[name] = []string{fmt.Sprint(value)}
	}
	shown := map[string]any{
		"AutomationExecutionId": x.ID, "AutomationExecutionStatus": string(x.Status), "DocumentName": x.DocumentName,
		"DocumentVersion": x.DocumentVersion, "ExecutedBy": x.ExecutedBy, "ExecutionStartTime": seconds(x.StartTime),
		"StepExecutions": steps, "Outputs": outputs, "Mode": "Auto",
	}
	put(shown, "ExecutionEndTime", x.EndTime)
	if x.FailureMessage != "" {
		shown["FailureMessage"] = x.FailureMessage
	}
	return shown
}

// seconds is a time as the JSON protocols write it.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func put(fields map[string]any, name string, t time.Time) {
	if !t.IsZero() {
		fields[name] = seconds(t)
	}
}

// statusEvent is what EventBridge is told of an execution's status.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/monitoring-systems-manager-event-examples.html
func statusEvent(x *automation.Execution, now time.Time, id string) map[string]any {
	detail := map[string]any{
		"ExecutionId": x.ID, "Definition": x.DocumentName, "DefinitionVersion": cmp.Or(strings.TrimPrefix(x.DocumentVersion, "$DEFAULT"), "1"),
		"Status": string(x.Status), "StartTime": x.StartTime.UTC().Format(time.UnixDate), "Time": now.UTC().Format(time.UnixDate),
		"ExecutedBy": x.ExecutedBy,
	}
	if !x.EndTime.IsZero() {
		detail["EndTime"] = x.EndTime.UTC().Format(time.UnixDate)
	}
	return map[string]any{
		"version": "0", "id": id, "detail-type": "EC2 Automation Execution Status-change Notification", "source": "aws.ssm",
		"account": api.Account, "time": now.UTC().Format(time.RFC3339), "region": api.Region,
		"resources": []any{fmt.Sprintf("arn:%s:ssm:%s:%s:automation-execution/%s", api.Partition, api.Region, api.Account, x.ID)},
		"detail":    detail,
	}
}
