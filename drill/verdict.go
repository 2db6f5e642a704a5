package drill

import (
	"fmt"
	"time"
)

// Verdict is what a drill found about an assumption.
type Verdict string

// The verdicts.
const (
	Held       Verdict = "held"
	DidNotHold Verdict = "did not hold"
	NotSeen    Verdict = "not seen" // nothing showed it, or it may not be read
)

func held(format string, args ...any) (Verdict, string, error) {
	return Held, fmt.Sprintf(format, args...), nil
}

func didNotHold(format string, args ...any) (Verdict, string, error) {
	return DidNotHold, fmt.Sprintf(format, args...), nil
}

func notSeen(format string, args ...any) (Verdict, string, error) {
	return NotSeen, fmt.Sprintf(format, args...), nil
}

func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }
