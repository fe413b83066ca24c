package redis

import (
	"context"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-a1d591d3/leadership/internal/servers"
)

func TestDirectoryIsWatchedAgainAfterAnEarlyEnd(t *testing.T) {
	client := goredis.NewClient(&goredis.Options{Addr: servers.Redis(t).Addr})
	t.Cleanup(func() { client.Close() })
	kv, err := New(client)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kv.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := kv.Hints(ctx, "other"); err != nil { // keeps the subscription
		t.Fatal(err)
	}
	for !kv.hints.opened() {
		time.Sleep(time.Millisecond)
	}
	early := topic{name: literal.Replace(channel("service/")) + "*", pattern: true}
	l := &listener{changed: func(string) {}, refused: func(error) {}}
	for i := range 20 {
		kv.join(ctx, early, l)
		kv.leave(early, l) // before the server has confirmed it
		// An answer that comes later belongs to a subscription that is not wanted any more.
		if err := kv.client.Ping(ctx).Err(); err != nil {
			t.Fatal(err)
		}
		watching, end := context.WithCancel(ctx)
		hints, err := kv.HintsBelow(watching, "service/")
		if err != nil {
			t.Fatal(err)
		}
		<-hints // it stands
		if _, _, err := kv.AtomicPut(ctx, "service/"+string(rune('a'+i)), []byte("a"), nil, nil); err != nil {
			t.Fatal(err)
		}
		select {
		case <-hints:
		case <-time.After(5 * time.Second):
			t.Fatalf("no hint in 5 s, at try %d; hears: %v", i, kv.hints.hears(early))
		}
		end()
		for range hints {
		}
	}
}
