// Package resource is what the leaders of a run write to: one resource behind a fence, and
// one without.
package resource

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership/faults/history"
	"github.com/seed-a1d591d3/leadership/fence"
)

// Server serves both resources over HTTP, at /fenced and /unfenced: each request is a
// write, with its token in the header of package fence. It logs each as it carries it
// out, one after another.
type Server struct {
	// Addr is where it listens: host:port.
	Addr string

	log    *history.Writer
	server http.Server
	done   sync.WaitGroup

	mu     sync.Mutex // held from the check of a token until its write is done
	last   history.Stamp
	memory fence.Memory
}

// Start starts a server on the loopback interface, which logs to log.
func Start(log *history.Writer) (*Server, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("resource: %w", err)
	}
	s := &Server{Addr: l.Addr().String(), log: log}
	mux := http.NewServeMux()
	mux.Handle("/"+history.Fenced, s.handler(history.Fenced, s))
	mux.Handle("/"+history.Unfenced, s.handler(history.Unfenced, none{}))
	s.server = http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	s.done.Go(func() { _ = s.server.Serve(l) })
	return s, nil
}

// Close ends the server, and waits until it has. The log stays open.
func (s *Server) Close() error {
	err := s.server.Close()
	s.done.Wait()
	s.mu.Lock() // after the last write
	defer s.mu.Unlock()
	return err
}

// handler carries out the writes that pass a check.
func (s *Server) handler(resource string, check fence.Checker) http.Handler {
	behind := fence.Handler(check, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		token, _ := fence.TokenFromContext(r.Context())
		s.wrote(resource, history.Accepted, token)
	}), fence.WithResource(resource))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		behind.ServeHTTP(w, r)
	})
}

// wrote logs a write, each with a later stamp than the one before.
func (s *Server) wrote(resource, answer string, token uint64) {
	s.last = max(s.last+1, history.Now())
	s.log.Add(history.Line{Kind: history.Write, Before: s.last, After: s.last, What: resource, Answer: answer, Token: token})
}

// Check implements fence.Checker: by package fence, with a line for what is refused.
func (s *Server) Check(ctx context.Context, resource string, token uint64) error {
	err := s.memory.Check(ctx, resource, token)
	if errors.Is(err, fence.ErrStale) {
		s.wrote(resource, history.Refused, token)
	}
	return err
}

// none lets all tokens through.
type none struct{}

func (none) Check(context.Context, string, uint64) error { return nil }

// Client writes to a server.
type Client struct {
	addr string
	http http.Client
	base *http.Transport
}

// Timeout is for how long a write is waited for.
const Timeout = 2 * time.Second

// NewClient makes a client of the server at host:port.
func NewClient(addr string) *Client {
	base := &http.Transport{MaxIdleConnsPerHost: 2}
	return &Client{addr: addr, base: base, http: http.Client{Transport: fence.NewTransport(base, nil), Timeout: Timeout}}
}

// Write writes to a resource with a token, and returns what has become of it.
func (c *Client) Write(resource string, token uint64) history.Line {
	line := history.Line{Kind: history.Write, What: resource, Answer: history.Unknown, Token: token}
	line.Before = history.Now()
	status, err := c.post(resource, token)
	line.After = history.Now()
	switch {
	case err != nil:
	case status == http.StatusOK:
		line.Answer = history.Accepted
	case status == http.StatusPreconditionFailed:
		line.Answer = history.Refused
	}
	return line
}

func (c *Client) post(resource string, token uint64) (int, error) {
	request, err := http.NewRequestWithContext(fence.WithToken(context.Background(), token), http.MethodPost, "http://"+c.addr+"/"+resource, nil)
	if err != nil {
		return 0, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// Close ends the client's connections.
func (c *Client) Close() { c.base.CloseIdleConnections() }
