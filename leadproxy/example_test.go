package leadproxy_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/leadproxy"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// A node that does not lead sends requests to the leader.
func ExampleNew() {
	const key, ttl = "service/swarm/leader", time.Second
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	kv := memory.New()
	defer kv.Close()

	leader := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "anna has got", r.URL.Path)
	}))
	defer leader.Close()
	candidate := leadership.NewCandidate(kv, key, "anna", ttl, leadership.WithPayload([]byte(leader.URL)))
	elected, _ := candidate.RunForElection(ctx)

	follower := leadership.NewFollower(kv, key)
	leaders, _ := follower.FollowElection(ctx)
	<-leaders // until there is a leader

	proxy := leadproxy.New(follower)
	defer proxy.CloseIdleConnections()
	node := httptest.NewServer(proxy)
	defer node.Close()
	response, err := http.Get(node.URL + "/orders")
	if err != nil {
		panic(err)
	}
	defer response.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		panic(err)
	}
	fmt.Print(string(body))

	cancel()
	for range elected { // until the campaign has ended
	}
	for range leaders {
	}
	// Output: anna has got /orders
}
