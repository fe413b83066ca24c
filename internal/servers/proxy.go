package servers

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Proxy stands between clients and a server, and cuts their connections or slows
// the server's answers.
type Proxy struct {
	// Addr is where clients reach it: host:port.
	Addr string

	t      testing.TB
	server string // host:port
	port   int
	delay  atomic.Int64 // a time.Duration

	stop    func()
	running sync.WaitGroup
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
func (p *Proxy) Delay(d time.Duration) { p.delay.Store(int64(d)) }

// join carries bytes between a client and the server until one of them closes its
// connection or ctx ends.
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
	answers := make(chan answer, 1024)
	var ends sync.WaitGroup
	ends.Go(func() {
		defer cancel()
		_, _ = io.Copy(server, client) // either end may be gone
	})
	ends.Go(func() {
		defer close(answers)
		for {
			bytes := make([]byte, 16<<10)
			n, err := server.Read(bytes)
			if err != nil {
				return
			}
			select {
			case answers <- answer{bytes[:n], time.Now().Add(time.Duration(p.delay.Load()))}:
			case <-ctx.Done():
				return
			}
		}
	})
	ends.Go(func() {
		defer cancel()
		for a := range answers {
			select {
			case <-time.After(time.Until(a.due)):
			case <-ctx.Done():
				return
			}
			if _, err := client.Write(a.bytes); err != nil {
				return
			}
		}
	})
	ends.Wait()
}

// answer is what the server has sent, and when the client is to have it.
type answer struct {
	bytes []byte
	due   time.Time
}
