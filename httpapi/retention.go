package httpapi

import (
	"context"
	"time"
)

// maxSystems is how many systems are swept, at most.
const maxSystems = 1024

// remember has a system swept from now on.
func (h *Handler) remember(system string) {
	if h.retention == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, known := h.swept[system]; known || len(h.swept) < maxSystems {
		h.swept[system] = struct{}{}
	}
}

// sweep deletes old rounds until ctx ends.
func (h *Handler) sweep(ctx context.Context) {
	ticker := time.NewTicker(min(h.retention/10, time.Hour))
	defer ticker.Stop()
	for {
		for _, system := range h.toSweep() {
			deleted, err := h.all.Sweep(ctx, system, h.retention)
			switch {
			case ctx.Err() != nil:
				return
			case err != nil:
				h.log.Warn("httpapi: sweep rounds", "system", system, "deleted", deleted, "error", err)
			case deleted > 0:
				h.log.Info("httpapi: swept rounds", "system", system, "deleted", deleted)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// toSweep returns the systems to sweep.
func (h *Handler) toSweep() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	systems := make([]string, 0, len(h.swept))
	for system := range h.swept {
		systems = append(systems, system)
	}
	return systems
}
