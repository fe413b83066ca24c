package rows

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/seed-a1d591d3/leadership/bench/count"
	"github.com/seed-a1d591d3/leadership/bench/peers"
	"github.com/seed-a1d591d3/leadership/bench/proc"
	"github.com/seed-a1d591d3/leadership/bench/work"
)

// most is how many elections a process stands in at most, and on which stores.
const most = 10000

var idleKind = &Kind{
	Name: "idle", Title: "Standing by",
	About: "One process leads in that many elections and nothing happens: how long it took until all were led, and then, over 10 s, what the server is asked for each second, " +
		"the share of one core, the resident memory and the connections of that process, by its kernel. Some 40 MiB are the program, which has all libraries in it. TTL 15 s. 10,000 elections are measured on etcd, Redis and PostgreSQL.",
	Columns: []Column{
		{Key: "up", Head: "all led after, s", Digits: 2},
		{Key: "requests", Head: "requests/s", Digits: 1},
		{Key: "writes", Head: "writes/s", Digits: 1},
		{Key: "cpu", Head: "% of a core", Digits: 1},
		{Key: "memory", Head: "MiB resident"},
		{Key: "own", Head: "of its own"},
		{Key: "connections", Head: "connections"},
	},
	rows: func(quick bool) (rows []*Row) {
		for _, r := range crowds(numbers(quick, 10, 1, 100, 1000, most), func(l *peers.Library) int { return l.Held }) {
			if r.N < most || r.Store == "etcd" || r.Store == "redis" || r.Store == "postgres" {
				rows = append(rows, r)
			}
		}
		return rows
	},
	turns: func(int) int { return 1 },
	light: func(n int) bool { return n <= 1000 },
	measure: func(ctx context.Context, s *sitting, side string) (map[string][]float64, error) {
		_, server, err := s.side(ctx, side)
		if err != nil {
			return nil, err
		}
		t := work.Task{Role: "hold", Side: side, Addr: server.addr, Key: s.key(), Keys: s.N, TTL: ttl, Within: time.Minute}
		p, err := s.start(t)
		if err != nil {
			return nil, err
		}
		defer func() { _ = p.end() }()
		defer p.kill() // of many it would take long
		r, err := p.next(ctx)
		if err != nil {
			return nil, err
		}
		samples, err := s.standing(ctx, server, p.cmd.Process.Pid)
		if err != nil {
			return nil, err
		}
		if r.Led < s.N {
			return samples, finding(fmt.Sprintf("of %d elections %d were led after %v, and then it was measured", s.N, r.Led, t.Within))
		}
		samples["up"] = []float64{r.Seconds}
		return samples, nil
	},
}

// standing measures what a process costs while nothing happens.
func (s *sitting) standing(ctx context.Context, server *server, pid int) (map[string][]float64, error) {
	calm, span := 3*time.Second, 10*time.Second
	if s.Quick {
		calm, span = 100*time.Millisecond, 500*time.Millisecond
	}
	if err := wait(ctx, calm); err != nil {
		return nil, err
	}
	counted, used, began, err := s.spent(ctx, server, pid)
	if err != nil {
		return nil, err
	}
	if err := wait(ctx, span); err != nil {
		return nil, err
	}
	after, usedAfter, ended, err := s.spent(ctx, server, pid)
	if err != nil {
		return nil, err
	}
	resident, own, err := proc.Resident(pid)
	if err != nil {
		return nil, err
	}
	connections, err := proc.Connections(pid)
	if err != nil {
		return nil, err
	}
	n, seconds := after.Since(counted), ended.Sub(began).Seconds()
	return map[string][]float64{
		"requests":    {n.Requests / seconds},
		"writes":      {n.Writes / seconds},
		"cpu":         {100 * (usedAfter - used).Seconds() / seconds},
		"memory":      {float64(resident) / (1 << 20)},
		"own":         {float64(own) / (1 << 20)},
		"connections": {float64(connections)},
	}, nil
}

func (s *sitting) spent(ctx context.Context, server *server, pid int) (count.Count, time.Duration, time.Time, error) {
	n, err := server.counter.Read(ctx)
	if err != nil {
		return n, 0, time.Time{}, err
	}
	used, err := proc.CPU(pid)
	return n, used, time.Now(), err
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

var followKind = &Kind{
	Name: "follow", Title: "Followers",
	About: "1,000 followers of one key in one process: what they cost while nothing happens, without what the two candidates cost, and the milliseconds from the leader's Resign until all have " +
		"been told of the next one. Of the peers, only etcd's has followers.",
	Columns: []Column{
		{Key: "told", Head: "all told after, ms", P99: true, Digits: 1},
		{Key: "requests", Head: "requests/s", Digits: 1},
		{Key: "cpu", Head: "% of a core", Digits: 1},
		{Key: "memory", Head: "MiB resident"},
		{Key: "own", Head: "of its own"},
		{Key: "connections", Head: "connections"},
	},
	rows: func(quick bool) []*Row {
		n := numbers(quick, 10, 1000)[0]
		return []*Row{
			{Store: "etcd", N: n, Sides: []string{"etcd/leadership", "etcd/concurrency"}},
			{Store: "consul", N: n, Sides: []string{"consul/leadership"}},
			{Store: "zookeeper", N: n, Sides: []string{"zookeeper/leadership"}},
			{Store: "redis", N: n, Sides: []string{"redis/leadership"}},
			{Store: "postgres", N: n, Sides: []string{"postgres/leadership"}},
		}
	},
	turns:   func(int) int { return 1 },
	light:   func(int) bool { return false },
	measure: followers,
}

func followers(ctx context.Context, s *sitting, side string) (map[string][]float64, error) {
	l, server, err := s.side(ctx, side)
	if err != nil {
		return nil, err
	}
	// Two candidates, in this process.
	key := s.key()
	var candidates [2]peers.Candidate
	for i := range candidates {
		client, err := l.Open(ctx, server.addr)
		if err != nil {
			return nil, err
		}
		defer client.Close()
		if candidates[i], err = client.Candidate(key, "node-"+strconv.Itoa(i), ttl); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := candidates[0].Campaign(ctx); err != nil {
		return nil, err
	}
	campaign := func(i int) <-chan error {
		won := make(chan error, 1)
		go func() { won <- candidates[i].Campaign(ctx) }()
		return won
	}
	won := campaign(1)
	span := 5 * time.Second
	if s.Quick {
		span = 300 * time.Millisecond
	}
	if err := wait(ctx, span/5); err != nil {
		return nil, err
	}
	before, err := server.counter.Read(ctx)
	if err != nil {
		return nil, err
	}
	if err := wait(ctx, span); err != nil {
		return nil, err
	}
	after, err := server.counter.Read(ctx)
	if err != nil {
		return nil, err
	}
	alone := after.Since(before).Requests / span.Seconds()

	p, err := s.start(work.Task{Role: "follow", Side: side, Addr: server.addr, Key: key, Candidates: s.N, Clients: 1})
	if err != nil {
		return nil, err
	}
	defer func() { _ = p.end() }()
	defer p.kill()
	told := func(leader int) (time.Time, error) {
		for {
			r, err := p.next(ctx)
			if err != nil || r.Key == "node-"+strconv.Itoa(leader) {
				return r.At, err
			}
		}
	}
	if _, err := told(0); err != nil {
		return nil, err
	}
	samples, err := s.standing(ctx, server, p.cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	samples["requests"][0] = max(0, samples["requests"][0]-alone)
	times := 10
	if s.Quick {
		times = 2
	}
	for leader := range times {
		began := time.Now()
		if err := candidates[leader%2].Resign(ctx); err != nil {
			return nil, err
		}
		if err := <-won; err != nil {
			return nil, err
		}
		at, err := told((leader + 1) % 2)
		if err != nil {
			return nil, err
		}
		samples["told"] = append(samples["told"], float64(at.Sub(began))/float64(time.Millisecond))
		won = campaign(leader % 2)
		if err := wait(ctx, 200*time.Millisecond); err != nil {
			return nil, err
		}
	}
	return samples, nil
}
