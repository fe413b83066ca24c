package zookeeper

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/seed-a1d591d3/leadership/internal/servers"
)

// TestWatchesOfOneNodeSetOneWatch: also one after another, while the key does not change.
func TestWatchesOfOneNodeSetOneWatch(t *testing.T) {
	conn, events, err := zk.Connect([]string{servers.Shared(t, "zookeeper").Addr}, 2*time.Second, zk.WithLogger(silent{}))
	if err != nil {
		t.Fatal(err)
	}
	s := New(conn)
	defer func() {
		_ = s.Close()
		conn.Close()
		for range events {
		}
	}()
	key := rand.Text()
	var first <-chan zk.Event
	for range 100 {
		ctx, cancel := context.WithCancel(t.Context())
		w, err := s.Watch(ctx, key, nil)
		if err != nil {
			t.Fatal(err)
		}
		<-w
		cancel()
		set := s.watch(nodeOf(key))
		if first == nil {
			first = set
		}
		if set == nil || set != first {
			t.Fatal("another watch was set")
		}
	}
	if _, _, err := s.AtomicPut(t.Context(), key, nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	<-first
	s.arm("/other", make(chan zk.Event))
	if len(s.armed) != 1 {
		t.Errorf("%d watches are kept; one has fired", len(s.armed))
	}
}

// TestReadThatAnotherSessionAnswersIsRepeated: the new server may lag behind.
func TestReadThatAnotherSessionAnswersIsRepeated(t *testing.T) {
	made := make(chan net.Conn, 10)
	conn, events, err := zk.Connect([]string{servers.Shared(t, "zookeeper").Addr}, 2*time.Second, zk.WithLogger(silent{}),
		zk.WithHostProvider(new(hosts)), zk.WithDialer(func(network, address string, timeout time.Duration) (net.Conn, error) {
			c, err := net.DialTimeout(network, address, timeout)
			made <- c
			return &forgetful{Conn: c}, err
		}))
	if err != nil {
		t.Fatal(err)
	}
	s := New(conn)
	defer func() {
		_ = s.Close()
		conn.Close()
		for range events {
		}
	}()
	tries := 0
	_, err = read(t.Context(), s, s.limits.Read, nil, func() ([]byte, error) {
		if tries++; tries == 1 {
			session := conn.SessionID()
			(<-made).Close()
			for conn.SessionID() == session || conn.State() != zk.StateHasSession {
				time.Sleep(time.Millisecond)
			}
		}
		data, _, err := conn.Get("/")
		return data, err
	})
	if err != nil || tries != 2 {
		t.Errorf("it was read %d times: %v", tries, err)
	}
}

// forgetful is a connection that begins a new session: the first message ends
// with the password of the one that is to go on.
type forgetful struct {
	net.Conn
	greeted bool
}

func (c *forgetful) Write(b []byte) (int, error) {
	if !c.greeted {
		c.greeted = true
		clear(b[len(b)-16:])
	}
	return c.Conn.Write(b)
}

func TestHostsTakeTurnsAndOnlyAWholeRoundIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h hosts
		if err := h.Init([]string{"a", "b"}); err != nil || h.Len() != 2 {
			t.Fatal(err, h.Len())
		}
		want := func(host string, wait bool) {
			t.Helper()
			if got, waits := h.Next(); got != host || waits != wait {
				t.Errorf("next is %s, %v; want %s, %v", got, waits, host, wait)
			}
		}
		want("a", false)
		want("b", false)
		want("a", true)
		want("b", false)
		h.Connected()
		want("a", false)
		h.Connected() // at once: somebody drops connections
		want("b", false)
		want("a", true)
		time.Sleep(2 * time.Second)
		h.Connected()
		want("b", false)
		want("a", false)
		want("b", true)
	})
}

// Settling makes a connection as the clients of Open have it.
func Settling(network, address string, timeout time.Duration) (net.Conn, error) {
	conn, err := net.DialTimeout(network, address, timeout)
	if err != nil {
		return nil, err
	}
	return &link{Conn: conn, failed: func(error) {}, heard: func() {}}, nil
}

// TestHandshakeIsGivenUp: a server accepts the connection, and then does not answer, or
// not completely.
func TestHandshakeIsGivenUp(t *testing.T) {
	for name, answer := range map[string][]byte{"nothing": nil, "length": {0, 0, 0, 37}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := net.Pipe()
				defer client.Close()
				defer server.Close()
				if answer != nil {
					go func() { _, _ = server.Write(answer) }()
				}
				var failure error
				l := &link{Conn: client, failed: func(err error) { failure = err }, heard: func() {}}
				began := time.Now()
				// As zk does it.
				if err := l.SetReadDeadline(began.Add(time.Minute)); err != nil {
					t.Fatal(err)
				}
				_, err := l.Read(make([]byte, 4))
				if answer != nil {
					if err != nil {
						t.Fatal(err)
					}
					if err := l.SetReadDeadline(time.Time{}); err != nil {
						t.Fatal(err)
					}
					_, err = l.Read(make([]byte, 37))
				}
				var timeout net.Error
				if !errors.As(err, &timeout) || !timeout.Timeout() {
					t.Errorf("the error is %v", err)
				}
				if took := time.Since(began); took != handshakeTimeout {
					t.Errorf("it was given up after %v", took)
				}
				if (failure == nil) != (answer != nil) {
					t.Errorf("the failure is %v", failure)
				}
			})
		})
	}
}
