package rows

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-a1d591d3/leadership/bench/peers"
	"github.com/seed-a1d591d3/leadership/bench/work"
)

// ttl is that of all elections in which nobody is killed.
const ttl = 15 * time.Second

// stores are those that have rows of their own, with the sides of each. The peer that needs
// Kubernetes is beside this library on etcd, which is what Kubernetes has.
var stores = []struct {
	name  string
	sides []string
}{
	{"etcd", []string{"etcd/leadership", "etcd/concurrency"}},
	{"consul", []string{"consul/leadership", "consul/api.Lock", "consul/docker-leadership"}},
	{"zookeeper", []string{"zookeeper/leadership", "zookeeper/zk.Lock"}},
	{"redis", []string{"redis/leadership", "redis/redsync", "redis/redislock", "redis/go-leader"}},
	{"postgres", []string{"postgres/leadership", "postgres/advisory-lock"}},
	{"kubernetes", []string{"etcd/leadership", "kubernetes/client-go"}},
}

// crowds returns a row for each store and number. most returns the greatest number for a side.
func crowds(numbers []int, most func(l *peers.Library) int) (rows []*Row) {
	for _, n := range numbers {
		for _, s := range stores {
			r := &Row{Store: s.name, N: n, Sides: s.sides, Skipped: make(map[string]string)}
			for _, side := range s.sides {
				l, err := peers.Find(side)
				if err != nil {
					panic(err) // a test finds all
				}
				if limit := most(l); limit > 0 && n > limit {
					r.Skipped[side] = "not measured: " + l.Limit
				}
			}
			rows = append(rows, r)
		}
	}
	return rows
}

func numbers(quick bool, few int, all ...int) []int {
	if quick {
		return []int{few}
	}
	return all
}

func ofCandidates(l *peers.Library) int { return l.Most }

var handoverKind = &Kind{
	Name: "handover", Title: "Handover",
	About: "The leader of one key resigns, and another of the candidates takes over: milliseconds from the call of Resign until the next leader is told, " +
		"and what one handover costs the server, without what the candidates cost that merely wait, which has a column of its own for 1,000, over 6 s without a handover: those that poll often find a vacant seat soon, and pay for it all the time. TTL 15 s. The candidates are in one process, and share at most 10 clients, " +
		"as if in 10 processes. The one that has resigned stands again once another leads. Some handovers go before, up to ten in 3 s.",
	Columns: []Column{
		{Key: "ms", Head: "ms", P99: true, Digits: 2},
		{Key: "requests", Head: "requests"},
		{Key: "writes", Head: "writes"},
		{Key: "waiting", Head: "requests/s, waiting", Digits: 1},
	},
	rows: func(quick bool) []*Row {
		all := crowds(numbers(quick, 2, 2, 10, 100, 1000), ofCandidates)
		for _, r := range all {
			for _, side := range r.Sides {
				if l, err := peers.Find(side); err == nil && l.NoResign != "" {
					r.Skipped[side] = "not measured: " + l.NoResign
				}
			}
		}
		return all
	},
	turns: func(n int) int {
		if n > 2 {
			return 2
		}
		return 3
	},
	light: func(int) bool { return false },
	measure: func(ctx context.Context, s *sitting, side string) (map[string][]float64, error) {
		l, server, err := s.side(ctx, side)
		if err != nil {
			return nil, err
		}
		t := work.Task{
			Role: "handover", Side: side, Addr: server.addr, Key: s.key(), Candidates: s.N, Clients: min(s.N, cmp.Or(s.Clients, 10)),
			TTL: max(ttl, l.MinTTL), Times: 50, Within: 1500 * time.Millisecond, Settle: 100 * time.Millisecond,
		}
		switch {
		case s.Quick:
			t.TTL, t.Times, t.Settle = max(time.Second, l.MinTTL), 3, 50*time.Millisecond
		case s.N >= 1000:
			t.Within, t.Settle = 3500*time.Millisecond, 300*time.Millisecond
		}
		// Else handovers would follow each other in step with who looks now and then.
		t.Jitter = 100 * time.Millisecond
		if l.Poll > 0 && !s.Quick {
			t.Jitter = time.Duration(l.Poll * float64(t.TTL))
			t.Within = 6 * time.Second // it has few handovers in that time
		}
		if s.turn == 0 && s.N >= 1000 {
			t.Calm = ttl/3 + time.Second // all renew, and look, in that time
		}
		return s.do(ctx, t)
	},
}

// side returns the library of a side, and the server that it needs.
func (s *sitting) side(ctx context.Context, side string) (*peers.Library, *server, error) {
	l, err := peers.Find(side)
	if err != nil {
		return nil, nil, err
	}
	server, err := s.server(ctx, l.Store)
	return l, server, err
}

var failoverKind = &Kind{
	Name: "failover", Title: "Failover",
	About: "The process that leads is killed by `kill -9`: the time until another candidate is told that it leads, as a share of the TTL. TTL 2 s, or the least that the library takes. " +
		"One process is killed that leads in 10 elections, or in one with 1,000 candidates, in each turn at another time since its last renewal. The kernel closes the connections of a killed process, which a session of PostgreSQL ends with: " +
		"a machine that loses its power, or its network, is noticed only when TCP does.",
	Columns: []Column{
		{Key: "share", Head: "share of the TTL", P99: true, Digits: 2},
		{Key: "seconds", Head: "seconds", Plain: true, Digits: 2},
	},
	rows: func(quick bool) []*Row { return crowds(numbers(quick, 2, 2, 10, 100, 1000), ofCandidates) },
	turns: func(n int) int {
		if n >= 1000 {
			return 2
		}
		return 3
	},
	light: func(n int) bool { return n <= 100 },
	measure: func(ctx context.Context, s *sitting, side string) (map[string][]float64, error) {
		l, server, err := s.side(ctx, side)
		if err != nil {
			return nil, err
		}
		t := work.Task{Role: "hold", Side: side, Addr: server.addr, Key: s.key(), Keys: 10, TTL: max(2*time.Second, l.MinTTL), Within: time.Minute}
		switch {
		case s.Quick:
			t.TTL = max(time.Second, l.MinTTL)
		case s.N >= 1000:
			t.Keys = 1
		}
		if l.Most > 0 {
			t.Keys = min(t.Keys, l.Most/s.N) // of candidates of all keys
		}
		holder, err := s.start(t)
		if err != nil {
			return nil, err
		}
		defer func() { _ = holder.end() }()
		defer holder.kill()
		r, err := holder.next(ctx)
		if err != nil {
			return nil, err
		}
		if r.Led < t.Keys {
			return nil, fmt.Errorf("of %d elections %d were led after %v", t.Keys, r.Led, t.Within)
		}
		t.Role, t.Candidates, t.Clients = "stand", s.N-1, min(s.N-1, cmp.Or(s.Clients, 10))
		others, err := s.start(t)
		if err != nil {
			return nil, err
		}
		defer func() { _ = others.end() }()
		for ready := false; !ready; {
			r, err := others.next(ctx)
			if err != nil {
				return nil, err
			}
			if r.Key != "" {
				return nil, errors.New("another leads before the leader is killed")
			}
			ready = r.Ready
		}
		// In each turn at another time after the last renewal.
		if err := wait(ctx, t.TTL/3*time.Duration(s.turn)/time.Duration(s.turns)); err != nil {
			return nil, err
		}
		killed := time.Now()
		holder.kill()
		samples := make(map[string][]float64)
		for range t.Keys {
			r, err := others.next(ctx)
			if err != nil {
				return nil, err
			}
			took := r.At.Sub(killed).Seconds()
			samples["seconds"] = append(samples["seconds"], took)
			samples["share"] = append(samples["share"], took/t.TTL.Seconds())
		}
		return samples, nil
	},
}
