package redis

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
	"weak"

	"github.com/seed-a1d591d3/leadership/store"
)

// dialer makes the connections of a client that a store owns. Closing it closes them,
// which ends all calls that wait for a server that hangs.
type dialer struct {
	tls *store.TLS // nil: plain

	mu     sync.Mutex
	closed bool
	failed error // why the last connection could not be made or was refused, if so

	silent map[string]bool // addresses that did not answer in time, nor since then

	// Weak, because go-redis v9.21.0 does not close a connection whose login failed: the
	// garbage collector does.
	conns map[weak.Pointer[socket]]struct{}
}

// socket is a connection of the operating system, by TCP or a Unix socket.
type socket struct {
	net.Conn
	system syscall.Conn
}

// SyscallConn lets a client ask the operating system about the connection.
func (s *socket) SyscallConn() (syscall.RawConn, error) { return s.system.SyscallConn() }

// open reports whether the socket has not been closed.
func (s *socket) open() bool {
	raw, err := s.SyscallConn()
	return err == nil && raw.Control(func(uintptr) {}) == nil
}

func (d *dialer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := d.connect(ctx, network, addr)
	d.fail(err)
	if late(err) {
		d.heard(addr, false)
	}
	return conn, err
}

// late reports whether err is that of a deadline. A dial or a read that the client has
// given up, as it does once one of several Sentinels has answered, is not late.
func late(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout()
}

// heard records whether an address has answered in time.
func (d *dialer) heard(addr string, inTime bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if inTime {
		delete(d.silent, addr)
		return
	}
	if d.silent == nil {
		d.silent = make(map[string]bool)
	}
	d.silent[addr] = true
}

// unheard returns the addresses that did not answer in time, nor since then.
func (d *dialer) unheard() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.silent))
}

func (d *dialer) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failed = err
}

func (d *dialer) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	config, err := d.tls.Config()
	if err != nil {
		return nil, err
	}
	raw, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	conn := &socket{raw, raw.(syscall.Conn)}
	if !d.keep(conn) {
		conn.Close()
		return nil, store.ErrClosed
	}
	if config == nil {
		return &plainConn{socket: conn, greeting: greeting{dialer: d, addr: addr}}, nil
	}
	if config.ServerName == "" {
		config = config.Clone()
		config.ServerName, _, _ = net.SplitHostPort(addr)
	}
	// For now: the caller may give up before the handshake does.
	unanswered := fmt.Errorf("%s gave no answer to a TLS handshake: it may not talk TLS", addr)
	d.fail(unanswered)
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("%w: %w", unanswered, err)
		}
		return nil, err
	}
	return &secureConn{Conn: secure, greeting: greeting{dialer: d, addr: addr}}, nil
}

// keep adds conn to conns, and removes those that have been closed. It reports whether
// the dialer is open.
func (d *dialer) keep(conn *socket) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	for old := range d.conns {
		if c := old.Value(); c == nil || !c.open() {
			delete(d.conns, old)
		}
	}
	if d.conns == nil {
		d.conns = make(map[weak.Pointer[socket]]struct{})
	}
	d.conns[weak.Make(conn)] = struct{}{}
	return true
}

// why returns why the last connection could not be made or was refused, if so.
func (d *dialer) why() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failed
}

// blame adds the cause to the error of a call whose connection was closed: the server did
// not answer, or it refused the connection.
func (d *dialer) blame(err error) error {
	why := d.why()
	var said lastWords
	switch {
	case errors.As(why, &said) && (hungUp(err) || errors.Is(err, net.ErrClosed)):
		return fmt.Errorf("%w: %w", why, err)
	case errors.Is(err, net.ErrClosed) && errors.Is(why, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w: %s did not answer: %w", store.ErrNotReachable, strings.Join(d.unheard(), ","), why)
	case hungUp(why) && hungUp(err):
		return fmt.Errorf("%w: the server closed a new connection at once, as it does when it has maxclients connections: %w", store.ErrNotReachable, err)
	}
	return err
}

// hungUp reports whether err is that of a connection which the server has closed.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// lastWords is an error that a server sent before it closed a connection.
type lastWords string

func (w lastWords) Error() string {
	if strings.Contains(string(w), "max number of clients") {
		return string(w) + ": raise maxclients of the server, or run fewer programs"
	}
	return string(w)
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

// greeting closes a connection on which the server has not answered, and records why. The
// client ignores the error of its login and uses the connection again, so its own error
// would only be that it is closed.
type greeting struct {
	dialer *dialer
	addr   string

	mu    sync.Mutex // reads and writes go on at once
	asked bool
	heard bool
	said  lastWords // the first answer, if that is an error and nothing else was heard
}

func (g *greeting) read(conn net.Conn, b []byte) (int, error) {
	n, err := conn.Read(b)
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case n > 0 && !g.heard:
		g.heard = true
		g.dialer.heard(g.addr, true)
		if line, ok := bytes.CutSuffix(b[:n], []byte("\r\n")); ok && line[0] == '-' && !bytes.Contains(line, []byte("\n")) {
			g.said = lastWords(line[1:])
		}
	case n > 0:
		g.said = ""
	case err != nil && g.said != "":
		g.dialer.fail(g.said) // the client ignores an error in answer to HELLO
	case errors.Is(err, os.ErrDeadlineExceeded) && !g.asked:
		// The client looks for messages before it has sent anything.
	case err != nil && !g.heard:
		if !errors.Is(err, net.ErrClosed) {
			g.dialer.fail(err)
		}
		if late(err) {
			g.dialer.heard(g.addr, false)
		}
		conn.Close()
	}
	return n, err
}

// lastWordsTime is how long an answer of a server that has hung up is waited for.
const lastWordsTime = 100 * time.Millisecond

func (g *greeting) write(conn net.Conn, b []byte) (int, error) {
	g.mu.Lock()
	g.asked = true
	g.mu.Unlock()
	n, err := conn.Write(b)
	g.mu.Lock()
	said, heard := g.said, g.heard
	g.mu.Unlock()
	if err != nil && said != "" {
		g.dialer.fail(said)
	} else if err != nil && !heard && !errors.Is(err, net.ErrClosed) && !errors.Is(err, os.ErrDeadlineExceeded) {
		// The server has hung up, and may have sent a reason before: it has arrived by
		// now.
		_ = conn.SetReadDeadline(time.Now().Add(lastWordsTime))
		_, silent := g.read(conn, make([]byte, 256))
		g.mu.Lock()
		said = g.said
		g.mu.Unlock()
		switch {
		case said != "":
			g.dialer.fail(said)
		case errors.Is(silent, os.ErrDeadlineExceeded):
			g.dialer.fail(err)
		}
	}
	return n, err
}

// plainConn gives access to its socket, as a *net.TCPConn does: the client uses that to
// detect, before a call, that the server has closed the connection.
type plainConn struct {
	*socket
	greeting greeting
}

func (c *plainConn) Read(b []byte) (int, error)  { return c.greeting.read(c.socket, b) }
func (c *plainConn) Write(b []byte) (int, error) { return c.greeting.write(c.socket, b) }

type secureConn struct {
	*tls.Conn
	greeting greeting
}

func (c *secureConn) Read(b []byte) (int, error)  { return c.greeting.read(c.Conn, b) }
func (c *secureConn) Write(b []byte) (int, error) { return c.greeting.write(c.Conn, b) }
