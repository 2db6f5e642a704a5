package eventbridge

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

const (
	// maximumPatternSize is the default quota, in characters; an account may ask for more.
	// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
	maximumPatternSize = 2048
	// maximumCombinations is how many plain patterns the $or of one pattern may multiply to.
	// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
	maximumCombinations = 1000
	// maximumNumber bounds the operands of numeric, both ways.
	maximumNumber = 5e9
)

// Pattern is a parsed event pattern; the zero Pattern matches nothing.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
type Pattern struct {
	options Options
	// alternatives is the pattern with every $or multiplied out: one alternative must match in full.
	alternatives [][]condition
}

type condition struct {
	path  string // detail.requestParameters.name
	tests []test // one of them must hold
}

// test is one element of the array that stands at a leaf of a pattern.
type test struct {
	matches     func(value any) bool // nil when absent
	absent      bool                 // {"exists": false}
	anythingBut bool
}

// ParsePattern reads an event pattern. It knows exact values, prefix, suffix, equals-ignore-case, wildcard, exists,
// anything-but (a value, a list, or {prefix, suffix, wildcard}), numeric, and $or. Any other operator of EventBridge, a
// duplicate key and a field that is constrained both inside and outside an $or (EventBridge keeps the last of the two) are
// errors of the kind ErrNotModelled. Errors name the path.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
func ParsePattern(text string) (Pattern, error) {
	if n := len([]rune(text)); n > maximumPatternSize {
		return Pattern{}, fmt.Errorf("event pattern has %d characters, the default quota is %d", n, maximumPatternSize)
	}
	value, err := decodeOrdered(text)
	if err != nil {
		return Pattern{}, fmt.Errorf("event pattern: %w", err)
	}
	root, ok := value.(object)
	if !ok {
		return Pattern{}, errors.New("event pattern must be a JSON object")
	}
	alternatives, err := compile(root, "", [][]condition{nil}, false)
	if err != nil {
		return Pattern{}, fmt.Errorf("event pattern: %w", err)
	}
	return Pattern{alternatives: alternatives}, nil
}

// With returns the pattern under other options.
func (p Pattern) With(options Options) Pattern {
	p.options = options
	return p
}

func compile(fields object, path string, alternatives [][]condition, insideOr bool) ([][]condition, error) {
	if len(fields) == 0 {
		return nil, fmt.Errorf("%q: an empty object is not allowed", path)
	}
	for _, field := range fields {
		at := join(path, field.key)
		fields, isObject := field.value.(object)
		values, isArray := field.value.([]any)
		var err error
		switch {
		case field.key == "$or":
			alternatives, err = compileOr(values, path, alternatives)
		case insideOr && slices.Contains(operators, field.key):
			// EventBridge would take the whole $or for an ordinary field.
			err = fmt.Errorf("%q: an operator as a field's name inside $or is %w", at, ErrNotModelled)
		case isObject:
			alternatives, err = compile(fields, at, alternatives, insideOr)
		case isArray:
			alternatives, err = require(alternatives, at, values)
		default:
			err = fmt.Errorf("%q: must be an object or an array", at)
		}
		if err != nil {
			return nil, err
		}
	}
	return alternatives, nil
}

func compileOr(choices []any, path string, alternatives [][]condition) ([][]condition, error) {
	at := join(path, "$or")
	if len(choices) < 2 {
		return nil, fmt.Errorf("%q: must be an array of two objects or more", at)
	}
	var out [][]condition
	for i, choice := range choices {
		fields, ok := choice.(object)
		if !ok {
			return nil, fmt.Errorf("%q: element %d is not an object", at, i)
		}
		compiled, err := compile(fields, path, alternatives, true)
		if err != nil {
			return nil, err
		}
		if out = append(out, compiled...); len(out) > maximumCombinations {
			return nil, fmt.Errorf("%q: more than %d combinations", at, maximumCombinations)
		}
	}
	return out, nil
}

// require adds one condition to each alternative.
func require(alternatives [][]condition, path string, values []any) ([][]condition, error) {
	if len(values) == 0 {
		return nil, fmt.Errorf("%q: an empty array is not allowed", path)
	}
	added := condition{path: path}
	for _, value := range values {
		t, err := parseTest(value)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", path, err)
		}
		added.tests = append(added.tests, t)
	}
	out := make([][]condition, len(alternatives))
	for i, alternative := range alternatives {
		if slices.ContainsFunc(alternative, func(c condition) bool { return c.path == path }) {
			return nil, fmt.Errorf("%q: constrained twice, of which EventBridge heeds only the last, is %w", path, ErrNotModelled)
		}
		out[i] = append(slices.Clip(alternative), added)
	}
	return out, nil
}

// operators are the words that EventBridge reserves inside $or; the first seven are modelled.
var operators = []string{"prefix", "suffix", "equals-ignore-case", "wildcard", "exists", "anything-but", "numeric",
	"exactly", "cidr", "=", "<", "<=", ">", ">="}

func parseTest(value any) (test, error) {
	operation, ok := value.(object)
	if !ok {
		matches, err := exactly(value)
		return test{matches: matches}, err
	}
	if len(operation) != 1 {
		return test{}, fmt.Errorf("an operation has exactly one key, this one has %d", len(operation))
	}
	name, operand := operation[0].key, operation[0].value
	switch name {
	case "exists":
		wanted, ok := operand.(bool)
		if !ok {
			return test{}, fmt.Errorf("exists needs true or false, not %v", operand)
		}
		if !wanted {
			return test{absent: true}, nil
		}
		return test{matches: func(any) bool { return true }}, nil
	case "anything-but":
		matches, err := anythingBut(operand)
		return test{matches: matches, anythingBut: true}, err
	case "numeric":
		matches, err := numeric(operand)
		return test{matches: matches}, err
	}
	matches, err := textual(name, operand)
	return test{matches: matches}, err
}

func exactly(want any) (func(any) bool, error) {
	switch want := want.(type) {
	case json.Number:
		number, err := want.Float64()
		return func(value any) bool { return value == number }, err
	case string, bool, nil:
		return func(value any) bool { return value == want }, nil
	}
	return nil, fmt.Errorf("a value must be a string, a number, true, false, null or an operation, not %v", want)
}

func textual(operator string, operand any) (func(any) bool, error) {
	want, ok := operand.(string)
	if operation, isObject := operand.(object); isObject && (operator == "prefix" || operator == "suffix") &&
		len(operation) == 1 && operation[0].key == "equals-ignore-case" {
		return nil, fmt.Errorf("%s with equals-ignore-case is %w", operator, ErrNotModelled)
	}
	if !ok {
		return nil, fmt.Errorf("%s takes a string, not %v", operator, operand)
	}
	var holds func(string) bool
	switch operator {
	case "prefix":
		holds = func(s string) bool { return strings.HasPrefix(s, want) }
	case "suffix":
		holds = func(s string) bool { return strings.HasSuffix(s, want) }
	case "equals-ignore-case":
		holds = func(s string) bool { return strings.EqualFold(s, want) }
	case "wildcard":
		expression, err := wildcard(want)
		if err != nil {
			return nil, err
		}
		holds = expression.MatchString
	case "cidr", "exactly":
		return nil, fmt.Errorf("operator %q is %w", operator, ErrNotModelled)
	default:
		return nil, fmt.Errorf("operator %q is unknown", operator)
	}
	return func(value any) bool {
		s, ok := value.(string)
		return ok && holds(s)
	}, nil
}

// wildcard translates a wildcard: * is any run of characters, \* and \\ are themselves, ** is an error.
func wildcard(text string) (*regexp.Regexp, error) {
	var expression strings.Builder
	expression.WriteString(`(?s)\A`)
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '*' && i+1 < len(text) && text[i+1] == '*':
			return nil, fmt.Errorf("wildcard %q has consecutive wildcard characters", text)
		case c == '*':
			expression.WriteString(".*")
		case c == '\\':
			if i++; i == len(text) || (text[i] != '*' && text[i] != '\\') {
				return nil, fmt.Errorf(`wildcard %q: only \* and \\ are escapes`, text)
			}
			expression.WriteString(regexp.QuoteMeta(text[i : i+1]))
		default:
			end := i + strings.IndexAny(text[i:]+"*", `*\`)
			expression.WriteString(regexp.QuoteMeta(text[i:end]))
			i = end - 1
		}
	}
	return regexp.Compile(expression.String() + `\z`)
}

func anythingBut(operand any) (func(any) bool, error) {
	operator := ""
	if operation, ok := operand.(object); ok {
		if len(operation) == 1 && operation[0].key == "equals-ignore-case" {
			return nil, fmt.Errorf("anything-but with equals-ignore-case is %w", ErrNotModelled)
		}
		if len(operation) != 1 || !slices.Contains([]string{"prefix", "suffix", "wildcard"}, operation[0].key) {
			return nil, fmt.Errorf("anything-but takes a value, a list, or one of prefix, suffix and wildcard, not %v", operand)
		}
		operator, operand = operation[0].key, operation[0].value
	}
	list, ok := operand.([]any)
	if !ok {
		list = []any{operand}
	}
	if len(list) == 0 {
		return nil, errors.New("anything-but with an empty list")
	}
	var excluded []func(any) bool
	for _, value := range list {
		_, isString := value.(string)
		_, isNumber := value.(json.Number)
		_, firstIsString := list[0].(string)
		if (!isString && !isNumber) || isString != firstIsString {
			return nil, fmt.Errorf("anything-but takes strings only or numbers only, not %v", list)
		}
		if operator != "" && value == "" {
			return nil, fmt.Errorf("anything-but %s with an empty string", operator)
		}
		matches, err := exactly(value)
		if operator != "" {
			matches, err = textual(operator, value)
		}
		if err != nil {
			return nil, fmt.Errorf("anything-but: %w", err)
		}
		excluded = append(excluded, matches)
	}
	return func(value any) bool {
		return !slices.ContainsFunc(excluded, func(matches func(any) bool) bool { return matches(value) })
	}, nil
}

// numeric is one comparison, or a lower bound followed by an upper one.
func numeric(operand any) (func(any) bool, error) {
	terms, _ := operand.([]any)
	if len(terms) != 2 && len(terms) != 4 {
		return nil, fmt.Errorf("numeric takes one or two pairs of comparison and number, not %v", operand)
	}
	var comparisons []string
	var bounds []float64
	for i := 0; i < len(terms); i += 2 {
		comparison, _ := terms[i].(string)
		number, isNumber := terms[i+1].(json.Number)
		bound, err := number.Float64()
		if !slices.Contains([]string{"=", "<", "<=", ">", ">="}, comparison) || !isNumber || err != nil {
			return nil, fmt.Errorf("numeric: %v %v is not a comparison and a number", terms[i], terms[i+1])
		}
		if bound < -maximumNumber || bound > maximumNumber {
			return nil, fmt.Errorf("numeric: %v is outside of -5e9 to 5e9", bound)
		}
		comparisons, bounds = append(comparisons, comparison), append(bounds, bound)
	}
	if len(bounds) == 2 && (comparisons[0][0] != '>' || comparisons[1][0] != '<' || bounds[0] >= bounds[1]) {
		return nil, fmt.Errorf("numeric: %v is not a range from a lower to a higher bound", operand)
	}
	return func(value any) bool {
		number, ok := value.(float64)
		for i, bound := range bounds {
			ok = ok && compare(number, comparisons[i], bound)
		}
		return ok
	}, nil
}

func compare(number float64, comparison string, bound float64) bool {
	switch comparison {
	case "=":
		return number == bound
	case "<":
		return number < bound
	case "<=":
		return number <= bound
	case ">":
		return number > bound
	}
	return number >= bound
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
