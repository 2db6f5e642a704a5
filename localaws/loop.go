package localaws

import (
	"context"
	"fmt"
	"time"
)

// maxSteps ends a loop that feeds itself.
const maxSteps = 100_000

// RunToQuiescence delivers events and makes the steps of the running automations, one at a time, until no event is
// queued and no automation runs. Events that EventBridge will retry later stay with it: see Advance. All accounts run.
func (a *AWS) RunToQuiescence(ctx context.Context) error { return a.machine.runToQuiescence(ctx) }

// Advance moves the clock forward, lets CloudTrail try a delivery, Config do what is due and the schedules of EventBridge
// fire that are due, and runs to quiescence. Time passes in all accounts.
func (a *AWS) Advance(ctx context.Context, d time.Duration) error { return a.machine.advance(ctx, d) }

func (m *machine) runToQuiescence(ctx context.Context) error {
	turn := func(int) int { return 0 }
	if m.options.Rand != nil {
		turn = m.options.Rand.IntN
	}
	for range maxSteps {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("running to quiescence: %w", err)
		}
		runs := false
		for _, a := range m.all() {
			stepped, err := a.step(ctx, turn)
			if err != nil {
				return fmt.Errorf("running to quiescence: %w", err)
			}
			runs = runs || stepped
		}
		if !runs {
			return nil
		}
	}
	return fmt.Errorf("running to quiescence: there is no end after %d steps", maxSteps)
}

// step delivers the account's events and makes a step of one of its automations. It tells whether something was there to do, so that
// other accounts may have something to do now.
func (a *AWS) step(ctx context.Context, turn func(int) int) (bool, error) {
	s := a.current()
	queued := s.events.Bus.Queued()
	if err := s.events.Bus.Deliver(ctx); err != nil {
		return false, err
	}
	stepped := s.automations.Step(ctx, turn)
	return stepped || queued && !a.machine.alone, nil
}

func (m *machine) advance(ctx context.Context, d time.Duration) error {
	m.clock.Advance(d)
	for _, a := range m.all() {
		if err := a.advance(ctx); err != nil {
			return fmt.Errorf("advancing by %s: %w", d, err)
		}
	}
	return m.runToQuiescence(ctx)
}

// advance does what is due in the account.
func (a *AWS) advance(ctx context.Context) error {
	s := a.current()
	if err := s.trails.Deliver(ctx); err != nil {
		return err
	}
	if !a.configHeld.Load() {
		if err := s.config.Tick(ctx); err != nil {
			return err
		}
	}
	return s.events.Bus.FireSchedules(ctx)
}
