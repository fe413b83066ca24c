package servers

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Fill opens connections to the server, as other programs do, until it has refused one:
// at least n. Each sends hello first. free closes them.
func (s *Server) Fill(t testing.TB, n int, hello string) (free func()) {
	t.Helper()
	var (
		conns   []net.Conn
		reading sync.WaitGroup
		refused = make(chan struct{})
		told    sync.Once
	)
	open := func() {
		conn, err := net.Dial("tcp", s.hostport(0))
		if err != nil {
			told.Do(func() { close(refused) })
			return
		}
		conns = append(conns, conn)
		reading.Go(func() {
			if _, err := io.WriteString(conn, hello); err == nil {
				_, _ = io.Copy(io.Discard, conn) // until it hangs up
			}
			told.Do(func() { close(refused) })
		})
	}
	free = sync.OnceFunc(func() {
		for _, conn := range conns {
			conn.Close()
		}
		reading.Wait()
	})
	t.Cleanup(free)
	for began := time.Now(); time.Since(began) < 10*time.Second; {
		for range n {
			open()
		}
		n = 10 // some servers count late
		select {
		case <-refused:
			return free
		case <-time.After(200 * time.Millisecond):
		}
	}
	t.Fatalf("the server has refused none of %d connections", len(conns))
	return nil
}
