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

// WithLocal makes handler serve the requests while candidate, of this node, leads. If
// either is nil it changes nothing. The context of a request does not end with the term:
// before each step that only a leader may take, the handler has to ask
// candidate.IsLeader, or to pass the token on to be checked. The default is to send every
// request to the leader's address.
func WithLocal(candidate Source, handler http.Handler) Option {
	return func(o *options) {
		if candidate != nil && handler != nil {
			o.local, o.handler = candidate, handler
		}
	}
}

// WithTarget sets the function that returns the leader's address for its payload. The
// path of the address, if any, is put before those of the requests. By default, and with
// nil, the payload is a URL of scheme http or https, or host:port for http.
func WithTarget(f func(payload []byte) (*url.URL, error)) Option {
	return func(o *options) {
		if f != nil {
			o.target = f
		}
	}
}

// WithTransport sets the transport of the requests; WithTimeout changes nothing then. The
// default, and nil, is a transport that allows 5 s for a connection and 5 s for TLS, keeps
// idle connections for 90 s, and uses no proxy of the environment.
func WithTransport(t http.RoundTripper) Option {
	return func(o *options) {
		if t != nil {
			o.transport = t
		}
	}
}

// WithTimeout sets how long a leader may take to begin its answer once it has
// the request. The rest of the answer may take any time. The default, also for 0 and
// below, is DefaultTimeout.
func WithTimeout(d time.Duration) Option {
	return func(o *options) {
		if d > 0 {
			o.timeout = d
		}
	}
}

// TrustForwarded keeps the X-Forwarded-For, -Host and -Proto of a request, and adds to
// the first: for a proxy that only other proxies can reach. The default is to replace
// them by those of the connection.
func TrustForwarded() Option { return func(o *options) { o.trust = true } }

// WithServedBy adds to every answer of a leader its name and token, in the headers
// ServedByHeader and TokenHeader, as this node knew them when it passed the request on. The
// default is not to add them.
func WithServedBy() Option { return func(o *options) { o.served = true } }

// WithLogger sets the log for leaders that could not be reached. The default, and nil, is
// none.
func WithLogger(l *slog.Logger) Option {
	return func(o *options) {
		if l != nil {
			o.log = l
		}
	}
}

// target returns the address in a payload.
func target(payload []byte) (*url.URL, error) {
	address := strings.TrimSpace(string(payload))
	if address == "" {
		return nil, errors.New("the payload is empty: it must be an address")
	}
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("the payload is not an address: %w", err)
	}
	return u, nil
}

// usable returns what is wrong with an address.
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
