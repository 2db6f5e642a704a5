package sdk

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/trailguard/trailguard/localaws/api"
)

// Transport is the transport of an SDK client that reaches one service without a network: it neither authorizes nor
// records. Service is the signing name; Region and Principal are those of every call.
type Transport struct {
	Handler   api.Handler
	Service   string
	Region    string
	Principal api.Principal
}

// RoundTrip answers one awsJson1.1 request.
func (t Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	target := request.Header.Get("X-Amz-Target")
	var input map[string]any
	if err := json.NewDecoder(request.Body).Decode(&input); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading the body of %s: %w", target, err)
	}
	output, err := t.Handler.Handle(request.Context(), api.Call{
		Principal: t.Principal,
		Service:   t.Service,
		Operation: target[strings.LastIndex(target, ".")+1:],
		Place:     api.Place{Region: t.Region},
		Input:     input,
	})
	status := http.StatusOK
	if err != nil {
		refusal := &api.Error{Code: "InternalFailure", Message: err.Error(), Status: http.StatusInternalServerError}
		errors.As(err, &refusal)
		output = map[string]any{"__type": refusal.Code, "message": refusal.Message}
		if status = refusal.Status; status == 0 {
			status = http.StatusBadRequest
		}
	}
	body, err := json.Marshal(output)
	if err != nil {
		return nil, fmt.Errorf("writing the answer to %s: %w", target, err)
	}
	return &http.Response{
		StatusCode: status,
		Status:     http.StatusText(status),
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header:     http.Header{"Content-Type": {"application/x-amz-json-1.1"}},
		Body:       io.NopCloser(bytes.NewReader(body)),
		Request:    request,
	}, nil
}
