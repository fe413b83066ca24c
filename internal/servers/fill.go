package servers

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Fill opens n connections to the server, as other programs do, and returns once it has
// refused one. Each sends hello first. free closes them.
func (s *Server) Fill(t testing.TB, n int, hello string) (free func()) {
	t.Helper()
	var (
		conns   []net.Conn
		reading sync.WaitGroup
		refused = make(chan struct{}, n)
	)
	for range n {
		conn, err := net.Dial("tcp", s.hostport(0))
		if err != nil {
			t.Fatalf("fill the server: %v", err)
		}
		conns = append(conns, conn)
		reading.Go(func() {
			if _, err := io.WriteString(conn, hello); err == nil {
				_, _ = io.Copy(io.Discard, conn) // until it hangs up
			}
			refused <- struct{}{}
		})
	}
	var once sync.Once
	free = func() {
		once.Do(func() {
			for _, conn := range conns {
				conn.Close()
			}
			reading.Wait()
		})
	}
	t.Cleanup(free)
	select {
	case <-refused:
	case <-time.After(10 * time.Second):
		t.Fatalf("the server has refused none of %d connections", n)
	}
	return free
}
