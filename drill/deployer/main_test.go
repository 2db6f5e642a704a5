package deployer

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/localaws"
	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/iam/servicereference"
	"github.com/trailguard/trailguard/localaws/repository"
)

// local is the AWS of all tests, which use it one after the other.
var local = &testbed.Account{Name: "deployment"}

// role is the one who deploys: it has the policies and nothing else.
var role = api.Principal{Type: api.AssumedRole, ARN: "arn:" + api.Partition + ":iam::" + api.Account + ":role/Deployer", SessionName: "deployment"}

// deployer calls as the role.
var deployer aws.Config

// reference says what actions and resources AWS has.
var reference *servicereference.Reference

// stack is the name that the policies name.
const stack = "TrailGuard"

func TestMain(m *testing.M) {
	testbed.Main(m, []*testbed.Account{local}, func() (err error) {
		deployer = local.Config(role)
		reference, err = servicereference.Open(repository.NodeModules())
		return err
	})
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
	testbed.Must(t, err)
	var policy struct {
		Version   string
		Statement []statement
	}
	testbed.Must(t, json.Unmarshal(content, &policy))
	if policy.Version != "2012-10-17" {
		t.Errorf("%s has the version %q", name, policy.Version)
	}
	return policy.Statement
}

// account is an account in which the role has a policy of these statements. It has a configuration recorder of its own
// unless the template brings one.
func account(t *testing.T, statements []statement, template testbed.Template) {
	t.Helper()
	ctx := t.Context()
	local.Empty(t, template)
	client := iam.NewFromConfig(local.Admin)
	name := aws.String(role.Name())
	_, err := client.CreateRole(ctx, &iam.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + localaws.Administrator.ARN + `"},"Action":"sts:AssumeRole"}]}`)})
	testbed.Must(t, err)
	document, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	testbed.Must(t, err)
	_, err = client.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: name, PolicyName: aws.String("Deploy"), PolicyDocument: aws.String(string(document))})
	testbed.Must(t, err)
	t.Cleanup(func() { local.WantSimulated(t) })
}

var capabilities = []cloudformationtypes.Capability{cloudformationtypes.CapabilityCapabilityNamedIam}

// create creates the stack as the role, and returns what failed.
func create(t *testing.T, template testbed.Template) []string {
	t.Helper()
	made, err := cloudformation.NewFromConfig(deployer).CreateStack(t.Context(), &cloudformation.CreateStackInput{
		StackName: aws.String(stack), TemplateBody: aws.String(template.JSON()), Capabilities: capabilities,
	})
	if err != nil {
		return []string{err.Error()}
	}
	return failures(t, made.StackId, cloudformationtypes.ResourceStatusCreateComplete)
}

// live takes the stack through its life as the role, until something fails, and returns what. It is updated to a template
// in which everything is changed and back, once at once and once by a change set, as the CDK does.
func live(t *testing.T, template testbed.Template) []string {
	t.Helper()
	ctx := t.Context()
	client, name := cloudformation.NewFromConfig(deployer), aws.String(stack)
	if failed := create(t, template); len(failed) > 0 {
		return failed
	}
	updated, err := client.UpdateStack(ctx, &cloudformation.UpdateStackInput{
		StackName: name, TemplateBody: aws.String(change(template).JSON()), Capabilities: capabilities,
	})
	if err != nil {
		return []string{err.Error()}
	}
	if failed := failures(t, updated.StackId, cloudformationtypes.ResourceStatusUpdateComplete); len(failed) > 0 {
		return failed
	}
	set := aws.String("back")
	if _, err := client.CreateChangeSet(ctx, &cloudformation.CreateChangeSetInput{
		StackName: name, ChangeSetName: set, TemplateBody: aws.String(template.JSON()), Capabilities: capabilities,
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
	pages := cloudformation.NewDescribeStackEventsPaginator(cloudformation.NewFromConfig(local.Admin), &cloudformation.DescribeStackEventsInput{StackName: id})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		testbed.Must(t, err)
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
