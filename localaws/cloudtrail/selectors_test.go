package cloudtrail_test

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awscloudtrail "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"github.com/trailguard/trailguard/localaws/cloudtrail"
	"github.com/trailguard/trailguard/localaws/internal/world"
)

func (f *fixture) putBasic(selectors ...types.EventSelector) error {
	if selectors == nil {
		selectors = []types.EventSelector{}
	}
	_, err := f.PutEventSelectors(f.t.Context(), &awscloudtrail.PutEventSelectorsInput{TrailName: aws.String("org-trail"), EventSelectors: selectors})
	return err
}

func (f *fixture) putAdvanced(selectors ...types.AdvancedEventSelector) error {
	if selectors == nil {
		selectors = []types.AdvancedEventSelector{}
	}
	_, err := f.PutEventSelectors(f.t.Context(), &awscloudtrail.PutEventSelectorsInput{TrailName: aws.String("org-trail"), AdvancedEventSelectors: selectors})
	return err
}

func (f *fixture) selectors() *awscloudtrail.GetEventSelectorsOutput {
	f.t.Helper()
	out, err := f.GetEventSelectors(f.t.Context(), &awscloudtrail.GetEventSelectorsInput{TrailName: aws.String("org-trail")})
	if err != nil {
		f.t.Fatal(err)
	}
	return out
}

func (f *fixture) putInsights(insights ...types.InsightType) error {
	selectors := []types.InsightSelector{}
	for _, insight := range insights {
		selectors = append(selectors, types.InsightSelector{InsightType: insight})
	}
	_, err := f.PutInsightSelectors(f.t.Context(), &awscloudtrail.PutInsightSelectorsInput{TrailName: aws.String("org-trail"), InsightSelectors: selectors})
	return err
}

// where makes an advanced selector of fields that equal one value each.
func where(fields ...string) types.AdvancedEventSelector {
	var selector types.AdvancedEventSelector
	for i := 0; i < len(fields); i += 2 {
		selector.FieldSelectors = append(selector.FieldSelectors, types.AdvancedFieldSelector{Field: &fields[i], Equals: []string{fields[i+1]}})
	}
	return selector
}

func s3Objects(arns ...string) []types.DataResource {
	return []types.DataResource{{Type: aws.String("AWS::S3::Object"), Values: arns}}
}

func TestANewTrailLogsAllManagementEvents(t *testing.T) {
	f := created(t, nil)
	got := f.selectors()
	if len(got.EventSelectors) != 1 || len(got.AdvancedEventSelectors) != 0 || got.EventSelectors[0].ReadWriteType != types.ReadWriteTypeAll || !*got.EventSelectors[0].IncludeManagementEvents {
		t.Errorf("got %+v", got)
	}
	if !f.service.Trails()[0].LogsAllManagementEvents() {
		t.Error("a new trail does not log all management events")
	}
}

func TestPutEventSelectorsReplacesTheOtherKind(t *testing.T) {
	f := created(t, nil)
	if err := f.putAdvanced(where("eventCategory", "Management")); err != nil {
		t.Fatal(err)
	}
	if got := f.selectors(); len(got.EventSelectors) != 0 || len(got.AdvancedEventSelectors) != 1 || !*f.trail().HasCustomEventSelectors {
		t.Errorf("after advanced selectors: %+v", got)
	}
	if err := f.putBasic(types.EventSelector{}); err != nil {
		t.Fatal(err)
	}
	if got := f.selectors(); len(got.EventSelectors) != 1 || len(got.AdvancedEventSelectors) != 0 || *f.trail().HasCustomEventSelectors {
		t.Errorf("after basic selectors: %+v", got)
	}
	_, err := f.PutEventSelectors(t.Context(), &awscloudtrail.PutEventSelectorsInput{
		TrailName:              aws.String("org-trail"),
		EventSelectors:         []types.EventSelector{{}},
		AdvancedEventSelectors: []types.AdvancedEventSelector{where("eventCategory", "Management")},
	})
	world.WantCode(t, err, "InvalidEventSelectorsException")
}

func TestSelectorsThatEqualTheDefaultsAreCustomUnderThatReading(t *testing.T) {
	f := created(t, func(o *cloudtrail.Options) { o.DefaultSelectorsAreCustom = true })
	if *f.trail().HasCustomEventSelectors {
		t.Error("a new trail has custom selectors")
	}
	if err := f.putBasic(types.EventSelector{}); err != nil {
		t.Fatal(err)
	}
	if !*f.trail().HasCustomEventSelectors {
		t.Error("the selectors that were put are not custom")
	}
}

func TestPutEventSelectorsRefusesAnEmptyList(t *testing.T) {
	f := created(t, nil)
	world.WantCode(t, f.putBasic(), "InvalidEventSelectorsException")
	world.WantCode(t, f.putAdvanced(), "InvalidEventSelectorsException")
	if !f.service.Trails()[0].LogsAllManagementEvents() {
		t.Error("a refused call changed the selectors")
	}
}

func TestPutEventSelectorsRefuses(t *testing.T) {
	off, on := aws.Bool(false), aws.Bool(true)
	many := make([]string, 251)
	for i := range many {
		many[i] = fmt.Sprintf("arn:aws:s3:::bucket-%d/", i)
	}
	basic := []struct {
		what      string
		selectors []types.EventSelector
		want      string
	}{
		{"five selectors", make([]types.EventSelector, 5), ""},
		{"six selectors", make([]types.EventSelector, 6), "InvalidEventSelectorsException"},
		{"an unknown ReadWriteType", []types.EventSelector{{ReadWriteType: "read-only"}}, "InvalidEventSelectorsException"},
		{"nothing at all", []types.EventSelector{{IncludeManagementEvents: off}}, "InvalidEventSelectorsException"},
		{"no management events, no objects", []types.EventSelector{{IncludeManagementEvents: off, DataResources: s3Objects()}}, ""},
		{"the excluded sources", []types.EventSelector{{IncludeManagementEvents: on, ExcludeManagementEventSources: []string{"kms.amazonaws.com", "rdsdata.amazonaws.com"}}}, ""},
		{"another excluded source", []types.EventSelector{{ExcludeManagementEventSources: []string{"iam.amazonaws.com"}}}, "InvalidEventSelectorsException"},
		{"all objects", []types.EventSelector{{DataResources: s3Objects("arn:aws:s3")}}, ""},
		{"a wildcard", []types.EventSelector{{DataResources: s3Objects("arn:aws:s3:::*")}}, "InvalidEventSelectorsException"},
		{"an unknown type", []types.EventSelector{{DataResources: []types.DataResource{{Type: aws.String("AWS::SNS::Topic")}}}}, "InvalidEventSelectorsException"},
		{"251 resources", []types.EventSelector{{DataResources: s3Objects(many...)}}, "InvalidEventSelectorsException"},
	}
	for _, test := range basic {
		t.Run(test.what, func(t *testing.T) {
			world.WantCode(t, created(t, nil).putBasic(test.selectors...), test.want)
		})
	}
	advanced := []struct {
		what      string
		selectors []types.AdvancedEventSelector
		want      string
	}{
		{"management", []types.AdvancedEventSelector{where("eventCategory", "Management")}, ""},
		{"data", []types.AdvancedEventSelector{where("eventCategory", "Data", "resources.type", "AWS::S3::Object")}, ""},
		{"data without a type", []types.AdvancedEventSelector{where("eventCategory", "Data")}, "InvalidEventSelectorsException"},
		{"no category", []types.AdvancedEventSelector{where("readOnly", "true")}, "InvalidEventSelectorsException"},
		{"an unknown category", []types.AdvancedEventSelector{where("eventCategory", "Insight")}, "InvalidEventSelectorsException"},
		{"readOnly maybe", []types.AdvancedEventSelector{where("eventCategory", "Management", "readOnly", "maybe")}, "InvalidEventSelectorsException"},
		{"a field of another kind", []types.AdvancedEventSelector{where("eventCategory", "Management", "resources.ARN", "x")}, "InvalidEventSelectorsException"},
	}
	for _, test := range advanced {
		t.Run("advanced "+test.what, func(t *testing.T) {
			world.WantCode(t, created(t, nil).putAdvanced(test.selectors...), test.want)
		})
	}
}

func TestWhichSelectorsLogAllManagementEvents(t *testing.T) {
	off := aws.Bool(false)
	excludeKMS := []string{"kms.amazonaws.com"}
	basic := []struct {
		what      string
		selectors []types.EventSelector
		want      bool
	}{
		{"the defaults", []types.EventSelector{{}}, true},
		{"read and write apart", []types.EventSelector{{ReadWriteType: "ReadOnly"}, {ReadWriteType: "WriteOnly"}}, true},
		{"read only", []types.EventSelector{{ReadWriteType: "ReadOnly"}}, false},
		{"write only", []types.EventSelector{{ReadWriteType: "WriteOnly"}}, false},
		{"data only", []types.EventSelector{{IncludeManagementEvents: off, DataResources: s3Objects()}}, false},
		{"an excluded source", []types.EventSelector{{ExcludeManagementEventSources: excludeKMS}}, false},
		{"an excluded source beside the defaults", []types.EventSelector{{ExcludeManagementEventSources: excludeKMS}, {}}, true},
	}
	for _, test := range basic {
		f := created(t, nil)
		if err := f.putBasic(test.selectors...); err != nil {
			t.Fatal(err)
		}
		if got := f.service.Trails()[0].LogsAllManagementEvents(); got != test.want {
			t.Errorf("%s: got %t", test.what, got)
		}
	}
	withoutKMS := where("eventCategory", "Management")
	withoutKMS.FieldSelectors = append(withoutKMS.FieldSelectors, types.AdvancedFieldSelector{Field: aws.String("eventSource"), NotEquals: excludeKMS})
	advanced := []struct {
		what     string
		selector types.AdvancedEventSelector
		want     bool
	}{
		{"management", where("eventCategory", "Management"), true},
		{"management, read", where("eventCategory", "Management", "readOnly", "true"), false},
		{"management without KMS", withoutKMS, false},
		{"data", where("eventCategory", "Data", "resources.type", "AWS::S3::Object"), false},
	}
	for _, test := range advanced {
		f := created(t, nil)
		if err := f.putAdvanced(test.selector); err != nil {
			t.Fatal(err)
		}
		if got := f.service.Trails()[0].LogsAllManagementEvents(); got != test.want {
			t.Errorf("%s: got %t", test.what, got)
		}
	}
}

func TestInsightsAreReplacedAndTurnedOff(t *testing.T) {
	f := created(t, nil)
	get := func() ([]types.InsightSelector, error) {
		out, err := f.GetInsightSelectors(t.Context(), &awscloudtrail.GetInsightSelectorsInput{TrailName: aws.String("org-trail")})
		if err != nil {
			return nil, err
		}
		return out.InsightSelectors, nil
	}
	_, err := get()
	world.WantCode(t, err, "InsightNotEnabledException")
	world.WantCode(t, f.putInsights("ApiCallRateInsight", "ApiErrorRateInsight"), "")
	world.WantCode(t, f.putInsights("ApiErrorRateInsight"), "")
	if got, err := get(); err != nil || len(got) != 1 || got[0].InsightType != "ApiErrorRateInsight" || !*f.trail().HasInsightSelectors {
		t.Errorf("not replaced: %v, %v", got, err)
	}
	world.WantCode(t, f.putInsights(), "")
	_, err = get()
	world.WantCode(t, err, "InsightNotEnabledException")
	if *f.trail().HasInsightSelectors {
		t.Error("HasInsightSelectors stays")
	}
	world.WantCode(t, f.putInsights("ApiBoredomInsight"), "InvalidInsightSelectorsException")
}

func TestInsightsNeedTheEventsThatTheyAnalyze(t *testing.T) {
	f := created(t, nil)
	if err := f.putBasic(types.EventSelector{ReadWriteType: "ReadOnly"}); err != nil {
		t.Fatal(err)
	}
	world.WantCode(t, f.putInsights("ApiCallRateInsight"), "InvalidInsightSelectorsException")
	world.WantCode(t, f.putInsights("ApiErrorRateInsight"), "")
	if err := f.putBasic(types.EventSelector{IncludeManagementEvents: aws.Bool(false), DataResources: s3Objects()}); err != nil {
		t.Fatal(err)
	}
	world.WantCode(t, f.putInsights("ApiErrorRateInsight"), "InvalidInsightSelectorsException")
}
