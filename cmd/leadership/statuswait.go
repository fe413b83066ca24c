package main

import (
	"context"
	"time"

	"github.com/seed-a1d591d3/leadership"
)

// observation is what was seen of an election since status began to look at it.
type observation struct {
	leadership.Standing
	since   time.Time // when the record was first seen as the leader wrote it
	renewed bool      // the leader has written it since: it leads
	latest  time.Time // when the latest look at it began
}

// expired reports whether the record was seen unchanged for its TTL: its leader does not
// lead any more.
func (s *observation) expired() bool {
	return s.Term.Leader != "" && !s.renewed && s.latest.Sub(s.since) >= s.Term.TTL
}

// settled reports whether it is known who leads.
func (s *observation) settled() bool {
	return s.Term.Leader == "" || s.renewed || s.expired()
}

// see notes what a look has found that began then and has ended now.
func (s *observation) see(found leadership.Standing, began, now time.Time) {
	if found.Term.Token != s.Term.Token || found.Beat != s.Beat {
		s.since, s.renewed = now, found.Term.Leader != ""
	}
	s.Standing, s.latest = found, began
}

const minStatusPoll, maxStatusPoll = 10 * time.Millisecond, time.Second

// watchOver looks at elections until it is known of each whether its leader is alive, or
// ctx ends, which is not an error.
func watchOver(ctx context.Context, look func(context.Context) ([]leadership.Standing, error)) ([]*observation, error) {
	var seen map[string]*observation
	var last []*observation
	for {
		began := time.Now()
		found, err := look(ctx)
		now := time.Now()
		switch {
		case err != nil && ctx.Err() != nil && seen != nil:
			return last, nil // the look was cut off: it has found nothing
		case err != nil:
			return nil, err
		}
		all, known := make([]*observation, 0, len(found)), make(map[string]*observation, len(found))
		pause, open := maxStatusPoll, false
		for _, standing := range found {
			s, ok := seen[standing.Key]
			if !ok {
				s = &observation{Standing: standing, since: now}
			}
			s.see(standing, began, now)
			all, known[standing.Key] = append(all, s), s
			if !s.settled() {
				open, pause = true, min(pause, max(s.Term.TTL/20, minStatusPoll))
			}
		}
		if !open {
			return all, nil
		}
		seen, last = known, all
		select {
		case <-ctx.Done():
			return all, nil
		case <-time.After(pause):
		}
	}
}
