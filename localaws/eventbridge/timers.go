package eventbridge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/trailguard/trailguard/localaws/api"
)

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
	t, ok := b.timers[rule.key()]
	now := b.clock.Now()
	if !ok || !now.After(t.since) || now.Before(t.next) {
		return false
	}
	t.next = t.after(now)
	b.timers[rule.key()] = t
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
