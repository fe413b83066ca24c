package etcd_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/etcd"
)

// wantTold wants the watch to tell the state of that index next, within reason.
func wantTold(t *testing.T, pairs <-chan *store.KVPair, index uint64) {
	t.Helper()
	select {
	case pair, open := <-pairs:
		if !open || pair.LastIndex != index || (pair.Value == nil) != (index == 0) {
			t.Fatalf("the watch says %+v, %v; want index %d", pair, open, index)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("the watch does not tell index %d", index)
	}
}

// gate lets a client's connections through, or not.
type gate struct {
	mu     sync.Mutex
	closed bool
	conns  []net.Conn
}

func (g *gate) dial(ctx context.Context, addr string) (net.Conn, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, errors.New("the gate is closed")
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err == nil {
		g.conns = append(g.conns, conn)
	}
	return conn, err
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for _, conn := range g.conns {
		conn.Close()
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = false
}

// TestWatchGoesOnAfterACompaction: the server no longer has the changes since the
// connection was lost.
func TestWatchGoesOnAfterACompaction(t *testing.T) {
	addr, key := servers.Shared(t, "etcd").Addr, newKey(t)
	var g gate
	kv := onClient(t, addr, append(etcd.DialOptions(), grpc.WithContextDialer(g.dial))...)
	defer kv.Close()
	pairs, err := kv.Watch(t.Context(), key, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantTold(t, pairs, 0)

	writer := onClient(t, addr)
	defer writer.Close()
	var pair *store.KVPair
	write := func() {
		t.Helper()
		if _, pair, err = writer.AtomicPut(t.Context(), key, []byte("a"), pair, nil); err != nil {
			t.Fatal(err)
		}
	}
	write()
	wantTold(t, pairs, pair.LastIndex) // so the watch is there

	g.close()
	write()
	write()
	if _, err := writer.client.Compact(t.Context(), int64(pair.LastIndex)); err != nil {
		t.Fatal(err)
	}
	g.open()
	wantTold(t, pairs, pair.LastIndex)
	write()
	wantTold(t, pairs, pair.LastIndex)
}

func TestClosingTheClientEndsTheWatch(t *testing.T) {
	client := newClient(t, servers.Shared(t, "etcd").Addr)
	kv := etcd.New(client)
	defer kv.Close()
	pairs, err := kv.Watch(t.Context(), newKey(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	wantTold(t, pairs, 0)
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case pair, open := <-pairs:
		if open {
			t.Errorf("the watch says %+v", pair)
		}
	case <-time.After(10 * time.Second):
		t.Error("the watch goes on")
	}
}
