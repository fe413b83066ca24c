package redis_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/redis"
)

// requests counts the commands that a client sends, and its pipelines as one.
type requests struct{ atomic.Int64 }

func (r *requests) DialHook(next goredis.DialHook) goredis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (r *requests) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		r.Add(1)
		return next(ctx, cmd)
	}
}

func (r *requests) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error {
		r.Add(1)
		return next(ctx, cmds)
	}
}

func TestManyKeysCostFewRequests(t *testing.T) {
	one := goredis.NewClient(&goredis.Options{Addr: servers.Shared(t, "redis").Addr})
	cluster := goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: clusterAddrs(servers.RedisCluster(t)), RouteRandomly: true})
	for name, client := range map[string]goredis.UniversalClient{"one server": one, "cluster": cluster} {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(func() { client.Close() })
			const n = 10_000
			value := strings.Repeat("v", 300)
			pipe := client.Pipeline()
			keys := make([]string, n)
			for i := range keys {
				keys[i] = fmt.Sprint(freshKey(t), "/", i)
				if i%100 == 0 { // of an earlier version
					pipe.HSet(t.Context(), keys[i], "v", value, "i", i)
				} else {
					pipe.Set(t.Context(), keys[i], fmt.Sprintf("%016d %s", i, value), 0)
				}
			}
			if _, err := pipe.Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
			kv := newStore(t, client)
			if _, err := kv.GetMany(t.Context(), keys[:2000]); err != nil { // the server has the scripts then
				t.Fatal(err)
			}
			var r requests
			client.AddHook(&r)
			pairs, err := kv.GetMany(t.Context(), keys)
			if err != nil || len(pairs) != n {
				t.Fatalf("%d pairs, %v", len(pairs), err)
			}
			for i, pair := range pairs {
				if pair == nil || pair.Key != keys[i] || pair.LastIndex != uint64(i) || string(pair.Value) != value {
					t.Fatalf("in place of %s: %+v", keys[i], pair)
				}
			}
			t.Logf("%d requests", r.Load())
			if made := r.Load(); made > 12 {
				t.Errorf("%d requests", made)
			}
		})
	}
}

func TestForeignKeyFailsTheReadOfMany(t *testing.T) {
	client := clientOf(t, servers.Shared(t, "redis").Addr)
	kv, key := newStore(t, client), freshKey(t)
	put(t, kv, key, "value", nil, 0)
	for name, write := range map[string]func(key string) error{
		"text": func(key string) error { return client.Set(t.Context(), key, "not ours", 0).Err() },
		"list": func(key string) error { return client.LPush(t.Context(), key, "a").Err() },
		"hash": func(key string) error { return client.HSet(t.Context(), key, "other", "a").Err() },
	} {
		if err := write(key + name); err != nil {
			t.Fatal(err)
		}
		for _, keys := range [][]string{{key, key + name}, {key + name}} {
			pairs, err := kv.GetMany(t.Context(), keys)
			if pairs != nil || err == nil || isRefusal(err) || !strings.Contains(err.Error(), key+name) || !strings.Contains(err.Error(), "did not write") {
				t.Errorf("%s: %v, %v", name, pairs, err)
			}
		}
	}
}

// TestReadOfManyWaitsForReplicas where none is there.
func TestReadOfManyWaitsForReplicas(t *testing.T) {
	client := clientOf(t, servers.Shared(t, "redis").Addr)
	key := freshKey(t)
	put(t, newStore(t, client), key, "value", nil, 0)
	pairs, err := newStore(t, client, redis.WithReplicas(1)).GetMany(t.Context(), []string{key, key + "/none"})
	if pairs != nil || err == nil || errors.Is(err, store.ErrKeyNotFound) || !strings.Contains(err.Error(), "0 of 1 replicas") {
		t.Errorf("%v, %v", pairs, err)
	}
}
