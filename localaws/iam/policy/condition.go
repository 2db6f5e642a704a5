package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// condition is one operator on one key.
type condition struct {
	key      string // in lower case
	operator string // the operator without its quantifier and suffix, in lower case
	compare  func(actual string, values keys) bool
	negated  bool
	ifExists bool
	forAny   bool
	forAll   bool
	absent   bool // of Null: the key must be absent
}

// parseCondition reads one operator with one key and its values.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
func parseCondition(operator, key string, raw json.RawMessage, variables bool) (condition, error) {
	values, err := conditionValues(raw)
	if err != nil {
		return condition{}, err
	}
	c := condition{key: strings.ToLower(key), operator: strings.ToLower(operator)}
	c.operator, c.forAny = strings.CutPrefix(c.operator, "foranyvalue:")
	if !c.forAny {
		c.operator, c.forAll = strings.CutPrefix(c.operator, "forallvalues:")
	}
	c.operator, c.ifExists = strings.CutSuffix(c.operator, "ifexists")
	if c.operator == "null" {
		return c.parseNull(values)
	}
	positive, negated := negations[c.operator]
	if !negated {
		positive = c.operator
	}
	c.negated = negated
	comparer := comparers(positive, variables)
	if comparer == nil {
		return condition{}, errors.New("the operator is unknown or not modelled")
	}
	var compares []func(string, keys) bool
	for _, value := range values {
		compare, err := comparer(value)
		if err != nil {
			return condition{}, fmt.Errorf("value %q: %w", value, err)
		}
		compares = append(compares, compare)
	}
	c.compare = func(actual string, values keys) bool {
		for _, compare := range compares {
			if compare(actual, values) {
				return true
			}
		}
		return false
	}
	return c, nil
}

func (c condition) parseNull(values []string) (condition, error) {
	if c.ifExists || c.forAny || c.forAll || len(values) != 1 {
		return condition{}, errors.New("the operator Null takes one value, no quantifier and no IfExists")
	}
	absent, err := strconv.ParseBool(strings.ToLower(values[0]))
	if err != nil {
		return condition{}, fmt.Errorf("value %q is neither true nor false", values[0])
	}
	c.absent = absent
	return c, nil
}

// conditionValues reads one value or a list of them; numbers and booleans stand for their text.
func conditionValues(raw json.RawMessage) ([]string, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var decoded any
	if err := decoder.Decode(&decoded); err != nil {
		return nil, err
	}
	list, ok := decoded.([]any)
	if !ok {
		list = []any{decoded}
	}
	if len(list) == 0 {
		return nil, errors.New("it has no value")
	}
	var values []string
	for _, value := range list {
		switch value := value.(type) {
		case string:
			values = append(values, value)
		case bool:
			values = append(values, strconv.FormatBool(value))
		case json.Number:
			values = append(values, value.String())
		default:
			return nil, fmt.Errorf("value %v is no string, number or boolean", value)
		}
	}
	return values, nil
}

// negations names, for each operator that negates another, that other one.
var negations = map[string]string{
	"stringnotequals":           "stringequals",
	"stringnotequalsignorecase": "stringequalsignorecase",
	"stringnotlike":             "stringlike",
	"arnnotequals":              "arnequals",
	"arnnotlike":                "arnlike",
	"numericnotequals":          "numericequals",
}

type comparer func(value string) (func(actual string, values keys) bool, error)

// comparers finds what makes the comparison for one value of an operator, which is in lower case and not negated. It is
// nil for an unknown operator.
func comparers(operator string, variables bool) comparer {
	switch operator {
	case "stringequals":
		return func(value string) (func(string, keys) bool, error) {
			p, err := literal(value, variables)
			return p.match, err
		}
	case "stringequalsignorecase":
		return func(value string) (func(string, keys) bool, error) {
			p, err := literal(value, variables)
			return func(actual string, values keys) bool {
				runes, ok := p.resolve(values)
				if p.exact {
					return strings.EqualFold(p.plain, actual)
				}
				return ok && strings.EqualFold(string(runes), actual)
			}, err
		}
	case "stringlike":
		return func(value string) (func(string, keys) bool, error) {
			p, err := compile(value, variables)
			return p.match, err
		}
	case "arnequals", "arnlike":
		return func(value string) (func(string, keys) bool, error) {
			p, err := compileARN(value, variables)
			return func(actual string, values keys) bool { return matchARN(p, actual, values) }, err
		}
	case "bool":
		return func(value string) (func(string, keys) bool, error) {
			if lower := strings.ToLower(value); lower != "true" && lower != "false" {
				return nil, errors.New("it is neither true nor false")
			}
			return func(actual string, _ keys) bool { return strings.EqualFold(value, actual) }, nil
		}
	}
	order, numeric := numericOrders[operator]
	if !numeric {
		return nil
	}
	return func(value string) (func(string, keys) bool, error) {
		want, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return nil, errors.New("it is no number")
		}
		return func(actual string, _ keys) bool {
			got, err := strconv.ParseFloat(actual, 64)
			return err == nil && order(got, want)
		}, nil
	}
}

var numericOrders = map[string]func(got, want float64) bool{
	"numericequals":            func(got, want float64) bool { return got == want },
	"numericlessthan":          func(got, want float64) bool { return got < want },
	"numericlessthanequals":    func(got, want float64) bool { return got <= want },
	"numericgreaterthan":       func(got, want float64) bool { return got > want },
	"numericgreaterthanequals": func(got, want float64) bool { return got >= want },
}

// literal reads a pattern in which * and ? are themselves.
func literal(value string, expand bool) (pattern, error) {
	p, err := compile(value, expand)
	if err != nil {
		return pattern{}, err
	}
	restore := func(runes []rune) {
		for i, r := range runes {
			switch r {
			case anyText:
				runes[i] = '*'
			case anyRune:
				runes[i] = '?'
			}
		}
	}
	restore(p.runes)
	for _, part := range p.parts {
		restore(part.runes)
	}
	return p, nil
}

// holds tells whether the request meets the condition. A request with several values of a key can only be judged by a
// condition with a quantifier; without one it is an error.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
func (c condition) holds(request keys) (bool, error) {
	actual, present := request[c.key]
	if c.operator == "null" {
		return c.absent != present, nil
	}
	matches := func(value string) bool { return c.compare(value, request) != c.negated }
	switch {
	case !present && c.forAny:
		return c.ifExists, nil
	case !present:
		return c.ifExists || c.negated || c.forAll, nil
	case c.forAny:
		for _, value := range actual {
			if matches(value) {
				return true, nil
			}
		}
		return false, nil
	case c.forAll:
		for _, value := range actual {
			if !matches(value) {
				return false, nil
			}
		}
		return true, nil
	case len(actual) != 1:
		return false, fmt.Errorf("the request has %d values of %s: the condition needs ForAnyValue or ForAllValues",
			len(actual), c.key)
	}
	return matches(actual[0]), nil
}
