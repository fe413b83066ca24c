package leadcron

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-co-op/gocron/v2"
	"github.com/jonboulle/clockwork"
	"go.uber.org/goleak"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/schedule"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// skewed is a clock that is off.
type skewed struct {
	clockwork.Clock
	by time.Duration
}

func (s skewed) Now() time.Time { return s.Clock.Now().Add(s.by) }

func newLocker(t *testing.T, kv store.Store, spec string, skew time.Duration, opts ...Option) *Locker {
	t.Helper()
	l, err := NewLocker(kv, "system", "node", spec, append(opts, WithLocation(time.UTC), WithLocation(nil), nil)...)
	if err != nil {
		t.Fatal(err)
	}
	l.now = func() time.Time { return time.Now().Add(skew) }
	return l
}

// runs counts the runs of each round.
type runs struct {
	mu    sync.Mutex
	count map[string]int
}

func (r *runs) add(instant time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.count == nil {
		r.count = make(map[string]int)
	}
	r.count[instant.UTC().Format(time.TimeOnly)]++
}

// TestSchedulersRunEachInstantOnce uses real schedulers, with clocks that are
// off, share a job.
func TestSchedulersRunEachInstantOnce(t *testing.T) {
	for _, c := range []struct {
		name string
		spec string
		job  func() gocron.JobDefinition
	}{
		{"cron", "* * * * *", func() gocron.JobDefinition { return gocron.CronJob("* * * * *", false) }},
		{"duration", "@every 1m", func() gocron.JobDefinition { return gocron.DurationJob(time.Minute) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				kv := memory.New()
				defer kv.Close()
				time.Sleep(20 * time.Second) // not at a whole minute
				var ran runs
				var schedulers []gocron.Scheduler
				for _, skew := range []time.Duration{0, 17 * time.Second, -25 * time.Second, 10 * time.Minute} {
					scheduler, err := gocron.NewScheduler(gocron.WithClock(skewed{clockwork.NewRealClock(), skew}),
						gocron.WithLocation(time.UTC))
					if err != nil {
						t.Fatal(err)
					}
					task := func() { ran.add(time.Now().Add(skew).Truncate(time.Minute)) }
					if _, err := scheduler.NewJob(c.job(), gocron.NewTask(task), gocron.WithName("job"),
						gocron.WithDistributedJobLocker(newLocker(t, kv, c.spec, skew))); err != nil {
						t.Fatal(err)
					}
					scheduler.Start()
					schedulers = append(schedulers, scheduler)
				}
				time.Sleep(time.Hour)
				// The fastest goes, and the others take over.
				if err := schedulers[3].Shutdown(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Hour)
				for _, scheduler := range schedulers[:3] {
					if err := scheduler.Shutdown(); err != nil {
						t.Fatal(err)
					}
				}
				for instant, n := range ran.count {
					if n != 1 {
						t.Errorf("%s was run %d times", instant, n)
					}
				}
				if n := len(ran.count); n < 119 || n > 131 {
					t.Errorf("%d runs in two hours", n)
				}
			})
		})
	}
}

// play has nodes whose clocks are off call Lock as gocron does, late by random
// times. It returns how often an instant was run at most, how many runs were
// before their instant, and how many instants were run.
func play(t *testing.T, rng *rand.Rand, change func(*Locker)) (most, early, instants int) {
	synctest.Test(t, func(t *testing.T) {
		kv := memory.New()
		defer kv.Close()
		const interval = time.Minute
		var ran runs
		var all sync.WaitGroup
		var tooEarly atomic.Int64
		for range 3 {
			skew := time.Duration(rng.Int64N(int64(10*time.Minute))) - 5*time.Minute
			l := newLocker(t, kv, "* * * * *", skew)
			change(l)
			own := rand.New(rand.NewPCG(rng.Uint64(), 0))
			all.Go(func() {
				instant := l.now().Truncate(interval)
				for range 100 {
					instant = instant.Add(interval)
					late := time.Duration(own.Int64N(int64(20 * time.Millisecond)))
					switch own.IntN(5) {
					case 0: // it was busy
						late = time.Duration(own.Int64N(int64(interval * 85 / 100)))
					case 1: // its wall clock was set back since the timer began
						late = -time.Duration(own.Int64N(int64(2 * time.Second)))
					}
					time.Sleep(instant.Add(late).Sub(l.now()))
					lock, err := l.Lock(t.Context(), "job")
					if errors.Is(err, ErrTaken) {
						continue
					}
					if err != nil {
						t.Error(err)
						return
					}
					if l.now().Before(instant) {
						tooEarly.Add(1)
					}
					ran.add(instant)
					if err := lock.Unlock(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		for _, n := range ran.count {
			most = max(most, n)
		}
		early, instants = int(tooEarly.Load()), len(ran.count)
	})
	return most, early, instants
}

func TestNoInstantIsRunTwiceWhateverTheClocksShow(t *testing.T) {
	seed := rand.Uint64()
	if again := os.Getenv("LEADCRON_SEED"); again != "" {
		var err error
		if seed, err = strconv.ParseUint(again, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	for i := range uint64(20) {
		most, early, instants := play(t, rand.New(rand.NewPCG(seed, i)), func(*Locker) {})
		if most != 1 || early > 0 || instants < 100 {
			t.Fatalf("an instant was run %d times, %d were run early, and %d at all\nagain: LEADCRON_SEED=%d go test ./leadcron -run '%s$'",
				most, early, instants, seed, t.Name())
		}
	}
}

func TestNamingRoundsAfterTheTimeOfTheCallIsNoticed(t *testing.T) {
	wrong, err := schedule.Parse("@every 1ms") // the round is named after the time of the call
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(20) {
		most, early, _ := play(t, rand.New(rand.NewPCG(1, i)), func(l *Locker) { l.schedule = wrong })
		if most > 1 && early > 0 {
			return
		}
	}
	t.Error("it is not noticed")
}

func TestLateNodeDoesNotRunAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := memory.New()
		defer kv.Close()
		const spec = "0 * * * *"
		first, second := newLocker(t, kv, spec, 0), newLocker(t, kv, spec, 0) // of the same name
		lock, err := first.Lock(t.Context(), "job/with slash")
		if err != nil {
			t.Fatal(err)
		}
		if err := lock.Unlock(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, l := range []*Locker{first, second} {
			for range 2 {
				if _, err := l.Lock(t.Context(), "job/with slash"); !errors.Is(err, ErrTaken) {
					t.Errorf("got %v, want ErrTaken", err)
				}
			}
		}
		if _, err := second.Lock(t.Context(), "another"); err != nil {
			t.Errorf("another job: %v", err)
		}
		time.Sleep(50 * time.Minute)
		if _, err := newLocker(t, kv, spec, 0).Lock(t.Context(), "job/with slash"); !errors.Is(err, ErrTaken) {
			t.Errorf("50 minutes late: got %v, want ErrTaken", err)
		}
		time.Sleep(10 * time.Minute)
		if _, err := second.Lock(t.Context(), "job/with slash"); err != nil {
			t.Errorf("the next instant: %v", err)
		}
		pair, err := kv.Get(t.Context(), "system/job%2Fwith%20slash@20000101-000000", nil)
		if err != nil || !strings.Contains(string(pair.Value), `"completed"`) || !strings.Contains(string(pair.Value), `"node#`) {
			t.Errorf("the round is %v, %v", pair, err)
		}
	})
}

func TestEarlyNodeWaitsForTheInstant(t *testing.T) {
	for _, c := range []struct {
		early  time.Duration
		waits  bool
		cancel bool
	}{
		{time.Nanosecond, true, false},
		{6 * time.Second, true, false},
		{6*time.Second + 1, false, false},
		{6 * time.Second, true, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			kv := memory.New()
			defer kv.Close()
			l := newLocker(t, kv, "* * * * *", 0)
			time.Sleep(time.Minute - c.early)
			began := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			if c.cancel {
				ctx, cancel = context.WithTimeout(t.Context(), time.Second)
				defer cancel()
			}
			_, err := l.Lock(ctx, "job")
			want := time.Duration(0)
			if c.waits {
				want = c.early
			}
			if c.cancel {
				want = time.Second
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v, want DeadlineExceeded", err)
				}
			} else if err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took != want {
				t.Errorf("%v early: it took %v, want %v", c.early, took, want)
			}
		})
	}
}

// TestClockThatWasWrongCostsNoLaterRun: what a clock shows for a moment takes the one
// instant that it shows, and nothing is remembered of it but that.
func TestClockThatWasWrongCostsNoLaterRun(t *testing.T) {
	for _, wrong := range []time.Duration{24 * time.Hour, time.Hour, -24 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			kv := memory.New()
			defer kv.Close()
			time.Sleep(48 * time.Hour)
			l := newLocker(t, kv, "* * * * *", wrong)
			if _, err := l.Lock(t.Context(), "job"); err != nil {
				t.Fatal(err)
			}
			l.now = time.Now
			for minute := range 5 {
				if _, err := l.Lock(t.Context(), "job"); err != nil {
					t.Errorf("%v off, %d minutes after it was right: %v", wrong, minute, err)
				}
				if _, err := l.Lock(t.Context(), "job"); !errors.Is(err, ErrTaken) {
					t.Errorf("%v off, the same minute again: got %v, want ErrTaken", wrong, err)
				}
				time.Sleep(time.Minute)
			}
			if wrong > 0 {
				time.Sleep(wrong - 5*time.Minute)
				if _, err := l.Lock(t.Context(), "job"); !errors.Is(err, ErrTaken) {
					t.Errorf("the instant that was run by a clock %v off: got %v, want ErrTaken", wrong, err)
				}
			}
		})
	}
}

// unreachable is a store that answers nothing but an error.
type unreachable struct{ store.Store }

var errDown = errors.New("the store is down")

func (unreachable) Get(context.Context, string, *store.ReadOptions) (*store.KVPair, error) {
	return nil, errDown
}

func (unreachable) AtomicPut(context.Context, string, []byte, *store.KVPair, *store.WriteOptions) (bool, *store.KVPair, error) {
	return false, nil, errDown
}

func TestWithoutTheStoreNothingRuns(t *testing.T) {
	l := newLocker(t, unreachable{memory.New()}, "* * * * *", 0)
	if _, err := l.Lock(t.Context(), "job"); !errors.Is(err, errDown) {
		t.Errorf("got %v, want that of the store", err)
	}
}

func TestOnlyTheLeaderRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		kv := memory.New()
		defer kv.Close()
		candidate := leadership.NewCandidate(kv, "leader", "node", time.Second)
		elector := NewElector(candidate)
		l := newLocker(t, kv, "* * * * *", 0, OnlyLeader(candidate))
		if err := elector.IsLeader(ctx); !errors.Is(err, ErrNotLeader) {
			t.Errorf("got %v, want ErrNotLeader", err)
		}
		if _, err := l.Lock(ctx, "job"); !errors.Is(err, ErrNotLeader) {
			t.Errorf("got %v, want ErrNotLeader", err)
		}
		elected, _ := candidate.RunForElection(ctx)
		for !<-elected {
		}
		if err := elector.IsLeader(ctx); err != nil {
			t.Error(err)
		}
		if _, err := l.Lock(ctx, "job"); err != nil {
			t.Error(err)
		}
		cancel()
		for range elected {
		}
		if err := elector.IsLeader(ctx); !errors.Is(err, ErrNotLeader) {
			t.Errorf("got %v, want ErrNotLeader", err)
		}
	})
}

func TestArgumentsAreChecked(t *testing.T) {
	kv := memory.New()
	defer kv.Close()
	for name, open := range map[string]func() (*Locker, error){
		"no store":  func() (*Locker, error) { return NewLocker(nil, "system", "node", "* * * * *") },
		"no system": func() (*Locker, error) { return NewLocker(kv, "", "node", "* * * * *") },
		"no node":   func() (*Locker, error) { return NewLocker(kv, "system", "", "* * * * *") },
		"no spec":   func() (*Locker, error) { return NewLocker(kv, "system", "node", "") },
		"no time":   func() (*Locker, error) { return NewLocker(kv, "system", "node", "@every -1m") },
	} {
		if l, err := open(); !errors.Is(err, leadership.ErrInvalidArgument) || l != nil {
			t.Errorf("%s: got %v, %v; want ErrInvalidArgument", name, l, err)
		}
	}
	l := newLocker(t, kv, "* * * * *", 0)
	if _, err := l.Lock(t.Context(), strings.Repeat("a", 250)); !errors.Is(err, leadership.ErrInvalidArgument) {
		t.Errorf("too long a name: got %v, want ErrInvalidArgument", err)
	}
	if err := NewElector(nil).IsLeader(t.Context()); !errors.Is(err, leadership.ErrInvalidArgument) {
		t.Errorf("no candidate: got %v, want ErrInvalidArgument", err)
	}
}
