package postgres_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/postgres"
	"github.com/seed-a1d591d3/leadership/store/storetest"
)

// TestConformanceWithLeastPrivileges runs the suite by URL with a role that has only the
// rights in the package comment, on a table that its owner has created.
func TestConformanceWithLeastPrivileges(t *testing.T) {
	server := servers.Postgres(t)
	owner := newPool(t, server.Addr)
	exec(t, owner, postgres.Schema("leadership"), pgx.QueryExecModeSimpleProtocol)
	exec(t, owner, `CREATE ROLE elector LOGIN`)
	exec(t, owner, `GRANT SELECT, INSERT, UPDATE, DELETE ON leadership TO elector`)

	_, err := openStore(t, "postgres://elector@"+hostport(server)+"/postgres?table=another")
	wantText(t, err, "may not create it", "postgres.Schema", "permission denied for schema public")

	proxy := servers.NewProxy(t, hostport(server))
	storetest.Run(t, func(t testing.TB) store.Store {
		t.Helper()
		kv, err := store.Open(t.Context(), "postgres://elector@"+proxy.Addr+"/postgres")
		if err != nil {
			t.Fatal(err)
		}
		return kv
	}, storetest.Capabilities{TTL: 1, Cut: proxy.Cut})
}

func TestRoleThatMayNotMakeTheTableSaysSo(t *testing.T) {
	pool, role := shared(t), newTable()
	exec(t, pool, `CREATE ROLE `+role+` LOGIN`)
	kv := newStore(t, newPool(t, "postgres://"+role+"@"+hostport(servers.Shared(t, "postgres"))+"/postgres"), postgres.WithTable(newTable()))
	_, err := kv.Get(t.Context(), "key", nil)
	wantText(t, err, "postgres.Schema", "permission denied")
}
