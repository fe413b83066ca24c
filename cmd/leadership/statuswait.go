package main

import (
	"context"
	"time"
)

// observation is what was seen of an election since status began to look at it.
type observation struct {
	found
	since   time.Time // when the record was first seen as the leader wrote it
	renewed bool      // the leader has written it since: it leads
	latest  time.Time // when the latest look at it began
}

// expired reports whether the record was seen unchanged for its TTL: its leader does not
// lead any more.
func (s *observation) expired() bool {
	return s.Term.Leader != "" && !s.renewed && (s.found.expired || s.latest.Sub(s.since) >= s.Term.TTL)
}

// leads reports whether there is a leader, as far as is known.
func (s *observation) leads() bool { return s.Term.Leader != "" && !s.expired() }

// settled reports whether it is known who leads.
func (s *observation) settled() bool {
	return s.Term.Leader == "" || s.renewed || s.expired()
}

// see notes what a look has found that began then and has ended now.
func (s *observation) see(f found, began, now time.Time) {
	if f.Term.Token != s.Term.Token || f.Beat != s.Beat {
		s.since, s.renewed = now, f.Term.Leader != ""
	}
	s.found, s.latest = f, began
}

const minStatusPoll, maxStatusPoll = 10 * time.Millisecond, time.Second

// statusPoll returns how long to wait before the next look at a term of that TTL.
func statusPoll(ttl time.Duration) time.Duration {
	return min(maxStatusPoll, max(ttl/20, minStatusPoll))
}

// watchOver looks at elections until it is known of each whether its leader is alive, or
// ctx ends, which is not an error.
func watchOver(ctx context.Context, look func(context.Context) ([]found, error)) ([]*observation, error) {
	var seen map[string]*observation
	var last []*observation
	for {
		began := time.Now()
		all, err := look(ctx)
		now := time.Now()
		switch {
		case err != nil && ctx.Err() != nil && seen != nil:
			return last, nil // the look was cut off: it has found nothing
		case err != nil:
			return nil, err
		}
		observed, known := make([]*observation, 0, len(all)), make(map[string]*observation, len(all))
		pause, open := maxStatusPoll, false
		for _, f := range all {
			s, ok := seen[f.Key]
			if !ok {
				s = &observation{found: f, since: now}
			}
			s.see(f, began, now)
			observed, known[f.Key] = append(observed, s), s
			if !s.settled() {
				open, pause = true, min(pause, statusPoll(s.Term.TTL))
			}
		}
		if !open {
			return observed, nil
		}
		seen, last = known, observed
		select {
		case <-ctx.Done():
			return observed, nil
		case <-time.After(pause):
		}
	}
}
