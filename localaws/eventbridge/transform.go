package eventbridge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Transformer shapes an event into the input of a target.
//
// A placeholder outside of quotes becomes a JSON value, inside of quotes the bare text. Values are not escaped, as
// documented: one with a quote, a backslash or a line break spoils the JSON. A path that the event lacks leaves nothing
// behind: an empty text inside of quotes, and no value outside of them, which spoils the JSON too.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
type Transformer struct {
	InputPathsMap map[string]string // at most 100
	InputTemplate string            // at most 8,192 characters
}

// The reserved variables. The two whose names begin with wholeEvent are JSON objects: the event without its detail, and
// the event.
const (
	reservedRuleARN  = "aws.events.rule-arn"
	reservedRuleName = "aws.events.rule-name"
	ingestionTime    = "aws.events.event.ingestion-time"
	withoutDetail    = "aws.events.event"
	wholeEvent       = "aws.events.event.json"
)

const (
	maximumPaths = 100
	// maximumInput is the longest Input and InputTemplate, in characters.
	maximumInput = 8192
)

var (
	placeholder  = regexp.MustCompile(`<([A-Za-z0-9_.-]+)>`)
	variableName = regexp.MustCompile(`\A[A-Za-z0-9_-]{1,256}\z`)
	jsonPath     = regexp.MustCompile(`\A\$(\.[A-Za-z0-9_/-]+(\[[0-9]+\])*)*\z`)
	pathStep     = regexp.MustCompile(`\.[^.\[]+|\[[0-9]+\]`)
)

// Validate finds what EventBridge refuses when targets are put, and what is not modelled: JSON paths beyond $.a.b[0],
// and a < or > that belongs to no placeholder.
func (t Transformer) Validate() error {
	var problems []error
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if n := len(t.InputPathsMap); n > maximumPaths {
		problem("InputPathsMap has %d entries, at most %d are allowed", n, maximumPaths)
	}
	for name, path := range t.InputPathsMap {
		if !variableName.MatchString(name) || strings.HasPrefix(strings.ToUpper(name), "AWS") {
			problem("InputPathsMap: %q is not a variable's name: letters, digits, _ and -, not starting with AWS", name)
		}
		if err := checkPath(path); err != nil {
			problem("InputPathsMap: %q: %w", name, err)
		}
	}
	if n := len([]rune(t.InputTemplate)); n < 1 || n > maximumInput {
		problem("InputTemplate has %d characters, 1 to %d are allowed", n, maximumInput)
	}
	if rest := placeholder.ReplaceAllString(t.InputTemplate, ""); strings.ContainsAny(rest, "<>") {
		problem("InputTemplate: a < or > outside of a placeholder is %w: %s", ErrNotModelled, rest)
	}
	sample := t.replace(func(name string, quoted bool) string {
		_, defined := t.InputPathsMap[name]
		if !defined && !slices.Contains([]string{reservedRuleARN, reservedRuleName, ingestionTime, withoutDetail, wholeEvent}, name) {
			problem("InputTemplate: <%s> is not in InputPathsMap and not reserved", name)
		}
		if quoted && (name == withoutDetail || name == wholeEvent) {
			problem("InputTemplate: <%s> can only be the value of a JSON field", name)
		}
		if quoted {
			return "<" + name + ">"
		}
		return `"<` + name + `>"`
	})
	if _, err := minify(sample); err != nil {
		problem("InputTemplate: %w", err)
	} else if value, err := decodeOrdered(sample); err == nil {
		if key := placeholderKey(value); key != "" {
			problem("InputTemplate: the key %q holds a placeholder", key)
		}
	}
	return errors.Join(problems...)
}

// Render is the input that a rule makes of one event, which reached the bus at ingested. The error of an outcome that is not JSON begins
// with "invalid input".
func (t Transformer) Render(ruleName, ruleARN string, event map[string]any, ingested time.Time) (string, error) {
	var failure error
	rendered := t.replace(func(name string, quoted bool) string {
		value, found := t.variable(name, ruleName, ruleARN, event, ingested)
		text, isText := value.(string)
		switch {
		case !found:
			return ""
		case isText && quoted:
			return text
		case isText:
			return `"` + text + `"`
		}
		out, err := marshal(value)
		failure = errors.Join(failure, err)
		return out
	})
	if failure != nil {
		return "", failure
	}
	return minify(rendered)
}

func (t Transformer) variable(name, ruleName, ruleARN string, event map[string]any, ingested time.Time) (value any, found bool) {
	switch name {
	case reservedRuleARN:
		return ruleARN, true
	case reservedRuleName:
		return ruleName, true
	case ingestionTime:
		return ingested.UTC().Format(time.RFC3339), true
	case wholeEvent:
		return event, true
	case withoutDetail:
		rest := map[string]any{}
		for key, value := range event {
			if key != "detail" {
				rest[key] = value
			}
		}
		return rest, true
	}
	path, found := t.InputPathsMap[name]
	if !found {
		return nil, false
	}
	return lookUp(event, path)
}

// replace fills the placeholders of the template; quoted tells whether one stands inside of a JSON string.
func (t Transformer) replace(fill func(name string, quoted bool) string) string {
	var out strings.Builder
	quoted, from := false, 0
	for _, at := range placeholder.FindAllStringSubmatchIndex(t.InputTemplate, -1) {
		between := t.InputTemplate[from:at[0]]
		for i := 0; i < len(between); i++ {
			switch between[i] {
			case '\\':
				i++
			case '"':
				quoted = !quoted
			}
		}
		out.WriteString(between + fill(t.InputTemplate[at[2]:at[3]], quoted))
		from = at[1]
	}
	return out.String() + t.InputTemplate[from:]
}

// minify removes the white space of one JSON value, or of several JSON strings, one a line, which make a text of as
// many lines.
func minify(text string) (string, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	var values []string
	for {
		var value json.RawMessage
		err := decoder.Decode(&value)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", fmt.Errorf("invalid input, not JSON: %w: %s", err, text)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, value); err != nil {
			return "", fmt.Errorf("invalid input, not JSON: %w: %s", err, text)
		}
		values = append(values, compact.String())
	}
	several := func(value string) bool { return len(values) > 1 && value[0] != '"' }
	if len(values) == 0 || slices.ContainsFunc(values, several) {
		return "", fmt.Errorf("invalid input, neither one JSON value nor lines of JSON strings: %s", text)
	}
	return strings.Join(values, "\n"), nil
}

func placeholderKey(value any) string {
	switch value := value.(type) {
	case object:
		for _, field := range value {
			if placeholder.MatchString(field.key) {
				return field.key
			}
			if key := placeholderKey(field.value); key != "" {
				return key
			}
		}
	case []any:
		for _, inner := range value {
			if key := placeholderKey(inner); key != "" {
				return key
			}
		}
	}
	return ""
}

func checkPath(path string) error {
	if len(path) > 256 || !strings.HasPrefix(path, "$") {
		return fmt.Errorf("JSON path %q is longer than 256 characters, or does not start with $", path)
	}
	if !jsonPath.MatchString(path) {
		return fmt.Errorf("JSON path %q is %w: $.a.b[0] is", path, ErrNotModelled)
	}
	return nil
}

// lookUp follows a path that checkPath allows.
func lookUp(event map[string]any, path string) (value any, found bool) {
	value = event
	for _, step := range pathStep.FindAllString(path, -1) {
		if index, err := strconv.Atoi(strings.Trim(step, "[]")); step[0] == '[' && err == nil {
			list, _ := value.([]any)
			if index >= len(list) {
				return nil, false
			}
			value = list[index]
			continue
		}
		fields, _ := value.(map[string]any)
		if value, found = fields[step[1:]]; !found {
			return nil, false
		}
	}
	return value, true
}
