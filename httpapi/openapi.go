package httpapi

import (
	_ "embed" // of the document
	"net/http"
)

// openAPI describes all routes, written by hand; tests hold the handler to it.
//
//go:embed openapi.json
var openAPI []byte

// document registers the route of the document. Anyone may have it: it tells what
// this package serves, and nothing of this server.
func (h *Handler) document(mux *http.ServeMux) {
	h.handle(mux, "GET /openapi.json", anyone, asText, func(w http.ResponseWriter, _ *http.Request) error {
		write(w, http.StatusOK, "application/json", openAPI)
		return nil
	})
}
