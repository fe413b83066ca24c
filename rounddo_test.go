package leadership

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/round"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func TestDoKeepsTheAttemptWhileTheWorkRuns(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		a, b := leased(kv, "a"), leased(kv, "b")
		won, err := a.Do(ctx, func(ctx context.Context) error {
			for range 100 {
				elected(t, b, false)
				time.Sleep(attemptTTL / 3)
				if ctx.Err() != nil {
					t.Fatal(context.Cause(ctx))
				}
				if n, left := a.Attempt(); n != 1 || left < attemptTTL*2/5 {
					t.Errorf("attempt %d is left %v", n, left)
				}
			}
			return nil
		})
		if !won || err != nil {
			t.Errorf("got %v, %v", won, err)
		}
		if who, err := b.Completed(ctx); who != "a" || err != nil {
			t.Errorf("completed by %q, %v", who, err)
		}
	})
}

func TestDoEndsTheWorkWithTheAttempt(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		link := faultstore.New(memory.New())
		start := time.Now()
		a := leased(link, "a")
		won, err := a.Do(ctx, func(ctx context.Context) error {
			link.Partition()
			<-ctx.Done()
			if _, left := a.Attempt(); left != 0 {
				t.Errorf("%v is left", left)
			}
			return context.Cause(ctx)
		})
		if took := time.Since(start); !won || !errors.Is(err, ErrLost) || took != attemptTTL*4/5 {
			t.Errorf("%v, %v after %v", won, err, took)
		}
		link.Heal()
	})
}

func TestDoKeepsTheAttemptThroughAShortOutage(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		link := faultstore.New(memory.New())
		won, err := leased(link, "a", WithCallTimeout(attemptTTL/10)).Do(ctx, func(ctx context.Context) error {
			for range 20 {
				link.Refuse()
				time.Sleep(attemptTTL / 3)
				link.Heal()
				time.Sleep(attemptTTL / 3)
			}
			return ctx.Err()
		})
		if !won || err != nil {
			t.Errorf("got %v, %v", won, err)
		}
	})
}

func TestDoEndsTheWorkOfAnAttemptThatAnotherHas(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		other := mustRound(round.Record{Winner: "b", Elected: time.Now().UTC(), Attempt: 2, Millis: attemptTTL.Milliseconds(), Mark: "b"})
		start := time.Now()
		won, err := leased(kv, "a").Do(ctx, func(ctx context.Context) error {
			if err := kv.Put(ctx, "sys/1", other, nil); err != nil { // by hand
				t.Error(err)
			}
			<-ctx.Done()
			return context.Cause(ctx)
		})
		if took := time.Since(start); !won || !errors.Is(err, ErrLost) || took > attemptTTL/3 {
			t.Errorf("%v, %v after %v", won, err, took)
		}
	})
}

func TestDoRecordsWhatWasDoneThoughItsContextHasEnded(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		for _, opts := range [][]RoundOption{nil, {WithAttemptTTL(attemptTTL)}} {
			a := NewRound(memory.New(), "sys", "1", "a", opts...)
			hasty, cancel := context.WithCancel(ctx)
			won, err := a.Do(hasty, func(context.Context) error { cancel(); return nil })
			if who, _ := a.Completed(ctx); !won || err != nil || who != "a" {
				t.Errorf("%v, %v; completed by %q", won, err, who)
			}
		}
	})
}

func TestGraceEndsTheWorkSoMuchBeforeItsAttempt(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		link := faultstore.New(memory.New())
		start, grace := time.Now(), attemptTTL/5
		a := leased(link, "a", WithAttemptGrace(grace))
		_, err := a.Do(ctx, func(ctx context.Context) error {
			link.Partition()
			<-ctx.Done()
			return context.Cause(ctx)
		})
		if took := time.Since(start); !errors.Is(err, ErrLost) || took != attemptTTL*4/5-grace {
			t.Errorf("%v after %v", err, took)
		}
		link.Heal()
	})
	for _, grace := range []time.Duration{-1, attemptTTL * 4 / 5} {
		if _, err := leased(memory.New(), "a", WithAttemptGrace(grace)).Elect(t.Context()); !errors.Is(err, ErrInvalidArgument) || !strings.Contains(err.Error(), "grace") {
			t.Errorf("%v: %v", grace, err)
		}
	}
}

// A process of the same node, such as one with another configuration, asks with a shorter TTL.
func TestAttemptIsNotShortenedWhileItsWinnerMayWork(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		const longer = 10 * attemptTTL
		b := leased(kv, "b")
		for _, opts := range [][]RoundOption{{WithAttemptTTL(longer)}, nil} { // without one the winner keeps what it found
			elected(t, NewRound(kv, "sys", "1", "a", WithAttemptTTL(longer)), true)
			won, err := NewRound(kv, "sys", "1", "a", opts...).Do(ctx, func(ctx context.Context) error {
				again := leased(kv, "a")
				elected(t, again, true)
				holds(t, again, 1, longer*4/5)
				for range 4 {
					elected(t, b, false)
					time.Sleep(attemptTTL / 2)
				}
				if ctx.Err() != nil {
					t.Error(context.Cause(ctx))
				}
				return errors.New("not done")
			})
			if !won || err == nil {
				t.Errorf("got %v, %v", won, err)
			}
		}
		elected(t, b, false)
		time.Sleep(longer)
		elected(t, b, true) // the next attempt is as long as its winner asks for
		holds(t, b, 2, attemptTTL*4/5)
	})
}
