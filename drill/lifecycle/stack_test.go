package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
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

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/internal/updates"
	"github.com/trailguard/trailguard/localaws"
	localtrail "github.com/trailguard/trailguard/localaws/cloudtrail"
	"github.com/trailguard/trailguard/localaws/repository"
)

// local is the AWS of all tests, which use it one after the other.
var local *localaws.AWS

// clients and topics are those of an administrator.
var (
	clients drill.Clients
	topics  *sns.Client
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	local, err = localaws.Start(context.Background(), localaws.Options{
		Python: repository.Python(), NodeModules: repository.NodeModules(),
		Organization: localtrail.ManagementAccount, OrganizationID: "o-a1b2c3d4e5",
	})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, local.Close()) }()
	admin := local.Config(localaws.Administrator)
	clients, topics = drill.NewClients(admin), sns.NewFromConfig(admin)
	return m.Run(), nil
}

// template is a CloudFormation template.
type template = map[string]any

func readUpdates(t *testing.T) ([]updates.Update, template) {
	t.Helper()
	all, def, err := updates.Read(golden("updates.json"), golden("default.template.json"))
	must(t, err)
	return all, def
}

func golden(name string) string { return repository.Path("constructs", "trailguard", "testdata", name) }

func readTemplate(t *testing.T, name string) template {
	t.Helper()
	content, err := os.ReadFile(golden(name + ".template.json"))
	must(t, err)
	var tpl template
	must(t, json.Unmarshal(content, &tpl))
	return tpl
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func resources(tpl template) map[string]any { return tpl["Resources"].(map[string]any) }

// retained are the logical ids of the resources that are to outlive the stack.
func retained(tpl template) []string {
	var ids []string
	for id, resource := range resources(tpl) {
		if policy, _ := resource.(map[string]any)["DeletionPolicy"].(string); policy != "" && policy != "Delete" {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func has(tpl template, kind string) bool {
	for _, resource := range resources(tpl) {
		if resource.(map[string]any)["Type"] == kind {
			return true
		}
	}
	return false
}

const stackName = "guard"

// stack is the deployed stack.
type stack struct {
	t     *testing.T
	guard deployed.Guard
	tpl   template
	// physical are the physical ids by logical ones.
	physical map[string]string
	// buckets and keys are all that were ever retained.
	buckets, keys []string
}

var capabilities = []cloudformationtypes.Capability{cloudformationtypes.CapabilityCapabilityIam}

func encode(t *testing.T, tpl template) *string {
	t.Helper()
	content, err := json.Marshal(tpl)
	must(t, err)
	return aws.String(string(content))
}

// deploy empties the account and deploys a template to it. The end of the deployment makes the trail.
func deploy(t *testing.T, tpl template) *stack {
	t.Helper()
	must(t, local.Reset(t.Context()))
	if !has(tpl, "AWS::Config::ConfigurationRecorder") {
		must(t, localaws.PutRecorder(t.Context(), local.Config(localaws.Administrator)))
	}
	t.Cleanup(func() {
		if err := local.Err(); err != nil {
			t.Errorf("the simulation itself failed, so that this test proves nothing: %v", err)
		}
	})
	s := &stack{t: t}
	_, err := clients.CloudFormation.CreateStack(t.Context(), &cloudformation.CreateStackInput{
		StackName: aws.String(stackName), TemplateBody: encode(t, tpl), Capabilities: capabilities,
	})
	must(t, err)
	s.wantStatus(cloudformationtypes.StackStatusCreateComplete)
	s.read(tpl)
	return s
}

func (s *stack) wantStatus(want cloudformationtypes.StackStatus) {
	s.t.Helper()
	described, err := clients.CloudFormation.DescribeStacks(s.t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String(stackName)})
	must(s.t, err)
	if got := described.Stacks[0]; got.StackStatus != want {
		s.t.Fatalf("the stack is %s, not %s: %s", got.StackStatus, want, aws.ToString(got.StackStatusReason))
	}
}

// read reads what is deployed, once what the deployment starts has ended.
func (s *stack) read(tpl template) {
	s.t.Helper()
	must(s.t, local.RunToQuiescence(s.t.Context()))
	guard, err := deployed.ReadGuard(s.t.Context(), clients.Reads(), stackName)
	must(s.t, err)
	described, err := clients.CloudFormation.DescribeStackResources(s.t.Context(), &cloudformation.DescribeStackResourcesInput{StackName: aws.String(stackName)})
	must(s.t, err)
	s.guard, s.tpl, s.physical = guard, tpl, map[string]string{}
	for _, resource := range described.StackResources {
		s.physical[*resource.LogicalResourceId] = aws.ToString(resource.PhysicalResourceId)
	}
}

// update deploys another template.
func (s *stack) update(tpl template) {
	s.t.Helper()
	_, err := clients.CloudFormation.UpdateStack(s.t.Context(), &cloudformation.UpdateStackInput{
		StackName: aws.String(stackName), TemplateBody: encode(s.t, tpl), Capabilities: capabilities,
	})
	must(s.t, err)
}

// wantDeclared reports what of the trail is not as declared, and that its log files do not arrive.
func (s *stack) wantDeclared() {
	s.t.Helper()
	state, err := deployed.ReadState(s.t.Context(), clients.CloudTrail, s.guard.TrailARN)
	must(s.t, err)
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
	must(t, local.CloudTrail().Deliver(t.Context()))
	status, err := clients.CloudTrail.GetTrailStatus(t.Context(), &cloudtrail.GetTrailStatusInput{Name: &trail})
	must(t, err)
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
	must(s.t, err)
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
	for _, resource := range resources(s.tpl) {
		if resource := resource.(map[string]any); resource["Type"] == "AWS::SNS::Subscription" {
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
		switch kind := resources(s.tpl)[id].(map[string]any)["Type"]; {
		case kind == "AWS::S3::Bucket" && !slices.Contains(s.buckets, physical):
			s.buckets = append(s.buckets, physical)
			_, err := clients.S3.PutObject(s.t.Context(), &s3.PutObjectInput{Bucket: &physical, Key: aws.String(content), Body: strings.NewReader(content)})
			must(s.t, err)
		case kind == "AWS::KMS::Key" && !slices.Contains(s.keys, physical):
			s.keys = append(s.keys, physical)
		}
	}
}

// wantKept reports what was retained and is lost.
func (s *stack) wantKept() {
	s.t.Helper()
	for _, bucket := range s.buckets {
		got, err := clients.S3.GetObject(s.t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: aws.String(content)})
		if err != nil {
			s.t.Errorf("the file in bucket %s is lost: %v", bucket, err)
			continue
		}
		if text, err := io.ReadAll(got.Body); err != nil || string(text) != content {
			s.t.Errorf("the file in bucket %s is %q (%v)", bucket, text, err)
		}
	}
	for _, key := range s.keys {
		got, err := clients.KMS.DescribeKey(s.t.Context(), &kms.DescribeKeyInput{KeyId: &key})
		must(s.t, err)
		if !got.KeyMetadata.Enabled {
			s.t.Errorf("key %s is %s", key, got.KeyMetadata.KeyState)
		}
	}
}
