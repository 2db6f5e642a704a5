package localaws

import (
	"context"
	"fmt"
	"time"
)

// maxSteps ends a loop that feeds itself.
const maxSteps = 100_000

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
			queued := a.Bus().Queued()
			stepped, err := a.step(ctx, turn)
			if err != nil {
				return fmt.Errorf("running to quiescence: %w", err)
			}
			// An event may have given another account something to do.
			runs = runs || stepped || queued && !m.alone
		}
		if !runs {
			return nil
		}
	}
	return fmt.Errorf("running to quiescence: there is no end after %d steps", maxSteps)
}

// step delivers the account's events and makes a step of one of its automations. It tells whether one has made a step.
func (a *AWS) step(ctx context.Context, turn func(int) int) (bool, error) {
	s := a.current()
	if err := s.events.Bus.Deliver(ctx); err != nil {
		return false, err
	}
	return s.automations.Step(ctx, turn), nil
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
