// Package ssm is the part of Systems Manager that runs documents, which moto does not have: an execution is a call that the
// gateway answers here, does nothing until it is stepped, and makes the calls of its scripts through the gateway. moto keeps the
// documents; those that could not run are refused.
package ssm

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/ssm/automation"
)

// automationService is the principal that assumes the roles of runbooks.
const automationService = "ssm.amazonaws.com"

// Document is one version of a document.
type Document struct{ Content, Version, Type string }

// Options are the settings of a Service. All are required but Place.
type Options struct {
	// Place is the account and Region.
	//
	// Default: - api.Home.
	Place  api.Place
	Clock  *api.Clock
	IDs    *api.IDs
	Worker *automation.Worker
	// Document returns a version of a document: a number, $DEFAULT or $LATEST; an *api.Error if there is none.
	Document func(ctx context.Context, name, version string) (Document, error)
	// Authorize tells whether a principal may do an action on a resource: an *api.Error if not.
	Authorize func(ctx context.Context, p api.Principal, action, resource string, keys map[string][]string) error
	// AccessKey issues an access key with which Automation calls as a principal.
	AccessKey func(api.Principal) string
	// Send answers a script's request.
	Send func(*http.Request) (automation.Answer, error)
	// Emit hands an event to EventBridge, Fail receives what could not be simulated, Ended the executions that have ended.
	Emit  func(event map[string]any)
	Fail  func(error)
	Ended func(id string, success bool)
}

// Service holds the executions since it was made. It is safe for concurrent use.
type Service struct {
	options Options

	mu       sync.Mutex
	parsed   map[string]*automation.Document // by content
	engines  map[api.Principal]*automation.Engine
	all      []*automation.Execution
	running  []*automation.Execution        // at most MaxRunning, without those that are being stepped
	stepping map[*automation.Execution]bool // run, too
	queued   []*automation.Execution        // wait until one of those that run has ended
	shown    map[string]map[string]any      // what GetAutomationExecution answers, by id
}

// New returns a Service without executions.
func New(options Options) *Service {
	options.Place = options.Place.Or(api.Home())
	return &Service{
		options: options, parsed: map[string]*automation.Document{}, engines: map[api.Principal]*automation.Engine{},
		stepping: map[*automation.Execution]bool{}, shown: map[string]map[string]any{},
	}
}

// Register has the service answer the calls about executions, and check those that make documents.
func (a *Service) Register(registry api.Registry) {
	for operation, handler := range map[string]api.HandlerFunc{
		"StartAutomationExecution":     a.start,
		"StopAutomationExecution":      a.stop,
		"GetAutomationExecution":       a.get,
		"DescribeAutomationExecutions": a.describe,
	} {
		registry.Answer("ssm:"+operation, handler)
	}
	registry.Check("ssm:CreateDocument", a.checkDocument)
	registry.Check("ssm:UpdateDocument", a.checkDocument)
}

// NewEngine returns an engine whose scripts call with an access key, for executions of which the service knows nothing.
func (a *Service) NewEngine(accessKeyID string) *automation.Engine {
	return &automation.Engine{
		Worker: a.options.Worker, AccessKeyID: accessKeyID, Clock: a.options.Clock, Place: a.options.Place, OnFailure: a.options.Fail,
		Send: a.options.Send,
	}
}

// changed emits the event of an execution's status, and reports its end.
func (a *Service) changed(execution *automation.Execution) {
	a.options.Emit(a.statusEvent(execution, a.options.Clock.Now(), a.options.IDs.UUID(api.ExecutionEventID)))
	if execution.Status != automation.Pending && execution.Status != automation.InProgress {
		a.options.Ended(execution.ID, execution.Status == automation.Success)
	}
}

// checkDocument refuses an Automation document that could not run. The type of a new version is that of the document.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_CreateDocument.html
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_UpdateDocument.html
func (a *Service) checkDocument(ctx context.Context, call api.Call) error {
	kind := call.Text("DocumentType")
	if call.Operation == "UpdateDocument" {
		name := call.Text("Name")
		got, err := a.options.Document(ctx, name, "$DEFAULT")
		if api.IsRefusal(err) {
			return nil // there is no such document: moto says so itself
		}
		if err != nil {
			return fmt.Errorf("reading document %s: %w", name, err)
		}
		kind = got.Type
	}
	if kind != "Automation" {
		return nil
	}
	content, format := call.Text("Content"), cmp.Or(call.Text("DocumentFormat"), "JSON")
	if format == "JSON" && !json.Valid([]byte(content)) {
		return api.Errorf("InvalidDocumentContent", "the content is no JSON, and the DocumentFormat is JSON")
	}
	if format != "JSON" && format != "YAML" {
		return api.Errorf("InvalidDocumentContent", "the DocumentFormat of an Automation document must be JSON or YAML, got %s", format)
	}
	if _, err := automation.Parse([]byte(content)); err != nil {
		return api.Errorf("InvalidDocumentContent", "%v", err)
	}
	return nil
}

// MaxRunning is how many executions run at once, without adaptive concurrency.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/adaptive-concurrency.html
const MaxRunning = 100

// documentName is the name of a document that is given by its name or its ARN.
func documentName(nameOrARN string) string {
	return nameOrARN[strings.LastIndexByte(nameOrARN, '/')+1:]
}

// start makes an execution. The caller must be allowed to pass the role to Automation, and the role must trust it.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-setup-identity-based-policies.html
func (a *Service) start(ctx context.Context, call api.Call) (any, error) {
	var in struct {
		DocumentName    string
		DocumentVersion string
		Parameters      map[string][]string
		Mode            string
		Tags            []map[string]string
		ClientToken     string
	}
	if err := api.DecodeInput(call, &in); err != nil {
		return nil, err
	}
	if in.Mode != "" && in.Mode != "Auto" {
		return nil, api.NotModelled("an automation in mode %s", in.Mode)
	}
	if in.DocumentVersion == "" {
		in.DocumentVersion = "$DEFAULT"
	}
	name := documentName(in.DocumentName)
	found, err := a.options.Document(ctx, name, in.DocumentVersion)
	if api.IsRefusal(err) {
		return nil, api.Errorf("AutomationDefinitionNotFoundException", "document %s of version %s: %v", name, in.DocumentVersion, err)
	}
	if err != nil {
		return nil, fmt.Errorf("reading document %s: %w", name, err)
	}
	document, err := a.parse(found.Content)
	if err != nil {
		return nil, api.Errorf("InvalidAutomationExecutionParametersException", "document %s of version %s is no runbook: %v", name, found.Version, err)
	}
	options := automation.Options{DocumentName: name, DocumentVersion: found.Version, ExecutedBy: call.Principal.SessionARN()}
	// The role is known once the parameters are filled in.
	draft, err := (&automation.Engine{Clock: a.options.Clock, Place: a.options.Place}).Start(document, in.Parameters, options)
	if err != nil {
		return nil, err
	}
	id := a.options.IDs.UUID(api.ExecutionID)
	actor, err := a.actor(ctx, call, draft.AssumeRole, id)
	if err != nil {
		return nil, err
	}
	execution, err := a.engine(actor).Start(document, in.Parameters, options)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	execution.ID = id
	a.all = append(a.all, execution)
	a.queued = append(a.queued, execution)
	a.admit()
	a.shown[execution.ID] = show(execution)
	return map[string]any{"AutomationExecutionId": execution.ID}, nil
}

// admit lets queued executions run, as many as may. The caller holds mu.
func (a *Service) admit() {
	n := min(len(a.queued), MaxRunning-len(a.running)-len(a.stepping))
	a.running = append(a.running, a.queued[:n]...)
	a.queued = a.queued[n:]
}

// stop cancels an execution. What the script asks for now is still answered. That Complete lets the current step end is
// not modelled.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_StopAutomationExecution.html
func (a *Service) stop(ctx context.Context, call api.Call) (any, error) {
	var in struct{ AutomationExecutionId, Type string }
	if err := api.DecodeInput(call, &in); err != nil {
		return nil, err
	}
	if in.Type != "" && in.Type != "Cancel" && in.Type != "Complete" {
		return nil, api.Errorf("ValidationException", "type %q must be Cancel or Complete", in.Type)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	is := func(execution *automation.Execution) bool { return execution.ID == in.AutomationExecutionId }
	i := slices.IndexFunc(a.all, is)
	if i < 0 {
		return nil, api.Errorf("AutomationExecutionNotFoundException", "there is no automation execution %s", in.AutomationExecutionId)
	}
	execution := a.all[i]
	runs := slices.ContainsFunc(a.running, is) || slices.ContainsFunc(a.queued, is)
	if !runs && !a.stepping[execution] {
		return nil, api.Errorf("InvalidAutomationStatusUpdateException", "automation execution %s has ended", execution.ID)
	}
	execution.Cancel()
	if !runs {
		// Whoever steps it finds that it is cancelled: it may be a script of its own that calls.
		shown := maps.Clone(a.shown[execution.ID])
		shown["AutomationExecutionStatus"] = string(automation.Cancelled)
		a.shown[execution.ID] = shown
		return nil, nil
	}
	a.running, a.queued = slices.DeleteFunc(a.running, is), slices.DeleteFunc(a.queued, is)
	a.advance(ctx, execution)
	return nil, nil
}

// advance makes a step of an execution that neither runs nor is queued, and lets it go on to run unless it has ended. The
// caller holds mu, which is not held during the step.
func (a *Service) advance(ctx context.Context, execution *automation.Execution) {
	a.stepping[execution] = true
	a.mu.Unlock()
	done := execution.Step(ctx)
	a.mu.Lock()
	delete(a.stepping, execution)
	a.shown[execution.ID] = show(execution)
	if !done {
		a.running = append(a.running, execution)
	}
	a.admit()
}

// actor is the principal whose permissions an execution has: the role that the document names, or else the caller.
func (a *Service) actor(ctx context.Context, call api.Call, role, id string) (api.Principal, error) {
	if role == "" {
		return call.Principal, nil
	}
	err := a.options.Authorize(ctx, call.Principal, "iam:PassRole", role, map[string][]string{
		"iam:PassedToService": {automationService}, "aws:RequestedRegion": {call.Region},
	})
	var refusal *api.Error
	if errors.As(err, &refusal) {
		return api.Principal{}, api.Errorf("AccessDeniedException", "%s", refusal.Message)
	}
	if err != nil {
		return api.Principal{}, err
	}
	service := api.Principal{Type: api.AWSService, ARN: automationService}
	err = a.options.Authorize(ctx, service, "sts:AssumeRole", role, call.SourceKeys(call.ARN("ssm", "automation-execution/"+id)))
	if api.IsRefusal(err) {
		return api.Principal{}, api.Errorf("InvalidAutomationExecutionParametersException", "the defined assume role is unable to be assumed: %v", err)
	}
	return api.Principal{Type: api.AssumedRole, ARN: role, SessionName: "Automation"}, err
}

// engine is the one that works for a principal.
func (a *Service) engine(actor api.Principal) *automation.Engine {
	a.mu.Lock()
	defer a.mu.Unlock()
	engine, ok := a.engines[actor]
	if !ok {
		engine = a.NewEngine(a.options.AccessKey(actor))
		engine.OnStatus = a.changed
		a.engines[actor] = engine
	}
	return engine
}

func (a *Service) parse(content string) (*automation.Document, error) {
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

// Step makes a step of one of the executions that run, and reports whether there was one.
func (a *Service) Step(ctx context.Context, choose func(n int) int) (running bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.running) == 0 {
		return false
	}
	i := automation.Next(a.running, choose)
	execution := a.running[i]
	a.running = slices.Delete(a.running, i, i+1)
	a.advance(ctx, execution)
	return true
}

// Executions are all executions, in the order in which they started. They may only be looked at while nothing runs.
func (a *Service) Executions() []*automation.Execution {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.all)
}

func (a *Service) get(_ context.Context, call api.Call) (any, error) {
	var in struct{ AutomationExecutionId string }
	if err := api.DecodeInput(call, &in); err != nil {
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
func (a *Service) describe(_ context.Context, call api.Call) (any, error) {
	var in struct {
		Filters []struct {
			Key    string
			Values []string
		}
		MaxResults int
	}
	if err := api.DecodeInput(call, &in); err != nil {
		return nil, err
	}
	fields := map[string]string{
		"DocumentNamePrefix": "DocumentName", "ExecutionStatus": "AutomationExecutionStatus", "ExecutionId": "AutomationExecutionId",
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	list := []any{}
	for _, execution := range slices.Backward(a.all) {
		shown := a.shown[execution.ID]
		matches := true
		for _, filter := range in.Filters {
			field, ok := fields[filter.Key]
			if !ok {
				return nil, api.NotModelled("filter %s of ssm:DescribeAutomationExecutions", filter.Key)
			}
			matches = matches && slices.ContainsFunc(filter.Values, func(value string) bool {
				got := api.Text(shown[field], "")
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
func show(execution *automation.Execution) map[string]any {
	steps := []any{}
	for _, record := range execution.Steps {
		step := map[string]any{
			"StepName": record.Name, "Action": record.Action, "StepStatus": string(record.Status), "ExecutionStartTime": seconds(record.StartTime),
		}
		put(step, "ExecutionEndTime", record.EndTime)
		if record.FailureMessage != "" {
			step["FailureMessage"] = record.FailureMessage
		}
		if len(record.Outputs) > 0 {
			step["Outputs"] = spell(record.Outputs)
		}
		steps = append(steps, step)
	}
	parameters := execution.Parameters
	if parameters == nil {
		parameters = map[string][]string{}
	}
	shown := map[string]any{
		"AutomationExecutionId": execution.ID, "AutomationExecutionStatus": string(execution.Status), "DocumentName": execution.DocumentName,
		"DocumentVersion": execution.DocumentVersion, "ExecutedBy": execution.ExecutedBy, "ExecutionStartTime": seconds(execution.StartTime),
		"StepExecutions": steps, "Outputs": spell(execution.Outputs), "Parameters": parameters, "Mode": "Auto",
	}
	put(shown, "ExecutionEndTime", execution.EndTime)
	if execution.FailureMessage != "" {
		shown["FailureMessage"] = execution.FailureMessage
	}
	return shown
}

// spell writes outputs as lists of strings: a string as it is, any other value as JSON.
func spell(outputs map[string]any) map[string][]string {
	spelled := map[string][]string{}
	for name, value := range outputs {
		items, isList := value.([]any)
		if !isList {
			items = []any{value}
		}
		spelled[name] = []string{}
		for _, item := range items {
			word, isText := item.(string)
			if !isText {
				encoded, err := json.Marshal(item)
				if err != nil {
					encoded = []byte(err.Error())
				}
				word = string(encoded)
			}
			spelled[name] = append(spelled[name], word)
		}
	}
	return spelled
}

// seconds is a time as the JSON protocols write it.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func put(fields map[string]any, name string, t time.Time) {
	if !t.IsZero() {
		fields[name] = seconds(t)
	}
}

// statusEvent is the event of an execution's status. Time is taken to be the milliseconds since the start.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/monitoring-systems-manager-event-examples.html
func (a *Service) statusEvent(execution *automation.Execution, now time.Time, id string) map[string]any {
	const form = "Jan 2, 2006 3:04:05 PM"
	place := a.options.Place
	detail := map[string]any{
		"ExecutionId": execution.ID, "Definition": execution.DocumentName, "DefinitionVersion": json.Number(execution.DocumentVersion),
		"Status": string(execution.Status), "StartTime": execution.StartTime.UTC().Format(form), "Time": float64(now.Sub(execution.StartTime).Milliseconds()),
		"ExecutedBy": execution.ExecutedBy,
	}
	if !execution.EndTime.IsZero() {
		detail["EndTime"] = execution.EndTime.UTC().Format(form)
	}
	return map[string]any{
		"version": "0", "id": id, "detail-type": "EC2 Automation Execution Status-change Notification", "source": "aws.ssm",
		"account": place.Account, "time": now.UTC().Format(time.RFC3339), "region": place.Region,
		"resources": []any{
			place.ARN("ssm", "automation-execution/"+execution.ID), place.ARN("ssm", "automation-definition/"+execution.DocumentName+":"+execution.DocumentVersion),
		},
		"detail": detail,
	}
}
