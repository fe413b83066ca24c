package fence_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/kvtools/consul"
	"github.com/kvtools/etcdv3"
	"github.com/kvtools/redis"
	"github.com/kvtools/zookeeper"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/fence"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// kinds make checks of the same resources, as two processes would.
var kinds = map[string]func(t *testing.T) []fence.Checker{
	"memory": func(*testing.T) []fence.Checker { return []fence.Checker{new(fence.Memory)} },
	"kv": func(*testing.T) []fence.Checker {
		kv := memory.New()
		return []fence.Checker{fence.NewKV(kv, "fences"), fence.NewKV(kv, "fences")}
	},
}

func TestExactlyTheTokensBelowTheHighestAreRefused(t *testing.T) {
	for name, open := range kinds {
		t.Run(name, func(t *testing.T) {
			rng := dice(t)
			for range 20 {
				if err := inTurn(t.Context(), open(t), rng, 1000); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestRacingChecksAreInOrder(t *testing.T) {
	for name, open := range kinds {
		t.Run(name, func(t *testing.T) {
			rng := dice(t)
			for range 20 {
				if err := racing(t.Context(), open(t), rng, 8, 100); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

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
			rng := dice(t)
			if err := racing(t.Context(), checks, rng, 12, 60); err != nil {
				t.Fatal(err)
			}
			if err := inTurn(t.Context(), checks, rng, 200); err != nil {
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

func TestWhatNoCheckAccepts(t *testing.T) {
	for name, open := range kinds {
		t.Run(name, func(t *testing.T) {
			for _, c := range []struct {
				resource string
				token    uint64
			}{
				{"orders", 0},
				{"orders", math.MaxInt64 + 1},
				{"", 1},
				{".", 1},
				{"..", 1},
				{"a\x00b", 1},
				{"\xff", 1},
				{strings.Repeat("a", 256), 1},
			} {
				for _, check := range open(t) {
					if err := check.Check(t.Context(), c.resource, c.token); !errors.Is(err, leadership.ErrInvalidArgument) {
						t.Errorf("resource %.20q, token %d: got %v, want ErrInvalidArgument", c.resource, c.token, err)
					}
				}
			}
			longest := strings.Repeat("a", 255)
			for _, check := range open(t) {
				if err := check.Check(t.Context(), longest, math.MaxInt64); err != nil {
					t.Errorf("the longest resource and the highest token: %v", err)
				}
			}
		})
	}
}

func ExampleMemory() {
	var check fence.Memory
	ctx := context.Background()
	fmt.Println(check.Check(ctx, "orders", 7)) // the new leader
	fmt.Println(check.Check(ctx, "orders", 6)) // the old one, which was paused
	// Output:
	// <nil>
	// fence: stale fencing token: 6 for "orders", where 7 has been seen
}
