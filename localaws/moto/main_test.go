package moto

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/trailguard/trailguard/localaws/repository"
)

// One moto and one gateway serve all tests of the package; each test starts with an empty moto.
var (
	server  *Server
	gateway *fakeGateway
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	gateway = newFakeGateway()
	defer gateway.Close()
	var err error
	server, err = Start(context.Background(), Options{Python: repository.Python(), GatewayURL: gateway.URL})
	if err != nil {
		return 0, err
	}
	if err := gateway.forwardTo(server.URL()); err != nil {
		return 0, errors.Join(err, server.Stop())
	}
	code := m.Run()
	return code, server.Stop()
}

// call is a call that came through the gateway.
type call struct {
	service, operation string
	accessKey          string
	userAgent          string
	body               map[string]any
}

func (c call) String() string { return c.service + ":" + c.operation }

// fakeGateway records every call, answers config by itself, and forwards the rest to moto.
type fakeGateway struct {
	*httptest.Server
	mu    sync.Mutex
	proxy http.Handler
	calls []call

	rules    map[string]map[string]any
	recorder map[string]any
	channel  map[string]any
	refuse   string // the operation that is refused, if any
}

func newFakeGateway() *fakeGateway {
	g := &fakeGateway{rules: map[string]map[string]any{}}
	g.Server = httptest.NewServer(g)
	return g
}

func (g *fakeGateway) forwardTo(endpoint string) error {
	target, err := url.Parse(endpoint)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.proxy = httputil.NewSingleHostReverseProxy(target)
	return nil
}

func (g *fakeGateway) reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls, g.recorder, g.channel, g.refuse = nil, nil, nil, ""
	clear(g.rules)
}

// named returns the calls of an operation such as config:PutConfigRule, in order.
func (g *fakeGateway) named(name string) []call {
	g.mu.Lock()
	defer g.mu.Unlock()
	var found []call
	for _, c := range g.calls {
		if c.String() == name {
			found = append(found, c)
		}
	}
	return found
}

// index returns the place of the first call of the operation in the order of calls, -1 if there is none.
func (g *fakeGateway) index(name string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.IndexFunc(g.calls, func(c call) bool { return c.String() == name })
}

var credential = regexp.MustCompile(`Credential=([^/]+)/[^/]+/[^/]+/([^/]+)/`)

func (g *fakeGateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	c := call{userAgent: r.UserAgent()}
	if match := credential.FindStringSubmatch(r.Header.Get("Authorization")); match != nil {
		c.accessKey, c.service = match[1], match[2]
	}
	switch _, operation, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "."); {
	case ok:
		c.operation = operation
	case c.service == "s3":
		c.operation = r.Method + " " + r.URL.RawQuery
	default:
		if form, err := url.ParseQuery(string(body)); err == nil {
			c.operation = form.Get("Action")
		}
	}
	_ = json.Unmarshal(body, &c.body)

	g.mu.Lock()
	g.calls = append(g.calls, c)
	proxy := g.proxy
	g.mu.Unlock()
	if c.service != "config" {
		proxy.ServeHTTP(w, r)
		return
	}
	output, code := g.config(c)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if code != "" {
		w.WriteHeader(http.StatusBadRequest)
		output = map[string]any{"__type": code, "message": "said by the fake gateway"}
	}
	_ = json.NewEncoder(w).Encode(output)
}

// config answers a call to AWS Config with an output or the code of an error.
func (g *fakeGateway) config(c call) (map[string]any, string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.operation == g.refuse {
		return nil, "AccessDeniedException"
	}
	switch c.operation {
	case "PutConfigRule":
		rule := c.body["ConfigRule"].(map[string]any)
		name := rule["ConfigRuleName"].(string)
		rule["ConfigRuleArn"] = "arn:aws:config:us-east-1:123456789012:config-rule/config-rule-abc123"
		rule["ConfigRuleId"] = "config-rule-abc123"
		g.rules[name] = rule
	case "DescribeConfigRules":
		name := c.body["ConfigRuleNames"].([]any)[0].(string)
		return map[string]any{"ConfigRules": []any{g.rules[name]}}, ""
	case "DeleteConfigRule":
		delete(g.rules, c.body["ConfigRuleName"].(string))
	case "PutRemediationConfigurations", "DeleteRemediationConfiguration", "StopConfigurationRecorder":
	case "PutConfigurationRecorder":
		g.recorder = c.body["ConfigurationRecorder"].(map[string]any)
	case "StartConfigurationRecorder":
		if g.channel == nil {
			return nil, "NoAvailableDeliveryChannelException"
		}
	case "DeleteConfigurationRecorder":
		g.recorder = nil
	case "PutDeliveryChannel":
		if g.recorder == nil {
			return nil, "NoAvailableConfigurationRecorderException"
		}
		g.channel = c.body["DeliveryChannel"].(map[string]any)
	case "DeleteDeliveryChannel":
		if g.recorder != nil {
			return nil, "LastDeliveryChannelDeleteFailedException"
		}
		g.channel = nil
	default:
		return nil, "UnknownOperationException"
	}
	return map[string]any{}, ""
}

// fresh empties moto and the gateway and returns the configuration of a client that calls the gateway.
func fresh(t *testing.T) aws.Config {
	t.Helper()
	if err := server.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	gateway.reset()
	return aws.Config{
		Region:           "us-east-1",
		BaseEndpoint:     aws.String(gateway.URL),
		Credentials:      credentials.NewStaticCredentialsProvider("AKIADEPLOYER", "secret", ""),
		RetryMaxAttempts: 1,
	}
}
