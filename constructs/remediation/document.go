package remediation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"strings"

	"github.com/trailguard/trailguard/assets"
	"github.com/trailguard/trailguard/constructs/trail"
	"github.com/trailguard/trailguard/constructs/validation"
)

// document is what the deployed runbook knows: it restores the trail, the log store, or both.
type document struct {
	// trail is nil if only the log store is restored, and logStore if only the trail is.
	trail    *trailPart
	logStore *logStorePart
	// trailName is the name that messages have.
	trailName string
	// alertTopicARN is the topic that is told of each repair, empty for none.
	alertTopicARN string
	// centralEventBusARN is the event bus that is told of each repair, empty for none.
	centralEventBusARN string
	// consoleDomain is the domain of the partition's management console.
	consoleDomain string
}

// trailPart is what restores a trail.
type trailPart struct {
	settings trail.Settings
	roleARN  string
	// configRuleNames are the rules whose remediation exceptions are deleted.
	configRuleNames []string
}

// logStorePart is what restores a log store: its declared state as the script takes it.
type logStorePart struct{ declared, roleARN string }

// runbook returns the runbook that is deployed: the asset, or the two in one, narrowed to the declared state.
//
//   - Of its parameters there are left what started it, the role, and what it restores, if that is a choice. So whoever may start it cannot
//     turn the guard's roles against the trail. Their defaults restore the trail.
//   - The declared values stand in the step's payload, which lacks what is not declared.
//   - The script has no comments, and nothing that is for settings that are not declared.
func (d document) runbook() assets.Runbook {
	var runbook assets.Runbook
	var resources, roles []any
	var script string
	execution := func(runbook assets.Runbook) string {
		return strings.Replace(payloadOf(runbook)["Execution"].(string), "aws.amazon.com", d.consoleDomain, 1)
	}
	payload := map[string]any{
		"Name": d.trailName, "Account": "{{ global:ACCOUNT_ID }}", "StartedBy": "{{ StartedBy }}",
		"AlertTopicArn": d.alertTopicARN, "CentralEventBusArn": d.centralEventBusARN,
	}
	switch {
	case d.logStore == nil:
		runbook, script = assets.CloudTrailRemediationAction(), assets.Script(assets.Trail)
		runbook.Description = "Restores " + d.trailName
	case d.trail == nil:
		runbook, script = assets.LogStoreRemediationAction(), assets.Script(assets.LogStore)
		runbook.Description = "Restores the log store of " + d.trailName
	default:
		runbook, script = assets.CloudTrailRemediationAction(), assets.Script(assets.Trail, assets.LogStore)
		runbook.Description = "Restores " + d.trailName
	}
	payload["Execution"] = execution(runbook)
	if d.trail != nil {
		resources, roles = append(resources, string(assets.Trail)), append(roles, d.trail.roleARN)
		maps.Copy(payload, d.trail.payload())
	}
	if d.logStore != nil {
		resources, roles = append(resources, string(assets.LogStore)), append(roles, d.logStore.roleARN)
		payload["Declared"] = d.logStore.declared
	}
	startedBy := runbook.Parameters["StartedBy"]
	startedBy.Description = ""
	runbook.Parameters = map[string]assets.Parameter{
		"StartedBy": startedBy,
		// A deployer would have to pass the role of a document that names it.
		// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-setup-iam.html
		"AutomationAssumeRole": {Type: "String", Default: roles[0], AllowedValues: roles},
	}
	if payload["Resource"] = resources[0]; len(resources) > 1 {
		payload["Resource"] = "{{ Resource }}"
		runbook.Parameters["Resource"] = assets.Parameter{Type: "String", Default: resources[0], AllowedValues: resources}
	}
	maps.DeleteFunc(payload, func(_ string, value any) bool { return isNothing(value) })
	for _, match := range onlyWith.FindAllStringSubmatch(script, -1) {
		if payload[match[1]] == nil {
			script = without(match[1], script)
		}
	}
	inputs := runbook.MainSteps[0].Inputs
	inputs["Script"], inputs["InputPayload"] = withoutSpaces(withoutComments(script)), payload
	return runbook
}

// payload is the declared state of the trail, with settings that are not declared among it.
func (p *trailPart) payload() map[string]any {
	return map[string]any{
		"S3BucketName":               p.settings.S3BucketName,
		"S3KeyPrefix":                p.settings.S3KeyPrefix,
		"KmsKeyId":                   p.settings.KMSKeyARN,
		"SnsTopicName":               p.settings.SNSTopicARN,
		"CloudWatchLogsLogGroupArn":  p.settings.CloudWatchLogsLogGroupARN,
		"CloudWatchLogsRoleArn":      p.settings.CloudWatchLogsRoleARN,
		"EnableLogFileValidation":    true,
		"IsMultiRegionTrail":         true,
		"IncludeGlobalServiceEvents": true,
		"IsOrganizationTrail":        p.settings.IsOrganizationTrail,
		"TrailArn":                   otherAccountsTrail(p.settings),
		"EventSelectors":             p.settings.EventSelectors(),
		"AdvancedEventSelectors":     p.settings.AdvancedSelectors(),
		"InsightSelectors":           p.settings.InsightSelectors(),
		"TagsList":                   p.settings.TagsList(),
		"ConfigRuleNames":            p.configRuleNames,
	}
}

// isNothing tells whether a value is what the script takes a missing one for.
func isNothing(value any) bool {
	reflected := reflect.ValueOf(value)
	return reflected.IsZero() || reflected.Kind() == reflect.Slice && reflected.Len() == 0
}

func payloadOf(runbook assets.Runbook) map[string]any {
	return runbook.MainSteps[0].Inputs["InputPayload"].(map[string]any)
}

// otherAccountsTrail is the ARN of a trail of another account, which CloudTrail finds by that only. It is empty for a trail of the stack's.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_GetTrail.html
func otherAccountsTrail(settings trail.Settings) string {
	if settings.OwnerAccount == "" {
		return ""
	}
	return settings.ARN
}

// onlyWith begins a paragraph of a script that is for one value of InputPayload only.
var onlyWith = regexp.MustCompile(`(?m)^ *# Only with (\w+):`)

// without returns a script without the paragraphs that are for one value of InputPayload only: from the comment that says so to the next
// empty line.
func without(value, script string) string {
	return regexp.MustCompile(`(?m)^ *# Only with `+value+`:(?s:.*?)\n\n`).ReplaceAllLiteralString(script, "\n")
}

// checkSize refuses a runbook that is longer than Systems Manager takes, together with the values that start it. CloudFormation
// sends it as YAML with quoted texts: no longer than JSON on lines of its own, but for long texts, which it folds.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_CreateDocument.html
func (d document) checkSize() error {
	runbook, settings := d.runbook(), d.trail.settings
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
type Parameter struct{ Name, Value string }

// withoutSpaces returns a script without the spaces beside its operators, commas and brackets, which no part of a text is: a tenth of it.
func withoutSpaces(script string) string {
	const operators = ",:=+-*/%<>!&|()[]{}"
	var kept strings.Builder
	var quote byte // that the text began with in which we are, 0 outside of texts
	for i := range len(script) {
		char := script[i]
		switch {
		case quote != 0:
			if char == quote && script[i-1] != '\\' {
				quote = 0
			}
		case char == '\'' || char == '"':
			quote = char
		case char == ' ' && i > 0 && script[i-1] != '\n' && script[i-1] != ' ' &&
			(strings.IndexByte(operators, script[i-1]) >= 0 || strings.IndexByte(operators, script[i+1]) >= 0):
			continue
		}
		kept.WriteByte(char)
	}
	return kept.String()
}
