package redis_test

import (
	"fmt"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/redis"
)

const missing = "(missing)"

// await reads a watch until it tells want, and returns how long that took.
func await(t *testing.T, watch <-chan *store.KVPair, want string) time.Duration {
	t.Helper()
	began := time.Now()
	late := time.After(10 * time.Second)
	for {
		select {
		case pair, ok := <-watch:
			if !ok {
				t.Fatalf("the watch was closed before it told %q", want)
			}
			if value := string(pair.Value); value == want || pair.Value == nil && want == missing {
				return time.Since(began)
			}
		case <-late:
			t.Fatalf("the watch has not told %q", want)
		}
	}
}

func within(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for began := time.Now(); !condition(); time.Sleep(time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatalf("not within 30s: %s", what)
		}
	}
}

func watch(t *testing.T, kv store.Store, key string) <-chan *store.KVPair {
	t.Helper()
	pairs, err := kv.Watch(t.Context(), key, nil)
	if err != nil {
		t.Fatal(err)
	}
	return pairs
}

// TestWatchIsToldWithoutAPoll tests writes, deletes and expiry.
func TestWatchIsToldWithoutAPoll(t *testing.T) {
	client := clientOf(t, servers.Shared(t, "redis").Addr)
	kv := newStore(t, client, redis.WithPoll(time.Hour))
	key := freshKey(t)
	w := watch(t, kv, key)
	await(t, w, missing)
	pair := put(t, kv, key, "a", nil, 0)
	await(t, w, "a")
	if _, err := kv.AtomicDelete(t.Context(), key, pair); err != nil {
		t.Fatal(err)
	}
	await(t, w, missing)
	const ttl = 300 * time.Millisecond
	began := time.Now()
	put(t, kv, key, "b", nil, ttl)
	await(t, w, "b")
	await(t, w, missing)
	if took := time.Since(began); took < ttl {
		t.Errorf("expiry was told after %v", took)
	}
}

func TestWatchSeesWhatOtherProgramsDo(t *testing.T) {
	client := clientOf(t, servers.Shared(t, "redis").Addr)
	kv := newStore(t, client, redis.WithPoll(20*time.Millisecond))
	key := freshKey(t)
	put(t, kv, key, "a", nil, 0)
	w := watch(t, kv, key)
	await(t, w, "a")
	if err := client.Del(t.Context(), key).Err(); err != nil {
		t.Fatal(err)
	}
	await(t, w, missing)
}

// TestHintsAreNotPolled: deletions that cause no messages show in watches, and in the others
// only if those read the keys, too.
func TestHintsAreNotPolled(t *testing.T) {
	client := clientOf(t, servers.Shared(t, "redis").Addr)
	kv := newStore(t, client, redis.WithPoll(20*time.Millisecond))
	prefix := freshKey(t)
	below := store.WithPrefix(kv, prefix)
	var all [6]struct {
		key            string
		hints, watched <-chan *store.KVPair
	}
	for i := range all {
		k := &all[i]
		k.key = fmt.Sprint("/", i)
		put(t, below, k.key, "a", nil, 0)
		var err error
		if k.hints, err = store.Hints(t.Context(), below, k.key); err != nil {
			t.Fatal(err)
		}
		k.watched = watch(t, below, k.key)
		await(t, k.hints, "a")
		await(t, k.watched, "a")
	}
	within(t, "messages arrive", kv.Opened)
	for _, k := range all {
		if err := client.Del(t.Context(), prefix+k.key).Err(); err != nil {
			t.Fatal(err)
		}
		await(t, k.watched, missing)
	}
	// They may have been read once more before it was known that messages arrive.
	for _, k := range all[3:] {
		select {
		case pair := <-k.hints:
			t.Errorf("told %+v", pair)
		default:
		}
	}
}

func TestHintsArePolledWhereMessagesAreNotAllowed(t *testing.T) {
	server := servers.Redis(t)
	admin := clientOf(t, server.Addr)
	if err := admin.Do(t.Context(), "ACL", "SETUSER", "deaf", "on", ">secret", "~*", "&*", "+@all", "-subscribe").Err(); err != nil {
		t.Fatal(err)
	}
	client := goredis.NewClient(&goredis.Options{Addr: server.Addr, Username: "deaf", Password: "secret"})
	defer client.Close()
	kv := newStore(t, client, redis.WithPoll(20*time.Millisecond))
	defer kv.Close()
	put(t, kv, key, "a", nil, 0)
	hints, err := kv.Hints(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	await(t, hints, "a")
	if err := admin.Del(t.Context(), key).Err(); err != nil {
		t.Fatal(err)
	}
	await(t, hints, missing)
}

func TestWatchGoesOnAfterARestart(t *testing.T) {
	server := servers.Redis(t)
	kv := newStore(t, clientOf(t, server.Addr), redis.WithPoll(time.Hour))
	other := newStore(t, clientOf(t, server.Addr))
	pair := put(t, kv, key, "a", nil, 0)
	w := watch(t, kv, key)
	await(t, w, "a")
	server.Restart()
	// Whether it has subscribed again by now or not: it looks when it has.
	put(t, other, key, "b", pair, 0)
	await(t, w, "b")
}

// TestWatchLeavesAConnectionThatIsDeaf: if the server is gone without closing the
// connection, it seems that nothing changes.
func TestWatchLeavesAConnectionThatIsDeaf(t *testing.T) {
	addr := servers.Shared(t, "redis").Addr
	r := newRelay(t, addr)
	client := goredis.NewClient(&goredis.Options{Addr: r.addr, ReadTimeout: 200 * time.Millisecond})
	defer client.Close()
	kv := newStore(t, client, redis.WithPoll(time.Hour))
	defer kv.Close()
	kv.SetSilence(50 * time.Millisecond)
	other := newStore(t, clientOf(t, addr), redis.WithPoll(time.Hour))
	key := freshKey(t)
	pair := put(t, kv, key, "a", nil, 0)
	w := watch(t, kv, key)
	await(t, w, "a")
	r.deafen()
	put(t, other, key, "b", pair, 0)
	await(t, w, "b")
}
