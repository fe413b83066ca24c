package rows

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/seed-a1d591d3/leadership/bench/count"
	"github.com/seed-a1d591d3/leadership/bench/kube"
	"github.com/seed-a1d591d3/leadership/bench/peers"
	"github.com/seed-a1d591d3/leadership/faults/stage"
)

// server is the running server of a store.
type server struct {
	store   string
	addr    string // host:port, or for PostgreSQL a URL
	stage   *stage.Stage
	kube    *kube.Server
	counter *count.Counter
}

// serve starts the server of a store.
func serve(ctx context.Context, store string) (_ *server, err error) {
	s := &server{store: store}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("start %s: %w", store, err), s.end())
		}
	}()
	if store == peers.Kubernetes {
		if s.kube, err = kube.Start(); err != nil {
			return nil, err
		}
		s.addr = s.kube.Addr
	} else {
		kind := stage.Find(store)
		if kind == nil {
			return nil, errors.New("there is no such store")
		}
		if s.stage, err = stage.Start(kind, stage.Plain); err != nil {
			return nil, err
		}
		s.addr = s.stage.Servers[0].Addr
		if store == "postgres" {
			if err := s.countStatements(ctx); err != nil {
				return nil, err
			}
		}
	}
	s.counter, err = count.New(ctx, store, s.addr)
	return s, err
}

// countStatements has a PostgreSQL count its statements, and hold as many locks as a test of
// many elections needs, on each side.
func (s *server) countStatements(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.addr)
	if err != nil {
		return err
	}
	for _, sql := range []string{
		"ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'",
		"ALTER SYSTEM SET max_locks_per_transaction = 128",
	} {
		_, errSet := conn.Exec(ctx, sql)
		err = errors.Join(err, errSet)
	}
	if err := errors.Join(err, conn.Close(ctx)); err != nil {
		return err
	}
	return stage.Try(s.stage.Servers[0].Restart)
}

func (s *server) end() (err error) {
	if s.counter != nil {
		err = s.counter.Close()
	}
	if s.kube != nil {
		err = errors.Join(err, s.kube.Close())
	}
	if s.stage != nil {
		err = errors.Join(err, s.stage.End())
	}
	return err
}
