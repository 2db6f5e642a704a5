package gateway

import (
	"maps"
	"slices"

	"github.com/trailguard/trailguard/localaws/api"
)

// Services are what a gateway stands before: the handlers, checks and observers that services have registered. It is an
// api.Registry; nothing may register once a gateway uses it.
type Services struct {
	handlers  map[string]api.Handler // by signing name or action
	checks    map[string][]api.Check // by action
	observers []api.Observer
}

// Answer registers a handler.
func (s *Services) Answer(name string, handler api.Handler) {
	if s.handlers == nil {
		s.handlers = map[string]api.Handler{}
	}
	s.handlers[name] = handler
}

// Check registers a check.
func (s *Services) Check(action string, check api.Check) {
	if s.checks == nil {
		s.checks = map[string][]api.Check{}
	}
	s.checks[action] = append(s.checks[action], check)
}

// Observe registers an observer.
func (s *Services) Observe(observer api.Observer) { s.observers = append(s.observers, observer) }

// Answered are the services and actions that handlers have registered for.
func (s *Services) Answered() []string { return slices.Sorted(maps.Keys(s.handlers)) }

// Checked are the actions that checks have registered for.
func (s *Services) Checked() []string { return slices.Sorted(maps.Keys(s.checks)) }

// handler is what answers a call here; nil if nothing does.
func (s *Services) handler(call api.Call) api.Handler {
	if handler, ok := s.handlers[call.Action()]; ok {
		return handler
	}
	return s.handlers[call.Service]
}

// begin shows a call to the observers, and returns those that want to know how it ends.
func (s *Services) begin(request api.Request) []func(api.Outcome) {
	var ends []func(api.Outcome)
	for _, observer := range s.observers {
		if end := observer.Begin(request); end != nil {
			ends = append(ends, end)
		}
	}
	return ends
}
