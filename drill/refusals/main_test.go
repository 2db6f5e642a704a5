package refusals

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/localaws"
	"github.com/trailguard/trailguard/localaws/cloudtrail"
	"github.com/trailguard/trailguard/localaws/repository"
)

// local is the AWS of all tests, which use it one after the other.
var local *localaws.AWS

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
		Organization: cloudtrail.ManagementAccount, OrganizationID: "o-a1b2c3d4e5",
	})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, local.Close()) }()
	return m.Run(), nil
}

// template is a CloudFormation template.
type template = map[string]any

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// golden reads a golden template.
func golden(t *testing.T, name string) template {
	t.Helper()
	content, err := os.ReadFile(repository.Path("constructs", "trailguard", "testdata", name+".template.json"))
	must(t, err)
	var tpl template
	must(t, json.Unmarshal(content, &tpl))
	return tpl
}

func resources(tpl template) map[string]any { return tpl["Resources"].(map[string]any) }

// logicalID is the id of the resource whose id is the name followed by CDK's hash.
func logicalID(t *testing.T, tpl template, name string) string {
	t.Helper()
	hashed := regexp.MustCompile("^" + name + "([0-9A-F]{8})?$")
	var found []string
	for id := range resources(tpl) {
		if hashed.MatchString(id) {
			found = append(found, id)
		}
	}
	if len(found) != 1 {
		t.Fatalf("the resources with the name %s are %v", name, found)
	}
	return found[0]
}

// change returns value with what stands at the path, such as Targets/0/Id, changed: the elements of a list are numbered, and - is
// the one after the last. A change to nil removes a member.
func change(value any, path string, to any) (any, error) {
	if path == "" {
		return to, nil
	}
	step, rest, _ := strings.Cut(path, "/")
	switch value := value.(type) {
	case map[string]any:
		if rest == "" && to == nil {
			if _, ok := value[step]; !ok {
				return nil, fmt.Errorf("there is no %s to remove", step)
			}
			delete(value, step)
			return value, nil
		}
		changed, err := change(value[step], rest, to)
		value[step] = changed
		return value, err
	case []any:
		if step == "-" {
			return append(value, to), nil
		}
		i, err := strconv.Atoi(step)
		if err != nil || i >= len(value) {
			return nil, fmt.Errorf("there is no element %s", step)
		}
		value[i], err = change(value[i], rest, to)
		return value, err
	case nil:
		return change(map[string]any{}, path, to)
	}
	return nil, fmt.Errorf("%v has no %s", value, step)
}

// only is the template with one resource and what that needs, which is quicker to deploy than all of it.
func only(tpl template, id string) template {
	needed := map[string]any{}
	var add func(id string)
	var look func(value any)
	add = func(id string) {
		resource, ok := resources(tpl)[id]
		if _, has := needed[id]; ok && !has {
			needed[id] = resource
			look(resource)
		}
	}
	variable := regexp.MustCompile(`\$\{([A-Za-z0-9]+)`)
	look = func(value any) {
		switch value := value.(type) {
		case map[string]any:
			for key, member := range value {
				switch text, isText := member.(string); {
				case isText && (key == "Ref" || key == "DependsOn"):
					add(text)
				case isText && key == "Fn::Sub":
					for _, match := range variable.FindAllStringSubmatch(text, -1) {
						add(match[1])
					}
				case key == "DependsOn":
					for _, id := range member.([]any) {
						add(id.(string))
					}
				case key == "Fn::GetAtt":
					add(member.([]any)[0].(string))
				}
				look(member)
			}
		case []any:
			for _, member := range value {
				look(member)
			}
		}
	}
	add(id)
	small := template{}
	maps.Copy(small, tpl)
	small["Resources"] = needed
	delete(small, "Outputs")
	return small
}

const stackName = "broken"

var capabilities = []cloudformationtypes.Capability{cloudformationtypes.CapabilityCapabilityNamedIam}

// stack is a stack as it stands after a deployment.
type stack struct {
	status, reason string
	// failed are the reasons of the resources that failed in the deployment, by logical id.
	failed map[string]string
}

func client() *cloudformation.Client {
	return drill.NewClients(local.Config(localaws.Administrator)).CloudFormation
}

func encode(t *testing.T, tpl template) *string {
	t.Helper()
	content, err := json.Marshal(tpl)
	must(t, err)
	return aws.String(string(content))
}

// create empties the account and creates a stack in it.
func create(t *testing.T, tpl template) stack {
	t.Helper()
	must(t, local.Reset(t.Context()))
	hasRecorder := func(resource any) bool {
		return resource.(map[string]any)["Type"] == "AWS::Config::ConfigurationRecorder"
	}
	if !slices.ContainsFunc(slices.Collect(maps.Values(resources(tpl))), hasRecorder) {
		must(t, localaws.PutRecorder(t.Context(), local.Config(localaws.Administrator)))
	}
	_, err := client().CreateStack(t.Context(), &cloudformation.CreateStackInput{
		StackName: aws.String(stackName), TemplateBody: encode(t, tpl), Capabilities: capabilities,
	})
	must(t, err)
	return read(t)
}

// update updates the stack.
func update(t *testing.T, tpl template) stack {
	t.Helper()
	_, err := client().UpdateStack(t.Context(), &cloudformation.UpdateStackInput{
		StackName: aws.String(stackName), TemplateBody: encode(t, tpl), Capabilities: capabilities,
	})
	must(t, err)
	return read(t)
}

// read reads the stack after a deployment.
func read(t *testing.T) stack {
	t.Helper()
	described, err := client().DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String(stackName)})
	must(t, err)
	s := stack{
		status: string(described.Stacks[0].StackStatus), reason: aws.ToString(described.Stacks[0].StackStatusReason), failed: map[string]string{},
	}
	events, err := client().DescribeStackEvents(t.Context(), &cloudformation.DescribeStackEventsInput{StackName: aws.String(stackName)})
	must(t, err)
	for _, event := range events.StackEvents { // the latest comes first
		if aws.ToString(event.ResourceStatusReason) == "User Initiated" {
			break
		}
		if strings.HasSuffix(string(event.ResourceStatus), "_FAILED") {
			s.failed[aws.ToString(event.LogicalResourceId)] = aws.ToString(event.ResourceStatusReason)
		}
	}
	if err := local.Err(); err != nil {
		t.Errorf("the simulation itself failed, so that this test proves nothing: %v", err)
	}
	return s
}

// present are the logical ids of the resources of the stack.
func present(t *testing.T) []string {
	t.Helper()
	described, err := client().DescribeStackResources(t.Context(), &cloudformation.DescribeStackResourcesInput{StackName: aws.String(stackName)})
	must(t, err)
	var ids []string
	for _, resource := range described.StackResources {
		ids = append(ids, aws.ToString(resource.LogicalResourceId))
	}
	slices.Sort(ids)
	return ids
}
