package rows

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-a1d591d3/leadership/bench/work"
)

var crashKind = &Kind{
	Name: "crash", Title: "Crash of one of two processes",
	About: "Two processes stand in 10,000 elections each, of which one leads all, TTL 15 s. What the server is asked for each second by both while nothing happens; then the one that leads is killed by `kill -9`: how long it took until the " +
		"other led all, and what the server was asked for meanwhile; then it is started again: what the server is asked for each second of the next 15. No peer has a way to wait in so many elections.",
	Columns: []Column{
		{Key: "again", Head: "all led again after, s", Digits: 1},
		{Key: "asked", Head: "requests meanwhile"},
		{Key: "wrote", Head: "writes meanwhile"},
		{Key: "requests", Head: "requests/s, standing by", Digits: 1},
		{Key: "cpu", Head: "% of a core of the one that waits", Digits: 1},
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
	t := work.Task{Role: "hold", Side: side, Addr: server.addr, Key: s.key(), Keys: s.N, TTL: ttl, Within: time.Minute}
	if s.Quick {
		t.TTL = time.Second
	}
	first, err := s.start(t)
	if err != nil {
		return nil, err
	}
	defer func() { _ = first.end() }()
	defer first.kill()
	if r, err := first.next(ctx); err != nil || r.Led < s.N {
		return nil, fmt.Errorf("of %d elections %d were led after %v: %w", s.N, r.Led, t.Within, err)
	}
	t.Within = 3 * time.Minute
	second, err := s.start(t)
	if err != nil {
		return nil, err
	}
	defer func() { _ = second.end() }()
	defer second.kill()
	if err := wait(ctx, t.TTL); err != nil {
		return nil, err
	}
	samples, err := s.standing(ctx, server, second.cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	before, err := server.counter.Read(ctx)
	if err != nil {
		return nil, err
	}
	killed := time.Now()
	first.kill()
	if r, err := second.next(ctx); err != nil || r.Led < s.N {
		return nil, fmt.Errorf("of %d elections %d were led %v after the other was killed: %w", s.N, r.Led, time.Since(killed), err)
	}
	samples["again"] = []float64{time.Since(killed).Seconds()}
	led, err := server.counter.Read(ctx)
	if err != nil {
		return nil, err
	}
	samples["asked"], samples["wrote"] = []float64{led.Since(before).Requests}, []float64{led.Since(before).Writes}
	third, err := s.start(t)
	if err != nil {
		return nil, err
	}
	defer func() { _ = third.end() }()
	defer third.kill()
	if err := wait(ctx, t.TTL); err != nil {
		return nil, err
	}
	after, err := server.counter.Read(ctx)
	samples["return"] = []float64{after.Since(led).Requests / t.TTL.Seconds()}
	return samples, err
}
