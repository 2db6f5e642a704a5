package refusals

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/localaws"
)

// account is that of all tests, which use it one after the other.
var account = testbed.NewAccount("the refusals", localaws.Options{})

func TestMain(m *testing.M) {
	testbed.Main(m, []*testbed.Account{account}, func() error { return nil })
}

type template = testbed.Template

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

func client() *cloudformation.Client { return account.Clients.CloudFormation }

// create empties the account and creates a stack in it.
func create(t *testing.T, tpl template) stack {
	t.Helper()
	account.Empty(t, tpl)
	_, err := client().CreateStack(t.Context(), &cloudformation.CreateStackInput{
		StackName: aws.String(stackName), TemplateBody: aws.String(tpl.JSON()), Capabilities: capabilities,
	})
	testbed.Must(t, err)
	return read(t)
}

// update updates the stack.
func update(t *testing.T, tpl template) stack {
	t.Helper()
	_, err := client().UpdateStack(t.Context(), &cloudformation.UpdateStackInput{
		StackName: aws.String(stackName), TemplateBody: aws.String(tpl.JSON()), Capabilities: capabilities,
	})
	testbed.Must(t, err)
	return read(t)
}

// read reads the stack after a deployment.
func read(t *testing.T) stack {
	t.Helper()
	described, err := client().DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String(stackName)})
	testbed.Must(t, err)
	s := stack{
		status: string(described.Stacks[0].StackStatus), reason: aws.ToString(described.Stacks[0].StackStatusReason), failed: map[string]string{},
	}
	events, err := client().DescribeStackEvents(t.Context(), &cloudformation.DescribeStackEventsInput{StackName: aws.String(stackName)})
	testbed.Must(t, err)
	for _, event := range events.StackEvents { // the latest comes first
		if aws.ToString(event.ResourceStatusReason) == "User Initiated" {
			break
		}
		if strings.HasSuffix(string(event.ResourceStatus), "_FAILED") {
			s.failed[aws.ToString(event.LogicalResourceId)] = aws.ToString(event.ResourceStatusReason)
		}
	}
	account.WantSimulated(t)
	return s
}

// present are the logical ids of the resources of the stack.
func present(t *testing.T) []string {
	t.Helper()
	described, err := client().DescribeStackResources(t.Context(), &cloudformation.DescribeStackResourcesInput{StackName: aws.String(stackName)})
	testbed.Must(t, err)
	var ids []string
	for _, resource := range described.StackResources {
		ids = append(ids, aws.ToString(resource.LogicalResourceId))
	}
	slices.Sort(ids)
	return ids
}
