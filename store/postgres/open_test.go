package postgres_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/postgres"
)

// openStore opens a store by URL, in time and without telling a secret.
func openStore(t testing.TB, rawURL string) (store.Store, error) {
	t.Helper()
	began := time.Now()
	kv, err := store.Open(t.Context(), rawURL)
	if took := time.Since(began); took > store.OpenTimeout {
		t.Errorf("Open took %v", took)
	}
	if err == nil {
		t.Cleanup(func() { kv.Close() })
		return kv, nil
	}
	for cause := err; cause != nil; cause = errors.Unwrap(cause) {
		if strings.Contains(cause.Error(), "s3cret") {
			t.Errorf("it shows the password: %v", cause)
		}
	}
	return nil, err
}

// wantOpen opens a store that has to work.
func wantOpen(t testing.TB, rawURL string) store.Store {
	t.Helper()
	kv, err := openStore(t, rawURL)
	if err != nil {
		t.Fatal(err)
	}
	put(t, kv, rand.Text(), "value", nil, 0)
	return kv
}

func TestOpen(t *testing.T) {
	hosts := hostport(servers.Shared(t, "postgres"))
	pool := shared(t)
	for _, query := range []string{
		"", "?sslmode=disable", "?tls=false", "?sslmode=prefer&connect_timeout=2", "?pool_max_conns=1&poll=20ms",
		"?application_name=o%27range%5C&search_path=public", "?target_session_attrs=any",
	} {
		wantOpen(t, "postgres://postgres@"+hosts+"/postgres"+query)
		wantOpen(t, "postgresql://postgres:s3cret@"+hosts+"/postgres"+query)
	}

	database := newTable()
	exec(t, pool, `CREATE DATABASE "odd 'name\`+database+`"`)
	wantOpen(t, "postgres://postgres@"+hosts+"/odd%20'name%5C"+database)

	// The second host is asked where the first is not there, or is refused.
	wantOpen(t, "postgres://postgres@127.0.0.1:1,"+hosts+"/postgres")

	table := newTable()
	kv := wantOpen(t, "postgres://postgres@"+hosts+"/postgres?prefix=/some/app/&table="+table)
	pair := put(t, kv, "key", "value", nil, 0)
	got, err := newStore(t, pool, postgres.WithTable(table)).Get(t.Context(), "some/app/key", nil)
	if err != nil || got.LastIndex != pair.LastIndex {
		t.Errorf("under the prefix there is %+v, %v", got, err)
	}
}

func TestOpenByTheEnvironment(t *testing.T) {
	host, port, err := net.SplitHostPort(hostport(servers.Shared(t, "postgres")))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PGHOST", host)
	t.Setenv("PGPORT", port)
	t.Setenv("PGUSER", "postgres")
	wantOpen(t, "postgres:///")
	wantOpen(t, "postgres:///postgres")
	t.Setenv("PGDATABASE", "nosuch")
	wantOpen(t, "postgres:///postgres")
	_, err = openStore(t, "postgres://")
	wantText(t, err, `database "nosuch" does not exist`)
	t.Setenv("PGCONNECT_TIMEOUT", "soon")
	_, err = openStore(t, "postgres:///postgres")
	wantText(t, err, "connection settings: invalid connect_timeout")
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	hosts := hostport(servers.Shared(t, "postgres"))
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for rawURL, want := range map[string][]string{
		"postgres://postgres:s3cret@" + hosts + "/nosuch":                                {`database "nosuch" does not exist`},
		"postgres://nosuch:s3cret@" + hosts + "/postgres":                                {`role "nosuch" does not exist`},
		"postgres://postgres:s3cret@127.0.0.1:1/postgres":                                {"connection refused", "127.0.0.1:1"},
		"postgres://postgres:s3cret@nosuch.invalid/postgres":                             {"nosuch.invalid"},
		"postgres://postgres:s3cret@" + silent.Addr().String() + "/postgres":             {"deadline exceeded"},
		"postgres://postgres:s3cret@" + hosts + "/postgres?nosuch=1":                     {`unknown parameter "nosuch"`},
		"postgres://postgres:s3cret@" + hosts + "/postgres?sslmode=maybe":                {"sslmode"},
		"postgres://postgres:s3cret@" + hosts + "/postgres?sslmode=require":              {"server refused TLS connection"},
		"postgres://postgres:s3cret@" + hosts + "/postgres?tls=true":                     {"server refused TLS connection"},
		"postgres://postgres:s3cret@" + hosts + "/postgres?tls=maybe":                    {`parameter "tls" is "maybe"`},
		"postgres://postgres:s3cret@" + hosts + "/postgres?ca=/no/such":                  {`parameter "ca"`, "/no/such"},
		"postgres://postgres:s3cret@" + hosts + "/postgres?sslrootcert=/no/such":         {"CA file", "/no/such"},
		"postgres://postgres:s3cret@" + hosts + "/postgres?ca=x&sslmode=require":         {`"ca" and "sslmode"`, "use one of them"},
		"postgres://postgres:s3cret@" + hosts + "/postgres?table=a.b.c":                  {`the table is "a.b.c"`},
		"postgres://postgres:s3cret@" + hosts + "/postgres?poll=0s":                      {`parameter "poll"`},
		"postgres://postgres:s3cret@" + hosts + "/postgres?pool_max_conns=0":             {"pool_max_conns too small"},
		"postgres://postgres:s3cret@" + hosts + "/postgres?pool_max_conns=many":          {"cannot parse pool_max_conns"},
		"postgres://postgres:s3cret@" + hosts + "/postgres?connect_timeout=x":            {"invalid connect_timeout"},
		"postgres://postgres:s3cret@" + hosts + "/postgres?target_session_attrs=standby": {"server is not in hot standby mode"},
		"postgres://postgres:s3cret@" + hosts + "/postgres?target_session_attrs=x":       {"unknown target_session_attrs"},
		"postgres://postgres:s3cret@h:0/postgres":                                        {"1 to 65535"},
	} {
		t.Run(rawURL, func(t *testing.T) {
			_, err := openStore(t, rawURL)
			wantText(t, err, append(want, "open ")...)
			unreachable := strings.Contains(rawURL, ":1/") || strings.Contains(rawURL, "invalid/") || strings.Contains(rawURL, silent.Addr().String())
			if errors.Is(err, store.ErrNotReachable) != unreachable {
				t.Errorf("%v: ErrNotReachable? want %v", err, unreachable)
			}
		})
	}
}

// TestOpenRefusesAServerThatTakesNoWrites, such as a standby.
func TestOpenRefusesAServerThatTakesNoWrites(t *testing.T) {
	pool, database := shared(t), newTable()
	exec(t, pool, `CREATE DATABASE `+database)
	exec(t, pool, `ALTER DATABASE `+database+` SET default_transaction_read_only = on`)
	_, err := openStore(t, "postgres://postgres@"+hostport(servers.Shared(t, "postgres"))+"/"+database)
	wantText(t, err, "read only connection")
}

// TestStoreOfAURLRecoversAtOnce: after a restart every connection of the pool
// is broken, and one call is enough to find out.
func TestStoreOfAURLRecoversAtOnce(t *testing.T) {
	server := servers.Postgres(t)
	kv := wantOpen(t, server.Addr)
	pair := put(t, kv, "key", "a", nil, 0)
	many := make(chan error, 8)
	for range cap(many) {
		go func() { _, err := kv.Get(t.Context(), "key", nil); many <- err }()
	}
	for range cap(many) {
		if err := <-many; err != nil {
			t.Error(err)
		}
	}
	server.Restart()
	_, _ = kv.Get(t.Context(), "key", nil)
	put(t, kv, "key", "b", pair, 0)
}

// TestTableOfASearchPathIsTheSameBehindAPooler: PgBouncer may drop the path, and a
// session may have that of another client.
func TestTableOfASearchPathIsTheSameBehindAPooler(t *testing.T) {
	server := servers.Shared(t, "postgres")
	bouncer := servers.PgBouncer(t, server)
	schema, table := newTable(), newTable()
	exec(t, shared(t), `CREATE SCHEMA `+schema)
	direct := wantOpen(t, "postgres://postgres@"+hostport(server)+"/postgres?table="+table+"&search_path="+schema)
	pooled := wantOpen(t, "postgres://postgres@"+hostport(bouncer)+"/postgres?table="+table+"&search_path="+schema)
	pair := put(t, direct, "key", "value", nil, 0)
	if got, err := pooled.Get(t.Context(), "key", nil); err != nil || got.LastIndex != pair.LastIndex {
		t.Errorf("behind a pooler there is %+v, %v", got, err)
	}
	for _, kv := range []store.Store{direct, pooled} {
		target := store.TargetOf(kv)
		if target.Value("schema") != schema || target.Value("table") != table || target.Value("database") != "postgres" {
			t.Errorf("the target is %v", target)
		}
	}
	_, err := openStore(t, "postgres://postgres@"+hostport(server)+"/postgres?search_path=nosuch")
	wantText(t, err, `search path "nosuch"`, "schema.table")
	_, err = openStore(t, "postgres://postgres@"+hostport(server)+"/postgres?options=-csearch_path%3Dx")
	wantText(t, err, "options", "parameter search_path")
	_, err = openStore(t, "postgres://postgres@"+hostport(server)+"/postgres?host=/run")
	wantText(t, err, `"host"`, "use one of them")
	t.Setenv("PGHOSTADDR", "127.0.0.1")
	_, err = openStore(t, "postgres://postgres@"+hostport(server)+"/postgres")
	wantText(t, err, "$PGHOSTADDR", "unset it")
}

// TestUnqualifiedTableOfAPoolIsOneTable: each connection may have another search path.
func TestUnqualifiedTableOfAPoolIsOneTable(t *testing.T) {
	server := servers.Shared(t, "postgres")
	one, two, table := newTable(), newTable(), newTable()
	exec(t, shared(t), `CREATE SCHEMA `+one+`; CREATE SCHEMA `+two)

	// The setting of the pool counts, whatever becomes of that of a connection.
	pool := newPool(t, server.Addr, func(c *pgxpool.Config) {
		c.ConnConfig.RuntimeParams["search_path"] = one
		c.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, `SET search_path = DEFAULT; SET search_path = `+two)
			return err
		}
	})
	pair := put(t, newStore(t, pool, postgres.WithTable(table)), "key", "value", nil, 0)
	named := newStore(t, shared(t), postgres.WithTable(one+"."+table))
	if got, err := named.Get(t.Context(), "key", nil); err != nil || got.LastIndex != pair.LastIndex {
		t.Errorf("in the schema of the pool there is %+v, %v", got, err)
	}

	// A session that changes its path later does not change the table.
	pool = newPool(t, server.Addr, func(c *pgxpool.Config) { c.MaxConns = 1 })
	later := newStore(t, pool, postgres.WithTable(table))
	pair = put(t, later, "key", "later", nil, 0)
	exec(t, pool, `SET search_path = `+one)
	if got, err := later.Get(t.Context(), "key", nil); err != nil || got.LastIndex != pair.LastIndex {
		t.Errorf("after SET there is %+v, %v", got, err)
	}

	// One that has another from the first is refused, but where it leads to the same.
	for path, want := range map[string]string{two: two, "public": ""} {
		session := newStore(t, newPool(t, server.Addr, func(c *pgxpool.Config) {
			c.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
				_, err := conn.Exec(ctx, `SET search_path = `+path)
				return err
			}
		}), postgres.WithTable(table))
		_, err := session.Get(t.Context(), "key", nil)
		if want == "" && err != nil {
			t.Errorf("path %s: %v", path, err)
		} else if want != "" {
			wantText(t, err, want, "WithTable")
		}
	}
	_, err := postgres.New(newPool(t, server.Addr, func(c *pgxpool.Config) { c.ConnConfig.RuntimeParams["options"] = "-csearch_path=" + one }))
	wantText(t, err, "search_path", "schema.table")
}
