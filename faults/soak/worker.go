package soak

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store"
)

// worker is the process that is measured.
type worker struct {
	ttl, sample time.Duration

	terms, answers, overlaps atomic.Uint64

	running sync.WaitGroup
}

// Work stands in an election on each store of args, name=URLs, and writes samples to out,
// until in ends. It blocks until all has ended.
func Work(args []string, in io.Reader, out io.Writer) error {
	var w worker
	f := flag.NewFlagSet("worker", flag.ContinueOnError)
	f.DurationVar(&w.ttl, "ttl", time.Second, "TTL of the elections")
	f.DurationVar(&w.sample, "sample", 10*time.Second, "time between two samples")
	if err := f.Parse(args); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for _, arg := range f.Args() {
		name, urls, _ := strings.Cut(arg, "=")
		var kvs []store.Store
		for _, url := range strings.Fields(urls) {
			kv, err := store.Open(ctx, url)
			if err != nil {
				return fmt.Errorf("soak: %s: %w", name, err)
			}
			defer kv.Close()
			kvs = append(kvs, kv)
		}
		w.elect(ctx, kvs)
	}
	defer w.running.Wait()
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, in)
		ended <- err
	}()
	began := time.Now()
	for ticks := time.NewTicker(w.sample); ; {
		select {
		case err := <-ended:
			return err
		case <-ticks.C:
			s, err := w.take()
			s.At = time.Since(began).Round(time.Second)
			if _, errWrite := fmt.Fprintln(out, s); err != nil || errWrite != nil {
				return errors.Join(err, errWrite)
			}
		}
	}
}

// elect has candidates stand in an election, each on a store of its own, and one who
// follows it.
func (w *worker) elect(ctx context.Context, kvs []store.Store) {
	var all []*leadership.Candidate
	for i, kv := range kvs {
		c := leadership.NewCandidate(kv, key, "node-"+strconv.Itoa(i), w.ttl)
		all = append(all, c)
		w.running.Go(func() {
			if i == 0 {
				_ = c.Run(ctx, func(ctx context.Context, _ leadership.Term) error {
					w.terms.Add(1)
					<-ctx.Done()
					return nil
				})
				return
			}
			elected, errs := c.RunForElection(ctx)
			go func() {
				for range errs { // of the store
				}
			}()
			for leads := range elected {
				if leads {
					w.terms.Add(1)
				}
			}
		})
	}
	w.running.Go(func() {
		leaders, _ := leadership.NewFollower(kvs[0], key).FollowElection(ctx)
		for range leaders {
		}
	})
	w.running.Go(func() { w.ask(ctx, all) })
	w.running.Go(func() { w.rounds(ctx, kvs) })
}

// ask asks the candidates of an election, again and again, whether they lead: one between
// two answers of another, in the same term, that it does.
func (w *worker) ask(ctx context.Context, all []*leadership.Candidate) {
	ticks := time.NewTicker(20 * time.Millisecond)
	defer ticks.Stop()
	for ctx.Err() == nil {
		select {
		case <-ticks.C:
		case <-ctx.Done():
		}
		for i, a := range all {
			before, leads := a.Term()
			if !leads {
				continue
			}
			w.answers.Add(1)
			others := 0
			for j, b := range all {
				if j != i && b.IsLeader() {
					others++
				}
			}
			if after, leads := a.Term(); leads && others > 0 && after.Token == before.Token {
				w.overlaps.Add(1)
			}
		}
	}
}

// rounds wins a round, and completes it, in each time between two samples, and deletes
// those that are old.
func (w *worker) rounds(ctx context.Context, kvs []store.Store) {
	all := leadership.NewRounds(kvs[0])
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-time.After(w.sample):
		}
		r := all.Round("soak-rounds", strconv.Itoa(n), "node-0", leadership.WithAttemptTTL(w.ttl))
		if won, err := r.Elect(ctx); err == nil && won {
			_ = r.Complete(ctx) // or the store is away
		}
		_, _ = all.Sweep(ctx, "soak-rounds", time.Minute)
	}
}

// take takes a sample, after a garbage collection.
func (w *worker) take() (Sample, error) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s := Sample{
		Heap: m.HeapAlloc, Goroutines: uint64(runtime.NumGoroutine()),
		Terms: w.terms.Load(), Answers: w.answers.Load(), Overlaps: w.overlaps.Load(),
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return s, err
	}
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmRSS:")); ok {
			kib, err := strconv.ParseUint(string(bytes.Fields(rest)[0]), 10, 64)
			if err != nil {
				return s, err
			}
			s.Resident = kib << 10
		}
	}
	open, err := os.ReadDir("/proc/self/fd")
	for _, fd := range open {
		s.Descriptors++
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.HasPrefix(to, "socket:") {
			s.Connections++
		}
	}
	return s, err
}
