package zookeeper_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/zookeeper"
)

// patience is how long a test waits for what should happen by far sooner.
const patience = 20 * time.Second

// newStore returns a store on a client of its own, and that client.
func newStore(t *testing.T, server *servers.Server, opts ...zookeeper.Option) (store.Store, *zk.Conn) {
	t.Helper()
	conn := connect(t, server.Addr)
	return storeOn(t, conn, opts...), conn
}

// storeOn returns a store, which the end of the test closes, on a client.
func storeOn(t *testing.T, conn *zk.Conn, opts ...zookeeper.Option) store.Store {
	t.Helper()
	var kv store.Store = zookeeper.New(conn, opts...)
	t.Cleanup(func() { kv.Close() })
	return kv
}

func create(t *testing.T, kv store.Store, key, value string) *store.KVPair {
	t.Helper()
	return put(t, kv, key, value, nil)
}

func put(t *testing.T, kv store.Store, key, value string, previous *store.KVPair) *store.KVPair {
	t.Helper()
	_, pair, err := kv.AtomicPut(t.Context(), key, []byte(value), previous, nil)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func remove(t *testing.T, kv store.Store, pair *store.KVPair) {
	t.Helper()
	if _, err := kv.AtomicDelete(t.Context(), pair.Key, pair); err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("the error is %v, want %v", err, want)
	}
}

func wantValue(t *testing.T, kv store.Store, key, want string) {
	t.Helper()
	pair, err := kv.Get(t.Context(), key, nil)
	if err != nil || string(pair.Value) != want {
		t.Errorf("Get(%q) = %v, %v; want %q", key, pair, err, want)
	}
}

func wantMissing(t *testing.T, kv store.Store, key string) {
	t.Helper()
	_, err := kv.Get(t.Context(), key, nil)
	wantErr(t, err, store.ErrKeyNotFound)
}

func TestOrdinaryKeysAndValuesLookAsTheyAreGiven(t *testing.T) {
	base := newBase()
	kv, conn := newStore(t, servers.Shared(t, "zookeeper"))
	create(t, kv, base+"/swarm/leader", `{"leader":"underwood"}`)
	data, _, err := conn.Get("/" + base + "/swarm/leader")
	if string(data) != `{"leader":"underwood"}` || err != nil {
		t.Errorf("the node has %q, %v", data, err)
	}
	if _, err := conn.Set("/"+base+"/swarm/leader", []byte("by hand"), -1); err != nil {
		t.Fatal(err)
	}
	wantValue(t, kv, base+"/swarm/leader", "by hand")
}

func TestParentIsNoKeyUntilItIsCreated(t *testing.T) {
	base := newBase()
	kv, _ := newStore(t, servers.Shared(t, "zookeeper"))
	child := create(t, kv, base+"/a/b", "child")
	wantMissing(t, kv, base+"/a")
	wantMissing(t, kv, base)
	pairs, err := kv.List(t.Context(), base, nil)
	if err != nil || len(pairs) != 1 || pairs[0].Key != base+"/a/b" {
		t.Errorf("List = %v, %v", pairs, err)
	}

	parent := create(t, kv, base+"/a", "")
	wantValue(t, kv, base+"/a", "")
	_, _, err = kv.AtomicPut(t.Context(), base+"/a", nil, nil, nil)
	wantErr(t, err, store.ErrKeyExists)

	remove(t, kv, parent)
	wantMissing(t, kv, base+"/a")
	wantValue(t, kv, base+"/a/b", "child")
	put(t, kv, base+"/a/b", "again", child)
}

func TestListLeavesOutNodesThatNoKeyIsIn(t *testing.T) {
	kv, conn := newStore(t, servers.Shared(t, "zookeeper"))
	base := newBase()
	create(t, kv, base+"/%zz", "a")
	create(t, kv, base+"//a", "b")
	for _, node := range []string{"/%zz", "/%zz/a", "/%41"} {
		if _, err := conn.Create("/"+base+node, []byte("foreign"), 0, zk.WorldACL(zk.PermAll)); err != nil {
			t.Fatal(err)
		}
	}
	pairs, err := kv.List(t.Context(), base+"/", nil)
	found := make(map[string]string)
	for _, pair := range pairs {
		found[pair.Key] = string(pair.Value)
	}
	if err != nil || !maps.Equal(found, map[string]string{base + "/%zz": "a", base + "//a": "b"}) {
		t.Errorf("List = %q, %v", found, err)
	}
}

func TestEmptyAndDeletedAreDifferentAfterARestart(t *testing.T) {
	server := servers.New(t, "zookeeper")
	kv, _ := newStore(t, server)
	empty, deleted := create(t, kv, "empty", ""), create(t, kv, "deleted", "")
	remove(t, kv, deleted)
	server.Restart()
	wantValue(t, kv, "empty", "")
	wantMissing(t, kv, "deleted")
	if again := create(t, kv, "deleted", "x"); again.LastIndex <= deleted.LastIndex {
		t.Errorf("index %d after %d", again.LastIndex, deleted.LastIndex)
	}
	put(t, kv, "empty", "x", empty)
}

func TestNodeThatIsDeletedByHandIsMissing(t *testing.T) {
	base := newBase()
	kv, conn := newStore(t, servers.Shared(t, "zookeeper"))
	pair := create(t, kv, base+"/a", "a")
	if err := conn.Delete("/"+base+"/a", -1); err != nil {
		t.Fatal(err)
	}
	wantMissing(t, kv, base+"/a")
	_, _, err := kv.AtomicPut(t.Context(), base+"/a", nil, pair, nil)
	wantErr(t, err, store.ErrKeyNotFound)
	_, err = kv.AtomicDelete(t.Context(), base+"/a", pair)
	wantErr(t, err, store.ErrKeyNotFound)
	create(t, kv, base+"/a", "b")
}

func TestIndexThatIsNoVersionIsRefused(t *testing.T) {
	base := newBase()
	kv, _ := newStore(t, servers.Shared(t, "zookeeper"))
	create(t, kv, base, "a")
	// As a version, each of these is -1, or 0 if its upper half is forgotten.
	for _, index := range []uint64{0, 1 << 32, 1<<32 + 1} {
		_, _, err := kv.AtomicPut(t.Context(), base, []byte("bad"), &store.KVPair{Key: base, LastIndex: index}, nil)
		wantErr(t, err, store.ErrKeyModified)
		_, err = kv.AtomicDelete(t.Context(), base, &store.KVPair{Key: base, LastIndex: index})
		wantErr(t, err, store.ErrKeyModified)
	}
	wantValue(t, kv, base, "a")
}

func TestRoundTrips(t *testing.T) {
	base := newBase()
	var p tap
	kv := storeOn(t, p.connect(t, servers.Shared(t, "zookeeper").Addr, 2*time.Second))
	create(t, kv, base+"/a", "")
	p.ops()
	want := func(what string, ops ...int32) {
		t.Helper()
		if sent := p.ops(); !slices.Equal(sent, ops) {
			t.Errorf("%s: the operations are %v, want %v", what, sent, ops)
		}
	}
	pair := create(t, kv, base+"/b", "")
	want("create", opCreate)
	pair = put(t, kv, base+"/b", "x", pair)
	want("swap", opSetData)
	wantValue(t, kv, base+"/b", "x")
	want("consistent read", opSync, opGetData)
	if _, err := kv.Get(t.Context(), base+"/b", &store.ReadOptions{}); err != nil {
		t.Fatal(err)
	}
	want("read", opGetData)
	remove(t, kv, pair)
	want("delete", opSetData)
}

func TestCallThatWaitsForASessionIsNotSentLater(t *testing.T) {
	server := servers.New(t, "zookeeper")
	kv, _ := newStore(t, server)
	pair := create(t, kv, "a", "a")
	server.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	// The first may find the connection that was cut.
	for n := 0; ; n++ {
		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		_, _, err := kv.AtomicPut(short, fmt.Sprint("late", n), nil, nil, nil)
		cancel()
		if errors.Is(err, store.ErrNotReachable) && errors.Is(err, context.DeadlineExceeded) {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("with the server stopped: %v", err)
		}
	}
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	_, _, err := kv.AtomicPut(short, "a", []byte("late"), pair, nil)
	wantErr(t, err, store.ErrNotReachable)
	server.Start()
	wantValue(t, kv, "a", "a") // sent after it
}

func TestClosedClientIsToldAtOnce(t *testing.T) {
	base := newBase()
	kv, conn := newStore(t, servers.Shared(t, "zookeeper"))
	create(t, kv, base+"/a", "a")
	w, err := kv.Watch(t.Context(), base+"/a", nil)
	if err != nil {
		t.Fatal(err)
	}
	<-w
	conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := kv.Get(ctx, base+"/a", nil); err == nil || ctx.Err() != nil {
		t.Errorf("Get with a closed client: %v, %v", err, ctx.Err())
	}
	select {
	case pair, ok := <-w:
		if ok {
			t.Errorf("the watch sent %v", pair)
		}
	case <-ctx.Done():
		t.Error("the watch of a closed client is not closed")
	}
}

func TestACLKeepsOthersOut(t *testing.T) {
	base := newBase()
	server := servers.Shared(t, "zookeeper")
	mine, conn := newStore(t, server, zookeeper.WithACL(zk.AuthACL(zk.PermAll)))
	if err := conn.AddAuth("digest", []byte("me:secret")); err != nil {
		t.Fatal(err)
	}
	pair := create(t, mine, base+"/a", "a")
	other, _ := newStore(t, server)
	_, err := other.Get(t.Context(), base+"/a", nil)
	wantErr(t, err, zk.ErrNoAuth)
	_, _, err = other.AtomicPut(t.Context(), base+"/a", nil, pair, nil)
	wantErr(t, err, zk.ErrNoAuth)
	_, _, err = other.AtomicPut(t.Context(), base+"/b", nil, nil, nil)
	wantErr(t, err, zk.ErrNoAuth)
	w, err := other.Watch(t.Context(), base+"/a", nil)
	if err != nil {
		t.Fatal(err)
	}
	if pair, ok := <-w; ok {
		t.Errorf("the watch sent %v", pair)
	}
	wantValue(t, mine, base+"/a", "a")
}

// TestFewRightsAreEnough uses a login without rights above the prefix, and without the
// rights to delete or to change rights beneath it.
func TestFewRightsAreEnough(t *testing.T) {
	base := newBase()
	server := servers.Shared(t, "zookeeper")
	admin := connect(t, server.Addr)
	if err := admin.AddAuth("digest", []byte("admin:secret")); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Create("/"+base, nil, 0, zk.AuthACL(zk.PermAll)); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Create("/"+base+"/app", nil, 0, zk.DigestACL(zk.PermRead|zk.PermCreate, "app", "app")); err != nil {
		t.Fatal(err)
	}
	kv, conn := newStore(t, server, zookeeper.WithACL(zk.DigestACL(zk.PermRead|zk.PermWrite|zk.PermCreate, "app", "app")))
	if err := conn.AddAuth("digest", []byte("app:app")); err != nil {
		t.Fatal(err)
	}
	pair := create(t, kv, base+"/app/a/b", "a")
	pair = put(t, kv, base+"/app/a/b", "b", pair)
	remove(t, kv, pair)
	create(t, kv, base+"/app/a/b", "c")
	wantValue(t, kv, base+"/app/a/b", "c")
	if pairs, err := kv.List(t.Context(), base+"/app/", nil); err != nil || len(pairs) != 1 {
		t.Errorf("List = %v, %v", pairs, err)
	}
}

// settle reads a key until the client has recovered, and wants it unchanged.
func settle(t *testing.T, kv store.Store, want *store.KVPair) *store.KVPair {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		pair, err := kv.Get(ctx, want.Key, nil)
		if err == nil {
			if string(pair.Value) != string(want.Value) || pair.LastIndex != want.LastIndex {
				t.Errorf("Get(%q) = %v, want %v", want.Key, pair, want)
			}
			return pair
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}
