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
	"sync"
	"time"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/cloudtrail"
	"github.com/trailguard/trailguard/localaws/config"
	"github.com/trailguard/trailguard/localaws/eventbridge"
	"github.com/trailguard/trailguard/localaws/gateway"
	"github.com/trailguard/trailguard/localaws/iam"
	"github.com/trailguard/trailguard/localaws/iam/servicereference"
	"github.com/trailguard/trailguard/localaws/moto"
	"github.com/trailguard/trailguard/localaws/ssm/automation"
)

// machine is what runs the accounts of a local AWS.
type machine struct {
	*common
	listener net.Listener
	server   *http.Server
	moto     *moto.Server
	found    func(ctx context.Context) error // makes the organization, if there is one

	accountsMu sync.Mutex
	accounts   map[string]*AWS
}

// defaultBackendTimeout is long: a deployment of CloudFormation is one call, and machines can be busy.
const defaultBackendTimeout = 5 * time.Minute

// Start starts a local AWS of one account: moto and everything else. The caller must Close what it returns. ctx bounds the start only.
func Start(ctx context.Context, options Options) (*AWS, error) {
	m, err := startMachine(ctx, options, true)
	if err != nil {
		return nil, err
	}
	return m.account(m.options.Place.Account), nil
}

// startMachine starts moto and everything else. ctx bounds the start only.
func startMachine(ctx context.Context, options Options, alone bool) (_ *machine, err error) {
	options.Place = options.Place.Or(api.Home())
	options.BackendTimeout = cmp.Or(options.BackendTimeout, defaultBackendTimeout)
	m := &machine{accounts: map[string]*AWS{}, common: &common{
		options: options, alone: alone, ids: &api.IDs{}, door: gateway.NewDoor(), owners: map[string]string{},
		clock: api.NewClock(cmp.Or(options.Start, time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))),
	}}
	m.others = others{
		gateway:    func(account string) *gateway.Gateway { return m.account(account).Gateway },
		authorizer: func(account string) *iam.Authorizer { return m.account(account).IAM },
		bus:        func(account string) *eventbridge.Bus { return m.account(account).Bus() },
		trails:     func(account string) *cloudtrail.Service { return m.account(account).CloudTrail() },
		directory:  func(account string) *moto.Directory { return m.account(account).wiring.directory },
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

// url is the endpoint for clients of other processes.
func (m *machine) url() string { return "http://" + m.listener.Addr().String() }

// account is the account with an id. It is made when it is first asked for.
func (m *machine) account(id string) *AWS {
	m.accountsMu.Lock()
	defer m.accountsMu.Unlock()
	if m.alone {
		id = m.options.Place.Account
	}
	a, ok := m.accounts[id]
	if !ok {
		a = newAWS(m.common, m, id)
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
	m.accountsMu.Lock()
	defer m.accountsMu.Unlock()
	var all []*AWS
	for _, id := range slices.Sorted(maps.Keys(m.accounts)) {
		all = append(all, m.accounts[id])
	}
	return all
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
