package httpapi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
)

func TestHealthOfKeysThatAreNoElectionsHasNoLeaderForgotten(t *testing.T) {
	observing(t, func(t *testing.T, kv *faultstore.Store, h *Handler) {
		electiontest.Claim(t, kv, "k", "a", time.Second)
		health := func(key string) int {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/elections/"+key+"/leader?node=a", nil))
			return w.Code
		}
		if code := health("k"); code != http.StatusOK {
			t.Fatalf("%d", code)
		}
		for i := range maxClaims + 1 {
			health(fmt.Sprint("junk-", i))
		}
		synctest.Wait()
		time.Sleep(time.Second)
		if code := health("k"); code != http.StatusServiceUnavailable {
			t.Errorf("%d, though it has been silent for a TTL", code)
		}
	})
}
