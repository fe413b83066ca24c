package consul

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/internal/base"
)

const (
	// waitTime is how long the server waits for a change. It adds up to a sixteenth at
	// random, and then answers with the present state.
	waitTime = time.Minute

	// waitSlack is how much later its answer may come.
	waitSlack = 10 * time.Second

	// pollTime is how often a watch without a connection of its own reads its key.
	pollTime = time.Second

	// minPause and maxPause bound the pause after an answer without a change.
	minPause = 10 * time.Millisecond
	maxPause = time.Second
)

// Watch returns a channel that carries the current state of key first, and then
// its changes. A key that is missing or deleted is a pair with a nil Value and
// LastIndex 0. A reader that falls behind gets the latest state in place of all
// that it missed; the same state is not sent twice in a row.
//
// While the server cannot be reached the channel carries nothing; after that it goes on
// with the present state. It is closed soon after ctx has ended or the store was closed,
// whether anybody reads or not, and when the server refuses the request, for example
// because the token is no longer valid. Beyond store.DefaultMaxWatches watches, which
// hold a connection each, a watch reads its key once a second. opts are ignored, and may
// be nil.
func (s *Store) Watch(ctx context.Context, key string, _ *store.ReadOptions) (<-chan *store.KVPair, error) {
	return s.base.Watch(ctx, key, s.follow)
}

// follow asks repeatedly for a state that is later than the last one.
func (s *Store) follow(ctx context.Context, key string, tell func(*store.KVPair)) {
	var (
		index uint64        // of the last answer; 0 to ask for the present state
		last  uint64        // LastIndex of what was told last
		pause time.Duration // after the last answer without a change
	)
	for {
		began := time.Now()
		pair, next, err := s.later(ctx, key, index)
		waited := index > 0
		var useless bool
		switch {
		case ctx.Err() != nil || isRefusal(err):
			return
		case err != nil || next < index:
			// Consul's log may have been replaced, or a server that lags behind has
			// answered.
			index, useless = 0, true
		default:
			// The index of a missing key changes with every write, so the answer may come
			// at once each time.
			useless = waited && pair.LastIndex == last && time.Since(began) < maxPause
			index, last = next, pair.LastIndex
			tell(pair)
		}
		if !useless {
			if waited {
				pause = 0
			}
			continue
		}
		pause = min(max(2*pause, minPause), maxPause)
		if base.Sleep(ctx, pause) != nil {
			return
		}
	}
}

// later returns the state of key, and its index, which is never 0, once that is later
// than the given one, or after about waitTime. With index 0 it returns at once. If too
// many watches hold a connection it returns the present state after pollTime.
func (s *Store) later(ctx context.Context, key string, index uint64) (*store.KVPair, uint64, error) {
	// A server that is gone must not block it for ever.
	ctx, cancel := context.WithTimeout(ctx, waitTime+waitTime/16+waitSlack)
	defer cancel()
	if index > 0 {
		select {
		case s.waits <- struct{}{}:
			defer func() { <-s.waits }()
		default:
			if err := base.Sleep(ctx, pollTime); err != nil {
				return nil, 0, err
			}
			index = 0
		}
	}
	q := s.query(ctx, &store.ReadOptions{Consistent: index == 0})
	q.WaitIndex, q.WaitTime = index, waitTime
	var (
		found *api.KVPair
		meta  *api.QueryMeta
	)
	ask := func() (err error) {
		found, meta, err = s.client.KV().Get(escape(key), q)
		return err
	}
	var err error
	if index == 0 {
		err = s.limits.Read(ctx, ask)
	} else {
		err = ask()
	}
	if err != nil {
		return nil, 0, err
	}
	if found == nil {
		return &store.KVPair{Key: key}, max(meta.LastIndex, 1), nil
	}
	return pairOf(key, found), max(meta.LastIndex, 1), nil
}

// isRefusal reports whether the server answered that it refuses the request.
func isRefusal(err error) bool {
	var status api.StatusError
	if !errors.As(err, &status) {
		return false
	}
	switch status.Code {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		return true
	}
	return false
}
