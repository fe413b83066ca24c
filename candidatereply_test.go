package leadership

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/internal/standin"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func TestLostReplyIsReadBack(t *testing.T) {
	for name, lose := range map[string]int{"of the claim": 1, "of a renewal": 3} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, ctx context.Context) {
				kv := faultstore.New(memory.New(), faultstore.WithPlan(func(c faultstore.Call) faultstore.Fault {
					return faultstore.Fault{LoseReply: c.Op == faultstore.OpAtomicPut && c.Seq == lose}
				}))
				c := NewCandidate(kv, key, "a", ttl)
				elected, errs := c.RunForElection(ctx)
				got := collect(elected)
				time.Sleep(5 * ttl)
				equal(t, "stream", got(), []bool{false, true})
				if err := <-errs; !errors.Is(err, faultstore.ErrInjected) || !strings.Contains(err.Error(), key) {
					t.Errorf("reported %v", err)
				}
			})
		})
	}
}

func TestClaimThatDidNotHappenIsNotBelieved(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := faultstore.New(memory.New(), faultstore.WithPlan(faultstore.Always(
			faultstore.Fault{Err: faultstore.ErrInjected}, faultstore.OpAtomicPut)))
		c := NewCandidate(kv, key, "a", ttl)
		elected, _ := c.RunForElection(ctx)
		got := collect(elected)
		time.Sleep(5 * ttl)
		equal(t, "stream", got(), []bool{false})
		kv.SetPlan(nil)
		time.Sleep(ttl / 3)
		equal(t, "stream", got(), []bool{false, true})
	})
}

func TestClaimThatLandsAfterStopIsReleased(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		shared := memory.New()
		kv := faultstore.New(shared, faultstore.WithPlan(func(c faultstore.Call) faultstore.Fault {
			if c.Op == faultstore.OpAtomicPut && c.Seq == 1 {
				return faultstore.Fault{Before: 10 * ttl, IgnoreContext: true}
			}
			return faultstore.Fault{}
		}))
		c := NewCandidate(kv, key, "a", ttl)
		elected, _ := c.RunForElection(ctx)
		<-elected
		synctest.Wait()
		c.Stop()
		closed(t, "elected", elected, ttl)
		time.Sleep(10 * ttl)
		synctest.Wait()
		if rec := stored(t, shared); rec.Held() {
			t.Errorf("the seat is held by a candidate that has ended: %+v", rec)
		}
	})
}

func TestLateRenewalDoesNotReviveATerm(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := faultstore.New(memory.New(), faultstore.WithPlan(func(c faultstore.Call) faultstore.Fault {
			if c.Op == faultstore.OpAtomicPut && c.Seq == 2 {
				return faultstore.Fault{After: ttl * 3 / 4, IgnoreContext: true}
			}
			return faultstore.Fault{}
		}))
		c := NewCandidate(kv, key, "a", ttl)
		elected, _ := c.RunForElection(ctx)
		<-elected
		<-elected
		first, _ := c.Term()
		if <-elected {
			t.Fatal("true twice")
		}
		if !<-elected {
			t.Fatal("false twice")
		}
		if second, _ := c.Term(); second.Token <= first.Token {
			t.Errorf("term %d was revived as %d", first.Token, second.Token)
		}
	})
}

func TestLateReplyWithinTheTrustKeepsTheTerm(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := faultstore.New(memory.New(), faultstore.WithPlan(func(c faultstore.Call) faultstore.Fault {
			return faultstore.Fault{After: ttl / 4}
		}))
		c := NewCandidate(kv, key, "a", ttl)
		elected, _ := c.RunForElection(ctx)
		got := collect(elected)
		time.Sleep(20 * ttl)
		equal(t, "stream", got(), []bool{false, true})
	})
}

// Consul's adapter returns what a second read finds, which may be the write of
// somebody else.
func TestReturnedPairOfSomebodyElseIsNotTakenForOurs(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		inner := memory.New()
		var puts atomic.Int32
		usurper := election.Record{Leader: "x", Instance: "x", Token: election.MaxToken - 1, Millis: 3_600_000, Since: time.UnixMilli(1).UTC()}
		kv := &standin.Store{Store: inner, OnPut: func(ctx context.Context, key string, value []byte, previous *store.KVPair) (bool, *store.KVPair, error) {
			ok, pair, err := inner.AtomicPut(ctx, key, value, previous, nil)
			if puts.Add(1) == 3 && err == nil {
				if err := inner.Put(ctx, key, usurper.Encode(), nil); err != nil {
					t.Error(err)
				}
				pair, err = inner.Get(ctx, key, nil)
			}
			return ok, pair, err
		}}
		c := NewCandidate(kv, key, "a", ttl)
		elected, _ := c.RunForElection(ctx)
		got := collect(elected)
		time.Sleep(10 * ttl)
		equal(t, "stream", got(), []bool{false, true, false})
	})
}
