package httpapi_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	_ "github.com/seed-a1d591d3/leadership/store/redis"
	_ "github.com/seed-a1d591d3/leadership/store/sqlite"
)

// open opens a store for as long as the test.
func open(t testing.TB, url string) store.Store {
	t.Helper()
	kv, err := store.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := kv.Close(); err != nil {
			t.Error(err)
		}
	})
	return kv
}

// backends are the real stores that the service is tested on.
func backends(t *testing.T, f func(t *testing.T, url string)) {
	t.Run("sqlite", func(t *testing.T) { f(t, "sqlite://"+filepath.Join(t.TempDir(), "rounds.db")) })
	t.Run("redis", func(t *testing.T) { f(t, "redis://"+servers.Shared(t, "redis").Addr) })
}

func TestOfTwoHundredClientsOfThreeServersOneWins(t *testing.T) {
	backends(t, func(t *testing.T, url string) {
		var behind [3]*httptest.Server
		for i := range behind {
			behind[i] = serve(t, open(t, url))
		}
		for _, named := range []bool{false, true} {
			const clients = 200
			round := fmt.Sprintf("/crowd/%d-%v", time.Now().UnixNano(), named)
			var won, lost atomic.Int32
			var winner atomic.Pointer[string]
			var all sync.WaitGroup
			for i := range clients {
				all.Go(func() {
					path := "/api/v1/elect" + round
					name := fmt.Sprint("client-", i)
					if named {
						path += "?node=" + name
					}
					response, body := send(t, behind[i%3], "GET", path, "")
					switch response.StatusCode {
					case http.StatusAccepted:
						won.Add(1)
						winner.Store(&name)
					case http.StatusNoContent:
						lost.Add(1)
					default:
						t.Errorf("client %d: %d %q", i, response.StatusCode, body)
					}
				})
			}
			all.Wait()
			if won.Load() != 1 || lost.Load() != clients-1 {
				t.Fatalf("%d have won and %d lost", won.Load(), lost.Load())
			}
			for _, server := range behind {
				_, name := send(t, server, "GET", "/api/v1/elected"+round, "")
				if name == "" || named && name != *winner.Load() {
					t.Errorf("elected is %q", name)
				}
				if named {
					expect(t, server, "GET", "/api/v1/elect"+round+"?node="+name, "", 202, "")
				}
				expect(t, server, "GET", "/api/v1/elect"+round, "", 204, "")
			}
			node := ""
			if named {
				node = "?node=" + *winner.Load()
			}
			expect(t, behind[0], "POST", "/api/v1/complete"+round+node, "result", 200, "")
			for _, server := range behind {
				if response, name := send(t, server, "GET", "/api/v1/completed"+round, ""); response.StatusCode != http.StatusOK || named && name != *winner.Load() {
					t.Errorf("completed: %d %q", response.StatusCode, name)
				}
			}
		}
	})
}

// An attempt of one server's client is superseded by one of another's.
func TestAttemptIsSupersededAcrossServers(t *testing.T) {
	backends(t, func(t *testing.T, url string) {
		one, two := serve(t, open(t, url)), serve(t, open(t, url))
		round := fmt.Sprintf("/attempts/%d", time.Now().UnixNano())
		const ttl = 300 * time.Millisecond
		expect(t, one, "GET", "/api/v1/elect"+round+"?node=a&attempt_ttl=300ms", "", 202, "")
		began := time.Now()
		for {
			response, body := send(t, two, "GET", "/api/v1/elect"+round+"?node=b&attempt_ttl=300ms", "")
			if response.StatusCode == http.StatusAccepted {
				break
			}
			if response.StatusCode != http.StatusNoContent || time.Since(began) > 30*time.Second {
				t.Fatalf("%d %q after %v", response.StatusCode, body, time.Since(began))
			}
			time.Sleep(5 * time.Millisecond)
		}
		if took := time.Since(began); took < ttl {
			t.Errorf("superseded after %v", took)
		}
		expect(t, one, "POST", "/api/v1/complete"+round+"?node=a&attempt=1", "", 400, "*superseded")
		expect(t, two, "POST", "/api/v1/complete"+round+"?node=b&attempt=2", "done", 200, "")
		expect(t, one, "GET", "/api/v1/completed"+round, "", 200, "b")
	})
}
