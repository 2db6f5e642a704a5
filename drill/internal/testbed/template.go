package testbed

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/trailguard/trailguard/localaws/repository"
)

// Template is a CloudFormation template, to be changed before it is deployed.
type Template map[string]any

// Golden is the path of a golden file of constructs/trailguard.
func Golden(file string) string {
	return repository.Path("constructs", "trailguard", "testdata", file)
}

// ReadTemplate reads a golden template of constructs/trailguard.
func ReadTemplate(t TB, name string) Template {
	t.Helper()
	content, err := os.ReadFile(Golden(name + ".template.json"))
	Must(t, err)
	return ParseTemplate(t, string(content))
}

// ParseTemplate reads a template.
func ParseTemplate(t TB, text string) Template {
	t.Helper()
	var tpl Template
	Must(t, json.Unmarshal([]byte(text), &tpl))
	return tpl
}

// JSON writes the template.
func (tpl Template) JSON() string {
	content, err := json.Marshal(tpl)
	if err != nil {
		panic(err) // it was read from JSON
	}
	return string(content)
}

// ByID are the template's resources by logical id.
func (tpl Template) ByID() map[string]map[string]any {
	all := map[string]map[string]any{}
	for id, resource := range tpl["Resources"].(map[string]any) {
		all[id] = resource.(map[string]any)
	}
	return all
}

// Resources are the properties of the resources of a type.
func (tpl Template) Resources(kind string) []map[string]any {
	var found []map[string]any
	for _, resource := range tpl.ByID() {
		if resource["Type"] == kind {
			if resource["Properties"] == nil {
				resource["Properties"] = map[string]any{}
			}
			found = append(found, resource["Properties"].(map[string]any))
		}
	}
	return found
}

// Mutation changes a template.
type Mutation func(t TB, tpl Template)

// With changes the template. It fails the test if there is nothing to change.
func (tpl Template) With(t TB, mutations ...Mutation) Template {
	t.Helper()
	for i, mutate := range mutations {
		before := tpl.JSON()
		if mutate(t, tpl); tpl.JSON() == before {
			t.Fatalf("mutation %d changed nothing", i)
		}
	}
	return tpl
}

// Without leaves the resources of a type out.
func Without(kind string) Mutation {
	return func(_ TB, tpl Template) {
		for id, resource := range tpl.ByID() {
			if resource["Type"] == kind {
				delete(tpl["Resources"].(map[string]any), id)
			}
		}
	}
}

// WithoutLogStoreRepair leaves nothing that starts the log store's runbook.
func WithoutLogStoreRepair(_ TB, tpl Template) {
	ofStore := func(text string) bool { return strings.Contains(text, "StoreRemediation") }
	for id, resource := range tpl.ByID() {
		if resource["Type"] != "AWS::Events::Rule" {
			continue
		}
		properties := resource["Properties"].(map[string]any)
		targets, _ := properties["Targets"].([]any)
		properties["Targets"] = slices.DeleteFunc(targets, func(target any) bool {
			return ofStore(fmt.Sprint(target.(map[string]any)["Arn"]))
		})
		if ofStore(id) {
			properties["State"] = "DISABLED"
		}
	}
}

// Replaced replaces a text everywhere.
func Replaced(old, new string) Mutation {
	return func(t TB, tpl Template) {
		for name, value := range ParseTemplate(t, strings.ReplaceAll(tpl.JSON(), old, new)) {
			tpl[name] = value
		}
	}
}
