package drill

import (
	"context"
	"slices"
	"testing"

	"github.com/aws/smithy-go"
)

// TestARefusedCallThatChangesTheTrailIsNoRefusal: what CloudTrail says of a call is believed only if the trail is as it was.
func TestARefusedCallThatChangesTheTrailIsNoRefusal(t *testing.T) {
	const code = "InvalidEventSelectorsException"
	f := newFake()
	s := f.breaks(stopped)
	tamper := s.Tamper
	s.Refusals = []string{code}
	s.Tamper = func(ctx context.Context, api TrailAPI, target Target) error {
		if err := tamper(ctx, api, target); err != nil {
			return err
		}
		return &smithy.GenericAPIError{Code: code}
	}
	results, err := f.runner().Run(t.Context(), []Attempt{{Scenario: s}})
	if err != nil || len(results) != 1 {
		t.Fatalf("got %+v, %v", results, err)
	}
	if got := results[0]; got.Repaired || got.Refused != code || !slices.Contains(got.Unmet, "IsLogging is false, want true") {
		t.Errorf("got %+v", got)
	}
}
