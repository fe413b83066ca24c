package redis

import (
	"context"
	"crypto/tls"
	"net"
	"sync"

	"github.com/seed-a1d591d3/leadership/store"
)

// dialer makes the connections of a client that a store owns. To close it cuts
// them, and with them all calls that wait for a server which hangs.
type dialer struct {
	tls *tls.Config // nil: plain

	mu     sync.Mutex
	closed bool
	conns  map[*net.TCPConn]struct{}
	failed error // why the last connection could not be made, if so
}

func (d *dialer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := d.connect(ctx, network, addr)
	d.mu.Lock()
	d.failed = err
	d.mu.Unlock()
	return conn, err
}

func (d *dialer) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	if !d.keep(conn.(*net.TCPConn)) {
		conn.Close()
		return nil, store.ErrClosed
	}
	if d.tls == nil {
		return conn, nil
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
	return secure, nil
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
		if old.SetNoDelay(true) != nil { // what it is already
			delete(d.conns, old)
		}
	}
	if d.conns == nil {
		d.conns = make(map[*net.TCPConn]struct{})
	}
	d.conns[conn] = struct{}{}
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
		conn.Close()
	}
}
