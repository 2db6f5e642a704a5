package api

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Clock is a clock that a test owns: it stands still until it is advanced.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that shows start.
func NewClock(start time.Time) *Clock { return &Clock{now: start} }

// Now returns the time that the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock forward.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// IDs numbers what a local AWS makes: the same calls in the same order have the same ids.
type IDs struct{ last atomic.Int64 }

// Next is the next number.
func (i *IDs) Next() int64 { return i.last.Add(1) }

// IDKind is what an id is of. Two ids of different kinds differ.
type IDKind int

// The kinds of ids.
const (
	RequestID IDKind = iota
	TrailEventID
	ExecutionID
	ExecutionEventID
	ScheduleEventID
	StackEventID
	PutEventID
	ObjectEventID
)

// UUID is the next number as a UUID.
func (i *IDs) UUID(kind IDKind) string { return UUID(kind, i.Next()) }

// UUID is a number as a UUID.
func UUID(kind IDKind, number int64) string {
	return fmt.Sprintf("00000000-0000-4000-8%03x-%012x", int(kind), number)
}
