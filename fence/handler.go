package fence

import (
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/seed-a1d591d3/leadership"
)

const (
	// DefaultHeader is the header in which a token is sent, as a decimal
	// number, if no other is asked for.
	DefaultHeader = "Fencing-Token"

	// DefaultResource is the resource of all requests to a Handler, if no other
	// is asked for.
	DefaultResource = "default"
)

// HTTPOption changes what Handler and NewTransport make. An option that is nil
// changes nothing.
type HTTPOption func(*httpOptions)

type httpOptions struct {
	header       string
	resource     func(*http.Request) string
	allowMissing bool
	log          *slog.Logger
}

// WithHeader sets the header in which the token is sent. The default, and the
// empty name, is DefaultHeader.
func WithHeader(name string) HTTPOption {
	return func(o *httpOptions) {
		if name != "" {
			o.header = name
		}
	}
}

// WithResource sets the resource that the requests to a Handler act upon. The
// default is DefaultResource, for all of them. NewTransport ignores it.
func WithResource(name string) HTTPOption {
	return WithResourceOf(func(*http.Request) string { return name })
}

// WithResourceOf sets what tells the resource that a request to a Handler acts
// upon. A request is refused as malformed where that is not what a Checker
// accepts. nil changes nothing. NewTransport ignores it.
func WithResourceOf(f func(*http.Request) string) HTTPOption {
	return func(o *httpOptions) {
		if f != nil {
			o.resource = f
		}
	}
}

// AllowMissing lets requests without a token pass a Handler unchecked, such as
// those of clients that lead nothing. The default is to refuse them.
// NewTransport ignores it.
func AllowMissing() HTTPOption { return func(o *httpOptions) { o.allowMissing = true } }

// WithLogger sets where a Handler logs refused tokens and failed checks. The
// default, and nil, is nowhere. NewTransport ignores it.
func WithLogger(l *slog.Logger) HTTPOption {
	return func(o *httpOptions) {
		if l != nil {
			o.log = l
		}
	}
}

func newHTTPOptions(opts []HTTPOption) httpOptions {
	o := httpOptions{
		header:   DefaultHeader,
		resource: func(*http.Request) string { return DefaultResource },
		log:      slog.New(slog.DiscardHandler),
	}
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	return o
}

type handler struct {
	httpOptions
	check Checker
	next  http.Handler
}

// Handler passes on to next the requests whose token check accepts, and
// answers the others itself:
//
//   - 412 Precondition Failed: the token is stale
//   - 400 Bad Request: the token is malformed, 0, or sent twice
//   - 428 Precondition Required: there is none
//   - 503 Service Unavailable: it could not be checked
//
// The request that next gets carries the token in its context (see
// TokenFromContext), so that next can check it once more where it acts: between
// the check here and what next does then, a higher token may pass.
//
// A token is no secret, and everybody who may send one can shut the leader out with a
// very high one: put Handler behind whatever tells clients apart. The handler
// is safe for concurrent use.
func Handler(check Checker, next http.Handler, opts ...HTTPOption) http.Handler {
	return &handler{httpOptions: newHTTPOptions(opts), check: check, next: next}
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.check == nil || h.next == nil {
		h.log.Error("fence: handler without a checker or a next handler")
		http.Error(w, "this handler has not been set up", http.StatusInternalServerError)
		return
	}
	values := r.Header.Values(h.header)
	if len(values) == 0 {
		if !h.allowMissing {
			http.Error(w, "the header "+h.header+" with a fencing token is required", http.StatusPreconditionRequired)
			return
		}
		h.next.ServeHTTP(w, r)
		return
	}
	token, err := strconv.ParseUint(values[0], 10, 64)
	if len(values) > 1 || err != nil {
		http.Error(w, "the header "+h.header+" must hold one decimal number", http.StatusBadRequest)
		return
	}
	resource := h.resource(r)
	switch err := h.check.Check(r.Context(), resource, token); {
	case err == nil:
		h.next.ServeHTTP(w, r.WithContext(WithToken(r.Context(), token)))
	case errors.Is(err, ErrStale):
		h.log.Warn("fence: refused", "resource", resource, "token", token, "error", err)
		http.Error(w, err.Error(), http.StatusPreconditionFailed)
	case errors.Is(err, leadership.ErrInvalidArgument):
		http.Error(w, err.Error(), http.StatusBadRequest)
	default:
		h.log.Error("fence: could not check", "resource", resource, "token", token, "error", err)
		http.Error(w, "the fencing token could not be checked", http.StatusServiceUnavailable)
	}
}
