package cloudtrail_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/internal/world"
)

func TestACallThatChangesSomethingBecomesAnEvent(t *testing.T) {
	w := world.New(t)
	w.Trail = func(api.Call) (any, error) {
		return map[string]any{"Name": "guarded", "S3BucketName": "b", "TrailARN": world.TrailARN}, nil
	}
	_, err := w.CloudTrail(world.Repairer).UpdateTrail(t.Context(), &cloudtrail.UpdateTrailInput{
		Name: aws.String("guarded"), S3BucketName: aws.String("b"), KmsKeyId: aws.String("k"), IsMultiRegionTrail: aws.Bool(true),
	})
	world.WantCode(t, err, "")
	if len(w.Events) != 1 {
		t.Fatalf("there are %d events, want 1", len(w.Events))
	}
	for path, want := range map[string]string{
		"version": "0", "detail-type": "AWS API Call via CloudTrail", "source": "aws.cloudtrail", "account": "123456789012",
		"time": "2030-01-02T03:04:05Z", "region": "us-east-1", "resources": "[]",
		"detail.eventSource": "cloudtrail.amazonaws.com", "detail.eventName": "UpdateTrail", "detail.awsRegion": "us-east-1",
		"detail.eventTime": "2030-01-02T03:04:05Z", "detail.readOnly": "false", "detail.managementEvent": "true",
		"detail.eventType": "AwsApiCall", "detail.eventCategory": "Management", "detail.recipientAccountId": "123456789012",
		"detail.requestParameters":                                  "map[isMultiRegionTrail:true kmsKeyId:k name:guarded s3BucketName:b]",
		"detail.responseElements":                                   "map[name:guarded s3BucketName:b trailARN:" + world.TrailARN + "]",
		"detail.userIdentity.type":                                  "AssumedRole",
		"detail.userIdentity.arn":                                   "arn:aws:sts::123456789012:assumed-role/Repair/Automation-1",
		"detail.userIdentity.accountId":                             "123456789012",
		"detail.userIdentity.sessionContext.sessionIssuer.type":     "Role",
		"detail.userIdentity.sessionContext.sessionIssuer.arn":      world.RoleARN,
		"detail.userIdentity.sessionContext.sessionIssuer.userName": "Repair",
	} {
		if got := fmt.Sprint(world.At(w.Events[0], path)); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	detail, _ := w.Events[0]["detail"].(map[string]any)
	for _, absent := range []string{"errorCode", "errorMessage"} {
		if _, ok := detail[absent]; ok {
			t.Errorf("a successful call has %s", absent)
		}
	}
	if _, err := json.Marshal(w.Events[0]); err != nil {
		t.Error(err)
	}
}

func TestIdentitiesAreThoseOfCloudTrail(t *testing.T) {
	w := world.New(t)
	federated := api.Principal{Type: api.FederatedUser, ARN: world.Mallory.ARN, SessionName: "fed"}
	for _, test := range []struct {
		principal api.Principal
		invokedBy string
		want      map[string]string
	}{
		{world.Root, "", map[string]string{"type": "Root", "arn": world.Root.ARN, "principalId": "123456789012", "sessionContext": "<nil>"}},
		{world.Mallory, "", map[string]string{"type": "IAMUser", "arn": world.Mallory.ARN, "userName": "mallory", "sessionContext": "<nil>"}},
		{federated, "", map[string]string{"type": "FederatedUser", "arn": "arn:aws:sts::123456789012:federated-user/fed",
			"sessionContext.sessionIssuer.type": "IAMUser", "sessionContext.sessionIssuer.arn": world.Mallory.ARN}},
		{world.Repairer, "ssm.amazonaws.com", map[string]string{"type": "AssumedRole", "invokedBy": "ssm.amazonaws.com"}},
		{api.Principal{Type: api.AWSService, ARN: "config.amazonaws.com"}, "", map[string]string{
			"type": "AWSService", "invokedBy": "config.amazonaws.com", "arn": "<nil>"}},
	} {
		w.Events = nil
		client := cloudtrail.NewFromConfig(w.Config(w.ServiceCredentials(test.principal, test.invokedBy, nil)))
		_, _ = client.StartLogging(t.Context(), &cloudtrail.StartLoggingInput{Name: aws.String("guarded")})
		if len(w.Events) != 1 {
			t.Fatalf("%s: there are %d events, want 1", test.principal.Type, len(w.Events))
		}
		for path, want := range test.want {
			if got := fmt.Sprint(world.At(w.Events[0], "detail.userIdentity."+path)); got != want {
				t.Errorf("%s: %s is %s, want %s", test.principal.Type, path, got, want)
			}
		}
	}
	if got := world.At(w.Events[0], "detail.sourceIPAddress"); got != "config.amazonaws.com" {
		t.Errorf("a service calls from %v", got)
	}
}

func TestARefusedCallIsAnEventWithItsError(t *testing.T) {
	w := world.New(t)
	_, _ = w.CloudTrail(world.Repairer).StopLogging(t.Context(), &cloudtrail.StopLoggingInput{Name: aws.String("guarded")})
	if got := world.At(w.Events[0], "detail.errorCode"); got != "AccessDeniedException" {
		t.Errorf("errorCode is %v", got)
	}
}

func TestEventsOfS3HaveTheNamesOfCloudTrail(t *testing.T) {
	w := world.New(t)
	client := s3.NewFromConfig(w.As(world.Mallory))
	bucket := aws.String("logs")
	_, _ = client.PutBucketLifecycleConfiguration(t.Context(), &s3.PutBucketLifecycleConfigurationInput{Bucket: bucket,
		LifecycleConfiguration: &s3types.BucketLifecycleConfiguration{Rules: []s3types.LifecycleRule{{Status: s3types.ExpirationStatusEnabled}}}})
	_, _ = client.DeletePublicAccessBlock(t.Context(), &s3.DeletePublicAccessBlockInput{Bucket: bucket})
	_, _ = client.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: bucket, Policy: aws.String(`{"Version":"2012-10-17"}`)})
	_, _ = client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: aws.String("k"), Body: strings.NewReader("")})
	var names []string
	for _, event := range w.Events {
		names = append(names, fmt.Sprint(world.At(event, "detail.eventName"), " ", world.At(event, "detail.requestParameters.bucketName")))
	}
	if got, want := strings.Join(names, ", "), "PutBucketLifecycle logs, DeleteBucketPublicAccessBlock logs, PutBucketPolicy logs"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestEventsNeedATrailThatLogs(t *testing.T) {
	for _, test := range []struct {
		name          string
		before, after bool
		operation     string
		drop          bool
		want          int
	}{
		{"a trail logs", true, true, "UpdateTrail", false, 1},
		{"no trail logs", false, false, "UpdateTrail", false, 0},
		{"the call that stops logging", true, false, "StopLogging", false, 1},
		{"the call that starts logging", false, true, "StartLogging", false, 1},
		{"deleting the only trail, first reading", true, false, "DeleteTrail", false, 1},
		{"deleting the only trail, second reading", true, false, "DeleteTrail", true, 0},
		{"deleting one of two trails", true, true, "DeleteTrail", true, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := world.New(t)
			w.Recorder.DropDeletionOfLastTrail = test.drop
			w.Logging = test.before
			w.Trail = func(api.Call) (any, error) { w.Logging = test.after; return nil, nil }
			client, name := w.CloudTrail(world.Mallory), aws.String("guarded")
			var err error
			switch test.operation {
			case "UpdateTrail":
				_, err = client.UpdateTrail(t.Context(), &cloudtrail.UpdateTrailInput{Name: name})
			case "StopLogging":
				_, err = client.StopLogging(t.Context(), &cloudtrail.StopLoggingInput{Name: name})
			case "StartLogging":
				_, err = client.StartLogging(t.Context(), &cloudtrail.StartLoggingInput{Name: name})
			case "DeleteTrail":
				_, err = client.DeleteTrail(t.Context(), &cloudtrail.DeleteTrailInput{Name: name})
			}
			world.WantCode(t, err, "")
			if len(w.Events) != test.want {
				t.Errorf("there are %d events, want %d", len(w.Events), test.want)
			}
		})
	}
}

func TestReadingIsNoEvent(t *testing.T) {
	w := world.New(t)
	_, err := w.CloudTrail(world.Mallory).DescribeTrails(t.Context(), &cloudtrail.DescribeTrailsInput{})
	world.WantCode(t, err, "")
	_, err = ssm.NewFromConfig(w.As(world.Mallory)).GetDocument(t.Context(), &ssm.GetDocumentInput{Name: aws.String("d")})
	world.WantCode(t, err, "")
	if len(w.Events) != 0 {
		t.Errorf("there are %d events, want none", len(w.Events))
	}
}

func TestAnEventComesInTheRegionOfItsCall(t *testing.T) {
	w := world.New(t)
	config := w.As(world.Mallory)
	config.Region = "eu-west-1"
	_, err := cloudtrail.NewFromConfig(config).StartLogging(t.Context(), &cloudtrail.StartLoggingInput{Name: aws.String("guarded")})
	world.WantCode(t, err, "")
	if got := world.At(w.Events[0], "region"); got != "eu-west-1" {
		t.Errorf("the Region is %v", got)
	}
}
