package httpapi

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func TestOutageIsLoggedAtGrowingIntervals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		kv := faultstore.New(memory.New())
		h, err := New(kv, WithObserved(""), WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"a", "b", "c"} {
			electiontest.Claim(t, kv, key, "a", 15*time.Second)
		}
		get := func(path string) int {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
			return w.Code
		}
		get("/metrics")
		kv.Refuse()
		for range 300 {
			if code := get("/api/v1/elected/sys/1"); code != http.StatusInternalServerError {
				t.Fatal(code)
			}
			get("/metrics")
			time.Sleep(time.Second)
		}
		kv.Heal()
		for range 3 {
			time.Sleep(time.Second)
			if code := get("/api/v1/elected/sys/1"); code != http.StatusNoContent {
				t.Fatal(code)
			}
		}
		time.Sleep(time.Minute)
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		_ = kv.Close()
		if n := strings.Count(log.String(), "\n"); n > 12 {
			t.Errorf("%d lines for an outage of five minutes:\n%s", n, log.String())
		}
		for _, want := range []string{"request failed", "succeed again", "back_after=5m", "known again"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log does not tell %q:\n%s", want, log.String())
			}
		}
	})
}
