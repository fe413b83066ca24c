package postgres_test

import (
	"fmt"
	"testing"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/postgres"
)

func TestManyKeysCostFewRequests(t *testing.T) {
	pool, trips := countedPool(t)
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
