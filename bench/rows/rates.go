package rows

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/seed-a1d591d3/leadership/bench/work"
	"github.com/seed-a1d591d3/leadership/faults/child"
)

var roundsKind = &Kind{
	Name: "rounds", Title: "Rounds",
	About: "32 clients at once win new rounds, by `Rounds.Round(...).Elect`, beside the least that the store can do: SET NX, an INSERT, a transaction. " +
		"Bytes are what the store holds after, less what it held before, for each round.",
	Columns: []Column{
		{Key: "rate", Head: "rounds/s", More: true},
		{Key: "ms", Head: "ms", P99: true, Digits: 2},
		{Key: "bytes", Head: "bytes each"},
	},
	rows: func(bool) []*Row {
		return []*Row{
			{Store: "redis", Sides: []string{"redis/leadership", work.SetNX}},
			{Store: "postgres", Sides: []string{"postgres/leadership", work.Insert}},
			{Store: "etcd", Sides: []string{"etcd/leadership", work.Txn}},
		}
	},
	turns: func(int) int { return 3 },
	light: func(int) bool { return false },
	measure: func(ctx context.Context, s *sitting, side string) (map[string][]float64, error) {
		store, _, _ := strings.Cut(side, "/")
		server, err := s.server(ctx, store)
		if err != nil {
			return nil, err
		}
		return s.do(ctx, work.Task{Role: "rounds", Side: side, Addr: server.addr, Key: s.key(), Clients: 32, Within: s.span()})
	},
}

// span is how long something is done again and again.
func (s *sitting) span() time.Duration {
	if s.Quick {
		return 300 * time.Millisecond
	}
	return 2 * time.Second
}

// Service is the side of HTTP rows that is this project's.
const Service = "leadership serve"

// bare is the side of HTTP rows beside this project's service.
const bare = "bare server"

var httpKind = &Kind{
	Name: "http", Title: "Over HTTP",
	About: "200 clients of one service on Redis, each on a connection of its own, win new rounds (`elect`), or renew a seat each (`renew`): `leadership serve`, beside a server of " +
		"this module that does the least, SET NX for a round, as the older service gone does, and redislock for a renewal, with no token, no record and no check.",
	Columns: []Column{
		{Key: "rate", Head: "answers/s", More: true},
		{Key: "ms", Head: "ms", P99: true, Digits: 1},
	},
	rows: func(bool) []*Row {
		sides := []string{Service, bare}
		return []*Row{{Store: work.Elect, Sides: sides}, {Store: work.Renew, Sides: sides}}
	},
	turns: func(int) int { return 3 },
	light: func(int) bool { return false },
	measure: func(ctx context.Context, s *sitting, side string) (map[string][]float64, error) {
		redis, err := s.server(ctx, "redis")
		if err != nil {
			return nil, err
		}
		var addr string
		if side == bare {
			p, err := s.start(work.Task{Role: "serve", Addr: redis.addr})
			if err != nil {
				return nil, err
			}
			defer func() { _ = p.end() }()
			r, err := p.next(ctx)
			if err != nil {
				return nil, err
			}
			addr = r.Addr
		} else {
			var end func()
			if addr, end, err = s.service(ctx, "redis://"+redis.addr); err != nil {
				return nil, err
			}
			defer end()
		}
		clients := 200
		if s.Quick {
			clients = 10
		}
		return s.do(ctx, work.Task{Role: "http", Side: s.Store, Addr: addr, Key: s.key(), Clients: clients, Within: s.span()})
	},
}

// service starts `leadership serve` on a store, and returns where it listens.
func (b *Bench) service(ctx context.Context, url string) (addr string, end func(), err error) {
	cmd := exec.Command(b.Leadership, "serve", "--local", "--store", url, "--listen", "127.0.0.1:0") //nolint:noctx // end ends it
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	wait, err := child.Start(cmd)
	if err != nil {
		return "", nil, err
	}
	said := make(chan string, 1)
	go func() {
		defer close(said)
		buffer, text := make([]byte, 4096), ""
		for told := false; ; {
			n, err := out.Read(buffer)
			if err != nil {
				return
			}
			if told {
				continue
			}
			text += string(buffer[:n])
			if _, rest, ok := strings.Cut(text, "http://"); ok && strings.ContainsAny(rest, " /\n\"") {
				said <- rest[:strings.IndexAny(rest, " /\n\"")]
				told = true
			}
		}
	}()
	end = func() {
		_ = cmd.Process.Kill()
		_ = wait()
	}
	select {
	case addr, ok := <-said:
		if ok {
			return addr, end, nil
		}
		err = fmt.Errorf("%s serve has not told where it listens", b.Leadership)
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	end()
	return "", nil, err
}
