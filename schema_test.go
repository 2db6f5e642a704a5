package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/internal/golden"
)

const schemaFile = "cdk.schema.json"

// schema is a JSON schema, as far as this one needs it.
// https://json-schema.org/draft-07/json-schema-validation
type schema struct {
	Schema               string             `json:"$schema,omitempty"`
	Title                string             `json:"title,omitempty"`
	Description          string             `json:"description,omitempty"`
	Type                 string             `json:"type,omitempty"`
	Enum                 []string           `json:"enum,omitempty"`
	Pattern              string             `json:"pattern,omitempty"`
	MinLength            int                `json:"minLength,omitempty"`
	MaxLength            int                `json:"maxLength,omitempty"`
	Minimum              *int               `json:"minimum,omitempty"`
	Maximum              *int               `json:"maximum,omitempty"`
	AnyOf                []*schema          `json:"anyOf,omitempty"`
	Items                *schema            `json:"items,omitempty"`
	MinItems             int                `json:"minItems,omitempty"`
	MaxItems             int                `json:"maxItems,omitempty"`
	UniqueItems          bool               `json:"uniqueItems,omitempty"`
	Required             []string           `json:"required,omitempty"`
	Properties           map[string]*schema `json:"properties,omitempty"`
	AdditionalProperties any                `json:"additionalProperties,omitempty"`
	MaxProperties        int                `json:"maxProperties,omitempty"`
	Not                  *schema            `json:"not,omitempty"`
	If                   *schema            `json:"if,omitempty"`
	Then                 *schema            `json:"then,omitempty"`
	Else                 *schema            `json:"else,omitempty"`
}

// limits are what a key's value may be besides its type and its form. TestTheSchemaAllowsWhatTheAppDoes compares them with what the
// app refuses.
var limits = map[string]func(s *schema){
	"trailName":          ofLength(3, 128),
	"previousTrailNames": func(s *schema) { s.MaxItems = 20; ofLength(3, 128)(s.Items) },
	"organizationId":     func(s *schema) { s.Pattern = "^o-[a-z0-9]{10,32}$" },
	"s3KeyPrefix":        ofLength(1, 200),
	"insightTypes": func(s *schema) {
		s.Items.Enum, s.UniqueItems = []string{"ApiCallRateInsight", "ApiErrorRateInsight"}, true
	},
	"trailTags":                  func(s *schema) { s.MaxProperties = 50 },
	"logBucketName":              ofLength(3, 63),
	"serverAccessLogsBucketName": ofLength(3, 63),
	"transitionAfterDays":        between(1, 2_147_483_647),
	"expireAfterDays":            between(1, 2_147_483_647),
	"objectLockRetentionDays":    between(1, mostLockedDays),
	"removalPolicy":              oneOf("RETAIN", "RETAIN_ON_UPDATE_OR_DELETE", "DESTROY"),
	"checkEveryMinutes": func(s *schema) {
		never := schema{}
		between(0, 0)(&never)
		some := schema{}
		between(5, 1440)(&some)
		s.AnyOf = []*schema{&never, &some}
	},
	"alertEmailAddresses":               func(s *schema) { s.Items.Pattern = `^[^@\s]+@[^@\s]+\.[^@\s]+$` },
	"maximumExecutionFrequency":         oneOf("ONE_HOUR", "THREE_HOURS", "SIX_HOURS", "TWELVE_HOURS", "TWENTY_FOUR_HOURS"),
	"maximumAutomaticAttempts":          between(1, 25),
	"retryAttemptSeconds":               between(1, 2_678_000),
	"concurrentExecutionRatePercentage": between(1, 100),
	"errorPercentage":                   between(1, 100),
	"failureTolerancePercentage":        between(0, 100),
	"maxConcurrentPercentage":           between(1, 100),
	"organizationalUnitIds": func(s *schema) {
		s.Items.Pattern, s.MinItems, s.UniqueItems = "^(ou-[a-z0-9]{4,32}-[a-z0-9]{8,32}|r-[a-z0-9]{4,32})$", 1, true
	},
	"logReaderAccounts": func(s *schema) { s.Items.Pattern, s.MaxItems, s.UniqueItems = account, 50, true },
	"breakGlassRoleArns": func(s *schema) {
		s.Items.Pattern, s.UniqueItems = `^arn:aws[a-z-]*:iam::([0-9]{12}|\*):role/[!-~]+$`, true
	},
	"accountFilter": func(s *schema) {
		s.Required = []string{"type", "accounts"}
		oneOf("INTERSECTION", "DIFFERENCE")(s.Properties["type"])
		accounts := s.Properties["accounts"]
		accounts.Items.Pattern, accounts.MinItems, accounts.UniqueItems = account, 1, true
	},
	"dataResources": func(s *schema) {
		s.Items.Required = []string{"type", "values"}
		oneOf("AWS::DynamoDB::Table", "AWS::Lambda::Function", "AWS::S3::Object")(s.Items.Properties["type"])
		s.Items.Properties["values"].MinItems = 1
	},
	"advancedEventSelectors": func(s *schema) {
		s.Items.Required = []string{"fieldSelectors"}
		s.Items.Properties["fieldSelectors"].Items.Required = []string{"field"}
		ofLength(0, 1000)(s.Items.Properties["name"])
	},
}

func ofLength(least, most int) func(s *schema) {
	return func(s *schema) { s.MinLength, s.MaxLength = least, most }
}

func between(least, most int) func(s *schema) {
	return func(s *schema) { s.Minimum, s.Maximum = &least, &most }
}

func oneOf(values ...string) func(s *schema) { return func(s *schema) { s.Enum = values } }

// newSchema makes the schema of cdk.json out of the configuration's keys and the doc comments of the props.
func newSchema(t *testing.T) *schema {
	t.Helper()
	docs := docComments(t, "configuration.go", "configuration_organization.go", "constructs/trailguard/props.go", "constructs/organization/rollout_props.go")
	known := map[string]*schema{}
	for _, k := range keys {
		field := reflect.TypeFor[configuration]().FieldByIndex(k.index)
		s := ofType(t, field.Type, docs)
		doc := docs["configuration."+field.Name]
		if doc == "" {
			doc = docs["TrailGuardProps."+k.prop]
		}
		if k.ofOrganization {
			doc = k.key + strings.TrimPrefix(docs["organizationConfiguration."+field.Name], lowerCamel(field.Name))
		}
		if doc == "" || doc == k.key {
			t.Errorf("%s has no doc comment", k.key)
		}
		s.Description = doc
		for _, form := range forms {
			if form.key == k.key {
				s.Pattern = form.pattern
			}
		}
		if limit := limits[k.key]; limit != nil {
			limit(s)
		}
		if bounded := s.Type == "integer" || s.Type == "string" && field.Type != reflect.TypeFor[*string](); bounded && limits[k.key] == nil {
			t.Errorf("%s has no limits: give them in limits", k.key)
		}
		known[k.key] = s
	}
	blockOf := &schema{
		Description: "What the guard declares. The keys are the props of TrailGuard; each may also be given on the command line: -c " + override + "trailName=my-trail.",
		Type:        "object", Properties: known, AdditionalProperties: false,
		If:   &schema{Properties: map[string]*schema{"mode": {Enum: []string{modeOrganization}}}, Required: []string{"mode"}},
		Then: &schema{Required: required, Properties: map[string]*schema{}},
		Else: &schema{Properties: map[string]*schema{}},
	}
	for _, k := range keys {
		if k.ofOrganization {
			blockOf.Else.Properties[k.key] = &schema{Not: &schema{}}
		}
		if ofAccount[k.key] != "" {
			blockOf.Then.Properties[k.key] = &schema{Not: &schema{}}
		}
	}
	return &schema{
		Schema: "http://json-schema.org/draft-07/schema#",
		Title:  "cdk.json of TrailGuard",
		Type:   "object",
		Properties: map[string]*schema{
			"context": {Type: "object", Properties: map[string]*schema{block: blockOf}},
		},
	}
}

// ofType is the schema of a type of Go. An object's keys are its fields in lower camel case.
func ofType(t *testing.T, of reflect.Type, docs map[string]string) *schema {
	t.Helper()
	switch of.Kind() {
	case reflect.Pointer:
		return ofType(t, of.Elem(), docs)
	case reflect.String:
		return &schema{Type: "string"}
	case reflect.Bool:
		return &schema{Type: "boolean"}
	case reflect.Float64:
		return &schema{Type: "integer"}
	case reflect.Slice:
		return &schema{Type: "array", Items: ofType(t, of.Elem(), docs)}
	case reflect.Map:
		return &schema{Type: "object", AdditionalProperties: ofType(t, of.Elem(), docs)}
	case reflect.Struct:
		s := &schema{Type: "object", Properties: map[string]*schema{}, AdditionalProperties: false, Description: docs[of.Name()]}
		for _, field := range reflect.VisibleFields(of) {
			part := ofType(t, field.Type, docs)
			part.Description = docs[of.Name()+"."+field.Name]
			s.Properties[lowerCamel(field.Name)] = part
		}
		return s
	}
	t.Fatalf("%s is no type of JSON", of)
	return nil
}

func lowerCamel(name string) string { return strings.ToLower(name[:1]) + name[1:] }

var (
	defaults = regexp.MustCompile(`(?s)\n\nDefault: - (.*)$`)
	links    = regexp.MustCompile(`\s*https://\S+`)
	words    = regexp.MustCompile(`\b[A-Z][A-Za-z0-9]+\b`)
)

// docComments are those of the types of the files, and of their fields, by Type and Type.Field, with keys for the names of props.
func docComments(t *testing.T, files ...string) map[string]string {
	t.Helper()
	comments := map[string]string{}
	add := func(name string, group *ast.CommentGroup) {
		text := strings.TrimSpace(group.Text())
		text = defaults.ReplaceAllString(text, " By default, $1")
		text = strings.Join(strings.Fields(links.ReplaceAllString(text, "")), " ")
		if _, field, isField := strings.Cut(name, "."); isField && strings.HasPrefix(text, field+" ") {
			text = lowerCamel(field) + strings.TrimPrefix(text, field)
			if prop := key(field); prop != field {
				text = prop + strings.TrimPrefix(text, lowerCamel(field))
			}
		}
		if text != "" {
			comments[name] = words.ReplaceAllStringFunc(text, key)
		}
	}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			types, ok := declaration.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range types.Specs {
				spec, ok := spec.(*ast.TypeSpec)
				if !ok {
					continue
				}
				add(spec.Name.Name, types.Doc)
				object, ok := spec.Type.(*ast.StructType)
				if !ok {
					continue
				}
				for _, field := range object.Fields.List {
					for _, name := range field.Names {
						add(spec.Name.Name+"."+name.Name, field.Doc)
					}
				}
			}
		}
	}
	return comments
}

// TestTheSchemaIsThatOfTheProps writes down what editors complete in cdk.json, and check it by.
func TestTheSchemaIsThatOfTheProps(t *testing.T) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(newSchema(t)); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, schemaFile, text.Bytes())
	for key := range limits {
		if !slices.ContainsFunc(keys, func(k configurationKey) bool { return k.key == key }) {
			t.Errorf("there are limits of %s, which is no key", key)
		}
	}
}

func TestTheConfigurationNamesItsSchema(t *testing.T) {
	content, err := os.ReadFile("cdk.json")
	if err != nil {
		t.Fatal(err)
	}
	var named struct {
		Schema string `json:"$schema"`
	}
	if err := json.Unmarshal(content, &named); err != nil {
		t.Fatal(err)
	}
	if named.Schema != "./"+schemaFile {
		t.Errorf("cdk.json names the schema %q", named.Schema)
	}
}

// judged is a block of cdk.json, and whether it can be used.
type judged struct {
	name, block string
	good        bool
}

// with is a block with a key, and with what the mode that it is of requires.
func with(key string, value any) map[string]any {
	given := map[string]any{}
	if slices.ContainsFunc(keys, func(k configurationKey) bool { return k.key == key && k.ofOrganization }) {
		given = map[string]any{
			"mode": "organization", "organizationId": "o-a1b2c3d4e5", "region": "eu-central-1", "managementAccount": "111111111111",
			"organizationalUnitIds": []string{"r-ab12"}, "logArchiveAccount": "333344445555",
		}
		if key == "memberLogs" {
			given["members"] = "guard"
		}
	}
	given[key] = value
	return given
}

// judgements are blocks with values of each key: at its limits and beyond them, and of another type.
func judgements(t *testing.T) []judged {
	t.Helper()
	var all []judged
	add := func(good bool, key string, value any) {
		text, err := json.Marshal(with(key, value))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, judged{fmt.Sprintf("%s %.40v", key, value), string(text), good})
	}
	for key, s := range newSchema(t).Properties["context"].Properties[block].Properties {
		switch {
		case s.Type == "boolean":
			add(true, key, true)
			add(false, key, "yes")
		case s.AnyOf != nil:
			for value, good := range map[float64]bool{-1: false, 0: true, 4: false, 5: true, 5.5: false, 1440: true, 1441: false} {
				add(good, key, value)
			}
		case s.Minimum != nil:
			add(false, key, *s.Minimum-1)
			if key != "expireAfterDays" { // files expire after they have moved
				add(true, key, *s.Minimum)
			}
			add(false, key, float64(*s.Minimum)+0.5)
			add(true, key, *s.Maximum)
			add(false, key, *s.Maximum+1)
		case s.Enum != nil:
			for _, value := range s.Enum {
				add(true, key, value)
			}
			add(false, key, s.Enum[0]+"X")
		case s.Pattern != "":
			add(false, key, "?")
		case s.Type == "string" && s.MaxLength > 0:
			for length, good := range map[int]bool{s.MinLength - 1: false, s.MinLength: true, s.MaxLength: true, s.MaxLength + 1: false} {
				add(good, key, strings.Repeat("a", length))
			}
		}
	}
	for _, form := range forms {
		if !strings.HasPrefix(form.key, "cloudWatchLogsRole") && form.key != "objectLockMode" { // they need another key
			add(true, form.key, form.example)
		}
	}
	add(true, "organizationId", "o-a1b2c3d4e5")
	add(false, "organizationId", "o-A1B2C3D4E5")
	for _, one := range []struct {
		good  bool
		key   string
		value string
	}{
		{true, "insightTypes", `[]`}, {true, "insightTypes", `["ApiErrorRateInsight"]`}, {false, "insightTypes", `["Gut"]`},
		{false, "insightTypes", `["ApiErrorRateInsight", "ApiErrorRateInsight"]`}, {false, "insightTypes", `"ApiErrorRateInsight"`},
		{true, "trailTags", `{"owner": "security"}`}, {false, "trailTags", `{"owner": 5}`}, {false, "trailTags", `["owner"]`},
		{true, "previousTrailNames", `["old-trail"]`}, {false, "previousTrailNames", `["x"]`}, {false, "previousTrailNames", `[5]`},
		{true, "alertEmailAddresses", `["a@example.com"]`}, {false, "alertEmailAddresses", `["a"]`},
		{true, "dataResources", `[{"type": "AWS::S3::Object", "values": ["arn:aws:s3"]}]`}, {false, "dataResources", `[{"type": "AWS::S3::Object"}]`},
		{false, "dataResources", `[{"values": ["arn:aws:s3"]}]`}, {false, "dataResources", `[{"type": "AWS::EC2::Instance", "values": ["arn:aws:s3"]}]`},
		{false, "dataResources", `[{"type": "AWS::S3::Object", "values": []}]`}, {false, "dataResources", `[{"type": "AWS::S3::Object", "values": ["arn:aws:s3"], "x": 1}]`},
		{true, "advancedEventSelectors", `[{"name": "x", "fieldSelectors": [{"field": "eventCategory", "equals": ["Management"]}]}]`},
		{false, "advancedEventSelectors", `[{"name": "x"}]`}, {false, "advancedEventSelectors", `[{"fieldSelectors": [{"equals": ["Data"]}]}]`},
		{false, "advancedEventSelectors", `[{"fieldSelectors": [{"field": "eventCategory", "beginsWith": ["Data"]}]}]`},
		{true, "organizationalUnitIds", `["ou-ab12-c3d4e5f6", "r-ab12"]`}, {false, "organizationalUnitIds", `[]`}, {false, "organizationalUnitIds", `["ou-1"]`},
		{false, "organizationalUnitIds", `["r-ab12", "r-ab12"]`}, {true, "members", `"guard"`}, {true, "memberLogs", `"own"`},
		{true, "logReaderAccounts", `["123456789012"]`}, {false, "logReaderAccounts", `["1"]`},
		{true, "breakGlassRoleArns", `["arn:aws:iam::*:role/BreakGlass"]`}, {false, "breakGlassRoleArns", `["BreakGlass"]`},
		{true, "accountFilter", `{"type": "INTERSECTION", "accounts": ["123456789012"]}`}, {false, "accountFilter", `{"type": "UNION", "accounts": ["123456789012"]}`},
		{false, "accountFilter", `{"type": "DIFFERENCE"}`}, {false, "accountFilter", `{"type": "DIFFERENCE", "accounts": ["1"]}`},
		{false, "accountFilter", `{"accounts": ["123456789012"]}`}, {false, "accountFilter", `["123456789012"]`},
		{false, "trailname", `"a-trail"`},
	} {
		add(one.good, one.key, json.RawMessage(one.value))
	}
	all = append(all,
		judged{"every key but those that exclude others", everyKey(t, "dataResources", "logBucketName"), true},
		judged{"every key of the mode organization but those that exclude others", everyOrganizationKey(t), true},
		judged{"a key of the other mode", `{"securityAccount": "123456789012"}`, false},
		judged{"nothing that the mode organization requires", `{"mode": "organization"}`, false},
		judged{"an account in the mode organization", text(t, func() any { given := with("members", "watch"); given["account"] = "123456789012"; return given }()), false})
	return all
}

// TestTheSchemaAllowsWhatTheAppDoes asks the app and the schema, as another validator reads it, about the same values.
func TestTheSchemaAllowsWhatTheAppDoes(t *testing.T) {
	all := judgements(t)
	documents := []any{}
	for i, one := range all {
		c, err := readConfiguration(decoded(t, `{"trailguard": `+one.block+`}`))
		if err == nil && c.isOrganization() {
			app := awscdk.NewApp(nil)
			for _, definition := range c.definitions() {
				_, problem := definition.prepare(newStack(app, definition.name, definition.description, c.environmentOf(definition)))
				err = errors.Join(err, problem)
			}
		} else if err == nil {
			err = c.props(awscdk.NewStack(nil, jsii.String(fmt.Sprintf("Stack%d", i)), nil)).Validate()
		}
		if (err == nil) != one.good {
			t.Errorf("the app says of %s: %v", one.name, err)
		}
		documents = append(documents, decoded(t, `{"context": {"trailguard": `+one.block+`, "@aws-cdk/core:someFlag": true}}`))
	}
	for i, valid := range validated(t, documents) {
		if valid != all[i].good {
			t.Errorf("of %s the schema says that it is valid: %t", all[i].name, valid)
		}
	}
}

func TestTheConfigurationIsValid(t *testing.T) {
	content, err := os.ReadFile("cdk.json")
	if err != nil {
		t.Fatal(err)
	}
	if valid := validated(t, []any{decoded(t, string(content))}); !valid[0] {
		t.Error("cdk.json is not valid by its schema")
	}
}

// validated tells of each document whether it is valid by the schema.
func validated(t *testing.T, documents []any) []bool {
	t.Helper()
	const program = `
import json, sys, jsonschema
schema = json.load(open(sys.argv[1]))
validator = jsonschema.Draft7Validator
validator.check_schema(schema)
json.dump([validator(schema).is_valid(document) for document in json.load(sys.stdin)], sys.stdout)`
	python := filepath.Join(".venv", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		t.Fatalf("%s is missing: run `make setup`", python)
	}
	input, err := json.Marshal(documents)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(python, "-c", program, schemaFile)
	command.Stdin = bytes.NewReader(input)
	command.Stderr = os.Stderr
	output, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	var valid []bool
	if err := json.Unmarshal(output, &valid); err != nil || len(valid) != len(documents) {
		t.Fatalf("%v: %s", err, output)
	}
	return valid
}

// everyOrganizationKey is a block of the mode organization with a value for each key that does not exclude others.
func everyOrganizationKey(t *testing.T) string {
	t.Helper()
	values := map[string]any{}
	except := append([]string{"dataResources", "delegatedAdministratorAccount"}, ofStore...)
	for _, k := range keys {
		if !slices.Contains(except, k.key) && ofAccount[k.key] == "" {
			values[k.key] = sample(k.key, reflect.TypeFor[configuration]().FieldByIndex(k.index).Type)
		}
	}
	values["mode"], values["members"], values["managementAccount"] = "organization", "guard", "123456789012"
	return text(t, values)
}

// everyKey is a block of the mode account with a value for each key but the excluded ones.
func everyKey(t *testing.T, except ...string) string {
	t.Helper()
	values := map[string]any{}
	for _, k := range keys {
		if slices.Contains(except, k.key) || k.ofOrganization {
			continue
		}
		values[k.key] = sample(k.key, reflect.TypeFor[configuration]().FieldByIndex(k.index).Type)
	}
	text, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// sample is a value that a key takes.
func sample(key string, of reflect.Type) any {
	for _, form := range forms {
		if form.key == key {
			return form.example
		}
	}
	switch key {
	case "organizationId":
		return "o-a1b2c3d4e5"
	case "expireAfterDays":
		return 400
	case "alertEmailAddresses":
		return []string{"a@example.com"}
	case "organizationalUnitIds":
		return []string{"ou-ab12-c3d4e5f6"}
	case "accountFilter":
		return json.RawMessage(`{"type": "DIFFERENCE", "accounts": ["123456789012"]}`)
	case "breakGlassRoleArns":
		return []string{"arn:aws:iam::*:role/BreakGlass"}
	case "logReaderAccounts":
		return []string{"123456789012"}
	case "dataResources":
		return json.RawMessage(`[{"type": "AWS::S3::Object", "values": ["arn:aws:s3:::a/"]}]`)
	case "advancedEventSelectors":
		return json.RawMessage(`[{"fieldSelectors": [{"field": "eventCategory", "equals": ["Management"]}]}]`)
	}
	s := schema{Items: &schema{}, Properties: map[string]*schema{}}
	if limit := limits[key]; limit != nil {
		limit(&s)
	}
	for of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	switch of.Kind() {
	case reflect.Bool:
		return true
	case reflect.Float64:
		return 5
	case reflect.Map:
		return map[string]string{"owner": "security"}
	case reflect.Slice:
		if len(s.Items.Enum) > 0 {
			return s.Items.Enum[:1]
		}
		return []string{"old-trail"}
	}
	if len(s.Enum) > 0 {
		return s.Enum[0]
	}
	return "my-value"
}

// schemaKeys are the keys that the schema in the file knows.
func schemaKeys(t *testing.T) []string {
	t.Helper()
	content, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	var written schema
	if err := json.Unmarshal(content, &written); err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(written.Properties["context"].Properties[block].Properties))
}
