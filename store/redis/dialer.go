package redis

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"weak"

	"github.com/seed-a1d591d3/leadership/store"
)

// dialer makes the connections of a client that a store owns. To close it cuts
// them, and with them all calls that wait for a server which hangs.
type dialer struct {
	tls *tls.Config // nil: plain

	mu     sync.Mutex
	closed bool
	failed error // why the last connection could not be made, if so

	// Weak, for go-redis v9.21.0 forgets to close a connection whose login
	// failed, and leaves that to the garbage collector.
	conns map[weak.Pointer[net.TCPConn]]struct{}
}

func (d *dialer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := d.connect(ctx, network, addr)
	d.mu.Lock()
	d.failed = err
	d.mu.Unlock()
	return conn, err
}

func (d *dialer) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	raw, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	conn := raw.(*net.TCPConn)
	if !d.keep(conn) {
		conn.Close()
		return nil, store.ErrClosed
	}
	if d.tls == nil {
		return &plainConn{TCPConn: conn}, nil
	}
	config := d.tls
	if config.ServerName == "" {
		config = config.Clone()
		config.ServerName, _, _ = net.SplitHostPort(addr)
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return &secureConn{Conn: secure}, nil
}

// keep remembers conn, and forgets those that have been closed meanwhile. It
// tells whether the dialer is open.
func (d *dialer) keep(conn *net.TCPConn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	for old := range d.conns {
		// No delay is what it has already: this asks whether it is open.
		if c := old.Value(); c == nil || c.SetNoDelay(true) != nil {
			delete(d.conns, old)
		}
	}
	if d.conns == nil {
		d.conns = make(map[weak.Pointer[net.TCPConn]]struct{})
	}
	d.conns[weak.Make(conn)] = struct{}{}
	return true
}

// why returns why the last connection could not be made, or nil if it could.
func (d *dialer) why() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failed
}

func (d *dialer) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for conn := range d.conns {
		if c := conn.Value(); c != nil {
			c.Close()
		}
	}
}

// greeted closes a connection on which nothing was ever heard: the client, which
// has waited in vain for an answer to its login, forgets it.
type greeted bool

func (g *greeted) read(conn net.Conn, b []byte) (int, error) {
	n, err := conn.Read(b)
	switch {
	case n > 0:
		*g = true
	case err != nil && !bool(*g):
		conn.Close()
	}
	return n, err
}

// plainConn can be asked for its socket, as a *net.TCPConn can: by that the
// client finds out before a call that the server has closed it.
type plainConn struct {
	*net.TCPConn
	greeted greeted
}

func (c *plainConn) Read(b []byte) (int, error) { return c.greeted.read(c.TCPConn, b) }

type secureConn struct {
	*tls.Conn
	greeted greeted
}

func (c *secureConn) Read(b []byte) (int, error) { return c.greeted.read(c.Conn, b) }
