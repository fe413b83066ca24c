package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/lru"
	"github.com/seed-a1d591d3/leadership/internal/observe"
	"github.com/seed-a1d591d3/leadership/store"
)

const (
	// DefaultTimeout is how long a request waits for the store.
	DefaultTimeout = 5 * time.Second

	// maxPolls is how many clients wait for rounds at once, at most, and how many
	// operators wait for leaders.
	maxPolls = 1024

	// bodyTimeout is how long a client may take to send a body, and to read an
	// answer.
	bodyTimeout = 10 * time.Second
)

// Handler is an http.Handler that serves the API. Make it with New; the zero
// value is not usable. It is safe for concurrent use.
type Handler struct {
	options
	kv     stores // with bounded calls
	mux    *http.ServeMux
	origin *http.CrossOriginProtection

	electing, reading, listing, awaited, kept *leadership.Rounds // as each of the stores has them

	polls    chan struct{} // a place for each client that waits for a round
	requests chan struct{} // and for each operator that waits for a leader
	checks   chan struct{} // and for each health check that reads the store
	awaits   *awaits
	states   *together[leadership.RoundState]
	lists    *together[[]byte] // in JSON
	listed   *observe.Lists
	silent   silent

	// Those who read cannot drop what those who claim have seen; nor can health checks,
	// which need no token, what those who read have.
	claims, looks, probes *seen

	metrics *metrics

	ctx     context.Context // ends at Close; for what outlives a request
	cancel  context.CancelFunc
	running sync.WaitGroup // goroutines that the handler owns
	dropped atomic.Uint64  // readers of events that were too slow

	observer *observe.Observer

	swept *lru.Map[string, struct{}] // systems that are swept, besides those of WithRetention

	mu     sync.Mutex
	closed bool
}

var _ http.Handler = (*Handler)(nil)

// New makes a handler on kv, which must stay open until Close has returned. It
// makes no call of the store. It returns leadership.ErrInvalidArgument for a nil
// store and for invalid options.
func New(kv store.Store, opts ...Option) (*Handler, error) {
	ended, cancel := context.WithCancel(context.Background())
	cancel() // so that no call is made: what is no store is told before
	if _, err := leadership.Elections(ended, kv, ""); errors.Is(err, leadership.ErrInvalidArgument) {
		return nil, fmt.Errorf("httpapi: %w", err)
	}
	m := newMetrics()
	h := &Handler{
		options: newOptions(opts), metrics: m, kv: newStores(kv, m),
		mux: http.NewServeMux(), origin: http.NewCrossOriginProtection(),
		polls: make(chan struct{}, maxPolls), requests: make(chan struct{}, maxPolls), checks: make(chan struct{}, maxChecks),
	}
	if err := h.check(); err != nil {
		return nil, err
	}
	rounds := func(kv store.Store) *leadership.Rounds {
		return leadership.NewRounds(kv, leadership.WithCallTimeout(h.timeout))
	}
	h.electing, h.reading, h.listing = rounds(h.kv.rounds), rounds(h.kv.reads), rounds(h.kv.lists)
	h.awaited, h.kept = rounds(h.kv.awaits), rounds(h.kv.own)
	h.awaits = newAwaits(h)
	h.states = newTogether[leadership.RoundState](readCalls, h.timeout)
	h.lists = newTogether[[]byte](listCalls, h.timeout)
	h.listed, h.silent = observe.NewLists(h.kv.lists, h.timeout), newSilent()
	h.claims, h.looks, h.probes = h.newSeen(h.kv.claims), h.newSeen(h.kv.reads), h.newSeen(h.kv.reads)
	h.swept = lru.New[string, struct{}](maxSystems)
	h.ctx, h.cancel = context.WithCancel(context.Background())
	h.observer = observe.New(observe.Config{
		Store: h.kv.own, Timeout: h.timeout, Log: h.log, Explain: unanswered, About: h.about(kv),
		Observe: h.observe, Prefix: h.prefix, Valid: func(key string) bool { return checkKey(key) == nil },
		Systems: slices.Concat(h.systems, h.shown),
	})
	h.observing()
	for _, route := range h.routes() {
		h.mux.HandleFunc(route.pattern, h.handler(route))
	}
	if h.retention > 0 {
		h.own(h.sweep)
	}
	return h, nil
}

// Close ends long polls and streams at once, and refuses later ones; other requests are
// still served. It blocks until the handler's goroutines have ended, and may be called
// again. Call it before http.Server.Shutdown, which waits for the requests under way.
func (h *Handler) Close() error {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.cancel()
	h.running.Wait()
	h.observer.Close()
	return nil
}

// own runs f in a goroutine that Close waits for. f must return when ctx ends, as it
// does at Close. After Close own does nothing.
func (h *Handler) own(f func(ctx context.Context)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.running.Go(func() { f(h.ctx) })
	}
}

// ServeHTTP serves the API.
func (h *Handler) ServeHTTP(answer http.ResponseWriter, r *http.Request) {
	r.Pattern = "" // that of a mux around this one
	w := &counting{ResponseWriter: answer, r: r, metrics: h.metrics}
	defer func() {
		if v := recover(); v != nil {
			if v == http.ErrAbortHandler { //nolint:errorlint // It is panicked with as it is.
				panic(v)
			}
			h.log.Error("httpapi: panic", "method", r.Method, "path", r.URL.EscapedPath(), "panic", v, "stack", string(debug.Stack()))
			// If the answer has begun this changes nothing but the log.
			answerError(w, problem{status: http.StatusInternalServerError, reason: "internal error"})
		}
	}()
	head := w.Header()
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Cache-Control", "no-store")
	if r.ContentLength != 0 {
		// Also for bodies that no route reads: the server reads them at the end.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout)) // not every connection can
		if r.Close && r.Header.Get("Expect") == "" {
			r.Body = http.MaxBytesReader(answer, r.Body, maxUnread)
			defer drain(w, r.Body)
		}
	}
	if p := r.URL.EscapedPath(); p != path.Clean(p) && p != path.Clean(p)+"/" {
		answerError(w, problem{status: http.StatusNotFound, reason: "the path has an empty part, or dots for one"})
		return
	}
	w.routing = true
	h.mux.ServeHTTP(w, r)
	w.routing = false
	if r.Pattern == "" {
		answerError(w, unrouted(w.status, r))
		return
	}
	w.begin(http.StatusOK) // as the server does
}

// unrouted is the answer to a request that has no route.
func unrouted(status int, r *http.Request) problem {
	if status == http.StatusMethodNotAllowed {
		return problem{status: status, reason: fmt.Sprintf("the method %.20q is not for this path", r.Method)}
	}
	return problem{status: http.StatusNotFound, reason: "there is nothing under this path"}
}
