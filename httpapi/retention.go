package httpapi

import (
	"context"
	"slices"
	"time"
)

// maxSystems is how many systems are swept besides those of WithRetention: the last that
// were asked for.
const maxSystems = 1024

// sweeping returns the systems that are swept.
func (h *Handler) sweeping() []string { return slices.Concat(h.systems, h.swept.Keys()) }

// sweep deletes old rounds until ctx ends.
func (h *Handler) sweep(ctx context.Context) {
	ticker := time.NewTicker(min(h.retention/10, time.Hour))
	defer ticker.Stop()
	for {
		for _, system := range h.sweeping() {
			deleted, err := h.kept.Sweep(ctx, system, h.retention)
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
