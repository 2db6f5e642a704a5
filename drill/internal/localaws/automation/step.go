package automation

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// step is one of mainSteps.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-actions.html
type step struct {
	name, actionName string
	action           action
	maxAttempts      int
	timeout          time.Duration // of one attempt; 0 without one
	critical         bool
	next             int // index of the step after a success; the number of steps ends the execution
	onFailure        int // index of the step after a failure; abort ends the execution
}

const abort = -1

// The time that one attempt may take.
const (
	// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-executeAwsApi.html
	executeTimeout = 25 * time.Second
	// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-waitForAwsResourceProperty.html
	waitTimeout = 3600 * time.Second
	// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-sleep.html
	maxSleep = 604800 * time.Second
)

// action is what a step does.
type action interface {
	attempt(a *attempt) result
}

func (p *parser) step(i int, o *object) {
	s := p.doc.steps[i]
	s.actionName = o.text("action", true)
	o.text("description", false)
	s.maxAttempts = o.positive("maxAttempts", 1)
	s.timeout = time.Duration(o.positive("timeoutSeconds", 0)) * time.Second
	p.flow(i, s, o)

	v, ok := o.get("inputs")
	if !ok {
		v = map[string]any{}
	}
	inputs := p.object(o.where+": inputs", v)
	switch s.actionName {
	case "aws:executeAwsApi":
		s.action = p.execute(s, o, inputs)
	case "aws:assertAwsResourceProperty":
		s.action = p.property(inputs, false)
	case "aws:waitForAwsResourceProperty":
		if s.timeout == 0 {
			s.timeout = waitTimeout
		}
		s.action = p.property(inputs, true)
	case "aws:branch":
		p.timeless(s, o)
		s.action = p.branch(i, o, inputs)
	case "aws:sleep":
		p.timeless(s, o)
		s.action = p.sleep(inputs)
	case "":
		return
	default:
		o.complain("action %q is not modelled: aws:executeAwsApi, aws:branch, aws:assertAwsResourceProperty, aws:waitForAwsResourceProperty and aws:sleep are", s.actionName)
		return
	}
	inputs.done()
	o.done()
}

// timeless complains about a timeout where there is nothing that could time out.
func (p *parser) timeless(s *step, o *object) {
	if s.timeout > 0 {
		o.complain("timeoutSeconds on %s is not modelled", s.actionName)
	}
}

// flow reads what decides about the next step. After a failure that Continue lets pass, the execution goes on with
// nextStep, or with the step that follows; isEnd ends it after a success and after such a failure. A failure of a
// critical step makes the execution fail, however it goes on; a step is critical unless it says isCritical: false, or
// onFailure: Continue and nothing of isCritical.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-branch-condition.html
func (p *parser) flow(i int, s *step, o *object) {
	s.next = i + 1
	end := o.boolean("isEnd", false)
	if end {
		s.next = len(p.doc.steps)
	}
	if name := o.text("nextStep", false); name != "" {
		s.next = p.target(o, "nextStep", name, i)
		if end {
			o.complain("isEnd and nextStep exclude one another")
		}
		if s.actionName == "aws:branch" {
			o.complain("nextStep on aws:branch is not modelled: use Default")
		}
	}
	s.onFailure = abort
	onFailure := o.text("onFailure", false)
	name, jumps := strings.CutPrefix(onFailure, "step:")
	switch {
	case jumps:
		s.onFailure = p.target(o, "onFailure", name, i)
		if end {
			o.complain("isEnd with onFailure step:%s is not modelled", name)
		}
	case onFailure == "Continue":
		s.onFailure = s.next
	case onFailure != "" && onFailure != "Abort":
		o.complain("onFailure must be Abort, Continue or step:NAME, got %q", onFailure)
	}
	s.critical = o.boolean("isCritical", onFailure != "Continue")
}

// api reads Service, Api and the operation's own inputs.
func (p *parser) api(inputs *object) *apiCall {
	service, name := inputs.text("Service", true), inputs.text("Api", true)
	own := map[string]any{}
	for key, v := range inputs.values {
		if !inputs.asked[key] {
			own[key] = v
		}
	}
	for key := range own {
		inputs.asked[key] = true
	}
	step := strings.TrimSuffix(inputs.where, ": inputs")
	compiled := p.scope.compile(&p.problems, inputs.where, own).(map[string]any)
	if service == "" || name == "" {
		return nil
	}
	op, err := p.doc.catalog.operation(service, name)
	if err != nil {
		p.add(step, "inputs.%v", err)
		return nil
	}
	input, errs := p.doc.catalog.build(op, p.scope.foresee(compiled).(map[string]any))
	if len(errs) == 0 {
		errs = p.doc.catalog.missing(op, input)
	}
	for _, err := range errs {
		p.add(step, "%v", err)
	}
	return &apiCall{operation: op, inputs: compiled}
}

func (p *parser) execute(s *step, o, inputs *object) *executeAwsAPI {
	call := p.api(inputs)
	e := &executeAwsAPI{call: call}
	types := map[string]valueType{}
	for i, v := range o.list("outputs", false) {
		out := p.object(o.where+": outputs["+strconv.Itoa(i)+"]", v)
		name, typ := out.text("Name", true), valueType(out.text("Type", true))
		text := out.text("Selector", true)
		out.done()
		if name != "" && !namePattern.MatchString(name) {
			out.complain("Name %q must be letters, digits and _", name)
		}
		if _, again := types[name]; again {
			out.complain("Name %q is used twice", name)
		}
		types[name] = typ
		known := []valueType{typeString, typeBoolean, typeInteger, typeStringList, typeMapList, typeStringMap}
		if typ != "" && !slices.Contains(known, typ) {
			out.complain("Type %q is not one of String, Boolean, Integer, StringList, MapList, StringMap", typ)
			continue
		}
		if call == nil || text == "" {
			continue
		}
		selector, err := p.doc.catalog.selector(call.operation, text)
		if err != nil {
			out.complain("Selector %v", err)
			continue
		}
		if typ != "" && !selector.selects(typ) {
			out.complain("Type is %s, but %s selects %s", typ, text, selector.kind())
		}
		e.outputs = append(e.outputs, output{name: name, typ: typ, selector: selector})
	}
	p.scope.outputs[s.name] = types
	return e
}

func (p *parser) property(inputs *object, wait bool) *resourceProperty {
	text := inputs.text("PropertySelector", true)
	desired := inputs.list("DesiredValues", true)
	call := p.api(inputs)
	if call == nil || text == "" {
		return nil
	}
	selector, err := p.doc.catalog.selector(call.operation, text)
	if err != nil {
		inputs.complain("PropertySelector %v", err)
		return nil
	}
	if selector.many || !(typeString.fits(selector.leaf) || typeBoolean.fits(selector.leaf) || typeInteger.fits(selector.leaf)) {
		inputs.complain("PropertySelector %s selects %s: only a string, a boolean or a number can be compared", text, selector.kind())
		return nil
	}
	r := &resourceProperty{call: call, selector: selector, wait: wait}
	for i, v := range desired {
		where := inputs.where + ".DesiredValues[" + strconv.Itoa(i) + "]"
		value := p.scope.compile(&p.problems, where, v)
		p.desirable(where, selector, p.scope.foresee(value))
		r.desired = append(r.desired, value)
	}
	return r
}

// desirable complains about a desired value that the property can never have. Booleans compare as True and False.
func (p *parser) desirable(where string, s *selector, v any) {
	if u, ok := v.(unknown); ok {
		switch {
		case u.typ == typeString:
			for _, sample := range u.samples {
				p.desirable(where, s, sample)
			}
		case u.typ != "":
			p.add(where, "%s is a %s: how AWS spells it here is not documented; only a String can be compared", u.source, u.typ)
		}
		return
	}
	text, isText := v.(string)
	if !isText {
		p.add(where, "must be a string, got %s", describe(v))
		return
	}
	switch allowed := enum(s.leaf); {
	case typeBoolean.fits(s.leaf) && text != "True" && text != "False":
		p.add(where, "%s is a boolean: it compares to the strings %q and %q, got %q", s.text, "True", "False", text)
	case typeInteger.fits(s.leaf):
		if _, err := strconv.ParseInt(text, 10, 64); err != nil {
			p.add(where, "%s is a whole number, got %q", s.text, text)
		}
	case allowed != nil && !slices.Contains(allowed, text):
		p.add(where, "%q is not one of %s", text, strings.Join(allowed, ", "))
	}
}

var durationPattern = regexp.MustCompile(`^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$`)

// sleep reads aws:sleep.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-sleep.html
func (p *parser) sleep(inputs *object) *sleep {
	text := inputs.text("Duration", true)
	if text == "" {
		return nil
	}
	var d time.Duration
	if groups := durationPattern.FindStringSubmatch(text); groups != nil {
		for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
			if groups[i+1] == "" {
				continue
			}
			n, err := strconv.Atoi(groups[i+1])
			if err != nil || n > int(maxSleep/time.Second) {
				n = int(maxSleep / time.Second)
			}
			d += time.Duration(n) * unit
		}
	}
	if d <= 0 || d > maxSleep {
		inputs.complain("Duration must be an ISO 8601 duration such as PT30S, of at most 7 days, got %q", text)
	}
	return &sleep{duration: d}
}

// branch reads aws:branch.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-branch.html
func (p *parser) branch(from int, o, inputs *object) *branch {
	b := &branch{fallback: -1}
	if name := inputs.text("Default", false); name != "" {
		b.fallback = p.target(o, "inputs.Default", name, from)
	}
	for i, v := range inputs.list("Choices", true) {
		c := p.object(fmt.Sprintf("%s.Choices[%d]", inputs.where, i), v)
		name := c.text("NextStep", true)
		if name != "" {
			b.choices = append(b.choices, choice{next: p.target(c, "NextStep", name, from), condition: p.condition(c)})
		}
	}
	return b
}

// condition tests values at run time.
type condition func(values) (bool, error)

// condition reads And, Or, Not, or a Variable and one operator.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-branch-condition.html
func (p *parser) condition(o *object) condition {
	modelled := []string{"And", "Or", "Not", "StringEquals", "EqualsIgnoreCase", "BooleanEquals"}
	var operators []string
	for _, key := range sortedKeys(o.values) {
		if o.asked[key] || key == "Variable" {
			continue
		}
		if o.asked[key] = true; !slices.Contains(modelled, key) {
			o.complain("operator %q is not modelled: %s are", key, strings.Join(modelled, ", "))
			return nil
		}
		operators = append(operators, key)
	}
	if len(operators) != 1 {
		o.complain("must have one operator of %s, got %d", strings.Join(modelled, ", "), len(operators))
		return nil
	}
	operator := operators[0]
	operand := o.values[operator]
	where := o.where + "." + operator
	switch operator {
	case "And", "Or":
		var conditions []condition
		for i, v := range o.list(operator, true) {
			conditions = append(conditions, p.condition(p.object(where+"["+strconv.Itoa(i)+"]", v)))
		}
		o.done()
		return combine(conditions, operator == "And")
	case "Not":
		inner := p.condition(p.object(where, operand))
		o.done()
		return func(lookup values) (bool, error) {
			holds, err := inner(lookup)
			return !holds, err
		}
	}
	return p.comparison(o, operator, where, operand)
}

// combine is And if every condition must hold, Or otherwise.
func combine(conditions []condition, every bool) condition {
	return func(lookup values) (bool, error) {
		for _, c := range conditions {
			holds, err := c(lookup)
			if err != nil || holds != every {
				return holds, err
			}
		}
		return every, nil
	}
}

func (p *parser) comparison(o *object, operator, where string, operand any) condition {
	variable := p.scope.compileText(&p.problems, o.where+".Variable", o.text("Variable", true))
	o.done()
	want := typeString
	if operator == "BooleanEquals" {
		want = typeBoolean
		if _, ok := operand.(bool); !ok {
			p.add(where, "must be true or false, without quotes, got %s", describe(operand))
		}
	} else if _, ok := operand.(string); !ok {
		p.add(where, "must be a string, got %s", describe(operand))
	}
	t, ok := variable.(*template)
	if ok && !t.broken && (!t.whole() || t.parts[0].typ != want) {
		o.complain("Variable must be one reference to a %s for %s", want, operator)
	} else if !ok && variable != "" {
		o.complain("Variable must be a reference, got %s", describe(variable))
	}
	operand = p.scope.compile(&p.problems, where, operand)
	if u, ok := p.scope.foresee(operand).(unknown); ok && u.typ != "" && u.typ != typeString {
		p.add(where, "must be a string, and %s is a %s", u.source, u.typ)
	}
	return func(lookup values) (bool, error) {
		left, err := resolve(variable, lookup)
		if err != nil {
			return false, err
		}
		right, err := resolve(operand, lookup)
		if err != nil {
			return false, err
		}
		if a, ok := left.(string); ok && operator == "EqualsIgnoreCase" {
			return strings.EqualFold(a, fmt.Sprint(right)), nil
		}
		return left == right, nil
	}
}
