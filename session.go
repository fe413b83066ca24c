package leadership

import (
	"context"
	"crypto/rand"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/internal/lease"
	"github.com/seed-a1d591d3/leadership/internal/relay"
	"github.com/seed-a1d591d3/leadership/store"
)

// Session keeps one record alive for all the terms of the candidates that share it (with
// WithSession): the terms ride on it, and are not renewed themselves. So ten thousand
// elections cost a store as many renewals as one. If the session is lost, so are all terms
// that ride on it, at once; its candidates begin another, and campaign on.
//
// Make it with NewSession; the zero value is not usable. It is alive while there are
// campaigns that use it. All methods are safe for concurrent use.
type Session struct {
	kv     store.Store
	prefix string
	node   string
	ttl    time.Duration
	opts   []Option

	current atomic.Pointer[carrier] // that can be trusted, or nil

	mu    sync.Mutex
	users []*campaign
	stop  context.CancelFunc // ends run; nil while there are no users
}

// carrier is one incarnation of a session.
type carrier struct {
	key   string
	lease *lease.Lease
}

// NewSession makes a session of a node, whose record is below prefix. ttl is as for
// NewCandidate, and that of all candidates that share the session. It makes no call of the
// store. Invalid arguments are reported by the candidates.
func NewSession(kv store.Store, prefix, node string, ttl time.Duration, opts ...Option) *Session {
	return &Session{kv: kv, prefix: prefix, node: node, ttl: ttl, opts: opts}
}

// WithSession has the terms of a candidate ride on a session.
func WithSession(s *Session) Option {
	return func(o *options) { o.session = s }
}

// key returns the key of the session that can be trusted, or "" while there is none. A nil
// session has none.
func (s *Session) key() string {
	if s == nil {
		return ""
	}
	if c := s.current.Load(); c != nil && c.lease.Valid() {
		return c.key
	}
	return ""
}

// lease returns the lease of the session under key, nil if that is over.
func (s *Session) lease(key string) *lease.Lease {
	if s == nil {
		return nil
	}
	if c := s.current.Load(); c != nil && c.key == key && c.lease.Valid() {
		return c.lease
	}
	return nil
}

// attach has the session alive until the campaign detaches.
func (s *Session) attach(c *campaign) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users = append(s.users, c)
	if s.stop == nil {
		ctx, stop := context.WithCancel(context.WithoutCancel(c.ctx))
		s.stop = stop
		go s.run(ctx)
	}
}

func (s *Session) detach(c *campaign) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users = slices.DeleteFunc(s.users, func(u *campaign) bool { return u == c })
	if len(s.users) == 0 && s.stop != nil {
		s.stop()
		s.stop = nil
	}
}

// run keeps a session alive until ctx ends: when one has ended it begins another.
func (s *Session) run(ctx context.Context) {
	for ctx.Err() == nil {
		s.live(ctx)
	}
}

// live is one incarnation.
func (s *Session) live(ctx context.Context) {
	o := newOptions(s.opts)
	o.config.Once, o.format = true, election.Sessions
	c := newCandidate(s.kv, s.prefix+"sessions/"+rand.Text(), s.node, s.ttl, &o)
	stream := relay.NewStream(relay.Terms[*term]())
	campaign, err := c.start(ctx, mode{stream: stream})
	if err != nil {
		stream.End(err)
		<-ctx.Done()
		return
	}
	go func() {
		for range stream.Errs {
		}
	}()
	for leads := range stream.Out {
		if t := c.term.Load(); leads && t != nil {
			s.current.Store(&carrier{c.key, t.lease})
		} else {
			s.current.Store(nil)
		}
		s.wake()
	}
	<-campaign.done
}

// endSession ends the session of another that has not changed for its TTL. Of many rivals in
// one process one does so.
func (o *observer) endSession(ctx context.Context, s election.Step) result {
	state := "\x00" + s.Session // that is ended
	if s.Previous != nil {
		state += "\x00" + strconv.FormatUint(s.Previous.LastIndex, 10)
	}
	pair, err := o.watch.Recent(ctx, o.kv, state, s.Limit, func() (*store.KVPair, error) {
		r := put(ctx, o.kv, s.Session, s.Record.Encode(), s.Previous)
		o.watch.Changed(o.kv, s.Session)
		return r.pair, r.err
	})
	return result{pair: pair, err: err}
}

func (s *Session) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.users {
		c.on.loop.Wake()
	}
}
