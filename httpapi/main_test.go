package httpapi_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-a1d591d3/leadership/httpapi"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
)

func TestMain(m *testing.M) {
	goredis.SetLogger(silent{})
	os.Exit(servers.VerifyMain(m, closeBrowser))
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// serve runs a handler for as long as the test.
func serve(t testing.TB, kv store.Store, opts ...httpapi.Option) *httptest.Server {
	t.Helper()
	api, err := httpapi.New(kv, append(opts, nil)...)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(nil)
	server.Config = httpapi.NewServer("", api)
	server.Start()
	t.Cleanup(func() {
		if err := api.Close(); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	return server
}

// send makes a request, on a connection of its own, and returns the answer and
// its body.
func send(t testing.TB, server *httptest.Server, method, path, body string, headers ...string) (*http.Response, string) {
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

// expect makes a request and checks the status and the body: after a * it is what
// the body has to contain.
func expect(t testing.TB, server *httptest.Server, method, path, body string, status int, answer string, headers ...string) *http.Response {
	t.Helper()
	response, got := send(t, server, method, path, body, headers...)
	part, some := strings.CutPrefix(answer, "*")
	if response.StatusCode != status || some && !strings.Contains(got, part) || !some && got != answer {
		t.Errorf("%s %s: %d %q, want %d %q", method, path, response.StatusCode, got, status, answer)
	}
	return response
}
