package peers

import (
	"context"
	"fmt"
	"hash/fnv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

var advisoryLock = &Library{
	Name: "advisory-lock", Store: "postgres", Module: "github.com/jackc/pgx/v5",
	About: "`pg_advisory_lock` and `pg_advisory_unlock`, each candidate that waits on a connection of its own, all that lead on one; " +
		"`SELECT 1` on it each third of the TTL, so that its loss is noticed",
	Most: 100, Limit: "each candidate that waits has a connection, and a server lets in 100 by default",
	open: func(_ context.Context, addr string) (Client, error) {
		return &advisoryClient{addr: addr, locks: make(map[int64]bool)}, nil
	},
}

type advisoryClient struct {
	addr string

	mu    sync.Mutex
	held  *session       // where the first candidate of each key asks
	locks map[int64]bool // those of it
}

// session is a connection to the server, for one query at a time.
type session struct {
	mu   sync.Mutex
	conn *pgx.Conn
	stop func()
}

func (c *advisoryClient) connect(ttl time.Duration) (*session, error) {
	conn, err := pgx.Connect(context.Background(), c.addr)
	if err != nil {
		return nil, err
	}
	s := &session{conn: conn}
	s.stop = keep(ttl/3, func(ctx context.Context) {
		if !s.mu.TryLock() {
			return // it waits for a lock
		}
		defer s.mu.Unlock()
		_, _ = s.conn.Exec(ctx, "SELECT 1")
	})
	return s, nil
}

func (s *session) ask(ctx context.Context, sql string, id int64) (yes bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return yes, s.conn.QueryRow(ctx, sql, id).Scan(&yes)
}

func (s *session) close() error {
	s.stop()
	return s.conn.Close(context.Background())
}

func (c *advisoryClient) Close() error {
	if c.held == nil {
		return nil
	}
	return c.held.close()
}

func (c *advisoryClient) Candidate(key, _ string, ttl time.Duration) (Candidate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held == nil {
		var err error
		if c.held, err = c.connect(ttl); err != nil {
			return nil, err
		}
	}
	hash := fnv.New64a()
	fmt.Fprint(hash, key)
	return &advisoryCandidate{client: c, id: int64(hash.Sum64()), ttl: ttl}, nil //nolint:gosec // any number is one
}

type advisoryCandidate struct {
	client *advisoryClient
	id     int64
	ttl    time.Duration
	own    *session // for waiting
	on     *session // where the lock is held
}

func (c *advisoryCandidate) Campaign(ctx context.Context) error {
	if c.own == nil {
		// A lock is the session's: the second candidate of a key must not ask on the same.
		first, err := c.client.first(ctx, c.id)
		if err != nil || first {
			c.on = c.client.held
			return err
		}
		if c.own, err = c.client.connect(c.ttl); err != nil {
			return err
		}
	}
	c.on = c.own
	// It returns nothing, and that only once the lock is there.
	_, err := c.own.ask(ctx, "SELECT pg_advisory_lock($1) IS NOT NULL", c.id)
	return err
}

// first reports whether the lock of that id was free, and is held by nobody here. It is held
// on the client's connection then.
func (c *advisoryClient) first(ctx context.Context, id int64) (bool, error) {
	c.mu.Lock()
	has := c.locks[id]
	c.locks[id] = true
	c.mu.Unlock()
	if has {
		return false, nil
	}
	got, err := c.held.ask(ctx, "SELECT pg_try_advisory_lock($1)", id)
	if !got {
		c.forget(id)
	}
	return got, err
}

func (c *advisoryClient) forget(id int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.locks, id)
}

func (c *advisoryCandidate) Resign(ctx context.Context) error {
	_, err := c.on.ask(ctx, "SELECT pg_advisory_unlock($1)", c.id)
	if c.on == c.client.held {
		c.client.forget(c.id)
	}
	return err
}
