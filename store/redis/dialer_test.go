package redis

import (
	"net"
	"os"
	"testing"
	"time"
)

// lateConn is a connection whose deadline is over before anything is written.
type lateConn struct {
	net.Conn
	reads int
}

func (c *lateConn) Write([]byte) (int, error)       { return 0, os.ErrDeadlineExceeded }
func (c *lateConn) Read([]byte) (int, error)        { c.reads++; return 0, os.ErrDeadlineExceeded }
func (c *lateConn) SetReadDeadline(time.Time) error { return nil }
func (c *lateConn) Close() error                    { return nil }

// TestServerThatWasGivenUpIsNotSaidToBeSilent: a client asks all Sentinels at once, and
// gives up the others when one has answered.
func TestServerThatWasGivenUpIsNotSaidToBeSilent(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	addr := listener.Addr().String()
	var d dialer
	defer d.close()
	dial := func() net.Conn {
		conn, err := d.dial(t.Context(), "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte("HELLO")); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	givenUp := dial()
	givenUp.Close()
	if _, err := givenUp.Read(make([]byte, 1)); err == nil || len(d.unheard()) != 0 {
		t.Errorf("%v: %v, want nobody that did not answer", err, d.unheard())
	}
	late := dial()
	_ = late.SetReadDeadline(time.Now())
	if _, err := late.Read(make([]byte, 1)); err == nil || len(d.unheard()) != 1 {
		t.Errorf("%v: %v, want %s", err, d.unheard(), addr)
	}
}

// TestConnectionThatWasTooLateIsNotReadFrom: a server that gets no request never answers.
func TestConnectionThatWasTooLateIsNotReadFrom(t *testing.T) {
	conn := &lateConn{}
	g := greeting{dialer: &dialer{}}
	if _, err := g.write(conn, []byte("HELLO")); err == nil || conn.reads != 0 {
		t.Errorf("%v, and it was read from %d times", err, conn.reads)
	}
}
