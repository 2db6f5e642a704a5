package organization_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/organization"
	"github.com/trailguard/trailguard/internal/golden"
	"github.com/trailguard/trailguard/internal/organizationcases"
)

func TestMain(m *testing.M) {
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

// TestTemplatesAreAsReviewed compares each template, without the member's in that of a rollout: it has a file of its own.
func TestTemplatesAreAsReviewed(t *testing.T) {
	for _, c := range organizationcases.All() {
		t.Run(c.Name, func(t *testing.T) {
			template := templateOf(t, c)
			if stackSet := only(template, "AWS::CloudFormation::StackSet"); stackSet != nil {
				body := stackSet["TemplateBody"].(string)
				checkMember(t, c, body)
				stackSet["TemplateBody"] = "the template of the member"
			}
			golden.Check(t, filepath.Join("testdata", c.Name+".template.json"), encoded(t, template))
		})
	}
}

// checkMember compares the member's template in a rollout's with the one that an app of that stack alone makes.
func checkMember(t *testing.T, c organizationcases.Case, body string) {
	t.Helper()
	_, kind, _ := strings.Cut(c.Name, "rollout-")
	for _, member := range organizationcases.All() {
		if member.Name == "member-"+kind {
			member.Region = c.Region
			var got map[string]any
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatal(err)
			}
			delete(got, "Description")
			if want := templateOf(t, member); !bytes.Equal(encoded(t, got), encoded(t, want)) {
				t.Errorf("the member's template in the rollout is not that of %s", member.Name)
			}
			return
		}
	}
	t.Errorf("%s has no member among the cases", c.Name)
}

// TestTemplatesAreNoLongerThanARequestTakes also tells how long they are.
func TestTemplatesAreNoLongerThanARequestTakes(t *testing.T) {
	for _, c := range organizationcases.All() {
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(templateOf(t, c)); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d bytes", c.Name, text.Len()-1)
		if text.Len()-1 > organization.MaximumTemplateBytes {
			t.Errorf("the template of %s has %d bytes", c.Name, text.Len()-1)
		}
	}
}

func TestPartitionsAreNeverWrittenOut(t *testing.T) {
	for _, c := range organizationcases.All() {
		if strings.HasPrefix(c.Name, "govcloud") || strings.HasPrefix(c.Name, "china") {
			if template := encoded(t, templateOf(t, c)); bytes.Contains(template, []byte("arn:aws:")) {
				t.Errorf("%s: the template contains arn:aws:", c.Name)
			}
		}
	}
}

// templates are those of the cases that a test has asked for, as text: synthesis takes its time.
var templates = map[string][]byte{}

// templateOf is a copy of the template of the case, which a test may change.
func templateOf(t *testing.T, c organizationcases.Case) map[string]any {
	t.Helper()
	id := c.Name + c.Region
	if templates[id] == nil {
		text, err := json.Marshal(synthesized(c.Stack()))
		if err != nil {
			t.Fatal(err)
		}
		templates[id] = text
	}
	var template map[string]any
	if err := json.Unmarshal(templates[id], &template); err != nil {
		t.Fatal(err)
	}
	return template
}

func synthesized(stack awscdk.Stack) map[string]any {
	return *assertions.Template_FromStack(stack, nil).ToJSON()
}

// only are the properties of the one resource of a type, nil if there is none.
func only(template map[string]any, kind string) map[string]any {
	for _, resource := range template["Resources"].(map[string]any) {
		if resource := resource.(map[string]any); resource["Type"] == kind {
			return resource["Properties"].(map[string]any)
		}
	}
	return nil
}

func encoded(t *testing.T, template map[string]any) []byte {
	t.Helper()
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(template); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}
