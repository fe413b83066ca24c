package electiontest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
)

// patience is how long a test waits for what comes without a promised bound.
const patience = 30 * time.Second

// election is the one that a test is about.
type election struct {
	*testing.T
	env     Env
	ttl     time.Duration
	margin  time.Duration // of each candidate
	retry   time.Duration // of each candidate
	key     string
	hand    store.Store // the operator's own client
	referee *referee
}

func newElection(t *testing.T, env Env, ttl time.Duration) *election {
	t.Helper()
	e := &election{
		T: t, env: env, ttl: ttl, margin: ttl / 5, retry: ttl / 3,
		key:     "electiontest/" + strings.ToLower(rand.Text()[:8]) + "/leader",
		referee: newReferee(t),
	}
	e.hand = env.Open(t)
	// Before those of the candidates, and so run after them.
	t.Cleanup(func() { e.hand.Close() })
	t.Cleanup(e.referee.stop)
	return e
}

// attempt makes up to five attempts, with a fresh election each, at what may
// fail on a busy machine because the store stalls. try reports whether it
// succeeded, or else what went wrong. There is only one attempt at being safe,
// and at what try itself reports as an error.
func (e *election) attempt(try func(*election) (ok bool, problem string)) {
	e.Helper()
	const attempts = 5
	for n := 1; ; n++ {
		ok, problem := try(e)
		if ok {
			return
		}
		if n == attempts {
			e.Fatalf("%d times: %s", attempts, problem)
		}
		e.Logf("attempt %d: %s", n, problem)
		e = newElection(e.T, e.env, e.ttl)
	}
}

// connect opens a client that can be cut off from the store.
func (e *election) connect() *faultstore.Store {
	e.Helper()
	kv := e.env.Open(e.T)
	link := faultstore.New(kv)
	e.Cleanup(func() {
		link.Close()
		kv.Close()
	})
	return link
}

// stand has a new candidate run for election until the test is over.
func (e *election) stand(node string) *candidate {
	e.Helper()
	c := &candidate{node: node, link: e.connect(), closed: make(chan struct{})}
	c.Candidate = leadership.NewCandidate(c.link, e.key, node, e.ttl,
		leadership.WithMargin(e.margin), leadership.WithRetryInterval(e.retry), leadership.WithPayload([]byte("at "+node)))
	var ctx context.Context
	ctx, c.cancel = context.WithCancel(context.Background())
	e.referee.watch(c.Candidate)
	elected, errs := c.RunForElection(ctx)
	go c.listen(e.T, elected, errs)
	e.Cleanup(func() {
		c.cancel()
		c.link.Heal()
		e.within(patience, "the channels of "+node+" are closed", c.isClosed)
	})
	return c
}

// stands has three candidates run.
func (e *election) stands() []*candidate {
	e.Helper()
	return []*candidate{e.stand("a"), e.stand("b"), e.stand("c")}
}

// follow has a new follower follow until the test is over.
func (e *election) follow() *follower {
	e.Helper()
	f := &follower{closed: make(chan struct{})}
	link := e.connect()
	f.Follower = leadership.NewFollower(link, e.key, leadership.WithMargin(e.margin))
	ctx, cancel := context.WithCancel(context.Background())
	leaders, errs := f.FollowElection(ctx)
	go f.listen(leaders, errs)
	e.Cleanup(func() {
		cancel()
		e.within(patience, "the channels of the follower are closed", f.isClosed)
	})
	return f
}

// leader waits until one of candidates leads, as both its channel and IsLeader
// say.
func (e *election) leader(candidates ...*candidate) *candidate {
	e.Helper()
	var leader *candidate
	e.within(patience, "somebody leads", func() bool {
		for _, c := range candidates {
			if c.told() && c.IsLeader() {
				leader = c
				return true
			}
		}
		return false
	})
	return leader
}

// agree waits until the follower names the leader.
func (e *election) agree(f *follower, candidates []*candidate) {
	e.Helper()
	e.within(patience, "the follower agrees with the candidates", func() bool {
		return slices.ContainsFunc(candidates, func(c *candidate) bool { return c.IsLeader() && f.says(c.node) })
	})
}

// except returns all but one.
func except(all []*candidate, one *candidate) []*candidate {
	return slices.DeleteFunc(slices.Clone(all), func(c *candidate) bool { return c == one })
}

// within waits until condition holds, and fails the test if that takes longer
// than limit. It returns how long it took.
func (e *election) within(limit time.Duration, what string, condition func() bool) time.Duration {
	e.Helper()
	began := time.Now()
	for !condition() {
		if time.Since(began) > limit {
			stacks := make([]byte, 1<<20)
			e.Logf("%s", stacks[:runtime.Stack(stacks, true)])
			e.Fatalf("not within %v: %s", limit, what)
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(began)
}

// record is what a test reads of an election's record.
type record struct {
	Leader string `json:"leader"`
	Token  uint64 `json:"token"`
	Beat   uint64 `json:"beat"`
}

// look reads the record as an operator does; ok is false where there is none.
func (e *election) look() (r record, ok bool) {
	e.Helper()
	pair := e.get()
	return r, pair != nil && json.Unmarshal(pair.Value, &r) == nil
}

// get reads what is under the key, nil for nothing. A client that has just been
// cut off from its server may fail for a while.
func (e *election) get() *store.KVPair {
	e.Helper()
	ctx, cancel := context.WithTimeout(e.Context(), patience)
	defer cancel()
	for {
		pair, err := e.hand.Get(ctx, e.key, &store.ReadOptions{Consistent: true})
		switch {
		case err == nil:
			return pair
		case errors.Is(err, store.ErrKeyNotFound):
			return nil
		case ctx.Err() != nil:
			e.Fatalf("read the record by hand: %v", err)
		}
		time.Sleep(time.Millisecond)
	}
}

// write puts value under the key, by hand: whatever is there.
func (e *election) write(value string) {
	e.Helper()
	e.tamper(func(ctx context.Context, previous *store.KVPair) error {
		_, _, err := e.hand.AtomicPut(ctx, e.key, []byte(value), previous, nil)
		return err
	})
}

// remove deletes the key, by hand.
func (e *election) remove() {
	e.Helper()
	e.tamper(func(ctx context.Context, previous *store.KVPair) error {
		if previous == nil {
			return nil
		}
		_, err := e.hand.AtomicDelete(ctx, e.key, previous)
		return err
	})
}

// tamper changes what is under the key, again and again until nobody else has
// changed it between the look and the change.
func (e *election) tamper(change func(ctx context.Context, previous *store.KVPair) error) {
	e.Helper()
	ctx, cancel := context.WithTimeout(e.Context(), patience)
	defer cancel()
	for {
		err := change(ctx, e.get())
		if err == nil {
			return
		}
		lost := errors.Is(err, store.ErrKeyModified) || errors.Is(err, store.ErrKeyExists) || errors.Is(err, store.ErrKeyNotFound)
		if !lost {
			e.Fatalf("change the record by hand: %v", err)
		}
	}
}
