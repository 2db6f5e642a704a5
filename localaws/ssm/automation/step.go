package automation

import (
	"context"
	"regexp"
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

// action is what a step does.
type action interface {
	begin(x *Execution, s *step) attempt
}

// attempt is one attempt of one step.
type attempt interface {
	// advance makes one call, or begins or ends one sleep.
	advance(ctx context.Context) result
	// stop ends an attempt that will not be advanced any more.
	stop()
}

// result is what became of an attempt. Without err it succeeded, unless it goes on.
type result struct {
	err      error
	timedOut bool
	goesOn   bool
	outputs  map[string]any
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
		s.action = p.script(s, o, inputs)
	case "aws:sleep":
		if s.timeout > 0 {
			o.complain("timeoutSeconds on aws:sleep is not modelled")
		}
		s.action = p.sleep(inputs)
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

// maxSleep is the longest duration of aws:sleep.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-sleep.html
const maxSleep = 604800 * time.Second

var durationPattern = regexp.MustCompile(`^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$`)

// sleep is aws:sleep.
type sleep struct{ duration time.Duration }

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

func (s *sleep) begin(x *Execution, _ *step) attempt { return &sleeping{x: x, duration: s.duration} }

type sleeping struct {
	x        *Execution
	duration time.Duration
	begun    bool
}

func (s *sleeping) advance(context.Context) result {
	if !s.begun {
		s.begun = true
		s.x.wake = s.x.now().Add(s.duration)
		return result{goesOn: true}
	}
	return result{}
}

func (*sleeping) stop() {}
