package cloudtrail_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awscloudtrail "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/cloudtrail"
	"github.com/trailguard/trailguard/localaws/internal/world"
)

func TestTheHistoryHoldsWhatNoTrailLogs(t *testing.T) {
	w := world.New(t)
	service := cloudtrail.New(cloudtrail.Options{Clock: w.Recorder.Clock, Environment: &environment{refusals: map[string]error{}}})
	w.Trail = func(call api.Call) (any, error) { return service.Handle(t.Context(), call) }
	w.Recorder.History, w.Logging = service.History().Add, false
	trails := w.CloudTrail(world.Mallory)
	lookUp := func(name string, most int32) []types.Event {
		t.Helper()
		got, err := trails.LookupEvents(t.Context(), &awscloudtrail.LookupEventsInput{MaxResults: &most, LookupAttributes: []types.LookupAttribute{
			{AttributeKey: types.LookupAttributeKeyEventName, AttributeValue: &name},
		}})
		if err != nil {
			t.Fatal(err)
		}
		return got.Events
	}
	// The second call meets a trail that exists.
	for _, code := range []string{"", "TrailAlreadyExistsException"} {
		_, err := trails.CreateTrail(t.Context(), &awscloudtrail.CreateTrailInput{Name: aws.String("guarded"), S3BucketName: aws.String("logs")})
		world.WantCode(t, err, code)
	}
	var codes []any
	for _, event := range lookUp("CreateTrail", 50) {
		var detail map[string]any
		if err := json.Unmarshal([]byte(*event.CloudTrailEvent), &detail); err != nil {
			t.Fatal(err)
		}
		codes = append(codes, detail["errorCode"])
		if !event.EventTime.Equal(w.Recorder.Clock.Now().Truncate(time.Second)) || detail["requestParameters"].(map[string]any)["name"] != "guarded" {
			t.Errorf("the event of %s is %s", event.EventTime, *event.CloudTrailEvent)
		}
	}
	if len(codes) != 2 || codes[0] != "TrailAlreadyExistsException" || codes[1] != nil {
		t.Errorf("the errors, the latest first, are %v", codes)
	}
	if got := len(lookUp("CreateTrail", 1)); got != 1 {
		t.Errorf("of one event there are %d", got)
	}
	if got := len(lookUp("GetTrail", 50)) + len(lookUp("DeleteTrail", 50)); got != 0 {
		t.Errorf("there are %d events of calls that were not made or read only", got)
	}
}
