package leadership

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// outagePhases is at how many instants between two renewals an outage begins.
// OUTAGE_PHASES=2000 gives the figures of docs/operating.md.
func outagePhases(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("OUTAGE_PHASES"))
	if err != nil {
		return 25
	}
	return n
}

// outages is what became of the terms of a leader in many outages.
type outages struct {
	lost  int
	tries int // in one second of an outage, at most
}

// suffer has the store of a leader fail for as long, from each phase in turn.
func suffer(ctx context.Context, ttl, length time.Duration, phases int, fault faultstore.Fault, opts ...Option) outages {
	var down atomic.Bool
	var mu sync.Mutex
	var tries []time.Time
	link := faultstore.New(memory.New(), faultstore.WithPlan(func(call faultstore.Call) faultstore.Fault {
		if call.Op == faultstore.OpWatch {
			return faultstore.Fault{}
		}
		if down.Load() {
			mu.Lock()
			defer mu.Unlock()
			tries = append(tries, time.Now())
			return fault
		}
		return faultstore.Fault{Before: time.Millisecond, After: time.Millisecond}
	}))
	a := NewCandidate(link, key, "a", ttl, opts...)
	elected, _ := a.RunForElection(ctx)
	var terms atomic.Int32
	go func() {
		for leads := range elected {
			if leads {
				terms.Add(1)
			}
		}
	}()
	var result outages
	for i := range phases {
		time.Sleep(2 * ttl)
		before := terms.Load()
		for writes := link.Calls(faultstore.OpAtomicPut); link.Calls(faultstore.OpAtomicPut) == writes; {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(ttl / 3 * time.Duration(i) / time.Duration(phases))
		down.Store(true)
		time.Sleep(length)
		down.Store(false)
		mu.Lock()
		for first, at := range tries {
			n := 0
			for _, next := range tries[first:] {
				if next.Sub(at) < time.Second {
					n++
				}
			}
			result.tries = max(result.tries, n)
		}
		tries = nil
		mu.Unlock()
		time.Sleep(2 * ttl)
		if terms.Load() != before {
			result.lost++
		}
	}
	return result
}

var (
	refusing = faultstore.Fault{Before: time.Millisecond, Err: store.ErrNotReachable}
	hanging  = faultstore.Fault{Before: time.Hour} // until its context ends
)

func TestOutageThatIsShortEnoughCostsNoTerm(t *testing.T) {
	phases := outagePhases(t)
	for _, kind := range []struct {
		name  string
		fault faultstore.Fault
		grace time.Duration
		safe  int // the longest outage that costs no term, in hundredths of the TTL
	}{
		{"refuses", refusing, 0, 45},
		{"hangs", hanging, 0, 35},
		// As the command run has it.
		{"refuses, with a grace of a fifth,", refusing, DefaultTTL / 5, 27},
		{"hangs, with a grace of a fifth,", hanging, DefaultTTL / 5, 27},
	} {
		for _, length := range []int{20, 25, 27, 30, 35, 40, 45, 50, 60} {
			t.Run(fmt.Sprintf("%s for %d%% of the TTL", kind.name, length), func(t *testing.T) {
				inVirtualTime(t, func(t *testing.T, ctx context.Context) {
					got := suffer(ctx, DefaultTTL, DefaultTTL*time.Duration(length)/100, phases, kind.fault, WithGrace(kind.grace))
					t.Logf("%d of %d terms lost, %d tries a second at most", got.lost, phases, got.tries)
					if length <= kind.safe && got.lost > 0 {
						t.Errorf("%d of %d terms lost", got.lost, phases)
					}
					if got.tries > 5 {
						t.Errorf("%d tries in a second", got.tries)
					}
				})
			})
		}
	}
}

// Tries come as often as the TTL demands, and on a TTL of 15 s or more no more than five
// times a second.
func TestTriesInAnOutageAreBounded(t *testing.T) {
	for ttl, most := range map[time.Duration]int{time.Second: 30, 5 * time.Second: 15, 15 * time.Second: 5, time.Minute: 5} {
		for _, fault := range []faultstore.Fault{refusing, hanging} {
			inVirtualTime(t, func(t *testing.T, ctx context.Context) {
				got := suffer(ctx, ttl, 2*ttl, 3, fault)
				t.Logf("TTL %v: %d tries a second at most", ttl, got.tries)
				if got.tries > most || got.lost != 3 {
					t.Errorf("TTL %v: %d tries in a second, want %d at most; %d terms lost", ttl, got.tries, most, got.lost)
				}
			})
		}
	}
}

// A store that is slow all the time, and answers, is led on.
func TestSlowStoreIsLedOn(t *testing.T) {
	for _, took := range []time.Duration{ttl / 10, ttl / 5, ttl * 3 / 10} {
		inVirtualTime(t, func(t *testing.T, ctx context.Context) {
			link := faultstore.New(memory.New(), faultstore.WithPlan(func(call faultstore.Call) faultstore.Fault {
				if call.Op == faultstore.OpWatch {
					return faultstore.Fault{}
				}
				return faultstore.Fault{Before: took / 2, After: took / 2}
			}))
			a := NewCandidate(link, key, "a", ttl)
			elected, _ := a.RunForElection(ctx)
			collect(elected)
			time.Sleep(10 * ttl) // it has to show first that it compares and swaps, which takes a read more
			first, _ := a.Term()
			time.Sleep(100 * ttl)
			if last, ok := a.Term(); !ok || last.Token != first.Token {
				t.Errorf("a store that takes %v: led term %d, and now %d, %v", took, first.Token, last.Token, ok)
			}
		})
	}
}

// A store that becomes slow in the midst of a term, too.
func TestStoreThatBecomesSlowIsLedOn(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		link := faultstore.New(memory.New())
		a := NewCandidate(link, key, "a", ttl)
		elected, _ := a.RunForElection(ctx)
		got := collect(elected)
		time.Sleep(10 * ttl)
		link.SetPlan(faultstore.Always(faultstore.Fault{After: ttl * 22 / 100}, faultstore.OpAtomicPut, faultstore.OpGet))
		time.Sleep(100 * ttl)
		equal(t, "stream", got(), []bool{false, true})
	})
}

func TestHolderOverHTTPRenewsAfterAShortHang(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		link := faultstore.New(memory.New())
		c := NewClaims(link, key)
		first := claimed(ctx, t, c, claimFor("a"))
		time.Sleep(ttl / 3)
		link.SetPlan(faultstore.Always(hanging, faultstore.OpAtomicPut, faultstore.OpGet))
		began := time.Now()
		refusedWith(ctx, t, c, claimFor("a"), context.DeadlineExceeded)
		link.SetPlan(nil)
		again := claimed(ctx, t, c, claimFor("a"))
		if again.Term.Token != first.Term.Token || time.Since(began) > first.Trust-ttl/3 {
			t.Errorf("renewed %+v after %v", again, time.Since(began))
		}
	})
}
