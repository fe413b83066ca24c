// Package kube stands in for the API server of Kubernetes as far as client-go's leaderelection
// needs one: it keeps Leases in memory, and answers GET, POST and PUT by HTTP and JSON, a PUT
// of an old resourceVersion by 409. A true one writes to etcd, and takes longer.
package kube

import (
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// Path is that of all Leases.
const Path = "/apis/coordination.k8s.io/v1/namespaces/bench/leases"

// Server serves Leases.
type Server struct {
	Addr string // host:port

	requests, writes atomic.Int64

	mu      sync.Mutex
	version int
	leases  map[string]lease

	http http.Server
	done chan struct{}
}

type lease map[string]any

// Start starts a server on the loopback interface.
func Start() (*Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // returns at once
	if err != nil {
		return nil, err
	}
	s := &Server{Addr: listener.Addr().String(), leases: make(map[string]lease), done: make(chan struct{})}
	s.http.Handler = s //nolint:gosec // for this process and its children
	go func() {
		defer close(s.done)
		_ = s.http.Serve(listener)
	}()
	return s, nil
}

// Close ends the server and waits for that.
func (s *Server) Close() error {
	err := s.http.Close()
	<-s.done
	return err
}

// ServeHTTP answers a request. One for /count tells how many requests and writes there were.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/count" {
		_ = json.NewEncoder(w).Encode([]int64{s.requests.Load(), s.writes.Load()})
		return
	}
	s.requests.Add(1)
	status, l := s.answer(r)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if l == nil {
		reason := map[int]string{http.StatusNotFound: "NotFound", http.StatusConflict: "Conflict"}[status]
		l = lease{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": status, "message": http.StatusText(status)}
	}
	_ = json.NewEncoder(w).Encode(l)
}

func (s *Server) answer(r *http.Request) (status int, _ lease) {
	var sent lease
	if r.Method != http.MethodGet {
		if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
			return http.StatusBadRequest, nil
		}
	}
	metadata, _ := sent["metadata"].(map[string]any)
	name := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, Path), "/")
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.Method {
	case http.MethodGet:
		if l, ok := s.leases[name]; ok {
			return http.StatusOK, l
		}
		return http.StatusNotFound, nil
	case http.MethodPost:
		name, _ = metadata["name"].(string)
		if _, ok := s.leases[name]; ok {
			return http.StatusConflict, nil
		}
		return http.StatusCreated, s.put(name, sent, metadata)
	case http.MethodPut:
		was, ok := s.leases[name]
		if !ok {
			return http.StatusNotFound, nil
		}
		if metadata["resourceVersion"] != was["metadata"].(map[string]any)["resourceVersion"] {
			return http.StatusConflict, nil
		}
		return http.StatusOK, s.put(name, sent, metadata)
	}
	return http.StatusMethodNotAllowed, nil
}

func (s *Server) put(name string, l lease, metadata map[string]any) lease {
	s.version++
	s.writes.Add(1)
	metadata["resourceVersion"] = strconv.Itoa(s.version)
	l["kind"], l["apiVersion"] = "Lease", "coordination.k8s.io/v1"
	s.leases[name] = l
	return l
}
