package servers

import (
	"io"
	"net"
	"testing"
	"time"
)

// echo starts a server that sends back what it gets, and returns where it is and what it gets.
func echo(t *testing.T) (addr string, got <-chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	told := make(chan string, 1000)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				bytes := make([]byte, 1000)
				for {
					n, err := conn.Read(bytes)
					if err != nil {
						return
					}
					told <- string(bytes[:n])
					if _, err := conn.Write(bytes[:n]); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String(), told
}

func dial(t *testing.T, p *Proxy) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func say(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	bytes := make([]byte, len(text))
	if _, err := io.ReadFull(conn, bytes); err != nil || string(bytes) != text {
		t.Fatalf("heard %q, %v; want %q", bytes, err, text)
	}
}

func TestProxyDeliversLateWhatItHasHeldBack(t *testing.T) {
	addr, got := echo(t)
	p := NewProxy(t, addr)
	lost, kept := dial(t, p), dial(t, p)
	say(t, kept, "begin")
	hear(t, kept, "begin")
	<-got

	p.Set(Up, Flow{Hold: true})
	say(t, lost, "request of one that is gone")
	lost.Close()
	select {
	case text := <-got:
		t.Fatalf("%q has arrived", text)
	case <-time.After(100 * time.Millisecond):
	}
	p.Set(Up, Flow{})
	if text := <-got; text != "request of one that is gone" {
		t.Errorf("%q has arrived", text)
	}

	p.Set(Down, Flow{Hold: true})
	say(t, kept, "request")
	if text := <-got; text != "request" {
		t.Errorf("%q has arrived", text)
	}
	if err := kept.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := kept.Read(make([]byte, 10)); err == nil {
		t.Errorf("%d bytes of the answer have arrived", n)
	}
	if err := kept.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	p.Set(Down, Flow{})
	hear(t, kept, "request")
}

func TestProxyDelaysAndTricklesInOrder(t *testing.T) {
	addr, got := echo(t)
	p := NewProxy(t, addr)
	conn := dial(t, p)
	p.Set(Up, Flow{Delay: 50 * time.Millisecond, Jitter: 50 * time.Millisecond, Trickle: 1})
	began := time.Now()
	say(t, conn, "one")
	say(t, conn, "two")
	hear(t, conn, "onetwo")
	if took := time.Since(began); took < 100*time.Millisecond {
		t.Errorf("the answer came after %v", took)
	}
	if first := <-got; first != "o" {
		t.Errorf("%q came first", first)
	}
}
