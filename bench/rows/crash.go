package rows

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-a1d591d3/leadership/bench/work"
)

var crashKind = &Kind{
	Name: "crash", Title: "Crash of one of two processes",
	About: "Two processes stand in 10,000 elections each, TTL 15 s, and lead about half of them each. What the server is asked for each second by both while nothing happens; then one is killed by `kill -9`: how long it took until the " +
		"other led all, and what the server was asked for meanwhile; then it is started again: what the server is asked for each second of the next 15; then the other is killed, and it has to lead all. No peer has a way to wait in so many elections.",
	Columns: []Column{
		{Key: "share", Head: "led by the one with fewer"},
		{Key: "again", Head: "all led again after, s", Digits: 1},
		{Key: "asked", Head: "requests meanwhile"},
		{Key: "wrote", Head: "writes meanwhile"},
		{Key: "turn", Head: "and after the other's crash, s", Digits: 1},
		{Key: "requests", Head: "requests/s, both", Digits: 1},
		{Key: "cpu", Head: "% of a core of one", Digits: 1},
		{Key: "memory", Head: "MiB resident of that"},
		{Key: "return", Head: "requests/s after the return", Digits: 1},
	},
	rows: func(quick bool) (rows []*Row) {
		n := numbers(quick, 40, most)[0]
		for _, store := range []string{"etcd", "redis", "postgres"} {
			rows = append(rows, &Row{Store: store, N: n, Sides: []string{store + "/leadership"}})
		}
		return rows
	},
	turns:   func(int) int { return 1 },
	light:   func(int) bool { return false },
	measure: crash,
}

func crash(ctx context.Context, s *sitting, side string) (map[string][]float64, error) {
	_, server, err := s.side(ctx, side)
	if err != nil {
		return nil, err
	}
	t := work.Task{Role: "hold", Side: side, Addr: server.addr, Key: s.key(), Keys: s.N, TTL: ttl, Within: 20 * time.Second}
	if s.Quick {
		t.TTL, t.Within = time.Second, 2*time.Second
	}
	var both [2]*process
	share := s.N
	for i := range both {
		t.Backwards = i == 1 // so that each comes first to half of them
		if both[i], err = s.start(t); err != nil {
			return nil, err
		}
		defer func() { _ = both[i].end() }()
		defer both[i].kill()
	}
	for _, p := range both {
		r, err := p.next(ctx)
		if err != nil {
			return nil, err
		}
		share = min(share, r.Led)
	}
	samples, err := s.standing(ctx, server, both[1].cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	samples["share"] = []float64{float64(share)}
	before, err := server.counter.Read(ctx)
	if err != nil {
		return nil, err
	}
	if samples["again"], err = takeover(ctx, both[0], both[1], s.N); err != nil {
		return nil, err
	}
	led, err := server.counter.Read(ctx)
	if err != nil {
		return nil, err
	}
	samples["asked"], samples["wrote"] = []float64{led.Since(before).Requests}, []float64{led.Since(before).Writes}
	t.Within = time.Hour // it tells only when it leads all
	back, err := s.start(t)
	if err != nil {
		return nil, err
	}
	defer func() { _ = back.end() }()
	defer back.kill()
	if err := wait(ctx, t.TTL); err != nil {
		return nil, err
	}
	after, err := server.counter.Read(ctx)
	if err != nil {
		return nil, err
	}
	samples["return"] = []float64{after.Since(led).Requests / t.TTL.Seconds()}
	samples["turn"], err = takeover(ctx, both[1], back, s.N)
	return samples, err
}

// takeover kills a process, and returns how many seconds it took until the other led all n elections.
func takeover(ctx context.Context, killed, other *process, n int) ([]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	at := time.Now()
	killed.kill()
	r, err := other.next(ctx)
	if err != nil || r.Led < n {
		return nil, fmt.Errorf("of %d elections %d were led %v after the other was killed: %w", n, r.Led, time.Since(at), err)
	}
	return []float64{time.Since(at).Seconds()}, nil
}
