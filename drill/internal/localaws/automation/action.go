package automation

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/smithy-go"
)

// attempt is one attempt of one step; for a waiting step, one poll of it.
type attempt struct {
	ctx   context.Context
	x     *Execution
	step  *step
	since time.Time // when the attempt began: before the first poll of a waiting step
}

// result is what became of an attempt. Without err it succeeded, unless it must poll again.
type result struct {
	err      error
	timedOut bool
	again    bool // poll again
	jump     bool // to next
	next     int
	outputs  map[string]any
}

func fail(format string, args ...any) result { return result{err: fmt.Errorf(format, args...)} }

// elapsed is the time on the clock since the attempt began.
func (a *attempt) elapsed() time.Duration { return a.x.engine.Clock.Now().Sub(a.since) }

// apiCall is a call of an operation with inputs that may hold templates.
type apiCall struct {
	operation *operation
	inputs    map[string]any
}

// do makes the call, unless the inputs are not what the operation takes, and records it.
func (c *apiCall) do(a *attempt) (any, error) {
	op, x := c.operation, a.x
	resolved, err := resolve(c.inputs, x.lookup)
	if err != nil {
		return nil, err
	}
	catalog := x.document.catalog
	input, errs := catalog.build(op, resolved.(map[string]any))
	if len(errs) > 0 {
		return nil, fmt.Errorf("%s %s: %w", op.service, op.api, errors.Join(errs...))
	}
	sent, err := catalog.exportStruct(input.Elem())
	if err != nil {
		return nil, fmt.Errorf("%s %s: recording the input: %w", op.service, op.api, err)
	}
	record := CallRecord{Step: a.step.name, Service: op.service, API: op.api, Input: sent, Time: x.engine.Clock.Now()}
	output, err := op.call(a.ctx, x.engine.client(op.service), input)
	var invalid smithy.InvalidParamsError
	if errors.As(err, &invalid) {
		return nil, fmt.Errorf("%s %s: %w", op.service, op.api, errors.Join(catalog.required(op, invalid)...))
	}
	var unsent *smithy.SerializationError
	if errors.As(err, &unsent) {
		return nil, fmt.Errorf("%s %s: the request cannot be made: %w", op.service, op.api, unsent.Err)
	}
	var refused smithy.APIError
	if errors.As(err, &refused) {
		record.ErrorCode = refused.ErrorCode()
		err = fmt.Errorf("%s %s: %s: %s", op.service, op.api, refused.ErrorCode(), refused.ErrorMessage())
	} else if err != nil {
		err = fmt.Errorf("%s %s: %w", op.service, op.api, err)
	}
	x.Calls = append(x.Calls, record)
	x.engine.Clock.Advance(x.engine.stepDuration())
	if err != nil {
		return nil, err
	}
	return catalog.exportStruct(output)
}

// executeAwsAPI is aws:executeAwsApi.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-executeAwsApi.html
type executeAwsAPI struct {
	call    *apiCall
	outputs []output
}

type output struct {
	name     string
	typ      valueType
	selector *selector
}

func (e *executeAwsAPI) attempt(a *attempt) result {
	response, err := e.call.do(a)
	limit := executeTimeout
	if a.step.timeout > 0 {
		limit = min(limit, a.step.timeout)
	}
	op := e.call.operation
	if took := a.elapsed(); took > limit {
		return result{timedOut: true, err: fmt.Errorf("%s %s: took %v: timed out after %v", op.service, op.api, took, limit)}
	}
	if err != nil {
		return result{err: err}
	}
	outputs := map[string]any{}
	for _, output := range e.outputs {
		value, ok := output.selector.get(response)
		if !ok {
			if a.x.engine.UnmatchedSelector == FailStep {
				return fail("%s %s: the selector %s of output %s matches nothing", op.service, op.api, output.selector.text, output.name)
			}
			value = output.typ.empty()
		}
		outputs[output.name] = value
	}
	return result{outputs: outputs}
}

// empty is the value of an output whose selector matches nothing, with EmptyOutput.
func (v valueType) empty() any {
	switch v {
	case typeStringList, typeMapList:
		return []any{}
	case typeStringMap:
		return map[string]any{}
	}
	return ""
}

// resourceProperty is aws:assertAwsResourceProperty and aws:waitForAwsResourceProperty. What a wait does when the API
// refuses a poll is not documented; here it fails the attempt.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-assertAwsResourceProperty.html
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-waitForAwsResourceProperty.html
type resourceProperty struct {
	call     *apiCall
	selector *selector
	desired  []any
	wait     bool
}

func (r *resourceProperty) attempt(a *attempt) result {
	response, err := r.call.do(a)
	if err != nil {
		return result{err: err}
	}
	op := r.call.operation
	value, ok := r.selector.get(response)
	if !ok && a.x.engine.UnmatchedSelector == FailStep {
		return fail("%s %s: the selector %s matches nothing", op.service, op.api, r.selector.text)
	}
	var texts []string
	for _, desired := range r.desired {
		want, err := resolve(desired, a.x.lookup)
		if err != nil {
			return result{err: err}
		}
		if ok && want == propertyText(value) {
			return result{}
		}
		texts = append(texts, fmt.Sprintf("%q", want))
	}
	not := fmt.Errorf("%s %s: %s is %q, not %s", op.service, op.api, r.selector.text, propertyText(value), strings.Join(texts, " or "))
	took, interval := a.elapsed(), a.x.engine.pollInterval()
	switch limit := a.step.timeout; {
	case !r.wait && limit > 0 && took > limit:
		return result{timedOut: true, err: fmt.Errorf("%w: timed out after %v", not, limit)}
	case !r.wait:
		return result{err: not}
	case took+interval >= limit:
		a.x.engine.Clock.Advance(max(0, limit-took))
		return result{timedOut: true, err: fmt.Errorf("%w: timed out after %v", not, limit)}
	}
	a.x.engine.Clock.Advance(interval)
	return result{again: true, err: not}
}

// propertyText is a property as desired values compare to it.
func propertyText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case bool:
		if v {
			return "True"
		}
		return "False"
	case int64:
		return strconv.FormatInt(v, 10)
	}
	return fmt.Sprint(v)
}

// sleep is aws:sleep. Its duration passes on the clock in one attempt.
type sleep struct{ duration time.Duration }

func (s *sleep) attempt(a *attempt) result {
	a.x.engine.Clock.Advance(s.duration)
	return result{}
}

// branch is aws:branch. Without a choice that holds and without a default the execution falls through.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-branch.html
type branch struct {
	choices  []choice
	fallback int // index of the Default; -1 without one
}

type choice struct {
	condition condition
	next      int
}

func (b *branch) attempt(a *attempt) result {
	a.x.engine.Clock.Advance(a.x.engine.stepDuration())
	for _, choice := range b.choices {
		holds, err := choice.condition(a.x.lookup)
		if err != nil {
			return result{err: err}
		}
		if holds {
			return result{jump: true, next: choice.next}
		}
	}
	return result{jump: b.fallback >= 0, next: b.fallback}
}
