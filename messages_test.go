package leadership

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock/clocktest"
	"github.com/seed-a1d591d3/leadership/internal/register"
	"github.com/seed-a1d591d3/leadership/internal/standin"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// journal is a log that tests read.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(b)
}

// lines returns the lines at level WARN.
func (j *journal) lines() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.FieldsFunc(j.b.String(), func(r rune) bool { return r == '\n' })
}

func (j *journal) option() Option {
	return WithLogger(slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelWarn})))
}

func TestOutageIsLoggedLessAndLessOften(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := faultstore.New(memory.New())
		var stands, follows journal
		_, errs := NewCandidate(kv, key, "a", ttl, stands.option()).RunForElection(ctx)
		_, followerErrs := NewFollower(kv, key, follows.option()).FollowElection(ctx)
		told := collect(errs)
		toldFollower := collect(followerErrs)
		time.Sleep(10 * ttl)
		kv.Refuse()
		time.Sleep(time.Hour)
		kv.Heal()
		time.Sleep(ttl)
		for name, j := range map[string]*journal{"candidate": &stands, "follower": &follows} {
			lines := j.lines()
			if n := len(lines); n < 8 || n > 20 {
				t.Errorf("%s: %d lines of an outage of an hour", name, n)
			}
			if last := lines[len(lines)-1]; !strings.Contains(last, "answers again") || !strings.Contains(last, "after=1h0m") {
				t.Errorf("%s: the last line is %s", name, last)
			}
			if !strings.Contains(lines[len(lines)-2], "failing_for=") {
				t.Errorf("%s: %s", name, lines[len(lines)-2])
			}
		}
		if n, m := len(told()), len(toldFollower()); n < 700 || m < 700 {
			t.Errorf("the channels got %d and %d errors", n, m)
		}
	})
}

func TestStoreThatRefusesWritesAloneIsNoNoise(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := faultstore.New(memory.New())
		var j journal
		NewCandidate(kv, key, "a", ttl, j.option()).RunForElection(ctx)
		time.Sleep(ttl)
		kv.SetPlan(faultstore.Always(faultstore.Fault{Err: faultstore.ErrInjected}, faultstore.OpAtomicPut))
		time.Sleep(time.Hour)
		if n := len(j.lines()); n < 8 || n > 20 {
			t.Errorf("%d lines within an hour", n)
		}
		kv.SetPlan(nil)
		time.Sleep(ttl)
		if lines := j.lines(); !strings.Contains(lines[len(lines)-1], "answers again") {
			t.Errorf("the last line is %s", lines[len(lines)-1])
		}
	})
}

func TestFailingHealthIsLoggedLessAndLessOften(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		var j journal
		var ill atomic.Bool
		NewCandidate(memory.New(), key, "a", ttl, j.option(), WithHealthCheck(func(context.Context) error {
			if ill.Load() {
				return errors.New("the disk is full")
			}
			return nil
		})).RunForElection(ctx)
		time.Sleep(ttl)
		ill.Store(true)
		time.Sleep(time.Hour)
		ill.Store(false)
		time.Sleep(2 * ttl)
		lines := j.lines()
		if n := len(lines); n < 8 || n > 20 || !strings.Contains(lines[n-1], "healthy again") {
			t.Errorf("%d lines within an hour: %s", n, lines)
		}
	})
}

func TestErrorsNameOperationAndKeyOnce(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		inner := memory.New()
		NewCandidate(inner, key, "a", ttl).RunForElection(ctx)
		synctest.Wait()
		refused := errors.New("connection refused")
		for name, fail := range map[string]func(op string) error{
			"a store that says":     func(op string) error { return fmt.Errorf("redis: %s %q: %w", op, key, refused) },
			"a store with a prefix": func(op string) error { return fmt.Errorf("redis: %s %q: %w", op, "app/"+key, refused) },
			"a store that does not": func(string) error { return refused },
		} {
			kv := &standin.Store{Store: inner}
			kv.OnGet = func(context.Context, string) (*store.KVPair, error) { return nil, fail("get") }
			_, errs := NewCandidate(&standin.Store{Store: inner, OnGet: kv.OnGet}, key, "b", ttl).RunForElection(ctx)
			_, claims := NewClaims(kv, key).Claim(ctx, claimFor("c"))
			_, round := NewRound(kv, "service", "leader", "a").Elected(ctx)
			for _, err := range []error{<-errs, claims, round, Ask(ctx, kv, key, Request{Action: Resign}), Forget(ctx, kv, key)} {
				if text := fmt.Sprint(err); !errors.Is(err, refused) || strings.Count(text, key) != 1 || strings.Count(text, "get") != 1 {
					t.Errorf("%s: %s", name, text)
				}
			}
			kv.OnGet = nil
			kv.OnPut = func(context.Context, string, []byte, *store.KVPair) (bool, *store.KVPair, error) {
				return false, nil, fail("atomic put")
			}
			if text := fmt.Sprint(Ask(ctx, kv, key, Request{Action: Resign})); strings.Count(text, key) != 1 || strings.Count(text, "put") != 1 {
				t.Errorf("%s: %s", name, text)
			}
		}
	})
}

func TestAwaitBlamesTheStoreOnlyForItsLastAnswer(t *testing.T) {
	for _, heals := range []bool{true, false} {
		inVirtualTime(t, func(t *testing.T, ctx context.Context) {
			kv := faultstore.New(memory.New())
			round := NewRound(kv, "sys", "1", "a")
			if _, err := round.Elect(ctx); err != nil {
				t.Fatal(err)
			}
			kv.Refuse()
			if heals {
				time.AfterFunc(5*time.Second, kv.Heal)
			}
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			_, err := round.Await(ctx)
			if text := fmt.Sprint(err); errors.Is(err, faultstore.ErrInjected) == heals || !errors.Is(err, context.DeadlineExceeded) || strings.Count(text, "sys/1") != 1 {
				t.Errorf("healed: %v: %s", heals, text)
			}
		})
	}
}

func TestDurationsInMessagesAreRounded(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Second / 3:                 "333ms",
		16_666_666:                      "16.7ms",
		time.Second * 10 / 3:            "3.33s",
		time.Minute / 7:                 "8.57s",
		time.Hour + time.Second/3:       "1h",
		5 * time.Second:                 "5s",
		100*time.Second + time.Second/3: "1m40s",
	} {
		if text := register.NoAnswer(d).Error(); text != "context deadline exceeded: no answer within "+want {
			t.Errorf("%s, want %s", text, want)
		}
	}
}

// TestProcessThatWasHeldUpDoesNotBlameTheStore makes the clock go on while nothing runs,
// as for a process that is stopped.
func TestProcessThatWasHeldUpDoesNotBlameTheStore(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		clock := &clocktest.Hand{}
		inner := memory.New()
		release := make(chan struct{})
		kv := &standin.Store{Store: inner, OnGet: func(context.Context, string) (*store.KVPair, error) {
			<-release // whatever its context says
			return nil, store.ErrKeyNotFound
		}}
		c := NewCandidate(kv, key, "a", ttl)
		c.opts.clock = clock
		_, errs := c.RunForElection(ctx)
		told := collect(errs)
		synctest.Wait()
		clock.Move(time.Hour, time.Hour)
		c.campaign.on.loop.Wake()
		if got := told(); len(got) != 0 {
			t.Errorf("told %v", got)
		}
		for range 20 { // and now the store does hang
			clock.Move(c.opts.config.Limit/4, c.opts.config.Limit/4)
			c.campaign.on.loop.Wake()
			synctest.Wait()
		}
		if got := told(); len(got) != 1 || !strings.Contains(got[0].Error(), "has not returned") || strings.Contains(got[0].Error(), "h") && strings.Contains(got[0].Error(), "1h") {
			t.Errorf("told %v", got)
		}
		c.Stop() // or it would claim the seat, and wait for a clock that stands still
		close(release)
	})
}
