package trailguard_test

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/trailguard"
	"github.com/trailguard/trailguard/internal/cases"
	"github.com/trailguard/trailguard/internal/golden"
	"github.com/trailguard/trailguard/internal/updates"
)

// TestUpdatesAreAsReviewed writes down what each change of a property changes in the template. Other tests compare and deploy that.
func TestUpdatesAreAsReviewed(t *testing.T) {
	names := map[string]bool{}
	changes := func(c cases.Case) []updates.Change {
		var template map[string]any
		if err := json.Unmarshal(encoded(t, synthesize(c.Stack()), ""), &template); err != nil {
			t.Fatal(err)
		}
		return updates.Between(named(t, "default"), template)
	}
	var all []updates.Update
	for _, u := range cases.Updates() {
		before, after := u.Templates()
		written := updates.Update{Prop: u.Prop, Name: u.Name, After: changes(after)}
		if u.Before != nil {
			written.Before = changes(before)
		}
		if reflect.DeepEqual(written.Before, written.After) {
			t.Errorf("%s changes nothing", written)
		}
		names[written.String()] = true
		all = append(all, written)
	}
	if len(names) != len(all) {
		t.Error("two updates have one name")
	}
	golden.Check(t, filepath.Join("testdata", "updates.json"), lines(t, all))
}

// lines is a list with a line for each update and each change.
func lines(t *testing.T, all []updates.Update) []byte {
	t.Helper()
	var text bytes.Buffer
	line := func(value any) string {
		var line bytes.Buffer
		encoder := json.NewEncoder(&line)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(value); err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(line.String())
	}
	text.WriteString("[\n")
	for i, u := range all {
		if i > 0 {
			text.WriteString(",\n")
		}
		text.WriteString(`{"prop": ` + line(u.Prop) + `, "name": ` + line(u.Name))
		for _, state := range []struct {
			name    string
			changes []updates.Change
		}{{"before", u.Before}, {"after", u.After}} {
			text.WriteString(`, "` + state.name + `": [`)
			for j, change := range state.changes {
				if j > 0 {
					text.WriteString(",")
				}
				text.WriteString("\n  " + line(change))
			}
			text.WriteString("]")
		}
		text.WriteString("}")
	}
	text.WriteString("\n]\n")
	return text.Bytes()
}

func TestEachPropHasAnUpdate(t *testing.T) {
	has := map[string]bool{}
	for _, u := range cases.Updates() {
		has[u.Prop] = true
	}
	props := reflect.TypeFor[trailguard.TrailGuardProps]()
	for i := range props.NumField() {
		name := props.Field(i).Name
		if !has[name] {
			t.Errorf("no update changes %s: write one into cases.Updates", name)
		}
		delete(has, name)
	}
	for name := range has {
		t.Errorf("an update changes %s, which is no property", name)
	}
}

func TestTheOrderOfAddressesChangesNothing(t *testing.T) {
	template := func(addresses ...string) map[string]any {
		return synthesize(cases.Case{Props: func(awscdk.Stack) *trailguard.TrailGuardProps {
			return &trailguard.TrailGuardProps{AlertEmailAddresses: jsii.Strings(addresses...)}
		}}.Stack())
	}
	if changes := updates.Between(template("a@example.com", "b@example.com"), template("b@example.com", "a@example.com")); len(changes) > 0 {
		t.Errorf("it changes %v", changes)
	}
}
