package fence_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/kvtools/consul"
	"github.com/kvtools/etcdv3"
	"github.com/kvtools/redis"
	"github.com/kvtools/zookeeper"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/fence"
	"github.com/seed-a1d591d3/leadership/internal/fencetest"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
)

func TestKVOnRealStores(t *testing.T) {
	for name, open := range map[string]func(ctx context.Context, addr string) (store.Store, error){
		"etcd": func(ctx context.Context, addr string) (store.Store, error) {
			return etcdv3.New(ctx, []string{addr}, nil)
		},
		"consul": func(ctx context.Context, addr string) (store.Store, error) {
			return consul.New(ctx, []string{addr}, nil)
		},
		"zookeeper": func(ctx context.Context, addr string) (store.Store, error) {
			return zookeeper.New(ctx, []string{addr}, &zookeeper.Config{ConnectionTimeout: 1500 * time.Millisecond})
		},
		"redis": func(ctx context.Context, addr string) (store.Store, error) {
			return redis.NewWithCodec(ctx, []string{addr}, nil, &redis.JSONCodec{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := servers.New(t, name)
			var checks []fence.Checker
			for range 3 {
				kv, err := open(context.Background(), server.Addr)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { kv.Close() })
				checks = append(checks, fence.NewKV(kv, "app/fences"))
			}
			rng := fencetest.Dice(t)
			if err := fencetest.Racing(t.Context(), checks, rng, 12, 60); err != nil {
				t.Fatal(err)
			}
			if err := fencetest.InTurn(t.Context(), checks, rng, 200); err != nil {
				t.Fatal(err)
			}
			for _, resource := range []string{"with/slash", "with space", "ü"} {
				if err := checks[0].Check(t.Context(), resource, 2); err != nil {
					t.Error(err)
				}
				if err := checks[1].Check(t.Context(), resource, 1); !errors.Is(err, fence.ErrStale) {
					t.Errorf("resource %q: got %v, want ErrStale", resource, err)
				}
			}
		})
	}
}

func TestRedisWithoutJSONCodecIsRefused(t *testing.T) {
	kv, err := redis.New(context.Background(), []string{servers.Redis(t).Addr}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = kv.Close() }()
	for token := range uint64(3) {
		if err := fence.NewKV(kv, "fences").Check(t.Context(), "orders", token+1); !errors.Is(err, leadership.ErrUnsafeStore) {
			t.Errorf("token %d: got %v, want ErrUnsafeStore", token+1, err)
		}
	}
}
