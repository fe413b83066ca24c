package leadership

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/internal/goroutines"
	"github.com/seed-a1d591d3/leadership/internal/watches"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

const ttl = time.Second

func TestFirstCandidateLeadsAtOnce(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		start := time.Now()
		c := NewCandidate(memory.New(), key, "a", ttl, WithPayload([]byte("10.0.0.1:80")))
		elected, errs := c.RunForElection(ctx)
		if <-elected {
			t.Fatal("the stream begins with true")
		}
		if !<-elected || !c.IsLeader() || time.Since(start) != 0 {
			t.Fatal("does not lead at once")
		}
		term, ok := c.Term()
		if !ok || term.Leader != "a" || term.Token != uint64(start.UnixMilli()) || term.TTL != ttl ||
			!term.Since.Equal(start.Truncate(time.Millisecond)) || string(term.Payload) != "10.0.0.1:80" {
			t.Errorf("leads %+v, %v", term, ok)
		}
		time.Sleep(time.Minute)
		if now, _ := c.Term(); now.Token != term.Token {
			t.Errorf("the term changed from %d to %d", term.Token, now.Token)
		}
		c.Stop()
		if <-elected {
			t.Error("true after Stop")
		}
		closed(t, "elected", elected, 0)
		closed(t, "errors", errs, 0)
	})
}

func TestRivalLeadsOneTTLAfterTheLastRenewalOfALeaderThatIsCutOff(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		shared := memory.New()
		cut := faultstore.New(shared)
		a := NewCandidate(cut, key, "a", ttl)
		b := NewCandidate(shared, key, "b", ttl)
		aElected, _ := a.RunForElection(ctx)
		<-aElected
		<-aElected
		bElected, _ := b.RunForElection(ctx)
		<-bElected
		time.Sleep(ttl/3 + ttl/6) // half-way between two renewals
		cut.Partition()
		partitioned := time.Now()
		if <-aElected {
			t.Fatal("true again")
		}
		// The last renewal was attempted a sixth of the TTL before.
		if lost, want := time.Since(partitioned), ttl*4/5-ttl/6; lost.Round(time.Millisecond) != want.Round(time.Millisecond) {
			t.Errorf("stepped down %v after being cut off, want %v", lost, want)
		}
		if !<-bElected {
			t.Fatal("b is told false")
		}
		if took, want := time.Since(partitioned), ttl-ttl/6; took.Round(time.Millisecond) != want.Round(time.Millisecond) {
			t.Errorf("b leads %v after that, want %v", took, want)
		}
		if last := stored(t, shared).Last; *last != (election.Ending{Leader: "a", Token: last.Token, Reason: election.Expired}) || last.Token == 0 {
			t.Errorf("the record tells of the last term %+v", last)
		}
		cut.Heal()
		time.Sleep(10 * ttl)
		if a.IsLeader() || !b.IsLeader() {
			t.Error("the healed candidate interferes")
		}
	})
}

func TestResignedSeatGoesToARivalAtOnce(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		a, b := NewCandidate(kv, key, "a", ttl), NewCandidate(kv, key, "b", ttl)
		aElected, _ := a.RunForElection(ctx)
		<-aElected
		<-aElected
		bElected, _ := b.RunForElection(ctx)
		<-bElected
		synctest.Wait()
		before, _ := a.Term()
		start := time.Now()
		a.Resign()
		if a.IsLeader() {
			t.Error("leads after Resign has returned")
		}
		if <-aElected || !<-bElected || time.Since(start) != 0 {
			t.Errorf("b does not lead at once")
		}
		if after, _ := b.Term(); after.Token <= before.Token {
			t.Errorf("token %d follows %d", after.Token, before.Token)
		}
		if last := stored(t, kv).Last; *last != (election.Ending{Leader: "a", Token: before.Token, Reason: election.Resigned}) {
			t.Errorf("the record tells of the last term %+v", last)
		}
		time.Sleep(10 * ttl)
		if a.IsLeader() || !b.IsLeader() {
			t.Error("the seat went back")
		}
	})
}

func TestLoneCandidateLeadsAgainOneRetryIntervalAfterItResigned(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		c := NewCandidate(memory.New(), key, "a", ttl)
		elected, _ := c.RunForElection(ctx)
		<-elected
		<-elected
		start := time.Now()
		c.Resign()
		<-elected
		if !<-elected {
			t.Fatal("false twice")
		}
		if took := time.Since(start); took < ttl/3*4/5 || took > ttl/3 {
			t.Errorf("leads again after %v, want a retry interval", took)
		}
	})
}

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

func TestVanishedRecordIsWrittenAgain(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		c := NewCandidate(kv, key, "a", ttl)
		elected, errs := c.RunForElection(ctx)
		got := collect(elected)
		synctest.Wait()
		older, _ := kv.Get(ctx, key, nil)
		if err := kv.Delete(ctx, key); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if rec := stored(t, kv); rec.Leader != "a" {
			t.Errorf("after the deletion: %+v", rec)
		}
		if err := <-errs; !errors.Is(err, ErrRecordLost) || !strings.Contains(err.Error(), key) {
			t.Errorf("reported %v", err)
		}
		time.Sleep(ttl)
		if err := kv.Put(ctx, key, election.Record{Leader: "x", Instance: "x", Token: 5, Millis: 1000, Since: time.UnixMilli(1).UTC()}.Encode(), nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if rec := stored(t, kv); rec.Leader != "a" {
			t.Errorf("after the rollback to another term: %+v", rec)
		}
		time.Sleep(ttl)
		if err := kv.Put(ctx, key, older.Value, nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * ttl)
		equal(t, "stream", got(), []bool{false, true})
	})
}

func TestLeaderWhoseRecordIsReplacedStepsDownAtOnce(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		c := NewCandidate(kv, key, "a", ttl)
		elected, _ := c.RunForElection(ctx)
		<-elected
		<-elected
		synctest.Wait()
		usurper := election.Record{Leader: "x", Instance: "x", Token: election.MaxToken - 1, Millis: 1000, Since: time.UnixMilli(1).UTC()}
		if err := kv.Put(ctx, key, usurper.Encode(), nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if c.IsLeader() || <-elected {
			t.Error("goes on leading")
		}
	})
}

func TestForeignValueIsNeverOverwritten(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		if err := kv.Put(ctx, key, []byte("precious"), nil); err != nil {
			t.Fatal(err)
		}
		c := NewCandidate(kv, key, "a", ttl)
		elected, errs := c.RunForElection(ctx)
		got := collect(elected)
		time.Sleep(10 * ttl)
		if err := <-errs; !errors.Is(err, ErrForeignRecord) || !strings.Contains(err.Error(), key) || strings.Contains(err.Error(), "precious") {
			t.Errorf("reported %v", err)
		}
		if pair, _ := kv.Get(ctx, key, nil); string(pair.Value) != "precious" {
			t.Fatalf("overwritten by %s", pair.Value)
		}
		if err := kv.Delete(ctx, key); err != nil {
			t.Fatal(err)
		}
		time.Sleep(ttl)
		equal(t, "stream", got(), []bool{false, true})

		if err := kv.Put(ctx, key, []byte("precious"), nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if c.IsLeader() {
			t.Error("leads though its record was overwritten")
		}
		c.Stop()
		synctest.Wait()
		if pair, _ := kv.Get(ctx, key, nil); string(pair.Value) != "precious" {
			t.Fatalf("overwritten by %s", pair.Value)
		}
	})
}

func TestStoreThatIsDownAtTheStart(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := faultstore.New(memory.New())
		kv.Refuse()
		c := NewCandidate(kv, key, "a", ttl)
		elected, errs := c.RunForElection(ctx)
		<-elected
		if err := <-errs; !errors.Is(err, store.ErrNotReachable) || !strings.Contains(err.Error(), key) {
			t.Errorf("reported %v", err)
		}
		time.Sleep(time.Hour)
		kv.Heal()
		start := time.Now()
		if !<-elected {
			t.Fatal("false twice")
		}
		if took := time.Since(start); took > ttl/3 {
			t.Errorf("leads %v after the store came back, want a retry interval at most", took)
		}
	})
}

func TestOutageOfAnHourLeavesTheNumberOfGoroutinesFlat(t *testing.T) {
	for name, ignore := range map[string]bool{"calls that end with their contexts": false, "calls that ignore their contexts": true} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, ctx context.Context) {
				kv := faultstore.New(memory.New())
				kv.IgnoreContexts(ignore)
				c := NewCandidate(kv, key, "a", ttl)
				f := NewFollower(kv, key)
				elected, _ := c.RunForElection(ctx)
				leader, _ := f.FollowElection(ctx)
				<-elected
				<-elected
				<-leader
				kv.Partition()
				<-elected
				time.Sleep(time.Minute)
				before := goroutines.InBubble()
				time.Sleep(time.Hour)
				// Two calls and two openings of watches may be under way or not.
				if after := goroutines.InBubble(); after > before+4 {
					t.Errorf("%d goroutines became %d", before, after)
				}
				kv.Heal()
				if !<-elected {
					t.Fatal("false twice")
				}
				c.Stop()
				f.Stop()
				closed(t, "elected", elected, ttl)
				closed(t, "leader", leader, ttl)
				_ = kv.Close() // ends the watches that ignore their contexts
			})
		})
	}
}

func TestStopEndsWithinTheTTLThoughTheStoreHangs(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := faultstore.New(memory.New())
		kv.IgnoreContexts(true)
		c := NewCandidate(kv, key, "a", ttl)
		elected, errs := c.RunForElection(ctx)
		<-elected
		<-elected
		kv.Partition()
		time.Sleep(ttl / 2)
		c.Stop()
		closed(t, "elected", elected, ttl+watches.Grace)
		closed(t, "errors", errs, 0)
		_ = kv.Close() // lets go of what hangs
	})
}

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
			if !errors.Is(err, context.Canceled) {
				t.Errorf("Run returned %v", err)
			}
		}
		if n := kv.Calls(faultstore.OpAtomicPut); n != 0 {
			t.Errorf("%d puts", n)
		}
	})
}

// A leader that resigns as soon as it is elected hands the seat back at once,
// though the other has never seen its record.
func TestResignedSeatGoesBackAndForth(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		a, b := NewCandidate(kv, key, "a", ttl), NewCandidate(kv, key, "b", ttl)
		for _, c := range []*Candidate{a, b} {
			elected, _ := c.RunForElection(ctx)
			go func() {
				for range elected {
				}
			}()
			synctest.Wait()
		}
		start := time.Now()
		leader, other := a, b
		for range 50 {
			leader.Resign()
			for !leader.IsLeader() && !other.IsLeader() {
				time.Sleep(time.Microsecond)
			}
			if !other.IsLeader() {
				t.Fatal("the seat went back to the one that had resigned")
			}
			leader, other = other, leader
		}
		if took := time.Since(start); took > ttl/10 {
			t.Errorf("took %v", took)
		}
	})
}

func TestWatchThatTalksTooMuchCostsNoTerm(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		inner := memory.New()
		kv := &standIn{Store: faultstore.New(inner, faultstore.WithPlan(faultstore.Always(
			faultstore.Fault{After: time.Millisecond}, faultstore.OpGet, faultstore.OpAtomicPut)))}
		kv.watch = func(ctx context.Context) <-chan *store.KVPair {
			pairs := make(chan *store.KVPair)
			go func() {
				defer close(pairs)
				for {
					select {
					case <-ctx.Done():
						return
					case pairs <- &store.KVPair{}:
						time.Sleep(time.Millisecond / 2)
					}
				}
			}()
			return pairs
		}
		c := NewCandidate(kv, key, "a", ttl)
		elected, _ := c.RunForElection(ctx)
		got := collect(elected)
		time.Sleep(10 * ttl)
		equal(t, "stream", got(), []bool{false, true})
	})
}

func TestRecordThatNoTokenCanFollowIsLeftAlone(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		last := election.Record{Token: election.MaxToken - 1, Beat: 1}.Encode()
		if err := kv.Put(ctx, key, last, nil); err != nil {
			t.Fatal(err)
		}
		c := NewCandidate(kv, key, "a", ttl)
		elected, errs := c.RunForElection(ctx)
		got := collect(elected)
		if err := <-errs; !errors.Is(err, ErrForeignRecord) || !strings.Contains(err.Error(), key) {
			t.Errorf("reported %v", err)
		}
		time.Sleep(10 * ttl)
		equal(t, "stream", got(), []bool{false})
		if pair, _ := kv.Get(ctx, key, nil); string(pair.Value) != string(last) {
			t.Errorf("overwritten by %s", pair.Value)
		}
		claims := NewClaims(kv, key)
		refusedWith(ctx, t, claims, claimFor("b"), ErrForeignRecord)
		// What was seen in a record that is gone does not outlive its use.
		if err := kv.Delete(ctx, key); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		time.Sleep(ttl)
		if term, ok := c.Term(); !ok || term.Token < uint64(began.UnixMilli()) || term.Token > uint64(time.Now().UnixMilli()) {
			t.Errorf("leads %+v, %v, after the record was deleted", term, ok)
		}
		c.Stop()
		time.Sleep(ttl)
		if got := claimed(ctx, t, claims, claimFor("b")); !got.Won || got.Term.Token > uint64(time.Now().UnixMilli())+1 {
			t.Errorf("b got %+v", got)
		}
	})
}

func TestSuspendedMachineDoesNotWakeUpAsLeader(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		hand := &handClock{}
		c := NewCandidate(memory.New(), key, "a", ttl, clock.Option(hand).(Option))
		elected, _ := c.RunForElection(ctx)
		<-elected
		<-elected
		hand.move(0, time.Hour)
		if c.IsLeader() {
			t.Error("leads after an hour asleep")
		}
	})
}

func TestBadArguments(t *testing.T) {
	kv := memory.New()
	var none *memory.Store
	for name, bad := range map[string]struct {
		c    *Candidate
		says []string
	}{
		"nil store":             {NewCandidate(nil, key, "a", ttl), []string{"store", "nil"}},
		"nil pointer as store":  {NewCandidate(none, key, "a", ttl), []string{"store", "nil", "memory.Store"}},
		"empty key":             {NewCandidate(kv, "", "a", ttl), []string{"key", `""`, "must not be empty"}},
		"empty node":            {NewCandidate(kv, key, "", ttl), []string{"node", `""`, "must not be empty"}},
		"node that is no UTF-8": {NewCandidate(kv, key, "\xff", ttl), []string{"node", `"\xff"`, "UTF-8"}},
		"short ttl":             {NewCandidate(kv, key, "a", 49*time.Millisecond), []string{"ttl", "49ms", "50ms"}},
		"negative ttl":          {NewCandidate(kv, key, "a", -1), []string{"ttl", "must be"}},
		"endless ttl":           {NewCandidate(kv, key, "a", math.MaxInt64), []string{"ttl", "8760h"}},
		"slow renewal":          {NewCandidate(kv, key, "a", ttl, WithRenewInterval(ttl)), []string{"renewal interval", "1s", "below the TTL of 1s"}},
		"ttl of a nanosecond":   {NewCandidate(kv, key, "a", 1), []string{"ttl", "1ns"}},
		"renewal without pause": {NewCandidate(kv, key, "a", ttl, WithRenewInterval(1)), []string{"renewal interval", "1ns", "1ms"}},
		"retry without pause":   {NewCandidate(kv, key, "a", ttl, WithRetryInterval(1)), []string{"retry interval", "1ns", "1ms"}},
		"renewal in the margin": {NewCandidate(kv, key, "a", ttl, WithRenewInterval(800*time.Millisecond)), []string{"renewal interval", "800ms", "margin of 200ms"}},
		"zero renewal":          {NewCandidate(kv, key, "a", ttl, WithRenewInterval(0)), []string{"renewal interval", "0s"}},
		"slow retry":            {NewCandidate(kv, key, "a", ttl, WithRetryInterval(2*ttl)), []string{"retry interval", "2s"}},
		"zero retry":            {NewCandidate(kv, key, "a", ttl, WithRetryInterval(0)), []string{"retry interval", "0s"}},
		"no margin":             {NewCandidate(kv, key, "a", ttl, WithMargin(0)), []string{"margin", "0s"}},
		"wide margin":           {NewCandidate(kv, key, "a", ttl, WithMargin(ttl-1)), []string{"margin", "below the TTL of 1s"}},
		"huge payload":          {NewCandidate(kv, key, "a", ttl, WithPayload(make([]byte, MaxPayload+1))), []string{"payload", "65537 bytes", "65536"}},
	} {
		t.Run(name, func(t *testing.T) {
			elected, errs := bad.c.RunForElection(t.Context())
			err := <-errs
			if !errors.Is(err, ErrInvalidArgument) {
				t.Fatalf("got %v", err)
			}
			for _, part := range bad.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
			if <-elected {
				t.Error("elected")
			}
			closed(t, "elected", elected, time.Minute)
			closed(t, "errors", errs, time.Minute)
			if err := bad.c.Run(t.Context(), func(context.Context, Term) error { return nil }); !errors.Is(err, ErrInvalidArgument) {
				t.Errorf("Run returns %v", err)
			}
			bad.c.Stop()
			bad.c.Resign()
			if bad.c.IsLeader() {
				t.Error("leads")
			}
		})
	}
	//nolint:staticcheck // A nil context is the mistake that is tested.
	if _, errs := NewCandidate(kv, key, "a", ttl).RunForElection(nil); !errors.Is(<-errs, ErrInvalidArgument) {
		t.Error("a nil context is taken")
	}
	if _, errs := NewCandidate(kv, key, "a", 0, nil, WithLogger(nil)).RunForElection(canceled()); <-errs != nil {
		t.Error("a TTL of 0, a nil option or a nil logger is refused")
	}
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func TestStoreWithoutCompareAndSwapIsRefused(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		inner := memory.New()
		// As kvtools' Redis with its default codec: a write returns an index
		// and a read does not find it, nor does a write care.
		kv := &standIn{Store: inner, get: withoutIndex(inner), put: func(ctx context.Context, key string, value []byte, previous *store.KVPair) (bool, *store.KVPair, error) {
			if previous != nil {
				previous, _ = inner.Get(ctx, key, nil)
			}
			return inner.AtomicPut(ctx, key, value, previous, nil)
		}}
		c := NewCandidate(kv, key, "a", ttl)
		elected, errs := c.RunForElection(ctx)
		got := collect(elected)
		err := <-errs
		if !errors.Is(err, ErrUnsafeStore) || !strings.Contains(err.Error(), "JSONCodec") || !strings.Contains(err.Error(), key) {
			t.Errorf("reported %v", err)
		}
		closed(t, "errors", errs, ttl)
		equal(t, "stream", got(), []bool{false})
		if err := c.Run(ctx, func(context.Context, Term) error { return nil }); !errors.Is(err, ErrUnsafeStore) {
			t.Errorf("Run returns %v", err)
		}
	})
}

func TestStoreIsNotCondemnedForAValueThatWasWrittenAgain(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		inner := memory.New()
		var gets atomic.Int32
		kv := &standIn{Store: inner, get: func(ctx context.Context, key string) (*store.KVPair, error) {
			if gets.Add(1) == 2 { // between the claim and the look that confirms it
				pair, err := inner.Get(ctx, key, nil)
				if err != nil {
					return nil, err
				}
				if err := inner.Put(ctx, key, pair.Value, nil); err != nil {
					return nil, err
				}
			}
			return inner.Get(ctx, key, nil)
		}}
		c := NewCandidate(kv, key, "a", ttl)
		elected, _ := c.RunForElection(ctx)
		got := collect(elected)
		time.Sleep(10 * ttl)
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
		kv := &standIn{Store: inner, put: func(ctx context.Context, key string, value []byte, previous *store.KVPair) (bool, *store.KVPair, error) {
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

func TestManyCandidatesElectOneAfterAnother(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		candidates := make([]*Candidate, 20)
		for i := range candidates {
			candidates[i] = NewCandidate(kv, key, fmt.Sprint("node-", i), ttl)
			elected, _ := candidates[i].RunForElection(ctx)
			collect(elected)
		}
		var token uint64
		for range 30 {
			time.Sleep(ttl / 10)
			var leaders []*Candidate
			for _, c := range candidates {
				if c.IsLeader() {
					leaders = append(leaders, c)
				}
			}
			if len(leaders) != 1 {
				t.Fatalf("%d leaders", len(leaders))
			}
			if term, _ := leaders[0].Term(); term.Token <= token {
				t.Fatalf("token %d follows %d", term.Token, token)
			} else {
				token = term.Token
			}
			leaders[0].Resign()
		}
	})
}
