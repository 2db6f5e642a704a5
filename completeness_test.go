package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
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

// TestTheGuideHasTheKeysOfAnOrganization compares the table of docs/organization.md with the configuration.
func TestTheGuideHasTheKeysOfAnOrganization(t *testing.T) {
	content, err := os.ReadFile("docs/organization.md")
	if err != nil {
		t.Fatal(err)
	}
	own := []string{"mode"}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[organizationConfiguration]()) {
		own = append(own, field.Tag.Get("json"))
	}
	guide := func(text string) (named []string) {
		for _, row := range table(t, text, "| key | meaning | default |") {
			named = append(named, strings.Trim(row[0], "`"))
		}
		return named
	}
	for _, problem := range differences("key", guide(string(content)), own) {
		t.Error(problem)
	}
	for _, fault := range []string{"| `members` |", "| `mode` |"} {
		if len(differences("key", guide(strings.Replace(string(content), fault, "| `other` |", 1)), own)) != 2 {
			t.Errorf("nobody sees that the guide has a key other in place of %s", fault)
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
	for _, line := range table(t, readme(t), "| prop | key in cdk.json | default |") {
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
	for _, line := range table(t, readme(t), "| prop | key in cdk.json | default |") {
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

// differences are what a list of the README has and the code has not, and the other way round.
func differences(what string, inREADME, inCode []string) (problems []string) {
	for _, name := range inREADME {
		if !slices.Contains(inCode, name) {
			problems = append(problems, fmt.Sprintf("the README has the %s %s, which there is not", what, name))
		}
	}
	for _, name := range inCode {
		if !slices.Contains(inREADME, name) {
			problems = append(problems, fmt.Sprintf("the README does not have the %s %s", what, name))
		}
	}
	return problems
}

// comparisons find how the text of the README differs from the code and the default template.
var comparisons = map[string]func(t *testing.T, text string) (problems []string){
	"outputs": outputs, "attributes": attributes, "alarms": alarms, "resources": resources, "triggers": triggers, "messages": messages,
}

func TestTheREADMEHasWhatThereIs(t *testing.T) {
	for what, compare := range comparisons {
		for _, problem := range compare(t, readme(t)) {
			t.Errorf("%s: %s", what, problem)
		}
	}
}

// TestWhatTheREADMELacksOrInventsIsFound is the negative control of the test before.
func TestWhatTheREADMELacksOrInventsIsFound(t *testing.T) {
	for _, test := range []struct{ what, old, new string }{
		{"outputs", "`LogKeyArn`, ", ""},
		{"outputs", "`LogKeyArn`, ", "`LogKeyArn`, `LogKeyAlias`, "},
		{"attributes", "`Runbook()`, ", ""},
		{"attributes", "`Runbook()`, ", "`Runbook()`, `Handbook()`, "},
		{"alarms", "(`Flood`)", ""},
		{"alarms", "(`Flood`)", "(`Flood`, `Drought`)"},
		{"alarms", "\nFive alarms", "\nSix alarms"},
		{"resources", "| `AWS::SSM::Document` |", "| |"},
		{"resources", "| `AWS::SSM::Document` |", "| `AWS::SSM::Document`, `AWS::SSM::Parameter` |"},
		{"resources", "| 3 × `AWS::Config::ConfigRule` |", "| 2 × `AWS::Config::ConfigRule` |"},
		{"triggers", "| schedule | `", "| timetable | `"},
		{"messages", "`TimedOut`, ", ""},
		{"messages", "`TimedOut`, ", "`TimedOut`, `Lost`, "},
	} {
		text := strings.Replace(readme(t), test.old, test.new, 1)
		if text == readme(t) || len(comparisons[test.what](t, text)) == 0 {
			t.Errorf("%s: %q instead of %q is not found", test.what, test.new, test.old)
		}
	}
}

func outputs(t *testing.T, text string) []string {
	list := regexp.MustCompile("The stack has the outputs ((?:`[A-Za-z]+`[,\n ]*(?:and )?)+)").FindString(text)
	var named []string
	for _, match := range code.FindAllStringSubmatch(list, -1) {
		named = append(named, match[1])
	}
	return differences("output", named, slices.Collect(maps.Keys(defaultTemplate(t).Outputs)))
}

func attributes(_ *testing.T, text string) []string {
	_, text, _ = strings.Cut(text, "\n## Attributes\n")
	text, _, _ = strings.Cut(text, "\nThe stack has the outputs")
	var named, methods []string
	for _, match := range regexp.MustCompile("`([A-Z][A-Za-z]+)(?:\\([a-z]*\\))?`").FindAllStringSubmatch(text, -1) {
		named = append(named, match[1])
	}
	guard := reflect.TypeFor[trailguard.TrailGuard]()
	for i := range guard.NumMethod() {
		if name := guard.Method(i).Name; !slices.Contains([]string{"Node", "ToString", "With"}, name) { // which each construct has
			methods = append(methods, name)
		}
	}
	return differences("attribute", named, methods)
}

func alarms(t *testing.T, text string) []string {
	paragraph := regexp.MustCompile(`(?s)\n([A-Z][a-z]+) alarms tell .*?\n\n`).FindStringSubmatch(text)
	if paragraph == nil {
		return []string{"the README does not say when the alarms tell"}
	}
	var named, made []string
	for _, match := range code.FindAllStringSubmatch(paragraph[0], -1) {
		named = append(named, match[1])
	}
	for id, resource := range defaultTemplate(t).Resources {
		if resource.Type == "AWS::CloudWatch::Alarm" {
			made = append(made, strings.TrimPrefix(id[:len(id)-8], "Alerting"))
		}
	}
	numbers := []string{"No", "One", "Two", "Three", "Four", "Five", "Six"}
	return append(differences("number of alarms", paragraph[1:2], numbers[len(made):len(made)+1]), differences("alarm", named, made)...)
}

// resources compares how many resources of each type the rows of the table have together.
func resources(t *testing.T, text string) []string {
	counts, inTemplate := map[string]int{}, map[string]int{}
	for _, row := range table(t, text, "| resource | what for |") {
		for _, match := range regexp.MustCompile("(?:([0-9]+) × )?`(AWS::[A-Za-z0-9:]+)`").FindAllStringSubmatch(row[0], -1) {
			n, err := strconv.Atoi(cmp.Or(match[1], "1"))
			if err != nil {
				t.Fatal(err)
			}
			counts[match[2]] += n
		}
	}
	for _, resource := range defaultTemplate(t).Resources {
		inTemplate[resource.Type]++
	}
	list := func(counts map[string]int) (list []string) {
		for kind, n := range counts {
			list = append(list, fmt.Sprintf("%d × %s", n, kind))
		}
		return list
	}
	return differences("resources", list(counts), list(inTemplate))
}

// template is what the comparisons look at in a template.
type template struct {
	Outputs   map[string]any
	Resources map[string]struct {
		Type       string
		Properties map[string]any
	}
}

func defaultTemplate(t *testing.T) (decoded template) {
	t.Helper()
	decodeFile(t, filepath.Join("constructs", "trailguard", "testdata", "default.template.json"), &decoded)
	return decoded
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

// triggers compares the table with the values of the runbook's parameter StartedBy: each but a person is a trigger.
func triggers(t *testing.T, text string) []string {
	var named, starters []string
	for _, row := range table(t, text, "| trigger | when | what it cannot see |") {
		named = append(named, row[0])
	}
	for id, resource := range defaultTemplate(t).Resources {
		if strings.HasPrefix(id, "RemediationRunbook") {
			for _, starter := range at(resource.Properties, "Content", "parameters", "StartedBy", "allowedValues").([]any) {
				starters = append(starters, starter.(string))
			}
		}
	}
	return differences("trigger", named, slices.DeleteFunc(starters, func(starter string) bool { return starter == "hand" }))
}

// messages compares the beginnings of the messages with what the notices and the runbook tell.
func messages(t *testing.T, text string) (problems []string) {
	told := map[string]bool{}
	for id, resource := range defaultTemplate(t).Resources {
		message, ok := at(resource.Properties, "Targets", 0, "InputTransformer", "InputTemplate").(string)
		switch {
		case strings.HasPrefix(id, "RemediationRunbook"):
			script := at(resource.Properties, "Content", "mainSteps", 0, "inputs", "Script").(string)
			const subject = "'NOT '*bool(wrong)+'REPAIRED: '+want['Resource']+' '+want['Name']"
			if !strings.Contains(script, subject) {
				t.Errorf("the script has no subject %s", subject)
			}
			for _, restored := range at(resource.Properties, "Content", "parameters", "Resource", "allowedValues").([]any) {
				told[fmt.Sprintf("REPAIRED: %v trailguard", restored)], told[fmt.Sprintf("NOT REPAIRED: %v trailguard", restored)] = false, false
			}
		case ok && strings.Contains(message, "<status>"):
			for _, status := range at(resource.Properties, "EventPattern", "detail", "Status").([]any) {
				told[strings.ReplaceAll(strings.Trim(message, `"`), "<status>", status.(string))] = false
			}
		case strings.Contains(message, " on the guard of "):
			told[strings.ReplaceAll(strings.Trim(message, `"`), "<what>", "DeleteRule")] = false
		case ok:
			what := "StopLogging"
			if strings.Contains(message, "log store") {
				what = "PutBucketPolicy"
			}
			told[strings.ReplaceAll(strings.Trim(message, `"`), "<what>", what)] = false
		}
	}
	for _, row := range table(t, text, "| message, by its beginning | when |") {
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
				problems = append(problems, fmt.Sprintf("nothing tells %q", beginning))
			}
		}
	}
	for message, named := range told {
		if !named {
			problems = append(problems, fmt.Sprintf("the README does not have the message %q", message))
		}
	}
	if len(told) != 10 {
		t.Errorf("the messages are %v", told)
	}
	return problems
}

// table are the cells of a table of Markdown, by its heading.
func table(t *testing.T, text, heading string) [][]string {
	t.Helper()
	_, text, found := strings.Cut(text, "\n"+heading+"\n")
	if !found {
		t.Fatalf("there is no table %s", heading)
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
