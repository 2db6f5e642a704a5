package automation

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxDocument is the size of a document in bytes.
// https://docs.aws.amazon.com/general/latest/gr/ssm.html
const maxDocument = 64 * 1024

// Document is an Automation document that has been found valid. It is never changed, and any number of executions may
// use it at once.
type Document struct {
	// Description is the document's own.
	Description string

	assumeRole any // a string or a *template; "" without one
	parameters map[string]*parameter
	steps      []*step
	outputs    []reference
}

// Parse reads a document of schema 0.3, as JSON or YAML of at most 64 KB.
//
// The error joins everything that is wrong with it; each problem names the step or parameter, and the field. What
// Automation allows and this package does not model is wrong, too.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/documents-syntax-data-elements-parameters.html
func Parse(content []byte) (*Document, error) {
	if len(content) > maxDocument {
		return nil, fmt.Errorf("the document has %d bytes: at most %d are allowed", len(content), maxDocument)
	}
	value, err := decode(content)
	if err != nil {
		return nil, err
	}
	p := &parser{
		doc:   &Document{parameters: map[string]*parameter{}},
		scope: scope{outputs: map[string]map[string]valueType{}},
		index: map[string]int{},
	}
	p.document(value)
	if len(p.errs) > 0 {
		return nil, errors.Join(p.errs...)
	}
	return p.doc, nil
}

// parser builds a document and collects what is wrong with it.
type parser struct {
	problems
	doc   *Document
	scope scope
	index map[string]int // of the steps, by name
}

func (p *parser) document(v any) {
	o := p.object("document", v)
	if version := o.text("schemaVersion", true); version != "" && version != "0.3" {
		o.complain("schemaVersion must be %q, got %q", "0.3", version)
	}
	p.doc.Description = o.text("description", false)
	p.parameters(o)
	p.doc.assumeRole = p.scope.compileString(&p.problems, "document: assumeRole", o.text("assumeRole", false))
	p.steps(o)
	for i, v := range o.list("outputs", false) {
		p.output(fmt.Sprintf("document: outputs[%d]", i), v)
	}
	o.done()
}

func (p *parser) parameters(o *object) {
	p.scope.parameters = p.doc.parameters
	v, ok := o.get("parameters")
	if !ok {
		return
	}
	params := p.object("document: parameters", v)
	for name := range params.values {
		params.asked[name] = true
	}
	for _, name := range sortedKeys(params.asked) {
		if !namePattern.MatchString(name) {
			params.complain("the name %q must be letters, digits and _", name)
		}
		p.doc.parameters[name] = parseParameter(&p.problems, name, params.values[name])
	}
}

// steps reads mainSteps: first the names, since steps refer to later ones, then what they do.
func (p *parser) steps(o *object) {
	var objects []*object
	for i, v := range o.list("mainSteps", true) {
		s := p.object("mainSteps["+strconv.Itoa(i)+"]", v)
		name := s.text("name", true)
		if name != "" {
			s.where = "step " + name
		}
		if name != "" && !namePattern.MatchString(name) {
			s.complain("the name must be letters, digits and _")
		}
		if _, again := p.index[name]; again && name != "" {
			s.complain("the name is used twice")
		}
		p.index[name] = i
		p.doc.steps = append(p.doc.steps, &step{name: name})
		objects = append(objects, s)
	}
	for i, s := range objects {
		p.step(i, s)
	}
}

// output reads one of the document's outputs: STEP.OUTPUT.
func (p *parser) output(where string, v any) {
	text, isText := v.(string)
	name, output, dotted := strings.Cut(text, ".")
	if !isText || !dotted {
		p.add(where, "must be a string such as STEP.OUTPUT, got %s", describe(v))
		return
	}
	ref := reference{step: name, name: output}
	if _, err := p.scope.typeOf(ref); err != nil {
		p.add(where, "%v", err)
	}
	p.doc.outputs = append(p.doc.outputs, ref)
}

// target is the index of the step that a field names. Steps can only jump ahead: loops are not modelled.
func (p *parser) target(o *object, field, name string, from int) int {
	i, ok := p.index[name]
	switch {
	case !ok:
		o.complain("%s names the step %q, which does not exist%s", field, name, suggestion(name, sortedKeys(p.index)))
	case i <= from:
		o.complain("%s names the step %q, which is not after this one: loops are not modelled", field, name)
	}
	return i
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
	case "aws:executeScript":
		s.action, p.scope.outputs[s.name] = parseScript(&p.problems, &p.scope, o, inputs)
	case "aws:sleep":
		if s.timeout > 0 {
			o.complain("timeoutSeconds on aws:sleep is not modelled")
		}
		s.action = parseSleep(inputs)
		p.scope.outputs[s.name] = nil
	case "":
		return
	default:
		o.complain("action %q is not modelled: aws:executeScript and aws:sleep are", s.actionName)
		return
	}
	inputs.done()
	o.done()
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
