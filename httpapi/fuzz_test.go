package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/httpapi"
	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// fuzzed runs a test of a handler in virtual time, with a client of it.
func fuzzed(t *testing.T, test func(t *testing.T, kv *memory.Store, ask func(r *http.Request) *httptest.ResponseRecorder)) {
	synctest.Test(t, func(t *testing.T) {
		kv := memory.New()
		api, err := httpapi.New(kv)
		if err != nil {
			t.Fatal(err)
		}
		test(t, kv, func(r *http.Request) *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			api.ServeHTTP(w, r.WithContext(ctx))
			return w
		})
		if err := api.Close(); err != nil {
			t.Error(err)
		}
		_ = kv.Close()
	})
}

// isName reports whether a text may name a system, round or node.
func isName(s string) bool {
	return s != "" && len(s) <= 128 && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

func isRound(s string) bool { return isName(s) && s != "." && s != ".." && !strings.Contains(s, "/") }

// FuzzNames: whatever systems, rounds and nodes are called, each round has one winner, who
// is told back by its name, and no two rounds are one; what is no name changes nothing.
func FuzzNames(f *testing.F) {
	f.Fuzz(func(t *testing.T, system, round, node, otherSystem, otherRound, otherNode string) {
		fuzzed(t, func(t *testing.T, kv *memory.Store, ask func(r *http.Request) *httptest.ResponseRecorder) {
			get := func(route, system, round, node string) (int, string) {
				target := "/api/v1/" + route + "/" + url.PathEscape(system) + "/" + url.PathEscape(round)
				if node != "" {
					target += "?node=" + url.QueryEscape(node)
				}
				w := ask(httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil))
				if w.Code >= 500 {
					t.Errorf("%s: %d %s", target, w.Code, w.Body)
				}
				return w.Code, w.Body.String()
			}
			if node == "" || otherNode == "" {
				return // named by its address
			}
			status, _ := get("elect", system, round, node)
			if !isRound(system) || !isRound(round) || !isName(node) {
				if status < 400 || contents(t, kv) != "" {
					t.Errorf("system %q, round %q, node %q: %d, and there is %s", system, round, node, status, contents(t, kv))
				}
				return
			}
			if status != http.StatusAccepted {
				t.Fatalf("system %q, round %q, node %q: %d", system, round, node, status)
			}
			if status, told := get("elected", system, round, ""); status != http.StatusOK || told != node {
				t.Errorf("%q has won, and %d %q is told", node, status, told)
			}
			if !isRound(otherSystem) || !isRound(otherRound) || !isName(otherNode) {
				return
			}
			same := system == otherSystem && round == otherRound
			want := http.StatusAccepted
			if same && node != otherNode {
				want = http.StatusNoContent
			}
			if status, _ := get("elect", otherSystem, otherRound, otherNode); status != want {
				t.Errorf("after round %q of %q, won by %q, round %q of %q for %q: %d, want %d", round, system, node, otherRound, otherSystem, otherNode, status, want)
			}
			want = http.StatusBadRequest
			if node == otherNode {
				want = http.StatusOK
			}
			if status, _ := get("complete", system, round, otherNode); status != want {
				t.Errorf("%q completes what %q has won: %d", otherNode, node, status)
			}
			if status, _ := get("complete", system, round, node); status != http.StatusOK {
				t.Errorf("%q completes what it has won: %d", node, status)
			}
			if status, told := get("completed", system, round, ""); status != http.StatusOK || told != node {
				t.Errorf("%q has completed it, and %d %q is told", node, status, told)
			}
			var list struct {
				Rounds []struct{ Round, Winner string }
			}
			w := ask(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/rounds?system="+url.QueryEscape(system), nil))
			if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || len(list.Rounds) == 0 || len(list.Rounds) > 2 {
				t.Errorf("the rounds of %q are %s, %v", system, w.Body, err)
			}
		})
	})
}

// FuzzRequest sends what may be a request: it is read by net/http as by a server, which has
// one for an election and a round. It gets no answer that stands for a failure here, and
// changes nothing if it gets a 4xx, or asks for what changes nothing.
func FuzzRequest(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
		if err != nil || strings.HasSuffix(r.URL.Path, "/events") {
			return
		}
		fuzzed(t, func(t *testing.T, kv *memory.Store, ask func(r *http.Request) *httptest.ResponseRecorder) {
			electiontest.Claim(t, kv, electionKey, "a", time.Hour)
			if _, err := leadership.NewRound(kv, "sys", "1", "anna").Elect(t.Context()); err != nil {
				t.Fatal(err)
			}
			before := contents(t, kv)
			r.RemoteAddr = "192.0.2.1:1234"
			w := ask(r)
			unchanged := contents(t, kv) == before
			if w.Code >= 500 && w.Code != http.StatusServiceUnavailable {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			reads := r.Method == http.MethodHead || r.Method == http.MethodOptions ||
				r.Method == http.MethodGet && !strings.HasPrefix(r.URL.Path, "/api/v1/elect/") && !strings.HasPrefix(r.URL.Path, "/api/v1/complete/")
			if (w.Code >= 400 && w.Code < 500 && w.Code != http.StatusConflict || reads) && !unchanged {
				t.Errorf("it was answered by %d, and there is %s; before there was %s", w.Code, contents(t, kv), before)
			}
			if w.Header().Get("Content-Type") == "application/json" && !json.Valid(w.Body.Bytes()) {
				t.Errorf("%s is no JSON", w.Body)
			}
		})
	})
}

// FuzzBody sends bodies to the routes of an election that has a leader, and of one that has
// none. Without the leader's instance the leader stays, and its instance is not told; a
// claim that is won is that of the node of the body; and an invalid one changes nothing.
func FuzzBody(f *testing.F) {
	routes := []string{"/claim", "/resign", "/requests"}
	f.Fuzz(func(t *testing.T, route uint8, vacant bool, body []byte) {
		fuzzed(t, func(t *testing.T, kv *memory.Store, ask func(r *http.Request) *httptest.ResponseRecorder) {
			const secret = "0123456789abcdef0123456789abcdef"
			claims := leadership.NewClaims(kv, electionKey)
			if !vacant {
				if _, err := claims.Claim(t.Context(), leadership.Claim{Node: "holder", Instance: secret, TTL: time.Hour}); err != nil {
					t.Fatal(err)
				}
			}
			before := contents(t, kv)
			path := routes[int(route)%len(routes)]
			w := ask(httptest.NewRequestWithContext(t.Context(), http.MethodPost, election(path), strings.NewReader(string(body))))
			after := contents(t, kv)
			switch {
			case w.Code >= 500, w.Code != http.StatusNoContent && !json.Valid(w.Body.Bytes()):
				t.Errorf("%d %s", w.Code, w.Body)
			case w.Code == http.StatusBadRequest || w.Code == http.StatusRequestEntityTooLarge, w.Code == http.StatusConflict && path == "/claim":
				if after != before {
					t.Errorf("%d %s, and there is %s; before there was %s", w.Code, w.Body, after, before)
				}
			}
			state, err := claims.Look(t.Context())
			if err != nil {
				t.Fatalf("%s: %v", after, err)
			}
			knows := strings.Contains(string(body), secret)
			if !vacant && !knows && state.Term.Leader != "holder" {
				t.Errorf("%s has made %q lead: %s", body, state.Term.Leader, after)
			}
			if !knows && strings.Contains(w.Body.String(), secret) {
				t.Errorf("the secret is told: %s", w.Body)
			}
			if path != "/claim" || w.Code != http.StatusOK {
				return
			}
			var asked, got struct {
				Node, Leader, Instance, Payload string
				Token                           uint64
				Trust                           int64 `json:"trust_ms"`
			}
			if err := json.Unmarshal(body, &asked); err != nil {
				t.Fatalf("%s was accepted: %v", body, err)
			}
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Leader != asked.Node || state.Term.Leader != asked.Node || got.Token != state.Term.Token ||
				got.Trust <= 0 || asked.Instance != "" && got.Instance != asked.Instance || len(got.Instance) < 16 || asked.Token != 0 && asked.Token != got.Token {
				t.Errorf("%s is answered by %s, and there is %s, %v", body, w.Body, after, err)
			}
			if asked.Payload != "" && asked.Payload != string(state.Term.Payload) {
				t.Errorf("%s: the payload is %q", body, state.Term.Payload)
			}
		})
	})
}
