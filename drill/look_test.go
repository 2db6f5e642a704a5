package drill

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	trailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"github.com/trailguard/trailguard/drill/deployed"
)

// paged is a page of a list, which holds a single item, and the token of the next page.
func paged[T any](list []T, token *string) (page []T, next *string) {
	i, _ := strconv.Atoi(aws.ToString(token))
	if i+1 < len(list) {
		next = aws.String(strconv.Itoa(i + 1))
	}
	return list[i:min(i+1, len(list))], next
}

// history is an event history of UpdateTrail calls, one on each page.
type history []trailtypes.Event

func (h history) LookupEvents(_ context.Context, in *cloudtrail.LookupEventsInput, _ ...func(*cloudtrail.Options)) (*cloudtrail.LookupEventsOutput, error) {
	if aws.ToString(in.LookupAttributes[0].AttributeValue) != "UpdateTrail" {
		return &cloudtrail.LookupEventsOutput{}, nil
	}
	page, next := paged(h, in.NextToken)
	return &cloudtrail.LookupEventsOutput{Events: page, NextToken: next}, nil
}

func TestTheScriptsCallsAreReadFromAllPagesOfTheEventHistory(t *testing.T) {
	call := func(role, parameter string) trailtypes.Event {
		event := trailEvent{EventName: "UpdateTrail", RequestParameters: map[string]any{"name": parameter}}
		event.UserIdentity.ARN = "arn:aws:sts::123456789012:assumed-role/" + role + "/session"
		record, err := json.Marshal(event)
		if err != nil {
			t.Fatal(err)
		}
		return trailtypes.Event{CloudTrailEvent: aws.String(string(record))}
	}
	h := history{call("Operations", "0"), call("Guard", "1"), call("Guard", "2"), call("Operations", "3"), call("Guard", "4")}
	own, err := readOwnCalls(t.Context(), h, deployed.Guard{AutomationRoleARN: "arn:aws:iam::123456789012:role/trailguard/Guard"})
	var got []any
	for _, event := range own {
		got = append(got, event.RequestParameters["name"])
	}
	if want := []any{"1", "2", "4"}; !slices.Equal(got, want) || err != nil {
		t.Errorf("the script's calls are %v, %v; want %v", got, err, want)
	}
}

// stackEvents are the events of a stack, one on each page, the latest first.
type stackEvents []cloudformationtypes.StackEvent

func (s stackEvents) DescribeStackEvents(
	_ context.Context, in *cloudformation.DescribeStackEventsInput, _ ...func(*cloudformation.Options),
) (*cloudformation.DescribeStackEventsOutput, error) {
	page, next := paged(s, in.NextToken)
	return &cloudformation.DescribeStackEventsOutput{StackEvents: page, NextToken: next}, nil
}

func TestTheEndOfADeploymentIsFoundOnALaterPage(t *testing.T) {
	now := time.Date(2027, 1, 2, 0, 0, 0, 0, time.UTC)
	event := func(resource string, status cloudformationtypes.ResourceStatus, ago time.Duration) cloudformationtypes.StackEvent {
		return cloudformationtypes.StackEvent{
			StackId: aws.String("stack"), PhysicalResourceId: &resource, ResourceStatus: status, Timestamp: aws.Time(now.Add(-ago)),
		}
	}
	underWay := stackEvents{
		event("bucket", cloudformationtypes.ResourceStatusUpdateComplete, time.Minute),
		event("stack", cloudformationtypes.ResourceStatusUpdateInProgress, 2*time.Minute),
	}
	ended := append(slices.Clone(underWay),
		event("stack", cloudformationtypes.ResourceStatusUpdateComplete, time.Hour),
		event("stack", cloudformationtypes.ResourceStatusCreateComplete, 2*time.Hour))
	for _, test := range []struct {
		events stackEvents
		want   time.Time
	}{{ended, now.Add(-time.Hour)}, {underWay, time.Time{}}, {nil, time.Time{}}} {
		if got, err := readDeployment(t.Context(), test.events, "TrailGuard"); !got.Equal(test.want) || err != nil {
			t.Errorf("with %d events the deployment ended at %s, %v; want %s", len(test.events), got, err, test.want)
		}
	}
}
