package localaws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

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
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/iam/policy"
	"github.com/trailguard/trailguard/localaws/repository"
	"github.com/trailguard/trailguard/localaws/servicereference"
)

const (
	trailARN = "arn:aws:cloudtrail:us-east-1:123456789012:trail/guarded"
	keyARN   = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
	roleARN  = "arn:aws:iam::123456789012:role/guard/Repair"
	topicARN = "arn:aws:sns:us-east-1:123456789012:alerts"
)

var (
	rootUser = api.Principal{Type: api.Root, ARN: "arn:aws:iam::123456789012:root"}
	mallory  = api.Principal{Type: api.IAMUser, ARN: "arn:aws:iam::123456789012:user/mallory"}
	repairer = api.Principal{Type: api.AssumedRole, ARN: roleARN, SessionName: "Automation-1"}
)

// fakeDirectory holds policies, and counts how often it is asked.
type fakeDirectory struct {
	roles                  map[string]Role
	buckets, topics, queue map[string]string
	topicKeys              map[string]string
	keys                   map[string]Key
	asked                  int
}

func look[T any](d *fakeDirectory, m map[string]T, name string) (T, error) {
	d.asked++
	value, ok := m[name]
	if !ok {
		return value, api.Errorf("NotFound", "%s", name)
	}
	return value, nil
}

func (d *fakeDirectory) Role(_ context.Context, name string) (Role, error) {
	return look(d, d.roles, name)
}
func (d *fakeDirectory) BucketPolicy(_ context.Context, name string) (string, error) {
	return look(d, d.buckets, name)
}
func (d *fakeDirectory) Key(_ context.Context, id string) (Key, error) { return look(d, d.keys, id) }
func (d *fakeDirectory) TopicPolicy(_ context.Context, arn string) (string, error) {
	return look(d, d.topics, arn)
}
func (d *fakeDirectory) TopicKey(_ context.Context, arn string) (string, error) {
	return look(d, d.topicKeys, arn)
}
func (d *fakeDirectory) QueuePolicy(_ context.Context, arn string) (string, error) {
	return look(d, d.queue, arn)
}

// handlerFunc is a service made of a function.
type handlerFunc func(api.Call) (any, error)

func (f handlerFunc) Handle(_ context.Context, call api.Call) (any, error) { return f(call) }

// world is a gateway with a directory, a CloudTrail that accepts everything, and a backend that answers S3 and STS.
type world struct {
	*Gateway
	directory *fakeDirectory
	events    []map[string]any
	trail     func(api.Call) (any, error)
	logging   bool
	forwarded []*http.Request
}

const passing = `{"Version":"2012-10-17","Statement":[
	{"Effect":"Allow","Action":["cloudtrail:StartLogging","cloudtrail:UpdateTrail","cloudtrail:GetTrail"],"Resource":"` + trailARN + `"},
	{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::123456789012:role/Logs",
	 "Condition":{"StringEquals":{"iam:PassedToService":"cloudtrail.amazonaws.com"}}},
	{"Effect":"Allow","Action":"kms:EnableKey","Resource":"*"}]}`

const trustsAutomation = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ssm.amazonaws.com"},"Action":"sts:AssumeRole",
	"Condition":{"StringEquals":{"aws:SourceAccount":"123456789012"}}}]}`

const keyForIAM = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"kms:*","Resource":"*"}]}`

func reference(t testing.TB) *servicereference.Reference {
	t.Helper()
	opened, err := servicereference.Open(repository.NodeModules())
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{
		logging: true,
		trail:   func(api.Call) (any, error) { return map[string]any{}, nil },
		directory: &fakeDirectory{
			roles:   map[string]Role{"Repair": {ARN: roleARN, Trust: trustsAutomation, Identity: []string{passing}}},
			buckets: map[string]string{}, topics: map[string]string{}, queue: map[string]string{},
			keys: map[string]Key{keyARN: {ARN: keyARN, State: "Enabled", Policy: keyForIAM}},
		},
	}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.forwarded = append(w.forwarded, r)
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
		switch {
		case r.Header.Get("X-Amz-Target") == "TrentService.DisableKey":
			rw.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(rw, `{"__type":"com.amazonaws.kms#NotFoundException","message":"gone"}`)
		case r.Header.Get("X-Amz-Target") != "":
			fmt.Fprint(rw, `{"KeyId":"k"}`)
		case strings.HasPrefix(r.URL.Path, "/missing"):
			rw.WriteHeader(http.StatusNotFound)
			fmt.Fprint(rw, `<Error><Code>NoSuchBucket</Code><Message>none</Message></Error>`)
		case strings.HasPrefix(r.URL.Path, "/service/"):
			rw.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
			rw.Write([]byte{0xa0})
		case r.URL.RawQuery == "" && r.Method == http.MethodPost:
			fmt.Fprint(rw, `<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>`)
		}
	}))
	t.Cleanup(server.Close)
	w.Gateway = NewGateway(GatewayOptions{
		Clock:     api.NewClock(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)),
		Backend:   server.URL,
		Directory: w.directory,
		Reference: reference(t),
		Handlers: map[string]api.Handler{
			"cloudtrail": handlerFunc(func(call api.Call) (any, error) { return w.trail(call) }),
			"config": handlerFunc(func(call api.Call) (any, error) {
				return map[string]any{"ConfigRules": []any{map[string]any{"ConfigRuleArn": "arn:aws:config:us-east-1:123456789012:config-rule/config-rule-abc"}}}, nil
			}),
		},
		Logs: func(api.Call) bool { return w.logging },
		Sink: func(event map[string]any) { w.events = append(w.events, event) },
	})
	w.Grant(mallory.ARN, policy.MustParse(policy.Identity, policy.FullAWSAccess))
	return w
}

func (w *world) as(p api.Principal) aws.Config { return w.config(w.Credentials(p)) }

func (w *world) cloudTrail(p api.Principal) *cloudtrail.Client {
	return cloudtrail.NewFromConfig(w.as(p))
}

// code is the error code of a call, empty if it succeeded.
func code(err error) string {
	var answer smithy.APIError
	if errors.As(err, &answer) {
		return answer.ErrorCode()
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func wantCode(t *testing.T, err error, want string) {
	t.Helper()
	if got := code(err); got != want {
		t.Errorf("got %q (%v), want %q", got, err, want)
	}
}

func TestARoleMayDoWhatItsPoliciesSay(t *testing.T) {
	w := newWorld(t)
	client := w.cloudTrail(repairer)
	for _, test := range []struct {
		name, trail, want string
	}{
		{"by name", "guarded", ""},
		{"by ARN", trailARN, ""},
		{"another trail", "other", "AccessDeniedException"},
		{"the same name in another account", "arn:aws:cloudtrail:us-east-1:999999999999:trail/guarded", "AccessDeniedException"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := client.StartLogging(t.Context(), &cloudtrail.StartLoggingInput{Name: &test.trail})
			wantCode(t, err, test.want)
		})
	}
	_, err := client.StopLogging(t.Context(), &cloudtrail.StopLoggingInput{Name: aws.String("guarded")})
	want := "User: arn:aws:sts::123456789012:assumed-role/Repair/Automation-1 is not authorized to perform: cloudtrail:StopLogging " +
		"on resource: " + trailARN + " because no identity-based policy allows the cloudtrail:StopLogging action"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := w.Err(); err != nil {
		t.Error(err)
	}
}

func TestPassingARoleIsAuthorized(t *testing.T) {
	w := newWorld(t)
	for role, want := range map[string]string{
		"arn:aws:iam::123456789012:role/Logs":  "",
		"":                                     "",
		"arn:aws:iam::123456789012:role/Other": "AccessDeniedException",
	} {
		_, err := w.cloudTrail(repairer).UpdateTrail(t.Context(), &cloudtrail.UpdateTrailInput{
			Name: aws.String("guarded"), CloudWatchLogsRoleArn: &role,
		})
		wantCode(t, err, want)
	}
}

func TestAnOrganizationPolicyBindsEveryoneButThoseItExempts(t *testing.T) {
	w := newWorld(t)
	if err := w.SetOrganizationPolicies(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"cloudtrail:*","Resource":"*",
		"Condition":{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/guard/*"}}}]}`); err != nil {
		t.Fatal(err)
	}
	start := &cloudtrail.StartLoggingInput{Name: aws.String("guarded")}
	for p, want := range map[api.Principal]string{
		mallory: "AccessDeniedException", rootUser: "AccessDeniedException", repairer: "",
		{Type: api.AssumedRole, ARN: linkedARN, SessionName: "s"}: "",
	} {
		w.Grant(linkedARN, policy.MustParse(policy.Identity, policy.FullAWSAccess))
		_, err := w.cloudTrail(p).StartLogging(t.Context(), start)
		wantCode(t, err, want)
	}
	w.Reset()
	_, err := w.cloudTrail(mallory).StartLogging(t.Context(), start)
	wantCode(t, err, "")
}

const linkedARN = "arn:aws:iam::123456789012:role/aws-service-role/remediation.config.amazonaws.com/AWSServiceRoleForConfigRemediation"

func TestABadOrganizationPolicyIsAnError(t *testing.T) {
	if err := newWorld(t).SetOrganizationPolicies(`{}`); err == nil {
		t.Error("got no error")
	}
}

func TestABucketPolicyCanDenyAnAdministrator(t *testing.T) {
	w := newWorld(t)
	w.directory.buckets["logs"] = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::logs/*"}]}`
	client := s3.NewFromConfig(w.as(mallory))
	_, err := client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("logs"), Key: aws.String("AWSLogs/a")})
	wantCode(t, err, "AccessDenied")
	_, err = client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("others"), Key: aws.String("AWSLogs/a")})
	wantCode(t, err, "")
	_, err = client.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: aws.String("logs"), Delete: &s3types.Delete{
		Objects: []s3types.ObjectIdentifier{{Key: aws.String("AWSLogs/a")}},
	}})
	wantCode(t, err, "AccessDenied")
}

func TestAKeyPolicyMustAllow(t *testing.T) {
	w := newWorld(t)
	enable := func(p api.Principal) error {
		_, err := kms.NewFromConfig(w.as(p)).EnableKey(t.Context(), &kms.EnableKeyInput{KeyId: aws.String(keyARN)})
		return err
	}
	wantCode(t, enable(repairer), "")
	w.directory.keys[keyARN] = Key{ARN: keyARN, Policy: strings.ReplaceAll(keyForIAM, "123456789012:root", "999999999999:root")}
	// EnableKey has changed something, so the policy is read again.
	wantCode(t, enable(repairer), "AccessDeniedException")
	wantCode(t, enable(mallory), "AccessDeniedException")
}

func TestPoliciesAreReadOnceUntilACallChangesThem(t *testing.T) {
	w := newWorld(t)
	start := func() error {
		_, err := w.cloudTrail(repairer).StartLogging(t.Context(), &cloudtrail.StartLoggingInput{Name: aws.String("guarded")})
		return err
	}
	for range 3 {
		wantCode(t, start(), "")
	}
	if w.directory.asked != 1 {
		t.Errorf("the directory was asked %d times, want once", w.directory.asked)
	}
	w.directory.roles["Repair"] = Role{ARN: roleARN, Trust: trustsAutomation}
	wantCode(t, start(), "")
	_, err := iam.NewFromConfig(w.as(mallory)).DeleteRolePolicy(t.Context(), &iam.DeleteRolePolicyInput{
		RoleName: aws.String("Repair"), PolicyName: aws.String("p"),
	})
	wantCode(t, err, "")
	wantCode(t, start(), "AccessDeniedException")
	delete(w.directory.roles, "Repair")
	w.Reset()
	wantCode(t, start(), "InvalidClientTokenId")
}

func TestWhoCallsIsKnownByTheAccessKey(t *testing.T) {
	w := newWorld(t)
	config := w.as(mallory)
	identity, err := sts.NewFromConfig(config).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil {
		t.Fatal(err)
	}
	if *identity.Arn != mallory.ARN || *identity.Account != api.Account {
		t.Errorf("got %s of %s", *identity.Arn, *identity.Account)
	}
	stranger := w.config(aws.Credentials{AccessKeyID: "AKIASTRANGER", SecretAccessKey: "x"})
	_, err = cloudtrail.NewFromConfig(stranger).DescribeTrails(t.Context(), &cloudtrail.DescribeTrailsInput{})
	wantCode(t, err, "UnrecognizedClientException")
	_, err = sts.NewFromConfig(stranger).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	wantCode(t, err, "InvalidClientTokenId")
	credentials := w.Credentials(mallory)
	w.Revoke(credentials)
	_, err = cloudtrail.NewFromConfig(w.config(credentials)).DescribeTrails(t.Context(), &cloudtrail.DescribeTrailsInput{})
	wantCode(t, err, "UnrecognizedClientException")
}

func TestARoleIsAssumedByThoseItTrusts(t *testing.T) {
	w := newWorld(t)
	w.directory.roles["Deploy"] = Role{ARN: "arn:aws:iam::123456789012:role/Deploy", Identity: []string{passing},
		Trust: strings.ReplaceAll(trustsAutomation, `"Service":"ssm.amazonaws.com"`, `"AWS":"`+mallory.ARN+`"`)}
	assume := func(role string) (*sts.AssumeRoleOutput, error) {
		return sts.NewFromConfig(w.as(mallory)).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("me")})
	}
	for _, role := range []string{roleARN, "arn:aws:iam::123456789012:role/None", "arn:aws:iam::123456789012:role/other/Deploy"} {
		_, err := assume(role)
		wantCode(t, err, "AccessDenied")
	}
	_, err := assume("arn:aws:iam::123456789012:role/Deploy")
	wantCode(t, err, "AccessDenied") // the condition on aws:SourceAccount is not met
	deploy := w.directory.roles["Deploy"]
	deploy.Trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + mallory.ARN + `"},"Action":"sts:AssumeRole"}]}`
	w.directory.roles["Deploy"] = deploy
	w.Reset()
	got, err := assume(deploy.ARN)
	if err != nil {
		t.Fatal(err)
	}
	session := w.config(aws.Credentials{AccessKeyID: *got.Credentials.AccessKeyId, SecretAccessKey: *got.Credentials.SecretAccessKey})
	identity, err := sts.NewFromConfig(session).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil || *identity.Arn != "arn:aws:sts::123456789012:assumed-role/Deploy/me" {
		t.Errorf("got %v, %v", identity, err)
	}
}

func TestAutomationAssumesARoleWithItsSource(t *testing.T) {
	w := newWorld(t)
	service := api.Principal{Type: api.AWSService, ARN: "ssm.amazonaws.com"}
	source := func(account string) map[string][]string { return map[string][]string{"aws:SourceAccount": {account}} }
	wantCode(t, asAPI(w.Authorize(t.Context(), service, "sts:AssumeRole", roleARN, source("123456789012"))), "")
	wantCode(t, asAPI(w.Authorize(t.Context(), service, "sts:AssumeRole", roleARN, source("999999999999"))), "AccessDenied")
}

// asAPI makes an *api.Error one of the SDK's.
func asAPI(err error) error {
	var refused *api.Error
	if errors.As(err, &refused) {
		return &smithy.GenericAPIError{Code: refused.Code, Message: refused.Message}
	}
	return err
}

func TestEachProtocolIsUnderstood(t *testing.T) {
	w := newWorld(t)
	config := w.as(mallory)
	ctx := t.Context()
	bucket := aws.String("logs")
	do := func(_ any, err error) error { return err }
	for _, test := range []struct {
		want string
		err  error
	}{
		{"cloudtrail:StopLogging map[Name:guarded]", do(cloudtrail.NewFromConfig(config).StopLogging(ctx, &cloudtrail.StopLoggingInput{Name: aws.String("guarded")}))},
		{"sns:Publish map[Message:m Subject:s TopicArn:" + topicARN + "]",
			do(sns.NewFromConfig(config).Publish(ctx, &sns.PublishInput{TopicArn: aws.String(topicARN), Message: aws.String("m"), Subject: aws.String("s")}))},
		{"sqs:DeleteQueue map[QueueUrl:http://127.0.0.1/123456789012/q]",
			do(sqs.NewFromConfig(config).DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: aws.String("http://127.0.0.1/123456789012/q")}))},
		{"monitoring:DeleteAlarms map[AlarmNames:[a b]]",
			do(cloudwatch.NewFromConfig(config).DeleteAlarms(ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{"a", "b"}}))},
		{"events:PutTargets map[Rule:r Targets:[map[Arn:" + topicARN + " Id:1]]]",
			do(eventbridge.NewFromConfig(config).PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: aws.String("r"),
				Targets: []eventbridgetypes.Target{{Id: aws.String("1"), Arn: aws.String(topicARN)}}}))},
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
		wantCode(t, test.err, "")
		calls := w.Calls()
		if !slices.ContainsFunc(calls, func(c CallRecord) bool { return c.Action()+" "+fmt.Sprint(c.Input) == test.want }) {
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

func TestFormsAreUnflattened(t *testing.T) {
	input, err := parseForm(map[string][]string{
		"Action": {"X"}, "Name": {"n"}, "Tags.member.1.Key": {"k"}, "Tags.member.1.Value": {"v"}, "Names.member.2": {"b"}, "Names.member.1": {"a"},
		"Attributes.entry.1.key": {"Policy"}, "Attributes.entry.1.value": {"{}"}, "A.B": {"c"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "map[A:map[B:c] Attributes:map[Policy:{}] Name:n Names:[a b] Tags:[map[Key:k Value:v]]]"
	if got := fmt.Sprint(input); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if _, err := parseForm(map[string][]string{"A": {"x"}, "A.B": {"y"}}); err == nil {
		t.Error("a name that is a value and a structure gave no error")
	}
}

func TestErrorsReachEachProtocolUnderTheirCode(t *testing.T) {
	w := newWorld(t)
	w.SetFaults(Faults{Before: func(api.Call) error { return api.Errorf("ThrottlingException", "slow down") }})
	config := w.as(mallory)
	_, err := cloudtrail.NewFromConfig(config).DescribeTrails(t.Context(), &cloudtrail.DescribeTrailsInput{})
	wantCode(t, err, "ThrottlingException")
	_, err = iam.NewFromConfig(config).ListRoles(t.Context(), &iam.ListRolesInput{})
	wantCode(t, err, "ThrottlingException")
	_, err = s3.NewFromConfig(config).ListBuckets(t.Context(), &s3.ListBucketsInput{})
	wantCode(t, err, "ThrottlingException")
	_, err = cloudwatch.NewFromConfig(config).DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{})
	wantCode(t, err, "ThrottlingException")
}

func TestAnErrorOfTheSimulationIsKept(t *testing.T) {
	w := newWorld(t)
	w.trail = func(api.Call) (any, error) { return nil, errors.New("broken") }
	_, err := w.cloudTrail(mallory).DescribeTrails(t.Context(), &cloudtrail.DescribeTrailsInput{})
	wantCode(t, err, "InternalFailure")
	if err := w.Err(); err == nil || !strings.Contains(err.Error(), "answering cloudtrail:DescribeTrails: broken") {
		t.Errorf("Err is %v", err)
	}
	w.Reset()
	if err := w.Err(); err != nil {
		t.Errorf("after Reset, Err is %v", err)
	}
}

func TestWhatIsNotModelledIsAnError(t *testing.T) {
	w := newWorld(t)
	client := s3.NewFromConfig(w.as(mallory))
	_, err := client.GetBucketCors(t.Context(), &s3.GetBucketCorsInput{Bucket: aws.String("b")})
	wantCode(t, err, "NotModelled")
	_, err = client.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: aws.String("b"), Key: aws.String("k"), CopySource: aws.String("a/k")})
	wantCode(t, err, "NotModelled")
	// The resource of GetChannel is not modelled: that matters to those whose policies name resources.
	get := &cloudtrail.GetChannelInput{Channel: aws.String("c")}
	_, err = w.cloudTrail(repairer).GetChannel(t.Context(), get)
	wantCode(t, err, "NotModelled")
	_, err = w.cloudTrail(mallory).GetChannel(t.Context(), get)
	wantCode(t, err, "")
	if err := w.SetOrganizationPolicies(policy.FullAWSAccess); err != nil {
		t.Fatal(err)
	}
	_, err = w.cloudTrail(mallory).GetChannel(t.Context(), get)
	wantCode(t, err, "NotModelled")
	if w.Err() == nil {
		t.Error("nothing was kept as a failure")
	}
}

func TestFaultsFailCallsBeforeOrAfterTheirEffect(t *testing.T) {
	w := newWorld(t)
	effects := 0
	w.trail = func(api.Call) (any, error) { effects++; return nil, nil }
	start := func() error {
		_, err := w.cloudTrail(mallory).StartLogging(t.Context(), &cloudtrail.StartLoggingInput{Name: aws.String("guarded")})
		return err
	}
	w.SetFaults(Faults{Before: FailNext("cloudtrail:StartLogging", 2, "ThrottlingException")})
	wantCode(t, start(), "ThrottlingException")
	wantCode(t, start(), "ThrottlingException")
	wantCode(t, start(), "")
	if effects != 1 {
		t.Errorf("there were %d effects, want 1", effects)
	}
	w.SetFaults(Faults{After: FailNext("cloudtrail:StartLogging", 1, "ConflictException")})
	wantCode(t, start(), "ConflictException")
	if effects != 2 {
		t.Errorf("there were %d effects, want 2", effects)
	}
	_, err := w.cloudTrail(mallory).StopLogging(t.Context(), &cloudtrail.StopLoggingInput{Name: aws.String("guarded")})
	wantCode(t, err, "")
}

func TestEveryCallIsRecorded(t *testing.T) {
	w := newWorld(t)
	client := w.cloudTrail(repairer)
	_, _ = client.StopLogging(t.Context(), &cloudtrail.StopLoggingInput{Name: aws.String("guarded")})
	_, _ = client.GetTrail(t.Context(), &cloudtrail.GetTrailInput{Name: aws.String("guarded")})
	_, _ = s3.NewFromConfig(w.as(mallory)).DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: aws.String("missing")})
	_, _ = kms.NewFromConfig(w.as(mallory)).DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: aws.String(keyARN)})
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

// at finds a value in an event.
func at(event map[string]any, path string) any {
	var value any = event
	for name := range strings.SplitSeq(path, ".") {
		fields, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = fields[name]
	}
	return value
}

func TestACallThatChangesSomethingBecomesAnEvent(t *testing.T) {
	w := newWorld(t)
	w.trail = func(api.Call) (any, error) {
		return map[string]any{"Name": "guarded", "S3BucketName": "b", "TrailARN": trailARN}, nil
	}
	_, err := w.cloudTrail(repairer).UpdateTrail(t.Context(), &cloudtrail.UpdateTrailInput{
		Name: aws.String("guarded"), S3BucketName: aws.String("b"), KmsKeyId: aws.String("k"), IsMultiRegionTrail: aws.Bool(true),
	})
	wantCode(t, err, "")
	if len(w.events) != 1 {
		t.Fatalf("there are %d events, want 1", len(w.events))
	}
	for path, want := range map[string]string{
		"version": "0", "detail-type": "AWS API Call via CloudTrail", "source": "aws.cloudtrail", "account": "123456789012",
		"time": "2030-01-02T03:04:05Z", "region": "us-east-1", "resources": "[]",
		"detail.eventSource": "cloudtrail.amazonaws.com", "detail.eventName": "UpdateTrail", "detail.awsRegion": "us-east-1",
		"detail.eventTime": "2030-01-02T03:04:05Z", "detail.readOnly": "false", "detail.managementEvent": "true",
		"detail.eventType": "AwsApiCall", "detail.eventCategory": "Management", "detail.recipientAccountId": "123456789012",
		"detail.requestParameters":                                  "map[isMultiRegionTrail:true kmsKeyId:k name:guarded s3BucketName:b]",
		"detail.responseElements":                                   "map[name:guarded s3BucketName:b trailARN:" + trailARN + "]",
		"detail.userIdentity.type":                                  "AssumedRole",
		"detail.userIdentity.arn":                                   "arn:aws:sts::123456789012:assumed-role/Repair/Automation-1",
		"detail.userIdentity.accountId":                             "123456789012",
		"detail.userIdentity.sessionContext.sessionIssuer.type":     "Role",
		"detail.userIdentity.sessionContext.sessionIssuer.arn":      roleARN,
		"detail.userIdentity.sessionContext.sessionIssuer.userName": "Repair",
	} {
		if got := fmt.Sprint(at(w.events[0], path)); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	detail, _ := w.events[0]["detail"].(map[string]any)
	for _, absent := range []string{"errorCode", "errorMessage"} {
		if _, ok := detail[absent]; ok {
			t.Errorf("a successful call has %s", absent)
		}
	}
	if _, err := json.Marshal(w.events[0]); err != nil {
		t.Error(err)
	}
}

func TestIdentitiesAreThoseOfCloudTrail(t *testing.T) {
	w := newWorld(t)
	federated := api.Principal{Type: api.FederatedUser, ARN: mallory.ARN, SessionName: "fed"}
	for _, test := range []struct {
		principal api.Principal
		invokedBy string
		want      map[string]string
	}{
		{rootUser, "", map[string]string{"type": "Root", "arn": rootUser.ARN, "principalId": "123456789012", "sessionContext": "<nil>"}},
		{mallory, "", map[string]string{"type": "IAMUser", "arn": mallory.ARN, "userName": "mallory", "sessionContext": "<nil>"}},
		{federated, "", map[string]string{"type": "FederatedUser", "arn": "arn:aws:sts::123456789012:federated-user/fed",
			"sessionContext.sessionIssuer.type": "IAMUser", "sessionContext.sessionIssuer.arn": mallory.ARN}},
		{repairer, "ssm.amazonaws.com", map[string]string{"type": "AssumedRole", "invokedBy": "ssm.amazonaws.com"}},
		{api.Principal{Type: api.AWSService, ARN: "config.amazonaws.com"}, "", map[string]string{
			"type": "AWSService", "invokedBy": "config.amazonaws.com", "arn": "<nil>"}},
	} {
		w.events = nil
		client := cloudtrail.NewFromConfig(w.config(w.ServiceCredentials(test.principal, test.invokedBy, nil)))
		_, _ = client.StartLogging(t.Context(), &cloudtrail.StartLoggingInput{Name: aws.String("guarded")})
		if len(w.events) != 1 {
			t.Fatalf("%s: there are %d events, want 1", test.principal.Type, len(w.events))
		}
		for path, want := range test.want {
			if got := fmt.Sprint(at(w.events[0], "detail.userIdentity."+path)); got != want {
				t.Errorf("%s: %s is %s, want %s", test.principal.Type, path, got, want)
			}
		}
	}
	if got := at(w.events[0], "detail.sourceIPAddress"); got != "config.amazonaws.com" {
		t.Errorf("a service calls from %v", got)
	}
}

func TestARefusedCallIsAnEventWithItsError(t *testing.T) {
	w := newWorld(t)
	_, _ = w.cloudTrail(repairer).StopLogging(t.Context(), &cloudtrail.StopLoggingInput{Name: aws.String("guarded")})
	if got := at(w.events[0], "detail.errorCode"); got != "AccessDeniedException" {
		t.Errorf("errorCode is %v", got)
	}
}

func TestEventsOfS3HaveTheNamesOfCloudTrail(t *testing.T) {
	w := newWorld(t)
	client := s3.NewFromConfig(w.as(mallory))
	bucket := aws.String("logs")
	_, _ = client.PutBucketLifecycleConfiguration(t.Context(), &s3.PutBucketLifecycleConfigurationInput{Bucket: bucket,
		LifecycleConfiguration: &s3types.BucketLifecycleConfiguration{Rules: []s3types.LifecycleRule{{Status: s3types.ExpirationStatusEnabled}}}})
	_, _ = client.DeletePublicAccessBlock(t.Context(), &s3.DeletePublicAccessBlockInput{Bucket: bucket})
	_, _ = client.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: bucket, Policy: aws.String(`{"Version":"2012-10-17"}`)})
	_, _ = client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: aws.String("k"), Body: strings.NewReader("")})
	var names []string
	for _, event := range w.events {
		names = append(names, fmt.Sprint(at(event, "detail.eventName"), " ", at(event, "detail.requestParameters.bucketName")))
	}
	if got, want := strings.Join(names, ", "), "PutBucketLifecycle logs, DeleteBucketPublicAccessBlock logs, PutBucketPolicy logs"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestKeysOfMapsKeepTheirCase(t *testing.T) {
	parameters := requestParameters(api.Call{Service: "ssm", Input: map[string]any{
		"DocumentName": "d", "Parameters": map[string]any{"CloudTrailName": []any{"x"}},
	}})
	if got, want := fmt.Sprint(parameters), "map[documentName:d parameters:map[CloudTrailName:[x]]]"; got != want {
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
			w := newWorld(t)
			w.options.DropDeletionOfLastTrail = test.drop
			w.logging = test.before
			w.trail = func(api.Call) (any, error) { w.logging = test.after; return nil, nil }
			client, name := w.cloudTrail(mallory), aws.String("guarded")
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
			wantCode(t, err, "")
			if len(w.events) != test.want {
				t.Errorf("there are %d events, want %d", len(w.events), test.want)
			}
		})
	}
}

func TestReadingIsNoEvent(t *testing.T) {
	w := newWorld(t)
	_, err := w.cloudTrail(mallory).DescribeTrails(t.Context(), &cloudtrail.DescribeTrailsInput{})
	wantCode(t, err, "")
	_, err = ssm.NewFromConfig(w.as(mallory)).GetDocument(t.Context(), &ssm.GetDocumentInput{Name: aws.String("d")})
	wantCode(t, err, "")
	if len(w.events) != 0 {
		t.Errorf("there are %d events, want none", len(w.events))
	}
}

func TestAnEventComesInTheRegionOfItsCall(t *testing.T) {
	w := newWorld(t)
	config := w.as(mallory)
	config.Region = "eu-west-1"
	_, err := cloudtrail.NewFromConfig(config).StartLogging(t.Context(), &cloudtrail.StartLoggingInput{Name: aws.String("guarded")})
	wantCode(t, err, "")
	if got := at(w.events[0], "region"); got != "eu-west-1" {
		t.Errorf("the Region is %v", got)
	}
}

func TestClientsOfOtherProcessesReachTheGateway(t *testing.T) {
	w := newWorld(t)
	server := httptest.NewServer(w)
	defer server.Close()
	config := w.as(mallory)
	config.HTTPClient = http.DefaultClient
	config.BaseEndpoint = &server.URL
	identity, err := sts.NewFromConfig(config).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil || *identity.Arn != mallory.ARN {
		t.Errorf("got %v, %v", identity, err)
	}
	_, err = s3.NewFromConfig(config).HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String("logs")})
	wantCode(t, err, "")
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
	w := newWorld(b)
	client := w.cloudTrail(repairer)
	for b.Loop() {
		if _, err := client.StartLogging(context.Background(), &cloudtrail.StartLoggingInput{Name: aws.String("guarded")}); err != nil {
			b.Fatal(err)
		}
	}
}
