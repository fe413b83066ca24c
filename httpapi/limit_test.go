package httpapi_test

import (
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/seed-a1d591d3/leadership/httpapi"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// An outage of any length, of a store that ignores its contexts.
func TestRequestsDoNotPileUpOnAStoreThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := faultstore.New(memory.New())
		api, err := httpapi.New(kv)
		if err != nil {
			t.Fatal(err)
		}
		kv.IgnoreContexts(true)
		kv.Partition()
		var all sync.WaitGroup
		for range 300 {
			all.Go(func() {
				for _, path := range []string{"/api/v1/elected/sys/1", "/api/v1/elect/sys/1?node=a", "/api/v1/rounds?system=sys"} {
					w := httptest.NewRecorder()
					if api.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", path, nil)); w.Code != 500 {
						t.Errorf("%s: %d", path, w.Code)
					}
				}
			})
		}
		all.Wait()
		calls := 0
		for _, op := range []faultstore.Op{faultstore.OpGet, faultstore.OpAtomicPut, faultstore.OpList} {
			calls += kv.Calls(op)
		}
		// Readers, rounds, lists. Shared reads make fewer.
		if most := 16 + 64 + 2; calls < 3 || calls > most {
			t.Errorf("%d calls of the store are under way, want %d at most", calls, most)
		}
		if err := kv.Close(); err != nil { // they return
			t.Error(err)
		}
		if err := api.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestTooManyWhoWaitForALeaderToObeyAreToldToComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api, err := httpapi.New(memory.New())
		if err != nil {
			t.Fatal(err)
		}
		asked := func(path, body string) *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			api.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "POST", election(path), strings.NewReader(body)))
			return w
		}
		if w := asked("/claim", `{"node":"a","ttl":"1h"}`); w.Code != 200 {
			t.Fatal(w.Code, w.Body)
		}
		var waited, refused atomic.Int32
		var all sync.WaitGroup
		for range 1030 {
			all.Go(func() {
				switch w := asked("/requests", `{"action":"resign","wait":"1s"}`); {
				case w.Code == 503 && w.Header().Get("Retry-After") == "1":
					refused.Add(1)
				case w.Code == 202:
					waited.Add(1)
				default:
					t.Errorf("%d %s", w.Code, w.Body)
				}
			})
		}
		all.Wait()
		if waited.Load() != 1024 || refused.Load() != 6 {
			t.Errorf("%d have waited, and %d were refused", waited.Load(), refused.Load())
		}
		if err := api.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestTooManyWhoAwaitAreToldToComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api, err := httpapi.New(memory.New())
		if err != nil {
			t.Fatal(err)
		}
		codes := make(map[int]int)
		var mu sync.Mutex
		var all sync.WaitGroup
		for range 1030 {
			all.Go(func() {
				w := httptest.NewRecorder()
				api.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/api/v1/await/sys/1?timeout=50ms", nil))
				mu.Lock()
				defer mu.Unlock()
				codes[w.Code]++
				if w.Code == 503 && w.Header().Get("Retry-After") != "1" {
					t.Error("it does not say when")
				}
			})
		}
		all.Wait()
		if codes[204] != 1024 || codes[503] != 6 {
			t.Errorf("got %v", codes)
		}
		if err := api.Close(); err != nil {
			t.Error(err)
		}
	})
}
