package drill

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go"
)

// fakeRule is a part of a guard in a fakeAccount, of whose tampering people are told, or not.
type fakeRule struct {
	*fakeAccount
	enabled  bool
	messages []string
	told     map[time.Duration][]string // after the tampering
	broken   bool                       // the rule cannot be put back
}

func (f *fakeRule) settings(Clients, Target) []setting {
	return []setting{settingOf("state", func(context.Context) (*bool, error) {
		enabled := f.enabled
		return &enabled, nil
	}, func(_ context.Context, before *bool) error {
		f.log = append(f.log, "put back")
		if f.broken {
			return errors.New("no permission")
		}
		f.enabled = *before
		return nil
	}, nil)}
}

// State and Restore are those of an account whose parts are settings.
func (f *fakeRule) State(ctx context.Context, a Attempt) (State, error) {
	return readSettings(ctx, a.Scenario.settings(Clients{}, Target{}))
}

func (f *fakeRule) Restore(ctx context.Context, _ Attempt, before, now State) error {
	return now.(settingsState).restore(ctx, before.(settingsState))
}

func (f *fakeRule) Messages(context.Context) (all []string, err error) {
	for after, messages := range f.told {
		if !f.brokenAt.IsZero() && f.now.Sub(f.brokenAt) >= after {
			f.messages = append(f.messages, messages...)
			delete(f.told, after)
		}
	}
	all, f.messages = f.messages, nil
	return all, nil
}

func newFakeRule() *fakeRule {
	return &fakeRule{fakeAccount: newFake(), enabled: true, messages: []string{disabledBefore}, told: map[time.Duration][]string{}}
}

func (f *fakeRule) run(t *testing.T, change func(*Scenario)) (Result, error) {
	t.Helper()
	s := Scenario{ID: "T41", Call: "events DisableRule", Of: Guard, Told: "DisableRule", settings: f.settings, TamperWith: func(context.Context, Clients, Target) error {
		f.enabled, f.brokenAt = false, f.now
		return nil
	}}
	if change != nil {
		change(&s)
	}
	r := f.runner()
	r.Account, r.Listener = f, f
	results, err := r.Run(t.Context(), []Attempt{{Scenario: s, Path: "event"}})
	if len(results) == 0 {
		return Result{}, err
	}
	return results[0], err
}

const (
	disabled       = "TAMPERING: DisableRule on the guard of the trail org-trail, by root."
	disabledBefore = "TAMPERING: DisableRule on the guard of the trail org-trail, by somebody before."
	another        = "TAMPERING: EnableRule on the guard of the trail org-trail, by root."
	ofTheTrail     = "TAMPERING: DisableRule on the trail org-trail, by root."
)

// TestPeopleMustBeToldExactlyOnce of the call that was made: not of what was done before, and not of other calls. The drill puts all back.
func TestPeopleMustBeToldExactlyOnce(t *testing.T) {
	for name, test := range map[string]struct {
		told    map[time.Duration][]string
		unmet   []string
		elapsed time.Duration
	}{
		"once":            {map[time.Duration][]string{7 * time.Second: {disabled}}, []string{}, 10 * time.Second},
		"among others":    {map[time.Duration][]string{time.Second: {another, ofTheTrail}, 7 * time.Second: {disabled}}, []string{}, 10 * time.Second},
		"never":           {nil, []string{"people were not told"}, time.Minute},
		"of others only":  {map[time.Duration][]string{time.Second: {another, ofTheTrail}}, []string{"people were not told"}, time.Minute},
		"twice":           {map[time.Duration][]string{time.Second: {disabled}, 20 * time.Second: {disabled}}, []string{"people were told 2 times, want once"}, 5 * time.Second},
		"twice at once":   {map[time.Duration][]string{time.Second: {disabled, disabled}}, []string{"people were told 2 times, want once"}, 5 * time.Second},
		"after they left": {map[time.Duration][]string{2 * time.Minute: {disabled}}, []string{"people were not told"}, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeRule()
			for after, messages := range test.told {
				f.told[after] = messages
			}
			r, err := f.run(t, nil)
			if err != nil || !slices.Equal(r.Unmet, test.unmet) || r.Repaired != (len(test.unmet) == 0) || r.Elapsed != test.elapsed {
				t.Errorf("got %+v, %v", r, err)
			}
			if !r.PutBack || !f.enabled || len(r.Looks) != 1 || !slices.Equal(r.Looks[0].Unmet, []string{"state is false, want true"}) {
				t.Errorf("the rule is enabled: %t; got %+v", f.enabled, r)
			}
			if r.Repaired && r.Message() != disabled {
				t.Errorf("the message is %q", r.Message())
			}
		})
	}
}

func TestACallThatChangesNothingIsToldInVain(t *testing.T) {
	f := newFakeRule()
	idle := func(s *Scenario) {
		s.TamperWith = func(context.Context, Clients, Target) error {
			f.brokenAt, f.told[time.Second] = f.now, []string{disabled}
			return nil
		}
	}
	if r, err := f.run(t, idle); err != nil || r.Repaired || !slices.Equal(r.Unmet, []string{changedNothing}) {
		t.Errorf("got %+v, %v", r, err)
	}
	f = newFakeRule()
	if r, err := f.run(t, func(s *Scenario) { idle(s); s.mayChangeNothing = true }); err != nil || !r.Repaired {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestAPartThatIsGoneAlreadyIsAFailureOfItsScenarioAlone(t *testing.T) {
	for _, gone := range []error{missing("there is no alarm"), &smithy.GenericAPIError{Code: "ResourceNotFoundException", Message: "it is not there"}} {
		f := newFakeRule()
		r, err := f.run(t, func(s *Scenario) {
			s.TamperWith = func(context.Context, Clients, Target) error { return gone }
		})
		if err != nil || r.Repaired || len(r.Unmet) != 1 || r.Unmet[0] != gone.Error() {
			t.Errorf("got %+v, %v", r, err)
		}
	}
	f := newFakeRule()
	if _, err := f.run(t, func(s *Scenario) {
		s.TamperWith = func(context.Context, Clients, Target) error { return errors.New("no network") }
	}); err == nil || !strings.Contains(err.Error(), "tampering: no network; the guard is as it was before") {
		t.Errorf("got %v", err)
	}
}

func TestAnInterruptedDrillPutsTheGuardBack(t *testing.T) {
	f := newFakeRule()
	ctx, interrupt := context.WithCancel(t.Context())
	f.onWait = interrupt
	r := f.runner()
	r.Account, r.Listener = f, f
	_, err := r.Run(ctx, []Attempt{{Scenario: Scenario{ID: "T41", Call: "events DisableRule", Of: Guard, Told: "DisableRule", settings: f.settings,
		TamperWith: func(context.Context, Clients, Target) error { f.enabled = false; return nil }}}})
	if !errors.Is(err, context.Canceled) || !strings.HasSuffix(err.Error(), "; the guard is as it was before") || !f.enabled {
		t.Errorf("got %v, and the rule is enabled: %t", err, f.enabled)
	}
}

func TestAPartThatCannotBePutBackEndsTheDrill(t *testing.T) {
	f := newFakeRule()
	f.broken = true
	_, err := f.run(t, nil)
	if err == nil || !strings.Contains(err.Error(), "the guard could not be put back in 10 attempts: restoring state: no permission") {
		t.Errorf("got %v", err)
	}
}

// TestARepairOfSettingsIsEveryOneAsBefore: what is repaired in part is not repaired, and the drill puts back the rest.
func TestARepairOfSettingsIsEveryOneAsBefore(t *testing.T) {
	for _, whole := range []bool{true, false} {
		f := newFakeRule()
		policy := "before"
		var log []string
		settings := func(clients Clients, target Target) []setting {
			return append(f.settings(clients, target), settingOf("policy", func(context.Context) (*string, error) {
				if policy == "" {
					return nil, &smithy.GenericAPIError{Code: "NoSuchBucketPolicy"}
				}
				value := policy
				return &value, nil
			}, func(_ context.Context, before *string) error {
				log, policy = append(log, *before), *before
				return nil
			}, nil, "NoSuchBucketPolicy"))
		}
		f.onWait = func() {
			if f.now.Sub(f.brokenAt) < 10*time.Second {
				return
			}
			if f.enabled = true; whole {
				policy = "before"
			}
		}
		r, err := f.run(t, func(s *Scenario) {
			s.Of, s.Told, s.settings = LogStore, "", settings
			s.TamperWith = func(context.Context, Clients, Target) error {
				f.enabled, policy, f.brokenAt = false, "", f.now
				return nil
			}
		})
		unmet := []string{}
		if !whole {
			unmet = []string{`policy is null, want "before"`}
		}
		if err != nil || r.Repaired != whole || r.PutBack == whole || !slices.Equal(r.Unmet, unmet) || policy != "before" || len(log) != len(unmet) {
			t.Errorf("whole %t: got %+v, %v; the policy is %q, put back %q", whole, r, err, policy, log)
		}
	}
}
