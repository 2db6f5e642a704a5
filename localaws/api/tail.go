package api

import (
	"bytes"
	"sync"
)

// Tail keeps the end of what a process writes: the last bytes, Size of them.
type Tail struct {
	Size int

	mu   sync.Mutex
	kept []byte
}

// Write never fails.
func (t *Tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if excess := len(t.kept) - t.Size; excess > 0 {
		t.kept = bytes.Clone(t.kept[excess:])
	}
	return len(p), nil
}

func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.kept)
}
