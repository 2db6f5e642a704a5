//lint:file-ignore SA1019 CloudTrail still answers with the deprecated SnsTopicName

package cloudtrail_test

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awscloudtrail "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/cloudtrail"
	"github.com/trailguard/trailguard/localaws/internal/world"
	"github.com/trailguard/trailguard/localaws/sdk"
)

const (
	trailARN    = "arn:aws:cloudtrail:us-east-1:123456789012:trail/org-trail"
	keyARN      = "arn:aws:kms:us-east-1:123456789012:key/11111111-1111-1111-1111-111111111111"
	otherKeyARN = "arn:aws:kms:eu-west-1:123456789012:key/22222222-2222-2222-2222-222222222222"
	topicARN    = "arn:aws:sns:us-east-1:123456789012:deliveries"
	groupARN    = "arn:aws:logs:us-east-1:123456789012:log-group:trail:*"
	roleARN     = "arn:aws:iam::123456789012:role/trail-logs"
)

// environment has the buckets logs and spare, and refuses what refusals says, by the name of the method.
type environment struct {
	mu       sync.Mutex
	refusals map[string]error
}

func (e *environment) refuse(method string, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.refusals[method] = err
}

func (e *environment) refusal(method string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.refusals[method]
}

func (e *environment) BucketRegion(_ context.Context, bucket string) (string, error) {
	if bucket != "logs" && bucket != "spare" {
		return "", api.Errorf("NoSuchBucket", "the specified bucket does not exist")
	}
	return "us-east-1", nil
}

func (e *environment) ResolveKey(_ context.Context, id string) (string, error) {
	switch id {
	case "alias/logs", "11111111-1111-1111-1111-111111111111", keyARN, "arn:aws:kms:us-east-1:123456789012:alias/logs":
		return keyARN, nil
	case otherKeyARN:
		return otherKeyARN, nil
	case "not a key":
		return "", api.Errorf("ValidationException", "not a key")
	}
	return "", api.Errorf("NotFoundException", "key does not exist")
}

func (e *environment) ResolveTopic(_ context.Context, nameOrARN string) (string, error) {
	if nameOrARN == "deliveries" || nameOrARN == topicARN {
		return topicARN, nil
	}
	return "", api.Errorf("NotFound", "topic does not exist")
}

func (e *environment) MayDeliver(context.Context, cloudtrail.Trail) error {
	return e.refusal("MayDeliver")
}
func (e *environment) MayEncrypt(context.Context, cloudtrail.Trail) error {
	return e.refusal("MayEncrypt")
}
func (e *environment) MayNotify(context.Context, cloudtrail.Trail) error {
	return e.refusal("MayNotify")
}
func (e *environment) MayWriteLogs(context.Context, cloudtrail.Trail) error {
	return e.refusal("MayWriteLogs")
}

// fixture is a CloudTrail with the SDK's client in front of it.
type fixture struct {
	*awscloudtrail.Client
	service *cloudtrail.Service
	env     *environment
	clock   *api.Clock
	t       *testing.T
}

func newFixture(t *testing.T, change func(*cloudtrail.Options)) *fixture {
	t.Helper()
	f := &fixture{
		env:   &environment{refusals: map[string]error{}},
		clock: api.NewClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)),
		t:     t,
	}
	options := cloudtrail.Options{Clock: f.clock, Environment: f.env}
	if change != nil {
		change(&options)
	}
	f.service = cloudtrail.New(options)
	f.Client = f.in("us-east-1")
	return f
}

// in returns a client of a Region.
func (f *fixture) in(region string) *awscloudtrail.Client {
	return awscloudtrail.New(awscloudtrail.Options{
		Region:           region,
		Credentials:      credentials.NewStaticCredentialsProvider("a", "b", ""),
		HTTPClient:       &http.Client{Transport: sdk.Transport{Handler: f.service, Service: "cloudtrail", Region: region}},
		RetryMaxAttempts: 1,
	})
}

// created is a fixture that has the trail org-trail, logging.
func created(t *testing.T, change func(*cloudtrail.Options)) *fixture {
	t.Helper()
	f := newFixture(t, change)
	f.create(&awscloudtrail.CreateTrailInput{
		Name: aws.String("org-trail"), S3BucketName: aws.String("logs"), KmsKeyId: aws.String(keyARN), S3KeyPrefix: aws.String("p"),
		SnsTopicName: aws.String("deliveries"), CloudWatchLogsLogGroupArn: aws.String(groupARN), CloudWatchLogsRoleArn: aws.String(roleARN),
		IsMultiRegionTrail: aws.Bool(true), EnableLogFileValidation: aws.Bool(true),
	})
	if _, err := f.StartLogging(t.Context(), &awscloudtrail.StartLoggingInput{Name: aws.String("org-trail")}); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) create(in *awscloudtrail.CreateTrailInput) {
	f.t.Helper()
	if _, err := f.CreateTrail(f.t.Context(), in); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) update(in *awscloudtrail.UpdateTrailInput) error {
	in.Name = aws.String("org-trail")
	_, err := f.UpdateTrail(f.t.Context(), in)
	return err
}

func (f *fixture) trail() types.Trail {
	f.t.Helper()
	out, err := f.GetTrail(f.t.Context(), &awscloudtrail.GetTrailInput{Name: aws.String("org-trail")})
	if err != nil {
		f.t.Fatal(err)
	}
	return *out.Trail
}

func (f *fixture) status() *awscloudtrail.GetTrailStatusOutput {
	f.t.Helper()
	out, err := f.GetTrailStatus(f.t.Context(), &awscloudtrail.GetTrailStatusInput{Name: aws.String("org-trail")})
	if err != nil {
		f.t.Fatal(err)
	}
	return out
}

func TestCreateTrailDoesNotStartLogging(t *testing.T) {
	f := newFixture(t, nil)
	f.create(&awscloudtrail.CreateTrailInput{Name: aws.String("org-trail"), S3BucketName: aws.String("logs")})
	if *f.status().IsLogging {
		t.Error("a new trail is logging")
	}
	got := f.trail()
	if !*got.IncludeGlobalServiceEvents || *got.IsMultiRegionTrail || *got.LogFileValidationEnabled || got.KmsKeyId != nil || got.S3KeyPrefix != nil {
		t.Errorf("unexpected defaults: %+v", got)
	}
}

func TestCreateTrailAnswersWithEveryMember(t *testing.T) {
	f := created(t, nil)
	got := f.trail()
	want := types.Trail{
		Name: aws.String("org-trail"), TrailARN: aws.String(trailARN), HomeRegion: aws.String("us-east-1"),
		S3BucketName: aws.String("logs"), S3KeyPrefix: aws.String("p"),
		SnsTopicName: aws.String("deliveries"), SnsTopicARN: aws.String(topicARN),
		CloudWatchLogsLogGroupArn: aws.String(groupARN), CloudWatchLogsRoleArn: aws.String(roleARN), KmsKeyId: aws.String(keyARN),
		IncludeGlobalServiceEvents: aws.Bool(true), IsMultiRegionTrail: aws.Bool(true), IsOrganizationTrail: aws.Bool(false),
		LogFileValidationEnabled: aws.Bool(true), HasCustomEventSelectors: aws.Bool(false), HasInsightSelectors: aws.Bool(false),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestCreateTrailRefuses(t *testing.T) {
	name := func(n string) func(*awscloudtrail.CreateTrailInput) {
		return func(in *awscloudtrail.CreateTrailInput) { in.Name = aws.String(n) }
	}
	tests := []struct {
		what   string
		change func(*awscloudtrail.CreateTrailInput)
		refuse string
		err    error
		want   string
	}{
		{"nothing", func(*awscloudtrail.CreateTrailInput) {}, "", nil, ""},
		{"a short name", name("ab"), "", nil, "InvalidTrailNameException"},
		{"a long name", name(strings.Repeat("a", 129)), "", nil, "InvalidTrailNameException"},
		{"a leading dash", name("-abc"), "", nil, "InvalidTrailNameException"},
		{"adjacent marks", name("my-_trail"), "", nil, "InvalidTrailNameException"},
		{"an address", name("192.168.5.4"), "", nil, "InvalidTrailNameException"},
		{"an ARN as the name", name(trailARN), "", nil, "InvalidTrailNameException"},
		{"an unknown bucket", func(in *awscloudtrail.CreateTrailInput) { in.S3BucketName = aws.String("nowhere") }, "", nil, "S3BucketDoesNotExistException"},
		{"a bad bucket", func(in *awscloudtrail.CreateTrailInput) { in.S3BucketName = aws.String("A") }, "", nil, "InvalidS3BucketNameException"},
		{"a long prefix", func(in *awscloudtrail.CreateTrailInput) { in.S3KeyPrefix = aws.String(strings.Repeat("p", 201)) }, "", nil, "InvalidS3PrefixException"},
		{"the bucket policy", func(*awscloudtrail.CreateTrailInput) {}, "MayDeliver", api.Errorf("AccessDenied", "no"), "InsufficientS3BucketPolicyException"},
		{"the key policy", func(in *awscloudtrail.CreateTrailInput) { in.KmsKeyId = aws.String(keyARN) }, "MayEncrypt", api.Errorf("AccessDenied", "no"), "InsufficientEncryptionPolicyException"},
		{"a disabled key", func(in *awscloudtrail.CreateTrailInput) { in.KmsKeyId = aws.String(keyARN) }, "MayEncrypt", api.Errorf("KMS.DisabledException", "no"), "KmsException"},
		{"an unknown key", func(in *awscloudtrail.CreateTrailInput) { in.KmsKeyId = aws.String("alias/nothing") }, "", nil, "KmsKeyNotFoundException"},
		{"no key", func(in *awscloudtrail.CreateTrailInput) { in.KmsKeyId = aws.String("not a key") }, "", nil, "InvalidKmsKeyIdException"},
		{"a key of another Region", func(in *awscloudtrail.CreateTrailInput) { in.KmsKeyId = aws.String(otherKeyARN) }, "", nil, "KmsKeyNotFoundException"},
		{"an unknown topic", func(in *awscloudtrail.CreateTrailInput) { in.SnsTopicName = aws.String("nothing") }, "", nil, "InvalidSnsTopicNameException"},
		{"the topic policy", func(in *awscloudtrail.CreateTrailInput) { in.SnsTopicName = aws.String("deliveries") }, "MayNotify", api.Errorf("AuthorizationError", "no"), "InsufficientSnsTopicPolicyException"},
		{"a log group without a role", func(in *awscloudtrail.CreateTrailInput) { in.CloudWatchLogsLogGroupArn = aws.String(groupARN) }, "", nil, "InvalidCloudWatchLogsRoleArnException"},
		{"a role without a log group", func(in *awscloudtrail.CreateTrailInput) { in.CloudWatchLogsRoleArn = aws.String(roleARN) }, "", nil, "InvalidCloudWatchLogsLogGroupArnException"},
		{"a log group without :*", func(in *awscloudtrail.CreateTrailInput) {
			in.CloudWatchLogsLogGroupArn, in.CloudWatchLogsRoleArn = aws.String(strings.TrimSuffix(groupARN, ":*")), aws.String(roleARN)
		}, "", nil, "InvalidCloudWatchLogsLogGroupArnException"},
		{"a missing log group", func(in *awscloudtrail.CreateTrailInput) {
			in.CloudWatchLogsLogGroupArn, in.CloudWatchLogsRoleArn = aws.String(groupARN), aws.String(roleARN)
		}, "MayWriteLogs", api.Errorf("ResourceNotFoundException", "no"), "InvalidCloudWatchLogsLogGroupArnException"},
		{"a role that may not write", func(in *awscloudtrail.CreateTrailInput) {
			in.CloudWatchLogsLogGroupArn, in.CloudWatchLogsRoleArn = aws.String(groupARN), aws.String(roleARN)
		}, "MayWriteLogs", api.Errorf("AccessDenied", "no"), "InvalidCloudWatchLogsRoleArnException"},
		{"every Region without global events", func(in *awscloudtrail.CreateTrailInput) {
			in.IsMultiRegionTrail, in.IncludeGlobalServiceEvents = aws.Bool(true), aws.Bool(false)
		}, "", nil, "InvalidParameterCombinationException"},
		{"an organization trail", func(in *awscloudtrail.CreateTrailInput) { in.IsOrganizationTrail = aws.Bool(true) }, "", nil, "OrganizationsNotInUseException"},
	}
	for _, test := range tests {
		t.Run(test.what, func(t *testing.T) {
			f := newFixture(t, nil)
			f.env.refuse(test.refuse, test.err)
			in := &awscloudtrail.CreateTrailInput{Name: aws.String("org-trail"), S3BucketName: aws.String("logs")}
			test.change(in)
			_, err := f.CreateTrail(t.Context(), in)
			world.WantCode(t, err, test.want)
			if exists := len(f.service.Trails()) == 1; exists != (test.want == "") {
				t.Errorf("the trail exists: %t", exists)
			}
		})
	}
}

func TestCreateTrailRefusesTheSameNameAndASixthTrail(t *testing.T) {
	f := created(t, nil)
	for _, name := range []string{"two", "three", "four", "five"} {
		f.create(&awscloudtrail.CreateTrailInput{Name: aws.String(name), S3BucketName: aws.String("logs")})
	}
	_, err := f.CreateTrail(t.Context(), &awscloudtrail.CreateTrailInput{Name: aws.String("org-trail"), S3BucketName: aws.String("logs")})
	world.WantCode(t, err, "TrailAlreadyExistsException")
	_, err = f.CreateTrail(t.Context(), &awscloudtrail.CreateTrailInput{Name: aws.String("six"), S3BucketName: aws.String("logs")})
	world.WantCode(t, err, "MaximumNumberOfTrailsExceededException")
	_, err = f.in("eu-west-1").CreateTrail(t.Context(), &awscloudtrail.CreateTrailInput{Name: aws.String("six"), S3BucketName: aws.String("logs")})
	world.WantCode(t, err, "")
}

func TestAFailureOfTheEnvironmentIsNotARefusal(t *testing.T) {
	f := newFixture(t, nil)
	f.env.refuse("MayDeliver", errors.New("connection lost"))
	_, err := f.CreateTrail(t.Context(), &awscloudtrail.CreateTrailInput{Name: aws.String("org-trail"), S3BucketName: aws.String("logs")})
	world.WantCode(t, err, "InternalFailure")
}

func TestUpdateTrailChangesOnlyWhatItIsGiven(t *testing.T) {
	f := created(t, nil)
	before := f.trail()
	if err := f.update(&awscloudtrail.UpdateTrailInput{EnableLogFileValidation: aws.Bool(false)}); err != nil {
		t.Fatal(err)
	}
	before.LogFileValidationEnabled = aws.Bool(false)
	if got := f.trail(); !reflect.DeepEqual(got, before) {
		t.Errorf("got %+v\nwant %+v", got, before)
	}
	if !*f.status().IsLogging {
		t.Error("an update stopped the logging")
	}
}

func TestUpdateTrailClearsWithEmptyStrings(t *testing.T) {
	f := created(t, nil)
	empty := aws.String("")
	err := f.update(&awscloudtrail.UpdateTrailInput{KmsKeyId: empty, S3KeyPrefix: empty, SnsTopicName: empty, CloudWatchLogsLogGroupArn: empty, CloudWatchLogsRoleArn: empty})
	if err != nil {
		t.Fatal(err)
	}
	got := f.trail()
	if got.KmsKeyId != nil || got.S3KeyPrefix != nil || got.SnsTopicName != nil || got.SnsTopicARN != nil || got.CloudWatchLogsLogGroupArn != nil || got.CloudWatchLogsRoleArn != nil {
		t.Errorf("not cleared: %+v", got)
	}
	world.WantCode(t, f.update(&awscloudtrail.UpdateTrailInput{S3BucketName: empty}), "InvalidS3BucketNameException")
}

func TestUpdateTrailRefusesWithoutChangingAnything(t *testing.T) {
	f := created(t, nil)
	before := f.trail()
	world.WantCode(t, f.update(&awscloudtrail.UpdateTrailInput{IncludeGlobalServiceEvents: aws.Bool(false)}), "InvalidParameterCombinationException")
	world.WantCode(t, f.update(&awscloudtrail.UpdateTrailInput{IsMultiRegionTrail: aws.Bool(false), S3BucketName: aws.String("nowhere")}), "S3BucketDoesNotExistException")
	world.WantCode(t, f.update(&awscloudtrail.UpdateTrailInput{CloudWatchLogsRoleArn: aws.String("")}), "InvalidCloudWatchLogsRoleArnException")
	if got := f.trail(); !reflect.DeepEqual(got, before) {
		t.Errorf("a refused update changed the trail: %+v", got)
	}
	world.WantCode(t, f.update(&awscloudtrail.UpdateTrailInput{IncludeGlobalServiceEvents: aws.Bool(false), IsMultiRegionTrail: aws.Bool(false)}), "")
	world.WantCode(t, f.update(&awscloudtrail.UpdateTrailInput{IsMultiRegionTrail: aws.Bool(true)}), "InvalidParameterCombinationException")
	world.WantCode(t, f.update(&awscloudtrail.UpdateTrailInput{IsMultiRegionTrail: aws.Bool(true), IncludeGlobalServiceEvents: aws.Bool(true)}), "")
}

func TestTheKeyIsStoredAsItsARN(t *testing.T) {
	f := created(t, nil)
	for _, id := range []string{"alias/logs", "11111111-1111-1111-1111-111111111111", "arn:aws:kms:us-east-1:123456789012:alias/logs", keyARN} {
		if err := f.update(&awscloudtrail.UpdateTrailInput{KmsKeyId: aws.String(id)}); err != nil {
			t.Fatal(err)
		}
		if got := *f.trail().KmsKeyId; got != keyARN {
			t.Errorf("%s is stored as %s", id, got)
		}
	}
}

func TestTheTopicIsFoundByNameAndByARN(t *testing.T) {
	f := created(t, nil)
	for _, topic := range []string{"deliveries", topicARN} {
		if err := f.update(&awscloudtrail.UpdateTrailInput{SnsTopicName: aws.String(topic)}); err != nil {
			t.Fatal(err)
		}
		if got := f.trail(); *got.SnsTopicARN != topicARN || *got.SnsTopicName != topic {
			t.Errorf("%s: got %s, %s", topic, *got.SnsTopicName, *got.SnsTopicARN)
		}
	}
}

func TestEveryOperationTakesTheNameAndTheARN(t *testing.T) {
	for _, id := range []string{"org-trail", trailARN} {
		f := created(t, nil)
		name := aws.String(id)
		selectors := []types.EventSelector{{ReadWriteType: types.ReadWriteTypeAll}}
		insights := []types.InsightSelector{{InsightType: types.InsightTypeApiCallRateInsight}}
		calls := []struct {
			operation string
			call      func() error
		}{
			{"StopLogging", func() error {
				_, err := f.StopLogging(t.Context(), &awscloudtrail.StopLoggingInput{Name: name})
				return err
			}},
			{"StartLogging", func() error {
				_, err := f.StartLogging(t.Context(), &awscloudtrail.StartLoggingInput{Name: name})
				return err
			}},
			{"UpdateTrail", func() error {
				_, err := f.UpdateTrail(t.Context(), &awscloudtrail.UpdateTrailInput{Name: name})
				return err
			}},
			{"GetTrail", func() error { _, err := f.GetTrail(t.Context(), &awscloudtrail.GetTrailInput{Name: name}); return err }},
			{"GetTrailStatus", func() error {
				_, err := f.GetTrailStatus(t.Context(), &awscloudtrail.GetTrailStatusInput{Name: name})
				return err
			}},
			{"PutEventSelectors", func() error {
				_, err := f.PutEventSelectors(t.Context(), &awscloudtrail.PutEventSelectorsInput{TrailName: name, EventSelectors: selectors})
				return err
			}},
			{"GetEventSelectors", func() error {
				_, err := f.GetEventSelectors(t.Context(), &awscloudtrail.GetEventSelectorsInput{TrailName: name})
				return err
			}},
			{"PutInsightSelectors", func() error {
				_, err := f.PutInsightSelectors(t.Context(), &awscloudtrail.PutInsightSelectorsInput{TrailName: name, InsightSelectors: insights})
				return err
			}},
			{"GetInsightSelectors", func() error {
				_, err := f.GetInsightSelectors(t.Context(), &awscloudtrail.GetInsightSelectorsInput{TrailName: name})
				return err
			}},
			{"DeleteTrail", func() error {
				_, err := f.DeleteTrail(t.Context(), &awscloudtrail.DeleteTrailInput{Name: name})
				return err
			}},
		}
		for _, c := range calls {
			if err := c.call(); err != nil {
				t.Errorf("%s %s: %v", c.operation, id, err)
			}
		}
		for _, c := range calls {
			world.WantCode(t, c.call(), "TrailNotFoundException")
		}
	}
	f := created(t, nil)
	_, err := f.StopLogging(t.Context(), &awscloudtrail.StopLoggingInput{Name: aws.String("arn:aws:cloudtrail:us-east-1:123456789012:org-trail")})
	world.WantCode(t, err, "CloudTrailARNInvalidException")
	_, err = f.StopLogging(t.Context(), &awscloudtrail.StopLoggingInput{Name: aws.String("no/name")})
	world.WantCode(t, err, "InvalidTrailNameException")
}

func TestATrailIsChangedOnlyInItsHomeRegion(t *testing.T) {
	f := created(t, nil)
	elsewhere := f.in("eu-west-1")
	for _, id := range []string{"org-trail", trailARN} {
		_, err := elsewhere.StopLogging(t.Context(), &awscloudtrail.StopLoggingInput{Name: aws.String(id)})
		world.WantCode(t, err, "InvalidHomeRegionException")
	}
	if err := f.update(&awscloudtrail.UpdateTrailInput{IsMultiRegionTrail: aws.Bool(false)}); err != nil {
		t.Fatal(err)
	}
	_, err := elsewhere.StopLogging(t.Context(), &awscloudtrail.StopLoggingInput{Name: aws.String("org-trail")})
	world.WantCode(t, err, "TrailNotFoundException")
}

func TestDescribeTrailsShowsShadowTrailsUnlessAskedNotTo(t *testing.T) {
	f := created(t, nil)
	elsewhere := f.in("eu-west-1")
	names := func(client *awscloudtrail.Client, in *awscloudtrail.DescribeTrailsInput) []string {
		t.Helper()
		out, err := client.DescribeTrails(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		found := []string{}
		for _, trail := range out.TrailList {
			found = append(found, *trail.Name)
		}
		return found
	}
	tests := []struct {
		what   string
		client *awscloudtrail.Client
		in     awscloudtrail.DescribeTrailsInput
		want   []string
	}{
		{"at home", f.Client, awscloudtrail.DescribeTrailsInput{}, []string{"org-trail"}},
		{"at home without shadows", f.Client, awscloudtrail.DescribeTrailsInput{IncludeShadowTrails: aws.Bool(false)}, []string{"org-trail"}},
		{"elsewhere", elsewhere, awscloudtrail.DescribeTrailsInput{}, []string{"org-trail"}},
		{"elsewhere without shadows", elsewhere, awscloudtrail.DescribeTrailsInput{IncludeShadowTrails: aws.Bool(false)}, []string{}},
		{"elsewhere by name", elsewhere, awscloudtrail.DescribeTrailsInput{TrailNameList: []string{"org-trail"}}, []string{}},
		{"elsewhere by ARN", elsewhere, awscloudtrail.DescribeTrailsInput{TrailNameList: []string{trailARN}}, []string{"org-trail"}},
		{"an unknown name", f.Client, awscloudtrail.DescribeTrailsInput{TrailNameList: []string{"nothing"}}, []string{}},
	}
	for _, test := range tests {
		if got := names(test.client, &test.in); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %v, want %v", test.what, got, test.want)
		}
	}
	if err := f.update(&awscloudtrail.UpdateTrailInput{IsMultiRegionTrail: aws.Bool(false)}); err != nil {
		t.Fatal(err)
	}
	if got := names(elsewhere, &awscloudtrail.DescribeTrailsInput{}); len(got) != 0 {
		t.Errorf("a trail of one Region has the shadows %v", got)
	}
	out, err := elsewhere.ListTrails(t.Context(), &awscloudtrail.ListTrailsInput{})
	if err != nil || len(out.Trails) != 1 || *out.Trails[0].HomeRegion != "us-east-1" {
		t.Errorf("ListTrails: %v, %v", out, err)
	}
}

func TestOrganizationTrails(t *testing.T) {
	for organization, want := range map[cloudtrail.Organization]string{
		cloudtrail.NoOrganization:    "OrganizationsNotInUseException",
		cloudtrail.MemberAccount:     "NotOrganizationMasterAccountException",
		cloudtrail.NoTrustedAccess:   "CloudTrailAccessNotEnabledException",
		cloudtrail.NotAllFeatures:    "OrganizationNotInAllFeaturesModeException",
		cloudtrail.ManagementAccount: "",
	} {
		f := created(t, func(o *cloudtrail.Options) { o.Organization = organization })
		world.WantCode(t, f.update(&awscloudtrail.UpdateTrailInput{IsOrganizationTrail: aws.Bool(true)}), want)
		world.WantCode(t, f.update(&awscloudtrail.UpdateTrailInput{IsOrganizationTrail: aws.Bool(want == "")}), "")
	}
}

func TestADemotionOfAnOrganizationTrailIsRecorded(t *testing.T) {
	f := created(t, func(o *cloudtrail.Options) { o.Organization = cloudtrail.ManagementAccount })
	steps := []struct {
		organizationTrail bool
		demotions         int
	}{{false, 0}, {true, 0}, {true, 0}, {false, 1}, {false, 1}, {true, 1}}
	for _, step := range steps {
		if err := f.update(&awscloudtrail.UpdateTrailInput{IsOrganizationTrail: aws.Bool(step.organizationTrail)}); err != nil {
			t.Fatal(err)
		}
		if got := f.service.Trails()[0]; got.Demotions != step.demotions || got.IsOrganizationTrail != step.organizationTrail {
			t.Errorf("after %+v: %d, %t", step, got.Demotions, got.IsOrganizationTrail)
		}
	}
}

func TestStatusFollowsDeliveries(t *testing.T) {
	f := created(t, nil)
	deliver := func() *awscloudtrail.GetTrailStatusOutput {
		t.Helper()
		f.clock.Advance(time.Minute)
		if err := f.service.Deliver(t.Context()); err != nil {
			t.Fatal(err)
		}
		return f.status()
	}
	now := func() time.Time { return f.clock.Now() }

	got := deliver()
	if !got.LatestDeliveryTime.Equal(now()) || !got.LatestDigestDeliveryTime.Equal(now()) || !got.LatestNotificationTime.Equal(now()) || !got.LatestCloudWatchLogsDeliveryTime.Equal(now()) {
		t.Errorf("not delivered: %+v", got)
	}
	if got.LatestDeliveryError != nil || got.LatestDigestDeliveryError != nil || got.LatestNotificationError != nil || got.LatestCloudWatchLogsDeliveryError != nil {
		t.Errorf("an error where none is: %+v", got)
	}
	fine := now()

	for method, refused := range map[string]string{"MayDeliver": "AccessDenied", "MayEncrypt": "KMS.DisabledException"} {
		f.env.refuse(method, api.Errorf(refused, "no"))
		got = deliver()
		if aws.ToString(got.LatestDeliveryError) != refused || aws.ToString(got.LatestDigestDeliveryError) != refused || !got.LatestDeliveryTime.Equal(fine) {
			t.Errorf("%s: %+v", method, got)
		}
		f.env.refuse(method, nil)
	}
	f.env.refuse("MayNotify", api.Errorf("AuthorizationError", "no"))
	f.env.refuse("MayWriteLogs", api.Errorf("AccessDenied", "no"))
	got = deliver()
	if got.LatestDeliveryError != nil || aws.ToString(got.LatestNotificationError) != "AuthorizationError" || aws.ToString(got.LatestCloudWatchLogsDeliveryError) != "AccessDenied" {
		t.Errorf("got %+v", got)
	}

	fine = now()
	if _, err := f.StopLogging(t.Context(), &awscloudtrail.StopLoggingInput{Name: aws.String("org-trail")}); err != nil {
		t.Fatal(err)
	}
	got = deliver()
	if *got.IsLogging || !got.StopLoggingTime.Equal(fine) || !got.LatestDeliveryTime.Equal(fine) {
		t.Errorf("a stopped trail delivers: %+v", got)
	}

	f.env.refuse("MayDeliver", errors.New("connection lost"))
	if _, err := f.StartLogging(t.Context(), &awscloudtrail.StartLoggingInput{Name: aws.String("org-trail")}); err != nil {
		t.Fatal(err)
	}
	if err := f.service.Deliver(t.Context()); err == nil {
		t.Error("a failure of the environment is taken for a delivery")
	}
}

func TestTheRateLimitAllowsOneChangeASecond(t *testing.T) {
	f := newFixture(t, func(o *cloudtrail.Options) { o.RateLimited = true })
	f.create(&awscloudtrail.CreateTrailInput{Name: aws.String("org-trail"), S3BucketName: aws.String("logs")})
	start := func() error {
		_, err := f.StartLogging(t.Context(), &awscloudtrail.StartLoggingInput{Name: aws.String("org-trail")})
		return err
	}
	world.WantCode(t, start(), "ThrottlingException")
	f.trail()
	f.clock.Advance(time.Second)
	world.WantCode(t, start(), "")
}

func TestTagsAreAddedRemovedAndListed(t *testing.T) {
	f := newFixture(t, nil)
	f.create(&awscloudtrail.CreateTrailInput{Name: aws.String("org-trail"), S3BucketName: aws.String("logs"), TagsList: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}}})
	tag := func(key, text string) []types.Tag { return []types.Tag{{Key: &key, Value: &text}} }
	if _, err := f.AddTags(t.Context(), &awscloudtrail.AddTagsInput{ResourceId: aws.String(trailARN), TagsList: tag("b", "2")}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.RemoveTags(t.Context(), &awscloudtrail.RemoveTagsInput{ResourceId: aws.String(trailARN), TagsList: tag("a", "1")}); err != nil {
		t.Fatal(err)
	}
	out, err := f.ListTags(t.Context(), &awscloudtrail.ListTagsInput{ResourceIdList: []string{trailARN}})
	if err != nil || len(out.ResourceTagList[0].TagsList) != 1 || *out.ResourceTagList[0].TagsList[0].Key != "b" {
		t.Errorf("got %+v, %v", out, err)
	}
	_, err = f.AddTags(t.Context(), &awscloudtrail.AddTagsInput{ResourceId: aws.String("org-trail"), TagsList: tag("b", "2")})
	world.WantCode(t, err, "CloudTrailARNInvalidException")
	_, err = f.AddTags(t.Context(), &awscloudtrail.AddTagsInput{ResourceId: aws.String(trailARN + "2"), TagsList: tag("b", "2")})
	world.WantCode(t, err, "ResourceNotFoundException")
}

func TestWhatIsNotSimulatedIsAnError(t *testing.T) {
	f := created(t, nil)
	_, err := f.LookupEvents(t.Context(), &awscloudtrail.LookupEventsInput{})
	world.WantCode(t, err, "NotModelled")
	for _, input := range []map[string]any{
		{"Name": "org-trail", "S3bucketName": "spare"},
		{"name": "org-trail"},
		{"Name": "org-trail", "IsMultiRegionTrail": "true"},
		{"Name": "org-trail", "RecursiveLogging": false},
	} {
		_, err := f.service.Handle(t.Context(), api.Call{Service: "cloudtrail", Operation: "UpdateTrail", Input: input})
		world.WantCode(t, err, "SerializationException")
	}
}

func TestTheServiceIsSafeForConcurrentUse(t *testing.T) {
	f := created(t, nil)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 20 {
				if err := f.update(&awscloudtrail.UpdateTrailInput{EnableLogFileValidation: aws.Bool(false)}); err != nil {
					t.Error(err)
				}
				if err := f.service.Deliver(t.Context()); err != nil {
					t.Error(err)
				}
				f.service.Trails()
			}
		})
	}
	group.Wait()
}
