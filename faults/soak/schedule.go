package soak

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/seed-a1d591d3/leadership/faults/stage"
	"github.com/seed-a1d591d3/leadership/internal/servers"
)

// schedule strikes with faults.
type schedule struct {
	Config
	places []*place
	worker *os.Process
	dice   *rand.Rand
	count  atomic.Uint64
}

// fault is one that is over when strike returns, which it does soon after d. It may return
// an error for what has nothing to do with it: it is logged.
type fault struct {
	name   string
	strike func(ctx context.Context, s *schedule, p *place, d time.Duration) error
}

// network are the faults of the way of one candidate to its store.
var network = []fault{
	{"cut", func(_ context.Context, s *schedule, p *place, _ time.Duration) error {
		s.proxy(p).Cut()
		return nil
	}},
	{"refused", func(_ context.Context, s *schedule, p *place, d time.Duration) error {
		proxy := s.proxy(p)
		proxy.Stop()
		time.Sleep(d)
		proxy.Start()
		return nil
	}},
	flow("blackhole to the server", servers.Flow{Hold: true}, servers.Up),
	flow("blackhole to the client", servers.Flow{Hold: true}, servers.Down),
	flow("blackhole", servers.Flow{Hold: true}, servers.Up, servers.Down),
	flow("delay", servers.Flow{Delay: 300 * time.Millisecond, Jitter: 300 * time.Millisecond}, servers.Down),
	flow("trickle", servers.Flow{Trickle: 20}, servers.Down),
}

func flow(name string, f servers.Flow, ways ...servers.Way) fault {
	return fault{name, func(_ context.Context, s *schedule, p *place, d time.Duration) error {
		proxy := s.proxy(p)
		for _, way := range ways {
			proxy.Set(way, f)
		}
		time.Sleep(d)
		for _, way := range ways {
			proxy.Set(way, servers.Flow{})
		}
		return nil
	}}
}

// ofServer are the faults of the server of a store.
var ofServer = []fault{
	{"server frozen", func(_ context.Context, _ *schedule, p *place, d time.Duration) error {
		p.stage.Servers[0].Freeze()
		time.Sleep(d)
		p.stage.Servers[0].Thaw()
		return nil
	}},
	{"server killed", func(_ context.Context, _ *schedule, p *place, d time.Duration) error {
		p.stage.Servers[0].Stop()
		time.Sleep(d)
		p.stage.Servers[0].Start()
		return nil
	}},
}

// ofRecord are the faults that every store can have, and that of the worker.
var ofRecord = []fault{
	{"asked to resign", func(ctx context.Context, _ *schedule, p *place, _ time.Duration) error { return p.resign(ctx) }},
	{"record deleted", func(ctx context.Context, _ *schedule, p *place, _ time.Duration) error { return p.delete(ctx) }},
	{"worker stopped", func(_ context.Context, s *schedule, _ *place, d time.Duration) error {
		if err := s.worker.Signal(syscall.SIGSTOP); err != nil {
			return err
		}
		time.Sleep(min(d, 2*s.TTL))
		return s.worker.Signal(syscall.SIGCONT)
	}},
}

// proxy returns that of a candidate.
func (s *schedule) proxy(p *place) *servers.Proxy { return p.proxies[s.dice.IntN(len(p.proxies))] }

// strike has a fault begin every so often, on one store after another, until ctx ends. It
// returns when the last is over.
func (s *schedule) strike(ctx context.Context) {
	ticks := time.NewTicker(s.Every)
	defer ticks.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		p := s.places[i%len(s.places)]
		if p.stage == nil {
			i++ // nothing can be done to it
			p = s.places[i%len(s.places)]
		}
		all := ofRecord
		if len(p.proxies) > 0 && s.dice.IntN(4) > 0 {
			if all = network; s.dice.IntN(4) == 0 {
				all = ofServer
			}
		}
		f := all[s.dice.IntN(len(all))]
		d := s.TTL*3/10 + time.Duration(s.dice.Int64N(int64(3*s.TTL)))
		err := stage.Try(func() {
			if err := f.strike(ctx, s, p, d); err != nil {
				stage.Fail(err)
			}
		})
		s.count.Add(1)
		fmt.Fprintf(s.Log, "%s %s: %s %v, %v\n", time.Now().Format(time.TimeOnly), p.name, f.name, d.Round(time.Millisecond), err)
	}
}
