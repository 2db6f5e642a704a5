package localaws

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cloudtrailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/cloudtrail"
	"github.com/trailguard/trailguard/localaws/config"
	localevents "github.com/trailguard/trailguard/localaws/eventbridge"
	"github.com/trailguard/trailguard/localaws/iam/policy"
	"github.com/trailguard/trailguard/localaws/moto"
	"github.com/trailguard/trailguard/localaws/servicereference"
	"github.com/trailguard/trailguard/localaws/ssm/automation"
)

// Administrator may do everything that no organization, bucket or key policy takes away. It is meant for deployments.
var Administrator = api.Principal{Type: api.IAMUser, ARN: "arn:" + api.Partition + ":iam::" + api.Account + ":user/administrator"}

// remediationRole is the service-linked role with which Config starts remediations.
// https://docs.aws.amazon.com/config/latest/developerguide/using-service-linked-roles-remediation.html
var remediationRole = api.Principal{
	Type: api.AssumedRole, SessionName: "ConfigRemediation",
	ARN: "arn:" + api.Partition + ":iam::" + api.Account +
		":role/aws-service-role/remediation.config.amazonaws.com/AWSServiceRoleForConfigRemediation",
}

// remediationPolicy is the part of the role's managed policy, ConfigRemediationServiceRolePolicy, that is used here.
const remediationPolicy = `{"Version":"2012-10-17","Statement":[
	{"Effect":"Allow","Action":["ssm:GetDocument","ssm:DescribeDocument","ssm:StartAutomationExecution"],"Resource":"*"},
	{"Effect":"Allow","Action":"iam:PassRole","Resource":"*","Condition":{"StringEquals":{"iam:PassedToService":"ssm.amazonaws.com"}}}]}`

// Options are the settings of a local AWS. The readings are of what AWS's documentation leaves open: a guard must work
// under each.
type Options struct {
	// Python is an interpreter that has moto and boto3. Required.
	Python string
	// NodeModules is the folder of Node modules that holds cfn-guard and the Service Authorization Reference. Required.
	NodeModules string
	// Start is what the clock shows first.
	//
	// Default: - the first of January 2030.
	Start time.Time
	// ScriptLimit is how long a script of a runbook may compute between two calls, on a real clock.
	//
	// Default: - see automation.WorkerOptions.
	ScriptLimit time.Duration
	// Rand chooses which of the running executions makes its next step.
	//
	// Default: - they take turns.
	Rand *rand.Rand

	// Organization is what the account is in AWS Organizations.
	//
	// Default: - no organization is in use.
	Organization cloudtrail.Organization
	// OrganizationID is the folder of an organization trail's log files.
	//
	// Default: - o-exampleorgid.
	OrganizationID string
	// RateLimited refuses a second change of a trail within a second.
	//
	// Default: - any number is accepted.
	RateLimited bool

	DropDeletionOfLastTrail   bool                   // see GatewayOptions
	DefaultSelectorsAreCustom bool                   // see cloudtrail.Options
	UnsetFields               config.UnsetFields     // see config.Options
	TrailResourceID           config.TrailResourceID // see config.Options
	AttemptCount              config.AttemptCount    // see config.Options
	Events                    localevents.Options    // see localevents.Bus
}

// AWS is a running local AWS.
type AWS struct {
	Clock   *api.Clock
	Gateway *Gateway

	options        Options
	listener       net.Listener
	server         *http.Server
	moto           *moto.Server
	worker         *automation.Worker
	backend        *backend
	logs           *cloudwatchlogs.Client
	evaluatePolicy func(context.Context, string, []byte) (config.Verdict, error)

	configHeld atomic.Bool // see HoldConfig

	mu       sync.Mutex
	services *services
}

// services are the parts of AWS that run in Go. Reset replaces them.
type services struct {
	trails      *cloudtrail.Service
	config      *config.Service
	rules       *localevents.ClientRules
	bus         *localevents.Bus
	stacks      *stacks
	automations *automations
	history     *history
}

// Start starts moto and everything else. The caller must Close what it returns. ctx bounds the start only.
func Start(ctx context.Context, options Options) (_ *AWS, err error) {
	a := &AWS{options: options, Clock: api.NewClock(cmp.Or(options.Start, time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)))}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("starting the local AWS: %w", err), a.Close())
		}
	}()
	reference, err := servicereference.Open(options.NodeModules)
	if err != nil {
		return nil, err
	}
	path, err := config.CfnGuardPath(options.NodeModules)
	if err != nil {
		return nil, err
	}
	a.evaluatePolicy = (&config.CfnGuard{Path: path}).Evaluate
	if a.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	// moto wants to know the gateway's address, and the gateway moto's: the gateway listens first and answers later.
	if a.moto, err = moto.Start(ctx, moto.Options{Python: options.Python, GatewayURL: a.URL()}); err != nil {
		return nil, err
	}
	a.worker = automation.NewWorker(automation.WorkerOptions{Python: options.Python, ComputeLimit: options.ScriptLimit})
	direct := backendConfig(a.moto.URL())
	a.backend, a.logs = newBackend(direct), cloudwatchlogs.NewFromConfig(direct)
	a.Gateway = NewGateway(GatewayOptions{
		Clock: a.Clock, Backend: a.moto.URL(), Directory: a.backend, Reference: reference, Handlers: a.handlers(), Logs: a.logsCall,
		Checks: a.checks(), Changed: a.changed, Sink: a.publish, DropDeletionOfLastTrail: options.DropDeletionOfLastTrail,
		History: func(event map[string]any) { a.current().history.add(event) },
	})
	a.Administrate(Administrator)
	a.Gateway.Grant(remediationRole.ARN, policy.MustParse(policy.Identity, remediationPolicy))
	a.services = a.newServices()
	a.server = &http.Server{Handler: a.Gateway, ReadHeaderTimeout: time.Minute}
	// Serve returns when Close closes the server.
	go func() { _ = a.server.Serve(a.listener) }()
	return a, nil
}

// newServices makes the services anew, without state.
func (a *AWS) newServices() *services {
	direct := backendConfig(a.moto.URL())
	s := &services{rules: localevents.NewClientRules(eventbridge.NewFromConfig(direct)), stacks: newStacks(direct), history: &history{}}
	s.bus = localevents.NewBus(s.rules, &targets{gateway: a.Gateway, configs: map[string]aws.Config{}}, a.Clock, a.options.Events)
	s.trails = cloudtrail.New(cloudtrail.Options{
		Clock: a.Clock, Organization: a.options.Organization, RateLimited: a.options.RateLimited,
		DefaultSelectorsAreCustom: a.options.DefaultSelectorsAreCustom,
		Environment: &environment{
			gateway: a.Gateway, backend: a.backend, logs: a.logs, organizationID: cmp.Or(a.options.OrganizationID, "o-exampleorgid"),
		},
	})
	remediator := ssm.NewFromConfig(a.Gateway.config(a.Gateway.ServiceCredentials(remediationRole, "config.amazonaws.com", nil)))
	s.config = config.New(config.Options{
		Clock: a.Clock, Trails: s.trails.Trails, EvaluatePolicy: a.evaluatePolicy, Emit: s.bus.Publish,
		DocumentExists: a.backend.documentExists, BucketExists: a.backend.bucketExists,
		Unset: a.options.UnsetFields, ResourceID: a.options.TrailResourceID, Attempts: a.options.AttemptCount,
		StartAutomation: func(ctx context.Context, document, version string, parameters map[string][]string) (string, error) {
			input := &ssm.StartAutomationExecutionInput{DocumentName: &document, Parameters: parameters}
			if version != "" {
				input.DocumentVersion = &version
			}
			started, err := remediator.StartAutomationExecution(ctx, input)
			if err != nil {
				return "", refused(err)
			}
			return aws.ToString(started.AutomationExecutionId), nil
		},
	})
	s.automations = newAutomations(a.Gateway, a.Clock, a.worker)
	s.automations.definition = func(ctx context.Context, name, version string) (definition, error) {
		return cached(a.Gateway, "ssm "+name+" "+version, func() (definition, error) { return a.backend.definition(ctx, name, version) })
	}
	s.automations.changed = func(x *automation.Execution) {
		a.publish(statusEvent(x, a.Clock.Now(), fmt.Sprintf("00000000-0000-4000-8003-%012x", a.Gateway.sequence.Add(1))))
		if x.Status != automation.Pending && x.Status != automation.InProgress {
			s.config.AutomationFinished(x.ID, x.Status == automation.Success)
		}
	}
	return s
}

// current are the services of now.
func (a *AWS) current() *services {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.services
}

// currentHandler hands a call to the services of now.
type currentHandler func() api.Handler

// Handle answers one call.
func (h currentHandler) Handle(ctx context.Context, call api.Call) (any, error) {
	return h().Handle(ctx, call)
}

func (a *AWS) handlers() map[string]api.Handler {
	handlers := map[string]api.Handler{
		"cloudtrail": currentHandler(func() api.Handler { return a.current().trails }),
		"config":     currentHandler(func() api.Handler { return a.current().config }),

		"cloudtrail:LookupEvents": currentHandler(func() api.Handler { return a.current().history }),
		"events:TestEventPattern": patternTester{a.options.Events},
	}
	for _, operation := range automationOperations {
		handlers["ssm:"+operation] = currentHandler(func() api.Handler { return a.current().automations })
	}
	return handlers
}

// publish hands an event to EventBridge.
func (a *AWS) publish(event map[string]any) {
	if err := a.current().bus.Publish(context.Background(), event); err != nil {
		a.Gateway.fail(err)
	}
}

// scheduleOperations change whether and when the schedule of a rule fires.
var scheduleOperations = []string{"PutRule", "DeleteRule", "EnableRule", "DisableRule"}

// changed forgets the rules of EventBridge that a call may have changed, takes notice of their schedules, and tells
// EventBridge what became of the stacks of CloudFormation.
func (a *AWS) changed(call api.Call) {
	s := a.current()
	if call.Service == "events" || call.Service == "cloudformation" {
		s.rules.Invalidate()
	}
	if call.Service == "events" && slices.Contains(scheduleOperations, call.Operation) {
		if err := s.bus.NoteSchedules(context.Background()); err != nil {
			a.Gateway.fail(fmt.Errorf("after %s: %w", call.Action(), err))
		}
	}
	if call.Service == "cloudformation" && slices.Contains(stackOperations, call.Operation) {
		a.tellStacks(call)
	}
}

// logsCall tells whether a trail is logging a call that changes something.
func (a *AWS) logsCall(call api.Call) bool {
	return slices.ContainsFunc(a.current().trails.Trails(), func(t cloudtrail.Trail) bool {
		return t.IsLogging && (t.IsMultiRegionTrail || t.HomeRegion == call.Region) &&
			(t.IncludeGlobalServiceEvents || !isGlobal(call.Service)) && selectsWrites(t, eventSource(call.Service))
	})
}

// isGlobal tells whether a service's events are global service events.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-concepts.html#cloudtrail-concepts-global-service-events
func isGlobal(service string) bool {
	return service == "iam" || service == "sts" || service == "organizations"
}

// selectsWrites tells whether a trail's selectors select the write management events of a service. An advanced selector
// that looks at anything but the category, readOnly and eventSource is taken to select nothing.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-management-events-with-cloudtrail.html
func selectsWrites(t cloudtrail.Trail, source string) bool {
	for _, selector := range t.EventSelectors {
		if aws.ToBool(selector.IncludeManagementEvents) && selector.ReadWriteType != cloudtrailtypes.ReadWriteTypeReadOnly &&
			!slices.Contains(selector.ExcludeManagementEventSources, source) {
			return true
		}
	}
	for _, selector := range t.AdvancedEventSelectors {
		selects := true
		for _, field := range selector.FieldSelectors {
			actual, known := map[string]string{"eventCategory": "Management", "readOnly": "false", "eventSource": source}[aws.ToString(field.Field)]
			only := len(field.StartsWith)+len(field.EndsWith)+len(field.NotStartsWith)+len(field.NotEndsWith) == 0
			selects = selects && known && only && !slices.Contains(field.NotEquals, actual) &&
				(len(field.Equals) == 0 || slices.Contains(field.Equals, actual))
		}
		if selects {
			return true
		}
	}
	return false
}

// URL is the endpoint for clients of other processes.
func (a *AWS) URL() string { return "http://" + a.listener.Addr().String() }

// Administrate lets a principal do everything that no organization, bucket or key policy takes away.
func (a *AWS) Administrate(p api.Principal) {
	a.Gateway.Grant(p.ARN, policy.MustParse(policy.Identity, policy.FullAWSAccess))
}

// Credentials issues an access key for a principal, for clients of other processes. Users are administrators, because
// users of IAM are not modelled; an assumed role has the policies that IAM holds for it, unless it was made an
// administrator.
func (a *AWS) Credentials(p api.Principal) aws.Credentials {
	if p.Type == api.IAMUser || p.Type == api.FederatedUser {
		a.Administrate(p)
	}
	return a.Gateway.Credentials(p)
}

// Config is the configuration of SDK clients that call as a principal: in process, without retries.
func (a *AWS) Config(p api.Principal) aws.Config { return a.Gateway.config(a.Credentials(p)) }

// CloudTrail is the CloudTrail of now: Reset replaces it.
func (a *AWS) CloudTrail() *cloudtrail.Service { return a.current().trails }

// ConfigService is the AWS Config of now: Reset replaces it.
func (a *AWS) ConfigService() *config.Service { return a.current().config }

// Bus is the EventBridge of now: Reset replaces it.
func (a *AWS) Bus() *localevents.Bus { return a.current().bus }

// Executions are all automations since the start or the last reset, in the order in which they started. They may only be
// looked at while nothing runs.
func (a *AWS) Executions() []*automation.Execution { return a.current().automations.executions() }

// Engine returns an engine whose scripts call as a principal, for executions that a test steps itself. They are none of
// Executions, and AWS knows nothing of them.
func (a *AWS) Engine(p api.Principal) *automation.Engine {
	return newEngine(a.Gateway, a.Clock, a.worker, a.Credentials(p).AccessKeyID)
}

// maxSteps ends a loop that feeds itself.
const maxSteps = 100_000

// RunToQuiescence delivers events and makes the steps of the running automations, one at a time, until no event is
// queued and no automation runs. Events that EventBridge will retry later stay with it: see Advance.
func (a *AWS) RunToQuiescence(ctx context.Context) error {
	s := a.current()
	turn := func(int) int { return 0 }
	if a.options.Rand != nil {
		turn = a.options.Rand.IntN
	}
	for range maxSteps {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("running to quiescence: %w", err)
		}
		if err := s.bus.Deliver(ctx); err != nil {
			return fmt.Errorf("running to quiescence: %w", err)
		}
		if !s.automations.step(ctx, turn) {
			return nil
		}
	}
	return fmt.Errorf("running to quiescence: there is no end after %d steps", maxSteps)
}

// Advance moves the clock forward, lets CloudTrail try a delivery, Config do what is due and the schedules of EventBridge
// fire that are due, and runs to quiescence.
func (a *AWS) Advance(ctx context.Context, d time.Duration) error {
	a.Clock.Advance(d)
	s := a.current()
	if err := s.trails.Deliver(ctx); err != nil {
		return fmt.Errorf("advancing by %s: %w", d, err)
	}
	if !a.configHeld.Load() {
		if err := s.config.Tick(ctx); err != nil {
			return fmt.Errorf("advancing by %s: %w", d, err)
		}
	}
	if err := s.bus.FireSchedules(ctx); err != nil {
		return fmt.Errorf("advancing by %s: %w", d, err)
	}
	return a.RunToQuiescence(ctx)
}

// HoldConfig keeps AWS Config from evaluating and remediating while time passes, or lets it go on.
func (a *AWS) HoldConfig(hold bool) { a.configHeld.Store(hold) }

// Err is what the simulation itself could not do: see Gateway.Err.
func (a *AWS) Err() error { return a.Gateway.Err() }

// Reset forgets all state but the clock, access keys and administrators. Nothing may be running.
func (a *AWS) Reset(ctx context.Context) error {
	if err := a.moto.Reset(ctx); err != nil {
		return fmt.Errorf("resetting the local AWS: %w", err)
	}
	a.Gateway.Reset()
	a.HoldConfig(false)
	fresh := a.newServices()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.services = fresh
	return nil
}

// Close ends everything that Start started.
func (a *AWS) Close() error {
	var problems []error
	switch {
	case a.server != nil:
		problems = append(problems, a.server.Close())
	case a.listener != nil:
		problems = append(problems, a.listener.Close())
	}
	if a.worker != nil {
		problems = append(problems, a.worker.Close())
	}
	if a.moto != nil {
		problems = append(problems, a.moto.Stop())
	}
	return errors.Join(problems...)
}
