package cloudtrail

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/trailguard/trailguard/localaws/api"
)

// History is CloudTrail's event history, which there is without a trail. It holds the calls that change something; events are
// in it at once.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/view-cloudtrail-events.html
type History struct {
	mu     sync.Mutex
	events []map[string]any
}

// maxHistory bounds the memory of a history; the oldest half is dropped when it is reached.
const maxHistory = 1 << 13

// Add takes an event in.
func (h *History) Add(event map[string]any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.events) >= maxHistory {
		h.events = slices.Clone(h.events[maxHistory/2:])
	}
	h.events = append(h.events, event)
}

// lookup answers LookupEvents: the latest events of one name, on one page.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
func (h *History) lookup(_ context.Context, call api.Call) (any, error) {
	const page = 50
	var in struct {
		LookupAttributes []struct{ AttributeKey, AttributeValue string }
		MaxResults       int
	}
	if err := api.DecodeInput(call, &in); err != nil {
		return nil, err
	}
	if len(in.LookupAttributes) != 1 || in.LookupAttributes[0].AttributeKey != "EventName" {
		return nil, api.NotModelled("cloudtrail:LookupEvents by anything but one EventName")
	}
	if in.MaxResults < 0 || in.MaxResults > page {
		return nil, api.Errorf("InvalidMaxResultsException", "MaxResults %d must be 1 to %d", in.MaxResults, page)
	}
	if in.MaxResults == 0 {
		in.MaxResults = page
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	found := []any{}
	for _, event := range slices.Backward(h.events) {
		detail := event["detail"].(map[string]any)
		if detail["eventName"] != in.LookupAttributes[0].AttributeValue {
			continue
		}
		record, err := json.Marshal(detail)
		if err != nil {
			return nil, fmt.Errorf("writing an event: %w", err)
		}
		at, err := time.Parse(time.RFC3339, detail["eventTime"].(string))
		if err != nil {
			return nil, fmt.Errorf("reading an event: %w", err)
		}
		found = append(found, map[string]any{
			"EventId": detail["eventID"], "EventName": detail["eventName"], "EventSource": detail["eventSource"],
			"EventTime": float64(at.UnixMilli()) / 1000, "ReadOnly": "false", "CloudTrailEvent": string(record),
		})
		if len(found) == in.MaxResults {
			break
		}
	}
	return map[string]any{"Events": found}, nil
}

// Events are copies of the events, the oldest first.
func (h *History) Events() []map[string]any {
	h.mu.Lock()
	defer h.mu.Unlock()
	events := make([]map[string]any, 0, len(h.events))
	for _, event := range h.events {
		event = maps.Clone(event)
		event["detail"] = maps.Clone(event["detail"].(map[string]any))
		events = append(events, event)
	}
	return events
}
