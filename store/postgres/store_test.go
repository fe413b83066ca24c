package postgres_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/postgres"
	"github.com/seed-a1d591d3/leadership/store/storetest"
)

func TestMain(m *testing.M) {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "PG") {
			_ = os.Unsetenv(name)
		}
	}
	os.Exit(servers.VerifyMain(m, nil))
}

// at returns the URL of a server's database, with host and port changed where
// hostport is not empty, and with further parameters.
func at(addr, hostport string, params ...string) string {
	u, err := url.Parse(addr)
	if err != nil {
		panic(err)
	}
	if hostport != "" {
		u.Host = hostport
	}
	query := u.Query()
	for i := 0; i < len(params); i += 2 {
		query.Set(params[i], params[i+1])
	}
	u.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20")
	return u.String()
}

// hostport returns that of a server whose Addr is a URL.
func hostport(s *servers.Server) string {
	u, err := url.Parse(s.Addr)
	if err != nil {
		panic(err)
	}
	return u.Host
}

// newPool returns a user's pool.
func newPool(t testing.TB, addr string, change ...func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(addr)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(config)
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// newStore returns a store on pool.
func newStore(t testing.TB, pool *pgxpool.Pool, opts ...postgres.Option) store.Store {
	t.Helper()
	var kv store.Store
	kv, err := postgres.New(pool, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kv.Close() })
	return kv
}

// shared returns a pool of the server that the tests share.
func shared(t testing.TB) *pgxpool.Pool {
	t.Helper()
	return newPool(t, servers.Shared(t, "postgres").Addr)
}

// newTable returns a name that no table has yet.
func newTable() string { return "t_" + strings.ToLower(rand.Text()) }

// openURL opens clients of a URL, also while the server is stopped.
func openURL(addr string) func(testing.TB) store.Store {
	return func(t testing.TB) store.Store {
		t.Helper()
		pool := newPool(t, addr)
		return newStore(t, pool)
	}
}

func exec(t testing.TB, pool *pgxpool.Pool, sql string, args ...any) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// put creates key, or replaces previous, and returns the pair as written.
func put(t testing.TB, kv store.Store, key, value string, previous *store.KVPair, ttl time.Duration) *store.KVPair {
	t.Helper()
	ok, pair, err := kv.AtomicPut(t.Context(), key, []byte(value), previous, &store.WriteOptions{TTL: ttl})
	if err != nil || !ok {
		t.Fatalf("AtomicPut(%q, %q) = %v, %v", key, value, ok, err)
	}
	return pair
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error is %v, want %v", err, want)
	}
}

// wantText wants an error that has all of parts in it.
func wantText(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error; want one with %q", parts)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v: want it to say %q", err, part)
		}
	}
}

func TestConformance(t *testing.T) {
	server := servers.Postgres(t)
	proxy := servers.NewProxy(t, hostport(server))
	storetest.Run(t, openURL(at(server.Addr, proxy.Addr)),
		storetest.Capabilities{TTL: 1, Server: server, Cut: proxy.Cut})
}

func TestElections(t *testing.T) {
	server := servers.Postgres(t)
	electiontest.Run(t, electiontest.Env{Open: openURL(server.Addr), Server: server})
}

func TestTableIsMadeByWhoeverComesFirst(t *testing.T) {
	pool := newPool(t, servers.Shared(t, "postgres").Addr, func(c *pgxpool.Config) { c.MaxConns = 16 })
	for range 5 {
		table := newTable()
		var all sync.WaitGroup
		for i := range 16 {
			all.Go(func() {
				put(t, newStore(t, pool, postgres.WithTable(table)), fmt.Sprint("key", i), "value", nil, 0)
			})
		}
		all.Wait()
	}
}

func TestTableMayHaveAnyName(t *testing.T) {
	pool := shared(t)
	exec(t, pool, `CREATE SCHEMA IF NOT EXISTS "Odd ""schema"""`)
	for _, table := range []string{"Upper", "select", "with space", `quo"te`, "quo'te", `{table}`, `Odd "schema".täble`, strings.Repeat("x", 55)} {
		exec(t, pool, `DROP TABLE IF EXISTS `+pgx.Identifier(strings.Split(table, ".")).Sanitize()) // of an earlier run
		kv := newStore(t, pool, postgres.WithTable(table))
		pair := put(t, kv, "key", "a", nil, time.Minute)
		put(t, kv, "key", "b", pair, 0)
		if _, err := pool.Exec(t.Context(), postgres.Schema(table)); err != nil {
			t.Errorf("the schema of a table that is there: %v", err)
		}
	}
}

func TestBadOptionIsRefused(t *testing.T) {
	pool := shared(t)
	for _, table := range []string{"", ".", "a.", ".a", "a.b.c", "nul\x00", "\xff", strings.Repeat("x", 56)} {
		_, err := postgres.New(pool, postgres.WithTable(table))
		wantText(t, err, "postgres: the table ")
	}
	_, err := postgres.New(pool, postgres.WithPollInterval(0))
	wantText(t, err, "the poll interval is 0s")
	_, err = postgres.New(nil)
	wantText(t, err, "the pool is nil")
}

func TestKeyThatPostgresCannotHoldIsRefused(t *testing.T) {
	kv := newStore(t, shared(t))
	for key, want := range map[string]string{
		"":                    "the key is empty",
		"a\x00b":              "NUL",
		"a\xffb":              "not UTF-8",
		rand.Text() + noise(): "index row",
	} {
		_, _, err := kv.AtomicPut(t.Context(), key, nil, nil, nil)
		wantText(t, err, "postgres: atomic put ", fmt.Sprintf("%q", key), want)
	}
}

// noise returns what is too long for a key and cannot be compressed.
func noise() string {
	var b strings.Builder
	for b.Len() < 10000 {
		b.WriteString(rand.Text())
	}
	return b.String()
}

func TestExpiredRowsAreRemovedByLaterWrites(t *testing.T) {
	pool, table := shared(t), newTable()
	kv := newStore(t, pool, postgres.WithTable(table))
	for i := range 20 {
		put(t, kv, fmt.Sprint("old", i), "value", nil, time.Microsecond)
	}
	kept := put(t, kv, "kept", "value", nil, time.Minute)
	pair := put(t, kv, "new", "value", nil, time.Minute)
	put(t, kv, "new", "value", pair, time.Minute)
	var rows int
	if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&rows); err != nil || rows != 2 {
		t.Errorf("there are %d rows, %v; want 2", rows, err)
	}
	put(t, kv, "kept", "again", kept, 0)
}

func TestIndexCannotBeSetByHand(t *testing.T) {
	pool, table := shared(t), newTable()
	put(t, newStore(t, pool, postgres.WithTable(table)), "key", "value", nil, 0)
	_, err := pool.Exec(t.Context(), "UPDATE "+table+" SET index = 1")
	wantText(t, err, "can only be updated to DEFAULT")
}

// TestWriteIsOnDiskBeforeItIsAcknowledged reads the setting in a trigger at the commit.
func TestWriteIsOnDiskBeforeItIsAcknowledged(t *testing.T) {
	for setting, want := range map[string]string{"off": "on", "on": "on", "remote_apply": "remote_apply", "local": "on", "remote_write": "on"} {
		pool := newPool(t, at(servers.Shared(t, "postgres").Addr, "", "synchronous_commit", setting))
		table := newTable()
		exec(t, pool, postgres.Schema(table), pgx.QueryExecModeSimpleProtocol)
		exec(t, pool, fmt.Sprintf(`CREATE TABLE %[1]s_seen (setting text);
			CREATE FUNCTION %[1]s_look() RETURNS trigger LANGUAGE plpgsql AS
			$$BEGIN INSERT INTO %[1]s_seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END$$;
			CREATE CONSTRAINT TRIGGER look AFTER INSERT OR UPDATE OR DELETE ON %[1]s INITIALLY DEFERRED
			FOR EACH ROW EXECUTE FUNCTION %[1]s_look()`, table), pgx.QueryExecModeSimpleProtocol)
		kv := newStore(t, pool, postgres.WithTable(table))
		pair := put(t, kv, "key", "a", nil, 0)
		pair = put(t, kv, "key", "b", pair, 0)
		if _, err := kv.AtomicDelete(t.Context(), "key", pair); err != nil {
			t.Fatal(err)
		}
		rows, _ := pool.Query(t.Context(), "SELECT setting FROM "+table+"_seen")
		seen, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil || len(seen) != 3 || seen[0] != want || seen[1] != want || seen[2] != want {
			t.Errorf("synchronous_commit was %s and at the commits %q, %v; want %s", setting, seen, err, want)
		}
	}
}

func TestRivalsSwapOneByOneAtEveryIsolationLevel(t *testing.T) {
	for _, level := range []string{"read committed", "repeatable read", "serializable"} {
		t.Run(level, func(t *testing.T) {
			pool := newPool(t, servers.Shared(t, "postgres").Addr, func(c *pgxpool.Config) {
				c.MaxConns = 8
				c.ConnConfig.RuntimeParams["default_transaction_isolation"] = level
			})
			kv := newStore(t, pool, postgres.WithTable(newTable()))
			const rivals, rounds = 8, 25
			swaps := make(chan uint64, 2*rivals*rounds)
			var all sync.WaitGroup
			for range rivals {
				all.Go(func() {
					for range rounds {
						swap(t, kv, swaps)
					}
				})
			}
			all.Wait()
			close(swaps)
			seen := make(map[uint64]bool)
			for previous := range swaps {
				if previous != 0 && seen[previous] {
					t.Errorf("index %d was replaced twice", previous)
				}
				seen[previous] = true
			}
			if len(seen) < rounds {
				t.Errorf("there were %d swaps", len(seen))
			}
		})
	}
}

// swap replaces, creates or, now and then, deletes the key, and tells which
// index it replaced.
func swap(t *testing.T, kv store.Store, swaps chan<- uint64) {
	t.Helper()
	previous, err := kv.Get(t.Context(), "key", nil)
	if err != nil && !errors.Is(err, store.ErrKeyNotFound) {
		t.Error(err)
		return
	}
	var ok bool
	if previous != nil && previous.LastIndex%5 == 0 {
		ok, err = kv.AtomicDelete(t.Context(), "key", previous)
	} else {
		ok, _, err = kv.AtomicPut(t.Context(), "key", []byte("value"), previous, nil)
	}
	switch {
	case !ok && !errors.Is(err, store.ErrKeyModified) && !errors.Is(err, store.ErrKeyNotFound) && !errors.Is(err, store.ErrKeyExists):
		t.Errorf("no definite refusal: %v", err)
	case ok && previous == nil:
		swaps <- 0
	case ok:
		swaps <- previous.LastIndex
	}
}

// TestStandbyIsNotRead makes a server report that it is a standby, by a function that
// hides the real one.
func TestStandbyIsNotRead(t *testing.T) {
	pool := shared(t)
	exec(t, pool, `CREATE SCHEMA IF NOT EXISTS standby`)
	exec(t, pool, `CREATE OR REPLACE FUNCTION standby.pg_is_in_recovery() RETURNS boolean LANGUAGE sql AS 'SELECT true'`)
	kv := newStore(t, newPool(t, at(servers.Shared(t, "postgres").Addr, "", "search_path", "standby,pg_catalog,public")))
	put(t, kv, rand.Text(), "value", nil, 0)
	_, err := kv.Get(t.Context(), "key", nil)
	wantText(t, err, "standby", "primary")
	if errors.Is(err, store.ErrKeyNotFound) {
		t.Error("it says that the key is missing")
	}
}

func TestUsersPoolIsLeftOpen(t *testing.T) {
	pool := shared(t)
	kv := newStore(t, pool)
	kv.Close()
	_, err := kv.Get(t.Context(), "key", nil)
	wantErr(t, err, store.ErrClosed)
	if err := pool.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}
