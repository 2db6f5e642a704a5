package automation

import (
	"fmt"
	"slices"
	"strings"

	"github.com/trailguard/trailguard/localaws/api"
)

// Start checks the parameters, which are what StartAutomationExecution takes, and makes an execution that has done
// nothing yet. Values that are refused are an *api.Error with the code InvalidAutomationExecutionParametersException
// that names all of them.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_StartAutomationExecution.html
func (e *Engine) Start(doc *Document, parameters map[string][]string, options Options) (*Execution, error) {
	arguments, refusal := doc.arguments(parameters)
	if refusal != nil {
		return nil, refusal
	}
	execution := &Execution{
		ID: fmt.Sprintf("00000000-0000-4000-8000-%012d", e.started.Add(1)), Options: options, Parameters: parameters,
		Status: Pending, StartTime: e.Clock.Now(),
		engine: e, documentSteps: doc.steps, documentOutputs: doc.outputs, arguments: arguments, outputs: map[string]map[string]any{},
	}
	role, err := resolve(doc.assumeRole, execution.lookup)
	if err != nil {
		return nil, fmt.Errorf("reading assumeRole: %w", err)
	}
	execution.AssumeRole = role.(string)
	return execution, nil
}

// arguments checks what an execution is started with and adds the defaults.
func (d *Document) arguments(given map[string][]string) (map[string]any, *api.Error) {
	var reasons []string
	for _, name := range sortedKeys(given) {
		if d.parameters[name] == nil {
			reasons = append(reasons, fmt.Sprintf("parameter %s is not defined in the document", name))
		}
	}
	arguments := map[string]any{}
	for _, name := range sortedKeys(d.parameters) {
		p := d.parameters[name]
		texts, ok := given[name]
		if !ok {
			if p.fallback == nil {
				reasons = append(reasons, fmt.Sprintf("parameter %s is required", name))
			}
			arguments[name] = p.fallback
			continue
		}
		value, violations := p.parse(texts)
		for _, reason := range violations {
			reasons = append(reasons, fmt.Sprintf("parameter %s: %s", name, reason))
		}
		arguments[name] = value
	}
	if len(reasons) > 0 {
		return nil, api.Errorf(codeInvalidParameters, "%s", strings.Join(reasons, "; "))
	}
	return arguments, nil
}

// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_StartAutomationExecution.html
const codeInvalidParameters = "InvalidAutomationExecutionParametersException"

// CheckNames finds the names that are no parameter of the document, and the parameters without a default that are not among the names.
func (d *Document) CheckNames(names []string) (unknown, missing []string) {
	for _, name := range names {
		if d.parameters[name] == nil {
			unknown = append(unknown, name)
		}
	}
	for _, name := range sortedKeys(d.parameters) {
		if d.parameters[name].fallback == nil && !slices.Contains(names, name) {
			missing = append(missing, name)
		}
	}
	slices.Sort(unknown)
	return unknown, missing
}
