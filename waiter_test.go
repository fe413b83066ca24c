package leadership

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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
			time.Sleep(ttl)
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
			time.Sleep(ttl)
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
		if took, most := time.Since(resigned), maxAhead*ttl/3+time.Millisecond; took < ttl/3 || took > most {
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

func TestRecordNamesTheHighestPriorities(t *testing.T) {
	var r record
	for i := range 2 * maxWaiters {
		r = r.enlisted(fmt.Sprint("instance-", i), fmt.Sprint("node-", i), i)
	}
	if len(r.Waiting) != maxWaiters || r.Waiting[0].Priority != 2*maxWaiters-1 || r.Waiting[maxWaiters-1].Priority != maxWaiters {
		t.Errorf("they are %v", r.Waiting)
	}
	if !r.lists("other", maxWaiters) || r.lists("other", maxWaiters+1) || !r.lists("other", 0) {
		t.Error("who need not enter is not told from who has to")
	}
	// A node that was restarted counts once, and is gone when it has won.
	for i := range 3 {
		r.Waiting[i].Node = "restarted"
	}
	if n := r.ahead("other", 13); n != 1 {
		t.Errorf("%d nodes are ahead", n)
	}
	if left := r.behind("restarted", 15); len(left) != maxWaiters-3 {
		t.Errorf("%v are left", left)
	}
}
