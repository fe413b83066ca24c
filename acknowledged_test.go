package leadership

import (
	"bytes"
	"context"
	"errors"
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

// unacknowledged loses the replies of all writes: they happen, and are seen.
var unacknowledged = faultstore.Always(faultstore.Fault{LoseReply: true}, faultstore.OpAtomicPut)

// hasLed returns a candidate that has led, and found that its store compares and swaps: no
// other takes its own claim for a term (S10). No record is left.
func hasLed(ctx context.Context, t *testing.T, shared *memory.Store, link store.Store) *Candidate {
	t.Helper()
	c := NewCandidate(link, key, "a", ttl)
	elected, _ := c.RunForElection(ctx)
	<-elected
	<-elected
	c.Stop()
	for range elected { // until it has ended
	}
	if err := shared.Delete(ctx, key); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTermBeginsOnlyWithAnAcknowledgedWrite(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		shared := memory.New()
		link := faultstore.New(shared)
		a := hasLed(ctx, t, shared, link)
		link.SetPlan(unacknowledged)
		written := link.Calls(faultstore.OpAtomicPut)
		elected, _ := a.RunForElection(ctx)
		<-elected
		for range 100 {
			time.Sleep(ttl / 10)
			if a.IsLeader() {
				t.Fatal("leads by a write that was read back")
			}
		}
		claimed := stored(t, shared)
		if claimed.Leader != "a" {
			t.Fatalf("the record is %+v", claimed)
		}
		if n := link.Calls(faultstore.OpAtomicPut) - written; n > 60 {
			t.Errorf("%d writes in 10 TTLs", n)
		}
		link.SetPlan(nil)
		if !<-elected {
			t.Fatal("does not lead by a write that was acknowledged")
		}
		if term, _ := a.Term(); term.Token < claimed.Token || term.Last != (Ending{}) {
			t.Errorf("leads %+v, and the claim was of %d", term, claimed.Token)
		}
	})
}

func TestTrustIsRenewedOnlyByAnAcknowledgedWrite(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		link := faultstore.New(memory.New())
		a := NewCandidate(link, key, "a", ttl)
		elected, _ := a.RunForElection(ctx)
		<-elected
		<-elected
		began := time.Now()
		link.SetPlan(unacknowledged)
		if <-elected {
			t.Fatal("true twice")
		}
		if led := time.Since(began); led > ttl*4/5 {
			t.Errorf("led for %v after the last acknowledged write", led)
		}
	})
}

// A database whose standby is cut off shows what it has written, and acknowledges
// nothing; then it is gone, and the standby takes its place.
func TestFailoverThatTakesAWriteBackMakesNoTwoLeaders(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		shared := memory.New()
		link := faultstore.New(shared)
		a := hasLed(ctx, t, shared, link)
		link.SetPlan(unacknowledged)
		a.RunForElection(ctx)
		time.Sleep(ttl / 10)
		link.Refuse()
		if err := shared.Delete(ctx, key); err != nil {
			t.Fatal(err)
		}
		b := NewCandidate(shared, key, "b", ttl)
		elected, _ := b.RunForElection(ctx)
		<-elected
		<-elected
		if a.IsLeader() {
			t.Error("both lead")
		}
	})
}

// again writes the record of a candidate once more, as one with the same memory
// does.
func again(ctx context.Context, t *testing.T, kv *memory.Store) {
	t.Helper()
	rec := stored(t, kv)
	rec.Beat = election.NextBeat(rec.Beat, 7)
	if err := kv.Put(ctx, key, rec.Encode(), nil); err != nil {
		t.Fatal(err)
	}
}

func TestCopiedMachineIsTakenForARival(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		a := NewCandidate(kv, key, "a", ttl)
		elected, errs := a.RunForElection(ctx)
		<-elected
		<-elected
		term, _ := a.Term()
		for range 10 { // the copy renews
			again(ctx, t, kv)
			synctest.Wait()
			if a.IsLeader() {
				t.Fatal("leads beside its copy")
			}
			time.Sleep(ttl / 3)
		}
		if err := <-errs; !errors.Is(err, ErrLost) {
			t.Errorf("reported %v", err)
		}
		if rec := stored(t, kv); rec.Token != term.Token {
			t.Fatalf("took the seat of its copy: %+v", rec)
		}
		last := time.Now()
		if <-elected || !<-elected {
			t.Fatal("does not lead again")
		}
		if waited := time.Since(last); waited < ttl*2/3 {
			t.Errorf("waited %v after the copy's last renewal", waited+ttl/3)
		}
	})
}

// The copy's write comes first; that of the candidate, which is on its way, is refused.
func TestCopiedMachineWhoseWriteComesFirstIsARival(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		inner := memory.New()
		var armed atomic.Bool
		kv := &standin.Store{Store: inner}
		kv.OnWatch = func(context.Context) <-chan *store.KVPair { return nil }
		kv.OnPut = func(ctx context.Context, key string, value []byte, previous *store.KVPair) (bool, *store.KVPair, error) {
			if armed.Swap(false) {
				again(ctx, t, inner)
			}
			return inner.AtomicPut(ctx, key, value, previous, nil)
		}
		a := NewCandidate(kv, key, "a", ttl)
		elected, _ := a.RunForElection(ctx)
		<-elected
		<-elected
		armed.Store(true)
		began := time.Now()
		select {
		case leads := <-elected:
			if leads {
				t.Fatal("true twice")
			}
		case <-time.After(10 * ttl):
			t.Fatal("leads on beside its copy")
		}
		if d := time.Since(began); d > ttl/2 {
			t.Errorf("led on for %v", d)
		}
	})
}

func TestCopiedCampaignThatEndsLeavesTheSeatToItsCopy(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		inner := memory.New()
		link := faultstore.New(inner)
		a := NewCandidate(link, key, "a", ttl)
		elected, errs := a.RunForElection(ctx)
		<-elected
		<-elected
		link.SetPlan(faultstore.Always(faultstore.Fault{Before: time.Hour, IgnoreContext: true}, faultstore.OpAtomicPut))
		time.Sleep(ttl / 2) // a renewal is on its way
		again(ctx, t, inner)
		held, err := inner.Get(ctx, key, nil)
		if err != nil {
			t.Fatal(err)
		}
		a.Stop()
		closed(t, "errors", errs, 3*ttl)
		time.Sleep(2 * time.Hour)
		if now, err := inner.Get(ctx, key, nil); err != nil || !bytes.Equal(now.Value, held.Value) {
			t.Errorf("the copy's seat was given up: %s, %v", now.Value, err)
		}
	})
}

func TestRecordOfTheSameTermThatWasPutBackIsWrittenAgain(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		a := NewCandidate(kv, key, "a", ttl)
		elected, errs := a.RunForElection(ctx)
		<-elected
		<-elected
		synctest.Wait()
		before := stored(t, kv)
		time.Sleep(ttl * 7 / 10)
		synctest.Wait()
		if err := kv.Put(ctx, key, before.Encode(), nil); err != nil {
			t.Fatal(err)
		}
		if err := <-errs; !errors.Is(err, ErrRecordLost) {
			t.Errorf("reported %v", err)
		}
		time.Sleep(10 * ttl)
		if term, ok := a.Term(); !ok || term.Token != before.Token {
			t.Errorf("leads %+v, %v", term, ok)
		}
	})
}

func TestRecordThatWasGivenUpAndIsPutBackIsWaitedFor(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		a := NewCandidate(kv, key, "a", ttl)
		elected, _ := a.RunForElection(ctx)
		<-elected
		<-elected
		synctest.Wait()
		before := stored(t, kv)
		a.Resign()
		synctest.Wait()
		if err := kv.Put(ctx, key, before.Encode(), nil); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		for !a.IsLeader() && time.Since(start) < 10*ttl {
			time.Sleep(time.Millisecond)
			synctest.Wait()
		}
		if took := time.Since(start); took < ttl || took > 2*ttl {
			t.Errorf("a leads after %v, want %v: somebody else may have led meanwhile", took, ttl)
		}
	})
}

func TestRequestInARecordThatWasPutBackIsObeyed(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		inner := memory.New()
		kv := &standin.Store{Store: inner}
		kv.OnWatch = func(context.Context) <-chan *store.KVPair { return nil }
		a := NewCandidate(kv, key, "a", ttl)
		elected, _ := a.RunForElection(ctx)
		<-elected
		<-elected
		synctest.Wait()
		before := stored(t, inner)
		time.Sleep(ttl * 7 / 10)
		synctest.Wait()
		before.Ask = &election.Request{Do: election.Transfer, To: "b", Millis: 1000}
		if err := inner.Put(ctx, key, before.Encode(), nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(ttl)
		if rec := stored(t, inner); a.IsLeader() || rec.Held() {
			t.Errorf("leads on: %+v", rec)
		}
	})
}
