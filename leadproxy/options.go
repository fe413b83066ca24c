package leadproxy

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// DefaultTimeout is how long a leader may take to begin its answer.
const DefaultTimeout = 30 * time.Second

// Option changes what New makes. An option that is nil changes nothing.
type Option func(*options)

type options struct {
	local     Source
	handler   http.Handler
	target    func(payload []byte) (*url.URL, error)
	transport http.RoundTripper
	timeout   time.Duration
	trust     bool
	served    bool
	log       *slog.Logger
}

// WithLocal has handler serve the requests while this node leads, as candidate
// says. If either is nil it changes nothing. The context of a request does not end with the
// term: before each step that only a leader may take, the handler has to ask
// candidate.IsLeader, or to pass the token on to where it is checked. The default is to
// send every request to the leader's address.
func WithLocal(candidate Source, handler http.Handler) Option {
	return func(o *options) {
		if candidate != nil && handler != nil {
			o.local, o.handler = candidate, handler
		}
	}
}

// WithTarget sets what makes the leader's address of its payload. Its path, if
// any, is put before those of the requests. The default, and nil, is a URL
// of scheme http or https, or host:port, which is taken as http.
func WithTarget(f func(payload []byte) (*url.URL, error)) Option {
	return func(o *options) {
		if f != nil {
			o.target = f
		}
	}
}

// WithTransport sets what sends the requests. Its timeouts are then its own, and
// WithTimeout changes nothing. The default, and nil, is a transport that has 5 s
// for a connection and as long for TLS, keeps idle connections for 90 s, and
// uses no proxy of the environment.
func WithTransport(t http.RoundTripper) Option {
	return func(o *options) {
		if t != nil {
			o.transport = t
		}
	}
}

// WithTimeout sets how long a leader may take to begin its answer once it has
// the request. How long it then takes for the rest is not bounded. The default,
// and anything not above 0, is DefaultTimeout.
func WithTimeout(d time.Duration) Option {
	return func(o *options) {
		if d > 0 {
			o.timeout = d
		}
	}
}

// TrustForwarded keeps the X-Forwarded-For, -Host and -Proto that a request
// comes with, and adds to the first: for a proxy that only other proxies reach.
// The default is to replace them by what is known of the connection.
func TrustForwarded() Option { return func(o *options) { o.trust = true } }

// WithServedBy adds to every answer of a leader who leads it, in the headers
// ServedByHeader and TokenHeader, as this node knew when it passed the request
// on. The default is not to tell.
func WithServedBy() Option { return func(o *options) { o.served = true } }

// WithLogger sets where it is logged that a leader could not be reached. The
// default, and nil, is nowhere.
func WithLogger(l *slog.Logger) Option {
	return func(o *options) {
		if l != nil {
			o.log = l
		}
	}
}

// target makes a URL of a payload.
func target(payload []byte) (*url.URL, error) {
	address := strings.TrimSpace(string(payload))
	if address == "" {
		return nil, errors.New("the payload is empty, where an address is wanted")
	}
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("the payload is no address: %w", err)
	}
	return u, nil
}

// usable says what is wrong with a target.
func usable(u *url.URL) error {
	switch {
	case u == nil:
		return errors.New("the payload gives no address")
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("the address %.200q is neither http nor https", u)
	case u.Hostname() == "":
		return fmt.Errorf("the address %.200q has no host", u)
	}
	return nil
}
