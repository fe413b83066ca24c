package servers

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy stands between clients and a server, and cuts their connections, holds back
// what they send, or slows it.
type Proxy struct {
	// Addr is where clients reach it: host:port.
	Addr string

	t      testing.TB
	server string // host:port
	port   int

	mu       sync.Mutex
	flows    [2]Flow
	released [2]chan struct{} // closed when nothing is held that way

	stop    func()
	running sync.WaitGroup
}

// Way is one direction through a Proxy.
type Way int

// The ways through a proxy.
const (
	Up   Way = iota // to the server
	Down            // to the client
)

// Flow is how a proxy carries what goes one way. The zero value carries it at once.
type Flow struct {
	// Hold has nothing arrive until another Flow is set: it comes late then, as after
	// a network that has lost its packets, also from connections that were closed.
	Hold bool

	// Delay is how much later everything arrives, and Jitter what comes on top of
	// it at most, at random. The order stays.
	Delay, Jitter time.Duration

	// Trickle is how many bytes arrive every 10 ms; 0 means all.
	Trickle int
}

// NewProxy starts a proxy of the server at host:port for t, which ends it.
func NewProxy(t testing.TB, hostport string) *Proxy {
	t.Helper()
	ports, err := freePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	s := Server{ports: ports}
	p := &Proxy{Addr: s.hostport(0), t: t, server: hostport, port: ports[0]}
	for way := range p.released {
		p.released[way] = make(chan struct{})
		close(p.released[way])
	}
	p.Start()
	t.Cleanup(p.Stop)
	return p
}

// Stop cuts all connections; no new ones can be made until Start.
func (p *Proxy) Stop() {
	p.stop()
	p.running.Wait()
}

// Start lets connections through again after Stop.
func (p *Proxy) Start() {
	p.t.Helper()
	l, err := listen(p.port)
	if err != nil {
		p.t.Fatalf("start a proxy of %s: %v", p.server, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.stop = func() {
		cancel()
		l.Close() // returns when the port is free again
	}
	p.running.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			p.running.Go(func() { p.join(ctx, client) })
		}
	})
}

// Cut cuts all connections, also those in the middle of a call. New ones can be
// made right after.
func (p *Proxy) Cut() {
	p.t.Helper()
	p.Stop()
	p.Start()
}

// Delay makes every answer of the server take that much longer.
func (p *Proxy) Delay(d time.Duration) { p.Set(Down, Flow{Delay: d}) }

// Set has the proxy carry all that goes that way so from now on, on all connections.
func (p *Proxy) Set(way Way, f Flow) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch was := p.flows[way].Hold; {
	case f.Hold && !was:
		p.released[way] = make(chan struct{})
	case was && !f.Hold:
		close(p.released[way])
	}
	p.flows[way] = f
}

func (p *Proxy) flow(way Way) (Flow, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.flows[way], p.released[way]
}

// join carries bytes between a client and the server until both have closed their
// connections, one of them is gone, or ctx ends.
func (p *Proxy) join(ctx context.Context, client net.Conn) {
	defer client.Close()
	server, err := new(net.Dialer).DialContext(ctx, "tcp", p.server)
	if err != nil {
		return
	}
	defer server.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	context.AfterFunc(ctx, func() {
		client.Close()
		server.Close()
	})
	var ends sync.WaitGroup
	ends.Go(func() { p.carry(ctx, cancel, Up, client, server) })
	ends.Go(func() { p.carry(ctx, cancel, Down, server, client) })
	ends.Wait()
}

// parcel is what one end has sent, and when the other is to have it.
type parcel struct {
	bytes []byte
	due   time.Time
}

// carry carries bytes one way, and then the end of the connection. It calls cancel if
// nobody takes them.
func (p *Proxy) carry(ctx context.Context, cancel func(), way Way, from, to net.Conn) {
	parcels := make(chan parcel, 1024)
	var reading sync.WaitGroup
	defer reading.Wait()
	reading.Go(func() {
		defer close(parcels)
		var due time.Time
		for {
			bytes := make([]byte, 16<<10)
			n, err := from.Read(bytes)
			if err != nil {
				return
			}
			f, _ := p.flow(way)
			arrival := time.Now().Add(f.Delay)
			if f.Jitter > 0 {
				arrival = arrival.Add(rand.N(f.Jitter))
			}
			if arrival.After(due) {
				due = arrival
			}
			select {
			case parcels <- parcel{bytes[:n], due}:
			case <-ctx.Done():
				return
			}
		}
	})
	for each := range parcels {
		if !wait(ctx, time.Until(each.due)) || !p.deliver(ctx, way, each.bytes, to) {
			cancel()
			return
		}
	}
	_, released := p.flow(way)
	select {
	case <-released:
	case <-ctx.Done():
	}
	if to, ok := to.(*net.TCPConn); !ok || to.CloseWrite() != nil {
		cancel()
	}
}

// deliver writes bytes once nothing is held that way, and reports whether it could.
func (p *Proxy) deliver(ctx context.Context, way Way, bytes []byte, to net.Conn) bool {
	for len(bytes) > 0 {
		f, released := p.flow(way)
		select {
		case <-released:
		case <-ctx.Done():
			return false
		}
		n := len(bytes)
		if f.Trickle > 0 {
			n = min(n, f.Trickle)
		}
		if _, err := to.Write(bytes[:n]); err != nil {
			return false
		}
		bytes = bytes[n:]
		if f.Trickle > 0 && !wait(ctx, 10*time.Millisecond) {
			return false
		}
	}
	return true
}

// wait waits for d, and reports whether ctx has not ended before.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
