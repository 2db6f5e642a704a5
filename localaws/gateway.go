// Package localaws is an AWS on loopback with the loop closed: CloudTrail, AWS Config, SSM Automation and EventBridge run
// in Go, moto_server holds the rest, and every call of every client goes through one gateway, which authorizes it,
// records it and tells CloudTrail's event of it to EventBridge.
//
// Simulated: one account, one Region, the policies that are deployed. Not simulated: latency, quotas, signatures,
// session policies, and whatever answers with the error NotModelled. What is taken for granted of AWS stands in fidelity.md.
package localaws

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
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
	"github.com/trailguard/trailguard/localaws/iam/policy"
	"github.com/trailguard/trailguard/localaws/servicereference"
)

// GatewayOptions are the settings of a Gateway.
type GatewayOptions struct {
	// Clock is the clock of records and events. Required.
	Clock *api.Clock
	// Handlers are the services that run in Go, by signing name (cloudtrail), or by action (ssm:GetAutomationExecution)
	// where moto answers the others of the service.
	Handlers map[string]api.Handler
	// Backend is the URL of moto.
	//
	// Default: - a call that no handler answers is an error.
	Backend string
	// Checks refuse what the service behind them does not, by action (events:PutRule). They are asked once a call is
	// authorized; an *api.Error refuses it.
	//
	// Default: - the services check the calls.
	Checks map[string]func(context.Context, api.Call) error
	// Directory finds the policies that authorize needs. Required.
	Directory Directory
	// Reference says which resources and condition keys each action has. Required.
	Reference *servicereference.Reference
	// Logs tells whether at this moment a trail logs a call. It is asked before and after each call that changes
	// something.
	//
	// Default: - every call is logged.
	Logs func(call api.Call) bool
	// Changed is told of each call that may have changed something, once it is answered.
	//
	// Default: - nobody is told.
	Changed func(call api.Call)
	// Sink receives the event of each logged call that changes something, as EventBridge gets it. It is called before
	// the caller has the answer, and must not call the gateway.
	//
	// Default: - events are dropped.
	Sink func(event map[string]any)
	// History receives the event of each call that changes something, whether a trail logs it or not.
	//
	// Default: - there is no history.
	History func(event map[string]any)
	// DropDeletionOfLastTrail makes the DeleteTrail of the only logging trail an event that never arrives. AWS does not
	// say which it is.
	//
	// Default: - the event arrives.
	DropDeletionOfLastTrail bool
}

// Gateway is the one door to the local AWS. It reads who calls from the access key in the SigV4 credential scope; the
// signature itself is not verified. It is safe for concurrent use.
type Gateway struct {
	options  GatewayOptions
	client   *http.Client
	sequence atomic.Int64

	mu           sync.Mutex
	callers      map[string]caller // by access key
	grants       map[string][]policy.Document
	organization []policy.Document
	faults       Faults
	records      []CallRecord
	failures     []error
	cache        map[string]any
	generation   int
	parsed       map[string]policy.Document
}

// caller is who holds an access key.
type caller struct {
	principal api.Principal
	invokedBy string              // the service that calls with these credentials
	keys      map[string][]string // condition keys of its calls
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

// NewGateway returns a gateway.
func NewGateway(options GatewayOptions) *Gateway {
	if options.Handlers == nil {
		options.Handlers = map[string]api.Handler{}
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true}
	return &Gateway{
		options: options,
		client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}},
		callers: map[string]caller{},
		grants:  map[string][]policy.Document{},
		cache:   map[string]any{},
		parsed:  map[string]policy.Document{},
	}
}

// Credentials issues an access key for a principal. Calls with it are the principal's.
func (g *Gateway) Credentials(p api.Principal) aws.Credentials {
	return g.ServiceCredentials(p, "", nil)
}

// ServiceCredentials issues an access key with which a service calls, as itself or on behalf of a role. The service
// stands in the events of the calls as invokedBy; keys holds condition keys of the calls, such as aws:SourceArn.
func (g *Gateway) ServiceCredentials(p api.Principal, service string, keys map[string][]string) aws.Credentials {
	key := fmt.Sprintf("AKIALOCAL%011d", g.sequence.Add(1))
	if p.Type != api.Root && p.Type != api.IAMUser {
		key = "ASIA" + key[4:]
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.callers[key] = caller{principal: p, invokedBy: service, keys: keys}
	return aws.Credentials{AccessKeyID: key, SecretAccessKey: "secret-of-" + key, Source: "localaws"}
}

// Revoke forgets an access key, so that callers do not gather.
func (g *Gateway) Revoke(c aws.Credentials) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.callers, c.AccessKeyID)
}

// Grant gives the principal with this ARN identity policies that IAM does not hold, instead of those that it does.
func (g *Gateway) Grant(arn string, policies ...policy.Document) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.grants[arn] = policies
}

// SetOrganizationPolicies attaches service control policies to the account, next to FullAWSAccess, in place of those
// before. None means that the account is in no organization.
func (g *Gateway) SetOrganizationPolicies(documents ...string) error {
	var policies []policy.Document
	if len(documents) > 0 {
		documents = append([]string{policy.FullAWSAccess}, documents...)
	}
	for _, document := range documents {
		parsed, err := policy.Parse(policy.Identity, document)
		if err != nil {
			return fmt.Errorf("attaching an organization policy: %w", err)
		}
		policies = append(policies, parsed)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.organization = policies
	return nil
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

// Reset forgets calls, failures, faults, organization policies and what is known of moto's policies. Keys and grants stay.
func (g *Gateway) Reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.records, g.failures, g.faults, g.organization = nil, nil, Faults{}, nil
	g.cache = map[string]any{}
	g.generation++
}

// Do answers a request in process, without a connection: a Gateway is an HTTP client of the SDK.
func (g *Gateway) Do(r *http.Request) (*http.Response, error) {
	answer, _, err := g.send(r)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		Status: http.StatusText(answer.status), StatusCode: answer.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: answer.header, Body: io.NopCloser(bytes.NewReader(answer.body)), ContentLength: int64(len(answer.body)), Request: r,
	}, nil
}

// send answers a request in process, and says what call it was.
func (g *Gateway) send(r *http.Request) (*response, CallRecord, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, CallRecord{}, fmt.Errorf("reading a request: %w", err)
		}
		r.Body.Close()
	}
	answer, record := g.handle(r, body)
	if r.Method == http.MethodHead {
		answer.body = nil
	}
	return answer, record, nil
}

// ServeHTTP answers clients of other processes.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, fmt.Sprintf("reading a request: %v", err), http.StatusBadRequest)
		return
	}
	answer, _ := g.handle(r, body)
	for name, values := range answer.header {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.status)
	if r.Method != http.MethodHead {
		// A client that has gone away is its own loss.
		_, _ = w.Write(answer.body)
	}
}

// handle takes a request from its arrival to its answer. The record of a request that is no call of anyone is not kept.
func (g *Gateway) handle(r *http.Request, body []byte) (*response, CallRecord) {
	requestID := fmt.Sprintf("00000000-0000-4000-8000-%012x", g.sequence.Add(1))
	where, err := parseScope(r)
	if err != nil {
		return g.turnAway(awsJSON, api.Call{}, err, requestID)
	}
	operation, input, p, err := parseCall(r, body, where.service)
	call := api.Call{Service: where.service, Operation: operation, Region: where.region, Input: input}
	if err != nil {
		return g.turnAway(p, call, err, requestID)
	}
	g.mu.Lock()
	from, known := g.callers[where.accessKey]
	g.mu.Unlock()
	if !known {
		return g.turnAway(p, call, unknownKey(p), requestID)
	}
	call.Principal = from.principal
	logged := g.logs(call)
	answer := g.perform(r, body, call, from.keys, p, requestID)
	refused := parseRefusal(answer)
	record := g.newRecord(call, refused)
	g.keep(record)
	g.tell(r, call, from, where.accessKey, answer, refused, p, requestID, logged)
	return answer, record
}

// turnAway answers a request that is no call of anyone.
func (g *Gateway) turnAway(p protocol, call api.Call, err error, requestID string) (*response, CallRecord) {
	answer := g.refuse(p, call, err, requestID)
	return answer, g.newRecord(call, parseRefusal(answer))
}

func unknownKey(p protocol) error {
	code := "UnrecognizedClientException"
	switch p {
	case awsQuery:
		code = "InvalidClientTokenId"
	case restS3:
		code = "InvalidAccessKeyId"
	}
	return &api.Error{Code: code, Message: "the security token included in the request is invalid", Status: 403}
}

// perform authorizes a call and has it answered.
func (g *Gateway) perform(
	r *http.Request, body []byte, call api.Call, keys map[string][]string, p protocol, requestID string,
) *response {
	g.mu.Lock()
	faults := g.faults
	g.mu.Unlock()
	if faults.Before != nil {
		if err := faults.Before(call); err != nil {
			return g.refuse(p, call, err, requestID)
		}
	}
	if err := g.authorizeCall(r.Context(), call, keys, p); err != nil {
		return g.refuse(p, call, err, requestID)
	}
	if check := g.options.Checks[call.Action()]; check != nil {
		if err := check(r.Context(), call); err != nil {
			return g.refuse(p, call, err, requestID)
		}
	}
	answer, err := g.dispatch(r, body, call, p, requestID)
	g.invalidate(call)
	if g.options.Changed != nil && isMutating(call) {
		g.options.Changed(call)
	}
	if err == nil && faults.After != nil {
		err = faults.After(call)
	}
	if err != nil {
		return g.refuse(p, call, err, requestID)
	}
	return answer
}

// dispatch has a call answered by its service.
func (g *Gateway) dispatch(r *http.Request, body []byte, call api.Call, p protocol, requestID string) (*response, error) {
	if call.Service == "sts" {
		return g.tokenService(r.Context(), call, requestID)
	}
	handler := handlerOf(g.options.Handlers, call)
	if handler == nil {
		forwarded, err := g.forward(r, body)
		if err == nil && forwarded.status >= http.StatusInternalServerError {
			g.fail(fmt.Errorf("moto answers %s with: %w", call.Action(), parseRefusal(forwarded)))
		}
		return forwarded, err
	}
	output, err := handler.Handle(r.Context(), call)
	if err != nil {
		return nil, err
	}
	return answer(p, output, requestID)
}

// handlerOf is the service in Go that answers a call; nil where moto does.
func handlerOf(handlers map[string]api.Handler, call api.Call) api.Handler {
	if handler, ok := handlers[call.Action()]; ok {
		return handler
	}
	return handlers[call.Service]
}

// forward has a call answered by moto.
func (g *Gateway) forward(r *http.Request, body []byte) (*response, error) {
	if g.options.Backend == "" {
		return nil, errors.New("there is no backend for this call")
	}
	backend, err := url.Parse(g.options.Backend)
	if err != nil {
		return nil, fmt.Errorf("reading the backend's address: %w", err)
	}
	target := *r.URL
	target.Scheme, target.Host = backend.Scheme, backend.Host
	forwarded, err := http.NewRequestWithContext(r.Context(), r.Method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("forwarding: %w", err)
	}
	forwarded.Header = r.Header.Clone()
	for _, name := range []string{"Connection", "Transfer-Encoding", "Expect", "Content-Length"} {
		forwarded.Header.Del(name)
	}
	forwarded.Header.Set("X-Local-Time", g.options.Clock.Now().UTC().Format(time.RFC3339))
	forwarded.Host = r.Host
	if forwarded.Host == "" {
		forwarded.Host = r.URL.Host
	}
	got, err := g.client.Do(forwarded)
	if err != nil {
		return nil, fmt.Errorf("forwarding: %w", err)
	}
	defer got.Body.Close()
	content, err := io.ReadAll(got.Body)
	if err != nil {
		return nil, fmt.Errorf("forwarding: %w", err)
	}
	header := got.Header.Clone()
	header.Del("Connection")
	return &response{status: got.StatusCode, header: header, body: content}, nil
}

// refuse answers with an error. What is no *api.Error is a failure of the simulation, and so is what is not modelled.
func (g *Gateway) refuse(p protocol, call api.Call, err error, requestID string) *response {
	var refused *api.Error
	if !errors.As(err, &refused) {
		refused = &api.Error{Code: "InternalFailure", Message: err.Error(), Status: http.StatusInternalServerError}
	}
	if refused.Status >= http.StatusInternalServerError || refused.Code == "UnknownOperationException" {
		g.fail(fmt.Errorf("answering %s: %w", call.Action(), err))
	}
	return refusal(p, refused, requestID)
}

// fail keeps what the simulation could not do.
func (g *Gateway) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.failures = append(g.failures, err)
}

func (g *Gateway) newRecord(call api.Call, refused *api.Error) CallRecord {
	record := CallRecord{Call: call, Time: g.options.Clock.Now(), Mutating: isMutating(call)}
	if refused != nil {
		record.ErrorCode = refused.Code
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

// tokenService is the part of STS that is modelled. GetCallerIdentity needs no permission.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_Operations.html
func (g *Gateway) tokenService(_ context.Context, call api.Call, requestID string) (*response, error) {
	var result any
	name := xml.Name{Local: call.Operation + "Result"}
	switch call.Operation {
	case "GetCallerIdentity":
		result = callerIdentity{XMLName: name, Account: api.Account, Arn: policy.SessionARN(call.Principal), UserID: principalID(call.Principal)}
	case "AssumeRole":
		p := api.Principal{Type: api.AssumedRole, ARN: text(call.Input, "RoleArn"), SessionName: text(call.Input, "RoleSessionName")}
		if p.SessionName == "" {
			return nil, api.Errorf("ValidationError", "roleSessionName is required")
		}
		if call.Input["Policy"] != nil || call.Input["PolicyArns"] != nil {
			return nil, notModelled("session policies")
		}
		issued := g.Credentials(p)
		result = assumedRole{
			XMLName:         name,
			AssumedRoleUser: assumedRoleUser{Arn: policy.SessionARN(p), AssumedRoleID: principalID(p)},
			Credentials: sessionCredentials{
				AccessKeyID: issued.AccessKeyID, SecretAccessKey: issued.SecretAccessKey, SessionToken: "token",
				// Clients compare this with their own clock, not with ours.
				Expiration: time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
			},
		}
	default:
		return nil, notModelled("sts:%s", call.Operation)
	}
	body, err := xml.Marshal(stsResponse{XMLName: xml.Name{Local: call.Operation + "Response"}, Result: result, ID: requestID})
	if err != nil {
		return nil, fmt.Errorf("writing an answer: %w", err)
	}
	return newResponse(http.StatusOK, "text/xml", requestID, body), nil
}

type stsResponse struct {
	XMLName xml.Name
	Result  any
	ID      string `xml:"ResponseMetadata>RequestId"`
}

type callerIdentity struct {
	XMLName xml.Name
	Arn     string
	UserID  string `xml:"UserId"`
	Account string
}

type assumedRole struct {
	XMLName         xml.Name
	AssumedRoleUser assumedRoleUser
	Credentials     sessionCredentials
}

type assumedRoleUser struct {
	AssumedRoleID string `xml:"AssumedRoleId"`
	Arn           string
}

type sessionCredentials struct {
	AccessKeyID     string `xml:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      string
}

// config is the configuration of an SDK client that calls as a principal, in process, without retries.
func (g *Gateway) config(c aws.Credentials) aws.Config {
	return aws.Config{
		Region:      api.Region,
		Credentials: credentials.StaticCredentialsProvider{Value: c},
		HTTPClient:  g,
		// The address is never dialled. That it is an IP address makes S3 put the bucket into the path.
		BaseEndpoint:               aws.String("http://127.0.0.1"),
		Retryer:                    func() aws.Retryer { return aws.NopRetryer{} },
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	}
}

// normalize turns a service's output into what encoding/json reads.
func normalize(output any) (any, error) {
	encoded, err := json.Marshal(output)
	if err != nil {
		return nil, fmt.Errorf("reading a service's answer: %w", err)
	}
	var decoded any
	if err := json.Unmarshal(encoded, &decoded); err != nil {
		return nil, fmt.Errorf("reading a service's answer: %w", err)
	}
	return decoded, nil
}

// isRefusal tells whether an error is a service's answer, not a failure to ask it.
func isRefusal(err error) bool {
	var refused *api.Error
	return errors.As(err, &refused)
}

// readOnlyPrefixes begin the names of operations that change nothing.
var readOnlyPrefixes = []string{
	"Get", "List", "Describe", "Head", "Lookup", "BatchGet", "Search", "Select", "Test", "Validate", "Filter", "Simulate", "Estimate",
}

// dataOperations change or read the data of a resource, not the resource: a trail of management events does not have
// them. The operations on objects of S3 are such, too.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-data-events-with-cloudtrail.html
var dataOperations = map[string]bool{
	"sns:Publish": true, "sns:PublishBatch": true, "sqs:SendMessage": true, "sqs:SendMessageBatch": true, "sqs:ReceiveMessage": true,
	"sqs:DeleteMessage": true, "sqs:DeleteMessageBatch": true, "logs:PutLogEvents": true, "monitoring:PutMetricData": true,
	"events:PutEvents": true,
}

// readOnlyOperations change nothing although their names do not say so; CloudTrail marks their events as read-only.
var readOnlyOperations = map[string]bool{
	"kms:Decrypt": true, "kms:Encrypt": true, "kms:GenerateDataKey": true, "kms:GenerateDataKeyWithoutPlaintext": true,
	"kms:GenerateRandom": true, "sts:AssumeRole": true,
}

func isData(call api.Call) bool {
	if call.Service == "s3" {
		_, onObject := s3ByName(call.Operation)
		return onObject
	}
	return dataOperations[call.Action()]
}

// isMutating tells whether a call changes a resource.
func isMutating(call api.Call) bool {
	if isData(call) || readOnlyOperations[call.Action()] {
		return false
	}
	return !slices.ContainsFunc(readOnlyPrefixes, func(prefix string) bool { return strings.HasPrefix(call.Operation, prefix) })
}
