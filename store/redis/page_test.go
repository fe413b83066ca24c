package redis_test

import (
	"fmt"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store/redis"
)

func TestPagesReadNoMoreThanWanted(t *testing.T) {
	client := goredis.NewClient(&goredis.Options{Addr: servers.Redis(t).Addr})
	defer client.Close()
	kv, err := redis.New(client)
	if err != nil {
		t.Fatal(err)
	}
	defer kv.Close()
	const n = 2500
	pipe := client.Pipeline()
	for i := range n {
		pipe.HSet(t.Context(), fmt.Sprintf("some/%d", i), "v", "value", "i", 1)
		pipe.HSet(t.Context(), fmt.Sprintf("other/%d", i), "v", "value", "i", 1)
	}
	pipe.Set(t.Context(), "some/foreign7", "not of this store", 0)
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	found, values := make(map[string]bool), 0
	for from, pages := "", 0; pages == 0 || from != ""; pages++ {
		pairs, next, err := kv.Page(t.Context(), "some/", from, func(key string) bool { return strings.HasSuffix(key, "7") })
		if err != nil {
			t.Fatal(err)
		}
		for _, pair := range pairs {
			if wanted := strings.HasSuffix(pair.Key, "7"); wanted != (pair.Value != nil) || wanted && pair.LastIndex != 1 {
				t.Fatalf("%+v", pair)
			}
			if pair.Value != nil && !found[pair.Key] {
				values++
			}
			found[pair.Key] = true
		}
		from = next
	}
	if len(found) != n || values != n/10 {
		t.Errorf("%d keys and %d values", len(found), values)
	}
	if _, _, err := kv.Page(t.Context(), "some/", "nowhere", nil); err == nil {
		t.Error("a page begins nowhere")
	}
}
