package redis_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-a1d591d3/leadership/internal/servers"
)

func TestManyCallsAtOnceShareFewConnections(t *testing.T) {
	addr := servers.Redis(t).Addr
	kv := openURL(t, "redis://"+addr)
	defer kv.Close()
	admin := goredis.NewClient(&goredis.Options{Addr: addr, PoolSize: 1})
	defer admin.Close()
	connections := func() int {
		list, err := admin.ClientList(t.Context()).Result()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(list, "\n") - 1 // without this one
	}
	for range 10 {
		if err := admin.ClientPause(t.Context(), 20*time.Millisecond).Err(); err != nil { // so that all need one
			t.Fatal(err)
		}
		var calls sync.WaitGroup
		for range 100 {
			calls.Go(func() { _, _ = kv.Get(t.Context(), "key", nil) })
		}
		calls.Wait()
	}
	if n := connections(); n > 8 {
		t.Errorf("%d connections", n)
	}
}
