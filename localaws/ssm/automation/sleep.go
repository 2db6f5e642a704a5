package automation

import (
	"context"
	"regexp"
	"strconv"
	"time"
)

// maxSleep is the longest duration of aws:sleep.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-sleep.html
const maxSleep = 604800 * time.Second

var durationPattern = regexp.MustCompile(`^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$`)

// sleep is aws:sleep.
type sleep struct{ duration time.Duration }

func parseSleep(inputs *object) *sleep {
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

func (s *sleep) begin(execution *Execution, _ *step) attempt {
	return &sleeping{execution: execution, duration: s.duration}
}

type sleeping struct {
	execution *Execution
	duration  time.Duration
	begun     bool
}

func (s *sleeping) advance(context.Context) result {
	if !s.begun {
		s.begun = true
		s.execution.wake = s.execution.now().Add(s.duration)
		return result{goesOn: true}
	}
	return result{}
}

func (*sleeping) stop() {}
