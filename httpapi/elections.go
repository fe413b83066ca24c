package httpapi

import "net/http"

// elections registers the routes of elections.
func (h *Handler) elections(_ *http.ServeMux) {}
