package zookeeper_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
)

func watch(t *testing.T, kv store.Store, key string) <-chan *store.KVPair {
	t.Helper()
	pairs, err := kv.Watch(t.Context(), key, nil)
	if err != nil {
		t.Fatal(err)
	}
	return pairs
}

// await reads a watch until it says want, or "" for a missing key.
func await(t *testing.T, pairs <-chan *store.KVPair, want string) {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case pair, ok := <-pairs:
			if !ok {
				t.Fatalf("the watch is closed; want %q", want)
			}
			if string(pair.Value) == want && (want == "") == (pair.Value == nil) {
				return
			}
		case <-late:
			t.Fatalf("the watch does not say %q", want)
		}
	}
}

func TestWatchSeesWhatIsDoneByHand(t *testing.T) {
	base := newBase()
	kv, conn := newStore(t, servers.Shared(t, "zookeeper"))
	w := watch(t, kv, base)
	await(t, w, "")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := conn.Create("/"+base, []byte("a"), 0, zk.WorldACL(zk.PermAll))
	must(err)
	await(t, w, "a")
	_, err = conn.Set("/"+base, []byte("b"), -1)
	must(err)
	await(t, w, "b")
	must(conn.Delete("/"+base, -1))
	await(t, w, "")
	_, err = conn.Create("/"+base, nil, 0, zk.WorldACL(zk.PermAll))
	must(err)
	_, err = conn.Set("/"+base, []byte("c"), 0)
	must(err)
	await(t, w, "c")
}

// TestWatchGoesOnThoughTheClientLosesIt drops the client's request to set its watches
// again.
func TestWatchGoesOnThoughTheClientLosesIt(t *testing.T) {
	base := newBase()
	server := servers.Shared(t, "zookeeper")
	var p tap
	kv := storeOn(t, p.connect(t, server.Addr, 2*time.Second))
	other, _ := newStore(t, server)
	pair := create(t, other, base, "a")
	w := watch(t, kv, base)
	await(t, w, "a")

	p.lose(opSetWatches)
	p.block()
	pair = put(t, other, base, "while it was away", pair)
	p.unblock()
	await(t, w, "while it was away")

	// Now there is a watch again: looks alone would take a second each.
	const changes = 10
	began := time.Now()
	for n := range changes {
		value := fmt.Sprint(n)
		pair = put(t, other, base, value, pair)
		await(t, w, value)
	}
	if took := time.Since(began); took > changes/2*time.Second {
		t.Errorf("%d changes were seen within %v", changes, took)
	}
}

// TestWatchOutlivesItsSession lets the server end the session of a client that is cut
// off.
func TestWatchOutlivesItsSession(t *testing.T) {
	base := newBase()
	server := servers.Shared(t, "zookeeper")
	var p tap
	conn := p.connect(t, server.Addr, 400*time.Millisecond)
	kv := storeOn(t, conn)
	other, hand := newStore(t, server)
	pair := create(t, other, base+"/a", "a")
	there, missing := watch(t, kv, base+"/a"), watch(t, kv, base+"/b")
	await(t, there, "a")
	await(t, missing, "")
	if _, err := conn.Create("/"+base+"/session", nil, zk.FlagEphemeral, zk.WorldACL(zk.PermAll)); err != nil {
		t.Fatal(err)
	}
	session := conn.SessionID()

	p.block()
	for {
		exists, _, gone, err := hand.ExistsW("/" + base + "/session")
		if err != nil {
			t.Fatal(err)
		}
		if !exists {
			break
		}
		<-gone
	}
	pair = put(t, other, base+"/a", "while it was away", pair)
	create(t, other, base+"/b", "while it was away")
	p.unblock()
	await(t, there, "while it was away")
	await(t, missing, "while it was away")
	if conn.SessionID() == session {
		t.Error("the session did not end")
	}
	put(t, other, base+"/a", "after it", pair)
	await(t, there, "after it")
}

// TestWatchGoesOnAfterAFailedWrite: the client returns the unchanged error of the
// connection.
func TestWatchGoesOnAfterAFailedWrite(t *testing.T) {
	base := newBase()
	server := servers.Shared(t, "zookeeper")
	var p tap
	kv := storeOn(t, p.connect(t, server.Addr, 2*time.Second))
	other, _ := newStore(t, server)
	pair := create(t, other, base, "a")
	w := watch(t, kv, base)
	await(t, w, "a")
	p.breakAt(opGetData)
	put(t, other, base, "b", pair)
	await(t, w, "b")
}

func TestWatchOfALockedNodeIsClosed(t *testing.T) {
	base := newBase()
	kv, conn := newStore(t, servers.Shared(t, "zookeeper"))
	create(t, kv, base, "a")
	w := watch(t, kv, base)
	await(t, w, "a")
	if _, err := conn.SetACL("/"+base, zk.DigestACL(zk.PermAll, "other", "secret"), -1); err != nil {
		t.Fatal(err)
	}
	select {
	case pair, ok := <-w:
		if ok {
			t.Errorf("the watch sent %v", pair)
		}
	case <-time.After(patience):
		t.Error("the watch is not closed")
	}
}

func TestWatchThatBeginsWithoutAServerWaitsForIt(t *testing.T) {
	server := servers.New(t, "zookeeper")
	server.Stop()
	kv, _ := newStore(t, server)
	ctx, cancel := context.WithCancel(t.Context())
	w := watch(t, kv, "early")
	cancelled, err := kv.Watch(ctx, "early", nil)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if pair, ok := <-cancelled; ok {
		t.Errorf("a watch that was cancelled sent %v", pair)
	}
	server.Start()
	await(t, w, "")
	create(t, kv, "early", "a")
	await(t, w, "a")
}
