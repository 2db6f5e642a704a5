package lifecycle

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/internal/updates"
	"github.com/trailguard/trailguard/localaws"
)

// local is the AWS of all tests, which use it one after the other.
var local = testbed.FirstReading()

// topics are those of an administrator.
var topics *sns.Client

func TestMain(m *testing.M) {
	testbed.Main(m, []*testbed.Account{local}, func() error {
		topics = sns.NewFromConfig(local.Admin)
		return nil
	})
}

func readUpdates(t *testing.T) ([]updates.Update, testbed.Template) {
	t.Helper()
	all, def, err := updates.Read(testbed.Golden("updates.json"), testbed.Golden("default.template.json"))
	testbed.Must(t, err)
	return all, def
}

// retained are the logical ids of the resources that are to outlive the stack.
func retained(tpl testbed.Template) []string {
	var ids []string
	for id, resource := range tpl.ByID() {
		if policy, _ := resource["DeletionPolicy"].(string); policy != "" && policy != "Delete" {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// stack is the deployed stack.
type stack struct {
	t     *testing.T
	guard deployed.Guard
	tpl   testbed.Template
	// physical are the physical ids by logical ones.
	physical map[string]string
	// buckets and keys are all that were ever retained.
	buckets, keys []string
}

// deploy empties the account and deploys a template to it. The end of the deployment makes the trail.
func deploy(t *testing.T, tpl testbed.Template) *stack {
	t.Helper()
	local.Empty(t, tpl)
	t.Cleanup(func() { local.WantSimulated(t) })
	s := &stack{t: t}
	testbed.Must(t, localaws.CreateStack(t.Context(), local.Admin, testbed.StackName, tpl.JSON(), testbed.MayMakeRoles...))
	s.read(tpl)
	return s
}

// read reads what is deployed, once what the deployment starts has ended.
func (s *stack) read(tpl testbed.Template) {
	s.t.Helper()
	testbed.Must(s.t, local.RunToQuiescence(s.t.Context()))
	guard, err := deployed.ReadGuard(s.t.Context(), local.Clients.Reads(), testbed.StackName)
	testbed.Must(s.t, err)
	described, err := local.Clients.CloudFormation.DescribeStackResources(s.t.Context(), &cloudformation.DescribeStackResourcesInput{StackName: aws.String(testbed.StackName)})
	testbed.Must(s.t, err)
	s.guard, s.tpl, s.physical = guard, tpl, map[string]string{}
	for _, resource := range described.StackResources {
		s.physical[*resource.LogicalResourceId] = aws.ToString(resource.PhysicalResourceId)
	}
}

// update deploys another template. The stack has a status then.
func (s *stack) update(tpl testbed.Template, want cloudformationtypes.StackStatus) {
	s.t.Helper()
	local.WantUpdate(s.t, testbed.StackName, tpl, want)
}

// wantDeclared reports what of the trail is not as declared, and that its log files do not arrive.
func (s *stack) wantDeclared() {
	s.t.Helper()
	state, err := deployed.ReadState(s.t.Context(), local.Clients.CloudTrail, s.guard.TrailARN)
	testbed.Must(s.t, err)
	if unmet := s.guard.Declared.Unmet(state); len(unmet) > 0 {
		s.t.Errorf("the trail is not as declared: %s", strings.Join(unmet, "; "))
	}
	if problems := deliver(s.t, s.guard.TrailARN); problems != "" {
		s.t.Errorf("the trail does not deliver: %s", problems)
	}
}

// deliver lets time pass for a delivery of the trail, and returns what is wrong with it. Neither Config nor a schedule does anything.
func deliver(t *testing.T, trail string) string {
	t.Helper()
	local.Clock.Advance(time.Minute)
	testbed.Must(t, local.CloudTrail().Deliver(t.Context()))
	status, err := local.Clients.CloudTrail.GetTrailStatus(t.Context(), &cloudtrail.GetTrailStatusInput{Name: &trail})
	testbed.Must(t, err)
	var problems []string
	if !aws.ToBool(status.IsLogging) {
		problems = append(problems, "it is not logging")
	}
	for kind, problem := range map[string]*string{
		"log": status.LatestDeliveryError, "digest": status.LatestDigestDeliveryError,
		"notification": status.LatestNotificationError, "CloudWatch Logs": status.LatestCloudWatchLogsDeliveryError,
	} {
		if aws.ToString(problem) != "" {
			problems = append(problems, kind+": "+*problem)
		}
	}
	if at := status.LatestDeliveryTime; at == nil || local.Clock.Now().Sub(*at) > time.Second {
		problems = append(problems, fmt.Sprintf("the latest log file is of %v", at))
	}
	slices.Sort(problems)
	return strings.Join(problems, "; ")
}

// subscribers are the protocols and endpoints that are subscribed to the alert topic.
func (s *stack) subscribers() []string {
	s.t.Helper()
	got, err := topics.ListSubscriptionsByTopic(s.t.Context(), &sns.ListSubscriptionsByTopicInput{TopicArn: &s.guard.AlertTopicARN})
	testbed.Must(s.t, err)
	var found []string
	for _, subscription := range got.Subscriptions {
		found = append(found, *subscription.Protocol+" "+*subscription.Endpoint)
	}
	slices.Sort(found)
	return found
}

// declaredSubscribers are those that the template declares.
func (s *stack) declaredSubscribers() []string {
	var declared []string
	for _, resource := range s.tpl.ByID() {
		if resource["Type"] == "AWS::SNS::Subscription" {
			properties := resource["Properties"].(map[string]any)
			declared = append(declared, fmt.Sprint(properties["Protocol"], " ", properties["Endpoint"]))
		}
	}
	slices.Sort(declared)
	return declared
}

const content = "a log file"

// keep notes what is retained, and puts a file into each retained bucket.
func (s *stack) keep() {
	s.t.Helper()
	for _, id := range retained(s.tpl) {
		physical := s.physical[id]
		switch kind := s.tpl.ByID()[id]["Type"]; {
		case kind == "AWS::S3::Bucket" && !slices.Contains(s.buckets, physical):
			s.buckets = append(s.buckets, physical)
			_, err := local.Clients.S3.PutObject(s.t.Context(), &s3.PutObjectInput{Bucket: &physical, Key: aws.String(content), Body: strings.NewReader(content)})
			testbed.Must(s.t, err)
		case kind == "AWS::KMS::Key" && !slices.Contains(s.keys, physical):
			s.keys = append(s.keys, physical)
		}
	}
}

// wantKept reports what was retained and is lost.
func (s *stack) wantKept() {
	s.t.Helper()
	for _, bucket := range s.buckets {
		got, err := local.Clients.S3.GetObject(s.t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: aws.String(content)})
		if err != nil {
			s.t.Errorf("the file in bucket %s is lost: %v", bucket, err)
			continue
		}
		if text, err := io.ReadAll(got.Body); err != nil || string(text) != content {
			s.t.Errorf("the file in bucket %s is %q (%v)", bucket, text, err)
		}
	}
	for _, key := range s.keys {
		got, err := local.Clients.KMS.DescribeKey(s.t.Context(), &kms.DescribeKeyInput{KeyId: &key})
		testbed.Must(s.t, err)
		if !got.KeyMetadata.Enabled {
			s.t.Errorf("key %s is %s", key, got.KeyMetadata.KeyState)
		}
	}
}
