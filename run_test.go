package leadership

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// started runs a candidate in the background; done gets what Run returns.
func started(ctx context.Context, c *Candidate, work func(context.Context, Term) error) (done chan error) {
	done = make(chan error, 1)
	go func() { done <- c.Run(ctx, work) }()
	return done
}

func TestSeatIsGivenUpOnlyAfterTheWorkHasReturned(t *testing.T) {
	stepDown := map[string]func(c *Candidate, cancel context.CancelFunc){
		"by Resign":            func(c *Candidate, _ context.CancelFunc) { c.Resign() },
		"by Stop":              func(c *Candidate, _ context.CancelFunc) { c.Stop() },
		"by the context's end": func(_ *Candidate, cancel context.CancelFunc) { cancel() },
	}
	why := map[string]error{"by Resign": ErrResigned, "by Stop": ErrStopped, "by the context's end": context.Canceled}
	for name, step := range stepDown {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, ctx context.Context) {
				kv := memory.New()
				a, b := NewCandidate(kv, key, "a", ttl), NewCandidate(kv, key, "b", ttl)
				runCtx, cancel := context.WithCancel(ctx)
				returned := time.Time{}
				started(runCtx, a, func(ctx context.Context, term Term) error {
					if term.Leader != "a" || term.Token == 0 {
						t.Errorf("works in %+v", term)
					}
					<-ctx.Done()
					if cause := context.Cause(ctx); !errors.Is(cause, why[name]) {
						t.Errorf("the cause is %v, want %v", cause, why[name])
					}
					time.Sleep(ttl / 4)
					returned = time.Now()
					return ctx.Err()
				})
				synctest.Wait()
				elected, _ := b.RunForElection(ctx)
				<-elected
				time.Sleep(10 * ttl) // right after a renewal: the trust lasts
				synctest.Wait()
				step(a, cancel)
				synctest.Wait()
				if a.IsLeader() {
					t.Error("still the leader")
				}
				if !<-elected {
					t.Fatal("false twice")
				}
				if returned.IsZero() || !time.Now().Equal(returned) {
					t.Errorf("b leads at %v, the work returned at %v", time.Now(), returned)
				}
				cancel() // before b ends, or a may lead once more
				synctest.Wait()
			})
		})
	}
}

func TestWorkThatDoesNotReturnKeepsItsSeatUntilTheRecordExpires(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		a, b := NewCandidate(kv, key, "a", ttl), NewCandidate(kv, key, "b", ttl)
		release := make(chan struct{})
		running := 0
		done := started(ctx, a, func(context.Context, Term) error {
			running++
			defer func() { running-- }()
			if running != 1 {
				t.Error("works twice at once")
			}
			<-release
			return nil
		})
		synctest.Wait()
		elected, _ := b.RunForElection(ctx)
		<-elected
		synctest.Wait()
		start := time.Now()
		a.Resign()
		if !<-elected {
			t.Fatal("false twice")
		}
		if took := time.Since(start); took != ttl {
			t.Errorf("b leads after %v, want the TTL", took)
		}
		b.Stop()
		closed(t, "b", elected, 0)
		time.Sleep(10 * ttl)
		if rec := stored(t, kv); rec.Held() {
			t.Errorf("a claims the seat while its old work goes on: %+v", rec)
		}
		a.Stop()
		synctest.Wait()
		select {
		case err := <-done:
			t.Errorf("Run returned %v before its work", err)
		default:
		}
		close(release)
		if err := <-done; err != nil {
			t.Errorf("Run returned %v after Stop", err)
		}
	})
}

func TestWorkEndsWithTheTrustThoughTheStoreHangs(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := faultstore.New(memory.New())
		kv.IgnoreContexts(true)
		c := NewCandidate(kv, key, "a", 15*time.Second)
		ended := make(chan time.Time, 10)
		done := started(ctx, c, func(ctx context.Context, _ Term) error {
			<-ctx.Done()
			if !errors.Is(context.Cause(ctx), ErrLost) {
				t.Errorf("the cause is %v", context.Cause(ctx))
			}
			ended <- time.Now()
			return ctx.Err()
		})
		synctest.Wait()
		start := time.Now()
		kv.Partition()
		if took := (<-ended).Sub(start); took != 12*time.Second {
			t.Errorf("the work's context ended %v after the claim, want 12s", took)
		}
		_ = kv.Close()
		c.Stop()
		if err := <-done; err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
}

func TestWorkThatReturnsResigns(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		c := NewCandidate(kv, key, "a", ttl)
		failure := errors.New("disk full")
		var terms []Term
		err := c.Run(ctx, func(_ context.Context, term Term) error {
			if terms = append(terms, term); len(terms) < 3 {
				return nil
			}
			return failure
		})
		if !errors.Is(err, failure) || len(terms) != 3 || terms[2].Token <= terms[1].Token {
			t.Errorf("Run returned %v after %v", err, terms)
		}
		if rec := stored(t, kv); rec.Held() || rec.Last.Reason != election.Resigned {
			t.Errorf("the record after the end: %+v", rec)
		}
	})
}

func TestShortWorkDoesNotMakeNodesElectEachOtherWithoutPause(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		var terms atomic.Int32
		for _, node := range []string{"a", "b"} {
			started(ctx, NewCandidate(kv, key, node, ttl), func(context.Context, Term) error {
				terms.Add(1)
				return nil
			})
		}
		time.Sleep(10 * ttl)
		// Each rests for a retry interval, a third of the TTL or a little less.
		if n := terms.Load(); n < 20 || n > 80 {
			t.Errorf("%d terms in %v", n, 10*ttl)
		}
	})
}

func TestWorkMayChangeThePayloadItIsGiven(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		c := NewCandidate(kv, key, "a", ttl, WithPayload([]byte("address")))
		started(ctx, c, func(ctx context.Context, term Term) error {
			term.Payload[0] = 'X'
			<-ctx.Done()
			return nil
		})
		time.Sleep(ttl)
		if rec := stored(t, kv); string(rec.Payload) != "address" {
			t.Errorf("stored as %q", rec.Payload)
		}
	})
}

func TestWorkThatEndsItsGoroutineEndsRun(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		c := NewCandidate(memory.New(), key, "a", ttl)
		err := c.Run(ctx, func(context.Context, Term) error {
			runtime.Goexit()
			return nil
		})
		if !errors.Is(err, errWorkExited) {
			t.Errorf("Run returned %v", err)
		}
	})
}

func TestChannelsCloseThoughTheWorkOfAnEarlierRunHasNotReturned(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		c := NewCandidate(memory.New(), key, "a", ttl)
		release := make(chan struct{})
		done := started(ctx, c, func(context.Context, Term) error { <-release; return nil })
		synctest.Wait()
		c.Stop()
		for range 3 {
			first, _ := c.RunForElection(ctx)
			second, _ := c.RunForElection(ctx)
			closed(t, "a stream that was taken over", first, 0)
			c.Stop()
			closed(t, "a stream that was stopped", second, 0)
		}
		close(release)
		if err := <-done; err != nil {
			t.Errorf("Run returned %v", err)
		}
		elected, _ := c.RunForElection(ctx)
		if <-elected || !<-elected {
			t.Error("does not lead afterwards")
		}
	})
}

func TestLossOfATermDoesNotEndRun(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := faultstore.New(memory.New())
		c := NewCandidate(kv, key, "a", ttl)
		terms := make(chan Term)
		ctx, cancel := context.WithCancelCause(ctx)
		done := started(ctx, c, func(ctx context.Context, term Term) error {
			terms <- term
			<-ctx.Done()
			return context.Cause(ctx)
		})
		first := <-terms
		kv.Partition()
		time.Sleep(10 * ttl)
		kv.Heal()
		if second := <-terms; second.Token <= first.Token {
			t.Errorf("token %d follows %d", second.Token, first.Token)
		}
		cancel(errors.New("enough"))
		if err := <-done; err != nil { // the end was the caller's wish
			t.Errorf("Run returned %v", err)
		}
	})
}

func TestOneCampaignAtATime(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		c := NewCandidate(memory.New(), key, "a", ttl)
		wait := func(ctx context.Context, _ Term) error { <-ctx.Done(); return nil }
		done := started(ctx, c, wait)
		synctest.Wait()
		if err := c.Run(ctx, wait); !errors.Is(err, ErrRunning) {
			t.Errorf("Run in Run: %v", err)
		}
		elected, errs := c.RunForElection(ctx)
		if err := <-errs; !errors.Is(err, ErrRunning) {
			t.Errorf("RunForElection in Run: %v", err)
		}
		closed(t, "elected", elected, 0)
		c.Stop()
		var again sync.WaitGroup
		again.Go(func() {
			if err := c.Run(ctx, wait); err != nil {
				t.Errorf("Run after Stop: %v", err)
			}
		})
		synctest.Wait()
		if err := <-done; err != nil {
			t.Errorf("Run returned %v", err)
		}
		c.Stop()
		again.Wait()
		elected, _ = c.RunForElection(ctx)
		<-elected
		if err := c.Run(ctx, wait); !errors.Is(err, ErrRunning) {
			t.Errorf("Run in RunForElection: %v", err)
		}
		if err := c.Run(ctx, nil); !errors.Is(err, ErrInvalidArgument) {
			t.Errorf("Run without work: %v", err)
		}
	})
}

func TestWorkThatPanicsResignsFirst(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		c := NewCandidate(kv, key, "a", ttl)
		cause := errors.New("the cause")
		panicked := make(chan any, 1)
		go func() {
			defer func() { panicked <- recover() }()
			_ = c.Run(ctx, func(context.Context, Term) error { panic(cause) })
		}()
		v := <-panicked
		err, ok := v.(*PanicError)
		if !ok || err.Value != any(cause) || !errors.Is(err, cause) || !strings.Contains(err.Error(), "TestWorkThatPanicsResignsFirst") {
			t.Errorf("Run panicked with %v", v)
		}
		if rec := stored(t, kv); rec.Held() || rec.Last.Reason != election.Resigned {
			t.Errorf("the record is %+v", rec)
		}
	})
}

// stubborn is work that ignores its context.
func stubborn(release chan struct{}) func(context.Context, Term) error {
	return func(context.Context, Term) error { <-release; return nil }
}

// crew has a method that is work, and ignores its context.
type crew struct{ release chan struct{} }

func (c *crew) toil(context.Context, Term) error { <-c.release; return nil }

func TestWorkIsCalledByTheNameThatPeopleKnow(t *testing.T) {
	for _, c := range []struct {
		opt  Option
		want string
	}{
		{nil, "(*crew).toil has not returned"},
		{WithWorkName(`the command "./server"`), `: the command "./server" has not returned`},
	} {
		inVirtualTime(t, func(t *testing.T, ctx context.Context) {
			var errs []error
			candidate := NewCandidate(memory.New(), key, "a", ttl, c.opt, WithCallbacks(Callbacks{OnError: func(err error) { errs = append(errs, err) }}))
			work := &crew{make(chan struct{})}
			started(ctx, candidate, work.toil)
			synctest.Wait()
			candidate.Resign()
			time.Sleep(ttl)
			close(work.release)
			synctest.Wait()
			if len(errs) == 0 || !strings.Contains(errs[0].Error(), c.want) {
				t.Errorf("%v, want %s", errs, c.want)
			}
		})
	}
}

func TestWorkThatIgnoresItsContextIsNamed(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		var errs []error
		c := NewCandidate(kv, key, "a", ttl, WithCallbacks(Callbacks{OnError: func(err error) { errs = append(errs, err) }}))
		release := make(chan struct{})
		started(ctx, c, stubborn(release))
		synctest.Wait()
		c.Resign()
		time.Sleep(10 * ttl)
		close(release)
		synctest.Wait()
		// After a third of the TTL, two thirds, four, eight and sixteen.
		if len(errs) != 5 {
			t.Fatalf("%d complaints: %v", len(errs), errs)
		}
		for i, err := range errs {
			late := (ttl / 3) << i
			if !errors.Is(err, ErrResigned) || !strings.Contains(err.Error(), "stubborn") || !strings.Contains(err.Error(), clock.Rounded(late).String()) {
				t.Errorf("%v: want it to name the work, and %v", err, late)
			}
		}
	})
}
