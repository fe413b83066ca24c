package servers

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Fill opens connections to the server, as other programs do, until it refuses all that
// come: n at first. Each sends hello first. free closes them.
func (s *Server) Fill(t testing.TB, n int, hello string) (free func()) {
	t.Helper()
	var (
		conns   []net.Conn
		reading sync.WaitGroup
	)
	// open reports over gone when the server has hung up.
	open := func(gone chan<- struct{}) {
		conn, err := net.Dial("tcp", s.hostport(0))
		if err != nil {
			gone <- struct{}{}
			return
		}
		conns = append(conns, conn)
		reading.Go(func() {
			if _, err := io.WriteString(conn, hello); err == nil {
				_, _ = io.Copy(io.Discard, conn) // until it hangs up
			}
			gone <- struct{}{}
		})
	}
	free = sync.OnceFunc(func() {
		for _, conn := range conns {
			conn.Close()
		}
		reading.Wait()
	})
	t.Cleanup(free)
	for began := time.Now(); time.Since(began) < 10*time.Second; n = 10 {
		// One that is refused does not mean that there is no room: some servers count
		// late, also those connections that have just been closed.
		gone := make(chan struct{}, n)
		for range n {
			open(gone)
		}
		late := time.After(200 * time.Millisecond)
		for refused := 0; ; {
			select {
			case <-gone:
				if refused++; refused == n {
					return free
				}
				continue
			case <-late:
			}
			break
		}
	}
	t.Fatalf("the server has refused none of %d connections", len(conns))
	return nil
}
