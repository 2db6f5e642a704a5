package localaws

import (
	"context"
	"fmt"
	"time"
)

// maxSteps ends a loop that feeds itself.
const maxSteps = 100_000

// RunToQuiescence delivers events and makes the steps of the running automations, one at a time, until no event is
// queued and no automation runs. Events that EventBridge will retry later stay with it: see Advance.
func (a *AWS) RunToQuiescence(ctx context.Context) error {
	s := a.current()
	turn := func(int) int { return 0 }
	if a.options.Rand != nil {
		turn = a.options.Rand.IntN
	}
	for range maxSteps {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("running to quiescence: %w", err)
		}
		if err := s.events.Bus.Deliver(ctx); err != nil {
			return fmt.Errorf("running to quiescence: %w", err)
		}
		if !s.automations.Step(ctx, turn) {
			return nil
		}
	}
	return fmt.Errorf("running to quiescence: there is no end after %d steps", maxSteps)
}

// Advance moves the clock forward, lets CloudTrail try a delivery, Config do what is due and the schedules of EventBridge
// fire that are due, and runs to quiescence.
func (a *AWS) Advance(ctx context.Context, d time.Duration) error {
	a.Clock.Advance(d)
	s := a.current()
	if err := s.trails.Deliver(ctx); err != nil {
		return fmt.Errorf("advancing by %s: %w", d, err)
	}
	if !a.configHeld.Load() {
		if err := s.config.Tick(ctx); err != nil {
			return fmt.Errorf("advancing by %s: %w", d, err)
		}
	}
	if err := s.events.Bus.FireSchedules(ctx); err != nil {
		return fmt.Errorf("advancing by %s: %w", d, err)
	}
	return a.RunToQuiescence(ctx)
}
