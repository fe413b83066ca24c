package leadership

import (
	"context"
	"crypto/rand"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/internal/indexes"
	"github.com/seed-a1d591d3/leadership/internal/lease"
	"github.com/seed-a1d591d3/leadership/internal/register"
	"github.com/seed-a1d591d3/leadership/internal/relay"
	"github.com/seed-a1d591d3/leadership/store"
)

// Session keeps one record alive for the terms of many candidates of a process (see
// WithSession): their terms ride on it, and are not renewed themselves. So ten thousand
// elections cost a store as many renewals as one. If the session is lost, so are all terms
// that ride on it, at once; its candidates begin another, and campaign on.
//
// Make it with NewSession; the zero value is not usable. It is alive while there are
// campaigns that use it, and deletes its record then. Every ten minutes it deletes those of
// sessions below the same prefix whose processes have crashed. It is safe for concurrent use.
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
// uses WithRenewInterval, WithRetryInterval, WithMargin, WithGrace, WithLogger, and OnError of
// WithCallbacks. It makes no call of the store. Invalid arguments and options are reported by its
// candidates, as ErrInvalidArgument.
func NewSession(kv store.Store, prefix, node string, ttl time.Duration, opts ...Option) *Session {
	all := newOptions(opts)
	s := &Session{kv: kv, prefix: prefix, node: node, ttl: ttl, opts: options{
		config: all.config, margin: all.margin, grace: all.grace, log: all.log, clock: all.clock, set: all.set,
		callbacks: Callbacks{OnError: all.callbacks.OnError}, format: election.Sessions,
	}}
	s.opts.config.Once, s.opts.config.Schedule = true, election.Schedule{}
	s.shared = lease.NewSession(s.live)
	first := s.next()
	switch s.ttl, s.opts, s.err = first.ttl, *first.opts, first.err; {
	case s.err != nil:
	case !reflect.ValueOf(kv).Comparable():
		s.err = invalid("store of a session", fmt.Sprintf("of type %T", kv), "must be comparable, such as a pointer")
	case slices.ContainsFunc(strings.Split(prefix, "/"), func(s string) bool { return s == ".." }):
		s.err = invalid("prefix of a session", fmt.Sprintf("%q", prefix), `must have no ".." between slashes`)
	}
	return s
}

// WithSession has the terms of a candidate ride on a session, which has to be of the same store,
// with the same TTL, and with at least the candidate's margin and grace. With nil a candidate renews its
// terms itself; that is the default, save in a Group.
//
// Work that does not return keeps its seat for as long as the session is alive. While the store
// does not answer, a campaign takes up to three TTLs to end.
//
// Programs built without sessions take the record of a term that rides for a foreign one:
// replace the last of them before the first term rides.
func WithSession(s *Session) Option {
	return func(o *options) {
		o.session, o.rides, o.set.session = nil, nil, true
		if s != nil {
			o.session, o.rides = s.shared, s.check
		}
	}
}

// check says what keeps a candidate from riding.
func (s *Session) check(kv store.Store, ttl time.Duration, of *options) error {
	switch {
	case s.err != nil:
		return s.err
	case kv != s.kv:
		return invalid("store", "another than that of the session", "must be the same")
	case ttl != s.ttl:
		return invalid("ttl", ttl, "must be that of the session, %v", s.ttl)
	case of.grace > s.opts.grace:
		return invalid("grace", of.grace, "must not be above that of the session, %v: give it to NewSession", s.opts.grace)
	case of.margin > s.opts.margin:
		return invalid("margin", of.margin, "must not be above that of the session, %v: give it to NewSession", s.opts.margin)
	}
	return nil
}

// next is the candidate of the next incarnation.
func (s *Session) next() *Candidate {
	o := s.opts // for its defaults are filled in again
	return newCandidate(s.kv, s.directory()+rand.Text(), s.node, s.ttl, &o)
}

// live is one incarnation: a candidate in an election of its own, that stands once.
func (s *Session) live(ctx context.Context) error {
	c := s.next()
	stream := relay.NewStream(relay.Terms[*term]())
	campaign, err := c.start(ctx, mode{stream: stream})
	if err != nil {
		stream.End(err)
		return err
	}
	values := context.WithoutCancel(ctx)
	sweeping, cancel := context.WithCancel(values)
	swept := make(chan struct{})
	go func() {
		defer close(swept)
		s.sweep(sweeping)
	}()
	for leads := range stream.Out {
		if t := c.term.Load(); leads && t != nil {
			s.shared.Set(c.key, t.lease)
		} else {
			s.shared.Set("", nil)
		}
	}
	<-campaign.done
	cancel()
	<-swept
	if ctx.Err() != nil { // all its terms have been given up
		within, cancel := context.WithTimeout(values, c.ttl/3)
		defer cancel()
		s.warn(s.remove(within, c.key, nil, 0))
	}
	return campaign.err // the store does not compare and swap
}

// sweepInterval is how often a session looks for others that have ended.
const sweepInterval = 10 * time.Minute

// sweep deletes the records of sessions whose process has ended without doing so: those that have
// ended, once they have been that for a while. If a term yet names one, that costs its rivals a
// wait. One that nobody has ended, because no term that names it is wanted, it ends first.
func (s *Session) sweep(ctx context.Context) {
	last := make(map[string]*store.KVPair)
	for span := max(sweepInterval, 10*s.ttl); clock.Pause(ctx, span) == nil; {
		seen := make(map[string]*store.KVPair)
		err := register.Pages(ctx, newRegister(s.kv, s.directory()), func(pairs []*store.KVPair) error {
			for _, pair := range pairs {
				if _, err := election.ParseSession(pair.Value); err == nil {
					seen[s.directory()+path.Base(pair.Key)] = pair
				}
			}
			return nil
		})
		s.warn(err)
		for key, pair := range seen {
			if before, ok := last[key]; ok && indexes.Same(before, pair) {
				s.warn(s.remove(ctx, key, pair, span))
			}
		}
		last = seen
	}
}

// remove deletes the record of a session that has ended, if it is still as it was seen, and ends
// one that was seen unchanged for that long, if that is its TTL at least (S11).
func (s *Session) remove(ctx context.Context, key string, seen *store.KVPair, unchanged time.Duration) error {
	_, err := newRegister(s.kv, key).Update(ctx, func(found *store.KVPair, _ register.Earlier) (register.Change, error) {
		if found == nil || seen != nil && !indexes.Same(found, seen) {
			return register.Leave, nil
		}
		rec, err := election.ParseSession(found.Value)
		switch {
		case err != nil || rec.Held() && rec.TTL() > unchanged:
			return register.Leave, nil //nolint:nilerr // what is no session is left alone
		case rec.Held():
			return register.Write(rec.Vacated(election.NextBeat(rec.Beat, clock.Stride()), election.Expired).Encode()), nil
		default:
			return register.Delete, nil
		}
	})
	return err
}

func (s *Session) warn(err error) {
	if err != nil {
		s.opts.log.Warn("session", "error", err)
	}
}

func (s *Session) directory() string { return s.prefix + "sessions/" }
