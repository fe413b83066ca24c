package redis_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/redis"
)

// userOf returns a store of a user with these rights besides those to all keys and commands.
func userOf(t *testing.T, addr string, rights ...any) *redis.Store {
	t.Helper()
	set := append([]any{"ACL", "SETUSER", "app", "reset", "on", ">secret", "~*", "+@all"}, rights...)
	if err := clientOf(t, addr).Do(t.Context(), set...).Err(); err != nil {
		t.Fatal(err)
	}
	client := goredis.NewClient(&goredis.Options{Addr: addr, Username: "app", Password: "secret"})
	t.Cleanup(func() { client.Close() })
	kv := newStore(t, client, redis.WithPoll(time.Hour))
	t.Cleanup(func() { kv.Close() })
	return kv
}

// nextHint returns the key of the next hint.
func nextHint(t *testing.T, hints <-chan *store.KVPair) string {
	t.Helper()
	select {
	case pair, open := <-hints:
		if !open {
			t.Fatal("the watch has ended")
		}
		return pair.Key
	case <-time.After(10 * time.Second):
		t.Fatal("there is no hint")
	}
	return ""
}

func TestDirectoryIsWatchedByTheRightToOneAbove(t *testing.T) {
	addr := servers.Redis(t).Addr
	kv := userOf(t, addr, "&leadership:service/*")
	hints, err := kv.HintsBelow(t.Context(), "service/jobs/nightly/")
	if err != nil {
		t.Fatal(err)
	}
	if key := nextHint(t, hints); key != "" {
		t.Errorf("the first hint is about %q", key)
	}
	put(t, kv, "service/other", "a", nil, 0)
	put(t, kv, "service/jobs/nightly/a", "a", nil, 0)
	if key := nextHint(t, hints); key != "service/jobs/nightly/a" {
		t.Errorf("the next hint is about %q", key)
	}
}

func TestDirectoryIsNotWatchedWithoutTheRight(t *testing.T) {
	addr := servers.Redis(t).Addr
	for _, rights := range [][]any{{"&*", "-psubscribe"}, {"&leadership:service/a"}} {
		kv := userOf(t, addr, rights...)
		w := watch(t, kv, "service/a")
		await(t, w, missing)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		_, err := kv.HintsBelow(ctx, "service/")
		cancel()
		if !errors.Is(err, store.ErrCallNotSupported) || !strings.Contains(err.Error(), "NOPERM") {
			t.Errorf("%v: %v", rights, err)
		}
		// The others go on.
		pair := put(t, kv, "service/a", "a", nil, 0)
		await(t, w, "a")
		if _, err := kv.AtomicDelete(t.Context(), "service/a", pair); err != nil {
			t.Fatal(err)
		}
		await(t, w, missing)
	}
}

// TestEndOfAWatchDisturbsNoOther: the user may not unsubscribe.
func TestEndOfAWatchDisturbsNoOther(t *testing.T) {
	addr := servers.Redis(t).Addr
	kv := userOf(t, addr, "&*", "-unsubscribe", "-punsubscribe")
	w := watch(t, kv, "service/a")
	await(t, w, missing)
	pair := put(t, kv, "service/a", "a", nil, 0)
	await(t, w, "a")
	admin := clientOf(t, addr)
	subscriber := func() string {
		list, err := admin.Do(t.Context(), "CLIENT", "LIST", "TYPE", "pubsub").Text()
		if err != nil {
			t.Fatal(err)
		}
		id, _, _ := strings.Cut(list, " ")
		return id
	}
	before := subscriber()
	ctx, cancel := context.WithCancel(t.Context())
	other, err := kv.Watch(ctx, "service/b", nil)
	if err != nil {
		t.Fatal(err)
	}
	await(t, other, missing)
	cancel()
	within(t, "the other watch has ended", func() bool { _, open := <-other; return !open })
	for _, value := range []string{"b", "c"} {
		pair = put(t, kv, "service/a", value, pair, 0)
		await(t, w, value)
	}
	if after := subscriber(); after != before {
		t.Errorf("messages came by connection %s, and then by %s", before, after)
	}
}

// TestRefusedPatternIsNotTakenForAnother: several directories are watched at once, and some only by
// the right to one above.
func TestRefusedPatternIsNotTakenForAnother(t *testing.T) {
	addr := servers.Redis(t).Addr
	for range 10 {
		kv := userOf(t, addr, "&leadership:service/*")
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				directory := fmt.Sprintf("service/jobs/%d/", i)
				hints, err := kv.HintsBelow(t.Context(), directory)
				if err != nil {
					t.Error(err)
					return
				}
				<-hints
				key := fmt.Sprint(directory, rand.Text())
				put(t, kv, key, "a", nil, 0)
				for pair := range hints {
					if pair.Key == key {
						return
					}
				}
				t.Errorf("the watch of %s has ended", directory)
			})
		}
		all.Wait()
		kv.Close()
	}
}
