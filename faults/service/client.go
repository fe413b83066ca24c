package service

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership/faults/history"
)

// client is one who elects, claims and follows.
type client struct {
	*run
	number int
	name   string
	key    string // of its election

	log    *history.Log // of its election
	rounds *history.Log

	mu   sync.Mutex
	dice *rand.Rand
}

// newClient starts a client, which ends with ctx.
func (r *run) newClient(ctx context.Context, i int) *client {
	c := &client{run: r, number: i, name: fmt.Sprintf("client-%03d", i), key: fmt.Sprintf("service/%02d/leader", i%r.Elections), dice: rand.New(rand.NewPCG(r.Seed, uint64(i)+1))}
	process := history.Process{Role: history.Worker, Key: c.key, Node: c.name, Mode: "http", TTL: r.TTL, Retry: r.TTL}
	claims := i/r.Elections < claimants
	if !claims {
		process.Mode = history.Following
	}
	c.log = &history.Log{Process: process}
	c.rounds = &history.Log{Process: history.Process{Role: history.Worker, Key: "rounds", Node: c.name, Mode: history.Following}}
	r.running.Go(func() {
		switch {
		case !rest(ctx, c.random(r.TTL/3)): // not all at once
		case claims:
			c.claim(ctx)
		default:
			c.follow(ctx)
		}
	})
	r.running.Go(func() { c.elect(ctx) })
	return c
}

func (c *client) random(n time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Duration(c.dice.Int64N(int64(n)))
}

// way is how one part of a client reaches the service: by one server, until that fails it.
type way struct {
	*client
	at    int
	fails int // requests in a row without an answer
}

// url returns that of a path on the server of the moment.
func (w *way) url(path string) string { return "http://" + w.servers[w.at%serving].addr + path }

// next takes another server.
func (w *way) next() { w.at++ }

// ask makes a request, and returns its status and answer. ok is false if there is no answer,
// or one that changes nothing: then another server is asked the next time.
func (w *way) ask(ctx context.Context, timeout time.Duration, method, path string, body any) (status int, head http.Header, answer []byte, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			panic(err) // of strings and numbers
		}
		content = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, w.url(path), content)
	if err != nil {
		panic(err) // of a path of ours
	}
	r.Header.Set("Accept", "application/json")
	w.requests.Add(1)
	response, err := w.http.Do(r)
	if err == nil {
		defer response.Body.Close()
		answer, err = io.ReadAll(response.Body)
	}
	if err != nil || response.StatusCode >= 500 {
		w.unanswered.Add(1)
		w.next()
		w.fails++
		return 0, nil, nil, false
	}
	w.fails = 0
	return response.StatusCode, response.Header, answer, true
}

// pause waits before another try, the longer the more have failed; or returns false if ctx
// ends before.
func (w *way) pause(ctx context.Context) bool {
	d := min(w.TTL/120<<min(w.fails, 10), w.TTL/6)
	return rest(ctx, d/2+w.random(d))
}

// rest waits, and returns false if ctx ends before.
func rest(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func (c *client) election(route string) string {
	return "/api/v1/elections/" + url.PathEscape(c.key) + route
}
