// Package gateway is the one door to the local AWS: it reads who calls what, has an Authorizer decide whether they may, has the
// call answered by the service that registered for it or by moto, and reports to the observers what became of it. It knows no
// service: what it must know of an operation the catalogue says.
package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/catalog"
	"github.com/trailguard/trailguard/localaws/wire"
)

// Authorizer decides whether a call may be made. A refusal is an *api.Error; the gateway writes the code AccessDenied as the
// call's protocol does. keys are the condition keys of the caller.
type Authorizer interface {
	AuthorizeCall(ctx context.Context, call api.Call, keys map[string][]string) error
}

// Observer sees each call: see api.Observer.
type Observer = api.Observer

// Options are the settings of a Gateway.
type Options struct {
	// Place is the account that is called. Clients that run here call its Region.
	//
	// Default: - api.Home.
	Place api.Place
	// Clock is the clock of records. Required.
	Clock *api.Clock
	// IDs number access keys and requests.
	//
	// Default: - numbers of its own.
	IDs *api.IDs
	// Authorizer decides. Required.
	Authorizer Authorizer
	// Backend is the URL of moto.
	//
	// Default: - a call that nobody registered for is an error.
	Backend string
	// Timeout is how long moto may take to answer, on a real clock. A deployment of CloudFormation is one call.
	//
	// Default: - five minutes.
	Timeout time.Duration
	// Door knows who holds which access key, in which account.
	//
	// Default: - a door of its own.
	Door *Door
	// Owner is the gateway of the account that owns a resource which a call names, if it is another account: nil if it is not.
	//
	// Default: - the account owns everything.
	Owner func(ctx context.Context, call api.Call, name string) (*Gateway, error)
}

// Gateway is the one door to the local AWS. It reads who calls from the access key in the SigV4 credential scope; the
// signature itself is not verified. It is safe for concurrent use.
//
// A Gateway is that of one account. A call with the access key of another account goes to the gateway of that account, if both
// are behind one Door.
type Gateway struct {
	options  Options
	client   *http.Client
	services atomic.Pointer[Services]

	mu       sync.Mutex
	header   http.Header // that each forwarded call has
	faults   Faults
	records  []CallRecord
	failures []error
}

// Door is what the gateways of several accounts stand behind: it knows who holds which access key, and in which account the holder
// calls. It is safe for concurrent use.
type Door struct {
	client *http.Client // of moto

	mu      sync.RWMutex
	holders map[string]caller // by access key
}

// NewDoor returns a door of which nobody holds a key.
func NewDoor() *Door {
	return &Door{
		client: &http.Client{
			Transport:     &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		holders: map[string]caller{},
	}
}

// caller is who holds an access key.
type caller struct {
	gateway   *Gateway // of the account in which the key was issued
	principal api.Principal
	invokedBy string              // the service that calls with these credentials
	keys      map[string][]string // condition keys of its calls
}

func (d *Door) give(key string, to caller) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.holders[key] = to
}

func (d *Door) take(key string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.holders, key)
}

func (d *Door) holder(key string) (caller, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	found, ok := d.holders[key]
	return found, ok
}

// Faults are errors that the gateway injects. A function that returns nil lets the call be.
type Faults struct {
	// Before is asked before the call reaches its service: the call has no effect.
	Before func(api.Call) error
	// After is asked once the service has answered: the call has had its effect, and the caller does not know.
	After func(api.Call) error
}

// FailNext returns a fault that fails the next calls of an action, such as cloudtrail:StartLogging, and then no more.
func FailNext(action string, times int, code string) func(api.Call) error {
	var left atomic.Int64
	left.Store(int64(times))
	return func(call api.Call) error {
		if call.Action() != action || left.Add(-1) < 0 {
			return nil
		}
		return api.Errorf(code, "injected for %s", action)
	}
}

// CallRecord is one call that went through the gateway.
type CallRecord struct {
	api.Call
	ErrorCode string // empty if the call succeeded
	Time      time.Time
	Mutating  bool
}

// maxRecords bounds the memory of a gateway; the oldest half is dropped when it is reached.
const maxRecords = 1 << 17

// New returns a gateway without services.
func New(options Options) *Gateway {
	options.Place = options.Place.Or(api.Home())
	if options.IDs == nil {
		options.IDs = &api.IDs{}
	}
	if options.Timeout == 0 {
		options.Timeout = 5 * time.Minute
	}
	if options.Door == nil {
		options.Door = NewDoor()
	}
	g := &Gateway{options: options, client: options.Door.client, header: http.Header{}}
	g.Use(&Services{})
	return g
}

// Use puts the gateway before services, in place of those before.
func (g *Gateway) Use(services *Services) { g.services.Store(services) }

// Credentials issues an access key for a principal. Calls with it are the principal's.
func (g *Gateway) Credentials(p api.Principal) aws.Credentials {
	return g.ServiceCredentials(p, "", nil)
}

// ServiceCredentials issues an access key with which a service calls, as itself or on behalf of a role. The service
// stands in the events of the calls as invokedBy; keys holds condition keys of the calls, such as aws:SourceArn.
func (g *Gateway) ServiceCredentials(p api.Principal, service string, keys map[string][]string) aws.Credentials {
	key := fmt.Sprintf("AKIALOCAL%011d", g.options.IDs.Next())
	if p.Type != api.Root && p.Type != api.IAMUser {
		key = "ASIA" + key[4:]
	}
	g.options.Door.give(key, caller{gateway: g, principal: p, invokedBy: service, keys: keys})
	return aws.Credentials{AccessKeyID: key, SecretAccessKey: "secret-of-" + key, Source: "localaws"}
}

// Revoke forgets an access key, so that callers do not gather.
func (g *Gateway) Revoke(c aws.Credentials) { g.options.Door.take(c.AccessKeyID) }

// Place is the account whose gateway it is.
func (g *Gateway) Place() api.Place { return g.options.Place }

// SetHeader has each call that is forwarded to moto say something more.
func (g *Gateway) SetHeader(name, value string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.header.Set(name, value)
}

// SetFaults injects errors from now on; the zero Faults injects none.
func (g *Gateway) SetFaults(faults Faults) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.faults = faults
}

// Calls returns the calls since the last reset, oldest first.
func (g *Gateway) Calls() []CallRecord {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.records)
}

// Err returns what the simulation itself could not do, such as policies that are not modelled: a test that passes while
// Err is not nil has proved nothing.
func (g *Gateway) Err() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return errors.Join(g.failures...)
}

// Reset forgets calls, failures and faults. Keys stay.
func (g *Gateway) Reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.records, g.failures, g.faults = nil, nil, Faults{}
}

// Ask asks a service that runs here, for no principal: no observer sees it.
func (g *Gateway) Ask(ctx context.Context, call api.Call) (any, error) {
	handler := g.services.Load().handler(call)
	if handler == nil {
		return nil, api.NotModelled("%s", call.Action())
	}
	return handler.Handle(ctx, call)
}

// Do answers a request in process, without a connection: a Gateway is an HTTP client of the SDK.
func (g *Gateway) Do(r *http.Request) (*http.Response, error) {
	answer, _, err := g.Send(r)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		Status: http.StatusText(answer.Status), StatusCode: answer.Status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: answer.Header, Body: io.NopCloser(bytes.NewReader(answer.Body)), ContentLength: int64(len(answer.Body)), Request: r,
	}, nil
}

// Send answers a request in process, and says what call it was.
func (g *Gateway) Send(r *http.Request) (*wire.Response, CallRecord, error) {
	var body []byte
	var err error
	if r.Body != nil {
		body, err = wire.ReadBody(r.Body)
		r.Body.Close()
	}
	if err != nil && !api.IsRefusal(err) {
		return nil, CallRecord{}, fmt.Errorf("reading a request: %w", err)
	}
	answer, record := g.handle(r, body, err)
	if r.Method == http.MethodHead {
		answer.Body = nil
	}
	return answer, record, nil
}

// ServeHTTP answers clients of other processes.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := wire.ReadBody(r.Body)
	if err != nil && !api.IsRefusal(err) {
		http.Error(w, fmt.Sprintf("reading a request: %v", err), http.StatusBadRequest)
		return
	}
	answer, _ := g.handle(r, body, err)
	for name, values := range answer.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Status)
	if r.Method != http.MethodHead {
		// A write error means that the client has disconnected; there is nobody to tell.
		_, _ = w.Write(answer.Body)
	}
}

// invokedBy is the service that calls with the credentials: one that they were issued to, or one that calls in its caller's name, as
// CloudFormation does, and has its name as user agent. It is empty if no service does.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/access_forward_access_sessions.html
func invokedBy(from caller, userAgent string) string {
	if name, _, _ := strings.Cut(userAgent, " "); from.invokedBy == "" && strings.HasSuffix(name, ".amazonaws.com") {
		return name
	}
	return from.invokedBy
}

// handle takes a request from its arrival to its answer. unread is why its body was not read to the end. The record of a
// request that is no call of anyone is not kept.
func (g *Gateway) handle(r *http.Request, body []byte, unread error) (*wire.Response, CallRecord) {
	where, err := wire.ParseScope(r)
	from, known := g.options.Door.holder(where.AccessKeyID)
	if known && from.gateway != g {
		return from.gateway.handle(r, body, unread)
	}
	requestID := g.options.IDs.UUID(api.RequestID)
	if err != nil {
		return g.turnAway(wire.JSON, api.Call{}, err, requestID)
	}
	operation, input, p, err := wire.ParseCall(r, body, where.Service)
	call := api.Call{Service: where.Service, Operation: operation, Place: g.options.Place.In(where.Region), Input: input}
	if unread != nil {
		err = unread
	}
	if err != nil {
		return g.turnAway(p, call, err, requestID)
	}
	if !known {
		return g.turnAway(p, call, unknownKey(p), requestID)
	}
	call.Principal = from.principal
	request := api.Request{Call: call, ID: requestID, AccessKeyID: where.AccessKeyID, InvokedBy: invokedBy(from, r.UserAgent()), UserAgent: r.UserAgent()}
	owner, err := g.ownerOf(r.Context(), call)
	if err != nil {
		return g.turnAway(p, call, err, requestID)
	}
	ends := g.services.Load().begin(request)
	if owner != g {
		// CloudTrail tells both accounts of the call.
		// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
		told := request
		told.Place = owner.options.Place.In(call.Region)
		ends = append(ends, owner.services.Load().begin(told)...)
	}
	answer, reached := g.perform(owner, r, body, call, from.keys, p, requestID)
	outcome := api.Outcome{Reached: reached, Refusal: wire.ParseRefusal(answer)}
	if p == wire.JSON {
		outcome.JSON = answer.Body
	}
	record := g.newRecord(call, outcome.Refusal)
	g.keep(record)
	for _, end := range ends {
		end(outcome)
	}
	return answer, record
}

// ownerOf is the gateway of the account that owns what a call names.
func (g *Gateway) ownerOf(ctx context.Context, call api.Call) (*Gateway, error) {
	if g.options.Owner == nil {
		return g, nil
	}
	for _, name := range call.First(catalog.Find(call.Service).Shared...) {
		if owner, err := g.options.Owner(ctx, call, name); err != nil || owner != nil {
			return owner, err
		}
	}
	return g, nil
}

// turnAway answers a request that is no call of anyone.
func (g *Gateway) turnAway(p wire.Protocol, call api.Call, err error, requestID string) (*wire.Response, CallRecord) {
	answer := g.refuse(p, call, err, requestID)
	return answer, g.newRecord(call, wire.ParseRefusal(answer))
}

func unknownKey(p wire.Protocol) error {
	code := "UnrecognizedClientException"
	switch p {
	case wire.Query:
		code = "InvalidClientTokenId"
	case wire.REST:
		code = "InvalidAccessKeyId"
	}
	return &api.Error{Code: code, Message: "the security token included in the request is invalid", Status: http.StatusForbidden}
}

// perform authorizes a call and has it answered in the account that owns what it names. reached tells whether its service was
// asked.
func (g *Gateway) perform(
	owner *Gateway, r *http.Request, body []byte, call api.Call, keys map[string][]string, p wire.Protocol, requestID string,
) (answer *wire.Response, reached bool) {
	g.mu.Lock()
	faults := g.faults
	g.mu.Unlock()
	if faults.Before != nil {
		if err := faults.Before(call); err != nil {
			return g.refuse(p, call, err, requestID), false
		}
	}
	if err := g.options.Authorizer.AuthorizeCall(r.Context(), call, keys); err != nil {
		return g.refuse(p, call, denial(p, err), requestID), false
	}
	services, there := owner.services.Load(), call
	there.Place = owner.options.Place.In(call.Region)
	for _, check := range services.checks[call.Action()] {
		if err := check(r.Context(), there); err != nil {
			return g.refuse(p, call, err, requestID), false
		}
	}
	answer, err := owner.dispatch(services, r, body, there, p, requestID)
	if err == nil && faults.After != nil {
		err = faults.After(call)
	}
	if err != nil {
		return g.refuse(p, call, err, requestID), true
	}
	return answer, true
}

// denial writes a denial as a protocol has it.
func denial(p wire.Protocol, err error) error {
	var refusal *api.Error
	if (p == wire.JSON || p == wire.CBOR) && errors.As(err, &refusal) && refusal.Code == "AccessDenied" {
		return api.Errorf("AccessDeniedException", "%s", refusal.Message)
	}
	return err
}

// dispatch has a call answered by its service.
func (g *Gateway) dispatch(
	services *Services, r *http.Request, body []byte, call api.Call, p wire.Protocol, requestID string,
) (*wire.Response, error) {
	handler := services.handler(call)
	if handler != nil {
		output, err := handler.Handle(r.Context(), call)
		if err != nil {
			return nil, err
		}
		return wire.WriteAnswer(p, call.Operation, output, requestID)
	}
	if by := catalog.Of(call.Service, call.Operation).By; by == catalog.Simulated || by == catalog.NotModelled {
		return nil, api.NotModelled("%s", call.Action())
	}
	forwarded, err := g.forward(r, body)
	if err == nil && forwarded.Status >= http.StatusInternalServerError {
		g.Fail(fmt.Errorf("moto answers %s with: %w", call.Action(), wire.ParseRefusal(forwarded)))
	}
	return forwarded, err
}

// forward has a call answered by moto, within the time that it may take.
func (g *Gateway) forward(r *http.Request, body []byte) (*wire.Response, error) {
	if g.options.Backend == "" {
		return nil, errors.New("there is no backend for this call")
	}
	backend, err := url.Parse(g.options.Backend)
	if err != nil {
		return nil, fmt.Errorf("reading the backend's address: %w", err)
	}
	target := *r.URL
	target.Scheme, target.Host = backend.Scheme, backend.Host
	timeout := fmt.Errorf("moto did not answer within %s", g.options.Timeout)
	ctx, cancel := context.WithTimeoutCause(r.Context(), g.options.Timeout, timeout)
	defer cancel()
	forwarded, err := http.NewRequestWithContext(ctx, r.Method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("forwarding: %w", err)
	}
	forwarded.Header = r.Header.Clone()
	for _, name := range []string{"Connection", "Transfer-Encoding", "Expect", "Content-Length"} {
		forwarded.Header.Del(name)
	}
	forwarded.Header.Set("X-Local-Time", g.options.Clock.Now().UTC().Format(time.RFC3339))
	forwarded.Header.Set(api.AccountHeader, g.options.Place.Account)
	g.mu.Lock()
	for name, values := range g.header {
		forwarded.Header[name] = values
	}
	g.mu.Unlock()
	forwarded.Host = r.Host
	if forwarded.Host == "" {
		forwarded.Host = r.URL.Host
	}
	got, err := g.client.Do(forwarded)
	if err != nil {
		return nil, because(ctx, timeout, err)
	}
	defer got.Body.Close()
	content, err := io.ReadAll(got.Body)
	if err != nil {
		return nil, because(ctx, timeout, err)
	}
	header := got.Header.Clone()
	header.Del("Connection")
	return &wire.Response{Status: got.StatusCode, Header: header, Body: content}, nil
}

// because is why forwarding failed.
func because(ctx context.Context, timeout, err error) error {
	if errors.Is(context.Cause(ctx), timeout) {
		err = timeout
	}
	return fmt.Errorf("forwarding: %w", err)
}

// refuse answers with an error. What is no *api.Error is a failure of the simulation, and so is what is not modelled.
func (g *Gateway) refuse(p wire.Protocol, call api.Call, err error, requestID string) *wire.Response {
	var refusal *api.Error
	if !errors.As(err, &refusal) {
		refusal = &api.Error{Code: "InternalFailure", Message: err.Error(), Status: http.StatusInternalServerError}
	}
	if refusal.Status >= http.StatusInternalServerError {
		g.Fail(fmt.Errorf("answering %s: %w", call.Action(), err))
	}
	return wire.WriteRefusal(p, refusal, requestID)
}

// Fail keeps what the simulation could not do.
func (g *Gateway) Fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.failures = append(g.failures, err)
}

func (g *Gateway) newRecord(call api.Call, refusal *api.Error) CallRecord {
	record := CallRecord{Call: call, Time: g.options.Clock.Now(), Mutating: catalog.Writes(call.Service, call.Operation)}
	if refusal != nil {
		record.ErrorCode = refusal.Code
	}
	return record
}

func (g *Gateway) keep(record CallRecord) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.records) >= maxRecords {
		g.records = slices.Clone(g.records[maxRecords/2:])
	}
	g.records = append(g.records, record)
}

// Config is the configuration of an SDK client that calls as a principal, in process, without retries.
func (g *Gateway) Config(c aws.Credentials) aws.Config {
	return aws.Config{
		Region:      g.options.Place.Region,
		Credentials: credentials.StaticCredentialsProvider{Value: c},
		HTTPClient:  g,
		// The address is never dialled. That it is an IP address makes S3 put the bucket into the path.
		BaseEndpoint:               aws.String("http://127.0.0.1"),
		Retryer:                    func() aws.Retryer { return aws.NopRetryer{} },
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	}
}
