package automation

import (
	_ "embed"
	"encoding/json"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

//go:embed testdata/runbook.yml
var runbook string

// replaced is the runbook with one text replaced, which must be there exactly once.
func replaced(t *testing.T, old, new string) string {
	t.Helper()
	if n := strings.Count(runbook, old); n != 1 {
		t.Fatalf("%q is in the runbook %d times, not once", old, n)
	}
	return strings.Replace(runbook, old, new, 1)
}

func TestTheRunbookIsValidAsYAMLAndAsJSON(t *testing.T) {
	if _, err := Parse([]byte(runbook)); err != nil {
		t.Errorf("as YAML: %v", err)
	}
	var v any
	if err := yaml.Unmarshal([]byte(runbook), &v); err != nil {
		t.Fatal(err)
	}
	for _, indent := range []string{"", "\t"} {
		text, err := json.MarshalIndent(v, "", indent)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(text); err != nil {
			t.Errorf("as JSON indented by %q: %v", indent, err)
		}
	}
}

func TestEachPlantedMistakeIsFoundAndNamed(t *testing.T) {
	tests := []struct{ name, old, new, want string }{
		{"schema version", `schemaVersion: "0.3"`, `schemaVersion: "2.2"`,
			`document: schemaVersion must be "0.3", got "2.2"`},
		{"schema version that is a number", `schemaVersion: "0.3"`, `schemaVersion: 0.3`,
			`document: schemaVersion must be a string, got the number 0.3`},
		{"unknown key of the document", "mainSteps:", "files: {}\nmainSteps:",
			`document: unknown key "files"`},
		{"missing steps", runbook[strings.Index(runbook, "mainSteps:"):], "",
			`document: mainSteps is missing`},
		{"key given twice", "    description: The role.", "    description: The role.\n    description: Again.",
			`reading the document as yaml: line 8: the key "description" is given twice`},
		{"yes without quotes", "Name: '{{ CloudTrailName }}'", "Name: yes",
			`reading the document as yaml: line 47: yes is a boolean to some yaml readers: quote it, or write true or false`},
		{"date without quotes", "Name: '{{ CloudTrailName }}'", "Name: 2024-01-01",
			`reading the document as yaml: line 47: 2024-01-01 is read as !!timestamp: quote it if it is a text`},

		{"type of a parameter", "type: StringList", "type: Strings",
			`parameter Insights: type "Strings" is not one of String, Boolean, Integer, StringList, MapList`},
		{"name of a parameter", "  Attempts:\n    type: Integer\n    default: 3", "  Attempts:\n    type: Integer\n    default: 3\n  a-b:\n    type: String",
			`document: parameters: the name "a-b" must be letters, digits and _`},
		{"default of another type", "default: [ApiCallRateInsight]", "default: ApiCallRateInsight",
			`parameter Insights: default must be a list, got the string "ApiCallRateInsight"`},
		{"default that is quoted", "default: 3", `default: "3"`,
			`parameter Attempts: default must be a whole number, got the string "3"`},
		{"item of a default of another type", "default: [ApiCallRateInsight]", "default: [a, 1]",
			`parameter Insights: default [1] must be a string, got the number 1`},
		{"default that is not allowed", "allowedValues: [org-trail]", "allowedValues: [org-trail]\n    default: other",
			`parameter CloudTrailName: default "other" is not one of the allowedValues ["org-trail"]`},
		{"default that does not match", "description: The role.", "description: The role.\n    default: guard",
			`parameter AutomationAssumeRole: default "guard" does not match the allowedPattern ^arn:aws[a-z-]*:iam::\d{12}:role/.+$`},
		{"allowed value of another type", "allowedValues: [true, false]", `allowedValues: [true, "false"]`,
			`parameter IsMultiRegionTrail: allowedValues[1] must be true or false, without quotes, got the string "false"`},
		{"pattern that is none", `^arn:aws[a-z-]*:iam::\d{12}:role/.+$`, "'('",
			"parameter AutomationAssumeRole: allowedPattern cannot be evaluated here: error parsing regexp: missing closing ): `^(?:()$`"},
		{"unknown key of a parameter", "description: The role.", "Description: The role.",
			`parameter AutomationAssumeRole: unknown key "Description"; did you mean "description"?`},
		{"role that is no string", "'{{ AutomationAssumeRole }}'", "'{{ IsMultiRegionTrail }}'",
			`document: assumeRole: must be a string, and {{ IsMultiRegionTrail }} is a Boolean`},
		{"role from a parameter that does not exist", "'{{ AutomationAssumeRole }}'", "'{{ AssumeRole }}'",
			`document: assumeRole: {{ AssumeRole }}: there is no parameter "AssumeRole"`},

		{"name of a step", "name: Settle\n", "name: Set-tle\n",
			"step Set-tle: the name must be letters, digits and _\n" +
				"step Repair: nextStep names the step \"Settle\", which does not exist; did you mean \"Set-tle\"?\n" +
				"step Repair: onFailure names the step \"Settle\", which does not exist; did you mean \"Set-tle\"?"},
		{"name that is used twice", "name: Report", "name: Settle",
			`step Settle: the name is used twice`},
		{"missing action", "    action: aws:sleep\n", "",
			`step Settle: action is missing`},
		{"action that is not modelled", "action: aws:sleep", "action: aws:executeAwsApi",
			`step Settle: action "aws:executeAwsApi" is not modelled: aws:executeScript and aws:sleep are`},
		{"unknown key of a step", "    isCritical: true", "    isCritical: true\n    retries: 3",
			`step Repair: unknown key "retries"`},
		{"attempts", "maxAttempts: 2", "maxAttempts: 0",
			`step Repair: maxAttempts must be a whole number of at least 1, got the number 0`},
		{"timeout", "timeoutSeconds: 300", `timeoutSeconds: "300"`,
			`step Repair: timeoutSeconds must be a whole number of at least 1, got the string "300"`},
		{"flag", "isCritical: true", `isCritical: "true"`,
			`step Repair: isCritical must be true or false, got the string "true"`},
		{"onFailure", "onFailure: step:Settle", "onFailure: Retry",
			`step Repair: onFailure must be Abort, Continue or step:NAME, got "Retry"`},
		{"onFailure to a step that does not exist", "onFailure: step:Settle", "onFailure: step:settle",
			`step Repair: onFailure names the step "settle", which does not exist; did you mean "Settle"?`},
		{"loop", "nextStep: Settle", "nextStep: Repair",
			`step Repair: nextStep names the step "Repair", which is not after this one: loops are not modelled`},
		{"end with a next step", "isEnd: true", "isEnd: true\n    nextStep: Report",
			"step Report: nextStep names the step \"Report\", which is not after this one: loops are not modelled\n" +
				"step Report: isEnd and nextStep exclude one another"},

		{"missing runtime", "      Runtime: python3.11\n      Handler: repair", "      Handler: repair",
			`step Repair: inputs: Runtime is missing`},
		{"runtime that is retired", "Runtime: python3.11\n      Handler: repair", "Runtime: python3.8\n      Handler: repair",
			`step Repair: inputs: Runtime "python3.8" is retired: use python3.11`},
		{"runtime that is unknown", "Runtime: python3.11\n      Handler: repair", "Runtime: python3\n      Handler: repair",
			`step Repair: inputs: Runtime "python3" is not modelled: python3.11 is`},
		{"runtime that is PowerShell", "Runtime: python3.11\n      Handler: repair", "Runtime: PowerShell 7.4\n      Handler: repair",
			`step Repair: inputs: Runtime "PowerShell 7.4" is not modelled: python3.11 is`},
		{"missing handler", "      Handler: repair\n", "",
			`step Repair: inputs: Handler is missing`},
		{"handler that is not defined", "def repair(", "def mend(",
			`step Repair: inputs: Handler "repair" is no function that the Script defines at its top level`},
		{"handler inside a class", "        def repair(", "        class Run:\n          def repair(",
			`step Repair: inputs: Handler "repair" is no function that the Script defines at its top level`},
		{"handler that is a part of a name", "Handler: repair", "Handler: epair",
			`step Repair: inputs: Handler "epair" is no function that the Script defines at its top level`},
		{"missing script", "      Script: |\n        def report(events, context):\n            return events\n", "",
			`step Report: inputs: Script is missing`},
		{"empty script", "|\n        def report(events, context):\n            return events\n", `""` + "\n",
			`step Report: inputs: Script must not be empty`},
		{"unknown input", "Handler: repair", "Handler: repair\n      Attachment: repair.zip",
			`step Repair: inputs: unknown key "Attachment"`},
		{"payload that is no map", "InputPayload:\n        Bucket: '{{ Repair.Bucket }}'", "InputPayload: '{{ Repair.Trail }}'",
			`step Report: inputs: InputPayload must be a map, got the string "{{ Repair.Trail }}"`},

		{"braces in a script", `region = "{{ global:REGION }}"`, `region = f"{{}}"`,
			`step Repair: inputs.Script: line 4: {{}} is not a reference to a parameter, an output or a variable`},
		{"braces of a dict in a dict", `region = "{{ global:REGION }}"`, `region = {"a": {{1: 2}: 3}}`,
			`step Repair: inputs.Script: line 4: "{{1: 2}: 3}}": {{ begins no reference, and Automation takes each {{ for one`},
		{"braces in a comment", `region = "{{ global:REGION }}"`, `region = None  # {{ Region }}`,
			`step Repair: inputs.Script: line 4: {{ Region }}: there is no parameter "Region"`},
		{"list in a script", `"{{ global:REGION }}"`, `"{{ Insights }}"`,
			`step Repair: inputs.Script: {{ Insights }} is a StringList inside a longer string: how AWS spells it there is not documented`},
		{"unknown parameter", "Name: '{{ CloudTrailName }}'", "Name: '{{ cloudTrailName }}'",
			`step Repair: inputs.InputPayload.Name: {{ cloudTrailName }}: there is no parameter "cloudTrailName"; did you mean "CloudTrailName"?`},
		{"unknown variable", "global:ACCOUNT_ID", "global:ACCOUNT",
			`step Repair: inputs.InputPayload.Settings.Insights[1]: {{ global:ACCOUNT }}: not a variable that is modelled: automation:EXECUTION_ID, global:ACCOUNT_ID, global:DATE_TIME, global:REGION`},
		{"no reference", "Name: '{{ CloudTrailName }}'", "Name: '{{ Cloud Trail }}'",
			`step Repair: inputs.InputPayload.Name: {{ Cloud Trail }} is not a reference to a parameter, an output or a variable`},
		{"open braces", "Name: '{{ CloudTrailName }}'", "Name: '{{ CloudTrailName }'",
			`step Repair: inputs.InputPayload.Name: "{{ CloudTrailName }": {{ begins no reference, and Automation takes each {{ for one`},
		{"reference in a key", "        Name: '{{ CloudTrailName }}'", "        '{{ CloudTrailName }}': name",
			`step Repair: inputs.InputPayload: the key "{{ CloudTrailName }}" holds a reference: only values can`},
		{"boolean in a longer string", "IsMultiRegionTrail: '{{ IsMultiRegionTrail }}'", "IsMultiRegionTrail: 'is {{ IsMultiRegionTrail }}'",
			`step Repair: inputs.InputPayload.Settings.IsMultiRegionTrail: {{ IsMultiRegionTrail }} is a Boolean inside a longer string: how AWS spells it there is not documented`},
		{"output that does not exist", "'{{ Repair.Bucket }}'", "'{{ Repair.bucket }}'",
			`step Report: inputs.InputPayload.Bucket: {{ Repair.bucket }}: step Repair has no output "bucket"; did you mean "Bucket"?`},
		{"output of a sleep", "'{{ Repair.Bucket }}'", "'{{ Settle.Bucket }}'",
			`step Report: inputs.InputPayload.Bucket: {{ Settle.Bucket }}: step Settle has no output "Bucket"`},
		{"output of a step that follows", "Name: '{{ CloudTrailName }}'", "Name: '{{ Report.Name }}'",
			`step Repair: inputs.InputPayload.Name: {{ Report.Name }}: no earlier step has the name "Report"`},

		{"selector of another kind", "Selector: $.Payload.Trail.S3BucketName", "Selector: $.Payload.Trails[0]",
			`step Repair: outputs[1]: Selector "$.Payload.Trails[0]" is not modelled: $.Payload and $.Payload.a.b are`},
		{"selector of something else", "Selector: $.Payload.Trail.S3BucketName", "Selector: $.Trail",
			`step Repair: outputs[1]: Selector "$.Trail" is not modelled: $.Payload and $.Payload.a.b are`},
		{"type of an output", "Type: StringMap", "Type: Map",
			`step Repair: outputs[0]: Type "Map" is not one of String, Boolean, Integer, StringList, MapList, StringMap`},
		{"missing type of an output", "        Type: StringMap\n", "",
			`step Repair: outputs[0]: Type is missing`},
		{"output that is named twice", "- Name: Trail\n", "- Name: Bucket\n",
			`step Repair: outputs[1]: Name "Bucket" is used twice`},
		{"outputs of a sleep", "Duration: PT10S", "Duration: PT10S\n    outputs: []",
			`step Settle: unknown key "outputs"`},
		{"output of the document", "  - Repair.Bucket", "  - Repair.Buckets",
			`document: outputs[0]: {{ Repair.Buckets }}: step Repair has no output "Buckets"`},
		{"output of the document without a step", "  - Repair.Bucket", "  - Bucket",
			`document: outputs[0]: must be a string such as STEP.OUTPUT, got the string "Bucket"`},

		{"duration", "Duration: PT10S", "Duration: 10s",
			`step Settle: inputs: Duration must be an ISO 8601 duration such as PT30S, of at most 7 days, got "10s"`},
		{"timeout of a sleep", "Duration: PT10S", "Duration: PT10S\n    timeoutSeconds: 5",
			`step Settle: timeoutSeconds on aws:sleep is not modelled`},
		{"unknown input of a sleep", "Duration: PT10S", "Duration: PT10S\n      Timestamp: '2024-01-01T00:00:00Z'",
			`step Settle: inputs: unknown key "Timestamp"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse([]byte(replaced(t, test.old, test.new)))
			if err == nil {
				t.Fatalf("valid, want the error:\n%s", test.want)
			}
			if err.Error() != test.want {
				t.Errorf("got the error:\n%s\nwant:\n%s", err, test.want)
			}
		})
	}
}

func TestAllProblemsAreReportedAtOnce(t *testing.T) {
	broken := strings.NewReplacer("def repair(", "def mend(", "Duration: PT10S", "Duration: soon", "type: StringList", "type: Strings").Replace(runbook)
	_, err := Parse([]byte(broken))
	if err == nil {
		t.Fatal("valid")
	}
	want := `parameter Insights: type "Strings" is not one of String, Boolean, Integer, StringList, MapList
step Repair: inputs: Handler "repair" is no function that the Script defines at its top level
step Settle: inputs: Duration must be an ISO 8601 duration such as PT30S, of at most 7 days, got "soon"`
	if err.Error() != want {
		t.Errorf("got:\n%s\nwant:\n%s", err, want)
	}
}

func TestEveryRetiredRuntimeIsRefused(t *testing.T) {
	for _, runtime := range []string{"python3.6", "python3.7", "python3.8", "python3.9"} {
		_, err := Parse([]byte(strings.ReplaceAll(runbook, "python3.11", runtime)))
		if err == nil || strings.Count(err.Error(), `Runtime "`+runtime+`" is retired`) != 2 {
			t.Errorf("%s: got the error %v", runtime, err)
		}
	}
}

func TestJSONEscapesAreRead(t *testing.T) {
	doc := mustParse(t, `{"description": "a\/b \u00e9 \ud83d\ude00 \"\t", "schemaVersion": "0.3", "mainSteps": [
		{"name": "Wait", "action": "aws:sleep", "inputs": {"Duration": "PT1S"}}]}`)
	if want := "a/b é 😀 \"\t"; doc.Description != want {
		t.Errorf("got %q, want %q", doc.Description, want)
	}
}

func TestTextsThatAreNoDocumentAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                   "reading the document as yaml: EOF",
		"- a":                "document: must be a map, got a list",
		`{"a": 1, "a": 2}`:   `reading the document as json: the key "a" is given twice`,
		`{"a": [1, {"b": 2}`: "reading the document as json: EOF",
		`{"a": 1} {}`:        "reading the document as json: something follows the value",
		"a: 1\n---\nb: 2":    "reading the document as yaml: more than one document",
		"a: &x 1\nb: *x":     "reading the document as yaml: line 1: anchors, aliases and tags are not allowed",
		"a: !!str 1":         "reading the document as yaml: line 1: anchors, aliases and tags are not allowed",
		"a: 012":             "reading the document as yaml: line 1: 012 is not a plain decimal number: quote it if it is a text",
		"1: a":               `reading the document as yaml: line 1: the key "1" is not a string`,
	} {
		_, err := Parse([]byte(text))
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got the error %v, want %s", text, err, want)
		}
	}
}

func TestADocumentOfMoreThan64KBIsRefused(t *testing.T) {
	fits := runbook + "#" + strings.Repeat(" ", 64*1024-len(runbook)-1)
	if _, err := Parse([]byte(fits)); err != nil {
		t.Errorf("64 KB: %v", err)
	}
	_, err := Parse([]byte(fits + " "))
	if want := "the document has 65537 bytes: at most 65536 are allowed"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// BenchmarkParse is one reading of the runbook.
func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		mustParse(b, runbook)
	}
}
