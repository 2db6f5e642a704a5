package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventbridgetypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/gateway"
	"github.com/trailguard/trailguard/localaws/iam/policy"
	"github.com/trailguard/trailguard/localaws/internal/world"
)

func TestWhoCallsIsKnownByTheAccessKey(t *testing.T) {
	w := world.New(t)
	config := w.As(world.Mallory)
	identity, err := sts.NewFromConfig(config).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil {
		t.Fatal(err)
	}
	if *identity.Arn != world.Mallory.ARN || *identity.Account != api.Account {
		t.Errorf("got %s of %s", *identity.Arn, *identity.Account)
	}
	stranger := w.Config(aws.Credentials{AccessKeyID: "AKIASTRANGER", SecretAccessKey: "x"})
	_, err = cloudtrail.NewFromConfig(stranger).DescribeTrails(t.Context(), &cloudtrail.DescribeTrailsInput{})
	world.WantCode(t, err, "UnrecognizedClientException")
	_, err = sts.NewFromConfig(stranger).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	world.WantCode(t, err, "InvalidClientTokenId")
	credentials := w.Credentials(world.Mallory)
	w.Revoke(credentials)
	_, err = cloudtrail.NewFromConfig(w.Config(credentials)).DescribeTrails(t.Context(), &cloudtrail.DescribeTrailsInput{})
	world.WantCode(t, err, "UnrecognizedClientException")
}

func TestEachProtocolIsUnderstood(t *testing.T) {
	w := world.New(t)
	config := w.As(world.Mallory)
	ctx := t.Context()
	bucket := aws.String("logs")
	do := func(_ any, err error) error { return err }
	for _, test := range []struct {
		want string
		err  error
	}{
		{"cloudtrail:StopLogging map[Name:guarded]", do(cloudtrail.NewFromConfig(config).StopLogging(ctx, &cloudtrail.StopLoggingInput{Name: aws.String("guarded")}))},
		{"sns:Publish map[Message:m Subject:s TopicArn:" + world.TopicARN + "]",
			do(sns.NewFromConfig(config).Publish(ctx, &sns.PublishInput{TopicArn: aws.String(world.TopicARN), Message: aws.String("m"), Subject: aws.String("s")}))},
		{"sqs:DeleteQueue map[QueueUrl:http://127.0.0.1/123456789012/q]",
			do(sqs.NewFromConfig(config).DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: aws.String("http://127.0.0.1/123456789012/q")}))},
		{"monitoring:DeleteAlarms map[AlarmNames:[a b]]",
			do(cloudwatch.NewFromConfig(config).DeleteAlarms(ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{"a", "b"}}))},
		{"events:PutTargets map[Rule:r Targets:[map[Arn:" + world.TopicARN + " Id:1]]]",
			do(eventbridge.NewFromConfig(config).PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: aws.String("r"),
				Targets: []eventbridgetypes.Target{{Id: aws.String("1"), Arn: aws.String(world.TopicARN)}}}))},
		{"s3:CreateBucket map[Bucket:logs]", do(s3.NewFromConfig(config).CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket}))},
		{"s3:PutBucketPolicy map[Bucket:logs Policy:{}]",
			do(s3.NewFromConfig(config).PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: bucket, Policy: aws.String("{}")}))},
		{"s3:PutBucketVersioning map[Bucket:logs VersioningConfiguration:map[Status:Suspended]]",
			do(s3.NewFromConfig(config).PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: bucket,
				VersioningConfiguration: &s3types.VersioningConfiguration{Status: s3types.BucketVersioningStatusSuspended}}))},
		{"s3:DeletePublicAccessBlock map[Bucket:logs]",
			do(s3.NewFromConfig(config).DeletePublicAccessBlock(ctx, &s3.DeletePublicAccessBlockInput{Bucket: bucket}))},
		{"s3:PutObject map[Bucket:logs Key:a b/c]",
			do(s3.NewFromConfig(config).PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: aws.String("a b/c"), Body: strings.NewReader("x")}))},
		{"s3:DeleteObject map[Bucket:logs Key:a VersionId:v]",
			do(s3.NewFromConfig(config).DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String("a"), VersionId: aws.String("v")}))},
		{"s3:HeadBucket map[Bucket:logs]", do(s3.NewFromConfig(config).HeadBucket(ctx, &s3.HeadBucketInput{Bucket: bucket}))},
	} {
		world.WantCode(t, test.err, "")
		calls := w.Calls()
		if !slices.ContainsFunc(calls, func(c gateway.CallRecord) bool { return c.Action()+" "+fmt.Sprint(c.Input) == test.want }) {
			t.Errorf("no call is %q", test.want)
			for _, call := range calls {
				t.Log(call.Action(), call.Input)
			}
		}
	}
	if err := w.Err(); err != nil {
		t.Error(err)
	}
}

func TestErrorsReachEachProtocolUnderTheirCode(t *testing.T) {
	w := world.New(t)
	w.SetFaults(gateway.Faults{Before: func(api.Call) error { return api.Errorf("ThrottlingException", "slow down") }})
	config := w.As(world.Mallory)
	_, err := cloudtrail.NewFromConfig(config).DescribeTrails(t.Context(), &cloudtrail.DescribeTrailsInput{})
	world.WantCode(t, err, "ThrottlingException")
	_, err = iam.NewFromConfig(config).ListRoles(t.Context(), &iam.ListRolesInput{})
	world.WantCode(t, err, "ThrottlingException")
	_, err = s3.NewFromConfig(config).ListBuckets(t.Context(), &s3.ListBucketsInput{})
	world.WantCode(t, err, "ThrottlingException")
	_, err = cloudwatch.NewFromConfig(config).DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{})
	world.WantCode(t, err, "ThrottlingException")
}

func TestAnErrorOfTheSimulationIsKept(t *testing.T) {
	w := world.New(t)
	w.Trail = func(api.Call) (any, error) { return nil, errors.New("broken") }
	_, err := w.CloudTrail(world.Mallory).DescribeTrails(t.Context(), &cloudtrail.DescribeTrailsInput{})
	world.WantCode(t, err, "InternalFailure")
	if err := w.Err(); err == nil || !strings.Contains(err.Error(), "answering cloudtrail:DescribeTrails: broken") {
		t.Errorf("Err is %v", err)
	}
	w.Reset()
	if err := w.Err(); err != nil {
		t.Errorf("after Reset, Err is %v", err)
	}
}

func TestWhatIsNotModelledIsAnError(t *testing.T) {
	w := world.New(t)
	client := s3.NewFromConfig(w.As(world.Mallory))
	_, err := client.GetBucketCors(t.Context(), &s3.GetBucketCorsInput{Bucket: aws.String("b")})
	world.WantCode(t, err, "NotModelled")
	_, err = client.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: aws.String("b"), Key: aws.String("k"), CopySource: aws.String("a/k")})
	world.WantCode(t, err, "NotModelled")
	// The resource of GetChannel is not modelled: that matters to those whose policies name resources.
	get := &cloudtrail.GetChannelInput{Channel: aws.String("c")}
	_, err = w.CloudTrail(world.Repairer).GetChannel(t.Context(), get)
	world.WantCode(t, err, "NotModelled")
	_, err = w.CloudTrail(world.Mallory).GetChannel(t.Context(), get)
	world.WantCode(t, err, "")
	if err := w.SetOrganizationPolicies(policy.FullAWSAccess); err != nil {
		t.Fatal(err)
	}
	_, err = w.CloudTrail(world.Mallory).GetChannel(t.Context(), get)
	world.WantCode(t, err, "NotModelled")
	if w.Err() == nil {
		t.Error("nothing was kept as a failure")
	}
}

func TestFaultsFailCallsBeforeOrAfterTheirEffect(t *testing.T) {
	w := world.New(t)
	effects := 0
	w.Trail = func(api.Call) (any, error) { effects++; return nil, nil }
	start := func() error {
		_, err := w.CloudTrail(world.Mallory).StartLogging(t.Context(), &cloudtrail.StartLoggingInput{Name: aws.String("guarded")})
		return err
	}
	w.SetFaults(gateway.Faults{Before: gateway.FailNext("cloudtrail:StartLogging", 2, "ThrottlingException")})
	world.WantCode(t, start(), "ThrottlingException")
	world.WantCode(t, start(), "ThrottlingException")
	world.WantCode(t, start(), "")
	if effects != 1 {
		t.Errorf("there were %d effects, want 1", effects)
	}
	w.SetFaults(gateway.Faults{After: gateway.FailNext("cloudtrail:StartLogging", 1, "ConflictException")})
	world.WantCode(t, start(), "ConflictException")
	if effects != 2 {
		t.Errorf("there were %d effects, want 2", effects)
	}
	_, err := w.CloudTrail(world.Mallory).StopLogging(t.Context(), &cloudtrail.StopLoggingInput{Name: aws.String("guarded")})
	world.WantCode(t, err, "")
}

func TestEveryCallIsRecorded(t *testing.T) {
	w := world.New(t)
	client := w.CloudTrail(world.Repairer)
	_, _ = client.StopLogging(t.Context(), &cloudtrail.StopLoggingInput{Name: aws.String("guarded")})
	_, _ = client.GetTrail(t.Context(), &cloudtrail.GetTrailInput{Name: aws.String("guarded")})
	_, _ = s3.NewFromConfig(w.As(world.Mallory)).DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: aws.String("missing")})
	_, _ = kms.NewFromConfig(w.As(world.Mallory)).DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: aws.String(world.KeyARN)})
	var got []string
	for _, c := range w.Calls() {
		got = append(got, fmt.Sprint(c.Principal.Name(), " ", c.Action(), " ", c.ErrorCode, " ", c.Mutating, " ", c.Time.Year()))
	}
	want := []string{
		"Repair cloudtrail:StopLogging AccessDeniedException true 2030", "Repair cloudtrail:GetTrail  false 2030",
		"mallory s3:DeleteBucket NoSuchBucket true 2030", "mallory kms:DisableKey NotFoundException true 2030",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	w.Reset()
	if len(w.Calls()) != 0 {
		t.Error("calls are left after Reset")
	}
}

func TestClientsOfOtherProcessesReachTheGateway(t *testing.T) {
	w := world.New(t)
	server := httptest.NewServer(w)
	defer server.Close()
	config := w.As(world.Mallory)
	config.HTTPClient = http.DefaultClient
	config.BaseEndpoint = &server.URL
	identity, err := sts.NewFromConfig(config).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil || *identity.Arn != world.Mallory.ARN {
		t.Errorf("got %v, %v", identity, err)
	}
	_, err = s3.NewFromConfig(config).HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String("logs")})
	world.WantCode(t, err, "")
	unsigned, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer unsigned.Body.Close()
	if unsigned.StatusCode != http.StatusForbidden {
		t.Errorf("an unsigned request got %s", unsigned.Status)
	}
}

func BenchmarkCall(b *testing.B) {
	w := world.New(b)
	client := w.CloudTrail(world.Repairer)
	for b.Loop() {
		if _, err := client.StartLogging(context.Background(), &cloudtrail.StartLoggingInput{Name: aws.String("guarded")}); err != nil {
			b.Fatal(err)
		}
	}
}

// checked is a service that checks StartLogging.
type checked struct{ check api.Check }

func (c checked) Register(registry api.Registry) { registry.Check("cloudtrail:StartLogging", c.check) }

func TestACheckRefusesACallThatIsAuthorized(t *testing.T) {
	w := world.New(t)
	effects, asked := 0, 0
	w.Trail = func(api.Call) (any, error) { effects++; return map[string]any{}, nil }
	refuse := true
	w.Serve(checked{func(_ context.Context, call api.Call) error {
		if asked++; refuse {
			return api.Errorf("InvalidTrailNameException", "%s is no name", call.Text("Name"))
		}
		return nil
	}})
	client := w.CloudTrail(world.Repairer)
	start := func(trail string) error {
		_, err := client.StartLogging(t.Context(), &cloudtrail.StartLoggingInput{Name: &trail})
		return err
	}
	world.WantCode(t, start("other"), "AccessDeniedException")
	if asked != 0 {
		t.Error("the check was asked about a call that is not authorized")
	}
	world.WantCode(t, start("guarded"), "InvalidTrailNameException")
	if effects != 0 || w.Calls()[1].ErrorCode != "InvalidTrailNameException" || world.At(w.Events[1], "detail.errorCode") != "InvalidTrailNameException" {
		t.Errorf("%d effects, calls %+v", effects, w.Calls())
	}
	refuse = false
	world.WantCode(t, start("guarded"), "")
	if effects != 1 {
		t.Errorf("there were %d effects, want 1", effects)
	}
	_, err := client.GetTrail(t.Context(), &cloudtrail.GetTrailInput{Name: aws.String("guarded")})
	world.WantCode(t, err, "")
	if err := w.Err(); err != nil {
		t.Error(err)
	}
}
