package httpapi

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store"
)

// maxScrapes is how many clients are given metrics at once, at most.
const maxScrapes = 8

// scrapeObserves is how long elections are observed after metrics were asked for:
// longer than Prometheus lets pass between two scrapes.
const scrapeObserves = 150 * time.Second

// seconds are the buckets of durations: a store on the same machine takes less
// than a millisecond, and a request waits for DefaultTimeout.
var seconds = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// The results of claims and of requests for rounds, as labels.
const (
	resultWon       = "won"
	resultRenewed   = "renewed"
	resultLost      = "lost"
	resultRefused   = "refused"
	resultCompleted = "completed"
	resultError     = "error"
)

// metrics are what a handler counts. Every label has few values, whatever clients
// send. It is safe for concurrent use.
type metrics struct {
	registry *prometheus.Registry
	serve    http.Handler

	claims       *prometheus.CounterVec
	claimSeconds *prometheus.HistogramVec
	rounds       *prometheus.CounterVec
	callSeconds  *prometheus.HistogramVec
	callErrors   *prometheus.CounterVec
	requests     *prometheus.CounterVec
	inFlight     *prometheus.GaugeVec
}

func newMetrics() *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "leadership_" + name, Help: help}, labels)
	}
	histogram := func(name, help string, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "leadership_" + name, Help: help, Buckets: seconds}, labels)
	}
	m := &metrics{
		registry:     prometheus.NewRegistry(),
		claims:       counter("claims_total", "Claims of seats over HTTP that were answered, by result.", "result"),
		claimSeconds: histogram("claim_duration_seconds", "How long claims of seats over HTTP took, by result.", "result"),
		rounds:       counter("rounds_total", "Requests to elect in a round and to complete one, by result.", "result"),
		callSeconds:  histogram("store_call_duration_seconds", "How long calls of the store took.", "op"),
		callErrors:   counter("store_errors_total", "Calls of the store that failed, by operation and kind of error.", "op", "kind"),
		requests:     counter("http_requests_total", "Requests that were answered, by route and status code.", "route", "code"),
		inFlight: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "leadership_http_requests_in_flight", Help: "Requests that are being served now, by route.",
		}, []string{"route"}),
	}
	m.registry.MustRegister(m.claims, m.claimSeconds, m.rounds, m.callSeconds, m.callErrors, m.requests, m.inFlight,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	// Results that have not happened yet are 0: a rate needs to see the step from 0 to 1.
	for _, result := range []string{resultWon, resultRenewed, resultLost, resultRefused, resultError} {
		m.claims.WithLabelValues(result)
	}
	for _, result := range []string{resultWon, resultLost, resultCompleted, resultError} {
		m.rounds.WithLabelValues(result)
	}
	return m
}

// observing registers the metrics of the elections that are observed.
func (h *Handler) observing() {
	h.metrics.registry.MustRegister(electionsCollector{h.observer})
	if h.observe {
		h.metrics.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "leadership_elections_known", Help: "Whether it is known which elections there are: 1, or 0 if the store does not answer.",
		}, func() float64 {
			if h.observer.Known() {
				return 1
			}
			return 0
		}))
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "leadership_build_info", Help: "What the server was built from: 1.",
		ConstLabels: prometheus.Labels{"version": cmp.Or(h.version.number, "unknown"), "revision": h.version.revision, "goversion": runtime.Version()},
	})
	build.Set(1)
	h.metrics.registry.MustRegister(build,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "leadership_event_readers", Help: "Streams of events that are served now.",
		}, func() float64 { return float64(h.observer.Readers()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "leadership_event_readers_dropped_total", Help: "Streams of events that were ended because their readers were too slow.",
		}, func() float64 { return float64(h.DroppedReaders()) }))
	h.metrics.serve = promhttp.HandlerFor(h.metrics.registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes})
}

// serveMetrics serves the metrics, and keeps the elections observed for a while.
func (h *Handler) serveMetrics(c *call) error {
	h.observer.ObserveFor(c.r.Context(), scrapeObserves)
	_ = http.NewResponseController(c.w).SetWriteDeadline(time.Now().Add(bodyTimeout)) // not every connection can
	h.metrics.serve.ServeHTTP(c.w, c.r)
	return nil
}

// claimed counts a claim that began at that time; one that was invalid has an empty
// result, and is not counted.
func (m *metrics) claimed(result string, began time.Time) {
	if result != "" {
		m.claims.WithLabelValues(result).Inc()
		m.claimSeconds.WithLabelValues(result).Observe(time.Since(began).Seconds())
	}
}

// claimResult returns the result of a claim of a seat.
func claimResult(by leadership.Claim, got leadership.Claimed, err error) string {
	switch {
	case err == nil && got.Won && got.Trust < time.Millisecond:
		return resultError // the claimant is told so
	case err == nil && got.Won && by.Token != 0:
		return resultRenewed
	case err == nil && got.Won:
		return resultWon
	case err == nil, errors.Is(err, leadership.ErrLost):
		return resultLost
	case errors.Is(err, leadership.ErrEvicted), errors.Is(err, leadership.ErrTransferred), errors.Is(err, leadership.ErrPaused):
		return resultRefused
	case errors.Is(err, leadership.ErrInvalidArgument):
		return ""
	default:
		return resultError
	}
}

// round counts a request to elect in a round or to complete one, unless an error was the
// client's fault.
func (m *metrics) round(result string, err error) {
	switch {
	case err == nil:
	case errors.Is(err, leadership.ErrInvalidArgument), errors.Is(err, leadership.ErrCompletedByOther),
		errors.Is(err, leadership.ErrNotElected), errors.Is(err, leadership.ErrSuperseded):
		return
	default:
		result = resultError
	}
	m.rounds.WithLabelValues(result).Inc()
}

// called counts a call of the store that began at that time.
func (m *metrics) called(op string, began time.Time, err error) {
	m.callSeconds.WithLabelValues(op).Observe(time.Since(began).Seconds())
	m.failed(op, err)
}

// failed counts a call of the store that failed, or that was never made.
func (m *metrics) failed(op string, err error) {
	if kind := errorKind(err); kind != "" {
		m.callErrors.WithLabelValues(op, kind).Inc()
	}
}

// errorKind returns the kind of an error of the store; it is empty for what is part of
// every election.
func errorKind(err error) string {
	switch {
	case err == nil, errors.Is(err, store.ErrKeyNotFound), errors.Is(err, store.ErrKeyExists), errors.Is(err, store.ErrKeyModified):
		return ""
	case errors.Is(err, errBusy):
		return "busy"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, store.ErrNotReachable):
		return "unreachable"
	default:
		return "other"
	}
}

// answered counts a request that was answered. pattern is that of its route; empty
// means that it has none.
func (m *metrics) answered(pattern string, status int) {
	if pattern == "" {
		pattern = "none"
	}
	m.requests.WithLabelValues(pattern, strconv.Itoa(status)).Inc()
}

// counting counts an answer when it begins, so that a stream is counted, and a client
// that has the answer finds it counted. Of what the mux answers to a request without a
// route it keeps only the status.
type counting struct {
	http.ResponseWriter
	r       *http.Request
	metrics *metrics
	begun   bool
	routing bool // the mux serves the request
	status  int
}

// Unwrap is for http.ResponseController.
func (c *counting) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// unrouted reports whether the mux answers that the request has no route.
func (c *counting) unrouted() bool { return c.routing && c.r.Pattern == "" }

func (c *counting) WriteHeader(status int) {
	if c.unrouted() {
		c.status = status
		return
	}
	c.begin(status)
	c.ResponseWriter.WriteHeader(status)
}

func (c *counting) Write(b []byte) (int, error) {
	if c.unrouted() {
		return len(b), nil
	}
	c.begin(http.StatusOK)
	return c.ResponseWriter.Write(b)
}

func (c *counting) begin(status int) {
	if !c.begun && status >= http.StatusOK {
		c.begun = true
		c.metrics.answered(c.r.Pattern, status)
	}
}
