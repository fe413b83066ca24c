package zookeeper_test

import (
	"encoding/binary"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
)

// The operations of ZooKeeper's protocol that tests ask for.
const (
	opCreate     = 1
	opGetData    = 4
	opSetData    = 5
	opSync       = 9
	opPing       = 11
	opSetWatches = 101
)

// tap is between a client and its server, and sees what it sends.
type tap struct {
	mu      sync.Mutex
	conn    net.Conn
	blocked bool  // no connection can be made
	lost    int32 // an operation that does not reach the server
	broken  int32 // one that cannot be written, once
	sent    []int32
}

// connect makes a client, which the end of the test closes.
func (p *tap) connect(t *testing.T, addr string, session time.Duration) *zk.Conn {
	t.Helper()
	conn, events, err := zk.Connect([]string{addr}, session, zk.WithLogger(silent{}), zk.WithDialer(p.dial))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		for range events {
		}
	})
	return conn
}

func (p *tap) dial(network, address string, timeout time.Duration) (net.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.blocked {
		return nil, errors.New("blocked")
	}
	conn, err := net.DialTimeout(network, address, timeout)
	p.conn = conn
	return &tapped{Conn: conn, tap: p}, err
}

// block cuts the connection and lets the client make no other.
func (p *tap) block() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.blocked = true
	p.conn.Close()
}

func (p *tap) unblock() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.blocked = false
}

// lose has all requests of one kind not reach the server.
func (p *tap) lose(op int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lost = op
}

// breakAt has the next request of one kind not be written.
func (p *tap) breakAt(op int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = op
}

// ops returns what has been sent since the last call.
func (p *tap) ops() []int32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	sent := slices.DeleteFunc(p.sent, func(op int32) bool { return op == opPing })
	p.sent = nil
	return sent
}

type tapped struct {
	net.Conn
	tap    *tap
	greets bool // the first message has been sent; it is no request
}

// Write gets one message at a time: its length, the request's number, and the
// operation.
func (c *tapped) Write(b []byte) (int, error) {
	if !c.greets {
		c.greets = true
		return c.Conn.Write(b)
	}
	c.tap.mu.Lock()
	op := int32(binary.BigEndian.Uint32(b[8:]))
	c.tap.sent = append(c.tap.sent, op)
	lost, broken := op == c.tap.lost, op == c.tap.broken
	if broken {
		c.tap.broken = 0
	}
	c.tap.mu.Unlock()
	if broken {
		return 0, &net.OpError{Op: "write", Net: "tcp", Err: errors.New("broken pipe")}
	}
	if lost {
		return len(b), nil
	}
	return c.Conn.Write(b)
}
