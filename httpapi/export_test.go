package httpapi

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-a1d591d3/leadership/internal/observe"
)

// Patterns are those of all routes.
func (h *Handler) Patterns() []string {
	var all []string
	for _, route := range h.routes() {
		all = append(all, route.pattern)
	}
	return all
}

// Registry returns the metrics.
func (h *Handler) Registry() *prometheus.Registry { return h.metrics.registry }

// FillPolls takes all places of requests that wait for long.
func (h *Handler) FillPolls() {
	for range maxPolls {
		h.polls <- struct{}{}
		h.requests <- struct{}{}
	}
}

// FillStreams makes the streams of events as many as there may be.
func (h *Handler) FillStreams() {
	for range observe.MaxReaders {
		if _, err := h.observer.Read("fill", ""); err != nil {
			return
		}
	}
}

// Awaiting returns how many clients wait for rounds.
func (h *Handler) Awaiting() int { return len(h.polls) }
