package leadership

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/internal/standin"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// A renewal times out on its way (another connection answers the look), and lands late.
func TestRenewalThatLandsLateCostsNoTerm(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		inner := memory.New()
		var armed atomic.Bool
		kv := &standin.Store{Store: inner}
		var lateOK atomic.Bool
		kv.OnPut = func(ctx context.Context, key string, value []byte, previous *store.KVPair) (bool, *store.KVPair, error) {
			if armed.Swap(false) {
				// The client gives up with its context; the server gets it 1 ms later than the client's look.
				<-ctx.Done()
				time.AfterFunc(ttl/200, func() {
					ok, _, err := inner.AtomicPut(context.Background(), key, value, previous, nil)
					lateOK.Store(ok && err == nil)
				})
				return false, nil, ctx.Err()
			}
			time.Sleep(ttl / 100) // a round trip
			return inner.AtomicPut(ctx, key, value, previous, nil)
		}
		a := NewCandidate(kv, key, "a", ttl)
		elected, _ := a.RunForElection(ctx)
		<-elected
		<-elected
		term, _ := a.Term()
		armed.Store(true)
		for range 100 {
			time.Sleep(ttl / 50)
			if now, ok := a.Term(); !ok || now.Token != term.Token {
				t.Fatalf("term lost (the late write landed: %v)", lateOK.Load())
			}
		}
	})
}

// A renewal that timed out lands after the candidate has resigned, before its vacancy.
func TestRenewalThatLandsLateIsGivenUpWithItsSeat(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		inner := memory.New()
		var armed atomic.Bool
		kv := &standin.Store{Store: inner}
		kv.OnPut = func(ctx context.Context, key string, value []byte, previous *store.KVPair) (bool, *store.KVPair, error) {
			if armed.Swap(false) {
				<-ctx.Done()
				time.AfterFunc(ttl/200, func() { _, _, _ = inner.AtomicPut(context.Background(), key, value, previous, nil) })
				return false, nil, ctx.Err()
			}
			time.Sleep(ttl / 100)
			return inner.AtomicPut(ctx, key, value, previous, nil)
		}
		a := NewCandidate(kv, key, "a", ttl)
		elected, _ := a.RunForElection(ctx)
		<-elected
		<-elected
		b := NewCandidate(inner, key, "b", ttl)
		eb, _ := b.RunForElection(ctx)
		<-eb
		armed.Store(true)
		for armed.Load() {
			time.Sleep(ttl / 1000)
		}
		a.Resign() // while the renewal is under way
		began := time.Now()
		<-eb
		if time.Since(began) > ttl/2 {
			t.Error("late")
		}
	})
}

// One stale read, in a healthy store.
func TestOneStaleReadCostsNoTerm(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		inner := memory.New()
		kv := &standin.Store{Store: inner}
		var stale atomic.Pointer[store.KVPair]
		var lose atomic.Bool
		kv.OnGet = func(ctx context.Context, key string) (*store.KVPair, error) {
			if p := stale.Swap(nil); p != nil {
				return p, nil
			}
			return inner.Get(ctx, key, nil)
		}
		kv.OnPut = func(ctx context.Context, key string, value []byte, previous *store.KVPair) (bool, *store.KVPair, error) {
			if lose.Swap(false) {
				return false, nil, errors.New("refused connection")
			}
			return inner.AtomicPut(ctx, key, value, previous, nil)
		}
		a := NewCandidate(kv, key, "a", ttl)
		elected, _ := a.RunForElection(ctx)
		<-elected
		<-elected
		synctest.Wait()
		term, _ := a.Term()
		old, _ := inner.Get(ctx, key, nil)
		time.Sleep(ttl / 2) // one renewal
		synctest.Wait()
		stale.Store(old)
		lose.Store(true) // the next renewal fails, and the look after it is answered by one who lags
		for range 100 {
			time.Sleep(ttl / 50)
			if now, ok := a.Term(); !ok || now.Token != term.Token {
				t.Fatal("term lost")
			}
		}
	})
}

// A request that an earlier term of ours has obeyed is put back with its record.
func TestRequestOfAnEarlierTermIsNotObeyedAgain(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		a := NewCandidate(kv, key, "a", ttl)
		a.RunForElection(ctx)
		time.Sleep(ttl)
		before := stored(t, kv)
		before.Ask = &election.Request{Do: election.Resign, At: time.Now().UTC().Truncate(time.Millisecond)}
		if err := Ask(ctx, kv, key, Request{Action: Resign}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * ttl)
		term, ok := a.Term()
		if !ok || term.Token == before.Token {
			t.Fatal(term, ok)
		}
		synctest.Wait()
		if err := kv.Put(ctx, key, before.Encode(), nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(ttl / 2)
		now, ok := a.Term()
		if !ok || now.Token != term.Token {
			t.Error("the term was given up for a request that was obeyed in another")
		}
	})
}

func TestRoundAskedAgainIsNotWonByARead(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		shared := memory.New()
		link := faultstore.New(shared, faultstore.WithPlan(unacknowledged))
		r := NewRound(link, "s", "r", "a")
		for range 3 {
			if won, _ := r.Elect(ctx); won {
				t.Error("won by a write that was not acknowledged")
				// The failover takes it back; b wins too.
				_ = shared.Delete(ctx, "s/r")
				if b, err := NewRound(shared, "s", "r", "b").Elect(ctx); b || err != nil {
					t.Errorf("and by b: %v, %v", b, err)
				}
				return
			}
		}
	})
}

func TestRoundMadeAgainIsNotWonByARead(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		shared := memory.New()
		link := faultstore.New(shared, faultstore.WithPlan(unacknowledged))
		rs := NewRounds(link)
		for range 2 {
			if won, _ := rs.Round("s", "r", "a").Elect(ctx); won {
				t.Error("won by a write that was not acknowledged")
			}
		}
	})
}

// countedStop is a store that hangs after n calls, for what would go on for ever in no time.
func countedStop(t *testing.T, inner store.Store, n int64) (*standin.Store, *atomic.Int64) {
	var calls atomic.Int64
	kv := &standin.Store{Store: inner}
	kv.OnGet = func(ctx context.Context, key string) (*store.KVPair, error) {
		if calls.Add(1) > n {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return inner.Get(ctx, key, nil)
	}
	kv.OnPut = func(ctx context.Context, key string, value []byte, previous *store.KVPair) (bool, *store.KVPair, error) {
		if calls.Add(1) > n {
			<-ctx.Done()
			return false, nil, ctx.Err()
		}
		return inner.AtomicPut(ctx, key, value, previous, nil)
	}
	return kv, &calls
}

func TestLeaderOfTheLastTokenLeadsAgainOnceItIsGone(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		inner := memory.New()
		if err := inner.Put(ctx, key, election.Record{Token: election.MaxToken - 2, Beat: 1}.Encode(), nil); err != nil {
			t.Fatal(err)
		}
		kv, calls := countedStop(t, inner, 10000)
		link := faultstore.New(kv)
		a := NewCandidate(link, key, "a", ttl)
		elected, _ := a.RunForElection(ctx)
		<-elected
		<-elected
		link.Partition()
		if <-elected {
			t.Fatal("true twice")
		}
		_ = inner.Delete(ctx, key)
		before := calls.Load()
		link.Heal()
		time.Sleep(3 * ttl)
		if n := calls.Load() - before; !a.IsLeader() || n > 200 {
			t.Errorf("leads: %v, after %d calls in 3 TTLs", a.IsLeader(), n)
		}
	})
}

func TestTokensRiseAfterTheLastWasForgotten(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		inner := memory.New()
		_ = inner.Put(ctx, key, election.Record{Token: election.MaxToken - 1, Beat: 1}.Encode(), nil)
		c := NewClaims(inner, key)
		refusedWith(ctx, t, c, claimFor("a"), ErrForeignRecord)
		_ = inner.Delete(ctx, key)
		a, err := c.Claim(ctx, Claim{Node: "a", TTL: ttl})
		if err != nil || !a.Won {
			t.Fatal(a, err)
		}
		if err := c.Resign(ctx, a.Instance, 0, 0); err != nil {
			t.Fatal(err)
		}
		b, err := c.Claim(ctx, Claim{Node: "b", TTL: ttl})
		if err != nil || !b.Won {
			t.Fatal(b, err)
		}
		if b.Term.Token <= a.Term.Token {
			t.Errorf("term %d of a, then term %d of b", a.Term.Token, b.Term.Token)
		}
	})
}

// backClock is a clock whose wall is behind.
type backClock struct {
	clock.System
	by time.Duration
}

func (c backClock) Now() clock.Instant {
	n := c.System.Now()
	n.Wall -= int64(c.by)
	return n
}

func TestTokensRiseOnAfterTheLastThoughAClockIsBehind(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		inner := memory.New()
		_ = inner.Put(ctx, key, election.Record{Token: election.MaxToken - 1, Beat: 1}.Encode(), nil)
		a := NewCandidate(inner, key, "a", ttl)
		b := NewCandidate(inner, key, "b", ttl, clock.Option(backClock{by: time.Minute}).(Option))
		ea, _ := a.RunForElection(ctx)
		time.Sleep(ttl)
		eb, _ := b.RunForElection(ctx)
		time.Sleep(ttl)
		_ = collect(ea)
		_ = collect(eb)
		_ = inner.Delete(ctx, key)
		var last uint64
		for range 6 {
			time.Sleep(3 * ttl)
			rec := stored(t, inner)
			if rec.Token <= last {
				t.Errorf("token %d after %d", rec.Token, last)
			}
			last = rec.Token
			a.Resign()
			b.Resign()
		}
	})
}

// A store that takes writes and loses them at once (a cache that evicts, say).
func TestStoreThatForgetsWhatItAcknowledgesIsNotFlooded(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		var calls atomic.Int64
		const n = 10000
		kv := &standin.Store{Store: memory.New()}
		kv.OnGet = func(ctx context.Context, key string) (*store.KVPair, error) {
			if calls.Add(1) > n {
				<-ctx.Done()
			}
			time.Sleep(time.Millisecond)
			return nil, store.ErrKeyNotFound
		}
		var index atomic.Uint64
		kv.OnPut = func(ctx context.Context, key string, value []byte, previous *store.KVPair) (bool, *store.KVPair, error) {
			if calls.Add(1) > n {
				<-ctx.Done()
			}
			time.Sleep(time.Millisecond)
			return true, &store.KVPair{Key: key, Value: value, LastIndex: index.Add(1)}, nil
		}
		kv.OnWatch = func(context.Context) <-chan *store.KVPair { return nil }
		a := NewCandidate(kv, key, "a", ttl)
		a.RunForElection(ctx)
		time.Sleep(2 * ttl)
		if calls.Load() > 400 {
			t.Error("hot loop")
		}
	})
}
