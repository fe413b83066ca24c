package postgres_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/postgres"
)

// counted is a connection that counts how often it turns from reading to
// writing.
type counted struct {
	net.Conn
	trips   *atomic.Int64
	reading atomic.Bool
}

func (c *counted) Write(b []byte) (int, error) {
	if c.reading.Swap(false) {
		c.trips.Add(1)
	}
	return c.Conn.Write(b)
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.reading.Store(true)
	return n, err
}

// countedPool is a pool of one connection, whose round trips are counted.
func countedPool(t *testing.T) (*pgxpool.Pool, *atomic.Int64) {
	trips := new(atomic.Int64)
	pool := newPool(t, servers.Shared(t, "postgres").Addr, func(c *pgxpool.Config) {
		c.MaxConns = 1
		dial := c.ConnConfig.DialFunc
		c.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dial(ctx, network, addr)
			return &counted{Conn: conn, trips: trips}, err
		}
		c.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false }
	})
	return pool, trips
}

func TestEveryCallIsOneRoundTrip(t *testing.T) {
	pool, trips := countedPool(t)
	kv := newStore(t, pool, postgres.WithTable(newTable()))
	first := put(t, kv, "key", "a", nil, 0)
	second := put(t, kv, "key", "b", first, 0)

	ctx := t.Context()
	for _, call := range []struct {
		name string
		do   func() error
		want error
	}{
		{"Get", func() error { _, err := kv.Get(ctx, "key", nil); return err }, nil},
		{"Get of no key", func() error { _, err := kv.Get(ctx, "none", nil); return err }, store.ErrKeyNotFound},
		{"List", func() error { _, err := kv.List(ctx, "k", nil); return err }, nil},
		{"AtomicPut, create", func() error { _, _, err := kv.AtomicPut(ctx, "new", nil, nil, nil); return err }, nil},
		{"AtomicPut, create with TTL", func() error {
			_, _, err := kv.AtomicPut(ctx, "short", nil, nil, &store.WriteOptions{TTL: time.Minute})
			return err
		}, nil},
		{"AtomicPut, exists", func() error { _, _, err := kv.AtomicPut(ctx, "key", nil, nil, nil); return err }, store.ErrKeyExists},
		{"AtomicPut, stale", func() error { _, _, err := kv.AtomicPut(ctx, "key", nil, first, nil); return err }, store.ErrKeyModified},
		{"AtomicPut, gone", func() error { _, _, err := kv.AtomicPut(ctx, "none", nil, first, nil); return err }, store.ErrKeyNotFound},
		{"AtomicDelete, stale", func() error { _, err := kv.AtomicDelete(ctx, "key", first); return err }, store.ErrKeyModified},
		{"AtomicDelete", func() error { _, err := kv.AtomicDelete(ctx, "key", second); return err }, nil},
	} {
		before := trips.Load()
		if err := call.do(); call.want == nil && err != nil || call.want != nil && err == nil {
			t.Errorf("%s: %v", call.name, err)
		} else if call.want != nil {
			wantErr(t, err, call.want)
		}
		if made := trips.Load() - before; made != 1 {
			t.Errorf("%s took %d round trips", call.name, made)
		}
	}
}
