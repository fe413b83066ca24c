package leadership

import (
	"context"
	"sync"
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

func TestSlowListenerHoldsNothingUp(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		c := NewCandidate(kv, key, "a", ttl)
		elected, _ := c.RunForElection(ctx)
		for range 50 { // terms that nobody listens to
			for !c.IsLeader() {
				time.Sleep(ttl / 100)
			}
			c.Resign()
		}
		time.Sleep(ttl / 100)
		// What is pending is told in order, and only what holds.
		if <-elected {
			t.Error("a true whose term was over was delivered")
		}
		time.Sleep(ttl)
		if !<-elected {
			t.Error("the term that stands is not told")
		}
	})
}

func TestStreamIsHandedOver(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		c := NewCandidate(memory.New(), key, "a", ttl)
		firstCtx, cancelFirst := context.WithCancel(ctx)
		first, firstErrs := c.RunForElection(firstCtx)
		<-first
		<-first
		term, _ := c.Term()
		secondCtx, cancelSecond := context.WithCancel(ctx)
		second, secondErrs := c.RunForElection(secondCtx)
		closed(t, "first stream", first, 0)
		closed(t, "first errors", firstErrs, 0)
		if <-second || !<-second {
			t.Fatal("the second stream does not begin with false, true")
		}
		if now, ok := c.Term(); !ok || now.Token != term.Token {
			t.Error("the campaign was disturbed")
		}
		cancelFirst()
		time.Sleep(ttl)
		if !c.IsLeader() {
			t.Error("the context of the first stream still counts")
		}
		cancelSecond()
		if <-second {
			t.Error("true after the end of the context")
		}
		closed(t, "second stream", second, 0)
		closed(t, "second errors", secondErrs, 0)
	})
}

func TestCandidateRunsAgain(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		c := NewCandidate(memory.New(), key, "a", ttl)
		var token uint64
		for round := range 10 {
			elected, errs := c.RunForElection(ctx)
			if <-elected || !<-elected {
				t.Fatalf("round %d: does not begin with false, true", round)
			}
			if term, ok := c.Term(); !ok || term.Token <= token {
				t.Fatalf("round %d: token %d follows %d", round, term.Token, token)
			} else {
				token = term.Token
			}
			c.Stop()
			if round%2 == 0 { // otherwise it is run again while it ends
				closed(t, "elected", elected, ttl)
				closed(t, "errors", errs, ttl)
			}
		}
	})
}

// The loop of docker/leadership's README, with a context added.
func TestOldRetryLoopWorks(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := faultstore.New(memory.New())
		kv.Refuse()
		c := NewCandidate(kv, key, "a", ttl)
		led := make(chan struct{})
		run := func() bool {
			electedCh, errCh := c.RunForElection(ctx)
			for {
				select {
				case isElected, ok := <-electedCh:
					if !ok {
						return false
					}
					if isElected {
						close(led)
					}
				case err, ok := <-errCh:
					if !ok {
						return false
					}
					_ = err
					return true
				}
			}
		}
		var loop sync.WaitGroup
		loop.Go(func() {
			for run() {
				time.Sleep(ttl)
			}
		})
		time.Sleep(10 * ttl)
		kv.Heal()
		<-led
		c.Stop()
		loop.Wait()
	})
}

func TestStopAndResignFromEverywhere(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		c := NewCandidate(memory.New(), key, "a", ttl)
		c.Stop()
		c.Resign()
		elected, errs := c.RunForElection(ctx)
		for isLeader := range elected { // from inside the loop
			if isLeader {
				c.Resign()
				c.Resign()
				c.Stop()
				c.Stop()
			}
		}
		closed(t, "errors", errs, 0)

		elected, _ = c.RunForElection(ctx)
		var all sync.WaitGroup
		for range 20 { // at once
			all.Go(c.Stop)
			all.Go(c.Resign)
		}
		all.Wait()
		closed(t, "elected", elected, ttl)
	})
}

func TestCancelledContextGivesTheSeatUp(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		ctx, cancel := context.WithCancel(ctx)
		c := NewCandidate(kv, key, "a", ttl)
		elected, _ := c.RunForElection(ctx)
		<-elected
		<-elected
		cancel()
		closed(t, "elected", elected, 0)
		if rec := stored(t, kv); rec.Held() || rec.Token == 0 {
			t.Errorf("the record after the end: %+v", rec)
		}
	})
}

func TestCampaignUnderAnEndedContextClaimsNothing(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := faultstore.New(memory.New())
		for range 100 {
			c := NewCandidate(kv, key, "a", ttl)
			elected, _ := c.RunForElection(canceled())
			for v := range elected {
				if v {
					t.Fatal("elected")
				}
			}
			err := c.Run(canceled(), func(context.Context, Term) error { t.Error("works"); return nil })
			if err != nil {
				t.Errorf("Run returned %v", err)
			}
		}
		if n := kv.Calls(faultstore.OpAtomicPut); n != 0 {
			t.Errorf("%d puts", n)
		}
	})
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// heldUp is a context whose Err is held up: as if those who are to hear of its end had
// begun, and not got far.
type heldUp struct {
	context.Context
	held atomic.Bool
	gate chan struct{}
}

func (c *heldUp) Err() error {
	if c.held.Load() {
		<-c.gate
	}
	return c.Context.Err()
}

func TestNewStreamIsToldNothingOfTheCampaignBefore(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		inner, cancel := context.WithCancel(ctx)
		defer cancel()
		before := &heldUp{Context: inner, gate: make(chan struct{})}
		c := NewCandidate(kv, key, "a", ttl)
		elected, _ := c.RunForElection(before)
		for !<-elected {
		}
		if err := Ask(ctx, kv, key, Request{Action: Pause, Keep: true}); err != nil { // nobody leads afterwards
			t.Fatal(err)
		}
		synctest.Wait()
		before.held.Store(true)
		cancel()
		synctest.Wait()
		elected, _ = c.RunForElection(ctx) // while the campaign before has yet to hear of its end
		told := collect(elected)
		time.Sleep(ttl / 10)
		close(before.gate)
		time.Sleep(10 * ttl)
		equal(t, "stream", told(), []bool{false})
	})
}

func TestClaimThatIsAcknowledgedAfterAStopBeginsNoTerm(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := &standin.Store{Store: memory.New()}
		c := NewCandidate(kv, key, "a", ttl)
		terms := 0
		ended := started(ctx, c, func(ctx context.Context, _ Term) error {
			if terms++; terms == 1 { // by then the store has proved itself
				kv.OnPut = func(ctx context.Context, key string, value []byte, previous *store.KVPair) (bool, *store.KVPair, error) {
					ok, pair, err := kv.Store.AtomicPut(ctx, key, value, previous, nil)
					if rec, _ := election.Parse(value); rec.Held() {
						c.Stop()
					}
					return ok, pair, err
				}
			}
			return nil
		})
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if terms != 1 {
			t.Errorf("%d terms have begun", terms)
		}
	})
}
