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

func TestOfThoseThatWaitTheHighestPriorityWinsAVacancy(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		all := make(map[string]*Candidate)
		for i, node := range []string{"a", "b", "c", "d"} {
			all[node] = NewCandidate(kv, key, node, ttl, WithPriority(10*i))
			all[node].RunForElection(ctx)
			synctest.Wait()
		}
		// It takes the seat from nobody.
		time.Sleep(10 * ttl)
		if leader := sole(all); leader != "a" {
			t.Fatalf("%q leads, not the first to come", leader)
		}
		for _, want := range []string{"d", "c", "d"} {
			all[sole(all)].Resign()
			if leader := sole(all); leader != want {
				t.Errorf("%q wins the vacancy, not %q", leader, want)
			}
			time.Sleep(2 * ttl)
		}
	})
}

func TestPreferredCandidateThatIsGoneCostsABoundedWaitOnce(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		a, b := NewCandidate(kv, key, "a", ttl), NewCandidate(kv, key, "b", ttl)
		a.RunForElection(ctx)
		synctest.Wait()
		b.RunForElection(ctx)
		synctest.Wait()
		// Five are preferred, and cut off.
		for i := range 5 {
			link := faultstore.New(kv)
			NewCandidate(link, key, fmt.Sprint("preferred-", i), ttl, WithPriority(1+i)).RunForElection(ctx)
			synctest.Wait()
			time.Sleep(2 * ttl)
			link.Partition()
			defer link.Close()
		}
		if n := len(stored(t, kv).Waiting); n != 5 {
			t.Fatalf("%d wait", n)
		}
		resigned := time.Now()
		a.Resign()
		for !b.IsLeader() && !a.IsLeader() && time.Since(resigned) < time.Minute {
			time.Sleep(time.Millisecond)
			synctest.Wait()
		}
		if took, most := time.Since(resigned), election.MaxAhead*ttl/3+time.Millisecond; took < ttl/3 || took > most {
			t.Errorf("somebody leads after %v, want %v at most", took, most)
		}
		if waiting := stored(t, kv).Waiting; len(waiting) != 0 {
			t.Errorf("%v are still waited for", waiting)
		}
		leader, other := a, b
		if b.IsLeader() {
			leader, other = b, a
		}
		time.Sleep(ttl)
		leader.Resign()
		synctest.Wait()
		if !other.IsLeader() {
			t.Error("the next vacancy was not taken at once")
		}
	})
}

func TestCrashedLeaderIsReplacedByTheHighestPriority(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		link := faultstore.New(kv)
		NewCandidate(link, key, "a", ttl, WithPriority(5)).RunForElection(ctx)
		synctest.Wait()
		b, c := NewCandidate(kv, key, "b", ttl), NewCandidate(kv, key, "c", ttl, WithPriority(1))
		b.RunForElection(ctx)
		c.RunForElection(ctx)
		time.Sleep(2 * ttl)
		link.Partition()
		time.Sleep(ttl + ttl/3)
		synctest.Wait()
		if !c.IsLeader() {
			t.Error("c does not lead")
		}
		link.Heal()
	})
}

func TestPriorityMustBeInItsRange(t *testing.T) {
	for _, n := range []int{-1, maxPriority + 1} {
		err := NewCandidate(memory.New(), key, "a", 0, WithPriority(n)).Run(t.Context(), func(context.Context, Term) error { return nil })
		if !errors.Is(err, ErrInvalidArgument) || !strings.Contains(err.Error(), fmt.Sprint("priority is ", n)) {
			t.Errorf("%d: %v", n, err)
		}
	}
}

// TestThoseThatEnterThemselvesDoNotKeepADeadLeaderInItsSeat, be they restarted
// again and again or many.
func TestThoseThatEnterThemselvesDoNotKeepADeadLeaderInItsSeat(t *testing.T) {
	for what, next := range map[string]func(i int) (string, int){
		"restarted": func(int) (string, int) { return "c", 10 },
		"many":      func(i int) (string, int) { return fmt.Sprint("c", i), 10 + i },
	} {
		inVirtualTime(t, func(t *testing.T, ctx context.Context) {
			kv := memory.New()
			link := faultstore.New(kv)
			defer link.Close()
			NewCandidate(link, key, "a", ttl).RunForElection(ctx)
			synctest.Wait()
			all := map[string]*Candidate{"b": NewCandidate(kv, key, "b", ttl)}
			all["b"].RunForElection(ctx)
			time.Sleep(ttl)
			link.Partition()
			died := time.Now()
			for i := 0; sole(all) == "" && i < 30; i++ {
				node, priority := next(i)
				c := NewCandidate(kv, key, node, ttl, WithPriority(priority))
				all[node] = c
				c.RunForElection(ctx)
				time.Sleep(ttl * 9 / 10)
				if what == "restarted" {
					c.Stop()
				}
			}
			if took := time.Since(died); took > 3*ttl {
				t.Errorf("%s: the seat was empty for %v", what, took)
			}
		})
	}
}

func TestTwoPrioritiesOfOneNodeDoNotKeepADeadLeaderInItsSeat(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		link := faultstore.New(kv)
		defer link.Close()
		NewCandidate(link, key, "a", ttl).RunForElection(ctx)
		synctest.Wait()
		all := map[string]*Candidate{
			"b": NewCandidate(kv, key, "b", ttl), "5": NewCandidate(kv, key, "n", ttl, WithPriority(5)), "3": NewCandidate(kv, key, "n", ttl, WithPriority(3)),
		}
		for _, c := range all {
			c.RunForElection(ctx)
		}
		time.Sleep(10 * ttl)
		link.Partition()
		time.Sleep(4 * ttl)
		if sole(all) == "" {
			t.Error("nobody leads")
		}
	})
}

func TestThoseThatEnterThemselvesLeaveTheLeaderTimeToRenew(t *testing.T) {
	for range 5 {
		inVirtualTime(t, func(t *testing.T, ctx context.Context) {
			kv := memory.New()
			link := func() store.Store {
				return faultstore.New(kv, faultstore.WithPlan(faultstore.Always(faultstore.Fault{Before: 25 * time.Millisecond, After: 25 * time.Millisecond})))
			}
			a := NewCandidate(link(), key, "a", ttl)
			a.RunForElection(ctx)
			time.Sleep(3 * ttl)
			first, _ := a.Term()
			for i := range 20 {
				NewCandidate(link(), key, fmt.Sprint("n", i), ttl, WithPriority(10+i)).RunForElection(ctx)
			}
			time.Sleep(10 * ttl)
			synctest.Wait()
			if term, leads := a.Term(); !leads || term.Token != first.Token {
				t.Errorf("a leads: %v, and lost its term", leads)
			}
		})
	}
}

func TestResignedLeaderLetsThoseGoFirstWhoWaitForOneThatIsGone(t *testing.T) {
	for range 20 {
		inVirtualTime(t, func(t *testing.T, ctx context.Context) {
			kv := memory.New()
			slow := func() store.Store {
				s := faultstore.New(kv, faultstore.WithPlan(faultstore.Always(faultstore.Fault{Before: time.Millisecond})))
				s.LagWatches(2 * time.Millisecond)
				return s
			}
			a, b := NewCandidate(slow(), key, "a", ttl), NewCandidate(slow(), key, "b", ttl)
			a.RunForElection(ctx)
			time.Sleep(time.Second)
			b.RunForElection(ctx)
			link := faultstore.New(kv)
			defer link.Close()
			NewCandidate(link, key, "gone", ttl, WithPriority(1)).RunForElection(ctx)
			time.Sleep(3 * ttl)
			link.Partition()
			if err := Ask(ctx, kv, key, Request{Action: Resign}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(ttl)
			synctest.Wait()
			if !b.IsLeader() {
				t.Error("b does not lead")
			}
		})
	}
}
