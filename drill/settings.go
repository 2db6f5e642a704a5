package drill

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/aws/smithy-go"

	"github.com/trailguard/trailguard/drill/internal/plain"
)

// setting is something that a call changes: it is read before the tampering, compared after it, and put back.
type setting struct {
	name string
	// read is what AWS shows, as a value that can be written in JSON; nil if there is nothing.
	read func(context.Context) (any, error)
	// put makes it what read has returned before.
	put func(ctx context.Context, before any) error
}

// settingOf is a setting of a type of the SDK. absent are the error codes that say that there is nothing to read; clear takes away what
// there was not before, and is nil if nothing can.
func settingOf[T any](name string, read func(context.Context) (*T, error), put func(context.Context, *T) error, clear func(context.Context) error,
	absent ...string) setting {
	return setting{
		name: name,
		read: func(ctx context.Context) (any, error) {
			value, err := read(ctx)
			if hasCode(err, absent...) || err == nil && value == nil {
				return nil, nil
			}
			return value, err
		},
		put: func(ctx context.Context, before any) error {
			if value, ok := before.(*T); ok {
				return put(ctx, value)
			}
			if clear == nil {
				return errors.New("it cannot be taken away")
			}
			return clear(ctx)
		},
	}
}

// settingsState are settings at one moment.
type settingsState struct {
	settings []setting
	values   []any
	texts    []string // the meaning of each value
}

// readSettings reads settings, all at once.
func readSettings(ctx context.Context, settings []setting) (settingsState, error) {
	state := settingsState{settings, make([]any, len(settings)), make([]string, len(settings))}
	problems := make([]error, len(settings))
	var reading sync.WaitGroup
	for i, one := range settings {
		reading.Go(func() {
			value, err := one.read(ctx)
			if err != nil {
				problems[i] = fmt.Errorf("reading %s: %w", one.name, err)
				return
			}
			state.values[i], state.texts[i] = value, meaning(value)
		})
	}
	reading.Wait()
	return state, errors.Join(problems...)
}

// IsLogging is true: whether the trail logs is no setting.
func (s settingsState) IsLogging() bool { return true }

// Unmet says which settings are not as before. What is not known to have been otherwise is as it should be.
func (s settingsState) Unmet(before State) []string {
	if before == nil {
		return nil
	}
	return s.Differences(before)
}

// Differences says which settings differ from those before, which are the same settings.
func (s settingsState) Differences(before State) (different []string) {
	was := before.(settingsState)
	for i, one := range s.settings {
		if s.texts[i] != was.texts[i] {
			different = append(different, fmt.Sprintf("%s is %s, want %s", one.name, brief(s.texts[i]), brief(was.texts[i])))
		}
	}
	return different
}

// restore tries once to bring each setting that differs to what it was before.
func (s settingsState) restore(ctx context.Context, before settingsState) error {
	var problems []error
	for i, one := range s.settings {
		if s.texts[i] == before.texts[i] {
			continue
		}
		if err := one.put(ctx, before.values[i]); err != nil {
			problems = append(problems, fmt.Errorf("restoring %s: %w", one.name, err))
		}
	}
	return errors.Join(problems...)
}

// meaning writes what a value means, which always can be written.
func meaning(value any) string {
	text, err := plain.JSON(value)
	if err != nil {
		panic(fmt.Sprintf("writing %v: %v", value, err))
	}
	return text
}

// brief is the beginning of a text.
func brief(text string) string {
	const most = 160
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// missing says that what was to be tampered with is gone already.
type missing string

func (m missing) Error() string { return string(m) }

// isMissing tells whether a call failed because what it names is gone already.
func isMissing(err error) bool {
	var gone missing
	return errors.As(err, &gone) || hasCode(err, "InvalidDocument", "NoSuchConfigRuleException", "NoSuchConfigurationRecorderException", "NoSuchEntity",
		"NoSuchRemediationConfigurationException", "NotFound", "ResourceNotFoundException")
}

// hasCode tells whether a service answered with one of these error codes.
func hasCode(err error, codes ...string) bool {
	var refused smithy.APIError
	return errors.As(err, &refused) && slices.Contains(codes, refused.ErrorCode())
}

// lastOf is what follows the last slash of an ARN.
func lastOf(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }
