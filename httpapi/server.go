package httpapi

import (
	"net/http"
	"time"
)

// NewServer makes a server for h, with bounds on what a client can hold up: 5 s
// for the headers of a request, of at most 16 KiB, and 2 minutes for a connection that is
// idle. There is none for a whole request, for long polls and streams take as
// long as they take: a Handler itself bounds the time of bodies and answers.
func NewServer(addr string, h http.Handler) *http.Server {
	return &http.Server{
		Addr: addr, Handler: h,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
}
