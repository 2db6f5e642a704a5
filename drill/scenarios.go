package drill

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"github.com/trailguard/trailguard/drill/deployed"
)

// TrailAPI are the calls with which a trail is tampered with.
type TrailAPI interface {
	StopLogging(context.Context, *cloudtrail.StopLoggingInput, ...func(*cloudtrail.Options)) (*cloudtrail.StopLoggingOutput, error)
	DeleteTrail(context.Context, *cloudtrail.DeleteTrailInput, ...func(*cloudtrail.Options)) (*cloudtrail.DeleteTrailOutput, error)
	UpdateTrail(context.Context, *cloudtrail.UpdateTrailInput, ...func(*cloudtrail.Options)) (*cloudtrail.UpdateTrailOutput, error)
	PutEventSelectors(context.Context, *cloudtrail.PutEventSelectorsInput, ...func(*cloudtrail.Options)) (*cloudtrail.PutEventSelectorsOutput, error)
	PutInsightSelectors(context.Context, *cloudtrail.PutInsightSelectorsInput, ...func(*cloudtrail.Options)) (*cloudtrail.PutInsightSelectorsOutput, error)
	RemoveTags(context.Context, *cloudtrail.RemoveTagsInput, ...func(*cloudtrail.Options)) (*cloudtrail.RemoveTagsOutput, error)
}

// Target is what a scenario is aimed at.
type Target struct {
	Trail string // the name or the ARN
	ARN   string // the ARN
	// Declared is the state that is taken away.
	Declared deployed.Declared
	Bucket   string // another bucket that lets CloudTrail in, if the scenario needs it
	KeyARN   string // another key that lets CloudTrail in, if the scenario needs it
}

// Need is what a scenario needs beside the trail. It is made before the tampering and cleared away after it.
type Need string

// What scenarios need.
const (
	AnotherBucket Need = "another bucket"
	AnotherKey    Need = "another key"
)

// Scenario is one way to tamper with a trail. The trail is repaired when its whole declared state is back. Settings that are not
// declared, and that the guard leaves as they are, the drill puts back from what it read before.
type Scenario struct {
	// ID is the scenario's number in the catalogue. Scenarios with one ID are the same tampering by different calls.
	ID string
	// Call names the call and what is special about its parameters.
	Call string
	// Tamper makes the call.
	Tamper func(context.Context, TrailAPI, Target) error
	// Refusals are the codes with which CloudTrail itself may refuse the call. A refused call needs no repair.
	Refusals []string
	// Takes is the setting that the scenario takes away: the scenario applies to trails that declare it.
	//
	// Default: - the scenario applies to every trail.
	Takes deployed.Setting
	// Needs is what is made for the scenario.
	//
	// Default: - nothing.
	Needs Need
	// UnseenByConfig says why AWS Config does not notice what the scenario does; empty if AWS Config notices it.
	UnseenByConfig string
	// Harmless tells that the call takes nothing away: the guard must leave the trail alone.
	Harmless bool
	// OnlyIfNamed keeps the scenario from running in an AWS account unless it is asked for by its id, because it makes
	// resources there or reaches other accounts.
	OnlyIfNamed bool
}

// NotApplicable says why a scenario does not apply to a guard; empty if it applies.
func (s Scenario) NotApplicable(guard deployed.Guard) string {
	if s.Takes == "" || guard.Declared.Has(s.Takes) {
		return ""
	}
	return map[deployed.Setting]string{
		deployed.CloudWatchLogsLogGroupARN: "the trail has no CloudWatch Logs log group",
		deployed.SNSTopicARN:               "the trail has no SNS topic",
		deployed.IsOrganizationTrail:       "the trail is not declared to be an organization trail",
		deployed.InsightSelectors:          "the trail has no Insights",
		deployed.IsMultiRegionTrail:        "the trail is not declared to be of every Region",
		deployed.Tags:                      "no tags of the trail are declared",
	}[s.Takes]
}

// Scenarios are the ways to tamper with the trail itself, in the order of the catalogue.
func Scenarios() []Scenario {
	return []Scenario{
		{ID: "T01", Call: "cloudtrail StopLogging", Tamper: func(ctx context.Context, api TrailAPI, t Target) error {
			_, err := api.StopLogging(ctx, &cloudtrail.StopLoggingInput{Name: &t.Trail})
			return err
		}},
		{ID: "T02", Call: "cloudtrail DeleteTrail", Tamper: func(ctx context.Context, api TrailAPI, t Target) error {
			_, err := api.DeleteTrail(ctx, &cloudtrail.DeleteTrailInput{Name: &t.Trail})
			return err
		}},
		{ID: "T03", Call: "cloudtrail UpdateTrail IsMultiRegionTrail=false", Takes: deployed.IsMultiRegionTrail,
			Tamper: update(func(in *cloudtrail.UpdateTrailInput, _ Target) { in.IsMultiRegionTrail = aws.Bool(false) })},
		// CloudTrail refuses a trail of every Region that leaves the global services out.
		{ID: "T04", Call: "cloudtrail UpdateTrail IncludeGlobalServiceEvents=false IsMultiRegionTrail=false",
			Tamper: update(func(in *cloudtrail.UpdateTrailInput, _ Target) {
				in.IncludeGlobalServiceEvents, in.IsMultiRegionTrail = aws.Bool(false), aws.Bool(false)
			})},
		{ID: "T05", Call: "cloudtrail UpdateTrail EnableLogFileValidation=false",
			Tamper: update(func(in *cloudtrail.UpdateTrailInput, _ Target) { in.EnableLogFileValidation = aws.Bool(false) })},
		{ID: "T06", Call: `cloudtrail UpdateTrail KmsKeyId=""`,
			Tamper: update(func(in *cloudtrail.UpdateTrailInput, _ Target) { in.KmsKeyId = aws.String("") })},
		{ID: "T07", Call: "cloudtrail UpdateTrail KmsKeyId=another key", Needs: AnotherKey, OnlyIfNamed: true,
			Tamper: update(func(in *cloudtrail.UpdateTrailInput, t Target) { in.KmsKeyId = &t.KeyARN })},
		{ID: "T08", Call: "cloudtrail UpdateTrail S3BucketName=another bucket", Needs: AnotherBucket, OnlyIfNamed: true,
			Tamper: update(func(in *cloudtrail.UpdateTrailInput, t Target) { in.S3BucketName = &t.Bucket })},
		// CloudTrail looks whether the bucket's policy lets it write below the prefix, and a guarded bucket's does not.
		{ID: "T09", Call: "cloudtrail UpdateTrail S3KeyPrefix=elsewhere", Refusals: []string{"InsufficientS3BucketPolicyException"},
			Tamper: update(func(in *cloudtrail.UpdateTrailInput, _ Target) { in.S3KeyPrefix = aws.String("elsewhere") })},
		{ID: "T10", Call: `cloudtrail UpdateTrail CloudWatchLogsLogGroupArn="" CloudWatchLogsRoleArn=""`, Takes: deployed.CloudWatchLogsLogGroupARN,
			Tamper: update(func(in *cloudtrail.UpdateTrailInput, _ Target) {
				in.CloudWatchLogsLogGroupArn, in.CloudWatchLogsRoleArn = aws.String(""), aws.String("")
			})},
		{ID: "T11", Call: `cloudtrail UpdateTrail SnsTopicName=""`, Takes: deployed.SNSTopicARN,
			Tamper: update(func(in *cloudtrail.UpdateTrailInput, _ Target) { in.SnsTopicName = aws.String("") })},
		{ID: "T12", Call: "cloudtrail UpdateTrail IsOrganizationTrail=false", Takes: deployed.IsOrganizationTrail, OnlyIfNamed: true,
			Tamper: update(func(in *cloudtrail.UpdateTrailInput, _ Target) { in.IsOrganizationTrail = aws.Bool(false) })},
		// Without management events a selector must name data resources: all of a type, but none of its objects.
		{ID: "T13", Call: "cloudtrail PutEventSelectors IncludeManagementEvents=false", Tamper: selectors(types.EventSelector{
			ReadWriteType: types.ReadWriteTypeAll, IncludeManagementEvents: aws.Bool(false),
			DataResources: []types.DataResource{{Type: aws.String("AWS::S3::Object"), Values: []string{}}},
		})},
		{ID: "T14", Call: "cloudtrail PutEventSelectors ReadWriteType=ReadOnly", Tamper: selectors(types.EventSelector{
			ReadWriteType: types.ReadWriteTypeReadOnly, IncludeManagementEvents: aws.Bool(true),
		})},
		{ID: "T14", Call: "cloudtrail PutEventSelectors ReadWriteType=WriteOnly", Tamper: selectors(types.EventSelector{
			ReadWriteType: types.ReadWriteTypeWriteOnly, IncludeManagementEvents: aws.Bool(true),
		})},
		{ID: "T15", Call: "cloudtrail PutEventSelectors EventSelectors=[]", Refusals: []string{"InvalidEventSelectorsException"}, Tamper: selectors()},
		{ID: "T16", Call: "cloudtrail PutEventSelectors ExcludeManagementEventSources=kms,rdsdata", Tamper: selectors(types.EventSelector{
			ReadWriteType: types.ReadWriteTypeAll, IncludeManagementEvents: aws.Bool(true),
			ExcludeManagementEventSources: []string{"kms.amazonaws.com", "rdsdata.amazonaws.com"},
		})},
		{ID: "T17", Call: "cloudtrail PutEventSelectors AdvancedEventSelectors without Management",
			Tamper: func(ctx context.Context, api TrailAPI, t Target) error {
				_, err := api.PutEventSelectors(ctx, &cloudtrail.PutEventSelectorsInput{TrailName: &t.Trail,
					AdvancedEventSelectors: []types.AdvancedEventSelector{{Name: aws.String("data only"), FieldSelectors: []types.AdvancedFieldSelector{
						{Field: aws.String("eventCategory"), Equals: []string{"Data"}},
						{Field: aws.String("resources.type"), Equals: []string{"AWS::S3::Object"}},
					}}},
				})
				return err
			}},
		{ID: "T18", Call: "cloudtrail PutInsightSelectors InsightSelectors=[]", Takes: deployed.InsightSelectors,
			Tamper: func(ctx context.Context, api TrailAPI, t Target) error {
				_, err := api.PutInsightSelectors(ctx, &cloudtrail.PutInsightSelectorsInput{
					TrailName: &t.Trail, InsightSelectors: []types.InsightSelector{},
				})
				return err
			}},
		{ID: "T19", Call: "cloudtrail UpdateTrail with all of T03 to T06, T10 and T11",
			Tamper: update(func(in *cloudtrail.UpdateTrailInput, _ Target) {
				in.SnsTopicName, in.CloudWatchLogsLogGroupArn, in.CloudWatchLogsRoleArn = aws.String(""), aws.String(""), aws.String("")
				in.KmsKeyId = aws.String("")
				in.IsMultiRegionTrail, in.IncludeGlobalServiceEvents, in.EnableLogFileValidation = aws.Bool(false), aws.Bool(false), aws.Bool(false)
			})},
		{ID: "T50", Call: "cloudtrail PutEventSelectors with other data resources", UnseenByConfig: "a configuration item does not hold the selectors",
			Tamper: selectors(types.EventSelector{
				ReadWriteType: types.ReadWriteTypeAll, IncludeManagementEvents: aws.Bool(true),
				DataResources: []types.DataResource{{Type: aws.String("AWS::S3::Object"), Values: []string{"arn:aws:s3:::trailguard-drill-no-such-bucket/"}}},
			})},
		{ID: "T50", Call: "cloudtrail PutInsightSelectors with another type of Insights", Takes: deployed.InsightSelectors,
			UnseenByConfig: "a configuration item does not hold the types of Insights",
			Tamper: func(ctx context.Context, api TrailAPI, t Target) error {
				kind := types.InsightTypeApiErrorRateInsight
				if t.Declared.InsightsAre(kind) {
					kind = types.InsightTypeApiCallRateInsight
				}
				_, err := api.PutInsightSelectors(ctx, &cloudtrail.PutInsightSelectorsInput{
					TrailName: &t.Trail, InsightSelectors: []types.InsightSelector{{InsightType: kind}},
				})
				return err
			}},
		{ID: "T51", Call: "cloudtrail UpdateTrail IsMultiRegionTrail=true, which it is", Takes: deployed.IsMultiRegionTrail, Harmless: true,
			Tamper: update(func(in *cloudtrail.UpdateTrailInput, _ Target) { in.IsMultiRegionTrail = aws.Bool(true) })},
		{ID: "T52", Call: "cloudtrail RemoveTags of the declared tags", Takes: deployed.Tags, UnseenByConfig: "no Config rule looks at the tags",
			Tamper: func(ctx context.Context, api TrailAPI, t Target) error {
				_, err := api.RemoveTags(ctx, &cloudtrail.RemoveTagsInput{ResourceId: &t.ARN, TagsList: t.Declared.Tags()})
				return err
			}},
	}
}

// update tampers by UpdateTrail.
func update(change func(*cloudtrail.UpdateTrailInput, Target)) func(context.Context, TrailAPI, Target) error {
	return func(ctx context.Context, api TrailAPI, t Target) error {
		in := &cloudtrail.UpdateTrailInput{Name: &t.Trail}
		change(in, t)
		_, err := api.UpdateTrail(ctx, in)
		return err
	}
}

// selectors tampers by PutEventSelectors with basic selectors.
func selectors(list ...types.EventSelector) func(context.Context, TrailAPI, Target) error {
	return func(ctx context.Context, api TrailAPI, t Target) error {
		_, err := api.PutEventSelectors(ctx, &cloudtrail.PutEventSelectorsInput{
			TrailName: &t.Trail, EventSelectors: append([]types.EventSelector{}, list...),
		})
		return err
	}
}
