package consul_test

import (
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/consul"
)

// An agent lets an address have 200 connections.
func TestGroupOf300LeadsAllAtTheAgentsOwnLimit(t *testing.T) {
	server := servers.Plain(t, "consul")
	env := electiontest.Env{Open: func(t testing.TB) store.Store { return consul.New(newClient(t, server.Addr)) }}
	all, lost := electiontest.Crowd(t, env, 300, 12*time.Second, nil)
	if lost != 0 {
		t.Errorf("%d terms were lost", lost)
	}
	t.Logf("all were led after %v", all)
}
