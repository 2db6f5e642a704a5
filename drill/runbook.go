package drill

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"gopkg.in/yaml.v3"
)

// Runbook is the part of an Automation document that the drill needs.
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

// call is the API that a step calls, such as StartLogging, and whether it may change a trail.
func (r Runbook) call(step string) (operation string, changes bool) {
	for _, s := range r.Steps {
		if s.Name == step && s.Action == "aws:executeAwsApi" {
			operation, _ = s.Inputs["Api"].(string)
			readOnly := strings.HasPrefix(operation, "Get") || strings.HasPrefix(operation, "List") || strings.HasPrefix(operation, "Describe")
			return operation, s.Inputs["Service"] == "cloudtrail" && !readOnly
		}
	}
	return "", false
}

var reference = regexp.MustCompile(`^\{\{ *([A-Za-z0-9]+) *\}\}$`)

// value is what the runbook uses for an input, where nobody gives a parameter another value: the parameter's default, or
// the only value that it allows, or what the stack's outputs say.
func (r Runbook) value(input any, guard Guard) (any, error) {
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
	output, known := map[string]string{
		"CloudTrailName": guard.TrailName, "CloudTrailS3BucketName": guard.LogBucketName, "CloudTrailKmsKeyId": guard.LogKeyARN,
	}[name]
	if !known {
		return nil, fmt.Errorf("parameter %s has neither a default nor a single allowed value", name)
	}
	return output, nil
}

// declared is the state that the steps restore. A setting that no step gives is not part of it.
func (r Runbook) declared(guard Guard) (Declared, error) {
	declared := Declared{IsLogging: "true"}
	var problems []error
	given := func(step, member string) any {
		for _, s := range r.Steps {
			if input, ok := s.Inputs[member]; ok && s.Name == step {
				value, err := r.value(input, guard)
				if err != nil {
					problems = append(problems, fmt.Errorf("input %s of step %s: %w", member, step, err))
				}
				return value
			}
		}
		return nil
	}
	for setting, member := range map[Setting]string{
		S3BucketName: "S3BucketName", S3KeyPrefix: "S3KeyPrefix", KMSKeyID: "KmsKeyId", SNSTopicARN: "SnsTopicName",
		CloudWatchLogsLogGroupARN: "CloudWatchLogsLogGroupArn", CloudWatchLogsRoleARN: "CloudWatchLogsRoleArn",
		IsMultiRegionTrail: "IsMultiRegionTrail", IncludeGlobalServiceEvents: "IncludeGlobalServiceEvents",
		LogFileValidationEnabled: "EnableLogFileValidation",
	} {
		switch value := given("RestoreSettings", member).(type) {
		case nil:
		case string:
			declared[setting] = quote(value)
		case bool:
			declared[setting] = fmt.Sprint(value)
		default:
			problems = append(problems, fmt.Errorf("input %s of step RestoreSettings is a %T", member, value))
		}
	}
	// An account's trail is only promised where an organization's is not: the guard never demotes one.
	if restored := given("RestoreOrganizationTrail", "IsOrganizationTrail"); restored == true {
		if input, ok := r.Parameters["IsOrganizationTrail"]; !ok || input.Default == true {
			declared[IsOrganizationTrail] = "true"
		}
	}
	if value := given("RestoreEventSelectors", "EventSelectors"); value != nil {
		var selectors []types.EventSelector
		if err := convert(value, &selectors); err != nil {
			problems = append(problems, fmt.Errorf("input EventSelectors of step RestoreEventSelectors: %w", err))
		}
		declared[EventSelectors], declared[AdvancedEventSelectors] = basicText(selectors), advancedText(nil)
	}
	if value := given("RestoreInsightSelectors", "InsightSelectors"); value != nil {
		var selectors []types.InsightSelector
		if err := convert(value, &selectors); err != nil {
			problems = append(problems, fmt.Errorf("input InsightSelectors of step RestoreInsightSelectors: %w", err))
		}
		declared[InsightSelectors] = insightText(selectors)
	}
	if _, ok := declared[S3BucketName]; !ok && len(problems) == 0 {
		problems = append(problems, errors.New("it has no step RestoreSettings with the input S3BucketName: it is not a guard's"))
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
