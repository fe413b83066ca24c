package httpapi_test

import (
	"sync/atomic"
	"testing"

	"github.com/seed-a1d591d3/leadership/httpapi"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// TestTokensOfASourceAreThoseOfNow: while it has none no request is served.
func TestTokensOfASourceAreThoseOfNow(t *testing.T) {
	const fixed, read, write = "fixed-fixed-fixed-fixed", "read-read-read-read", "write-write-write-write"
	type tokens struct{ read, write []string }
	var now atomic.Pointer[tokens]
	now.Store(new(tokens))
	server := serve(t, memory.New(),
		httpapi.WithTokenSource(func() (read, write []string) { t := now.Load(); return t.read, t.write }),
		httpapi.WithTokens([]string{fixed}, nil))
	want := func(token string, looks, elects int) {
		t.Helper()
		for path, status := range map[string]int{"/api/v1/completed/sys/1": looks, "/api/v1/elect/sys/1?node=a": elects} {
			if response, _ := send(t, server, "GET", path, "", "Authorization", "Bearer "+token); response.StatusCode != status {
				t.Errorf("%q %s: %d, want %d", token, path, response.StatusCode, status)
			}
		}
	}
	want("", 401, 401)
	want(write, 401, 401)
	want(fixed, 204, 403)
	now.Store(&tokens{[]string{read}, []string{write, "", "short"}})
	want("", 401, 401)
	want("short", 401, 401)
	want(read, 204, 403)
	want(write, 204, 202)
	now.Store(&tokens{[]string{write}, nil})
	want(read, 401, 401)
	want(write, 204, 403)
	want(fixed, 204, 403)
}
