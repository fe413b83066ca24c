package leadership

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// electorate has three candidates run, of which a leads first.
func electorate(ctx context.Context, kv store.Store) map[string]*Candidate {
	all := make(map[string]*Candidate)
	for _, node := range []string{"a", "b", "c"} {
		all[node] = NewCandidate(kv, key, node, ttl)
		all[node].RunForElection(ctx)
		synctest.Wait()
	}
	return all
}

// sole returns who leads.
func sole(all map[string]*Candidate) string {
	synctest.Wait()
	var leaders []string
	for node, c := range all {
		if c.IsLeader() {
			leaders = append(leaders, node)
		}
	}
	return strings.Join(leaders, " and ")
}

func TestLeaderResignsWhenAsked(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		a := NewCandidate(kv, key, "a", ttl)
		b := NewCandidate(kv, key, "b", ttl)
		var cause error
		var returned time.Time
		started(ctx, a, func(ctx context.Context, _ Term) error {
			<-ctx.Done()
			cause = context.Cause(ctx)
			time.Sleep(ttl / 10)
			returned = time.Now()
			return ctx.Err()
		})
		synctest.Wait()
		b.RunForElection(ctx)
		time.Sleep(5 * ttl)
		asked := time.Now()
		if err := Ask(ctx, kv, key, Request{Action: Resign, By: "olga"}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(asked); took > ttl/10+askPoll || returned.Sub(asked) != ttl/10 {
			t.Errorf("obeyed after %v; the work returned after %v", took, returned.Sub(asked))
		}
		if !errors.Is(cause, ErrEvicted) || !strings.Contains(cause.Error(), `"olga"`) {
			t.Errorf("the cause is %v", cause)
		}
		synctest.Wait()
		rec := stored(t, kv)
		if !b.IsLeader() || rec.Ask != nil || rec.Last.Reason != election.Evicted {
			t.Errorf("b leads: %v; the record asks %+v and says %+v", b.IsLeader(), rec.Ask, rec.Last)
		}
	})
}

func TestSeatIsTransferredToTheNodeThatIsNamed(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		all := electorate(ctx, kv)
		for _, to := range []string{"c", "b", "a", "c", "c"} {
			time.Sleep(ttl / 2)
			if err := Ask(ctx, kv, key, Request{Action: Transfer, To: to}); err != nil {
				t.Fatal(err)
			}
			if leader := sole(all); leader != to {
				t.Errorf("%q leads, and was to be %q", leader, to)
			}
			if rec := stored(t, kv); rec.Ask != nil {
				t.Errorf("the record goes on asking %+v", rec.Ask)
			}
		}
		if last := stored(t, kv).Last; last.Leader != "a" || last.Reason != election.Transferred {
			t.Errorf("the record says %+v", last)
		}
	})
}

func TestSeatThatIsTransferredToNobodyIsFreeAfterTheHold(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		all := electorate(ctx, kv)
		began := time.Now()
		asked := make(chan error, 1)
		go func() { asked <- Ask(ctx, kv, key, Request{Action: Transfer, To: "nobody", Hold: 3 * ttl}) }()
		time.Sleep(time.Until(began.Add(3*ttl - 1)))
		if leader := sole(all); leader != "" {
			t.Errorf("%q leads within the hold", leader)
		}
		time.Sleep(time.Nanosecond)
		leader := sole(all)
		if leader == "" {
			t.Error("nobody leads after the hold")
		}
		if err := <-asked; !errors.Is(err, ErrNotTransferred) || !strings.Contains(err.Error(), fmt.Sprintf("%q leads", leader)) {
			t.Errorf("%v, want ErrNotTransferred and that %s leads", err, leader)
		}
	})
}

func TestPausedSeatStaysEmptyUntilItIsResumed(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		all := electorate(ctx, kv)
		if err := Ask(ctx, kv, key, Request{Action: Pause}); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			if leader := sole(all); leader != "" {
				t.Fatalf("%q leads during the pause", leader)
			}
			time.Sleep(ttl)
		}
		for _, action := range []Action{Resign, Transfer} {
			r := Request{Action: action}
			if action == Transfer {
				r.To = "b"
			}
			if err := Ask(ctx, kv, key, r); !errors.Is(err, ErrPaused) {
				t.Errorf("%s: %v, want ErrPaused", action, err)
			}
		}
		if err := Ask(ctx, kv, key, Request{Action: Resume}); err != nil {
			t.Fatal(err)
		}
		if leader := sole(all); leader == "" {
			t.Error("nobody leads after the pause")
		}
		if err := Ask(ctx, kv, key, Request{Action: Resume}); err != nil {
			t.Errorf("resume again: %v", err)
		}
	})
}

func TestPauseThatKeepsTheLeaderKeepsOthersOut(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		all := electorate(ctx, kv)
		before, _ := all["a"].Term()
		if err := Ask(ctx, kv, key, Request{Action: Pause, Keep: true}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * ttl)
		if term, ok := all["a"].Term(); !ok || term.Token != before.Token {
			t.Errorf("a leads: %v, term %d; it was %d", ok, term.Token, before.Token)
		}
		if err := Ask(ctx, kv, key, Request{Action: Resign}); !errors.Is(err, ErrPaused) {
			t.Errorf("%v, want ErrPaused", err)
		}
		all["a"].Resign()
		time.Sleep(10 * ttl)
		if leader := sole(all); leader != "" {
			t.Errorf("%q leads during the pause", leader)
		}
		if err := Ask(ctx, kv, key, Request{Action: Resume}); err != nil {
			t.Fatal(err)
		}
		if leader := sole(all); leader == "" {
			t.Error("nobody leads after the pause")
		}
	})
}

func TestLeaderThatIsLostDuringAPauseDoesNotLeadAgain(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		link := faultstore.New(kv)
		a := NewCandidate(link, key, "a", ttl)
		b := NewCandidate(kv, key, "b", ttl)
		a.RunForElection(ctx)
		synctest.Wait()
		b.RunForElection(ctx)
		if err := Ask(ctx, kv, key, Request{Action: Pause, Keep: true}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(ttl)
		link.Partition()
		time.Sleep(5 * ttl)
		link.Heal()
		time.Sleep(5 * ttl)
		synctest.Wait()
		if a.IsLeader() || b.IsLeader() {
			t.Errorf("a leads: %v, b leads: %v", a.IsLeader(), b.IsLeader())
		}
		if rec := stored(t, kv); rec.Held() {
			t.Errorf("the record says that %s leads", rec.Leader)
		}
	})
}

func TestRequestBeforeThereIsARecord(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		for _, r := range []Request{{Action: Resign}, {Action: Transfer, To: "a"}, {Action: Pause}, {Action: Pause, Keep: true}, {Action: Resume}} {
			if err := Ask(ctx, kv, key, r); !errors.Is(err, ErrNoElection) || errors.Is(err, ErrNoLeader) != (r.Action == Resign) {
				t.Errorf("%s: %v, want ErrNoElection", r.Action, err)
			}
		}
		gone(t, kv)
		if err := Ask(ctx, kv, key, Request{Action: Pause, Create: true}); err != nil {
			t.Fatal(err)
		}
		all := electorate(ctx, kv)
		time.Sleep(10 * ttl)
		if leader := sole(all); leader != "" {
			t.Errorf("%q leads during the pause", leader)
		}
	})
}

func TestRequestOfALeaderThatHasCrashedReturnsWhenItsClaimHasRunOut(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		link := faultstore.New(kv)
		NewCandidate(link, key, "a", ttl).RunForElection(ctx)
		synctest.Wait()
		link.Partition()
		asked := time.Now()
		if err := Ask(ctx, kv, key, Request{Action: Resign}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(asked); took < ttl || took > ttl+askPoll {
			t.Errorf("it returned after %v, want the TTL", took)
		}
		link.Heal()
	})
}

func TestRequestThatIsNotObeyedEndsWithItsContext(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		c := NewCandidate(kv, key, "a", time.Minute)
		release := make(chan struct{})
		started(ctx, c, func(context.Context, Term) error { <-release; return nil })
		synctest.Wait()
		asking, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		err := Ask(asking, kv, key, Request{Action: Resign})
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "not obeyed yet") {
			t.Errorf("%v", err)
		}
		close(release)

		hanging := faultstore.New(kv)
		hanging.IgnoreContexts(true)
		hanging.Partition()
		began := time.Now()
		if err := Ask(ctx, hanging, key, Request{Action: Pause}); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != DefaultCallTimeout {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		hanging.Close()
	})
}

func TestBadRequestsAreRefused(t *testing.T) {
	kv := memory.New()
	for want, r := range map[string]Request{
		"action is \"\"":       {},
		"action is \"evict\"":  {Action: "evict"},
		"node to transfer to":  {Action: Transfer},
		"must be empty for":    {Action: Resign, To: "b"},
		"keep is true":         {Action: Resign, Keep: true},
		"hold is 1s: is for":   {Action: Pause, Hold: time.Second},
		"hold is 11m: must be": {Action: Transfer, To: "b", Hold: 11 * time.Minute},
		"hold is -1s":          {Action: Transfer, To: "b", Hold: -time.Second},
	} {
		if err := Ask(t.Context(), kv, key, r); !errors.Is(err, ErrInvalidArgument) || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want it to say %s", r, err, want)
		}
	}
	good := Request{Action: Pause}
	for what, err := range map[string]error{
		"store": Ask(t.Context(), nil, key, good), "key": Ask(t.Context(), kv, "", good), "context": Ask(nil, kv, key, good), //nolint:staticcheck // a nil context is what is tested
	} {
		if !errors.Is(err, ErrInvalidArgument) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := kv.Put(t.Context(), key, []byte("foreign"), nil); err != nil {
		t.Fatal(err)
	}
	if err := Ask(t.Context(), kv, key, good); !errors.Is(err, ErrForeignRecord) {
		t.Errorf("%v, want ErrForeignRecord", err)
	}
}
