package iam

import (
	"sync"

	"github.com/trailguard/trailguard/localaws/api"
)

// Cache remembers what was looked up, by service and name, until a call changes something of the service. What does not
// exist is remembered, too.
type Cache struct {
	mu         sync.Mutex
	found      map[string]map[string]any // by service
	generation int
}

// result is a look-up's result, or that there is nothing to find.
type result[T any] struct {
	value T
	err   error
}

// Cached looks something up once.
func Cached[T any](c *Cache, service, name string, load func() (T, error)) (T, error) {
	c.mu.Lock()
	known, ok := c.found[service][name].(result[T])
	generation := c.generation
	c.mu.Unlock()
	if ok {
		return known.value, known.err
	}
	value, err := load()
	if err != nil && !api.IsRefusal(err) {
		return value, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.generation == generation {
		if c.found == nil {
			c.found = map[string]map[string]any{}
		}
		if c.found[service] == nil {
			c.found[service] = map[string]any{}
		}
		c.found[service][name] = result[T]{value, err}
	}
	return value, err
}

// Forget forgets what is known of a service; of all if service is empty.
func (c *Cache) Forget(service string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generation++
	if service == "" {
		c.found = nil
		return
	}
	delete(c.found, service)
}
