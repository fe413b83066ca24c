package etcd_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"

	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store/etcd"
)

// counting returns a dial option that counts requests.
func counting(n *atomic.Int64) grpc.DialOption {
	return grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		n.Add(1)
		return invoke(ctx, method, request, reply, conn, opts...)
	})
}

func TestManyKeysCostFewRequests(t *testing.T) {
	const n = 10_000
	var requests atomic.Int64
	kv := onClient(t, servers.Shared(t, "etcd").Addr, counting(&requests))
	defer kv.Close()
	prefix := t.Name() + fmt.Sprint(rand.Uint64())
	value := strings.Repeat("v", 300)
	var puts []clientv3.Op
	var dense, sparse []string
	for i := range n {
		dense = append(dense, fmt.Sprint(prefix, "/dense/", i))
		puts = append(puts, clientv3.OpPut(dense[i], value))
		if i%5 == 0 {
			sparse = append(sparse, dense[i])
		}
	}
	for some := range slices.Chunk(puts, 100) {
		if _, err := kv.client.Txn(t.Context()).Then(some...).Commit(); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		keys []string
		most int64
	}{
		"all below a prefix":  {dense, 12},
		"some below a prefix": {append(slices.Clone(dense[:9000]), dense[0]+"/none", dense[n-1]+"/none"), 12},
		"one in five":         {sparse, 1 + 20},
		"100":                 {sparse[:100], 1},
		"none":                {[]string{prefix + "/none"}, 1},
	} {
		rand.Shuffle(len(test.keys), func(i, j int) { test.keys[i], test.keys[j] = test.keys[j], test.keys[i] })
		requests.Store(0)
		pairs, err := kv.GetMany(t.Context(), test.keys)
		t.Logf("%s: %d requests", name, requests.Load())
		if made := requests.Load(); err != nil || made > test.most {
			t.Errorf("%s: %d requests, %v", name, made, err)
		}
		for i, pair := range pairs {
			if there := !strings.HasSuffix(test.keys[i], "/none"); there != (pair != nil) || there && (pair.Key != test.keys[i] || string(pair.Value) != value) {
				t.Fatalf("%s: in place of %s: %+v", name, test.keys[i], pair)
			}
		}
	}
}

// TestManyKeysNeedNoRightToWhatIsBetweenThem: a user may read each of them, and not all
// from the first to the last.
func TestManyKeysNeedNoRightToWhatIsBetweenThem(t *testing.T) {
	f := startFake(t)
	f.txns.Store(1)
	f.refusal = rpctypes.ErrGRPCPermissionDenied // of ranges
	f.found = &mvccpb.KeyValue{Key: []byte("key0"), Value: []byte("value"), ModRevision: 8}
	kv := onClient(t, f.addr, etcd.DialOptions()...)
	defer kv.Close()
	var keys []string
	for i := range 101 {
		keys = append(keys, fmt.Sprint("key", i))
	}
	pairs, err := kv.GetMany(t.Context(), keys)
	if err != nil || len(pairs) != len(keys) || pairs[0] == nil || pairs[1] != nil || f.txns.Load() != 3 {
		t.Errorf("%d pairs, %v, after %d transactions", len(pairs), err, f.txns.Load()-1)
	}
}
