package httpapi_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-a1d591d3/leadership/httpapi"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
)

// BenchmarkServer measures what a server on Redis answers in a second to 200 clients, each
// with a connection of its own: renewals, each of another election, and elections of new
// rounds, beside a request that does nothing.
func BenchmarkServer(b *testing.B) {
	const clients = 200
	addr := servers.Shared(b, "redis").Addr
	client := goredis.NewClient(&goredis.Options{Addr: addr})
	defer client.Close()
	kv, err := store.Open(b.Context(), "redis://"+addr+"?prefix=bench-server:")
	if err != nil {
		b.Fatal(err)
	}
	defer kv.Close()
	api, err := httpapi.New(kv)
	if err != nil {
		b.Fatal(err)
	}
	defer api.Close()
	server := httptest.NewServer(api)
	defer server.Close()
	conns := make([]net.Conn, clients)
	replies := make([]*bufio.Reader, clients)
	for i := range conns {
		var d net.Dialer
		if conns[i], err = d.DialContext(b.Context(), "tcp", server.Listener.Addr().String()); err != nil {
			b.Fatal(err)
		}
		defer conns[i].Close()
		replies[i] = bufio.NewReader(conns[i])
	}
	ask := func(i, want int, request string) {
		if _, err := io.WriteString(conns[i], request); err != nil {
			b.Error(err)
			return
		}
		r, err := http.ReadResponse(replies[i], nil)
		if err != nil {
			b.Error(err)
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil || r.StatusCode != want {
			b.Error(r.Status, err)
		}
	}
	get := func(path string) string {
		return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nX-Leadership-Node: node-a\r\n\r\n"
	}
	claim := func(i int) string {
		body := fmt.Sprintf(`{"node":"node-%d","instance":"instance-of-holder-%d","ttl":"1h"}`, i, i)
		return fmt.Sprintf("POST /api/v1/elections/e%d/claim HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", i, len(body), body)
	}
	var n atomic.Int64
	started := time.Now().UnixNano()
	for _, c := range []struct {
		name string
		f    func(i int)
	}{
		{"alive", func(i int) { ask(i, http.StatusOK, get("/alive")) }},
		{"renew", func(i int) { ask(i, http.StatusOK, claim(i)) }},
		{"elect", func(i int) {
			ask(i, http.StatusAccepted, get(fmt.Sprintf("/api/v1/elect/bench/%d-%d", started, n.Add(1))))
		}},
	} {
		b.Run(c.name, func(b *testing.B) { measure(b, client, clients, "requests", c.f) })
	}
}
