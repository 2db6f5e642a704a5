package moto

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/iam"
)

func TestADirectoryOfAMotoThatDoesNotAnswerFails(t *testing.T) {
	ended := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-ended }))
	defer silent.Close()
	defer close(ended)
	directory := NewDirectory(NewState(silent.URL, 20*time.Millisecond), api.Home())
	if _, err := directory.BucketPolicy(t.Context(), "logs"); err == nil || api.IsRefusal(err) {
		t.Errorf("got %v", err)
	}
}

// statement is a policy of one statement about everything.
func statement(principal, action string) string {
	return `{"Version":"2012-10-17","Statement":[{"Sid":"S","Effect":"Allow",` + principal + `"Action":"` + action + `","Resource":"*"}]}`
}

// TestADirectoryFindsWhatTheAPIsHaveMade looks for what is made through the APIs, and for what is not there.
func TestADirectoryFindsWhatTheAPIsHaveMade(t *testing.T) {
	cfg := fresh(t)
	everybody, trust := `"Principal":{"AWS":"*"},`, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ssm.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	inline, attached, boundary := statement("", "s3:Get%2FObject"), statement("", "s3:PutObject"), statement("", "s3:*")

	roles := awsiam.NewFromConfig(cfg)
	own := must[*awsiam.CreatePolicyOutput](t)(roles.CreatePolicy(t.Context(), &awsiam.CreatePolicyInput{
		PolicyName: aws.String("own"), PolicyDocument: aws.String(statement("", "s3:DeleteObject")),
	})).Policy.Arn
	must[*awsiam.CreatePolicyVersionOutput](t)(roles.CreatePolicyVersion(t.Context(), &awsiam.CreatePolicyVersionInput{
		PolicyArn: own, PolicyDocument: &attached, SetAsDefault: true,
	}))
	limit := must[*awsiam.CreatePolicyOutput](t)(roles.CreatePolicy(t.Context(), &awsiam.CreatePolicyInput{
		PolicyName: aws.String("limit"), PolicyDocument: &boundary,
	})).Policy.Arn
	made := must[*awsiam.CreateRoleOutput](t)(roles.CreateRole(t.Context(), &awsiam.CreateRoleInput{
		RoleName: aws.String("guard"), Path: aws.String("/a/"), AssumeRolePolicyDocument: &trust, PermissionsBoundary: limit,
	})).Role
	must[*awsiam.PutRolePolicyOutput](t)(roles.PutRolePolicy(t.Context(), &awsiam.PutRolePolicyInput{
		RoleName: made.RoleName, PolicyName: aws.String("inline"), PolicyDocument: &inline,
	}))
	must[*awsiam.AttachRolePolicyOutput](t)(roles.AttachRolePolicy(t.Context(), &awsiam.AttachRolePolicyInput{RoleName: made.RoleName, PolicyArn: own}))
	must[*awsiam.CreateRoleOutput](t)(roles.CreateRole(t.Context(), &awsiam.CreateRoleInput{RoleName: aws.String("bare"), AssumeRolePolicyDocument: &trust}))

	keys, keyPolicy := kms.NewFromConfig(cfg), statement(everybody, "kms:*")
	key := must[*kms.CreateKeyOutput](t)(keys.CreateKey(t.Context(), &kms.CreateKeyInput{
		Policy: &keyPolicy, Tags: []kmstypes.Tag{{TagKey: aws.String("a"), TagValue: aws.String("b")}},
	})).KeyMetadata
	must[*kms.CreateAliasOutput](t)(keys.CreateAlias(t.Context(), &kms.CreateAliasInput{AliasName: aws.String("alias/log"), TargetKeyId: key.KeyId}))
	must[*kms.DisableKeyOutput](t)(keys.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: key.KeyId}))
	wantKey := iam.Key{ARN: *key.Arn, State: "Disabled", Policy: keyPolicy, Tags: map[string]string{"a": "b"}}

	buckets, bucketPolicy := s3Client(cfg), strings.Replace(statement(everybody, "s3:GetObject"), `"*"}]`, `"arn:aws:s3:::with/*"}]`, 1)
	must[*s3.CreateBucketOutput](t)(buckets.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("with")}))
	must[*s3.PutBucketPolicyOutput](t)(buckets.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String("with"), Policy: &bucketPolicy}))
	must[*s3.CreateBucketOutput](t)(buckets.CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket: aws.String("without"), CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"},
	}))

	topicPolicy, queuePolicy := statement(everybody, "SNS:Publish"), statement(everybody, "sqs:SendMessage")
	topic := *must[*sns.CreateTopicOutput](t)(sns.NewFromConfig(cfg).CreateTopic(t.Context(), &sns.CreateTopicInput{
		Name: aws.String("alerts"), Attributes: map[string]string{"Policy": topicPolicy, "KmsMasterKeyId": *key.KeyId},
	})).TopicArn
	for name, attributes := range map[string]map[string]string{"with": {"Policy": queuePolicy}, "without": nil} {
		must[*sqs.CreateQueueOutput](t)(sqs.NewFromConfig(cfg).CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes}))
	}

	events := eventbridge.NewFromConfig(cfg, func(o *eventbridge.Options) { o.Region = "eu-west-1" })
	bus := *must[*eventbridge.CreateEventBusOutput](t)(events.CreateEventBus(t.Context(), &eventbridge.CreateEventBusInput{Name: aws.String("central")})).EventBusArn
	busPolicy := strings.Replace(statement(everybody, "events:PutEvents"), `"*"}]`, `"`+bus+`"}]`, 1)
	must[*eventbridge.PutPermissionOutput](t)(events.PutPermission(t.Context(), &eventbridge.PutPermissionInput{EventBusName: aws.String("central"), Policy: &busPolicy}))

	documents, first, second := ssm.NewFromConfig(cfg), `{"schemaVersion": "0.3", "mainSteps": []}`, `{"schemaVersion": "0.3", "description": "2", "mainSteps": []}`
	must[*ssm.CreateDocumentOutput](t)(documents.CreateDocument(t.Context(), &ssm.CreateDocumentInput{
		Name: aws.String("runbook"), Content: &first, DocumentType: "Automation", DocumentFormat: "JSON",
	}))
	must[*ssm.UpdateDocumentOutput](t)(documents.UpdateDocument(t.Context(), &ssm.UpdateDocumentInput{
		Name: aws.String("runbook"), Content: &second, DocumentVersion: aws.String("$LATEST"), DocumentFormat: "JSON",
	}))
	must[*cloudwatchlogs.CreateLogGroupOutput](t)(cloudwatchlogs.NewFromConfig(cfg).CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{
		LogGroupName: aws.String("/trails"),
	}))

	directory, ctx := NewDirectory(NewState(server.URL(), time.Minute), api.Home()), t.Context()
	for name, test := range map[string]struct {
		look func() (any, error)
		want any
		code string // of what is not there
	}{
		"a role": {func() (any, error) { return directory.Role(ctx, "guard") },
			iam.Role{ARN: *made.Arn, Trust: trust, Identity: []string{inline, attached}, Boundary: boundary}, ""},
		"a role without policies": {func() (any, error) { return directory.Role(ctx, "bare") },
			iam.Role{ARN: "arn:aws:iam::123456789012:role/bare", Trust: trust, Identity: []string{}}, ""},
		"no role":            {func() (any, error) { return directory.Role(ctx, "none") }, nil, "NoSuchEntity"},
		"a key by its id":    {func() (any, error) { return directory.Key(ctx, *key.KeyId) }, wantKey, ""},
		"a key by its ARN":   {func() (any, error) { return directory.Key(ctx, *key.Arn) }, wantKey, ""},
		"a key by its alias": {func() (any, error) { return directory.Key(ctx, "alias/log") }, wantKey, ""},
		"by its alias's ARN": {func() (any, error) { return directory.Key(ctx, "arn:aws:kms:us-east-1:123456789012:alias/log") }, wantKey, ""},
		"no key":             {func() (any, error) { return directory.Key(ctx, "12345678-1234-1234-1234-123456789012") }, nil, "NotFoundException"},
		"no alias":           {func() (any, error) { return directory.Key(ctx, "alias/none") }, nil, "NotFoundException"},
		"a bucket's policy":  {func() (any, error) { return directory.BucketPolicy(ctx, "with") }, bucketPolicy, ""},
		"no bucket's policy": {func() (any, error) { return directory.BucketPolicy(ctx, "without") }, "", ""},
		"the first Region":   {func() (any, error) { return directory.BucketRegion(ctx, "with") }, "us-east-1", ""},
		"another Region":     {func() (any, error) { return directory.BucketRegion(ctx, "without") }, "eu-west-1", ""},
		"no bucket":          {func() (any, error) { return directory.BucketRegion(ctx, "none") }, nil, "NoSuchBucket"},
		"that there is one":  {func() (any, error) { return directory.BucketExists(ctx, "with") }, true, ""},
		"that there is none": {func() (any, error) { return directory.BucketExists(ctx, "none") }, false, ""},
		"a topic's policy":   {func() (any, error) { return directory.TopicPolicy(ctx, topic) }, topicPolicy, ""},
		"a topic's key":      {func() (any, error) { return directory.TopicKey(ctx, topic) }, *key.KeyId, ""},
		"a topic":            {func() (any, error) { return nil, directory.TopicExists(ctx, topic) }, nil, ""},
		"no topic":           {func() (any, error) { return nil, directory.TopicExists(ctx, topic+"s") }, nil, "NotFound"},
		"a queue's policy":   {func() (any, error) { return directory.QueuePolicy(ctx, "arn:aws:sqs:us-east-1:123456789012:with") }, queuePolicy, ""},
		"no queue's policy":  {func() (any, error) { return directory.QueuePolicy(ctx, "arn:aws:sqs:us-east-1:123456789012:without") }, "", ""},
		"no queue":           {func() (any, error) { return directory.QueuePolicy(ctx, "arn:aws:sqs:us-east-1:123456789012:none") }, nil, "AWS.SimpleQueueService.NonExistentQueue"},
		"a bus's policy":     {func() (any, error) { return directory.BusPolicy(ctx, bus) }, busPolicy, ""},
		"no bus's policy": {func() (any, error) {
			return directory.BusPolicy(ctx, "arn:aws:events:eu-west-1:123456789012:event-bus/default")
		}, "", ""},
		"a bus elsewhere": {func() (any, error) {
			return directory.BusPolicy(ctx, strings.Replace(bus, "eu-west-1", "us-east-1", 1))
		}, nil, "ResourceNotFoundException"},
		"the default version": {func() (any, error) { return directory.Document(ctx, "runbook", "$DEFAULT") }, Document{first, "1", "Automation"}, ""},
		"the latest version":  {func() (any, error) { return directory.Document(ctx, "runbook", "$LATEST") }, Document{second, "2", "Automation"}, ""},
		"a version, by the ARN": {func() (any, error) {
			return directory.Document(ctx, "arn:aws:ssm:us-east-1:123456789012:document/runbook", "2")
		},
			Document{second, "2", "Automation"}, ""},
		"no version":          {func() (any, error) { return directory.Document(ctx, "runbook", "3") }, nil, "InvalidDocument"},
		"that no document is": {func() (any, error) { return directory.DocumentExists(ctx, "none") }, false, ""},
		"a log group":         {func() (any, error) { return directory.LogGroupExists(ctx, "/trails") }, true, ""},
		"no log group":        {func() (any, error) { return directory.LogGroupExists(ctx, "/trail") }, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := test.look()
			var refusal *api.Error
			if errors.As(err, &refusal); test.code != "" {
				if refusal == nil || refusal.Code != test.code {
					t.Errorf("got %v and %v, want %s", found, err, test.code)
				}
				return
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, server.Output())
			}
			same(t, "found", found, test.want)
		})
	}
}
