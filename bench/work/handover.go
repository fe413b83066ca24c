package work

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/seed-a1d591d3/leadership/bench/count"
	"github.com/seed-a1d591d3/leadership/bench/peers"
	"github.com/seed-a1d591d3/leadership/bench/stat"
)

// runner is a candidate in a crowd.
type runner struct {
	peers.Candidate

	again chan struct{} // it may stand again
}

// led tells which runner leads, and since when.
type led struct {
	who int
	at  time.Time
	err error
}

// crowd is all candidates of one election.
type crowd struct {
	all    []*runner
	led    chan led
	leader int
}

func gather(ctx context.Context, t *Task, clients []peers.Client) (*crowd, error) {
	c := &crowd{led: make(chan led, t.Candidates)}
	for i := range t.Candidates {
		candidate, err := clients[i%len(clients)].Candidate(t.Key, "node-"+strconv.Itoa(i), t.TTL)
		if err != nil {
			return nil, err
		}
		r := &runner{candidate, make(chan struct{}, 1)}
		c.all = append(c.all, r)
		go func() {
			for ctx.Err() == nil {
				err := r.Campaign(ctx)
				c.led <- led{i, time.Now(), err}
				if err != nil {
					return
				}
				select {
				case <-r.again:
				case <-ctx.Done():
				}
			}
		}()
	}
	return c, nil
}

// next waits for the next leader.
func (c *crowd) next(ctx context.Context, patience time.Duration) (time.Time, error) {
	select {
	case l := <-c.led:
		if l.err != nil {
			return l.at, fmt.Errorf("candidate %d: %w", l.who, l.err)
		}
		c.leader = l.who
		return l.at, nil
	case <-ctx.Done():
		return time.Time{}, context.Cause(ctx)
	case <-time.After(patience):
		return time.Time{}, fmt.Errorf("nobody has led for %v", patience)
	}
}

// handOver has the leader resign, and returns how long it took until another was told that it
// leads. The one that has resigned stands again once another leads.
func (c *crowd) handOver(ctx context.Context, patience time.Duration) (time.Duration, error) {
	was := c.leader
	began := time.Now()
	resigned := make(chan error, 1)
	go func() { resigned <- c.all[was].Resign(ctx) }()
	at, err := c.next(ctx, patience)
	if err != nil {
		return 0, err
	}
	if err := <-resigned; err != nil {
		return 0, fmt.Errorf("resign: %w", err)
	}
	c.all[was].again <- struct{}{}
	return at.Sub(began), nil
}

// handover has leaders resign, one after another, and tells of each handover the milliseconds
// until the next one leads, and how many requests and writes it cost, and of the requests per
// second of those that wait.
func handover(ctx context.Context, t *Task, tell func(Report)) error {
	clients, closeAll, err := t.open(ctx)
	if err != nil {
		return err
	}
	defer closeAll()
	library, err := peers.Find(t.Side)
	if err != nil {
		return err
	}
	counter, err := count.New(ctx, library.Store, t.Addr)
	if err != nil {
		return err
	}
	defer counter.Close()
	c, err := gather(ctx, t, clients)
	if err != nil {
		return err
	}
	patience := 2*t.TTL + 30*time.Second
	if _, err := c.next(ctx, patience); err != nil {
		return err
	}
	warm(ctx, t.Candidates)
	// What is made once, or learned, is made and learned now.
	for i, began := 0, time.Now(); i < 10 && time.Since(began) < 3*time.Second; i++ {
		if _, err := c.handOver(ctx, patience); err != nil {
			return err
		}
		pause(ctx, t.Settle)
	}
	pause(ctx, 2*t.Settle)

	var (
		windows []window // of time with a handover each
		waiting []window // and without
		samples = make(map[string][]float64)
	)
	if t.Calm > 0 {
		w, err := watch(ctx, counter, func() error {
			pause(ctx, t.Calm)
			return nil
		})
		if err != nil {
			return err
		}
		samples["waiting"] = []float64{w.Requests / w.seconds}
	}
	for began := time.Now(); len(windows) < t.Times && time.Since(began) < t.Within; {
		if t.Jitter > 0 {
			pause(ctx, rand.N(t.Jitter))
		}
		var took time.Duration
		w, err := watch(ctx, counter, func() (err error) {
			took, err = c.handOver(ctx, patience)
			pause(ctx, t.Settle)
			return err
		})
		if err != nil {
			return err
		}
		windows = append(windows, w)
		samples["ms"] = append(samples["ms"], float64(took)/float64(time.Millisecond))
		if w, err = watch(ctx, counter, func() error {
			pause(ctx, t.Settle)
			return nil
		}); err != nil {
			return err
		}
		waiting = append(waiting, w)
	}
	requests, writes := rates(waiting) // some renew all at once, now and then: medians are without that
	for _, w := range windows {
		samples["requests"] = append(samples["requests"], math.Round(max(0, w.Requests-stat.Quantile(requests, 0.5)*w.seconds)))
		samples["writes"] = append(samples["writes"], math.Round(max(0, w.Writes-stat.Quantile(writes, 0.5)*w.seconds)))
	}
	tell(Report{Samples: samples})
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// window is what a server has had while something went on.
type window struct {
	count.Count

	seconds float64
}

// watch counts while something goes on.
func watch(ctx context.Context, counter *count.Counter, do func() error) (window, error) {
	before, err := counter.Read(ctx)
	if err != nil {
		return window{}, err
	}
	began := time.Now()
	if err := do(); err != nil {
		return window{}, err
	}
	after, err := counter.Read(ctx)
	return window{after.Since(before), time.Since(began).Seconds()}, err
}

// rates returns the requests and the writes per second of each window.
func rates(windows []window) (requests, writes []float64) {
	for _, w := range windows {
		requests, writes = append(requests, w.Requests/w.seconds), append(writes, w.Writes/w.seconds)
	}
	return requests, writes
}
