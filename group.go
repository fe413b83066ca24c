package leadership

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/store"
)

// startGap is how long after one another the candidates of a group start, so
// that they do not all renew at the same instants ever after.
const startGap = time.Millisecond

// Group stands in many elections at once, such as one for each shard: with a
// candidate for each, of the same store, node, TTL and options. Make it with
// NewGroup; the zero value is not usable. All methods are safe for concurrent
// use.
//
// From 16 elections on their terms ride on up to four sessions, so that they cost the store few
// renewals; if one of these is lost, so are the terms that ride on it. The records of the
// sessions are below "sessions/" in the directory that all keys share, up to a slash. WithSession
// gives the group one of yours; with nil, each term is renewed by itself.
//
// Callbacks are called for all elections, also at once, and health is checked for
// each.
type Group struct {
	kv   store.Store
	node string
	ttl  time.Duration
	opts []Option

	mu         sync.Mutex
	candidates map[string]*Candidate // of the Run that goes on, by key, or nil
	stopped    bool
}

// NewGroup makes a group. It makes no call of the store. What NewCandidate does
// not take is reported by Run.
func NewGroup(kv store.Store, node string, ttl time.Duration, opts ...Option) *Group {
	return &Group{kv: kv, node: node, ttl: ttl, opts: opts}
}

// Run campaigns under each of keys as Candidate.Run does, and calls work, in a
// goroutine of its own, for each election that the group wins. The candidates
// start a millisecond after one another, but all within a third of the TTL.
//
// Where work returns an error, the group leaves that election, and goes on in the
// others. Where it panics, the group stops, and Run panics. Run blocks until the
// group has left all elections: after Stop or the end of ctx, or for errors. It
// returns the errors of all, joined, so nil where only Stop or the end of ctx has ended it;
// and at once ErrInvalidArgument, for a key that is there twice too, or ErrRunning while
// another Run goes on.
func (g *Group) Run(ctx context.Context, keys []string, work func(ctx context.Context, key string, term Term) error) error {
	if work == nil {
		return invalid("work", "nil", "must be a function")
	}
	if err := checkContext(ctx); err != nil {
		return err
	}
	candidates, err := g.begin(keys)
	if err != nil {
		return err
	}
	defer g.end()

	var campaigns []*campaign
	var errs []error
	for i, c := range candidates {
		key := keys[i]
		campaign, err := g.start(ctx, c, mode{function: work, work: func(ctx context.Context, term Term) error {
			defer func() {
				if v := recover(); v != nil {
					g.Stop()
					panic(v)
				}
			}()
			return work(ctx, key, term)
		}})
		if err != nil {
			g.Stop()
			errs = append(errs, err)
		}
		if campaign == nil {
			break
		}
		campaigns = append(campaigns, campaign)
		if clock.Pause(ctx, min(startGap, c.ttl/3/time.Duration(len(keys)))) != nil {
			break
		}
	}
	for _, c := range campaigns {
		<-c.done
	}
	for _, c := range campaigns {
		errs = append(errs, c.outcome())
	}
	return errors.Join(errs...)
}

// start starts a candidate, unless the group was stopped.
func (g *Group) start(ctx context.Context, c *Candidate, m mode) (*campaign, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped {
		return nil, nil
	}
	return c.start(ctx, m)
}

// begin makes the candidates of a Run.
func (g *Group) begin(keys []string) ([]*Candidate, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.candidates != nil {
		return nil, fmt.Errorf("leadership: group of %q: %w", g.node, ErrRunning)
	}
	share := g.sessions(keys)
	candidates := make(map[string]*Candidate)
	var ordered []*Candidate
	for _, key := range keys {
		if candidates[key] != nil {
			return nil, invalid("keys", fmt.Sprintf("%q, twice", key), "must differ")
		}
		c := newCandidate(g.kv, key, g.node, g.ttl, share(key))
		if c.err != nil {
			return nil, c.err
		}
		candidates[key] = c
		ordered = append(ordered, c)
	}
	g.candidates, g.stopped = candidates, false
	return ordered, nil
}

const (
	// fewElections is below how many the terms of a group do not ride on sessions.
	fewElections = 16

	// maxSessions is how many sessions a group has at most: one that is lost takes only its
	// part of the terms along.
	maxSessions = 4
)

// sessions returns what each key's candidate has for options: those of one session share them.
func (g *Group) sessions(keys []string) func(key string) *options {
	o := newOptions(g.opts)
	if len(keys) < fewElections || o.set.session || !reflect.ValueOf(g.kv).Comparable() {
		return func(string) *options { return &o }
	}
	prefix := directory(keys)
	all := make([]*options, min(maxSessions, len(keys)/fewElections))
	for i := range all {
		o := newOptions(append(slices.Clip(g.opts), WithSession(NewSession(g.kv, prefix, g.node, g.ttl, g.opts...))))
		all[i] = &o
	}
	return func(key string) *options {
		h := fnv.New32a()
		h.Write([]byte(key))
		return all[h.Sum32()%uint32(len(all))]
	}
}

// directory returns what all keys begin with, up to a slash.
func directory(keys []string) string {
	first, last := slices.Min(keys), slices.Max(keys)
	n := 0
	for n < min(len(first), len(last)) && first[n] == last[n] {
		n++
	}
	return first[:strings.LastIndexByte(first[:n], '/')+1]
}

func (g *Group) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.candidates = nil
}

// Candidate returns the candidate under key, to ask or to have it resign, or nil
// where Run has none, or does not go on. It must not be run.
func (g *Group) Candidate(key string) *Candidate {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.candidates[key]
}

// Leading returns the keys of the elections that the group leads at this moment,
// sorted. It looks at one after another.
func (g *Group) Leading() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var keys []string
	for key, c := range g.candidates {
		if c.IsLeader() {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// Stop ends the campaigns of a Run, all at once. It does not block: Run returns
// when the seats have been given up. Without a Run it does nothing.
func (g *Group) Stop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stopped = true
	for _, c := range g.candidates {
		c.Stop()
	}
}
