package leadership

import (
	"context"
	"crypto/rand"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/internal/lease"
	"github.com/seed-a1d591d3/leadership/internal/relay"
	"github.com/seed-a1d591d3/leadership/store"
)

// Session keeps one record alive for the terms of many candidates of a process (see
// WithSession): their terms ride on it, and are not renewed themselves. So ten thousand
// elections cost a store as many renewals as one. If the session is lost, so are all terms
// that ride on it, at once; its candidates begin another, and campaign on.
//
// Make it with NewSession; the zero value is not usable. It is alive while there are
// campaigns that use it. It is safe for concurrent use.
type Session struct {
	kv     store.Store
	prefix string
	node   string
	ttl    time.Duration
	opts   options
	err    error // what is wrong with the arguments, or nil
	shared *lease.Session
}

// NewSession makes a session, whose record is under prefix + "sessions/" and a random text.
// A prefix that is not empty ends with a slash. ttl is as for NewCandidate. Of the options it
// uses those of time, of the store, and WithLogger. It makes no call of the store. Invalid
// arguments and options are reported by its candidates, as ErrInvalidArgument.
func NewSession(kv store.Store, prefix, node string, ttl time.Duration, opts ...Option) *Session {
	all := newOptions(opts)
	s := &Session{kv: kv, prefix: prefix, node: node, ttl: ttl, opts: options{
		config: all.config, margin: all.margin, grace: all.grace, log: all.log, clock: all.clock, set: all.set,
		format: election.Sessions,
	}}
	s.opts.config.Once, s.opts.config.Schedule = true, election.Schedule{}
	s.shared = lease.NewSession(s.live)
	first := s.next()
	switch s.ttl, s.err = first.ttl, first.err; {
	case s.err != nil:
	case !reflect.ValueOf(kv).Comparable():
		s.err = invalid("store of a session", fmt.Sprintf("of type %T", kv), "must be comparable, such as a pointer")
	case slices.ContainsFunc(strings.Split(prefix, "/"), func(s string) bool { return s == ".." }):
		s.err = invalid("prefix of a session", fmt.Sprintf("%q", prefix), `must have no ".." between slashes`)
	}
	return s
}

// WithSession has the terms of a candidate ride on a session, which has to be of the same
// store, with the same TTL, and with at least the candidate's grace. With nil, and by default,
// a candidate renews its terms itself. Versions before 0.9 take the record of a term that
// rides for a foreign one: let no candidate ride before the last of them is gone.
func WithSession(s *Session) Option {
	return func(o *options) {
		if o.session, o.rides = nil, nil; s != nil {
			o.session, o.rides = s.shared, s.check
		}
	}
}

// check says what keeps a candidate from riding.
func (s *Session) check(kv store.Store, ttl, grace time.Duration) error {
	switch {
	case s.err != nil:
		return s.err
	case kv != s.kv:
		return invalid("store", "another than that of the session", "must be the same")
	case ttl != s.ttl:
		return invalid("ttl", ttl, "must be that of the session, %v", s.ttl)
	case grace > s.opts.grace:
		return invalid("grace", grace, "must not be above that of the session, %v: give it to NewSession", s.opts.grace)
	}
	return nil
}

// next is the candidate of the next incarnation.
func (s *Session) next() *Candidate {
	return newCandidate(s.kv, s.prefix+"sessions/"+rand.Text(), s.node, s.ttl, &s.opts)
}

// live is one incarnation: a candidate in an election of its own, that stands once.
func (s *Session) live(ctx context.Context) {
	c := s.next()
	stream := relay.NewStream(relay.Terms[*term]())
	campaign, err := c.start(ctx, mode{stream: stream})
	if err != nil {
		stream.End(err)
		<-ctx.Done()
		return
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for range stream.Errs { // they are logged
		}
	}()
	for leads := range stream.Out {
		if t := c.term.Load(); leads && t != nil {
			s.shared.Set(c.key, t.lease)
		} else {
			s.shared.Set("", nil)
		}
	}
	<-campaign.done
	<-drained
}
