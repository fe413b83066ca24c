package fence

import (
	"context"
	"sync"
)

// Memory checks tokens in the memory of one process. It forgets them when the
// process ends: then, until the present leader has been heard of, the token of
// one that leads no more passes. The zero value is ready for use and has seen no
// token; it must not be copied. It keeps a few bytes for every resource. Its
// methods are safe for concurrent use.
type Memory struct {
	mu      sync.Mutex
	highest map[string]uint64
}

var _ Checker = (*Memory)(nil)

// Check is described at Checker. It does not block, ignores ctx, and returns no
// errors but those.
func (m *Memory) Check(_ context.Context, resource string, token uint64) error {
	if err := checkArguments(resource, token); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := Judge(resource, token, m.highest[resource]); err != nil {
		return err
	}
	if m.highest == nil {
		m.highest = make(map[string]uint64)
	}
	m.highest[resource] = token
	return nil
}
