package httpapi

import "net/http"

// rounds registers the routes of rounds.
func (h *Handler) rounds(mux *http.ServeMux) {
	h.handle(mux, "GET /alive", anyone, asText, func(w http.ResponseWriter, _ *http.Request) error {
		text(w, http.StatusOK, "")
		return nil
	})
}
