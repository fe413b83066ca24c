// Leaderproxy: three nodes serve HTTP, and clients may use any of them: nodes that do
// not lead send requests on to the leader. The leader crashes, and until another leads
// clients are told when to try again.
//
//	go run ./examples/leaderproxy
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/leadproxy"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

const (
	key = "service/orders/leader"
	ttl = time.Second
)

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "leaderproxy:", err)
		os.Exit(1)
	}
}

// node is one instance of the service.
type node struct {
	name       string
	url        string
	connection *faultstore.Store
	candidate  *leadership.Candidate
	proxy      *leadproxy.Proxy
	server     *http.Server
}

// start starts a node, which ends with ctx. all waits for its goroutines.
func start(ctx context.Context, all *sync.WaitGroup, kv store.Store, name string) (*node, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	n := &node{name: name, url: "http://" + listener.Addr().String(), connection: faultstore.New(kv)}
	n.candidate = leadership.NewCandidate(n.connection, key, name, ttl, leadership.WithPayload([]byte(n.url)))
	isLeader, _ := n.candidate.RunForElection(ctx)
	follower := leadership.NewFollower(n.connection, key)
	leaders, _ := follower.FollowElection(ctx)

	orders := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s has got %s", name, r.URL.Path)
	})
	n.proxy = leadproxy.New(follower, leadproxy.WithLocal(n.candidate, orders))
	n.server = &http.Server{Handler: n.proxy, ReadHeaderTimeout: 5 * time.Second}
	all.Go(func() { _ = n.server.Serve(listener) }) // until it is closed
	all.Go(func() {
		for range isLeader { // the proxy calls Term by itself
		}
	})
	all.Go(func() {
		for range leaders {
		}
	})
	return n, nil
}

// crash ends a node without notice.
func (n *node) crash() error {
	n.connection.Refuse()
	return n.server.Close()
}

func run(out io.Writer) (err error) {
	say := narrator(out)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	kv := memory.New() // stands for the store that all instances share
	var all sync.WaitGroup
	var nodes []*node
	client := &http.Client{Transport: &http.Transport{}}
	defer func() {
		cancel()
		client.CloseIdleConnections()
		for _, n := range nodes {
			err = errors.Join(err, n.server.Close())
			n.proxy.CloseIdleConnections()
		}
		all.Wait()
		err = errors.Join(err, kv.Close())
	}()

	for _, name := range []string{"anna", "bert", "cleo"} {
		n, err := start(ctx, &all, kv, name)
		if err != nil {
			return err
		}
		nodes = append(nodes, n)
	}
	say("Three nodes stand for %q; every one of them takes orders.", key)

	// order asks a node until it has an answer, after each Retry-After.
	order := func(n *node, path string) (string, error) {
		for {
			status, wait, body, err := ask(ctx, client, n.url+path)
			switch {
			case err != nil:
				return "", fmt.Errorf("%s does not answer: %w", n.name, err)
			case status == http.StatusOK:
				say("%s is asked for %s: %s", n.name, path, body)
				return strings.Fields(body)[0], nil
			case status != http.StatusServiceUnavailable:
				return "", fmt.Errorf("%s answers %d: %s", n.name, status, body)
			}
			say("%s is asked for %s: 503, %s; try again after %v", n.name, path, body, wait)
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return "", context.Cause(ctx)
			}
		}
	}
	leader := ""
	for i, n := range nodes {
		if leader, err = order(n, fmt.Sprintf("/orders/%d", i+1)); err != nil {
			return err
		}
	}
	say("%s crashes.", leader)
	var others []*node
	for _, n := range nodes {
		if n.name != leader {
			others = append(others, n)
		} else if err := n.crash(); err != nil {
			return err
		}
	}
	for i, n := range others {
		if _, err := order(n, fmt.Sprintf("/orders/%d", i+4)); err != nil {
			return err
		}
	}
	say("The end.")
	return nil
}

// ask makes a request and returns the status of its answer, how long to wait
// before the next, and the body.
func ask(ctx context.Context, client *http.Client, url string) (status int, wait time.Duration, body string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, 0, "", err
	}
	response, err := client.Do(r)
	if err != nil {
		return 0, 0, "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if after := response.Header.Get("Retry-After"); after != "" && err == nil {
		wait, err = time.ParseDuration(after + "s")
	}
	return response.StatusCode, wait, strings.TrimSpace(string(answer)), err
}

// narrator prints lines with the time since it was made.
func narrator(out io.Writer) func(format string, args ...any) {
	start := time.Now()
	var mu sync.Mutex
	return func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(out, "%6.3fs  %s\n", time.Since(start).Seconds(), fmt.Sprintf(format, args...))
	}
}
