package leadership

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/internal/standin"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func TestRequestsDoNotKeepADeadLeaderInItsSeat(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		link := faultstore.New(kv)
		defer link.Close()
		NewCandidate(link, key, "a", ttl).RunForElection(ctx)
		synctest.Wait()
		b := NewCandidate(kv, key, "b", ttl)
		b.RunForElection(ctx)
		f := NewFollower(kv, key)
		f.FollowElection(ctx)
		time.Sleep(ttl)
		link.Partition()
		died := time.Now()
		for !b.IsLeader() && time.Since(died) < 5*ttl {
			impatient, cancel := context.WithTimeout(ctx, ttl/2)
			_ = Ask(impatient, kv, key, Request{Action: Resign, By: "olga"})
			cancel()
			time.Sleep(time.Millisecond)
		}
		if took := time.Since(died); took > 2*ttl {
			t.Errorf("the seat was empty for %v", took)
		}
		time.Sleep(ttl)
		synctest.Wait()
		if leader := f.Leader(); leader != "b" {
			t.Errorf("the follower believes in %q", leader)
		}
	})
}

func TestHoldOfATransferDoesNotBeginAnewWithThoseThatEnterThemselves(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		all := electorate(ctx, kv)
		began := time.Now()
		asked := make(chan error, 1)
		go func() { asked <- Ask(ctx, kv, key, Request{Action: Transfer, To: "nobody", Hold: time.Minute}) }()
		time.Sleep(ttl)
		for i := 0; sole(all) == "" && time.Since(began) < 30*time.Minute; i++ {
			time.Sleep(40 * time.Second)
			c := NewCandidate(kv, key, fmt.Sprint("p", i%2), ttl, WithPriority(1+i%2))
			c.RunForElection(ctx)
			time.Sleep(time.Second)
			c.Stop()
		}
		if took := time.Since(began); took > 90*time.Second {
			t.Errorf("a hold of a minute took %v", took)
		}
		if err := <-asked; !errors.Is(err, ErrNotTransferred) {
			t.Errorf("%v, want ErrNotTransferred", err)
		}
	})
}

// TestHoldThatNobodyMayAskForIsNoLeaveToClaim: it may have been written by hand.
func TestHoldThatNobodyMayAskForIsNoLeaveToClaim(t *testing.T) {
	for hold, want := range map[int64]time.Duration{
		math.MaxInt64 / 1_000_000 * 3 / 2: MaxHold,
		math.MaxInt64:                     MaxHold,
		-60_000:                           0,
		math.MinInt64:                     0,
	} {
		if _, d := (&election.Request{Do: election.Transfer, To: "nobody", Millis: hold}).Transfers(); d != want {
			t.Errorf("%d ms are %v, want %v", hold, d, want)
		}
	}
}

func TestRequestIsObeyedByALeaderThatComesBack(t *testing.T) {
	for _, r := range []Request{{Action: Transfer, To: "b"}, {Action: Resign}, {Action: Pause}} {
		inVirtualTime(t, func(t *testing.T, ctx context.Context) {
			kv := memory.New()
			link := faultstore.New(kv)
			defer link.Close()
			a := NewCandidate(link, key, "a", ttl)
			a.RunForElection(ctx)
			synctest.Wait()
			b := NewCandidate(kv, key, "b", ttl)
			b.RunForElection(ctx)
			time.Sleep(ttl)
			link.Partition()
			time.Sleep(ttl / 3)
			asked := make(chan error, 1)
			go func() { asked <- Ask(ctx, kv, key, r) }()
			time.Sleep(ttl - ttl/3 - ttl/10)
			link.Heal()
			if err := <-asked; err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if a.IsLeader() || b.IsLeader() == (r.Action == Pause) {
				t.Errorf("%s: a leads: %v, b leads: %v", r.Action, a.IsLeader(), b.IsLeader())
			}
		})
	}
}

func TestRequestSurvivesTheLossOfTheRecord(t *testing.T) {
	for _, keep := range []bool{false, true} {
		inVirtualTime(t, func(t *testing.T, ctx context.Context) {
			kv := memory.New()
			link := faultstore.New(kv)
			link.MuteWatches(true)
			defer link.Close()
			a := NewCandidate(link, key, "a", ttl)
			a.RunForElection(ctx)
			time.Sleep(ttl + ttl/10)
			lose := func() {
				if err := kv.Delete(ctx, key); err != nil {
					t.Fatal(err)
				}
			}
			if !keep {
				lose()
			}
			if err := Ask(ctx, kv, key, Request{Action: Pause, Keep: keep, Create: true}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * ttl)
			if keep {
				lose()
			}
			time.Sleep(2 * ttl)
			if rec := stored(t, kv); !rec.Ask.Pauses() || a.IsLeader() != keep {
				t.Errorf("keep %v: a leads: %v, and the record asks %+v", keep, a.IsLeader(), rec.Ask)
			}
		})
	}
}

func TestRequestThatTheStoreKeepsRefusingIsGivenUp(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		NewCandidate(kv, key, "a", ttl).RunForElection(ctx)
		synctest.Wait()
		s := &standin.Store{Store: kv, OnGet: withoutIndex(kv)}
		began := time.Now()
		if err := Ask(ctx, s, key, Request{Action: Resign}); !errors.Is(err, store.ErrKeyModified) || time.Since(began) > time.Second {
			t.Errorf("%v, after %v", err, time.Since(began))
		}
	})
}

func TestRequestIsNotObeyedByARecordThatIsGone(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		c := NewClaims(kv, key)
		claimed(ctx, t, c, claimFor("a"))
		go func() {
			time.Sleep(ttl / 4)
			if err := kv.Delete(ctx, key); err != nil {
				t.Error(err)
			}
		}()
		began := time.Now()
		if err := Ask(ctx, kv, key, Request{Action: Resign}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < ttl {
			t.Errorf("obeyed after %v, though the leader may lead for %v", took, ttl)
		}
	})
}

func TestRequestThatAnotherRepeatsIsNotReplaced(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		if got := claimed(ctx, t, NewClaims(kv, key), claimFor("a")); !got.Won {
			t.Fatal("a does not lead")
		}
		answers := make(chan error, 1)
		go func() { answers <- Ask(ctx, kv, key, Request{Action: Resign, By: "olga"}) }()
		synctest.Wait()
		rec := stored(t, kv)
		again := *rec.Ask
		again.By, again.At = "otto", again.At.Add(time.Millisecond)
		rec.Ask = &again
		if err := kv.Put(ctx, key, rec.Encode(), nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(ttl / 2)
		if err := NewClaims(kv, key).Resign(ctx, instanceA, 0, 0); err != nil {
			t.Fatal(err)
		}
		if err := <-answers; err != nil {
			t.Errorf("olga is told %v", err)
		}
	})
}

// Two writes of one value look like a store that does not compare and swap (S10).
func TestRequestsOfOneMomentAreToldApart(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		if got := claimed(ctx, t, NewClaims(kv, key), claimFor("a")); !got.Won {
			t.Fatal("a does not lead")
		}
		held := parsed(kv.Get(ctx, key, nil))
		r := Request{Action: Resign, By: "olga"}
		first, _, err := r.asking(held, nil)
		if err != nil {
			t.Fatal(err)
		}
		second, _, err := r.asking(held, nil)
		if err != nil {
			t.Fatal(err)
		}
		if first.Ask.Same(second.Ask) || !first.Ask.At.Truncate(time.Millisecond).Equal(second.Ask.At.Truncate(time.Millisecond)) {
			t.Errorf("they ask %+v and %+v", first.Ask, second.Ask)
		}
	})
}
