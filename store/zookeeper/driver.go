package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/seed-a1d591d3/leadership/store"
)

// sessionTimeout is the timeout that the client asks for; servers have limits of their
// own. Nothing here depends on a session. The client leaves a server that has not
// answered for two thirds of it.
const sessionTimeout = 6 * time.Second

func init() {
	store.Register("zookeeper", store.Driver{
		Port: zk.DefaultPort, Example: "zookeeper://host1:2181,host2:2181/prefix",
		Params: append(store.TLSParams(), "password_file"), Resolve: resolve, Open: open,
	})
}

// resolve returns where u leads.
func resolve(u *store.URL) (store.Target, error) {
	if _, err := u.TLS(store.TLSEnv{}, false); err != nil {
		return nil, err
	}
	_, err := loginOf(u)
	return targetOf(u, "prefix", u.Prefix()), err
}

func targetOf(u *store.URL, more ...string) store.Target {
	return store.NewTarget(append([]string{"store", "zookeeper", "hosts", strings.Join(u.Hosts, ","), "user", u.User}, more...)...)
}

func open(ctx context.Context, u *store.URL) (store.Store, error) {
	secure, err := u.TLS(store.TLSEnv{}, false)
	if err != nil {
		return nil, err
	}
	login, err := loginOf(u)
	if err != nil {
		return nil, err
	}
	d, h := newDialer(secure, len(u.Hosts)), new(hosts)
	dial := func(network, address string, limit time.Duration) (net.Conn, error) {
		h.left()
		return d.dial(network, address, limit)
	}
	conn, events, err := zk.Connect(u.Hosts, sessionTimeout, zk.WithDialer(dial), zk.WithHostProvider(h),
		zk.WithEventCallback(h.heard), zk.WithLogger(silent{}), zk.WithLogInfo(false))
	if err != nil {
		d.cut()
		return nil, err
	}
	s := New(conn)
	s.login, s.target = login, targetOf(u)
	s.own, s.why = func() { end(conn, events, d, h) }, d.failure
	if err := s.enter(ctx, u, d); err != nil {
		_ = s.Close()
		return nil, err
	}
	return store.WithPrefix(s, u.Prefix()), nil
}

// silent is the logger of a client. What matters of its messages is in errors.
type silent struct{}

func (silent) Printf(string, ...any) {}

// enter waits for a session, logs in, and checks that the login may read.
func (s *Store) enter(ctx context.Context, u *store.URL, d *dialer) error {
	for s.conn.State() != zk.StateHasSession {
		select {
		case <-d.hopeless:
			return fmt.Errorf("%w: %w", store.ErrNotReachable, d.failure())
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", store.ErrNotReachable, errors.Join(d.failure(), ctx.Err()))
		case <-time.After(tick):
		}
	}
	if s.login != nil {
		_, err := call(ctx, s, s.limits.Write, func() (struct{}, error) { return struct{}{}, s.login.add(s.conn) })
		if err != nil {
			return fmt.Errorf("log in as %q: %w", u.User, err)
		}
	}
	_, err := call(ctx, s, s.limits.Read, func() (struct{}, error) { return struct{}{}, s.probe(u) })
	return err
}

// probe reads the node of the prefix, or else the lowest existing one above it. ZooKeeper
// accepts any login: a wrong one shows only if it may not do something.
func (s *Store) probe(u *store.URL) error {
	node := "/"
	if prefix := u.Prefix(); prefix != "" {
		node = nodeOf(strings.TrimSuffix(prefix, "/"))
	}
	for {
		_, _, err := s.conn.Get(node)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, zk.ErrNoNode) && node != "/":
			if node = parentOf(node); node == "" {
				node = "/"
			}
		case errors.Is(err, zk.ErrNoAuth) && u.HasUser:
			return fmt.Errorf("%q may not read node %s, or the password is wrong: %w", u.User, node, err)
		case loginDemanded(err):
			return fmt.Errorf("the server demands a login: %w", err)
		default:
			return fmt.Errorf("read node %s: %w", node, err)
		}
	}
}

// loginDemanded reports whether the server requires a login. The client has no error for
// that.
func loginDemanded(err error) bool { return err != nil && err.Error() == "unknown error: -124" }

// closeTimeout is how long a server has to confirm the end of a session.
const closeTimeout = 200 * time.Millisecond

// end closes a client and waits until it has ended. A client without a session would wait
// for a second for the answer to a request that it cannot send, unless it is closed
// between two connections.
func end(conn *zk.Conn, events <-chan zk.Event, d *dialer, h *hosts) {
	if conn.State() != zk.StateHasSession {
		d.cut() // no connection is made from here on
		<-h.end()
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		conn.Close()
	}()
	select {
	case <-closed:
	case <-time.After(closeTimeout):
	}
	d.cut()
	<-closed
	for range events {
	}
}
