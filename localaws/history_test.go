package localaws

import (
	"encoding/json"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	cloudtrailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"github.com/trailguard/trailguard/localaws/internal/world"
)

func (g guarded) wantHistory() {
	g.t.Helper()
	trails := cloudtrail.NewFromConfig(g.Config(Administrator))
	lookUp := func(name string, most int32) []cloudtrailtypes.Event {
		got, err := trails.LookupEvents(g.t.Context(), &cloudtrail.LookupEventsInput{MaxResults: &most, LookupAttributes: []cloudtrailtypes.LookupAttribute{
			{AttributeKey: cloudtrailtypes.LookupAttributeKeyEventName, AttributeValue: &name},
		}})
		g.must(err)
		return got.Events
	}
	// The trail is created while nothing logs, and the second call meets a trail that exists.
	_, err := trails.CreateTrail(g.t.Context(), &cloudtrail.CreateTrailInput{Name: aws.String("guarded"), S3BucketName: aws.String("trail-logs")})
	world.WantCode(g.t, err, "TrailAlreadyExistsException")
	var codes []any
	for _, event := range lookUp("CreateTrail", 50) {
		var detail map[string]any
		g.must(json.Unmarshal([]byte(*event.CloudTrailEvent), &detail))
		codes = append(codes, detail["errorCode"])
		if !event.EventTime.Equal(g.Clock.Now().Truncate(time.Second)) || detail["requestParameters"].(map[string]any)["name"] != "guarded" {
			g.t.Errorf("the event of %s is %s", event.EventTime, *event.CloudTrailEvent)
		}
	}
	if len(codes) != 2 || codes[0] != "TrailAlreadyExistsException" || codes[1] != nil {
		g.t.Errorf("the errors, the latest first, are %v", codes)
	}
	if got := len(lookUp("CreateTrail", 1)); got != 1 {
		g.t.Errorf("of one event there are %d", got)
	}
	if got := len(lookUp("GetTrail", 50)) + len(lookUp("DeleteTrail", 50)); got != 0 {
		g.t.Errorf("there are %d events of calls that were not made or read only", got)
	}
}

func (g guarded) wantStackEventsOnTheClock() {
	g.t.Helper()
	got, err := g.cloudFormation().DescribeStackEvents(g.t.Context(), &cloudformation.DescribeStackEventsInput{StackName: aws.String("guard")})
	g.must(err)
	for _, event := range got.StackEvents {
		if away := g.Clock.Now().Sub(*event.Timestamp); away < 0 || away > time.Minute {
			g.t.Errorf("%s of %s is at %s, and the clock shows %s", event.ResourceStatus, *event.LogicalResourceId, event.Timestamp, g.Clock.Now())
		}
	}
	if len(got.StackEvents) == 0 {
		g.t.Error("there are no events")
	}
}

func (g guarded) wantPatternsTested() {
	g.t.Helper()
	const envelope = `"id":"1","account":"123456789012","time":"2030-01-01T00:00:00Z","region":"us-east-1","resources":[],"detail-type":"x"`
	for _, test := range []struct {
		pattern, event string
		want           bool
		code           string
	}{
		{`{"source":[{"prefix":"aws."}]}`, `{"source":"aws.ssm",` + envelope + `}`, true, ""},
		{`{"source":[{"prefix":"aws."}]}`, `{"source":"mine",` + envelope + `}`, false, ""},
		{`{"source":[{"prefix":"aws."}]}`, `{"source":"aws.ssm"}`, false, "ValidationException"},
		{`{"source":"aws.ssm"}`, `{"source":"aws.ssm",` + envelope + `}`, false, "InvalidEventPatternException"},
	} {
		got, err := eventbridge.NewFromConfig(g.Config(Administrator)).TestEventPattern(g.t.Context(), &eventbridge.TestEventPatternInput{
			EventPattern: &test.pattern, Event: &test.event,
		})
		world.WantCode(g.t, err, test.code)
		if err == nil && got.Result != test.want {
			g.t.Errorf("%s on %s: got %v", test.pattern, test.event, got.Result)
		}
	}
}
