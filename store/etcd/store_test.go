package etcd_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/namespace"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/etcd"
	"github.com/seed-a1d591d3/leadership/store/storetest"
)

func TestConformance(t *testing.T) {
	server := servers.New(t, "etcd")
	proxy := servers.NewProxy(t, server.Addr)
	storetest.Run(t, func(t testing.TB) store.Store {
		t.Helper()
		kv, err := store.Open(t.Context(), "etcd://"+proxy.Addr+"/conformance")
		if err != nil {
			t.Fatal(err)
		}
		return kv
	}, storetest.Capabilities{
		TTL:    time.Second,
		Expiry: 2 * time.Second, // rounded up to a second, and a second late
		Server: server,
		Cut:    proxy.Cut,
	})
}

func TestElections(t *testing.T) {
	server := servers.New(t, "etcd")
	electiontest.Run(t, electiontest.Env{
		// Not by URL: that wants a server which is there.
		Open:   func(t testing.TB) store.Store { return onClient(t, server.Addr, etcd.DialOptions()...) },
		Server: server,
	})
}

func TestCloseLeavesTheClientAlone(t *testing.T) {
	client := newClient(t, servers.Shared(t, "etcd").Addr)
	defer client.Close()
	kv := etcd.New(client)
	for range 2 {
		if err := kv.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := kv.Get(t.Context(), "key", nil); !errors.Is(err, store.ErrClosed) {
		t.Errorf("%v; want ErrClosed", err)
	}
	if _, err := client.Get(t.Context(), "key"); err != nil {
		t.Error(err)
	}
}

// TestReplacedKVIsUsed: package namespace of etcd works by that.
func TestReplacedKVIsUsed(t *testing.T) {
	addr := servers.Shared(t, "etcd").Addr
	kv := onClient(t, addr)
	defer kv.Close()
	kv.client.KV = namespace.NewKV(kv.client.KV, "space/")
	key := newKey(t)
	if _, _, err := kv.AtomicPut(t.Context(), key, []byte("a"), nil, nil); err != nil {
		t.Fatal(err)
	}
	all := onClient(t, addr)
	defer all.Close()
	if _, err := all.Get(t.Context(), "space/"+key, nil); err != nil {
		t.Error(err)
	}
}

// TestPairWithoutAnIndexIsNoPrevious: a watch carries such a pair for a missing key.
func TestPairWithoutAnIndexIsNoPrevious(t *testing.T) {
	kv := onClient(t, servers.Shared(t, "etcd").Addr)
	defer kv.Close()
	if _, _, err := kv.AtomicPut(t.Context(), newKey(t), []byte("a"), new(store.KVPair), nil); !errors.Is(err, store.ErrKeyNotFound) {
		t.Errorf("%v; want ErrKeyNotFound", err)
	}
}

// TestErrorSaysWhyThereWasNoAnswer: and not only that the deadline has passed.
func TestErrorSaysWhyThereWasNoAnswer(t *testing.T) {
	server := servers.New(t, "etcd")
	kv := onClient(t, server.Addr, etcd.DialOptions()...)
	defer kv.Close()
	server.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := kv.Get(ctx, "key", nil)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("%v; want DeadlineExceeded and the reason", err)
	}
}

// TestPausingClientIsWoken: gRPC pauses for up to two minutes before it connects again.
// This client would pause for an hour.
func TestPausingClientIsWoken(t *testing.T) {
	server := servers.New(t, "etcd")
	kv := onClient(t, server.Addr, grpc.WithConnectParams(grpc.ConnectParams{
		Backoff:           backoff.Config{BaseDelay: time.Hour, Multiplier: 1, MaxDelay: time.Hour},
		MinConnectTimeout: time.Second,
	}))
	defer kv.Close()
	get := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		_, err := kv.Get(ctx, "key", nil)
		return err
	}
	server.Stop()
	if err := get(); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("%v; want DeadlineExceeded", err)
	}
	server.Start()
	var err error
	for range 20 {
		if err = get(); errors.Is(err, store.ErrKeyNotFound) {
			return
		}
	}
	t.Errorf("still %v", err)
}

// own is a store on a client of the test's own.
type own struct {
	*etcd.Store

	client *clientv3.Client
}

func (o own) Close() error {
	o.Store.Close()
	return o.client.Close()
}

// onClient returns a store that closes its client.
func onClient(t testing.TB, addr string, opts ...grpc.DialOption) own {
	t.Helper()
	client := newClient(t, addr, opts...)
	return own{etcd.New(client), client}
}

func newClient(t testing.TB, addr string, opts ...grpc.DialOption) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{addr}, DialOptions: opts, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// newKey returns a new key: the server may be shared, and the test run again.
func newKey(t testing.TB) string { return t.Name() + "/" + rand.Text() }
