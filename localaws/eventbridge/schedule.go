package eventbridge

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/trailguard/trailguard/localaws/api"
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

// NoteSchedules takes notice of the schedules as they are deployed now: one that is new, enabled again or changed counts
// from now on. Whoever changes a rule must have it called before the clock moves.
func (b *Bus) NoteSchedules(ctx context.Context) error {
	schedules, err := b.rules.Schedules(ctx)
	if err != nil {
		return fmt.Errorf("note the schedules: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	before, now := b.timers, b.clock.Now()
	b.timers = map[string]timer{}
	for name, schedule := range schedules {
		t, known := before[name]
		if !known || t.schedule != schedule {
			t = timer{schedule: schedule, since: now}
			if t.next = t.after(now); b.options.ScheduleFiresAtCreation {
				t.next = now
			}
		}
		b.timers[name] = t
	}
	return nil
}

// FireSchedules queues a Scheduled Event for each rule whose schedule is due, for its own targets alone: one, however many
// periods have gone by. The next is due where it would be if none had been missed.
func (b *Bus) FireSchedules(ctx context.Context) error {
	b.mu.Lock()
	none := len(b.timers) == 0
	b.mu.Unlock()
	if none {
		return nil
	}
	rules, err := b.rules.Rules(ctx)
	if err != nil {
		return fmt.Errorf("fire the schedules: %w", err)
	}
	var failures []error
	for _, rule := range rules {
		if !b.due(rule) {
			continue
		}
		event, err := copyEvent(b.scheduledEvent(rule))
		if err != nil {
			failures = append(failures, fmt.Errorf("fire the schedule of rule %s: %w", rule.Name, err))
			continue
		}
		b.mu.Lock()
		b.queue = append(b.queue, arrival{event: event, at: b.clock.Now(), rule: &rule})
		b.mu.Unlock()
	}
	return errors.Join(failures...)
}

// due tells whether a rule's schedule fires now, and winds its timer up for the next time.
func (b *Bus) due(rule Rule) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	t, ok := b.timers[rule.Name]
	now := b.clock.Now()
	if !ok || !now.After(t.since) || now.Before(t.next) {
		return false
	}
	t.next = t.after(now)
	b.timers[rule.Name] = t
	return true
}

// scheduledEvent is what the targets of a rule get when its schedule fires.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-rule-schedule.html
func (b *Bus) scheduledEvent(rule Rule) map[string]any {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fired++
	place := api.PlaceOf(rule.ARN)
	return map[string]any{
		"version": "0", "id": api.UUID(api.ScheduleEventID, int64(b.fired)), "detail-type": "Scheduled Event",
		"source": "aws.events", "account": place.Account, "time": b.clock.Now().UTC().Format(time.RFC3339), "region": place.Region,
		"resources": []any{rule.ARN}, "detail": map[string]any{},
	}
}

// enabled tells whether a rule in this state does anything.
func enabled(state types.RuleState) bool {
	return state == types.RuleStateEnabled || state == types.RuleStateEnabledWithAllCloudtrailManagementEvents
}
