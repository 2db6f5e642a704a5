package remediation

import (
	"fmt"
	"strings"

	"github.com/trailguard/trailguard/assets"
	"github.com/trailguard/trailguard/constructs/trail"
)

// document returns the runbook that is deployed: the asset, narrowed to the declared state.
//
//   - The parameters that Config and EventBridge pass accept the declared value alone, so that whoever may start the
//     runbook cannot turn the guard's role against the trail.
//   - Every other parameter is gone: its declared value stands in the steps.
//   - A branch on a declared value is taken now, and the steps that it leaves out are gone.
func document(settings trail.Settings, roleARN string, rules ruleNames) assets.Runbook {
	runbook := assets.CloudTrailRemediationAction()
	passed := Parameters(settings, roleARN)
	declared := map[string]any{
		"S3KeyPrefix":               settings.S3KeyPrefix,
		"SnsTopicName":              settings.SNSTopicARN,
		"CloudWatchLogsLogGroupArn": settings.CloudWatchLogsLogGroupARN,
		"CloudWatchLogsRoleArn":     settings.CloudWatchLogsRoleARN,
		"EventSelectors":            settings.EventSelectors(),
		"InsightSelectors":          settings.InsightSelectors(),
		"TrailEnabledRule":          rules.trailEnabled,
		"SecurityTrailEnabledRule":  rules.securityTrailEnabled,
		"TrailSettingsRule":         rules.trailSettings,
	}
	for _, parameter := range passed {
		declared[parameter.Name] = parameter.Value
	}

	runbook.MainSteps = takeBranches(runbook.MainSteps, declared)
	if len(settings.InsightTypes) == 0 {
		runbook.MainSteps = without(runbook.MainSteps, "VerifyInsightSelectors")
	}

	parameters := map[string]assets.Parameter{}
	for _, parameter := range passed {
		parameters[parameter.Name] = assets.Parameter{
			Type:          runbook.Parameters[parameter.Name].Type,
			Default:       parameter.Value,
			AllowedValues: []any{parameter.Value},
		}
		delete(declared, parameter.Name)
	}
	runbook.Parameters = parameters
	for i := range runbook.MainSteps {
		setInputs(&runbook.MainSteps[i], declared)
	}
	return runbook
}

// ruleNames are the names of the Config rules that a repair arms again, empty for none.
type ruleNames struct{ trailEnabled, securityTrailEnabled, trailSettings string }

// takeBranches removes each aws:branch step, and the steps that the branch skips. All branches of the asset are of one
// form: a single choice that compares a parameter with a constant and skips forward where they are equal.
func takeBranches(steps []assets.Step, declared map[string]any) []assets.Step {
	var taken []assets.Step
	skipTo := ""
	for _, step := range steps {
		if step.Name == skipTo {
			skipTo = ""
		}
		if skipTo != "" {
			continue
		}
		if step.Action != "aws:branch" {
			taken = append(taken, step)
			continue
		}
		choice := step.Inputs["Choices"].([]any)[0].(map[string]any)
		value := declared[parameterOf(choice["Variable"])]
		if value == choice["StringEquals"] || value == choice["BooleanEquals"] {
			skipTo = choice["NextStep"].(string)
		}
	}
	if skipTo != "" {
		panic(fmt.Errorf("remediation: the runbook branches to the step %q, which does not follow", skipTo))
	}
	return taken
}

// setInputs puts the declared values where the step's inputs refer to their parameters. What is declared empty is left
// out of CreateTrail; in UpdateTrail the empty value clears the setting.
func setInputs(step *assets.Step, declared map[string]any) {
	for name, input := range step.Inputs {
		if value, ok := declared[parameterOf(input)]; ok {
			step.Inputs[name] = value
			if value == "" && step.Inputs["Api"] == "CreateTrail" {
				delete(step.Inputs, name)
			}
		}
	}
	desired, _ := step.Inputs["DesiredValues"].([]any)
	for i := range desired {
		if value, ok := declared[parameterOf(desired[i])]; ok {
			desired[i] = value
		}
	}
}

// parameterOf returns the name of the parameter that the input "{{ Name }}" refers to, "" for any other input.
func parameterOf(input any) string {
	reference, _ := input.(string)
	reference, opens := strings.CutPrefix(reference, "{{ ")
	reference, closes := strings.CutSuffix(reference, " }}")
	if !opens || !closes {
		return ""
	}
	return reference
}

func without(steps []assets.Step, name string) []assets.Step {
	var kept []assets.Step
	for _, step := range steps {
		if step.Name != name {
			kept = append(kept, step)
		}
	}
	return kept
}

// Parameter is a parameter that starts the deployed runbook.
type Parameter struct {
	Name  string
	Value any // a string or a bool
}

// Text is the value as StartAutomationExecution, Config and EventBridge take it.
func (p Parameter) Text() string { return fmt.Sprint(p.Value) }

// Parameters are the parameters with which Config and EventBridge start the deployed runbook, in order. The runbook
// accepts no other values.
func Parameters(settings trail.Settings, roleARN string) []Parameter {
	return []Parameter{
		{"AutomationAssumeRole", roleARN},
		{"CloudTrailName", settings.Name},
		{"CloudTrailS3BucketName", settings.S3BucketName},
		{"CloudTrailKmsKeyId", settings.KMSKeyARN},
		{"IsMultiRegionTrail", true},
		{"IsOrganizationTrail", settings.IsOrganizationTrail},
		{"IncludeGlobalServiceEvents", true},
		{"EnableLogFileValidation", true},
	}
}
