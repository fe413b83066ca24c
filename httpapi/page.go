package httpapi

import (
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"path"
)

// pageFiles are the page, its style and its scripts.
//
//go:embed page
var pageFiles embed.FS

// pageTypes are the kinds of files that the page is made of.
var pageTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// pageHeaders let the page load its own files and ask this server, and nothing
// else; no script can be put into it, and no other page may frame it. A browser that
// knows Trusted Types refuses every text that is to become markup.
var pageHeaders = map[string]string{
	"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Referrer-Policy":              "no-referrer",
	"X-Frame-Options":              "DENY",
}

// page registers the page. Anyone may have it; what it shows it has to ask for.
func (h *Handler) page(mux *http.ServeMux) {
	h.handle(mux, "GET /{$}", anyone, asText, func(w http.ResponseWriter, _ *http.Request) error {
		return servePage(w, "index.html")
	})
	h.handle(mux, "GET /page/{file}", anyone, asText, func(w http.ResponseWriter, r *http.Request) error {
		return servePage(w, r.PathValue("file"))
	})
}

func servePage(w http.ResponseWriter, file string) error {
	kind, ok := pageTypes[path.Ext(file)]
	body, err := fs.ReadFile(pageFiles, path.Join("page", file))
	if !ok || err != nil {
		return problem{http.StatusNotFound, fmt.Sprintf("there is no file %.40q", file)}
	}
	for name, value := range pageHeaders {
		w.Header().Set(name, value)
	}
	write(w, http.StatusOK, kind, body)
	return nil
}
