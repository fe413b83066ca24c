package postgres_test

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/postgres"
)

// patience is how long a test waits for what should happen by far sooner.
const patience = 20 * time.Second

// never is a poll interval that leaves all to notifications.
const never = time.Hour

func watch(t *testing.T, kv store.Store, key string) <-chan *store.KVPair {
	t.Helper()
	pairs, err := kv.Watch(t.Context(), key, nil)
	if err != nil {
		t.Fatal(err)
	}
	return pairs
}

// wantNext wants pair to be the next that a watch tells; nil for a missing key.
// It returns how long that took.
func wantNext(t *testing.T, pairs <-chan *store.KVPair, want *store.KVPair) time.Duration {
	t.Helper()
	began := time.Now()
	select {
	case pair, open := <-pairs:
		switch {
		case !open:
			t.Fatal("the watch has ended")
		case want == nil && (pair.Value != nil || pair.LastIndex != 0):
			t.Fatalf("the watch told %+v; want a missing key", pair)
		case want != nil && (string(pair.Value) != string(want.Value) || pair.LastIndex != want.LastIndex):
			t.Fatalf("the watch told %+v; want %+v", pair, want)
		}
	case <-time.After(patience):
		t.Fatalf("the watch told nothing in %v", patience)
	}
	return time.Since(began)
}

// sessions counts the sessions of an application, and those that listen.
func sessions(t *testing.T, pool *pgxpool.Pool, application string) (all, listening int) {
	t.Helper()
	err := pool.QueryRow(t.Context(), `SELECT count(*), count(*) FILTER (WHERE query LIKE 'LISTEN%')
		FROM pg_stat_activity WHERE application_name = $1`, application).Scan(&all, &listening)
	if err != nil {
		t.Fatal(err)
	}
	return all, listening
}

func within(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for began := time.Now(); !condition(); time.Sleep(time.Millisecond) {
		if time.Since(began) > patience {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// listening opens a store of an application of its own, without polls, and
// returns a watch on key once it listens.
func listening(t *testing.T, application, key string, opts ...postgres.Option) (store.Store, <-chan *store.KVPair) {
	t.Helper()
	pool := newPool(t, at(servers.Shared(t, "postgres").Addr, "", "application_name", application))
	kv := newStore(t, pool, append(opts, postgres.WithPollInterval(never))...)
	pairs := watch(t, kv, key)
	wantNext(t, pairs, nil)
	within(t, "it listens", func() bool { _, n := sessions(t, shared(t), application); return n == 1 })
	return kv, pairs
}

func TestWatchIsToldByNotifications(t *testing.T) {
	key := rand.Text()
	_, pairs := listening(t, t.Name(), key)
	other := newStore(t, shared(t), postgres.WithTable("public.leadership")) // the same by another name
	pair := put(t, other, key, "a", nil, 0)
	wantNext(t, pairs, pair)
	put(t, other, key+"/other", "a", nil, 0)
	pair = put(t, other, key, "b", pair, 0)
	wantNext(t, pairs, pair)
	if _, err := other.AtomicDelete(t.Context(), key, pair); err != nil {
		t.Fatal(err)
	}
	wantNext(t, pairs, nil)
}

// TestHintsAreNotPolled: deletions that notify nobody show in watches, and in the others only
// if those read the keys, too.
func TestHintsAreNotPolled(t *testing.T) {
	admin := shared(t)
	table := newTable()
	pool := newPool(t, at(servers.Shared(t, "postgres").Addr, "", "application_name", t.Name()))
	kv := newStore(t, pool, postgres.WithTable(table))
	var all [3]struct {
		pair           *store.KVPair
		hints, watched <-chan *store.KVPair
	}
	for i := range all {
		k := &all[i]
		k.pair = put(t, kv, rand.Text(), "a", nil, 0)
		var err error
		if k.hints, err = store.Hints(t.Context(), kv, k.pair.Key); err != nil {
			t.Fatal(err)
		}
		k.watched = watch(t, kv, k.pair.Key)
		wantNext(t, k.hints, k.pair)
		wantNext(t, k.watched, k.pair)
	}
	within(t, "notifications arrive", kv.(*postgres.Store).Notified)
	for _, k := range all {
		exec(t, admin, `DELETE FROM `+table+` WHERE key = $1`, k.pair.Key)
		wantNext(t, k.watched, nil)
	}
	// All were read once more when notifications began, which may have told the first deletions. The
	// last but one would have been told by now.
	select {
	case pair := <-all[1].hints:
		t.Errorf("told %+v", pair)
	default:
	}
}

func TestWatchTellsExpiryByItself(t *testing.T) {
	key := rand.Text()
	kv, pairs := listening(t, t.Name(), key)
	const ttl = 300 * time.Millisecond
	wantNext(t, pairs, put(t, kv, key, "a", nil, ttl))
	if took := wantNext(t, pairs, nil); took > ttl+time.Second/2 {
		t.Errorf("expiry was told %v after the write; the TTL was %v", took, ttl)
	}
}

func TestWatchMissesNothingWhenItsConnectionBreaks(t *testing.T) {
	key, admin := rand.Text(), shared(t)
	kv, pairs := listening(t, t.Name(), key)
	var pair *store.KVPair
	for _, value := range []string{"a", "b", "c"} {
		exec(t, admin, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND query LIKE 'LISTEN%'`, t.Name())
		// It does not matter whether the store is listening yet.
		pair = put(t, newStore(t, admin), key, value, pair, 0)
		wantNext(t, pairs, pair)
		within(t, "it listens again", func() bool { _, n := sessions(t, admin, t.Name()); return n == 1 })
	}
	kv.Close()
}

func TestListeningEndsWithTheLastWatch(t *testing.T) {
	admin := shared(t)
	kv, first := listening(t, t.Name(), rand.Text())
	ctx, cancel := context.WithCancel(t.Context())
	for range 3 {
		key := rand.Text()
		second, err := kv.Watch(ctx, key, nil)
		if err != nil {
			t.Fatal(err)
		}
		wantNext(t, second, nil)
	}
	if _, n := sessions(t, admin, t.Name()); n != 1 {
		t.Errorf("%d sessions listen for four watches", n)
	}
	cancel()
	kv.Close()
	if _, open := <-first; open {
		t.Error("the watch goes on after Close")
	}
	within(t, "nobody listens", func() bool { _, n := sessions(t, admin, t.Name()); return n == 0 })
}

// TestListeningBeginsAgain ends the last watch, and later begins another.
func TestListeningBeginsAgain(t *testing.T) {
	admin := shared(t)
	pool := newPool(t, at(servers.Shared(t, "postgres").Addr, "", "application_name", t.Name()))
	kv := newStore(t, pool, postgres.WithPollInterval(never))
	for range 3 {
		key := rand.Text()
		ctx, cancel := context.WithCancel(t.Context())
		pairs, err := kv.Watch(ctx, key, nil)
		if err != nil {
			t.Fatal(err)
		}
		wantNext(t, pairs, nil)
		within(t, "it listens", func() bool { _, n := sessions(t, admin, t.Name()); return n == 1 })
		wantNext(t, pairs, put(t, newStore(t, admin), key, "a", nil, 0))
		cancel()
		within(t, "nobody listens", func() bool { _, n := sessions(t, admin, t.Name()); return n == 0 })
	}
}

func TestPoolOfOneConnectionIsEnough(t *testing.T) {
	pool := newPool(t, at(servers.Shared(t, "postgres").Addr, "", "pool_max_conns", "1"))
	kv := newStore(t, pool)
	key := rand.Text()
	pairs := watch(t, kv, key)
	wantNext(t, pairs, nil)
	wantNext(t, pairs, put(t, kv, key, "a", nil, 0))
}

func TestUsersPoolCanBeClosedBeforeTheStore(t *testing.T) {
	key := rand.Text()
	pool := newPool(t, servers.Shared(t, "postgres").Addr)
	kv := newStore(t, pool)
	pairs := watch(t, kv, key)
	wantNext(t, pairs, nil)
	closed := make(chan struct{})
	go func() { pool.Close(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(patience):
		t.Error("closing the pool waits for the watch")
	}
	kv.Close()
	for range pairs {
	}
}

func TestWatchThatIsNotAllowedEnds(t *testing.T) {
	admin, table, role := shared(t), newTable(), newTable()
	exec(t, admin, `CREATE ROLE `+role+` LOGIN`)
	exec(t, admin, postgres.Schema(table), pgx.QueryExecModeSimpleProtocol)
	kv := newStore(t, newPool(t, "postgres://"+role+"@"+hostport(servers.Shared(t, "postgres"))+"/postgres"), postgres.WithTable(table))
	select {
	case pair, open := <-watch(t, kv, "key"):
		if open {
			t.Errorf("it told %+v", pair)
		}
	case <-time.After(patience):
		t.Error("it goes on")
	}
}
