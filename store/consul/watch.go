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
	// waitTime is how long the server is to wait for a change. It adds up to a
	// sixteenth of it at random, and then answers with what there is.
	waitTime = time.Minute

	// waitSlack is how much later than that its answer may come.
	waitSlack = 10 * time.Second

	// pollTime is how often a watch looks for which there is no connection to wait on.
	pollTime = time.Second

	// minPause and maxPause bound the time between questions that were in vain.
	minPause = 10 * time.Millisecond
	maxPause = time.Second
)

// Watch returns a channel that carries the current state of key first, and then
// its changes. A key that is missing or deleted is a pair with a nil Value and
// LastIndex 0. A reader that falls behind gets the latest state in place of all
// that it missed; the same state is not sent twice in a row.
//
// While the server cannot be reached the channel is silent; then it goes on
// with the state that it finds. It is closed soon after ctx has ended or the
// store was closed, whether anybody reads or not, and when the server refuses
// the request, such as for a token that is no longer valid. Beyond
// store.DefaultMaxWatches that wait on a connection each, a watch looks once a
// second. opts are ignored, and may be nil.
func (s *Store) Watch(ctx context.Context, key string, _ *store.ReadOptions) (<-chan *store.KVPair, error) {
	return s.base.Watch(ctx, key, s.follow)
}

// follow asks again and again for a state that is later than the last.
func (s *Store) follow(ctx context.Context, key string, tell func(*store.KVPair)) {
	var (
		index uint64        // of the last answer; 0 to ask for what there is now
		last  uint64        // LastIndex of what was told last
		pause time.Duration // after the last answer that was of no use
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
			// Consul's log may have begun anew, or a server that is behind has
			// answered.
			index, useless = 0, true
		default:
			// The index of a missing key changes with that of any other, so the
			// answer may come at once, every time.
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

// later returns the state of key once its index is later than the given one, or
// after about waitTime, and its index, which is never 0. With 0 it does so at
// once, and after pollTime where too many watches wait already.
func (s *Store) later(ctx context.Context, key string, index uint64) (*store.KVPair, uint64, error) {
	// A server that has vanished must not hold it up for good.
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

// isRefusal tells whether the server answered that it will not do what was
// asked.
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
