package leadproxy

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"reflect"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/seed-a1d591d3/leadership"
)

const (
	// HopHeader marks a request that a Proxy has sent to the leader. If it comes to a
	// Proxy of another node than the leader, that does not send it on.
	HopHeader = "Leadership-Proxied"

	// ServedByHeader is the name of the leader that has answered, with WithServedBy.
	ServedByHeader = "Leadership-Leader"

	// TokenHeader is the token of the term of that leader.
	TokenHeader = "Leadership-Token"

	// maxRetryAfter is the longest Retry-After.
	maxRetryAfter = 30 * time.Second
)

// Source knows the leader: a Follower or, for this node, a Candidate. Term is called for
// every request, by many goroutines at once.
type Source interface {
	Term() (leadership.Term, bool)
}

// Proxy is an http.Handler that sends requests to the leader. Make it with
// New; the zero value is not usable. It is safe for concurrent use.
type Proxy struct {
	options
	leader  Source
	reverse httputil.ReverseProxy
	ttl     atomic.Int64 // of the last term
}

var _ http.Handler = (*Proxy)(nil)

// New makes a proxy to the leader that follower knows; the follower has to be following.
// A nil follower knows no leader.
//
// Bodies are streamed in both directions, and answers are flushed as they come.
// WebSockets and other upgrades work. Headers of a single connection are dropped,
// X-Forwarded-For, -Host and -Proto are those of the client, and the Host is that of the
// leader's address.
func New(follower Source, opts ...Option) *Proxy {
	if v := reflect.ValueOf(follower); v.Kind() == reflect.Pointer && v.IsNil() {
		follower = nil
	}
	p := &Proxy{
		leader:  follower,
		options: options{target: target, timeout: DefaultTimeout, log: slog.New(slog.DiscardHandler)},
	}
	for _, opt := range opts {
		if opt != nil {
			opt(&p.options)
		}
	}
	if p.transport == nil {
		dialer := net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}
		p.transport = &http.Transport{
			DialContext:           dialer.DialContext,
			TLSHandshakeTimeout:   5 * time.Second,
			ResponseHeaderTimeout: p.timeout,
			ExpectContinueTimeout: time.Second,
			IdleConnTimeout:       90 * time.Second,
			MaxIdleConnsPerHost:   64, // there is only one host
			ForceAttemptHTTP2:     true,
		}
	}
	p.reverse = httputil.ReverseProxy{
		Rewrite:        p.rewrite,
		Transport:      p.transport,
		FlushInterval:  -1,
		ModifyResponse: p.tell,
		ErrorHandler:   p.failed,
		ErrorLog:       slog.NewLogLogger(p.log.Handler(), slog.LevelWarn),
	}
	return p
}

// CloseIdleConnections closes the connections to leaders that are not in use.
func (p *Proxy) CloseIdleConnections() {
	if c, ok := p.transport.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// destination is the leader that a request is sent to, and its address.
type destination struct {
	term leadership.Term
	url  *url.URL
}

type destinationKey struct{}

// ServeHTTP sends the request to the leader, or serves it here if this node is the leader
// and has a handler for that: see WithLocal.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p.local != nil {
		if term, ok := p.local.Term(); ok {
			p.sign(w.Header(), term)
			p.handler.ServeHTTP(w, r)
			return
		}
	}
	term, ok := leadership.Term{}, false
	if p.leader != nil {
		term, ok = p.leader.Term()
	}
	if ok {
		p.ttl.Store(int64(term.TTL))
	}
	switch {
	case r.Header.Get(HopHeader) != "":
		// The sender did not know the leader yet, or is this very node.
		p.unavailable(w, "this node does not lead (any more)", p.vacancy())
		return
	case !ok:
		p.unavailable(w, "there is no leader", p.vacancy())
		return
	}
	u, err := p.target(term.Payload)
	if err == nil {
		err = usable(u)
	}
	if err != nil {
		p.log.Error("leadproxy: leader without a usable address", "leader", term.Leader, "error", err)
		http.Error(w, "the leader's address is not usable", http.StatusBadGateway)
		return
	}
	ctx := context.WithValue(r.Context(), destinationKey{}, destination{term, u})
	p.reverse.ServeHTTP(w, r.WithContext(ctx))
}

// vacancy is how long a seat stays empty at most, with the default retry interval of
// candidates.
func (p *Proxy) vacancy() time.Duration { return time.Duration(p.ttl.Load()) / 3 }

func (p *Proxy) unavailable(w http.ResponseWriter, why string, wait time.Duration) {
	seconds := (min(wait, maxRetryAfter) + time.Second - 1) / time.Second
	w.Header().Set("Retry-After", strconv.Itoa(max(1, int(seconds))))
	http.Error(w, why, http.StatusServiceUnavailable)
}

func (p *Proxy) rewrite(r *httputil.ProxyRequest) {
	to, _ := r.In.Context().Value(destinationKey{}).(destination)
	r.SetURL(to.url)
	if p.trust {
		r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
	}
	r.SetXForwarded()
	if p.trust {
		for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Proto"} {
			if before := r.In.Header[name]; len(before) > 0 {
				r.Out.Header[name] = before
			}
		}
	}
	r.Out.Header.Set(HopHeader, "1")
}

// tell adds the name and the token of the leader to its answer.
func (p *Proxy) tell(r *http.Response) error {
	to, _ := r.Request.Context().Value(destinationKey{}).(destination)
	p.sign(r.Header, to.term)
	return nil
}

func (p *Proxy) sign(h http.Header, term leadership.Term) {
	if p.served {
		h.Set(ServedByHeader, url.PathEscape(term.Leader))
		h.Set(TokenHeader, strconv.FormatUint(term.Token, 10))
	}
}

// failed answers a request that the leader has not answered.
func (p *Proxy) failed(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		// The client has gone: only the logs of proxies before this one show the status.
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	to, _ := r.Context().Value(destinationKey{}).(destination)
	p.log.Warn("leadproxy: no answer from the leader", "leader", to.term.Leader, "address", to.url.Redacted(), "error", err)
	var dial *net.OpError
	var late net.Error
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		http.Error(w, "the body is too large", http.StatusRequestEntityTooLarge)
	case errors.As(err, &dial) && dial.Op == "dial":
		// Nothing was sent. If it has crashed, it is replaced within its TTL.
		p.unavailable(w, "the leader cannot be reached", to.term.TTL)
	case errors.As(err, &late) && late.Timeout():
		http.Error(w, "the leader has not answered in time", http.StatusGatewayTimeout)
	default:
		http.Error(w, "the leader has not answered", http.StatusBadGateway)
	}
}
