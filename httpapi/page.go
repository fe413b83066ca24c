package httpapi

import (
	"cmp"
	"embed"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/seed-a1d591d3/leadership/internal/observe"
	"github.com/seed-a1d591d3/leadership/store"
)

// pageFiles are the page, its style and its scripts.
//
//go:embed page
var pageFiles embed.FS

// pageTypes are the types of the files of the page.
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

// about is what the page shows in its foot.
func (o *options) about(kv store.Store) observe.About {
	text := cmp.Or(o.version.number, "unknown")
	if revision := o.version.revision[:min(len(o.version.revision), 12)]; !strings.Contains(text, revision) {
		text += " " + revision
	}
	return observe.About{Store: store.TargetOf(kv).String(), URL: o.storeURL, Version: text}
}

// page serves the page and its files. Anyone may have them: for what it shows, the page
// makes requests of its own.
func (h *Handler) page(c *call) error {
	file := cmp.Or(c.r.PathValue("file"), "index.html")
	kind, ok := pageTypes[path.Ext(file)]
	body, err := fs.ReadFile(pageFiles, path.Join("page", file))
	if !ok || err != nil {
		return refuse(http.StatusNotFound, "there is no file %.40q", file)
	}
	for name, value := range pageHeaders {
		c.w.Header().Set(name, value)
	}
	write(c.w, http.StatusOK, kind, body)
	return nil
}

// openAPI describes all routes, written by hand; tests hold the handler to it.
//
//go:embed openapi.json
var openAPI []byte

// document serves the description of the routes. Anyone may have it: it does not depend
// on this server.
func (h *Handler) document(c *call) error {
	write(c.w, http.StatusOK, "application/json", openAPI)
	return nil
}
