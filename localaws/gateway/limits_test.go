package gateway_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/gateway"
	"github.com/trailguard/trailguard/localaws/internal/world"
	"github.com/trailguard/trailguard/localaws/wire"
)

// endless is a body without end, which counts what was read of it.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	clear(p)
	e.read += len(p)
	return len(p), nil
}

// bomb is a gzip of two hundred million bytes.
func bomb(t *testing.T) []byte {
	t.Helper()
	var compressed bytes.Buffer
	writer := gzip.NewWriter(&compressed)
	if _, err := io.CopyN(writer, &endless{}, 200_000_000); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return compressed.Bytes()
}

func TestABodyThatIsTooLongIsNotReadToItsEnd(t *testing.T) {
	w := world.New(t)
	key := w.Credentials(world.Mallory).AccessKeyID
	request := func(body io.Reader, header ...string) *http.Request {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", body)
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+key+"/20300102/us-east-1/cloudtrail/aws4_request, Signature=x")
		r.Header.Set("X-Amz-Target", "CloudTrail_20131101.StartLogging")
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		return r
	}
	body := &endless{}
	for what, r := range map[string]*http.Request{
		"a body without end": request(body),
		"a gzip bomb":        request(bytes.NewReader(bomb(t)), "Content-Encoding", "gzip"),
	} {
		recorder := httptest.NewRecorder()
		w.ServeHTTP(recorder, r)
		if recorder.Code != http.StatusRequestEntityTooLarge || !strings.Contains(recorder.Body.String(), "RequestEntityTooLargeException") {
			t.Errorf("%s: got %d %s", what, recorder.Code, recorder.Body)
		}
	}
	if body.read > wire.MaxBody*2 {
		t.Errorf("%d bytes were read", body.read)
	}
	answer, err := w.Do(request(&endless{}))
	if err != nil || answer.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("in process: got %v, %v", answer, err)
	}
	if len(w.Calls()) != 0 {
		t.Errorf("the calls are %v", w.Calls())
	}
	if err := w.Err(); err != nil {
		t.Error(err)
	}
}

func TestTheLongestBodyIsRead(t *testing.T) {
	body, err := wire.ReadBody(io.LimitReader(&endless{}, wire.MaxBody))
	if err != nil || len(body) != wire.MaxBody {
		t.Errorf("got %d bytes, %v", len(body), err)
	}
}

func TestAMotoThatDoesNotAnswerFailsTheCall(t *testing.T) {
	for what, begin := range map[string]func(http.ResponseWriter){
		"nothing": func(http.ResponseWriter) {},
		"half an answer": func(rw http.ResponseWriter) {
			fmt.Fprint(rw, "<Half>")
			rw.(http.Flusher).Flush()
		},
	} {
		t.Run(what, func(t *testing.T) {
			ended := make(chan struct{})
			moto := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
				begin(rw)
				<-ended
			}))
			defer moto.Close()
			defer close(ended)
			g := gateway.New(gateway.Options{
				Clock: api.NewClock(time.Time{}), Authorizer: world.New(t).Authorizer, Backend: moto.URL, Timeout: 20 * time.Millisecond,
			})
			client := sqs.NewFromConfig(g.Config(g.Credentials(world.Mallory)))
			_, err := client.DeleteQueue(t.Context(), &sqs.DeleteQueueInput{QueueUrl: aws.String("http://127.0.0.1/123456789012/q")})
			world.WantCode(t, err, "InternalFailure")
			if err := g.Err(); err == nil || !strings.Contains(err.Error(), "answering sqs:DeleteQueue: forwarding: moto did not answer within 20ms") {
				t.Errorf("Err is %v", err)
			}
		})
	}
}
