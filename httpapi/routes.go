package httpapi

import (
	"net/http"
)

// route is one route. serve reads the request, and answers it or returns an error; an
// error of the request, as the call keeps it, comes first.
type route struct {
	pattern string
	needs   role
	style   style
	serve   func(c *call) error
}

// style is the form of a route's errors.
type style int

const (
	asJSON style = iota // {"error": "..."}
	asText              // as gone's
)

// routes returns all routes. A key is one part of the path: its slashes are written
// as %2F.
func (h *Handler) routes() []route {
	const (
		round    = "/{system}/{round}"
		election = "/api/v1/elections/{key}"
	)
	return []route{
		{"GET /alive", anyone, asText, h.alive},
		{"GET /api/v1/elect" + round, writer, asText, h.elect},
		{"GET /api/v1/elected" + round, reader, asText, h.elected},
		{"GET /api/v1/complete" + round, writer, asText, h.complete},
		{"POST /api/v1/complete" + round, writer, asText, h.complete},
		{"GET /api/v1/completed" + round, reader, asText, h.completed},
		{"GET /api/v1/await" + round, reader, asText, h.await},
		{"GET /api/v1/rounds", reader, asJSON, h.listRounds},

		{"GET /api/v1/elections", reader, asJSON, h.listElections},
		{"GET " + election, reader, asJSON, h.look},
		{"DELETE " + election, writer, asJSON, h.forget},
		{"GET " + election + "/leader", anyone, asText, h.health},
		{"POST " + election + "/claim", writer, asJSON, h.claim},
		{"POST " + election + "/resign", writer, asJSON, h.resign},
		{"POST " + election + "/requests", writer, asJSON, h.request},
		{"GET " + election + "/events", reader, asJSON, h.events},
		{"GET " + election + "/terms", reader, asJSON, h.terms},
		{"GET /api/v1/events", reader, asJSON, h.allEvents},

		{"GET /metrics", reader, asText, h.serveMetrics},
		{"GET /openapi.json", anyone, asText, h.document},
		{"GET /{$}", anyone, asText, h.page},
		{"GET /page/{file}", anyone, asText, h.page},
	}
}

// handler returns what serves a route: it checks the rights of the client, and answers
// errors.
func (h *Handler) handler(route route) http.HandlerFunc {
	trouble := &trouble{log: h.log}
	inFlight := h.metrics.inFlight.WithLabelValues(route.pattern)
	return func(w http.ResponseWriter, r *http.Request) {
		inFlight.Inc()
		defer inFlight.Dec()
		c := &call{w: w, r: r}
		var err error
		if route.needs == writer && r.Method == http.MethodHead {
			// The mux takes it for a GET, but a client that asks for headers does not
			// mean to change something.
			w.Header().Set("Allow", http.MethodGet)
			err = unrouted(http.StatusMethodNotAllowed, r)
		} else if err = h.allowed(w, r, route.needs); err == nil {
			err = route.serve(c)
		}
		if err == nil {
			trouble.answered()
			return
		}
		p, known := problemOf(err, route.style)
		if !known && r.Context().Err() == nil { // the client is still there
			trouble.failed("httpapi: request failed", "method", r.Method, "path", r.URL.EscapedPath(), "error", err)
		}
		if route.style == asText {
			_ = c.text(p.status, p.reason)
		} else {
			answerError(w, p)
		}
	}
}

func (h *Handler) alive(c *call) error { return c.text(http.StatusOK, "") }
