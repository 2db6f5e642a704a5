package automation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// scriptTimeout is the time that a script may take. Its output is limited by the worker.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-executeScript.html
const scriptTimeout = 600 * time.Second

// runtime is the one that is modelled.
const runtime = "python3.11"

// retired are the runtimes whose runbooks can be neither created nor started any more.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-executeScript.html
func retired() []string { return []string{"python3.6", "python3.7", "python3.8", "python3.9"} }

// script is aws:executeScript.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-executeScript.html
type script struct {
	text    any // a string or a *template
	handler string
	payload any // holds templates
	outputs []output
}

type output struct {
	name     string
	typ      valueType
	selector string
	members  []string // from the payload down
}

var selectorPattern = regexp.MustCompile(`^\$\.Payload((?:\.[A-Za-z0-9_-]+)*)$`)

// parseScript reads a step's inputs and outputs, and returns the types of the outputs, too.
func parseScript(p *problems, scope *scope, step, inputs *object) (*script, map[string]valueType) {
	action := &script{handler: inputs.text("Handler", true)}
	switch given := inputs.text("Runtime", true); {
	case slices.Contains(retired(), given):
		inputs.complain("Runtime %q is retired: use %s", given, runtime)
	case given != "" && given != runtime:
		inputs.complain("Runtime %q is not modelled: %s is", given, runtime)
	}
	if text := inputs.text("Script", true); text != "" {
		action.text = scope.compileString(p, inputs.where+".Script", text)
		defined := regexp.MustCompile(`(?m)^def\s+` + regexp.QuoteMeta(action.handler) + `\s*\(`)
		if action.handler != "" && !defined.MatchString(text) {
			inputs.complain("Handler %q is no function that the Script defines at its top level", action.handler)
		}
	}
	payload, ok := inputs.get("InputPayload")
	if _, isMap := payload.(map[string]any); ok && !isMap {
		inputs.complain("InputPayload must be a map, got %s", describe(payload))
	} else if !ok {
		payload = map[string]any{}
	}
	action.payload = scope.compile(p, inputs.where+".InputPayload", payload)
	var types map[string]valueType
	action.outputs, types = parseOutputs(p, step)
	return action, types
}

func parseOutputs(p *problems, step *object) ([]output, map[string]valueType) {
	var outputs []output
	types := map[string]valueType{}
	for i, v := range step.list("outputs", false) {
		out := p.object(step.where+": outputs["+strconv.Itoa(i)+"]", v)
		name, typ, selector := out.text("Name", true), valueType(out.text("Type", true)), out.text("Selector", true)
		out.done()
		if name != "" && !namePattern.MatchString(name) {
			out.complain("Name %q must be letters, digits and _", name)
		}
		if _, again := types[name]; again {
			out.complain("Name %q is used twice", name)
		}
		known := []valueType{typeString, typeBoolean, typeInteger, typeStringList, typeMapList, typeStringMap}
		if typ != "" && !slices.Contains(known, typ) {
			out.complain("Type %q is not one of String, Boolean, Integer, StringList, MapList, StringMap", typ)
			typ = ""
		}
		types[name] = typ
		match := selectorPattern.FindStringSubmatch(selector)
		if match == nil {
			if selector != "" {
				out.complain("Selector %q is not modelled: $.Payload and $.Payload.a.b are", selector)
			}
			continue
		}
		outputs = append(outputs, output{name: name, typ: typ, selector: selector, members: strings.Split(match[1], ".")[1:]})
	}
	return outputs, types
}

// get is the output's value in what a handler returned.
func (o *output) get(payload any) (any, error) {
	value := payload
	for _, name := range o.members {
		members, _ := value.(map[string]any)
		var ok bool
		if value, ok = members[name]; !ok {
			return nil, fmt.Errorf("output %s: the selector %s matches nothing", o.name, o.selector)
		}
	}
	if err := o.typ.check(value); err != nil {
		return nil, fmt.Errorf("output %s is a %s: %s %w", o.name, o.typ, o.selector, err)
	}
	return value, nil
}

func (s *script) begin(execution *Execution, step *step) attempt {
	limit := scriptTimeout
	if step.timeout > 0 {
		limit = min(limit, step.timeout)
	}
	return &scriptAttempt{execution: execution, step: step, script: s, limit: limit, deadline: execution.now().Add(limit)}
}

// scriptAttempt is one run of a script. Between two advances the script waits: for the call that it has asked for, or
// for the end of a sleep.
type scriptAttempt struct {
	execution *Execution
	step      *step
	script    *script
	limit     time.Duration
	deadline  time.Time

	run     *run
	asked   question
	expired bool // at the deadline the attempt times out, whatever the script does until then
}

func (a *scriptAttempt) advance(ctx context.Context) result {
	if a.run == nil {
		if err := a.begin(); err != nil {
			return a.fail(err)
		}
		if r, over := a.await(ctx); over || a.asked.Request == nil {
			return r
		}
	}
	if a.isLate() {
		return a.timeOut()
	}
	reply := message{}
	if a.asked.Request != nil {
		var err error
		if reply.Response, err = a.call(ctx, a.asked.Request); err != nil {
			return a.fail(err)
		}
		if a.isLate() {
			return a.timeOut()
		}
	}
	reply.Now = a.execution.now().UnixNano()
	if err := a.run.send(reply); err != nil {
		return a.fail(a.broken(err))
	}
	r, _ := a.await(ctx)
	return r
}

func (a *scriptAttempt) isLate() bool { return a.expired || a.execution.now().After(a.deadline) }

func (a *scriptAttempt) timeOut() result {
	a.stop()
	return result{timedOut: true, err: fmt.Errorf("timed out after %v s", a.limit.Seconds())}
}

func (a *scriptAttempt) fail(err error) result {
	a.stop()
	return result{err: err}
}

func (a *scriptAttempt) stop() {
	if a.run != nil {
		a.run.stop()
	}
}

// begin starts the script, with what is known now.
func (a *scriptAttempt) begin() error {
	text, err := resolve(a.script.text, a.execution.lookup)
	if err != nil {
		return err
	}
	payload, err := resolve(a.script.payload, a.execution.lookup)
	if err != nil {
		return err
	}
	record := a.execution.Steps[len(a.execution.Steps)-1]
	a.run, err = a.execution.engine.Worker.start(a.execution.now(), job{
		Script: text.(string), Handler: a.script.handler, Events: payload, Credentials: a.execution.AssumeRole != "",
		Seed: fmt.Sprintf("%s/%s/%d", a.execution.ID, record.Name, record.Attempts),
	})
	return a.broken(err)
}

// broken reports an error that is the simulation's.
func (a *scriptAttempt) broken(err error) error {
	if err != nil && a.execution.engine.OnFailure != nil {
		a.execution.engine.OnFailure(fmt.Errorf("running step %s of %s: %w", a.step.name, a.execution.ID, err))
	}
	return err
}

// await lets the script compute until it asks for something or ends, and reports whether the attempt is over.
func (a *scriptAttempt) await(ctx context.Context) (r result, over bool) {
	asked, err := a.run.next(ctx)
	a.asked = asked
	switch {
	case errors.Is(err, errComputes):
		// It would compute until the deadline. The others need not wait for it.
		a.stop()
		a.expire()
	case err != nil:
		return a.fail(a.broken(err)), true
	case asked.End != nil:
		return a.finish(asked.End), true
	case asked.Sleep != nil:
		// A sleep of no time would let a script loop for ever.
		seconds := min(max(*asked.Sleep, 0.001), 2*scriptTimeout.Seconds())
		wake := a.execution.now().Add(time.Duration(seconds * float64(time.Second)))
		if wake.After(a.deadline) {
			a.expire()
		} else {
			a.execution.wake = wake
		}
	}
	return result{goesOn: true}, false
}

func (a *scriptAttempt) expire() {
	a.expired = true
	a.execution.wake = a.deadline
}

func (a *scriptAttempt) finish(end *end) result {
	if end.Failure != "" {
		return result{err: errors.New(end.Failure)}
	}
	payload, err := decodeJSON([]byte(end.Payload))
	if err != nil {
		return result{err: fmt.Errorf("reading the output: %w", err)}
	}
	outputs := map[string]any{}
	for _, output := range a.script.outputs {
		if outputs[output.name], err = output.get(payload); err != nil {
			return result{err: err}
		}
	}
	return result{outputs: outputs}
}

// call makes a request of the script with the credentials of the execution's role, and records it.
func (a *scriptAttempt) call(ctx context.Context, asked *request) (*response, error) {
	engine := a.execution.engine
	r, err := http.NewRequestWithContext(ctx, asked.Method, asked.URL, bytes.NewReader(asked.Body))
	if err != nil {
		return nil, a.broken(fmt.Errorf("reading a request of the script: %w", err))
	}
	for name, value := range asked.Headers {
		r.Header.Set(name, value)
	}
	signed := strings.Replace(r.Header.Get("Authorization"), "Credential="+scriptKey+"/", "Credential="+engine.AccessKeyID+"/", 1)
	r.Header.Set("Authorization", signed)
	at := a.execution.now()
	answered, err := engine.Send(r)
	if err != nil {
		return nil, a.broken(fmt.Errorf("answering a request of the script: %w", err))
	}
	service := answered.Call.Service
	if service == "monitoring" {
		service = "cloudwatch" // the only one in use whose signing name boto3 does not use
	}
	a.execution.Calls = append(a.execution.Calls, CallRecord{
		Step: a.step.name, Service: service, API: answered.Call.Operation, Input: answered.Call.Input,
		ErrorCode: answered.ErrorCode, Time: at,
	})
	engine.Clock.Advance(engine.callDuration())
	headers := map[string]string{}
	for name := range answered.Header {
		headers[name] = answered.Header.Get(name)
	}
	return &response{Status: answered.Status, Headers: headers, Body: answered.Body}, nil
}
