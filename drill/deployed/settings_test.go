package deployed

import (
	"reflect"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
)

// TestTheTableHasEachSettingThatTheSDKKnows walks the fields of the SDK's types: each is in the table, or here with the reason.
func TestTheTableHasEachSettingThatTheSDKKnows(t *testing.T) {
	var shown, members []string
	for _, row := range table {
		if (row.member == "") != (row.text != nil) {
			t.Errorf("%s needs either a member or a text", row.setting)
		}
		if row.member != "" {
			shown, members = append(shown, string(row.setting)), append(members, row.member)
		}
	}
	for _, test := range []struct {
		of    reflect.Type
		known []string
	}{
		// What names the trail, what others say of it, the old form of the topic's ARN.
		{reflect.TypeFor[types.Trail](), append(shown, "Name", "TrailARN", "HomeRegion", "HasCustomEventSelectors", "HasInsightSelectors", "SnsTopicName")},
		{reflect.TypeFor[cloudtrail.UpdateTrailInput](), append(members, "Name")},
		{reflect.TypeFor[cloudtrail.CreateTrailInput](), append(members, "Name", "TagsList")},
	} {
		var fields []string
		for _, field := range reflect.VisibleFields(test.of) {
			if field.IsExported() {
				fields = append(fields, field.Name)
			}
		}
		slices.Sort(fields)
		slices.Sort(test.known)
		if !slices.Equal(fields, test.known) {
			t.Errorf("%s has %q, and known are %q", test.of, fields, test.known)
		}
	}
}

func TestEverySettingIsPut(t *testing.T) {
	trail := &types.Trail{
		S3BucketName: aws.String("logs"), S3KeyPrefix: aws.String("p"), KmsKeyId: aws.String("k"), SnsTopicARN: aws.String("t"),
		CloudWatchLogsLogGroupArn: aws.String("g"), CloudWatchLogsRoleArn: aws.String("r"), IsMultiRegionTrail: aws.Bool(true),
		IsOrganizationTrail: aws.Bool(false), IncludeGlobalServiceEvents: aws.Bool(true), LogFileValidationEnabled: aws.Bool(true),
	}
	update, create := &cloudtrail.UpdateTrailInput{}, &cloudtrail.CreateTrailInput{}
	PutSettings(update, trail, true)
	PutSettings(create, trail, false)
	wantUpdate := &cloudtrail.UpdateTrailInput{
		S3BucketName: aws.String("logs"), S3KeyPrefix: aws.String("p"), KmsKeyId: aws.String("k"), SnsTopicName: aws.String("t"),
		CloudWatchLogsLogGroupArn: aws.String("g"), CloudWatchLogsRoleArn: aws.String("r"), IsMultiRegionTrail: aws.Bool(true),
		IsOrganizationTrail: aws.Bool(false), IncludeGlobalServiceEvents: aws.Bool(true), EnableLogFileValidation: aws.Bool(true),
	}
	wantCreate := &cloudtrail.CreateTrailInput{
		S3BucketName: aws.String("logs"), S3KeyPrefix: aws.String("p"), KmsKeyId: aws.String("k"), SnsTopicName: aws.String("t"),
		CloudWatchLogsLogGroupArn: aws.String("g"), CloudWatchLogsRoleArn: aws.String("r"), IsMultiRegionTrail: aws.Bool(true),
		IsOrganizationTrail: aws.Bool(false), IncludeGlobalServiceEvents: aws.Bool(true), EnableLogFileValidation: aws.Bool(true),
	}
	if !reflect.DeepEqual(update, wantUpdate) || !reflect.DeepEqual(create, wantCreate) {
		t.Errorf("got %+v and %+v", update, create)
	}
}

// TestATextThatATrailLacksIsClearedByAnUpdate: CreateTrail leaves it out.
func TestATextThatATrailLacksIsClearedByAnUpdate(t *testing.T) {
	update, create := &cloudtrail.UpdateTrailInput{}, &cloudtrail.CreateTrailInput{}
	PutSettings(update, &types.Trail{S3BucketName: aws.String("logs")}, true)
	PutSettings(create, &types.Trail{S3BucketName: aws.String("logs")}, false)
	wantUpdate := &cloudtrail.UpdateTrailInput{
		S3BucketName: aws.String("logs"), S3KeyPrefix: aws.String(""), KmsKeyId: aws.String(""), SnsTopicName: aws.String(""),
		CloudWatchLogsLogGroupArn: aws.String(""), CloudWatchLogsRoleArn: aws.String(""),
	}
	if wantCreate := (&cloudtrail.CreateTrailInput{S3BucketName: aws.String("logs")}); !reflect.DeepEqual(update, wantUpdate) || !reflect.DeepEqual(create, wantCreate) {
		t.Errorf("got %+v and %+v", update, create)
	}
}
