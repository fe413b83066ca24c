package servers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

// lostByProxies are goroutines of toxiproxy that may never end: where it cannot
// write what comes next to a connection that was cut, it stops to take the rest,
// and whoever hands that on waits for ever.
var lostByProxies = []goleak.Option{
	goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).read"),
	goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).Start.func1"),
	goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"),
}

// Proxy stands between clients and a server, and cuts their connections or slows
// their answers.
type Proxy struct {
	// Addr is where clients reach it: host:port.
	Addr string

	t     testing.TB
	proxy *toxiproxy.Proxy
}

// NewProxy starts a proxy of the server at host:port for t, which ends it.
func NewProxy(t testing.TB, hostport string) *Proxy {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	ports, err := freePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	s := Server{ports: ports}
	p := &Proxy{Addr: s.hostport(0), t: t}
	p.proxy = toxiproxy.NewProxy(server, "proxy of "+hostport, p.Addr, hostport)
	if err := p.proxy.Start(); err != nil {
		t.Fatalf("start a proxy of %s: %v", hostport, err)
	}
	t.Cleanup(p.proxy.Stop)
	return p
}

// Stop cuts all connections; no new ones can be made until Start.
func (p *Proxy) Stop() { p.proxy.Stop() }

// Start lets connections through again after Stop.
func (p *Proxy) Start() {
	p.t.Helper()
	if err := p.proxy.Start(); err != nil {
		p.t.Errorf("start a proxy again: %v", err)
	}
}

// Cut cuts all connections, also those in the middle of a call. New ones can be
// made right after.
func (p *Proxy) Cut() {
	p.t.Helper()
	p.Stop()
	p.Start()
}

// Delay has every answer of the server take that much longer.
func (p *Proxy) Delay(d time.Duration) {
	p.t.Helper()
	toxic := fmt.Sprintf(`{"type": "latency", "stream": "downstream", "attributes": {"latency": %d}}`, d.Milliseconds())
	if _, err := p.proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
		p.t.Fatalf("delay answers: %v", err)
	}
}
