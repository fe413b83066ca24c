package outage

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed-a1d591d3/leadership"
)

func init() { roles["paused"] = pausedWorker }

const (
	workerURL  = "LEADERSHIP_OUTAGE_URL"
	workerTTL  = "LEADERSHIP_OUTAGE_TTL"
	workerNode = "LEADERSHIP_OUTAGE_NODE"
)

// answers are what a worker was told in one term: by the clock of the machine, in
// nanoseconds, when it had the first yes, by any question, and when it began to ask
// for the last yes to each.
type answers struct {
	First int64
	Last  map[string]int64
	Yes   int
}

// witness notes the answers of one process.
type witness struct {
	mu    sync.Mutex
	terms map[uint64]*answers
}

// ask asks a question, and reports whether the answer was yes.
func (w *witness) ask(token uint64, question string, yes func() bool) bool {
	before := machineTime()
	ok := yes()
	after := machineTime()
	if !ok {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.terms[token]
	if a == nil {
		a = &answers{First: after, Last: make(map[string]int64)}
		w.terms[token] = a
	}
	a.First = min(a.First, after)
	a.Last[question] = max(a.Last[question], before)
	a.Yes++
	return true
}

// machineTime returns CLOCK_MONOTONIC, which is the same for all processes.
func machineTime() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err)
	}
	return t.Nano()
}

// questions are the ways to ask whether one leads, while work runs.
var questions = map[string]func(c *leadership.Candidate, ctx context.Context, token uint64) bool{
	"ctx.Err":  func(_ *leadership.Candidate, ctx context.Context, _ uint64) bool { return ctx.Err() == nil },
	"IsLeader": func(c *leadership.Candidate, _ context.Context, _ uint64) bool { return c.IsLeader() },
	"Term": func(c *leadership.Candidate, _ context.Context, token uint64) bool {
		term, ok := c.Term()
		return ok && term.Token == token
	},
	"ctx.Done": func(_ *leadership.Candidate, ctx context.Context, _ uint64) bool {
		select {
		case <-ctx.Done():
			return false
		default:
			return true
		}
	},
}

// pausedWorker stands in an election until its input ends. It writes a line with the token
// whenever it leads, and in the end one with all that it was told.
func pausedWorker() {
	fatal := func(err error) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	ttl, err := time.ParseDuration(os.Getenv(workerTTL))
	if err != nil {
		fatal(err)
	}
	kv, err := openWorker(ctx, os.Getenv(workerURL))
	if err != nil {
		fatal(err)
	}
	w := &witness{terms: make(map[uint64]*answers)}
	candidate := leadership.NewCandidate(kv, key, os.Getenv(workerNode), ttl)
	err = candidate.Run(ctx, func(ctx context.Context, term leadership.Term) error {
		fmt.Println(term.Token)
		var all sync.WaitGroup
		for question, yes := range questions {
			all.Go(func() {
				for w.ask(term.Token, question, func() bool { return yes(candidate, ctx, term.Token) }) {
					time.Sleep(20 * time.Microsecond)
				}
			})
		}
		all.Wait()
		return ctx.Err()
	})
	if err != nil && ctx.Err() == nil {
		fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(w.terms); err != nil {
		fatal(err)
	}
}
