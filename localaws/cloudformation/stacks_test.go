package cloudformation_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/cloudformation"
	"github.com/trailguard/trailguard/localaws/internal/world"
)

const stackID = "arn:aws:cloudformation:us-east-1:123456789012:stack/s/1"

// stacks is a CloudFormation with one stack.
type stacks struct {
	statuses []string // of the stack, the latest first
	fails    bool
}

func (s *stacks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case s.fails:
		w.WriteHeader(http.StatusBadRequest)
	case r.FormValue("Action") == "ListStacks":
		fmt.Fprintf(w, `<ListStacksResponse><ListStacksResult><StackSummaries><member><StackId>%s</StackId><StackStatus>%s</StackStatus></member>
			</StackSummaries></ListStacksResult></ListStacksResponse>`, stackID, s.statuses[0])
	default:
		fmt.Fprint(w, `<DescribeStackEventsResponse><DescribeStackEventsResult><StackEvents>`)
		for i, status := range s.statuses {
			for _, resource := range []string{"topic", stackID} {
				fmt.Fprintf(w, `<member><EventId>%s %d</EventId><StackId>%s</StackId><PhysicalResourceId>%s</PhysicalResourceId>
					<ResourceStatus>%s</ResourceStatus></member>`, resource, len(s.statuses)-i, stackID, resource, status)
			}
		}
		fmt.Fprint(w, `</StackEvents></DescribeStackEventsResult></DescribeStackEventsResponse>`)
	}
}

func TestEachStatusOfAStackIsEmittedOnce(t *testing.T) {
	var fake stacks
	server := httptest.NewServer(&fake)
	t.Cleanup(server.Close)
	var emitted []string
	var failures []error
	service := cloudformation.New(cloudformation.Options{
		Config: aws.Config{Region: api.Region, BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("k", "s", "")},
		Clock:  api.NewClock(time.Time{}), IDs: &api.IDs{},
		Emit: func(event map[string]any) {
			emitted = append(emitted, fmt.Sprint(world.At(event, "detail.status-details.status"), event["resources"]))
		},
		Fail: func(err error) { failures = append(failures, err) },
	})
	call := func(operation string, reached bool, want ...string) {
		t.Helper()
		emitted = nil
		if end := service.Begin(api.Request{Call: api.Call{Service: "cloudformation", Operation: operation}}); end != nil {
			end(api.Outcome{Reached: reached})
		}
		for i := range want {
			want[i] += "[" + stackID + "]"
		}
		if !slices.Equal(emitted, want) {
			t.Errorf("%s: emitted were %v, want %v", operation, emitted, want)
		}
	}
	fake.statuses = []string{"CREATE_COMPLETE", "CREATE_IN_PROGRESS"}
	call("DescribeStacks", true)
	call("CreateStack", false)
	call("CreateStack", true, "CREATE_IN_PROGRESS", "CREATE_COMPLETE")
	call("UpdateStack", true)
	fake.statuses = slices.Concat([]string{"DELETE_COMPLETE", "DELETE_IN_PROGRESS"}, fake.statuses)
	call("DeleteStack", true, "DELETE_IN_PROGRESS", "DELETE_COMPLETE")
	if len(failures) > 0 {
		t.Error(failures)
	}
	fake.fails = true
	call("DeleteStack", true)
	if len(failures) != 1 {
		t.Errorf("the failures are %v, want one", failures)
	}
}
