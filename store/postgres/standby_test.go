package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/postgres"
)

// moment is the time limit of calls that cannot succeed, because the standby is cut off.
const moment = 150 * time.Millisecond

// soon returns a context for such a call.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), moment)
	t.Cleanup(cancel)
	return ctx
}

// wantUnknown fails unless err leaves open whether the write has happened.
func wantUnknown(t testing.TB, what string, err error) {
	t.Helper()
	refused := errors.Is(err, store.ErrKeyExists) || errors.Is(err, store.ErrKeyModified) || errors.Is(err, store.ErrKeyNotFound)
	if err == nil || refused {
		t.Errorf("%s without the synchronous standby: %v; want an error that leaves it open", what, err)
	}
}

// TestNothingIsToldThatTheStandbyLacks: a failover keeps what a read has returned.
func TestNothingIsToldThatTheStandbyLacks(t *testing.T) {
	pair := servers.PostgresWithStandby(t)
	owner := newPool(t, pair.Primary.Addr)
	kv := newStore(t, owner)
	put(t, kv, "first", "a", nil, 0) // and the table
	for _, role := range []string{"off", "local", "remote_write", "on", "remote_apply"} {
		exec(t, owner, `CREATE ROLE commits_`+role+` LOGIN`)
		exec(t, owner, `GRANT SELECT, INSERT, UPDATE, DELETE ON leadership TO commits_`+role) // and no other right
		exec(t, owner, `ALTER ROLE commits_`+role+` SET synchronous_commit = `+role)
		exec(t, owner, `ALTER ROLE commits_`+role+` SET client_min_messages = error`)
	}
	t.Run("by a reader", func(t *testing.T) {
		exec(t, owner, `CREATE ROLE reader LOGIN`)
		exec(t, owner, `ALTER ROLE reader SET default_transaction_read_only = on`)
		exec(t, owner, `GRANT SELECT ON leadership TO reader`)
		kv := newStore(t, newPool(t, as("reader", pair)))
		if _, err := kv.Get(t.Context(), "first", nil); err != nil {
			t.Error(err)
		}
		pair.Cut()
		_, err := kv.Get(soon(t), "first", nil)
		wantUnknown(t, "Get", err)
		pair.Heal()
	})
	t.Run("by the standby", func(t *testing.T) {
		kv := newStore(t, newPool(t, pair.Standby.Addr))
		for _, opts := range []*store.ReadOptions{nil, {}} {
			_, err := kv.Get(t.Context(), "first", opts)
			wantText(t, err, "is a standby")
			_, err = store.GetMany(t.Context(), kv, []string{"first", "none"})
			wantText(t, err, "is a standby")
			for _, directory := range []string{"f", "nothing"} {
				_, err = kv.List(t.Context(), directory, opts)
				wantText(t, err, "is a standby")
			}
		}
	})
	bouncer := servers.PgBouncer(t, pair.Primary)
	for name, open := range map[string]func(t *testing.T) store.Store{
		"by URL":           func(t *testing.T) store.Store { return wantOpen(t, pair.Primary.Addr) },
		"through a pooler": func(t *testing.T) store.Store { return wantOpen(t, bouncer.Addr) },
		"on a user's pool": func(t *testing.T) store.Store { return newStore(t, newPool(t, pair.Primary.Addr)) },
		"on a pool that cancels politely": func(t *testing.T) store.Store {
			return newStore(t, newPool(t, pair.Primary.Addr, func(c *pgxpool.Config) {
				c.ConnConfig.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
					return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: 10 * time.Second}
				}
			}))
		},
		"commit off":          func(t *testing.T) store.Store { return wantOpen(t, as("commits_off", pair)) },
		"commit local":        func(t *testing.T) store.Store { return wantOpen(t, as("commits_local", pair)) },
		"commit remote_write": func(t *testing.T) store.Store { return wantOpen(t, as("commits_remote_write", pair)) },
		"commit on":           func(t *testing.T) store.Store { return wantOpen(t, as("commits_on", pair)) },
		"commit remote_apply": func(t *testing.T) store.Store { return wantOpen(t, as("commits_remote_apply", pair)) },
	} {
		t.Run(name, func(t *testing.T) {
			kv, key := open(t), newTable()+"/"
			changed := put(t, kv, key+"changed", "a", nil, 0)
			deleted := put(t, kv, key+"deleted", "a", nil, 0)
			pair.Cut()
			defer pair.Heal()

			if _, err := openStore(t, pair.Primary.Addr); err != nil {
				t.Errorf("Open: %v", err)
			}
			for _, write := range []struct {
				name, statement string
				do              func(ctx context.Context) error
			}{
				{"created", "INSERT", func(ctx context.Context) error {
					_, _, err := kv.AtomicPut(ctx, key+"created", []byte("b"), nil, nil)
					return err
				}},
				{"changed", "UPDATE", func(ctx context.Context) error {
					_, _, err := kv.AtomicPut(ctx, key+"changed", []byte("b"), changed, nil)
					return err
				}},
				{"deleted", "DELETE", func(ctx context.Context) error {
					_, err := kv.AtomicDelete(ctx, key+"deleted", deleted)
					return err
				}},
			} {
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- write.do(ctx) }()
				within(t, "it waits for the standby", func() bool {
					var waits int
					err := owner.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
						WHERE wait_event = 'SyncRep' AND query ~ ('^WITH done AS .\s*' || $1)`, write.statement).Scan(&waits)
					return err == nil && waits > 0
				})
				cancel()
				wantUnknown(t, "what was "+write.name, <-done)
				// It has happened for a reader that does not ask for consistency.
				within(t, "it is written", func() bool {
					found, err := kv.Get(t.Context(), key+write.name, &store.ReadOptions{})
					return err == nil && string(found.Value) == "b" || write.name == "deleted" && errors.Is(err, store.ErrKeyNotFound)
				})
				for _, opts := range []*store.ReadOptions{nil, {Consistent: true}} {
					_, err := kv.Get(soon(t), key+write.name, opts)
					wantUnknown(t, "Get of what was "+write.name, err)
				}
			}
			if found, err := kv.List(t.Context(), key, &store.ReadOptions{}); err != nil || len(found) != 2 {
				t.Errorf("List found %v, %v", found, err)
			}
			for _, directory := range []string{key, key + "deleted"} {
				_, err := kv.List(soon(t), directory, nil)
				wantUnknown(t, "List", err)
				_, err = store.GetMany(soon(t), kv, []string{directory})
				wantUnknown(t, "GetMany", err)
			}

			pair.Heal()
			found, err := kv.Get(t.Context(), key+"changed", nil)
			if err != nil || string(found.Value) != "b" {
				t.Errorf("Get found %v, %v once the standby was back", found, err)
			}
			if all, err := kv.List(t.Context(), key, nil); err != nil || len(all) != 2 {
				t.Errorf("List found %v, %v once the standby was back", all, err)
			}
		})
	}
}

// as returns the URL of the primary for another user.
func as(user string, pair *servers.PostgresPair) string {
	return "postgres://" + user + "@" + hostport(pair.Primary) + "/postgres?sslmode=disable"
}

// TestWaitCancelledByAnOperatorIsNoSuccess: the server reports success then.
func TestWaitCancelledByAnOperatorIsNoSuccess(t *testing.T) {
	pair := servers.PostgresWithStandby(t)
	operator := newPool(t, pair.Primary.Addr)
	// cancelled returns what a call returns whose waits are cancelled, of which a
	// list may have two.
	cancelled := func(t *testing.T, do func() error) error {
		t.Helper()
		did := make(chan error, 1)
		go func() { did <- do() }()
		waited := 0
		for began := time.Now(); time.Since(began) < 10*time.Second; time.Sleep(time.Millisecond) {
			var n int
			err := operator.QueryRow(t.Context(), `SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`).Scan(&n)
			if err != nil {
				t.Fatal(err)
			}
			waited += n
			select {
			case err := <-did:
				if waited == 0 {
					t.Error("it has waited for no standby")
				}
				return err
			default:
			}
		}
		t.Fatal("it has not returned within 10s")
		return nil
	}
	bouncer := servers.PgBouncer(t, pair.Primary)
	for name, addr := range map[string]string{"directly": pair.Primary.Addr, "through a pooler": bouncer.Addr} {
		t.Run(name, func(t *testing.T) {
			kv := newStore(t, newPool(t, addr), postgres.WithTable(newTable()))
			key := put(t, kv, "key", "a", nil, 0)
			pair.Cut()
			defer pair.Heal()
			for what, do := range map[string]func() error{
				"Get":              func() error { _, err := kv.Get(t.Context(), "key", nil); return err },
				"GetMany":          func() error { _, err := store.GetMany(t.Context(), kv, []string{"key", "none"}); return err },
				"Get of a missing": func() error { _, err := kv.Get(t.Context(), "none", nil); return err },
				"List":             func() error { _, err := kv.List(t.Context(), "k", nil); return err },
				"create":           func() error { _, _, err := kv.AtomicPut(t.Context(), "new", nil, nil, nil); return err },
			} {
				err := cancelled(t, do)
				wantUnknown(t, what, err)
				wantText(t, err, "synchronous standby")
			}
			wantUnknown(t, "AtomicDelete", cancelled(t, func() error { _, err := kv.AtomicDelete(t.Context(), "key", key); return err }))
		})
	}
}

// TestReadWritesNothingWithoutAStandby: it uses no transaction number, and no space in
// the log.
func TestReadWritesNothingWithoutAStandby(t *testing.T) {
	server := servers.Postgres(t) // nobody else writes
	pool := newPool(t, server.Addr)
	kv := newStore(t, pool)
	put(t, kv, "key", "a", nil, 0)
	exec(t, pool, `CHECKPOINT`)
	written := func() (n string) {
		t.Helper()
		if err := pool.QueryRow(t.Context(), `SELECT pg_snapshot_xmax(pg_current_snapshot())::text`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := written()
	for range 10 {
		if _, err := kv.Get(t.Context(), "key", nil); err != nil {
			t.Fatal(err)
		}
		if _, err := kv.List(t.Context(), "k", nil); err != nil {
			t.Fatal(err)
		}
		if _, err := store.GetMany(t.Context(), kv, []string{"key", "none"}); err != nil {
			t.Fatal(err)
		}
	}
	if after := written(); after != before {
		t.Errorf("reads moved the next transaction from %s to %s", before, after)
	}
}
