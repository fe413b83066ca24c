package worker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/faults/history"
	"github.com/seed-a1d591d3/leadership/faults/resource"
	"github.com/seed-a1d591d3/leadership/internal/sabotage"
	"github.com/seed-a1d591d3/leadership/store"
)

// worker is one process of a run.
type worker struct {
	Config
	log       *history.Writer
	clock     *handClock // nil for that of the machine
	client    *resource.Client
	candidate *leadership.Candidate
}

// Main runs a worker until its input ends, or the process gets SIGTERM. It then stops,
// closes all, and logs what is left over. Lines of the input are orders:
//
//	resign      resigns
//	wall 1h     sets the candidate's own wall clock forward by 1h; -1h sets it back
//
// A command reads no input, and goes on for Wind after SIGTERM. Errors of the store do
// not end a worker.
func Main(c Config, in io.Reader) error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	defer signal.Stop(signals)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var terminated sync.WaitGroup
	terminated.Go(func() {
		select {
		case <-signals:
			cancel()
		case <-ctx.Done():
		}
	})
	defer terminated.Wait()
	defer cancel()
	w := &worker{Config: c}
	if c.Mode == Command {
		return w.command(ctx)
	}
	return w.stand(ctx, in)
}

// process is the first line of the log.
func (w *worker) process() history.Process {
	p := history.Process{
		Role: history.Worker, Key: w.Key, Node: w.Node, Incarnation: w.Incarnation, Mode: w.Mode,
		TTL: w.TTL, Margin: w.TTL / 5, Retry: w.TTL / 3, Rate: w.Rate, Sabotage: os.Getenv(sabotage.Variable),
	}
	if w.Mode == Command {
		p.Role = history.Command
	}
	return p
}

// stand runs a worker that has a store.
func (w *worker) stand(ctx context.Context, in io.Reader) (err error) {
	if w.log, err = history.Create(w.Log, w.process()); err != nil {
		return err
	}
	orders := make(chan string)
	go func() { // ends with the input, or the process
		defer close(orders)
		for lines := bufio.NewScanner(in); lines.Scan(); {
			orders <- lines.Text()
		}
	}()
	if err := prime(); err != nil {
		return errors.Join(err, w.log.Close())
	}
	begun := vitals(history.Begun)
	w.log.Add(begun...)
	if kv := w.open(ctx, orders); kv != nil {
		w.campaign(ctx, kv, orders)
		kv.Close()
	}
	if !w.Deaf { // whose calls may be stuck
		w.log.Add(settled(begun)...)
	}
	return w.log.Close()
}

// open opens the store, however long that takes; nil at the end of ctx or of the orders.
func (w *worker) open(ctx context.Context, orders <-chan string) store.Store {
	for {
		kv, err := store.Open(ctx, w.Store)
		if err == nil && w.Deaf {
			return deaf{kv}
		}
		if err == nil {
			return kv
		}
		w.failed(err)
		select {
		case <-ctx.Done():
			return nil
		case _, ok := <-orders:
			if !ok {
				return nil
			}
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// failed logs an error.
func (w *worker) failed(err error) {
	now := history.Now()
	text := err.Error()
	w.log.Add(history.Line{Kind: history.Error, Before: now, After: now, What: text[:min(len(text), 500)]})
}

// campaign does all that the worker does with a store, until ctx or the orders end.
func (w *worker) campaign(ctx context.Context, kv store.Store, orders <-chan string) {
	opts := []leadership.Option{leadership.WithCallbacks(leadership.Callbacks{OnError: w.failed, OnLeaderChange: w.follow})}
	if w.Clock {
		w.clock = newHandClock(w.Rate)
		opts = append(opts, w.clock.option())
	}
	if w.Resource != "" {
		w.client = resource.NewClient(w.Resource)
		defer w.client.Close()
	}
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	all.Go(func() { w.each(ctx, time.Second, func() { w.log.Add(vitals(history.Running)...) }) })
	if w.Rounds > 0 {
		all.Go(func() { w.rounds(ctx, kv) })
	}
	if w.Mode == Follow {
		f := leadership.NewFollower(kv, w.Key, opts...)
		leaders, errs := f.FollowElection(ctx)
		all.Go(func() { drain(leaders) })
		all.Go(func() { drain(errs) })
		w.obey(ctx, orders, nil)
		f.Stop()
		return
	}
	opts = append(opts, leadership.WithGrace(w.Grace))
	if w.Rides {
		opts = append(opts, leadership.WithSession(leadership.NewSession(kv, w.Key[:strings.LastIndex(w.Key, "/")+1], w.Node, w.TTL, opts...)))
	}
	w.candidate = leadership.NewCandidate(kv, w.Key, w.Node, w.TTL, opts...)
	ended := make(chan struct{})
	all.Go(func() {
		defer close(ended)
		if w.Mode == Run {
			if err := w.candidate.Run(ctx, w.work); err != nil {
				w.failed(err)
			}
			return
		}
		elected, errs := w.candidate.RunForElection(ctx)
		all.Go(func() { drain(errs) }) // which OnError is told of, too
		w.stream(elected)
	})
	all.Go(func() { w.outside(ctx) })
	if w.client != nil {
		all.Go(func() { w.write(ctx) })
	}
	w.obey(ctx, orders, ended)
	// Again and again: before the campaign has begun it does nothing.
	stopping, stopped := context.WithCancel(ctx)
	all.Go(func() { w.each(stopping, 10*time.Millisecond, w.candidate.Stop) })
	<-ended
	stopped()
}

// drain reads a channel until it is closed.
func drain[T any](c <-chan T) {
	for range c {
	}
}

// obey does what it is ordered to until the orders end, or ctx, or the campaign does.
func (w *worker) obey(ctx context.Context, orders <-chan string, ended <-chan struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-ended:
			return
		case order, ok := <-orders:
			if !ok {
				return
			}
			if err := w.do(order); err != nil {
				w.failed(err)
			}
		}
	}
}

func (w *worker) do(order string) error {
	verb, object, _ := strings.Cut(order, " ")
	switch {
	case verb == "resign" && w.candidate != nil:
		line := history.Line{Kind: history.Resign, Before: history.Now()}
		w.candidate.Resign()
		line.After = history.Now()
		w.log.Add(line)
	case verb == "wall" && w.clock != nil:
		d, err := time.ParseDuration(object)
		if err != nil {
			return fmt.Errorf("worker: order %q: %w", order, err)
		}
		w.clock.forward(d)
	default:
		return errors.New("worker: unknown order: " + order)
	}
	return nil
}

// each calls f now, and every d, until ctx ends.
func (w *worker) each(ctx context.Context, d time.Duration, f func()) {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for ctx.Err() == nil {
		f()
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}
