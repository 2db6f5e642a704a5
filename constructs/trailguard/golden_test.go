package trailguard_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/internal/cases"
	"github.com/trailguard/trailguard/internal/golden"
)

func TestMain(m *testing.M) {
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

func TestTemplatesAreAsReviewed(t *testing.T) {
	for _, c := range cases.All() {
		t.Run(c.Name, func(t *testing.T) {
			golden.Check(t, filepath.Join("testdata", c.Name+".template.json"), text(t, templateOf(t, c)))
		})
	}
}

// TestTemplatesNeedNothingButCloudFormation guards what a StackSet cannot deploy, and what a reviewer does not expect.
func TestTemplatesNeedNothingButCloudFormation(t *testing.T) {
	// A request to CloudFormation takes the template in the hard limit. What the defaults leave of it is for the props.
	const (
		budget    = 44_000
		hardLimit = 51_200
	)
	for _, c := range cases.All() {
		t.Run(c.Name, func(t *testing.T) {
			template := templateOf(t, c)
			for _, section := range []string{"Parameters", "Rules", "Transform", "Mappings"} {
				if _, ok := template[section]; ok {
					t.Errorf("the template has a section %s", section)
				}
			}
			for id, resource := range template["Resources"].(map[string]any) {
				switch kind := resource.(map[string]any)["Type"]; kind {
				case "AWS::Lambda::Function", "AWS::CDK::Metadata", "AWS::CloudFormation::Stack", "Custom::S3AutoDeleteObjects":
					t.Errorf("%s is of type %s", id, kind)
				}
			}
			limit := hardLimit
			if c.Name == "default" {
				limit = budget
			}
			if size := len(encoded(t, template, "")) - len("\n"); size > limit {
				t.Errorf("the template has %d bytes, the limit is %d", size, limit)
			}
		})
	}
}

func TestPartitionsAreNeverWrittenOut(t *testing.T) {
	for _, c := range cases.All() {
		if c.Name == "supplied" || c.Name == "everything" { // they contain ARNs of their own
			continue
		}
		if template := text(t, templateOf(t, c)); bytes.Contains(template, []byte("arn:aws")) {
			t.Errorf("%s: the template contains arn:aws", c.Name)
		}
	}
}

func synthesize(stack awscdk.Stack) map[string]any {
	return *assertions.Template_FromStack(stack, nil).ToJSON()
}

// templates are the templates of the cases that a test has asked for, as text, for synthesis takes its time.
var templates = map[string][]byte{}

// templateOf is a copy of the template of the case, which a test may change.
func templateOf(t *testing.T, c cases.Case) map[string]any {
	t.Helper()
	if templates[c.Name] == nil {
		templates[c.Name] = encoded(t, synthesize(c.Stack()), "")
	}
	var template map[string]any
	if err := json.Unmarshal(templates[c.Name], &template); err != nil {
		t.Fatal(err)
	}
	return template
}

func text(t *testing.T, template map[string]any) []byte {
	t.Helper()
	return encoded(t, template, "  ")
}

// encoded is the template with the indentation, which is empty as the app writes it.
func encoded(t *testing.T, template map[string]any, indentation string) []byte {
	t.Helper()
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", indentation)
	if err := encoder.Encode(template); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}
