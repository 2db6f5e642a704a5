package moto

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go"

	"github.com/trailguard/trailguard/localaws/api"
)

// connections are those to moto. One transport serves the clients of all accounts.
var connections = &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true}

// ClientConfig is the configuration of clients that call moto itself, in an account and a Region. timeout is how long moto may take
// to answer.
func ClientConfig(endpoint string, place api.Place, timeout time.Duration) aws.Config {
	return aws.Config{
		Region:                     place.Region,
		BaseEndpoint:               aws.String(endpoint),
		Credentials:                credentials.NewStaticCredentialsProvider("AKIALOCALDIRECTORY00", "secret", ""),
		HTTPClient:                 &inMemoryClient{http.Client{Timeout: timeout, Transport: connections}, place.Account},
		Retryer:                    func() aws.Retryer { return aws.NopRetryer{} },
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	}
}

// inMemoryClient says in which account it calls, and sends requests whose bodies the SDK cannot close. The SDK closes a body once the answer's header is
// there; net/http may then be looking whether the body has ended, gets io.EOF as an error from
// safeWriteToReadCloser.WriteTo (smithy-go 1.28.9), and closes the connection while the answer is being read.
type inMemoryClient struct {
	http.Client
	account string
}

func (c *inMemoryClient) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, fmt.Errorf("reading a request: %w", err)
		}
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	r.Header.Set(api.AccountHeader, c.account)
	return c.Client.Do(r)
}

// Refused turns a service's answer into an *api.Error and leaves other errors as they are.
func Refused(err error) error {
	var answer smithy.APIError
	if errors.As(err, &answer) {
		return &api.Error{Code: answer.ErrorCode(), Message: answer.ErrorMessage()}
	}
	return err
}
