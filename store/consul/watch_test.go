package consul_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
)

// next returns what a watch sends next.
func next(t *testing.T, pairs <-chan *store.KVPair) (*store.KVPair, bool) {
	t.Helper()
	select {
	case pair, ok := <-pairs:
		return pair, ok
	case <-time.After(10 * time.Second):
		t.Fatal("the watch is silent")
		return nil, false
	}
}

func wantNext(t *testing.T, pairs <-chan *store.KVPair, want uint64) {
	t.Helper()
	if pair, ok := next(t, pairs); !ok || pair.LastIndex != want || (pair.Value == nil) != (want == 0) {
		t.Errorf("the watch sent %+v, %v; want index %d", pair, ok, want)
	}
}

func watch(t *testing.T, kv store.Store, key string) <-chan *store.KVPair {
	t.Helper()
	pairs, err := kv.Watch(t.Context(), key, nil)
	if err != nil {
		t.Fatal(err)
	}
	return pairs
}

func TestWatchGoesOnAfterARestart(t *testing.T) {
	server := servers.New(t, "consul")
	kv := newStore(t, server.Addr)
	pairs := watch(t, kv, "a")
	wantNext(t, pairs, 0)
	first := put(t, kv, "a", "first", nil)
	wantNext(t, pairs, first.LastIndex)
	server.Restart()
	second := put(t, newStore(t, server.Addr), "a", "second", first)
	wantNext(t, pairs, second.LastIndex)
}

func TestWatchOfAMissingKeyStandsManyOtherWrites(t *testing.T) {
	kv, _ := open(t)
	pairs := watch(t, kv, "busy/missing")
	wantNext(t, pairs, 0)
	var other *store.KVPair
	for range 200 {
		other = put(t, kv, "busy/other", "x", other)
	}
	wantNext(t, pairs, put(t, kv, "busy/missing", "here", nil).LastIndex)
}

// agent returns a store on an agent with the given answers.
func agent(t *testing.T, answer http.HandlerFunc) store.Store {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return newStore(t, server.Listener.Addr().String())
}

func found(w http.ResponseWriter, index int) {
	w.Header().Set("X-Consul-Index", fmt.Sprint(index))
	fmt.Fprintf(w, `[{"Key": "a", "Value": "eA==", "ModifyIndex": %d}]`, index)
}

func TestWatchDoesNotAskWithoutPause(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"nothing new": func(w http.ResponseWriter, _ *http.Request) { found(w, 7) },
		"no index":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) },
		"an error":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
	} {
		t.Run(name, func(t *testing.T) {
			asked := make(chan time.Time, 100)
			kv := agent(t, func(w http.ResponseWriter, r *http.Request) {
				select {
				case asked <- time.Now():
				default:
				}
				answer(w, r)
			})
			watch(t, kv, "a")
			first, sixth := <-asked, time.Time{}
			for range 5 {
				sixth = <-asked
			}
			// The first may find something new; 10, 20, 40 and 80 ms.
			if took := sixth.Sub(first); took < 150*time.Millisecond {
				t.Errorf("it asked six times in %v", took)
			}
		})
	}
}

func TestWatchBeginsAnewWhenTheLogDoes(t *testing.T) {
	var restored atomic.Bool
	kv := agent(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !restored.Swap(true):
			found(w, 100)
		case r.URL.Query().Has("index"):
			found(w, 3)
			if _, consistent := r.URL.Query()["consistent"]; consistent {
				t.Error("a look that waits asks a majority each time")
			}
		default:
			found(w, 5)
		}
	})
	pairs := watch(t, kv, "a")
	wantNext(t, pairs, 100)
	wantNext(t, pairs, 5)
}

func TestWatchIsClosedWhenTheTokenIsRefused(t *testing.T) {
	var refused atomic.Bool
	kv := agent(t, func(w http.ResponseWriter, _ *http.Request) {
		if refused.Swap(true) {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		found(w, 5)
	})
	pairs := watch(t, kv, "a")
	wantNext(t, pairs, 5)
	if pair, ok := next(t, pairs); ok {
		t.Errorf("the watch sent %+v", pair)
	}
}

func TestLostReplyOfAWriteIsNoRefusalAndIsNotSentAgain(t *testing.T) {
	var writes atomic.Int64
	kv := agent(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			found(w, 5)
			return
		}
		writes.Add(1)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		conn.Close()
	})
	// On a connection that has been used: those are tried again.
	previous, err := kv.Get(t.Context(), "a", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = kv.AtomicPut(t.Context(), "a", []byte("b"), previous, nil)
	for _, refusal := range []error{nil, store.ErrKeyModified, store.ErrKeyExists, store.ErrKeyNotFound} {
		if errors.Is(err, refusal) {
			t.Errorf("AtomicPut: %v", err)
		}
	}
	if n := writes.Load(); n != 1 {
		t.Errorf("it was sent %d times", n)
	}
}
