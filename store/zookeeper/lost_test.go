package zookeeper_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/zookeeper"
)

// TestUsersClientThatNeverComesBackIsNamed: a server that has lost its data refuses
// go-zookeeper for ever.
func TestUsersClientThatNeverComesBackIsNamed(t *testing.T) {
	server := servers.New(t, "zookeeper")
	kv := zookeeper.New(connect(t, server.Addr))
	defer kv.Close()
	get := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		_, err := kv.Get(ctx, "key", nil)
		return err
	}
	pair := create(t, kv, "key", "a")
	put(t, kv, "key", "b", pair)

	server.Stop()
	if err := get(); strings.Contains(err.Error(), "new client") {
		t.Errorf("said at once: %v", err)
	}
	server.Wipe()
	for began := time.Now(); time.Since(began) < 30*time.Second; {
		err := get()
		if err == nil || errors.Is(err, store.ErrKeyNotFound) {
			t.Fatalf("the client came back: %v", err)
		}
		if strings.Contains(err.Error(), "lost data") && strings.Contains(err.Error(), "give New a new client") {
			if !errors.Is(err, store.ErrNotReachable) {
				t.Errorf("%v is not ErrNotReachable", err)
			}
			return
		}
	}
	t.Errorf("it does not say why: %v", get())
}
