package httpapi

import (
	"net/http"
	"time"
)

// NewServer makes a server for h with limits for clients: 5 s for the headers of a
// request, of at most 16 KiB, and 2 minutes for an idle connection. There is no limit for
// a whole request, because of long polls and streams: a Handler itself limits the time of
// bodies and answers.
func NewServer(addr string, h http.Handler) *http.Server {
	return &http.Server{
		Addr: addr, Handler: h,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
}
