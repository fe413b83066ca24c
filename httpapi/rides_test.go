package httpapi

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
)

func TestTermsThatRideAreServed(t *testing.T) {
	observing(t, func(t *testing.T, kv *faultstore.Store, h *Handler) {
		const ttl = 10 * time.Second
		link := faultstore.New(kv)
		session := leadership.NewSession(link, "service/", "a", ttl)
		var riders []*leadership.Candidate
		for _, key := range []string{"service/x", "service/y"} {
			c := leadership.NewCandidate(link, key, "a", ttl, leadership.WithSession(session))
			c.RunForElection(t.Context())
			riders = append(riders, c)
		}
		get := func(path string) string {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/elections"+path, nil))
			return w.Body.String()
		}
		const x = "/api/v1/elections/service%2Fx"
		claim := `{"node": "b", "instance": "instance-of-holder-b", "ttl": "10s"}`
		time.Sleep(time.Second)
		for range 10 {
			list := get("?prefix=service/")
			if strings.Count(list, `"session":"service/sessions/`) != 2 || strings.Count(list, `"key":`) != 2 || strings.Contains(list, "expired") {
				t.Errorf("the list: %s", list)
			}
			if one := get("/service%2Fx"); !strings.Contains(one, `"session":"service/sessions/`) || strings.Contains(one, "expired") {
				t.Errorf("one: %s", one)
			}
			ask(t, h, 200, "GET", x+"/leader?node=a", "")
			ask(t, h, 409, "POST", x+"/claim", claim)
			ask(t, h, 409, "DELETE", x+"?wait=1s", "")
			time.Sleep(3 * time.Second)
		}
		_, key, _ := strings.Cut(get("/service%2Fx"), `"session":"`)
		key, _, _ = strings.Cut(key, `"`)
		ask(t, h, 409, "DELETE", "/api/v1/elections/"+strings.ReplaceAll(key, "/", "%2F"), "")
		if !riders[0].IsLeader() || !riders[1].IsLeader() {
			t.Error("a rider does not lead any more")
		}
		link.Partition()
		time.Sleep(5 * time.Second)
		ask(t, h, 409, "POST", x+"/claim", claim)
		time.Sleep(6 * time.Second)
		if list := get("?prefix=service/"); strings.Count(list, `"key":`) != 2 {
			t.Errorf("the list: %s", list)
		}
		ask(t, h, 503, "GET", x+"/leader?node=a", "")
		time.Sleep(4 * time.Second) // since a claim saw the last beat
		ask(t, h, 200, "POST", x+"/claim", claim)
		if one := get("/service%2Fy"); !strings.Contains(one, `"last":{"leader":"a",`) || strings.Contains(one, `"free_in_ms"`) {
			t.Errorf("another of the session that has ended: %s", one)
		}
		ask(t, h, 204, "DELETE", "/api/v1/elections/service%2Fy", "")
		link.Heal()
		for _, c := range riders {
			c.Stop()
		}
		time.Sleep(ttl)
	})
}
