package gateway

import (
	"net/http"
	"sync"

	"github.com/trailguard/trailguard/localaws/api"
)

// Door is what the gateways of several accounts stand behind: it knows who holds which access key, and in which account the holder
// calls. It is safe for concurrent use.
type Door struct {
	client *http.Client // of moto

	mu      sync.RWMutex
	holders map[string]caller // by access key
}

// NewDoor returns a door of which nobody holds a key.
func NewDoor() *Door {
	return &Door{
		client: &http.Client{
			Transport:     &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		holders: map[string]caller{},
	}
}

// caller is who holds an access key.
type caller struct {
	gateway   *Gateway // of the account in which the key was issued
	principal api.Principal
	invokedBy string              // the service that calls with these credentials
	keys      map[string][]string // condition keys of its calls
}

func (d *Door) give(key string, to caller) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.holders[key] = to
}

func (d *Door) take(key string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.holders, key)
}

func (d *Door) holder(key string) (caller, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	found, ok := d.holders[key]
	return found, ok
}
