// Package apitest makes requests of handlers of the HTTP interface, and reads what
// they are answered with.
package apitest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// Patience is how long a test waits for what has to come.
const Patience = 30 * time.Second

// ElectionKey is one with slashes, as most are.
const ElectionKey = "service/swarm/leader"

// Election is the path of an election's route.
func Election(route string) string {
	return "/api/v1/elections/" + url.PathEscape(ElectionKey) + route
}

// Told is what an election's routes tell.
type Told struct {
	Type     string `json:"type"`
	Key      string `json:"key"`
	Error    string `json:"error"`
	Leader   string `json:"leader"`
	Token    uint64 `json:"token"`
	Beat     string `json:"beat"`
	Instance string `json:"instance"`
	Payload  string `json:"payload"`
	Trust    int64  `json:"trust_ms"`
	TTL      int64  `json:"ttl_ms"`
	Wait     int64  `json:"retry_after_ms"`
	Expired  bool   `json:"expired"`
	Term     struct {
		Leader string `json:"leader"`
		Token  uint64 `json:"token"`
	} `json:"term"`
	Last struct {
		Leader string `json:"leader"`
		Reason string `json:"reason"`
	} `json:"last"`
	AskedAny any `json:"asked"`

	// Of the stream of all elections and of rounds.
	FreeIn int64     `json:"free_in_ms"`
	Vacant time.Time `json:"vacant_since"`
	Past   []any     `json:"terms"`
	System string    `json:"system"`
	Total  int       `json:"total"`
}

// Tell makes a request and reads the JSON that it is answered with.
func Tell(t testing.TB, server *httptest.Server, method, path, body string, status int) Told {
	t.Helper()
	response, answer := Send(t, server, method, path, body) //nolint:bodyclose // Send has read and closed it
	var v Told
	if err := json.Unmarshal([]byte(answer), &v); err != nil || response.StatusCode != status {
		t.Fatalf("%s %s %s: %d %s (%v), want %d", method, path, body, response.StatusCode, answer, err, status)
	}
	return v
}

// Serve runs a server for as long as the test, which closes what it serves first.
func Serve(t testing.TB, config *http.Server, end func() error) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	server.Config = config
	server.Start()
	t.Cleanup(func() {
		if err := end(); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	return server
}

// Send makes a request, on a connection of its own, and returns the answer and
// its body.
func Send(t testing.TB, server *httptest.Server, method, path, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Close = true
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	response, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(answer)
}

// Expect makes a request and checks the status and the body: after a * it is what
// the body has to contain.
func Expect(t testing.TB, server *httptest.Server, method, path, body string, status int, answer string, headers ...string) *http.Response {
	t.Helper()
	response, got := Send(t, server, method, path, body, headers...)
	part, some := strings.CutPrefix(answer, "*")
	if response.StatusCode != status || some && !strings.Contains(got, part) || !some && got != answer {
		t.Errorf("%s %s: %d %q, want %d %q", method, path, response.StatusCode, got, status, answer)
	}
	return response
}

// Contents are all that a store holds.
func Contents(t testing.TB, kv store.Store) string {
	t.Helper()
	pairs, err := kv.List(t.Context(), "", nil)
	if err != nil && !errors.Is(err, store.ErrKeyNotFound) {
		t.Fatal(err)
	}
	lines := []string{}
	for _, pair := range pairs {
		lines = append(lines, fmt.Sprintf("%s %d %s", pair.Key, pair.LastIndex, pair.Value))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
