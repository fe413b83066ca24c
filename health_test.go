package leadership

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// checkUp is a health check whose answer a test sets.
type checkUp struct {
	sick  atomic.Bool
	hangs atomic.Bool
	calls atomic.Int32
	heal  chan struct{}
}

var errSick = errors.New("sick")

func (c *checkUp) check(context.Context) error {
	c.calls.Add(1)
	if c.hangs.Load() {
		<-c.heal // whatever its context says
	}
	if c.sick.Load() {
		return errSick
	}
	return nil
}

func TestUnhealthyCandidateDoesNotClaim(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		var up checkUp
		up.sick.Store(true)
		c := NewCandidate(kv, key, "a", ttl, WithHealthCheck(up.check), WithHealthInterval(ttl/10))
		_, errs := c.RunForElection(ctx)
		reported := collect(errs)
		time.Sleep(10 * ttl)
		synctest.Wait()
		if _, err := kv.Get(ctx, key, nil); err == nil {
			t.Error("it has claimed the seat")
		}
		if got := reported(); len(got) == 0 || !errors.Is(got[0], errSick) {
			t.Errorf("reported: %v", got)
		}
		up.sick.Store(false)
		time.Sleep(ttl / 10)
		synctest.Wait()
		if !c.IsLeader() {
			t.Error("it is well again, and does not lead")
		}
	})
}

func TestUnhealthyLeaderStepsDownInOrderAfterSoManyFailures(t *testing.T) {
	for name, fall := range map[string]func(*checkUp){
		"it fails": func(up *checkUp) { up.sick.Store(true) },
		"it hangs": func(up *checkUp) { up.hangs.Store(true) },
	} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, ctx context.Context) {
				kv := memory.New()
				up := checkUp{heal: make(chan struct{})}
				const every = time.Second
				a := NewCandidate(kv, key, "a", 15*time.Second, WithHealthCheck(up.check), WithHealthInterval(every), WithHealthFailures(2))
				b := NewCandidate(kv, key, "b", 15*time.Second)
				var cause error
				var returned time.Time
				started(ctx, a, func(ctx context.Context, _ Term) error {
					<-ctx.Done()
					cause = context.Cause(ctx)
					time.Sleep(every)
					returned = time.Now()
					return ctx.Err()
				})
				synctest.Wait()
				elected, _ := b.RunForElection(ctx)
				<-elected
				time.Sleep(every / 2)
				fall(&up)
				ill := time.Now()
				if !<-elected {
					t.Fatal("false twice")
				}
				if !errors.Is(cause, ErrUnhealthy) || !time.Now().Equal(returned) {
					t.Errorf("the cause is %v; b leads at %v, a's work returned at %v", cause, time.Now(), returned)
				}
				// Two checks fail, half an interval after it fell ill and one
				// more; one that hangs has an interval to answer.
				took, want := time.Since(ill), every/2+every+every
				if name == "it hangs" {
					want += every
				}
				if took != want {
					t.Errorf("it took %v, want %v", took, want)
				}
				if last := stored(t, kv).Last; last.Reason != election.Unhealthy {
					t.Errorf("the record says %+v", last)
				}
				close(up.heal)
			})
		})
	}
}

func TestHangingHealthCheckIsNotRepeatedOnTopOfItself(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		up := checkUp{heal: make(chan struct{})}
		up.hangs.Store(true)
		c := NewCandidate(kv, key, "a", ttl, WithHealthCheck(up.check), WithHealthInterval(ttl/10))
		c.RunForElection(ctx)
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := up.calls.Load(); n != 1 {
			t.Errorf("%d calls go on", n)
		}
		up.hangs.Store(false)
		close(up.heal)
		time.Sleep(ttl / 10)
		synctest.Wait()
		if !c.IsLeader() {
			t.Error("the check passes again, and it does not lead")
		}
	})
}

func TestOneFailedHealthCheckDoesNotEndATerm(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		var up checkUp
		c := NewCandidate(memory.New(), key, "a", ttl, WithHealthCheck(up.check), WithHealthInterval(time.Second))
		c.RunForElection(ctx)
		synctest.Wait()
		first, _ := c.Term()
		for range 10 {
			time.Sleep(time.Second / 2)
			up.sick.Store(true)
			time.Sleep(2 * time.Second) // two checks
			up.sick.Store(false)
			time.Sleep(3 * time.Second / 2)
		}
		if term, ok := c.Term(); !ok || term.Token != first.Token {
			t.Errorf("leads: %v, term %d; first it was %d", ok, term.Token, first.Token)
		}
	})
}

func TestIntervalsThatMeanNeverAreNotCounted(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		time.Sleep(time.Second) // on any clock now is later than 0
		checks := 0
		c := NewCandidate(memory.New(), key, "a", ttl, WithRelinquishAfter(math.MaxInt64), WithHealthInterval(math.MaxInt64),
			WithHealthCheck(func(context.Context) error { checks++; return nil }))
		c.RunForElection(ctx)
		synctest.Wait()
		first, _ := c.Term()
		time.Sleep(10 * ttl)
		synctest.Wait()
		if term, leads := c.Term(); !leads || term.Token != first.Token || checks != 1 {
			t.Errorf("it leads: %v, its health was checked %d times", leads, checks)
		}
	})
}
