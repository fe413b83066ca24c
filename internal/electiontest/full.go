package electiontest

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// proxy is between a store and its server.
type proxy interface {
	Stop()
	Start()
}

// Full checks a store whose server has as many connections as it allows, all of other
// programs: its errors, and those of open, contain what is wanted, which is the cause and
// the remedy; and once there is room it works again by itself. It connects through
// proxy. fill makes other programs connect.
func Full(t *testing.T, proxy proxy, open func(ctx context.Context) (store.Store, error), fill func() (free func()), want ...string) {
	t.Helper()
	limited := func(what string, call func(ctx context.Context) error) error {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		err := call(ctx)
		if err != nil {
			t.Logf("%s: %v", what, err)
		}
		return err
	}
	refused := func(what string, call func(ctx context.Context) error) {
		t.Helper()
		err := limited(what, call)
		if err == nil {
			t.Errorf("%s: no error while the server is full", what)
			return
		}
		for _, part := range want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: the error has no %q: %v", what, part, err)
			}
		}
	}

	kv, err := open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer kv.Close()
	key := "service/full-" + rand.Text()[:8] // the server may be shared, and the test run again
	_, pair, err := kv.AtomicPut(t.Context(), key, []byte("before"), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	watch, err := kv.Watch(t.Context(), key, nil)
	if err != nil {
		t.Fatal(err)
	}
	awaitValue(t, watch, "before")

	proxy.Stop()
	free := fill()
	proxy.Start()
	get := func(ctx context.Context) error { _, err := kv.Get(ctx, key, nil); return err }
	refused("get", get)
	refused("open", func(ctx context.Context) error {
		second, err := open(ctx)
		if err == nil {
			second.Close()
		}
		return err
	})

	free()
	began := time.Now()
	for limited("get again", get) != nil {
		if time.Since(began) > 10*time.Second {
			t.Fatal("it does not work again although there is room")
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Logf("it worked %v after there was room", time.Since(began).Round(time.Millisecond))
	if _, _, err = kv.AtomicPut(t.Context(), key, []byte("after"), pair, nil); err != nil {
		t.Fatal(err)
	}
	awaitValue(t, watch, "after")
}

// awaitValue reads a watch until it has carried value.
func awaitValue(t *testing.T, watch <-chan *store.KVPair, value string) {
	t.Helper()
	late := time.After(10 * time.Second)
	for {
		select {
		case pair, open := <-watch:
			if !open {
				t.Fatalf("the watch has ended before it carried %q", value)
			}
			if string(pair.Value) == value {
				return
			}
		case <-late:
			t.Fatalf("the watch has not carried %q", value)
		}
	}
}
