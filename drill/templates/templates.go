package templates

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/trailguard/trailguard/constructs/validation/problem"
)

// maximumBytes is what a request to CloudFormation takes, and a StackSet as its template.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
const maximumBytes = 51_200

// member is the name of the template that a rollout deploys to each member account.
const member = "TrailGuardMember"

// places say where each stack goes, and in which order the stacks of an organization are deployed.
var places = map[string]string{
	"TrailGuard":                   "Deploy it in each account by itself, or with a StackSet to many, in the home Region of the trail alone.",
	"TrailGuardCentral":            "Deploy it first, in the security account.",
	"TrailGuardLogArchive":         "Deploy it second, in the log-archive account. Copy its output LogKeyArn into TrailGuardManagement and TrailGuardMember.",
	"TrailGuardManagement":         "Deploy it third, in the management account, or in that of the delegated administrator of CloudTrail.",
	"TrailGuardOrganizationEvents": "Deploy it in the management account, in the Region in which the events of AWS Organizations arrive.",
	"TrailGuardRollout": "Deploy it in the management account, or in that of the delegated administrator of StackSets, when trusted access of StackSets is on.\n" +
		"Its TemplateBody is TrailGuardMember, as JSON.",
	member:                 "It is what TrailGuardRollout deploys. In the console of StackSets: service-managed permissions, the home Region alone, automatic deployment,\nretain stacks.",
	"TrailGuardPrevention": "Deploy it last, in the management account, when a break-glass role can be assumed.",
}

// Value is a value of an example that the reader replaces, and what it is.
type Value struct{ Value, Is string }

// Write writes the templates of a cloud assembly, which the CDK synthesized, into a folder, and that of the members of a rollout. file names the
// file of a stack without .yaml, and leaves the stack out if it names none. Of the values, each header has those that stand in its template.
func Write(assembly, folder string, file func(stack string) string, values ...Value) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(assembly, "*.template.json"))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("%s has no templates: %w", assembly, errors.Join(err, os.ErrNotExist))
	}
	all := map[string][]byte{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		all[strings.TrimSuffix(filepath.Base(path), ".template.json")] = text
		if body, err := memberTemplate(text); err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		} else if body != nil {
			all[member] = body
		}
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	var written []string
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if file(name) == "" {
			continue
		}
		text, err := readable(name, all[name], values)
		if err != nil {
			problems = append(problems, fmt.Errorf("writing %s: %w", name, err))
			continue
		}
		path := filepath.Join(folder, file(name)+".yaml")
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return nil, err
		}
		written = append(written, path)
	}
	return written, errors.Join(problems...)
}

// template is what a header says of a template.
type template struct {
	Description string
	Parameters  map[string]struct{ Description string }
	Resources   map[string]struct {
		Type       string
		Properties map[string]any
	}
}

func memberTemplate(text []byte) ([]byte, error) {
	var t template
	if err := json.Unmarshal(text, &t); err != nil {
		return nil, err
	}
	for _, resource := range t.Resources {
		if body, ok := resource.Properties["TemplateBody"].(string); ok && resource.Type == "AWS::CloudFormation::StackSet" {
			return []byte(body), nil
		}
	}
	return nil, nil
}

// readable is a template as YAML beneath its header.
func readable(name string, text []byte, values []Value) ([]byte, error) {
	var t template
	if err := json.Unmarshal(text, &t); err != nil {
		return nil, err
	}
	var change []string
	for _, value := range values {
		if strings.Contains(string(text), value.Value) {
			change = append(change, "  "+value.Value+" ("+value.Is+")")
		}
	}
	converted, err := YAML(text, t.header(name, change))
	if err != nil {
		return nil, err
	}
	if len(converted) > maximumBytes {
		return nil, problem.New("YAML", "has %d bytes, and CloudFormation takes %d in a request: deploy the JSON of `make synth`, which is shorter", len(converted), maximumBytes)
	}
	return converted, nil
}

// header says what a template is.
func (t template) header(name string, change []string) string {
	if t.Description == "" {
		t.Description = "A template of TrailGuard"
	}
	lines := []string{name + ": " + t.Description + ".", "", places[name], "", "Parameters: " + t.parameters(), "Capabilities: " + t.capabilities()}
	if len(change) > 0 {
		lines = append(append(lines, "Change: these values of an example, where they stand:"), change...)
	}
	return strings.Join(append(lines, "", "Made by `make templates`: change what it is made from, not this file, if you can."), "\n") + "\n"
}

func (t template) parameters() string {
	if len(t.Parameters) == 0 {
		return "none."
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(t.Parameters)) {
		all = append(all, name+" ("+t.Parameters[name].Description+")")
	}
	return strings.Join(all, ", ") + "."
}

// capabilities are those that CloudFormation asks for, if the stack has roles. No role of TrailGuard has a name of its own.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
func (t template) capabilities() string {
	for _, resource := range t.Resources {
		if strings.HasPrefix(resource.Type, "AWS::IAM::") {
			return "CAPABILITY_IAM."
		}
	}
	return "none."
}
