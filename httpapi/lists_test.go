package httpapi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/internal/observe"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// observing runs a test in virtual time against a handler that observes kv, whose
// metrics are asked for.
func observing(t *testing.T, test func(t *testing.T, kv *faultstore.Store, h *Handler)) {
	synctest.Test(t, func(t *testing.T) {
		kv := faultstore.New(memory.New())
		h, err := New(kv, WithObserved("service/"))
		if err != nil {
			t.Fatal(err)
		}
		reader, err := h.observer.ReadAll("", nil, "", false)
		if err != nil {
			t.Fatal(err)
		}
		test(t, kv, h)
		h.observer.Leave(reader)
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		_ = kv.Close()
		time.Sleep(time.Minute)
	})
}

// A list that cannot be read is no empty one, whether it is the first page that fails or the
// last, and whatever asks for it.
func TestListThatCannotBeReadIsNotAnEmptyOne(t *testing.T) {
	for _, failing := range []int{1, 3} {
		synctest.Test(t, func(t *testing.T) {
			inner := memory.New()
			for i := range 2500 { // of several pages
				electiontest.Claim(t, inner, fmt.Sprintf("service/%04d", i), "a", time.Hour)
			}
			var seq atomic.Int64
			kv := faultstore.New(inner, faultstore.WithPlan(func(c faultstore.Call) faultstore.Fault {
				if c.Op == faultstore.OpList && seq.Add(1) >= int64(failing) {
					return faultstore.Fault{Err: store.ErrNotReachable}
				}
				return faultstore.Fault{}
			}))
			h, err := New(kv, WithObserved(""))
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range []string{"/api/v1/elections", "/api/v1/rounds?system=cleaning"} {
				seq.Store(0)
				if path == "/api/v1/rounds?system=cleaning" && failing > 1 {
					continue // it is one list
				}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
				if w.Code != 500 || !strings.Contains(w.Body.String(), "error") {
					t.Errorf("%s: %d %s", path, w.Code, w.Body)
				}
			}
			seq.Store(0)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
			if !strings.Contains(w.Body.String(), "\nleadership_elections_known 0\n") {
				t.Error("metrics do not tell that it is not known which elections there are")
			}
			seq.Store(-1 << 40)
			time.Sleep(time.Minute)
			w = httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
			if !strings.Contains(w.Body.String(), "\nleadership_elections_known 1\n") {
				t.Error("metrics do not tell that it is known again")
			}
			if err := h.Close(); err != nil {
				t.Error(err)
			}
			_ = kv.Close()
		})
	}
}

func TestJunkSystemsDoNotKeepOthersFromBeingSwept(t *testing.T) {
	observing(t, func(t *testing.T, _ *faultstore.Store, h *Handler) {
		for i := range maxSystems + 10 {
			ask(t, h, 202, "GET", fmt.Sprintf("/api/v1/elect/junk%d/1?node=a", i), "")
		}
		ask(t, h, 202, "GET", "/api/v1/elect/real/1?node=a", "")
		if names := h.sweeping(); !slices.Contains(names, "real") || len(names) != maxSystems {
			t.Errorf("%d systems are swept, and not the one that was asked for last", len(names))
		}
	})
}

func TestReaderWhoNamesTooManySystemsIsRefused(t *testing.T) {
	observing(t, func(t *testing.T, _ *faultstore.Store, h *Handler) {
		query := "/api/v1/events?"
		for i := range observe.MaxNamed + 1 {
			query += fmt.Sprintf("system=%d&", i)
		}
		ask(t, h, 400, "GET", query, "")
	})
}

func TestListTellsWhichLeadersHaveFallenSilent(t *testing.T) {
	observing(t, func(t *testing.T, kv *faultstore.Store, h *Handler) {
		electiontest.Claim(t, kv, "service/dead", "a", 10*time.Second)
		claims := leadership.NewClaims(kv, "service/alive")
		b := leadership.Claim{Node: "b", Instance: "instance-of-holder-b", TTL: 10 * time.Second}
		for i := range 6 {
			if got, err := claims.Claim(t.Context(), b); err != nil || !got.Won {
				t.Fatal(got, err)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/elections", nil))
			want := 0
			if i > 3 { // three seconds each
				want = 1
			}
			if n := strings.Count(w.Body.String(), `"expired":true`); n != want || !strings.Contains(w.Body.String(), "service/alive") {
				t.Errorf("after %d s: %s", 3*i, w.Body)
			}
			time.Sleep(3 * time.Second)
		}
	})
}

// TestElectionThatTakesTheKeyOfWhatWasNoneIsTold deletes what is in the way of an
// election.
func TestElectionThatTakesTheKeyOfWhatWasNoneIsTold(t *testing.T) {
	observing(t, func(t *testing.T, kv *faultstore.Store, h *Handler) {
		_, pair, err := kv.AtomicPut(t.Context(), "service/a", []byte("in the way"), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		list := func() string {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/elections", nil))
			return w.Body.String()
		}
		list()
		time.Sleep(10 * time.Second)
		list()
		if _, err := kv.AtomicDelete(t.Context(), "service/a", pair); err != nil {
			t.Fatal(err)
		}
		electiontest.Claim(t, kv, "service/a", "a", time.Hour)
		if told := list(); !strings.Contains(told, "service/a") {
			t.Errorf("the list is %s", told)
		}
		time.Sleep(time.Minute)
		if n := len(h.observer.Elections()); n != 1 {
			t.Errorf("%d elections are observed", n)
		}
	})
}
