package automation

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxParameterValue is the number of characters that a value given to StartAutomationExecution may have.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_StartAutomationExecution.html
const maxParameterValue = 512

// parameter is one parameter of a document.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/documents-syntax-data-elements-parameters.html
type parameter struct {
	typ        valueType
	fallback   any // the default; nil without one
	allowed    []any
	pattern    *regexp.Regexp // matches whole values
	patternSrc string
	broken     bool // was complained about
}

func parseParameter(p *problems, name string, v any) *parameter {
	param := &parameter{}
	before := len(p.errs)
	defer func() { param.broken = len(p.errs) > before }()
	o := p.object("parameter "+name, v)
	param.typ = valueType(o.text("type", true))
	o.text("description", false)
	switch param.typ {
	case typeString, typeBoolean, typeInteger, typeStringList, typeMapList:
	default:
		o.complain("type %q is not one of String, Boolean, Integer, StringList, MapList", param.typ)
		return param
	}
	if pattern, ok := o.get("allowedPattern"); ok {
		param.parsePattern(o, pattern)
	}
	_, restricted := o.get("allowedValues")
	for i, allowed := range o.list("allowedValues", restricted) {
		if err := param.typ.item().check(allowed); err != nil {
			o.complain("allowedValues[%d] %v", i, err)
		}
		param.allowed = append(param.allowed, allowed)
	}
	if fallback, ok := o.get("default"); ok {
		param.fallback = fallback
		for _, reason := range param.violations(fallback) {
			o.complain("default %s", reason)
		}
	}
	o.done()
	return param
}

func (p *parameter) parsePattern(o *object, v any) {
	text, isText := v.(string)
	if !isText {
		o.complain("allowedPattern must be a string, got %s", describe(v))
		return
	}
	if p.typ != typeString && p.typ != typeStringList {
		o.complain("allowedPattern on a %s is not modelled", p.typ)
		return
	}
	pattern, err := regexp.Compile(`^(?:` + text + `)$`)
	if err != nil {
		o.complain("allowedPattern cannot be evaluated here: %v", err)
		return
	}
	p.pattern, p.patternSrc = pattern, text
}

func (p *parameter) list() bool { return p.typ == typeStringList || p.typ == typeMapList }

// violations are all reasons why a value is refused. Allowed values and the pattern of a list are those of its items.
func (p *parameter) violations(v any) []string {
	if !p.list() {
		return p.itemViolations(v)
	}
	items, ok := v.([]any)
	if !ok {
		return []string{"must be a list, got " + describe(v)}
	}
	var reasons []string
	for i, item := range items {
		for _, reason := range p.itemViolations(item) {
			reasons = append(reasons, fmt.Sprintf("[%d] %s", i, reason))
		}
	}
	return reasons
}

func (p *parameter) itemViolations(v any) []string {
	if err := p.typ.item().check(v); err != nil {
		return []string{err.Error()}
	}
	var reasons []string
	if p.allowed != nil && !slices.ContainsFunc(p.allowed, func(allowed any) bool { return canonical(allowed) == canonical(v) }) {
		reasons = append(reasons, canonical(v)+" is not one of the allowedValues "+canonical(p.allowed))
	}
	if s, ok := v.(string); ok && p.pattern != nil && !p.pattern.MatchString(s) {
		reasons = append(reasons, fmt.Sprintf("%s does not match the allowedPattern %s", canonical(s), p.patternSrc))
	}
	return reasons
}

// canonical is a value as JSON with sorted keys.
func canonical(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}

// parse reads the texts of one parameter as StartAutomationExecution takes them.
func (p *parameter) parse(texts []string) (any, []string) {
	for i, text := range texts {
		if n := utf8.RuneCountInString(text); n > maxParameterValue {
			return nil, []string{fmt.Sprintf("value %d has %d characters: at most %d are allowed", i, n, maxParameterValue)}
		}
	}
	if !p.list() && len(texts) != 1 {
		return nil, []string{fmt.Sprintf("must have one value, got %d", len(texts))}
	}
	var items []any
	for i, text := range texts {
		item, err := p.parseItem(text)
		if err != nil {
			return nil, []string{fmt.Sprintf("value %d %v", i, err)}
		}
		items = append(items, item)
	}
	if p.list() {
		items = append([]any{}, items...)
		return items, p.violations(items)
	}
	return items[0], p.violations(items[0])
}

func (p *parameter) parseItem(text string) (any, error) {
	switch p.typ {
	case typeBoolean:
		if !strings.EqualFold(text, "true") && !strings.EqualFold(text, "false") {
			return nil, fmt.Errorf("must be true or false, got %q", text)
		}
		return strings.EqualFold(text, "true"), nil
	case typeInteger:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("must be a whole number, got %q", text)
		}
		return n, nil
	case typeMapList:
		item, err := decodeJSON([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("must be a JSON object: %w", err)
		}
		return item, nil
	}
	return text, nil
}
