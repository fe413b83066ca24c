package httpapi

import "github.com/prometheus/client_golang/prometheus"

// Patterns are those of all routes.
func (h *Handler) Patterns() []string {
	var all []string
	for _, route := range h.routes() {
		all = append(all, route.pattern)
	}
	return all
}

// Registry has the metrics.
func (h *Handler) Registry() *prometheus.Registry { return h.metrics.registry }

// FillPolls has as many requests wait for long as there may be.
func (h *Handler) FillPolls() {
	for range maxPolls {
		h.polls <- struct{}{}
		h.requests <- struct{}{}
	}
}

// FillStreams has it be that there are as many streams of events as there may be.
func (h *Handler) FillStreams() {
	h.observer.mu.Lock()
	defer h.observer.mu.Unlock()
	h.observer.streams = maxStreams
}

// Awaiting is how many clients wait for rounds.
func (h *Handler) Awaiting() int { return len(h.polls) }
