package httpapi_test

import (
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/httpapi"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	_ "github.com/seed-a1d591d3/leadership/store/consul"
)

// An agent allows an address 200 connections, and for one reader all elections are
// looked at.
func TestMoreElectionsThanConsulLetsInConnectionsAreServed(t *testing.T) {
	const (
		elections = 250
		limit     = 200
		at        = "/api/v1/elections/"
	)
	consul := servers.Plain(t, "consul")
	server := serve(t, open(t, "consul://"+consul.Addr), httpapi.WithObserved("service/"))
	path := func(i int) string { return at + url.PathEscape(fmt.Sprintf("service/%d/leader", i)) }
	claim := func(i int) {
		body := fmt.Sprintf(`{"node":"node-%d","instance":"instance-of-holder-%d","ttl":"1m"}`, i, i)
		if response, answer := send(t, server, "POST", path(i)+"/claim", body); response.StatusCode != http.StatusOK {
			t.Errorf("claim of %d: %d %s", i, response.StatusCode, answer)
		}
	}
	// each calls f for each election, 32 at once.
	each := func(what string, f func(i int)) {
		began := time.Now()
		next := make(chan int)
		var all sync.WaitGroup
		for range 32 {
			all.Go(func() {
				for i := range next {
					f(i)
				}
			})
		}
		for i := range elections {
			next <- i
		}
		close(next)
		all.Wait()
		t.Logf("%s: %v, the agent has %d connections", what, time.Since(began).Round(time.Millisecond), consul.Connections())
	}
	each("claims", claim)

	reader := followAll(t, server, "?prefix=service/", "")
	known := make(map[string]bool)
	for len(known) < elections {
		if event := reader.next(); event.Type == "leader" {
			known[event.Key] = true
		}
	}
	for range 2 {
		each("renewals", claim)
	}
	for _, request := range []string{`{"action":"pause","keep":true,"by":"olga"}`, `{"action":"resume","by":"olga"}`} {
		if response, answer := send(t, server, "POST", path(7)+"/requests", request); response.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", request, response.StatusCode, answer)
		}
	}
	each("looks", func(i int) {
		if v := tell(t, server, "GET", path(i), "", http.StatusOK); v.Term.Leader != fmt.Sprintf("node-%d", i) && v.Leader != fmt.Sprintf("node-%d", i) {
			t.Errorf("election %d is led by %q", i, v.Term.Leader)
		}
	})
	// Others of this machine have to get in as well.
	if n := consul.Connections(); n > limit/2 {
		t.Errorf("the agent has %d connections, of %d", n, limit)
	}
}
