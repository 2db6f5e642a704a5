package status

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/trailguard/trailguard/drill/deployed"
)

// stack is a deployed stack, with what its template says of each resource.
type stack struct {
	name      string
	described types.Stack
	// body is the template as CloudFormation keeps it.
	body string
	// resources are what the template declares here, by type and logical id: conditions that do not hold leave resources out.
	resources []resource
	resolver  *resolver
}

// resource is a resource of the stack.
type resource struct {
	id, kind string
	// name is the physical id; empty if the stack has not made the resource.
	name string
	// properties are resolved: what could not be is an unresolved.
	properties map[string]any
}

// readStack reads a stack, its template and its resources.
func readStack(ctx context.Context, api CloudFormation, name string) (*stack, error) {
	described, err := api.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	if hasCode(err, "ValidationError") || err == nil && len(described.Stacks) != 1 {
		return nil, fmt.Errorf("%w: stack %s cannot be found in this account and Region: deploy it again, or name another stack or Region", deployed.ErrNoGuard, name)
	}
	if err != nil {
		return nil, unreadable(name, err)
	}
	template, err := api.GetTemplate(ctx, &cloudformation.GetTemplateInput{StackName: &name})
	if err != nil {
		return nil, unreadable(name, err)
	}
	made := map[string]string{}
	pages := cloudformation.NewListStackResourcesPaginator(api, &cloudformation.ListStackResourcesInput{StackName: &name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, unreadable(name, err)
		}
		for _, summary := range page.StackResourceSummaries {
			if summary.ResourceStatus != types.ResourceStatusDeleteComplete {
				made[aws.ToString(summary.LogicalResourceId)] = aws.ToString(summary.PhysicalResourceId)
			}
		}
	}
	return parseStack(described.Stacks[0], aws.ToString(template.TemplateBody), made)
}

func unreadable(name string, err error) error {
	if lacks := lacking(err); lacks != "" {
		return fmt.Errorf("stack %s is the measure, and the caller may not read it: allow %s", name, lacks)
	}
	return fmt.Errorf("reading stack %s: %w", name, err)
}

// parseStack works out what a template declares. made are the physical ids of what the stack has made.
func parseStack(described types.Stack, body string, made map[string]string) (*stack, error) {
	s := &stack{name: aws.ToString(described.StackName), described: described, body: body}
	var template struct {
		Resources map[string]struct {
			Type       string
			Condition  string
			Properties map[string]any
		}
	}
	decoded, err := decode(body)
	if err == nil {
		err = json.Unmarshal([]byte(body), &template)
	}
	if err != nil {
		return nil, fmt.Errorf("the template of stack %s is not JSON, as the CDK writes it: %w", s.name, err)
	}
	s.resolver = newResolver(described, decoded.(map[string]any), made)
	for id, declared := range template.Resources {
		if declared.Condition != "" && s.resolver.condition(declared.Condition) == no {
			continue
		}
		properties, _ := s.resolver.properties(id).(map[string]any)
		s.resources = append(s.resources, resource{id: id, kind: declared.Type, name: made[id], properties: properties})
	}
	slices.SortFunc(s.resources, func(a, b resource) int { return strings.Compare(a.id, b.id) })
	return s, nil
}

// account is the id of the account that the stack is in.
func (s *stack) account() string { return s.resolver.pseudo["AWS::AccountId"] }

// ofStackSet tells whether a StackSet has made a stack, as its name says.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-concepts.html
func ofStackSet(name string) bool { return strings.HasPrefix(name, "StackSet-") }

// of are the resources of a type.
func (s *stack) of(kind string) (some []resource) {
	for _, r := range s.resources {
		if r.kind == kind {
			some = append(some, r)
		}
	}
	return some
}

// named is the resource of a type with a physical id.
func (s *stack) named(kind, name string) (resource, bool) {
	for _, r := range s.of(kind) {
		if r.name == name {
			return r, true
		}
	}
	return resource{}, false
}

// text is a property that is a text; empty if it is not declared, or not resolved.
func (r resource) text(property string) string {
	value, _ := r.properties[property].(string)
	return value
}
