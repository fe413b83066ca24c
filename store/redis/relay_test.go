package redis_test

import (
	"net"
	"sync"
	"testing"
)

// relay stands between clients and a server and treats what the server answers.
type relay struct {
	addr string

	mu      sync.Mutex
	swallow bool // cut the connection in place of the next answer
	deaf    map[net.Conn]bool
	conns   map[net.Conn]struct{}
}

func newRelay(t *testing.T, server string) *relay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{addr: listener.Addr().String(), deaf: make(map[net.Conn]bool), conns: make(map[net.Conn]struct{})}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			upstream, err := net.Dial("tcp", server)
			if err != nil {
				client.Close()
				continue
			}
			r.mu.Lock()
			r.conns[client] = struct{}{}
			r.mu.Unlock()
			running.Go(func() { r.pass(client, upstream, func() bool { return !r.isDeaf(client) }) })
			running.Go(func() { r.pass(upstream, client, func() bool { return !r.swallows() }) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		r.mu.Lock()
		for conn := range r.conns {
			conn.Close()
		}
		r.mu.Unlock()
		running.Wait()
	})
	return r
}

// pass copies what comes until one end is closed. Where let refuses, it closes
// both in place of what came, or, if the sender is deaf, drops that.
func (r *relay) pass(from, to net.Conn, let func() bool) {
	defer from.Close()
	defer to.Close()
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		if !let() {
			if r.isDeaf(from) {
				continue
			}
			return
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}

// swallowNext has the connection that brings the next answer cut in its place.
func (r *relay) swallowNext() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.swallow = true
}

func (r *relay) swallows() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.swallow
	r.swallow = false
	return was
}

// deafen has nothing that clients send on the connections that there are now
// reach the server, as if the way were lost.
func (r *relay) deafen() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for conn := range r.conns {
		r.deaf[conn] = true
	}
}

func (r *relay) isDeaf(conn net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.deaf[conn]
}
