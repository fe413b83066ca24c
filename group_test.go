package leadership

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func shards(n int) (keys []string) {
	for i := range n {
		keys = append(keys, fmt.Sprintf("shard/%05d", i))
	}
	return keys
}

// lead is work that goes on until its context ends.
func lead(ctx context.Context, _ string, _ Term) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestGroupStandsInManyElections(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		keys := shards(1000)
		a, b := NewGroup(kv, "a", 15*time.Second), NewGroup(kv, "b", 15*time.Second)
		ended := make(chan error, 2)
		go func() { ended <- a.Run(ctx, keys, lead) }()
		time.Sleep(time.Second)
		go func() { ended <- b.Run(ctx, keys, lead) }()
		time.Sleep(time.Second)
		synctest.Wait()
		if got := a.Leading(); !slices.Equal(got, keys) {
			t.Errorf("a leads %d elections", len(got))
		}
		a.Candidate(keys[7]).Resign()
		synctest.Wait()
		if got := b.Leading(); !slices.Equal(got, keys[7:8]) {
			t.Errorf("b leads %v", got)
		}
		if err := a.Run(ctx, keys, lead); !errors.Is(err, ErrRunning) {
			t.Errorf("%v, want ErrRunning", err)
		}
		a.Stop()
		if err := <-ended; err != nil {
			t.Errorf("Run returned %v after Stop", err)
		}
		synctest.Wait()
		if got := b.Leading(); len(got) != len(keys) {
			t.Errorf("b leads %d elections", len(got))
		}
		if a.Candidate(keys[0]) != nil || a.Leading() != nil {
			t.Error("a stands although it was stopped")
		}
		again, cancel := context.WithTimeoutCause(ctx, time.Minute, errors.New("enough"))
		defer cancel()
		if err := a.Run(again, keys, lead); err != nil {
			t.Errorf("Run returned %v at the end of its context", err)
		}
		b.Stop()
		if err := <-ended; err != nil {
			t.Errorf("Run returned %v after Stop", err)
		}
	})
}

func TestGroupLeavesAnElectionWhoseWorkFails(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		g := NewGroup(kv, "a", ttl)
		cause := errors.New("shard 3 is broken")
		ended := make(chan error, 1)
		go func() {
			ended <- g.Run(ctx, shards(5), func(ctx context.Context, key string, term Term) error {
				if strings.HasSuffix(key, "3") {
					return cause
				}
				return lead(ctx, key, term)
			})
		}()
		time.Sleep(ttl)
		synctest.Wait()
		if got := g.Leading(); len(got) != 4 || slices.Contains(got, "shard/00003") {
			t.Errorf("it leads %v", got)
		}
		g.Stop()
		if err := <-ended; !errors.Is(err, cause) {
			t.Errorf("Run returned %v", err)
		}
	})
}

func TestGroupStopsWhenItsWorkPanics(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		g := NewGroup(kv, "a", ttl)
		panicked := make(chan any, 1)
		go func() {
			defer func() { panicked <- recover() }()
			_ = g.Run(ctx, shards(5), func(ctx context.Context, key string, term Term) error {
				if strings.HasSuffix(key, "3") {
					time.Sleep(ttl)
					panic("at shard 3")
				}
				return lead(ctx, key, term)
			})
		}()
		if err, ok := (<-panicked).(*PanicError); !ok || err.Value != "at shard 3" {
			t.Errorf("Run panicked with %v", err)
		}
		for _, key := range shards(5) {
			pair, err := kv.Get(ctx, key, nil)
			if err != nil {
				t.Fatal(err)
			}
			if rec, err := election.Parse(pair.Value); err != nil || rec.Held() {
				t.Errorf("%s: %+v, %v", key, rec, err)
			}
		}
	})
}

func TestGroupThatIsStoppedWhileItStartsStops(t *testing.T) {
	kv := memory.New()
	defer kv.Close()
	for range 2000 {
		g := NewGroup(kv, "a", ttl)
		ended := make(chan error, 1)
		go func() { ended <- g.Run(t.Context(), []string{"k"}, lead) }()
		for g.Candidate("k") == nil {
			runtime.Gosched()
		}
		g.Stop()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
}

// causes is an error that cannot be compared.
type causes []error

func (causes) Error() string { return "causes" }

func TestGroupReturnsErrorsOfAnyType(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		err := NewGroup(memory.New(), "a", ttl).Run(ctx, shards(2), func(context.Context, string, Term) error { return causes{} })
		var found causes
		if !errors.As(err, &found) {
			t.Error(err)
		}
	})
}

func TestGroupWhoseCandidateRunsElsewhereLeavesAllElections(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		g := NewGroup(kv, "a", ttl)
		keys := shards(3)
		err := g.Run(ctx, keys, func(ctx context.Context, k string, _ Term) error {
			if k == keys[0] {
				g.Candidate(keys[2]).RunForElection(ctx)
			}
			<-ctx.Done()
			return ctx.Err()
		})
		if !errors.Is(err, ErrRunning) {
			t.Error(err)
		}
		synctest.Wait()
		for _, k := range keys[:2] {
			pair, err := kv.Get(ctx, k, nil)
			if err != nil {
				t.Fatal(err)
			}
			if rec, err := election.Parse(pair.Value); err != nil || rec.Held() {
				t.Errorf("%s: %+v, %v", k, rec, err)
			}
		}
	})
}

func TestGroupNamesTheWorkThatIgnoresItsContext(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		var errs []error
		g := NewGroup(memory.New(), "a", ttl, WithCallbacks(Callbacks{OnError: func(err error) { errs = append(errs, err) }}))
		release := make(chan struct{})
		ended := make(chan error, 1)
		go func() {
			ended <- g.Run(ctx, shards(1), func(context.Context, string, Term) error { <-release; return nil })
		}()
		time.Sleep(ttl)
		g.Stop()
		time.Sleep(ttl)
		synctest.Wait()
		close(release)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if len(errs) == 0 || !strings.Contains(errs[0].Error(), "TestGroupNamesTheWork") {
			t.Errorf("the complaints are %v", errs)
		}
	})
}

func TestBadGroupsAreRefused(t *testing.T) {
	kv := memory.New()
	for want, run := range map[string]func() error{
		"twice":   func() error { return NewGroup(kv, "a", 0).Run(t.Context(), []string{"x", "y", "x"}, lead) },
		"node":    func() error { return NewGroup(kv, "", 0).Run(t.Context(), []string{"x"}, lead) },
		"key":     func() error { return NewGroup(kv, "a", 0).Run(t.Context(), []string{"x", ""}, lead) },
		"work":    func() error { return NewGroup(kv, "a", 0).Run(t.Context(), []string{"x"}, nil) },
		"context": func() error { return NewGroup(kv, "a", 0).Run(nil, []string{"x"}, lead) }, //nolint:staticcheck // a nil context is what is tested
	} {
		if err := run(); !errors.Is(err, ErrInvalidArgument) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if err := NewGroup(kv, "a", 0).Run(t.Context(), nil, lead); err != nil {
		t.Errorf("no election at all: %v", err)
	}
}

// BenchmarkTenThousandElections measures what a process costs that leads 10,000
// elections with a TTL of 15 s: its memory, all that it has and what each election has
// of it, and its share of one core over some seconds of real time.
func BenchmarkTenThousandElections(b *testing.B) {
	const elections, span = 10_000, 15 * time.Second
	for _, percent := range []int{25, 100} { // the one that needs more memory last
		b.Run(fmt.Sprintf("GOGC=%d", percent), func(b *testing.B) {
			defer debug.SetGCPercent(debug.SetGCPercent(percent))
			for b.Loop() {
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				kv := memory.New()
				g := NewGroup(kv, "a", DefaultTTL)
				var ended sync.WaitGroup
				ended.Go(func() {
					if err := g.Run(context.Background(), shards(elections), lead); err != nil {
						b.Error(err)
					}
				})
				for len(g.Leading()) < elections {
					time.Sleep(100 * time.Millisecond)
				}
				used, began := processorTime(b), time.Now()
				time.Sleep(span)
				share := float64(processorTime(b)-used) / float64(time.Since(began))
				if n := len(g.Leading()); n != elections {
					b.Errorf("it leads %d elections after %v", n, span)
				}
				b.ReportMetric(float64(resident(b))/1e6, "MB")
				b.ReportMetric(share, "cores")
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric((float64(after.HeapAlloc)-float64(before.HeapAlloc))/elections, "heap-B/election")
				b.ReportMetric((float64(after.StackInuse)-float64(before.StackInuse))/elections, "stack-B/election")
				b.ReportMetric(float64(runtime.NumGoroutine())/elections, "goroutines/election")
				g.Stop()
				ended.Wait()
				kv.Close()
			}
		})
	}
}

// resident returns how many bytes of memory the process has.
func resident(b *testing.B) int64 {
	b.Helper()
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(statm))[1], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
