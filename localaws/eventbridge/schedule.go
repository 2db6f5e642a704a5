package eventbridge

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Schedule is a parsed schedule expression; the zero Schedule never fires.
type Schedule struct {
	expression string
	period     time.Duration
}

var rate = regexp.MustCompile(`\Arate\(([0-9]+) (minute|hour|day)(s?)\)\z`)

// ParseSchedule reads rate(value unit): a positive value, of which 1 takes a unit in the singular and every other one in
// the plural. Cron expressions are not modelled.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
func ParseSchedule(expression string) (Schedule, error) {
	if strings.HasPrefix(expression, "cron(") {
		return Schedule{}, fmt.Errorf("schedule expression %q: cron is %w", expression, ErrNotModelled)
	}
	invalid := fmt.Errorf("schedule expression %q is not rate(1 minute), rate(5 minutes) or so, with minutes, hours or days", expression)
	parts := rate.FindStringSubmatch(expression)
	if parts == nil {
		return Schedule{}, invalid
	}
	unit := map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}[parts[2]]
	value, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || value < 1 || (value == 1) != (parts[3] == "") {
		return Schedule{}, invalid
	}
	if period := time.Duration(value) * unit; period/unit == time.Duration(value) {
		return Schedule{expression, period}, nil
	}
	return Schedule{}, fmt.Errorf("schedule expression %q: a period of centuries is %w", expression, ErrNotModelled)
}

// timer is since when the schedule of a rule counts, and when it fires next.
type timer struct {
	schedule    Schedule
	since, next time.Time
}

// after is the first time of the schedule that lies after now.
func (t timer) after(now time.Time) time.Time {
	return t.since.Add((now.Sub(t.since)/t.schedule.period + 1) * t.schedule.period)
}
