package work

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/seed-a1d591d3/leadership/bench/count"
	"github.com/seed-a1d591d3/leadership/bench/peers"
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
// until the next one leads, and how many requests and writes it cost.
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
	if _, err := c.handOver(ctx, patience); err != nil { // what is made once is made now
		return err
	}
	pause(ctx, 2*t.Settle)

	// What they cost that merely wait.
	before, err := counter.Read(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	pause(ctx, max(2*t.Settle, 500*time.Millisecond))
	after, err := counter.Read(ctx)
	if err != nil {
		return err
	}
	waiting, waited := after.Since(before), time.Since(began).Seconds()

	samples := make(map[string][]float64)
	for began := time.Now(); len(samples["ms"]) < t.Times && time.Since(began) < t.Within; {
		before, err := counter.Read(ctx)
		if err != nil {
			return err
		}
		start := time.Now()
		took, err := c.handOver(ctx, patience)
		if err != nil {
			return err
		}
		pause(ctx, t.Settle)
		after, err := counter.Read(ctx)
		if err != nil {
			return err
		}
		n, share := after.Since(before), time.Since(start).Seconds()/waited
		samples["ms"] = append(samples["ms"], float64(took)/float64(time.Millisecond))
		samples["requests"] = append(samples["requests"], math.Round(max(0, n.Requests-waiting.Requests*share)))
		samples["writes"] = append(samples["writes"], math.Round(max(0, n.Writes-waiting.Writes*share)))
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
