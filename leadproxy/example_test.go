package leadproxy_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
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

// A node that leads serves the requests itself.
func ExampleOption() {
	leads := fixed{Leader: "anna", Token: 7}
	options := []leadproxy.Option{
		leadproxy.WithLocal(leads, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintln(w, "served here")
		})),
		leadproxy.WithTimeout(5 * time.Second),
	}
	proxy := leadproxy.New(leads, options...)
	answer := httptest.NewRecorder()
	proxy.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/orders", nil))
	fmt.Print(answer.Body)
	// Output: served here
}

// fixed is a Source that knows one term.
type fixed leadership.Term

func (f fixed) Term() (leadership.Term, bool) { return leadership.Term(f), f.Token != 0 }

// Who leads may be known from elsewhere than a Follower.
func ExampleSource() {
	leader := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { fmt.Println("anna is asked") }))
	defer leader.Close()
	var source leadproxy.Source = fixed{Leader: "anna", Token: 7, Payload: []byte(leader.URL)}

	proxy := leadproxy.New(source)
	defer proxy.CloseIdleConnections()
	proxy.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/orders", nil))
	// Output: anna is asked
}

// The payload is not an address, but a name in a table of addresses.
func ExampleProxy() {
	leader := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Println("anna has got", r.URL.Path) }))
	defer leader.Close()
	addresses := map[string]string{"a": leader.URL}

	proxy := leadproxy.New(fixed{Leader: "anna", Token: 7, Payload: []byte("a")},
		leadproxy.WithTarget(func(payload []byte) (*url.URL, error) { return url.Parse(addresses[string(payload)]) }),
		leadproxy.WithServedBy())
	defer proxy.CloseIdleConnections()
	answer := httptest.NewRecorder()
	proxy.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/orders", nil))
	fmt.Println(answer.Code, "by", answer.Header().Get(leadproxy.ServedByHeader))
	// Output:
	// anna has got /orders
	// 200 by anna
}
