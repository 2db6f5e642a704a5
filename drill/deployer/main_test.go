package deployer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/trailguard/trailguard/localaws"
	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/repository"
	"github.com/trailguard/trailguard/localaws/servicereference"
)

// local is the AWS of all tests, which use it one after the other.
var local *localaws.AWS

// role is the one who deploys: it has the policies and nothing else.
var role = api.Principal{Type: api.AssumedRole, ARN: "arn:" + api.Partition + ":iam::" + api.Account + ":role/Deployer", SessionName: "deployment"}

// admin and deployer call as an administrator and as the role.
var admin, deployer aws.Config

// reference says what actions and resources AWS has.
var reference *servicereference.Reference

// stack is the name that the policies name.
const stack = "TrailGuard"

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if reference, err = servicereference.Open(repository.NodeModules()); err != nil {
		return 0, err
	}
	local, err = localaws.Start(context.Background(), localaws.Options{Python: repository.Python(), NodeModules: repository.NodeModules()})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, local.Close()) }()
	// One access key each, as moto keeps its clients for each.
	admin, deployer = local.Config(localaws.Administrator), local.Config(role)
	return m.Run(), nil
}

// statement is a statement of a policy.
type statement struct {
	Sid, Effect      string
	Action, Resource element
	Condition        map[string]map[string]string `json:",omitempty"`
}

// element is written as one string or as several.
type element []string

func (e *element) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*e = element{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(e))
}

// The policies for who deploys: the first for the default template, the other, beside it, for the options.
const (
	defaultPolicy = "deployer-policy.json"
	optionsPolicy = "deployer-policy-options.json"
)

func readPolicy(t *testing.T, name string) []statement {
	t.Helper()
	content, err := os.ReadFile(repository.Path("examples", name))
	must(t, err)
	var policy struct {
		Version   string
		Statement []statement
	}
	must(t, json.Unmarshal(content, &policy))
	if policy.Version != "2012-10-17" {
		t.Errorf("%s has the version %q", name, policy.Version)
	}
	return policy.Statement
}

func readTemplate(t *testing.T, name string) map[string]any {
	t.Helper()
	content, err := os.ReadFile(repository.Path("constructs", "trailguard", "testdata", name+".template.json"))
	must(t, err)
	var template map[string]any
	must(t, json.Unmarshal(content, &template))
	return template
}

// resources are the resources of a template, by logical id.
func resources(template map[string]any) map[string]map[string]any {
	all := map[string]map[string]any{}
	for id, resource := range template["Resources"].(map[string]any) {
		all[id] = resource.(map[string]any)
	}
	return all
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// account is an account in which the role has a policy of these statements. It has a configuration recorder of its own
// unless the template brings one.
func account(t *testing.T, statements []statement, template map[string]any) {
	t.Helper()
	ctx := t.Context()
	must(t, local.Reset(ctx))
	if !slices.Contains(types(template), "AWS::Config::ConfigurationRecorder") {
		must(t, localaws.PutRecorder(ctx, admin))
	}
	client := iam.NewFromConfig(admin)
	name := aws.String(role.Name())
	_, err := client.CreateRole(ctx, &iam.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + localaws.Administrator.ARN + `"},"Action":"sts:AssumeRole"}]}`)})
	must(t, err)
	document, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	must(t, err)
	_, err = client.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: name, PolicyName: aws.String("Deploy"), PolicyDocument: aws.String(string(document))})
	must(t, err)
	t.Cleanup(func() {
		if err := local.Err(); err != nil {
			t.Errorf("the simulation itself failed, so that this test proves nothing: %v", err)
		}
	})
}

func types(template map[string]any) []string {
	var all []string
	for _, resource := range resources(template) {
		all = append(all, resource["Type"].(string))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

var capabilities = []cloudformationtypes.Capability{cloudformationtypes.CapabilityCapabilityNamedIam}

func body(t *testing.T, template map[string]any) *string {
	t.Helper()
	encoded, err := json.Marshal(template)
	must(t, err)
	return aws.String(string(encoded))
}

// create creates the stack as the role, and returns what failed.
func create(t *testing.T, template map[string]any) []string {
	t.Helper()
	made, err := cloudformation.NewFromConfig(deployer).CreateStack(t.Context(), &cloudformation.CreateStackInput{
		StackName: aws.String(stack), TemplateBody: body(t, template), Capabilities: capabilities,
	})
	if err != nil {
		return []string{err.Error()}
	}
	return failures(t, made.StackId, cloudformationtypes.ResourceStatusCreateComplete)
}

// live takes the stack through its life as the role, until something fails, and returns what. It is updated to a template
// in which everything is changed and back, once at once and once by a change set, as the CDK does.
func live(t *testing.T, template map[string]any) []string {
	t.Helper()
	ctx := t.Context()
	client, name := cloudformation.NewFromConfig(deployer), aws.String(stack)
	if failed := create(t, template); len(failed) > 0 {
		return failed
	}
	updated, err := client.UpdateStack(ctx, &cloudformation.UpdateStackInput{
		StackName: name, TemplateBody: body(t, change(template)), Capabilities: capabilities,
	})
	if err != nil {
		return []string{err.Error()}
	}
	if failed := failures(t, updated.StackId, cloudformationtypes.ResourceStatusUpdateComplete); len(failed) > 0 {
		return failed
	}
	set := aws.String("back")
	if _, err := client.CreateChangeSet(ctx, &cloudformation.CreateChangeSetInput{
		StackName: name, ChangeSetName: set, TemplateBody: body(t, template), Capabilities: capabilities,
	}); err != nil {
		return []string{err.Error()}
	}
	if _, err := client.ExecuteChangeSet(ctx, &cloudformation.ExecuteChangeSetInput{StackName: name, ChangeSetName: set}); err != nil {
		return []string{err.Error()}
	}
	if failed := failures(t, updated.StackId, cloudformationtypes.ResourceStatusUpdateComplete); len(failed) > 0 {
		return failed
	}
	if _, err := client.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: name}); err != nil {
		return []string{err.Error()}
	}
	return failures(t, updated.StackId, cloudformationtypes.ResourceStatusDeleteComplete)
}

// failures are the reasons of all that has failed in a stack, and that its status is another than the one that is wanted.
// A deletion that succeeded at last has not failed.
func failures(t *testing.T, id *string, want cloudformationtypes.ResourceStatus) []string {
	t.Helper()
	var failed []string
	deleted := map[string]bool{}
	last := cloudformationtypes.ResourceStatus("")
	pages := cloudformation.NewDescribeStackEventsPaginator(cloudformation.NewFromConfig(admin), &cloudformation.DescribeStackEventsInput{StackName: id})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		must(t, err)
		for _, event := range page.StackEvents {
			if last == "" && aws.ToString(event.PhysicalResourceId) == *id {
				last = event.ResourceStatus // the latest comes first
			}
			if event.ResourceStatus == cloudformationtypes.ResourceStatusDeleteComplete {
				deleted[*event.LogicalResourceId] = true
			}
			madeGood := event.ResourceStatus == cloudformationtypes.ResourceStatusDeleteFailed && deleted[*event.LogicalResourceId]
			if strings.HasSuffix(string(event.ResourceStatus), "_FAILED") && !madeGood {
				failed = append(failed, fmt.Sprintf("%s is %s: %s", *event.LogicalResourceId, event.ResourceStatus, aws.ToString(event.ResourceStatusReason)))
			}
		}
	}
	if len(failed) == 0 && last != want {
		failed = append(failed, fmt.Sprintf("the stack is %s", last))
	}
	return failed
}

// denied are the actions that failures say are denied.
func denied(failed []string) []string {
	var actions []string
	for _, reason := range failed {
		for _, match := range deniedForm.FindAllStringSubmatch(reason, -1) {
			actions = append(actions, match[1])
		}
	}
	return actions
}

var deniedForm = regexp.MustCompile(regexp.QuoteMeta("User: arn:aws:sts::123456789012:assumed-role/Deployer/deployment is not authorized to perform: ") + `([a-z0-9-]+:\w+)`)
