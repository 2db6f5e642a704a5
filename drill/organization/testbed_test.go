package organization

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/drill/internal/synthesis"
	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/localaws"
	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/repository"
)

// The accounts of the organization. The outsider is in no organization, nor is an account that a test makes before it has been made.
const (
	management = "111111111111"
	archive    = "222222222222"
	security   = "333333333333"
	memberOne  = "444444444444"
	memberTwo  = "555555555555"
	sandboxed  = "666666666666" // in no organizational unit of the rollout
	delegate   = "777777777777"
	rival      = "888888888888" // of another organization, once a test has made that
	outsider   = "999999999999"
)

// members are the accounts with the paths of their organizational units.
var members = []localaws.Member{
	{ID: archive, Unit: "Core"}, {ID: security, Unit: "Core"}, {ID: delegate, Unit: "Core"},
	{ID: memberOne, Unit: "Workloads/Prod"}, {ID: memberTwo, Unit: "Workloads/Test/Team"}, {ID: sandboxed, Unit: "Sandbox"},
}

// The units of the rollout and of the policies, in the configuration and in the organization.
var targets = map[string]string{"ou-unit-corecore": "Core", "ou-unit-workloads": "Workloads"}

// The stacks, in the order of their deployment.
const (
	logArchiveStack         = "TrailGuardLogArchive"
	centralStack            = "TrailGuardCentral"
	managementStack         = "TrailGuardManagement"
	organizationEventsStack = "TrailGuardOrganizationEvents"
	rolloutStack            = "TrailGuardRollout"
	preventionStack         = "TrailGuardPrevention"
)

// order is that of the deployment. TrailGuardOrganizationEvents is there only in some shapes.
var order = []string{centralStack, logArchiveStack, managementStack, organizationEventsStack, rolloutStack, preventionStack}

const (
	organizationID = testbed.OrganizationID
	trailName      = "trailguard"
)

// shape is a configuration of the app, and the Region that is home.
type shape struct {
	region  string
	keys    map[string]any
	account map[string]string // where stacks stand, if not in the management account

	once      sync.Once
	templates map[string]string // by the stacks' names
	err       error
}

var standing = map[string]string{logArchiveStack: archive, centralStack: security}

// watching has one trail for the organization, guarding one in each account, delegated one trail that a member guards.
var (
	watching  = &shape{region: "us-east-1", account: standing}
	guarding  = &shape{region: "eu-central-1", account: standing, keys: map[string]any{"members": "guard"}}
	delegated = &shape{region: "us-east-1", keys: map[string]any{"delegatedAdministratorAccount": delegate},
		account: map[string]string{logArchiveStack: archive, centralStack: security, managementStack: delegate, rolloutStack: delegate}}
)

// placeholderKey stands in the templates for the ARN of the archive's key, which is known only once that is deployed.
func (s *shape) placeholderKey() string {
	return "arn:aws:kms:" + s.region + ":" + archive + ":key/00000000-0000-0000-0000-000000000000"
}

// configuration is the block trailguard of cdk.json.
func (s *shape) configuration(more map[string]any) map[string]any {
	block := map[string]any{
		"mode": "organization", "organizationId": organizationID, "region": s.region, "managementAccount": management,
		"logArchiveAccount": archive, "securityAccount": security, "organizationalUnitIds": slices.Sorted(maps.Keys(targets)),
	}
	maps.Copy(block, s.keys)
	maps.Copy(block, more)
	return block
}

// synthesized are the templates of a shape. They are made once.
func (s *shape) synthesized(t testbed.TB) map[string]string {
	t.Helper()
	s.once.Do(func() {
		s.templates, s.err = synthesize(s.configuration(map[string]any{"logArchiveKeyArn": s.placeholderKey()}))
	})
	testbed.Must(t, s.err)
	return s.templates
}

// synthesizing is held by what runs the app: a synthesis is faster alone.
var synthesizing sync.Mutex

// app is the repository's app, built.
var app = sync.OnceValues(func() (string, error) {
	path := filepath.Join(temporary, "app")
	return path, synthesis.Build(context.Background(), path)
})

// synthesize runs the app with a block of cdk.json, and returns the templates by the stacks' names.
func synthesize(block map[string]any) (map[string]string, error) {
	synthesizing.Lock()
	defer synthesizing.Unlock()
	path, err := app()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp(temporary, "cdk.out")
	if err != nil {
		return nil, err
	}
	return synthesis.Templates(context.Background(), path, folder, block)
}

// temporary is a folder that is gone after the tests.
var temporary string

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if temporary, err = os.MkdirTemp("", "trailguard-organization"); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temporary)) }()
	return m.Run(), nil
}

// house is an organization in a test.
type house struct {
	*localaws.Organization
	*shape
	t   *testing.T
	key string // the ARN of the archive's key, once the archive is deployed
}

// begin starts an organization of a shape. Nothing is deployed.
func begin(t *testing.T, s *shape, more ...localaws.Member) *house {
	t.Helper()
	o, err := localaws.StartOrganization(t.Context(), localaws.OrganizationOptions{
		Options: localaws.Options{
			Python: repository.Python(), NodeModules: repository.NodeModules(), OrganizationID: organizationID,
			Place: api.Place{Account: management, Region: s.region},
		},
		Members: append(slices.Clone(members), more...),
	})
	if err != nil {
		t.Fatalf("starting the organization: %v (what is missing, make setup installs)", err)
	}
	t.Cleanup(func() {
		if err := errors.Join(o.Err(), o.Close()); err != nil {
			t.Errorf("the simulation itself failed, so that this test proves nothing: %v", err)
		}
	})
	return &house{Organization: o, shape: s, t: t}
}

// in is the organization in a part of a test.
func (h *house) in(t *testing.T) *house {
	part := *h
	part.t = t
	return &part
}

// step runs a part of a test.
func (h *house) step(name string, run func(h *house)) {
	h.t.Helper()
	h.t.Run(name, func(t *testing.T) { run(h.in(t)) })
}

func (h *house) must(err error) {
	h.t.Helper()
	testbed.Must(h.t, err)
}

// as is the configuration of an account's administrator.
func (h *house) as(account string) aws.Config {
	a := h.Account(account)
	return a.Config(a.Administrator())
}

func (h *house) clients(account string) drill.Clients { return drill.NewClients(h.as(account)) }

// unit is the id of the organizational unit with a path of names, the root's if there is none.
func (h *house) unit(path string) string {
	h.t.Helper()
	id, err := h.Unit(h.t.Context(), path)
	h.must(err)
	return id
}

// has tells whether the shape has a stack.
func (h *house) has(stack string) bool {
	_, ok := h.synthesized(h.t)[stack]
	return ok
}

// template is that of a stack, for this organization: its units, and the archive's key as far as that is there.
func (h *house) template(stack string) testbed.Template {
	h.t.Helper()
	text, ok := h.synthesized(h.t)[stack]
	if !ok {
		h.t.Fatalf("the app has no stack %s", stack)
	}
	for placeholder, unit := range targets {
		text = strings.ReplaceAll(text, placeholder, h.unit(unit))
	}
	return testbed.ParseTemplate(h.t, strings.ReplaceAll(text, h.placeholderKey(), h.key))
}

// accountOf is where a stack stands.
func (h *house) accountOf(stack string) string {
	if account := h.account[stack]; account != "" {
		return account
	}
	return management
}

// configOf is the configuration of the administrator who deploys a stack.
func (h *house) configOf(stack string) aws.Config {
	config := h.as(h.accountOf(stack))
	if stack == organizationEventsStack {
		config.Region = "us-east-1"
	}
	return config
}

// deploy deploys stacks, in the order that is given.
func (h *house) deploy(stacks ...string) {
	h.t.Helper()
	for _, stack := range stacks {
		h.deployTemplate(stack, h.template(stack))
	}
}

// deployTemplate deploys a stack with a template of its own.
func (h *house) deployTemplate(stack string, template testbed.Template) {
	h.t.Helper()
	if err := localaws.CreateStack(h.t.Context(), h.configOf(stack), stack, template.JSON(), testbed.MayMakeRoles...); err != nil {
		h.t.Fatalf("%s: %v", stack, err)
	}
	if stack == logArchiveStack {
		h.key = h.output(stack, "LogKeyArn")
	}
}

// output is an output of a stack.
func (h *house) output(stack, name string) string {
	h.t.Helper()
	described, err := cloudformation.NewFromConfig(h.configOf(stack)).DescribeStacks(h.t.Context(), &cloudformation.DescribeStacksInput{StackName: &stack})
	h.must(err)
	for _, output := range described.Stacks[0].Outputs {
		if *output.OutputKey == name {
			return *output.OutputValue
		}
	}
	h.t.Fatalf("stack %s has no output %s", stack, name)
	return ""
}

// settled starts an organization of a shape, deploys all of its stacks but the policies of prevention, and lets the guards make their trails.
func settled(t *testing.T, s *shape, more ...localaws.Member) *house {
	t.Helper()
	h := begin(t, s, more...)
	h.delegate()
	h.must(localaws.PutRecorder(t.Context(), h.as(management))) // the guard there has rules of AWS Config
	for _, stack := range order {
		if h.has(stack) && stack != preventionStack {
			h.deploy(stack)
		}
	}
	h.settle()
	return h
}

// delegate makes the shape's delegated administrator one, if it has any.
func (h *house) delegate() {
	h.t.Helper()
	if h.keys["delegatedAdministratorAccount"] == nil {
		return
	}
	for _, service := range []string{"cloudtrail.amazonaws.com", "member.org.stacksets.cloudformation.amazonaws.com"} {
		_, err := organizations.NewFromConfig(h.as(management)).RegisterDelegatedAdministrator(h.t.Context(), &organizations.RegisterDelegatedAdministratorInput{
			AccountId: aws.String(delegate), ServicePrincipal: &service,
		})
		h.must(err)
	}
}

// settle delivers events and runs what they start until nothing is left to do. No time passes.
func (h *house) settle() {
	h.t.Helper()
	h.must(h.RunToQuiescence(h.t.Context()))
}

// pass lets time pass in all accounts.
func (h *house) pass(d time.Duration) {
	h.t.Helper()
	h.must(h.Advance(h.t.Context(), d))
}

// memberStack is the name of the stack that the rollout has made in an account; empty if there is none.
func (h *house) memberStack(account string) string {
	h.t.Helper()
	described, err := cloudformation.NewFromConfig(h.as(account)).DescribeStacks(h.t.Context(), &cloudformation.DescribeStacksInput{})
	h.must(err)
	found := ""
	for _, stack := range described.Stacks {
		if strings.HasPrefix(*stack.StackName, "StackSet-TrailGuard-") && stack.StackStatus != cloudformationtypes.StackStatusRollbackComplete {
			found = *stack.StackName
		}
	}
	return found
}

// guard is the guard of a stack in an account.
func (h *house) guard(account, stack string) deployed.Guard {
	h.t.Helper()
	guard, err := deployed.ReadGuard(h.t.Context(), h.clients(account).Reads(), stack)
	h.must(err)
	return guard
}

// wantKept reports what of a guard's trail, read from an account, is not as declared.
func (h *house) wantKept(account string, guard deployed.Guard) {
	h.t.Helper()
	state, err := deployed.ReadState(h.t.Context(), h.clients(account).CloudTrail, guard.TrailARN)
	h.must(err)
	if unmet := guard.Declared.Unmet(state); len(unmet) > 0 {
		h.t.Errorf("%s is not as declared: %s", guard.TrailARN, strings.Join(unmet, "; "))
	}
}

// textOf is a message without its quotation marks, or the message and the report that a message in an object has, one after the other.
func textOf(body string) string {
	var text string
	if json.Unmarshal([]byte(body), &text) == nil {
		return text
	}
	var told struct {
		Message string
		Report  struct{ Message string }
	}
	if json.Unmarshal([]byte(body), &told) == nil {
		return told.Message + "\n" + told.Report.Message
	}
	return body
}

// scenario is the first one of the catalogue with an id.
func (h *house) scenario(id string) drill.Scenario {
	h.t.Helper()
	for _, scenario := range drill.Scenarios() {
		if scenario.ID == id {
			return scenario
		}
	}
	h.t.Fatalf("there is no scenario %s", id)
	return drill.Scenario{}
}

// memberTemplate is the template that the rollout deploys to the members.
func (h *house) memberTemplate() testbed.Template {
	h.t.Helper()
	return testbed.ParseTemplate(h.t, h.template(rolloutStack).Resources("AWS::CloudFormation::StackSet")[0]["TemplateBody"].(string))
}

// withoutPermission takes an action out of the inline policies of a role. What it returns puts the action back.
func (h *house) withoutPermission(account, roleARN, action string) (restore func()) {
	h.t.Helper()
	client := iam.NewFromConfig(h.as(account))
	role := aws.String(roleARN[strings.LastIndex(roleARN, "/")+1:])
	listed, err := client.ListRolePolicies(h.t.Context(), &iam.ListRolePoliciesInput{RoleName: role})
	h.must(err)
	for _, name := range listed.PolicyNames {
		got, err := client.GetRolePolicy(h.t.Context(), &iam.GetRolePolicyInput{RoleName: role, PolicyName: &name})
		h.must(err)
		document, err := url.QueryUnescape(*got.PolicyDocument)
		h.must(err)
		put := func(document string) {
			h.t.Helper()
			_, err := client.PutRolePolicy(h.t.Context(), &iam.PutRolePolicyInput{RoleName: role, PolicyName: &name, PolicyDocument: &document})
			h.must(err)
		}
		if without := strings.ReplaceAll(document, `"`+action+`"`, `"`+strings.Split(action, ":")[0]+`:ListTags"`); without != document {
			put(without)
			return func() { put(document) }
		}
	}
	h.t.Fatalf("%s has no permission %s", roleARN, action)
	return nil
}

const listener = "listener"

// listen subscribes a queue to the central topic, from which heard takes the messages.
func (h *house) listen() {
	h.t.Helper()
	topic := h.output(centralStack, "AlertTopicArn")
	arn := h.Account(security).Place().ARN("sqs", listener)
	policy := testbed.Template{"Version": "2012-10-17", "Statement": []any{map[string]any{
		"Effect": "Allow", "Principal": map[string]any{"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn,
		"Condition": map[string]any{"ArnEquals": map[string]any{"aws:SourceArn": topic}},
	}}}
	_, err := sqs.NewFromConfig(h.as(security)).CreateQueue(h.t.Context(), &sqs.CreateQueueInput{
		QueueName: aws.String(listener), Attributes: map[string]string{"Policy": policy.JSON()},
	})
	h.must(err)
	_, err = sns.NewFromConfig(h.as(security)).Subscribe(h.t.Context(), &sns.SubscribeInput{
		TopicArn: &topic, Protocol: aws.String("sqs"), Endpoint: &arn, Attributes: map[string]string{"RawMessageDelivery": "true"},
	})
	h.must(err)
}

// heard are the messages that the central topic got since the last call, in alphabetical order.
func (h *house) heard() []string {
	h.t.Helper()
	client := sqs.NewFromConfig(h.as(security))
	url, err := client.GetQueueUrl(h.t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String(listener)})
	h.must(err)
	var messages []string
	for {
		got, err := client.ReceiveMessage(h.t.Context(), &sqs.ReceiveMessageInput{QueueUrl: url.QueueUrl, MaxNumberOfMessages: 10})
		h.must(err)
		for _, message := range got.Messages {
			messages = append(messages, textOf(*message.Body))
			_, err := client.DeleteMessage(h.t.Context(), &sqs.DeleteMessageInput{QueueUrl: url.QueueUrl, ReceiptHandle: message.ReceiptHandle})
			h.must(err)
		}
		if len(got.Messages) == 0 {
			slices.Sort(messages)
			return messages
		}
	}
}
