package deployed

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Runbook is the part of an Automation document that declares a guard's state.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/documents-schemas-features.html
type Runbook struct {
	Parameters map[string]struct {
		Default       any   `yaml:"default"`
		AllowedValues []any `yaml:"allowedValues"`
	} `yaml:"parameters"`
	Steps []struct {
		Name   string         `yaml:"name"`
		Action string         `yaml:"action"`
		Inputs map[string]any `yaml:"inputs"`
	} `yaml:"mainSteps"`
}

// ParseRunbook reads a document in YAML or JSON.
func ParseRunbook(content string) (Runbook, error) {
	var r Runbook
	if err := yaml.Unmarshal([]byte(content), &r); err != nil {
		return Runbook{}, fmt.Errorf("parsing the document: %w", err)
	}
	return r, nil
}

// inputs are the inputs of the step that runs the script; nil if no step does.
func (r Runbook) inputs() map[string]any {
	for _, s := range r.Steps {
		if s.Action == "aws:executeScript" {
			return s.Inputs
		}
	}
	return nil
}

// Runtime is the runtime of the script; empty if the runbook names none.
func (r Runbook) Runtime() string {
	runtime, _ := r.inputs()["Runtime"].(string)
	return runtime
}

var reference = regexp.MustCompile(`^\{\{ *([A-Za-z0-9]+) *\}\}$`)

// value is what the runbook uses for an input. For an input that is a parameter, that is the parameter's default, or the only value
// that the parameter allows, or else its value in parameters.
func (r Runbook) value(input any, parameters map[string]string) (any, error) {
	text, isText := input.(string)
	if !isText {
		return input, nil
	}
	match := reference.FindStringSubmatch(text)
	if match == nil {
		return input, nil
	}
	name := match[1]
	parameter := r.Parameters[name]
	if parameter.Default != nil {
		return parameter.Default, nil
	}
	if len(parameter.AllowedValues) == 1 {
		return parameter.AllowedValues[0], nil
	}
	value, known := parameters[name]
	if !known {
		return nil, fmt.Errorf("parameter %s has neither a default nor a single allowed value", name)
	}
	return value, nil
}

// declared is the state that the script restores: its InputPayload. A text or a list that the InputPayload lacks is empty. parameters are
// the values of the parameters that the runbook leaves open.
func (r Runbook) declared(parameters map[string]string) (Declared, error) {
	payload, _ := r.inputs()["InputPayload"].(map[string]any)
	if payload["S3BucketName"] == nil {
		return nil, errors.New("it has no step of action aws:executeScript with S3BucketName in its InputPayload: it is not a guard's")
	}
	declared := Declared{IsLogging: "true"}
	var problems []error
	given := func(member string) any {
		value, err := r.value(payload[member], parameters)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s of the InputPayload: %w", member, err))
		}
		return value
	}
	read := func(member string, into any) {
		if value := given(member); value != nil {
			if err := convert(value, into); err != nil {
				problems = append(problems, fmt.Errorf("%s of the InputPayload: %w", member, err))
			}
		}
	}
	for _, row := range table {
		if row.member == "" {
			continue
		}
		switch value := given(row.member).(type) {
		case nil:
			if row.isText() {
				declared[row.setting] = quote("")
			}
		case string:
			declared[row.setting] = quote(value)
		case bool:
			declared[row.setting] = fmt.Sprint(value)
		default:
			problems = append(problems, fmt.Errorf("%s of the InputPayload is a %T", row.member, value))
		}
	}
	// An account's trail is only promised where an organization's is not: the guard never demotes one.
	if declared[IsOrganizationTrail] == "false" {
		delete(declared, IsOrganizationTrail)
	}
	var state State
	read("EventSelectors", &state.EventSelectors)
	read("AdvancedEventSelectors", &state.AdvancedEventSelectors)
	read("InsightSelectors", &state.InsightSelectors)
	declared[EventSelectors], declared[InsightSelectors] = selectorText(state), insightText(state.InsightSelectors)
	if read("TagsList", &state.Tags); len(state.Tags) > 0 {
		declared[Tags] = tagText(state.Tags)
	}
	return declared, errors.Join(problems...)
}

// convert reads what a document holds as a type of the SDK, whose fields have the names that the documents use.
func convert(from, into any) error {
	encoded, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(encoded, into)
}

// RunReport is what a run of the runbook says of itself.
type RunReport struct {
	// StartedBy is event, schedule, Config or hand.
	StartedBy string `json:"startedBy"`
	// Changed are the settings that the run found wrong, and the Config rules of which it deleted remediation exceptions.
	Changed map[string]struct {
		Found    any `json:"found"`
		Declared any `json:"declared"`
	} `json:"changed"`
	// Wrong is what the run left wrong, by part, with the error.
	Wrong map[string]string `json:"wrong"`
	// Writes are the calls with which the run changed something, in order, as boto3 names them.
	Writes []string `json:"writes"`
	// Message is what people were told; empty if they were told nothing.
	Message string `json:"message"`
	// NotTold is why the message could not be sent; empty if it could.
	NotTold string `json:"notTold"`
}

// TrailWrites are the Writes that changed the trail: the others are calls of AWS Config.
func (r RunReport) TrailWrites() []string {
	return slices.DeleteFunc(slices.Clone(r.Writes), func(call string) bool {
		return slices.Contains([]string{"delete_remediation_exceptions", "start_configuration_recorder"}, call)
	})
}

// parseRunReport reads the output of an execution, or what its failure says, of which AWS may show only the beginning: nil if
// the text holds no report.
func parseRunReport(text string) *RunReport {
	start := strings.Index(text, `{"wrong"`)
	if start < 0 {
		return nil
	}
	members := map[string]json.RawMessage{}
	decoder := json.NewDecoder(strings.NewReader(text[start:]))
	_, err := decoder.Token()
	for err == nil && decoder.More() {
		var name json.Token
		var value json.RawMessage
		if name, err = decoder.Token(); err == nil {
			err = decoder.Decode(&value)
		}
		if err == nil {
			members[name.(string)] = value
		}
	}
	var report RunReport
	if convert(members, &report) != nil {
		return nil
	}
	return &report
}
