package httpapi_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/httpapi"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// crowded runs a test in virtual time against a handler on kv.
func crowded(t *testing.T, plan faultstore.Plan, test func(t *testing.T, kv *faultstore.Store, api *httpapi.Handler), opts ...httpapi.Option) {
	synctest.Test(t, func(t *testing.T) {
		kv := faultstore.New(memory.New(), faultstore.WithPlan(plan))
		api, err := httpapi.New(kv, opts...)
		if err != nil {
			t.Fatal(err)
		}
		test(t, kv, api)
		if err := api.Close(); err != nil {
			t.Error(err)
		}
		_ = kv.Close()
		time.Sleep(time.Minute)
	})
}

// asked makes a request of a handler.
func asked(ctx context.Context, api http.Handler, method, path, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	api.ServeHTTP(w, httptest.NewRequestWithContext(ctx, method, path, strings.NewReader(body)))
	return w
}

// However many readers there are, by any route, and however slow the store is to answer
// them, no claim, renewal, round or operator's request waits or is refused.
func TestReadersLeaveRoomForThoseWhoChangeSomething(t *testing.T) {
	const slow = 4 * time.Second
	plan := func(c faultstore.Call) faultstore.Fault {
		if c.Op == faultstore.OpList || strings.HasPrefix(c.Key, "read") {
			return faultstore.Fault{Before: slow}
		}
		return faultstore.Fault{}
	}
	for name, path := range map[string]string{
		"lists of rounds":         "/api/v1/rounds?system=read-%d",
		"lists of elections":      "/api/v1/elections?prefix=read-%d/",
		"winners":                 "/api/v1/elected/read-%d/1",
		"completers":              "/api/v1/completed/read-%d/1",
		"awaits of many rounds":   "/api/v1/await/read-%d/1?timeout=1m",
		"awaits of one round":     "/api/v1/await/sys/%.0d1?timeout=1m",
		"looks":                   "/api/v1/elections/read-%d",
		"health checks":           "/api/v1/elections/read-%d/leader?node=a",
		"streams of one election": "/api/v1/elections/read-%d/events",
		"streams of everything":   "/api/v1/events?system=read-%d",
		"scrapes":                 "/metrics?%d",
		"pages":                   "/?%d",
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			crowded(t, plan, func(t *testing.T, _ *faultstore.Store, api *httpapi.Handler) {
				ctx, cancel := context.WithCancel(t.Context())
				var readers sync.WaitGroup
				for i := range 2000 {
					readers.Go(func() {
						if w := asked(ctx, api, "GET", fmt.Sprintf(path, i), ""); w.Code == 400 || w.Code == 405 {
							t.Errorf("reader: %d %s", w.Code, w.Body)
						}
					})
				}
				time.Sleep(time.Second)
				for _, r := range []struct {
					method, path, body string
					status             int
				}{
					{"POST", election("leader/claim"), `{"node":"a","instance":"instance-of-holder-a"}`, 200},
					{"POST", election("leader/claim"), `{"node":"a","instance":"instance-of-holder-a"}`, 200},
					{"POST", election("leader/requests"), `{"action":"pause","keep":true}`, 200},
					{"POST", election("leader/requests"), `{"action":"resume"}`, 200},
					{"POST", election("leader/resign"), `{"instance":"instance-of-holder-a"}`, 204},
					{"GET", "/api/v1/elect/job/1?node=a", "", 202},
					{"POST", "/api/v1/complete/job/1?node=a", "done", 200},
				} {
					began := time.Now()
					if w := asked(t.Context(), api, r.method, r.path, r.body); w.Code != r.status || time.Since(began) > 100*time.Millisecond {
						t.Errorf("%s: %d %s after %v", r.path, w.Code, w.Body, time.Since(began))
					}
				}
				cancel()
				readers.Wait()
			}, httpapi.WithObserved("", "read-rounds"))
		})
	}
}

func TestAwaitsOfOneRoundShareOneWatch(t *testing.T) {
	crowded(t, nil, func(t *testing.T, kv *faultstore.Store, api *httpapi.Handler) {
		const clients = 900
		var all sync.WaitGroup
		for range clients {
			all.Go(func() {
				if w := asked(t.Context(), api, "GET", "/api/v1/await/sys/1?timeout=1m", ""); w.Code != 200 || w.Body.String() != "a" {
					t.Errorf("%d %s", w.Code, w.Body)
				}
			})
		}
		for range 30 { // who leave soon
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				asked(ctx, api, "GET", "/api/v1/await/sys/1?timeout=1m", "")
				if w := asked(t.Context(), api, "GET", "/api/v1/await/sys/1?timeout=1s", ""); w.Code != 204 && w.Code != 503 {
					t.Errorf("%d %s", w.Code, w.Body)
				}
			})
		}
		time.Sleep(20 * time.Second)
		if n := kv.Calls(faultstore.OpWatch); n != 1 {
			t.Errorf("%d watches", n)
		}
		if n := kv.Calls(faultstore.OpGet); n > 2*clients {
			t.Errorf("%d reads for %d clients", n, clients)
		}
		for _, path := range []string{"elect", "complete"} {
			asked(t.Context(), api, "GET", "/api/v1/"+path+"/sys/1?node=a", "")
		}
		all.Wait()
	})
}

func TestListsOfTheSameAreReadTogether(t *testing.T) {
	plan := faultstore.Always(faultstore.Fault{Before: 10 * time.Millisecond}, faultstore.OpList)
	crowded(t, plan, func(t *testing.T, kv *faultstore.Store, api *httpapi.Handler) {
		var all sync.WaitGroup
		for range 500 {
			for _, path := range []string{"/api/v1/rounds?system=sys", "/api/v1/elections?prefix=service/"} {
				all.Go(func() {
					if w := asked(t.Context(), api, "GET", path, ""); w.Code != 200 {
						t.Errorf("%s: %d %s", path, w.Code, w.Body)
					}
				})
			}
		}
		all.Wait()
		if n := kv.Calls(faultstore.OpList); n > 8 {
			t.Errorf("%d lists of the store", n)
		}
	})
}
