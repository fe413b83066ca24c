package redis_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/redis"
)

// refusals say for certain that nothing was written.
var refusals = []error{store.ErrKeyExists, store.ErrKeyModified, store.ErrKeyNotFound}

func isRefusal(err error) bool {
	for _, refusal := range refusals {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return false
}

// clientOf returns a client of the settings that go-redis has by itself, which
// the end of the test closes.
func clientOf(t testing.TB, addr string) *goredis.Client {
	t.Helper()
	client := goredis.NewClient(&goredis.Options{Addr: addr})
	t.Cleanup(func() { client.Close() })
	return client
}

func newStore(t testing.TB, client goredis.UniversalClient, opts ...redis.Option) *redis.Store {
	t.Helper()
	kv, err := redis.New(client, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := kv.Close(); err != nil {
			t.Error(err)
		}
	})
	return kv
}

// freshKeys are those of freshKey, by the test.
var freshKeys sync.Map

// freshKey returns a key that no other test uses, nor the same when it runs again.
func freshKey(t testing.TB) string {
	key, _ := freshKeys.LoadOrStore(t, "service/"+t.Name()+rand.Text())
	return key.(string)
}

func put(t testing.TB, kv store.Store, key, value string, previous *store.KVPair, ttl time.Duration) *store.KVPair {
	t.Helper()
	ok, pair, err := kv.AtomicPut(t.Context(), key, []byte(value), previous, &store.WriteOptions{TTL: ttl})
	if err != nil || !ok {
		t.Fatalf("AtomicPut(%q) = %v, %v", value, ok, err)
	}
	return pair
}

func wantValue(t testing.TB, kv store.Store, key, want string) {
	t.Helper()
	pair, err := kv.Get(t.Context(), key, nil)
	if err != nil || string(pair.Value) != want {
		t.Errorf("Get = %v, %v; want %q", pair, err, want)
	}
}

// TestLostReplyIsNotTakenForARefusal: go-redis sends a command again when its reply was
// lost. Sent again, the script would find its own first write, and refuse.
func TestLostReplyIsNotTakenForARefusal(t *testing.T) {
	r := newRelay(t, servers.Shared(t, "redis").Addr)
	kv := newStore(t, clientOf(t, r.addr))
	key := freshKey(t)
	warm := put(t, kv, key+"/warm", "a", put(t, kv, key+"/warm", "", nil, 0), 0) // the server knows the scripts, the pool has a connection
	if _, err := kv.AtomicDelete(t.Context(), warm.Key, warm); err != nil {
		t.Fatal(err)
	}

	r.swallowNext()
	if _, _, err := kv.AtomicPut(t.Context(), key, []byte("a"), nil, nil); err == nil || isRefusal(err) {
		t.Errorf("a create whose reply was lost: %v", err)
	}
	wantValue(t, kv, key, "a")
	pair, err := kv.Get(t.Context(), key, nil)
	if err != nil {
		t.Fatal(err)
	}

	r.swallowNext()
	if _, _, err := kv.AtomicPut(t.Context(), key, []byte("b"), pair, nil); err == nil || isRefusal(err) {
		t.Errorf("a swap whose reply was lost: %v", err)
	}
	wantValue(t, kv, key, "b")
	if pair, err = kv.Get(t.Context(), key, nil); err != nil {
		t.Fatal(err)
	}

	r.swallowNext()
	if _, err := kv.AtomicDelete(t.Context(), key, pair); err == nil || isRefusal(err) {
		t.Errorf("a delete whose reply was lost: %v", err)
	}
	if _, err := kv.Get(t.Context(), key, nil); !errors.Is(err, store.ErrKeyNotFound) {
		t.Errorf("Get after it: %v", err)
	}

	put(t, kv, key, "c", nil, 0)
	r.swallowNext()
	wantValue(t, kv, key, "c") // a read is sent again
}

// counter counts the round trips of a client.
type counter struct{ trips atomic.Int64 }

func (c *counter) DialHook(next goredis.DialHook) goredis.DialHook { return next }

func (c *counter) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error { c.trips.Add(1); return next(ctx, cmd) }
}

func (c *counter) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error { c.trips.Add(1); return next(ctx, cmds) }
}

func TestEachCallIsOneRoundTrip(t *testing.T) {
	client := clientOf(t, servers.Shared(t, "redis").Addr)
	kv := newStore(t, client)
	key := freshKey(t)
	round := func() {
		t.Helper()
		pair := put(t, kv, key, "b", put(t, kv, key, "a", nil, 0), time.Hour)
		wantValue(t, kv, key, "b")
		if _, err := kv.AtomicDelete(t.Context(), key, pair); err != nil {
			t.Fatal(err)
		}
	}
	round()
	var c counter
	client.AddHook(&c)
	round()
	if n := c.trips.Load(); n != 4 {
		t.Errorf("4 calls made %d round trips", n)
	}

	if err := client.ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	round() // a server that has forgotten the scripts is told them again
}

// TestRecordCanBeReadByPeople reads a record by GET.
func TestRecordCanBeReadByPeople(t *testing.T) {
	client := clientOf(t, servers.Shared(t, "redis").Addr)
	pair := put(t, newStore(t, client), freshKey(t), "value", nil, 0)
	if text, err := client.Get(t.Context(), pair.Key).Result(); err != nil || text != fmt.Sprintf("%016d value", pair.LastIndex) {
		t.Errorf("GET = %q, %v; want %d and the value", text, err, pair.LastIndex)
	}
}

// Earlier versions can read a hash alone.
func TestRecordOfAnEarlierVersionStaysOne(t *testing.T) {
	client := clientOf(t, servers.Shared(t, "redis").Addr)
	kv := newStore(t, client)
	key := freshKey(t)
	const index = 1_700_000_000_000_000
	if err := client.HSet(t.Context(), key, "v", "a", "i", index).Err(); err != nil {
		t.Fatal(err)
	}
	pair, err := kv.Get(t.Context(), key, nil)
	if err != nil || string(pair.Value) != "a" || pair.LastIndex != index {
		t.Fatalf("Get = %+v, %v", pair, err)
	}
	if _, _, err := kv.AtomicPut(t.Context(), key, nil, nil, nil); !errors.Is(err, store.ErrKeyExists) {
		t.Errorf("create what is there: %v", err)
	}
	for _, other := range []*store.KVPair{{Key: key, Value: []byte("b"), LastIndex: index}, {Key: key, Value: []byte("a"), LastIndex: index - 1}} {
		if _, _, err := kv.AtomicPut(t.Context(), key, nil, other, nil); !errors.Is(err, store.ErrKeyModified) {
			t.Errorf("swap what was changed: %v", err)
		}
	}
	for _, ttl := range []time.Duration{time.Hour, 0} {
		pair = put(t, kv, key, fmt.Sprint("for ", ttl), pair, ttl)
		fields, err := client.HGetAll(t.Context(), key).Result()
		if err != nil || len(fields) != 2 || fields["v"] != string(pair.Value) || fields["i"] != strconv.FormatUint(pair.LastIndex, 10) {
			t.Errorf("HGETALL = %v, %v; want %+v", fields, err, pair)
		}
		if left := client.TTL(t.Context(), key).Val(); (left > 0) != (ttl > 0) {
			t.Errorf("with a TTL of %v it has %v left", ttl, left)
		}
	}
	wantValue(t, kv, key, "for 0s")
	if pairs, err := kv.List(t.Context(), key[:len(key)-1], nil); err != nil || len(pairs) != 1 || pairs[0].LastIndex != pair.LastIndex {
		t.Errorf("List = %v, %v", pairs, err)
	}
	if _, err := kv.AtomicDelete(t.Context(), key, pair); err != nil {
		t.Error(err)
	}
}

func TestIndexRisesThoughTheClockWentBack(t *testing.T) {
	client := clientOf(t, servers.Shared(t, "redis").Addr)
	kv := newStore(t, client)
	pair := put(t, kv, freshKey(t), "a", nil, 0)
	pair.LastIndex += 1e10 // microseconds
	if err := client.Set(t.Context(), pair.Key, fmt.Sprintf("%016d a", pair.LastIndex), 0).Err(); err != nil {
		t.Fatal(err)
	}
	if next := put(t, kv, pair.Key, "b", pair, 0); next.LastIndex != pair.LastIndex+1 {
		t.Errorf("index %d after %d", next.LastIndex, pair.LastIndex)
	}
}

func TestForeignKeyIsLeftAlone(t *testing.T) {
	client := clientOf(t, servers.Shared(t, "redis").Addr)
	kv := newStore(t, client)
	for name, write := range map[string]func(key string) error{
		"string":     func(key string) error { return client.Set(t.Context(), key, "theirs", 0).Err() },
		"number":     func(key string) error { return client.Set(t.Context(), key, "1700000000000000", 0).Err() },
		"list":       func(key string) error { return client.RPush(t.Context(), key, "theirs").Err() },
		"other hash": func(key string) error { return client.HSet(t.Context(), key, "name", "theirs").Err() },
	} {
		t.Run(name, func(t *testing.T) {
			key := freshKey(t)
			if err := write(key); err != nil {
				t.Fatal(err)
			}
			before := client.Dump(t.Context(), key).Val()
			want := func(call string, err error) {
				t.Helper()
				if err == nil || isRefusal(err) || !strings.Contains(err.Error(), strconv.Quote(key)) ||
					!strings.Contains(err.Error(), "did not write") {
					t.Errorf("%s: %v", call, err)
				}
			}
			_, err := kv.Get(t.Context(), key, nil)
			want("Get", err)
			_, _, err = kv.AtomicPut(t.Context(), key, []byte("ours"), nil, nil)
			want("create", err)
			_, _, err = kv.AtomicPut(t.Context(), key, []byte("ours"), &store.KVPair{Key: key, LastIndex: 1}, nil)
			want("swap", err)
			_, err = kv.AtomicDelete(t.Context(), key, &store.KVPair{Key: key, LastIndex: 1})
			want("AtomicDelete", err)
			if pairs, err := kv.List(t.Context(), key[:len(key)-1], nil); !errors.Is(err, store.ErrKeyNotFound) {
				t.Errorf("List = %v, %v", pairs, err)
			}
			if after := client.Dump(t.Context(), key).Val(); after != before {
				t.Errorf("it was %q and is %q", before, after)
			}
		})
	}
}

func TestListTakesNoPatterns(t *testing.T) {
	kv := newStore(t, clientOf(t, servers.Shared(t, "redis").Addr))
	for _, special := range []string{"*", "?", "[a]", "[^a]", `\`, `a\*`} {
		prefix := freshKey(t) + special
		put(t, kv, prefix+"x", "", nil, 0)
		pairs, err := kv.List(t.Context(), prefix, nil)
		if err != nil || len(pairs) != 1 || pairs[0].Key != prefix+"x" {
			t.Errorf("List(%q) = %v, %v", prefix, pairs, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	addr := servers.Shared(t, "redis").Addr
	ring := goredis.NewRing(&goredis.RingOptions{Addrs: map[string]string{"a": addr}})
	defer ring.Close()
	client := clientOf(t, addr)
	for want, open := range map[string]func() (*redis.Store, error){
		"nil":          func() (*redis.Store, error) { return redis.New(nil) },
		"Ring":         func() (*redis.Store, error) { return redis.New(ring) },
		"WithReplicas": func() (*redis.Store, error) { return redis.New(client, redis.WithReplicas(-1)) },
		"WithPoll":     func() (*redis.Store, error) { return redis.New(client, redis.WithPoll(0)) },
	} {
		if kv, err := open(); err == nil || kv != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v", want, kv, err)
		}
	}
}

func TestUsersClientIsNotClosed(t *testing.T) {
	client := clientOf(t, servers.Shared(t, "redis").Addr)
	kv := newStore(t, client)
	put(t, kv, freshKey(t), "a", nil, 0)
	if err := kv.Close(); err != nil {
		t.Fatal(err)
	}
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
}

// TestCloseDoesNotWaitForAServerThatHangs: it closes the connections that wait.
func TestCloseDoesNotWaitForAServerThatHangs(t *testing.T) {
	server := servers.Redis(t)
	kv := openURL(t, "redis://"+server.Addr)
	watch, err := kv.Watch(t.Context(), key, nil)
	if err != nil {
		t.Fatal(err)
	}
	<-watch
	server.Freeze()
	failed := make(chan error, 1)
	go func() {
		_, _, err := kv.AtomicPut(t.Context(), key, []byte("a"), nil, nil)
		failed <- err
	}()
	conn, err := net.Dial("tcp", server.Addr) // it takes connections all the same
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	began := time.Now()
	if err := kv.Close(); err != nil {
		t.Error(err)
	}
	if err := <-failed; err == nil || isRefusal(err) {
		t.Errorf("AtomicPut: %v", err)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %v", took)
	}
}
