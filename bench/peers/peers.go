// Package peers has libraries that elect a leader, of which this project's is one, behind one
// interface, each used as its documentation tells.
package peers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Library is a way to elect a leader.
type Library struct {
	Name   string // also in the names of sides, such as redsync
	Store  string // the server that it needs, as package stage calls it; or Kubernetes
	Module string // the path of the Go module whose version is told
	About  string // how it is used here, a sentence

	// MinTTL is the smallest TTL that it takes.
	MinTTL time.Duration

	// Most is how many candidates of one key there can be, and Held how many elections of
	// one process; 0 means any number. Limit tells why.
	Most, Held int
	Limit      string

	// Poll is the share of the TTL after which a candidate looks again; 0 if it looks, or is
	// told, within 100 ms.
	Poll float64

	// NoResign tells why its candidates cannot resign and stand again; "" if they can.
	NoResign string

	open func(ctx context.Context, addr string) (Client, error)
}

// Kubernetes is the Store of client-go, which package kube stands in for.
const Kubernetes = "kubernetes"

// Ours is the name of this project's library.
const Ours = "leadership"

// Client is a connection to a store, or what a library makes of it, which candidates share.
type Client interface {
	// Candidate returns one that does not stand yet.
	Candidate(key, node string, ttl time.Duration) (Candidate, error)

	// Close closes the connection. Candidates that stand lose their seats.
	Close() error
}

// Candidate stands in one election. Its methods are called one after another.
type Candidate interface {
	// Campaign blocks until the candidate leads, and then returns nil. It goes on leading,
	// and renews what it has to, until Resign.
	Campaign(ctx context.Context) error

	// Resign gives up the seat.
	Resign(ctx context.Context) error
}

// Holder is a Client that has a way of its own to stand in many elections at once.
type Holder interface {
	// Hold stands in an election for each of keys until ctx ends, and calls led each time
	// that it is elected.
	Hold(ctx context.Context, keys []string, node string, ttl time.Duration, led func()) error
}

// Follower is a Client that can follow an election.
type Follower interface {
	// Follow calls led with the name of each leader, until ctx ends.
	Follow(ctx context.Context, key string, led func(node string)) error
}

// Find returns the library of a side, which is called as in etcd/leadership.
func Find(side string) (*Library, error) {
	for _, l := range Libraries {
		if l.Side() == side {
			return l, nil
		}
	}
	var names []string
	for _, l := range Libraries {
		names = append(names, l.Side())
	}
	return nil, fmt.Errorf("there is no side %q: there are %s", side, strings.Join(names, ", "))
}

// Side returns the name of the library on its store.
func (l *Library) Side() string { return l.Store + "/" + l.Name }

// Open connects to the store at addr, which is host:port, or for PostgreSQL a URL.
func (l *Library) Open(ctx context.Context, addr string) (Client, error) {
	c, err := l.open(ctx, addr)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", l.Side(), err)
	}
	return c, nil
}

// Libraries are all there are.
var Libraries = []*Library{
	ours("etcd"), etcdElection,
	ours("consul"), consulLock, dockerLeadership,
	ours("zookeeper"), zooKeeperLock,
	ours("redis"), redSync, redisLock, goLeader,
	ours("postgres"), advisoryLock,
	clientGo,
}

// Hold stands in an election for each of keys until ctx ends, and calls led each time that it
// is elected. A client that is no Holder has a candidate for each key, of which 32 at a time
// begin to campaign.
func Hold(ctx context.Context, c Client, keys []string, node string, ttl time.Duration, led func()) error {
	if h, ok := c.(Holder); ok {
		return h.Hold(ctx, keys, node, ttl, led)
	}
	var (
		errs    = make(chan error, len(keys))
		limit   = make(chan struct{}, 32)
		running sync.WaitGroup
	)
	for _, key := range keys {
		candidate, err := c.Candidate(key, node, ttl)
		if err != nil {
			return err
		}
		limit <- struct{}{}
		running.Go(func() {
			err := candidate.Campaign(ctx)
			<-limit
			if err == nil {
				led()
				<-ctx.Done()
				return
			}
			if ctx.Err() == nil {
				errs <- err
			}
		})
	}
	running.Wait()
	close(errs)
	var all []error
	for err := range errs {
		all = append(all, err)
	}
	return errors.Join(all...)
}

// keep calls renew every interval until stop is called, which waits for a call under way.
func keep(interval time.Duration, renew func(ctx context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ticks := time.NewTicker(interval)
		defer ticks.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticks.C:
				renew(ctx)
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// shared has the i-th candidate of a key use the i-th session: those of many keys share it, and
// those of one key do not.
type shared[S any] struct {
	mu       sync.Mutex
	sessions []S
	used     map[string]int
}

func (s *shared[S]) get(key string, open func() (S, error)) (S, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.used[key]
	if i == len(s.sessions) {
		session, err := open()
		if err != nil {
			return session, err
		}
		s.sessions = append(s.sessions, session)
	}
	if s.used == nil {
		s.used = make(map[string]int)
	}
	s.used[key]++
	return s.sessions[i], nil
}

// Asker is a Candidate that can be asked whether it leads.
type Asker interface{ IsLeader() bool }
