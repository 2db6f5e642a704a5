package localaws

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/config"
	"github.com/trailguard/trailguard/localaws/gateway"
	"github.com/trailguard/trailguard/localaws/iam"
	"github.com/trailguard/trailguard/localaws/iam/servicereference"
	"github.com/trailguard/trailguard/localaws/moto"
	"github.com/trailguard/trailguard/localaws/ssm/automation"
)

// machine is what the accounts of a local AWS have in common: one moto, one door, one clock, one worker for scripts.
type machine struct {
	options        Options // Place is that of the first account
	alone          bool    // there is one account, whatever a principal's ARN says
	clock          *api.Clock
	ids            *api.IDs
	reference      *servicereference.Reference
	evaluatePolicy func(context.Context, string, []byte) (config.Verdict, error)
	worker         *automation.Worker
	door           *gateway.Door
	listener       net.Listener
	server         *http.Server
	moto           *moto.Server
	motoURL        string
	state          *moto.State
	memberships    *memberships
	stacks         stackJournal
	stackSets      string                          // the access key of StackSets in the first account
	found          func(ctx context.Context) error // makes the organization, if there is one

	mu       sync.Mutex
	accounts map[string]*AWS
	owners   map[string]string // of buckets
}

// defaultBackendTimeout is long: a deployment of CloudFormation is one call, and machines can be busy.
const defaultBackendTimeout = 5 * time.Minute

// startMachine starts moto and everything else. ctx bounds the start only.
func startMachine(ctx context.Context, options Options, alone bool) (_ *machine, err error) {
	options.Place = options.Place.Or(api.Home())
	options.BackendTimeout = cmp.Or(options.BackendTimeout, defaultBackendTimeout)
	m := &machine{
		options: options, alone: alone, ids: &api.IDs{}, door: gateway.NewDoor(),
		clock:    api.NewClock(cmp.Or(options.Start, time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))),
		accounts: map[string]*AWS{}, owners: map[string]string{},
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("starting the local AWS: %w", err), m.close())
		}
	}()
	if m.reference, err = servicereference.Open(options.NodeModules); err != nil {
		return nil, err
	}
	path, err := config.CfnGuardPath(options.NodeModules)
	if err != nil {
		return nil, err
	}
	m.evaluatePolicy = (&config.CfnGuard{Path: path}).Evaluate
	if m.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	// moto wants to know the gateway's address, and the gateway moto's: the gateway listens first and answers later.
	if m.moto, err = moto.Start(ctx, moto.Options{Python: options.Python, GatewayURL: m.url()}); err != nil {
		return nil, err
	}
	m.connect(m.moto.URL())
	m.worker = automation.NewWorker(automation.WorkerOptions{
		Python: options.Python, Region: options.Place.Region, ComputeLimit: options.ScriptLimit,
	})
	// Any gateway takes a call to that of the caller's account.
	m.server = &http.Server{Handler: m.account(options.Place.Account).Gateway, ReadHeaderTimeout: time.Minute}
	// Serve returns when close closes the server.
	go func() { _ = m.server.Serve(m.listener) }()
	return m, nil
}

// connect says where moto is.
func (m *machine) connect(url string) {
	m.motoURL, m.state = url, moto.NewState(url, m.options.BackendTimeout)
	m.memberships = &memberships{read: m.state.Organizations}
}

// url is the endpoint for clients of other processes.
func (m *machine) url() string { return "http://" + m.listener.Addr().String() }

// account is the account with an id. It is made when it is first asked for.
func (m *machine) account(id string) *AWS {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.alone {
		id = m.options.Place.Account
	}
	a, ok := m.accounts[id]
	if !ok {
		a = newAWS(m, id)
		m.accounts[id] = a
	}
	return a
}

// of is the account of a principal; other if it is a service's.
func (m *machine) of(p api.Principal, other *AWS) *AWS {
	if id := p.Account(); id != "" && id != other.Place().Account {
		return m.account(id)
	}
	return other
}

// all are the accounts that have been asked for, in the order of their ids.
func (m *machine) all() []*AWS {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []*AWS
	for _, id := range slices.Sorted(maps.Keys(m.accounts)) {
		all = append(all, m.accounts[id])
	}
	return all
}

// authorizer is the Authorizer of an account.
func (m *machine) authorizer(account string) *iam.Authorizer { return m.account(account).IAM }

// bucketOwner is the account that owns a bucket; empty if there is no such bucket.
func (m *machine) bucketOwner(ctx context.Context, bucket string) (string, error) {
	if m.alone {
		return m.options.Place.Account, nil
	}
	m.mu.Lock()
	owner, known := m.owners[bucket]
	m.mu.Unlock()
	if known {
		return owner, nil
	}
	owner, err := m.state.BucketOwner(ctx, bucket)
	if err != nil || owner == "" {
		return "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.owners[bucket] = owner
	return owner, nil
}

// ownerOf is the gateway of the account that owns what a call names, by an ARN, a URL or the name of a bucket; nil if the call names
// nothing of another account.
func (m *machine) ownerOf(ctx context.Context, call api.Call, name string) (*gateway.Gateway, error) {
	if m.alone || call.Action() == "s3:CreateBucket" {
		return nil, nil
	}
	owner := api.PlaceOf(name).Account
	switch call.Service {
	case "s3":
		var err error
		if owner, err = m.bucketOwner(ctx, name); err != nil {
			return nil, fmt.Errorf("looking for the owner of bucket %s: %w", name, err)
		}
	case "sqs":
		if fields := strings.Split(name, "/"); len(fields) > 1 {
			owner = fields[len(fields)-2]
		}
	}
	if len(owner) != len(api.Account) || owner == call.Account {
		return nil, nil
	}
	return m.account(owner).Gateway, nil
}

// Begin forgets the owner of a bucket that is deleted. The machine is an api.Observer.
func (m *machine) Begin(request api.Request) func(api.Outcome) {
	if request.Action() != "s3:DeleteBucket" {
		return nil
	}
	return func(api.Outcome) {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.owners, request.Text("Bucket"))
	}
}

// reset forgets all state but the clock, access keys and administrators, and makes the organization anew. Nothing may be running.
func (m *machine) reset(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, m.options.BackendTimeout)
	defer cancel()
	if err := m.moto.Reset(ctx); err != nil {
		return fmt.Errorf("resetting the local AWS: %w", err)
	}
	m.mu.Lock()
	m.owners = map[string]string{}
	m.mu.Unlock()
	m.memberships.forget()
	for _, a := range m.all() {
		a.ResetCalls()
		a.HoldConfig(false)
		a.renew()
	}
	if m.found == nil {
		return nil
	}
	if err := m.found(ctx); err != nil {
		return fmt.Errorf("resetting the local AWS: %w", err)
	}
	return nil
}

// err is what the simulation of all accounts could not do.
func (m *machine) err() error {
	var failures []error
	for _, a := range m.all() {
		if err := a.Gateway.Err(); err != nil && !m.alone {
			err = fmt.Errorf("account %s: %w", a.Place().Account, err)
			failures = append(failures, err)
		} else {
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}

// close ends everything that startMachine started.
func (m *machine) close() error {
	var problems []error
	switch {
	case m.server != nil:
		problems = append(problems, m.server.Close())
	case m.listener != nil:
		problems = append(problems, m.listener.Close())
	}
	if m.worker != nil {
		problems = append(problems, m.worker.Close())
	}
	if m.moto != nil {
		problems = append(problems, m.moto.Stop())
	}
	return errors.Join(problems...)
}
