package eventbridge

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/trailguard/trailguard/localaws/api"
)

// maximumEntries is how many events a call may put.
const maximumEntries = 10

// entry is one event of PutEvents.
type entry struct {
	Source, DetailType, Detail, EventBusName, TraceHeader string
	Resources                                             []any
	Time                                                  any
}

// inbox takes the events of callers.
type inbox struct {
	bus     *Bus
	clock   *api.Clock
	ids     *api.IDs
	account func(id string) *Bus // of another account; nil if there is none
}

// putEvents answers PutEvents. One for a bus that does not exist is lost, as any that no rule matches.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
func (i inbox) putEvents(ctx context.Context, call api.Call) (any, error) {
	var in struct{ Entries []entry }
	if err := api.DecodeInput(call, &in); err != nil {
		return nil, err
	}
	if len(in.Entries) == 0 || len(in.Entries) > maximumEntries {
		return nil, api.Errorf("ValidationException", "%d entries are not 1 to %d", len(in.Entries), maximumEntries)
	}
	results, failed := []any{}, 0
	for _, e := range in.Entries {
		id, err := i.put(ctx, call, e)
		if err == nil {
			results = append(results, map[string]any{"EventId": id})
			continue
		}
		refused, ok := err.(*api.Error)
		if !ok || refused.Code == api.CodeNotModelled {
			return nil, err
		}
		failed++
		results = append(results, map[string]any{"ErrorCode": refused.Code, "ErrorMessage": refused.Message})
	}
	return map[string]any{"FailedEntryCount": failed, "Entries": results}, nil
}

// put takes one event, or refuses it with an *api.Error.
func (i inbox) put(ctx context.Context, call api.Call, e entry) (string, error) {
	for _, required := range []struct{ name, value string }{{"Source", e.Source}, {"DetailType", e.DetailType}, {"Detail", e.Detail}} {
		if required.value == "" {
			return "", api.Errorf("InvalidArgument", "Parameter %s is not valid. Reason: %s is a required argument.", required.name, required.name)
		}
	}
	if strings.HasPrefix(e.Source, "aws.") {
		return "", api.Errorf("NotAuthorizedForSourceException", "Not authorized for the source.")
	}
	var detail map[string]any
	if json.Unmarshal([]byte(e.Detail), &detail) != nil {
		return "", api.Errorf("MalformedDetail", "Detail is malformed.")
	}
	bus := busOf(call.Place, e.EventBusName)
	there := api.PlaceOf(bus)
	if there.Region != call.Region {
		return "", api.NotModelled("PutEvents in %s to an event bus of %s", call.Region, there.Region)
	}
	target := i.bus
	if there.Account != call.Account && i.account != nil {
		target = i.account(there.Account)
	}
	if e.Resources == nil {
		e.Resources = []any{}
	}
	at, id := i.clock.Now(), i.ids.UUID(api.PutEventID)
	if seconds, ok := e.Time.(float64); ok {
		at = time.UnixMilli(int64(seconds * 1000))
	}
	err := target.PublishTo(ctx, bus, map[string]any{
		"version": "0", "id": id, "detail-type": e.DetailType, "source": e.Source, "account": call.Account,
		"time": at.UTC().Format(time.RFC3339), "region": call.Region, "resources": e.Resources, "detail": detail,
	}, false)
	if err != nil {
		return "", fmt.Errorf("putting an event on %s: %w", bus, err)
	}
	return id, nil
}
