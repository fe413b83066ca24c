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

	// handshakeTimeout bounds the answer to the first message.
	handshakeTimeout = 3 * time.Second

	// settleTime is how long the client has to set its watches again before it gets the
	// answer to a call. Without it a watch is sometimes lost, and the client has a data
	// race.
	settleTime = 20 * time.Millisecond

	// refusedFor is how long all servers must refuse a client before it begins a new
	// session.
	refusedFor = 2 * time.Second
)

// dialer makes the connections of a client, one after another, and records failures.
type dialer struct {
	secure *store.TLS // nil: no TLS
	ctx    context.Context
	end    context.CancelFunc

	mu       sync.Mutex
	once     sync.Once // for hopeless
	last     *link
	failures map[string]error // the last one, by host, since any has answered
	hosts    int

	// How many times, and since when, servers have accepted a connection and closed it
	// without an answer.
	refusals  int
	refusedAt time.Time

	hopeless chan struct{} // closed when there is first one for each host
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
		d.last.Close() // the client does not close it after an expired session
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

// cut closes the connection, and prevents new ones.
func (d *dialer) cut() {
	d.end()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last != nil {
		d.last.Close()
	}
}

// anew reports whether the next connection is to begin a session like a new client. A
// server closes the connection of a client that has seen later changes than the server
// has. After all servers have lost their data, or an older state was restored,
// go-zookeeper would never get a session again. If the servers only lag behind, or are
// starting, this costs a session, on which nothing depends: consistent reads make the
// server catch up.
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

// explain adds the possible causes to the error of a connection that has ended without an
// answer.
func (d *dialer) explain(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		tls := "a client certificate"
		if d.secure == nil {
			tls = "TLS"
		}
		return fmt.Errorf("the server closed the connection at once: it may require %s, be starting, "+
			"or have as many connections of this address as its maxClientCnxns allows: %w", tls, err)
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

// link is a connection. By itself the client waits for the answer to its first message
// for 6.7 session timeouts, and without a limit for the part after its length; a server
// that is starting may not answer at all.
type link struct {
	net.Conn
	anew      bool // the first message is to be that of a new client
	failed    func(error)
	heard     func()
	deadlines int  // how many have been set for reading
	asked     bool // whether the first message has been sent
	answered  bool // whether anything has come
}

// Write writes b. If the client is to begin a new session it changes the first message to
// that of a client that has seen no change and has no session. With its length that
// message is
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

// SetReadDeadline sets the deadline for reading, except for the first two deadlines of
// the client, which are for the answer to its first message. The third one begins the
// session.
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

// Read reads into b. It records an error before the first answer.
func (l *link) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	if l.answered {
		return n, err
	}
	if n > 0 && b[0] != 0 {
		// This is not the length of a message. The client would allocate that much.
		n, err = 0, errors.New("the answer is not one of ZooKeeper, or the server requires TLS")
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

// hosts is the zk.HostProvider of a client. That of zk resolves names only once, so that
// the names for the check of certificates are lost, and makes the client wait for a
// second before it connects again to a single server.
type hosts struct {
	mu        sync.Mutex
	all       []string
	next      int
	tried     int // since the last connection that lasted
	connected time.Time

	away    bool          // the client is connecting or connected to a host
	between chan struct{} // not nil while the client is ending; closed when it is not away
}

// Init sets the hosts.
func (h *hosts) Init(all []string) error {
	h.all = all
	return nil
}

// Len returns the number of hosts.
func (h *hosts) Len() int { return len(h.all) }

// Next returns a host, and whether to wait for a second before connecting to it.
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

// Connected is called when a session begins. If it soon follows another one, the next
// attempts to connect are not sped up.
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

// end makes the client wait, from its next host on, until it is closed. It returns a
// channel that is closed when the client has no connection, which is soon if none can be
// made.
func (h *hosts) end() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.between = make(chan struct{})
	if !h.away {
		close(h.between)
	}
	return h.between
}

// heard is called by the client with all its events. A client that is closed drops what
// it has not sent after the event that it is disconnected: the pause here leaves time to
// close it completely.
func (h *hosts) heard(event zk.Event) {
	h.mu.Lock()
	ending := h.between != nil
	h.mu.Unlock()
	if ending && event.State == zk.StateDisconnected {
		time.Sleep(tick)
	}
}
