package drill

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"

	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/internal/golden"
)

// recorder writes down the calls that it gets, without the members that are not set.
type recorder struct{ calls []string }

func (r *recorder) record(operation string, input any) {
	encoded, err := json.Marshal(input)
	if err != nil {
		panic(err)
	}
	var members map[string]any
	if err := json.Unmarshal(encoded, &members); err != nil {
		panic(err)
	}
	for name, value := range members {
		if value == nil {
			delete(members, name)
		}
	}
	if encoded, err = json.Marshal(members); err != nil {
		panic(err)
	}
	r.calls = append(r.calls, operation+" "+string(encoded))
}

func (r *recorder) StopLogging(_ context.Context, in *cloudtrail.StopLoggingInput, _ ...func(*cloudtrail.Options)) (*cloudtrail.StopLoggingOutput, error) {
	r.record("StopLogging", in)
	return nil, nil
}

func (r *recorder) DeleteTrail(_ context.Context, in *cloudtrail.DeleteTrailInput, _ ...func(*cloudtrail.Options)) (*cloudtrail.DeleteTrailOutput, error) {
	r.record("DeleteTrail", in)
	return nil, nil
}

func (r *recorder) UpdateTrail(_ context.Context, in *cloudtrail.UpdateTrailInput, _ ...func(*cloudtrail.Options)) (*cloudtrail.UpdateTrailOutput, error) {
	r.record("UpdateTrail", in)
	return nil, nil
}

func (r *recorder) PutEventSelectors(_ context.Context, in *cloudtrail.PutEventSelectorsInput, _ ...func(*cloudtrail.Options)) (*cloudtrail.PutEventSelectorsOutput, error) {
	r.record("PutEventSelectors", in)
	return nil, nil
}

func (r *recorder) PutInsightSelectors(_ context.Context, in *cloudtrail.PutInsightSelectorsInput, _ ...func(*cloudtrail.Options)) (*cloudtrail.PutInsightSelectorsOutput, error) {
	r.record("PutInsightSelectors", in)
	return nil, nil
}

// TestTheCallsOfTheScenarios is the catalogue as it is sent: each scenario makes one call, and its golden line says which.
func (r *recorder) RemoveTags(_ context.Context, in *cloudtrail.RemoveTagsInput, _ ...func(*cloudtrail.Options)) (*cloudtrail.RemoveTagsOutput, error) {
	r.record("RemoveTags", in)
	return nil, nil
}

func TestTheCallsOfTheScenarios(t *testing.T) {
	var lines strings.Builder
	for _, s := range Scenarios() {
		r := &recorder{}
		if err := s.Tamper(t.Context(), r, Target{Trail: "TRAIL", ARN: "ARN", Bucket: "BUCKET", KeyARN: "KEY", Declared: deployed.Declared{deployed.Tags: `{"k":"v"}`}}); err != nil {
			t.Fatal(err)
		}
		if len(r.calls) != 1 || !strings.HasPrefix(s.Call, "cloudtrail "+strings.Fields(r.calls[0])[0]) {
			t.Errorf("%s says %q and calls %q", s.ID, s.Call, r.calls)
		}
		fmt.Fprintf(&lines, "%s %s\n", s.ID, strings.Join(r.calls, " "))
	}
	golden.Check(t, "testdata/scenarios.txt", []byte(lines.String()))
}

func TestEachScenarioOfTheCatalogueIsThere(t *testing.T) {
	var ids []string
	for _, s := range Scenarios() {
		ids = append(ids, s.ID)
	}
	for i := 1; i <= 19; i++ {
		if id := fmt.Sprintf("T%02d", i); !slices.Contains(ids, id) {
			t.Errorf("%s is missing", id)
		}
	}
	for _, id := range []string{"T50", "T51", "T52"} {
		if !slices.Contains(ids, id) {
			t.Errorf("%s is missing", id)
		}
	}
	if !slices.IsSorted(ids) {
		t.Errorf("the order is %q", ids)
	}
}

func TestEachScenarioSaysWhyItDoesNotApply(t *testing.T) {
	nothing, everything := deployed.Guard{}, deployed.Guard{Declared: deployed.Declared{}}
	for _, setting := range deployed.Settings() {
		everything.Declared[setting] = "something"
	}
	for _, s := range Scenarios() {
		if reason := s.NotApplicable(nothing); (reason == "") != (s.Takes == "") {
			t.Errorf("%s takes %q and says %q", s.ID, s.Takes, reason)
		}
		if reason := s.NotApplicable(everything); reason != "" {
			t.Errorf("%s does not apply: %s", s.ID, reason)
		}
	}
}

func TestAPlanLeavesOutWhatMustBeNamed(t *testing.T) {
	guard := deployed.Guard{Declared: deployed.Declared{deployed.IsMultiRegionTrail: "true", deployed.InsightSelectors: `["ApiCallRateInsight"]`}}
	callers := []Caller{{Name: "root"}, {Name: "user"}}
	ids := func(attempts []Attempt) (ids []string) {
		for _, a := range attempts {
			ids = append(ids, a.Scenario.ID)
		}
		return slices.Compact(ids)
	}
	var want []string
	seen, unseen := 0, 0
	for _, s := range Scenarios() {
		switch {
		case slices.Contains([]string{"T10", "T11", "T12", "T52"}, s.ID): // no log group, no topic, no organization, no tags
			continue
		case s.UnseenByConfig != "":
			unseen++
		default:
			seen++
		}
		want = append(want, s.ID)
	}
	all, left := Plan{Callers: callers, Path: "event"}.Attempts(guard)
	if !slices.Equal(ids(all), slices.Compact(want)) {
		t.Errorf("got %q, want %q", ids(all), slices.Compact(want))
	}
	const forms = 2 * 2 // of callers, by name and by ARN
	if len(all) != (seen+unseen)*forms || seen < 18 || unseen < 2 || len(left) != 4 {
		t.Errorf("there are %d attempts, and left are %q", len(all), left)
	}
	byConfig, left := Plan{Callers: callers, Path: deployed.ConfigPath}.Attempts(guard)
	if len(byConfig) != seen*forms || !slices.Contains(left, "T50 cloudtrail PutEventSelectors with other data resources: not with Config alone: a configuration item does not hold the selectors") {
		t.Errorf("there are %d attempts, and left are %q", len(byConfig), left)
	}
	inAccount, left := Plan{Callers: callers, Real: true}.Attempts(guard)
	if slices.Contains(ids(inAccount), "T07") || slices.Contains(ids(inAccount), "T08") || len(left) != 6 {
		t.Errorf("got %q, and left are %q", ids(inAccount), left)
	}
	named, left := Plan{IDs: []string{"T07", "T11"}, Callers: callers[:1], Real: true}.Attempts(guard)
	want = []string{`T11 cloudtrail UpdateTrail SnsTopicName="": not applicable: the trail has no SNS topic`}
	if !slices.Equal(ids(named), []string{"T07"}) || len(named) != 2 || !slices.Equal(left, want) {
		t.Errorf("got %q, and left are %q", ids(named), left)
	}
}
