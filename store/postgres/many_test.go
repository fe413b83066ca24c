package postgres_test

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/postgres"
)

func TestManyKeysCostFewRequests(t *testing.T) {
	var trips atomic.Int64
	pool := newPool(t, servers.Shared(t, "postgres").Addr, func(c *pgxpool.Config) {
		c.MaxConns = 1
		dial := c.ConnConfig.DialFunc
		c.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dial(ctx, network, addr)
			return &counted{Conn: conn, trips: &trips}, err
		}
		c.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false }
	})
	table := newTable()
	kv := newStore(t, pool, postgres.WithTable(table))
	put(t, kv, "some/", "none", nil, 0)
	exec(t, pool, `INSERT INTO `+table+` (key, value) SELECT 'some/' || n, convert_to('value of ' || n, 'UTF8') FROM generate_series(0, 20000) AS n`)
	const n = 10_000
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprint("some/", i)
	}
	before := trips.Load()
	pairs, err := store.GetMany(t.Context(), kv, keys)
	made := trips.Load() - before
	t.Logf("%d round trips", made)
	if err != nil || len(pairs) != n || made > 12 {
		t.Fatalf("%d pairs, %v, in %d round trips", len(pairs), err, made)
	}
	for i, pair := range pairs {
		if pair == nil || pair.Key != keys[i] || string(pair.Value) != fmt.Sprint("value of ", i) {
			t.Fatalf("in place of %s: %+v", keys[i], pair)
		}
	}
}
