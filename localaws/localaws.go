// Package localaws is an AWS on loopback with the loop closed: CloudTrail, AWS Config, SSM Automation and EventBridge run
// in Go, moto_server holds the rest, and every call of every client goes through one gateway, which authorizes it,
// records it and hands CloudTrail's event of it to EventBridge.
//
// Simulated: one account, or the accounts of an organization, the policies that are deployed, and one Region, but for EventBridge, which
// is in all. Not simulated: latency, quotas, signatures, session policies, and whatever answers with the error NotModelled. Which operation is simulated stands in
// README.md, what is taken for granted of AWS in fidelity.md.
package localaws

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/cloudtrail"
	"github.com/trailguard/trailguard/localaws/config"
	"github.com/trailguard/trailguard/localaws/eventbridge"
	"github.com/trailguard/trailguard/localaws/gateway"
	"github.com/trailguard/trailguard/localaws/iam"
	"github.com/trailguard/trailguard/localaws/iam/policy"
	"github.com/trailguard/trailguard/localaws/moto"
	"github.com/trailguard/trailguard/localaws/ssm/automation"
)

// Administrator may do everything that no organization, bucket or key policy takes away. It is meant for deployments into a
// local AWS in api.Home: see AWS.Administrator.
var Administrator = administrator(api.Home())

func administrator(place api.Place) api.Principal {
	return api.Principal{Type: api.IAMUser, ARN: place.GlobalARN("iam", "user/administrator")}
}

// Faults are errors that the gateway injects.
type Faults = gateway.Faults

// CallRecord is one call that went through the gateway.
type CallRecord = gateway.CallRecord

// FailNext returns a fault that fails the next calls of an action, such as cloudtrail:StartLogging, and then no more.
func FailNext(action string, times int, code string) func(api.Call) error {
	return gateway.FailNext(action, times, code)
}

// AWS is one account of a running local AWS: the only one, or one of an Organization.
type AWS struct {
	Clock   *api.Clock
	Gateway *gateway.Gateway
	IAM     *iam.Authorizer

	runner  runner
	wiring  wiring
	options Options

	configHeld atomic.Bool // see HoldConfig

	mu       sync.Mutex
	services *services
}

// runner is what an account's AWS needs of what runs all accounts.
type runner interface {
	url() string
	// of is the account of a principal; other if it is a service's.
	of(p api.Principal, other *AWS) *AWS
	runToQuiescence(ctx context.Context) error
	advance(ctx context.Context, d time.Duration) error
	reset(ctx context.Context) error
	close() error
}

// newAWS makes an account.
func newAWS(c *common, r runner, account string) *AWS {
	a := &AWS{runner: r, options: c.options, Clock: c.clock}
	a.options.Place.Account = account
	a.wiring = wiring{
		options: &a.options, common: c, clock: c.clock, ids: c.ids, evaluatePolicy: c.evaluatePolicy, worker: c.worker,
		direct: moto.ClientConfig(c.motoURL, a.options.Place, c.options.BackendTimeout),
	}
	a.wiring.connect(c.reference, c.motoURL)
	a.Gateway, a.IAM = a.wiring.gateway, a.wiring.iam
	a.IAM.Grant(a.Administrator().ARN, policy.MustParse(policy.Identity, policy.FullAWSAccess))
	a.renew()
	return a
}

// renew makes the services anew, without state, and puts the gateway before them.
func (a *AWS) renew() {
	services, registry := a.wiring.newServices()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.services = services
	a.Gateway.Use(registry)
}

// current are the services of now.
func (a *AWS) current() *services {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.services
}

// URL is the endpoint for clients of other processes.
func (a *AWS) URL() string { return a.runner.url() }

// Place is the account, and the Region of its services.
func (a *AWS) Place() api.Place { return a.options.Place }

// Administrator may do everything that no organization, bucket or key policy takes away. It is meant for deployments.
func (a *AWS) Administrator() api.Principal { return administrator(a.options.Place) }

// Administrate lets a principal do everything that no organization, bucket or key policy takes away.
func (a *AWS) Administrate(p api.Principal) {
	a.runner.of(p, a).IAM.Grant(p.ARN, policy.MustParse(policy.Identity, policy.FullAWSAccess))
}

// Credentials issues an access key for a principal, for clients of other processes. Users are administrators, because
// users of IAM are not modelled; an assumed role has the policies that IAM holds for it, unless it was made an
// administrator.
func (a *AWS) Credentials(p api.Principal) aws.Credentials {
	if p.Type == api.IAMUser || p.Type == api.FederatedUser {
		a.Administrate(p)
	}
	return a.runner.of(p, a).Gateway.Credentials(p)
}

// Config is the configuration of SDK clients that call as a principal: in process, without retries.
func (a *AWS) Config(p api.Principal) aws.Config { return a.Gateway.Config(a.Credentials(p)) }

// CloudTrail is the CloudTrail of now: Reset replaces it.
func (a *AWS) CloudTrail() *cloudtrail.Service { return a.current().trails }

// ConfigService is the AWS Config of now: Reset replaces it.
func (a *AWS) ConfigService() *config.Service { return a.current().config }

// Bus is the EventBridge of now: Reset replaces it.
func (a *AWS) Bus() *eventbridge.Bus { return a.current().events.Bus }

// Executions are all automations since the start or the last reset, in the order in which they started. They may only be
// looked at while nothing runs.
func (a *AWS) Executions() []*automation.Execution { return a.current().automations.Executions() }

// Engine returns an engine whose scripts call as a principal, for executions that a test steps itself. They are none of
// Executions, and AWS knows nothing of them.
func (a *AWS) Engine(p api.Principal) *automation.Engine {
	return a.current().automations.NewEngine(a.Credentials(p).AccessKeyID)
}

// HoldConfig keeps AWS Config from evaluating and remediating while time passes, or lets it go on.
func (a *AWS) HoldConfig(hold bool) { a.configHeld.Store(hold) }

// Err is what the simulation itself could not do: see gateway.Gateway.Err.
func (a *AWS) Err() error { return a.Gateway.Err() }

// ResetCalls forgets calls, failures, faults, the policies of SetOrganizationPolicies and what is known of the deployed policies. What
// is deployed stays.
func (a *AWS) ResetCalls() {
	a.Gateway.Reset()
	a.IAM.Reset()
}

// Reset forgets all state but the clock, access keys and administrators. Nothing may be running. That of one account of an Organization
// is that of all: see Organization.Reset.
func (a *AWS) Reset(ctx context.Context) error { return a.runner.reset(ctx) }

// Close ends everything that Start or StartOrganization started.
func (a *AWS) Close() error { return a.runner.close() }

// RunToQuiescence delivers events and makes the steps of the running automations, one at a time, until no event is
// queued and no automation runs. Events that EventBridge will retry later stay with it: see Advance. All accounts run.
func (a *AWS) RunToQuiescence(ctx context.Context) error { return a.runner.runToQuiescence(ctx) }

// Advance moves the clock forward, lets CloudTrail try a delivery, Config do what is due and the schedules of EventBridge
// fire that are due, and runs to quiescence. Time passes in all accounts.
func (a *AWS) Advance(ctx context.Context, d time.Duration) error { return a.runner.advance(ctx, d) }
