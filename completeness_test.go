package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"

	"github.com/trailguard/trailguard/constructs/trailguard"
	"github.com/trailguard/trailguard/internal/cases"
)

// goOnly are the props that have no key in the configuration.
var goOnly = []string{"AlertSubscriptions"}

// TestEachPropIsEverywhere asks of each prop what a prop needs besides its code. The package review asks for values of it, good and bad.
func TestEachPropIsEverywhere(t *testing.T) {
	rows, golden, options, updates := readmeProps(t), goldenCases(), map[string]bool{}, map[string]bool{}
	for _, option := range cases.Options() {
		options[option.Prop] = true
	}
	for _, u := range cases.Updates() {
		updates[u.Prop] = true
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[trailguard.TrailGuardProps]()) {
		if problem := errors.Join(lacks(field.Name, rows, golden, options, updates, schemaKeys(t))...); problem != nil {
			t.Error(problem)
		}
	}
	for prop := range rows {
		if lacking := lacks(prop, rows, golden, options, updates, schemaKeys(t)); len(lacking) > 0 {
			t.Errorf("the README has %s, which is no prop", prop)
		}
	}
}

func TestAPropThatIsNowhereIsFound(t *testing.T) {
	if got := lacks("Other", map[string][]string{}, nil, nil, nil, nil); len(got) != 5 {
		t.Errorf("it lacks %v", got)
	}
	rows, all := map[string][]string{"TrailName": {"trailGuardName"}}, map[string]bool{"TrailName": true}
	if got := lacks("TrailName", rows, all, all, all, nil); len(got) != 2 {
		t.Errorf("without the right key in the README, and without a line in the schema, it lacks %v", got)
	}
}

// lacks are the places in which a prop should be, and is not.
func lacks(prop string, rows map[string][]string, golden, options, updates map[string]bool, inSchema []string) (lacking []error) {
	var own []string
	for _, k := range keys {
		if k.prop == prop {
			own = append(own, k.key)
		}
	}
	problem := func(format string, args ...any) {
		lacking = append(lacking, fmt.Errorf(prop+": "+format, args...))
	}
	if isGoOnly := slices.Contains(goOnly, prop); isGoOnly != (len(own) == 0) {
		problem("has the keys %v: give it one in configuration.go, or name it in goOnly", own)
	}
	if named, ok := rows[prop]; !ok {
		problem("has no row in the README's table of props")
	} else if slices.Sort(own); !slices.Equal(slices.Sorted(slices.Values(named)), own) {
		problem("has the keys %v in the README's table, not %v", named, own)
	}
	if !golden[prop] {
		problem("is set in no golden case: set it in internal/cases")
	}
	if !options[prop] {
		problem("has no row in cases.Options, which tests its default and that it can be set")
	}
	if !updates[prop] {
		problem("has no row in cases.Updates")
	}
	for _, key := range own {
		if !slices.Contains(inSchema, key) {
			problem("has no line in %s for %s: run `make update`", schemaFile, key)
		}
	}
	return lacking
}

// goldenCases are the props that the cases set.
func goldenCases() map[string]bool {
	set := map[string]bool{}
	for _, c := range cases.All() {
		props := c.Props(awscdk.NewStack(nil, nil, nil))
		if props == nil {
			continue
		}
		for _, field := range reflect.VisibleFields(reflect.TypeOf(*props)) {
			if !reflect.ValueOf(*props).FieldByIndex(field.Index).IsZero() {
				set[field.Name] = true
			}
		}
	}
	return set
}

var code = regexp.MustCompile("`([A-Za-z0-9]+)`")

// readmeProps are the props in the README's table with their keys. A row may be of several props, each with a key.
func readmeProps(t *testing.T) map[string][]string {
	t.Helper()
	rows := map[string][]string{}
	for _, line := range table(t, "README.md", "| prop | key in cdk.json | default |") {
		var props, named []string
		for _, match := range code.FindAllStringSubmatch(line[0], -1) {
			props = append(props, match[1])
		}
		for _, match := range code.FindAllStringSubmatch(line[1], -1) {
			named = append(named, match[1])
		}
		if len(props) == 1 && props[0] == "Env" {
			if slices.Sort(named); !slices.Equal(named, []string{"account", "region"}) {
				t.Errorf("the README has the keys %v for the stack", named)
			}
			continue
		}
		for i, prop := range props {
			if rows[prop] = named; len(props) > 1 {
				rows[prop] = named[i : i+1]
			}
		}
	}
	return rows
}

// TestTheREADMEHasTheDefaultsOfNumbers compares each number that the README gives as a default with the template.
func TestTheREADMEHasTheDefaultsOfNumbers(t *testing.T) {
	defaults := map[string]string{}
	for _, line := range table(t, "README.md", "| prop | key in cdk.json | default |") {
		if match := code.FindStringSubmatch(line[0]); match != nil {
			defaults[match[1]] = regexp.MustCompile(`^[0-9]+`).FindString(line[2])
		}
	}
	found := 0
	for _, option := range cases.Options() {
		number := regexp.MustCompile(`[0-9]+`).FindString(option.Default)
		if number == "" || !regexp.MustCompile(`^(rate\()?[0-9]+`).MatchString(option.Default) {
			continue
		}
		found++
		if got := defaults[option.Prop]; got != number {
			t.Errorf("the README's default of %s is %q, the template's %s", option.Prop, got, number)
		}
	}
	if found < 5 {
		t.Errorf("only %d defaults are numbers", found)
	}
}

// TestTheREADMEHasEachOutput compares the README's list with the outputs of the default template.
func TestTheREADMEHasEachOutput(t *testing.T) {
	var template struct{ Outputs map[string]any }
	decodeFile(t, filepath.Join("constructs", "trailguard", "testdata", "default.template.json"), &template)
	text := regexp.MustCompile("The stack has the outputs ((?:`[A-Za-z]+`[,\n ]*(?:and )?)+)").FindString(readme(t))
	var named []string
	for _, match := range code.FindAllStringSubmatch(text, -1) {
		named = append(named, match[1])
	}
	slices.Sort(named)
	if outputs := slices.Sorted(maps.Keys(template.Outputs)); !slices.Equal(named, outputs) {
		t.Errorf("the README has the outputs\n%v, the template\n%v", named, outputs)
	}
}

// TestTheREADMEHasEachAttribute compares the README's list with the methods of TrailGuard.
func TestTheREADMEHasEachAttribute(t *testing.T) {
	_, text, found := strings.Cut(readme(t), "\n## Attributes\n")
	text, _, _ = strings.Cut(text, "\nThe stack has the outputs")
	if !found {
		t.Fatal("the README has no section Attributes")
	}
	guard := reflect.TypeFor[trailguard.TrailGuard]()
	for i := range guard.NumMethod() {
		name := guard.Method(i).Name
		if ofEachConstruct := slices.Contains([]string{"Node", "ToString", "With"}, name); !ofEachConstruct &&
			!regexp.MustCompile("`"+name+`(\([a-z]*\))?`+"`").MatchString(text) {
			t.Errorf("the README has no attribute %s", name)
		}
	}
	for _, match := range regexp.MustCompile("`([A-Z][A-Za-z]+)(?:\\([a-z]*\\))?`").FindAllStringSubmatch(text, -1) {
		if _, ok := guard.MethodByName(match[1]); !ok {
			t.Errorf("the README has the attribute %s, which there is not", match[1])
		}
	}
}

// TestTheREADMEHasEachAlarmAndResource compares the README with the default template.
func TestTheREADMEHasEachAlarmAndResource(t *testing.T) {
	var template struct {
		Resources map[string]struct{ Type string }
	}
	decodeFile(t, filepath.Join("constructs", "trailguard", "testdata", "default.template.json"), &template)
	_, alerts, _ := strings.Cut(readme(t), "\n## Alerts\n")
	alerts, _, _ = strings.Cut(alerts, "\n## ")
	counts := map[string]int{}
	for id, resource := range template.Resources {
		counts[resource.Type]++
		if alarm := strings.TrimPrefix(id[:len(id)-8], "Alerting"); resource.Type == "AWS::CloudWatch::Alarm" && !strings.Contains(alerts, "`"+alarm+"`") {
			t.Errorf("the README does not say when the alarm %s rings", alarm)
		}
	}
	for _, line := range table(t, "README.md", "| resource | what for |") {
		row := regexp.MustCompile("^(?:([0-9]+) × )`(AWS::[A-Za-z0-9:]+)`$").FindStringSubmatch(line[0])
		if row == nil || row[2] == "AWS::Events::Rule" { // some rules have a row of their own
			continue
		}
		if got := fmt.Sprint(counts[row[2]]); got != row[1] {
			t.Errorf("the README has %s %s, the template %s", row[1], row[2], got)
		}
	}
	for kind := range counts {
		if !strings.Contains(readme(t), "`"+kind+"`") {
			t.Errorf("the README does not say what the %s is for", kind)
		}
	}
}

// defaultTemplate is the resources' properties in the default template, by their logical ids.
func defaultTemplate(t *testing.T) map[string]map[string]any {
	t.Helper()
	var template struct {
		Resources map[string]struct{ Properties map[string]any }
	}
	decodeFile(t, filepath.Join("constructs", "trailguard", "testdata", "default.template.json"), &template)
	properties := map[string]map[string]any{}
	for id, resource := range template.Resources {
		properties[id] = resource.Properties
	}
	return properties
}

// at is what stands in a value of JSON at the path.
func at(value any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			object, _ := value.(map[string]any)
			value = object[step]
		case int:
			list, _ := value.([]any)
			if step >= len(list) {
				return nil
			}
			value = list[step]
		}
	}
	return value
}

// TestTheREADMEHasEachTrigger compares the README's table with what may start the runbook, besides a person.
func TestTheREADMEHasEachTrigger(t *testing.T) {
	var named, triggers []string
	for _, row := range table(t, "README.md", "| trigger | when | what it cannot see |") {
		named = append(named, row[0])
	}
	for id, properties := range defaultTemplate(t) {
		if strings.HasPrefix(id, "RemediationRunbook") {
			for _, starter := range at(properties, "Content", "parameters", "StartedBy", "allowedValues").([]any) {
				triggers = append(triggers, starter.(string))
			}
		}
	}
	triggers = slices.DeleteFunc(triggers, func(starter string) bool { return starter == "hand" })
	slices.Sort(named)
	if slices.Sort(triggers); !slices.Equal(named, triggers) {
		t.Errorf("the README has the triggers %v, the runbook %v", named, triggers)
	}
}

// TestTheREADMEHasEachMessage compares the beginnings of the messages with what the notices and the runbook tell.
func TestTheREADMEHasEachMessage(t *testing.T) {
	told := map[string]bool{}
	for id, properties := range defaultTemplate(t) {
		message, ok := at(properties, "Targets", 0, "InputTransformer", "InputTemplate").(string)
		switch {
		case strings.HasPrefix(id, "RemediationRunbook"):
			script := at(properties, "Content", "mainSteps", 0, "inputs", "Script").(string)
			const subject = "'NOT ' * bool(wrong) + 'REPAIRED: CloudTrail trail ' + want['Name']"
			if !strings.Contains(script, subject) {
				t.Errorf("the script has no subject %s", subject)
			}
			told["REPAIRED: CloudTrail trail trailguard"], told["NOT REPAIRED: CloudTrail trail trailguard"] = false, false
		case ok && strings.Contains(message, "<status>"):
			for _, status := range at(properties, "EventPattern", "detail", "Status").([]any) {
				told[strings.ReplaceAll(strings.Trim(message, `"`), "<status>", status.(string))] = false
			}
		case ok:
			told[strings.ReplaceAll(strings.Trim(message, `"`), "<what>", "StopLogging")] = false
		}
	}
	for _, row := range table(t, "README.md", "| message, by its beginning | when |") {
		first := ""
		for _, match := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[0], -1) {
			beginning := match[1]
			if word, _, several := strings.Cut(first, " "); several && !strings.Contains(beginning, " ") {
				beginning = word + " " + beginning // of several in a row, the others leave out the first word
			}
			if first == "" {
				first = beginning
			}
			form := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(beginning), "…", ".*"))
			found := false
			for message := range told {
				if form.MatchString(message) {
					told[message], found = true, true
				}
			}
			if !found {
				t.Errorf("nothing tells %q", beginning)
			}
		}
	}
	for message, named := range told {
		if !named {
			t.Errorf("the README does not have the message %q", message)
		}
	}
	if len(told) != 6 {
		t.Errorf("the messages are %v", told)
	}
}

// table are the cells of a table of Markdown, by its heading.
func table(t *testing.T, path, heading string) [][]string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(content), "\n"+heading+"\n")
	if !found {
		t.Fatalf("%s has no table %s", path, heading)
	}
	var cells [][]string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "| ") {
			if strings.HasPrefix(line, "|--") {
				continue
			}
			break
		}
		var row []string
		for _, cell := range strings.Split(strings.Trim(line, "|\n"), "|") {
			row = append(row, strings.TrimSpace(cell))
		}
		cells = append(cells, row)
	}
	return cells
}

func readme(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func decodeFile(t *testing.T, path string, into any) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, into); err != nil {
		t.Fatal(err)
	}
}
