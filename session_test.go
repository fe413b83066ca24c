package leadership

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// riders are candidates of one process, in that many elections, that share a session.
func riders(ctx context.Context, kv store.Store, node string, n int) (all []*Candidate) {
	s := NewSession(kv, "app/", node, ttl)
	for i := range n {
		c := NewCandidate(kv, fmt.Sprint("app/", i), node, ttl, WithSession(s))
		c.RunForElection(ctx)
		all = append(all, c)
	}
	return all
}

func leading(all []*Candidate) (n int) {
	for _, c := range all {
		if c.IsLeader() {
			n++
		}
	}
	return n
}

func TestManyTermsRideOnOneSession(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		const n = 50
		kv := newCounted()
		all := riders(ctx, kv, "a", n)
		time.Sleep(ttl)
		if got := leading(all); got != n {
			t.Fatalf("%d lead", got)
		}
		before := kv.puts.Load()
		time.Sleep(100 * ttl)
		if got := leading(all); got != n {
			t.Errorf("%d lead", got)
		}
		if writes := kv.puts.Load() - before; writes > 310 {
			t.Errorf("%d writes in 100 TTLs", writes)
		}
	})
}

func TestTermsOfALostSessionAreTakenTogether(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		const n = 50
		kv := newCounted()
		link := faultstore.New(kv)
		a := riders(ctx, link, "a", n)
		time.Sleep(ttl)
		b := riders(ctx, kv, "b", n)
		time.Sleep(ttl)
		link.Partition()
		began := time.Now()
		for leading(b) < n {
			if leading(a)+leading(b) > n {
				t.Fatal("two lead")
			}
			for i := range a {
				if a[i].IsLeader() && b[i].IsLeader() {
					t.Fatal("two lead")
				}
			}
			time.Sleep(ttl / 100)
			if time.Since(began) > 3*ttl {
				t.Fatalf("%d are led", leading(b))
			}
		}
		t.Logf("after %v", time.Since(began))
		link.Heal()
		time.Sleep(10 * ttl)
		if leading(a) != 0 || leading(b) != n {
			t.Errorf("%d and %d lead", leading(a), leading(b))
		}
	})
}

func TestSessionIsEndedAfterTheLastOfItsTerms(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := newCounted()
		a := riders(ctx, kv, "a", 5)
		time.Sleep(ttl)
		for _, c := range a {
			c.Stop()
		}
		time.Sleep(ttl / 10)
		b := riders(ctx, kv, "b", 5)
		time.Sleep(ttl / 10)
		if leading(b) != 5 {
			t.Errorf("%d lead", leading(b))
		}
	})
}

func TestThousandElectionsCostOneHeartbeat(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		const n, ttls = 1000, 20
		shared := memory.New()
		process := func(node string) (*countedMany, *faultstore.Store, []*Candidate) {
			kv := &countedMany{Store: shared}
			link := faultstore.New(kv)
			return kv, link, riders(ctx, link, node, n)
		}
		aCalls, aLink, a := process("a")
		time.Sleep(ttl)
		if got := leading(a); got != n {
			t.Fatalf("%d lead", got)
		}
		bCalls, _, b := process("b")
		time.Sleep(2 * ttl)
		before := [...]int64{aCalls.all(), bCalls.all()}
		time.Sleep(ttls * ttl)
		for i, c := range []*countedMany{aCalls, bCalls} {
			calls := c.all() - before[i]
			t.Logf("%d calls in %d TTLs", calls, ttls)
			if calls > 20*ttls {
				t.Errorf("%d calls in %d TTLs", calls, ttls)
			}
		}
		if leading(a) != n || leading(b) != 0 {
			t.Fatalf("%d and %d lead", leading(a), leading(b))
		}
		before[1] = bCalls.all()
		aLink.Partition()
		began := time.Now()
		for leading(b) < n {
			time.Sleep(ttl / 100)
			if time.Since(began) > 3*ttl {
				t.Fatalf("%d are led", leading(b))
			}
		}
		t.Logf("all are led after %v, by %d calls", time.Since(began), bCalls.all()-before[1])
	})
}

func TestGroupRidesOnFewSessions(t *testing.T) {
	for _, c := range []struct{ elections, sessions int }{{15, 0}, {16, 1}, {40, 2}, {1000, 4}} {
		inVirtualTime(t, func(t *testing.T, ctx context.Context) {
			kv := memory.New()
			g := NewGroup(kv, "a", ttl)
			ended := make(chan error, 1)
			go func() { ended <- g.Run(ctx, shards(c.elections), lead) }()
			time.Sleep(ttl)
			if n := len(g.Leading()); n != c.elections {
				t.Errorf("it leads %d elections of %d", n, c.elections)
			}
			count := func() (held, ended int) {
				pairs, err := kv.List(ctx, "shard/sessions/", nil)
				if err != nil && !errors.Is(err, store.ErrKeyNotFound) {
					t.Fatal(err)
				}
				for _, p := range pairs {
					rec, err := election.ParseSession(p.Value)
					switch {
					case err != nil:
						t.Errorf("%s: %v", p.Key, err)
					case rec.Held():
						held++
					default:
						ended++
					}
				}
				return held, ended
			}
			if held, _ := count(); held != c.sessions {
				t.Errorf("%d elections ride on %d sessions, not %d", c.elections, held, c.sessions)
			}
			g.Stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if held, ended := count(); held != 0 || ended != 0 {
				t.Errorf("%d sessions are alive in the end, %d are kept", held, ended)
			}
		})
	}
}

func TestGroupWithoutSessionRenewsEachTerm(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		g := NewGroup(kv, "a", ttl, WithSession(nil))
		go func() { _ = g.Run(ctx, shards(100), lead) }()
		time.Sleep(ttl)
		pair, err := kv.Get(ctx, shards(1)[0], nil)
		if err != nil {
			t.Fatal(err)
		}
		if rec, err := election.Parse(pair.Value); err != nil || !rec.Held() || rec.Session != "" {
			t.Errorf("%+v, %v", rec, err)
		}
	})
}

func TestSessionIsBelowWhatAllKeysBeginWith(t *testing.T) {
	for want, keys := range map[string][]string{
		"":      {"a", "b"},
		"a/":    {"a/x", "a/y/z", "a/xx"},
		"a/b/":  {"a/b/1", "a/b/12"},
		"a//":   {"a//1", "a//2"},
		"/":     {"/x/1", "/y/1"},
		"t/":    {"t/1/leader", "t/2/leader"},
		"t/12/": {"t/12/a"},
	} {
		if got := directory(keys); got != want {
			t.Errorf("%q: %q, not %q", keys, got, want)
		}
	}
}

func TestCandidatesThatCannotRideAreRefused(t *testing.T) {
	kv, other := memory.New(), memory.New()
	good := NewSession(kv, "app/", "a", ttl, WithGrace(time.Millisecond))
	for want, c := range map[string]*Candidate{
		"store":              NewCandidate(other, "x", "a", ttl, WithSession(good)),
		"must be that of":    NewCandidate(kv, "x", "a", 2*ttl, WithSession(good)),
		"grace":              NewCandidate(kv, "x", "a", ttl, WithSession(good), WithGrace(2*time.Millisecond)),
		"margin":             NewCandidate(kv, "x", "a", ttl, WithSession(good), WithMargin(ttl/2)),
		"node":               NewCandidate(kv, "x", "a", ttl, WithSession(NewSession(kv, "app/", "", ttl))),
		"from 50ms":          NewCandidate(kv, "x", "a", 0, WithSession(NewSession(kv, "app/", "a", 1))),
		`no ".."`:            NewCandidate(kv, "x", "a", ttl, WithSession(NewSession(kv, "app/../", "a", ttl))),
		"must be comparable": NewCandidate(incomparable{kv, nil}, "x", "a", ttl, WithSession(NewSession(incomparable{kv, nil}, "", "a", ttl))),
	} {
		_, errs := c.RunForElection(t.Context())
		if err := <-errs; !errors.Is(err, ErrInvalidArgument) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
}

// incomparable is a store that == cannot compare.
type incomparable struct {
	store.Store
	_ []int
}

func TestSessionThatCannotBeWrittenIsToldOf(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := faultstore.New(memory.New(), faultstore.WithPlan(func(c faultstore.Call) faultstore.Fault {
			if strings.HasPrefix(c.Key, "app/sessions/") {
				return faultstore.Fault{Err: errors.New("not allowed")}
			}
			return faultstore.Fault{}
		}))
		var log bytes.Buffer
		told := make(chan error, 100)
		s := NewSession(kv, "app/", "a", ttl, WithLogger(slog.New(slog.NewTextHandler(&log, nil))), WithCallbacks(Callbacks{OnError: func(err error) { told <- err }}))
		c := NewCandidate(kv, "app/x", "a", ttl, WithSession(s))
		out, _ := c.RunForElection(ctx)
		if err := <-told; !strings.Contains(err.Error(), "not allowed") || !strings.Contains(err.Error(), "app/sessions/") {
			t.Error(err)
		}
		c.Stop()
		for leads := range out {
			if leads {
				t.Error("it leads without a session")
			}
		}
		if !strings.Contains(log.String(), "msg=session ") || strings.Contains(log.String(), "msg=election ") {
			t.Errorf("the log tells %s", log.String())
		}
	})
}

func TestEndedSessionsOfCrashedProcessesAreDeleted(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		link := faultstore.New(kv)
		riders(ctx, link, "a", 5)
		time.Sleep(ttl)
		b := riders(ctx, kv, "b", 5)
		time.Sleep(ttl)
		link.Partition() // for good
		time.Sleep(3 * ttl)
		sessions := func() int {
			pairs, err := kv.List(ctx, "app/sessions/", nil)
			if err != nil {
				t.Fatal(err)
			}
			return len(pairs)
		}
		if n := sessions(); n != 2 {
			t.Errorf("%d sessions are there", n)
		}
		time.Sleep(3 * sweepInterval)
		if n := sessions(); n != 1 || leading(b) != 5 {
			t.Errorf("%d sessions are there, and b leads %d elections", n, leading(b))
		}
	})
}
