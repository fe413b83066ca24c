package postgres_test

import (
	"testing"

	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store/internal/pagetest"
	"github.com/seed-a1d591d3/leadership/store/postgres"
)

func TestPagesReadNoMoreThanWanted(t *testing.T) {
	pool, table := newPool(t, servers.Shared(t, "postgres").Addr), newTable()
	kv := newStore(t, pool, postgres.WithTable(table))
	put(t, kv, "some/", "none", nil, 0)
	put(t, kv, "some0", "behind", nil, 0)
	exec(t, pool, `INSERT INTO `+table+` (key, value) SELECT 'some/' || n, 'value' FROM generate_series(0, 2499) AS n`)
	pagetest.Check(t, kv, "some/", 2500, 3)
}
