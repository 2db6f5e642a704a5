package tampering

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/internal/updates"
)

// TestInsightsOfAnEventDataStoreAreNotTheTrails: PutInsightSelectors also takes an event data store of CloudTrail Lake. The controls
// are the same event of the trail, and patterns that do not say so.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_PutInsightSelectors.html
func TestInsightsOfAnEventDataStoreAreNotTheTrails(t *testing.T) {
	inEach(t, func(t *testing.T, a *account) {
		const store = "arn:aws:cloudtrail:us-east-1:123456789012:eventdatastore/11111111-2222-3333-4444-555555555555"
		anyRequest := func(_ testbed.TB, tpl testbed.Template) {
			for _, rule := range tpl.Resources(eventRule) {
				if isStart(rule) || isTamperingNotice(rule) {
					delete(request(rule), "eventDataStore")
				}
			}
		}
		g := guarded(t, a, testbed.ReadTemplate(t, "default"))
		mentions := func(g guard, of, value string, want int) {
			t.Helper()
			before := len(g.Executions())
			said := g.told(func() {
				g.Must(g.Bus().Publish(t.Context(), event(t, read[map[string]map[string]any](t, "identities")["assumed role"], map[string]any{
					"eventName":         "PutInsightSelectors",
					"requestParameters": map[string]any{of: value, "insightSelectors": []any{}},
				})))
				g.Settle()
			})
			g.wantExecutions(before, want)
			if len(said) != want {
				t.Errorf("%s: people are told %q", of, said)
			}
		}
		mentions(g, "eventDataStore", store, 0)
		mentions(g, "trailName", g.TrailName, 1)
		mentions(guarded(t, a, testbed.ReadTemplate(t, "default").With(t, anyRequest)), "eventDataStore", store, 1)
	})
}

// withoutInsights is the default guard whose InsightTypes are an empty list.
func withoutInsights(t *testing.T) testbed.Template {
	t.Helper()
	all, def, err := updates.Read(testbed.Golden("updates.json"),
		testbed.Golden("default.template.json"))
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(u updates.Update) bool { return u.Prop == "InsightTypes" })
	return updates.Apply(def, all[i].After)
}

// TestAGuardWithoutInsightsTurnsThemOff: what a trail's configuration item says of Insights that were turned off is not documented, so
// Config does not ask. The runbook does.
func TestAGuardWithoutInsightsTurnsThemOff(t *testing.T) {
	inEach(t, func(t *testing.T, a *account) {
		tpl := withoutInsights(t)
		if strings.Contains(tpl.JSON(), "hasInsightSelectors") {
			t.Error("a rule of Config asks for Insights")
		}
		g := guarded(t, a, tpl)
		before := len(g.Executions())
		g.Pass(25 * time.Hour)
		if found := g.notCompliant(); len(found) > 0 {
			t.Errorf("%v are not compliant", found)
		}
		for _, r := range g.since(before) {
			if len(r.Writes) > 0 {
				t.Errorf("a run wrote %v when all was well", r.Writes)
			}
		}
		g.wantSuccess(g.since(before))
		g.putInsights(types.InsightSelector{InsightType: types.InsightTypeApiCallRateInsight})
		g.wantNotRepaired()
		g.Settle()
		g.WantRepaired()
	})
}

// TestInsightsOfOtherEventsArePutBack: that a type of Insights is on does not say of which events.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_InsightSelector.html
func TestInsightsOfOtherEventsArePutBack(t *testing.T) {
	inTurn(t, 0, func(t *testing.T, a *account) {
		g := guarded(t, a, testbed.ReadTemplate(t, "everything")) // it logs data events, without which there are no Insights of them
		g.putInsights(types.InsightSelector{
			InsightType:     types.InsightTypeApiErrorRateInsight,
			EventCategories: []types.SourceEventCategory{types.SourceEventCategoryData},
		})
		g.Settle()
		got, err := g.Clients.CloudTrail.GetInsightSelectors(t.Context(), &cloudtrail.GetInsightSelectorsInput{TrailName: &g.TrailARN})
		g.Must(err)
		if len(got.InsightSelectors) != 1 || slices.Contains(got.InsightSelectors[0].EventCategories, types.SourceEventCategoryData) {
			t.Errorf("the Insights are %+v", got.InsightSelectors)
		}
		g.WantRepaired()
	})
}

func (g guard) putInsights(selectors ...types.InsightSelector) {
	g.T.Helper()
	_, err := g.attacker(callers[0]).PutInsightSelectors(g.T.Context(), &cloudtrail.PutInsightSelectorsInput{TrailName: &g.TrailName, InsightSelectors: selectors})
	g.Must(err)
}

// TestANoticeIsReadableInItsQuotes: EventBridge makes of the template a JSON string. Whether the quotes arrive in an e-mail is told
// in two ways: AWS's tutorial shows none, and people see them. So the text has nothing else that JSON would escape.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-input-transformer-tutorial.html
// https://github.com/aws/aws-cdk/issues/38121
func TestANoticeIsReadableInItsQuotes(t *testing.T) {
	inTurn(t, 1, func(t *testing.T, a *account) {
		g := guarded(t, a, testbed.ReadTemplate(t, "default"))
		before := len(g.Gateway.Calls())
		said := g.told(func() {
			g.strike("T01")
			g.Settle()
		})
		raw := 0
		for _, call := range g.Gateway.Calls()[before:] {
			if call.Action() != "sns:Publish" || call.Input["Subject"] != nil {
				continue
			}
			raw++
			if text := call.Input["Message"].(string); !slices.Contains(said, strings.Trim(text, `"`)) || strings.ContainsAny(text, `\`) {
				t.Errorf("the message is %s, and its text is one of %q", text, said)
			}
		}
		if raw != 1 {
			t.Errorf("EventBridge told people %d times", raw)
		}
	})
}
