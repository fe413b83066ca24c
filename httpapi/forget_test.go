package httpapi

import (
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
)

func TestElectionThatIsForgottenIsGoneFromMetrics(t *testing.T) {
	observing(t, func(t *testing.T, kv *faultstore.Store, h *Handler) {
		const path = "/api/v1/elections/service%2Fa"
		claims := leadership.NewClaims(kv, "service/a")
		a, err := claims.Claim(t.Context(), leadership.Claim{Node: "a", TTL: 10 * time.Second})
		if err != nil || !a.Won {
			t.Fatal(a, err)
		}
		time.Sleep(3 * time.Second)
		tells(t, h, `
			leadership_election_held{key="service/a"} 1
			leadership_election_candidates{key="service/a"} 1
			leadership_build_info{goversion="`+runtime.Version()+`",revision="",version="unknown"} 1
			leadership_election_paused{key="service/a"} 0`)
		ask(t, h, http.StatusConflict, http.MethodDelete, path+"?wait=2s", "") // it may be alive
		ask(t, h, http.StatusOK, http.MethodPost, path+"/requests", `{"action":"pause","keep":true}`)
		time.Sleep(time.Second)
		tells(t, h, `leadership_election_paused{key="service/a"} 1`)
		ask(t, h, http.StatusConflict, http.MethodDelete, path, "") // the pause would be lost
		ask(t, h, http.StatusOK, http.MethodPost, path+"/requests", `{"action":"resume"}`)
		ask(t, h, http.StatusNoContent, http.MethodDelete, path, "") // it is silent
		time.Sleep(3 * time.Second)
		if n := len(h.observer.Elections()); n != 0 {
			t.Errorf("%d elections are observed", n)
		}
		ask(t, h, http.StatusNotFound, http.MethodDelete, path, "")
		ask(t, h, http.StatusOK, http.MethodPost, path+"/claim", `{"node":"b"}`)
	})
}
