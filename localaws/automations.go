package localaws

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/iam/policy"
	"github.com/trailguard/trailguard/localaws/ssm/automation"
)

// automationService is the principal that assumes the roles of runbooks.
const automationService = "ssm.amazonaws.com"

// maxRunning is how many executions run at once, without adaptive concurrency.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/adaptive-concurrency.html
const maxRunning = 100

// automations is the part of Systems Manager that runs documents: StartAutomationExecution, StopAutomationExecution,
// GetAutomationExecution and DescribeAutomationExecutions. Executions do nothing until they are stepped.
type automations struct {
	gateway *Gateway
	clock   *api.Clock
	worker  *automation.Worker
	// definition returns a document's version; an *api.Error where there is none.
	definition func(ctx context.Context, name, version string) (definition, error)
	// changed is told of each change of an execution's status. It must not step executions.
	changed func(*automation.Execution)

	mu       sync.Mutex
	parsed   map[string]*automation.Document // by content
	engines  map[api.Principal]*automation.Engine
	all      []*automation.Execution
	running  []*automation.Execution        // at most maxRunning, without those that are being stepped
	stepping map[*automation.Execution]bool // run, too
	queued   []*automation.Execution        // wait until one of those that run has ended
	shown    map[string]map[string]any      // what GetAutomationExecution answers, by id
}

func newAutomations(gateway *Gateway, clock *api.Clock, worker *automation.Worker) *automations {
	return &automations{
		gateway: gateway, clock: clock, worker: worker, changed: func(*automation.Execution) {},
		parsed: map[string]*automation.Document{}, engines: map[api.Principal]*automation.Engine{},
		stepping: map[*automation.Execution]bool{}, shown: map[string]map[string]any{},
	}
}

// definition is one version of a document.
type definition struct{ content, version string }

// definition reads a version of a document: a number, $DEFAULT or $LATEST.
func (b *backend) definition(ctx context.Context, name, version string) (definition, error) {
	input := &ssm.GetDocumentInput{Name: &name}
	// moto takes no version for the default one, and knows no other name for it.
	if version != "$DEFAULT" {
		input.DocumentVersion = &version
	}
	got, err := b.ssm.GetDocument(ctx, input)
	if err != nil {
		return definition{}, refused(err)
	}
	return definition{content: aws.ToString(got.Content), version: aws.ToString(got.DocumentVersion)}, nil
}

// documentName is the name of a document that is given by its name or its ARN.
func documentName(nameOrARN string) string {
	return nameOrARN[strings.LastIndexByte(nameOrARN, '/')+1:]
}

// checkDocument refuses an Automation document that could not run. The type of a new version is that of the document.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_CreateDocument.html
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_UpdateDocument.html
func (b *backend) checkDocument(ctx context.Context, call api.Call) error {
	kind := text(call.Input, "DocumentType")
	if call.Operation == "UpdateDocument" {
		name := text(call.Input, "Name")
		got, err := b.ssm.GetDocument(ctx, &ssm.GetDocumentInput{Name: &name})
		if isRefusal(refused(err)) {
			return nil // there is no such document: moto says so itself
		}
		if err != nil {
			return fmt.Errorf("reading document %s: %w", name, err)
		}
		kind = string(got.DocumentType)
	}
	if kind != string(ssmtypes.DocumentTypeAutomation) {
		return nil
	}
	content, format := text(call.Input, "Content"), cmp.Or(text(call.Input, "DocumentFormat"), "JSON")
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

// newEngine returns an engine whose scripts call through a gateway with an access key.
func newEngine(gateway *Gateway, clock *api.Clock, worker *automation.Worker, accessKeyID string) *automation.Engine {
	return &automation.Engine{
		Worker: worker, AccessKeyID: accessKeyID, Clock: clock, OnFailure: gateway.fail,
		Send: func(r *http.Request) (automation.Answer, error) {
			answer, record, err := gateway.send(r)
			if err != nil {
				return automation.Answer{}, err
			}
			return automation.Answer{
				Status: answer.status, Header: answer.header, Body: answer.body, Call: record.Call, ErrorCode: record.ErrorCode,
			}, nil
		},
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
	case "StopAutomationExecution":
		return a.stop(ctx, call)
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
	name := documentName(in.DocumentName)
	found, err := a.definition(ctx, name, in.DocumentVersion)
	if isRefusal(err) {
		return nil, api.Errorf("AutomationDefinitionNotFoundException", "document %s of version %s: %v", name, in.DocumentVersion, err)
	}
	if err != nil {
		return nil, fmt.Errorf("reading document %s: %w", name, err)
	}
	document, err := a.parse(found.content)
	if err != nil {
		return nil, api.Errorf("InvalidAutomationExecutionParametersException", "document %s of version %s is no runbook: %v", name, found.version, err)
	}
	options := automation.Options{DocumentName: name, DocumentVersion: found.version, ExecutedBy: policy.SessionARN(call.Principal)}
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
	a.queued = append(a.queued, x)
	a.admit()
	a.shown[x.ID] = show(x)
	return map[string]any{"AutomationExecutionId": x.ID}, nil
}

// admit lets queued executions run, as many as may. The caller holds mu.
func (a *automations) admit() {
	n := min(len(a.queued), maxRunning-len(a.running)-len(a.stepping))
	a.running = append(a.running, a.queued[:n]...)
	a.queued = a.queued[n:]
}

// stop cancels an execution. What the script asks for now is still answered. That Complete lets the current step end is
// not modelled.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_StopAutomationExecution.html
func (a *automations) stop(ctx context.Context, call api.Call) (any, error) {
	var in struct{ AutomationExecutionId, Type string }
	if err := decodeInput(call, &in); err != nil {
		return nil, err
	}
	if in.Type != "" && in.Type != "Cancel" && in.Type != "Complete" {
		return nil, api.Errorf("ValidationException", "type %q must be Cancel or Complete", in.Type)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	is := func(x *automation.Execution) bool { return x.ID == in.AutomationExecutionId }
	i := slices.IndexFunc(a.all, is)
	if i < 0 {
		return nil, api.Errorf("AutomationExecutionNotFoundException", "there is no automation execution %s", in.AutomationExecutionId)
	}
	x := a.all[i]
	runs := slices.ContainsFunc(a.running, is) || slices.ContainsFunc(a.queued, is)
	if !runs && !a.stepping[x] {
		return nil, api.Errorf("InvalidAutomationStatusUpdateException", "automation execution %s has ended", x.ID)
	}
	x.Cancel()
	if !runs {
		// Whoever steps it finds that it is cancelled: it may be a script of its own that calls.
		shown := maps.Clone(a.shown[x.ID])
		shown["AutomationExecutionStatus"] = string(automation.Cancelled)
		a.shown[x.ID] = shown
		return nil, nil
	}
	a.running, a.queued = slices.DeleteFunc(a.running, is), slices.DeleteFunc(a.queued, is)
	a.advance(ctx, x)
	return nil, nil
}

// advance makes a step of an execution that neither runs nor is queued, and lets it go on to run unless it has ended. The
// caller holds mu, which is not held during the step.
func (a *automations) advance(ctx context.Context, x *automation.Execution) {
	a.stepping[x] = true
	a.mu.Unlock()
	done := x.Step(ctx)
	a.mu.Lock()
	delete(a.stepping, x)
	a.shown[x.ID] = show(x)
	if !done {
		a.running = append(a.running, x)
	}
	a.admit()
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
	err = a.gateway.Authorize(ctx, service, "sts:AssumeRole", role, fromSource(arnOf(call, "automation-execution/"+id)))
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
		engine = newEngine(a.gateway, a.clock, a.worker, a.gateway.ServiceCredentials(actor, automationService, nil).AccessKeyID)
		engine.OnStatus = func(x *automation.Execution) { a.changed(x) }
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

// step makes a step of one of the executions that run, and reports whether there was one.
func (a *automations) step(ctx context.Context, choose func(n int) int) (running bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.running) == 0 {
		return false
	}
	i := automation.Next(a.running, choose)
	x := a.running[i]
	a.running = slices.Delete(a.running, i, i+1)
	a.advance(ctx, x)
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
		if len(record.Outputs) > 0 {
			step["Outputs"] = spell(record.Outputs)
		}
		steps = append(steps, step)
	}
	parameters := x.Parameters
	if parameters == nil {
		parameters = map[string][]string{}
	}
	shown := map[string]any{
		"AutomationExecutionId": x.ID, "AutomationExecutionStatus": string(x.Status), "DocumentName": x.DocumentName,
		"DocumentVersion": x.DocumentVersion, "ExecutedBy": x.ExecutedBy, "ExecutionStartTime": seconds(x.StartTime),
		"StepExecutions": steps, "Outputs": spell(x.Outputs), "Parameters": parameters, "Mode": "Auto",
	}
	put(shown, "ExecutionEndTime", x.EndTime)
	if x.FailureMessage != "" {
		shown["FailureMessage"] = x.FailureMessage
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

// statusEvent is what EventBridge is told of an execution's status. Time is taken to be the milliseconds since the start.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/monitoring-systems-manager-event-examples.html
func statusEvent(x *automation.Execution, now time.Time, id string) map[string]any {
	const form = "Jan 2, 2006 3:04:05 PM"
	arn := fmt.Sprintf("arn:%s:ssm:%s:%s:", api.Partition, api.Region, api.Account)
	detail := map[string]any{
		"ExecutionId": x.ID, "Definition": x.DocumentName, "DefinitionVersion": json.Number(x.DocumentVersion),
		"Status": string(x.Status), "StartTime": x.StartTime.UTC().Format(form), "Time": float64(now.Sub(x.StartTime).Milliseconds()),
		"ExecutedBy": x.ExecutedBy,
	}
	if !x.EndTime.IsZero() {
		detail["EndTime"] = x.EndTime.UTC().Format(form)
	}
	return map[string]any{
		"version": "0", "id": id, "detail-type": "EC2 Automation Execution Status-change Notification", "source": "aws.ssm",
		"account": api.Account, "time": now.UTC().Format(time.RFC3339), "region": api.Region,
		"resources": []any{arn + "automation-execution/" + x.ID, arn + "automation-definition/" + x.DocumentName + ":" + x.DocumentVersion},
		"detail":    detail,
	}
}
