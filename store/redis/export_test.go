package redis

import "time"

// SetSilence sets how long a subscription may be silent before it is asked for a
// sign of life.
func (s *Store) SetSilence(d time.Duration) { s.silence = d }

// Opened reports whether messages arrive.
func (s *Store) Opened() bool { return s.hints.opened() }

// Waiting returns how many writes wait to be sent.
func (s *Store) Waiting() int {
	s.pipelines.mu.Lock()
	defer s.pipelines.mu.Unlock()
	return len(s.pipelines.waiting)
}
