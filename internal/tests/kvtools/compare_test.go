package kvtools

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	_ "github.com/seed-a1d591d3/leadership/store/all"
)

// openOurs makes a client of ours, by URL.
func openOurs(name string) func(context.Context, string) (store.Store, error) {
	return func(ctx context.Context, addr string) (store.Store, error) {
		return store.Open(ctx, name+"://"+addr)
	}
}

// compare runs a benchmark with kvtools' adapter and with ours, on one server
// of each kind, and with those of ours that kvtools has none for.
func compare(b *testing.B, bench func(*testing.B, func(testing.TB) store.Store)) {
	for _, a := range adapters {
		server := servers.Shared(b, a.name)
		b.Run(a.name+"/kvtools", func(b *testing.B) { bench(b, opener(server.Addr, a.open)) })
		b.Run(a.name+"/ours", func(b *testing.B) { bench(b, opener(server.Addr, openOurs(a.name))) })
	}
	for _, url := range []string{
		servers.Shared(b, "postgres").Addr,
		"sqlite://" + filepath.Join(b.TempDir(), "election.db"),
		"memory://compare",
	} {
		name, rest, _ := strings.Cut(url, "://")
		b.Run(name+"/ours", func(b *testing.B) { bench(b, opener(rest, openOurs(name))) })
	}
}

func BenchmarkHandover(b *testing.B) {
	compare(b, func(b *testing.B, open func(testing.TB) store.Store) {
		electiontest.BenchmarkHandover(b, electiontest.Env{Open: open})
	})
}

// BenchmarkCAS measures one compare-and-swap.
func BenchmarkCAS(b *testing.B) {
	compare(b, func(b *testing.B, open func(testing.TB) store.Store) {
		kv := open(b)
		defer kv.Close()
		key := fmt.Sprint("kvtools/cas/", time.Now().UnixNano())
		_, pair, err := kv.AtomicPut(b.Context(), key, []byte("0"), nil, nil)
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		measure(b, func() {
			n++
			if _, pair, err = kv.AtomicPut(b.Context(), key, fmt.Append(nil, n), pair, nil); err != nil {
				b.Fatal(err)
			}
		})
	})
}

// BenchmarkGet measures one consistent read.
func BenchmarkGet(b *testing.B) {
	compare(b, func(b *testing.B, open func(testing.TB) store.Store) {
		kv := open(b)
		defer kv.Close()
		key := fmt.Sprint("kvtools/get/", time.Now().UnixNano())
		if _, _, err := kv.AtomicPut(b.Context(), key, []byte("0"), nil, nil); err != nil {
			b.Fatal(err)
		}
		measure(b, func() {
			if _, err := kv.Get(b.Context(), key, &store.ReadOptions{Consistent: true}); err != nil {
				b.Fatal(err)
			}
		})
	})
}

// measure reports the median of what each call takes, in microseconds: the mean
// is at the mercy of whatever else the machine does.
func measure(b *testing.B, call func()) {
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		call()
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2])/float64(time.Microsecond), "µs-median")
}
