package remediation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/trailguard/trailguard/assets"
	"github.com/trailguard/trailguard/constructs/trail"
	"github.com/trailguard/trailguard/constructs/validation"
)

// surroundings are what the deployed runbook knows besides the declared state of the trail.
type surroundings struct {
	automationRoleARN string
	// alertTopicARN is the topic that is told of each repair, empty for none.
	alertTopicARN string
	// centralEventBusARN is the event bus that is told of each repair, empty for none.
	centralEventBusARN string
	// configRuleNames are the rules whose remediation exceptions are deleted.
	configRuleNames []string
	// consoleDomain is the domain of the partition's management console.
	consoleDomain string
}

// document returns the runbook that is deployed: the asset, narrowed to the declared state.
//
//   - The parameters that Config passes accept the declared value alone, so that whoever may start the runbook cannot turn
//     the guard's role against the trail. It is the default, too: EventBridge passes none of them.
//   - Every other parameter but StartedBy is gone: its declared value stands in the step's payload.
//   - The script has no comments, and nothing that is for settings that are not declared.
func document(settings trail.Settings, around surroundings) assets.Runbook {
	runbook := assets.CloudTrailRemediationAction()
	runbook.Description = "Puts the trail " + settings.Name + " into its declared state"
	inputs := runbook.MainSteps[0].Inputs
	script := inputs["Script"].(string)
	payload := inputs["InputPayload"].(map[string]any)
	for name, value := range map[string]string{"TrailArn": otherAccountsTrail(settings), "CentralEventBusArn": around.centralEventBusARN} {
		if payload[name] = value; value == "" {
			delete(payload, name)
			script = without(name, script)
		}
	}
	inputs["Script"] = withoutComments(script)
	for name, value := range map[string]any{
		"S3KeyPrefix":               settings.S3KeyPrefix,
		"SnsTopicName":              settings.SNSTopicARN,
		"CloudWatchLogsLogGroupArn": settings.CloudWatchLogsLogGroupARN,
		"CloudWatchLogsRoleArn":     settings.CloudWatchLogsRoleARN,
		"EventSelectors":            settings.EventSelectors(),
		"AdvancedEventSelectors":    settings.AdvancedSelectors(),
		"InsightSelectors":          settings.InsightSelectors(),
		"TagsList":                  settings.TagsList(),
		"ConfigRuleNames":           append([]string{}, around.configRuleNames...),
		"AlertTopicArn":             around.alertTopicARN,
		"Execution":                 strings.Replace(payload["Execution"].(string), "aws.amazon.com", around.consoleDomain, 1),
	} {
		payload[name] = value
	}

	startedBy := runbook.Parameters["StartedBy"]
	startedBy.Description = ""
	parameters := map[string]assets.Parameter{"StartedBy": startedBy}
	for _, parameter := range Parameters(settings, around.automationRoleARN) {
		parameters[parameter.Name] = assets.Parameter{
			Type:          runbook.Parameters[parameter.Name].Type,
			Default:       parameter.Value,
			AllowedValues: []any{parameter.Value},
		}
	}
	runbook.Parameters = parameters
	return runbook
}

// otherAccountsTrail is the ARN of a trail of another account, which CloudTrail finds by that only. It is empty for a trail of the stack's.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_GetTrail.html
func otherAccountsTrail(settings trail.Settings) string {
	if settings.OwnerAccount == "" {
		return ""
	}
	return settings.ARN
}

// without returns a script without the paragraphs that are for one value of InputPayload only: from the comment that says so to the next
// empty line.
func without(value, script string) string {
	return regexp.MustCompile(`(?m)^ *# Only with `+value+`:(?s:.*?)\n\n`).ReplaceAllLiteralString(script, "\n")
}

// checkSize refuses a runbook that is longer than Systems Manager takes, together with the values that start it. CloudFormation
// sends it as YAML with quoted texts: no longer than JSON on lines of its own, but for long texts, which it folds.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_CreateDocument.html
func checkSize(settings trail.Settings, runbook assets.Runbook) error {
	var lines bytes.Buffer
	if err := json.Indent(&lines, []byte(validation.JSON(runbook)), "", "  "); err != nil {
		panic(fmt.Errorf("remediation: indenting the runbook: %w", err))
	}
	const folds = 10 // one byte for each so many
	has := validation.Bytes(lines.String())
	has += has / folds
	for _, parameter := range runbook.Parameters {
		has += validation.Bytes(validation.JSON(parameter.Default))
	}
	return validation.Text{
		Name: "the runbook", Taker: "Systems Manager", Unit: "bytes", Most: 64 * 1024, Has: has,
		Parts: map[string]string{
			"DataResources":          validation.JSON(settings.EventSelectors()),
			"AdvancedEventSelectors": validation.JSON(settings.AdvancedSelectors()),
			"TrailTags":              validation.JSON(settings.TagsList()),
		},
	}.Check()
}

// withoutComments returns a script without its comments and empty lines, indented by single spaces: a template and a document
// have a limit. A script's comments have lines of their own, and none of its texts goes over several lines.
func withoutComments(script string) string {
	var kept strings.Builder
	for line := range strings.Lines(script) {
		code := strings.TrimLeft(line, " ")
		if code != "\n" && !strings.HasPrefix(code, "#") {
			kept.WriteString(strings.Repeat(" ", (len(line)-len(code))/4) + code)
		}
	}
	return kept.String()
}

// Parameter is a parameter that starts the deployed runbook.
type Parameter struct {
	Name  string
	Value any // a string or a bool
}

// Text is the value as StartAutomationExecution and Config take it.
func (p Parameter) Text() string { return fmt.Sprint(p.Value) }

// Parameters are the parameters of the AWS pattern, in order. The runbook accepts no other values of them.
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
