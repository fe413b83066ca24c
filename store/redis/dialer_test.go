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

// TestConnectionThatWasTooLateIsNotReadFrom: a server that gets no request never answers.
func TestConnectionThatWasTooLateIsNotReadFrom(t *testing.T) {
	conn := &lateConn{}
	g := greeting{dialer: &dialer{}}
	if _, err := g.write(conn, []byte("HELLO")); err == nil || conn.reads != 0 {
		t.Errorf("%v, and it was read from %d times", err, conn.reads)
	}
}
