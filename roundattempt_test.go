package leadership

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/round"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

const attemptTTL = 10 * time.Second

// leased is a round of which the attempts have a TTL.
func leased(kv store.Store, node string, opts ...RoundOption) *Round {
	return NewRound(kv, "sys", "1", node, append(opts, WithAttemptTTL(attemptTTL))...)
}

// elected checks what Elect says.
func elected(t *testing.T, r *Round, want bool) {
	t.Helper()
	if won, err := r.Elect(t.Context()); won != want || err != nil {
		t.Errorf("%s: %v, %v; want %v", r.by.Node, won, err, want)
	}
}

// holds checks the attempt that a Round has won.
func holds(t *testing.T, r *Round, number uint64, left time.Duration) {
	t.Helper()
	if n, l := r.Attempt(); n != number || l != left {
		t.Errorf("%s holds attempt %d for %v, want %d for %v", r.by.Node, n, l, number, left)
	}
}

func TestAttemptIsSupersededOnceARivalHasSeenItForItsTTL(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		a, b := leased(kv, "a"), leased(kv, "b")
		elected(t, a, true)
		holds(t, a, 1, attemptTTL*4/5)
		time.Sleep(attemptTTL - 1)
		holds(t, a, 1, 0)
		elected(t, b, false) // sees it for the first time
		time.Sleep(attemptTTL - 1)
		elected(t, b, false)
		elected(t, leased(kv, "c"), false) // has seen nothing
		time.Sleep(1 * time.Nanosecond)
		elected(t, b, true)
		holds(t, b, 2, attemptTTL*4/5)
		elected(t, a, false)
		if err := a.Complete(ctx); !errors.Is(err, ErrSuperseded) || !strings.Contains(err.Error(), `attempt 2 of "b"`) {
			t.Errorf("attempt 1 completes: %v", err)
		}
		if err := leased(kv, "a").Complete(ctx); !errors.Is(err, ErrNotElected) {
			t.Errorf("another of a's completes: %v", err)
		}
		if err := b.CompleteWith(ctx, []byte("done")); err != nil {
			t.Error(err)
		}
		time.Sleep(10 * attemptTTL)
		elected(t, leased(kv, "c"), false)
		elected(t, b, true)
		s, err := a.State(ctx)
		if err != nil || s.Winner != "b" || s.Attempt != 2 || s.TTL != attemptTTL || s.Completer != "b" || string(s.Result) != "done" || s.Completed.IsZero() {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

func TestWinnerThatAsksAgainKeepsItsAttempt(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		a, b := leased(kv, "a"), leased(kv, "b")
		for range 50 {
			elected(t, a, true)
			holds(t, a, 1, attemptTTL*4/5)
			elected(t, b, false)
			time.Sleep(attemptTTL / 2)
		}
		// After a crash, with another TTL, or none: it keeps its own.
		again := NewRound(kv, "sys", "1", "a", WithAttemptTTL(time.Minute))
		elected(t, again, true)
		holds(t, again, 1, time.Minute*4/5)
		time.Sleep(attemptTTL * 2)
		elected(t, b, false)
		again = NewRound(kv, "sys", "1", "a")
		elected(t, again, true)
		holds(t, again, 1, time.Minute*4/5)
		elected(t, b, false)
		time.Sleep(time.Minute)
		elected(t, b, true)
		holds(t, b, 2, attemptTTL*4/5)
	})
}

func TestWinWithoutATTLIsForEver(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		a, b := NewRound(kv, "sys", "1", "a"), leased(kv, "b")
		holds(t, a, 0, 0)
		elected(t, a, true)
		holds(t, a, 1, math.MaxInt64)
		for range 10 {
			elected(t, b, false)
			elected(t, leased(kv, "a"), true) // and it stays without
			time.Sleep(attemptTTL)
		}
		// And a claimant without one supersedes nobody.
		a, b = NewRound(kv, "sys", "2", "a", WithAttemptTTL(attemptTTL)), NewRound(kv, "sys", "2", "b")
		elected(t, a, true)
		for range 10 {
			elected(t, b, false)
			time.Sleep(attemptTTL)
		}
	})
}

func TestAttemptOfAnotherProcessIsNamedByItsNumber(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		first, rival := leased(kv, "a"), leased(kv, "b")
		elected(t, first, true)
		elected(t, rival, false)
		time.Sleep(attemptTTL)
		elected(t, rival, true)
		elected(t, first, false)
		time.Sleep(attemptTTL)
		elected(t, leased(kv, "a", WithAttempt(1)), false)
		elected(t, first, true) // a again, attempt 3
		holds(t, first, 3, attemptTTL*4/5)
		for _, number := range []uint64{1, 2, 4} {
			if err := NewRound(kv, "sys", "1", "a", WithAttempt(number)).Complete(ctx); !errors.Is(err, ErrSuperseded) {
				t.Errorf("attempt %d completes: %v", number, err)
			}
		}
		if err := NewRound(kv, "sys", "1", "a", WithAttempt(3)).Complete(ctx); err != nil {
			t.Error(err)
		}
	})
}

func TestTrustInAnAttemptRunsFromTheStartOfTheWriteThatWonIt(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		// The reply is late; and it is lost.
		for _, fault := range []faultstore.Fault{{After: time.Second}, {After: time.Second, LoseReply: true}} {
			kv := faultstore.New(memory.New(), faultstore.WithPlan(func(c faultstore.Call) faultstore.Fault {
				if c.Op == faultstore.OpAtomicPut && c.Seq == 1 {
					return fault
				}
				return faultstore.Fault{}
			}))
			a := leased(kv, "a")
			elected(t, a, true)
			trust, writes := attemptTTL*4/5-time.Second, 1
			if fault.LoseReply {
				trust, writes = attemptTTL*4/5, 2
			}
			holds(t, a, 1, trust)
			if n := kv.Calls(faultstore.OpAtomicPut); n != writes {
				t.Errorf("%d writes, want %d", n, writes)
			}
		}
	})
}

func TestAttemptThatWasWonTooLateIsNotWon(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := faultstore.New(memory.New(), faultstore.WithPlan(faultstore.Always(faultstore.Fault{After: attemptTTL * 4 / 5}, faultstore.OpAtomicPut)))
		if won, err := leased(kv, "a", WithCallTimeout(time.Minute)).Elect(ctx); won || !errors.Is(err, ErrLost) {
			t.Errorf("got %v, %v", won, err)
		}
		kv.SetPlan(nil)
		elected(t, leased(kv, "a"), true)
	})
}

// A suspended machine's monotonic clock stands still, and its wall clock goes on (S4).
func TestTrustInAnAttemptEndsWhileTheMachineIsSuspended(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ context.Context) {
		now := clock.System{}.Now()
		for _, start := range []clock.Instant{{Mono: now.Mono - 3, Wall: now.Wall}, {Mono: now.Mono, Wall: now.Wall - 3}} {
			if left := (round.Attempt{Number: 1, Start: start, Trust: 5}).Left(now); left != 2 {
				t.Errorf("%v left", left)
			}
			if left := (round.Attempt{Number: 1, Start: start, Trust: 3}).Left(now); left != 0 {
				t.Errorf("%v left", left)
			}
		}
	})
}

func TestWinnerOfALaterAttemptThanWasPutBackGoesOn(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		a, b := leased(kv, "a"), leased(kv, "b")
		elected(t, a, true)
		first, err := kv.Get(ctx, "sys/1", nil)
		if err != nil {
			t.Fatal(err)
		}
		elected(t, b, false)
		time.Sleep(attemptTTL)
		elected(t, b, true)
		if err := kv.Put(ctx, "sys/1", first.Value, nil); err != nil {
			t.Fatal(err)
		}
		elected(t, b, true)
		holds(t, b, 3, attemptTTL*4/5)
	})
}

func TestAnonymousWinnerWinsOnce(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		const address = "10.0.0.9:1234"
		a, b := NewRound(kv, "sys", "1", address, Anonymous()), NewRound(kv, "sys", "1", address, Anonymous())
		elected(t, a, true)
		elected(t, b, false)
		elected(t, a, true)
		elected(t, NewRound(kv, "sys", "1", address), false)
		if err := NewRound(kv, "sys", "1", "anna").Complete(ctx); !errors.Is(err, ErrNotElected) {
			t.Errorf("a name completes: %v", err)
		}
		c := NewRound(kv, "sys", "1", "10.0.0.9:5678", Anonymous())
		if err := c.Complete(ctx); err != nil {
			t.Errorf("another connection: %v", err)
		}
		if s, err := c.State(ctx); err != nil || s.Winner != address || !s.Anonymous || s.Completer != "10.0.0.9:5678" {
			t.Errorf("%+v, %v", s, err)
		}
		if err := a.Complete(ctx); !errors.Is(err, ErrCompletedByOther) {
			t.Errorf("again: %v", err)
		}

		named := NewRound(kv, "sys", "2", address)
		elected(t, named, true)
		if err := NewRound(kv, "sys", "2", "10.0.0.9:5678", Anonymous()).Complete(ctx); !errors.Is(err, ErrNotElected) {
			t.Errorf("nobody completes what a name has won: %v", err)
		}
	})
}

func TestAnonymousCompletesAnAttemptByItsNumber(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		elected(t, leased(kv, "10.0.0.9:1", Anonymous()), true)
		if err := NewRound(kv, "sys", "1", "10.0.0.9:2", Anonymous()).Complete(ctx); !errors.Is(err, ErrNotElected) {
			t.Errorf("without a number: %v", err)
		}
		if err := NewRound(kv, "sys", "1", "10.0.0.9:2", Anonymous(), WithAttempt(2)).Complete(ctx); !errors.Is(err, ErrSuperseded) {
			t.Errorf("another number: %v", err)
		}
		if err := NewRound(kv, "sys", "1", "10.0.0.9:2", Anonymous(), WithAttempt(1)).Complete(ctx); err != nil {
			t.Error(err)
		}
	})
}

// Whatever the store does, no two nodes trust in an attempt at once, and what is
// completed is so by the latest.
func TestNoTwoNodesTrustInAnAttemptAtOnce(t *testing.T) {
	for range 20 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, ctx context.Context) {
				kv := memory.New()
				nodes := make([]*Round, 5)
				for i := range nodes {
					broken := faultstore.New(kv, faultstore.WithPlan(faultstore.Random(seed+uint64(i), faultstore.Rates{
						Fail: 0.05, LoseReply: 0.1, Before: 0.2, After: 0.2, IgnoreContext: 0.05, MaxDelay: attemptTTL / 2,
					})))
					nodes[i] = leased(broken, fmt.Sprint("node-", i))
					dice := rand.New(rand.NewPCG(seed, uint64(i)))
					go func() {
						defer broken.Close()
						for ctx.Err() == nil {
							_, _ = nodes[i].Elect(ctx) // errors are expected
							time.Sleep(time.Duration(dice.Int64N(int64(2 * attemptTTL))))
						}
					}()
				}
				attempts := make(map[uint64]string)
				for range 20_000 {
					time.Sleep(25 * time.Millisecond)
					trusting := ""
					for _, r := range nodes {
						number, left := r.Attempt()
						if left == 0 {
							continue
						}
						if trusting != "" {
							t.Fatalf("%s and %s work at once", trusting, r.by.Node)
						}
						trusting = r.by.Node
						if before, known := attempts[number]; known && before != r.by.Node {
							t.Fatalf("%s and %s have both won attempt %d", before, r.by.Node, number)
						}
						attempts[number] = r.by.Node
					}
				}
				if len(attempts) < 3 {
					t.Errorf("only %d attempts were won", len(attempts))
				}
			})
		})
	}
}

func TestResultIsBounded(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		r := NewRound(memory.New(), "sys", "1", "a")
		elected(t, r, true)
		if err := r.CompleteWith(ctx, make([]byte, MaxRoundResult+1)); !errors.Is(err, ErrInvalidArgument) {
			t.Errorf("got %v", err)
		}
		want := strings.Repeat("\xff", MaxRoundResult)
		if err := r.CompleteWith(ctx, []byte(want)); err != nil {
			t.Error(err)
		}
		if s, err := r.State(ctx); string(s.Result) != want || err != nil {
			t.Errorf("%d bytes, %v", len(s.Result), err)
		}
	})
	for _, ttl := range []time.Duration{-1, 1, MinTTL - 1, MaxTTL + 1} {
		if _, err := NewRound(memory.New(), "sys", "1", "a", WithAttemptTTL(ttl)).Elect(t.Context()); !errors.Is(err, ErrInvalidArgument) || !strings.Contains(err.Error(), "attempt TTL") {
			t.Errorf("%v: %v", ttl, err)
		}
	}
}

func mustRound(rec round.Record) []byte {
	b, err := rec.Encode()
	if err != nil {
		panic(err)
	}
	return b
}
