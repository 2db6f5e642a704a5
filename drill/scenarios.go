package drill

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"github.com/trailguard/trailguard/drill/deployed"
)

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
