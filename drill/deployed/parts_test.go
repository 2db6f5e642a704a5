package deployed

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
)

func TestPartsAreKnownByWhatTheyDo(t *testing.T) {
	guard := Guard{LogBucketName: "logs"}
	resources := Resources{
		"AWS::S3::Bucket": {"logs", "access"}, "AWS::CloudWatch::Alarm": {"flood", "failed"}, "AWS::Config::RemediationConfiguration": {"rule"},
	}
	const failed = `{"detail":{"Status":["Failed","TimedOut","Cancelled"]},"source":["aws.ssm"]}`
	rules := []EventRule{
		{Name: "starts", Starts: true, Pattern: failed}, {Name: "store", OfLogStore: true, Pattern: failed}, {Name: "notice", Pattern: failed},
		{Name: "guard", Pattern: `{"detail":{"eventName":["DeleteStack","UpdateStack"]}}`},
	}
	want := Parts{
		RepairsLogStore: true, AccessLogBucket: "access", TellsOfGuard: true, FailureNotice: "notice", Alarms: []string{"failed", "flood"}, HasRemediation: true,
	}
	if got := PartsOf(guard, resources, rules); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	// A log bucket that was supplied is not of the stack, and neither is what the stack does without.
	if got := PartsOf(guard, Resources{}, rules[:1]); !reflect.DeepEqual(got, Parts{}) {
		t.Errorf("got %+v", got)
	}
}

// closedStack is a stack whose resources may not be listed.
type closedStack struct{ CloudFormation }

func (closedStack) ListStackResources(
	context.Context, *cloudformation.ListStackResourcesInput, ...func(*cloudformation.Options),
) (*cloudformation.ListStackResourcesOutput, error) {
	return nil, errors.New("no permission")
}

func TestPartsThatMayNotBeReadAreNotKnown(t *testing.T) {
	got := ReadParts(t.Context(), Clients{CloudFormation: closedStack{}}, Guard{Stack: "TrailGuard"})
	if want := (Parts{NotRead: "listing the resources of stack TrailGuard: no permission"}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
