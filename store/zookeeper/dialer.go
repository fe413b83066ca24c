package zookeeper

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/seed-a1d591d3/leadership/store"
)

const (
	// dialTimeout is for the connection and TLS on it.
	dialTimeout = 2 * time.Second

	// handshakeTimeout is for the answer to the first message.
	handshakeTimeout = 3 * time.Second

	// settleTime is how long the client has to set its watches again before it
	// gets the answer to a call. Without it a watch is now and then lost, and the
	// client reads what it writes elsewhere without a lock.
	settleTime = 20 * time.Millisecond

	// refusedFor is how long all servers have to refuse a client before it begins anew.
	refusedFor = 2 * time.Second
)

// dialer makes the connections of a client, one after another, and keeps what
// went wrong.
type dialer struct {
	secure *store.TLS // nil: no TLS
	ctx    context.Context
	end    context.CancelFunc

	mu       sync.Mutex
	once     sync.Once // for hopeless
	last     *link
	failures map[string]error // the last one, by host, since any has answered
	hosts    int

	// Since when, and how often, servers have taken a connection and ended it without
	// an answer.
	refusals  int
	refusedAt time.Time

	hopeless chan struct{} // closed when there first is one for each host
}

func newDialer(secure *store.TLS, hosts int) *dialer {
	d := &dialer{secure: secure, hosts: hosts, failures: make(map[string]error), hopeless: make(chan struct{})}
	d.ctx, d.end = context.WithCancel(context.Background())
	return d
}

// dial is a zk.Dialer.
func (d *dialer) dial(network, address string, _ time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(d.ctx, dialTimeout)
	defer cancel()
	conn, err := d.connect(ctx, network, address)
	if err != nil {
		d.fail(address, err)
		return nil, err
	}
	l := &link{Conn: conn, anew: d.anew(), failed: func(err error) { d.fail(address, d.explain(err)) }, heard: d.heard}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last != nil {
		d.last.Close() // the client leaves that open after an expired session
	}
	d.last = l
	if d.ctx.Err() != nil {
		l.Close()
	}
	return l, nil
}

func (d *dialer) connect(ctx context.Context, network, address string) (net.Conn, error) {
	config, err := d.secure.Config()
	if err != nil {
		return nil, err
	}
	if config == nil {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("TLS with %s: %w", address, err)
	}
	return conn, nil
}

// cut ends the connection there is, and lets nobody make another.
func (d *dialer) cut() {
	d.end()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last != nil {
		d.last.Close()
	}
}

// anew reports whether the next connection is to begin a session as a new client does. A
// server closes the connection of a client that has seen later changes than it has, and
// go-zookeeper tells it so for ever: where all servers have lost their data, or were put
// back to an older state, it never comes back. One that was merely behind, or starting,
// costs a session, which nothing here depends on: reads have the server catch up.
func (d *dialer) anew() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.refusals >= 2*d.hosts && time.Since(d.refusedAt) >= refusedFor
}

// heard is called when a server has answered.
func (d *dialer) heard() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refusals = 0
	clear(d.failures)
}

func (d *dialer) fail(address string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		if d.refusals == 0 {
			d.refusedAt = time.Now()
		}
		d.refusals++
	}
	d.failures[address] = err
	if len(d.failures) == d.hosts {
		d.once.Do(func() { close(d.hopeless) })
	}
}

// explain says more about the end of a connection before anything has come.
func (d *dialer) explain(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		tls := "a client certificate"
		if d.secure == nil {
			tls = "TLS"
		}
		return fmt.Errorf("it ends the connection at once, as a server does that wants %s, is just starting, "+
			"or has as many connections of this address as its maxClientCnxns allows: %w", tls, err)
	}
	return fmt.Errorf("no answer: %w", err)
}

// failure returns what has gone wrong since a server answered, or nil.
func (d *dialer) failure() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var errs []error
	for address, err := range d.failures {
		errs = append(errs, fmt.Errorf("%s: %w", address, err))
	}
	return errors.Join(errs...)
}

// link is a connection. The client gives the answer to its first message 6.7
// times the session's timeout, and what follows the answer's length all the time
// in the world; a server that is just starting may not answer at all.
type link struct {
	net.Conn
	anew      bool // its first message is to be that of a new client
	failed    func(error)
	heard     func()
	deadlines int  // how many have been set for reading
	asked     bool // whether the first message has been sent
	answered  bool // whether anything has come
}

// Write writes, and changes the first message where the client is to begin anew: to one
// that has seen no change, and has no session. With its length before it that is
//
//	protocol 4 bytes, last change seen 8, timeout 4, session 8, password 4 and 16
func (l *link) Write(b []byte) (int, error) {
	if !l.asked && l.anew && len(b) == 48 {
		b = slices.Clone(b)
		clear(b[8:16])
		clear(b[20:28])
		clear(b[32:48])
	}
	l.asked = true
	return l.Conn.Write(b)
}

// SetReadDeadline sets a deadline for reading, but for the first two that the
// client sets, which are about the answer to its first message. The third begins
// the session.
func (l *link) SetReadDeadline(t time.Time) error {
	l.deadlines++
	switch l.deadlines {
	case 1:
		t = time.Now().Add(handshakeTimeout)
	case 2:
		return nil
	case 3:
		time.Sleep(settleTime)
	}
	return l.Conn.SetReadDeadline(t)
}

// Read reads, and keeps what goes wrong before anything has come.
func (l *link) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	if l.answered {
		return n, err
	}
	if n > 0 && b[0] != 0 {
		// Not the length of a message. The client would make room for it.
		n, err = 0, errors.New("what answers is no ZooKeeper, or one that wants TLS")
	}
	if err != nil {
		l.failed(err)
	}
	if n > 0 {
		l.answered = true
		l.heard()
	}
	return n, err
}

// hosts is the zk.HostProvider of a client. zk's own resolves names once and for
// all, so that there is none left to check a certificate by, and has the client
// wait a second before it connects again to the only server there is.
type hosts struct {
	mu        sync.Mutex
	all       []string
	next      int
	tried     int // since the last connection that lasted
	connected time.Time

	away    bool          // the client has left for a host, and not come back
	between chan struct{} // not nil: the client is ending; closed when it is not away
}

// Init takes the hosts.
func (h *hosts) Init(all []string) error {
	h.all = all
	return nil
}

// Len returns how many there are.
func (h *hosts) Len() int { return len(h.all) }

// Next returns a host, and whether to wait a second before it is tried.
func (h *hosts) Next() (host string, wait bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	host = h.all[h.next%len(h.all)]
	wait = h.between != nil || h.tried > 0 && h.tried%len(h.all) == 0
	if h.between != nil && h.away {
		close(h.between)
	}
	h.away = false
	h.next++
	h.tried++
	return host, wait
}

// Connected says that there is a session now. One that soon follows another is
// no reason to hurry next time.
func (h *hosts) Connected() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now := time.Now(); now.Sub(h.connected) > time.Second {
		h.connected, h.tried = now, 0
	}
}

// left is called when the client begins to connect.
func (h *hosts) left() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.between == nil {
		h.away = true
	}
}

// end has the client wait, from its next host on, until it is closed. It returns a
// channel that is closed once it has no connection: soon, if none can be made.
func (h *hosts) end() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.between = make(chan struct{})
	if !h.away {
		close(h.between)
	}
	return h.between
}

// heard is called with all events of the client, by itself. One that ends gives up
// what it has not sent after it has told that it is disconnected: it gets the time to
// be asked to end in full.
func (h *hosts) heard(event zk.Event) {
	h.mu.Lock()
	ending := h.between != nil
	h.mu.Unlock()
	if ending && event.State == zk.StateDisconnected {
		time.Sleep(tick)
	}
}
