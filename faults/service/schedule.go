package service

import (
	"context"
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/seed-a1d591d3/leadership/faults/history"
	"github.com/seed-a1d591d3/leadership/faults/stage"
)

// fault is what happens to a run, and is over when strike returns. Those who are bound to
// one of the servers, or to the store, know better from healed on: for a server that is
// killed there are others at once.
type fault struct {
	name   string
	strike func(ctx context.Context, r *run, s *server, d time.Duration, healed func()) error
}

var faults = []fault{
	{"a server killed", func(ctx context.Context, _ *run, s *server, d time.Duration, healed func()) error {
		s.kill()
		healed()
		time.Sleep(d)
		return s.start(ctx)
	}},
	{"a server ended", func(ctx context.Context, _ *run, s *server, d time.Duration, healed func()) error {
		s.end(syscall.SIGTERM)
		healed()
		time.Sleep(d)
		return s.start(ctx)
	}},
	{"a server stopped", func(_ context.Context, _ *run, s *server, d time.Duration, healed func()) error {
		s.signal(syscall.SIGSTOP)
		time.Sleep(d)
		s.signal(syscall.SIGCONT)
		healed()
		return nil
	}},
	{"all servers killed", func(ctx context.Context, r *run, _ *server, d time.Duration, healed func()) error {
		for _, s := range r.servers {
			s.kill()
		}
		time.Sleep(d)
		for _, s := range r.servers {
			if err := s.start(ctx); err != nil {
				return err
			}
		}
		healed()
		return nil
	}},
	{"the store killed", func(_ context.Context, r *run, _ *server, d time.Duration, healed func()) error {
		r.stage.Servers[0].Stop()
		time.Sleep(d)
		r.stage.Servers[0].Start()
		healed()
		return nil
	}},
	{"the store frozen", func(_ context.Context, r *run, _ *server, d time.Duration, healed func()) error {
		r.stage.Servers[0].Freeze()
		time.Sleep(d)
		r.stage.Servers[0].Thaw()
		healed()
		return nil
	}},
	{"the store and a server killed", func(ctx context.Context, r *run, s *server, d time.Duration, healed func()) error {
		r.stage.Servers[0].Stop()
		s.kill()
		time.Sleep(d)
		r.stage.Servers[0].Start()
		err := s.start(ctx)
		healed()
		return err
	}},
}

// strike makes faults, one after another, with times between in which all has to be right
// again. It returns how many there were.
func (r *run) strike(ctx context.Context, dice *rand.Rand) (count int, err error) {
	quiet := 2*r.TTL + 2*time.Second
	from := history.Now()
	sound := func(until history.Stamp) {
		if until > from {
			r.sound = append(r.sound, history.Line{Kind: history.Sound, Before: from, After: until, What: "*"})
		}
	}
	rest := func() bool {
		select {
		case <-time.After(quiet):
			return true
		case <-ctx.Done():
			return false
		}
	}
	for began := time.Now(); rest(); count++ {
		if time.Since(began) > r.Duration {
			sound(history.Now())
			return count, nil
		}
		f, s := faults[dice.IntN(len(faults))], r.servers[dice.IntN(len(r.servers))]
		d := r.TTL*3/10 + time.Duration(dice.Int64N(int64(17*r.TTL/10)))
		at := history.Now()
		sound(at)
		fmt.Fprintf(r.Log, "%s %7.1fs: %s for %v\n", r.Kind.Name, at.Sub(r.began).Seconds(), f.name, d.Round(time.Millisecond))
		var errStrike error
		if err := stage.Try(func() {
			errStrike = f.strike(ctx, r, s, d, func() { from = history.Now() })
		}); err != nil || errStrike != nil {
			return count, fmt.Errorf("service: %s: %w", f.name, joined(err, errStrike))
		}
	}
	return count, context.Cause(ctx)
}

func joined(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
